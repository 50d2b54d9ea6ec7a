/* Whom to dial and when, and what is believed of a peer. */
#include "fabric/mesh_alone.h"
#include "fabric/mesh_inside.h"
#include "fabric/meshes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* The first breaks are tests of death and dialled at once; a line that breaks again and again would
 * keep both busy with greetings. */
static void
a_link_that_keeps_breaking_is_made_later_and_later(void **state)
{
    (void)state;
    static struct meshes f;
    int64_t pauses_us[8];
    meshes_open(&f, &(struct meshes_options){.seed = 3});
    meshes_start(&f, meshes_add(&f, NODE_HOME, 0));
    meshes_start(&f, meshes_add(&f, NODE_HOME, 1));
    meshes_run(&f, SECOND);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(sim_lines_break(f.lines, 0, 1) > 0);
        int64_t broken_us = f.time.now_us;
        assert_true(meshes_await(&f, 0, 1, false, SECOND));
        assert_true(meshes_await(&f, 0, 1, true, 10 * SECOND));
        pauses_us[i] = f.time.now_us - broken_us;
    }
    assert_in_range(pauses_us[0], 0, BACKOFF_MIN_US / 2);
    assert_in_range(pauses_us[1], 0, BACKOFF_MIN_US / 2);
    for (uint32_t i = 2; i < 8; i++) {
        assert_in_range(pauses_us[i], BACKOFF_MIN_US, BACKOFF_MAX_US + SECOND);
    }
    meshes_run(&f, STEADY_US + SECOND); /* it stands: that is forgotten */
    assert_true(sim_lines_break(f.lines, 0, 1) > 0);
    int64_t broken_us = f.time.now_us;
    assert_true(meshes_await(&f, 0, 1, false, SECOND));
    assert_true(meshes_await(&f, 0, 1, true, SECOND));
    assert_in_range(f.time.now_us - broken_us, 0, BACKOFF_MIN_US / 2);
    meshes_close(&f);
}

/* Draining is told by beats within a second; the book may be half a minute older. */
static void
the_word_of_a_peer_is_newer_than_the_book(void **state)
{
    (void)state;
    static struct meshes f;
    meshes_open(&f, &(struct meshes_options){.seed = 4});
    meshes_start(&f, meshes_add(&f, NODE_HOME, 0));
    meshes_start(&f, meshes_add(&f, NODE_HOME, 1));
    meshes_run(&f, SECOND);
    f.nodes[1].self.draining = true;
    mesh_self(f.nodes[1].mesh, &f.nodes[1].self);
    meshes_run(&f, SECOND);
    assert_false(book_find(&f.book, f.nodes[1].self.epoch)->draining);
    assert_true(mesh_peer(f.nodes[0].mesh, meshes_peer(&f, 0, 1))->draining);
    meshes_run(&f, SECOND / 2);                     /* between two beats */
    meshes_start(&f, meshes_add(&f, NODE_HOME, 2)); /* the book changes */
    for (uint32_t i = 0; i < 1000; i++) {           /* not only after the next beat */
        meshes_run(&f, SECOND / 1000);
        assert_true(mesh_peer(f.nodes[0].mesh, meshes_peer(&f, 0, 1))->draining);
    }
    assert_true(meshes_is_up(&f, 0, 2));
    meshes_close(&f);
}

/* Nobody waits for the silence of one whose place another process has taken. */
static void
a_later_entry_in_the_book_ends_the_one_before(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node old = alone_node(NODE_HOME, 6, 2000), new = alone_node(NODE_HOME, 6, 2001);
    alone_list(&a, &old);
    alone_run(&a, 1000);
    assert_int_equal(a.dials, 1);
    alone_list(&a, &new);
    alone_run(&a, 1000);
    assert_true(mesh_is_dead(a.mesh, 2000) && !mesh_is_dead(a.mesh, 2001));
    assert_int_equal(a.died, 1);
    alone_close(&a);
}

/* An answer brings back when its beat was sent; one that brings another time back measures nothing,
 * neither the trip nor the other's clock. */
