/* For tests: EXPECT_CHECK(statement) passes when the statement fails a CHECK, and goes on behind
 * it. One test thread; what the statement allocated is lost, so give it statements that check
 * first.
 */
#ifndef SEOM_BASE_CHECK_EXPECT_H
#define SEOM_BASE_CHECK_EXPECT_H

#include "base/check.h"
#include <setjmp.h>
#include <stdbool.h>

static jmp_buf check_expected_at;

static inline void
check_expected(const char *file, int line, const char *function, const char *what)
{
    (void)file;
    (void)line;
    (void)function;
    (void)what;
    longjmp(check_expected_at, 1);
}

#define EXPECT_CHECK(statement)                             \
    do {                                                    \
        volatile bool check_was_failed = true;              \
        check_set_hook(check_expected);                     \
        if (setjmp(check_expected_at) == 0) {               \
            statement;                                      \
            check_was_failed = false;                       \
        }                                                   \
        check_set_hook(0);                                  \
        if (!check_was_failed)                              \
            fail_msg("no CHECK failed in: %s", #statement); \
    } while (0)

#endif
