#include "base/check_expect.h"
#include "base/rand.h"
#include "wire/batch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(0x123456789a) /* far beyond 32 bits */

static const struct record_motion walker = {.entity = 0x0001000000000007,
                                            .look = LOOK_WALKER,
                                            .motion = {.x_mm = 61000,
                                                       .y_mm = 95000,
                                                       .vx = -700,
                                                       .vy = 1,
                                                       .since_ms = NOW_MS - 5,
                                                       .lasts_ms = 900}};

static void
assert_motion_equal(const struct motion *a, const struct motion *b)
{
    assert_int_equal(a->x_mm, b->x_mm);
    assert_int_equal(a->y_mm, b->y_mm);
    assert_int_equal(a->vx, b->vx);
    assert_int_equal(a->vy, b->vy);
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->lasts_ms, b->lasts_ms);
}

/* One of each, with the tails of different lengths; returns the bytes. */
static size_t
write_all(uint8_t *out, size_t max)
{
    struct writer w = writer_over(out, max);
    batch_put_island(&w, 9);
    batch_put_owned(&w, walker.entity, UINT64_MAX);
    batch_put_motion(&w, &walker);
    batch_put_leave(&w, 12, 3, 65535);
    batch_put_say(&w, 13, (struct slice){(const uint8_t *)"안녕", 6});
    batch_put_forget(&w, 0, 4);
    batch_put_self(
        &w, &(struct record_self){.flags = SELF_CORRECTED, .move_no = 0xfffffffe, .body = walker});
    batch_put_thing(&w, &(struct record_thing){.entity = 14,
                                               .kind = 3,
                                               .place = {-1, INT32_MAX},
                                               .attributes = {(const uint8_t *)"ripe", 4}});
    struct density_cell cells[2] = {{1, 2, 3}, {65535, 0, 65535}};
    batch_put_density(&w, 9, 240, cells, 2);
    struct range_writer rw;
    range_begin(&rw, &w, 2, 3, 0, NOW_MS);
    range_add(&rw, &walker);
    range_end(&rw, UINT64_MAX);
    assert_true(writer_ok(&w));
    return writer_used(&w);
}

static struct record
next(struct reader *r, enum record_kind kind)
{
    struct record record;
    assert_int_equal(batch_next(r, NOW_MS, &record), OK);
    assert_int_equal(record.kind, kind);
    return record;
}

static void
test_every_record_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t n = write_all(bytes, sizeof bytes);
    struct reader r = reader_over(bytes, n);
    assert_int_equal(next(&r, RECORD_ISLAND).as.island, 9);
    struct record record = next(&r, RECORD_OWNED);
    assert_int_equal(record.entity, walker.entity);
    assert_int_equal(record.as.session_epoch, UINT64_MAX);
    record = next(&r, RECORD_MOTION);
    assert_int_equal(record.entity, walker.entity);
    assert_int_equal(record.whole.bytes, RECORD_MOTION_BYTES);
    assert_motion_equal(&record.as.motion.motion, &walker.motion);
    record = next(&r, RECORD_LEAVE);
    assert_int_equal(record.entity, 12);
    assert_int_equal(record.cx, 3);
    assert_int_equal(record.cy, 65535);
    record = next(&r, RECORD_SAY);
    assert_int_equal(record.entity, 13);
    assert_int_equal(record.as.text.bytes, 6);
    assert_memory_equal(record.as.text.at, "안녕", 6);
    record = next(&r, RECORD_FORGET);
    assert_int_equal(record.cx, 0);
    assert_int_equal(record.cy, 4);
    record = next(&r, RECORD_SELF);
    assert_int_equal(record.entity, walker.entity);
    assert_int_equal(record.as.self.flags, SELF_CORRECTED);
    assert_int_equal(record.as.self.move_no, 0xfffffffe);
    assert_motion_equal(&record.as.self.body.motion, &walker.motion);
    record = next(&r, RECORD_THING);
    assert_int_equal(record.as.thing.kind, 3);
    assert_int_equal(record.as.thing.place.x_mm, -1);
    assert_int_equal(record.as.thing.place.y_mm, INT32_MAX);
    assert_memory_equal(record.as.thing.attributes.at, "ripe", 4);
    record = next(&r, RECORD_DENSITY);
    assert_int_equal(record.as.density.island, 9);
    assert_int_equal(record.as.density.cell_m, 240);
    assert_int_equal(record.as.density.count, 2);
    assert_int_equal(density_at(record.as.density.cells, 1).column, 65535);
    assert_int_equal(density_at(record.as.density.cells, 0).people, 3);
    record = next(&r, RECORD_RANGE);
    assert_int_equal(record.as.range.count, 1);
    assert_int_equal(record.as.range.at_ms, NOW_MS);
    assert_int_equal(reader_left(&r), 0);
}

