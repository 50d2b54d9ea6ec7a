#include "view/gate_fixture.h"

#define ME    11
#define OTHER 12
#define THIRD 13

static uint32_t
members(struct scene *s, const struct motion *at)
{
    uint32_t topic = map_get(&s->gate->topic_by_id, scene_topic_of(at));
    assert_int_not_equal(topic, MAP_NONE);
    uint32_t chunk =
        replica_chunk(s->gate, topic, (uint16_t)chunk_of(at->x_mm), (uint16_t)chunk_of(at->y_mm));
    return ((const struct seen_chunk *)pool_at(&s->gate->chunks, chunk))->count;
}

static void
test_a_snapshot_replaces(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_moves(s, OTHER, here);
    scene_play(s, 0, ME, here);
    assert_true(scene_knows(s, 0, OTHER));
    /* OTHER went and THIRD came while this gate's ring was full. */
    scene_person(s, OTHER)->there = false;
    *scene_person(s, THIRD) =
        (struct scene_person){.id = THIRD, .there = true, .motion = scene_in(s, 5, 6)};
    scene_snapshot(s, scene_topic_of(&here));
    scene_run(s, 200);
    assert_false(scene_knows(s, 0, OTHER));
    assert_true(scene_knows(s, 0, THIRD));
    assert_int_equal(gate_stats(s->gate)->entities, 2);
    assert_int_equal(members(s, &here), 1);
}

static void
test_old_news_change_nothing(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5), next = scene_in(s, 6, 5), old = here;
    scene_play(s, 0, ME, here);
    next.since_ms += 50;
    scene_moves(s, OTHER, next);
    old.since_ms += 20;
    /* What OTHER did before comes behind it: another chunk of another topic, told later. */
    scene_person(s, OTHER)->there = false;
    scene_moves(s, OTHER, old);
    assert_int_equal(members(s, &next), 1);
    assert_int_equal(members(s, &old), 1); /* only ME */
    scene_run(s, 200);
    const struct seom_entity *known = replica_find(&s->clients[0].replica, OTHER);
    assert_non_null(known);
    assert_int_equal(known->motion.x_mm, next.x_mm);
}

/* The walker crosses and crosses back within one send; chunks are told one after the other, in any
 * order. */
static void
test_across_and_back(void **state)
{
    struct scene *s = *state;
    struct motion a = scene_at(s, 5 * CHUNK_MM + 29000, 165000), b = a, again = a;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    b.x_mm += 2000;
    scene_moves(s, OTHER, a);
    scene_run(s, 200);
    for (uint32_t i = 1; i <= 20; i++) {
        b.since_ms = scene_ms(s);
        again.since_ms = b.since_ms + 1;
        scene_moves(s, OTHER, b);
        scene_moves(s, OTHER, again);
        scene_run(s, 100);
        assert_true(scene_knows(s, 0, OTHER));
        assert_int_equal(replica_find(&s->clients[0].replica, OTHER)->motion.x_mm, again.x_mm);
    }
}

static void
test_leave_only_from_its_chunk(void **state)
{
    struct scene *s = *state;
    struct motion a = scene_in(s, 7, 5), b = scene_in(s, 8, 5); /* two blocks */
    scene_play(s, 0, ME, scene_in(s, 7, 6));
    scene_moves(s, OTHER, a);
    scene_run(s, 200);
    /* MOTION in the new chunk comes before LEAVE of the old one. */
    struct scene_person *p = scene_person(s, OTHER);
    struct scene_person left = *p;
    p->there = false;
    b.since_ms = scene_ms(s);
    scene_moves(s, OTHER, b);
    scene_publish_leave(s, &left);
    scene_run(s, 200);
    assert_int_equal(members(s, &b), 1);
    assert_true(scene_knows(s, 0, OTHER));
    scene_goes(s, OTHER);
    scene_run(s, 200);
    assert_false(scene_knows(s, 0, OTHER));
    assert_int_equal(gate_stats(s->gate)->entities, 1);
}

/* Somebody crosses from one block to another and is gone, all within one turn of the home; the
 * blocks come in any order. Who sees only the chunk that was left must hear of it. */
static void
test_leave_of_one_who_is_gone_already(void **state)
{
    struct scene *s = *state;
    struct motion a = scene_in(s, 7, 5), b = scene_in(s, 8, 5);
    scene_play(s, 0, ME, scene_in(s, 6, 5));    /* sees chunks 5 to 7 */
    scene_play(s, 1, THIRD, scene_in(s, 9, 5)); /* 8 to 10: the gate hears both blocks */
    scene_moves(s, OTHER, a);
    scene_run(s, 200);
    assert_true(scene_knows(s, 0, OTHER));
    struct scene_person left = *scene_person(s, OTHER);
    scene_person(s, OTHER)->there = false;
    b.since_ms = scene_ms(s);
    scene_moves(s, OTHER, b);
    scene_goes(s, OTHER);
    scene_publish_leave(s, &left);
    scene_run(s, 300);
    assert_false(scene_knows(s, 1, OTHER));
    assert_false(scene_knows(s, 0, OTHER));
}

