/* Commits of several documents that live together, so that the engine writes them at once. Each is
 * read, and a pend in the way decided, as for a single write; then all envelopes go out as one
 * commit upon the versions that were read. What follows its answer:
 *
 *  OK            tell OK
 *  CONFLICT      read all again, with pauses; after too many races tell UNAVAILABLE. In doubt:
 * look, as outrun UNKNOWN       in doubt: look UNAVAILABLE   tell UNAVAILABLE; in doubt: look
 *
 *  Looking reads one document that the commit changes; one is as good as all, as they change
 *  together:
 *  as it was                 outrun: it did not happen and cannot, as a document beside it has
 *                            changed: read all again. Else it may come yet: the very same commit is
 *                            sent once more, and of the two one takes effect
 *  next version is ours      tell OK
 *  next version is not ours  it did not happen and cannot: read all again
 *  written over twice        outrun; look at the next document; all of them were: tell UNKNOWN
 *  cannot be read            again until doubt_ms, then tell UNKNOWN
 *
 * While a document carries a live pend it is waited for, even one that is only checked: its record
 * may become COMMITTED at any moment without the document's changing, and a version that is checked
 * would not show it.
 */
#include "store/committer_inside.h"
#include <stdlib.h>

#define ROOM_BYTES (COMMITTER_DOCUMENTS_MAX * (ENVELOPE_HEAD_BYTES + STORE_VALUE_MAX))

_Static_assert(ROOM_BYTES + COMMITTER_DOCUMENTS_MAX * STORE_KEY_MAX <= STORE_COMMIT_BYTES_MAX,
               "with its envelopes a commit is still one that an engine takes");

uint8_t *
together_room_alloc(void)
{
    uint8_t *room = malloc(ROOM_BYTES);
    CHECK(room != NULL);
    return room;
}

void
together_begin(struct committer *c, struct op *op)
{
    CHECK(c->together != NULL && op->count > 1 && op->count <= COMMITTER_DOCUMENTS_MAX);
    c->stats.together++;
    op->id = op_nonce(c);
    op->state = OP_READ;
    op_go(c, op);
}

/* ---- the commit ---- */

void
together_read(struct committer *c, struct op *op, const struct store_doc *raw,
              const struct envelope *envelope, enum verdict verdict)
{
    struct piece *piece = op_piece(op);
    CHECK(!op->in_doubt);
    if (piece->expected != STORE_ANY_VERSION && piece->expected != envelope->version) {
        op_end(c, op, STORE_CONFLICT);
        return;
    }
    c->stats.helper_forward += verdict == VERDICT_FORWARD;
    piece->base = envelope->version;
    piece->base_writer = envelope->writers[0];
    piece->raw_version = raw->version;
    op->blocked = 0;
    op_move_go(c, op, ++op->at < op->count ? OP_READ : OP_TOGETHER);
}

static struct store_write
piece_write(const struct piece *piece, struct txid writer, uint8_t **room)
{
    struct store_write write = {
        .key = key_slice(&piece->key), .expected_version = piece->raw_version, .op = STORE_CHECK};
    switch (piece->op) {
    case STORE_CHECK: break;
    case STORE_FORGET: write.op = piece->base > 0 ? STORE_FORGET : STORE_CHECK; break;
    case STORE_PUT:
    case STORE_DELETE: {
        struct envelope e = {.version = piece->base, .writers = {piece->base_writer}};
        envelope_advance(&e, piece->op, piece->value, writer);
        write.op = STORE_PUT;
        write.value = (struct slice){*room, envelope_write(&e, *room)};
        *room += write.value.bytes;
    }
    }
    return write;
}

void
together_go(struct committer *c, struct op *op)
{
    struct store_write writes[COMMITTER_DOCUMENTS_MAX];
    uint8_t *room = c->together;
    for (uint32_t i = 0; i < op->count; i++)
        writes[i] = piece_write(&op->pieces[i], op->id, &room);
    CHECK(room <= c->together + ROOM_BYTES);
    enum err error = c->engine.commit(c->engine.ctx, op->handle, writes, op->count);
    if (error != OK)
        op_refused(c, op, error);
}

