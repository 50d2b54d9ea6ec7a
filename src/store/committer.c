#include "env/store_limits.h"
#include "store/committer_inside.h"
#include <stdlib.h>
#include <string.h>

#define CALLS_DEFAULT       8192
#define DEADLINE_DEFAULT_MS 2000
#define BACKOFF_DEFAULT_US  4000
#define ATTEMPTS_DEFAULT    8
#define DOUBT_DEFAULT_MS    10000
#define JANITOR_DEFAULT_MS  2000
#define OPS_BLOCK           64
#define REFUSALS_MAX        64 /* of one op, for other reasons than too much under way */

/* ---- the op ---- */

#define TO(state) (1U << OP_##state)

static const uint32_t moves[OP_STATES] = {
    [OP_READ] =
        TO(READ) | TO(RECORD) | TO(WRITE) | TO(TOGETHER) | TO(COMMIT) | TO(ABORT) | TO(CLEAN),
    [OP_RECORD] = TO(RECORD) | TO(READ) | TO(HELP_ABORT) | TO(ABORT) | TO(CLEAN),
    [OP_HELP_ABORT] = TO(READ) | TO(RECORD),
    [OP_WRITE] = TO(READ) | TO(COMMIT) | TO(ABORT) | TO(CLEAN),
    [OP_TOGETHER] = TO(READ) | TO(TOGETHER_LOOK),
    [OP_TOGETHER_LOOK] = TO(READ) | TO(TOGETHER) | TO(TOGETHER_LOOK),
    [OP_BEGIN] = TO(BEGIN) | TO(READ),
    [OP_COMMIT] =
        TO(COMMIT) | TO(COMMIT_LOOK) | TO(SETTLE_READ) | TO(SETTLE_WRITE) | TO(ABORT) | TO(CLEAN),
    [OP_COMMIT_LOOK] =
        TO(COMMIT_LOOK) | TO(COMMIT) | TO(JUDGE) | TO(SETTLE_READ) | TO(SETTLE_WRITE) | TO(CLEAN),
    [OP_JUDGE] = TO(JUDGE) | TO(SETTLE_READ),
    [OP_ABORT] = TO(ABORT) | TO(SETTLE_READ),
    [OP_SETTLE_READ] = TO(SETTLE_READ) | TO(SETTLE_WRITE) | TO(CLEAN),
    [OP_SETTLE_WRITE] = TO(SETTLE_READ) | TO(SETTLE_WRITE) | TO(CLEAN),
    [OP_CLEAN] = TO(BEGIN) | TO(SETTLE_READ) | TO(SETTLE_WRITE),
};

enum err
op_take(struct committer *c, struct op **op)
{
    uint32_t index;
    enum err error = pool_take(&c->ops, &index);
    if (error != OK)
        return error;
    *op = pool_at(&c->ops, index);
    (*op)->handle = pool_handle(&c->ops, index);
    (*op)->pieces = &(*op)->first;
    (*op)->count = 1;
    return OK;
}

void
op_free(struct committer *c, struct op *op)
{
    CHECK(!op->owed && !op->waiting);
    bool janitors = op->kind == OP_JANITOR;
    buffers_give(&c->buffers, &op->buffer);
    pool_give(&c->ops, (uint32_t)op->handle);
    if (janitors)
        janitor_op_ended(c);
}

void
op_move(struct op *op, enum op_state next)
{
    CHECK(next < OP_STATES && moves[op->state] & 1U << next);
    op->state = next;
}

static void
op_wait(struct committer *c, struct op *op, int64_t pause_us)
{
    CHECK(!op->waiting);
    op->waiting = true;
    alarms_set(&c->alarms, env_mono_us(c->options.env) + pause_us, op->handle);
}

void
op_refused(struct committer *c, struct op *op, enum err error)
{
    CHECK(error != OK);
    if (error != ERR_FULL)
        op->failures++;
    op_wait(c, op, op_backoff_us(c, 0));
}

static void
op_get(struct committer *c, struct op *op, const struct key *key)
{
    enum err error = c->engine.get(c->engine.ctx, op->handle, key_slice(key));
    if (error != OK)
        op_refused(c, op, error);
}

void
op_write(struct committer *c, struct op *op, const struct store_write *write, enum op_state retry)
{
    enum err error = c->engine.commit(c->engine.ctx, op->handle, write, 1);
    if (error == OK)
        return;
    op_move(op, retry);
    op_refused(c, op, error);
}

