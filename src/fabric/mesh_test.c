#include "fabric/meshes.h"
#include "wire/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND  INT64_C(1000000)
#define CONTROL LINK_SUBSCRIBE
#define DATA    LINK_BATCH

/* homes 0.., then gates; all started and linked. */
static void
open_linked(struct meshes *f, uint32_t homes, uint32_t gates, const struct meshes_options *options)
{
    meshes_open(f, options);
    for (uint32_t i = 0; i < homes; i++) {
        meshes_start(f, meshes_add(f, NODE_HOME, (uint16_t)i));
    }
    for (uint32_t i = 0; i < gates; i++) {
        meshes_start(f, meshes_add(f, NODE_GATE, (uint16_t)i));
    }
    meshes_run(f, SECOND);
}

static void
assert_all_linked(const struct meshes *f)
{
    for (uint32_t a = 0; a < f->count; a++) {
        for (uint32_t b = 0; b < f->count; b++) {
            bool both_gates =
                f->nodes[a].self.role == NODE_GATE && f->nodes[b].self.role == NODE_GATE;
            if (a != b && f->nodes[a].mesh != NULL && f->nodes[b].mesh != NULL) {
                assert_int_equal(meshes_is_up(f, a, b), !both_gates);
            }
        }
    }
}

static void
nodes_find_each_other(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 2, &(struct meshes_options){.seed = 1});
    assert_all_linked(&f);
    for (uint32_t n = 0; n < 5; n++) {
        uint32_t links = n < 3 ? 4 : 3;
        assert_int_equal(meshes_stats(&f, n)->peers, links);
        assert_int_equal(meshes_stats(&f, n)->handshakes, links);
        assert_int_equal(f.nodes[n].ups, links);
        assert_int_equal(f.nodes[n].downs + f.nodes[n].died, 0);
    }
    const struct node *other = mesh_peer(f.nodes[3].mesh, meshes_peer(&f, 3, 1));
    assert_string_equal(other->name, "home-1");
    /* A gate knows everybody, from homes. */
    assert_int_equal(mesh_book(f.nodes[4].mesh)->count, 5);
    meshes_close(&f);
}

static void
messages_keep_their_order(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 1, &(struct meshes_options){.seed = 2, .line_bytes = 3000});
    for (uint32_t i = 0; i < 500; i++) {
        assert_int_equal(meshes_send(&f, 0, 2, i % 3 == 0 ? DATA : CONTROL, i % 7 * 600), OK);
        assert_int_equal(meshes_send(&f, 2, 0, CONTROL, i % 100), OK);
    }
    assert_int_equal(meshes_send(&f, 0, 2, DATA, MESH_MESSAGE_MAX - 12), ERR_TOO_LARGE);
    assert_int_equal(meshes_send(&f, 0, 2, DATA, MESH_MESSAGE_MAX - 13), OK);
    uint64_t before = meshes_stats(&f, 2)->sends;
    meshes_run(&f, SECOND);
    assert_int_equal(f.nodes[2].messages, 501);
    assert_int_equal(f.nodes[0].messages, 500);
    assert_true(meshes_stats(&f, 2)->sends > before + 10); /* the line took it in parts */
    meshes_close(&f);
}

static void
a_turn_is_one_send(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 0, &(struct meshes_options){.seed = 3});
    uint64_t before = meshes_stats(&f, 0)->sends;
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(meshes_send(&f, 0, 1, CONTROL, 100), OK);
    }
    mesh_flush(f.nodes[0].mesh);
    assert_int_equal(meshes_stats(&f, 0)->sends, before + 1);
    meshes_close(&f);
}

static void
versions_that_meet_are_welcome(void **state)
{
    (void)state;
    static struct meshes f;
    meshes_open(&f, &(struct meshes_options){.seed = 5});
    meshes_start(&f, meshes_add(&f, NODE_HOME, 0));
    uint32_t n = meshes_add(&f, NODE_HOME, 1);
    f.nodes[n].self.protocol_max = 2;
    meshes_start(&f, n);
    meshes_run(&f, SECOND);
    assert_true(meshes_is_up(&f, 0, n));
    meshes_close(&f);
}

/* Lanes */

