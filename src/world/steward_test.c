#include "world/world_fixture.h"

static topic_id
block(void)
{
    return topic_make(SCENE_ISLAND, 1, 1);
}

static void
unlisten(struct scene *s, uint32_t gate, bool wakes)
{
    topic_id id = block();
    scene_subscribe(s, gate, (struct scene_set){.epoch = 7, .version = 2, .wakes = wakes}, NULL, 0,
                    &id, 1);
}

/* What somebody who heard everything knows of the block's things. */
struct known {
    uint64_t entity;
    struct motion motion;
    uint8_t stage;
    uint32_t told;
};

struct view {
    struct known known[64];
    uint32_t count, changes;
};

static struct known *
known_of(struct view *v, uint64_t entity)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->known[i].entity == entity) {
            return &v->known[i];
        }
    }
    assert_true(v->count < 64);
    v->known[v->count] = (struct known){.entity = entity};
    return &v->known[v->count++];
}

static void
listen_to(const struct scene *s, uint32_t gate, struct view *v)
{
    struct link_message m;
    for (uint32_t n = 0; scene_told(s, gate, LINK_BATCH, n, &m); n++) {
        v->count = m.as.batch.snapshot ? 0 : v->count;
        struct reader in = reader_over(m.as.batch.records.at, m.as.batch.records.bytes);
        struct record r;
        while (reader_left(&in) > 0) {
            assert_int_equal(batch_next(&in, m.as.batch.tick_ms, &r), OK);
            struct known *k = known_of(v, r.entity), before = *k;
            if (r.kind == RECORD_THING) {
                assert_int_equal(r.as.thing.kind, SCENE_PLANT);
                assert_int_equal(r.as.thing.attributes.bytes, 1);
                k->stage = r.as.thing.attributes.at[0];
                assert_true(m.as.batch.snapshot || k->stage != before.stage);
            } else {
                assert_int_equal(r.kind, RECORD_MOTION);
                k->motion = r.as.motion.motion;
                assert_true(m.as.batch.snapshot || k->motion.since_ms > before.motion.since_ms);
            }
            k->told++;
            v->changes += !m.as.batch.snapshot;
        }
    }
}

static void
test_wakes_for_avatars_and_sleeps_after_10_s(void **state)
{
    struct scene *s = *state;
    assert_int_equal(s->world->wheel.count, 0);
    scene_listen(s, 0, true, block());
    scene_run(s, 20);
    assert_int_equal(world_stats(s->world)->chunks_awake, TOPIC_CHUNKS);
    assert_int_equal(world_stats(s->world)->things, TOPIC_CHUNKS);
    assert_int_equal(s->world->wheel.count, 1); /* one timer for the whole block */
    unlisten(s, 0, true);
    scene_run(s, 9800);
    assert_int_equal(world_stats(s->world)->chunks_awake, TOPIC_CHUNKS);
    scene_run(s, 500);
    assert_int_equal(world_stats(s->world)->chunks_awake, 0);
    assert_int_equal(world_stats(s->world)->things, 0);
    assert_int_equal(world_stats(s->world)->topics, 0);
    assert_int_equal(s->world->wheel.count, 0); /* asleep costs nothing */
    uint32_t turns = s->turns;
    scene_run(s, 10000);
    assert_in_range(s->turns - turns, 0, 12);
}

static void
test_who_comes_back_in_time_keeps_it_awake(void **state)
{
    struct scene *s = *state;
    scene_listen(s, 0, true, block());
    scene_run(s, 100);
    unlisten(s, 0, true);
    scene_run(s, 9000);
    scene_listen(s, 1, true, block());
    scene_run(s, 9000);
    assert_int_equal(world_stats(s->world)->chunks_awake, TOPIC_CHUNKS);
}

static void
test_spectators_wake_nothing(void **state)
{
    struct scene *s = *state;
    scene_listen(s, 0, false, block());
    scene_run(s, 1000);
    assert_int_equal(world_stats(s->world)->chunks_awake, 0);
    struct link_message m;
    assert_true(scene_told(s, 0, LINK_BATCH, 0, &m));
    assert_int_equal(m.as.batch.records.bytes, 0);
    /* They learn of what others wake, and that it fell asleep. */
    scene_forget(s);
    scene_listen(s, 1, true, block());
    scene_run(s, 20);
    assert_true(scene_told(s, 0, LINK_BATCH, 0, &m));
    assert_int_equal(m.as.batch.snapshot, 1);
    assert_int_equal(m.as.batch.awake_chunks_lo & m.as.batch.awake_chunks_hi, 0xff);
    assert_true(m.as.batch.records.bytes > 0);
    unlisten(s, 1, true);
    scene_forget(s);
    scene_run(s, 11000);
    uint32_t count = scene_count(s, 0, LINK_BATCH);
    assert_true(scene_told(s, 0, LINK_BATCH, count - 1, &m));
    assert_int_equal(m.as.batch.snapshot, 1);
    assert_int_equal(m.as.batch.awake_chunks_lo | m.as.batch.awake_chunks_hi, 0);
    assert_int_equal(m.as.batch.records.bytes, 0);
}

