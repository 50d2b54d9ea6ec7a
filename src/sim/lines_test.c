#include "sim/lines.h"

#include "base/rand.h"
#include "sim/events.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES      4
#define LINE_BYTES 4096
#define HEARD_MAX  (1U << 20)
#define NOTHING    UINT32_MAX

/* What one node saw. */
struct side {
    struct scene *scene;
    struct env_transport port;
    uint32_t line; /* of the last call-back; NOTHING after closed() */
    uint32_t dialled, accepted, writable, closed, refused;
    int64_t closed_us;
    uint8_t *heard;
    size_t heard_bytes;
    bool close_at_first_byte;
};

struct scene {
    struct events time;
    struct sim_lines *lines;
    struct side sides[NODES];
    bool in_port; /* a call of a port is under way: nothing may be called back */
};

static void
saw(struct side *s, uint32_t line)
{
    assert_false(s->scene->in_port);
    s->line = line;
}

static void
dialled(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->dialled++;
}

static void
accepted(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->accepted++;
}

static void
received(void *ctx, uint32_t line, const uint8_t *bytes, size_t n)
{
    struct side *s = ctx;
    saw(s, line);
    assert_true(n > 0 && s->heard_bytes + n <= HEARD_MAX);
    memcpy(s->heard + s->heard_bytes, bytes, n);
    s->heard_bytes += n;
    if (s->close_at_first_byte) {
        s->port.close(s->port.ctx, line);
        s->line = NOTHING;
    }
}

static void
writable(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->writable++;
    s->port.want_writable(s->port.ctx, line, false);
}

static void
closed(void *ctx, uint32_t line, bool refused)
{
    struct side *s = ctx;
    saw(s, line);
    s->closed++;
    s->refused += refused;
    s->closed_us = s->scene->time.now_us;
    s->line = NOTHING;
}

static void
start(struct scene *s, uint32_t node)
{
    const struct transport_events events = {.ctx = &s->sides[node],
                                            .dialled = dialled,
                                            .accepted = accepted,
                                            .received = received,
                                            .writable = writable,
                                            .closed = closed};
    sim_lines_start(s->lines, node, &events);
}

static struct scene *
scene_open(uint64_t seed)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    events_init(&s->time, seed);
    struct sim_lines_options options = {.schedule = events_port(&s->time),
                                        .nodes_max = NODES,
                                        .line_bytes = LINE_BYTES,
                                        .delay_us_min = 20,
                                        .delay_us_max = 2000,
                                        .stall_us_min = 5000000,
                                        .stall_us_max = 15000000};
    s->lines = sim_lines_alloc(&options);
    for (uint32_t i = 0; i < NODES; i++) {
        s->sides[i] = (struct side){.scene = s,
                                    .port = sim_lines_port(s->lines, i),
                                    .line = NOTHING,
                                    .heard = malloc(HEARD_MAX)};
        assert_non_null(s->sides[i].heard);
    }
    return s;
}

static void
scene_close(struct scene *s)
{
    sim_lines_free(&s->lines);
    events_fini(&s->time);
    for (uint32_t i = 0; i < NODES; i++)
        free(s->sides[i].heard);
    free(s);
}

static int
set_up(void **state)
{
    struct scene *s = scene_open(11);
    start(s, 0);
    start(s, 1);
    *state = s;
    return 0;
}

static int
tear_down(void **state)
{
    scene_close(*state);
    return 0;
}

static void
run(struct scene *s, int64_t ms)
{
    events_run(&s->time, s->time.now_us + ms * 1000);
}

static void
dial(struct scene *s, uint32_t from, uint32_t to)
{
    char address[LINE_ADDRESS_MAX];
    sim_lines_address(to, address);
    s->in_port = true;
    assert_int_equal(
        s->sides[from].port.dial(s->sides[from].port.ctx, address, &s->sides[from].line), OK);
    s->in_port = false;
}

static void
connect(struct scene *s, uint32_t from, uint32_t to)
{
    dial(s, from, to);
    run(s, 10);
    assert_true(s->sides[from].dialled > 0 && s->sides[to].accepted > 0);
}

