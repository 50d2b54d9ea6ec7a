/* The model's faults: that each one happens, and that none of them breaks what the port promises.
 */
#include "sim/events.h"
#include "sim/memory_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKENS_MAX 8192

struct fixture {
    struct events schedule;
    struct memory_store *store;
    struct env_store port;
    uint64_t next;
    uint32_t times[TOKENS_MAX];
    enum store_result results[TOKENS_MAX];
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)doc;
    struct fixture *f = ctx;
    f->times[token]++;
    f->results[token] = result;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    on_got(ctx, token, result, NULL);
}

static void
connect_store(struct fixture *f)
{
    f->port = memory_store_port(
        f->store, (struct store_done){.ctx = f, .got = on_got, .committed = on_committed});
}

static struct fixture *
fixture_alloc(uint64_t seed)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    events_init(&f->schedule, seed);
    struct memory_store_options options = {
        .schedule = events_port(&f->schedule), .documents_max = 64, .calls_max = 1024};
    f->store = memory_store_alloc(&options);
    connect_store(f);
    return f;
}

static void
fixture_free(struct fixture *f)
{
    memory_store_free(&f->store);
    events_fini(&f->schedule);
    free(f);
}

static void
settle(struct fixture *f)
{
    while (memory_store_under_way(f->store) > 0)
        assert_true(events_step(&f->schedule));
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static uint64_t
put(struct fixture *f, uint32_t key, uint64_t version)
{
    char name[16];
    snprintf(name, sizeof name, "k%u", key);
    struct store_write write = {
        .key = text(name), .expected_version = version, .op = STORE_PUT, .value = text(name)};
    assert_true(f->next < TOKENS_MAX);
    assert_int_equal(f->port.commit(f->port.ctx, f->next, &write, 1), OK);
    return f->next++;
}

static uint64_t
version(struct fixture *f, uint32_t key)
{
    char name[16];
    snprintf(name, sizeof name, "k%u", key);
    return memory_store_look(f->store, text(name)).version;
}

static const struct memory_store_knobs all_faults = {
    .get_us_min = 10,
    .get_us_max = 1000,
    .commit_us_min = 10,
    .commit_us_max = 10000,
    .unknown_done_ppm = 100000,
    .unknown_lost_ppm = 100000,
    .unknown_late_ppm = 100000,
    .unavailable_ppm = 100000,
};

/* One key each: what is answered tells whether it happened; each kind of fault comes up. */
static void
answers_are_true(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(3);
    memory_store_set_knobs(f->store, &all_faults);
    uint32_t unknown_done = 0, unknown_lost = 0;
    uint64_t before[64] = {0};
    for (uint32_t round = 0; round < 50; round++) {
        uint64_t first = f->next;
        for (uint32_t key = 0; key < 64; key++)
            (void)put(f, key, before[key]);
        settle(f);
        for (uint32_t key = 0; key < 64; key++) {
            bool happened = version(f, key) == before[key] + 1;
            assert_true(happened || version(f, key) == before[key]);
            assert_int_equal(f->times[first + key], 1);
            switch (f->results[first + key]) {
            case STORE_OK: assert_true(happened); break;
            case STORE_UNAVAILABLE: assert_false(happened); break;
            case STORE_UNKNOWN:
                unknown_done += happened;
                unknown_lost += !happened;
                break;
            case STORE_CONFLICT: fail(); break;
            }
            before[key] += happened;
        }
    }
    struct memory_store_stats stats = memory_store_stats(f->store);
    assert_true(unknown_done > 300 && unknown_lost > 100 && stats.late > 100 &&
                stats.unavailable > 100);
    assert_int_equal(stats.unknown, unknown_done + unknown_lost);
    fixture_free(f);
}

static void
late_ones_come_after_their_answer(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(3);
    struct memory_store_knobs knobs = {
        .commit_us_min = 10, .commit_us_max = 100, .unknown_late_ppm = 1000000};
    memory_store_set_knobs(f->store, &knobs);
    uint64_t token = put(f, 1, 0);
    while (f->times[token] == 0)
        assert_true(events_step(&f->schedule));
    assert_int_equal(f->results[token], STORE_UNKNOWN);
    assert_int_equal(version(f, 1), 0);
    settle(f);
    assert_int_equal(version(f, 1), 1);
    fixture_free(f);
}

/* Acknowledged stays; the rest happens or not, and is never answered. */
static void
a_crash_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint32_t happened = 0, gone = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fixture *f = fixture_alloc(seed);
        for (uint32_t key = 0; key < 64; key++)
            (void)put(f, key, 0);
        events_run(&f->schedule, f->schedule.now_us + 3000);
        memory_store_crash(f->store);
        assert_int_equal(memory_store_under_way(f->store), 0);
        connect_store(f);
        for (uint32_t key = 0; key < 64; key++) {
            if (f->times[key] == 0) {
                happened += version(f, key) == 1;
                gone += version(f, key) == 0;
            } else {
                assert_int_equal(version(f, key), 1);
            }
        }
        events_run(&f->schedule, f->schedule.now_us + 100000); /* events of the dead */
        for (uint32_t key = 0; key < 64; key++)
            assert_true(f->times[key] <= 1);
        uint64_t token = put(f, 1, version(f, 1));
        settle(f);
        assert_int_equal(f->results[token], STORE_OK);
        fixture_free(f);
    }
    assert_true(happened > 100 && gone > 100);
}