/* Only what differs is told: in 20 s each plant changes once and each animal five times. */
static void
test_tells_what_differs(void **state)
{
    struct scene *s = *state;
    struct view v = {0};
    scene_listen(s, 0, true, block());
    scene_run(s, 20);
    listen_to(s, 0, &v);
    assert_int_equal(v.count, TOPIC_CHUNKS);
    assert_int_equal(v.changes, 0);
    scene_forget(s);
    scene_run(s, 20000);
    listen_to(s, 0, &v);
    assert_int_equal(v.count, TOPIC_CHUNKS);
    assert_int_equal(v.changes, TOPIC_CHUNKS / 2 * (1 + 5));
}

/* The oracle watches all along and hears every change; who wakes the block after it slept for a
 * quarter of an hour finds the same. */
static void
test_wakes_to_what_ticking_would_have_given(void **state)
{
    struct scene *s = *state, *slept;
    void *other = NULL;
    scene_open(&other);
    slept = other;
    struct view ticked = {0}, woken = {0};
    scene_listen(s, 0, true, block());
    scene_listen(slept, 0, true, block());
    scene_run(slept, 3000);
    unlisten(slept, 0, true);
    for (uint32_t i = 0; i < 90; i++) {
        scene_run(s, 10070);
        listen_to(s, 0, &ticked);
        scene_forget(s);
    }
    scene_run(slept, 20000);
    assert_int_equal(world_stats(slept->world)->chunks_awake, 0);
    scene_run(slept, 90 * 10070 - 23000);
    assert_int_equal(slept->time.now_us, s->time.now_us);
    scene_forget(slept);
    scene_listen(slept, 0, true, block());
    scene_run(slept, 20);
    listen_to(slept, 0, &woken);
    scene_run(s, 20);
    listen_to(s, 0, &ticked);
    assert_int_equal(woken.count, ticked.count);
    assert_true(ticked.changes > 1000);
    for (uint32_t i = 0; i < woken.count; i++) {
        const struct known *w = &woken.known[i], *t = known_of(&ticked, w->entity);
        assert_int_equal(w->stage, t->stage);
        assert_int_equal(w->motion.x_mm, t->motion.x_mm);
        assert_int_equal(w->motion.y_mm, t->motion.y_mm);
        assert_int_equal(w->motion.vx, t->motion.vx);
        assert_int_equal(w->motion.since_ms, t->motion.since_ms);
        assert_int_equal(w->motion.lasts_ms, t->motion.lasts_ms);
    }
    scene_close(&other);
}

static void
test_the_sea_stays_asleep(void **state)
{
    struct scene *s = *state;
    scene_listen(s, 0, true, topic_make(SCENE_ISLAND, 40, 40));
    scene_listen(s, 1, true, topic_make(77, 0, 0)); /* no such island */
    scene_run(s, 1000);
    assert_int_equal(world_stats(s->world)->chunks_awake, 0);
    assert_int_equal(world_stats(s->world)->topics, 2);
}

static void
test_ids_of_things(void **state)
{
    (void)state;
    uint64_t id = game_thing_entity(3, 65535, (1U << 27) - 1, 15);
    assert_int_equal(id >> 48, 3);
    assert_true((id & GAME_THING_FLAG) != 0);
    assert_true(game_thing_entity(3, 2, 1, 0) != game_thing_entity(3, 1, 2, 0));
    assert_true(game_thing_entity(3, 1, 1, 0) != game_thing_entity(3, 1, 0, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wakes_for_avatars_and_sleeps_after_10_s, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_who_comes_back_in_time_keeps_it_awake, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_spectators_wake_nothing, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_tells_what_differs, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_wakes_to_what_ticking_would_have_given, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_the_sea_stays_asleep, scene_open, scene_close),
        cmocka_unit_test(test_ids_of_things),
    };
    return cmocka_run_group_tests_name("steward", tests, NULL, NULL);
}
