/* Histories drawn from seeds: a few committers share one engine, which is used one key at a time or
 * holds its documents in groups that are committed together, and fails in every way the port
 * allows; they crash, stall, and run into each other. After every effect in the engine the
 * documents are looked at as a get would: what changes must be exactly one asked commit, whole,
 * upon the versions that it named. Then the faults end and everything must come to rest. Each
 * mutant must be caught by the same checks.
 */
#include "base/rand.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/committer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES        3
#define WORKERS      4 /* of a node */
#define DOCUMENTS    6
#define PIECES_MAX   3
#define ATTEMPTS_MAX 8192
#define WORLD        1

struct attempt {
    uint32_t count;
    uint32_t documents[PIECES_MAX];
    struct store_write writes[PIECES_MAX]; /* without key and value */
    bool happened, refused;
};

struct worker {
    bool busy;
    uint32_t attempt, gets_left;
    uint64_t asked_version[PIECES_MAX]; /* what was true when the get was asked */
};

struct node {
    struct history *history;
    struct committer *committer;
    struct memory_connection *connection;
    struct env_store port;
    struct worker workers[WORKERS];
    int64_t stalled_until_us;
};

struct view {
    uint64_t version;
    bool exists;
    uint64_t attempt; /* in the body; 0: none */
};

struct history {
    struct events schedule;
    struct env env;
    struct rand rand;
    struct memory_store *memory;
    struct memory_store_knobs knobs;
    struct committer_options options;
    struct node nodes[NODES];
    uint64_t epochs;
    struct key keys[DOCUMENTS];
    struct view views[DOCUMENTS];
    struct attempt attempts[ATTEMPTS_MAX];
    uint32_t attempts_made;
    uint32_t crash_ppm, stall_ppm;
    uint32_t groups; /* 0: one key at a time */
    bool quiet;
    const char *wrong;
    struct committer_stats stats; /* of committers that died */
    uint64_t steps, told[STORE_UNAVAILABLE + 1], checked;
};

static void
wrong(struct history *h, const char *why)
{
    if (h->wrong == NULL)
        h->wrong = why;
}

static bool
chance(struct history *h, uint32_t ppm)
{
    return rand_below(&h->rand, 1000000) < ppm;
}

/* ---- the truth ---- */

static enum record_state
record_state_of(void *ctx, struct txid id)
{
    struct history *h = ctx;
    struct key key = record_key(WORLD, id);
    struct store_doc raw = memory_store_look(h->memory, key_slice(&key));
    struct commit_record record;
    if (!raw.exists)
        return RECORD_MISSING;
    if (record_read(raw.value, &record) != OK) {
        wrong(h, "a record that cannot be read");
        return RECORD_MISSING;
    }
    return record.state;
}

static struct view
view_now(struct history *h, uint32_t document)
{
    struct store_doc raw = memory_store_look(h->memory, key_slice(&h->keys[document]));
    struct committer_view seen;
    struct view view = {0};
    if (committer_look(&raw, record_state_of, h, &seen) != OK) {
        wrong(h, "a document that cannot be read");
        return view;
    }
    view.version = seen.version;
    view.exists = seen.exists;
    if (seen.exists)
        memcpy(&view.attempt, seen.body.at, sizeof view.attempt);
    return view;
}

/* What changed in this moment is one attempt, whole. */
static void
attempt_happens(struct history *h, struct attempt *a, const struct view *now, uint32_t changed)
{
    if (a->happened)
        wrong(h, "happened twice");
    if (a->refused)
        wrong(h, "happened after it was refused");
    a->happened = true;
    h->checked++;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct store_write *w = &a->writes[i];
        uint32_t d = a->documents[i];
        uint64_t old = h->views[d].version;
        if (w->expected_version != STORE_ANY_VERSION && w->expected_version != old)
            wrong(h, "happened upon another version");
        if (w->op == STORE_CHECK)
            continue;
        if (!(changed & 1U << d))
            wrong(h, "happened in part");
        changed &= ~(1U << d);
        if (now[d].exists != (w->op == STORE_PUT))
            wrong(h, "another operation than was asked");
    }
    if (changed != 0)
        wrong(h, "changed what was not asked for");
}

