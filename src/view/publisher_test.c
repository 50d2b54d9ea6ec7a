/* Who may say what of whom: many homes publish to one replica. */
#include "view/gate_fixture.h"

#define ME     11
#define OTHER  12
#define THIRD  13
#define TREE   500
#define ANIMAL 600
#define A      0 /* homes */
#define B      1
#define C      2

static const struct seen_entity *
known(struct scene *s, uint64_t id)
{
    uint32_t index = map_get(&s->gate->entity_by_id, id);
    return index == MAP_NONE ? NULL : pool_at(&s->gate->entities, index);
}

/* A watches ME; B is there, too. */
static void
begin(struct scene *s)
{
    scene_home_up(s, B, 6);
    scene_play(s, 0, ME, scene_in(s, 5, 5));
}

/* Somebody stands at a home under an epoch, and is told. */
static void
stand(struct scene *s, uint32_t home, uint64_t id, uint64_t epoch, struct motion at)
{
    struct scene_person *p = scene_person(s, id);
    p->home = home;
    p->epoch = epoch;
    p->there = false; /* nobody says LEAVE */
    at.since_ms = scene_ms(s);
    scene_moves(s, id, at);
    scene_run(s, 110);
}

static int32_t
seen_x(struct scene *s, uint64_t id)
{
    const struct seom_entity *e = replica_find(&s->clients[0].replica, id);
    return e == NULL ? -1 : e->motion.x_mm;
}

static struct motion
at_x(struct scene *s, int32_t x_mm)
{
    return scene_at(s, 5 * CHUNK_MM + x_mm, 5 * CHUNK_MM + CHUNK_MM / 2);
}

static void
test_all_homes_are_heard(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, A, OTHER, 3, at_x(s, 1000));
    stand(s, B, THIRD, 8, at_x(s, 2000));
    assert_true(scene_knows(s, 0, OTHER) && scene_knows(s, 0, THIRD));
    assert_int_equal(known(s, OTHER)->owned, 3);
    assert_int_equal(known(s, THIRD)->owned, 8);
    assert_int_equal(known(s, THIRD)->publisher, s->gate->home_by_peer[B]);
}

static void
test_the_higher_epoch_speaks(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, A, OTHER, 3, at_x(s, 1000));
    stand(s, B, OTHER, 4, at_x(s, 2000));
    assert_int_equal(seen_x(s, OTHER), at_x(s, 2000).x_mm);
    uint64_t foreign = gate_stats(s->gate)->records_foreign;
    stand(s, A, OTHER, 3, at_x(s, 3000)); /* the former home still publishes */
    stand(s, C, OTHER, 9, at_x(s, 4000)); /* nobody has heard of that one */
    assert_int_equal(seen_x(s, OTHER), at_x(s, 2000).x_mm);
    stand(s, A, OTHER, 0, at_x(s, 3500)); /* and says nothing of an epoch */
    stand(s, A, OTHER, 4, at_x(s, 3500)); /* or the same */
    assert_int_equal(seen_x(s, OTHER), at_x(s, 2000).x_mm);
    assert_int_equal(gate_stats(s->gate)->records_foreign, foreign + 3);
    stand(s, A, OTHER, 5, at_x(s, 5000));
    assert_int_equal(seen_x(s, OTHER), at_x(s, 5000).x_mm);
}

/* Its last words are about an entity that is another's by now. */
static void
test_only_the_publisher_says_leave(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, A, OTHER, 3, at_x(s, 1000));
    stand(s, B, OTHER, 4, at_x(s, 1000));
    scene_person(s, OTHER)->home = A;
    scene_goes(s, OTHER);
    scene_run(s, 110);
    assert_true(scene_knows(s, 0, OTHER));
    scene_person(s, OTHER)->home = B;
    scene_goes(s, OTHER);
    scene_run(s, 110);
    assert_false(scene_knows(s, 0, OTHER));
}

/* Whoever has the session under a later epoch, or the same one, speaks; a home that lost the person
 * and has not heard of it does not. */
static void
test_a_publisher_that_is_down(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, B, OTHER, 9, at_x(s, 1000));
    scene_home_down(s, B, false);
    stand(s, A, OTHER, 3, at_x(s, 2000));
    stand(s, A, OTHER, 0, at_x(s, 2000));
    assert_int_equal(seen_x(s, OTHER), at_x(s, 1000).x_mm);
    assert_int_equal(known(s, OTHER)->owned, 9);
    stand(s, A, OTHER, 9, at_x(s, 3000));
    assert_int_equal(seen_x(s, OTHER), at_x(s, 3000).x_mm);
}

