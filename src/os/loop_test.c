#include "base/check.h"
#include "os/loop.h"
#include "os/process.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    struct loop *loop;
    int read_fd, write_fd;
    struct loop_watch watch;
    struct pair *removes; /* on its call-back */
    uint32_t calls, events;
};

static void
pair_ready(void *ctx, uint32_t events)
{
    struct pair *p = ctx;
    p->calls++;
    p->events = events;
    if (p->removes != NULL)
        loop_remove(p->loop, p->removes->read_fd, &p->removes->watch);
}

static void
pair_open(struct pair *p, struct loop *loop, uint32_t events)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *p = (struct pair){.loop = loop,
                       .read_fd = fds[0],
                       .write_fd = fds[1],
                       .watch = {.ready = pair_ready, .ctx = p}};
    assert_int_equal(loop_add(loop, p->read_fd, events, &p->watch), OK);
}

static void
pair_close(struct pair *p)
{
    close(p->read_fd);
    close(p->write_fd);
}

static void
pair_write(const struct pair *p)
{
    assert_int_equal(write(p->write_fd, "x", 1), 1);
}

static void
test_level_and_edge(void **state)
{
    (void)state;
    struct loop *loop;
    struct pair level, edge;
    assert_int_equal(loop_open(&loop), OK);
    pair_open(&level, loop, EPOLLIN);
    pair_open(&edge, loop, EPOLLIN | EPOLLET);
    assert_int_equal(loop_turn(loop, 0), 0);

    pair_write(&level);
    pair_write(&edge);
    assert_int_equal(loop_turn(loop, LOOP_FOREVER), 2);
    assert_int_equal(level.events, EPOLLIN);
    assert_int_equal(loop_turn(loop, 0), 1); /* nobody read: the level still stands */
    assert_int_equal(level.calls, 2);
    assert_int_equal(edge.calls, 1);

    loop_change(loop, edge.read_fd, EPOLLIN | EPOLLET, &edge.watch);
    loop_remove(loop, level.read_fd, &level.watch);
    assert_int_equal(loop_turn(loop, 0), 1); /* re-armed */
    assert_int_equal(edge.calls, 2);
    assert_int_equal(loop_stats(loop).events, 4);
    pair_close(&level);
    pair_close(&edge);
    loop_close(&loop);
    assert_null(loop);
}

/* Both are ready in one turn; whichever is called first takes the other away. */
static void
test_removed_is_never_called(void **state)
{
    (void)state;
    struct loop *loop;
    struct pair a, b;
    assert_int_equal(loop_open(&loop), OK);
    pair_open(&a, loop, EPOLLIN);
    pair_open(&b, loop, EPOLLIN);
    a.removes = &b;
    b.removes = &a;
    pair_write(&a);
    pair_write(&b);
    assert_int_equal(loop_turn(loop, 0), 1);
    assert_int_equal(a.calls + b.calls, 1);
    pair_close(&a);
    pair_close(&b);
    loop_close(&loop);
}

static void *
waker(void *loop)
{
    loop_wake(loop);
    return NULL;
}

static void
test_wake(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_open(&loop), OK);
    loop_wake(loop); /* before the turn: not lost */
    assert_int_equal(loop_turn(loop, LOOP_FOREVER), 0);
    for (int i = 0; i < 100; i++) { /* during the turn */
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, waker, loop), 0);
        assert_int_equal(loop_turn(loop, LOOP_FOREVER), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(loop_stats(loop).turns, 101);
    loop_close(&loop);
}

static void
test_waits_as_long_as_told(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_open(&loop), OK);
    int64_t before_us = process_mono_us();
    assert_int_equal(loop_turn(loop, 1500), 0);
    assert_true(process_mono_us() - before_us >= 1500);
    loop_close(&loop);
}

static void
test_pace(void **state)
{
    (void)state;
    struct loop *loop;
    struct pair p;
    assert_int_equal(loop_open(&loop), OK);
    pair_open(&p, loop, EPOLLIN); /* always ready once written */
    pair_write(&p);
    loop_pace(loop, 3000);
    int64_t before_us = process_mono_us();
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_turn(loop, LOOP_FOREVER), 1);
    assert_true(process_mono_us() - before_us >= 3 * 3000);

    /* A deadline within the gap ends it. */
    loop_turn(loop, LOOP_FOREVER);
    loop_remove(loop, p.read_fd, &p.watch);
    before_us = process_mono_us();
    assert_int_equal(loop_turn(loop, 1000), 0);
    assert_true(process_mono_us() - before_us >= 1000);
    pair_close(&p);
    loop_close(&loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_and_edge), cmocka_unit_test(test_removed_is_never_called),
        cmocka_unit_test(test_wake),           cmocka_unit_test(test_waits_as_long_as_told),
        cmocka_unit_test(test_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
