/* For tests. The conformance suite's random histories: workers that read a few documents and commit
 * what follows from them, at the same time, with crashes and, where the engine has them, faults.
 * Every write carries the number of its operation, so the versions of a document tell who wrote
 * what. Then:
 *
 *   - a version of a document has one value, for ever; versions never go back;
 *   - what was answered OK is seen by every get asked later, on all its documents; so is whatever
 *     somebody saw of an operation on the others of its documents: commits are whole;
 *   - what was answered CONFLICT or UNAVAILABLE is never seen;
 *   - all operations that happened, checks too, stand in one order: wrote before read before
 *     overwritten has no circle.
 */
#include "base/rand.h"
#include "store/conformance_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS           5
#define WORKERS        6
#define OPERATIONS_MAX 600
#define VERSIONS_MAX   (OPERATIONS_MAX + 2)
#define TOUCHED_MAX    3
#define SEEDS_FINE     3 /* on a real disk, each of their commits is an fsync */
#define SEEDS_FAULTS   12
#define NOBODY         0          /* operations count from 1 */
#define SOMEBODY       UINT32_MAX /* a delete, which carries no number */
#define CRASHES        2

enum outcome { OUTCOME_OPEN, OUTCOME_OK, OUTCOME_NOT, OUTCOME_UNKNOWN };

struct operation {
    enum outcome outcome;
    uint32_t count;
    uint32_t keys[TOUCHED_MAX];
    enum store_op ops[TOUCHED_MAX];
    uint64_t versions[TOUCHED_MAX]; /* expected */
};

struct worker {
    uint32_t number;   /* of its operation at hand */
    uint32_t reading;  /* how many of its documents are read */
    uint64_t at_least; /* which version a get under way must answer */
};

struct history {
    const struct conformance_engine *engine;
    struct env_store port;
    struct rand rand;
    char keys[KEYS][16];
    struct operation operations[OPERATIONS_MAX + 1];
    uint32_t begun, life;
    struct worker workers[WORKERS];
    uint32_t busy; /* workers with a call under way */
    uint32_t writers[KEYS][VERSIONS_MAX];
    uint64_t known[KEYS]; /* versions that somebody knows to be there */
    uint32_t outcomes[OUTCOME_UNKNOWN + 1], unknown_seen, unavailable;
};

/* ---- what is known ---- */

static void
know(struct history *h, uint32_t key, uint64_t version)
{
    if (version > h->known[key])
        h->known[key] = version;
}

static void
writer_set(struct history *h, uint32_t key, uint64_t version, uint32_t number)
{
    assert_in_range(version, 1, VERSIONS_MAX - 1);
    uint32_t *writer = &h->writers[key][version];
    if (*writer == NOBODY || (*writer == SOMEBODY && number != NOBODY))
        *writer = number;
    if (number != SOMEBODY)
        assert_int_equal(*writer, number);
    know(h, key, version);
}

/* The operation happened, as was answered or as somebody saw it. */
static void
operation_happened(struct history *h, uint32_t number)
{
    struct operation *o = &h->operations[number];
    assert_int_not_equal(o->outcome, OUTCOME_NOT);
    h->unknown_seen += o->outcome == OUTCOME_UNKNOWN;
    o->outcome = OUTCOME_OK;
    for (uint32_t i = 0; i < o->count; i++)
        if (o->ops[i] != STORE_CHECK)
            writer_set(h, o->keys[i], o->versions[i] + 1, number);
}

static void
seen(struct history *h, uint32_t key, const struct store_doc *doc)
{
    if (doc->version == 0)
        return;
    uint32_t number = SOMEBODY;
    if (doc->exists) {
        assert_int_equal(doc->value.bytes, sizeof number);
        memcpy(&number, doc->value.at, sizeof number);
        assert_in_range(number, 1, h->begun);
    }
    writer_set(h, key, doc->version, number);
    if (number != SOMEBODY && h->operations[number].outcome != OUTCOME_OK)
        operation_happened(h, number);
}

/* ---- workers ---- */

/* Answers of an earlier life are not for the workers of this one. */
static uint64_t
token_of(const struct history *h, uint32_t worker)
{
    return (uint64_t)h->life << 32 | worker;
}

static void
operation_draw(struct history *h, struct operation *o)
{
    *o = (struct operation){.count = 1 + rand_below(&h->rand, TOUCHED_MAX)};
    if (o->count > h->port.commit_max)
        o->count = h->port.commit_max;
    uint32_t first = rand_below(&h->rand, KEYS), step = 1 + rand_below(&h->rand, KEYS - 1);
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t kind = rand_below(&h->rand, 20);
        o->keys[i] = (first + i * step) % KEYS; /* KEYS is a prime: all different */
        o->ops[i] = kind < 2 ? STORE_DELETE : kind < 6 && i > 0 ? STORE_CHECK : STORE_PUT;
    }
}

