#include "sim/memory_documents.h"
#include "base/check.h"
#include "base/rand.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK_ITEMS   256
#define BUCKETS_FIRST 256

/* ---- keys ---- */

struct memory_key
memory_key_make(struct slice key)
{
    CHECK(key.bytes <= STORE_KEY_MAX);
    struct memory_key k;
    k.bytes = (uint8_t)key.bytes;
    memset(k.at, 0, sizeof k.at);
    if (key.bytes > 0)
        memcpy(k.at, key.at, key.bytes);
    k.hash = key.bytes;
    for (size_t i = 0; i < key.bytes; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, k.at + i, sizeof word);
        k.hash = (k.hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        k.hash ^= k.hash >> 32;
    }
    return k;
}

struct slice
memory_key_slice(const struct memory_key *key)
{
    return (struct slice){key->at, key->bytes};
}

bool
memory_key_equal(const struct memory_key *a, const struct memory_key *b)
{
    return a->hash == b->hash && a->bytes == b->bytes && memcmp(a->at, b->at, a->bytes) == 0;
}

/* ---- the table ---- */

static struct memory_document *
document_at(const struct memory_documents *documents, uint32_t index)
{
    return pool_at(&documents->items, index);
}

static uint32_t *
bucket_of(const struct memory_documents *documents, const struct memory_key *key)
{
    return &documents->buckets[key->hash & (documents->bucket_count - 1)];
}

static void
buckets_make(struct memory_documents *documents, uint32_t count)
{
    free(documents->buckets);
    documents->buckets = malloc(count * sizeof *documents->buckets);
    CHECK(documents->buckets != NULL);
    documents->bucket_count = count;
    memset(documents->buckets, 0xff, count * sizeof *documents->buckets); /* POOL_NONE */
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        struct memory_document *d = document_at(documents, i);
        uint32_t *bucket = bucket_of(documents, &d->key);
        d->next = *bucket;
        *bucket = i;
    }
}

void
memory_documents_init(struct memory_documents *documents, uint32_t documents_max)
{
    *documents = (struct memory_documents){0};
    pool_init(&documents->items, sizeof(struct memory_document), documents_max, BLOCK_ITEMS);
    blobs_init(&documents->blobs);
    buckets_make(documents, BUCKETS_FIRST);
}

void
memory_documents_fini(struct memory_documents *documents)
{
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        struct memory_document *d = document_at(documents, i);
        blob_release(&documents->blobs, &d->value);
        blob_release(&documents->blobs, &d->remembered);
    }
    pool_fini(&documents->items);
    blobs_fini(&documents->blobs);
    free(documents->buckets);
    *documents = (struct memory_documents){0};
}

uint32_t
memory_key_group(struct slice key, uint32_t groups)
{
    CHECK(groups > 0);
    return (uint32_t)(memory_key_make(key).hash % groups);
}

bool
memory_keys_fit(const struct store_write *writes, uint32_t count, uint32_t groups)
{
    for (uint32_t i = 1; i < count && groups > 1; i++)
        if (memory_key_group(writes[i].key, groups) != memory_key_group(writes[0].key, groups))
            return false;
    return true;
}

const struct memory_document *
memory_documents_next(const struct memory_documents *documents, uint32_t *cursor)
{
    uint32_t i = pool_next(&documents->items, *cursor == 0 ? POOL_NONE : *cursor - 1);
    if (i == POOL_NONE)
        return NULL;
    *cursor = i + 1;
    return pool_at(&documents->items, i);
}

struct memory_document *
memory_documents_find(const struct memory_documents *documents, const struct memory_key *key)
{
    for (uint32_t i = *bucket_of(documents, key); i != POOL_NONE;) {
        struct memory_document *d = document_at(documents, i);
        if (memory_key_equal(&d->key, key))
            return d;
        i = d->next;
    }
    return NULL;
}

struct store_doc
memory_document_view(const struct memory_document *document)
{
    if (document == NULL)
        return (struct store_doc){0};
    return (struct store_doc){.version = document->version,
                              .exists = document->exists,
                              .value = blob_slice(document->value)};
}

static struct memory_document *
document_make(struct memory_documents *documents, const struct memory_key *key)
{
    if (documents->items.used >= documents->bucket_count)
        buckets_make(documents, documents->bucket_count * 2);
    uint32_t index;
    enum err error = pool_take(&documents->items, &index);
    CHECK(error == OK); /* the commit looked whether there is room */
    struct memory_document *d = document_at(documents, index);
    d->key = *key;
    uint32_t *bucket = bucket_of(documents, key);
    d->next = *bucket;
    *bucket = index;
    return d;
}

static void
document_remove(struct memory_documents *documents, struct memory_document *d)
{
    uint32_t *link = bucket_of(documents, &d->key);
    while (document_at(documents, *link) != d)
        link = &document_at(documents, *link)->next;
    uint32_t index = *link;
    *link = d->next;
    blob_release(&documents->blobs, &d->value);
    blob_release(&documents->blobs, &d->remembered);
    pool_give(&documents->items, index);
}

/* ---- commits ---- */