/* What clients in other languages rely on: the bytes themselves. */
static void
test_bytes_are_pinned(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        1, 7,    0,    0,    0,    0, 0,    1,    0,    0,    0x48, 0xee, 0,    0,    0x18, 0x73,
        1, 0,    0x44, 0xfd, 1,    0, 0x95, 0x78, 0x56, 0x34, 0x84, 3,    5,    2,    0,    3,
        0, 5,    0,    0,    0,    0, 0,    0,    0,    9,    0,    0,    0,    0,    0,    0,
        0, 0x9a, 0x78, 0x56, 0x34, 1, 0,    2,    0x10, 0xe8, 3,    0x88, 0x13, 0xa8, 0,    22};
    uint8_t bytes[128];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct record_motion m = walker;
    batch_put_motion(&w, &m);
    m.entity = 7;
    m.motion = (struct motion){
        .x_mm = 61000, .y_mm = 95000, .vx = -1408, .since_ms = NOW_MS, .lasts_ms = 900};
    struct range_writer rw;
    range_begin(&rw, &w, 2, 3, 5, NOW_MS);
    range_add(&rw, &m);
    range_end(&rw, 9);
    assert_int_equal(writer_used(&w), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void
test_since_is_completed_to_the_nearest(void **state)
{
    (void)state;
    static const int64_t off[] = {0, 1, -1, INT32_MAX, INT32_MIN + INT64_C(1), 1000, -200};
    static const int64_t nears[] = {0, 5, NOW_MS, INT64_C(1) << 32, (INT64_C(1) << 32) - 1};
    for (size_t i = 0; i < sizeof nears / sizeof nears[0]; i++) {
        for (size_t k = 0; k < sizeof off / sizeof off[0]; k++) {
            uint8_t bytes[RECORD_MOTION_BYTES];
            struct writer w = writer_over(bytes, sizeof bytes);
            struct record_motion m = walker;
            m.motion.since_ms = nears[i] + off[k];
            batch_put_motion(&w, &m);
            struct reader r = reader_over(bytes, sizeof bytes);
            struct record record;
            assert_int_equal(batch_next(&r, nears[i], &record), OK);
            assert_int_equal(record.as.motion.motion.since_ms, m.motion.since_ms);
        }
    }
}

/* Malformed at every place where it may end: never read past it, never taken for whole. The bytes
 * stand in an allocation of their own, so that the sanitizers see a step too far. */
static void
test_truncated_anywhere(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t n = write_all(bytes, sizeof bytes);
    struct reader whole = reader_over(bytes, n);
    unsigned records = 0;
    while (reader_left(&whole) > 0) {
        struct record record;
        assert_int_equal(batch_next(&whole, NOW_MS, &record), OK);
        for (size_t cut = 0; cut < record.whole.bytes; cut++) {
            uint8_t *copy = malloc(cut + 1);
            memcpy(copy + 1, record.whole.at, cut);
            struct reader r = reader_over(copy + 1, cut);
            struct record none;
            assert_int_equal(batch_next(&r, NOW_MS, &none), ERR_FORMAT);
            assert_false(reader_ok(&r));
            assert_int_equal(batch_next(&r, NOW_MS, &none), ERR_FORMAT);
            free(copy);
        }
        records++;
    }
    assert_int_equal(records, 10);
}

static void
test_writers_need_the_whole_room(void **state)
{
    (void)state;
    uint8_t bytes[512], small[512];
    size_t n = write_all(bytes, sizeof bytes);
    for (size_t max = 0; max < RECORD_MOTION_BYTES; max++) {
        struct writer w = writer_over(small, max);
        batch_put_motion(&w, &walker);
        assert_false(writer_ok(&w));
        assert_int_equal(writer_used(&w), 0);
        batch_put_forget(&w, 1, 1); /* even what would fit: order matters */
        assert_int_equal(writer_used(&w), 0);
    }
    struct writer w = writer_over(small, RANGE_HEAD_BYTES + 3);
    struct range_writer rw;
    range_begin(&rw, &w, 2, 3, 0, NOW_MS);
    range_add(&rw, &walker);
    range_end(&rw, UINT64_MAX);
    assert_false(writer_ok(&w));
    w = writer_over(small, n);
    assert_int_equal(write_all(small, n), n);
    assert_memory_equal(small, bytes, n);
}

static void
assert_malformed(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n);
    memcpy(copy, bytes, n);
    struct reader r = reader_over(copy, n);
    struct record record;
    assert_int_equal(batch_next(&r, NOW_MS, &record), ERR_FORMAT);
    free(copy);
}