/* ---- doubt ---- */

/* It did not happen and cannot. */
static void
begin_anew(struct committer *c, struct op *op)
{
    op->in_doubt = op->outrun = false;
    op->at = 0;
    read_again(c, op);
}

static bool
changes(const struct piece *piece)
{
    return piece->op == STORE_PUT || piece->op == STORE_DELETE;
}

/* The next document, from op->at on, that can tell; one that is gone tells less than one that has a
 * writer. */
static bool
find_teller(struct op *op)
{
    bool any = false;
    for (uint32_t i = 0; i < op->count; i++)
        any |= changes(&op->pieces[i]);
    while (op->at < op->count && !changes(&op->pieces[op->at]) &&
           (any || op->pieces[op->at].op != STORE_FORGET))
        op->at++;
    return op->at < op->count;
}

static void
look_first(struct committer *c, struct op *op)
{
    op->at = 0;
    if (find_teller(op))
        op_move_go(c, op, OP_TOGETHER_LOOK);
    else
        begin_anew(c, op); /* it only checks: to ask again does no harm */
}

static void
look_failed(struct committer *c, struct op *op)
{
    if (env_mono_us(c->options.env) < op->doubt_until_us)
        op_pause_go(c, op, OP_TOGETHER_LOOK, op_backoff_us(c, TRIES_MAX));
    else
        op_end(c, op, STORE_UNKNOWN);
}

void
together_done(struct committer *c, struct op *op, enum store_result result)
{
    switch (result) {
    case STORE_OK: op_end(c, op, STORE_OK); return;
    case STORE_CONFLICT:
        op->outrun = op->in_doubt;
        if (op->in_doubt)
            look_first(c, op);
        else
            begin_anew(c, op);
        return;
    case STORE_UNKNOWN:
        if (committer_is(c, COMMITTER_MUTANT_TOGETHER_UNKNOWN)) {
            op_end(c, op, STORE_CONFLICT);
            return;
        }
        if (!op->in_doubt)
            op->doubt_until_us = env_mono_us(c->options.env) + (int64_t)c->options.doubt_ms * 1000;
        op->in_doubt = true;
        look_first(c, op);
        return;
    case STORE_UNAVAILABLE:
        if (!op->in_doubt) {
            op_end(c, op, STORE_UNAVAILABLE);
            return;
        }
        op->at = 0;
        CHECK(find_teller(op)); /* or it would not be in doubt */
        look_failed(c, op);
        return;
    }
}

static enum written
look_tells(const struct op *op, const struct store_doc *doc, const struct envelope *e)
{
    const struct piece *piece = &op->pieces[op->at];
    if (piece->op == STORE_FORGET)
        return doc->version == 0 ? WRITTEN_YES : WRITTEN_NO;
    return envelope_written(e, piece->base, op->id);
}

void
together_look_got(struct committer *c, struct op *op, enum store_result result,
                  const struct store_doc *doc)
{
    struct envelope e;
    if (result != STORE_OK || envelope_read(doc, &e) != OK) {
        c->stats.malformed += result == STORE_OK;
        look_failed(c, op);
        return;
    }
    if (doc->version == op_piece(op)->raw_version) {
        if (op->outrun)
            begin_anew(c, op);
        else
            op_move_go(c, op, OP_TOGETHER);
        return;
    }
    switch (look_tells(op, doc, &e)) {
    case WRITTEN_YES:
        c->stats.unknown_resolved++;
        op_end(c, op, STORE_OK);
        return;
    case WRITTEN_NO: begin_anew(c, op); return;
    case WRITTEN_UNTOLD:
        op->outrun = true;
        op->at++;
        if (find_teller(op))
            op_move_go(c, op, OP_TOGETHER_LOOK);
        else
            op_end(c, op, STORE_UNKNOWN);
        return;
    }
}
