/* What follows a decision: abort, apply or unstage each document, clean. The owner of a commit does
 * it after the answer, janitors do it for those who died. The record goes last, after every
 * document was seen without its pend: until then it must be there to be asked.
 */
#include "store/committer_inside.h"

#define FAILURES_MAX 3 /* then it is left to janitors */

static void
settle_direct(struct committer *c, struct op *op)
{
    struct piece *piece = op_piece(op);
    struct store_write write = {
        .key = key_slice(&piece->key), .expected_version = piece->staged, .op = STORE_FORGET};
    if (piece->op != STORE_FORGET) {
        struct envelope e = {.version = piece->base, .writers = {piece->base_writer}};
        envelope_advance(&e, piece->op, piece->value, op->id);
        write = op_envelope(c, write.key, piece->staged, &e);
    }
    op_move(op, OP_SETTLE_WRITE);
    op_write(c, op, &write, OP_SETTLE_READ);
}

/* The owner still knows what he has put into the document and at which version: it needs not be
 * read. */
static bool
is_known(const struct committer *c, const struct op *op, const struct piece *piece)
{
    return op->forward && piece->staged > 0 && piece->op != STORE_CHECK &&
           !committer_is(c, COMMITTER_MUTANT_APPLY_UNCHECKED);
}

static void
settle_next(struct committer *c, struct op *op)
{
    if (op->at == op->touched) {
        if (op->cleaned)
            op_free(c, op);
        else
            op_move_go(c, op, OP_CLEAN);
    } else if (is_known(c, op, op_piece(op))) {
        settle_direct(c, op);
    } else {
        op_move_go(c, op, OP_SETTLE_READ);
    }
}

void
settle_begin(struct committer *c, struct op *op, bool forward, uint32_t count)
{
    CHECK(count > 0 && count <= op->count);
    op->forward = forward;
    op->at = 0;
    op->touched = count;
    op->failures = 0;
    settle_next(c, op);
}

static void
settle_failed(struct committer *c, struct op *op)
{
    if (++op->failures < FAILURES_MAX)
        op_pause_go(c, op, OP_SETTLE_READ, op_backoff_us(c, TRIES_MAX));
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

void
settle_got(struct committer *c, struct op *op, enum store_result result,
           const struct store_doc *doc)
{
    struct envelope e;
    if (result != STORE_OK || envelope_read(doc, &e) != OK) {
        c->stats.malformed += result == STORE_OK;
        settle_failed(c, op);
        return;
    }
    bool ours = e.pend != PEND_NONE &&
                (txid_same(e.pend_id, op->id) || committer_is(c, COMMITTER_MUTANT_APPLY_UNCHECKED));
    if (!ours) {
        op->at++;
        settle_next(c, op);
        return;
    }
    struct slice key = key_slice(&op_piece(op)->key);
    struct store_write write = {.key = key, .expected_version = doc->version, .op = STORE_FORGET};
    bool forget = op->forward && e.pend == PEND_FORGET;
    envelope_decide(&e, op->forward);
    if (!forget)
        write = op_envelope(c, key, doc->version, &e);
    op_move(op, OP_SETTLE_WRITE);
    op_write(c, op, &write, OP_SETTLE_READ);
}

void
settle_written(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        c->stats.janitor_forward += op->kind == OP_JANITOR && op->forward;
        op->at++;
        settle_next(c, op);
        return;
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
        op_piece(op)->staged = 0;
        op_move_go(c, op, OP_SETTLE_READ);
        return;
    case STORE_UNAVAILABLE: settle_failed(c, op); return;
    }
}

void
abort_go(struct committer *c, struct op *op)
{
    struct key key = record_key(c->options.world, op->id);
    struct store_write write = many_record(c, op, &key, op->record_version, RECORD_ABORTED);
    op_write(c, op, &write, OP_ABORT);
}

void
abort_done(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_CONFLICT:
        if (op->kind == OP_JANITOR) { /* its owner may have committed it; the next round sees */
            op_free(c, op);
            return;
        }
        break; /* somebody else aborted it: only we could commit it, and we never tried */
    case STORE_OK:
        c->stats.janitor_abort += op->kind == OP_JANITOR;
        c->stats.aborted += op->kind == OP_MANY;
        break;
    case STORE_UNKNOWN: op_move_go(c, op, OP_ABORT); return;
    case STORE_UNAVAILABLE: op_end(c, op, STORE_UNAVAILABLE); return;
    }
    op->record_version++;
    settle_begin(c, op, false, op->touched);
}

void
clean_go(struct committer *c, struct op *op)
{
    struct key key = record_key(c->options.world, op->id);
    struct store_write write = {
        .key = key_slice(&key), .expected_version = op->record_version, .op = STORE_FORGET};
    op_write(c, op, &write, OP_CLEAN);
}

/* Whatever the answer: a record that is still there will be met by a janitor. */
void
clean_done(struct committer *c, struct op *op, enum store_result result)
{
    if (result == STORE_OK) {
        c->stats.janitor_cleaned += op->kind == OP_JANITOR;
        janitor_removed(c, op->id);
    }
    if (op->again)
        many_anew(c, op);
    else if (op->cleaned)
        settle_begin(c, op, true, op->count);
    else
        op_free(c, op);
}
