#include "view/gate_fixture.h"

#define WATCHER 0

/* A home tells one island; `cells` people stand in as many cells, in a row from one on. */
static void
tell_cells(struct scene *s, uint32_t home, uint32_t island, uint16_t cell_m, uint16_t from,
           uint16_t cells)
{
    static struct density_cell where[DENSITY_CELLS_MAX];
    static uint8_t record[16 + DENSITY_CELLS_MAX * 6];
    for (uint16_t i = 0; i < cells; i++) {
        where[i] = (struct density_cell){.column = (uint16_t)(from + i), .people = 1};
    }
    struct writer out = writer_over(record, sizeof record);
    batch_put_density(&out, island, cell_m, where, cells);
    scene_hear_from(s, home,
                    &(struct link_message){
                        .kind = LINK_DENSITY,
                        .as.density = {.island = island,
                                       .record = {.at = record, .bytes = writer_used(&out)}}});
}

static void
tell_island(struct scene *s, uint32_t island, uint16_t cells)
{
    tell_cells(s, 0, island, 480, 0, cells);
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

/* Two homes have people on one island, and their seconds are not the same: it is told once a
 * second, with all of them. */
static void
test_homes_are_added_up(void **state)
{
    struct scene *s = *state;
    const struct scene_client *c = &s->clients[WATCHER];
    scene_home_up(s, 1, 6);
    watch_the_sea(s);
    for (uint32_t second = 0; second < 6; second++) {
        tell_cells(s, 0, 1, 480, 0, 5);
        scene_run(s, 300);
        tell_cells(s, 1, 1, 480, 3, 4);
        scene_run(s, 700);
        assert_in_range(c->densities, second, second + 1);
        assert_true(second == 0 || (c->density_people == 9 && c->density_cells == 7));
        assert_true(second == 0 || c->density_cell_m == 480);
    }
    scene_home_down(s, 1, true);
    for (uint32_t second = 0; second < 4; second++) {
        tell_cells(s, 0, 1, 480, 0, 5);
        scene_run(s, 1000);
    }
    assert_true(c->density_people == 5 && c->density_cells == 5);
    tell_cells(s, 0, 1, 480, 0, 0); /* the last one left */
    scene_run(s, 1000);
    assert_true(c->density_people == 0 && c->density_cells == 0);
}

/* What only one home has, and what it says after the others, is told within two seconds. */
static void
test_a_late_home_is_heard(void **state)
{
    struct scene *s = *state;
    scene_home_up(s, 1, 6);
    watch_the_sea(s);
    tell_cells(s, 0, 1, 480, 0, 5);
    scene_run(s, 700);
    tell_cells(s, 1, 2, 480, 0, 1);
    scene_run(s, 50);
    assert_int_equal(s->clients[WATCHER].densities, 1);
    scene_run(s, 1200);
    assert_int_equal(s->clients[WATCHER].density_islands, 6);
}

/* One home tells a wide land in wider cells: so does the sum, and wider ones when it has too many.
 */
static void
test_cells_of_two_sizes(void **state)
{
    struct scene *s = *state;
    const struct scene_client *c = &s->clients[WATCHER];
    scene_home_up(s, 1, 6);
    watch_the_sea(s);
    tell_cells(s, 0, 1, 960, 0, 10);
    tell_cells(s, 1, 1, 480, 10, 10); /* columns 10 to 19 are 5 to 9 of the wider */
    scene_run(s, 2100);
    tell_cells(s, 0, 1, 960, 0, 10);
    scene_run(s, 100);
    assert_true(c->density_people == 20 && c->density_cells == 10 && c->density_cell_m == 960);
    tell_cells(s, 0, 2, 480, 0, 2000);
    tell_cells(s, 1, 2, 480, 2000, 2000);
    scene_run(s, 3000);
    assert_true(c->density_people == 4000 && c->density_cells == 2000);
    assert_int_equal(c->density_cell_m, 960);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_sea_is_one_send, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_crowded_sea_takes_its_time, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_no_island_is_always_last, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_next_second_begins_anew, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_homes_are_added_up, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_late_home_is_heard, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_cells_of_two_sizes, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