static void
a_full_lane_refuses_data_at_the_door(void **state)
{
    (void)state;
    static struct meshes f;
    struct meshes_options options = {
        .seed = 6, .line_bytes = 4096, .data_bytes = 50000, .control_bytes = 50000};
    open_linked(&f, 2, 0, &options);
    sim_lines_clog(f.lines, 0, 1, f.time.now_us + 2 * SECOND);
    uint32_t taken = 0;
    while (meshes_send(&f, 0, 1, DATA, 1000) == OK) {
        taken++;
    }
    assert_in_range(taken, 40, 50);
    assert_int_equal(meshes_send(&f, 0, 1, DATA, 1000), ERR_FULL);
    assert_int_equal(meshes_send(&f, 0, 1, CONTROL, 1000), OK); /* data does not stand in its way */
    assert_int_equal(meshes_stats(&f, 0)->full, 2);
    meshes_run(&f, 3 * SECOND);
    assert_int_equal(f.nodes[1].messages, taken + 1);
    assert_int_equal(meshes_send(&f, 0, 1, DATA, 1000), OK);
    assert_int_equal(meshes_stats(&f, 0)->cut + f.nodes[0].downs, 0);
    meshes_close(&f);
}

static void
requests_are_refused_before_control_is_in_danger(void **state)
{
    (void)state;
    static struct meshes f;
    struct meshes_options options = {.seed = 6, .line_bytes = 4096, .control_bytes = 50000};
    open_linked(&f, 2, 0, &options);
    sim_lines_clog(f.lines, 0, 1, f.time.now_us + 2 * SECOND);
    uint32_t taken = 0;
    while (meshes_send(&f, 0, 1, 64, 1000) == OK) {
        taken++;
    }
    assert_in_range(taken, 20, 25);
    assert_int_equal(meshes_send(&f, 0, 1, CONTROL, 1000), OK);
    meshes_run(&f, 3 * SECOND);
    assert_int_equal(f.nodes[1].messages, taken + 1);
    meshes_close(&f);
}

static void
a_peer_that_does_not_drain_control_is_cut(void **state)
{
    (void)state;
    static struct meshes f;
    struct meshes_options options = {.seed = 7, .line_bytes = 4096, .control_bytes = 50000};
    open_linked(&f, 2, 1, &options);
    sim_lines_clog(f.lines, 0, 1, f.time.now_us + 2 * SECOND);
    uint32_t taken = 0;
    while (meshes_send(&f, 0, 1, CONTROL, 1000) == OK) {
        taken++;
    }
    assert_in_range(taken, 40, 50);
    assert_int_equal(f.nodes[0].downs, 0); /* not out of the sender's call */
    meshes_run(&f, 1000);
    assert_int_equal(f.nodes[0].downs, 1);
    assert_int_equal(meshes_stats(&f, 0)->cut, 1);
    meshes_run(&f, 10 * SECOND);
    assert_true(meshes_is_up(&f, 0, 1)); /* again, and nobody died */
    assert_int_equal(meshes_stats(&f, 0)->deaths + meshes_stats(&f, 2)->deaths, 0);
    meshes_close(&f);
}

static void
the_mutant_drops_control(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 0, &(struct meshes_options){.seed = 8, .mutant = MESH_MUTANT_DROP_CONTROL});
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(meshes_send(&f, 0, 1, CONTROL, 100), OK);
    }
    meshes_run(&f, SECOND);
    assert_in_range(f.nodes[1].messages, 1, 10);
    meshes_close(&f);
}

/* Death */

static void
a_killed_home_is_dead_at_once(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 4, 2, &(struct meshes_options){.seed = 9});
    meshes_kill(&f, 2, SIM_KILLED);
    meshes_run(&f, 20000);
    for (uint32_t n = 0; n < 6; n++) {
        if (n != 2) {
            assert_int_equal(f.nodes[n].downs, 1);
            assert_int_equal(f.nodes[n].deaths + f.nodes[n].died, 1);
            assert_true(mesh_is_dead(f.nodes[n].mesh, f.nodes[2].self.epoch));
        }
    }
    /* It comes back as a new node. */
    meshes_start(&f, 2);
    meshes_run(&f, SECOND);
    assert_all_linked(&f);
    meshes_close(&f);
}

static void
a_dead_host_is_dead_after_three_beats(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 4, 2, &(struct meshes_options){.seed = 10});
    meshes_kill(&f, 2, SIM_HOST_DEAD);
    meshes_run(&f, 2 * SECOND);
    assert_int_equal(f.nodes[0].downs + f.nodes[1].downs + f.nodes[4].downs, 0);
    meshes_run(&f, 2700000);
    for (uint32_t n = 0; n < 6; n++) {
        if (n != 2) {
            assert_int_equal(f.nodes[n].deaths + f.nodes[n].died, 1);
        }
    }
    meshes_close(&f);
}

