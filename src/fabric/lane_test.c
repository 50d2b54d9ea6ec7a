#include "base/rand.h"
#include "fabric/lane.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KIND_CONTROL 9
#define KIND_DATA    (9 | LANE_DATA_BIT)
#define KIND_URGENT  4

static enum err
put(struct lane *lane, struct lane_blocks *blocks, uint8_t kind, const void *bytes, size_t n)
{
    struct slice piece = {bytes, n};
    enum lane_class class = kind == KIND_URGENT ? LANE_URGENT
                            : kind == KIND_DATA ? LANE_DATA
                                                : LANE_CONTROL;
    return lane_put(lane, blocks, class, kind, &piece, 1);
}

static size_t
take(struct lane *lane, struct lane_blocks *blocks, uint8_t *out, size_t n)
{
    struct slice pieces[64];
    uint32_t count = lane_gather(lane, pieces, 64);
    size_t taken = 0;
    for (uint32_t i = 0; i < count && taken < n; i++) {
        size_t part = pieces[i].bytes < n - taken ? pieces[i].bytes : n - taken;
        memcpy(out + taken, pieces[i].at, part);
        taken += part;
    }
    lane_took(lane, blocks, taken);
    return taken;
}

static void
frames_go_in_order(void **state)
{
    (void)state;
    struct lane_blocks blocks;
    struct lane lane = {.queue = {.first = NULL}};
    uint8_t out[64];
    lane_blocks_init(&blocks, 4);
    assert_int_equal(put(&lane, &blocks, KIND_CONTROL, "one", 3), OK);
    assert_int_equal(put(&lane, &blocks, KIND_DATA, "four", 4), OK);
    assert_int_equal(lane.waiting[LANE_CONTROL], 8);
    assert_int_equal(lane.waiting[LANE_DATA], 9);
    assert_int_equal(take(&lane, &blocks, out, sizeof out), 17);
    assert_memory_equal(out,
                        "\x04\0\0\0\x09one\x05\0\0\0\x89"
                        "four",
                        17);
    assert_int_equal(lane.waiting[LANE_CONTROL] + lane.waiting[LANE_DATA], 0);
    assert_true(lane_is_empty(&lane));
    lane_blocks_fini(&blocks);
}

static void
what_is_urgent_waits_for_the_end_of_a_frame(void **state)
{
    (void)state;
    struct lane_blocks blocks;
    struct lane lane = {.queue = {.first = NULL}};
    uint8_t out[64];
    lane_blocks_init(&blocks, 4);
    assert_int_equal(put(&lane, &blocks, KIND_CONTROL, "one", 3), OK);
    assert_int_equal(put(&lane, &blocks, KIND_CONTROL, "two", 3), OK);
    assert_int_equal(take(&lane, &blocks, out, 6), 6);
    assert_int_equal(put(&lane, &blocks, KIND_URGENT, "now", 3), OK);
    assert_int_equal(take(&lane, &blocks, out, 4), 4);
    assert_memory_equal(out, "ne\x04\0", 4);
    /* An urgent frame that was begun goes on, although the queue stands at the end of a frame. */
    assert_int_equal(take(&lane, &blocks, out, sizeof out), 14);
    assert_memory_equal(out, "\0\0\x04now\x04\0\0\0\x09two", 14);
    lane_blocks_fini(&blocks);
}

static void
without_blocks_nothing_is_queued(void **state)
{
    (void)state;
    static uint8_t bytes[LANE_BLOCK_BYTES * 3];
    struct lane_blocks blocks;
    struct lane lane = {.queue = {.first = NULL}};
    lane_blocks_init(&blocks, 3);
    assert_int_equal(put(&lane, &blocks, KIND_DATA, bytes, sizeof bytes), ERR_FULL);
    assert_true(lane_is_empty(&lane));
    assert_int_equal(put(&lane, &blocks, KIND_DATA, bytes, LANE_BLOCK_BYTES - 6), OK);
    assert_int_equal(put(&lane, &blocks, KIND_CONTROL, bytes, 4), OK); /* begins a block */
    assert_int_equal(put(&lane, &blocks, KIND_CONTROL, bytes, LANE_BLOCK_BYTES), ERR_FULL);
    assert_int_equal(lane.waiting[LANE_CONTROL], 9);
    lane_clear(&lane, &blocks);
    assert_int_equal(put(&lane, &blocks, KIND_DATA, bytes, LANE_BLOCK_BYTES), OK);
    lane_clear(&lane, &blocks);
    lane_blocks_fini(&blocks);
}

