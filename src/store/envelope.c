#include "store/envelope.h"
#include "base/check.h"
#include "wire/little.h"
#include <string.h>

#define FORMAT      1
#define BARE_FIRST  8 /* the least first byte of a message */
#define FLAG_EXISTS 1
#define PEND_SHIFT  1
#define TXID_BYTES  12

static uint64_t
load_u48(const uint8_t *at)
{
    return (uint64_t)load_u32(at) | (uint64_t)load_u16(at + 4) << 32;
}

static void
store_u48(uint8_t *at, uint64_t v)
{
    CHECK(v >> 48 == 0);
    store_u32(at, (uint32_t)v);
    store_u16(at + 4, (uint16_t)(v >> 32));
}

static struct txid
txid_load(const uint8_t *at)
{
    return (struct txid){.epoch = load_u48(at), .count = load_u48(at + 6)};
}

static void
txid_store(uint8_t *at, struct txid id)
{
    store_u48(at, id.epoch);
    store_u48(at + 6, id.count);
}

static enum err
bare_read(const struct store_doc *raw, struct envelope *out)
{
    bool fits = !raw->exists || raw->value.bytes <= STORE_VALUE_MAX;
    if (!fits || raw->version == STORE_ANY_VERSION)
        return ERR_FORMAT;
    out->version = raw->version;
    out->exists = raw->exists;
    if (raw->exists)
        out->body = raw->value;
    return OK;
}

enum err
envelope_read(const struct store_doc *raw, struct envelope *out)
{
    const uint8_t *at = raw->value.at;
    size_t bytes = raw->value.bytes;
    *out = (struct envelope){0};
    if (!raw->exists || bytes == 0 || at[0] >= BARE_FIRST)
        return bare_read(raw, out);
    if (at[0] > FORMAT)
        return ERR_NEWER;
    if (bytes < ENVELOPE_HEAD_BYTES || at[0] != FORMAT || at[1] >> PEND_SHIFT > PEND_FORGET)
        return ERR_FORMAT;
    out->exists = at[1] & FLAG_EXISTS;
    out->pend = (enum pend_kind)(at[1] >> PEND_SHIFT);
    out->version = load_u64(at + 2);
    for (uint32_t i = 0; i < ENVELOPE_WRITERS; i++)
        out->writers[i] = txid_load(at + 10 + TXID_BYTES * i);
    size_t body = load_u32(at + 10 + TXID_BYTES * ENVELOPE_WRITERS);
    size_t left = bytes - ENVELOPE_HEAD_BYTES, tail = out->pend == PEND_NONE ? 0 : TXID_BYTES;
    if (body > left || left - body < tail || (tail == 0 && left != body) ||
        body > STORE_VALUE_MAX || left - body - tail > STORE_VALUE_MAX ||
        out->version == STORE_ANY_VERSION)
        return ERR_FORMAT;
    at += ENVELOPE_HEAD_BYTES;
    out->body = (struct slice){at, body};
    if (out->pend == PEND_NONE)
        return OK;
    out->pend_id = txid_load(at + body);
    out->pend_body = (struct slice){at + body + tail, left - body - tail};
    return out->pend_id.count == 0 || out->pend_id.count > TXID_COUNT_MAX ? ERR_FORMAT : OK;
}

size_t
envelope_write(const struct envelope *envelope, uint8_t out[ENVELOPE_MAX])
{
    CHECK(envelope->body.bytes <= STORE_VALUE_MAX && envelope->pend_body.bytes <= STORE_VALUE_MAX);
    out[0] = FORMAT;
    out[1] = (uint8_t)((envelope->exists ? FLAG_EXISTS : 0) | envelope->pend << PEND_SHIFT);
    store_u64(out + 2, envelope->version);
    for (uint32_t i = 0; i < ENVELOPE_WRITERS; i++)
        txid_store(out + 10 + TXID_BYTES * i, envelope->writers[i]);
    store_u32(out + 10 + TXID_BYTES * ENVELOPE_WRITERS, (uint32_t)envelope->body.bytes);
    uint8_t *at = out + ENVELOPE_HEAD_BYTES;
    if (envelope->body.bytes > 0)
        memcpy(at, envelope->body.at, envelope->body.bytes);
    at += envelope->body.bytes;
    if (envelope->pend != PEND_NONE) {
        CHECK(envelope->pend_id.count > 0);
        txid_store(at, envelope->pend_id);
        at += TXID_BYTES;
        if (envelope->pend_body.bytes > 0)
            memcpy(at, envelope->pend_body.at, envelope->pend_body.bytes);
        at += envelope->pend_body.bytes;
    }
    return (size_t)(at - out);
}

void
envelope_advance(struct envelope *envelope, enum store_op op, struct slice body, struct txid writer)
{
    CHECK(envelope->pend == PEND_NONE && (op == STORE_PUT || op == STORE_DELETE));
    envelope->version++;
    envelope->exists = op == STORE_PUT;
    envelope->body = op == STORE_PUT ? body : (struct slice){0};
    for (uint32_t i = ENVELOPE_WRITERS - 1; i > 0; i--)
        envelope->writers[i] = envelope->writers[i - 1];
    envelope->writers[0] = writer;
}

void
envelope_decide(struct envelope *envelope, bool forward)
{
    enum pend_kind pend = envelope->pend;
    struct slice body = envelope->pend_body;
    struct txid writer = envelope->pend_id;
    CHECK(pend != PEND_NONE);
    envelope->pend = PEND_NONE;
    envelope->pend_id = (struct txid){0};
    envelope->pend_body = (struct slice){0};
    if (!forward)
        return;
    switch (pend) {
    case PEND_NONE:
    case PEND_CHECK: return;
    case PEND_PUT: envelope_advance(envelope, STORE_PUT, body, writer); return;
    case PEND_DELETE: envelope_advance(envelope, STORE_DELETE, body, writer); return;
    case PEND_FORGET: *envelope = (struct envelope){0}; return;
    }
}

enum written
envelope_written(const struct envelope *envelope, uint64_t base, struct txid writer)
{
    CHECK(writer.count > 0);
    if (envelope->version == base)
        return WRITTEN_NO;
    if (envelope->version < base || envelope->version - base > ENVELOPE_WRITERS)
        return WRITTEN_UNTOLD;
    struct txid who = envelope->writers[envelope->version - base - 1];
    return txid_same(who, writer) ? WRITTEN_YES : WRITTEN_NO;
}

enum pend_kind
pend_of_op(enum store_op op)
{
    switch (op) {
    case STORE_PUT: return PEND_PUT;
    case STORE_DELETE: return PEND_DELETE;
    case STORE_CHECK: return PEND_CHECK;
    case STORE_FORGET: return PEND_FORGET;
    }
    return PEND_NONE;
}