/* Also T4: what is kept for somebody who does not read is bounded. */
static void
a_stopped_home_is_dead_and_comes_back_as_new(void **state)
{
    (void)state;
    static struct meshes f;
    struct meshes_options options = {.seed = 11, .data_bytes = 200000, .rejoins = true};
    open_linked(&f, 3, 1, &options);
    uint64_t epoch = f.nodes[1].self.epoch;
    meshes_pause(&f, 1, true);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 6000; i++) {
        refused += meshes_is_up(&f, 0, 1) && meshes_send(&f, 0, 1, DATA, 4000) == ERR_FULL;
        meshes_run(&f, 10000);
    }
    assert_true(refused > 10);
    assert_true(mesh_is_dead(f.nodes[0].mesh, epoch));
    assert_int_equal(f.nodes[3].deaths + f.nodes[3].died, 1);
    /* Few dials wait in its kernel: it is tried now and then while it stands in the book. */
    assert_true(sim_lines_stats(f.lines)->open < 60);
    meshes_pause(&f, 1, false);
    meshes_run(&f, 8 * SECOND);
    assert_int_equal(f.nodes[1].dead_selfs, 1);
    assert_true(f.nodes[1].self.epoch != epoch);
    assert_all_linked(&f);
    assert_int_equal(f.nodes[1].died + f.nodes[1].deaths, 0); /* it buried nobody */
    meshes_close(&f);
}

static void
of_two_homes_one_decides_alone(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 0, &(struct meshes_options){.seed = 12});
    meshes_pause(&f, 0, true);
    meshes_run(&f, 5 * SECOND);
    assert_int_equal(f.nodes[1].died, 1);
    meshes_close(&f);
}

static void
a_broken_line_is_no_death(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 1, &(struct meshes_options){.seed = 13});
    assert_true(sim_lines_break(f.lines, 0, 1) > 0);
    assert_true(meshes_await(&f, 0, 1, false, SECOND));
    assert_true(meshes_await(&f, 0, 1, true, 3000)); /* a break is followed by a dial at once */
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(sim_lines_break(f.lines, 0, 1) > 0);
        assert_true(sim_lines_break(f.lines, 3, 1) > 0);
        meshes_run(&f, 8 * SECOND);
        assert_all_linked(&f);
    }
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(meshes_stats(&f, n)->deaths, 0);
    }
    meshes_close(&f);
}

static void
one_who_cannot_see_it_buries_nobody(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 1, &(struct meshes_options){.seed = 14});
    meshes_cut(&f, 0, 1, true);
    meshes_run(&f, 60 * SECOND);
    assert_false(meshes_is_up(&f, 0, 1));
    assert_true(meshes_is_up(&f, 2, 1) && meshes_is_up(&f, 3, 1));
    assert_true(meshes_stats(&f, 0)->suspicions > 0);
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(meshes_stats(&f, n)->deaths, 0);
    }
    meshes_cut(&f, 0, 1, false);
    assert_true(meshes_await(&f, 0, 1, true, 6 * SECOND));
    meshes_close(&f);
}

/* In one direction alone: what is said never arrives, what is heard sounds healthy. */
static void
a_one_way_cut_buries_nobody(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        static struct meshes f;
        open_linked(&f, 3, 1, &(struct meshes_options){.seed = 15 + i});
        sim_lines_cut(f.lines, i, 1 - i, true);
        meshes_run(&f, 60 * SECOND);
        assert_false(meshes_is_up(&f, 0, 1));
        sim_lines_cut(f.lines, i, 1 - i, false);
        assert_true(meshes_await(&f, 0, 1, true, 8 * SECOND));
        for (uint32_t n = 0; n < 4; n++) {
            assert_int_equal(meshes_stats(&f, n)->deaths, 0);
            assert_int_equal(f.nodes[n].dead_selfs, 0);
        }
        meshes_close(&f);
    }
}

static void
the_few_do_not_bury_the_many(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 4, 2, &(struct meshes_options){.seed = 17, .rejoins = true});
    /* home-0 and gate-0 on one side, three homes and a gate on the other. */
    static const uint32_t few[] = {0, 4}, many[] = {1, 2, 3, 5};
    for (uint32_t i = 0; i < 8; i++) {
        meshes_cut(&f, few[i % 2], many[i / 2], true);
    }
    meshes_run(&f, 20 * SECOND);
    assert_int_equal(meshes_stats(&f, 0)->deaths + meshes_stats(&f, 4)->deaths, 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(meshes_stats(&f, many[i])->deaths, 1); /* home-0; gates do not die */
    }
    for (uint32_t i = 0; i < 8; i++) {
        meshes_cut(&f, few[i % 2], many[i / 2], false);
    }
    meshes_run(&f, 20 * SECOND);
    assert_int_equal(f.nodes[0].dead_selfs, 1);
    for (uint32_t n = 1; n < 6; n++) {
        assert_int_equal(f.nodes[n].dead_selfs, 0);
    }
    assert_all_linked(&f);
    meshes_close(&f);
}