void
op_go(struct committer *c, struct op *op)
{
    struct key key;
    CHECK(!op->waiting);
    switch (op->state) {
    case OP_READ:
    case OP_JUDGE:
    case OP_TOGETHER_LOOK:
    case OP_SETTLE_READ: op_get(c, op, &op_piece(op)->key); return;
    case OP_TOGETHER: together_go(c, op); return;
    case OP_RECORD:
        key = record_key(c->options.world, op->other);
        op_get(c, op, &key);
        return;
    case OP_COMMIT_LOOK:
        key = record_key(c->options.world, op->id);
        op_get(c, op, &key);
        return;
    case OP_BEGIN:
    case OP_COMMIT: many_go(c, op); return;
    case OP_ABORT: abort_go(c, op); return;
    case OP_CLEAN: clean_go(c, op); return;
    case OP_WRITE:
    case OP_SETTLE_WRITE:
    case OP_HELP_ABORT:
    case OP_PLAIN:
    case OP_STATES: break;
    }
    CHECK(false); /* those are sent by whoever has just read what they write, or was asked */
}

void
op_move_go(struct committer *c, struct op *op, enum op_state next)
{
    op_move(op, next);
    op_go(c, op);
}

void
op_pause_go(struct committer *c, struct op *op, enum op_state next, int64_t pause_us)
{
    op_move(op, next);
    op_wait(c, op, pause_us);
}

/* Half of it certain, half of it chance, doubled with each try. */
int64_t
op_backoff_us(struct committer *c, uint32_t tries)
{
    uint64_t us = (uint64_t)c->options.backoff_us_min << (tries < 10 ? tries : 10);
    return (int64_t)(us / 2 + env_random(c->options.env) % (us + 1));
}

struct txid
op_nonce(struct committer *c)
{
    CHECK(c->nonces < TXID_COUNT_MAX);
    return (struct txid){.epoch = c->options.node_epoch, .count = ++c->nonces};
}

struct store_write
op_envelope(struct committer *c, struct slice key, uint64_t version,
            const struct envelope *envelope)
{
    return (struct store_write){.key = key,
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = {c->scratch, envelope_write(envelope, c->scratch)}};
}

struct store_write
op_record(struct committer *c, const struct key *key, uint64_t version,
          const struct commit_record *record)
{
    return (struct store_write){.key = key_slice(key),
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = {c->scratch, record_write(record, c->scratch)}};
}

static void
op_unowe(struct committer *c, struct op *op)
{
    CHECK(op->owed && c->users > 0);
    op->owed = false;
    c->users--;
}

void
op_answer(struct committer *c, struct op *op, enum store_result result)
{
    CHECK(op->kind == OP_ONE || op->kind == OP_MANY);
    if (result == STORE_UNAVAILABLE && op->in_doubt)
        result = STORE_UNKNOWN;
    if (!op->owed)
        return;
    op_unowe(c, op);
    c->stats.unknown_told += result == STORE_UNKNOWN;
    c->done.committed(c->done.ctx, op->token, result);
}

void
op_end(struct committer *c, struct op *op, enum store_result result)
{
    struct op ended = *op; /* the user may ask again at once, and find the slot free */
    if (op->owed)
        op_unowe(c, op);
    op_free(c, op);
    if (!ended.owed)
        return;
    if (ended.kind == OP_GET) {
        CHECK(result != STORE_OK); /* that comes with a document */
        if (ended.for_scan)
            scan_got(c, ended.token, result, NULL);
        else
            c->done.got(c->done.ctx, ended.token, result, NULL);
        return;
    }
    if (result == STORE_UNAVAILABLE && ended.in_doubt)
        result = STORE_UNKNOWN;
    c->stats.unknown_told += result == STORE_UNKNOWN;
    c->done.committed(c->done.ctx, ended.token, result);
}

/* ---- what the engine answers ---- */

