#include "store/spread.h"

#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/keys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ENGINES 3
#define PLAYER  UINT64_C(0x00010000000000a7)

struct bench {
    struct events schedule;
    struct memory_store *memory[ENGINES];
    struct memory_connection *connections[ENGINES];
    struct spread *spread;
    struct env_store port;
    uint32_t committed, gots, scans;
    enum store_result result, scan_result;
    bool exists;
    uint32_t found_count;
    struct key found[STORE_SCAN_MAX];
    char hinted[STORE_KEY_MAX + 1];
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct bench *b = ctx;
    assert_int_equal(token, 9);
    b->gots++;
    b->result = result;
    b->exists = doc != NULL && doc->exists;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct bench *b = ctx;
    assert_int_equal(token, 7);
    b->committed++;
    b->result = result;
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct bench *b = ctx;
    assert_int_equal(token, 5);
    b->scans++;
    b->scan_result = result;
    b->found_count = count;
    for (uint32_t i = 0; i < count; i++) {
        b->found[i] = (struct key){.bytes = (uint8_t)found[i].key.bytes};
        memcpy(b->found[i].text, found[i].key.at, found[i].key.bytes);
        /* The value is the key: what was copied belongs together. */
        assert_int_equal(found[i].doc.value.bytes, found[i].key.bytes);
        assert_memory_equal(found[i].doc.value.at, found[i].key.at, found[i].key.bytes);
    }
}

static void
on_changed(void *ctx, struct slice key)
{
    struct bench *b = ctx;
    snprintf(b->hinted, sizeof b->hinted, "%.*s", (int)key.bytes, (const char *)key.at);
}

static struct bench *
bench_alloc(uint32_t calls_max)
{
    static struct bench b;
    uint8_t engine_of[SPREAD_BUCKETS];
    memset(&b, 0, sizeof b);
    events_init(&b.schedule, 3);
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++)
        engine_of[i] = (uint8_t)(i % ENGINES);
    b.spread = spread_alloc(ENGINES, engine_of);
    for (uint32_t i = 0; i < ENGINES; i++) {
        b.memory[i] = memory_store_alloc(&(struct memory_store_options){
            .schedule = events_port(&b.schedule), .calls_max = calls_max});
        b.connections[i] = memory_store_connect(b.memory[i], spread_done(b.spread, i));
        struct env_store port = memory_connection_port(b.connections[i]);
        spread_connect(b.spread, i, &port);
    }
    b.port = spread_port(b.spread, (struct store_done){.ctx = &b,
                                                       .got = on_got,
                                                       .committed = on_committed,
                                                       .scanned = on_scanned,
                                                       .changed = on_changed});
    return &b;
}

static void
bench_free(struct bench *b)
{
    for (uint32_t i = 0; i < ENGINES; i++) {
        if (b->connections[i] != NULL)
            memory_connection_crash(&b->connections[i]);
        memory_store_free(&b->memory[i]);
    }
    spread_free(&b->spread);
    events_fini(&b->schedule);
}

static void
run(struct bench *b)
{
    events_run(&b->schedule, b->schedule.now_us + 50000);
}

static struct store_write
put(const struct key *key)
{
    return (struct store_write){.key = key_slice(key), .op = STORE_PUT, .value = key_slice(key)};
}

static uint32_t
bucket(const char *key)
{
    return spread_bucket((struct slice){(const uint8_t *)key, strlen(key)});
}

/* These numbers may never change: they say where documents are. */
static void
buckets_are_for_ever(void **state)
{
    (void)state;
    assert_int_equal(bucket("0001/player/0001000000000001"), 1724);
    assert_int_equal(bucket("0001/meta/clock"), 367);
    assert_int_equal(bucket("0001/tx/00000000000a-00000000002"), 980);
}

static void
what_belongs_to_one_owner_lies_together(void **state)
{
    (void)state;
    uint32_t at = bucket("0001/player/00010000000000a7");
    assert_int_equal(bucket("0001/inbox/00010000000000a7"), at);
    assert_int_equal(bucket("0001/ledger/00010000000000a7-000000000012"), at);
    assert_int_equal(bucket("0001/ledger/00010000000000a7-000000000013"), at);
    assert_int_not_equal(bucket("0001/player/00010000000000a8"), at);
    assert_int_not_equal(bucket("0001/meta/a"), bucket("0001/meta/b"));
    assert_int_not_equal(bucket("strange"), bucket("0001/strange"));
    /* 16 digits with more letters behind are a name. */
    assert_int_not_equal(bucket("0001/player/00010000000000a7b"), at);
}

static void
buckets_are_even(void **state)
{
    (void)state;
    static uint32_t hits[SPREAD_BUCKETS];
    memset(hits, 0, sizeof hits);
    for (uint64_t id = 1; id <= 100 * SPREAD_BUCKETS; id++) {
        struct key key = key_make(1, KEY_CLASS_PLAYER, PLAYER + id);
        hits[spread_bucket(key_slice(&key))]++;
    }
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++)
        assert_in_range(hits[i], 50, 160);
}