/* Two halves bury each other; when they meet again both homes come back as new. */
static void
halves_meet_again(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 2, &(struct meshes_options){.seed = 18, .rejoins = true});
    static const uint32_t left[] = {0, 2}, right[] = {1, 3};
    for (uint32_t i = 0; i < 4; i++) {
        meshes_cut(&f, left[i % 2], right[i / 2], true);
    }
    meshes_run(&f, 20 * SECOND);
    assert_int_equal(meshes_stats(&f, 0)->deaths, 1);
    assert_int_equal(meshes_stats(&f, 1)->deaths, 1);
    for (uint32_t i = 0; i < 4; i++) {
        meshes_cut(&f, left[i % 2], right[i / 2], false);
    }
    meshes_run(&f, 20 * SECOND);
    assert_in_range(f.nodes[0].dead_selfs + f.nodes[1].dead_selfs, 1, 2);
    assert_all_linked(&f);
    meshes_close(&f);
}

static void
the_directory_decides_what_a_minority_may_not(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 5, 0, &(struct meshes_options){.seed = 19});
    for (uint32_t n = 2; n < 5; n++) {
        meshes_kill(&f, n, SIM_HOST_DEAD);
    }
    meshes_run(&f, 15 * SECOND);
    assert_int_equal(meshes_stats(&f, 0)->deaths, 0);
    for (uint32_t n = 2; n < 5; n++) {
        meshes_expire(&f, n);
    }
    meshes_run(&f, 10 * SECOND);
    assert_int_equal(meshes_stats(&f, 0)->deaths, 3);
    assert_int_equal(meshes_stats(&f, 1)->deaths, 3);
    meshes_close(&f);
}

static void
a_good_bye_is_no_suspicion(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 1, &(struct meshes_options){.seed = 20});
    assert_int_equal(meshes_send(&f, 1, 3, CONTROL, 1000), OK);
    meshes_leave(&f, 1);
    assert_false(mesh_has_left(f.nodes[1].mesh));
    meshes_run(&f, SECOND / 10);
    assert_true(mesh_has_left(f.nodes[1].mesh));
    assert_int_equal(f.nodes[3].messages, 1); /* what was queued before came before */
    meshes_kill(&f, 1, SIM_KILLED);
    meshes_expire(&f, 1);
    meshes_run(&f, 5 * SECOND);
    for (uint32_t n = 0; n < 4; n++) {
        if (n != 1) {
            assert_int_equal(f.nodes[n].deaths, 1);
            assert_int_equal(f.nodes[n].died, 0);
            assert_int_equal(meshes_stats(&f, n)->suspicions + meshes_stats(&f, n)->deaths, 0);
        }
    }
    meshes_start(&f, 1);
    meshes_run(&f, SECOND);
    assert_all_linked(&f);
    meshes_close(&f);
}

static void
gates_do_not_die(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 2, &(struct meshes_options){.seed = 21});
    meshes_kill(&f, 3, SIM_KILLED);
    meshes_run(&f, SECOND);
    assert_int_equal(f.nodes[0].downs, 1);
    assert_int_equal(f.nodes[0].deaths + f.nodes[0].died, 0);
    assert_int_equal(mesh_book(f.nodes[2].mesh)->count, 3); /* the other gate has heard of it */
    meshes_start(&f, 3);
    meshes_run(&f, SECOND);
    assert_all_linked(&f);
    assert_int_equal(mesh_book(f.nodes[2].mesh)->count, 4);
    meshes_close(&f);
}

/* A gate that slept is not dead, and takes nobody for dead. */
static void
a_gate_that_slept_goes_on(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 1, &(struct meshes_options){.seed = 22});
    meshes_pause(&f, 2, true);
    meshes_run(&f, 60 * SECOND);
    meshes_pause(&f, 2, false);
    meshes_run(&f, 5 * SECOND);
    assert_all_linked(&f);
    assert_int_equal(f.nodes[2].died + f.nodes[2].deaths + f.nodes[2].dead_selfs, 0);
    meshes_close(&f);
}

static void
a_short_sleep_breaks_nothing(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 1, &(struct meshes_options){.seed = 23});
    meshes_pause(&f, 1, true);
    meshes_run(&f, 2 * SECOND);
    meshes_pause(&f, 1, false);
    meshes_run(&f, 5 * SECOND);
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(f.nodes[n].downs, 0);
    }
    meshes_close(&f);
}

/* Clocks */