static void
test_hostile_fields(void **state)
{
    (void)state;
    uint8_t bytes[2 * 65536] = {0};
    for (unsigned kind = 0; kind < 256; kind++) {
        bytes[0] = (uint8_t)kind;
        bool zeroes_do = kind == RECORD_FORGET || kind == RECORD_RANGE || kind == RECORD_ISLAND;
        struct reader r = reader_over(bytes, 300);
        struct record record;
        assert_int_equal(batch_next(&r, 0, &record), zeroes_do ? OK : ERR_FORMAT);
    }
    struct writer w = writer_over(bytes, sizeof bytes);
    batch_put_motion(&w, &walker);
    bytes[26] = 0x11, bytes[27] = 0x27; /* lasts 10,001 */
    assert_malformed(bytes, RECORD_MOTION_BYTES);
    bytes[26] = 0x10;
    struct reader r = reader_over(bytes, RECORD_MOTION_BYTES);
    assert_int_equal(next(&r, RECORD_MOTION).as.motion.motion.lasts_ms, 10000);
    memset(bytes, 1, sizeof bytes);
    bytes[0] = RECORD_SAY, bytes[9] = SAY_BYTES_MAX + 1;
    assert_malformed(bytes, 300);
    bytes[0] = RECORD_THING, bytes[18] = ATTRIBUTES_MAX + 1;
    assert_malformed(bytes, 300);
    bytes[0] = RECORD_DENSITY, bytes[7] = 1, bytes[8] = DENSITY_CELLS_MAX >> 8;
    assert_malformed(bytes, sizeof bytes);
    bytes[7] = 0;
    r = reader_over(bytes, sizeof bytes);
    assert_int_equal(next(&r, RECORD_DENSITY).as.density.count, DENSITY_CELLS_MAX);
    bytes[5] = bytes[6] = 0; /* cells without size */
    assert_malformed(bytes, sizeof bytes);
}

/* A sound slice of three entities; offsets: head 27, then entries of 1 + 8 bytes. */
static size_t
write_slice(uint8_t out[64])
{
    struct writer w = writer_over(out, 64);
    struct range_writer rw;
    range_begin(&rw, &w, 2, 3, 10, NOW_MS);
    for (uint64_t entity = 10; entity < 13; entity++) {
        struct record_motion m = walker;
        m.entity = entity;
        range_add(&rw, &m);
    }
    range_end(&rw, 12);
    return writer_used(&w);
}

static void
test_hostile_slices(void **state)
{
    (void)state;

    static const struct {
        unsigned offset;
        uint8_t value;
    } faults[] = {
        {5, 13},    /* first above last */
        {13, 11},   /* last below the third entity */
        {25, 4},    /* one more entry than there is */
        {36, 0},    /* the same entity again */
        {36, 200},  /* beyond last */
        {37, 0x60}, /* shift 6 */
        {39, 0x76}, /* x beyond the chunk */
        {41, 0x76}, /* y likewise */
        {44, 251},  /* lasts more than 10 s */
    };

    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        size_t n = write_slice(bytes);
        assert_int_equal(n, RANGE_HEAD_BYTES + 27);
        bytes[faults[i].offset] = faults[i].value;
        assert_malformed(bytes, n);
    }
    size_t n = write_slice(bytes);
    memset(bytes + 5, 0, 8);
    bytes[27] = 0; /* the entity 0 is nobody */
    assert_malformed(bytes, n);
    uint8_t wrap[RANGE_HEAD_BYTES + 20] = {RECORD_RANGE, [25] = 1};
    memset(wrap + 5, 0xff, 16); /* first = last = 2^64 - 1 and a step of 1 around to 0 */
    wrap[27] = 1;
    assert_malformed(wrap, sizeof wrap);
    wrap[27] = 0;
    struct reader r = reader_over(wrap, sizeof wrap);
    assert_int_equal(next(&r, RECORD_RANGE).as.range.count, 1);
    memset(wrap + 27, 0xff, 9);
    wrap[36] = 0x7f; /* a varint of more than 64 bits */
    assert_malformed(wrap, sizeof wrap);
}

