#include "view/gate_fixture.h"

#define ME         11
#define FIRST      1000
#define CROWD_CX   5
#define CROWD_SIDE 28000

static struct motion
spot(struct scene *s, uint32_t n)
{
    uint64_t r = rand_mix(n, 77);
    return scene_at(s, CROWD_CX * CHUNK_MM + 1000 + (int32_t)(r % CROWD_SIDE),
                    CROWD_CX * CHUNK_MM + 1000 + (int32_t)((r >> 32) % CROWD_SIDE));
}

static void
gather(struct scene *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        scene_moves(s, FIRST + i, spot(s, i));
    }
}

static struct seen_chunk *
crowded_chunk(struct scene *s)
{
    struct motion at = scene_in(s, CROWD_CX, CROWD_CX);
    uint32_t topic = map_get(&s->gate->topic_by_id, scene_topic_of(&at));
    uint32_t chunk = replica_chunk(s->gate, topic, CROWD_CX, CROWD_CX);
    return pool_at(&s->gate->chunks, chunk);
}

static uint32_t
known(struct scene *s, uint32_t conn, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        n += scene_knows(s, conn, FIRST + i);
    }
    return n;
}

static void
test_becomes_crowded_and_normal_again(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    gather(s, GATE_CROWDED - 1);
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 0);
    gather(s, GATE_CROWDED);
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 1);
    for (uint32_t i = GATE_CROWDED; i > GATE_CROWDED * 3 / 4; i--) {
        assert_int_equal(gate_stats(s->gate)->crowded_chunks, 1);
        scene_goes(s, FIRST + i - 1);
    }
    scene_goes(s, FIRST); /* not at once: at three quarters */
    scene_goes(s, FIRST + 1);
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 0);
    scene_run(s, 2500);
    assert_int_equal(known(s, 0, GATE_CROWDED), GATE_CROWDED * 3 / 4 - 2);
    assert_int_equal(s->gate->crowds.used, 0);
    assert_int_equal(s->clients[0].replica.entities.count, GATE_CROWDED * 3 / 4 - 2);
}

/* Whoever is known stays known when the chunk becomes crowded: nobody flickers. */
static void
test_nobody_vanishes_when_it_becomes_crowded(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    gather(s, GATE_CROWDED - 1);
    scene_run(s, 1000);
    assert_int_equal(known(s, 0, GATE_CROWDED - 1), GATE_CROWDED - 1);
    gather(s, GATE_CROWDED + 2);
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 1);
    for (uint32_t i = 0; i < 20; i++) {
        scene_run(s, 50);
        assert_int_equal(known(s, 0, GATE_CROWDED - 1), GATE_CROWDED - 1);
    }
}

static void
test_slices_cover_all_ids_once(void **state)
{
    struct scene *s = *state;

    enum { PEOPLE = 333 };

    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    gather(s, PEOPLE);
    struct crowd *crowd = pool_at(&s->gate->crowds, crowded_chunk(s)->crowd);
    struct replica all;
    replica_init(&all, SCENE_PEOPLE, 1);
    uint64_t next = 0;
    uint32_t slices = 0, listed = 0;
    do {
        const struct slice_of_crowd *slice = crowd_slice(s->gate, crowd, next);
        assert_non_null(slice);
        assert_true(slice->first == next && slice->last >= slice->first);
        struct reader in = reader_over(s->gate->book + slice->at, slice->bytes);
        struct record r;
        assert_int_equal(batch_next(&in, scene_ms(s), &r), OK);
        assert_int_equal(reader_left(&in), 0);
        assert_true(r.as.range.first == slice->first && r.as.range.last == slice->last);
        assert_true(r.as.range.count <= SLICE_ENTITIES);
        struct range_reader rr;
        struct record_motion m;
        range_open(&rr, &r);
        while (range_next(&rr, &m)) {
            assert_true(m.entity >= slice->first && m.entity <= slice->last);
            assert_null(replica_find(&all, m.entity));
            const struct seom_entity *e;
            int64_t quiet_ms;
            assert_int_equal(replica_motion(&all, &m, scene_ms(s), &e, &quiet_ms), OK);
            listed++;
        }
        slices++;
        next = slice->last + 1;
    } while (next != 0);
    assert_int_equal(listed, PEOPLE + 1);
    assert_int_equal(slices, (PEOPLE + SLICE_ENTITIES) / SLICE_ENTITIES);
    /* From the middle of a stretch the whole stretch is told. */
    const struct slice_of_crowd *slice = crowd_slice(s->gate, crowd, FIRST + 100);
    assert_true(slice->first <= FIRST + 100 && slice->last >= FIRST + 100);
    replica_fini(&all);
}