static size_t
say(struct scene *s, uint32_t from, const void *bytes, size_t n)
{
    struct side *side = &s->sides[from];
    size_t taken = 0;
    const struct slice pieces[2] = {{.at = bytes, .bytes = n / 3},
                                    {.at = (const uint8_t *)bytes + n / 3, .bytes = n - n / 3}};
    s->in_port = true;
    assert_int_equal(side->port.send(side->port.ctx, side->line, pieces, 2, &taken), OK);
    s->in_port = false;
    return taken;
}

static void
want_writable(struct scene *s, uint32_t from)
{
    s->in_port = true;
    s->sides[from].port.want_writable(s->sides[from].port.ctx, s->sides[from].line, true);
    s->in_port = false;
}

static void
hang_up(struct scene *s, uint32_t from)
{
    s->in_port = true;
    s->sides[from].port.close(s->sides[from].port.ctx, s->sides[from].line);
    s->sides[from].line = NOTHING;
    s->in_port = false;
}

static void
test_bytes_keep_their_order_both_ways(void **state)
{
    struct scene *s = *state;
    static uint8_t bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rand_mix(i, 1);
    connect(s, 0, 1);
    size_t there = 0, back = 0;
    while (there < sizeof bytes || back < sizeof bytes) {
        size_t left = sizeof bytes - there;
        there += say(s, 0, bytes + there, left < 700 ? left : 700);
        left = sizeof bytes - back;
        back += say(s, 1, bytes + back, left < 5000 ? left : 5000);
        run(s, 1);
    }
    run(s, 100);
    assert_int_equal(s->sides[1].heard_bytes, sizeof bytes);
    assert_memory_equal(s->sides[1].heard, bytes, sizeof bytes);
    assert_int_equal(s->sides[0].heard_bytes, sizeof bytes);
    assert_memory_equal(s->sides[0].heard, bytes, sizeof bytes);
    assert_true(sim_lines_stats(s->lines)->in_flight_bytes_high <= LINE_BYTES);
    assert_true(sim_lines_stats(s->lines)->not_writable > 0);
}

static void
test_a_stopped_process_accepts_and_piles_up(void **state)
{
    struct scene *s = *state;
    uint8_t bytes[LINE_BYTES + 100] = {1};
    sim_lines_pause(s->lines, 1, true);
    dial(s, 0, 1);
    assert_int_equal(say(s, 0, bytes, 10), 0); /* not connected yet */
    run(s, 10);
    assert_int_equal(s->sides[0].dialled, 1);
    assert_int_equal(s->sides[1].accepted, 0);
    assert_int_equal(say(s, 0, bytes, sizeof bytes), LINE_BYTES);
    want_writable(s, 0);
    run(s, 60000);
    assert_int_equal(say(s, 0, bytes, 1), 0);
    assert_true(s->sides[0].writable == 0 && s->sides[0].closed == 0);
    assert_true(s->sides[1].accepted == 0 && s->sides[1].heard_bytes == 0);
    sim_lines_pause(s->lines, 1, false);
    run(s, 100);
    assert_true(s->sides[1].accepted == 1 && s->sides[1].heard_bytes == LINE_BYTES);
    assert_int_equal(s->sides[0].writable, 1);
    want_writable(s, 0); /* there is room already */
    run(s, 1);
    assert_int_equal(s->sides[0].writable, 2);
}

static void
test_whoever_was_paused_hears_of_the_end_later(void **state)
{
    struct scene *s = *state;
    connect(s, 0, 1);
    sim_lines_pause(s->lines, 1, true);
    assert_int_equal(say(s, 0, "bye", 3), 3);
    hang_up(s, 0);
    run(s, 1000);
    assert_true(s->sides[1].heard_bytes == 0 && s->sides[1].closed == 0);
    assert_int_equal(sim_lines_stats(s->lines)->open, 1);
    sim_lines_pause(s->lines, 1, false);
    run(s, 10);
    assert_true(s->sides[1].heard_bytes == 3 && s->sides[1].closed == 1);
    assert_true(s->sides[0].closed == 0); /* whoever closes is not told */
    assert_int_equal(sim_lines_stats(s->lines)->open, 0);
}

