/* CHECK: our own invariants, in every build. A failed CHECK is our bug: the process stops and
 * leaves a backtrace and the last records behind (the hook is set once by app/ at start; without
 * one the message goes to stderr). Never CHECK anything that came from outside.
 */
#ifndef SEOM_BASE_CHECK_H
#define SEOM_BASE_CHECK_H

typedef void check_hook(const char *file, int line, const char *function, const char *what);

void check_set_hook(check_hook *hook); /* may be NULL; called before abort() */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *what);

#define CHECK(condition) \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, __func__, #condition))

#endif