static void
on_effects_end(void *ctx)
{
    struct history *h = ctx;
    struct view now[DOCUMENTS];
    uint32_t changed = 0;
    uint64_t attempt = 0;
    for (uint32_t d = 0; d < DOCUMENTS; d++) {
        now[d] = view_now(h, d);
        if (memcmp(&now[d].version, &h->views[d].version, sizeof now[d].version) == 0 &&
            now[d].exists == h->views[d].exists && now[d].attempt == h->views[d].attempt)
            continue;
        changed |= 1U << d;
        if (now[d].version != h->views[d].version + 1)
            wrong(h, "a version that is not the next one");
        if (now[d].exists)
            attempt = now[d].attempt;
    }
    if (changed == 0)
        return;
    if (attempt == 0 || attempt > h->attempts_made)
        wrong(h, "a change that nobody asked for");
    else
        attempt_happens(h, &h->attempts[attempt - 1], now, changed);
    memcpy(h->views, now, sizeof now);
}

static void
on_effect(void *ctx, struct slice key, const struct store_doc *before,
          const struct store_doc *after)
{
    (void)ctx;
    (void)key;
    (void)before;
    (void)after;
}

/* ---- users ---- */

static void
worker_commit(struct node *n, struct worker *w, uint64_t token)
{
    struct history *h = n->history;
    struct attempt *a = &h->attempts[w->attempt];
    struct store_write writes[PIECES_MAX];
    uint64_t body[16] = {w->attempt + 1};
    for (uint32_t i = 0; i < a->count; i++) {
        writes[i] = a->writes[i];
        writes[i].key = key_slice(&h->keys[a->documents[i]]);
        if (writes[i].op == STORE_PUT)
            writes[i].value =
                (struct slice){(const uint8_t *)body, 8 * (1 + rand_below(&h->rand, 15))};
    }
    if (n->port.commit(n->port.ctx, token, writes, a->count) != OK)
        w->busy = false;
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct node *n = ctx;
    struct history *h = n->history;
    struct worker *w = &n->workers[token % WORKERS];
    struct attempt *a = &h->attempts[w->attempt];
    uint32_t i = (uint32_t)(token / WORKERS);
    w->gets_left--;
    if (result == STORE_OK) {
        const struct view *now = &h->views[a->documents[i]];
        if (doc->version < w->asked_version[i])
            wrong(h, "a get told what was over when it was asked");
        if (doc->version > now->version)
            wrong(h, "a get told what has not happened");
        if (doc->version == now->version && doc->exists != now->exists)
            wrong(h, "a get told another body");
        if (a->writes[i].expected_version != STORE_ANY_VERSION)
            a->writes[i].expected_version = doc->version;
    }
    if (w->gets_left == 0)
        worker_commit(n, w, token % WORKERS);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct node *n = ctx;
    struct history *h = n->history;
    struct worker *w = &n->workers[token % WORKERS];
    struct attempt *a = &h->attempts[w->attempt];
    w->busy = false;
    h->told[result]++;
    bool only_checks = true;
    for (uint32_t i = 0; i < a->count; i++)
        only_checks &= a->writes[i].op == STORE_CHECK;
    switch (result) {
    case STORE_OK:
        if (!a->happened && !only_checks)
            wrong(h, "OK without effect");
        return;
    case STORE_CONFLICT:
    case STORE_UNAVAILABLE:
        if (a->happened)
            wrong(h, "refused, but it happened");
        a->refused = true;
        return;
    case STORE_UNKNOWN: return;
    }
}

