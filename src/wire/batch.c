#include "wire/batch.h"
#include "base/check.h"
#include "wire/little.h"
#include <string.h>

#define SAY_HEAD_BYTES      10
#define THING_HEAD_BYTES    19
#define DENSITY_HEAD_BYTES  9
#define DENSITY_CELL_BYTES  6
#define RANGE_FIXED_BYTES   8 /* of an entry: all but the varint */
#define RANGE_SHIFT_MAX     5 /* (16 << 5) x 127 mm/s = 65 m/s: all that a motion can say */
#define RANGE_LASTS_UNIT_MS 40

/* The body that MOTION and SELF share, all but the kind. */
static void
store_body(uint8_t *at, const struct record_motion *m)
{
    CHECK(m->entity != 0 && m->motion.lasts_ms <= MOTION_LASTS_MS_MAX);
    store_u64(at, m->entity);
    at[8] = m->look;
    store_u32(at + 9, (uint32_t)m->motion.x_mm);
    store_u32(at + 13, (uint32_t)m->motion.y_mm);
    store_u16(at + 17, (uint16_t)m->motion.vx);
    store_u16(at + 19, (uint16_t)m->motion.vy);
    store_u32(at + 21, (uint32_t)(uint64_t)m->motion.since_ms);
    store_u16(at + 25, m->motion.lasts_ms);
}

void
batch_put_motion(struct writer *w, const struct record_motion *m)
{
    uint8_t *at = writer_room(w, RECORD_MOTION_BYTES);
    if (at != NULL) {
        at[0] = RECORD_MOTION;
        store_body(at + 1, m);
    }
}

void
batch_put_leave(struct writer *w, uint64_t entity, uint16_t cx, uint16_t cy)
{
    CHECK(entity != 0);
    uint8_t *at = writer_room(w, RECORD_LEAVE_BYTES);
    if (at != NULL) {
        at[0] = RECORD_LEAVE;
        store_u64(at + 1, entity);
        store_u16(at + 9, cx);
        store_u16(at + 11, cy);
    }
}

void
batch_put_say(struct writer *w, uint64_t entity, struct slice text)
{
    CHECK(entity != 0 && text.bytes <= SAY_BYTES_MAX);
    uint8_t *at = writer_room(w, SAY_HEAD_BYTES + text.bytes);
    if (at != NULL) {
        at[0] = RECORD_SAY;
        store_u64(at + 1, entity);
        at[9] = (uint8_t)text.bytes;
        if (text.bytes > 0) {
            memcpy(at + SAY_HEAD_BYTES, text.at, text.bytes);
        }
    }
}

void
batch_put_forget(struct writer *w, uint16_t cx, uint16_t cy)
{
    uint8_t *at = writer_room(w, RECORD_FORGET_BYTES);
    if (at != NULL) {
        at[0] = RECORD_FORGET;
        store_u16(at + 1, cx);
        store_u16(at + 3, cy);
    }
}

void
batch_put_self(struct writer *w, const struct record_self *s)
{
    uint8_t *at = writer_room(w, RECORD_SELF_BYTES);
    if (at != NULL) {
        at[0] = RECORD_SELF;
        at[1] = s->flags;
        store_u32(at + 2, s->move_no);
        store_body(at + 6, &s->body);
    }
}

void
batch_put_thing(struct writer *w, const struct record_thing *t)
{
    CHECK(t->entity != 0 && t->attributes.bytes <= ATTRIBUTES_MAX);
    uint8_t *at = writer_room(w, THING_HEAD_BYTES + t->attributes.bytes);
    if (at != NULL) {
        at[0] = RECORD_THING;
        store_u64(at + 1, t->entity);
        at[9] = t->kind;
        store_u32(at + 10, (uint32_t)t->place.x_mm);
        store_u32(at + 14, (uint32_t)t->place.y_mm);
        at[18] = (uint8_t)t->attributes.bytes;
        if (t->attributes.bytes > 0) {
            memcpy(at + THING_HEAD_BYTES, t->attributes.at, t->attributes.bytes);
        }
    }
}