static void
test_dials_are_refused_where_nobody_listens(void **state)
{
    struct scene *s = *state;
    uint32_t line;
    dial(s, 0, 2);
    run(s, 10);
    assert_true(s->sides[0].closed == 1 && s->sides[0].refused == 1);
    start(s, 2);
    connect(s, 0, 2);
    assert_int_equal(s->sides[0].port.dial(s->sides[0].port.ctx, "node-9:1", &line), ERR_FORMAT);
    assert_int_equal(s->sides[0].port.dial(s->sides[0].port.ctx, "127.0.0.1:1", &line), ERR_FORMAT);
    assert_int_equal(sim_lines_stats(s->lines)->open, 1);
}

static void
test_a_node_has_a_bounded_number_of_lines(void **state)
{
    struct scene *s = *state;
    char address[LINE_ADDRESS_MAX];
    sim_lines_address(1, address);
    uint32_t line, count = 0;
    while (s->sides[0].port.dial(s->sides[0].port.ctx, address, &line) == OK)
        count++;
    assert_int_equal(count, LINES_MAX);
    start(s, 2);
    run(s, 10);
    assert_int_equal(s->sides[1].accepted, LINES_MAX);
    dial(s, 2, 1); /* waits until there is room */
    run(s, 1000);
    assert_true(s->sides[2].dialled == 1 && s->sides[1].accepted == LINES_MAX);
    hang_up(s, 1);
    run(s, 1000);
    assert_int_equal(s->sides[1].accepted, LINES_MAX + 1);
    assert_int_equal(s->sides[0].closed, 1);
}

static void
test_a_killed_process_breaks_its_lines(void **state)
{
    struct scene *s = *state;
    connect(s, 0, 1);
    start(s, 2);
    connect(s, 2, 1);
    sim_lines_crash(s->lines, 1, SIM_KILLED);
    assert_int_equal(s->sides[0].closed, 0);
    run(s, 10);
    assert_true(s->sides[0].closed == 1 && s->sides[2].closed == 1 && s->sides[1].closed == 0);
    assert_int_equal(s->sides[0].refused, 0);
    dial(s, 0, 1);
    run(s, 10);
    assert_int_equal(s->sides[0].refused, 1);
    start(s, 1);
    connect(s, 0, 1);
    assert_int_equal(sim_lines_stats(s->lines)->open, 1);
}

static void
test_a_dead_host_is_silent(void **state)
{
    struct scene *s = *state;
    connect(s, 0, 1);
    sim_lines_crash(s->lines, 1, SIM_HOST_DEAD);
    assert_int_equal(say(s, 0, "anybody?", 8), 8);
    start(s, 2);
    dial(s, 2, 1);
    run(s, 4000);
    assert_true(s->sides[0].closed == 0 && s->sides[2].closed == 0);
    run(s, 30000);
    assert_true(s->sides[0].closed == 0); /* not by itself */
    assert_true(s->sides[2].closed == 1 && s->sides[2].refused == 0);
    dial(s, 2, 1);
    run(s, 1000);
    start(s, 1); /* which knows nothing of the old line, and answers the dial */
    run(s, 10);
    assert_int_equal(s->sides[0].closed, 1);
    assert_true(s->sides[2].dialled == 1 && s->sides[1].accepted == 2);
    assert_int_equal(s->sides[1].heard_bytes, 0);
}

/* The dial was accepted when the host died; its answer was not heard. */
static void
test_a_host_that_dies_while_it_answers(void **state)
{
    struct scene *s = *state;
    dial(s, 0, 1);
    while (s->sides[1].accepted == 0)
        assert_true(events_step(&s->time));
    assert_int_equal(s->sides[0].dialled, 0);
    sim_lines_crash(s->lines, 1, SIM_HOST_DEAD);
    run(s, 100);
    assert_int_equal(s->sides[0].dialled, 0);
    start(s, 1);
    run(s, 100);
    assert_true(s->sides[0].dialled == 1 && s->sides[1].accepted == 2);
}

