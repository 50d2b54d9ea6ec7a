#include "sim/memory_store.h"
#include "base/check.h"
#include "base/pool.h"
#include "base/rand.h"
#include "env/store_limits.h"
#include <stdlib.h>
#include <string.h>

#define DOCUMENTS_DEFAULT (1U << 20)
#define CALLS_DEFAULT     8192
#define BLOCK_ITEMS       256
#define BUCKETS           4096
#define PPM               1000000

struct document {
    uint32_t next; /* in its bucket, in the order of making; POOL_NONE at the end */
    uint8_t key_bytes, key[STORE_KEY_MAX];
    uint64_t version;
    bool exists;
    uint8_t *value; /* owned */
    uint32_t value_bytes;
};

enum call_kind { CALL_GET, CALL_COMMIT, CALL_SCAN };

/* What will become of a call, drawn when it is made. */
enum fate { FATE_FINE, FATE_UNKNOWN_DONE, FATE_UNKNOWN_LOST, FATE_UNKNOWN_LATE, FATE_UNAVAILABLE };

/* A call under way. Commits have two events, effect and answer; the second frees the slot (with a
 * late effect: whichever comes last). */
struct call {
    enum call_kind kind;
    enum fate fate;
    enum store_result result;
    uint64_t token;
    uint32_t count; /* of writes; of a scan: its limit */
    struct store_write
        *writes; /* owned, with the bytes they point to behind them; a get is a write of its key, a
                    scan one of its place to go on from with the prefix as value */
    bool happened, answered; /* the two moments */
    bool orphan;             /* the caller died: no answer */
};

struct memory_store {
    struct sim_schedule schedule;
    struct memory_store_knobs knobs;
    struct memory_store_stats stats;
    struct store_done done;
    struct pool documents, calls;
    uint32_t buckets[BUCKETS];
    bool away;
};

static int64_t
now_us(const struct memory_store *store)
{
    return store->schedule.now_us(store->schedule.ctx);
}

static uint64_t
draw(struct memory_store *store, uint64_t limit)
{
    CHECK(limit > 0);
    return store->schedule.random(store->schedule.ctx) % limit;
}

static int64_t
draw_latency(struct memory_store *store, enum call_kind kind)
{
    const struct memory_store_knobs *k = &store->knobs;
    uint32_t low = kind != CALL_COMMIT ? k->get_us_min : k->commit_us_min;
    uint32_t high = kind != CALL_COMMIT ? k->get_us_max : k->commit_us_max;
    return (int64_t)(low + draw(store, (uint64_t)(high - low) + 1));
}

/* ---- documents ---- */

static uint32_t
bucket_of(struct slice key)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.bytes; i++)
        hash = (hash ^ key.at[i]) * 16777619U;
    return hash % BUCKETS;
}

static struct document *
document_find(const struct memory_store *store, struct slice key)
{
    for (uint32_t i = store->buckets[bucket_of(key)]; i != POOL_NONE;) {
        struct document *d = pool_at(&store->documents, i);
        if (d->key_bytes == key.bytes && memcmp(d->key, key.at, key.bytes) == 0)
            return d;
        i = d->next;
    }
    return NULL;
}

static struct document *
document_make(struct memory_store *store, struct slice key)
{
    uint32_t index;
    if (pool_take(&store->documents, &index) != OK)
        return NULL;
    struct document *d = pool_at(&store->documents, index);
    d->key_bytes = (uint8_t)key.bytes;
    memcpy(d->key, key.at, key.bytes);
    d->next = POOL_NONE;
    uint32_t *link = &store->buckets[bucket_of(key)];
    while (*link != POOL_NONE)
        link = &((struct document *)pool_at(&store->documents, *link))->next;
    *link = index;
    return d;
}

static void
document_write(struct document *d, const struct store_write *write)
{
    free(d->value);
    d->value = NULL;
    d->version++;
    d->exists = write->op == STORE_PUT;
    d->value_bytes = (uint32_t)write->value.bytes;
    if (d->value_bytes > 0) {
        d->value = malloc(d->value_bytes);
        CHECK(d->value != NULL);
        memcpy(d->value, write->value.at, d->value_bytes);
    }
}

static void
document_forget(struct memory_store *store, struct document *d)
{
    uint32_t *link = &store->buckets[bucket_of((struct slice){d->key, d->key_bytes})];
    while (pool_at(&store->documents, *link) != d)
        link = &((struct document *)pool_at(&store->documents, *link))->next;
    uint32_t index = *link;
    *link = d->next;
    free(d->value);
    pool_give(&store->documents, index);
}

