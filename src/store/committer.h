/* Commits over several documents for engines that are used one key at a time, or for several
 * engines without common transactions: the whole store port, over a store port of which only gets,
 * commits of documents that live together, and scans for recovery are used.
 *
 * A commit of several documents, which are d1 < d2 < ... in the order of their keys:
 *
 *   BEGIN      insert the record tx/<nonce>: PENDING, deadline, keys     all versions guarded
 *   STAGE      d1, d2, ...: put {nonce, what it will be} beside the body: the pend, which is a lock
 *   COMMIT     the record, from exactly the version of BEGIN: PENDING -> COMMITTED
 *              ---- now it has happened; the caller is told OK ----
 *   APPLY      d1, d2, ...: the pend becomes the body
 *   CLEAN      forget the record, once every document was seen without this pend
 *
 * Whoever meets a pend asks its record: COMMITTED: the pend counts as the body; ABORTED or missing:
 * it counts as nothing; PENDING: gets answer the old body, writers wait with growing pauses and,
 * past the deadline, make the record ABORTED, after which its owner cannot commit any more. A death
 * at any point leaves nothing that a reader, the next writer or the janitor of any committer does
 * not finish; nothing but the engine is needed for that. Clocks decide only who may abort.
 *
 * What may be believed:
 * - The engine: a call answered OK or CONFLICT or UNAVAILABLE leaves nothing under way. One that
 *   was answered UNKNOWN, or never because the asker died, may take effect later, also twice.
 *   Versions of documents are never reused, except that a forgotten one starts anew at 0.
 * - So a record is used only if its insert was answered OK: then no duplicate of the insert is
 *   under way that could bring it back, at its first version, after it was aborted and forgotten.
 *   After any other answer the commit takes a new nonce, and what may come of the old one is an
 *   abandoned record without documents, which a janitor removes. A nonce is never inserted twice.
 * - A commit point answered UNKNOWN is resolved by reading the record. If the record is gone by
 *   then, the documents tell: each carries who wrote its last two versions, and only a commit whose
 *   every document was applied or unstaged loses its record.
 * - A single document's write that was answered UNKNOWN is told from others' in the same way.
 *   STORE_UNKNOWN is answered only when others have written over it twice meanwhile, or the engine
 *   cannot be read for doubt_ms; STORE_UNAVAILABLE only when nothing has happened and nothing will.
 *   (The table of all states and results stands in committer_many.c.)
 *
 * Several documents that live together in an engine that can write them at once (env_store.group,
 * commit_max above 1) need no record: each is read, pends in the way are decided as above, and all
 * envelopes are one commit of the engine, upon the very versions that were read
 * (committer_together.c). Pages of places have no envelopes and are handed through; so a commit of
 * them must lie in one group (ERR_RANGE), and not mix with others (ERR_DENIED).
 *
 * Differences from an engine: commit_max is COMMITTER_DOCUMENTS_MAX; a document that was only ever
 * checked or staged stays in the engine with version 0, which nobody sees; in a scan by tools the
 * records do not appear, and a second scan while one is under way is refused with ERR_FULL. A
 * STORE_FORGET forgets, alone or in a commit of several.
 *
 * Logic room, one thread, owned by whoever owns the env. State machines in slots of a bounded pool;
 * memory by blocks up to limits. It may be destroyed at any time, after its engine was told to
 * answer no more. Answers come exactly once, never before the asking call returned.
 */
#ifndef SEOM_STORE_COMMITTER_H
#define SEOM_STORE_COMMITTER_H

#include "env/env.h"
#include "store/envelope.h"
#include "store/record.h"
#include <stdint.h>

#define COMMITTER_DOCUMENTS_MAX RECORD_KEYS_MAX

