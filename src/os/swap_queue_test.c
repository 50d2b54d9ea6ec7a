#include "os/swap_queue.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum err
send_text(struct swap_queue *q, const char *text, size_t spare, bool *was_empty)
{
    struct slice pieces[2] = {{(const uint8_t *)text, strlen(text)}, {(const uint8_t *)";", 1}};
    return swap_queue_send(q, pieces, 2, spare, was_empty);
}

static void
everything_is_taken_at_once_in_order(void **state)
{
    (void)state;
    struct swap_queue q;
    assert_int_equal(swap_queue_init(&q, 64), OK);
    struct slice taken;
    bool was_empty;
    assert_false(swap_queue_take(&q, &taken));
    assert_int_equal(send_text(&q, "one", 0, &was_empty), OK);
    assert_true(was_empty);
    assert_int_equal(send_text(&q, "two", 0, &was_empty), OK);
    assert_false(was_empty);
    assert_true(swap_queue_take(&q, &taken));
    assert_int_equal(taken.bytes, 8);
    assert_int_equal(send_text(&q, "three", 0, &was_empty), OK); /* what was taken stays as it is */
    assert_true(was_empty);
    assert_memory_equal(taken.at, "one;two;", 8);
    assert_true(swap_queue_take(&q, &taken));
    assert_memory_equal(taken.at, "three;", 6);
    swap_queue_fini(&q);
}

static void
full_is_told_and_room_is_kept(void **state)
{
    (void)state;
    struct swap_queue q;
    assert_int_equal(swap_queue_init(&q, 8), OK);
    assert_int_equal(send_text(&q, "abc", 4, NULL), OK);
    assert_int_equal(send_text(&q, "a", 4, NULL), ERR_FULL); /* would take from what is kept */
    assert_int_equal(send_text(&q, "abc", 0, NULL), OK);
    assert_int_equal(send_text(&q, "", 0, NULL), ERR_FULL);
    struct slice taken;
    assert_true(swap_queue_take(&q, &taken));
    assert_memory_equal(taken.at, "abc;abc;", 8);
    assert_int_equal(send_text(&q, "abcdefg", 0, NULL), OK);
    swap_queue_fini(&q);
}

static void
what_waits_at_the_close_can_be_taken(void **state)
{
    (void)state;
    struct swap_queue q;
    struct slice taken;
    assert_int_equal(swap_queue_init(&q, 64), OK);
    assert_int_equal(send_text(&q, "last", 0, NULL), OK);
    swap_queue_close(&q);
    assert_int_equal(send_text(&q, "later", 0, NULL), ERR_CLOSED);
    assert_true(swap_queue_take_wait(&q, &taken));
    assert_memory_equal(taken.at, "last;", 5);
    assert_false(swap_queue_take_wait(&q, &taken));
    swap_queue_wait_drained(&q); /* does not wait for ever */
    swap_queue_fini(&q);
}

#define LONG_US 60000000

static void *
second_speaker(void *argument)
{
    struct swap_queue *q = argument;
    assert_int_equal(send_text(q, "two", 0, NULL), OK);
    swap_queue_let_go(q);
    return NULL;
}

static void
what_is_held_is_taken_together(void **state)
{
    (void)state;
    struct swap_queue q;
    struct slice taken;
    pthread_t thread;
    assert_int_equal(swap_queue_init(&q, 64), OK);
    swap_queue_hold(&q, LONG_US);
    assert_int_equal(send_text(&q, "one", 0, NULL), OK);
    assert_int_equal(pthread_create(&thread, NULL, second_speaker, &q), 0);
    assert_true(swap_queue_take_wait(&q, &taken));
    assert_int_equal(taken.bytes, 8);
    assert_memory_equal(taken.at, "one;two;", 8);
    pthread_join(thread, NULL);
    swap_queue_fini(&q);
}

static void
nothing_is_held_for_ever(void **state)
{
    (void)state;
    struct swap_queue q;
    struct slice taken;
    assert_int_equal(swap_queue_init(&q, 64), OK);
    swap_queue_hold(&q, 1000);
    assert_int_equal(send_text(&q, "alone", 0, NULL), OK);
    assert_true(swap_queue_take_wait(&q, &taken)); /* nobody lets go */
    swap_queue_hold(&q, LONG_US);
    assert_int_equal(send_text(&q, "last", 0, NULL), OK);
    swap_queue_close(&q);
    assert_true(swap_queue_take_wait(&q, &taken));
    assert_memory_equal(taken.at, "last;", 5);
    assert_false(swap_queue_take_wait(&q, &taken));
    swap_queue_fini(&q);
}

#define ITEMS 100000U

static void *
sender(void *argument)
{
    struct swap_queue *q = argument;
    for (uint32_t i = 0; i < ITEMS;) {
        struct slice piece = {(const uint8_t *)&i, sizeof i};
        if (swap_queue_send(q, &piece, 1, 0, NULL) == OK)
            i++;
        else
            swap_queue_wait_drained(q);
    }
    return NULL;
}

static void
two_threads_lose_nothing(void **state)
{
    (void)state;
    struct swap_queue q;
    pthread_t thread;
    assert_int_equal(swap_queue_init(&q, 256), OK);
    assert_int_equal(pthread_create(&thread, NULL, sender, &q), 0);
    uint32_t expected = 0;
    while (expected < ITEMS) {
        struct slice taken;
        assert_true(swap_queue_take_wait(&q, &taken));
        for (size_t at = 0; at < taken.bytes; at += sizeof expected, expected++)
            assert_memory_equal(taken.at + at, &expected, sizeof expected);
    }
    pthread_join(thread, NULL);
    swap_queue_fini(&q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_taken_at_once_in_order),
        cmocka_unit_test(full_is_told_and_room_is_kept),
        cmocka_unit_test(what_waits_at_the_close_can_be_taken),
        cmocka_unit_test(what_is_held_is_taken_together),
        cmocka_unit_test(nothing_is_held_for_ever),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests_name("swap_queue", tests, NULL, NULL);
}
