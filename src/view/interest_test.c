#include "view/gate_fixture.h"

#define ME 11

static const struct conn *
conn_of(const struct scene *s, uint32_t conn)
{
    return &s->gate->conns[conn];
}

static bool
sees(struct scene *s, uint32_t conn, int32_t cx, int32_t cy)
{
    const struct conn *c = conn_of(s, conn);
    for (uint32_t i = 0; i < c->seen_max; i++) {
        if (c->seen[i].chunk == POOL_NONE) {
            continue;
        }
        const struct seen_chunk *chunk = pool_at(&s->gate->chunks, c->seen[i].chunk);
        if (chunk->cx == cx && chunk->cy == cy) {
            return true;
        }
    }
    return false;
}

static void
camera(struct scene *s, uint32_t conn, uint32_t island, struct place corner, uint32_t side_mm)
{
    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = island;
    camera.x_mm = corner.x_mm;
    camera.y_mm = corner.y_mm;
    camera.w_mm = camera.h_mm = side_mm;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = 1;
    request.what_case = SEOM__REQUEST__WHAT_CAMERA;
    request.camera = &camera;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    scene_send(s, conn, &m);
}

static void
spectate(struct scene *s, uint32_t conn)
{
    scene_connect(s, conn);
    scene_hello(s, conn, true);
    scene_run(s, 50);
}

static void
test_sees_3x3_and_keeps_5x5(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    assert_int_equal(conn_of(s, 0)->seen_count, 9);
    for (int32_t step = 1; step <= 8; step++) {
        scene_walks(s, ME, scene_in(s, 10 + step, 10));
        scene_run(s, 100);
        for (int32_t dx = -4; dx <= 4; dx++) {
            for (int32_t dy = -4; dy <= 4; dy++) {
                bool near = abs(dx) <= 1 && abs(dy) <= 1;
                /* The way led along y = 10: what lies two behind has been seen and is kept. */
                bool kept = dx == -2 && step >= 1 && abs(dy) <= 1;
                assert_int_equal(sees(s, 0, 10 + step + dx, 10 + dy), near || kept);
            }
        }
    }
    assert_int_equal(conn_of(s, 0)->seen_count, 12);
}

/* Crossing one border to and fro subscribes nothing and tells nothing anew. */
static void
test_hysteresis(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 11, 10));
    scene_walks(s, ME, scene_in(s, 12, 10));
    scene_run(s, 200);
    uint32_t subscribes = s->homes[0].subscribes, forgets = s->clients[0].forgets;
    uint64_t snapshots = gate_stats(s->gate)->snapshots;
    for (int32_t i = 0; i < 20; i++) {
        scene_walks(s, ME, scene_in(s, 11 + i % 2, 10));
        scene_run(s, 100);
    }
    assert_int_equal(s->homes[0].subscribes, subscribes);
    assert_int_equal(s->clients[0].forgets, forgets);
    assert_int_equal(gate_stats(s->gate)->snapshots, snapshots);
}

static void
test_the_corner_of_the_world(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 0, 0));
    assert_int_equal(conn_of(s, 0)->seen_count, 4);
    assert_int_equal(gate_stats(s->gate)->topics, 1);
}

static void
test_what_leaves_is_forgotten(void **state)
{
    struct scene *s = *state;
    scene_moves(s, 50, scene_in(s, 9, 10));
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    assert_true(scene_knows(s, 0, 50));
    scene_walks(s, ME, scene_in(s, 11, 10));
    scene_run(s, 200);
    assert_true(scene_knows(s, 0, 50)); /* within 5 x 5 */
    scene_walks(s, ME, scene_in(s, 12, 10));
    scene_run(s, 200);
    assert_false(scene_knows(s, 0, 50));
    scene_walks(s, ME, scene_in(s, 10, 10));
    scene_run(s, 200);
    assert_true(scene_knows(s, 0, 50));
}

static void
test_another_island(void **state)
{
    struct scene *s = *state;
    scene_moves(s, 50, scene_in(s, 10, 10));
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    uint32_t islands = s->clients[0].islands;
    scene_hear(s, &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = ME,
                                                     .session_epoch = 1,
                                                     .kind = SELF_MOTION,
                                                     .flags = SELF_MOVED,
                                                     .island = 2,
                                                     .motion = scene_in(s, 10, 10)}});
    scene_run(s, 200);
    assert_int_equal(s->clients[0].islands, islands + 1);
    assert_false(scene_knows(s, 0, 50));
    assert_int_equal(topic_island(((const struct seen_topic *)pool_at(
                                       &s->gate->topics, pool_next(&s->gate->topics, POOL_NONE)))
                                      ->id),
                     2);
}