static void
worker_start(struct node *n, uint32_t number)
{
    struct history *h = n->history;
    struct worker *w = &n->workers[number];
    if (h->attempts_made == ATTEMPTS_MAX)
        return;
    *w = (struct worker){.busy = true, .attempt = h->attempts_made++};
    struct attempt *a = &h->attempts[w->attempt];
    *a = (struct attempt){.count = 1 + rand_below(&h->rand, PIECES_MAX)};
    uint32_t first = rand_below(&h->rand, DOCUMENTS);
    for (uint32_t i = 0; i < a->count; i++) {
        a->documents[i] = (first + i * (1 + first % 2)) % DOCUMENTS;
        uint32_t op = i == 0 ? 2 : rand_below(&h->rand, 8);
        a->writes[i].op = op == 0 ? STORE_DELETE : op == 1 ? STORE_CHECK : STORE_PUT;
        if (a->writes[i].op != STORE_CHECK && rand_below(&h->rand, 12) == 0)
            a->writes[i].expected_version = STORE_ANY_VERSION;
    }
    w->gets_left = a->count;
    for (uint32_t i = 0; i < a->count; i++) {
        w->asked_version[i] = h->views[a->documents[i]].version;
        uint64_t token = (uint64_t)i * WORKERS + number;
        if (n->port.get(n->port.ctx, token, key_slice(&h->keys[a->documents[i]])) != OK)
            wrong(h, "refused a get");
    }
}

/* ---- nodes ---- */

static void
node_start(struct history *h, struct node *n)
{
    *n = (struct node){.history = h};
    struct committer_options options = h->options;
    options.node_epoch = ++h->epochs;
    n->committer = committer_alloc(&options);
    n->connection = memory_store_connect(h->memory, committer_done(n->committer));
    struct env_store engine = memory_connection_port(n->connection);
    committer_connect(n->committer, &engine);
    n->port = committer_port(
        n->committer, (struct store_done){.ctx = n, .got = on_got, .committed = on_committed});
}

static void
stats_add(struct history *h, const struct node *n)
{
    struct committer_stats stats = committer_stats(n->committer);
    uint64_t *sum = (uint64_t *)&h->stats, *more = (uint64_t *)&stats;
    for (size_t i = 0; i < sizeof stats / sizeof *sum; i++)
        sum[i] += more[i];
}

static void
node_end(struct history *h, struct node *n)
{
    stats_add(h, n);
    memory_connection_crash(&n->connection);
    committer_free(&n->committer);
}

static void
node_step(struct history *h, struct node *n)
{
    if (!h->quiet && chance(h, h->crash_ppm)) {
        node_end(h, n);
        node_start(h, n);
    }
    if (!h->quiet && chance(h, h->stall_ppm)) {
        int64_t us = 1000 * (int64_t)(1 + rand_below(&h->rand, 3 * h->options.deadline_ms));
        n->stalled_until_us = h->schedule.now_us + us;
        memory_connection_stall(n->connection, us);
    }
    if (h->quiet)
        return;
    uint32_t w = rand_below(&h->rand, WORKERS * 8);
    if (w < WORKERS && !n->workers[w].busy)
        worker_start(n, w);
}

/* One event, or the time until somebody wants a turn. */
static void
history_step(struct history *h)
{
    int64_t next_us = h->schedule.now_us + 5000;
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *n = &h->nodes[i];
        int64_t turn_us = n->stalled_until_us;
        if (turn_us <= h->schedule.now_us)
            turn_us = committer_turn(n->committer);
        next_us = turn_us < next_us ? turn_us : next_us;
    }
    h->steps++;
    if (h->schedule.count > 0 && h->schedule.heap[0].due_us <= next_us)
        (void)events_step(&h->schedule);
    else
        events_run(&h->schedule, next_us);
    node_step(h, &h->nodes[rand_below(&h->rand, NODES)]);
}

static uint32_t
one_of(struct history *h, const uint32_t *values, uint32_t count)
{
    return values[rand_below(&h->rand, count)];
}

/* The protocol's mutants need the protocol. */
static uint32_t
draw_groups(struct history *h, uint64_t seed, enum committer_mutant mutant)
{
    if (mutant == COMMITTER_MUTANT_OVER_PEND)
        return 2;
    if (mutant == COMMITTER_MUTANT_TOGETHER_UNKNOWN)
        return 1 + rand_below(&h->rand, 3);
    return mutant != COMMITTER_MUTANT_NONE || seed % 2 == 0 ? 0 : 1 + rand_below(&h->rand, 3);
}

