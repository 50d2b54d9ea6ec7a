#include "wire/link.h"
#include "base/check.h"
#include "wire/limits.h"
#include "wire/little.h"
#include "wire/text.h"
#include <string.h>

#define MOTION_BYTES       22
#define ENTER_HEAD_BYTES   54
#define GO_BYTES           33
#define HOME_BYTES         104
#define INPUT_HEAD_BYTES   69
#define SELF_HEAD_BYTES    67
#define SUBSCRIBE_BYTES    15
#define SUBSCRIBED_BYTES   18
#define BATCH_HEAD_BYTES   36
#define DENSITY_HEAD_BYTES 5
#define SAID_HEAD_BYTES    19
#define HOME_GATES_MAX     (GATES_MAX * (GATE_BYTES_MAX + 1))
#define TOPIC_BYTES        8

struct link_subject
link_subject(const uint8_t *bytes, size_t n)
{
    struct link_subject of = {0};
    if (n < 9) {
        return of;
    }
    of.kind = (enum link_kind)bytes[0];
    if (of.kind == LINK_INPUT || of.kind == LINK_SELF || of.kind == LINK_BATCH) {
        of.key = load_u64(bytes + 1);
    }
    if (of.kind == LINK_BATCH && n >= BATCH_HEAD_BYTES) {
        of.entity = batch_subject((struct slice){bytes + BATCH_HEAD_BYTES, n - BATCH_HEAD_BYTES});
    }
    return of;
}

static bool
island_is_sound(uint32_t island)
{
    return island >= 1 && island <= INT32_MAX;
}

topic_id
topic_make(uint32_t island, uint16_t bx, uint16_t by)
{
    CHECK(island_is_sound(island));
    return (uint64_t)island << 32 | (uint64_t)bx << 16 | by;
}

uint32_t
topic_island(topic_id t)
{
    return (uint32_t)(t >> 32);
}

uint16_t
topic_bx(topic_id t)
{
    return (uint16_t)(t >> 16);
}

uint16_t
topic_by(topic_id t)
{
    return (uint16_t)t;
}

static bool
topic_is_sound(topic_id t)
{
    return island_is_sound(topic_island(t));
}

/* Writing: every field has its fixed place, so a head is filled without asking for room. */

static void
store_motion(uint8_t *at, const struct motion *m)
{
    CHECK(m->lasts_ms <= MOTION_LASTS_MS_MAX);
    store_u32(at, (uint32_t)m->x_mm);
    store_u32(at + 4, (uint32_t)m->y_mm);
    store_u16(at + 8, (uint16_t)m->vx);
    store_u16(at + 10, (uint16_t)m->vy);
    store_u64(at + 12, (uint64_t)m->since_ms);
    store_u16(at + 20, m->lasts_ms);
}

static size_t
enter_head(const struct link_enter *e, uint8_t *at)
{
    CHECK(e->conn != 0 && e->ticket_bytes <= sizeof e->ticket);
    store_u64(at + 1, e->conn);
    at[9] = e->flags;
    store_u32(at + 10, e->island);
    store_u64(at + 14, (e->flags & ENTER_RESUME) != 0 ? e->session_epoch : e->over);
    at[22] = e->look;
    store_motion(at + 23, &e->motion);
    store_u64(at + 45, (uint64_t)e->sent_ms);
    at[53] = e->ticket_bytes;
    memcpy(at + ENTER_HEAD_BYTES, e->ticket, e->ticket_bytes);
    return ENTER_HEAD_BYTES + (size_t)e->ticket_bytes;
}

static size_t
go_head(const struct link_go *g, uint8_t *at)
{
    CHECK((g->conn != 0) != (g->player != 0));
    store_u64(at + 1, g->conn);
    store_u64(at + 9, g->player);
    store_u64(at + 17, g->conn == 0 ? g->session_epoch : g->over);
    store_u64(at + 25, g->node);
    return GO_BYTES;
}