/* Of whom nobody said an epoch speaks whoever is there. */
static void
test_a_publisher_that_is_down_and_said_nothing(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, B, OTHER, 0, at_x(s, 1000));
    scene_home_down(s, B, false);
    stand(s, A, OTHER, 0, at_x(s, 2000));
    assert_int_equal(seen_x(s, OTHER), at_x(s, 2000).x_mm);
}

static void
test_words_of_another_node(void **state)
{
    struct scene *s = *state;
    begin(s);
    s->homes[B].node = 7; /* is not what its link says it is */
    uint64_t stale = gate_stats(s->gate)->batches_stale;
    stand(s, B, OTHER, 9, at_x(s, 1000));
    assert_false(scene_knows(s, 0, OTHER));
    assert_int_equal(gate_stats(s->gate)->batches_stale, stale + 1);
}

static void
test_a_snapshot_replaces_what_its_publisher_told(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, A, OTHER, 3, at_x(s, 1000));
    stand(s, B, THIRD, 3, at_x(s, 2000));
    stand(s, B, 14, 3, at_x(s, 3000));
    uint64_t snapshots = gate_stats(s->gate)->snapshots;
    uint32_t motions = s->clients[0].motions, forgets = s->clients[0].forgets;
    scene_person(s, 14)->there = false;
    struct motion here = at_x(s, 0);
    scene_snapshot_of(s, B, scene_topic_of(&here));
    scene_run(s, 110);
    assert_false(scene_knows(s, 0, 14));
    assert_true(scene_knows(s, 0, OTHER) && scene_knows(s, 0, THIRD));
    /* And what stands there as before is not told again. */
    assert_int_equal(s->clients[0].motions, motions);
    assert_int_equal(s->clients[0].forgets, forgets);
    assert_int_equal(gate_stats(s->gate)->snapshots, snapshots);
}

/* Only the first of its pages says that it is a snapshot. Another home's word in between does not
 * end it. */
static void
test_a_snapshot_of_many_pages(void **state)
{
    struct scene *s = *state;
    uint8_t bytes[RECORD_MOTION_BYTES];
    begin(s);
    struct motion here = at_x(s, 0);
    for (uint64_t id = 20; id < 25; id++) {
        stand(s, B, id, 0, at_x(s, (int32_t)id * 100));
    }
    uint32_t motions = s->clients[0].motions, leaves = s->clients[0].leaves;
    for (uint64_t id = 20; id < 24; id++) {
        struct writer out = writer_over(bytes, sizeof bytes);
        scene_put(&out, scene_person(s, id));
        scene_batch_of(s, B, 0, scene_topic_of(&here), id == 20, &out);
        if (id == 21) {
            scene_snapshot_of(s, A, scene_topic_of(&here));
        }
    }
    scene_run(s, 110);
    assert_int_equal(s->clients[0].motions, motions);
    assert_int_equal(s->clients[0].leaves, leaves + 1);
    assert_true(scene_knows(s, 0, 23));
    assert_false(scene_knows(s, 0, 24));
}

/* The batch that said LEAVE was lost, the snapshot has it in another chunk: who sees only the
 * first one hears it. */
static void
test_a_snapshot_moves_somebody(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 4, 4)); /* sees chunks 3 to 5 */
    scene_play(s, 1, THIRD, scene_in(s, 7, 4));
    struct motion near = scene_in(s, 5, 4), far = scene_in(s, 7, 4);
    scene_moves(s, OTHER, near);
    scene_run(s, 110);
    assert_true(scene_knows(s, 0, OTHER));
    far.since_ms = scene_ms(s);
    scene_person(s, OTHER)->motion = far;
    scene_snapshot(s, scene_topic_of(&near));
    scene_run(s, 110);
    assert_false(scene_knows(s, 0, OTHER));
    assert_true(scene_knows(s, 1, OTHER));
}