static void
away_is_away(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(1);
    uint64_t token = put(f, 1, 0);
    settle(f);
    memory_store_set_away(f->store, true);
    uint64_t other = put(f, 1, 1);
    assert_int_equal(f->port.get(f->port.ctx, f->next++, text("k1")), OK);
    settle(f);
    assert_int_equal(f->results[token], STORE_OK);
    assert_int_equal(f->results[other], STORE_UNAVAILABLE);
    assert_int_equal(f->results[other + 1], STORE_UNAVAILABLE);
    assert_int_equal(version(f, 1), 1);
    memory_store_set_away(f->store, false);
    other = put(f, 1, 1);
    settle(f);
    assert_int_equal(f->results[other], STORE_OK);
    fixture_free(f);
}

static void
a_full_disk_is_unavailable(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(1);
    for (uint32_t key = 0; key < 64; key++)
        (void)put(f, key, 0);
    settle(f);
    uint64_t token = put(f, 64, 0), fits = put(f, 63, 1);
    settle(f);
    assert_int_equal(f->results[token], STORE_UNAVAILABLE);
    assert_int_equal(f->results[fits], STORE_OK);
    fixture_free(f);
}

static uint64_t
history(uint64_t seed)
{
    struct fixture *f = fixture_alloc(seed);
    memory_store_set_knobs(f->store, &all_faults);
    for (uint32_t i = 0; i < 500; i++) {
        (void)put(f, i % 60, i % 3 ? STORE_ANY_VERSION : i / 60);
        if (i % 50 == 49) {
            events_run(&f->schedule, f->schedule.now_us + 5000);
            if (i % 100 == 99) {
                memory_store_crash(f->store);
                connect_store(f);
            }
        }
    }
    settle(f);
    uint64_t digest = memory_store_digest(f->store) ^ (uint64_t)f->schedule.now_us;
    fixture_free(f);
    return digest;
}

static void
one_seed_one_history(void **state)
{
    (void)state;
    uint32_t different = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(history(seed), history(seed));
        different += history(seed) != history(seed + 1);
    }
    assert_int_equal(different, 20);
}

/* ---- several processes ---- */

#define NODES 3

struct node {
    struct memory_connection *connection;
    struct env_store port;
    uint64_t version; /* as told last */
    uint32_t answers, hints;
    enum store_result result;
    int64_t answered_us;
    const struct events *schedule; /* borrowed */
};

