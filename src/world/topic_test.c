#include "world/world_fixture.h"

#include "base/rand.h"

static const struct place here = {45000, 45000}, /* block 0, 0 */
    beyond = {165000, 45000};                    /* block 1, 0 */

static topic_id
topic_here(void)
{
    return topic_make(SCENE_ISLAND, 0, 0);
}

/* How many records of a kind about an entity a batch holds. */
static uint32_t
records_of(const struct link_batch *b, enum record_kind kind, uint64_t entity)
{
    struct reader in = reader_over(b->records.at, b->records.bytes);
    struct record r;
    uint32_t count = 0;
    while (reader_left(&in) > 0) {
        assert_int_equal(batch_next(&in, b->tick_ms, &r), OK);
        count += r.kind == kind && (entity == 0 || r.entity == entity);
    }
    return count;
}

static void
walk(struct scene *s, const struct link_home *who, uint32_t number)
{
    struct world_player p;
    assert_true(scene_player(s, who->player, &p));
    struct motion m = motion_from(&p.motion, scene_ms(s));
    m.vx = number % 2 == 0 ? 500 : -500;
    m.since_ms = scene_ms(s);
    m.lasts_ms = 1000;
    scene_move(s, 0, who, number, m);
}

static void
test_nobody_listens(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 1, NULL);
    scene_put(s, &who, here);
    uint64_t encodes = world_stats(s->world)->encodes;
    walk(s, &who, 1);
    scene_run(s, 200);
    assert_int_equal(world_stats(s->world)->encodes, encodes);
    assert_int_equal(world_stats(s->world)->batches, 0);
    assert_int_equal(s->world->pages.used, 0);
    assert_true(world_stats(s->world)->changes > 0);
}

static void
test_a_snapshot_first_then_one_batch_for_all(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 1, NULL);
    scene_put(s, &who, here);
    scene_forget(s);
    scene_listen(s, 0, false, topic_here());
    scene_listen(s, 1, false, topic_here());
    scene_run(s, 20);
    struct link_message m;
    for (uint32_t gate = 0; gate < 2; gate++) {
        assert_int_equal(scene_count(s, gate, LINK_BATCH), 1);
        assert_true(scene_told(s, gate, LINK_BATCH, 0, &m));
        assert_int_equal(m.as.batch.snapshot, 1);
        assert_int_equal(records_of(&m.as.batch, RECORD_MOTION, who.player), 1);
    }
    scene_forget(s);
    uint64_t encodes = world_stats(s->world)->encodes;
    walk(s, &who, 1);
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->encodes, encodes + 1); /* once, for two gates */
    for (uint32_t gate = 0; gate < 2; gate++) {
        assert_int_equal(scene_count(s, gate, LINK_BATCH), 1);
        assert_true(scene_told(s, gate, LINK_BATCH, 0, &m));
        assert_int_equal(m.as.batch.snapshot, 0);
        assert_int_equal(records_of(&m.as.batch, RECORD_MOTION, who.player), 1);
    }
}

static void
test_at_most_every_10_ms(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 1, NULL);
    scene_put(s, &who, here);
    scene_listen(s, 0, false, topic_here());
    scene_run(s, 100);
    scene_forget(s);
    for (uint32_t i = 1; i <= 40; i++) {
        walk(s, &who, i);
        scene_run(s, 5);
    }
    assert_in_range(scene_count(s, 0, LINK_BATCH), 15, 20);
}

static void
test_a_full_ring_is_repaired_by_a_snapshot(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 1, 1, NULL);
    scene_put(s, &who, here);
    scene_listen(s, 0, false, topic_here());
    scene_run(s, 20);
    scene_forget(s);
    s->full[0] = true;
    scene_move(s, 1, &who, 1,
               (struct motion){.x_mm = here.x_mm,
                               .y_mm = here.y_mm,
                               .vx = 500,
                               .since_ms = scene_ms(s),
                               .lasts_ms = 1000});
    scene_run(s, 50);
    assert_true(world_stats(s->world)->batches_full > 0);
    s->full[0] = false;
    scene_run(s, 30);
    struct link_message m;
    assert_int_equal(scene_count(s, 0, LINK_BATCH), 1);
    assert_true(scene_told(s, 0, LINK_BATCH, 0, &m));
    assert_int_equal(m.as.batch.snapshot, 1);
    assert_int_equal(records_of(&m.as.batch, RECORD_MOTION, who.player), 1);
    /* And that was all: nothing is behind any more. */
    scene_forget(s);
    scene_run(s, 300);
    assert_int_equal(scene_count(s, 0, LINK_BATCH), 0);
}

