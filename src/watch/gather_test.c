#include "os/process.h"
#include "watch/gather.h"
#include "watch/recent.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct metrics *
empty(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    assert_non_null(m);
    return m;
}

static void
assert_value(const struct metrics *m, int slot, double wanted)
{
    if (m->values[slot] != wanted)
        fail_msg("slot %d: %g, wanted %g", slot, m->values[slot], wanted);
}

static void
gates_are_added_up(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct gate_stats gate = {.connections = 3, .spectators = 1, .limits_reached = 2, .closed = 9};
    gate.closed_by_code[METRIC_NAMED_silent] = 5;
    struct world_stats *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->controls_lost = 7;
    for (int round = 0; round < 2; round++) { /* a second round does not count twice */
        gather_begin(m);
        gather_gate(m, &gate);
        gather_gate(m, &gate);
        gather_conns(m, &(struct conns_stats){.sends = 10, .send_bytes = 1000});
        gather_conns(m, &(struct conns_stats){.sends = 1, .receive_bytes = 4});
        gather_world(m, world);
        assert_value(m, METRIC_CONNECTIONS, 6);
        assert_value(m, METRIC_SPECTATORS, 2);
        assert_value(m, METRIC_DROPS + METRIC_NAMED_silent, 10);
        assert_value(m, METRIC_DROPS + METRIC_NAMED_lost, 8);
        assert_value(m, METRIC_SENDS, 11);
        assert_value(m, METRIC_BYTES_SENT, 1000);
        assert_value(m, METRIC_BYTES_RECEIVED, 4);
        assert_value(m, METRIC_LIMITS_REACHED, 11);
    }
    free(world);
    free(m);
}

static void
the_world_is_copied_and_its_histograms_are_merged(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct world_stats *s = calloc(1, sizeof *s);
    assert_non_null(s);
    gather_world(m, s);
    assert_value(m, METRIC_ENCODES_PER_CHANGE, 0); /* not a number that is none */
    s->players = 4;
    s->changes = 8;
    s->encodes = 10;
    s->moves_refused = 1;
    s->moves_shortened = 2;
    s->stewards_held = 5;
    s->claims_full = s->ghosts_full = 1;
    hist_add(&s->tick_us, 100);
    gather_world(m, s);
    hist_reset(&s->tick_us);
    hist_add(&s->tick_us, 200);
    gather_world(m, s);
    assert_value(m, METRIC_PLAYERS, 4);
    assert_value(m, METRIC_CORRECTIONS, 3);
    assert_value(m, METRIC_STEWARDS_HELD, 5);
    assert_value(m, METRIC_ENCODES_PER_CHANGE, 1.25);
    assert_int_equal(m->histograms_us[METRIC_TICK].count, 2);
    assert_int_equal(m->histograms_us[METRIC_TICK].sum, 300);
    free(s);
    free(m);
}

static void
commands_are_told_by_code_and_class(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct world_stats *w = calloc(1, sizeof *w);
    struct commands_stats *s = calloc(1, sizeof *s);
    assert_true(w != NULL && s != NULL);
    w->results[METRIC_NAMED_retry_after] = 4;
    w->switches_closed = 1U << DEED_TRADE;
    w->commands_repeated = 2;
    s->again = 3;
    s->conflicts = 9;
    hist_add(&s->us, 700);
    for (int round = 0; round < 2; round++) {
        gather_begin(m);
        gather_world(m, w);
        gather_commands(m, w, s, 5);
        assert_value(m, METRIC_COMMANDS + METRIC_NAMED_retry_after, 4);
        assert_value(m, METRIC_COMMANDS, 0);
        assert_value(m, METRIC_COMMANDS_UNDER_WAY, 5);
        assert_value(m, METRIC_COMMANDS_REPEATED, 5);
        assert_value(m, METRIC_COMMAND_CONFLICTS, 9);
        assert_value(m, METRIC_SWITCHES_CLOSED + METRIC_NAMED_trade, 1);
        assert_value(m, METRIC_SWITCHES_CLOSED + METRIC_NAMED_mail, 0);
        assert_int_equal(m->histograms_us[METRIC_COMMAND].count, 1);
    }
    free(s);
    free(w);
    free(m);
}