static void
node_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)token;
    struct node *n = ctx;
    n->answers++;
    n->result = result;
    n->version = doc == NULL ? 0 : doc->version;
    n->answered_us = n->schedule->now_us;
}

static void
node_committed(void *ctx, uint64_t token, enum store_result result)
{
    node_got(ctx, token, result, NULL);
}

static void
node_changed(void *ctx, struct slice key)
{
    struct node *n = ctx;
    assert_true(key.bytes == 2 && key.at[0] == 'k');
    n->hints++;
}

static void
node_connect(struct fixture *f, struct node *n)
{
    *n = (struct node){.schedule = &f->schedule};
    n->connection = memory_store_connect(f->store, (struct store_done){.ctx = n,
                                                                       .got = node_got,
                                                                       .committed = node_committed,
                                                                       .changed = node_changed});
    n->port = memory_connection_port(n->connection);
}

static void
node_put(struct node *n, const char *key, uint64_t version_expected, enum store_op op)
{
    struct store_write write = {.key = text(key), .expected_version = version_expected, .op = op};
    if (op == STORE_PUT)
        write.value = text(key);
    assert_int_equal(n->port.commit(n->port.ctx, 0, &write, 1), OK);
}

static void
node_get(struct node *n, const char *key)
{
    assert_int_equal(n->port.get(n->port.ctx, 0, text(key)), OK);
}

static void
processes_share_documents_and_die_alone(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(9);
    struct node nodes[NODES];
    for (uint32_t i = 0; i < NODES; i++)
        node_connect(f, &nodes[i]);
    for (uint32_t i = 0; i < NODES; i++)
        node_put(&nodes[i], "k1", 0, STORE_PUT);
    settle(f);
    uint32_t won = 0;
    for (uint32_t i = 0; i < NODES; i++)
        won += nodes[i].result == STORE_OK;
    assert_int_equal(won, 1);
    for (uint32_t i = 0; i < NODES; i++)
        node_get(&nodes[i], "k1");
    memory_connection_crash(&nodes[1].connection);
    assert_null(nodes[1].connection);
    settle(f);
    assert_int_equal(nodes[0].version, 1);
    assert_int_equal(nodes[1].answers, 1);
    assert_int_equal(nodes[2].answers, 2);
    fixture_free(f);
}

/* Knob on: some of what a dead process had sent takes effect when others go on already; off: what
 * is to happen has happened when the crash is over. */
static void
the_dead_may_still_write(void **state)
{
    (void)state;
    for (uint32_t ppm = 0; ppm <= 1000000; ppm += 1000000) {
        struct fixture *f = fixture_alloc(10);
        memory_store_set_knobs(f->store, &(struct memory_store_knobs){.commit_us_min = 100,
                                                                      .commit_us_max = 1000,
                                                                      .zombie_ppm = ppm});
        uint32_t at_once = 0, later = 0;
        for (uint32_t round = 0; round < 200; round++) {
            struct node n;
            node_connect(f, &n);
            uint64_t before = version(f, 1);
            node_put(&n, "k1", STORE_ANY_VERSION, STORE_PUT);
            memory_connection_crash(&n.connection);
            at_once += version(f, 1) != before;
            before = version(f, 1);
            settle(f);
            later += version(f, 1) != before;
        }
        uint32_t happened = ppm == 0 ? at_once : later;
        assert_in_range(happened, 60, 140);
        assert_int_equal(ppm == 0 ? later : at_once, 0);
        assert_int_equal(memory_store_stats(f->store).zombies, later);
        fixture_free(f);
    }
}