static void
test_crossing_is_told_to_both_blocks(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 1, NULL);
    scene_put(s, &who, here);
    topic_id both[2] = {topic_here(), topic_make(SCENE_ISLAND, 1, 0)};
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 1, .whole = true}, both, 2,
                    NULL, 0);
    scene_run(s, 20);
    scene_forget(s);
    scene_put(s, &who, beyond);
    struct link_message m;
    uint32_t leaves = 0, motions = 0;
    for (uint32_t n = 0; scene_told(s, 0, LINK_BATCH, n, &m); n++) {
        leaves +=
            m.as.batch.topic == both[0] ? records_of(&m.as.batch, RECORD_LEAVE, who.player) : 0;
        motions +=
            m.as.batch.topic == both[1] ? records_of(&m.as.batch, RECORD_MOTION, who.player) : 0;
    }
    assert_int_equal(leaves, 1);
    assert_int_equal(motions, 1);
}

static struct link_subscribed
last_answer(struct scene *s)
{
    struct link_message m;
    uint32_t count = scene_count(s, 0, LINK_SUBSCRIBED);
    assert_true(count > 0 && scene_told(s, 0, LINK_SUBSCRIBED, count - 1, &m));
    return m.as.subscribed;
}

static void
test_deltas_must_fit(void **state)
{
    struct scene *s = *state;
    topic_id a = topic_here(), b = topic_make(SCENE_ISLAND, 1, 0);
    /* A delta of a gate that is not known here. */
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2}, &a, 1, NULL, 0);
    assert_int_equal(last_answer(s).version, 0);
    assert_int_equal(world_stats(s->world)->subscriptions, 0);
    scene_listen(s, 0, false, a);
    assert_int_equal(last_answer(s).version, 1);
    assert_true(last_answer(s).digest == rand_mix(a, 1));
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2}, &b, 1, &a, 1);
    assert_int_equal(last_answer(s).version, 2);
    assert_true(last_answer(s).digest == rand_mix(b, 1));
    /* One is missing, one is of another life: what stands is answered, and stands. */
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 4}, &a, 1, NULL, 0);
    assert_int_equal(last_answer(s).version, 2);
    scene_subscribe(s, 0, (struct scene_set){.epoch = 8, .version = 3}, &a, 1, NULL, 0);
    assert_int_equal(last_answer(s).epoch, 7);
    assert_true(last_answer(s).digest == rand_mix(b, 1));
    assert_true(world_digest(s->world, 0, false) == rand_mix(b, 1));
    /* The whole set replaces it, whatever stood. */
    scene_subscribe(s, 0, (struct scene_set){.epoch = 8, .version = 1, .whole = true}, &a, 1, NULL,
                    0);
    assert_true(last_answer(s).digest == rand_mix(a, 1));
    assert_int_equal(world_stats(s->world)->subscriptions, 1);
}

static void
test_topics_are_dropped_when_idle(void **state)
{
    struct scene *s = *state;
    topic_id a = topic_here();
    scene_listen(s, 0, false, a);
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->topics, 1);
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2}, NULL, 0, &a, 1);
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->topics, 0);
    struct link_home who = scene_enter(s, 0, 1, NULL);
    scene_put(s, &who, here);
    scene_put(s, &who, beyond);
    assert_int_equal(world_stats(s->world)->topics, 1); /* the one that was left is gone */
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->topics, 0);
}

static void
test_topics_have_a_limit(void **state)
{
    struct scene *s = *state;
    topic_id ids[200];
    for (uint16_t i = 0; i < 200; i++) {
        ids[i] = topic_make(SCENE_ISLAND, i, 7);
    }
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 1, .whole = true}, ids, 200,
                    NULL, 0);
    assert_int_equal(world_stats(s->world)->topics, 128);
    assert_int_equal(world_stats(s->world)->topics_full, 200 - 128);
    /* Who comes in stands somewhere all the same. */
    struct link_home who = scene_enter(s, 0, 1, NULL);
    assert_int_equal(who.code, SEOM__CODE__FINE);
    scene_put(s, &who, here);
    scene_put(s, &who, beyond);
    /* Nor is a block held for a gate beyond the limit because somebody happens to stand in it. */
    topic_id stands = topic_of(archipelago_find(&s->islands, SCENE_ISLAND), beyond);
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2}, &stands, 1, NULL, 0);
    assert_int_equal(world_stats(s->world)->topics_full, 200 - 128 + 1);
    scene_put(s, &who, here);
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->topics, 128 + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_listens, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_snapshot_first_then_one_batch_for_all, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_at_most_every_10_ms, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_full_ring_is_repaired_by_a_snapshot, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_crossing_is_told_to_both_blocks, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_deltas_must_fit, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_topics_are_dropped_when_idle, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_topics_have_a_limit, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