static void
calls_go_to_the_engine_of_their_key(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(64);
    uint32_t held[ENGINES] = {0};
    for (uint64_t id = 1; id <= 60; id++) {
        struct key key = key_make(1, KEY_CLASS_PLAYER, PLAYER + id);
        struct store_write write = put(&key);
        assert_int_equal(b->port.commit(b->port.ctx, 7, &write, 1), OK);
        run(b);
        assert_int_equal(b->result, STORE_OK);
        uint32_t engine = spread_engine(b->spread, key_slice(&key));
        assert_int_equal(b->port.group(b->port.ctx, key_slice(&key)), engine);
        for (uint32_t i = 0; i < ENGINES; i++)
            assert_int_equal(memory_store_look(b->memory[i], key_slice(&key)).exists, i == engine);
        held[engine]++;
        assert_int_equal(b->port.get(b->port.ctx, 9, key_slice(&key)), OK);
        run(b);
        assert_true(b->exists);
    }
    assert_true(held[0] > 5 && held[1] > 5 && held[2] > 5);
    struct key key = key_make(1, KEY_CLASS_PLAYER, PLAYER + 1);
    struct store_write write = put(&key);
    write.expected_version = 1;
    assert_int_equal(b->port.watch(b->port.ctx, key_slice(&key), true), OK);
    assert_int_equal(b->port.commit(b->port.ctx, 7, &write, 1), OK);
    run(b);
    assert_string_equal(b->hinted, key.text);
    bench_free(b);
}

static void
a_commit_lies_on_one_engine(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(64);
    struct key player = key_make(1, "player", PLAYER), inbox = key_make(1, "inbox", PLAYER);
    struct key far = key_make(1, "player", PLAYER + 1);
    for (uint64_t id = 2;
         spread_engine(b->spread, key_slice(&far)) == spread_engine(b->spread, key_slice(&player));
         id++)
        far = key_make(1, "player", PLAYER + id);
    struct store_write near_writes[] = {put(&player), put(&inbox)};
    struct store_write far_writes[] = {put(&player), put(&far)};
    assert_true(spread_together(b->spread, near_writes, 2));
    assert_false(spread_together(b->spread, far_writes, 2));
    assert_int_equal(b->port.commit(b->port.ctx, 7, far_writes, 2), ERR_RANGE);
    assert_int_equal(b->port.commit(b->port.ctx, 7, near_writes, 2), OK);
    run(b);
    assert_int_equal(b->committed, 1);
    assert_int_equal(b->result, STORE_OK);
    bench_free(b);
}

/* ---- scans ---- */

static void
fill(struct bench *b, uint32_t documents)
{
    for (uint32_t i = 0; i < documents; i++) {
        struct key key = key_make(1, "thing", i);
        struct store_write write = put(&key);
        assert_int_equal(b->port.commit(b->port.ctx, 7, &write, 1), OK);
        run(b);
    }
}

static enum store_result
scan(struct bench *b, const char *after, uint32_t limit)
{
    struct slice prefix = {(const uint8_t *)"0001/thing/", 11};
    struct slice behind = {(const uint8_t *)after, strlen(after)};
    uint32_t scans = b->scans;
    assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, behind, limit), OK);
    run(b);
    assert_int_equal(b->scans, scans + 1);
    return b->scan_result;
}

static void
a_scan_merges_in_the_order_of_keys(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(64);
    char after[STORE_KEY_MAX + 1] = "";
    uint32_t next = 0;
    fill(b, 150);
    for (uint32_t pages = 0; pages < 20; pages++) {
        assert_int_equal(scan(b, after, 11), STORE_OK);
        for (uint32_t i = 0; i < b->found_count; i++, next++) {
            struct key expected = key_make(1, "thing", next);
            assert_string_equal(b->found[i].text, expected.text);
        }
        if (b->found_count < 11)
            break;
        strcpy(after, b->found[10].text);
    }
    assert_int_equal(next, 150);
    bench_free(b);
}

static void
a_scan_needs_all_engines(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(64);
    fill(b, 20);
    memory_store_set_away(b->memory[1], true);
    assert_int_equal(scan(b, "", 64), STORE_UNAVAILABLE);
    assert_int_equal(b->found_count, 0);
    memory_store_set_away(b->memory[1], false);
    assert_int_equal(scan(b, "", 64), STORE_OK);
    assert_int_equal(b->found_count, 20);
    bench_free(b);
}

static void
scans_are_limited(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(64);
    struct slice prefix = {(const uint8_t *)"0001/", 5};
    for (uint32_t i = 0; i < SPREAD_SCANS_MAX; i++)
        assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, (struct slice){0}, 8), OK);
    assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, (struct slice){0}, 8), ERR_FULL);
    assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, (struct slice){0}, 0), ERR_RANGE);
    run(b);
    assert_int_equal(b->scans, SPREAD_SCANS_MAX);
    assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, (struct slice){0}, 8), OK);
    bench_free(b); /* with it under way */
}

/* One engine has no room for a scan: those that were asked still answer, and nobody is told twice.
 */
static void
a_scan_refused_in_part_is_unavailable(void **state)
{
    (void)state;
    struct bench *b = bench_alloc(2);
    struct slice prefix = {(const uint8_t *)"0001/", 5};
    struct key key = key_make(1, KEY_CLASS_PLAYER, PLAYER);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(b->port.get(b->port.ctx, 9, key_slice(&key)), OK);
    assert_int_equal(b->port.get(b->port.ctx, 9, key_slice(&key)), ERR_FULL);
    assert_int_equal(b->port.scan(b->port.ctx, 5, prefix, (struct slice){0}, 8), OK);
    run(b);
    assert_int_equal(b->scans, 1);
    assert_int_equal(b->scan_result, STORE_UNAVAILABLE);
    bench_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_for_ever),
        cmocka_unit_test(what_belongs_to_one_owner_lies_together),
        cmocka_unit_test(buckets_are_even),
        cmocka_unit_test(calls_go_to_the_engine_of_their_key),
        cmocka_unit_test(a_commit_lies_on_one_engine),
        cmocka_unit_test(a_scan_merges_in_the_order_of_keys),
        cmocka_unit_test(a_scan_needs_all_engines),
        cmocka_unit_test(scans_are_limited),
        cmocka_unit_test(a_scan_refused_in_part_is_unavailable),
    };
    return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}
