#include "proof/commit_books.h"

#include "base/check.h"
#include "base/rand.h"
#include "society/kinds.h"
#include <xxhash.h>

/* ---- the wire form ---- */

enum { WIRE_VARINT = 0, WIRE_FIXED_64 = 1, WIRE_BYTES = 2, WIRE_FIXED_32 = 5 };

struct field {
    uint32_t number;
    uint64_t value;     /* of a number */
    struct slice bytes; /* of text, bytes, messages */
};

static bool
field_next(struct reader *r, struct field *f)
{
    if (reader_left(r) == 0 || !reader_ok(r))
        return false;
    uint64_t tag = read_varint(r);
    *f = (struct field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case WIRE_VARINT: f->value = read_varint(r); break;
    case WIRE_FIXED_64: f->value = read_u64(r); break;
    case WIRE_FIXED_32: f->value = read_u32(r); break;
    case WIRE_BYTES: {
        uint64_t bytes = read_varint(r);
        f->bytes = read_bytes(r, bytes);
        break;
    }
    default: r->failed = true;
    }
    return reader_ok(r);
}

static int32_t
unzigzag(uint64_t v)
{
    return (int32_t)(uint32_t)(v >> 1 ^ (~(v & 1) + 1));
}

uint64_t
book_digest(struct slice bytes)
{
    return bytes.bytes == 0 ? 0 : XXH64(bytes.at, bytes.bytes, 0);
}

/* ---- holdings ---- */

static bool
item_add(struct book *b, const struct book_item *item)
{
    if (b->items == BOOK_ITEMS_MAX)
        return false;
    b->item[b->items++] = *item;
    return true;
}

static bool
stack_read(struct slice bytes, struct book_item *out)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    struct field f;
    while (field_next(&r, &f)) {
        switch (f.number) {
        case 1: out->kind = (uint32_t)f.value; break;
        case 2: out->count = f.value; break;
        case 3: out->uid = f.value; break;
        default: break;
        }
    }
    return reader_ok(&r);
}

static bool
holdings_read(struct slice bytes, struct book *b)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    struct field f;
    uint32_t slot = 0;
    bool fits = true;
    while (field_next(&r, &f) && fits) {
        struct book_item item = {.slot = slot};
        if (f.number == 1 && f.value > 0) {
            item.count = f.value;
            fits = item_add(b, &item);
        } else if (f.number == 2) {
            slot++;
            fits = stack_read(f.bytes, &item) && (item.kind == 0 || item_add(b, &item));
        }
    }
    return fits && reader_ok(&r) && slot <= b->slots_max;
}

/* What is offered or wanted, whatever its form. */
static uint64_t
holdings_digest(struct slice bytes, bool *fits)
{
    struct book b;
    uint64_t digest = 0;
    b.slots_max = TRADE_SLOTS_MAX;
    b.items = 0;
    *fits &= holdings_read(bytes, &b);
    for (uint32_t i = 0; i < b.items; i++)
        digest =
            rand_mix(digest, rand_mix(b.item[i].kind, rand_mix(b.item[i].count, b.item[i].uid)));
    return digest;
}

/* ---- each class ---- */

static bool
player_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct book_player *p = &b->as.player;
    struct field f;
    bool fits = true;
    *p = (struct book_player){0};
    while (field_next(&r, &f) && fits) {
        switch (f.number) {
        case 3: p->session_epoch = f.value; break;
        case 4: p->last_seq = f.value; break;
        case 5: p->last_hash = f.value; break;
        case 6:
            p->result = book_digest(f.bytes);
            p->code = f.bytes.bytes > 0 ? f.bytes.at[0] : 0;
            break;
        case 7: /* who is home */
        case 8: break;
        case 9: fits = holdings_read(f.bytes, b); break;
        case 10:
            fits = p->lines < BOOK_LINES_MAX;
            if (fits)
                p->line[p->lines++] = book_digest(f.bytes);
            break;
        case 11: p->pages = (uint32_t)f.value; break;
        default: break;
        }
        if (f.number < 3 || f.number > 8)
            p->rest = rand_mix(p->rest, rand_mix(f.number, f.value ^ book_digest(f.bytes)));
    }
    return fits && reader_ok(&r);
}

static bool
thing_read(struct slice bytes, struct book *b)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    struct book_thing thing = {0};
    struct field f;
    bool fits = b->as.chunk.count < BOOK_THINGS_MAX;
    while (field_next(&r, &f) && fits) {
        switch (f.number) {
        case 1: thing.id = f.value; break;
        case 2: thing.kind = (uint32_t)f.value; break;
        case 3: thing.x_mm = unzigzag(f.value); break;
        case 4: thing.y_mm = unzigzag(f.value); break;
        case 5: fits = holdings_read(f.bytes, b); break;
        default: break;
        }
    }
    if (fits)
        b->as.chunk.thing[b->as.chunk.count++] = thing;
    return fits && reader_ok(&r);
}

static bool
chunk_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    bool fits = true;
    b->as.chunk.count = 0;
    while (field_next(&r, &f) && fits) {
        if (f.number == 4)
            fits = thing_read(f.bytes, b);
    }
    return fits && reader_ok(&r);
}

