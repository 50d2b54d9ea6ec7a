#include "world/movement.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "world/island_make.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define WALK_MM_S 7000
#define RIDE_MM_S 45000
#define SIDE_MM   6000000
#define MIDDLE    (SIDE_MM / 2)

enum { WALKER, RIDER };

struct scene {
    struct island_file file;
    struct island *island;
    struct mover mover;
    int64_t now_ms;
};

static int
open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(island_make_plain(1, SIDE_MM, &s->file), OK);
    assert_int_equal(island_open(island_file_slice(&s->file), &s->island), OK);
    s->now_ms = 1000000;
    mover_put(&s->mover, (struct place){MIDDLE, MIDDLE}, WALKER, WALK_MM_S, s->now_ms);
    *state = s;
    return 0;
}

static int
close_scene(void **state)
{
    struct scene *s = *state;
    island_close(&s->island);
    island_file_free(&s->file);
    free(s);
    return 0;
}

static enum move_verdict
ask(struct scene *s, uint8_t look, struct motion motion)
{
    struct move asked = {
        .motion = motion, .look = look, .speed_mm_s = look == RIDER ? RIDE_MM_S : WALK_MM_S};
    return mover_move(&s->mover, s->island, &asked, s->now_ms, true);
}

static struct motion
from_truth(const struct scene *s, int16_t vx, uint16_t lasts_ms)
{
    struct motion m = motion_from(&s->mover.motion, s->now_ms);
    m.vx = vx;
    m.vy = 0;
    m.since_ms = s->now_ms;
    m.lasts_ms = lasts_ms;
    return m;
}

/* The oracle: the length of the way over world time. It grows by what a motion covers and by every
 * jump from one motion to the next; over any stretch of T it may grow by 1.05 x speed x (T + 200
 * ms), so way - 1.05 x speed x time never rises by more than 200 ms' worth above its lowest. */
struct oracle {
    struct motion before;
    double way_um, low_um;
    double speed_um_ms;
    int64_t born_ms;
};

static void
oracle_step(struct oracle *o, const struct motion *m)
{
    double elapsed = (double)(m->since_ms - o->before.since_ms);
    double moving = elapsed < o->before.lasts_ms ? elapsed : o->before.lasts_ms;
    o->way_um += hypot(o->before.vx, o->before.vy) * VELOCITY_UNIT_MM_S * moving;
    double over_um = o->way_um - o->speed_um_ms * (double)(m->since_ms - o->born_ms);
    o->low_um = over_um < o->low_um ? over_um : o->low_um;
    struct place from = motion_at(&o->before, m->since_ms);
    double jump_um = hypot(m->x_mm - from.x_mm, m->y_mm - from.y_mm) * 1000;
    o->way_um += jump_um;
    assert_true(over_um + jump_um - o->low_um <= o->speed_um_ms * MOVE_DEBT_MS + 1);
    o->before = *m;
}

static struct motion
wild_motion(struct scene *s, struct rand *r, int32_t speed_mm_s)
{
    struct motion m = motion_from(&s->mover.motion, s->now_ms);
    int32_t step = (int32_t)rand_below(r, 4) == 0 ? speed_mm_s / 4 : speed_mm_s / 100;
    m.x_mm += (int32_t)rand_below(r, (uint32_t)(2 * step + 1)) - step;
    m.y_mm += (int32_t)rand_below(r, (uint32_t)(2 * step + 1)) - step;
    double angle = rand_unit(r) * 6.2831853, speed = rand_unit(r) * 1.2 * speed_mm_s;
    m.vx = (int16_t)(cos(angle) * speed / VELOCITY_UNIT_MM_S);
    m.vy = (int16_t)(sin(angle) * speed / VELOCITY_UNIT_MM_S);
    m.since_ms = s->now_ms - 300 + rand_below(r, 600);
    m.lasts_ms = (uint16_t)rand_below(r, 3000);
    return m;
}