static void
test_everybody_comes_round(void **state)
{
    struct scene *s = *state;

    enum { PEOPLE = 500 };

    gather(s, PEOPLE);
    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    scene_run(s, 5000);
    assert_int_equal(known(s, 0, PEOPLE), PEOPLE);
    assert_int_equal(gate_stats(s->gate)->healed, 0);
    /* Who goes is gone after a round, also where nobody told it directly. */
    for (uint32_t i = 0; i < PEOPLE; i += 2) {
        scene_goes(s, FIRST + i);
    }
    scene_ping(s, 0);
    scene_run(s, 5000);
    assert_int_equal(known(s, 0, PEOPLE), PEOPLE / 2);
}

static void
test_near_cells_at_full_rate(void **state)
{
    struct scene *s = *state;

    enum { PEOPLE = 400, NEAR = FIRST + 5000, FAR };

    gather(s, PEOPLE);
    struct motion me = scene_in(s, CROWD_CX, CROWD_CX), near = me, far = me;
    scene_play(s, 0, ME, me);
    near.x_mm += TILE_MM;
    far.x_mm += 6 * TILE_MM;
    uint32_t near_late = 0, far_late = 0;
    for (uint32_t i = 0; i < 60; i++) {
        near.since_ms = far.since_ms = scene_ms(s);
        near.y_mm = far.y_mm = me.y_mm + (int32_t)(i % 3);
        scene_moves(s, NEAR, near);
        scene_moves(s, FAR, far);
        scene_run(s, 200);
        const struct seom_entity *n = replica_find(&s->clients[0].replica, NEAR);
        const struct seom_entity *f = replica_find(&s->clients[0].replica, FAR);
        near_late += n == NULL || n->motion.since_ms < near.since_ms;
        far_late += f == NULL || f->motion.y_mm != far.y_mm;
        if (i % 20 == 0) {
            scene_ping(s, 0);
        }
    }
    assert_int_equal(near_late, 0);
    assert_true(far_late > 10); /* it has to wait for its turn */
}

static void
test_near_cells_are_the_nine_around(void **state)
{
    struct scene *s = *state;
    gather(s, GATE_CROWDED + 10);
    struct motion corner = scene_at(s, CROWD_CX * CHUNK_MM + 100, CROWD_CX * CHUNK_MM + 100);
    scene_play(s, 0, ME, corner);
    crowd_near(s->gate, 0);
    const struct conn *c = &s->gate->conns[0];
    uint32_t in_crowd = 0;
    for (uint32_t i = 0; i < NEAR_CELLS; i++) {
        in_crowd += c->near[i].chunk != POOL_NONE;
    }
    assert_int_equal(in_crowd, 4); /* the other five lie in chunks without a crowd */
    assert_int_equal(c->near[0].cell, 0);
    assert_int_equal(cell_of(CHUNK_MM - 1, CHUNK_MM - 1), CELLS - 1);
    assert_int_equal(cell_of(3 * CHUNK_MM + TILE_MM, 0), 1);
    assert_int_equal(cell_of(0, TILE_MM), CHUNK_TILES);
}

/* What stands in a crowded chunk is told too, and stays. */
static void
test_things_in_a_crowd(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    gather(s, GATE_CROWDED + 10);
    scene_run(s, 1000);
    struct motion at = spot(s, 3);
    uint8_t bytes[64];
    struct writer out = writer_over(bytes, sizeof bytes);
    struct record_thing tree = {.entity = 5, .kind = 1, .place = {at.x_mm, at.y_mm}};
    batch_put_thing(&out, &tree);
    scene_batch(s, scene_topic_of(&at), false, &out);
    scene_run(s, 400);
    assert_true(scene_knows(s, 0, 5));
    scene_run(s, 5000);
    assert_true(scene_knows(s, 0, 5)); /* rotation speaks of movers only */
}

static void
test_crowds_of_two_chunks_share_the_book(void **state)
{
    struct scene *s = *state;

    enum { EACH = 100 };

    scene_play(s, 0, ME, scene_in(s, CROWD_CX, CROWD_CX));
    for (uint32_t i = 0; i < 2 * EACH; i++) {
        struct motion at = spot(s, i);
        at.x_mm += i % 2 == 0 ? 0 : CHUNK_MM;
        scene_moves(s, FIRST + i, at);
    }
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 2);
    scene_run(s, 4000);
    assert_int_equal(known(s, 0, 2 * EACH), 2 * EACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_becomes_crowded_and_normal_again),
        TEST(test_nobody_vanishes_when_it_becomes_crowded),
        TEST(test_slices_cover_all_ids_once),
        TEST(test_everybody_comes_round),
        TEST(test_near_cells_at_full_rate),
        TEST(test_near_cells_are_the_nine_around),
        TEST(test_things_in_a_crowd),
        TEST(test_crowds_of_two_chunks_share_the_book),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