static void
plain_got(struct committer *c, struct op *op, enum store_result result, const struct store_doc *doc)
{
    uint64_t token = op->token;
    op_unowe(c, op);
    op_free(c, op);
    c->done.got(c->done.ctx, token, result, doc);
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct committer *c = ctx;
    struct op *op = pool_find(&c->ops, token);
    if (op == NULL)
        return; /* nobody waits for it any more */
    switch (op->state) {
    case OP_READ: read_got(c, op, result, doc); return;
    case OP_RECORD: record_got(c, op, result, doc); return;
    case OP_COMMIT_LOOK: commit_look_got(c, op, result, doc); return;
    case OP_JUDGE: judge_got(c, op, result, doc); return;
    case OP_SETTLE_READ: settle_got(c, op, result, doc); return;
    case OP_TOGETHER_LOOK: together_look_got(c, op, result, doc); return;
    case OP_PLAIN: plain_got(c, op, result, doc); return;
    case OP_HELP_ABORT:
    case OP_WRITE:
    case OP_TOGETHER:
    case OP_BEGIN:
    case OP_COMMIT:
    case OP_ABORT:
    case OP_SETTLE_WRITE:
    case OP_CLEAN:
    case OP_STATES: break;
    }
    CHECK(false); /* an op has one call under way, and this state's is a commit */
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct committer *c = ctx;
    struct op *op = pool_find(&c->ops, token);
    c->stats.unknown += result == STORE_UNKNOWN;
    if (op == NULL)
        return;
    switch (op->state) {
    case OP_WRITE:
        if (op->kind == OP_ONE)
            one_written(c, op, result);
        else
            many_staged(c, op, result);
        return;
    case OP_HELP_ABORT: help_abort_done(c, op, result); return;
    case OP_BEGIN: begin_done(c, op, result); return;
    case OP_COMMIT: commit_done(c, op, result); return;
    case OP_ABORT: abort_done(c, op, result); return;
    case OP_SETTLE_WRITE: settle_written(c, op, result); return;
    case OP_CLEAN: clean_done(c, op, result); return;
    case OP_TOGETHER: together_done(c, op, result); return;
    case OP_PLAIN: op_end(c, op, result); return;
    case OP_READ:
    case OP_RECORD:
    case OP_COMMIT_LOOK:
    case OP_JUDGE:
    case OP_TOGETHER_LOOK:
    case OP_SETTLE_READ:
    case OP_STATES: break;
    }
    CHECK(false);
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct committer *c = ctx;
    if (token == JANITOR_TOKEN)
        janitor_scanned(c, result, found, count);
    else
        scan_scanned(c, result, found, count);
}

static void
on_changed(void *ctx, struct slice key)
{
    struct committer *c = ctx;
    if (c->done.changed != NULL)
        c->done.changed(c->done.ctx, key);
}

/* ---- the port ---- */

static enum err
user_op(struct committer *c, enum op_kind kind, uint64_t token, struct op **op)
{
    CHECK(c->engine.get != NULL && c->done.got != NULL);
    if (c->users == c->options.calls_max || op_take(c, op) != OK) {
        c->stats.refused++;
        return ERR_FULL;
    }
    c->users++;
    (*op)->kind = kind;
    (*op)->owed = true;
    (*op)->token = token;
    return OK;
}

static struct key
key_copy(struct slice from)
{
    struct key key = {.bytes = (uint8_t)from.bytes};
    CHECK(from.bytes <= STORE_KEY_MAX);
    memcpy(key.text, from.at, from.bytes);
    return key;
}

static bool
key_is_of(struct slice key, const char *class)
{
    size_t bytes = strlen(class);
    return key.bytes > bytes + 6 && key.at[4] == '/' && key.at[5 + bytes] == '/' &&
           memcmp(key.at + 5, class, bytes) == 0;
}

/* Pages of places have no envelopes: each has one writer, who writes them at any version, and no
 * commit ever holds one beside a document of value. */
bool
committer_is_plain(struct slice key)
{
    return key_is_of(key, KEY_CLASS_PLACE);
}

static enum err
plain_asked(struct committer *c, struct op *op, enum err error)
{
    if (error == OK)
        return OK;
    c->stats.refused += error == ERR_FULL;
    op_unowe(c, op);
    op_free(c, op);
    return error;
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct committer *c = ctx;
    struct op *op;
    enum err error = store_key_check(key);
    if (error == OK)
        error = user_op(c, OP_GET, token, &op);
    if (error != OK)
        return error;
    c->stats.gets++;
    if (committer_is_plain(key)) {
        op->state = OP_PLAIN;
        return plain_asked(c, op, c->engine.get(c->engine.ctx, op->handle, key));
    }
    op->first.key = key_copy(key);
    op_go(c, op);
    return OK;
}

enum err
committer_get_for_scan(struct committer *c, uint64_t token, struct slice key)
{
    struct op *op;
    enum err error = user_op(c, OP_GET, token, &op);
    if (error != OK)
        return error;
    op->for_scan = true;
    op->first.key = key_copy(key);
    op_go(c, op);
    return OK;
}