static size_t
home_head(const struct link_home *h, uint8_t *at)
{
    CHECK(h->conn != 0 && h->gates.bytes <= HOME_GATES_MAX);
    store_u64(at + 1, h->conn);
    at[9] = h->code;
    store_u32(at + 10, h->retry_after_ms);
    store_u64(at + 14, h->player);
    store_u64(at + 22, h->entity);
    store_u64(at + 30, h->session_epoch);
    store_u64(at + 38, h->last_seq);
    store_u32(at + 46, h->island);
    at[50] = h->look;
    store_motion(at + 51, &h->motion);
    memcpy(at + 73, h->ticket, TICKET_BYTES);
    return HOME_BYTES;
}

static size_t
input_head(const struct link_input *i, uint8_t *at)
{
    CHECK(i->kind >= INPUT_MOVE && i->kind <= INPUT_SHOW);
    CHECK(i->bytes.bytes <= COMMAND_BYTES_MAX);
    store_u64(at + 1, i->player);
    store_u64(at + 9, i->session_epoch);
    store_u64(at + 17, (uint64_t)i->sent_us);
    at[25] = (uint8_t)i->kind;
    store_u32(at + 26, i->number);
    store_u64(at + 30, i->seq);
    at[38] = i->look;
    store_motion(at + 39, &i->motion);
    store_u64(at + 61, i->entity);
    return INPUT_HEAD_BYTES;
}

static size_t
self_bytes_max(uint8_t kind)
{
    return kind == SELF_SHOWN ? SHOWN_BYTES_MAX : RESULT_BYTES_MAX;
}

static size_t
self_head(const struct link_self *s, uint8_t *at)
{
    CHECK(s->kind >= SELF_MOTION && s->kind <= SELF_LOBBY);
    CHECK(s->bytes.bytes <= self_bytes_max((uint8_t)s->kind));
    store_u64(at + 1, s->player);
    store_u64(at + 9, s->session_epoch);
    at[17] = (uint8_t)s->kind;
    at[18] = s->flags;
    at[19] = s->look;
    store_u32(at + 20, s->number);
    store_u32(at + 24, s->island);
    store_motion(at + 28, &s->motion);
    at[50] = s->code;
    store_u64(at + 51, s->seq);
    store_u64(at + 59, s->entity);
    return SELF_HEAD_BYTES;
}

static size_t
subscribe_head(const struct link_subscribe *s, uint8_t *at)
{
    CHECK(s->topics.bytes == ((size_t)s->add_count + s->remove_count) * TOPIC_BYTES);
    CHECK(s->whole <= 1 && s->wakes <= 1 && (s->whole == 0 || s->remove_count == 0));
    store_u32(at + 1, s->epoch);
    store_u32(at + 5, s->version);
    at[9] = s->whole;
    at[10] = s->wakes;
    store_u16(at + 11, s->add_count);
    store_u16(at + 13, s->remove_count);
    return SUBSCRIBE_BYTES;
}

static size_t
subscribed_head(const struct link_subscribed *s, uint8_t *at)
{
    CHECK(s->wakes <= 1);
    store_u32(at + 1, s->epoch);
    store_u32(at + 5, s->version);
    at[9] = s->wakes;
    store_u64(at + 10, s->digest);
    return SUBSCRIBED_BYTES;
}

static size_t
batch_head(const struct link_batch *b, uint8_t *at)
{
    CHECK(topic_is_sound(b->topic) && b->snapshot <= 1);
    store_u64(at + 1, b->topic);
    store_u64(at + 9, b->publisher_epoch);
    store_u64(at + 17, (uint64_t)b->tick_ms);
    at[25] = b->snapshot;
    store_u64(at + 26, b->steward_epoch);
    at[34] = b->awake_chunks_lo;
    at[35] = b->awake_chunks_hi;
    return BATCH_HEAD_BYTES;
}

static size_t
density_head(const struct link_density *d, uint8_t *at)
{
    store_u32(at + 1, d->island);
    return DENSITY_HEAD_BYTES;
}

static size_t
said_head(const struct link_said *s, uint8_t *at)
{
    CHECK(s->id != 0 && s->name_bytes <= NAME_BYTES_MAX && s->text.bytes <= SAY_BYTES_MAX);
    store_u64(at + 1, s->id);
    store_u64(at + 9, s->player);
    at[17] = s->channel;
    at[18] = s->name_bytes;
    memcpy(at + SAID_HEAD_BYTES, s->name, s->name_bytes);
    return SAID_HEAD_BYTES + (size_t)s->name_bytes;
}

