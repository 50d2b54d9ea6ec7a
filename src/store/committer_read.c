/* Documents and the pends that stand in their way: gets, writes of one document, and the reading
 * before a document of a larger commit is staged.
 *
 * A document with somebody's pend is read twice, with its record in between. If the engine's
 * version is the same both times, the pend stood there while the record was looked at, so the
 * answer belongs to that moment; else all begins anew. The second reading is also what is written
 * upon: a committed pend becomes the body, or an aborted one goes, in the same write as our own.
 */
#include "store/committer_inside.h"

static bool
gets_only(const struct op *op)
{
    return op->kind == OP_GET || (op->kind == OP_ONE && op->first.op == STORE_CHECK);
}

/* The engine cannot be read. Nothing can still happen, unless a write is in doubt. */
static void
read_failed(struct committer *c, struct op *op)
{
    if (op->kind == OP_MANY)
        many_unavailable(c, op);
    else if (op->in_doubt && env_mono_us(c->options.env) < op->doubt_until_us)
        op_pause_go(c, op, OP_READ, op_backoff_us(c, TRIES_MAX));
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

void
read_again(struct committer *c, struct op *op)
{
    op->verdict = VERDICT_NONE;
    if (++op->races <= 2) {
        op_move_go(c, op, OP_READ);
    } else if (op->races <= RACES_MAX) {
        uint32_t tries = op->races < TRIES_MAX ? op->races : TRIES_MAX;
        op_pause_go(c, op, OP_READ, op_backoff_us(c, tries) / 4);
    } else if (op->kind == OP_MANY) {
        many_again(c, op);
    } else {
        op_end(c, op, STORE_UNAVAILABLE);
    }
}

/* ---- a live pend ---- */

static void
blocked(struct committer *c, struct op *op)
{
    c->stats.blocked++;
    if (++op->blocked <= TRIES_MAX) {
        op_pause_go(c, op, OP_READ, op_backoff_us(c, op->blocked));
        return;
    }
    op->blocked = 0;
    if (op->kind == OP_MANY)
        many_again(c, op);
    else if (++op->attempts < c->options.attempts_max)
        op_pause_go(c, op, OP_READ, op_backoff_us(c, TRIES_MAX));
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

static void
help_abort(struct committer *c, struct op *op, uint64_t version, const struct commit_record *record)
{
    struct commit_record aborted = *record;
    aborted.state = RECORD_ABORTED;
    struct key key = record_key(c->options.world, op->other);
    struct store_write write = op_record(c, &key, version, &aborted);
    op_move(op, OP_HELP_ABORT);
    op_write(c, op, &write, OP_RECORD);
}

void
help_abort_done(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        c->stats.helper_abort++;
        op->verdict = VERDICT_BACK;
        op_move_go(c, op, OP_READ);
        return;
    case STORE_CONFLICT:
    case STORE_UNKNOWN: op_move_go(c, op, OP_RECORD); return;
    case STORE_UNAVAILABLE:
        op_move(op, OP_READ);
        read_failed(c, op);
        return;
    }
}

static void
record_is_pending(struct committer *c, struct op *op, uint64_t version,
                  const struct commit_record *record)
{
    bool over = op->kind == OP_TOGETHER_ALL && committer_is(c, COMMITTER_MUTANT_OVER_PEND);
    if (gets_only(op) || over) {
        op->verdict = VERDICT_LEAVE;
        op_move_go(c, op, OP_READ);
    } else if (env_world_ms(c->options.env) <= record->deadline_ms) {
        blocked(c, op);
    } else if (committer_is(c, COMMITTER_MUTANT_CLEAR_WITHOUT_ABORT)) {
        op->verdict = VERDICT_BACK;
        op_move_go(c, op, OP_READ);
    } else {
        help_abort(c, op, version, record);
    }
}

/* The record of the pend in the way. */
void
record_got(struct committer *c, struct op *op, enum store_result result,
           const struct store_doc *doc)
{
    struct commit_record record = {.state = RECORD_MISSING};
    bool failed = result != STORE_OK;
    if (!failed && doc->exists && record_read(doc->value, &record) != OK) {
        c->stats.malformed++;
        failed = true;
    }
    if (failed) {
        read_failed(c, op);
        return;
    }
    if (record.state == RECORD_MISSING && committer_is(c, COMMITTER_MUTANT_MISSING_IS_COMMITTED))
        record.state = RECORD_COMMITTED;
    switch (record.state) {
    case RECORD_PENDING: record_is_pending(c, op, doc->version, &record); return;
    case RECORD_COMMITTED: op->verdict = VERDICT_FORWARD; break;
    case RECORD_ABORTED:
    case RECORD_MISSING: op->verdict = VERDICT_BACK; break;
    }
    op_move_go(c, op, OP_READ);
}

/* ---- with nothing in the way ---- */

/* help: what was read carried a pend that is decided, and the answer counts it so. Makes it so in
 * passing; nobody waits for that, and the next get needs not ask its record. */
static void
get_answer(struct committer *c, struct op *op, const struct store_doc *raw,
           const struct envelope *e, enum verdict verdict)
{
    uint64_t token = op->token;
    bool for_scan = op->for_scan;
    bool help = verdict == VERDICT_FORWARD || verdict == VERDICT_BACK;
    if (help && (e->version > 0 || verdict == VERDICT_BACK)) { /* not what is forgotten */
        struct store_write write = op_envelope(c, key_slice(&op->first.key), raw->version, e);
        if (c->engine.commit(c->engine.ctx, op->handle, &write, 1) == OK)
            c->stats.helper_forward += verdict == VERDICT_FORWARD;
    }
    op->owed = false;
    c->users--;
    op_free(c, op);
    struct store_doc doc = {.version = e->version, .exists = e->exists, .value = e->body};
    if (for_scan)
        scan_got(c, token, STORE_OK, &doc);
    else
        c->done.got(c->done.ctx, token, STORE_OK, &doc);
}

static void
one_write(struct committer *c, struct op *op, const struct store_doc *raw, struct envelope *e,
          enum verdict verdict)
{
    struct piece *piece = op_piece(op);
    if (piece->expected != STORE_ANY_VERSION && piece->expected != e->version) {
        op_end(c, op, STORE_CONFLICT);
        return;
    }
    if (piece->op == STORE_CHECK || (piece->op == STORE_FORGET && e->version == 0)) {
        op_end(c, op, STORE_OK);
        return;
    }
    if (op->id.count == 0)
        op->id = op_nonce(c);
    op->doc_version = raw->version;
    piece->base = e->version;
    struct store_write write = {
        .key = key_slice(&piece->key), .expected_version = raw->version, .op = STORE_FORGET};
    if (piece->op != STORE_FORGET) {
        envelope_advance(e, piece->op, piece->value, op->id);
        write = op_envelope(c, write.key, raw->version, e);
    }
    c->stats.helper_forward += verdict == VERDICT_FORWARD;
    op_move(op, OP_WRITE);
    op_write(c, op, &write, OP_READ);
}

void
one_written(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        if (++op->at < op->count) /* only of the mutant that has no records */
            op_move_go(c, op, OP_READ);
        else
            op_end(c, op, STORE_OK);
        return;
    case STORE_CONFLICT: read_again(c, op); return;
    case STORE_UNKNOWN:
        if (!op->in_doubt)
            op->doubt_until_us = env_mono_us(c->options.env) + (int64_t)c->options.doubt_ms * 1000;
        op->in_doubt = true;
        op->doubt_version = op->doc_version;
        op->doubt_base = op_piece(op)->base;
        op_move_go(c, op, OP_READ);
        return;
    case STORE_UNAVAILABLE:
        op_move(op, OP_READ);
        read_failed(c, op);
        return;
    }
}