static int
key_compare(const struct key *a, const struct key *b)
{
    int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order != 0 ? order : a->bytes - b->bytes;
}

/* Into the op's own memory, in the order of the keys. */
static enum err
op_copy_writes(struct committer *c, struct op *op, const struct store_write *writes, uint32_t count)
{
    size_t bytes = count > 1 ? count * sizeof *op->pieces : 0, used = bytes;
    for (uint32_t i = 0; i < count; i++)
        bytes += writes[i].value.bytes;
    if (bytes > 0) {
        enum err error = buffers_take(&c->buffers, bytes, &op->buffer);
        if (error != OK)
            return error;
    }
    if (count > 1)
        op->pieces = op->buffer.at;
    op->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct piece piece = {.key = key_copy(writes[i].key),
                              .op = writes[i].op,
                              .expected = writes[i].expected_version,
                              .value = {NULL, writes[i].value.bytes}};
        if (piece.value.bytes > 0) {
            piece.value.at = (uint8_t *)op->buffer.at + used;
            memcpy((uint8_t *)op->buffer.at + used, writes[i].value.at, piece.value.bytes);
            used += piece.value.bytes;
        }
        uint32_t at = i;
        for (; at > 0 && key_compare(&piece.key, &op->pieces[at - 1].key) < 0; at--)
            op->pieces[at] = op->pieces[at - 1];
        op->pieces[at] = piece;
    }
    CHECK(used == bytes);
    return OK;
}

/* The records are the committer's own, and what is plain does not mix. */
static enum err
keys_check(const struct store_write *writes, uint32_t count)
{
    bool plain = committer_is_plain(writes[0].key);
    for (uint32_t i = 0; i < count; i++)
        if (key_is_of(writes[i].key, KEY_CLASS_RECORD) ||
            committer_is_plain(writes[i].key) != plain)
            return ERR_DENIED;
    return OK;
}

static bool
live_together(const struct committer *c, const struct store_write *writes, uint32_t count)
{
    const struct env_store *e = &c->engine;
    if (e->commit_max < count)
        return false;
    for (uint32_t i = 1; i < count && e->group != NULL; i++)
        if (e->group(e->ctx, writes[i].key) != e->group(e->ctx, writes[0].key))
            return false;
    return true;
}

static enum err
plain_commit(struct committer *c, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct op *op;
    if (!live_together(c, writes, count))
        return ERR_RANGE;
    enum err error = user_op(c, OP_PLAIN_WRITE, token, &op);
    if (error != OK)
        return error;
    op->state = OP_PLAIN;
    return plain_asked(c, op, c->engine.commit(c->engine.ctx, op->handle, writes, count));
}

static void
op_begin(struct committer *c, struct op *op)
{
    switch (op->kind) {
    case OP_TOGETHER_ALL: together_begin(c, op); return;
    case OP_MANY: many_begin(c, op); return;
    case OP_ONE:
        c->stats.single++;
        op_go(c, op);
        return;
    case OP_GET:
    case OP_PLAIN_WRITE:
    case OP_JANITOR: break;
    }
    CHECK(false);
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct committer *c = ctx;
    struct op *op;
    enum err error = store_commit_check(writes, count, STORE_VALUE_MAX, COMMITTER_DOCUMENTS_MAX);
    error = error == OK ? keys_check(writes, count) : error;
    if (error == OK && committer_is_plain(writes[0].key))
        return plain_commit(c, token, writes, count);
    enum op_kind kind = OP_ONE;
    if (count > 1 && !committer_is(c, COMMITTER_MUTANT_NAIVE))
        kind = live_together(c, writes, count) ? OP_TOGETHER_ALL : OP_MANY;
    error = error == OK ? user_op(c, kind, token, &op) : error;
    if (error != OK)
        return error;
    error = op_copy_writes(c, op, writes, count);
    if (error != OK) {
        c->stats.refused++;
        op_unowe(c, op);
        op_free(c, op);
        return error;
    }
    op_begin(c, op);
    return OK;
}

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct committer *c = ctx;
    enum err error = store_scan_check(prefix, after, limit);
    return error != OK ? error : scan_start(c, token, prefix, after, limit);
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    struct committer *c = ctx;
    return c->engine.watch(c->engine.ctx, key, on);
}

static uint32_t
port_group(void *ctx, struct slice key)
{
    const struct committer *c = ctx;
    return c->engine.group(c->engine.ctx, key);
}

