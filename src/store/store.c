#include "store/store.h"
#include "base/check.h"
#include <string.h>

#define CALLS_BLOCK 256

struct call {
    store_got *got; /* one of the three */
    store_committed *committed;
    store_scanned *scanned;
    void *ctx;
    uint64_t n;
    int64_t asked_us;
};

void
store_init(struct store *store, const struct env *env, uint32_t calls_max)
{
    CHECK(env != NULL && calls_max > 0);
    *store = (struct store){.env = env};
    pool_init(&store->calls, sizeof(struct call), calls_max, CALLS_BLOCK);
}

void
store_fini(struct store *store)
{
    pool_fini(&store->calls);
    *store = (struct store){0};
}

/* Frees the call before its owner hears of it: he may ask again at once. took_us: may be NULL. */
static struct call
call_end(struct store *store, uint64_t token, struct hist *took_us)
{
    struct call *call = pool_find(&store->calls, token);
    CHECK(call != NULL); /* the engine promises one answer for each call */
    struct call copy = *call;
    pool_give(&store->calls, (uint32_t)token);
    int64_t took = env_mono_us(store->env) - copy.asked_us;
    if (took_us != NULL)
        hist_add(took_us, took < 0 ? 0 : (uint64_t)took);
    return copy;
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct store *store = ctx;
    struct call call = call_end(store, token, &store->stats.get_us);
    CHECK(call.got != NULL && (result == STORE_OK) == (doc != NULL));
    store->stats.gets_failed += result != STORE_OK;
    call.got(call.ctx, call.n, result, doc);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct store *store = ctx;
    struct call call = call_end(store, token, &store->stats.commit_us);
    CHECK(call.committed != NULL && result <= STORE_UNAVAILABLE);
    store->stats.results[result]++;
    call.committed(call.ctx, call.n, result);
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct store *store = ctx;
    struct call call = call_end(store, token, NULL);
    CHECK(call.scanned != NULL && (result == STORE_OK || count == 0));
    call.scanned(call.ctx, call.n, result, found, count);
}

static void
on_changed(void *ctx, struct slice key)
{
    struct store *store = ctx;
    store->stats.hints++;
    if (store->hint != NULL)
        store->hint(store->hint_ctx, key);
}

struct store_done
store_done(struct store *store)
{
    return (struct store_done){.ctx = store,
                               .got = on_got,
                               .committed = on_committed,
                               .scanned = on_scanned,
                               .changed = on_changed};
}

static enum err
call_begin(struct store *store, const struct call *call, uint64_t *token)
{
    uint32_t index;
    enum err error = pool_take(&store->calls, &index);
    if (error != OK) {
        store->stats.refused++;
        return error;
    }
    struct call *slot = pool_at(&store->calls, index);
    *slot = *call;
    slot->asked_us = env_mono_us(store->env);
    *token = pool_handle(&store->calls, index);
    return OK;
}

static enum err
call_refused(struct store *store, uint64_t token, enum err error)
{
    pool_give(&store->calls, (uint32_t)token);
    store->stats.refused += error == ERR_FULL;
    return error;
}

enum err
store_get(struct store *store, struct slice key, store_got *got, void *ctx, uint64_t n)
{
    CHECK(got != NULL);
    const struct env_store *port = &store->env->store;
    uint64_t token;
    enum err error = call_begin(store, &(struct call){.got = got, .ctx = ctx, .n = n}, &token);
    if (error != OK)
        return error;
    error = port->get(port->ctx, token, key);
    if (error != OK)
        return call_refused(store, token, error);
    store->stats.gets++;
    return OK;
}

enum err
store_commit(struct store *store, const struct store_write *writes, uint32_t count,
             store_committed *committed, void *ctx, uint64_t n)
{
    CHECK(committed != NULL);
    const struct env_store *port = &store->env->store;
    for (uint32_t i = 0; i < count; i++)
        if (writes[i].value.bytes > STORE_VALUE_MAX)
            return ERR_TOO_LARGE;
    uint64_t token;
    enum err error =
        call_begin(store, &(struct call){.committed = committed, .ctx = ctx, .n = n}, &token);
    if (error != OK)
        return error;
    error = port->commit(port->ctx, token, writes, count);
    if (error != OK)
        return call_refused(store, token, error);
    store->stats.commits++;
    store->stats.documents += count;
    return OK;
}

enum err
store_scan(struct store *store, enum store_role role, struct slice prefix, struct slice after,
           uint32_t limit, store_scanned *scanned, void *ctx, uint64_t n)
{
    CHECK(scanned != NULL && (uint32_t)role < STORE_ROLES);
    const struct env_store *port = &store->env->store;
    uint64_t token;
    enum err error =
        call_begin(store, &(struct call){.scanned = scanned, .ctx = ctx, .n = n}, &token);
    if (error != OK)
        return error;
    error = port->scan(port->ctx, token, prefix, after, limit);
    if (error != OK)
        return call_refused(store, token, error);
    store->stats.scans[role]++;
    return OK;
}

enum err
store_watch(struct store *store, struct slice key, bool on)
{
    const struct env_store *port = &store->env->store;
    return port->watch(port->ctx, key, on);
}

void
store_set_hints(struct store *store, store_hint *hint, void *ctx)
{
    store->hint = hint;
    store->hint_ctx = ctx;
}

uint32_t
store_under_way(const struct store *store)
{
    return store->calls.used;
}

const char *
store_result_name(enum store_result result)
{
    switch (result) {
    case STORE_OK: return "OK";
    case STORE_CONFLICT: return "CONFLICT";
    case STORE_UNKNOWN: return "UNKNOWN";
    case STORE_UNAVAILABLE: return "UNAVAILABLE";
    }
    return "?";
}
