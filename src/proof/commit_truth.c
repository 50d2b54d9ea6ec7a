#include "proof/commit_truth.h"

#include "base/check.h"
#include "proof/commit_check.h"
#include "proof/commit_state.h"
#include "society/chunk.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/trade.h"
#include <string.h>
#include <xxhash.h>

#define RECORDS_MAX (1U << 20)

static uint64_t
digest_of(struct slice bytes)
{
    return bytes.bytes == 0 ? 0 : XXH64(bytes.at, bytes.bytes, 0);
}

static uint64_t
never_0(uint64_t hash)
{
    return hash == 0 ? 1 : hash;
}

static uint64_t
txid_hash(struct txid id)
{
    return never_0(rand_mix(id.epoch, id.count));
}

struct truth_doc *
truth_at(const struct truth *t, uint32_t index)
{
    return pool_at(&t->docs, index);
}

static bool
same_state(struct truth_state a, struct truth_state b)
{
    return a.version == b.version && a.exists == b.exists && a.digest == b.digest;
}

/* ---- documents ---- */

static enum truth_class
class_of(const struct key_parts *parts)
{
    static const char *const names[TRUTH_CLASSES] = {
        [TRUTH_PLAYER] = KEY_CLASS_PLAYER, [TRUTH_LEDGER] = KEY_CLASS_LEDGER,
        [TRUTH_CHUNK] = KEY_CLASS_CHUNK,   [TRUTH_CHEST] = KEY_CLASS_CHEST,
        [TRUTH_MAIL] = KEY_CLASS_MAIL,     [TRUTH_INBOX] = KEY_CLASS_INBOX,
        [TRUTH_TRADE] = KEY_CLASS_TRADE,   [TRUTH_META] = KEY_CLASS_META};
    for (uint32_t i = 0; i < TRUTH_CLASSES; i++) {
        if (key_has_class(parts, names[i]))
            return (enum truth_class)i;
    }
    check_failed(__FILE__, __LINE__, __func__, "a class of documents that the model knows");
}

static uint32_t
doc_make(struct truth *t, struct slice key, uint64_t hash)
{
    struct key_parts parts;
    uint32_t index, page;
    CHECK(key_parse(key, &parts) == OK && pool_take(&t->docs, &index) == OK);
    struct truth_doc *d = truth_at(t, index);
    *d = (struct truth_doc){.class = class_of(&parts), .id = parts.id, .book = TRUTH_NONE};
    d->key.bytes = (uint8_t)key.bytes;
    memcpy(d->key.text, key.at, key.bytes);
    if (d->class == TRUTH_LEDGER)
        CHECK(ledger_key_parse(parts.name, &d->id, &page) == OK);
    CHECK(map_put(&t->by_key, hash, index) == OK);
    return index;
}

static uint32_t
doc_of(struct truth *t, struct slice key)
{
    uint64_t hash = never_0(XXH64(key.at, key.bytes, 0));
    uint32_t index = map_get(&t->by_key, hash);
    return index == MAP_NONE ? doc_make(t, key, hash) : index;
}

struct truth_doc *
truth_find(const struct truth *t, const struct key *key)
{
    uint32_t index = map_get(&t->by_key, never_0(XXH64(key->text, key->bytes, 0)));
    return index == MAP_NONE ? NULL : truth_at(t, index);
}

static const struct truth_record *
record_of(const struct truth *t, struct txid id)
{
    uint32_t index = map_get(&t->by_txid, txid_hash(id));
    return index == MAP_NONE ? NULL : pool_at(&t->records, index);
}

enum record_state
truth_pend_state(const struct truth *t, const struct truth_doc *doc)
{
    CHECK(doc->pend != PEND_NONE);
    const struct truth_record *record = record_of(t, doc->pend_id);
    return record == NULL ? RECORD_MISSING : record->state;
}

static bool
pend_counts(const struct truth *t, const struct truth_doc *d)
{
    return d->pend != PEND_NONE && truth_pend_state(t, d) == RECORD_COMMITTED;
}

