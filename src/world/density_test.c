#include "world/world_fixture.h"

static bool
last_density(const struct scene *s, uint32_t gate, struct record *out, struct link_message *m)
{
    uint32_t count = scene_count(s, gate, LINK_DENSITY);
    if (count == 0) {
        return false;
    }
    assert_true(scene_told(s, gate, LINK_DENSITY, count - 1, m));
    struct reader in = reader_over(m->as.density.record.at, m->as.density.record.bytes);
    assert_int_equal(batch_next(&in, scene_ms(s), out), OK);
    assert_int_equal(reader_left(&in), 0);
    assert_int_equal(out->kind, RECORD_DENSITY);
    return true;
}

static void
test_counts_people_once_a_second(void **state)
{
    struct scene *s = *state;
    struct record r;
    struct link_message m;
    scene_listen(s, 0, false, TOPIC_DENSITY);
    scene_run(s, 20000);
    assert_true(last_density(s, 0, &r, &m));
    assert_int_equal(r.as.density.count, 0);
    assert_in_range(scene_count(s, 0, LINK_DENSITY), 1, 5); /* of an empty island: seldom */
    for (uint32_t i = 0; i < 3; i++) {
        struct link_home who = scene_enter(s, 1, i + 1, NULL);
        /* Cells of 480 m: two stand in the first, one in the second column of the second row. */
        scene_put(s, &who, i < 2 ? (struct place){1000, 1000} : (struct place){500000, 500000});
    }
    scene_forget(s);
    scene_run(s, 10000);
    assert_in_range(scene_count(s, 0, LINK_DENSITY), 9, 11);
    assert_int_equal(scene_count(s, 1, LINK_DENSITY), 0); /* did not ask */
    assert_true(last_density(s, 0, &r, &m));
    assert_int_equal(m.as.density.island, SCENE_ISLAND);
    assert_int_equal(r.as.density.island, SCENE_ISLAND);
    assert_int_equal(r.as.density.cell_m, 480);
    assert_int_equal(r.as.density.count, 2);
    struct density_cell first = density_at(r.as.density.cells, 0),
                        second = density_at(r.as.density.cells, 1);
    assert_true(first.column == 0 && first.row == 0 && first.people == 2);
    assert_true(second.column == 1 && second.row == 1 && second.people == 1);
    assert_int_equal(world_stats(s->world)->chunks_awake, 0); /* it woke nothing */
}

static void
test_nobody_asks_nothing_is_counted(void **state)
{
    struct scene *s = *state;
    topic_id density = TOPIC_DENSITY;
    scene_listen(s, 0, false, density);
    scene_run(s, 1100);
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2}, NULL, 0, &density, 1);
    scene_forget(s);
    scene_run(s, 5000);
    assert_int_equal(scene_count(s, 0, LINK_DENSITY), 0);
    assert_int_equal(world_stats(s->world)->topics, 0);
}

static void
test_a_full_ring_misses_one(void **state)
{
    struct scene *s = *state;
    scene_enter(s, 1, 1, NULL);
    scene_listen(s, 0, false, TOPIC_DENSITY);
    scene_run(s, 1000);
    s->full[0] = true;
    scene_run(s, 3000);
    s->full[0] = false;
    scene_forget(s);
    scene_run(s, 1000);
    assert_int_equal(scene_count(s, 0, LINK_DENSITY), 1);
    assert_true(world_stats(s->world)->batches_full >= 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts_people_once_a_second, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_nobody_asks_nothing_is_counted, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_a_full_ring_misses_one, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("density", tests, NULL, NULL);
}