/* Subscriptions: the first message is the whole set, then deltas with versions in a row. */
static void
test_subscriptions_are_state(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    assert_int_equal(s->homes[0].subscribes, 1);
    assert_int_equal(s->homes[0].wholes, 1);
    assert_int_equal(s->homes[0].version[1], 1);
    assert_true(gate_digest(s->gate, true) == scene_digest(s, true));
    for (int32_t i = 1; i <= 10; i++) {
        scene_walks(s, ME, scene_in(s, 10 + 4 * i, 10));
        scene_run(s, 100);
        assert_int_equal(s->homes[0].version[1], 1 + s->homes[0].subscribes - s->homes[0].wholes);
        assert_true(gate_digest(s->gate, true) == scene_digest(s, true));
    }
    assert_int_equal(s->homes[0].wholes, 1);
    assert_true(s->homes[0].subscribes > 10);
}

static void
test_a_full_ring_keeps_what_changed(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    s->homes[0].full = true;
    scene_self(s, ME, 1, 0, scene_in(s, 30, 10));
    scene_run(s, 500);
    assert_true(gate_digest(s->gate, true) == scene_digest(s, true)); /* neither knows of it */
    s->homes[0].full = false;
    scene_run(s, 20);
    assert_int_equal(s->homes[0].version[1], 2);
    assert_true(gate_digest(s->gate, true) == scene_digest(s, true));
    assert_non_null(scene_topic(s, topic_make(SCENE_ISLAND, 7, 2)));
}

/* The home stands elsewhere than the gate believes: its digest says so, the whole set repairs it;
 * not more than once in 2 s. */
static void
test_a_digest_that_differs_is_repaired(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    for (uint32_t i = 0; i < s->homes[0].topic_count; i++) {
        s->homes[0].topics[i].on[1] = false;
    }
    struct link_message m = {.kind = LINK_SUBSCRIBED,
                             .as.subscribed = {.epoch = s->homes[0].epoch,
                                               .version = s->homes[0].version[1],
                                               .wakes = 1,
                                               .digest = scene_digest(s, true)}};
    scene_hear(s, &m);
    scene_run(s, 50);
    assert_int_equal(s->homes[0].wholes, 2);
    assert_true(gate_digest(s->gate, true) == scene_digest(s, true));
    m.as.subscribed.version = s->homes[0].version[1];
    for (uint32_t i = 0; i < 40; i++) {
        scene_hear(s, &m);
        scene_run(s, 100);
    }
    assert_in_range(s->homes[0].wholes, 3, 4);
    assert_int_equal(gate_stats(s->gate)->subscribe_repairs, s->homes[0].wholes - 1);
    /* One of an older version says nothing. */
    uint32_t wholes = s->homes[0].wholes;
    m.as.subscribed.version = s->homes[0].version[1] - 1;
    scene_run(s, 3000);
    scene_hear(s, &m);
    assert_int_equal(s->homes[0].wholes, wholes);
}

static void
test_two_clients_share_a_topic(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 1, 1));
    scene_play(s, 1, 12, scene_in(s, 2, 2));
    assert_int_equal(gate_stats(s->gate)->topics, 1);
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    scene_run(s, 100);
    assert_int_equal(gate_stats(s->gate)->topics, 1);
    gate_closed(s->gate, 1);
    s->clients[1].open = false;
    scene_run(s, 100);
    assert_int_equal(gate_stats(s->gate)->topics, 0);
    assert_int_equal(scene_digest(s, true), 0);
}

static void
test_a_spectator_wakes_nothing(void **state)
{
    struct scene *s = *state;
    scene_moves(s, 50, scene_in(s, 6, 6));
    spectate(s, 0);
    camera(s, 0, SCENE_ISLAND, (struct place){5 * CHUNK_MM, 5 * CHUNK_MM}, 3 * CHUNK_MM);
    scene_run(s, 1500);
    assert_int_equal(scene_digest(s, true), 0);
    assert_true(scene_digest(s, false) != 0);
    assert_int_equal(conn_of(s, 0)->seen_count, 0); /* all asleep */
    assert_false(scene_knows(s, 0, 50));
    /* A player comes near: what it wakes is seen within a second. */
    scene_play(s, 1, ME, scene_in(s, 6, 6));
    scene_run(s, 1500);
    assert_true(conn_of(s, 0)->seen_count > 0);
    assert_true(scene_knows(s, 0, 50));
    assert_true(scene_knows(s, 0, ME));
    assert_int_equal(s->clients[0].welcomes, 1);
    assert_int_equal(s->clients[0].entity, 0);
}

