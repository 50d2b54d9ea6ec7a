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
    struct gate_stats gate = {
        .connections = 3, .players = 2, .spectators = 1, .limits_reached = 2, .closed = 9};
    gate.closed_by_code[METRIC_NAMED_silent] = 5;
    gate.topics = 6;
    gate.subscribe_repairs = 1;
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
        assert_value(m, METRIC_GATE_PLAYERS, 4);
        assert_value(m, METRIC_SPECTATORS, 2);
        assert_value(m, METRIC_GATE_TOPICS, 12);
        assert_value(m, METRIC_SUBSCRIBE_REPAIRS, 2);
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
    s->ghosts_repairs = 3;
    hist_add(&s->tick_us, 100);
    gather_world(m, s);
    hist_reset(&s->tick_us);
    hist_add(&s->tick_us, 200);
    gather_world(m, s);
    assert_value(m, METRIC_PLAYERS, 4);
    assert_value(m, METRIC_CORRECTIONS, 3);
    assert_value(m, METRIC_STEWARDS_HELD, 5);
    assert_value(m, METRIC_GHOST_REPAIRS, 3);
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

static void
links_are_told_one_by_one_and_counted_by_state(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct mesh_link home = {
        .name = "home-2",
        .state = MESH_LINK_UP,
        .round_trip_us = 250,
        .backlog_us = 1500000,
        .control_bytes = 10,
        .data_bytes = 20,
        .bytes_out = 1000,
        .bytes_in = 500,
        .ups = 3,
        .breaks = 2,
        .beats_missed = 6,
        .refused = {[MESH_LANE_CONTROL] = 7, [MESH_LANE_DATA] = 8, [MESH_LANE_REQUEST] = 9}};
    struct mesh_link gate = {.name = "gate-1", .state = MESH_LINK_DEAD};
    for (int round = 0; round < 2; round++) { /* a second round begins anew */
        gather_begin(m);
        gather_link(m, &home);
        gather_link(m, &gate);
    }
    assert_int_equal(m->links_count, 2);
    assert_value(m, METRIC_LINKS + METRIC_OF_up, 1);
    assert_value(m, METRIC_LINKS + METRIC_OF_dead, 1);
    assert_value(m, METRIC_LINKS + METRIC_OF_down, 0);
    const double *v = m->links[0].values;
    assert_string_equal(m->links[0].peer, "home-2");
    assert_true(v[LINK_METRIC_UP] == 1 && m->links[1].values[LINK_METRIC_UP] == 0);
    assert_true(v[LINK_METRIC_ROUND_TRIP] == 0.00025 && v[LINK_METRIC_BACKLOG] == 1.5);
    assert_true(v[LINK_METRIC_SENT] == 1000 && v[LINK_METRIC_RECEIVED] == 500);
    assert_true(v[LINK_METRIC_QUEUE + METRIC_OF_control] == 10);
    assert_true(v[LINK_METRIC_QUEUE + METRIC_OF_data] == 20);
    assert_true(v[LINK_METRIC_REFUSED + METRIC_OF_control] == 7);
    assert_true(v[LINK_METRIC_REFUSED + METRIC_OF_data] == 8);
    assert_true(v[LINK_METRIC_REFUSED + METRIC_OF_request] == 9);
    assert_true(v[LINK_METRIC_UPS] == 3 && v[LINK_METRIC_BREAKS] == 2);
    assert_true(v[LINK_METRIC_BEATS_MISSED] == 6);
    free(m);
}

