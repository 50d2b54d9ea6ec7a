/* Commits of several documents, up to the commit point. What follows an answer of the engine:
 *
 *              OK           CONFLICT            UNKNOWN                    UNAVAILABLE
 *  BEGIN       stage d1     new nonce           new nonce (a)              tell UNAVAILABLE (b)
 *  READ        stage d      -                   like UNAVAILABLE           tell UNAVAILABLE (b)
 *  WRITE       next d       read d again        read d again: is it there  tell UNAVAILABLE (b)
 *  COMMIT      tell OK      read the record     in doubt; read the record  tell UNAVAILABLE (b); in
 *                                                                          doubt: read the record
 *  ABORT       unstage      unstage             again                      leave it to janitors (b)
 *  SETTLE      next d       read d again        read d again               thrice, then janitors
 *  CLEAN       done         done                done, or a janitor's       a janitor's
 *
 *  The document has another version than was expected: tell CONFLICT, abort in the background.
 *  A live pend for six pauses, or too many races: abort, then again with a new nonce; after
 *  attempts_max of them tell UNAVAILABLE.
 *
 *  The record, read after COMMIT:
 *  COMMITTED               tell OK
 *  PENDING, our version    COMMIT again, from the same version: of the two one takes effect
 *  ABORTED, or another     it did not happen and cannot: again with a new nonce
 *  version
 *  gone, not in doubt      the same
 *  gone, in doubt          ask the documents: one whose next version is ours: OK; one that has no
 *                          next version, our pend, or another writer's: it did not happen; all
 *                          were written over twice: tell UNKNOWN
 *  cannot be read          not in doubt: UNAVAILABLE; in doubt: again until doubt_ms, then UNKNOWN
 *
 * (a) Even if the record is there: a duplicate of its insert could bring it back later, and its
 *     version would be the one that our commit point expects.
 * (b) Only the owner of a record ever makes it COMMITTED, and he now will not: nothing can happen
 *     any more, and whoever comes past its deadline aborts it.
 */
#include "store/committer_inside.h"

struct store_write
many_record(struct committer *c, const struct op *op, const struct key *key, uint64_t version,
            enum record_state state)
{
    struct commit_record record = {.state = state,
                                   .deadline_ms = op->deadline_ms,
                                   .count = op->count,
                                   .keys = {c->scratch + RECORD_HEAD_BYTES, 0}};
    size_t used = 0, room = RECORD_MAX - RECORD_HEAD_BYTES;
    for (uint32_t i = 0; i < op->count; i++)
        used = record_add_key(c->scratch + RECORD_HEAD_BYTES, used, room,
                              key_slice(&op->pieces[i].key));
    record.keys.bytes = used;
    return op_record(c, key, version, &record);
}

static void
attempt_init(struct committer *c, struct op *op)
{
    op->id = op_nonce(c);
    op->deadline_ms = env_world_ms(c->options.env) + c->options.deadline_ms;
    op->record_version = 0;
    op->at = op->touched = op->blocked = op->races = 0;
    op->verdict = VERDICT_NONE;
    op->again = false;
    for (uint32_t i = 0; i < op->count; i++)
        op->pieces[i].staged = 0;
    c->stats.begun++;
}

void
many_anew(struct committer *c, struct op *op)
{
    attempt_init(c, op);
    op_pause_go(c, op, OP_BEGIN, op_backoff_us(c, op->attempts));
}

void
many_begin(struct committer *c, struct op *op)
{
    CHECK(op->kind == OP_MANY && op->count > 1 && op->count <= COMMITTER_DOCUMENTS_MAX);
    attempt_init(c, op);
    op->state = OP_BEGIN;
    op_go(c, op);
}

void
many_go(struct committer *c, struct op *op)
{
    struct key key = record_key(c->options.world, op->id);
    uint64_t version = op->record_version;
    if (op->state == OP_COMMIT && committer_is(c, COMMITTER_MUTANT_COMMIT_BY_PUT))
        version = STORE_ANY_VERSION;
    CHECK(op->state == OP_BEGIN || op->state == OP_COMMIT);
    struct store_write write = many_record(
        c, op, &key, version, op->state == OP_BEGIN ? RECORD_PENDING : RECORD_COMMITTED);
    op_write(c, op, &write, op->state);
}

/* ---- attempts that end before the commit point ---- */