static void
clocks_are_compared(void **state)
{
    (void)state;
    static struct meshes f;
    meshes_open(&f,
                &(struct meshes_options){.seed = 24, .delay_us_min = 1000, .delay_us_max = 20000});
    for (uint16_t i = 0; i < 2; i++) {
        meshes_start(&f, meshes_add(&f, NODE_HOME, i));
    }
    f.nodes[1].world_offset_ms = 80;
    meshes_run(&f, 20 * SECOND);
    assert_in_range(mesh_peer_offset_ms(f.nodes[0].mesh, meshes_peer(&f, 0, 1)), 70, 90);
    assert_in_range(-mesh_peer_offset_ms(f.nodes[1].mesh, meshes_peer(&f, 1, 0)), 70, 90);
    assert_int_equal(meshes_stats(&f, 0)->clocks_apart, 0);
    f.nodes[1].world_offset_ms = 130;
    meshes_run(&f, 20 * SECOND);
    assert_int_equal(meshes_stats(&f, 0)->clocks_apart, 1);
    assert_int_equal(meshes_stats(&f, 1)->clocks_apart, 1);
    assert_in_range(meshes_stats(&f, 0)->round_trip_us.max, 2000, 100000);
    meshes_close(&f);
}

static void
beats_tell_load_and_drain(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 2, 1, &(struct meshes_options){.seed = 25});
    mesh_tell_load(f.nodes[1].mesh, 4321);
    struct node self = f.nodes[1].self;
    self.draining = true;
    mesh_self(f.nodes[1].mesh, &self);
    meshes_run(&f, 2 * SECOND);
    assert_int_equal(mesh_peer_load(f.nodes[0].mesh, meshes_peer(&f, 0, 1)), 4321);
    assert_int_equal(mesh_peer_load(f.nodes[2].mesh, meshes_peer(&f, 2, 1)), 4321);
    assert_true(mesh_peer(f.nodes[0].mesh, meshes_peer(&f, 0, 1))->draining);
    assert_true(book_find(mesh_book(f.nodes[2].mesh), self.epoch)->draining);
    meshes_close(&f);
}

/* Bytes */

static void
garbage_closes_that_link_alone(void **state)
{
    (void)state;
    static struct meshes f;
    open_linked(&f, 3, 0, &(struct meshes_options){.seed = 26});
    struct transport_events events = mesh_transport_events(f.nodes[0].mesh);
    for (uint32_t line = 0; line < 2; line++) {
        static const uint8_t garbage[] = {1, 0, 0, 0, 99};
        events.received(events.ctx, line, garbage, sizeof garbage);
    }
    assert_int_equal(meshes_stats(&f, 0)->malformed, 2);
    assert_int_equal(f.nodes[0].downs, 2);
    meshes_run(&f, 10 * SECOND);
    assert_all_linked(&f);
    for (uint32_t n = 0; n < 3; n++) {
        assert_int_equal(meshes_stats(&f, n)->deaths, 0);
    }
    meshes_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_find_each_other),
        cmocka_unit_test(messages_keep_their_order),
        cmocka_unit_test(a_turn_is_one_send),
        cmocka_unit_test(versions_that_meet_are_welcome),
        cmocka_unit_test(a_full_lane_refuses_data_at_the_door),
        cmocka_unit_test(requests_are_refused_before_control_is_in_danger),
        cmocka_unit_test(a_peer_that_does_not_drain_control_is_cut),
        cmocka_unit_test(the_mutant_drops_control),
        cmocka_unit_test(a_killed_home_is_dead_at_once),
        cmocka_unit_test(a_dead_host_is_dead_after_three_beats),
        cmocka_unit_test(a_stopped_home_is_dead_and_comes_back_as_new),
        cmocka_unit_test(of_two_homes_one_decides_alone),
        cmocka_unit_test(a_broken_line_is_no_death),
        cmocka_unit_test(one_who_cannot_see_it_buries_nobody),
        cmocka_unit_test(a_one_way_cut_buries_nobody),
        cmocka_unit_test(the_few_do_not_bury_the_many),
        cmocka_unit_test(halves_meet_again),
        cmocka_unit_test(the_directory_decides_what_a_minority_may_not),
        cmocka_unit_test(a_good_bye_is_no_suspicion),
        cmocka_unit_test(gates_do_not_die),
        cmocka_unit_test(a_gate_that_slept_goes_on),
        cmocka_unit_test(a_short_sleep_breaks_nothing),
        cmocka_unit_test(clocks_are_compared),
        cmocka_unit_test(beats_tell_load_and_drain),
        cmocka_unit_test(garbage_closes_that_link_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
