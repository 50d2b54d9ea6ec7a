/* What the engine holds, followed effect by effect: each document as it counts (a pend whose record
 * is COMMITTED counts as the body), and each record of a commit. A change of what counts is a
 * transaction: one write of one document, one record that became COMMITTED, or, on an engine that
 * takes whole commits, one of those. commit_check.c looks at each as a whole.
 *
 * It reads the committer's envelopes and records with the committer's own readers, and uses nothing
 * else of it. Belongs to the run.
 */
#ifndef SEOM_PROOF_COMMIT_TRUTH_H
#define SEOM_PROOF_COMMIT_TRUTH_H

#include "base/map.h"
#include "base/pool.h"
#include "store/envelope.h"
#include "store/keys.h"
#include <stdbool.h>
#include <stdint.h>

#define TRUTH_DOCS_MAX    (1U << 20)
#define TRUTH_CHANGED_MAX 64
#define TRUTH_NONE        UINT32_MAX

enum truth_class {
    TRUTH_PLAYER,
    TRUTH_LEDGER,
    TRUTH_CHUNK,
    TRUTH_CHEST,
    TRUTH_MAIL,
    TRUTH_INBOX,
    TRUTH_TRADE,
    TRUTH_META,
    TRUTH_CLASSES
};

struct truth_state {
    uint64_t version;
    bool exists;
    uint64_t digest; /* of the body */
};

struct truth_doc {
    struct key key;
    enum truth_class class;
    uint64_t id;               /* in the key; of a page of a ledger: the player */
    struct truth_state alone;  /* without the pend */
    struct truth_state staged; /* what the pend would make of it */
    enum pend_kind pend;
    struct txid pend_id;
    int64_t pended_us;
    struct truth_state counts;
    struct truth_state before; /* what counted before this transaction, while changed */
    bool changed;
    uint32_t book; /* what it says, commit_books.h; TRUTH_NONE: nothing of value */
};

struct truth_record {
    struct txid id;
    enum record_state state;
    int64_t since_us;
    bool was_forgotten;
    uint32_t count;
    uint32_t docs[RECORD_KEYS_MAX];
};

struct commit_model;

struct truth {
    struct commit_model *model; /* borrowed */
    struct pool docs, records;
    struct map by_key, by_txid;
    uint32_t changed[TRUTH_CHANGED_MAX], changed_count;
    uint32_t committed; /* the record that became COMMITTED just now; TRUTH_NONE */
    uint32_t open_records;
};

void truth_init(struct truth *t, struct commit_model *m);
void truth_fini(struct truth *t);
/* For struct memory_effects. */
void truth_effect(void *ctx, struct slice key, const struct store_doc *before,
                  const struct store_doc *after);
void truth_end(void *ctx);
struct truth_doc *truth_at(const struct truth *t, uint32_t index);
/* NULL: never heard of. */
struct truth_doc *truth_find(const struct truth *t, const struct key *key);
/* The body that counts, as it stands in the engine; borrowed until that goes on. */
struct slice truth_body(const struct truth *t, const struct truth_doc *doc);
/* The state of the record of the pend that a document carries. */
enum record_state truth_pend_state(const struct truth *t, const struct truth_doc *doc);
/* Whether a document is staged by this node for a commit in this state. */
bool truth_has_staged(const struct truth *t, uint64_t node_epoch, enum record_state state);

#endif