static void
a_stall_holds_everything_up_in_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(11);
    struct node stuck, other;
    node_connect(f, &stuck);
    node_connect(f, &other);
    int64_t until_us = f->schedule.now_us + 1000000;
    memory_connection_stall(stuck.connection, 1000000);
    memory_connection_stall(stuck.connection, 10); /* does not shorten it */
    for (uint32_t i = 0; i < 10; i++)
        node_put(&stuck, "k1", i, STORE_PUT);
    node_put(&other, "k2", 0, STORE_PUT);
    events_run(&f->schedule, until_us - 1);
    assert_int_equal(stuck.answers, 0);
    assert_int_equal(version(f, 1), 0);
    assert_int_equal(other.answers, 1);
    settle(f);
    assert_int_equal(stuck.answers, 10);
    assert_true(stuck.answered_us >= until_us);
    assert_true(version(f, 1) >= 1);
    node_get(&stuck, "k1");
    settle(f);
    assert_true(stuck.version == version(f, 1));
    fixture_free(f);
}

/* What was read before the stall is told after it, and is old by then. */
static void
answers_may_be_old(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(12);
    struct node slow, other;
    node_connect(f, &slow);
    node_connect(f, &other);
    uint32_t old = 0;
    for (uint32_t i = 0; i < 200; i++) {
        uint64_t before = version(f, 1);
        node_get(&slow, "k1");
        node_put(&other, "k1", STORE_ANY_VERSION, STORE_PUT);
        settle(f);
        assert_true(slow.version == before || slow.version == before + 1);
        old += slow.version != before + 1;
    }
    assert_in_range(old, 100, 200);
    assert_true(memory_store_stats(f->store).stale > 0);
    fixture_free(f);
}

/* A record of a commit, made and forgotten, comes back by a late duplicate; any other document does
 * not change by one, as its version does not fit. */
static void
duplicates_change_only_what_was_forgotten(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(13);
    memory_store_set_knobs(f->store, &(struct memory_store_knobs){.commit_us_min = 10,
                                                                  .commit_us_max = 1000,
                                                                  .twice_ppm = 500000});
    struct node n;
    node_connect(f, &n);
    uint32_t back = 0;
    for (uint32_t i = 0; i < 200; i++) {
        node_put(&n, "k1", i, STORE_PUT);
        uint64_t seen = version(f, 2);
        node_put(&n, "k2", seen, STORE_PUT);
        while (memory_connection_under_way(n.connection) > 0)
            assert_true(events_step(&f->schedule));
        node_put(&n, "k2", STORE_ANY_VERSION, STORE_FORGET);
        settle(f);
        assert_int_equal(version(f, 1), i + 1);
        back += version(f, 2) != 0;
    }
    assert_in_range(back, 20, 180);
    assert_int_equal(memory_store_stats(f->store).twice >= back, true);
    fixture_free(f);
}

static void
watches_hint_at_what_changes(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(14);
    struct node watching, other;
    node_connect(f, &watching);
    node_connect(f, &other);
    assert_int_equal(watching.port.watch(watching.port.ctx, text("k1"), true), OK);
    assert_int_equal(watching.port.watch(watching.port.ctx, text("k1"), true), OK);
    node_put(&other, "k1", 0, STORE_PUT);
    node_put(&other, "k2", 0, STORE_PUT);
    settle(f);
    assert_int_equal(watching.hints, 1);
    node_put(&other, "k1", 0, STORE_PUT); /* a conflict changes nothing */
    settle(f);
    assert_int_equal(watching.hints, 1);
    struct memory_store_knobs deaf = {.hint_lost_ppm = 1000000};
    memory_store_set_knobs(f->store, &deaf);
    node_put(&other, "k1", 1, STORE_DELETE);
    settle(f);
    assert_int_equal(watching.hints, 1);
    memory_store_set_knobs(f->store, &(struct memory_store_knobs){0});
    assert_int_equal(watching.port.watch(watching.port.ctx, text("k1"), false), OK);
    node_put(&other, "k1", 2, STORE_PUT);
    settle(f);
    assert_int_equal(watching.hints, 1);
    assert_int_equal(other.port.watch(other.port.ctx, text("k1"), true), OK);
    memory_connection_crash(&other.connection);
    node_put(&watching, "k1", 3, STORE_PUT);
    settle(f);
    assert_int_equal(other.hints, 0);
    fixture_free(f);
}