static void
test_a_spectator_sees_64_chunks_around_its_middle(void **state)
{
    struct scene *s = *state;
    s->all_awake = true;
    spectate(s, 0);
    /* 1,800 m: more blocks than it may hold. */
    camera(s, 0, SCENE_ISLAND, (struct place){0, 0}, 1800000);
    scene_run(s, 1500);
    const struct conn *c = conn_of(s, 0);
    assert_int_equal(c->camera.topic_count, GATE_SPECTATOR_CHUNKS);
    assert_int_equal(c->seen_count, GATE_SPECTATOR_CHUNKS);
    for (int32_t cx = 28; cx < 32; cx++) {
        for (int32_t cy = 28; cy < 32; cy++) {
            assert_true(sees(s, 0, cx, cy));
        }
    }
    /* A wider window sees density only, and so does the whole sea. */
    camera(s, 0, SCENE_ISLAND, (struct place){0, 0}, 3000000);
    scene_run(s, 1500);
    assert_int_equal(c->seen_count, 0);
    camera(s, 0, 0, (struct place){0, 0}, 600000);
    scene_run(s, 1500);
    assert_int_equal(c->seen_count, 0);
    assert_int_equal(scene_digest(s, false), rand_mix(TOPIC_DENSITY, 1));
}

static void
test_a_window_at_the_edge_of_numbers(void **state)
{
    struct scene *s = *state;
    s->all_awake = true;
    spectate(s, 0);
    static const struct place corners[] = {{INT32_MAX - 500000, INT32_MAX - 500000},
                                           {INT32_MIN, INT32_MIN},
                                           {INT32_MIN, INT32_MAX - 500000},
                                           {-100, -100}};
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
        camera(s, 0, SCENE_ISLAND, corners[i], 500000);
        scene_run(s, 1500);
        assert_true(conn_of(s, 0)->seen_count <= GATE_SPECTATOR_CHUNKS);
    }
    assert_true(s->clients[0].open);
}

static void
density(struct scene *s, uint32_t island)
{
    uint8_t record[64];
    struct writer out = writer_over(record, sizeof record);
    batch_put_density(&out, island, 480, &(struct density_cell){.people = 3}, 1);
    scene_hear(s, &(struct link_message){
                      .kind = LINK_DENSITY,
                      .as.density = {.island = island,
                                     .record = {.at = record, .bytes = writer_used(&out)}}});
}

static void
test_density_is_for_spectators(void **state)
{
    struct scene *s = *state;
    scene_play(s, 1, ME, scene_in(s, 6, 6));
    assert_null(scene_topic(s, TOPIC_DENSITY));
    spectate(s, 0);
    assert_true(scene_topic(s, TOPIC_DENSITY)->on[0]);
    uint32_t sends = s->clients[0].sends;
    density(s, 1);
    density(s, 2);
    scene_run(s, 1000);
    assert_int_equal(s->clients[0].densities, 2);
    assert_int_equal(s->clients[0].sends, sends + 1); /* in its slot, in one */
    assert_int_equal(s->clients[1].densities, 0);
    camera(s, 0, 2, (struct place){0, 0}, 100000);
    density(s, 1);
    density(s, 2);
    scene_run(s, 1000);
    assert_int_equal(s->clients[0].densities, 3); /* of the island it looks at */
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    scene_run(s, 100);
    assert_false(scene_topic(s, TOPIC_DENSITY)->on[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sees_3x3_and_keeps_5x5),
        TEST(test_hysteresis),
        TEST(test_the_corner_of_the_world),
        TEST(test_what_leaves_is_forgotten),
        TEST(test_another_island),
        TEST(test_subscriptions_are_state),
        TEST(test_a_full_ring_keeps_what_changed),
        TEST(test_a_digest_that_differs_is_repaired),
        TEST(test_two_clients_share_a_topic),
        TEST(test_a_spectator_wakes_nothing),
        TEST(test_a_spectator_sees_64_chunks_around_its_middle),
        TEST(test_a_window_at_the_edge_of_numbers),
        TEST(test_density_is_for_spectators),
    };
    return cmocka_run_group_tests_name("interest", tests, NULL, NULL);
}