static void
tell_thing(struct scene *s, uint32_t home, uint64_t epoch, uint64_t id, bool snapshot)
{
    uint8_t bytes[128];
    struct writer out = writer_over(bytes, sizeof bytes);
    struct motion at = at_x(s, 9000);
    if (id == ANIMAL) {
        batch_put_motion(&out,
                         &(struct record_motion){.entity = id, .look = LOOK_ANIMAL, .motion = at});
    } else if (id != 0) {
        batch_put_thing(&out, &(struct record_thing){.entity = id,
                                                     .kind = 1,
                                                     .place = {at.x_mm, at.y_mm},
                                                     .attributes = {bytes, 0}});
    }
    scene_batch_of(s, home, epoch, scene_topic_of(&at), snapshot, &out);
    scene_run(s, 110);
}

static void
test_things_are_their_stewards(void **state)
{
    struct scene *s = *state;
    begin(s);
    tell_thing(s, A, 4, TREE, true);
    tell_thing(s, A, 4, ANIMAL, false);
    assert_true(scene_knows(s, 0, TREE) && scene_knows(s, 0, ANIMAL));
    tell_thing(s, B, 0, 0, true); /* not the steward: it has people to tell of, or nobody */
    assert_true(scene_knows(s, 0, TREE) && scene_knows(s, 0, ANIMAL));
    uint64_t stale = gate_stats(s->gate)->things_stale;
    tell_thing(s, B, 0, TREE + 1, false);
    tell_thing(s, B, 3, ANIMAL + 1, false); /* and a former one */
    tell_thing(s, B, 3, ANIMAL, false);
    assert_false(scene_knows(s, 0, TREE + 1) || known(s, ANIMAL + 1) != NULL);
    assert_int_equal(gate_stats(s->gate)->things_stale, stale + 3);
    tell_thing(s, B, 5, TREE + 2, true); /* a newer one: what it does not tell is not there */
    assert_true(scene_knows(s, 0, TREE + 2));
    assert_false(scene_knows(s, 0, TREE) || scene_knows(s, 0, ANIMAL));
    tell_thing(s, A, 4, TREE, true);
    assert_true(scene_knows(s, 0, TREE + 2));
    assert_false(scene_knows(s, 0, TREE));
}

static void
test_a_former_steward_removes_nothing(void **state)
{
    struct scene *s = *state;
    begin(s);
    tell_thing(s, A, 4, TREE, true);
    tell_thing(s, B, 5, TREE, true);
    for (uint32_t home = A; home <= B; home++) {
        uint8_t bytes[RECORD_LEAVE_BYTES];
        struct writer out = writer_over(bytes, sizeof bytes);
        struct motion at = at_x(s, 9000);
        batch_put_leave(&out, TREE, 5, 5);
        scene_batch_of(s, home, home == A ? 4 : 5, scene_topic_of(&at), false, &out);
        scene_run(s, 110);
        assert_int_equal(scene_knows(s, 0, TREE), home == A);
    }
}

static void
test_awake_as_the_steward_says(void **state)
{
    struct scene *s = *state;
    begin(s);
    struct motion at = at_x(s, 0);
    const struct seen_topic *t =
        pool_at(&s->gate->topics, map_get(&s->gate->topic_by_id, scene_topic_of(&at)));
    s->all_awake = true;
    tell_thing(s, A, 4, TREE, true);
    assert_int_equal(t->awake, 0xffff);
    s->all_awake = false;
    for (uint32_t i = 0; i < s->homes[B].topic_count; i++) {
        s->homes[B].topics[i].on[1] = false;
    }
    tell_thing(s, B, 0, 0, false);
    assert_int_equal(t->awake, 0xffff);
    tell_thing(s, B, 5, 0, false);
    assert_int_equal(t->awake, 0);
}

/* People of a dead home stand for two seconds, then they are gone; trees are the land's and stay
 * for their next steward. */
static void
test_ghosts_are_reaped(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, A, OTHER, 3, at_x(s, 1000));
    stand(s, B, THIRD, 3, at_x(s, 2000));
    stand(s, B, 14, 3, at_x(s, 3000));
    tell_thing(s, B, 4, TREE, false);
    scene_home_down(s, B, true);
    scene_run(s, 1000);
    assert_true(scene_knows(s, 0, THIRD) && scene_knows(s, 0, 14));
    stand(s, A, 14, 4, at_x(s, 3000)); /* was resumed: nobody notices */
    uint32_t leaves = s->clients[0].leaves;
    scene_run(s, 1000);
    assert_true(scene_knows(s, 0, OTHER) && scene_knows(s, 0, 14) && scene_knows(s, 0, TREE));
    assert_false(scene_knows(s, 0, THIRD));
    assert_int_equal(s->clients[0].leaves, leaves + 1);
    assert_int_equal(gate_stats(s->gate)->reaped, 1);
    assert_int_equal(gate_stats(s->gate)->homes_down, 0);
}

