#include "view/gate_fixture.h"

#define WATCHER 0

/* The home tells one island; `cells` people stand in as many cells. */
static void
tell_island(struct scene *s, uint32_t island, uint16_t cells)
{
    static struct density_cell where[DENSITY_CELLS_MAX];
    static uint8_t record[16 + DENSITY_CELLS_MAX * 6];
    for (uint16_t i = 0; i < cells; i++) {
        where[i] = (struct density_cell){.column = i, .people = 1};
    }
    struct writer out = writer_over(record, sizeof record);
    batch_put_density(&out, island, 480, where, cells);
    scene_hear(s, &(struct link_message){
                      .kind = LINK_DENSITY,
                      .as.density = {.island = island,
                                     .record = {.at = record, .bytes = writer_used(&out)}}});
}

static void
watch_the_sea(struct scene *s)
{
    scene_connect(s, WATCHER);
    scene_hello(s, WATCHER, true);
    scene_run(s, 200);
}

static void
test_a_whole_sea_is_one_send(void **state)
{
    struct scene *s = *state;
    watch_the_sea(s);
    uint64_t sends = gate_stats(s->gate)->sends, pieces = gate_stats(s->gate)->pieces;
    for (uint32_t island = 1; island <= 33; island++) {
        tell_island(s, island, 3);
    }
    scene_run(s, 100);
    assert_int_equal(s->clients[WATCHER].densities, 33);
    assert_int_equal(gate_stats(s->gate)->sends, sends + 1);
    assert_int_equal(gate_stats(s->gate)->pieces,
                     pieces + 2); /* the head, and all records side by side */
}

/* 8 islands of 2,000 cells are 96 KB: told over as many ticks as the byte budget takes, each island
 * whole. */
static void
test_a_crowded_sea_takes_its_time(void **state)
{
    struct scene *s = *state;
    watch_the_sea(s);
    for (uint32_t island = 1; island <= 8; island++) {
        tell_island(s, island, 2000);
    }
    scene_run(s, 100);
    assert_in_range(s->clients[WATCHER].densities, 1, 7);
    scene_run(s, 9000);
    assert_int_equal(s->clients[WATCHER].densities, 8);
}

/* More than a second takes, every second: the islands at the end have their turn as well. */
static void
test_no_island_is_always_last(void **state)
{
    struct scene *s = *state;
    watch_the_sea(s);
    for (uint32_t second = 0; second < 10; second++) {
        for (uint32_t island = 1; island <= 8; island++) {
            tell_island(s, island, 2000);
        }
        scene_run(s, 1000);
    }
    assert_int_equal(s->clients[WATCHER].density_islands, 0x1fe);
}

static void
test_the_next_second_begins_anew(void **state)
{
    struct scene *s = *state;
    watch_the_sea(s);
    tell_island(s, 1, 1);
    scene_run(s, 1000);
    tell_island(s, 2, 1);
    scene_run(s, 1000);
    assert_int_equal(s->clients[WATCHER].densities, 2); /* island 1 was not told twice */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_sea_is_one_send, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_crowded_sea_takes_its_time, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_no_island_is_always_last, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_next_second_begins_anew, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