/* What counts now; a change belongs to the transaction of this effect. */
static void
doc_count(struct truth *t, uint32_t index)
{
    struct truth_doc *d = truth_at(t, index);
    struct truth_state now = pend_counts(t, d) ? d->staged : d->alone;
    if (same_state(now, d->counts))
        return;
    if (!d->changed && t->changed_count == TRUTH_CHANGED_MAX) {
        commit_wrong(t->model, PROOF_WRONG, COMMIT_WHOLE, "%u documents changed at once",
                     t->changed_count + 1);
        return;
    }
    if (!d->changed) {
        t->changed[t->changed_count++] = index;
        d->changed = true;
        d->before = d->counts;
    }
    d->counts = now;
}

static struct truth_state
staged_state(const struct envelope *e)
{
    switch (e->pend) {
    case PEND_PUT:
        return (struct truth_state){
            .version = e->version + 1, .exists = true, .digest = digest_of(e->pend_body)};
    case PEND_DELETE: return (struct truth_state){.version = e->version + 1};
    case PEND_FORGET: return (struct truth_state){0};
    case PEND_NONE:
    case PEND_CHECK: break;
    }
    return (struct truth_state){
        .version = e->version, .exists = e->exists, .digest = digest_of(e->body)};
}

static void
doc_pend(struct truth *t, struct truth_doc *d, const struct envelope *e)
{
    bool same = d->pend != PEND_NONE && e->pend != PEND_NONE && txid_same(d->pend_id, e->pend_id);
    if (e->pend != PEND_NONE && !same) {
        d->pended_us = commit_now_us(t->model);
    }
    d->pend = e->pend;
    d->pend_id = e->pend_id;
    d->staged = staged_state(e);
    if (d->pend != PEND_NONE && !same && truth_pend_state(t, d) != RECORD_PENDING)
        commit_sometimes(t->model, SOMETIMES_ZOMBIE_STAGE);
}

static void
doc_effect(struct truth *t, struct slice key, const struct store_doc *after)
{
    uint32_t index = doc_of(t, key);
    struct truth_doc *d = truth_at(t, index);
    if (t->model->knobs.direct) {
        d->alone = (struct truth_state){
            .version = after->version, .exists = after->exists, .digest = digest_of(after->value)};
    } else {
        struct envelope e;
        if (envelope_read(after, &e) != OK) {
            commit_wrong(t->model, PROOF_WRONG, COMMIT_WHOLE, "%s cannot be read", d->key.text);
            return;
        }
        d->alone = (struct truth_state){
            .version = e.version, .exists = e.exists, .digest = digest_of(e.body)};
        doc_pend(t, d, &e);
    }
    doc_count(t, index);
}

struct slice
truth_body(const struct truth *t, const struct truth_doc *doc)
{
    struct store_doc raw = memory_store_look(t->model->engine, key_slice(&doc->key));
    struct envelope e;
    CHECK(doc->counts.exists);
    if (t->model->knobs.direct)
        return raw.value;
    CHECK(envelope_read(&raw, &e) == OK);
    return pend_counts(t, doc) && e.pend == PEND_PUT ? e.pend_body : e.body;
}

/* ---- records ---- */

static struct truth_record *
record_make(struct truth *t, struct txid id)
{
    uint32_t index;
    CHECK(pool_take(&t->records, &index) == OK);
    CHECK(map_put(&t->by_txid, txid_hash(id), index) == OK);
    struct truth_record *record = pool_at(&t->records, index);
    record->id = id;
    return record;
}

/* The commit point: every document that the record names must carry this pend. */
static void
record_committed(struct truth *t, const struct truth_record *record)
{
    commit_looked(t->model, COMMIT_WHOLE);
    for (uint32_t i = 0; i < record->count; i++) {
        const struct truth_doc *d = truth_at(t, record->docs[i]);
        if (d->pend == PEND_NONE || !txid_same(d->pend_id, record->id))
            commit_wrong(t->model, PROOF_WRONG, COMMIT_WHOLE,
                         "a commit of %u documents has happened, and %s is not staged for it",
                         record->count, d->key.text);
    }
}

