#include "base/check.h"
#include "os/crash.h"
#include "os/files.h"
#include "os/process.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static char text[1 << 17];

/* Without inlining, so that its name stands in the backtrace. */
__attribute__((noinline)) static void
broken_invariant(int one)
{
    CHECK(one == 2);
}

/* Ends when `ends` says so, which it never does: compilers refuse what is endless on its face. */
__attribute__((noinline)) static uint64_t
endless_recursion(volatile uint64_t *above, uint64_t ends)
{
    volatile uint64_t here[512];
    here[0] = *above + 1;
    return here[0] == ends ? 0 : endless_recursion(here, ends) + here[0];
}

/* Children speak to nobody: their stderr goes away, cores are not wanted. */
static void
child_begin(const struct trace *trace)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    CHECK(crash_install(directory) == OK);
    crash_thread_begin(trace);
}

static int
child_check(void *ctx)
{
    (void)ctx;
    static struct trace trace, other;
    trace_init(&trace, "logic");
    trace_init(&other, "gate");
    child_begin(&trace);
    crash_thread_begin(&other);
    for (uint64_t i = 0; i < 300; i++)
        trace_add(&trace, (int64_t)i * 100, "home.enter", i, 5);
    trace_add(&other, 1, "gate.accept", 1, 2);
    broken_invariant(1);
    return 0;
}

static int
child_segv(void *ctx)
{
    (void)ctx;
    child_begin(NULL);
    raise(SIGSEGV);
    return 0;
}

static int
child_overflow(void *ctx)
{
    (void)ctx;
    child_begin(NULL);
    volatile uint64_t start = 0;
    return (int)endless_recursion(&start, 0);
}

static void *
thread_breaks(void *ctx)
{
    pthread_barrier_wait(ctx);
    broken_invariant(1);
    return NULL;
}

static int
child_two_threads(void *ctx)
{
    (void)ctx;
    child_begin(NULL);
    pthread_barrier_t together;
    pthread_t threads[2];
    pthread_barrier_init(&together, NULL, 2);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, thread_breaks, &together);
    pthread_join(threads[0], NULL);
    return 0;
}

/* Runs the child to its death and reads what it left; the end by which it died. */
static int
child_die(int (*run)(void *ctx))
{
    pid_t pid;
    char path[128];
    assert_int_equal(process_fork(run, NULL, &pid), OK);
    int end = process_wait(pid);
    snprintf(path, sizeof(path), "%s/crash-%d.txt", directory, (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = 0;
    fclose(file);
    unlink(path);
    return end;
}

static uint32_t
count_of(const char *what)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void
test_check(void **state)
{
    (void)state;
    assert_int_equal(child_die(child_check), 128 + SIGABRT);
    assert_non_null(strstr(text, "broken_invariant: CHECK(one == 2) failed\n"));
    assert_int_equal(count_of("logic "), TRACE_RECORDS);
    assert_non_null(strstr(text, "logic 29900 home.enter 299 5\n"));
    assert_null(strstr(text, "logic 4300 home.enter 43 5\n")); /* only the last 256 */
    assert_non_null(strstr(text, "logic 4400 home.enter 44 5\n"));
    assert_non_null(strstr(text, "gate 1 gate.accept 1 2\n"));
    assert_int_equal(count_of("backtrace:"), 1); /* the abort() says nothing more */
#ifdef HAVE_LIBBACKTRACE
    assert_non_null(strstr(text, "crash_test.c:"));
    assert_int_equal(count_of("broken_invariant"), 2);
#endif
}

static void
test_signal(void **state)
{
    (void)state;
    assert_int_equal(child_die(child_segv), 128 + SIGSEGV);
    assert_non_null(strstr(text, "signal 11"));
    assert_non_null(strstr(text, "backtrace:"));
}

static void
test_stack_overflow(void **state)
{
    (void)state;
    assert_int_equal(child_die(child_overflow), 128 + SIGSEGV);
    assert_non_null(strstr(text, "signal 11"));
#ifdef HAVE_LIBBACKTRACE
    assert_true(count_of("endless_recursion") > 10);
#endif
}

static void
test_two_at_once(void **state)
{
    (void)state;
    assert_int_equal(child_die(child_two_threads), 128 + SIGABRT);
    assert_int_equal(count_of("CHECK(one == 2) failed"), 1);
}

static int
group_begin(void **state)
{
    (void)state;
    return directory_make_temporary(NULL, "crash", directory, sizeof directory) == OK ? 0 : -1;
}

static int
group_end(void **state)
{
    (void)state;
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_stack_overflow),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