static void
answers_to_no_beat_of_ours_measure_nothing(void **state)
{
    (void)state;
    static const int64_t apart_us[] = {1, SECOND, -SILENCE_US - 1, -3600 * SECOND};
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node other = alone_node(NODE_HOME, 1, 2000);
    uint8_t body[MESH_HELLO_MAX];
    uint32_t line = alone_link(&a, &other), peer = mesh_peer_of(a.mesh, 2000);
    alone_run(&a, 1000);
    int64_t offset_ms = mesh_peer_offset_ms(a.mesh, peer);
    for (uint32_t i = 0; i < sizeof apart_us / sizeof apart_us[0]; i++) {
        struct mesh_beat beat = {.sent_us = a.now_us + apart_us[i], .world_ms = 1 << 30};
        alone_frame(&a, line, MESH_FRAME_ANSWER, body, mesh_beat_write(&beat, body));
    }
    struct mesh_beat beat = {.sent_us = INT64_MIN, .world_ms = 1 << 30};
    alone_frame(&a, line, MESH_FRAME_ANSWER, body, mesh_beat_write(&beat, body));
    assert_true(a.lines[line].open);
    assert_int_equal(mesh_stats(a.mesh)->round_trip_us.count, 0);
    assert_int_equal(mesh_peer_offset_ms(a.mesh, peer), offset_ms);
    assert_int_equal(mesh_stats(a.mesh)->clocks_apart, 0);
    beat.sent_us = a.now_us - 200;
    alone_frame(&a, line, MESH_FRAME_ANSWER, body, mesh_beat_write(&beat, body));
    assert_int_equal(mesh_stats(a.mesh)->round_trip_us.count, 1);
    assert_int_equal(mesh_stats(a.mesh)->clocks_apart, 1);
    alone_close(&a);
}

static void
a_gate_with_a_link_leaves_its_seeds_alone(void **state)
{
    (void)state;
    static struct meshes f;
    meshes_open(&f, &(struct meshes_options){.seed = 5});
    meshes_start(&f, meshes_add(&f, NODE_HOME, 0));
    meshes_start(&f, meshes_add(&f, NODE_GATE, 0));
    meshes_run(&f, SECOND);
    assert_true(meshes_is_up(&f, 1, 0));
    uint64_t dials = sim_lines_stats(f.lines)->dials;
    meshes_run(&f, 60 * SECOND);
    assert_int_equal(sim_lines_stats(f.lines)->dials, dials);
    meshes_close(&f);
}

/* A gate whose link broke may be cut off, and counts among those who do not see us; it is
 * remembered for a while and no longer. */
static void
a_gate_that_went_is_remembered_for_a_while(void **state)
{
    (void)state;
    static struct alone a;
    struct mesh_link link;
    alone_open(&a, NODE_HOME);
    struct node gate = alone_node(NODE_GATE, 1, 2000);
    alone_break(&a, alone_link(&a, &gate), false);
    alone_run(&a, GATE_REMEMBERED_US - SECOND);
    uint32_t cursor = 0;
    assert_true(mesh_next_link(a.mesh, &cursor, &link));
    assert_int_equal(link.state, MESH_LINK_DOWN);
    assert_int_equal(a.dials, 0); /* gates dial */
    alone_run(&a, 2 * SECOND);
    cursor = 0;
    assert_false(mesh_next_link(a.mesh, &cursor, &link));
    alone_close(&a);
}

static void
pauses_grow_and_differ(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    for (uint32_t failures = 1; failures < 10; failures++) {
        int64_t most_us = BACKOFF_MIN_US << failures;
        most_us = most_us < BACKOFF_MAX_US ? most_us : BACKOFF_MAX_US;
        uint32_t shorter = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            int64_t pause_us = mesh_backoff_us(a.mesh, failures);
            assert_in_range(pause_us, BACKOFF_MIN_US, most_us + BACKOFF_MIN_US / 4);
            shorter += pause_us < BACKOFF_MIN_US + (most_us - BACKOFF_MIN_US) / 2;
        }
        assert_in_range(shorter, 250, 750);
    }
    alone_close(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_and_differ),
        cmocka_unit_test(a_link_that_keeps_breaking_is_made_later_and_later),
        cmocka_unit_test(the_word_of_a_peer_is_newer_than_the_book),
        cmocka_unit_test(a_later_entry_in_the_book_ends_the_one_before),
        cmocka_unit_test(answers_to_no_beat_of_ours_measure_nothing),
        cmocka_unit_test(a_gate_with_a_link_leaves_its_seeds_alone),
        cmocka_unit_test(a_gate_that_went_is_remembered_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
