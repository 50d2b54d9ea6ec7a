#include "os/process.h"
#include "os/signals.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
    struct signals signals;
    int last, count;
    bool closes;
};

static void
on_signal(void *ctx, int number)
{
    struct seen *seen = ctx;
    seen->last = number;
    seen->count++;
    if (seen->closes)
        signals_close(&seen->signals);
}

static void
test_asked_to_stop(void **state)
{
    (void)state;
    struct loop *loop;
    struct seen seen = {0};
    assert_int_equal(loop_open(&loop), OK);
    assert_int_equal(signals_open(&seen.signals, loop, &seen, on_signal), OK);
    assert_int_equal(loop_turn(loop, 0), 0);
    kill(getpid(), SIGTERM);
    assert_int_equal(loop_turn(loop, LOOP_FOREVER), 1);
    assert_int_equal(seen.last, SIGTERM);
    kill(getpid(), SIGINT);
    assert_int_equal(loop_turn(loop, LOOP_FOREVER), 1);
    assert_int_equal(seen.last, SIGINT);
    assert_int_equal(seen.count, 2);

    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1); /* and no SIGPIPE */
    close(fds[1]);

    seen.closes = true;
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    assert_int_equal(loop_turn(loop, LOOP_FOREVER), 1);
    assert_int_equal(seen.count, 3);
    signals_close(&seen.signals); /* again: fine */
    loop_close(&loop);
}

static int
hold_and_tell(void *ctx)
{
    (void)ctx;
    signal(SIGHUP, SIG_IGN);
    signals_hold();
    bool none = signals_held() == 0;
    kill(getpid(), SIGHUP);
    none = none && signals_held() == 0;
    kill(getpid(), SIGINT);
    bool one = signals_held() == SIGINT && signals_held() == SIGINT;
    return none && one ? 5 : 1; /* and it lives */
}

static void
test_held(void **state)
{
    (void)state;
    pid_t pid;
    assert_int_equal(process_fork(hold_and_tell, NULL, &pid), OK);
    assert_int_equal(process_wait(pid), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_held),
                                       cmocka_unit_test(test_asked_to_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