static void
history_init(struct history *h, uint64_t seed, enum committer_mutant mutant)
{
    static const uint32_t rates[] = {0, 5000, 30000, 150000};
    static const uint32_t deadlines[] = {10, 30, 150, 600}, janitors[] = {10, 40, 400};
    static const uint32_t deaths[] = {0, 200, 3000};
    memset(h, 0, sizeof *h);
    rand_seed(&h->rand, seed);
    events_init(&h->schedule, seed + 1);
    h->env.clock = events_clock(&h->schedule);
    h->groups = draw_groups(h, seed, mutant);
    h->memory =
        memory_store_alloc(&(struct memory_store_options){.schedule = events_port(&h->schedule),
                                                          .commit_max = h->groups > 0 ? 0 : 1,
                                                          .groups = h->groups});
    memory_store_set_effects(
        h->memory, &(struct memory_effects){.ctx = h, .effect = on_effect, .end = on_effects_end});
    h->knobs = (struct memory_store_knobs){.get_us_min = 50,
                                           .get_us_max = 500,
                                           .commit_us_min = 100,
                                           .commit_us_max = 3000,
                                           .unknown_done_ppm = one_of(h, rates, 4),
                                           .unknown_lost_ppm = one_of(h, rates, 4),
                                           .unknown_late_ppm = one_of(h, rates, 4),
                                           .unavailable_ppm = one_of(h, rates, 3),
                                           .twice_ppm = one_of(h, rates, 4),
                                           .zombie_ppm = one_of(h, (uint32_t[]){0, 300000}, 2)};
    h->crash_ppm = one_of(h, deaths, 3);
    h->stall_ppm = one_of(h, deaths, 3);
    h->options = (struct committer_options){.env = &h->env,
                                            .world = WORLD,
                                            .calls_max = 64,
                                            .deadline_ms = one_of(h, deadlines, 4),
                                            .backoff_us_min = one_of(h, deadlines, 3) * 50,
                                            .janitor_ms = one_of(h, janitors, 3),
                                            .mutant = mutant};
    if (seed % 4 == 0 || mutant == COMMITTER_MUTANT_ADOPT_RECORD ||
        mutant == COMMITTER_MUTANT_SAME_NONCE) {
        /* What those two break matters only when an insert is late and its owner later still. */
        h->knobs.unknown_late_ppm = h->knobs.twice_ppm = 150000;
        h->stall_ppm = 3000;
        h->options.deadline_ms = 10;
    }
    memory_store_set_knobs(h->memory, &h->knobs);
    for (uint32_t d = 0; d < DOCUMENTS; d++)
        h->keys[d] = key_make(WORLD, "thing", d + 1);
    for (uint32_t i = 0; i < NODES; i++)
        node_start(h, &h->nodes[i]);
}

/* No fault any more: everything under way ends, every record goes, and no pend is left but such as
 * have lost their record, which count for nothing. */
static void
history_rest(struct history *h)
{
    struct memory_store_knobs knobs = h->knobs;
    h->quiet = true;
    knobs.unknown_done_ppm = knobs.unknown_lost_ppm = knobs.unknown_late_ppm = 0;
    knobs.unavailable_ppm = knobs.twice_ppm = knobs.zombie_ppm = 0;
    memory_store_set_knobs(h->memory, &knobs);
    int64_t until_us = h->schedule.now_us + 4 * 1000000;
    while (h->schedule.now_us < until_us && h->wrong == NULL)
        history_step(h);
    for (uint32_t i = 0; i < NODES && h->wrong == NULL; i++) {
        if (committer_under_way(h->nodes[i].committer) > 0)
            wrong(h, "somebody was never answered");
        if (committer_background(h->nodes[i].committer) > 0)
            wrong(h, "work that does not end");
    }
    for (uint32_t d = 0; d < DOCUMENTS && h->wrong == NULL; d++) {
        struct store_doc raw = memory_store_look(h->memory, key_slice(&h->keys[d]));
        struct committer_view seen;
        if (committer_look(&raw, record_state_of, h, &seen) == OK && seen.pend != PEND_NONE &&
            seen.pend_state != RECORD_MISSING)
            wrong(h, "a pend that nobody finishes");
    }
}