static void
effect_tell(struct memory_documents *documents, const struct memory_key *key,
            const struct store_doc *before, const struct store_doc *after)
{
    if (documents->effects.effect != NULL)
        documents->effects.effect(documents->effects.ctx, memory_key_slice(key), before, after);
}

static void
effects_end(struct memory_documents *documents)
{
    if (documents->effects.end != NULL)
        documents->effects.end(documents->effects.ctx);
}

/* Takes over the caller's hold of value. */
static void
document_change(struct memory_documents *documents, struct memory_document *d, bool exists,
                struct blob *value)
{
    struct store_doc before = memory_document_view(d);
    struct blob *old = d->value;
    d->version++;
    d->exists = exists;
    d->value = value;
    struct store_doc after = memory_document_view(d);
    effect_tell(documents, &d->key, &before, &after);
    blob_release(&documents->blobs, &old);
}

static void
write_apply(struct memory_documents *documents, const struct memory_write *write)
{
    struct memory_document *d = write->document;
    switch (write->op) {
    case STORE_CHECK: return;
    case STORE_FORGET:
        if (d != NULL) {
            struct store_doc before = memory_document_view(d);
            effect_tell(documents, &write->key, &before, &(struct store_doc){0});
            document_remove(documents, d);
        }
        return;
    case STORE_PUT:
    case STORE_DELETE:
        if (d == NULL)
            d = document_make(documents, &write->key);
        document_change(documents, d, write->op == STORE_PUT, blob_hold(write->value));
        return;
    }
    check_failed(__FILE__, __LINE__, __func__, "an operation that there is");
}

enum store_result
memory_documents_apply(struct memory_documents *documents, struct memory_write *writes,
                       uint32_t count)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct memory_write *w = &writes[i];
        w->document = memory_documents_find(documents, &w->key);
        uint64_t version = w->document == NULL ? 0 : w->document->version;
        if (w->expected_version != STORE_ANY_VERSION && w->expected_version != version)
            return STORE_CONFLICT;
        missing += w->document == NULL && (w->op == STORE_PUT || w->op == STORE_DELETE);
    }
    if (documents->items.limit - documents->items.used < missing)
        return STORE_UNAVAILABLE;
    for (uint32_t i = 0; i < count; i++)
        write_apply(documents, &writes[i]);
    effects_end(documents);
    return STORE_OK;
}

/* ---- walking over all ---- */

static int
key_compare(struct slice a, struct slice b)
{
    size_t both = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = both == 0 ? 0 : memcmp(a.at, b.at, both);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static bool
is_wanted(const struct memory_document *d, struct slice prefix, struct slice after)
{
    struct slice key = memory_key_slice(&d->key);
    return d->exists && key.bytes >= prefix.bytes &&
           (prefix.bytes == 0 || memcmp(key.at, prefix.at, prefix.bytes) == 0) &&
           key_compare(key, after) > 0;
}

/* Documents lie in no order: those with the smallest keys are sorted in one by one. */
uint32_t
memory_documents_scan(const struct memory_documents *documents, struct slice prefix,
                      struct slice after, struct memory_found *found, uint32_t limit)
{
    CHECK(limit > 0 && limit <= STORE_SCAN_MAX);
    const struct memory_document *sorted[STORE_SCAN_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        const struct memory_document *d = document_at(documents, i);
        if (!is_wanted(d, prefix, after))
            continue;
        struct slice key = memory_key_slice(&d->key);
        uint32_t at = count;
        for (; at > 0 && key_compare(memory_key_slice(&sorted[at - 1]->key), key) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = d;
        count += count < limit;
    }
    for (uint32_t i = 0; i < count; i++)
        found[i] = (struct memory_found){
            .key = sorted[i]->key,
            .version = sorted[i]->version,
            .value = blob_hold(sorted[i]->value),
        };
    return count;
}

void
memory_documents_remember(struct memory_documents *documents)
{
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        struct memory_document *d = document_at(documents, i);
        blob_release(&documents->blobs, &d->remembered);
        d->remembered = blob_hold(d->value);
        d->remembered_exists = d->exists;
    }
}

uint32_t
memory_documents_rollback(struct memory_documents *documents, uint64_t salt)
{
    uint32_t changed = 0;
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        struct memory_document *d = document_at(documents, i);
        bool same = d->exists == d->remembered_exists && d->value == d->remembered;
        if (rand_mix(d->key.hash, salt) % 3 != 0 || same)
            continue;
        document_change(documents, d, d->remembered_exists, blob_hold(d->remembered));
        changed++;
    }
    if (changed > 0)
        effects_end(documents);
    return changed;
}

uint64_t
memory_documents_digest(const struct memory_documents *documents)
{
    uint64_t digest = 0;
    for (uint32_t i = pool_next(&documents->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&documents->items, i)) {
        const struct memory_document *d = document_at(documents, i);
        digest = rand_mix(digest, d->version << 1 | d->exists);
        for (uint32_t b = 0; b < d->key.bytes; b++)
            digest = rand_mix(digest, d->key.at[b]);
        struct slice value = blob_slice(d->value);
        for (size_t b = 0; b < value.bytes; b++)
            digest = rand_mix(digest, value.at[b]);
    }
    return digest;
}