void
batch_put_island(struct writer *w, uint32_t island)
{
    uint8_t *at = writer_room(w, RECORD_ISLAND_BYTES);
    if (at != NULL) {
        at[0] = RECORD_ISLAND;
        store_u32(at + 1, island);
    }
}

void
batch_put_owned(struct writer *w, uint64_t entity, uint64_t session_epoch)
{
    CHECK(entity != 0);
    uint8_t *at = writer_room(w, RECORD_OWNED_BYTES);
    if (at != NULL) {
        at[0] = RECORD_OWNED;
        store_u64(at + 1, entity);
        store_u64(at + 9, session_epoch);
    }
}

void
batch_put_density(struct writer *w, uint32_t island, uint16_t cell_m,
                  const struct density_cell *cells, uint16_t count)
{
    CHECK(cell_m > 0 && count <= DENSITY_CELLS_MAX);
    uint8_t *at = writer_room(w, DENSITY_HEAD_BYTES + (size_t)count * DENSITY_CELL_BYTES);
    if (at == NULL) {
        return;
    }
    at[0] = RECORD_DENSITY;
    store_u32(at + 1, island);
    store_u16(at + 5, cell_m);
    store_u16(at + 7, count);
    at += DENSITY_HEAD_BYTES;
    for (uint16_t i = 0; i < count; i++, at += DENSITY_CELL_BYTES) {
        store_u16(at, cells[i].column);
        store_u16(at + 2, cells[i].row);
        store_u16(at + 4, cells[i].people);
    }
}

void
range_begin(struct range_writer *rw, struct writer *out, uint16_t cx, uint16_t cy, uint64_t first,
            int64_t at_ms)
{
    *rw = (struct range_writer){.out = out,
                                .previous = first,
                                .head = {.cx = cx, .cy = cy, .first = first, .at_ms = at_ms}};
    uint8_t *at = writer_room(out, RANGE_HEAD_BYTES);
    if (at == NULL) {
        return;
    }
    at[0] = RECORD_RANGE;
    store_u16(at + 1, cx);
    store_u16(at + 3, cy);
    store_u64(at + 5, first);
    store_u32(at + 21, (uint32_t)(uint64_t)at_ms);
    rw->count_at = at + 25;
}

/* A mover that stands a step outside at at_ms (its crossing is news still on the way) is told at
 * the chunk's edge. */
static uint16_t
within_chunk(int32_t mm, uint16_t chunk)
{
    int64_t within = mm - (int64_t)chunk * CHUNK_MM;
    return within < 0 ? 0 : within >= CHUNK_MM ? CHUNK_MM - 1 : (uint16_t)within;
}

/* v in units of 8 << shift (VELOCITY_UNIT_MM_S each), to the nearest. */
static int
velocity_scaled(int16_t v, unsigned shift)
{
    int half = 4 << shift, rounded = ((v < 0 ? -v : v) + half) >> (3 + shift);
    return v < 0 ? -rounded : rounded;
}

static int8_t
velocity_byte(int16_t v, unsigned shift)
{
    int scaled = velocity_scaled(v, shift);
    return (int8_t)(scaled > 127 ? 127 : scaled < -127 ? -127 : scaled);
}

static unsigned
velocity_shift(const struct motion *m)
{
    int x = m->vx < 0 ? -m->vx : m->vx, y = m->vy < 0 ? -m->vy : m->vy;
    int most = x > y ? x : y;
    unsigned shift = 0;
    while (shift < RANGE_SHIFT_MAX && (most + (4 << shift)) >> (3 + shift) > 127) {
        shift++;
    }
    return shift;
}