size_t
link_head(const struct link_message *m, uint8_t out[LINK_HEAD_MAX])
{
    out[0] = (uint8_t)m->kind;
    switch (m->kind) {
    case LINK_ENTER: return enter_head(&m->as.enter, out);
    case LINK_GO: return go_head(&m->as.go, out);
    case LINK_HOME: return home_head(&m->as.home, out);
    case LINK_INPUT: return input_head(&m->as.input, out);
    case LINK_SELF: return self_head(&m->as.self, out);
    case LINK_SUBSCRIBE: return subscribe_head(&m->as.subscribe, out);
    case LINK_SUBSCRIBED: return subscribed_head(&m->as.subscribed, out);
    case LINK_BATCH: return batch_head(&m->as.batch, out);
    case LINK_DENSITY: return density_head(&m->as.density, out);
    case LINK_SAID: return said_head(&m->as.said, out);
    }
    check_failed(__FILE__, __LINE__, __func__, "a kind of link.h");
}

struct slice
link_tail(const struct link_message *m)
{
    switch (m->kind) {
    case LINK_INPUT: return m->as.input.bytes;
    case LINK_SELF: return m->as.self.bytes;
    case LINK_SUBSCRIBE: return m->as.subscribe.topics;
    case LINK_BATCH: return m->as.batch.records;
    case LINK_DENSITY: return m->as.density.record;
    case LINK_HOME: return m->as.home.gates;
    case LINK_SAID: return m->as.said.text;
    case LINK_ENTER:
    case LINK_GO:
    case LINK_SUBSCRIBED: break;
    }
    return (struct slice){NULL, 0};
}

/* Reading: at least the head is there (link_read saw to it); tail is what follows it. */

static enum err
load_motion(const uint8_t *at, struct motion *out)
{
    *out = (struct motion){.x_mm = (int32_t)load_u32(at),
                           .y_mm = (int32_t)load_u32(at + 4),
                           .vx = (int16_t)load_u16(at + 8),
                           .vy = (int16_t)load_u16(at + 10),
                           .since_ms = (int64_t)load_u64(at + 12),
                           .lasts_ms = load_u16(at + 20)};
    return out->lasts_ms <= MOTION_LASTS_MS_MAX ? OK : ERR_RANGE;
}

static enum err
enter_read(const uint8_t *at, struct slice tail, struct link_enter *e)
{
    e->conn = load_u64(at + 1);
    e->flags = at[9];
    e->island = load_u32(at + 10);
    bool resumes = (e->flags & ENTER_RESUME) != 0;
    e->session_epoch = resumes ? load_u64(at + 14) : 0;
    e->over = resumes ? 0 : load_u64(at + 14);
    e->look = at[22];
    e->sent_ms = (int64_t)load_u64(at + 45);
    e->ticket_bytes = at[53];
    if (e->conn == 0 || e->sent_ms < 0 || e->sent_ms > WORLD_MS_MAX ||
        e->flags > (ENTER_RESUME | ENTER_DECIDED) || e->ticket_bytes > sizeof e->ticket ||
        tail.bytes != e->ticket_bytes) {
        return ERR_FORMAT;
    }
    if (resumes && (!island_is_sound(e->island) || e->ticket_bytes == 0)) {
        return ERR_RANGE; /* who was seen is somebody and somewhere */
    }
    memset(e->ticket, 0, sizeof e->ticket);
    if (tail.bytes > 0) {
        memcpy(e->ticket, tail.at, tail.bytes);
    }
    return load_motion(at + 23, &e->motion);
}

static enum err
go_read(const uint8_t *at, struct link_go *g)
{
    *g = (struct link_go){
        .conn = load_u64(at + 1), .player = load_u64(at + 9), .node = load_u64(at + 25)};
    *(g->conn == 0 ? &g->session_epoch : &g->over) = load_u64(at + 17);
    return (g->conn != 0) != (g->player != 0) ? OK : ERR_FORMAT;
}

