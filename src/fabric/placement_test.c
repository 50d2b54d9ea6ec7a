#include "fabric/placement.h"

#include "base/rand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOMES   8
#define REGIONS 4000

static void
make_homes(struct placement_home *homes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        homes[i] = (struct placement_home){.node = 1000 + 7 * i};
    }
}

static uint64_t
region(uint32_t n)
{
    struct place at = {(int32_t)(n % 64) * PLACEMENT_REGION_CHUNKS * 30000,
                       (int32_t)(n / 64) * PLACEMENT_REGION_CHUNKS * 30000};
    return placement_region(1, at);
}

static void
test_neighbours_share_a_region(void **state)
{
    (void)state;
    struct place a = {10000, 20000}, b = {470000, 479999}, c = {480000, 20000};
    assert_true(placement_region(3, a) == placement_region(3, b));
    assert_true(placement_region(3, a) != placement_region(3, c));
    assert_true(placement_region(3, a) != placement_region(4, a));
}

static void
test_regions_are_shared_evenly(void **state)
{
    (void)state;
    struct placement_home homes[HOMES];
    uint32_t had[HOMES] = {0};
    make_homes(homes, HOMES);
    for (uint32_t n = 0; n < REGIONS; n++) {
        uint32_t chosen = placement_choose(homes, HOMES, region(n), 1);
        assert_true(chosen < HOMES);
        had[chosen]++;
    }
    for (uint32_t i = 0; i < HOMES; i++) {
        assert_in_range(had[i], REGIONS / HOMES * 8 / 10, REGIONS / HOMES * 12 / 10);
    }
}

/* Only what the home headed that went, goes elsewhere; and comes back with it. */
static void
test_stays_when_a_home_goes(void **state)
{
    (void)state;
    struct placement_home all[HOMES], rest[HOMES];
    make_homes(all, HOMES);
    make_homes(rest, HOMES);
    rest[3] = rest[HOMES - 1]; /* in another order, too */
    uint32_t moved = 0;
    for (uint32_t n = 0; n < REGIONS; n++) {
        uint64_t before = all[placement_choose(all, HOMES, region(n), 1)].node;
        uint64_t after = rest[placement_choose(rest, HOMES - 1, region(n), 1)].node;
        assert_true(before == after || before == all[3].node);
        moved += before != after;
    }
    assert_in_range(moved, 1, REGIONS / 4);
}

static void
test_a_draining_home_takes_nobody(void **state)
{
    (void)state;
    struct placement_home homes[2];
    make_homes(homes, 2);
    homes[0].draining = true;
    for (uint32_t n = 0; n < 100; n++) {
        assert_int_equal(placement_choose(homes, 2, region(n), 1), 1);
    }
    homes[1].draining = true;
    assert_int_equal(placement_choose(homes, 2, region(1), 2), PLACEMENT_NONE);
    assert_int_equal(placement_choose(homes, 0, region(1), 1), PLACEMENT_NONE);
}

/* Everybody wants into one region: the homes fill up side by side, never one alone. */
static void
test_a_crowd_overflows(void **state)
{
    (void)state;
    struct placement_home homes[4];
    make_homes(homes, 4);
    for (uint32_t n = 0; n < 8000; n++) {
        homes[placement_choose(homes, 4, region(5), 1)].players++;
    }
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < 4; i++) {
        least = homes[i].players < least ? homes[i].players : least;
        most = homes[i].players > most ? homes[i].players : most;
    }
    assert_true(most <= 2000 * PLACEMENT_FULL_PERCENT / 100 + PLACEMENT_FULL_PEOPLE + 1);
    assert_true(least > 0);
}

static void
test_the_knob_shares_a_region(void **state)
{
    (void)state;
    struct placement_home homes[HOMES];
    make_homes(homes, HOMES);
    for (uint32_t share = 1; share <= 4; share++) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < HOMES; i++) {
            homes[i].players = 0;
        }
        for (uint32_t n = 0; n < 40; n++) {
            homes[placement_choose(homes, HOMES, region(9), share)].players++;
        }
        for (uint32_t i = 0; i < HOMES; i++) {
            seen += homes[i].players > 0;
            assert_true(homes[i].players == 0 || homes[i].players == 40 / share ||
                        homes[i].players == 40 / share + 1);
        }
        assert_int_equal(seen, share);
    }
}

static void
test_always_somebody(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 4);
    for (uint32_t n = 0; n < 2000; n++) {
        struct placement_home homes[HOMES];
        uint32_t count = 1 + rand_below(&r, HOMES);
        make_homes(homes, count);
        bool open = false;
        for (uint32_t i = 0; i < count; i++) {
            homes[i].players = rand_below(&r, 20000);
            homes[i].draining = rand_below(&r, 4) == 0;
            open |= !homes[i].draining;
        }
        uint32_t chosen = placement_choose(homes, count, rand_next(&r), rand_below(&r, 4));
        assert_true(open ? chosen < count && !homes[chosen].draining : chosen == PLACEMENT_NONE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_share_a_region),
        cmocka_unit_test(test_regions_are_shared_evenly),
        cmocka_unit_test(test_stays_when_a_home_goes),
        cmocka_unit_test(test_a_draining_home_takes_nobody),
        cmocka_unit_test(test_a_crowd_overflows),
        cmocka_unit_test(test_the_knob_shares_a_region),
        cmocka_unit_test(test_always_somebody),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
