#include "base/check.h"
#include "os/loop.h"
#include "os/process.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
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
    loop_pace(loop, 3000, 3000);
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

static int64_t
turns_take_us(struct loop *loop, uint32_t turns, int64_t work_us)
{
    int64_t before_us = process_mono_us();
    for (uint32_t i = 0; i < turns; i++) {
        assert_int_equal(loop_turn(loop, LOOP_FOREVER), 1);
        for (int64_t end_us = process_mono_us() + work_us; process_mono_us() < end_us;) {
        }
    }
    return process_mono_us() - before_us;
}

/* Who works longer rests longer, but never beyond the bound. */
static void
test_pace_grows_with_the_work(void **state)
{
    (void)state;
    struct loop *loop;
    struct pair p;
    assert_int_equal(loop_open(&loop), OK);
    pair_open(&p, loop, EPOLLIN);
    pair_write(&p);
    loop_pace(loop, 100, 20000);
    turns_take_us(loop, 16, 500); /* until it knows */
    assert_true(turns_take_us(loop, 8, 500) >= 7 * 500 * LOOP_PACE_WORK);
    loop_pace(loop, 100, 1000);
    turns_take_us(loop, 2, 500);
    int64_t bounded_us = INT64_MAX; /* of the quickest of several: others may work meanwhile */
    for (uint32_t i = 0; i < 20; i++) {
        int64_t us = turns_take_us(loop, 4, 500);
        bounded_us = us < bounded_us ? us : bounded_us;
    }
    assert_true(bounded_us >= 3 * 1000 && bounded_us < 3 * 500 * LOOP_PACE_WORK);
    pair_close(&p);
    loop_close(&loop);
}

struct order {
    uint32_t others_before, others_since; /* calls before and after the first of the first */
    uint32_t firsts;
};

static void
other_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct order *order = ctx;
    *(order->firsts == 0 ? &order->others_before : &order->others_since) += 1;
}

static void
first_ready(void *ctx, uint32_t events)
{
    (void)events;
    ((struct order *)ctx)->firsts++;
}

/* However many others are ready before them, those that come first are called back in the same
 * turn, and before those. */
static void
test_some_come_first(void **state)
{
    (void)state;

    enum { MANY = 2 * LOOP_BATCH, FIRSTS = LOOP_FIRST };
    struct loop *loop;
    struct order order = {0};
    struct loop_watch other = {.ready = other_ready, .ctx = &order};
    struct loop_watch first = {.ready = first_ready, .ctx = &order, .first = true};
    int fds[MANY + FIRSTS];
    assert_int_equal(loop_open(&loop), OK);
    for (int i = 0; i < MANY + FIRSTS; i++) {
        fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(fds[i] >= 0);
        assert_int_equal(loop_add(loop, fds[i], EPOLLIN, i < MANY ? &other : &first), OK);
    }
    uint32_t called = loop_turn(loop, 0);
    assert_int_equal(order.others_before, 0);
    assert_int_equal(order.firsts, LOOP_FIRST);
    assert_int_equal(order.others_since, LOOP_BATCH);
    assert_int_equal(called, order.firsts + order.others_since);
    for (int i = 0; i < MANY + FIRSTS; i++) {
        loop_remove(loop, fds[i], i < MANY ? &other : &first);
        close(fds[i]);
    }
    assert_int_equal(loop_turn(loop, 0), 0);
    loop_close(&loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_and_edge),
        cmocka_unit_test(test_removed_is_never_called),
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_waits_as_long_as_told),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_pace_grows_with_the_work),
        cmocka_unit_test(test_some_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
