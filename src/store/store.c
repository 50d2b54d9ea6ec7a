#include "store/store.h"
#include "base/check.h"
#include <string.h>

#define CALLS_BLOCK 256

struct call {
    store_got *got; /* one of the two */
    store_committed *committed;
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

/* Frees the call before its owner hears of it: he may ask again at once. */
static struct call
call_end(struct store *store, uint64_t token, struct hist *took_us)
{
    struct call *call = pool_find(&store->calls, token);
    CHECK(call != NULL); /* the engine promises one answer for each call */
    struct call copy = *call;
    pool_give(&store->calls, (uint32_t)token);
    int64_t took = env_mono_us(store->env) - copy.asked_us;
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

struct store_done
store_done(struct store *store)
{
    return (struct store_done){.ctx = store, .got = on_got, .committed = on_committed};
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