void
range_add(struct range_writer *rw, const struct record_motion *m)
{
    struct record_range *head = &rw->head;
    CHECK(m->entity != 0 && head->count < UINT16_MAX);
    CHECK(head->count == 0 ? m->entity >= head->first : m->entity > rw->previous);
    CHECK(m->motion.lasts_ms <= MOTION_LASTS_MS_MAX);
    uint8_t entry[RANGE_ENTRY_BYTES_MAX];
    uint8_t *at = entry + store_varint(entry, m->entity - rw->previous);
    struct motion now = motion_from(&m->motion, head->at_ms);
    unsigned shift = velocity_shift(&now);
    at[0] =
        (uint8_t)((m->look & LOOK_KIND_MASK) | shift << 4); /* the kind is all it has room for */
    store_u16(at + 1, within_chunk(now.x_mm, head->cx));
    store_u16(at + 3, within_chunk(now.y_mm, head->cy));
    at[5] = (uint8_t)velocity_byte(now.vx, shift);
    at[6] = (uint8_t)velocity_byte(now.vy, shift);
    at[7] = (uint8_t)(now.lasts_ms / RANGE_LASTS_UNIT_MS);
    size_t bytes = (size_t)(at + RANGE_FIXED_BYTES - entry);
    uint8_t *to = writer_room(rw->out, bytes);
    if (to != NULL) {
        memcpy(to, entry, bytes);
        rw->previous = m->entity;
        head->count++;
    }
}

void
range_end(struct range_writer *rw, uint64_t last)
{
    CHECK(last >= rw->previous);
    rw->head.last = last;
    if (rw->count_at != NULL) {
        store_u64(rw->count_at - 12, last);
        store_u16(rw->count_at, rw->head.count);
    }
}

/* The world time nearest to near_ms whose low 32 bits are low. */
static inline int64_t
complete_ms(uint32_t low, int64_t near_ms)
{
    int32_t ahead = (int32_t)(low - (uint32_t)(uint64_t)near_ms);
    return (int64_t)((uint64_t)near_ms + (uint64_t)(int64_t)ahead);
}

static inline bool
load_body(const uint8_t *at, int64_t near_ms, struct record_motion *out)
{
    *out = (struct record_motion){.entity = load_u64(at),
                                  .look = at[8],
                                  .motion = {.x_mm = (int32_t)load_u32(at + 9),
                                             .y_mm = (int32_t)load_u32(at + 13),
                                             .vx = (int16_t)load_u16(at + 17),
                                             .vy = (int16_t)load_u16(at + 19),
                                             .since_ms = complete_ms(load_u32(at + 21), near_ms),
                                             .lasts_ms = load_u16(at + 25)}};
    return out->entity != 0 && out->motion.lasts_ms <= MOTION_LASTS_MS_MAX;
}

/* The readers below look at a record of at least `left` bytes, kind included, and return how many
 * it has; 0: malformed. */
static inline size_t
read_motion(const uint8_t *at, size_t left, int64_t near_ms, struct record *out)
{
    if (left < RECORD_MOTION_BYTES || !load_body(at + 1, near_ms, &out->as.motion)) {
        return 0;
    }
    out->entity = out->as.motion.entity;
    return RECORD_MOTION_BYTES;
}

static size_t
read_self(const uint8_t *at, size_t left, int64_t near_ms, struct record *out)
{
    struct record_self *s = &out->as.self;
    if (left < RECORD_SELF_BYTES || !load_body(at + 6, near_ms, &s->body)) {
        return 0;
    }
    s->flags = at[1];
    s->move_no = load_u32(at + 2);
    out->entity = s->body.entity;
    return RECORD_SELF_BYTES;
}

static size_t
read_leave(const uint8_t *at, size_t left, struct record *out)
{
    if (left < RECORD_LEAVE_BYTES) {
        return 0;
    }
    out->entity = load_u64(at + 1);
    out->cx = load_u16(at + 9);
    out->cy = load_u16(at + 11);
    return out->entity != 0 ? RECORD_LEAVE_BYTES : 0;
}

static size_t
read_say(const uint8_t *at, size_t left, struct record *out)
{
    if (left < SAY_HEAD_BYTES || at[9] > SAY_BYTES_MAX || left < SAY_HEAD_BYTES + (size_t)at[9]) {
        return 0;
    }
    out->entity = load_u64(at + 1);
    out->as.text = (struct slice){at + SAY_HEAD_BYTES, at[9]};
    return out->entity != 0 ? SAY_HEAD_BYTES + (size_t)at[9] : 0;
}