static void
worker_ask(struct history *h, uint32_t worker)
{
    struct worker *w = &h->workers[worker];
    const struct operation *o = &h->operations[w->number];
    uint32_t key = o->keys[w->reading];
    w->at_least = h->known[key];
    struct slice name = text_slice(h->keys[key]);
    assert_int_equal(h->port.get(h->port.ctx, token_of(h, worker), name), OK);
}

static void
worker_begin(struct history *h, uint32_t worker)
{
    if (h->begun == OPERATIONS_MAX) {
        h->busy--;
        return;
    }
    struct worker *w = &h->workers[worker];
    *w = (struct worker){.number = ++h->begun};
    operation_draw(h, &h->operations[w->number]);
    worker_ask(h, worker);
}

static void
worker_commit(struct history *h, uint32_t worker)
{
    struct worker *w = &h->workers[worker];
    const struct operation *o = &h->operations[w->number];
    struct store_write writes[TOUCHED_MAX];
    for (uint32_t i = 0; i < o->count; i++) {
        writes[i] = (struct store_write){.key = text_slice(h->keys[o->keys[i]]),
                                         .expected_version = o->versions[i],
                                         .op = o->ops[i]};
        if (o->ops[i] == STORE_PUT)
            writes[i].value = (struct slice){(const uint8_t *)&w->number, sizeof w->number};
    }
    assert_int_equal(h->port.commit(h->port.ctx, token_of(h, worker), writes, o->count), OK);
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct history *h = ctx;
    uint32_t worker = (uint32_t)token;
    assert_int_equal(token >> 32, h->life);
    struct worker *w = &h->workers[worker];
    struct operation *o = &h->operations[w->number];
    switch (result) {
    case STORE_OK:
        assert_true(doc->version >= w->at_least);
        seen(h, o->keys[w->reading], doc);
        o->versions[w->reading++] = doc->version;
        break;
    case STORE_UNAVAILABLE: h->unavailable++; break; /* asked again */
    case STORE_CONFLICT:
    case STORE_UNKNOWN: fail_msg("a get answers OK or UNAVAILABLE");
    }
    if (w->reading < o->count)
        worker_ask(h, worker);
    else
        worker_commit(h, worker);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct history *h = ctx;
    uint32_t worker = (uint32_t)token;
    assert_int_equal(token >> 32, h->life);
    uint32_t number = h->workers[worker].number;
    struct operation *o = &h->operations[number];
    assert_true(o->outcome == OUTCOME_OPEN || o->outcome == OUTCOME_OK); /* seen before answered */
    switch (result) {
    case STORE_OK:
        h->outcomes[OUTCOME_OK]++;
        operation_happened(h, number);
        break;
    case STORE_CONFLICT:
    case STORE_UNAVAILABLE:
        h->outcomes[OUTCOME_NOT]++;
        assert_int_not_equal(o->outcome, OUTCOME_OK);
        o->outcome = OUTCOME_NOT;
        break;
    case STORE_UNKNOWN:
        h->outcomes[OUTCOME_UNKNOWN]++;
        if (o->outcome == OUTCOME_OPEN)
            o->outcome = OUTCOME_UNKNOWN;
        break;
    }
    worker_begin(h, worker);
}

/* ---- one history ---- */

static void
history_live(struct history *h)
{
    h->life++;
    h->busy = WORKERS;
    h->port = h->engine->connect(
        h->engine->ctx, (struct store_done){.ctx = h, .got = on_got, .committed = on_committed});
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_begin(h, w);
}

/* What was under way happened, did not, or will. */
static void
history_crash(struct history *h)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        struct operation *o = &h->operations[h->workers[w].number];
        if (o->outcome == OUTCOME_OPEN)
            o->outcome = OUTCOME_UNKNOWN;
    }
    h->engine->close(h->engine->ctx);
    h->engine->open(h->engine->ctx, false);
    history_live(h);
}

static void
history_run(struct history *h)
{
    uint32_t crashes = 0;
    history_live(h);
    while (h->busy > 0) {
        h->engine->wait(h->engine->ctx);
        if (crashes < CRASHES && h->begun > (crashes + 1) * OPERATIONS_MAX / (CRASHES + 1)) {
            crashes++;
            history_crash(h);
        }
    }
}

/* ---- one order of all ---- */

struct edges {
    uint32_t to[OPERATIONS_MAX + 1][4 * TOUCHED_MAX];
    uint32_t count[OPERATIONS_MAX + 1];
    uint32_t incoming[OPERATIONS_MAX + 1];
};