static void
record_keys(struct truth *t, struct truth_record *record, struct commit_record read)
{
    struct slice key;
    record->count = 0;
    while (record_next_key(&read, &key))
        record->docs[record->count++] = doc_of(t, key);
}

static void
record_effect(struct truth *t, struct txid id, const struct store_doc *after)
{
    uint32_t index = map_get(&t->by_txid, txid_hash(id));
    struct truth_record *record =
        index == MAP_NONE ? record_make(t, id) : pool_at(&t->records, index);
    enum record_state was = record->state;
    struct commit_record read = {.state = RECORD_MISSING};
    if (after->exists && record_read(after->value, &read) != OK) {
        commit_wrong(t->model, PROOF_WRONG, COMMIT_WHOLE, "a record cannot be read");
        return;
    }
    record->state = read.state;
    t->open_records += read.state != RECORD_MISSING;
    t->open_records -= was != RECORD_MISSING;
    if (read.state != RECORD_MISSING)
        record_keys(t, record, read);
    if (was == RECORD_MISSING) {
        record->since_us = commit_now_us(t->model);
        if (record->was_forgotten)
            commit_sometimes(t->model, SOMETIMES_RESURRECTED);
    }
    record->was_forgotten |= read.state == RECORD_MISSING;
    if (read.state == RECORD_COMMITTED && was != RECORD_COMMITTED) {
        t->committed = map_get(&t->by_txid, txid_hash(id));
        record_committed(t, record);
    }
    for (uint32_t i = 0; i < record->count; i++)
        doc_count(t, record->docs[i]);
}

bool
truth_has_staged(const struct truth *t, uint64_t node_epoch, enum record_state state)
{
    for (uint32_t i = pool_next(&t->docs, POOL_NONE); i != POOL_NONE; i = pool_next(&t->docs, i)) {
        const struct truth_doc *d = pool_at(&t->docs, i);
        if (d->pend != PEND_NONE && d->pend_id.epoch == node_epoch &&
            truth_pend_state(t, d) == state)
            return true;
    }
    return false;
}

/* ---- effects ---- */

void
truth_effect(void *ctx, struct slice key, const struct store_doc *before,
             const struct store_doc *after)
{
    struct truth *t = ctx;
    struct txid id;
    (void)before;
    uint64_t what = XXH64(key.at, key.bytes, after->version << 1 | after->exists);
    commit_fold(t->model, rand_mix(what, digest_of(after->value)));
    commit_trace(t->model, "%.*s -> version %llu, %zu bytes%s", (int)key.bytes,
                 (const char *)key.at, (unsigned long long)after->version, after->value.bytes,
                 after->exists ? "" : ", gone");
    if (record_key_parse(key, &id) == OK)
        record_effect(t, id, after);
    else
        doc_effect(t, key, after);
}

void
truth_end(void *ctx)
{
    struct truth *t = ctx;
    if (t->changed_count > 0)
        check_transaction(t->model);
    for (uint32_t i = 0; i < t->changed_count; i++)
        truth_at(t, t->changed[i])->changed = false;
    t->changed_count = 0;
    t->committed = TRUTH_NONE;
}

void
truth_init(struct truth *t, struct commit_model *m)
{
    *t = (struct truth){.model = m, .committed = TRUTH_NONE};
    pool_init(&t->docs, sizeof(struct truth_doc), TRUTH_DOCS_MAX, 256);
    pool_init(&t->records, sizeof(struct truth_record), RECORDS_MAX, 256);
    map_init(&t->by_key, TRUTH_DOCS_MAX, 0);
    map_init(&t->by_txid, RECORDS_MAX, 0);
}

void
truth_fini(struct truth *t)
{
    pool_fini(&t->docs);
    pool_fini(&t->records);
    map_fini(&t->by_key);
    map_fini(&t->by_txid);
}
