/* The documents of the simulator's engine: a hash table with the rules of the store port. What a
 * commit does is decided here; when it does it, and what of that is told to whom, in
 * memory_store.c. Used by that file only. One thread; memory grows up to documents_max.
 */
#ifndef SEOM_SIM_MEMORY_DOCUMENTS_H
#define SEOM_SIM_MEMORY_DOCUMENTS_H

#include "base/pool.h"
#include "env/env.h"
#include "sim/blob.h"
#include "sim/memory_store.h"

struct memory_key {
    uint64_t hash;
    uint8_t bytes, at[STORE_KEY_MAX];
};

struct memory_document {
    struct memory_key key;
    uint32_t next; /* in its bucket; POOL_NONE at the end */
    bool exists;
    uint64_t version;
    struct blob *value; /* held */
    /* As it was at memory_store_remember(), when it was there by then. */
    bool remembered_exists;
    struct blob *remembered; /* held */
};

struct memory_write {
    struct memory_key key;
    enum store_op op;
    uint64_t expected_version;
    struct blob *value;               /* held */
    struct memory_document *document; /* found while it is applied */
};

/* What a scan found, each with its value held. */
struct memory_found {
    struct memory_key key;
    uint64_t version;
    struct blob *value;
};

struct memory_documents {
    struct pool items;
    uint32_t *buckets; /* owned; first of each */
    uint32_t bucket_count;
    struct blobs blobs;
    struct memory_effects effects;
};

void memory_documents_init(struct memory_documents *documents, uint32_t documents_max);
void memory_documents_fini(struct memory_documents *documents);

struct memory_key memory_key_make(struct slice key);
struct slice memory_key_slice(const struct memory_key *key);
bool memory_key_equal(const struct memory_key *a, const struct memory_key *b);

/* In which of so many groups a document lives; whether all of a commit live in one. */
uint32_t memory_key_group(struct slice key, uint32_t groups);
bool memory_keys_fit(const struct store_write *writes, uint32_t count, uint32_t groups);

/* One after the other, from 0 on; NULL behind the last one. */
const struct memory_document *memory_documents_next(const struct memory_documents *documents,
                                                    uint32_t *cursor);
struct memory_document *memory_documents_find(const struct memory_documents *documents,
                                              const struct memory_key *key);   /* NULL: never was */
struct store_doc memory_document_view(const struct memory_document *document); /* NULL is fine */
/* All or nothing. STORE_UNAVAILABLE: no room, as on a full disk. */
enum store_result memory_documents_apply(struct memory_documents *documents,
                                         struct memory_write *writes, uint32_t count);
/* The first of those wanted in the order of keys; how many. */
uint32_t memory_documents_scan(const struct memory_documents *documents, struct slice prefix,
                               struct slice after, struct memory_found *found, uint32_t limit);
void memory_documents_remember(struct memory_documents *documents);
uint32_t memory_documents_rollback(struct memory_documents *documents, uint64_t salt);
uint64_t memory_documents_digest(const struct memory_documents *documents);

#endif