/* A broken link reaps nothing for five seconds; who comes back within them was never away. */
static void
test_a_broken_link_reaps_later(void **state)
{
    struct scene *s = *state;
    begin(s);
    stand(s, B, THIRD, 3, at_x(s, 2000));
    scene_home_down(s, B, false);
    scene_run(s, 4800);
    assert_true(scene_knows(s, 0, THIRD));
    scene_home_up(s, B, 6);
    scene_ping(s, 0);
    scene_run(s, 6000);
    assert_true(scene_knows(s, 0, THIRD));
    scene_home_down(s, B, false);
    scene_run(s, 5300);
    assert_false(scene_knows(s, 0, THIRD));
}

/* However often homes come and go, there is a slot for the next one. */
static void
test_slots_are_never_short(void **state)
{
    struct scene *s = *state;
    begin(s);
    for (uint64_t node = 100; node < 100 + 3 * HOMES_MAX; node++) {
        scene_home_up(s, C, node);
        stand(s, C, 10000 + node, 1, at_x(s, 4000));
        scene_home_down(s, C, node % 2 == 0);
        scene_ping(s, 0);
    }
    assert_int_equal(gate_stats(s->gate)->homes, 2);
    scene_run(s, 5300);
    assert_int_equal(gate_stats(s->gate)->entities, 1);
    for (uint64_t node = 1000; node < 1000 + 2 * HOMES_MAX; node++) {
        scene_home_up(s, C, node); /* all at one moment */
        scene_home_down(s, C, true);
    }
    assert_int_equal(gate_stats(s->gate)->homes_down, HOMES_MAX - 2);
    assert_int_equal(s->gate->homes_high, HOMES_MAX);
}

/* Of many that are gone the oldest are reaped before their time, one with each turn. */
static void
test_of_many_gone_the_oldest_go_first(void **state)
{
    struct scene *s = *state;
    begin(s);
    for (uint64_t node = 100; node < 160; node++) {
        scene_home_up(s, C, node);
        stand(s, C, 10000 + node, 1, at_x(s, 4000));
        scene_person(s, 10000 + node)->there = false; /* at the next one */
        scene_home_down(s, C, false);
        scene_ping(s, 0);
        assert_in_range(gate_stats(s->gate)->homes_down, 0, 33);
    }
    assert_true(scene_knows(s, 0, 10000 + 159));
    assert_null(known(s, 10000 + 100));
}

/* The animals of one block walk into the next one, which has another steward. */
static void
test_an_animal_changes_stewards(void **state)
{
    struct scene *s = *state;
    scene_home_up(s, B, 6);
    scene_play(s, 0, ME, scene_in(s, 7, 5)); /* two blocks */
    uint8_t bytes[64];
    struct motion at[2] = {scene_in(s, 7, 5), scene_in(s, 8, 5)};
    for (uint32_t home = A; home <= B; home++) {
        struct writer out = writer_over(bytes, sizeof bytes);
        at[home].since_ms = scene_ms(s);
        batch_put_motion(&out, &(struct record_motion){
                                   .entity = ANIMAL, .look = LOOK_ANIMAL, .motion = at[home]});
        scene_batch_of(s, home, 4 - home, scene_topic_of(&at[home]), false, &out);
        scene_run(s, 110);
        assert_int_equal(seen_x(s, ANIMAL), at[home].x_mm);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_homes_are_heard),
        TEST(test_the_higher_epoch_speaks),
        TEST(test_only_the_publisher_says_leave),
        TEST(test_a_publisher_that_is_down),
        TEST(test_a_publisher_that_is_down_and_said_nothing),
        TEST(test_words_of_another_node),
        TEST(test_a_snapshot_replaces_what_its_publisher_told),
        TEST(test_a_snapshot_of_many_pages),
        TEST(test_a_snapshot_moves_somebody),
        TEST(test_things_are_their_stewards),
        TEST(test_a_former_steward_removes_nothing),
        TEST(test_awake_as_the_steward_says),
        TEST(test_ghosts_are_reaped),
        TEST(test_a_broken_link_reaps_later),
        TEST(test_slots_are_never_short),
        TEST(test_of_many_gone_the_oldest_go_first),
        TEST(test_an_animal_changes_stewards),
    };
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