/* What became of the single write that was answered UNKNOWN. While the engine's version is still
 * the one it was made upon, it may take effect yet: then it is made again, and of the two one takes
 * effect. True: the user was told. */
static bool
one_resolve(struct committer *c, struct op *op, const struct store_doc *raw,
            const struct envelope *e)
{
    CHECK(op->kind == OP_ONE);
    if (raw->version == op->doubt_version)
        return false;
    bool gone = op_piece(op)->op == STORE_FORGET && raw->version == 0;
    switch (gone ? WRITTEN_YES : envelope_written(e, op->doubt_base, op->id)) {
    case WRITTEN_YES:
        c->stats.unknown_resolved++;
        op->in_doubt = false;
        one_written(c, op, STORE_OK);
        return true;
    case WRITTEN_NO: op->in_doubt = false; return false;
    case WRITTEN_UNTOLD: op_end(c, op, STORE_UNKNOWN); return true;
    }
    return false;
}

/* A pend stands in the way, or another one than before. */
static void
ask_record(struct committer *c, struct op *op, uint64_t version, struct txid other)
{
    bool changed = op->verdict != VERDICT_NONE;
    op->doc_version = version;
    op->other = other;
    op->verdict = VERDICT_NONE;
    if (changed && ++op->races > RACES_MAX) {
        read_again(c, op);
        return;
    }
    c->stats.resolves++;
    op_move_go(c, op, OP_RECORD);
}

void
read_got(struct committer *c, struct op *op, enum store_result result, const struct store_doc *doc)
{
    struct envelope e;
    if (result != STORE_OK || envelope_read(doc, &e) != OK) {
        c->stats.malformed += result == STORE_OK;
        read_failed(c, op);
        return;
    }
    if (op->in_doubt && one_resolve(c, op, doc, &e))
        return;
    bool own = op->kind == OP_MANY && e.pend != PEND_NONE && txid_same(e.pend_id, op->id);
    enum verdict verdict = VERDICT_NONE;
    if (e.pend != PEND_NONE && !own) {
        bool same = doc->version == op->doc_version && txid_same(e.pend_id, op->other);
        if (op->verdict == VERDICT_NONE || !same) {
            ask_record(c, op, doc->version, e.pend_id);
            return;
        }
        verdict = op->verdict;
        envelope_decide(&e, verdict == VERDICT_FORWARD);
    }
    op->verdict = VERDICT_NONE;
    switch (op->kind) {
    case OP_GET: get_answer(c, op, doc, &e, verdict); return;
    case OP_ONE: one_write(c, op, doc, &e, verdict); return;
    case OP_TOGETHER_ALL: together_read(c, op, doc, &e, verdict); return;
    case OP_MANY:
        c->stats.helper_forward += verdict == VERDICT_FORWARD;
        many_stage(c, op, doc, &e);
        return;
    case OP_PLAIN_WRITE:
    case OP_JANITOR: break;
    }
    CHECK(false);
}
