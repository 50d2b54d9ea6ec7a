#include "sim/net.h"

#include "base/rand.h"
#include "sim/events.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GATE    0
#define PERSON  3
#define PERSONS 8
#define STREAM  65536

/* What both ends saw. */
struct scene {
    struct events time;
    struct sim_net *net;
    struct env_conns conns;
    uint32_t conn, opened, closed, connected, broke, writable, pieces, messages;
    uint8_t at_gate[STREAM], at_person[STREAM], at_peer[STREAM];
    size_t gate_bytes, person_bytes, peer_bytes;
    int64_t arrived_us;
    bool answer; /* each message causes another one on the same link */
};

static void
opened(void *ctx, uint32_t gate, uint32_t conn)
{
    struct scene *s = ctx;
    assert_int_equal(gate, GATE);
    s->conn = conn;
    s->opened++;
}

static void
received(void *ctx, uint32_t gate, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct scene *s = ctx;
    assert_true(gate == GATE && conn == s->conn && s->gate_bytes + n <= STREAM);
    memcpy(s->at_gate + s->gate_bytes, bytes, n);
    s->gate_bytes += n;
    s->pieces++;
}

static void
writable(void *ctx, uint32_t gate, uint32_t conn)
{
    struct scene *s = ctx;
    assert_true(gate == GATE && conn == s->conn);
    s->writable++;
}

static void
gate_side_closed(void *ctx, uint32_t gate, uint32_t conn)
{
    struct scene *s = ctx;
    assert_true(gate == GATE && conn == s->conn);
    s->closed++;
}

static void
connected(void *ctx, uint32_t person)
{
    struct scene *s = ctx;
    assert_int_equal(person, PERSON);
    s->connected++;
}

static void
arrived(void *ctx, uint32_t person, const uint8_t *bytes, size_t n)
{
    struct scene *s = ctx;
    assert_true(person == PERSON && s->person_bytes + n <= STREAM);
    if (n > 0) {
        memcpy(s->at_person + s->person_bytes, bytes, n);
    }
    s->person_bytes += n;
    s->arrived_us = s->time.now_us;
}

static void
broke(void *ctx, uint32_t person)
{
    struct scene *s = ctx;
    assert_int_equal(person, PERSON);
    s->broke++;
}

static void
message(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t n)
{
    struct scene *s = ctx;
    assert_true(from == GATE || from == SIM_HOME);
    assert_true(s->peer_bytes + n <= STREAM);
    memcpy(s->at_peer + s->peer_bytes, bytes, n);
    s->peer_bytes += n;
    s->messages++;
    if (s->answer && s->messages < 100) {
        struct env_links links = sim_net_links(s->net, from);
        struct slice piece = {.at = bytes, .bytes = n};
        assert_int_equal(links.send(links.ctx, to, &piece, 1), OK);
    }
}

static void
open_seed(struct scene *s, uint64_t seed)
{
    events_init(&s->time, seed);
    s->time.now_us = 1000;
    struct sim_net_options options = {.schedule = events_port(&s->time),
                                      .events = {.ctx = s,
                                                 .opened = opened,
                                                 .received = received,
                                                 .writable = writable,
                                                 .gate_closed = gate_side_closed,
                                                 .connected = connected,
                                                 .arrived = arrived,
                                                 .broke = broke,
                                                 .message = message},
                                      .persons_max = PERSONS,
                                      .socket_bytes = 8192,
                                      .link_bytes = 4096,
                                      .delay_us_min = 200,
                                      .delay_us_max = 20000,
                                      .link_delay_us_min = 20,
                                      .link_delay_us_max = 2000};
    s->net = sim_net_alloc(&options);
    s->conns = sim_net_conns(s->net, GATE);
}

static int
open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    open_seed(s, 5);
    *state = s;
    return 0;
}

static int
close_scene(void **state)
{
    struct scene *s = *state;
    sim_net_free(&s->net);
    events_fini(&s->time);
    free(s);
    return 0;
}

static void
run(struct scene *s, int64_t ms)
{
    events_run(&s->time, s->time.now_us + ms * 1000);
}

static void
connect_person(struct scene *s)
{
    sim_net_connect(s->net, PERSON, GATE);
    assert_false(sim_net_is_connected(s->net, PERSON));
    assert_true(sim_net_is_open(s->net, PERSON));
    run(s, 30);
    assert_true(sim_net_is_connected(s->net, PERSON));
}

