/* Where the gates of a shard are: who tells it, what, and how often; and what a home knows of other
 * shards. Two homes and two gates in a real mesh; the relay is a peer that listens to one of them.
 */
#include "fabric/home_shards.h"
#include "fabric/meshes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RELAY_PEER 100
#define SECOND_US  INT64_C(1000000)

enum { HOME_A, HOME_B, GATE_A, GATE_B, NODES };

struct home {
    struct env env; /* sends to the relay only */
    struct requests *requests;
    struct home_shards shards;
    uint32_t lines;
};

struct scene {
    struct meshes meshes;
    struct home homes[2];
};

static enum err
to_relay(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    (void)ctx, (void)pieces, (void)count;
    assert_int_equal(peer, RELAY_PEER);
    return OK;
}

static void
heard(void *ctx, const struct note *note)
{
    struct home *h = ctx;
    h->lines += note->kind == NOTE_LINE;
    assert_int_not_equal(note->kind, NOTE_GATES);
}

static void
open_home(struct scene *s, uint32_t n)
{
    static const struct node relay = {.epoch = 4711, .role = NODE_RELAY, .shard = 1, .index = 1};
    struct home *h = &s->homes[n];
    h->env = (struct env){.clock = events_clock(&s->meshes.time), .links = {.send = to_relay}};
    h->requests = requests_alloc(&h->env);
    home_shards_init(&h->shards, 1, 3);
    struct home_shards_options options = {.self = s->meshes.nodes[n].self,
                                          .mesh = s->meshes.nodes[n].mesh,
                                          .requests = h->requests,
                                          .env = &h->env,
                                          .heard = heard,
                                          .ctx = h};
    home_shards_open(&h->shards, &options);
    notes_peer_up(h->shards.notes, RELAY_PEER, &relay);
}

static int
setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    meshes_open(&s->meshes, &(struct meshes_options){.seed = 3, .delay_us_max = 500});
    for (uint32_t n = 0; n < NODES; n++) {
        enum node_role role = n < GATE_A ? NODE_HOME : NODE_GATE;
        assert_int_equal(meshes_add(&s->meshes, role, (uint16_t)(n % 2 + 1)), n);
        s->meshes.nodes[n].self.shard = 1;
        if (role == NODE_GATE) {
            strcpy(s->meshes.nodes[n].self.play, n == GATE_A ? "here:1" : "here:2");
        }
        meshes_start(&s->meshes, n);
    }
    meshes_run(&s->meshes, 3 * SECOND_US);
    open_home(s, HOME_A);
    open_home(s, HOME_B);
    *state = s;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *s = *state;
    for (uint32_t n = 0; n < 2; n++) {
        home_shards_close(&s->homes[n].shards);
        home_shards_close(&s->homes[n].shards);
        requests_free(&s->homes[n].requests);
    }
    meshes_close(&s->meshes);
    free(s);
    return 0;
}

static void
run(struct scene *s, int64_t seconds)
{
    for (int64_t i = 0; i < 20 * seconds; i++) {
        meshes_run(&s->meshes, SECOND_US / 20);
        for (uint32_t n = 0; n < 2; n++) {
            int64_t next_us = home_shards_turn(&s->homes[n].shards);
            assert_true(next_us > s->meshes.time.now_us);
            (void)requests_turn(s->homes[n].requests);
        }
    }
}

static uint64_t
told(const struct scene *s, uint32_t n)
{
    return notes_stats(s->homes[n].shards.notes)->told[NOTE_GATES];
}

static void
one_home_tells_and_tells_again(void **state)
{
    struct scene *s = *state;
    uint32_t first =
        s->meshes.nodes[HOME_A].self.epoch < s->meshes.nodes[HOME_B].self.epoch ? HOME_A : HOME_B;
    run(s, 1);
    assert_int_equal(told(s, first), 1);
    assert_string_equal(s->homes[first].shards.told, "here:1\nhere:2\n");
    run(s, 20);
    assert_in_range(told(s, first), 4, 5);
    assert_int_equal(told(s, 1 - first), 0);
}

static void
a_gate_that_goes_is_told_at_once(void **state)
{
    struct scene *s = *state;
    run(s, 1);
    meshes_leave(&s->meshes, GATE_A);
    run(s, 2);
    assert_int_equal(told(s, HOME_A) + told(s, HOME_B), 2);
    const struct home_shards *speaker = &s->homes[told(s, HOME_A) > 0 ? HOME_A : HOME_B].shards;
    assert_string_equal(speaker->told, "here:2\n");
}

static void
whoever_is_left_speaks(void **state)
{
    struct scene *s = *state;
    run(s, 1);
    uint32_t first = told(s, HOME_A) > 0 ? HOME_A : HOME_B;
    meshes_leave(&s->meshes, first);
    run(s, 2);
    assert_int_equal(told(s, 1 - first), 1);
}

static void
a_new_name_may_end_it(void **state)
{
    struct scene *s = *state;
    run(s, 1);
    uint32_t first = told(s, HOME_A) > 0 ? HOME_A : HOME_B;
    uint64_t before = told(s, first);
    home_shards_renamed(&s->homes[first].shards, UINT64_MAX);
    run(s, 12);
    assert_int_equal(told(s, first), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_home_tells_and_tells_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gate_that_goes_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_is_left_speaks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_name_may_end_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
