#include "base/rand.h"
#include "wire/motion.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
assert_place(struct place p, int32_t x_mm, int32_t y_mm)
{
    assert_int_equal(p.x_mm, x_mm);
    assert_int_equal(p.y_mm, y_mm);
}

static void
test_place_follows_time(void **state)
{
    (void)state;
    struct motion m = {
        .x_mm = 1000, .y_mm = -7, .vx = 3500, .vy = -1, .since_ms = 5000, .lasts_ms = 1000};
    assert_place(motion_at(&m, 0), 1000, -7);
    assert_place(motion_at(&m, 5000), 1000, -7);
    assert_place(motion_at(&m, 5001), 1007, -7); /* 2 mm/s in 1 ms: truncated */
    assert_place(motion_at(&m, 5499), 1000 + 3493, -7);
    assert_place(motion_at(&m, 5500), 1000 + 3500, -8); /* -1 mm, not earlier: towards zero */
    assert_place(motion_at(&m, 6000), 8000, -9);
    assert_place(motion_at(&m, INT64_MAX), 8000, -9);
    assert_place(motion_at(&m, INT64_MIN), 1000, -7);
}

static void
test_extreme_times_and_places_are_defined(void **state)
{
    (void)state;
    struct motion m = {.x_mm = INT32_MAX - 1,
                       .y_mm = INT32_MIN + 1,
                       .vx = INT16_MAX,
                       .vy = INT16_MIN,
                       .since_ms = INT64_MIN,
                       .lasts_ms = UINT16_MAX};
    assert_place(motion_at(&m, INT64_MAX), INT32_MAX, INT32_MIN);
    assert_false(motion_moves(&m, INT64_MAX));
    assert_true(motion_moves(&m, INT64_MIN));
    assert_int_equal(motion_leaves_chunk_ms(&m, INT64_MIN),
                     INT64_MAX); /* the edge is off the map */
    m.since_ms = INT64_MAX;
    m.x_mm = m.y_mm = 0;
    assert_true(motion_moves(&m, INT64_MAX));
    assert_int_equal(motion_leaves_chunk_ms(&m, INT64_MAX), INT64_MAX); /* time ends before */
}

static void
test_moves_until_over(void **state)
{
    (void)state;
    struct motion m = {.vx = 1, .since_ms = 100, .lasts_ms = 50};
    assert_true(motion_moves(&m, 100));
    assert_true(motion_moves(&m, 149));
    assert_false(motion_moves(&m, 150));
    m.lasts_ms = 0;
    assert_false(motion_moves(&m, 100));
    m = (struct motion){.since_ms = 100, .lasts_ms = 50};
    assert_false(motion_moves(&m, 100));
}

static void
test_chunks_by_floor(void **state)
{
    (void)state;
    assert_int_equal(chunk_of(0), 0);
    assert_int_equal(chunk_of(29999), 0);
    assert_int_equal(chunk_of(30000), 1);
    assert_int_equal(chunk_of(-1), -1);
    assert_int_equal(chunk_of(-30000), -1);
    assert_int_equal(chunk_of(-30001), -2);
    assert_int_equal(chunk_of(INT32_MIN), -71583);
    assert_int_equal(chunk_of(INT32_MAX), 71582);
}

static void
test_velocity_is_rounded_up(void **state)
{
    (void)state;
    struct motion m = {.vx = 3, .vy = -4};
    assert_int_equal(velocity_mm_s(&m), 10);
    m = (struct motion){.vx = 1, .vy = 1};
    assert_int_equal(velocity_mm_s(&m), 3);
    m = (struct motion){.vx = 0, .vy = 0};
    assert_int_equal(velocity_mm_s(&m), 0);
    m = (struct motion){.vx = INT16_MIN, .vy = INT16_MIN};
    assert_int_equal(velocity_mm_s(&m), 92682); /* 65,536 x sqrt 2 = 92,681.9 */
}

static struct motion
random_motion(struct rand *r)
{
    return (struct motion){.x_mm = (int32_t)rand_below(r, 200000) - 100000,
                           .y_mm = (int32_t)rand_below(r, 200000) - 100000,
                           .vx = (int16_t)((int)rand_below(r, 40000) - 20000),
                           .vy = (int16_t)((int)rand_below(r, 40000) - 20000),
                           .since_ms = 1000000 + rand_below(r, 1000),
                           .lasts_ms = (uint16_t)rand_below(r, 3000)};
}

static int64_t
leaves_by_stepping(const struct motion *m, int64_t after_ms)
{
    struct place start = motion_at(m, after_ms);
    for (int64_t t = after_ms + 1; t <= m->since_ms + m->lasts_ms; t++) {
        struct place p = motion_at(m, t);
        if (chunk_of(p.x_mm) != chunk_of(start.x_mm) || chunk_of(p.y_mm) != chunk_of(start.y_mm)) {
            return t;
        }
    }
    return INT64_MAX;
}

static void
test_leaving_a_chunk_is_what_stepping_finds(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 1);
    unsigned left = 0, stayed = 0;
    for (int i = 0; i < 2000; i++) {
        struct motion m = random_motion(&r);
        if (i % 4 == 0) {
            m.x_mm = 30000 * (int32_t)rand_below(&r, 4) - (int32_t)rand_below(&r, 3);
        }
        if (i % 5 == 0) {
            m.vy = 0;
        }
        int64_t after_ms = m.since_ms - 100 + rand_below(&r, 3300);
        int64_t expected = leaves_by_stepping(&m, after_ms);
        assert_int_equal(motion_leaves_chunk_ms(&m, after_ms), expected);
        expected == INT64_MAX ? stayed++ : left++;
    }
    assert_in_range(left, 200, 2000);
    assert_in_range(stayed, 200, 2000);
}

static void
test_a_motion_told_later_is_the_same(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 2);
    for (int i = 0; i < 2000; i++) {
        struct motion m = random_motion(&r);
        int64_t at_ms = m.since_ms - 50 + rand_below(&r, 3200);
        struct motion later = motion_from(&m, at_ms);
        struct place here = motion_at(&m, at_ms), there = motion_at(&later, at_ms);
        assert_place(there, here.x_mm, here.y_mm);
        assert_true(later.since_ms >= at_ms);
        for (int64_t t = at_ms; t < m.since_ms + m.lasts_ms + 100; t += 97) {
            struct place a = motion_at(&m, t), b = motion_at(&later, t);
            assert_in_range(a.x_mm - b.x_mm + 1, 0, 2); /* two truncations: at most a millimetre */
            assert_in_range(a.y_mm - b.y_mm + 1, 0, 2);
            assert_true(motion_moves(&m, t) == motion_moves(&later, t));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_follows_time),
        cmocka_unit_test(test_extreme_times_and_places_are_defined),
        cmocka_unit_test(test_moves_until_over),
        cmocka_unit_test(test_chunks_by_floor),
        cmocka_unit_test(test_velocity_is_rounded_up),
        cmocka_unit_test(test_leaving_a_chunk_is_what_stepping_finds),
        cmocka_unit_test(test_a_motion_told_later_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