static void
test_a_partition_of_one_direction(void **state)
{
    struct scene *s = *state;
    connect(s, 0, 1);
    sim_lines_cut(s->lines, 0, 1, true);
    assert_int_equal(say(s, 0, "lost?", 5), 5);
    assert_int_equal(say(s, 1, "heard", 5), 5);
    run(s, 4000);
    assert_true(s->sides[1].heard_bytes == 0 && s->sides[0].heard_bytes == 5);
    assert_true(s->sides[0].closed == 0 && s->sides[1].closed == 0);
    sim_lines_cut(s->lines, 0, 1, false);
    run(s, 10);
    assert_int_equal(s->sides[1].heard_bytes, 5); /* TCP says it again */
    run(s, 30000);
    assert_true(s->sides[0].closed == 0 && s->sides[1].closed == 0); /* it healed in time */
    /* Longer than TCP waits. */
    sim_lines_cut(s->lines, 0, 1, true);
    say(s, 0, "lost", 4);
    run(s, 30000);
    assert_true(s->sides[0].closed == 1 && s->sides[1].closed == 1);
    assert_true(s->sides[0].closed_us != s->sides[1].closed_us);
    assert_int_equal(s->sides[1].heard_bytes, 5);
    assert_int_equal(sim_lines_stats(s->lines)->stalls, 1);
}

static void
test_no_handshake_over_half_a_partition(void **state)
{
    struct scene *s = *state;
    sim_lines_cut(s->lines, 1, 0, true);
    dial(s, 0, 1);
    run(s, 4000);
    assert_true(s->sides[0].dialled == 0 && s->sides[1].accepted == 0);
    sim_lines_cut(s->lines, 1, 0, false);
    run(s, 10);
    assert_true(s->sides[0].dialled == 1 && s->sides[1].accepted == 1);
}

static void
test_clogged_lines_flow_again(void **state)
{
    struct scene *s = *state;
    connect(s, 0, 1);
    sim_lines_clog(s->lines, 0, 1, s->time.now_us + 60000000);
    say(s, 0, "late", 4);
    say(s, 1, "now", 3);
    run(s, 59000);
    assert_true(s->sides[1].heard_bytes == 0 && s->sides[0].heard_bytes == 3);
    run(s, 2000);
    assert_true(s->sides[1].heard_bytes == 4 && s->sides[0].closed == 0);
}

static void
test_a_break_is_heard_of_on_both_sides(void **state)
{
    struct scene *s = *state;
    size_t taken;
    const struct slice piece = {.at = (const uint8_t *)"x", .bytes = 1};
    connect(s, 0, 1);
    say(s, 0, "lost", 4);
    assert_int_equal(sim_lines_break(s->lines, 1, 0), 1);
    assert_int_equal(
        s->sides[0].port.send(s->sides[0].port.ctx, s->sides[0].line, &piece, 1, &taken),
        ERR_CLOSED);
    hang_up(s, 1); /* before it was told */
    run(s, 10);
    assert_true(s->sides[0].closed == 1 && s->sides[1].closed == 0);
    assert_int_equal(s->sides[1].heard_bytes, 0);
    assert_int_equal(sim_lines_break(s->lines, 1, 0), 0);
    connect(s, 0, 1);
    say(s, 0, "lost", 4);
    sim_lines_pause(s->lines, 0, true);
    sim_lines_break(s->lines, 0, 1);
    run(s, 10);
    assert_true(s->sides[0].closed == 1 &&
                s->sides[1].closed == 1); /* who is stopped hears later */
    assert_int_equal(s->sides[1].heard_bytes, 0);
    sim_lines_pause(s->lines, 0, false);
    run(s, 10);
    assert_int_equal(s->sides[0].closed, 2);
}

