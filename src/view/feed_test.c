#include "view/gate_fixture.h"

#define ME             11
#define FIRST          1000
#define SECOND_MAX     16384
#define WINDOW_SLOTS   100
#define CLOSED_TO_NEWS 0

/* The most bytes of batches in any second, from the first slot on. */
static uint32_t
worst_second(const struct scene *s, uint32_t conn)
{
    uint32_t worst = 0, sum = 0;
    int64_t slots = (s->now_us - SCENE_START_US) / GATE_SLOT_US;
    for (int64_t i = 0; i <= slots; i++) {
        sum += s->clients[conn].slot_bytes[i];
        sum -= i >= WINDOW_SLOTS ? s->clients[conn].slot_bytes[i - WINDOW_SLOTS] : 0;
        worst = sum > worst ? sum : worst;
    }
    return worst;
}

static struct motion
spot(struct scene *s, uint32_t n, int32_t side_mm)
{
    uint64_t r = rand_mix(n, (uint64_t)scene_ms(s));
    return scene_at(s, 150000 + (int32_t)(r % (uint64_t)side_mm),
                    150000 + (int32_t)((r >> 32) % (uint64_t)side_mm));
}

/* Every 100 ms each of so many people moves, `seconds` long. */
static void
busy(struct scene *s, uint32_t people, uint32_t seconds, int32_t side_mm)
{
    for (uint32_t tick = 0; tick < seconds * 10; tick++) {
        for (uint32_t i = 0; i < people; i++) {
            scene_moves(s, FIRST + i, spot(s, i, side_mm));
        }
        if (tick % 50 == 0) {
            scene_ping(s, 0);
        }
        scene_run(s, 100);
    }
}

static void
test_one_gathered_send_a_tick(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint32_t before = s->clients[0].sends;
    /* Many things in many chunks, at different moments of the tick. */
    for (uint32_t tick = 0; tick < 20; tick++) {
        for (uint32_t step = 0; step < 5; step++) {
            for (uint32_t i = 0; i < 9; i++) {
                scene_moves(s, FIRST + i, scene_in(s, 4 + (int32_t)i % 3, 4 + (int32_t)i / 3));
            }
            scene_run(s, 20);
        }
    }
    assert_in_range(s->clients[0].sends - before, 19, 20);
    assert_int_equal(replica_count(&s->clients[0].replica), 9);
}

static void
test_nothing_new_nothing_sent(void **state)
{
    struct scene *s = *state;
    scene_moves(s, FIRST, scene_in(s, 5, 5));
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint32_t before = s->clients[0].sends;
    scene_run(s, 5000);
    assert_int_equal(s->clients[0].sends, before);
}

static void
test_clients_have_slots_of_their_own(void **state)
{
    struct scene *s = *state;
    for (uint32_t conn = 0; conn < 10; conn++) {
        scene_play(s, conn, 100 + conn, scene_in(s, 5, 5));
    }
    for (uint32_t conn = 0; conn < 10; conn++) {
        s->clients[conn].sends = 0;
    }
    scene_moves(s, FIRST, scene_in(s, 5, 5));
    for (uint32_t slot = 0; slot < GATE_SLOTS; slot++) {
        scene_run(s, 10);
        uint32_t served = 0;
        for (uint32_t conn = 0; conn < 10; conn++) {
            served += s->clients[conn].sends;
        }
        assert_int_equal(served, slot + 1); /* one after the other, everybody within the tick */
    }
}

static void
test_the_budget_in_a_crowd(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    busy(s, 800, 8, 9000);
    assert_true(worst_second(s, 0) <= SECOND_MAX);
    assert_true(worst_second(s, 0) > SECOND_MAX / 2); /* it was used */
}

/* Sixty people, ten changes a second each: more than the budget, and no crowd yet. */
static void
test_the_budget_below_a_crowd(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    busy(s, 60, 10, 29000);
    assert_int_equal(gate_stats(s->gate)->crowded_chunks, 0);
    assert_true(worst_second(s, 0) <= SECOND_MAX);
    assert_true(worst_second(s, 0) > SECOND_MAX / 2);
}

/* Nine full chunks that are told whole, again and again, on top of their news. */
static void
test_the_budget_of_whole_chunks(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    for (uint32_t i = 0; i < 9 * 60; i++) {
        scene_moves(s, FIRST + i, scene_in(s, 4 + (int32_t)(i / 60) % 3, 4 + (int32_t)i / 180));
    }
    for (uint32_t round = 0; round < 10; round++) {
        scene_walks(s, ME, scene_in(s, round % 2 == 0 ? 50 : 5, 5));
        scene_run(s, 700);
        for (uint32_t i = 0; i < 60; i++) {
            scene_moves(s, FIRST + i, scene_in(s, 4, 4));
        }
    }
    assert_true(worst_second(s, 0) <= SECOND_MAX);
    assert_true(s->clients[0].motions > 500);
}