static void
rings_tell_the_deepest_and_all_that_was_full(void **state)
{
    (void)state;
    struct metrics *m = empty();
    enum metric_ring logic = METRIC_NAMED_logic_to_gate;
    enum metric_ring gate = METRIC_NAMED_gate_to_logic;
    gather_rings(m, logic, &(struct rings_stats){.in_bytes = 10, .out_bytes = 500, .full = 1});
    gather_rings(m, logic, &(struct rings_stats){.in_bytes = 90, .out_bytes = 20, .full = 2});
    gather_rings(m, gate, &(struct rings_stats){.in_bytes = 20, .out_bytes = 80, .full = 9});
    assert_value(m, METRIC_RING_DEPTH_BYTES + METRIC_NAMED_gate_to_logic, 90);
    assert_value(m, METRIC_RING_DEPTH_BYTES + METRIC_NAMED_logic_to_gate, 500);
    assert_value(m, METRIC_RING_FULL + METRIC_NAMED_logic_to_gate, 3);
    assert_value(m, METRIC_RING_FULL + METRIC_NAMED_gate_to_logic, 9);
    free(m);
}

static void
send_queues_are_estimated_from_a_sample(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct hist sample;
    hist_reset(&sample);
    gather_send_queues(m, &sample, 100);
    assert_value(m, METRIC_SEND_QUEUE_BYTES, 0);
    hist_add(&sample, 0);
    hist_add(&sample, 10);
    gather_send_queues(m, &sample, 100);
    assert_value(m, METRIC_SEND_QUEUE_BYTES, 500);
    assert_value(m, METRIC_SEND_QUEUE_P99_BYTES, 10);
    hist_reset(&sample);
    hist_add(&sample, 3);
    gather_send_queues(m, &sample, 10); /* another gate */
    assert_value(m, METRIC_SEND_QUEUE_BYTES, 530);
    assert_value(m, METRIC_SEND_QUEUE_P99_BYTES, 10);
    free(m);
}

static void
the_process_tells_about_itself(void **state)
{
    (void)state;
    struct metrics *m = empty();
    gather_process(m, process_mono_us() - 5000000, 1500);
    assert_true(m->values[METRIC_UPTIME] >= 5);
    assert_true(m->values[METRIC_RSS] > 100000);
    assert_value(m, METRIC_WORLD_TIME, 1.5);
    free(m);
}

static void
lately_forgets(void **state)
{
    (void)state;
    struct recent *r = calloc(1, sizeof *r);
    struct hist *slow = calloc(1, sizeof *slow);
    struct hist *fast = calloc(1, sizeof *fast);
    assert_true(r != NULL && slow != NULL && fast != NULL);
    hist_add(slow, 1 << 20);
    hist_add(fast, 8);
    recent_init(r, 0);
    assert_int_equal(recent_quantile(r, 0.99), 0);
    recent_merge(r, slow, 1);
    recent_merge(r, fast, RECENT_HALF_US); /* the slow one is in the older half now */
    assert_int_equal(recent_quantile(r, 0.99), 1 << 20);
    recent_merge(r, fast, 2 * RECENT_HALF_US); /* and now gone */
    assert_int_equal(recent_quantile(r, 0.99), 8);
    recent_merge(r, slow, 3 * RECENT_HALF_US);
    recent_merge(r, fast, 9 * RECENT_HALF_US); /* after a long silence both halves are */
    assert_int_equal(recent_quantile(r, 0.99), 8);
    free(fast);
    free(slow);
    free(r);
}

static void
unsaved_places_are_told_in_seconds(void **state)
{
    (void)state;
    struct metrics *m = calloc(1, sizeof *m);
    assert_non_null(m);
    gather_places(m, &(struct places_stats){.dirty = 3, .lag_ms = 1250, .lag_ms_max = 9000});
    assert_true(m->values[METRIC_PLACES_UNSAVED] == 3);
    assert_true(m->values[METRIC_PLACES_LAG] == 1.25);
    free(m);
}

static void
scans_are_told_by_role(void **state)
{
    (void)state;
    struct metrics *m = calloc(1, sizeof *m);
    assert_non_null(m);
    gather_scans(m, &(struct store_stats){.scans = {[ROLE_RECOVERY] = 2, [ROLE_TOOL] = 5}});
    assert_true(m->values[METRIC_STORE_SCANS + METRIC_NAMED_play] == 0);
    assert_true(m->values[METRIC_STORE_SCANS + METRIC_NAMED_recovery] == 2);
    assert_true(m->values[METRIC_STORE_SCANS + METRIC_NAMED_tool] == 5);
    free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_are_added_up),
        cmocka_unit_test(the_world_is_copied_and_its_histograms_are_merged),
        cmocka_unit_test(commands_are_told_by_code_and_class),
        cmocka_unit_test(rings_tell_the_deepest_and_all_that_was_full),
        cmocka_unit_test(send_queues_are_estimated_from_a_sample),
        cmocka_unit_test(scans_are_told_by_role),
        cmocka_unit_test(the_process_tells_about_itself),
        cmocka_unit_test(lately_forgets),
        cmocka_unit_test(unsaved_places_are_told_in_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