/* Nothing of it can happen any more, as only we could have made the record COMMITTED. */
static void
attempt_drop(struct committer *c, struct op *op)
{
    op_move_go(c, op, op->touched > 0 ? OP_ABORT : OP_CLEAN);
}

static void
many_refuse(struct committer *c, struct op *op, enum store_result result)
{
    op->again = false;
    attempt_drop(c, op);
    op_answer(c, op, result);
}

static bool
attempt_is_left(const struct committer *c, struct op *op)
{
    op->again = op->owed && ++op->attempts < c->options.attempts_max;
    return op->again;
}

void
many_again(struct committer *c, struct op *op)
{
    if (attempt_is_left(c, op))
        attempt_drop(c, op);
    else
        many_refuse(c, op, STORE_UNAVAILABLE);
}

void
many_unavailable(struct committer *c, struct op *op)
{
    op_end(c, op, STORE_UNAVAILABLE);
}

/* ---- begin, stage ---- */

static void
stage_first(struct committer *c, struct op *op)
{
    op->record_version = 1; /* what an insert gives */
    op_move_go(c, op, OP_READ);
}

/* Nothing was staged under the old nonce. */
static void
begin_anew(struct committer *c, struct op *op)
{
    if (attempt_is_left(c, op))
        many_anew(c, op);
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

void
begin_done(struct committer *c, struct op *op, enum store_result result)
{
    if (result == STORE_UNKNOWN && committer_is(c, COMMITTER_MUTANT_ADOPT_RECORD))
        result = STORE_OK;
    switch (result) {
    case STORE_OK: stage_first(c, op); return;
    case STORE_UNKNOWN:
        if (committer_is(c, COMMITTER_MUTANT_SAME_NONCE))
            op_move_go(c, op, OP_BEGIN);
        else
            begin_anew(c, op);
        return;
    case STORE_CONFLICT: begin_anew(c, op); return;
    case STORE_UNAVAILABLE: op_end(c, op, STORE_UNAVAILABLE); return;
    }
}

static void
stage_next(struct committer *c, struct op *op)
{
    if (++op->at < op->count) {
        op->races = op->blocked = 0;
        op_move_go(c, op, OP_READ);
        return;
    }
    op_move_go(c, op, OP_COMMIT);
    if (committer_is(c, COMMITTER_MUTANT_ACK_EARLY))
        op_answer(c, op, STORE_OK);
}

/* The document as it was just read, with nobody else's pend. */
void
many_stage(struct committer *c, struct op *op, const struct store_doc *doc,
           struct envelope *envelope)
{
    struct piece *piece = op_piece(op);
    if (envelope->pend != PEND_NONE) { /* ours: the answer to it was UNKNOWN */
        piece->staged = doc->version;
        stage_next(c, op);
        return;
    }
    if (piece->expected != STORE_ANY_VERSION && piece->expected != envelope->version) {
        c->stats.conflicts++;
        many_refuse(c, op, STORE_CONFLICT);
        return;
    }
    piece->base = envelope->version;
    piece->base_writer = envelope->writers[0];
    envelope->pend = pend_of_op(piece->op);
    envelope->pend_id = op->id;
    envelope->pend_body = piece->value;
    op->doc_version = doc->version;
    op->touched = op->at + 1;
    uint64_t version =
        committer_is(c, COMMITTER_MUTANT_BLIND_PUT) ? STORE_ANY_VERSION : doc->version;
    struct store_write write = op_envelope(c, key_slice(&piece->key), version, envelope);
    op_move(op, OP_WRITE);
    op_write(c, op, &write, OP_READ);
}

void
many_staged(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        op_piece(op)->staged =
            committer_is(c, COMMITTER_MUTANT_BLIND_PUT) ? 0 : op->doc_version + 1;
        stage_next(c, op);
        return;
    case STORE_UNKNOWN: op_move_go(c, op, OP_READ); return;
    case STORE_CONFLICT:
        if (++op->races > RACES_MAX)
            many_again(c, op);
        else
            op_move_go(c, op, OP_READ);
        return;
    case STORE_UNAVAILABLE: many_unavailable(c, op); return;
    }
}

/* ---- the commit point ---- */

