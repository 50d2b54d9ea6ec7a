#include "base/rand.h"
#include "base/ring.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum err
send_one(struct ring *ring, const void *at, size_t bytes)
{
    return ring_send(ring, &(struct slice){.at = at, .bytes = bytes}, 1);
}

static void
assert_next(struct ring *ring, const void *at, uint32_t bytes)
{
    uint32_t got;
    const uint8_t *message = ring_peek(ring, &got);
    assert_non_null(message);
    assert_int_equal(got, bytes);
    assert_memory_equal(message, at, bytes);
    assert_ptr_equal(ring_peek(ring, &got), message); /* until it is consumed */
    ring_consume(ring);
}

static void
messages_are_whole_and_in_order(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(256);
    uint32_t bytes;
    assert_null(ring_peek(ring, &bytes));
    const struct slice pieces[3] = {
        {(const uint8_t *)"ga", 2}, {NULL, 0}, {(const uint8_t *)"te", 2}};
    assert_int_equal(ring_send(ring, pieces, 3), OK);
    assert_int_equal(send_one(ring, NULL, 0), OK);
    assert_int_equal(send_one(ring, "home", 4), OK);
    assert_null(ring_peek(ring, &bytes)); /* not published yet */
    assert_int_equal(ring_depth_bytes(ring), 0);
    assert_false(ring_publish(ring));
    assert_int_equal(ring_depth_bytes(ring), 16 + 8 + 16);
    assert_next(ring, "gate", 4);
    assert_next(ring, "", 0);
    assert_next(ring, "home", 4);
    assert_null(ring_peek(ring, &bytes));
    assert_int_equal(ring_depth_bytes(ring), 0);
    ring_free(&ring);
    assert_null(ring);
}

static void
full_and_too_large_write_nothing(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(64);
    uint8_t bytes[64] = {1, 2, 3};
    assert_int_equal(send_one(ring, bytes, 25), ERR_TOO_LARGE);
    assert_int_equal(send_one(ring, bytes, 24), OK);
    assert_int_equal(send_one(ring, bytes, 24), OK);
    assert_int_equal(send_one(ring, bytes, 1), ERR_FULL);
    assert_int_equal(send_one(ring, NULL, 0), ERR_FULL);
    assert_int_equal(ring_full_count(ring), 2);
    ring_publish(ring);
    assert_int_equal(ring_depth_bytes(ring), 64);
    assert_next(ring, bytes, 24);
    assert_int_equal(send_one(ring, bytes, 3), OK);
    ring_publish(ring);
    assert_next(ring, bytes, 24);
    assert_next(ring, bytes, 3);
    ring_free(&ring);
}

/* From every cursor an empty ring takes the largest message: none is stuck for ever. */
static void
the_largest_message_fits_anywhere(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 128; offset += 8) {
        struct ring *ring = ring_alloc(128);
        uint8_t bytes[56];
        for (uint32_t i = 0; i < offset; i += 8) {
            assert_int_equal(send_one(ring, NULL, 0), OK);
            ring_publish(ring);
            assert_next(ring, "", 0);
        }
        memset(bytes, (int)offset, sizeof(bytes));
        assert_int_equal(send_one(ring, bytes, sizeof(bytes)), OK);
        ring_publish(ring);
        assert_next(ring, bytes, sizeof(bytes));
        ring_free(&ring);
    }
}

static void
a_sleeper_is_woken_once(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(64);
    assert_true(ring_sleep(ring));
    assert_false(ring_publish(ring)); /* nothing new: let it sleep */
    assert_int_equal(send_one(ring, "a", 1), OK);
    assert_true(ring_publish(ring));
    assert_int_equal(send_one(ring, "b", 1), OK);
    assert_false(ring_publish(ring));
    assert_false(ring_sleep(ring)); /* there is something */
    assert_int_equal(send_one(ring, "c", 1), OK);
    assert_false(ring_publish(ring)); /* and it did not fall asleep */
    assert_next(ring, "a", 1);
    assert_next(ring, "b", 1);
    assert_next(ring, "c", 1);
    assert_true(ring_sleep(ring));
    ring_awake(ring);
    assert_int_equal(send_one(ring, "d", 1), OK);
    assert_false(ring_publish(ring)); /* it woke up by itself */
    ring_free(&ring);
}

#define MESSAGES 200000

struct shared {
    struct ring *ring;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;
    uint64_t published_wakes;
};

/* Message n: its number, then so many bytes that depend on it. */
static uint32_t
fill_message(uint64_t n, uint8_t *out)
{
    uint32_t more = (uint32_t)(rand_mix(n, 1) % 40);
    memcpy(out, &n, sizeof(n));
    memset(out + sizeof(n), (int)(n % 251), more);
    return (uint32_t)sizeof(n) + more;
}

static void
publish(struct shared *s)
{
    if (!ring_publish(s->ring))
        return;
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    s->published_wakes++;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void *
writer_thread(void *arg)
{
    struct shared *s = arg;
    uint8_t message[64];
    for (uint64_t n = 1; n <= MESSAGES; n++) {
        uint32_t bytes = fill_message(n, message);
        struct slice pieces[2] = {{message, 5}, {message + 5, bytes - 5}};
        while (ring_send(s->ring, pieces, 2) == ERR_FULL) {
            publish(s);
            sched_yield();
        }
        if (rand_mix(n, 2) % 8 == 0 || n == MESSAGES)
            publish(s);
    }
    return NULL;
}

static void
wait_for_messages(struct shared *s)
{
    if (!ring_sleep(s->ring))
        return;
    pthread_mutex_lock(&s->lock);
    while (!s->woken)
        pthread_cond_wait(&s->wake, &s->lock);
    s->woken = false;
    pthread_mutex_unlock(&s->lock);
    ring_awake(s->ring);
}

/* A lost wake-up hangs this test; a torn, lost or doubled message fails it. */
static void
two_threads_agree(void **state)
{
    (void)state;
    struct shared s = {.ring = ring_alloc(1024)};
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.wake, NULL);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, writer_thread, &s), 0);
    uint8_t expected[64];
    uint64_t wrong = 0;
    for (uint64_t n = 1; n <= MESSAGES;) {
        uint32_t bytes;
        const uint8_t *message = ring_peek(s.ring, &bytes);
        if (!message) {
            wait_for_messages(&s);
            continue;
        }
        uint32_t expected_bytes = fill_message(n, expected);
        wrong += bytes != expected_bytes || memcmp(message, expected, bytes) != 0;
        wrong += ring_depth_bytes(s.ring) > 1024;
        ring_consume(s.ring);
        n++;
    }
    pthread_join(writer, NULL);
    assert_int_equal(wrong, 0);
    assert_true(s.published_wakes > 0);
    assert_true(ring_full_count(s.ring) > 0);
    pthread_cond_destroy(&s.wake);
    pthread_mutex_destroy(&s.lock);
    ring_free(&s.ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_whole_and_in_order),
        cmocka_unit_test(full_and_too_large_write_nothing),
        cmocka_unit_test(the_largest_message_fits_anywhere),
        cmocka_unit_test(a_sleeper_is_woken_once),
        cmocka_unit_test(two_threads_agree),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
