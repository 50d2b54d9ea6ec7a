#include "bots/around.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct truth_spot
spot(uint32_t island, int32_t cx, int32_t cy)
{
    return (struct truth_spot){
        .island = island, .x_mm = cx * CHUNK_MM + 1, .y_mm = cy * CHUNK_MM + CHUNK_MM - 1};
}

static void
neighbours_are_counted_from_both_sides(void **state)
{
    (void)state;
    /* Two in one chunk, one in the next, one two chunks off, one on another island, one away. */
    const struct truth_spot spots[] = {spot(1, 5, 5), spot(1, 5, 5), spot(1, 6, 6),
                                       spot(1, 7, 6), spot(2, 5, 5), spot(0, 5, 5)};
    uint64_t people;
    assert_int_equal(around_count(spots, 6, &people), 2 + 2 + 3 + 1 + 0);
    assert_int_equal(people, 5);
}

static void
borders_of_the_island_are_nobodys_neighbour(void **state)
{
    (void)state;
    const struct truth_spot spots[] = {spot(1, 0, 0), spot(1, 271, 0), spot(1, 0, 1)};
    uint64_t people;
    assert_int_equal(around_count(spots, 3, &people), 2);
    assert_int_equal(people, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_counted_from_both_sides),
        cmocka_unit_test(borders_of_the_island_are_nobodys_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
