#include "os/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BIRTH_MS INT64_C(1700000000000)

struct fake {
    int64_t steady_us, wall_us;
};

static int64_t
fake_steady_us(void *ctx)
{
    return ((const struct fake *)ctx)->steady_us;
}

static int64_t
fake_wall_us(void *ctx)
{
    return ((const struct fake *)ctx)->wall_us;
}

static struct time_source
fake_source(struct fake *f)
{
    return (struct time_source){.ctx = f, .steady_us = fake_steady_us, .wall_us = fake_wall_us};
}

static void
fake_go(struct fake *f, int64_t us)
{
    f->steady_us += us;
    f->wall_us += us;
}

static void
test_runs_while_down(void **state)
{
    (void)state;
    struct fake f = {.steady_us = 77, .wall_us = (BIRTH_MS + 5000) * 1000};
    struct clock c;
    clock_init(&c, fake_source(&f), BIRTH_MS, 4000); /* it was down for a second */
    assert_int_equal(clock_world_ms(&c), 5000);
    assert_int_equal(clock_behind_ms(&c), 0);
    for (int i = 0; i < 100; i++) {
        fake_go(&f, 70001);
        assert_int_equal(clock_world_ms(&c), 5000 + 70001 * (i + 1) / 1000);
    }
    clock_fini(&c);
}

static void
test_floor(void **state)
{
    (void)state;
    struct fake f = {.wall_us = (BIRTH_MS + 5000) * 1000};
    struct clock c;
    clock_init(&c, fake_source(&f), BIRTH_MS, 5400); /* the wall clock was set back */
    assert_int_equal(clock_world_ms(&c), 5400);
    assert_int_equal(clock_behind_ms(&c), -400);
    clock_fini(&c);
}

/* One jump of the wall clock; world time must never jump, never stand, never leave the slew, and
 * must arrive in the end. Returns how many seconds that took. */
static int64_t
slew_through(int64_t jump_us)
{
    struct fake f = {.wall_us = BIRTH_MS * 1000};
    struct clock c;
    clock_init(&c, fake_source(&f), BIRTH_MS, 0);
    f.wall_us += jump_us;
    int64_t last_ms = clock_world_ms(&c), steps = 0;
    while (clock_behind_ms(&c) > 1 || clock_behind_ms(&c) < -1 || steps < 20) {
        fake_go(&f, 100000);
        int64_t world_ms = clock_world_ms(&c);
        assert_in_range(world_ms - last_ms, 99, 101);
        last_ms = world_ms;
        steps++;
        assert_true(steps < 100000);
    }
    /* All that was gained or lost is the jump. */
    int64_t gained_ms = last_ms - f.steady_us / 1000;
    assert_true(gained_ms >= jump_us / 1000 - 2 && gained_ms <= jump_us / 1000 + 2);
    clock_fini(&c);
    return steps / 10;
}

static void
test_slewed_never_stepped(void **state)
{
    (void)state;
    assert_in_range(slew_through(300000), 600, 700); /* 0.3 s at 500 ppm is 600 s */
    assert_in_range(slew_through(-300000), 600, 700);
    assert_true(slew_through(5000) < 60);
}

static void
test_thread_stands_still_within_a_turn(void **state)
{
    (void)state;
    struct fake f = {.wall_us = (BIRTH_MS + 100) * 1000};
    struct clock c;
    struct thread_clock a, b;
    clock_init(&c, fake_source(&f), BIRTH_MS, 0);
    thread_clock_init(&a, &c);
    thread_clock_init(&b, &c);
    struct env_clock port = thread_clock_port(&a), other = thread_clock_port(&b);
    fake_go(&f, 50000);
    assert_int_equal(port.world_ms(port.ctx), 100);
    thread_clock_turn(&a);
    assert_int_equal(port.world_ms(port.ctx), 150);
    assert_int_equal(other.world_ms(other.ctx), 100);
    assert_int_not_equal(port.random(port.ctx), other.random(other.ctx));
    assert_true(port.mono_us(port.ctx) <= port.mono_us(port.ctx));
    clock_fini(&c);
}

static void
test_linux_source(void **state)
{
    (void)state;
    struct time_source s = time_source_linux();
    int64_t before_us = s.steady_us(s.ctx);
    assert_true(s.steady_us(s.ctx) >= before_us);
    assert_true(s.wall_us(s.ctx) > BIRTH_MS * 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_while_down),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_slewed_never_stepped),
        cmocka_unit_test(test_thread_stands_still_within_a_turn),
        cmocka_unit_test(test_linux_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