static size_t
send_to_person(struct scene *s, const uint8_t *bytes, size_t n)
{
    size_t taken = 0;
    struct slice pieces[2] = {{.at = bytes, .bytes = n / 3},
                              {.at = bytes + n / 3, .bytes = n - n / 3}};
    assert_int_equal(s->conns.send(s->conns.ctx, s->conn, pieces, 2, &taken), OK);
    return taken;
}

static void
test_streams_keep_their_order(void **state)
{
    struct scene *s = *state;
    uint8_t bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rand_mix(i, 1);
    }
    assert_false(sim_net_send(s->net, PERSON, bytes, 1));
    connect_person(s);
    assert_true(s->opened == 1 && s->connected == 1);
    size_t to_person = 0;
    for (size_t at = 0; at < sizeof bytes; at += 500) {
        assert_true(sim_net_send(s->net, PERSON, bytes + at, 500));
        to_person += send_to_person(s, bytes + to_person, 500);
        run(s, 10);
    }
    run(s, 2000);
    assert_int_equal(s->gate_bytes, sizeof bytes);
    assert_memory_equal(s->at_gate, bytes, sizeof bytes);
    assert_int_equal(s->person_bytes, to_person);
    assert_memory_equal(s->at_person, bytes, to_person);
    assert_true(s->pieces > 20); /* it was cut */
}

static void
test_a_socket_is_bounded(void **state)
{
    struct scene *s = *state;
    uint8_t bytes[9000] = {0};
    connect_person(s);
    sim_net_stall(s->net, PERSON, s->time.now_us + 3000000);
    assert_int_equal(send_to_person(s, bytes, sizeof bytes), 8192);
    assert_int_equal(send_to_person(s, bytes, 1), 0);
    assert_int_equal(sim_net_stats(s->net)->not_writable, 2);
    s->conns.want_writable(s->conns.ctx, s->conn, true);
    run(s, 2900);
    assert_int_equal(s->person_bytes, 0); /* it does not read */
    assert_int_equal(s->writable, 0);
    run(s, 1000);
    assert_true(s->writable > 0);
    assert_int_equal(s->person_bytes, 8192);
    assert_int_equal(send_to_person(s, bytes, 10), 10);
}

static void
test_what_was_said_before_the_end_arrives(void **state)
{
    struct scene *s = *state;
    connect_person(s);
    assert_int_equal(send_to_person(s, (const uint8_t *)"good-bye", 8), 8);
    s->conns.close(s->conns.ctx, s->conn);
    assert_false(sim_net_is_connected(s->net, PERSON));
    assert_int_equal(s->broke, 0);
    run(s, 100);
    assert_int_equal(s->person_bytes, 8);
    assert_int_equal(s->broke, 1);
    assert_int_equal(s->closed, 0); /* whoever closes is not told */
    assert_false(sim_net_is_open(s->net, PERSON));
    /* The next connection begins anew; closed without a word it just ends. */
    connect_person(s);
    s->conns.close(s->conns.ctx, s->conn);
    run(s, 100);
    assert_int_equal(s->broke, 2);
    assert_int_equal(s->person_bytes, 8);
}

static void
test_lines_break(void **state)
{
    struct scene *s = *state;
    connect_person(s);
    assert_true(sim_net_send(s->net, PERSON, (const uint8_t *)"lost", 4));
    send_to_person(s, (const uint8_t *)"lost", 4);
    sim_net_break(s->net, PERSON, false);
    assert_true(s->closed == 1 && s->broke == 1);
    run(s, 1000);
    assert_true(s->gate_bytes == 0 && s->person_bytes == 0);
    sim_net_break(s->net, PERSON, false); /* fine when there is none */
    assert_int_equal(s->broke, 1);
    connect_person(s);
    sim_net_break(s->net, PERSON, true);
    assert_true(s->closed == 2 && s->broke == 1);
    /* Broken on the way: the gate never hears of it. */
    sim_net_connect(s->net, PERSON, GATE);
    sim_net_break(s->net, PERSON, false);
    run(s, 100);
    assert_true(s->opened == 2 && s->closed == 2 && s->broke == 2);
}

static enum err
link_send(struct scene *s, uint32_t from, uint32_t to, uint8_t first, size_t bytes)
{
    uint8_t message_bytes[4096];
    memset(message_bytes, first, sizeof message_bytes);
    struct env_links links = sim_net_links(s->net, from);
    struct slice pieces[2] = {{.at = message_bytes, .bytes = 1},
                              {.at = message_bytes, .bytes = bytes - 1}};
    return links.send(links.ctx, to, pieces, 2);
}