struct store_doc
memory_store_look(const struct memory_store *store, struct slice key)
{
    const struct document *d = document_find(store, key);
    if (d == NULL)
        return (struct store_doc){0};
    return (struct store_doc){
        .version = d->version, .exists = d->exists, .value = {d->value, d->value_bytes}};
}

/* All or nothing, like the engine that it stands for. */
static enum store_result
commit_apply(struct memory_store *store, const struct call *call)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < call->count; i++) {
        const struct store_write *w = &call->writes[i];
        const struct document *d = document_find(store, w->key);
        uint64_t version = d == NULL ? 0 : d->version;
        if (w->expected_version != STORE_ANY_VERSION && w->expected_version != version)
            return STORE_CONFLICT;
        missing += d == NULL && (w->op == STORE_PUT || w->op == STORE_DELETE);
    }
    if (store->documents.limit - store->documents.used < missing)
        return STORE_UNAVAILABLE; /* the disk is full */
    for (uint32_t i = 0; i < call->count; i++) {
        const struct store_write *w = &call->writes[i];
        if (w->op == STORE_CHECK)
            continue;
        struct document *d = document_find(store, w->key);
        if (w->op == STORE_FORGET) {
            if (d != NULL)
                document_forget(store, d);
        } else {
            if (d == NULL)
                d = document_make(store, w->key);
            CHECK(d != NULL);
            document_write(d, w);
        }
        store->stats.documents++;
    }
    return STORE_OK;
}

/* ---- calls ---- */

static void
call_free(struct memory_store *store, uint64_t handle)
{
    struct call *call = pool_find(&store->calls, handle);
    CHECK(call != NULL);
    free(call->writes);
    pool_give(&store->calls, (uint32_t)handle);
}

static void
call_free_when_over(struct memory_store *store, uint64_t handle)
{
    const struct call *call = pool_find(&store->calls, handle);
    if (call->answered && (call->happened || call->kind != CALL_COMMIT))
        call_free(store, handle);
}

static void
get_answer(struct memory_store *store, const struct call *call)
{
    if (call->fate == FATE_UNAVAILABLE || store->away) {
        store->done.got(store->done.ctx, call->token, STORE_UNAVAILABLE, NULL);
        return;
    }
    struct store_doc doc = memory_store_look(store, call->writes[0].key);
    store->done.got(store->done.ctx, call->token, STORE_OK, &doc);
}

