#include "store/servers.h"

#include "sim/events.h"
#include "sim/memory_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SERVERS 3
#define WORLD   1
#define NODES   2

struct bench {
    struct events schedule;
    struct env env;
    struct memory_store *memory[SERVERS];
    struct memory_connection *connections[NODES][SERVERS];
    struct servers nodes[NODES];
};

static struct bench *
bench_alloc(void)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    events_init(&b.schedule, 5);
    b.env.clock = events_clock(&b.schedule);
    for (uint32_t i = 0; i < SERVERS; i++)
        b.memory[i] = memory_store_alloc(
            &(struct memory_store_options){.schedule = events_port(&b.schedule)});
    return &b;
}

static void
disconnect(struct bench *b, uint32_t node)
{
    for (uint32_t i = 0; i < SERVERS; i++)
        if (b->connections[node][i] != NULL)
            memory_connection_crash(&b->connections[node][i]);
}

static void
bench_free(struct bench *b)
{
    for (uint32_t node = 0; node < NODES; node++)
        disconnect(b, node);
    for (uint32_t i = 0; i < SERVERS; i++)
        memory_store_free(&b->memory[i]);
    events_fini(&b->schedule);
}

/* order: which memory each address is. */
static struct servers *
open_servers(struct bench *b, uint32_t node, uint32_t count, const uint32_t order[])
{
    struct servers *s = &b->nodes[node];
    disconnect(b, node);
    servers_init(s, &b->env, WORLD, count);
    for (uint32_t i = 0; i < count; i++) {
        struct memory_connection **c = &b->connections[node][i];
        *c = memory_store_connect(b->memory[order[i]], servers_done(s, i));
        struct env_store port = memory_connection_port(*c);
        servers_connect(s, i, &port);
    }
    return s;
}

static bool
has_ended(const struct servers *s)
{
    return s->state == SERVERS_DONE || s->state == SERVERS_FAILED;
}

static void
run(struct bench *b, struct servers *one, struct servers *other)
{
    for (uint32_t i = 0; i < 20000 && !(has_ended(one) && has_ended(other)); i++) {
        (void)servers_turn(one);
        (void)servers_turn(other);
        events_run(&b->schedule, b->schedule.now_us + 1000);
    }
    assert_true(has_ended(one) && has_ended(other));
}

static enum servers_state
open_and_run(struct bench *b, uint32_t count, const uint32_t order[])
{
    struct servers *s = open_servers(b, 0, count, order);
    run(b, s, s);
    return s->state;
}

static void
raw_put(struct bench *b, uint32_t server, const char *key)
{
    servers_init(&b->nodes[1], &b->env, WORLD, 1);
    struct store_done done = servers_done(&b->nodes[1], 0);
    struct memory_connection *c = memory_store_connect(b->memory[server], done);
    struct env_store port = memory_connection_port(c);
    struct store_write write = {.key = {(const uint8_t *)key, strlen(key)},
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {(const uint8_t *)"\x08", 1}};
    assert_int_equal(port.commit(port.ctx, 0, &write, 1), OK);
    events_run(&b->schedule, b->schedule.now_us + 20000);
    memory_connection_crash(&c);
}

static const uint32_t in_order[] = {0, 1, 2}, turned[] = {1, 0, 2};

static void
empty_servers_are_marked_and_counted(void **state)
{
    (void)state;
    struct bench *b = bench_alloc();
    for (uint64_t opening = 1; opening <= 3; opening++) {
        assert_int_equal(open_and_run(b, 3, in_order), SERVERS_DONE);
        assert_int_equal(b->nodes[0].openings, opening);
    }
    uint32_t shares[3] = {0};
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++)
        shares[b->nodes[0].of_bucket[i]]++;
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range(shares[i], SPREAD_BUCKETS / 3, SPREAD_BUCKETS / 3 + 1);
    bench_free(b);
}

static void
one_server_alone_is_left_as_it_is(void **state)
{
    (void)state;
    struct bench *b = bench_alloc();
    raw_put(b, 0, "0001/player/0001000000000001");
    assert_int_equal(open_and_run(b, 1, in_order), SERVERS_DONE);
    uint32_t cursor = 0, documents = 0;
    struct slice key;
    struct store_doc doc;
    while (memory_store_next(b->memory[0], &cursor, &key, &doc))
        documents++;
    assert_int_equal(documents, 1);
    bench_free(b);
}