/* ---- what checkers see ---- */

struct mirror {
    const struct fixture *f; /* borrowed */
    uint64_t versions[64];
    uint32_t open, commits;
};

static void
mirror_effect(void *ctx, struct slice key, const struct store_doc *before,
              const struct store_doc *after)
{
    struct mirror *m = ctx;
    unsigned long number = strtoul((const char *)key.at + 1, NULL, 10);
    assert_int_equal(before->version, m->versions[number]);
    assert_true(after->version == before->version + 1 || after->version == 0);
    assert_true(after->version == 0 ||
                memory_store_look(m->f->store, key).version == after->version);
    m->versions[number] = after->version;
    m->open++;
}

static void
mirror_end(void *ctx)
{
    struct mirror *m = ctx;
    m->commits++;
    assert_in_range(m->open, 0, 2);
    m->open = 0;
}

/* Whatever happens, in whatever way, is told in the moment it does. */
static void
effects_tell_every_change(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(15);
    struct mirror mirror = {.f = f};
    struct memory_store_knobs knobs = all_faults;
    knobs.twice_ppm = knobs.zombie_ppm = 200000;
    memory_store_set_knobs(f->store, &knobs);
    memory_store_set_effects(
        f->store,
        &(struct memory_effects){.ctx = &mirror, .effect = mirror_effect, .end = mirror_end});
    for (uint32_t i = 0; i < 2000; i++) {
        char a[8], b[8];
        snprintf(a, sizeof a, "k%u", i % 20);
        snprintf(b, sizeof b, "k%u", 20 + i % 7);
        struct store_write writes[2] = {
            {.key = text(a), .expected_version = version(f, i % 20), .op = STORE_PUT},
            {.key = text(b),
             .expected_version = STORE_ANY_VERSION,
             .op = i % 3 ? STORE_FORGET : STORE_PUT}};
        assert_int_equal(f->port.commit(f->port.ctx, f->next++, writes, 2), OK);
        if (i == 1000)
            memory_store_remember(f->store);
        if (i % 10 == 9)
            events_run(&f->schedule, f->schedule.now_us + 3000);
        if (i % 500 == 499) {
            memory_store_crash(f->store);
            connect_store(f);
        }
    }
    settle(f);
    assert_true(memory_store_rollback(f->store, 1) > 0);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(version(f, i), mirror.versions[i]);
    assert_true(mirror.commits > 500 && mirror.open == 0);
    fixture_free(f);
}

/* A third goes back to what it held; versions go on. */
static void
a_rollback_takes_back_a_third(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(16);
    for (uint32_t key = 0; key < 30; key++)
        (void)put(f, key, 0);
    settle(f);
    memory_store_remember(f->store);
    assert_int_equal(memory_store_rollback(f->store, 1), 0); /* all as it was */
    struct node n;
    node_connect(f, &n);
    char name[16];
    for (uint32_t key = 0; key < 30; key++) {
        snprintf(name, sizeof name, "k%u", key);
        node_put(&n, name, 1, STORE_DELETE);
    }
    for (uint32_t key = 30; key < 60; key++)
        (void)put(f, key, 0);
    settle(f);
    uint32_t changed = memory_store_rollback(f->store, 2), back = 0, gone = 0;
    for (uint32_t key = 0; key < 60; key++) {
        snprintf(name, sizeof name, "k%u", key);
        struct store_doc doc = memory_store_look(f->store, text(name));
        bool old = doc.exists == (key < 30);
        assert_int_equal(doc.version, (key < 30 ? 2 : 1) + old);
        back += old && key < 30;
        gone += old && key >= 30;
        if (doc.exists)
            assert_memory_equal(doc.value.at, name, doc.value.bytes);
    }
    assert_int_equal(back + gone, changed);
    assert_in_range(changed, 10, 30);
    assert_true(back > 0 && gone > 0);
    assert_int_equal(memory_store_stats(f->store).rolled_back, changed);
    fixture_free(f);
}