static struct record_motion
random_mover(struct rand *r, uint64_t entity)
{
    bool stands = rand_below(r, 4) == 0;
    unsigned shift = rand_below(r, 8);
    return (struct record_motion){
        .entity = entity,
        .look = (uint8_t)rand_below(r, 3),
        .motion = {.x_mm = 2 * CHUNK_MM + (int32_t)rand_below(r, CHUNK_MM),
                   .y_mm = 3 * CHUNK_MM + (int32_t)rand_below(r, CHUNK_MM),
                   .vx = (int16_t)(stands ? 0 : (int16_t)rand_next(r) >> shift),
                   .vy = (int16_t)(stands ? 0 : (int16_t)rand_next(r) >> shift),
                   .since_ms = NOW_MS - rand_below(r, 300),
                   .lasts_ms = stands ? 0 : (uint16_t)rand_below(r, 10001)}};
}

/* What a reader of the slice knows of a mover against what the writer knew. */
static void
assert_told(const struct record_motion *told, const struct record_motion *m)
{
    struct place place = motion_at(&m->motion, NOW_MS);
    struct motion now = motion_from(&m->motion, NOW_MS);
    assert_int_equal(told->entity, m->entity);
    assert_int_equal(told->look, m->look);
    if (chunk_of(place.x_mm) == 2) {
        assert_int_equal(told->motion.x_mm, place.x_mm);
    }
    assert_int_equal(chunk_of(told->motion.x_mm), 2);
    assert_int_equal(chunk_of(told->motion.y_mm), 3);
    assert_int_equal(told->motion.since_ms, NOW_MS);
    assert_in_range(now.lasts_ms - told->motion.lasts_ms, 0, 39);
    int fastest = abs(now.vx) > abs(now.vy) ? abs(now.vx) : abs(now.vy);
    int step = 8; /* the smallest unit whose 127 reach the faster axis */
    while (step < 256 && fastest >= 127 * step + step / 2) {
        step *= 2;
    }
    int most = fastest > 127 * 256 ? 256 : step / 2;
    assert_in_range(abs(now.vx - told->motion.vx), 0, most);
    assert_in_range(abs(now.vy - told->motion.vy), 0, most);
}

static void
test_slices_tell_everybody(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 3);
    for (int round = 0; round < 200; round++) {
        static struct record_motion movers[400];
        static uint8_t bytes[400 * RANGE_ENTRY_BYTES_MAX + RANGE_HEAD_BYTES];
        uint16_t count = (uint16_t)rand_below(&r, 400);
        uint64_t entity = round % 2 == 0 ? 0 : UINT64_C(0xfffffffffff00000);
        struct writer w = writer_over(bytes, sizeof bytes);
        struct range_writer rw;
        range_begin(&rw, &w, 2, 3, entity, NOW_MS);
        for (uint16_t i = 0; i < count; i++) {
            entity += 1 + rand_below(&r, 2000);
            movers[i] = random_mover(&r, entity);
            range_add(&rw, &movers[i]);
        }
        range_end(&rw, entity);
        assert_true(writer_ok(&w));
        struct reader reader = reader_over(bytes, writer_used(&w));
        struct record record = next(&reader, RECORD_RANGE);
        assert_int_equal(reader_left(&reader), 0);
        assert_int_equal(record.as.range.last, entity);
        struct range_reader rr;
        range_open(&rr, &record);
        struct record_motion told;
        for (uint16_t i = 0; i < count; i++) {
            assert_true(range_next(&rr, &told));
            assert_told(&told, &movers[i]);
        }
        assert_false(range_next(&rr, &told));
    }
}

static void
test_own_mistakes_are_caught(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct record_motion m = walker;
    m.entity = 0;
    EXPECT_CHECK(batch_put_motion(&w, &m));
    struct slice longer = {bytes, SAY_BYTES_MAX + 1};
    EXPECT_CHECK(batch_put_say(&w, 1, longer));
    struct range_writer rw;
    range_begin(&rw, &w, 2, 3, 5, NOW_MS);
    m.entity = 4;
    EXPECT_CHECK(range_add(&rw, &m));
    m.entity = 5;
    range_add(&rw, &m);
    EXPECT_CHECK(range_add(&rw, &m));
    EXPECT_CHECK(range_end(&rw, 4));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_comes_back),
        cmocka_unit_test(test_bytes_are_pinned),
        cmocka_unit_test(test_since_is_completed_to_the_nearest),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_writers_need_the_whole_room),
        cmocka_unit_test(test_hostile_fields),
        cmocka_unit_test(test_hostile_slices),
        cmocka_unit_test(test_slices_tell_everybody),
        cmocka_unit_test(test_own_mistakes_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
