#include "os/process.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
child_exit(void *ctx)
{
    return *(const int *)ctx;
}

static int
child_spin(void *ctx)
{
    (void)ctx;
    int64_t until_us = process_cpu_us() + 30000;
    while (process_cpu_us() < until_us)
        ;
    pause();
    return 0;
}

static void
test_children(void **state)
{
    (void)state;
    pid_t pid;
    int code = 7;
    assert_int_equal(process_fork(child_exit, &code, &pid), OK);
    assert_int_equal(process_wait(pid), 7);
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)"exit 9", NULL};
    assert_int_equal(process_spawn("/bin/sh", arguments, &pid), OK);
    assert_int_equal(process_wait(pid), 9);
    assert_int_equal(process_spawn("/nowhere/at/all", arguments, &pid), OK);
    assert_int_equal(process_wait(pid), 127);
}

static enum err
told(const char *script, int64_t wait_us, char text[8], size_t *bytes, int *code)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    return process_read("/bin/sh", arguments, wait_us, text, 8, bytes, code);
}

static void
test_what_a_child_says(void **state)
{
    (void)state;
    char text[8];
    size_t bytes;
    int code = -1;
    assert_int_equal(told("echo out; echo err >&2; exit 9", 60000000, text, &bytes, &code), OK);
    assert_int_equal(bytes, 4);
    assert_memory_equal(text, "out\n", 4);
    assert_int_equal(code, 9);
    assert_int_equal(told("read line || printf %s 12345678", 60000000, text, &bytes, &code), OK);
    assert_memory_equal(text, "12345678", 8); /* all that there is room for; stdin is at its end */
    assert_int_equal(told("echo 12345678", 60000000, text, &bytes, &code), ERR_TOO_LARGE);
    assert_int_equal(told("kill -STOP $$", 1000, text, &bytes, &code), ERR_TIMEOUT);
    assert_int_equal(code, 128 + SIGKILL);
}

static void
test_cpu_of_another(void **state)
{
    (void)state;
    pid_t pid;
    int64_t us = 0;
    assert_int_equal(process_fork(child_spin, NULL, &pid), OK);
    while (us < 30000)
        assert_int_equal(process_cpu_us_of(pid, &us), OK);
    kill(pid, SIGTERM);
    assert_int_equal(process_wait(pid), 128 + SIGTERM);
    assert_int_equal(process_cpu_us_of(pid, &us), ERR_NOT_FOUND);
}

/* Whoever works makes the machine busy, and it is never busier than there is time. */
static void
test_machine(void **state)
{
    (void)state;
    struct process_machine before, after;
    assert_int_equal(process_machine(&before), OK);
    assert_true(before.busy_ticks > 0 && before.busy_ticks <= before.ticks);
    do
        assert_int_equal(process_machine(&after), OK);
    while (after.busy_ticks < before.busy_ticks + 2);
    assert_true(after.ticks - before.ticks >= after.busy_ticks - before.busy_ticks);
}

static int
grandchild_wait(void *ctx)
{
    (void)ctx;
    return pause();
}

/* Starts a child that holds the write end of a pipe, then dies: the pipe must end, too. */
static int
child_leaves(void *ctx)
{
    pid_t pid;
    (void)ctx;
    return process_fork(grandchild_wait, NULL, &pid) == OK ? 0 : 1;
}

static void
test_children_follow(void **state)
{
    (void)state;
    int fds[2];
    pid_t pid;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(process_fork(child_leaves, NULL, &pid), OK);
    close(fds[1]);
    assert_int_equal(process_wait(pid), 0);
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 0); /* the end: the grandchild is gone */
    close(fds[0]);
}

static void
test_figures(void **state)
{
    (void)state;
    assert_true(process_rss_bytes() > 100000);
    assert_true(process_cores() >= 1);
    assert_true(thread_cpu_us() <= process_cpu_us());
    struct rlimit limit;
    uint32_t descriptors = process_raise_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
    assert_true(descriptors <= limit.rlim_cur && descriptors >= 64);
    assert_int_equal(thread_pin(4000), ERR_RANGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children),        cmocka_unit_test(test_what_a_child_says),
        cmocka_unit_test(test_cpu_of_another),  cmocka_unit_test(test_machine),
        cmocka_unit_test(test_children_follow), cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