static void
edge_add(struct edges *e, uint32_t from, uint32_t to)
{
    if (from == to || from == NOBODY || to == NOBODY || from == SOMEBODY || to == SOMEBODY)
        return;
    uint32_t *count = &e->count[from];
    if (*count == sizeof e->to[0] / sizeof e->to[0][0])
        return; /* of very many that only looked at a version; a few of them do */
    e->to[from][(*count)++] = to;
    e->incoming[to]++;
}

static void
edges_make(const struct history *h, struct edges *e)
{
    for (uint32_t n = 1; n <= h->begun; n++) {
        const struct operation *o = &h->operations[n];
        for (uint32_t i = 0; o->outcome == OUTCOME_OK && i < o->count; i++) {
            const uint32_t *writers = h->writers[o->keys[i]];
            edge_add(e, writers[o->versions[i]], n);     /* wrote what it saw */
            edge_add(e, n, writers[o->versions[i] + 1]); /* overwrote that */
        }
    }
}

/* Takes away whoever has nobody before him; in a circle nobody is the first. */
static void
assert_one_order(const struct history *h)
{
    struct edges *e = calloc(1, sizeof *e);
    uint32_t *ready = calloc(OPERATIONS_MAX + 1, sizeof *ready);
    assert_true(e != NULL && ready != NULL);
    edges_make(h, e);
    uint32_t count = 0, done = 0;
    for (uint32_t n = 1; n <= h->begun; n++)
        if (e->incoming[n] == 0)
            ready[count++] = n;
    for (; done < count; done++)
        for (uint32_t i = 0; i < e->count[ready[done]]; i++)
            if (--e->incoming[e->to[ready[done]][i]] == 0)
                ready[count++] = e->to[ready[done]][i];
    assert_int_equal(done, h->begun);
    free(ready);
    free(e);
}

/* Every acknowledged write has a version of its own, so there are at least that many. */
static void
assert_versions(const struct history *h)
{
    uint64_t written[KEYS] = {0}, maybe[KEYS] = {0};
    for (uint32_t n = 1; n <= h->begun; n++) {
        const struct operation *o = &h->operations[n];
        for (uint32_t i = 0; i < o->count; i++) {
            if (o->ops[i] == STORE_CHECK)
                continue;
            written[o->keys[i]] += o->outcome == OUTCOME_OK;
            maybe[o->keys[i]] += o->outcome == OUTCOME_OK || o->outcome == OUTCOME_UNKNOWN;
        }
    }
    for (uint32_t key = 0; key < KEYS; key++)
        assert_in_range(h->known[key], written[key], maybe[key]);
}

static void
histories(struct suite *s, uint32_t seeds, bool faults)
{
    uint32_t outcomes[OUTCOME_UNKNOWN + 1] = {0}, unknown_seen = 0, unavailable = 0;
    for (uint32_t seed = 0; seed < seeds; seed++) {
        struct history *h = calloc(1, sizeof *h);
        assert_non_null(h);
        h->engine = s->engine;
        rand_seed(&h->rand, seed);
        for (uint32_t key = 0; key < KEYS; key++)
            snprintf(h->keys[key], sizeof h->keys[key], "0001/h/%u", key);
        s->engine->close(s->engine->ctx);
        s->engine->open(s->engine->ctx, true);
        if (faults)
            s->engine->faults(s->engine->ctx, true);
        history_run(h);
        assert_versions(h);
        assert_one_order(h);
        for (uint32_t i = 0; i <= OUTCOME_UNKNOWN; i++)
            outcomes[i] += h->outcomes[i];
        unknown_seen += h->unknown_seen;
        unavailable += h->unavailable;
        if (faults)
            s->engine->faults(s->engine->ctx, false);
        free(h);
    }
    assert_true(outcomes[OUTCOME_OK] > seeds * 20 && outcomes[OUTCOME_NOT] > seeds);
    if (!faults) {
        assert_int_equal(outcomes[OUTCOME_UNKNOWN] + unavailable, 0);
        return;
    }
    assert_true(outcomes[OUTCOME_UNKNOWN] + unavailable > seeds); /* there were faults */
    print_message("# of %u UNKNOWN %u were seen to have happened; %u gets UNAVAILABLE\n",
                  outcomes[OUTCOME_UNKNOWN], unknown_seen, unavailable);
}

void
histories_are_serializable(void **state)
{
    histories(*state, SEEDS_FINE, false);
}

void
histories_with_faults_are_serializable(void **state)
{
    histories(*state, SEEDS_FAULTS, true);
}