/* What the simulator must catch: each breaks one rule, in one line of the code. */
enum committer_mutant {
    COMMITTER_MUTANT_NONE,
    COMMITTER_MUTANT_NAIVE,              /* one document after the other, no record */
    COMMITTER_MUTANT_COMMIT_BY_PUT,      /* the commit point at any version of the record */
    COMMITTER_MUTANT_CLEAN_BEFORE_APPLY, /* the record is forgotten before the documents changed */
    COMMITTER_MUTANT_MISSING_IS_COMMITTED,
    COMMITTER_MUTANT_APPLY_UNCHECKED,     /* applies whatever pend it finds */
    COMMITTER_MUTANT_CLEAR_WITHOUT_ABORT, /* a helper drops a pend whose record is PENDING */
    COMMITTER_MUTANT_UNKNOWN_IS_FAILURE,  /* of the commit point */
    COMMITTER_MUTANT_BLIND_PUT,           /* stages at any version */
    COMMITTER_MUTANT_ACK_EARLY,           /* OK before the commit point */
    COMMITTER_MUTANT_ADOPT_RECORD, /* takes a record whose insert nobody confirmed for its own */
    COMMITTER_MUTANT_SAME_NONCE,   /* an insert that may be lost is sent again */
    COMMITTER_MUTANT_OVER_PEND,    /* a commit of those together does not wait for a live pend */
    COMMITTER_MUTANT_TOGETHER_UNKNOWN, /* of it, UNKNOWN counts as failed */
    COMMITTER_MUTANTS
};

/* 0 of a figure: the default. */
struct committer_options {
    const struct env *env; /* borrowed: clock, random numbers, log; its store is not used */
    uint16_t world;
    uint64_t node_epoch;     /* no other committer ever had it; at most TXID_EPOCH_MAX */
    uint32_t calls_max;      /* of users, under way together; 8,192 */
    uint32_t deadline_ms;    /* from BEGIN until others may abort; 2,000 */
    uint32_t backoff_us_min; /* first pause before a live pend; doubles; 4,000 */
    uint32_t attempts_max;   /* with a new nonce each, of 6 tries; 8 */
    uint32_t doubt_ms;       /* then STORE_UNKNOWN; 10,000 */
    uint32_t janitor_ms;     /* between rounds, with jitter of a half; 2,000 */
    enum committer_mutant mutant;
};

struct committer_stats {
    uint64_t gets, single, begun;           /* asked; of several documents, each nonce counts */
    uint64_t together;                      /* commits of several that live together, asked */
    uint64_t committed, conflicts, aborted; /* commits of several documents */
    uint64_t blocked;                       /* pauses before a live pend */
    uint64_t resolves;                      /* records asked because of somebody's pend */
    uint64_t helper_forward;                /* somebody's committed pend made a body */
    uint64_t helper_abort;                  /* somebody's record made ABORTED past its deadline */
    uint64_t unknown;                       /* writes that the engine answered UNKNOWN */
    uint64_t unknown_resolved;              /* that reading could tell had happened */
    uint64_t unknown_commit_happened;       /* the same of commit points */
    uint64_t unknown_told;                  /* to users */
    uint64_t zombie_stage;                  /* commit points that found their record gone */
    uint64_t judged;                        /* of those in doubt: the documents were asked */
    uint64_t resurrected; /* records that came back after the janitor had removed them */
    uint64_t malformed;   /* documents and records that cannot be read */
    uint64_t janitor_rounds, janitor_records, janitor_forward, janitor_abort, janitor_cleaned;
    uint64_t refused; /* ERR_FULL at the door */
};

struct committer;

struct committer *committer_alloc(const struct committer_options *options);
void committer_free(struct committer **committer);

/* Order of building: alloc, connect the engine with committer_done(), hand its port over, connect
 * the user. The engine's value_max must be at least ENVELOPE_MAX. */
struct store_done committer_done(struct committer *committer);
void committer_connect(struct committer *committer, const struct env_store *engine);
struct env_store committer_port(struct committer *committer, struct store_done done);

/* Does what is due: pauses that are over, the janitor. Returns the mono time (us) of the next turn
 * it wants, which an answer of the engine may move earlier: ask again after those. */
int64_t committer_turn(struct committer *committer);
/* Calls of users, and work behind their backs, that are under way. */
uint32_t committer_under_way(const struct committer *committer);
uint32_t committer_background(const struct committer *committer);
struct committer_stats committer_stats(const struct committer *committer);

/* For checkers: what a get would answer if it happened at once. Allocates and copies nothing. */
typedef enum record_state committer_record_state(void *ctx, struct txid id);

struct committer_view {
    uint64_t version;
    bool exists;
    struct slice body;  /* borrowed from raw */
    struct txid writer; /* of this version */
    enum pend_kind pend;
    struct txid pend_id;
    enum record_state pend_state; /* of the record, when there is a pend */
};

/* raw: as it stands in the engine. ERR_FORMAT, ERR_NEWER: cannot be read. */
enum err committer_look(const struct store_doc *raw, committer_record_state *state_of, void *ctx,
                        struct committer_view *out);

#endif