static void
test_links_keep_order_and_are_bounded(void **state)
{
    struct scene *s = *state;
    uint32_t taken = 0;
    while (link_send(s, GATE, SIM_HOME, (uint8_t)taken, 100) == OK) {
        taken++;
    }
    assert_int_equal(taken, 4096 / 104);
    assert_int_equal(sim_net_stats(s->net)->links_full, 1);
    assert_true(sim_net_stats(s->net)->link_bytes_high <= 4096);
    assert_int_equal(link_send(s, SIM_HOME, GATE, 0, 100), OK); /* the other direction is its own */
    run(s, 10);
    assert_int_equal(s->messages, taken + 1);
    uint8_t last = 0;
    for (size_t i = 0, n = 0; i < s->peer_bytes; i += 100) {
        uint8_t number = s->at_peer[i];
        n += number == 0;
        assert_true(number == 0 || number == last + 1 || n > 1);
        last = number > 0 ? number : last;
    }
    assert_int_equal(link_send(s, GATE, SIM_HOME, 1, 4000), OK);
    assert_int_equal(link_send(s, GATE, SIM_HOME, 1, 4000), ERR_FULL);
}

static void
test_a_clogged_home(void **state)
{
    struct scene *s = *state;
    sim_net_clog(s->net, SIM_TO_GATES, s->time.now_us + 500000);
    assert_int_equal(link_send(s, SIM_HOME, GATE, 1, 10), OK);
    assert_int_equal(link_send(s, GATE, SIM_HOME, 2, 10), OK);
    run(s, 400);
    assert_int_equal(s->messages, 1);
    assert_int_equal(s->at_peer[0], 2);
    run(s, 200);
    assert_int_equal(s->messages, 2);
}

/* A message that causes another on the same link: the other waits for its own delivery. */
static void
test_messages_that_cause_messages(void **state)
{
    struct scene *s = *state;
    s->answer = true;
    assert_int_equal(link_send(s, GATE, SIM_HOME, 1, 10), OK);
    run(s, 1);
    assert_true(s->messages < 100);
    run(s, 1000);
    assert_int_equal(s->messages, 100);
}

static void
test_a_crash_loses_what_is_in_flight(void **state)
{
    struct scene *s = *state;
    connect_person(s);
    assert_int_equal(link_send(s, GATE, SIM_HOME, 1, 10), OK);
    send_to_person(s, (const uint8_t *)"lost", 4);
    sim_net_crash(s->net);
    assert_int_equal(s->broke, 1);
    assert_int_equal(s->closed, 0); /* there is no gate that could be told */
    run(s, 1000);
    assert_true(s->messages == 0 && s->person_bytes == 0);
    assert_int_equal(link_send(s, GATE, SIM_HOME, 1, 10), OK);
    connect_person(s);
    run(s, 10);
    assert_int_equal(s->messages, 1);
}

static uint64_t
history(uint64_t seed, uint8_t content)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    open_seed(s, seed);
    uint8_t bytes[3000];
    memset(bytes, content, sizeof bytes);
    connect_person(s);
    for (uint32_t i = 0; i < 10; i++) {
        sim_net_send(s->net, PERSON, bytes, 300);
        send_to_person(s, bytes, sizeof bytes);
        assert_int_equal(link_send(s, GATE, SIM_HOME, content, 50), OK);
        run(s, 100);
    }
    uint64_t hash = sim_net_hash(s->net);
    void *state = s;
    close_scene(&state);
    return hash;
}

static void
test_equal_histories_have_equal_hashes(void **state)
{
    (void)state;
    assert_true(history(7, 1) == history(7, 1));
    assert_true(history(7, 1) != history(8, 1));
    assert_true(history(7, 1) != history(7, 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_streams_keep_their_order),
        TEST(test_a_socket_is_bounded),
        TEST(test_what_was_said_before_the_end_arrives),
        TEST(test_lines_break),
        TEST(test_links_keep_order_and_are_bounded),
        TEST(test_a_clogged_home),
        TEST(test_messages_that_cause_messages),
        TEST(test_a_crash_loses_what_is_in_flight),
        cmocka_unit_test(test_equal_histories_have_equal_hashes),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
