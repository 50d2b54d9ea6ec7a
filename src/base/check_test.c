#include "base/check.h"
#include "base/err.h"
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
hook_exits(const char *file, int line, const char *function, const char *what)
{
    bool told =
        file && line > 0 && strcmp(function, "child_fails") == 0 && strcmp(what, "1 == 2") == 0;
    _exit(told ? 7 : 8);
}

static void
hook_fails_again(const char *file, int line, const char *function, const char *what)
{
    (void)file;
    (void)function;
    (void)what;
    CHECK(line < 0);
}

static void
child_fails(check_hook *hook)
{
    close(STDERR_FILENO); /* the message is expected, it would only disturb the report */
    check_set_hook(hook);
    CHECK(1 == 1);
    CHECK(1 == 2);
    _exit(9);
}

static int
status_of_child(check_hook *hook)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_fails(hook);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
a_failed_check_aborts(void **state)
{
    (void)state;
    int status = status_of_child(NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
the_hook_is_told_what_and_where(void **state)
{
    (void)state;
    int status = status_of_child(hook_exits);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void
a_failing_hook_is_not_called_again(void **state)
{
    (void)state;
    int status = status_of_child(hook_fails_again);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_int_equal(OK, 0);
    assert_string_equal(err_name(OK), "OK");
    assert_string_equal(err_text(ERR_SHORT), "ends too early");
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(strlen(err_text((enum err)i)) > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(err_name((enum err)i), err_name((enum err)j));
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
        }
    }
    assert_string_equal(err_text((enum err)ERR_COUNT), "no such error");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_aborts),
        cmocka_unit_test(the_hook_is_told_what_and_where),
        cmocka_unit_test(a_failing_hook_is_not_called_again),
        cmocka_unit_test(every_error_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