static void
what_would_be_written_where_nobody_looks_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_alloc();
    assert_int_equal(open_and_run(b, 2, in_order), SERVERS_DONE);
    assert_int_equal(open_and_run(b, 2, turned), SERVERS_FAILED);
    assert_non_null(strstr(b->nodes[0].why, "order"));
    assert_int_equal(open_and_run(b, 1, in_order), SERVERS_FAILED);
    assert_int_equal(open_and_run(b, 3, in_order), SERVERS_FAILED);
    /* An empty one in the place of the second, or of the first. */
    assert_int_equal(open_and_run(b, 2, (const uint32_t[]){0, 2}), SERVERS_FAILED);
    assert_non_null(strstr(b->nodes[0].why, "restore"));
    raw_put(b, 1, "0001/player/0001000000000001");
    assert_int_equal(open_and_run(b, 2, (const uint32_t[]){2, 1}), SERVERS_FAILED);
    assert_int_equal(open_and_run(b, 2, in_order), SERVERS_DONE);
    bench_free(b);
}

static void
a_world_of_one_server_is_not_spread_by_the_way(void **state)
{
    (void)state;
    struct bench *b = bench_alloc();
    raw_put(b, 0, "0001/player/0001000000000001");
    assert_int_equal(open_and_run(b, 2, in_order), SERVERS_FAILED);
    assert_non_null(strstr(b->nodes[0].why, "empty servers"));
    raw_put(b, 1, "0002/player/0002000000000001"); /* another world may live beside it */
    assert_int_equal(open_and_run(b, 2, (const uint32_t[]){1, 2}), SERVERS_DONE);
    bench_free(b);
}

static void
begun_marks_are_finished(void **state)
{
    (void)state;
    struct bench *b = bench_alloc();
    struct servers *s = open_servers(b, 0, 3, in_order);
    while (s->state != SERVERS_MAKING) {
        (void)servers_turn(s);
        events_run(&b->schedule, b->schedule.now_us + 100);
    }
    disconnect(b, 0); /* some of the marks are there */
    events_run(&b->schedule, b->schedule.now_us + 20000);
    assert_int_equal(open_and_run(b, 3, in_order), SERVERS_DONE);
    bench_free(b);
}

/* Two at once, through every kind of failure: both end, in one table, with numbers of their own. */
static void
faults_and_races_do_no_harm(void **state)
{
    (void)state;
    struct memory_store_knobs knobs = {.get_us_min = 50,
                                       .get_us_max = 3000,
                                       .commit_us_min = 50,
                                       .commit_us_max = 3000,
                                       .unknown_done_ppm = 100000,
                                       .unknown_lost_ppm = 100000,
                                       .unknown_late_ppm = 100000,
                                       .unavailable_ppm = 100000,
                                       .twice_ppm = 100000};
    struct bench *b = bench_alloc();
    for (uint32_t i = 0; i < SERVERS; i++)
        memory_store_set_knobs(b->memory[i], &knobs);
    uint64_t last = 0;
    for (uint32_t round = 0; round < 30; round++) {
        struct servers *one = open_servers(b, 0, 3, in_order);
        struct servers *other = open_servers(b, 1, 3, in_order);
        run(b, one, other);
        assert_int_equal(one->state, SERVERS_DONE);
        assert_int_equal(other->state, SERVERS_DONE);
        assert_int_not_equal(one->openings, other->openings);
        assert_true(one->openings > last && other->openings > last);
        last = one->openings > other->openings ? one->openings : other->openings;
        assert_memory_equal(one->of_bucket, other->of_bucket, SPREAD_BUCKETS);
    }
    bench_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_servers_are_marked_and_counted),
        cmocka_unit_test(one_server_alone_is_left_as_it_is),
        cmocka_unit_test(what_would_be_written_where_nobody_looks_is_refused),
        cmocka_unit_test(a_world_of_one_server_is_not_spread_by_the_way),
        cmocka_unit_test(begun_marks_are_finished),
        cmocka_unit_test(faults_and_races_do_no_harm),
    };
    return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