static void
committed(struct committer *c, struct op *op)
{
    c->stats.committed++;
    op->in_doubt = false;
    op->record_version++;
    op->cleaned = committer_is(c, COMMITTER_MUTANT_CLEAN_BEFORE_APPLY);
    if (op->cleaned) {
        op->forward = true;
        op_move_go(c, op, OP_CLEAN);
    } else {
        settle_begin(c, op, true, op->count);
    }
    op_answer(c, op, STORE_OK);
}

/* Somebody aborted it: it did not happen and cannot. */
static void
commit_lost(struct committer *c, struct op *op)
{
    c->stats.aborted++;
    op->in_doubt = false;
    op->record_version++;
    bool told = !attempt_is_left(c, op);
    settle_begin(c, op, false, op->count);
    if (told)
        op_answer(c, op, STORE_UNAVAILABLE);
}

static void
commit_look_failed(struct committer *c, struct op *op)
{
    if (op->in_doubt && env_mono_us(c->options.env) < op->doubt_until_us)
        op_pause_go(c, op, OP_COMMIT_LOOK, op_backoff_us(c, TRIES_MAX));
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

void
commit_done(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK: committed(c, op); return;
    case STORE_CONFLICT: op_move_go(c, op, OP_COMMIT_LOOK); return;
    case STORE_UNKNOWN:
        if (committer_is(c, COMMITTER_MUTANT_UNKNOWN_IS_FAILURE)) {
            many_refuse(c, op, STORE_CONFLICT);
            return;
        }
        if (!op->in_doubt)
            op->doubt_until_us = env_mono_us(c->options.env) + (int64_t)c->options.doubt_ms * 1000;
        op->in_doubt = true;
        op_move_go(c, op, OP_COMMIT_LOOK);
        return;
    case STORE_UNAVAILABLE:
        op_move(op, OP_COMMIT_LOOK);
        commit_look_failed(c, op);
        return;
    }
}

/* The next document that can tell: a put or a delete. */
static void
judge_next(struct committer *c, struct op *op)
{
    while (op->at < op->count && op_piece(op)->op != STORE_PUT && op_piece(op)->op != STORE_DELETE)
        op->at++;
    if (op->at < op->count)
        op_move_go(c, op, OP_JUDGE);
    else
        op_end(c, op, STORE_UNKNOWN);
}

static void
commit_record_is_gone(struct committer *c, struct op *op)
{
    c->stats.zombie_stage++;
    if (!op->in_doubt) {
        commit_lost(c, op);
        return;
    }
    c->stats.judged++;
    op->at = 0;
    judge_next(c, op);
}

void
commit_look_got(struct committer *c, struct op *op, enum store_result result,
                const struct store_doc *doc)
{
    struct commit_record record = {.state = RECORD_MISSING};
    if (result == STORE_OK && doc->exists && record_read(doc->value, &record) != OK) {
        c->stats.malformed++;
        result = STORE_UNAVAILABLE;
    }
    if (result != STORE_OK) {
        commit_look_failed(c, op);
        return;
    }
    bool ours =
        doc->version == op->record_version || committer_is(c, COMMITTER_MUTANT_ADOPT_RECORD);
    switch (record.state) {
    case RECORD_COMMITTED:
        c->stats.unknown_commit_happened++;
        committed(c, op);
        return;
    case RECORD_PENDING:
        if (ours) {
            op->record_version = doc->version;
            op_move_go(c, op, OP_COMMIT);
            return;
        }
        commit_lost(c, op);
        return;
    case RECORD_ABORTED: commit_lost(c, op); return;
    case RECORD_MISSING: commit_record_is_gone(c, op); return;
    }
}

void
judge_got(struct committer *c, struct op *op, enum store_result result, const struct store_doc *doc)
{
    struct envelope e;
    if (result != STORE_OK || envelope_read(doc, &e) != OK) {
        op->at++;
        judge_next(c, op);
        return;
    }
    const struct piece *piece = op_piece(op);
    /* Where our pend still stands, the version is that of base: no. */
    enum written written = envelope_written(&e, piece->base, op->id);
    if (doc->version < piece->staged)
        written = WRITTEN_UNTOLD; /* forgotten meanwhile, and its versions with it */
    switch (written) {
    case WRITTEN_YES:
        c->stats.unknown_commit_happened++;
        c->stats.committed++;
        op_end(c, op, STORE_OK);
        return;
    case WRITTEN_NO: commit_lost(c, op); return;
    case WRITTEN_UNTOLD:
        op->at++;
        judge_next(c, op);
        return;
    }
}