static void
one_key_at_a_time(void **state)
{
    (void)state;
    struct events schedule;
    events_init(&schedule, 1);
    struct memory_store *store = memory_store_alloc(
        &(struct memory_store_options){.schedule = events_port(&schedule), .commit_max = 1});
    struct node n = {.schedule = &schedule};
    n.connection = memory_store_connect(
        store, (struct store_done){.ctx = &n, .got = node_got, .committed = node_committed});
    n.port = memory_connection_port(n.connection);
    assert_int_equal(n.port.commit_max, 1);
    struct store_write writes[2] = {{.key = text("k1"), .op = STORE_PUT},
                                    {.key = text("k2"), .op = STORE_PUT}};
    assert_int_equal(n.port.commit(n.port.ctx, 0, writes, 2), ERR_RANGE);
    assert_int_equal(n.port.commit(n.port.ctx, 0, writes, 1), OK);
    memory_store_free(&store);
    events_fini(&schedule);
}

/* What was under way when a line is cut is answered, once, and nobody can say more of it. */
static void
a_cut_line_leaves_everything_unknown(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(8);
    struct memory_connection *line = memory_store_connect(
        f->store, (struct store_done){.ctx = f, .got = on_got, .committed = on_committed});
    f->port = memory_connection_port(line);
    for (uint32_t key = 0; key < 60; key++)
        put(f, key, 0);
    events_run(&f->schedule,
               f->schedule.now_us + 3000); /* some are answered, some have happened, some not */
    uint64_t get = f->next++;
    assert_int_equal(f->port.get(f->port.ctx, get, text("k1")), OK);
    uint32_t answered = 0, happened = 0, unknown = 0;
    for (uint32_t key = 0; key < 60; key++)
        answered += f->times[key];
    memory_connection_cut(line);
    settle(f);
    assert_int_equal(f->results[get], STORE_UNAVAILABLE);
    for (uint32_t key = 0; key < 60; key++) {
        assert_int_equal(f->times[key], 1);
        unknown += f->results[key] == STORE_UNKNOWN;
        assert_true(f->results[key] == STORE_UNKNOWN || version(f, key) == 1);
        happened += f->results[key] == STORE_UNKNOWN && version(f, key) == 1;
    }
    assert_int_equal(unknown, 60 - answered);
    assert_true(answered > 0 && happened > 0 && happened < unknown);
    uint64_t after = put(f, 61, 0);
    settle(f);
    assert_int_equal(f->results[after], STORE_OK);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_true),
        cmocka_unit_test(late_ones_come_after_their_answer),
        cmocka_unit_test(a_crash_loses_nothing_acknowledged),
        cmocka_unit_test(away_is_away),
        cmocka_unit_test(a_full_disk_is_unavailable),
        cmocka_unit_test(one_seed_one_history),
        cmocka_unit_test(processes_share_documents_and_die_alone),
        cmocka_unit_test(the_dead_may_still_write),
        cmocka_unit_test(a_stall_holds_everything_up_in_order),
        cmocka_unit_test(answers_may_be_old),
        cmocka_unit_test(duplicates_change_only_what_was_forgotten),
        cmocka_unit_test(watches_hint_at_what_changes),
        cmocka_unit_test(effects_tell_every_change),
        cmocka_unit_test(a_rollback_takes_back_a_third),
        cmocka_unit_test(one_key_at_a_time),
        cmocka_unit_test(a_cut_line_leaves_everything_unknown),
    };
    return cmocka_run_group_tests_name("memory_store", tests, NULL, NULL);
}
