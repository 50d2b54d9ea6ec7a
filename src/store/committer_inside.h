/* What the files of the committer share; nobody else includes it. An op is one call of a user, or
 * the finishing of one commit by the janitor. It has exactly one thing under way: a call of the
 * engine, whose token is the op's handle, or an alarm. An op that has ended leaves stale handles
 * behind, so whatever still comes for it is dropped.
 *
 * States and the moves between them; `go` means that the call of the state is sent (again):
 *
 *   READ --> RECORD --> HELP_ABORT       a document; the record of the pend in the way; abort it
 *    |  ^______|____________|
 *    v
 *   WRITE                                 the single write, or the pend of a commit
 *
 *   READ, each document -> TOGETHER <-> TOGETHER_LOOK      those that live together
 *     ^________________________|______________|
 *
 *   PLAIN                                 handed through: what has no envelope
 *
 *   BEGIN -> READ <-> WRITE, each document -> COMMIT -> SETTLE_WRITE, each document -> CLEAN
 *                |                            |  ^           |  ^
 *                v                            v  |           v  |
 *              ABORT                     COMMIT_LOOK     SETTLE_READ
 *                |                            |
 *                +-> SETTLE_READ backwards <--+--> JUDGE   the record is gone: what do documents
 * say
 */
#ifndef SEOM_STORE_COMMITTER_INSIDE_H
#define SEOM_STORE_COMMITTER_INSIDE_H

#include "base/check.h"
#include "base/pool.h"
#include "store/alarms.h"
#include "store/buffers.h"
#include "store/committer.h"

#define TRIES_MAX         6  /* pauses before one live pend, then this attempt is given up */
#define RACES_MAX         64 /* times that somebody else was faster, then this attempt is given up */
#define JANITOR_PAGE      32
#define JANITOR_PAGES_MAX 64 /* of one round; the next one goes on where it stopped */
#define REMOVED_MAX       64
#define JANITOR_TOKEN     1 /* of its scans; the user's scan has another */
#define SCAN_TOKEN        2

enum op_kind { OP_GET, OP_ONE, OP_TOGETHER_ALL, OP_MANY, OP_PLAIN_WRITE, OP_JANITOR };

enum op_state {
    OP_READ,
    OP_RECORD,
    OP_HELP_ABORT,
    OP_WRITE,
    OP_TOGETHER,
    OP_TOGETHER_LOOK,
    OP_PLAIN,
    OP_BEGIN,
    OP_COMMIT,
    OP_COMMIT_LOOK,
    OP_JUDGE,
    OP_ABORT,
    OP_SETTLE_READ,
    OP_SETTLE_WRITE,
    OP_CLEAN,
    OP_STATES
};

/* What the record said: not asked, the pend is the body, it is nothing, it is nothing yet. */
enum verdict { VERDICT_NONE, VERDICT_FORWARD, VERDICT_BACK, VERDICT_LEAVE };

/* One document of a call. */
struct piece {
    struct key key;
    enum store_op op;
    uint64_t expected;
    struct slice value;      /* in the op's buffer */
    uint64_t base;           /* what users saw when this was written or staged */
    struct txid base_writer; /* of base */
    uint64_t staged;         /* the engine's version with our pend; 0: not known */
    uint64_t raw_version;    /* of those together: the engine's, which the commit expects */
};

struct op {
    enum op_kind kind;
    enum op_state state;
    bool owed;     /* an answer to the user, for his token */
    bool for_scan; /* the user is our own scan */
    uint64_t token, handle;
    struct buffer buffer;
    struct piece first;   /* of calls with one document */
    struct piece *pieces; /* &first, or in the buffer */
    uint32_t count, at;
    uint32_t touched; /* documents that may carry our pend: the first so many */

    struct txid id;          /* of this attempt, or of the single write */
    int64_t deadline_ms;     /* in its record */
    uint64_t record_version; /* of its record, as our own writes made it */

    /* The document at hand and the pend that stands in the way. */
    uint64_t doc_version;
    struct txid other;
    enum verdict verdict;

    bool in_doubt; /* a write was answered UNKNOWN: the commit point, or the single write */
    uint64_t doubt_version, doubt_base;
    bool outrun; /* what is in doubt does not fit its documents any more */
    int64_t doubt_until_us;

    bool forward; /* settling: apply, otherwise unstage */
    bool again;   /* after settling: another attempt */
    bool waiting; /* an alarm is set */
    bool cleaned; /* only of the mutant that cleans first */
    uint32_t blocked, races, attempts, failures;
};

struct janitor {
    int64_t due_us;
    bool scanning;
    uint32_t open;                    /* its ops */
    uint32_t pages;                   /* of this round */
    bool more;                        /* the last page was full */
    struct key after;                 /* bytes 0: from the first */
    struct txid removed[REMOVED_MAX]; /* the last ones: who comes back is counted */
    uint32_t removed_at;
};

struct scan;

struct committer {
    struct committer_options options;
    struct env_store engine;
    struct store_done done;
    struct pool ops;
    struct buffers buffers;
    struct alarms alarms;
    uint32_t users; /* ops with an answer owed */
    uint64_t nonces;
    struct janitor janitor;
    struct scan *scan; /* owned, made for the first scan; the only one at a time */
    struct committer_stats stats;
    uint8_t *together; /* owned: the envelopes of one commit; NULL: one key at a time */
    uint8_t scratch[ENVELOPE_MAX];
};