static void
test_nobody_is_faster_over_any_stretch(void **state)
{
    struct scene *s = *state;
    struct rand r;
    rand_seed(&r, 7);
    uint32_t verdicts[3] = {0};
    struct oracle o = {.before = s->mover.motion,
                       .speed_um_ms = WALK_MM_S * MOVE_TOLERANCE_PERCENT / 100.0,
                       .born_ms = s->now_ms};
    for (uint32_t i = 0; i < 40000; i++) {
        s->now_ms += rand_below(&r, rand_below(&r, 20) == 0 ? 3000 : 300);
        int64_t before_ms = s->mover.motion.since_ms;
        if (rand_below(&r, 10) == 0) {
            mover_reanchor(&s->mover, s->now_ms);
        } else {
            verdicts[ask(s, WALKER, wild_motion(s, &r, WALK_MM_S))]++;
        }
        assert_true(s->mover.motion.since_ms > before_ms);
        oracle_step(&o, &s->mover.motion);
    }
    assert_true(verdicts[MOVE_ACCEPTED] > 1000 && verdicts[MOVE_REFUSED] > 1000);
    /* It went somewhere: the limit is not kept by standing still. */
    assert_true(o.way_um > 0.1 * o.speed_um_ms * (double)(s->now_ms - o.born_ms));
}

static void
test_nobody_gains_by_changing_the_look(void **state)
{
    struct scene *s = *state;
    struct rand r;
    rand_seed(&r, 8);
    struct oracle o = {.before = s->mover.motion,
                       .speed_um_ms = RIDE_MM_S * MOVE_TOLERANCE_PERCENT / 100.0,
                       .born_ms = s->now_ms};
    for (uint32_t i = 0; i < 20000; i++) {
        s->now_ms += rand_below(&r, 300);
        uint8_t look = (uint8_t)rand_below(&r, 2);
        ask(s, look, wild_motion(s, &r, look == RIDER ? RIDE_MM_S : WALK_MM_S));
        oracle_step(&o, &s->mover.motion);
    }
}

/* The way that was ridden was allowed to a rider: who gets off may walk at once. */
static void
test_rider_gets_off(void **state)
{
    struct scene *s = *state;
    s->now_ms += 1000;
    assert_int_equal(ask(s, RIDER, from_truth(s, 20000, 5000)), MOVE_ACCEPTED);
    s->now_ms += 3000;
    assert_int_equal(ask(s, WALKER, from_truth(s, 3000, 5000)), MOVE_ACCEPTED);
    assert_int_equal(s->mover.look, WALKER);
    s->now_ms += 1000;
    assert_int_equal(ask(s, RIDER, from_truth(s, 20000, 5000)), MOVE_ACCEPTED);
}

/* A rider's 9 m of debt are none of the walker that it becomes. */
static void
test_credit_is_of_the_look(void **state)
{
    struct scene *s = *state;
    s->now_ms += 5000;
    assert_int_equal(ask(s, RIDER, from_truth(s, 0, 0)), MOVE_ACCEPTED);
    s->now_ms += 5000;
    struct motion jump = from_truth(s, 0, 0);
    jump.x_mm += 2000; /* 1.05 x 7 m/s x 200 ms = 1.47 m */
    assert_int_equal(ask(s, WALKER, jump), MOVE_REFUSED);
    s->now_ms += 5000;
    jump = from_truth(s, 0, 0);
    jump.x_mm += 1400;
    assert_int_equal(ask(s, WALKER, jump), MOVE_ACCEPTED);
}

static void
test_since_is_clamped(void **state)
{
    struct scene *s = *state;
    s->now_ms += 5000;
    struct motion m = from_truth(s, 1000, 1000);
    m.since_ms = s->now_ms - 4000;
    assert_int_equal(ask(s, WALKER, m), MOVE_ACCEPTED);
    assert_int_equal(s->mover.motion.since_ms, s->now_ms - MOVE_SINCE_BACK_MS_MAX);
    s->now_ms += 500;
    m = from_truth(s, 1000, 1000);
    m.since_ms = s->now_ms + 4000;
    assert_int_equal(ask(s, WALKER, m), MOVE_ACCEPTED);
    assert_int_equal(s->mover.motion.since_ms, s->now_ms);
    /* Twice in one ms: told apart by their beginning. */
    assert_int_equal(ask(s, WALKER, from_truth(s, 500, 1000)), MOVE_ACCEPTED);
    assert_int_equal(s->mover.motion.since_ms, s->now_ms + 1);
    mover_reanchor(&s->mover, s->now_ms);
    assert_int_equal(s->mover.motion.since_ms, s->now_ms + 2);
}

