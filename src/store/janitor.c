/* Finishes what a death left behind: walks over all records every few seconds, on every node, and
 * takes up those past their deadline. Two janitors at one record do no harm: whatever one of them
 * writes is guarded by versions.
 */
#include "store/committer_inside.h"
#include <string.h>

void
janitor_rest(struct committer *c)
{
    struct janitor *j = &c->janitor;
    uint64_t us = (uint64_t)c->options.janitor_ms * 1000;
    j->pages = 0;
    j->due_us =
        env_mono_us(c->options.env) + (int64_t)(us / 2 + env_random(c->options.env) % (us + 1));
}

static void
page_scan(struct committer *c)
{
    struct janitor *j = &c->janitor;
    CHECK(!j->scanning && j->open == 0);
    struct key prefix = record_prefix(c->options.world);
    struct slice after = {(const uint8_t *)j->after.text, j->after.bytes};
    enum err error =
        c->engine.scan(c->engine.ctx, JANITOR_TOKEN, key_slice(&prefix), after, JANITOR_PAGE);
    j->scanning = error == OK;
    if (!j->scanning)
        janitor_rest(c);
}

void
janitor_turn(struct committer *c)
{
    struct janitor *j = &c->janitor;
    if (j->scanning || j->open > 0 || env_mono_us(c->options.env) < j->due_us)
        return;
    c->stats.janitor_rounds++;
    page_scan(c);
}

/* All of a page is done: the next one, or the next round. */
static void
page_end(struct committer *c)
{
    struct janitor *j = &c->janitor;
    if (j->more && ++j->pages < JANITOR_PAGES_MAX)
        page_scan(c);
    else
        janitor_rest(c);
}

void
janitor_op_ended(struct committer *c)
{
    struct janitor *j = &c->janitor;
    CHECK(j->open > 0);
    if (--j->open == 0 && !j->scanning)
        page_end(c);
}

static bool
was_removed(const struct janitor *j, struct txid id)
{
    for (uint32_t i = 0; i < REMOVED_MAX; i++)
        if (txid_same(j->removed[i], id))
            return true;
    return false;
}

void
janitor_removed(struct committer *c, struct txid id)
{
    struct janitor *j = &c->janitor;
    CHECK(id.count > 0);
    j->removed[j->removed_at++ % REMOVED_MAX] = id;
}

/* One op with the keys of the record as its documents. */
static struct op *
take_up(struct committer *c, struct txid id, uint64_t version, struct commit_record record)
{
    struct op *op;
    if (op_take(c, &op) != OK)
        return NULL;
    op->kind = OP_JANITOR;
    if (buffers_take(&c->buffers, record.count * sizeof *op->pieces, &op->buffer) != OK) {
        pool_give(&c->ops, (uint32_t)op->handle);
        return NULL;
    }
    op->pieces = op->buffer.at;
    op->count = op->touched = record.count;
    op->id = id;
    op->record_version = version;
    op->deadline_ms = record.deadline_ms;
    struct slice key;
    for (uint32_t i = 0; record_next_key(&record, &key); i++) {
        op->pieces[i] = (struct piece){.key = {.bytes = (uint8_t)key.bytes}};
        memcpy(op->pieces[i].key.text, key.at, key.bytes);
    }
    c->janitor.open++;
    return op;
}

static void
record_found(struct committer *c, const struct store_found *found)
{
    struct txid id;
    struct commit_record record;
    if (record_key_parse(found->key, &id) != OK || record_read(found->doc.value, &record) != OK) {
        c->stats.malformed++;
        return;
    }
    if (env_world_ms(c->options.env) <= record.deadline_ms)
        return; /* its owner is at it */
    struct op *op = take_up(c, id, found->doc.version, record);
    if (op == NULL)
        return; /* no room now: the next round */
    c->stats.janitor_records++;
    c->stats.resurrected += was_removed(&c->janitor, id);
    if (record.state == RECORD_PENDING) {
        op->state = OP_ABORT;
        op_go(c, op);
    } else {
        op->state = OP_SETTLE_READ;
        settle_begin(c, op, record.state == RECORD_COMMITTED, record.count);
    }
}

void
janitor_scanned(struct committer *c, enum store_result result, const struct store_found *found,
                uint32_t count)
{
    struct janitor *j = &c->janitor;
    CHECK(j->scanning);
    if (result != STORE_OK) {
        j->scanning = false;
        janitor_rest(c);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        record_found(c, &found[i]);
    j->scanning = false;
    j->more = count == JANITOR_PAGE;
    j->after.bytes = 0;
    if (j->more) {
        struct slice last = found[count - 1].key;
        CHECK(last.bytes <= STORE_KEY_MAX);
        j->after.bytes = (uint8_t)last.bytes;
        memcpy(j->after.text, last.at, last.bytes);
    }
    if (j->open == 0)
        page_end(c);
}