_Static_assert(RECORD_MAX <= ENVELOPE_MAX, "records are made in scratch too");

static inline bool
committer_is(const struct committer *c, enum committer_mutant mutant)
{
    return c->options.mutant == mutant;
}

static inline struct piece *
op_piece(const struct op *op)
{
    CHECK(op->at < op->count);
    return &op->pieces[op->at];
}

/* committer.c: the op */
void op_move(struct op *op, enum op_state next); /* CHECKs that the table allows it */
void op_go(struct committer *c, struct op *op);  /* sends the call of its state */
void op_move_go(struct committer *c, struct op *op, enum op_state next);
/* Like op_move_go, after a pause around so long. */
void op_pause_go(struct committer *c, struct op *op, enum op_state next, int64_t pause_us);
void op_free(struct committer *c, struct op *op);
/* What the user is told, while the op goes on. UNAVAILABLE of one in doubt is UNKNOWN. */
void op_answer(struct committer *c, struct op *op, enum store_result result);
void op_end(struct committer *c, struct op *op, enum store_result result); /* both */
struct txid op_nonce(struct committer *c);
int64_t op_backoff_us(struct committer *c, uint32_t tries);
/* One write of the engine for this op. When the engine refuses, the op goes on at `retry` later. */
void op_write(struct committer *c, struct op *op, const struct store_write *write,
              enum op_state retry);
/* The write that puts this envelope in the place of the engine's version; uses scratch. */
struct store_write op_envelope(struct committer *c, struct slice key, uint64_t version,
                               const struct envelope *envelope);
/* The write that makes a record; uses scratch. */
struct store_write op_record(struct committer *c, const struct key *key, uint64_t version,
                             const struct commit_record *record);
enum err op_take(struct committer *c, struct op **op);
/* The engine refused the op's call, which is sent again later. */
void op_refused(struct committer *c, struct op *op, enum err error);
bool committer_is_plain(struct slice key);
enum err committer_get_for_scan(struct committer *c, uint64_t token, struct slice key);

/* committer_read.c: documents and the pends in their way */
void read_got(struct committer *c, struct op *op, enum store_result result,
              const struct store_doc *doc);
void record_got(struct committer *c, struct op *op, enum store_result result,
                const struct store_doc *doc);
void help_abort_done(struct committer *c, struct op *op, enum store_result result);
void one_written(struct committer *c, struct op *op, enum store_result result);
/* Somebody else was faster: reads again, after a pause when that happened often; in the end the
 * answer is UNAVAILABLE, of an OP_MANY another attempt. */
void read_again(struct committer *c, struct op *op);

/* committer_together.c: commits of documents that live together */
uint8_t *together_room_alloc(void);
void together_begin(struct committer *c, struct op *op);
/* The document at hand as it was read; verdict: what became of the pend that stood there. */
void together_read(struct committer *c, struct op *op, const struct store_doc *raw,
                   const struct envelope *envelope, enum verdict verdict);
void together_go(struct committer *c, struct op *op);
void together_done(struct committer *c, struct op *op, enum store_result result);
void together_look_got(struct committer *c, struct op *op, enum store_result result,
                       const struct store_doc *doc);

/* committer_many.c: commits of several documents */
void many_anew(struct committer *c, struct op *op); /* another attempt, after a pause */
void many_begin(struct committer *c, struct op *op);
void many_stage(struct committer *c, struct op *op, const struct store_doc *doc,
                struct envelope *envelope);
void many_staged(struct committer *c, struct op *op, enum store_result result);
void many_again(struct committer *c, struct op *op);
void many_unavailable(struct committer *c, struct op *op);
void many_go(struct committer *c, struct op *op);
/* The record of this attempt in the given state; the keys stand in scratch. */
struct store_write many_record(struct committer *c, const struct op *op, const struct key *key,
                               uint64_t version, enum record_state state);
void begin_done(struct committer *c, struct op *op, enum store_result result);
void commit_done(struct committer *c, struct op *op, enum store_result result);
void commit_look_got(struct committer *c, struct op *op, enum store_result result,
                     const struct store_doc *doc);
void judge_got(struct committer *c, struct op *op, enum store_result result,
               const struct store_doc *doc);

/* committer_settle.c: abort, apply or unstage, clean; for owners and for the janitor */
void settle_begin(struct committer *c, struct op *op, bool forward, uint32_t count);
void settle_got(struct committer *c, struct op *op, enum store_result result,
                const struct store_doc *doc);
void settle_written(struct committer *c, struct op *op, enum store_result result);
void abort_go(struct committer *c, struct op *op);
void abort_done(struct committer *c, struct op *op, enum store_result result);
void clean_go(struct committer *c, struct op *op);
void clean_done(struct committer *c, struct op *op, enum store_result result);

/* janitor.c */
void janitor_rest(struct committer *c); /* until the next round */
void janitor_turn(struct committer *c);
void janitor_scanned(struct committer *c, enum store_result result, const struct store_found *found,
                     uint32_t count);
void janitor_op_ended(struct committer *c);
void janitor_removed(struct committer *c, struct txid id);

/* committer_scan.c */
enum err scan_start(struct committer *c, uint64_t token, struct slice prefix, struct slice after,
                    uint32_t limit);
void scan_scanned(struct committer *c, enum store_result result, const struct store_found *found,
                  uint32_t count);
void scan_got(struct committer *c, uint64_t token, enum store_result result,
              const struct store_doc *doc);
void scan_free(struct committer *c);

#endif
