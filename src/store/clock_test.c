#include "store/clock.h"

#include "base/rand.h"
#include "store/desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KEY "0001/meta/clock"

static int
setup(void **state)
{
    *state = desk_alloc(7);
    return 0;
}

static int
teardown(void **state)
{
    desk_free(*state);
    return 0;
}

static int64_t
stored_ms(const struct desk *desk)
{
    struct store_doc doc = desk_look(desk, KEY);
    int64_t world_ms = -1;
    if (doc.exists)
        assert_int_equal(clock_decode(doc.value, &world_ms), OK);
    return world_ms;
}

static void
keep(struct desk *desk, struct clock_keeper *keeper, int64_t world_ms, int64_t slack_ms)
{
    clock_keep(keeper, world_ms, slack_ms);
    desk_settle(desk);
    assert_int_equal(keeper->state, CLOCK_IDLE);
}

static void
one_writer_reads_once(void **state)
{
    struct desk *desk = *state;
    struct clock_keeper k;
    clock_keeper_init(&k, &desk->store, DESK_WORLD);
    for (int64_t s = 1; s <= 10; s++) {
        keep(desk, &k, s * 1000, 1000);
        assert_int_equal(stored_ms(desk), s * 1000);
    }
    assert_int_equal(k.writes, 10);
    assert_int_equal(desk->store.stats.gets, 1);
    keep(desk, &k, 9000, 0); /* is kept already */
    assert_int_equal(stored_ms(desk), 10000);
    assert_int_equal(k.writes, 10);
}

/* Two homes: one writes, the other sees that and is content; when the first is gone it goes on. */
static void
others_are_content(void **state)
{
    struct desk *desk = *state;
    struct clock_keeper a, b;
    clock_keeper_init(&a, &desk->store, DESK_WORLD);
    clock_keeper_init(&b, &desk->store, DESK_WORLD);
    for (int64_t s = 1; s <= 10; s++) {
        keep(desk, &a, s * 1000, 1000);
        keep(desk, &b, s * 1000 + 300, 1000);
    }
    assert_int_equal(a.writes, 10);
    assert_int_equal(b.writes, 0);
    for (int64_t s = 11; s <= 20; s++)
        keep(desk, &b, s * 1000 + 300, 1000);
    assert_int_equal(b.writes, 10);
    keep(desk, &b, 20400, 0); /* the last time: to the millisecond */
    assert_int_equal(stored_ms(desk), 20400);
}

/* Whatever becomes of the writes, and however far the clocks of homes differ. */
static void
never_goes_backwards(void **state)
{
    struct desk *desk = *state;
    struct clock_keeper keepers[3];
    struct rand r;
    rand_seed(&r, 11);
    for (uint32_t i = 0; i < 3; i++)
        clock_keeper_init(&keepers[i], &desk->store, DESK_WORLD);
    desk_faults(desk, 50000, 50000, 100000, 50000);
    int64_t before = -1;
    uint64_t grew = 0;
    for (int64_t ms = 1000; ms < 400000; ms += 100) {
        for (uint32_t i = 0; i < 3; i++)
            if (rand_below(&r, 3) == 0)
                clock_keep(&keepers[i], ms + (int64_t)i * 90 - 90, rand_below(&r, 500));
        desk_run_ms(desk, rand_below(&r, 60));
        int64_t now = stored_ms(desk);
        assert_true(now >= before);
        grew += now > before;
        before = now;
    }
    desk_faults(desk, 0, 0, 0, 0);
    desk_settle(desk);
    for (uint32_t i = 0; i < 3; i++)
        keep(desk, &keepers[i], 500000, 0);
    assert_int_equal(stored_ms(desk), 500000);
    assert_true(grew > 300);
    assert_true(keepers[0].failures > 10);
}

static void
a_clock_nobody_understands_is_left_alone(void **state)
{
    struct desk *desk = *state;
    struct clock_keeper k;
    clock_keeper_init(&k, &desk->store, DESK_WORLD);
    desk_put(desk, KEY, "\xff", 1);
    keep(desk, &k, 1000, 0);
    assert_int_equal(desk_look(desk, KEY).version, 1);
    assert_int_equal(k.failures, 1);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(one_writer_reads_once),
        CASE(others_are_content),
        CASE(never_goes_backwards),
        CASE(a_clock_nobody_understands_is_left_alone),
    };
#undef CASE
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