static enum err
home_read(const uint8_t *at, struct slice tail, struct link_home *h)
{
    if (tail.bytes > HOME_GATES_MAX || !text_is_utf8(tail)) {
        return ERR_FORMAT;
    }
    h->gates = tail;
    h->conn = load_u64(at + 1);
    h->code = at[9];
    h->retry_after_ms = load_u32(at + 10);
    h->player = load_u64(at + 14);
    h->entity = load_u64(at + 22);
    h->session_epoch = load_u64(at + 30);
    h->last_seq = load_u64(at + 38);
    h->island = load_u32(at + 46);
    h->look = at[50];
    memcpy(h->ticket, at + 73, TICKET_BYTES);
    if (h->player != 0 && (h->entity == 0 || !island_is_sound(h->island) || tail.bytes > 0)) {
        return ERR_RANGE; /* whoever plays is somebody and somewhere, and in this shard */
    }
    return h->conn != 0 ? load_motion(at + 51, &h->motion) : ERR_FORMAT;
}

static enum err
input_read(const uint8_t *at, struct slice tail, struct link_input *i)
{
    uint8_t kind = at[25];
    if (kind < INPUT_MOVE || kind > INPUT_SHOW || tail.bytes > COMMAND_BYTES_MAX ||
        (kind == INPUT_SAY && tail.bytes > SAY_BYTES_MAX)) {
        return ERR_FORMAT;
    }
    i->player = load_u64(at + 1);
    i->session_epoch = load_u64(at + 9);
    i->sent_us = (int64_t)load_u64(at + 17);
    i->kind = (enum input_kind)kind;
    i->number = load_u32(at + 26);
    i->seq = load_u64(at + 30);
    i->look = at[38];
    i->entity = load_u64(at + 61);
    i->bytes = tail;
    return load_motion(at + 39, &i->motion);
}

static enum err
self_read(const uint8_t *at, struct slice tail, struct link_self *s)
{
    uint8_t kind = at[17];
    if (kind < SELF_MOTION || kind > SELF_LOBBY || tail.bytes > self_bytes_max(kind)) {
        return ERR_FORMAT;
    }
    s->player = load_u64(at + 1);
    s->session_epoch = load_u64(at + 9);
    s->kind = (enum self_kind)kind;
    s->flags = at[18];
    s->look = at[19];
    s->number = load_u32(at + 20);
    s->island = load_u32(at + 24);
    s->code = at[50];
    s->seq = load_u64(at + 51);
    s->entity = load_u64(at + 59);
    s->bytes = tail;
    if (s->kind == SELF_MOTION && !island_is_sound(s->island)) {
        return ERR_RANGE;
    }
    return load_motion(at + 28, &s->motion);
}

static enum err
subscribe_read(const uint8_t *at, struct slice tail, struct link_subscribe *s)
{
    *s = (struct link_subscribe){.epoch = load_u32(at + 1),
                                 .version = load_u32(at + 5),
                                 .whole = at[9],
                                 .wakes = at[10],
                                 .add_count = load_u16(at + 11),
                                 .remove_count = load_u16(at + 13),
                                 .topics = tail};
    size_t count = (size_t)s->add_count + s->remove_count;
    if (s->whole > 1 || s->wakes > 1 || (s->whole == 1 && s->remove_count > 0) ||
        tail.bytes != count * TOPIC_BYTES) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < count; i++) {
        topic_id topic = load_u64(tail.at + i * TOPIC_BYTES);
        if (!topic_is_sound(topic) && topic != TOPIC_DENSITY) {
            return ERR_FORMAT;
        }
    }
    return OK;
}

static enum err
subscribed_read(const uint8_t *at, struct link_subscribed *s)
{
    *s = (struct link_subscribed){.epoch = load_u32(at + 1),
                                  .version = load_u32(at + 5),
                                  .wakes = at[9],
                                  .digest = load_u64(at + 10)};
    return s->wakes <= 1 ? OK : ERR_FORMAT;
}

static enum err
batch_read(const uint8_t *at, struct slice tail, struct link_batch *b)
{
    *b = (struct link_batch){.topic = load_u64(at + 1),
                             .publisher_epoch = load_u64(at + 9),
                             .tick_ms = (int64_t)load_u64(at + 17),
                             .snapshot = at[25],
                             .steward_epoch = load_u64(at + 26),
                             .awake_chunks_lo = at[34],
                             .awake_chunks_hi = at[35],
                             .records = tail};
    return topic_is_sound(b->topic) && b->snapshot <= 1 ? OK : ERR_FORMAT;
}