static void
test_own_news_are_not_told(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_play(s, 0, ME, here);
    scene_play(s, 1, OTHER, here);
    uint32_t sends = s->clients[0].sends, motions = s->clients[0].motions;
    for (uint32_t i = 0; i < 10; i++) {
        here.since_ms = scene_ms(s);
        scene_walks(s, ME, here);
        scene_run(s, 100);
    }
    assert_int_equal(s->clients[0].sends, sends);
    assert_int_equal(s->clients[0].motions, motions);
    assert_false(scene_knows(s, 0, ME));
    assert_int_equal(replica_find(&s->clients[1].replica, ME)->motion.since_ms, here.since_ms);
    /* Between other people's news they come along, whole records as they are. */
    here.since_ms = scene_ms(s);
    scene_walks(s, ME, here);
    scene_walks(s, OTHER, here);
    scene_run(s, 100);
    assert_true(s->clients[0].sends > sends);
    assert_int_equal(replica_find(&s->clients[0].replica, OTHER)->motion.since_ms, here.since_ms);
}

static void
test_a_line_is_heard_by_all_near(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_play(s, 0, ME, here);
    uint8_t bytes[64];
    for (uint32_t others = 0; others < 2; others++) {
        if (others > 0) {
            scene_play(s, 1, OTHER, here);
        }
        struct writer out = writer_over(bytes, sizeof bytes);
        batch_put_say(&out, ME, (struct slice){.at = (const uint8_t *)"hello", .bytes = 5});
        scene_batch(s, scene_topic_of(&here), false, &out);
        scene_run(s, 100);
        assert_int_equal(s->clients[0].says, others + 1); /* also who spoke, also alone */
        assert_int_equal(s->clients[1].says, others);
    }
}

static void
test_an_older_publisher(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_play(s, 0, ME, here);
    scene_hear(s, &(struct link_message){.kind = LINK_BATCH,
                                         .as.batch = {.topic = scene_topic_of(&here),
                                                      .publisher_epoch = 4,
                                                      .tick_ms = scene_ms(s),
                                                      .snapshot = 1}});
    assert_int_equal(gate_stats(s->gate)->batches_stale, 1);
    assert_int_equal(members(s, &here), 1);
}

static void
test_bad_records_end_a_batch(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_play(s, 0, ME, here);
    uint8_t bytes[64] = {99};
    struct writer out = writer_over(bytes, sizeof bytes);
    write_u8(&out, 99);
    scene_batch(s, scene_topic_of(&here), false, &out);
    assert_int_equal(gate_stats(s->gate)->records_bad, 1);
    /* A place outside the topic it was published for. */
    struct record_motion far = {.entity = OTHER, .motion = scene_in(s, 50, 50)};
    out = writer_over(bytes, sizeof bytes);
    batch_put_motion(&out, &far);
    scene_batch(s, scene_topic_of(&here), false, &out);
    assert_int_equal(gate_stats(s->gate)->records_bad, 2);
    assert_int_equal(gate_stats(s->gate)->entities, 1);
    uint8_t garbage[3] = {LINK_BATCH, 1, 2};
    gate_message(s->gate, 0, garbage, sizeof garbage);
    assert_int_equal(gate_stats(s->gate)->records_bad, 3);
}

/* Whatever comes and goes: what is left behind is what stands there. */
static void
test_nothing_is_left_behind(void **state)
{
    struct scene *s = *state;
    struct rand r;
    rand_seed(&r, 5);
    for (uint32_t conn = 0; conn < 6; conn++) {
        scene_play(s, conn, 100 + conn, scene_in(s, 5, 5));
    }
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t id = 100 + rand_below(&r, 60);
        struct motion at = scene_in(s, (int32_t)rand_below(&r, 12), (int32_t)rand_below(&r, 12));
        if (id < 106) {
            scene_walks(s, id, at);
        } else if (rand_below(&r, 4) == 0 && scene_person(s, id)->there) {
            scene_goes(s, id);
        } else {
            scene_moves(s, id, at);
        }
        for (uint32_t conn = 0; conn < 6 && i % 500 == 0; conn++) {
            scene_ping(s, conn);
        }
        scene_run(s, 10);
    }
    for (uint32_t conn = 0; conn < 6; conn++) {
        gate_closed(s->gate, conn);
        s->clients[conn].open = false;
    }
    scene_run(s, 3000);
    const struct gate_stats *g = gate_stats(s->gate);
    assert_int_equal(g->topics, 0);
    assert_int_equal(g->chunks, 0);
    assert_int_equal(g->entities, 0);
    assert_int_equal(g->limits_reached, 0);
    assert_int_equal(s->gate->news_pages.used, 0);
    assert_int_equal(s->gate->watcher_blocks.used, 0);
    assert_int_equal(s->gate->seen_pool.used, 0);
    assert_true(gate_digest(s->gate, true) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_snapshot_replaces, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_old_news_change_nothing, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_across_and_back, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_leave_only_from_its_chunk, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_leave_of_one_who_is_gone_already, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_own_news_are_not_told, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_line_is_heard_by_all_near, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_an_older_publisher, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_bad_records_end_a_batch, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_behind, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