struct env_store
committer_port(struct committer *c, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL && c->engine.get != NULL);
    c->done = done;
    return (struct env_store){.ctx = c,
                              .value_max = STORE_VALUE_MAX,
                              .commit_max = COMMITTER_DOCUMENTS_MAX,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch,
                              .group = c->engine.group == NULL ? NULL : port_group};
}

/* ---- life ---- */

static uint32_t
or_default(uint32_t option, uint32_t value)
{
    return option != 0 ? option : value;
}

struct committer *
committer_alloc(const struct committer_options *options)
{
    CHECK(options->env != NULL && options->node_epoch <= TXID_EPOCH_MAX &&
          options->mutant < COMMITTER_MUTANTS);
    struct committer *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    struct committer_options *o = &c->options;
    *o = *options;
    o->calls_max = or_default(o->calls_max, CALLS_DEFAULT);
    o->deadline_ms = or_default(o->deadline_ms, DEADLINE_DEFAULT_MS);
    o->backoff_us_min = or_default(o->backoff_us_min, BACKOFF_DEFAULT_US);
    o->attempts_max = or_default(o->attempts_max, ATTEMPTS_DEFAULT);
    o->doubt_ms = or_default(o->doubt_ms, DOUBT_DEFAULT_MS);
    o->janitor_ms = or_default(o->janitor_ms, JANITOR_DEFAULT_MS);
    /* As much again for what goes on after the answer. */
    uint32_t ops = 2 * o->calls_max + JANITOR_PAGE;
    pool_init(&c->ops, sizeof(struct op), ops, OPS_BLOCK);
    buffers_init(&c->buffers, ops);
    alarms_init(&c->alarms, ops);
    janitor_rest(c);
    return c;
}

void
committer_free(struct committer **committer)
{
    struct committer *c = *committer;
    CHECK(c != NULL);
    scan_free(c);
    free(c->together);
    alarms_fini(&c->alarms);
    buffers_fini(&c->buffers);
    pool_fini(&c->ops);
    free(c);
    *committer = NULL;
}

struct store_done
committer_done(struct committer *c)
{
    return (struct store_done){.ctx = c,
                               .got = on_got,
                               .committed = on_committed,
                               .scanned = on_scanned,
                               .changed = on_changed};
}

void
committer_connect(struct committer *c, const struct env_store *engine)
{
    CHECK(engine->get != NULL && engine->commit != NULL && engine->scan != NULL &&
          engine->watch != NULL && engine->value_max >= ENVELOPE_MAX && engine->commit_max > 0);
    c->engine = *engine;
    if (c->together == NULL && engine->commit_max > 1)
        c->together = together_room_alloc();
}

static void
op_wake(struct committer *c, struct op *op)
{
    op->waiting = false;
    if (op->failures < REFUSALS_MAX)
        op_go(c, op);
    else
        op_end(c, op, STORE_UNAVAILABLE);
}

int64_t
committer_turn(struct committer *c)
{
    int64_t now_us = env_mono_us(c->options.env);
    uint64_t handle;
    while (alarms_take(&c->alarms, now_us, &handle)) {
        struct op *op = pool_find(&c->ops, handle);
        CHECK(op != NULL && op->waiting); /* who waits does nothing else meanwhile */
        op_wake(c, op);
    }
    janitor_turn(c);
    int64_t next_us = alarms_next_us(&c->alarms);
    bool janitor_waits = !c->janitor.scanning && c->janitor.open == 0;
    return janitor_waits && c->janitor.due_us < next_us ? c->janitor.due_us : next_us;
}

uint32_t
committer_under_way(const struct committer *c)
{
    return c->users;
}

uint32_t
committer_background(const struct committer *c)
{
    CHECK(c->ops.used >= c->users);
    return c->ops.used - c->users;
}

struct committer_stats
committer_stats(const struct committer *c)
{
    return c->stats;
}

enum err
committer_look(const struct store_doc *raw, committer_record_state *state_of, void *ctx,
               struct committer_view *out)
{
    struct envelope e;
    enum err error = envelope_read(raw, &e);
    if (error != OK)
        return error;
    *out = (struct committer_view){.pend = e.pend, .pend_id = e.pend_id};
    if (e.pend != PEND_NONE) {
        out->pend_state = state_of(ctx, e.pend_id);
        envelope_decide(&e, out->pend_state == RECORD_COMMITTED);
    }
    out->version = e.version;
    out->exists = e.exists;
    out->body = e.body;
    out->writer = e.writers[0];
    return OK;
}