static void
the_mesh_requests_and_notes_are_copied(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct mesh_stats *mesh = calloc(1, sizeof *mesh);
    assert_non_null(mesh);
    mesh->handshakes = 4;
    mesh->deaths = 1;
    mesh->messages_out = 70;
    hist_add(&mesh->round_trip_us, 300);
    for (int round = 0; round < 2; round++) {
        gather_begin(m);
        gather_mesh(m, mesh, 9);
        gather_requests(m, &(struct requests_stats){
                               .asking = 3, .asked = 30, .late = 2, .rejected = 1, .expired = 5});
        gather_notes(m, &(struct notes_stats){.told = {[NOTE_LINE] = 6, [NOTE_GATES] = 2},
                                              .heard = {[NOTE_MAIL] = 4},
                                              .lost = 1,
                                              .full = 2});
        gather_relay(m, 11);
    }
    assert_value(m, METRIC_BOOK_NODES, 9);
    assert_value(m, METRIC_LINK_HANDSHAKES, 4);
    assert_value(m, METRIC_NODE_DEATHS, 1);
    assert_value(m, METRIC_LINK_MESSAGES_SENT, 70);
    assert_int_equal(m->histograms_us[METRIC_BEAT].count, 1); /* since the start, not added up */
    assert_value(m, METRIC_REQUESTS_ASKING, 3);
    assert_value(m, METRIC_REQUESTS_ENDED + METRIC_OF_late, 2);
    assert_value(m, METRIC_REQUESTS_ENDED + METRIC_OF_rejected, 1);
    assert_value(m, METRIC_REQUESTS_SERVED + METRIC_OF_expired, 5);
    assert_value(m, METRIC_NOTES_TOLD + METRIC_OF_line, 6);
    assert_value(m, METRIC_NOTES_TOLD + METRIC_OF_gates, 2);
    assert_value(m, METRIC_NOTES_HEARD + METRIC_OF_mail, 4);
    assert_value(m, METRIC_NOTES_LOST, 3);
    assert_value(m, METRIC_RELAY_REFUSED, 11);
    free(mesh);
    free(m);
}

static void
the_directory_is_told_with_its_age(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct directory_stats never = {.away_since_us = 5};
    gather_directory(m, &never, 9000000);
    assert_value(m, METRIC_DIRECTORY_AWAY, 1);
    assert_value(m, METRIC_DIRECTORY_ANSWER_AGE, 0); /* of what answer? */
    struct directory_stats now = {
        .answered_us = 7500000, .keeps = 3, .lists = 2, .healed = 1, .lost = 4};
    gather_directory(m, &now, 9000000);
    assert_value(m, METRIC_DIRECTORY_AWAY, 0);
    assert_value(m, METRIC_DIRECTORY_ANSWER_AGE, 1.5);
    assert_value(m, METRIC_DIRECTORY_RENEWALS, 3);
    assert_value(m, METRIC_DIRECTORY_LISTS, 2);
    assert_value(m, METRIC_DIRECTORY_HEALED, 1);
    assert_value(m, METRIC_DIRECTORY_LOST, 4);
    free(m);
}

static void
servers_of_the_store_are_added_up(void **state)
{
    (void)state;
    struct metrics *m = empty();
    struct pg_store_stats *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->commits = 10;
    server->unknown = 1;
    server->unavailable = 2;
    server->connections = 3;
    hist_add(&server->group_us, 900);
    for (int round = 0; round < 2; round++) {
        gather_begin(m);
        gather_server(m, server, 4, false);
        gather_server(m, server, 5, true);
        gather_committer(m,
                         &(struct committer_stats){.helper_forward = 1,
                                                   .janitor_forward = 2,
                                                   .janitor_abort = 4,
                                                   .blocked = 8,
                                                   .conflicts = 16},
                         6);
    }
    assert_value(m, METRIC_STORE_SERVERS, 2);
    assert_value(m, METRIC_STORE_SERVERS_AWAY, 1);
    assert_value(m, METRIC_STORE_COMMITS, 20);
    assert_value(m, METRIC_STORE_UNKNOWN, 2);
    assert_value(m, METRIC_STORE_FAILURES, 6);
    assert_value(m, METRIC_STORE_UNDER_WAY, 9);
    assert_value(m, METRIC_STORE_CONNECTIONS, 6);
    assert_int_equal(m->histograms_us[METRIC_STORE_GROUP].count, 2); /* of this round alone */
    assert_value(m, METRIC_COMMITTER_UNDER_WAY, 6);
    assert_value(m, METRIC_COMMITTER_SETTLED + METRIC_OF_forward, 3);
    assert_value(m, METRIC_COMMITTER_SETTLED + METRIC_OF_back, 4);
    assert_value(m, METRIC_COMMITTER_WAITS, 8);
    assert_value(m, METRIC_COMMITTER_ENDED + METRIC_OF_conflict, 16);
    free(server);
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
        cmocka_unit_test(links_are_told_one_by_one_and_counted_by_state),
        cmocka_unit_test(the_mesh_requests_and_notes_are_copied),
        cmocka_unit_test(the_directory_is_told_with_its_age),
        cmocka_unit_test(servers_of_the_store_are_added_up),
        cmocka_unit_test(the_process_tells_about_itself),
        cmocka_unit_test(lately_forgets),
        cmocka_unit_test(unsaved_places_are_told_in_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