static int
key_compare(struct slice a, struct slice b)
{
    size_t both = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = both == 0 ? 0 : memcmp(a.at, b.at, both);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static bool
is_wanted(const struct document *d, struct slice prefix, struct slice after)
{
    struct slice key = {d->key, d->key_bytes};
    return d->exists && key.bytes >= prefix.bytes &&
           (prefix.bytes == 0 || memcmp(key.at, prefix.at, prefix.bytes) == 0) &&
           key_compare(key, after) > 0;
}

/* Documents lie in no order: the smallest keys are sorted in one by one. */
static void
scan_answer(struct memory_store *store, const struct call *call)
{
    if (call->fate == FATE_UNAVAILABLE || store->away) {
        store->done.scanned(store->done.ctx, call->token, STORE_UNAVAILABLE, NULL, 0);
        return;
    }
    struct store_found found[STORE_SCAN_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = pool_next(&store->documents, POOL_NONE); i != POOL_NONE;
         i = pool_next(&store->documents, i)) {
        const struct document *d = pool_at(&store->documents, i);
        if (!is_wanted(d, call->writes[0].value, call->writes[0].key))
            continue;
        struct slice key = {d->key, d->key_bytes};
        uint32_t at = count;
        for (; at > 0 && key_compare(found[at - 1].key, key) > 0; at--)
            found[at] = found[at - 1];
        found[at] = (struct store_found){key, memory_store_look(store, key)};
        count += count < call->count;
    }
    store->done.scanned(store->done.ctx, call->token, STORE_OK, found, count);
}

static void
commit_answer(struct memory_store *store, const struct call *call)
{
    store->stats.conflicts += call->result == STORE_CONFLICT;
    store->stats.unknown += call->result == STORE_UNKNOWN;
    store->stats.unavailable += call->result == STORE_UNAVAILABLE;
    store->done.committed(store->done.ctx, call->token, call->result);
}

static void
on_answer(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct call *call = pool_find(&store->calls, handle);
    if (call == NULL)
        return; /* a crash took it */
    CHECK(!call->answered);
    call->answered = true;
    if (!call->orphan) {
        switch (call->kind) {
        case CALL_GET: get_answer(store, call); break;
        case CALL_COMMIT: commit_answer(store, call); break;
        case CALL_SCAN: scan_answer(store, call); break;
        }
    }
    call_free_when_over(store, handle);
}

static void
commit_happen(struct memory_store *store, struct call *call)
{
    CHECK(call->kind == CALL_COMMIT && !call->happened);
    call->happened = true;
    if (call->fate == FATE_UNAVAILABLE || (store->away && call->fate != FATE_UNKNOWN_LATE)) {
        call->result = STORE_UNAVAILABLE;
        return;
    }
    if (call->fate != FATE_UNKNOWN_LOST) {
        enum store_result result = commit_apply(store, call);
        store->stats.late += call->fate == FATE_UNKNOWN_LATE && result == STORE_OK;
        call->result = result;
    }
    if (call->fate != FATE_FINE)
        call->result = STORE_UNKNOWN;
}

static void
on_effect(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct call *call = pool_find(&store->calls, handle);
    if (call == NULL)
        return;
    commit_happen(store, call);
    call_free_when_over(store, handle);
}

static enum fate
fate_draw(struct memory_store *store, enum call_kind kind)
{
    const struct memory_store_knobs *k = &store->knobs;
    uint64_t n = draw(store, PPM);
    if (n < k->unavailable_ppm)
        return FATE_UNAVAILABLE;
    n -= k->unavailable_ppm;
    if (kind != CALL_COMMIT)
        return FATE_FINE;
    if (n < k->unknown_done_ppm)
        return FATE_UNKNOWN_DONE;
    n -= k->unknown_done_ppm;
    if (n < k->unknown_lost_ppm)
        return FATE_UNKNOWN_LOST;
    n -= k->unknown_lost_ppm;
    return n < k->unknown_late_ppm ? FATE_UNKNOWN_LATE : FATE_FINE;
}

/* One piece of memory: the writes, then the bytes they point to. */
static struct store_write *
writes_copy(const struct store_write *writes, uint32_t count)
{
    size_t bytes = count * sizeof *writes;
    for (uint32_t i = 0; i < count; i++)
        bytes += writes[i].key.bytes + writes[i].value.bytes;
    struct store_write *copy = malloc(bytes);
    CHECK(copy != NULL);
    struct writer w = writer_over(copy + count, bytes - count * sizeof *writes);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = writes[i];
        copy[i].key.at = w.at;
        if (writes[i].key.bytes > 0)
            write_bytes(&w, writes[i].key.at, writes[i].key.bytes);
        copy[i].value.at = w.at;
        if (writes[i].value.bytes > 0)
            write_bytes(&w, writes[i].value.at, writes[i].value.bytes);
    }
    CHECK(writer_ok(&w) && writer_left(&w) == 0);
    return copy;
}

static enum err
call_make(struct memory_store *store, enum call_kind kind, uint64_t token,
          const struct store_write *writes, uint32_t count, uint64_t *handle)
{
    uint32_t index;
    if (pool_take(&store->calls, &index) != OK) {
        store->stats.refused++;
        return ERR_FULL;
    }
    struct call *call = pool_at(&store->calls, index);
    *call = (struct call){.kind = kind,
                          .fate = fate_draw(store, kind),
                          .result = STORE_UNKNOWN,
                          .token = token,
                          .count = count,
                          .writes = writes_copy(writes, count)};
    *handle = pool_handle(&store->calls, index);
    return OK;
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct memory_store *store = ctx;
    enum err error = store_key_check(key);
    struct store_write read = {.key = key, .op = STORE_CHECK};
    uint64_t handle;
    if (error == OK)
        error = call_make(store, CALL_GET, token, &read, 1, &handle);
    if (error != OK)
        return error;
    store->stats.gets++;
    store->schedule.at(store->schedule.ctx, now_us(store) + draw_latency(store, CALL_GET),
                       on_answer, store, handle);
    return OK;
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct memory_store *store = ctx;
    enum err error = store_commit_check(writes, count, STORE_VALUE_ENGINE_MAX, STORE_COMMIT_MAX);
    uint64_t handle;
    if (error == OK)
        error = call_make(store, CALL_COMMIT, token, writes, count, &handle);
    if (error != OK)
        return error;
    store->stats.commits++;
    const struct call *call = pool_find(&store->calls, handle);
    int64_t effect_us = now_us(store) + draw_latency(store, CALL_COMMIT);
    int64_t answer_us = effect_us + draw_latency(store, CALL_COMMIT);
    if (call->fate == FATE_UNKNOWN_LATE)
        effect_us = answer_us + 20 * draw_latency(store, CALL_COMMIT);
    store->schedule.at(store->schedule.ctx, effect_us, on_effect, store, handle);
    store->schedule.at(store->schedule.ctx, answer_us, on_answer, store, handle);
    return OK;
}

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct memory_store *store = ctx;
    CHECK(store->done.scanned != NULL);
    enum err error = store_scan_check(prefix, after, limit);
    struct store_write range = {.key = after, .op = STORE_CHECK, .value = prefix};
    uint64_t handle;
    if (error == OK)
        error = call_make(store, CALL_SCAN, token, &range, 1, &handle);
    if (error != OK)
        return error;
    ((struct call *)pool_find(&store->calls, handle))->count = limit;
    store->schedule.at(store->schedule.ctx, now_us(store) + draw_latency(store, CALL_SCAN),
                       on_answer, store, handle);
    return OK;
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    (void)ctx;
    (void)on;
    return store_key_check(key); /* a hint may always be missing */
}