static void
history_fini(struct history *h)
{
    for (uint32_t i = 0; i < NODES; i++)
        node_end(h, &h->nodes[i]);
    memory_store_free(&h->memory);
    events_fini(&h->schedule);
}

static void
history_run(struct history *h, uint64_t seed, enum committer_mutant mutant)
{
    history_init(h, seed, mutant);
    for (uint32_t i = 0; i < 6000 && h->wrong == NULL; i++)
        history_step(h);
    if (h->wrong == NULL)
        history_rest(h);
    history_fini(h);
}

/* ---- the tests ---- */

static void
every_history_is_whole(void **state)
{
    (void)state;
    struct history *h = malloc(sizeof *h);
    struct committer_stats sum = {0};
    uint64_t told[STORE_UNAVAILABLE + 1] = {0}, checked = 0, steps = 0;
    const char *seeds = getenv("SEOM_SEEDS");
    uint64_t count = seeds != NULL ? strtoull(seeds, NULL, 10) : 300;
    for (uint64_t seed = 1; seed <= count; seed++) {
        history_run(h, seed, COMMITTER_MUTANT_NONE);
        if (h->wrong != NULL)
            fail_msg("seed %llu: %s", (unsigned long long)seed, h->wrong);
        for (size_t i = 0; i < sizeof sum / sizeof(uint64_t); i++)
            ((uint64_t *)&sum)[i] += ((uint64_t *)&h->stats)[i];
        for (uint32_t i = 0; i <= STORE_UNAVAILABLE; i++)
            told[i] += h->told[i];
        checked += h->checked;
        steps += h->steps;
    }
    free(h);
    print_message("# %llu steps, %llu effects; OK %llu, CONFLICT %llu, UNKNOWN %llu, UNAVAILABLE "
                  "%llu; forward %llu, abort %llu, unknown commits %llu, judged %llu, resurrected "
                  "%llu, zombies %llu, blocked %llu, together %llu\n",
                  (unsigned long long)steps, (unsigned long long)checked,
                  (unsigned long long)told[STORE_OK], (unsigned long long)told[STORE_CONFLICT],
                  (unsigned long long)told[STORE_UNKNOWN],
                  (unsigned long long)told[STORE_UNAVAILABLE],
                  (unsigned long long)sum.helper_forward, (unsigned long long)sum.helper_abort,
                  (unsigned long long)sum.unknown_commit_happened, (unsigned long long)sum.judged,
                  (unsigned long long)sum.resurrected, (unsigned long long)sum.zombie_stage,
                  (unsigned long long)sum.blocked, (unsigned long long)sum.together);
    /* What never happened was not tested. */
    assert_true(told[STORE_OK] > 1000 && told[STORE_CONFLICT] > 100 &&
                told[STORE_UNAVAILABLE] > 100);
    assert_true(sum.helper_forward > 0 && sum.helper_abort > 0 && sum.blocked > 0);
    assert_true(sum.unknown_commit_happened > 0 && sum.unknown_resolved > 0 && sum.judged > 0);
    assert_true(sum.together > 1000);
    assert_true(sum.janitor_abort > 0 && sum.janitor_forward > 0 && sum.janitor_cleaned > 0);
    assert_true(sum.resurrected > 0 && sum.zombie_stage > 0);
    assert_int_equal(sum.malformed, 0);
}

static void
every_mutant_is_caught(void **state)
{
    (void)state;
    struct history *h = malloc(sizeof *h);
    for (uint32_t m = COMMITTER_MUTANT_NONE + 1; m < COMMITTER_MUTANTS; m++) {
        uint64_t seed = 0;
        do {
            if (++seed > 600)
                fail_msg("mutant %u is not noticed", m);
            history_run(h, seed, m);
        } while (h->wrong == NULL);
        print_message("# mutant %u: seed %llu: %s\n", m, (unsigned long long)seed, h->wrong);
    }
    free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_is_whole),
        cmocka_unit_test(every_mutant_is_caught),
    };
    return cmocka_run_group_tests_name("committer_seeds", tests, NULL, NULL);
}