static void
test_a_line_can_be_closed_where_it_speaks(void **state)
{
    struct scene *s = *state;
    s->sides[1].close_at_first_byte = true;
    for (uint32_t i = 1; i <= 20; i++) {
        connect(s, 0, 1);
        say(s, 0, "bytes that come in pieces", 25);
        run(s, 20);
        assert_int_equal(s->sides[0].closed, i);
    }
    assert_int_equal(sim_lines_stats(s->lines)->open, 0);
}

/* Everything that can happen, at random; whatever it is, it ends, and the same seed is the same
 * history. */
static void
random_fault(struct scene *s, struct rand *r)
{
    uint32_t a = rand_below(r, NODES), b = rand_below(r, NODES);
    switch (rand_below(r, 7)) {
    case 0:
        if (sim_lines_is_up(s->lines, a))
            sim_lines_crash(s->lines, a, rand_below(r, 2) == 0 ? SIM_KILLED : SIM_HOST_DEAD);
        break;
    case 1: sim_lines_cut(s->lines, a, b, rand_below(r, 2) == 0); break;
    case 2: sim_lines_clog(s->lines, a, b, s->time.now_us + rand_below(r, 1000000)); break;
    case 3: sim_lines_break(s->lines, a, b); break;
    case 4:
        if (sim_lines_is_up(s->lines, a)) {
            sim_lines_pause(s->lines, a, true);
            run(s, rand_below(r, 20000));
            sim_lines_pause(s->lines, a, false);
        }
        break;
    default: break;
    }
}

static uint64_t
history(uint64_t seed)
{
    struct scene *s = scene_open(seed);
    struct rand r;
    rand_seed(&r, seed);
    uint8_t bytes[3000] = {(uint8_t)seed};
    for (uint32_t i = 0; i < 400; i++) {
        random_fault(s, &r);
        uint32_t a = rand_below(&r, NODES);
        if (!sim_lines_is_up(s->lines, a)) {
            s->sides[a].line = NOTHING;
            start(s, a);
        }
        s->sides[a].heard_bytes = 0;
        if (s->sides[a].line == NOTHING)
            dial(s, a, rand_below(&r, NODES));
        else if (rand_below(&r, 4) == 0)
            hang_up(s, a);
        run(s, rand_below(&r, 50));
        size_t taken;
        const struct slice piece = {.at = bytes, .bytes = rand_below(&r, sizeof bytes)};
        struct side *side = &s->sides[a];
        if (side->line != NOTHING)
            (void)(side->port.send(side->port.ctx, side->line, &piece, 1, &taken) == OK);
    }
    for (uint32_t a = 0; a < NODES; a++)
        if (sim_lines_is_up(s->lines, a))
            sim_lines_crash(s->lines, a, SIM_KILLED);
    assert_int_equal(sim_lines_stats(s->lines)->open, 0);
    uint64_t hash = sim_lines_hash(s->lines);
    assert_true(sim_lines_stats(s->lines)->bytes > 0);
    scene_close(s);
    return hash;
}

static void
test_equal_histories_have_equal_hashes(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t hash = history(seed);
        assert_true(hash == history(seed));
        assert_true(hash != last);
        last = hash;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_keep_their_order_both_ways),
        TEST(test_a_stopped_process_accepts_and_piles_up),
        TEST(test_whoever_was_paused_hears_of_the_end_later),
        TEST(test_dials_are_refused_where_nobody_listens),
        TEST(test_a_node_has_a_bounded_number_of_lines),
        TEST(test_a_killed_process_breaks_its_lines),
        TEST(test_a_dead_host_is_silent),
        TEST(test_a_host_that_dies_while_it_answers),
        TEST(test_a_partition_of_one_direction),
        TEST(test_no_handshake_over_half_a_partition),
        TEST(test_clogged_lines_flow_again),
        TEST(test_a_break_is_heard_of_on_both_sides),
        TEST(test_a_line_can_be_closed_where_it_speaks),
        cmocka_unit_test(test_equal_histories_have_equal_hashes),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