/* A client that does not read is skipped; it costs a buffer of one send, and gets what is new when
 * it reads again. */
static void
test_skipped_while_full_then_served(void **state)
{
    struct scene *s = *state;
    scene_moves(s, FIRST, scene_in(s, 5, 5));
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->clients[0].room = 10;
    for (uint32_t i = 0; i < 5; i++) {
        scene_moves(s, FIRST, scene_in(s, 5, 5));
        scene_run(s, 100);
    }
    assert_true(s->clients[0].wants_writable);
    assert_true(gate_stats(s->gate)->skipped > 0);
    assert_true(gate_out_bytes_max(s->gate) < 100); /* the rest of one send */
    struct motion last = scene_in(s, 5, 5);
    scene_moves(s, FIRST, last);
    s->clients[0].room = SCENE_TAKES_ALL;
    gate_writable(s->gate, 0);
    assert_false(s->clients[0].wants_writable);
    assert_int_equal(gate_out_bytes_max(s->gate), 0);
    scene_run(s, 100);
    assert_int_equal(gate_stats(s->gate)->healed, 0); /* the log still reached back */
    assert_int_equal(replica_find(&s->clients[0].replica, FIRST)->motion.since_ms, last.since_ms);
}

static void
test_healed_when_the_log_is_gone(void **state)
{
    struct scene *s = *state;
    scene_moves(s, FIRST, scene_in(s, 5, 5));
    scene_moves(s, FIRST + 1, scene_in(s, 5, 5));
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->clients[0].room = CLOSED_TO_NEWS;
    scene_goes(s, FIRST + 1);
    for (uint32_t i = 0; i < 50; i++) {
        scene_moves(s, FIRST, scene_in(s, 5, 5));
        scene_run(s, 100);
    }
    assert_true(scene_knows(s, 0, FIRST + 1));
    struct motion last = scene_in(s, 5, 5);
    scene_moves(s, FIRST, last);
    s->clients[0].room = SCENE_TAKES_ALL;
    gate_writable(s->gate, 0);
    scene_run(s, 200);
    assert_int_equal(gate_stats(s->gate)->healed, 1);
    assert_false(scene_knows(s, 0, FIRST + 1)); /* though its LEAVE was never sent */
    assert_int_equal(replica_find(&s->clients[0].replica, FIRST)->motion.since_ms, last.since_ms);
}

static void
test_corrections_are_told(void **state)
{
    struct scene *s = *state;
    struct motion here = scene_in(s, 5, 5);
    scene_play(s, 0, ME, here);
    uint32_t before = s->clients[0].selfs;
    scene_self(s, ME, 1, 0, here); /* the gate alone needs to know */
    scene_run(s, 200);
    assert_int_equal(s->clients[0].selfs, before);
    scene_self(s, ME, 1, SELF_CORRECTED, here);
    scene_self(s, ME, 1, SELF_MOVED, here);
    scene_run(s, 200);
    assert_int_equal(s->clients[0].selfs, before + 1); /* the newest, with what it must say */
    assert_int_equal(s->clients[0].self_flags, SELF_CORRECTED | SELF_MOVED);
    scene_self(s, ME, 2, SELF_CORRECTED, here); /* of another session */
    scene_run(s, 200);
    assert_int_equal(s->clients[0].selfs, before + 1);
}

/* Each mutant of this file is seen here, too. */
static void
test_mutants_fail_here(void **state)
{
    void *other = NULL;
    (void)state;
    scene_open_with(&other, GATE_MUTANT_QUEUE_UNBOUNDED);
    struct scene *s = other;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->clients[0].room = CLOSED_TO_NEWS;
    busy(s, 30, 1, 29000);
    assert_true(gate_out_bytes_max(s->gate) > 2000);
    scene_close(&other);
    scene_open_with(&other, GATE_MUTANT_ROTATION_STUCK);
    s = other;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    busy(s, 300, 5, 29000);
    assert_true(replica_count(&s->clients[0].replica) < 290);
    scene_close(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_gathered_send_a_tick),
        TEST(test_nothing_new_nothing_sent),
        TEST(test_clients_have_slots_of_their_own),
        TEST(test_the_budget_in_a_crowd),
        TEST(test_the_budget_below_a_crowd),
        TEST(test_the_budget_of_whole_chunks),
        TEST(test_skipped_while_full_then_served),
        TEST(test_healed_when_the_log_is_gone),
        TEST(test_corrections_are_told),
        TEST(test_mutants_fail_here),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