static size_t
read_forget(const uint8_t *at, size_t left, struct record *out)
{
    if (left < RECORD_FORGET_BYTES) {
        return 0;
    }
    out->cx = load_u16(at + 1);
    out->cy = load_u16(at + 3);
    return RECORD_FORGET_BYTES;
}

static size_t
read_thing(const uint8_t *at, size_t left, struct record *out)
{
    if (left < THING_HEAD_BYTES || at[18] > ATTRIBUTES_MAX ||
        left < THING_HEAD_BYTES + (size_t)at[18]) {
        return 0;
    }
    out->entity = load_u64(at + 1);
    out->as.thing = (struct record_thing){
        .entity = out->entity,
        .kind = at[9],
        .place = {.x_mm = (int32_t)load_u32(at + 10), .y_mm = (int32_t)load_u32(at + 14)},
        .attributes = {at + THING_HEAD_BYTES, at[18]}};
    return out->entity != 0 ? THING_HEAD_BYTES + (size_t)at[18] : 0;
}

static size_t
read_density(const uint8_t *at, size_t left, struct record *out)
{
    if (left < DENSITY_HEAD_BYTES) {
        return 0;
    }
    uint16_t cell_m = load_u16(at + 5), count = load_u16(at + 7);
    size_t cells_bytes = (size_t)count * DENSITY_CELL_BYTES;
    if (cell_m == 0 || count > DENSITY_CELLS_MAX || left - DENSITY_HEAD_BYTES < cells_bytes) {
        return 0;
    }
    out->as.density.island = load_u32(at + 1);
    out->as.density.cell_m = cell_m;
    out->as.density.count = count;
    out->as.density.cells = (struct slice){at + DENSITY_HEAD_BYTES, cells_bytes};
    return DENSITY_HEAD_BYTES + cells_bytes;
}

static size_t
read_island(const uint8_t *at, size_t left, struct record *out)
{
    if (left < RECORD_ISLAND_BYTES) {
        return 0;
    }
    out->as.island = load_u32(at + 1);
    return RECORD_ISLAND_BYTES;
}

static size_t
read_owned(const uint8_t *at, size_t left, struct record *out)
{
    if (left < RECORD_OWNED_BYTES) {
        return 0;
    }
    out->entity = load_u64(at + 1);
    out->as.session_epoch = load_u64(at + 9);
    return out->entity != 0 ? RECORD_OWNED_BYTES : 0;
}

/* An entry's bytes after the varint, within their ranges. */
static bool
entry_is_sound(const uint8_t *at)
{
    return at[0] >> 4 <= RANGE_SHIFT_MAX && load_u16(at + 1) < CHUNK_MM &&
           load_u16(at + 3) < CHUNK_MM && at[7] <= MOTION_LASTS_MS_MAX / RANGE_LASTS_UNIT_MS;
}

static size_t
read_range(const uint8_t *at, size_t left, int64_t near_ms, struct record *out)
{
    if (left < RANGE_HEAD_BYTES) {
        return 0;
    }
    struct record_range *head = &out->as.range;
    *head = (struct record_range){.cx = load_u16(at + 1),
                                  .cy = load_u16(at + 3),
                                  .first = load_u64(at + 5),
                                  .last = load_u64(at + 13),
                                  .at_ms = complete_ms(load_u32(at + 21), near_ms),
                                  .count = load_u16(at + 25)};
    out->cx = head->cx;
    out->cy = head->cy;
    if (head->last < head->first) {
        return 0;
    }
    const uint8_t *p = at + RANGE_HEAD_BYTES, *end = at + left;
    uint64_t entity = head->first;
    for (uint16_t i = 0; i < head->count; i++) {
        uint64_t step;
        size_t n = load_varint(p, end, &step);
        if (n == 0 || (size_t)(end - p) < n + RANGE_FIXED_BYTES || (i > 0 && step == 0) ||
            step > head->last - entity || entity + step == 0 || !entry_is_sound(p + n)) {
            return 0;
        }
        entity += step;
        p += n + RANGE_FIXED_BYTES;
    }
    return (size_t)(p - at);
}