static void
test_refused_stands_where_the_truth_had_it(void **state)
{
    struct scene *s = *state;
    s->now_ms += 1000;
    assert_int_equal(ask(s, WALKER, from_truth(s, 2000, 5000)), MOVE_ACCEPTED);
    s->now_ms += 1000;
    struct place there = motion_at(&s->mover.motion, s->now_ms);
    struct motion far = from_truth(s, 3000, 1000);
    far.x_mm += 50000;
    assert_int_equal(ask(s, WALKER, far), MOVE_REFUSED);
    assert_int_equal(s->mover.motion.x_mm, there.x_mm);
    assert_int_equal(s->mover.motion.lasts_ms, 0);
    assert_false(motion_moves(&s->mover.motion, s->now_ms));
    s->now_ms += 1000;
    assert_int_equal(ask(s, WALKER, from_truth(s, 4000, 1000)), MOVE_REFUSED); /* 8 m/s */
    struct move none = {.motion = from_truth(s, 0, 0), .look = 2, .speed_mm_s = 0};
    s->now_ms += 10;
    assert_int_equal(mover_move(&s->mover, s->island, &none, s->now_ms, true), MOVE_REFUSED);
}

static void
test_jumps_are_charged_and_paid_back(void **state)
{
    struct scene *s = *state;
    for (uint32_t i = 0; i < 2; i++) {
        struct motion jump = from_truth(s, 0, 0);
        jump.x_mm += 1000;
        s->now_ms += 10;
        assert_int_equal(ask(s, WALKER, jump), i == 0 ? MOVE_ACCEPTED : MOVE_REFUSED);
    }
    s->now_ms += 200; /* standing pays back 1.05 x speed */
    struct motion jump = from_truth(s, 0, 0);
    jump.x_mm += 1000;
    assert_int_equal(ask(s, WALKER, jump), MOVE_ACCEPTED);
}

static void
test_ends_at_the_shore(void **state)
{
    struct scene *s = *state;
    int32_t east = SIDE_MM - 3000;
    mover_put(&s->mover, (struct place){east, MIDDLE}, WALKER, WALK_MM_S, s->now_ms);
    s->now_ms += 100;
    assert_int_equal(ask(s, WALKER, from_truth(s, 3000, 5000)), MOVE_SHORTENED);
    struct place end = motion_at(&s->mover.motion, s->now_ms + 10000);
    assert_true(island_is_land(s->island, end));
    assert_true(SIDE_MM - end.x_mm <= 10);
    /* Nor by a jump into the sea. */
    s->now_ms += 5000;
    struct motion wet = from_truth(s, 0, 0);
    wet.x_mm += 500;
    assert_int_equal(ask(s, WALKER, wet), MOVE_REFUSED);
    assert_true(island_is_land(s->island, motion_at(&s->mover.motion, s->now_ms)));
}

static void
test_lasts_is_limited(void **state)
{
    struct scene *s = *state;
    s->now_ms += 100;
    assert_int_equal(ask(s, WALKER, from_truth(s, 10, UINT16_MAX)), MOVE_ACCEPTED);
    assert_int_equal(s->mover.motion.lasts_ms, MOTION_LASTS_MS_MAX);
    s->now_ms += 100;
    assert_int_equal(ask(s, WALKER, from_truth(s, 0, 5000)), MOVE_ACCEPTED);
    assert_int_equal(s->mover.motion.lasts_ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_is_faster_over_any_stretch, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(test_nobody_gains_by_changing_the_look, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(test_rider_gets_off, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_credit_is_of_the_look, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_since_is_clamped, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_refused_stands_where_the_truth_had_it, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(test_jumps_are_charged_and_paid_back, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(test_ends_at_the_shore, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(test_lasts_is_limited, open_scene, close_scene),
    };
    return cmocka_run_group_tests_name("movement", tests, NULL, NULL);
}
