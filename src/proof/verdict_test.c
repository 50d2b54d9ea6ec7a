#include "proof/verdict.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void say(char *text, size_t bytes, int64_t now_us, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void
say(char *text, size_t bytes, int64_t now_us, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    proof_wrong_text(text, bytes, now_us, format, arguments);
    va_end(arguments);
}

static void
what_is_wrong_says_when(void **state)
{
    char text[64];
    (void)state;
    say(text, sizeof text, 12345, "%s has %d homes", "guest-1", 2);
    assert_string_equal(text, "at 12.345 ms: guest-1 has 2 homes");
}

static void
what_is_long_is_cut(void **state)
{
    char text[20];
    (void)state;
    say(text, sizeof text, 0, "%s", "0123456789");
    assert_string_equal(text, "at 0.000 ms: 012345");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_says_when),
        cmocka_unit_test(what_is_long_is_cut),
    };
    return cmocka_run_group_tests_name("proof/verdict", tests, NULL, NULL);
}