uint64_t
batch_subject(struct slice records)
{
    static const uint32_t of_one = 1U << RECORD_MOTION | 1U << RECORD_LEAVE | 1U << RECORD_SAY |
                                   1U << RECORD_THING | 1U << RECORD_OWNED;
    bool is_one = records.bytes >= 9 && records.at[0] < 32 && (of_one >> records.at[0] & 1) != 0;
    return is_one ? load_u64(records.at + 1) : 0;
}

enum err
batch_next(struct reader *r, int64_t near_ms, struct record *out)
{
    size_t left = r->failed ? 0 : (size_t)(r->end - r->at), bytes = 0;
    const uint8_t *at = r->at;
    uint8_t kind = left > 0 ? at[0] : 0;
    out->kind = (enum record_kind)kind;
    out->entity = 0;
    out->cx = out->cy = 0;
    switch (kind) {
    case RECORD_MOTION: bytes = read_motion(at, left, near_ms, out); break;
    case RECORD_LEAVE: bytes = read_leave(at, left, out); break;
    case RECORD_SAY: bytes = read_say(at, left, out); break;
    case RECORD_FORGET: bytes = read_forget(at, left, out); break;
    case RECORD_RANGE: bytes = read_range(at, left, near_ms, out); break;
    case RECORD_SELF: bytes = read_self(at, left, near_ms, out); break;
    case RECORD_THING: bytes = read_thing(at, left, out); break;
    case RECORD_DENSITY: bytes = read_density(at, left, out); break;
    case RECORD_ISLAND: bytes = read_island(at, left, out); break;
    case RECORD_OWNED: bytes = read_owned(at, left, out); break;
    default: break;
    }
    if (bytes == 0) {
        r->failed = true;
        r->at = r->end; /* as the readers of base: nothing more succeeds by accident */
        return ERR_FORMAT;
    }
    out->whole = (struct slice){at, bytes};
    r->at += bytes;
    return OK;
}

void
range_open(struct range_reader *rr, const struct record *record)
{
    CHECK(record->kind == RECORD_RANGE && record->whole.bytes >= RANGE_HEAD_BYTES);
    const uint8_t *at = record->whole.at + RANGE_HEAD_BYTES;
    *rr = (struct range_reader){
        .in = {.at = at, .end = record->whole.at + record->whole.bytes},
        .head = record->as.range,
        .previous = record->as.range.first,
        .left = record->as.range.count,
    };
}

bool
range_next(struct range_reader *rr, struct record_motion *out)
{
    if (rr->left == 0) {
        return false;
    }
    uint64_t step = 0;
    const uint8_t *at = rr->in.at;
    size_t n = load_varint(at, rr->in.end, &step);
    CHECK(n > 0 && (size_t)(rr->in.end - at) >= n + RANGE_FIXED_BYTES);
    at += n;
    rr->previous += step;
    rr->left--;
    rr->in.at = at + RANGE_FIXED_BYTES;
    int unit = 8 << (at[0] >> 4);
    *out = (struct record_motion){.entity = rr->previous,
                                  .look = at[0] & LOOK_KIND_MASK,
                                  .motion = {.x_mm = rr->head.cx * CHUNK_MM + load_u16(at + 1),
                                             .y_mm = rr->head.cy * CHUNK_MM + load_u16(at + 3),
                                             .vx = (int16_t)((int8_t)at[5] * unit),
                                             .vy = (int16_t)((int8_t)at[6] * unit),
                                             .since_ms = rr->head.at_ms,
                                             .lasts_ms = (uint16_t)(at[7] * RANGE_LASTS_UNIT_MS)}};
    return true;
}

struct density_cell
density_at(struct slice cells, uint16_t index)
{
    CHECK(((size_t)index + 1) * DENSITY_CELL_BYTES <= cells.bytes);
    const uint8_t *at = cells.at + (size_t)index * DENSITY_CELL_BYTES;
    return (struct density_cell){
        .column = load_u16(at), .row = load_u16(at + 2), .people = load_u16(at + 4)};
}