static void
too_much_urgency_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[LANE_URGENT_MAX];
    struct lane_blocks blocks;
    struct lane lane = {.queue = {.first = NULL}};
    lane_blocks_init(&blocks, 16);
    assert_int_equal(put(&lane, &blocks, KIND_URGENT, bytes, LANE_URGENT_MAX - 4), ERR_FULL);
    assert_int_equal(put(&lane, &blocks, KIND_URGENT, bytes, LANE_URGENT_MAX - 5), OK);
    assert_int_equal(put(&lane, &blocks, KIND_URGENT, bytes, 0), ERR_FULL);
    lane_clear(&lane, &blocks);
    lane_blocks_fini(&blocks);
}

/* Whatever is put and taken in whatever pieces: each class comes out as it went in. */
static void
any_pieces_keep_every_byte(void **state)
{
    (void)state;
    static uint8_t body[40000], out[1 << 20];
    struct lane_blocks blocks;
    struct lane lane = {.queue = {.first = NULL}};
    struct rand rand;
    uint64_t put_queue = 0, put_urgent = 0, got_queue = 0, got_urgent = 0;
    size_t have = 0;
    rand_seed(&rand, 11);
    lane_blocks_init(&blocks, 12);
    for (uint32_t step = 0; step < 20000 || !lane_is_empty(&lane); step++) {
        if (step < 20000 && rand_below(&rand, 2) == 0) {
            bool urgent = rand_below(&rand, 4) == 0;
            size_t n = 4 + rand_below(&rand, urgent ? 100 : (uint32_t)sizeof body - 4);
            uint32_t number = (uint32_t)(urgent ? put_urgent : put_queue);
            memcpy(body, &number, sizeof number);
            memset(body + 4, (int)number, n - 4);
            uint8_t kind = urgent                      ? KIND_URGENT
                           : rand_below(&rand, 2) == 0 ? KIND_DATA
                                                       : KIND_CONTROL;
            if (put(&lane, &blocks, kind, body, n) == OK) {
                *(urgent ? &put_urgent : &put_queue) += 1;
            }
        } else {
            have += take(&lane, &blocks, out + have, 1 + rand_below(&rand, 70000));
        }
        size_t at = 0;
        while (have - at >= LANE_HEAD_BYTES) {
            struct reader r = reader_over(out + at, have - at);
            size_t n = read_u32(&r);
            uint8_t kind = read_u8(&r);
            if (have - at < n + 4) {
                break;
            }
            uint32_t number = read_u32(&r);
            assert_int_equal(number, kind == KIND_URGENT ? got_urgent : got_queue);
            assert_int_equal(out[at + n + 3], n > 5 ? (uint8_t)number : out[at + n + 3]);
            *(kind == KIND_URGENT ? &got_urgent : &got_queue) += 1;
            at += n + 4;
        }
        memmove(out, out + at, have - at);
        have -= at;
    }
    assert_int_equal(have, 0);
    assert_true(got_queue > 1000 && got_urgent > 1000);
    assert_int_equal(got_queue, put_queue);
    assert_int_equal(got_urgent, put_urgent);
    lane_blocks_fini(&blocks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_in_order),
        cmocka_unit_test(what_is_urgent_waits_for_the_end_of_a_frame),
        cmocka_unit_test(without_blocks_nothing_is_queued),
        cmocka_unit_test(too_much_urgency_is_refused),
        cmocka_unit_test(any_pieces_keep_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