/* A gate forwards the record unseen, so it is looked at here: one whole DENSITY of that island and
 * nothing else. */
static enum err
density_read(const uint8_t *at, struct slice tail, struct link_density *d)
{
    *d = (struct link_density){.island = load_u32(at + 1), .record = tail};
    struct reader r = {.at = tail.at, .end = tail.at + tail.bytes};
    struct record record;
    enum err error = batch_next(&r, 0, &record);
    if (error != OK) {
        return error;
    }
    bool whole = record.kind == RECORD_DENSITY && record.whole.bytes == tail.bytes;
    return whole && record.as.density.island == d->island ? OK : ERR_FORMAT;
}

/* A gate hands name and text on, so both must be what a client may read. */
static enum err
said_read(const uint8_t *at, struct slice tail, struct link_said *s)
{
    s->id = load_u64(at + 1);
    s->player = load_u64(at + 9);
    s->channel = at[17];
    s->name_bytes = at[18];
    if (s->id == 0 || s->channel == 0 || s->name_bytes > NAME_BYTES_MAX ||
        s->name_bytes > tail.bytes || tail.bytes - s->name_bytes > SAY_BYTES_MAX) {
        return ERR_FORMAT;
    }
    struct slice name = {tail.at, s->name_bytes};
    s->text = (struct slice){tail.at + s->name_bytes, tail.bytes - s->name_bytes};
    if (name.bytes > 0) {
        memcpy(s->name, name.at, name.bytes);
    }
    return text_is_utf8(name) && s->text.bytes > 0 && text_is_line(s->text) ? OK : ERR_FORMAT;
}

struct link_form {
    size_t head_bytes;
    bool tail; /* something may follow */
};

static const struct link_form forms[LINK_SAID + 1] = {
    [LINK_ENTER] = {ENTER_HEAD_BYTES, true},
    [LINK_GO] = {GO_BYTES, false},
    [LINK_HOME] = {HOME_BYTES, true},
    [LINK_INPUT] = {INPUT_HEAD_BYTES, true},
    [LINK_SELF] = {SELF_HEAD_BYTES, true},
    [LINK_SUBSCRIBE] = {SUBSCRIBE_BYTES, true},
    [LINK_SUBSCRIBED] = {SUBSCRIBED_BYTES, false},
    [LINK_BATCH] = {BATCH_HEAD_BYTES, true},
    [LINK_DENSITY] = {DENSITY_HEAD_BYTES, true},
    [LINK_SAID] = {SAID_HEAD_BYTES, true},
};

enum err
link_read(const uint8_t *bytes, size_t n, struct link_message *out)
{
    if (n == 0) {
        return ERR_SHORT;
    }
    if (bytes[0] < LINK_ENTER || bytes[0] > LINK_SAID) {
        return ERR_FORMAT;
    }
    struct link_form form = forms[bytes[0]];
    if (n < form.head_bytes) {
        return ERR_SHORT;
    }
    if (n > form.head_bytes && !form.tail) {
        return ERR_FORMAT;
    }
    struct slice tail = {bytes + form.head_bytes, n - form.head_bytes};
    out->kind = (enum link_kind)bytes[0];
    switch (out->kind) {
    case LINK_ENTER: return enter_read(bytes, tail, &out->as.enter);
    case LINK_GO: return go_read(bytes, &out->as.go);
    case LINK_HOME: return home_read(bytes, tail, &out->as.home);
    case LINK_INPUT: return input_read(bytes, tail, &out->as.input);
    case LINK_SELF: return self_read(bytes, tail, &out->as.self);
    case LINK_SUBSCRIBE: return subscribe_read(bytes, tail, &out->as.subscribe);
    case LINK_SUBSCRIBED: return subscribed_read(bytes, &out->as.subscribed);
    case LINK_BATCH: return batch_read(bytes, tail, &out->as.batch);
    case LINK_DENSITY: return density_read(bytes, tail, &out->as.density);
    case LINK_SAID: return said_read(bytes, tail, &out->as.said);
    }
    return ERR_FORMAT;
}
