#include "store/ids.h"
#include "base/check.h"
#include "documents.pb-c.h"
#include "store/scratch.h"
#include <stdio.h>

#define RETRY_US_MIN 100000
#define RETRY_US_MAX 5000000

/* Which state may follow which.
 *
 *   IDLE -> READING -> WRITING -> IDLE     a block is ours
 *             ^  |        |
 *             |  +--------+--> WAITING     the store is away, or nobody knows: try again later,
 * when an id is asked for
 *             +-- CONFLICT --+     |
 *             +--------------------+
 */
static const bool moves[IDS_STATES][IDS_STATES] = {
    [IDS_IDLE] = {[IDS_READING] = true},
    [IDS_READING] = {[IDS_WRITING] = true, [IDS_WAITING] = true, [IDS_IDLE] = true},
    [IDS_WRITING] = {[IDS_IDLE] = true, [IDS_READING] = true, [IDS_WAITING] = true},
    [IDS_WAITING] = {[IDS_READING] = true},
};

static void
ids_move(struct ids *ids, enum ids_state to)
{
    CHECK(moves[ids->state][to]);
    ids->state = to;
}

static void
ids_wait(struct ids *ids)
{
    ids->failures++;
    ids->retry_at_us = env_mono_us(ids->store->env) + ids->retry_after_us;
    ids->retry_after_us =
        ids->retry_after_us * 2 < RETRY_US_MAX ? ids->retry_after_us * 2 : RETRY_US_MAX;
    ids_move(ids, IDS_WAITING);
}

static void ids_read(struct ids *ids);

static void
ids_leased(struct ids *ids)
{
    uint64_t first = ids->wanted == 0 ? 1 : ids->wanted; /* id 0 means nobody */
    uint64_t end = ids->wanted + IDS_BLOCK;
    if (ids->next == ids->end) {
        ids->next = first;
        ids->end = end;
    } else {
        CHECK(ids->spare_next == ids->spare_end);
        ids->spare_next = first;
        ids->spare_end = end;
    }
    ids->blocks++;
    ids->retry_after_us = RETRY_US_MIN;
    ids_move(ids, IDS_IDLE);
}

static void
on_committed(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    struct ids *ids = ctx;
    switch (result) {
    case STORE_OK: ids_leased(ids); return;
    case STORE_CONFLICT: ids_read(ids); return;
    /* If it did happen, that block is nobody's: reading again leases the one behind it. */
    case STORE_UNKNOWN:
    case STORE_UNAVAILABLE: ids_wait(ids); return;
    }
}

static void
ids_write(struct ids *ids, Seom__IdsDocument *document, uint64_t version)
{
    uint8_t packed[STORE_VALUE_MAX];
    ids->wanted = document->next < ids->first ? ids->first : document->next;
    document->next = ids->wanted + IDS_BLOCK;
    if (seom__ids_document__get_packed_size(document) > sizeof packed) {
        ids_wait(ids);
        return;
    }
    size_t bytes = seom__ids_document__pack(document, packed);
    struct store_write write = {.key = key_slice(&ids->key),
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = {packed, bytes}};
    ids_move(ids, IDS_WRITING);
    if (store_commit(ids->store, &write, 1, on_committed, ids, 0) != OK)
        ids_wait(ids);
}

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    (void)n;
    struct ids *ids = ctx;
    if (result != STORE_OK) {
        ids_wait(ids);
        return;
    }
    struct scratch scratch;
    scratch_init(&scratch);
    Seom__IdsDocument fresh = SEOM__IDS_DOCUMENT__INIT;
    Seom__IdsDocument *document = &fresh;
    if (doc->exists)
        document = seom__ids_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
    if (document == NULL) {
        env_log(ids->store->env, LOG_ERROR, "store.ids", "%s is no document of ours: no new ids",
                ids->key.text);
        ids_wait(ids);
    } else if (document->next > IDS_COUNTER_MASK) {
        ids->used_up = true;
        ids_move(ids, IDS_IDLE);
    } else {
        ids_write(ids, document, doc->version);
    }
}

static void
ids_read(struct ids *ids)
{
    ids_move(ids, IDS_READING);
    if (store_get(ids->store, key_slice(&ids->key), on_got, ids, 0) != OK)
        ids_wait(ids);
}

static bool
ids_may_ask(const struct ids *ids)
{
    return ids->state == IDS_IDLE ||
           (ids->state == IDS_WAITING && env_mono_us(ids->store->env) >= ids->retry_at_us);
}

void
ids_init(struct ids *ids, struct store *store, uint16_t world, const char *what)
{
    char name[KEY_NAME_MAX + 1];
    int n = snprintf(name, sizeof name, "ids-%s", what);
    CHECK(n > 0 && (size_t)n < sizeof name);
    *ids = (struct ids){
        .store = store,
        .key = key_named(world, KEY_CLASS_META, name),
        .world = world,
        .retry_after_us = RETRY_US_MIN,
    };
}

void
ids_begin_at(struct ids *ids, uint64_t first)
{
    CHECK(ids->state == IDS_IDLE && ids->blocks == 0 && first <= IDS_COUNTER_MASK);
    ids->first = first;
}

void
ids_prepare(struct ids *ids)
{
    bool enough = ids->end - ids->next >= IDS_BLOCK / 2 || ids->spare_next < ids->spare_end;
    if (!enough && !ids->used_up && ids_may_ask(ids))
        ids_read(ids);
}

enum err
ids_take(struct ids *ids, uint64_t *id)
{
    if (ids->next == ids->end) {
        ids->next = ids->spare_next;
        ids->end = ids->spare_end;
        ids->spare_next = ids->spare_end = 0;
    }
    enum err error = OK;
    if (ids->next == ids->end)
        error = ids->used_up ? ERR_FULL : ERR_UNAVAILABLE;
    else
        *id = (uint64_t)ids->world << IDS_COUNTER_BITS | ids->next++;
    ids_prepare(ids);
    return error;
}