void
memory_store_crash(struct memory_store *store)
{
    for (uint32_t i = pool_next(&store->calls, POOL_NONE); i != POOL_NONE;) {
        uint32_t next = pool_next(&store->calls, i);
        struct call *call = pool_at(&store->calls, i);
        if (call->kind == CALL_COMMIT && !call->happened && call->fate != FATE_UNKNOWN_LATE &&
            draw(store, 2) == 0)
            commit_happen(store, call);
        if (call->kind == CALL_COMMIT && !call->happened && call->fate == FATE_UNKNOWN_LATE)
            call->orphan = true; /* it is on its way through the network, whoever sent it */
        else
            call_free(store, pool_handle(&store->calls, i));
        i = next;
    }
}

/* ---- the store ---- */

struct memory_store *
memory_store_alloc(const struct memory_store_options *options)
{
    CHECK(options->schedule.at != NULL && options->schedule.now_us != NULL &&
          options->schedule.random != NULL);
    struct memory_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL);
    store->schedule = options->schedule;
    store->knobs = (struct memory_store_knobs){
        .get_us_min = 50, .get_us_max = 500, .commit_us_min = 200, .commit_us_max = 5000};
    uint32_t documents = options->documents_max ? options->documents_max : DOCUMENTS_DEFAULT;
    uint32_t calls = options->calls_max ? options->calls_max : CALLS_DEFAULT;
    pool_init(&store->documents, sizeof(struct document), documents, BLOCK_ITEMS);
    pool_init(&store->calls, sizeof(struct call), calls, BLOCK_ITEMS);
    for (uint32_t i = 0; i < BUCKETS; i++)
        store->buckets[i] = POOL_NONE;
    return store;
}

void
memory_store_free(struct memory_store **store)
{
    struct memory_store *s = *store;
    CHECK(s != NULL);
    for (uint32_t i = pool_next(&s->calls, POOL_NONE); i != POOL_NONE; i = pool_next(&s->calls, i))
        free(((struct call *)pool_at(&s->calls, i))->writes);
    for (uint32_t i = pool_next(&s->documents, POOL_NONE); i != POOL_NONE;
         i = pool_next(&s->documents, i))
        free(((struct document *)pool_at(&s->documents, i))->value);
    pool_fini(&s->calls);
    pool_fini(&s->documents);
    free(s);
    *store = NULL;
}

struct env_store
memory_store_port(struct memory_store *store, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL);
    store->done = done;
    return (struct env_store){.ctx = store,
                              .value_max = STORE_VALUE_ENGINE_MAX,
                              .commit_max = STORE_COMMIT_MAX,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch};
}

void
memory_store_set_knobs(struct memory_store *store, const struct memory_store_knobs *knobs)
{
    CHECK(knobs->get_us_min <= knobs->get_us_max && knobs->commit_us_min <= knobs->commit_us_max);
    CHECK((uint64_t)knobs->unavailable_ppm + knobs->unknown_done_ppm + knobs->unknown_lost_ppm +
              knobs->unknown_late_ppm <=
          PPM);
    store->knobs = *knobs;
}

void
memory_store_set_away(struct memory_store *store, bool away)
{
    store->away = away;
}

uint32_t
memory_store_under_way(const struct memory_store *store)
{
    return store->calls.used;
}

struct memory_store_stats
memory_store_stats(const struct memory_store *store)
{
    return store->stats;
}

uint64_t
memory_store_digest(const struct memory_store *store)
{
    uint64_t digest = 0;
    for (uint32_t i = pool_next(&store->documents, POOL_NONE); i != POOL_NONE;
         i = pool_next(&store->documents, i)) {
        const struct document *d = pool_at(&store->documents, i);
        digest = rand_mix(digest, d->version << 1 | d->exists);
        for (uint32_t b = 0; b < d->key_bytes; b++)
            digest = rand_mix(digest, d->key[b]);
        for (uint32_t b = 0; b < d->value_bytes; b++)
            digest = rand_mix(digest, d->value[b]);
    }
    return digest;
}