static bool
notice_read(struct slice bytes, struct book *b)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    struct book_notice notice = {0};
    struct field f;
    if (b->as.inbox.count == BOOK_NOTICES_MAX)
        return false;
    while (field_next(&r, &f)) {
        if (f.number == 1)
            notice.kind = (uint32_t)f.value;
        else if (f.number == 2)
            notice.id = f.value;
    }
    b->as.inbox.notice[b->as.inbox.count++] = notice;
    return reader_ok(&r);
}

static bool
inbox_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    bool fits = true;
    b->as.inbox.count = 0;
    while (field_next(&r, &f) && fits) {
        if (f.number == 1)
            fits = notice_read(f.bytes, b);
    }
    return fits && reader_ok(&r);
}

static bool
trade_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    uint64_t wants = 0, gives = 0;
    bool fits = true;
    b->as.trade.from = b->as.trade.to = 0;
    while (field_next(&r, &f) && fits) {
        switch (f.number) {
        case 1: b->as.trade.from = f.value; break;
        case 2: b->as.trade.to = f.value; break;
        case 3:
            fits = holdings_read(f.bytes, b);
            gives = holdings_digest(f.bytes, &fits);
            break;
        case 4: wants = holdings_digest(f.bytes, &fits); break;
        default: break;
        }
    }
    b->as.trade.digest =
        rand_mix(rand_mix(b->as.trade.from, b->as.trade.to), rand_mix(gives, wants));
    return fits && reader_ok(&r);
}

static bool
chest_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    bool fits = true;
    while (field_next(&r, &f) && fits) {
        if (f.number == 1)
            fits = holdings_read(f.bytes, b);
    }
    return fits && reader_ok(&r);
}

static bool
mail_read(struct slice body, struct book *b)
{
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    bool fits = true;
    b->as.mail.to = 0;
    while (field_next(&r, &f) && fits) {
        if (f.number == 2)
            b->as.mail.to = f.value;
        else if (f.number == 5)
            fits = holdings_read(f.bytes, b);
    }
    return fits && reader_ok(&r);
}

enum err
book_read(enum truth_class class, uint64_t id, struct slice body, struct book *out)
{
    static const struct {
        uint32_t owner, slots_max;
    } of[TRUTH_CLASSES] = {
        [TRUTH_PLAYER] = {ACCOUNT_PLAYER, BAG_SLOTS_MAX},
        [TRUTH_CHUNK] = {ACCOUNT_GROUND, 1},
        [TRUTH_CHEST] = {ACCOUNT_CHEST, CHEST_SLOTS_MAX},
        [TRUTH_MAIL] = {ACCOUNT_MAIL, MAIL_SLOTS_MAX},
        [TRUTH_TRADE] = {ACCOUNT_TRADE, TRADE_SLOTS_MAX},
    };

    out->owner = (struct book_owner){.kind = of[class].owner, .id = id};
    out->slots_max = of[class].slots_max;
    out->items = 0;
    bool fits = false;
    switch (class) {
    case TRUTH_PLAYER: fits = player_read(body, out); break;
    case TRUTH_CHUNK: fits = chunk_read(body, out); break;
    case TRUTH_CHEST: fits = chest_read(body, out); break;
    case TRUTH_MAIL: fits = mail_read(body, out); break;
    case TRUTH_INBOX: fits = inbox_read(body, out); break;
    case TRUTH_TRADE: fits = trade_read(body, out); break;
    case TRUTH_LEDGER:
    case TRUTH_META:
    case TRUTH_CLASSES: check_failed(__FILE__, __LINE__, __func__, "a class that holds value");
    }
    return fits ? OK : ERR_FORMAT;
}

/* ---- ledgers ---- */

enum err
book_lines_add(enum truth_class class, struct slice body, struct book_lines *out)
{
    CHECK(class == TRUTH_PLAYER || class == TRUTH_LEDGER);
    uint32_t number = class == TRUTH_PLAYER ? 10 : 1;
    struct reader r = reader_over(body.at, body.bytes);
    struct field f;
    while (field_next(&r, &f)) {
        if (f.number != number)
            continue;
        if (out->count == BOOK_LINES_MAX)
            return ERR_FORMAT;
        out->line[out->count++] = f.bytes;
    }
    return reader_ok(&r) ? OK : ERR_FORMAT;
}

enum err
book_line_read(struct slice line, struct book_line *out)
{
    struct reader r = reader_over(line.at, line.bytes);
    struct field f;
    *out = (struct book_line){0};
    while (field_next(&r, &f)) {
        switch (f.number) {
        case 1: out->seq = f.value; break;
        case 2: out->at_ms = (int64_t)f.value; break;
        case 3: out->reason = (uint32_t)f.value; break;
        case 4: out->from.kind = (uint32_t)f.value; break;
        case 5: out->from.id = f.value; break;
        case 6: out->to.kind = (uint32_t)f.value; break;
        case 7: out->to.id = f.value; break;
        case 8: out->kind = (uint32_t)f.value; break;
        case 9: out->count = f.value; break;
        case 10: out->uid = f.value; break;
        default: break;
        }
    }
    bool known =
        out->from.kind < ACCOUNT_KINDS && out->to.kind < ACCOUNT_KINDS && out->kind < KINDS_MAX;
    return reader_ok(&r) && known ? OK : ERR_FORMAT;
}
