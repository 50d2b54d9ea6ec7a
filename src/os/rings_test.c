#include "os/rings.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 200000u

/* One thread's side: echoes or counts numbers that must come in order. */
struct side {
    struct loop *loop;
    struct rings *rings;
    struct env_links links;
    uint32_t peer, next_in, next_out;
    bool echoes;
    uint32_t refused;
};

static void
side_open(struct side *s)
{
    *s = (struct side){0};
    assert_int_equal(loop_open(&s->loop), OK);
    s->rings = rings_alloc(s->loop);
    s->links = rings_port(s->rings);
}

static void
side_close(struct side *s)
{
    rings_free(&s->rings);
    loop_close(&s->loop);
}

static enum err
side_send(struct side *s, uint32_t value)
{
    static const uint8_t filling[40];
    const struct slice pieces[] = {{(const uint8_t *)&value, sizeof(value)},
                                   {filling, value % sizeof(filling)}};
    return s->links.send(s->links.ctx, s->peer, pieces, 2);
}

static void
on_message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct side *s = ctx;
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    if (peer != s->peer || value != s->next_in || n != sizeof(value) + value % 40)
        s->refused = UINT32_MAX / 2; /* seen by the test at the end, on its own thread */
    s->next_in++;
    if (s->echoes)
        while (side_send(s, value) != OK) { /* the other side always reads on */
            s->refused++;
            rings_publish(s->rings);
        }
}

static void
side_turn(struct side *s)
{
    const struct rings_handler handler = {.ctx = s, .message = on_message};
    loop_turn(s->loop, rings_sleep(s->rings) ? LOOP_FOREVER : 0);
    rings_awake(s->rings);
    rings_receive(s->rings, &handler);
    rings_publish(s->rings);
}

static void *
echo_run(void *ctx)
{
    struct side *s = ctx;
    while (s->next_in < MESSAGES)
        side_turn(s);
    return NULL;
}

static void
test_one_thread(void **state)
{
    (void)state;
    struct side a, b;
    side_open(&a);
    side_open(&b);
    rings_connect(a.rings, 3, b.rings, 1, 256, 1024);
    a.peer = 1;
    b.peer = 3;
    const struct rings_handler handler = {.ctx = &b, .message = on_message};
    uint32_t sent = 0;
    while (side_send(&a, sent) == OK)
        sent++;
    assert_true(sent > 2);
    assert_int_equal(rings_receive(b.rings, &handler), 0); /* not yet published */
    assert_true(rings_sleep(b.rings));
    rings_publish(a.rings);
    assert_int_equal(loop_turn(b.loop, LOOP_FOREVER), 0); /* woken */
    rings_awake(b.rings);
    assert_false(rings_sleep(b.rings)); /* something is there: do not sleep */
    assert_int_equal(rings_stats(b.rings, 3).in_bytes, rings_stats(a.rings, 1).out_bytes);
    assert_int_equal(rings_receive(b.rings, &handler), sent);
    assert_int_equal(b.next_in, sent);
    assert_int_equal(b.refused, 0);
    struct rings_stats stats = rings_stats(a.rings, 1);
    assert_int_equal(stats.sent, sent);
    assert_int_equal(stats.full, 1);
    assert_int_equal(stats.wakes, 1);
    assert_int_equal(stats.out_bytes, 0);
    rings_publish(a.rings); /* nothing new: nobody is woken */
    assert_int_equal(rings_stats(a.rings, 1).wakes, 1);
    side_close(&a);
    side_close(&b);
}

/* Both threads sleep without a time-out whenever they have nothing to do: a lost wake-up is a test
 * that never ends. */
static void
test_two_threads(void **state)
{
    (void)state;
    struct side a, b;
    side_open(&a);
    side_open(&b);
    rings_connect(a.rings, 0, b.rings, 0, 4096, 1024);
    b.echoes = true;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo_run, &b), 0);
    const struct rings_handler handler = {.ctx = &a, .message = on_message};
    while (a.next_in < MESSAGES) {
        /* Keep a few under way; sleep until an answer comes. */
        while (a.next_out < MESSAGES && a.next_out - a.next_in < 16 &&
               side_send(&a, a.next_out) == OK)
            a.next_out++;
        rings_publish(a.rings);
        loop_turn(a.loop, rings_sleep(a.rings) ? LOOP_FOREVER : 0);
        rings_awake(a.rings);
        rings_receive(a.rings, &handler);
    }
    pthread_join(thread, NULL);
    assert_int_equal(a.refused, 0);
    assert_true(b.refused < UINT32_MAX / 2);
    assert_true(rings_stats(a.rings, 0).wakes > 0);
    assert_int_equal(rings_stats(a.rings, 0).received, MESSAGES);
    side_close(&a);
    side_close(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
