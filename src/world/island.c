#include "world/island.h"
#include "base/check.h"
#include "wire/little.h"
#include "wire/text.h"
#include "world/island_format.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SHORE_BITS \
    UINT64_C(0xaaaaaaaaaaaaaaaa) /* the high bit of each class: CHUNK_SHORE is 10 in binary */
#define LAND_BITS   UINT64_C(0x5555555555555555)
#define WORD_CHUNKS 32

#define SPAWN_PLACES      4096 /* different places around a harbour */
#define SPAWN_REACH_TILES 64

struct island {
    struct slice bytes; /* borrowed */
    struct island_head head;
    struct island_layout layout;
    char name[ISLAND_NAME_MAX + 1];
};

/* A half-open rectangle in mm. */
struct box {
    int32_t x0, y0, x1, y1;
};

static size_t
round_up_8(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

struct island_layout
island_layout_of(const struct island_head *head)
{
    struct island_layout l = {.classes = ISLAND_HEAD_BYTES};
    uint64_t chunks = (uint64_t)head->columns * head->rows;

    l.groups = (uint32_t)((chunks + ISLAND_GROUP_CHUNKS - 1) / ISLAND_GROUP_CHUNKS);
    l.ranks = l.classes + (size_t)l.groups * ISLAND_GROUP_BYTES;
    l.masks = l.ranks + round_up_8((size_t)l.groups * 4);
    l.ring_ends = l.masks + (size_t)head->shore_chunks * ISLAND_MASK_BYTES;
    l.vertices = l.ring_ends + round_up_8((size_t)head->rings * 4);
    l.name = l.vertices + (size_t)head->vertices * 8;
    l.checksum = l.name + round_up_8(head->name_bytes);
    l.file_bytes = l.checksum + 8;
    return l;
}

/* Opening: nothing is believed. */

static struct island_head
read_head(struct slice bytes)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    struct island_head h;

    h.magic = read_u64(&r);
    h.format = read_u32(&r);
    h.id = read_u32(&r);
    h.file_bytes = read_u64(&r);
    h.anchor_x_m = read_i32(&r);
    h.anchor_y_m = read_i32(&r);
    h.harbour_x_mm = read_i32(&r);
    h.harbour_y_mm = read_i32(&r);
    h.columns = read_u16(&r);
    h.rows = read_u16(&r);
    h.name_bytes = read_u16(&r);
    h.zero = read_u16(&r);
    h.shore_chunks = read_u32(&r);
    h.land_chunks = read_u32(&r);
    h.land_tiles = read_u64(&r);
    h.rings = read_u32(&r);
    h.vertices = read_u32(&r);
    CHECK(reader_ok(&r));
    return h;
}

/* What every format promises: whole, undamaged, and then which format. */
static enum err
check_envelope(struct slice bytes, const struct island_head *h)
{
    if (h->magic != ISLAND_MAGIC) {
        return ERR_FORMAT;
    }
    if (h->file_bytes > bytes.bytes) {
        return ERR_SHORT;
    }
    if (h->file_bytes != bytes.bytes) {
        return ERR_FORMAT;
    }
    size_t body = bytes.bytes - 8;
    if (XXH3_64bits(bytes.at, body) != load_u64(bytes.at + body)) {
        return ERR_FORMAT;
    }
    if (h->format > ISLAND_FORMAT) {
        return ERR_NEWER;
    }
    return h->format == ISLAND_FORMAT ? OK : ERR_FORMAT;
}

static enum err
check_head(const struct island_head *h, const struct island_layout *l)
{
    if (h->id == 0 || h->columns == 0 || h->rows == 0 || h->zero != 0) {
        return ERR_FORMAT;
    }
    if ((uint64_t)h->columns * h->rows > ISLAND_CHUNKS_MAX) {
        return ERR_FORMAT;
    }
    if (h->name_bytes > ISLAND_NAME_MAX || l->file_bytes != h->file_bytes) {
        return ERR_FORMAT;
    }
    return OK;
}

/* The classes agree with the ranks and with the counts of the head; no fourth class; sea behind the
 * last chunk. */
static enum err
check_classes(const struct island *i)
{
    const uint8_t *classes = i->bytes.at + i->layout.classes;
    uint64_t chunks = (uint64_t)i->head.columns * i->head.rows;
    uint64_t shore = 0, land = 0;

    for (uint32_t group = 0; group < i->layout.groups; group++) {
        if (load_u32(i->bytes.at + i->layout.ranks + (size_t)group * 4) != shore) {
            return ERR_FORMAT;
        }
        for (uint32_t word = 0; word < ISLAND_GROUP_BYTES / 8; word++) {
            uint64_t w = load_u64(classes + (size_t)group * ISLAND_GROUP_BYTES + word * 8);
            uint64_t first = (uint64_t)group * ISLAND_GROUP_CHUNKS + (uint64_t)word * WORD_CHUNKS;
            uint64_t inside = chunks > first ? chunks - first : 0;
            if (w & (w >> 1) & LAND_BITS) {
                return ERR_FORMAT;
            }
            if (inside < WORD_CHUNKS && (w >> (2 * inside)) != 0) {
                return ERR_FORMAT;
            }
            shore += (uint64_t)__builtin_popcountll(w & SHORE_BITS);
            land += (uint64_t)__builtin_popcountll(w & LAND_BITS);
        }
    }
    return shore == i->head.shore_chunks && land == i->head.land_chunks ? OK : ERR_FORMAT;
}

static uint32_t
mask_land_tiles(const uint8_t *mask)
{
    uint32_t tiles = 0;
    for (uint32_t word = 0; word < ISLAND_MASK_BYTES / 8; word++) {
        tiles += (uint32_t)__builtin_popcountll(load_u64(mask + word * 8));
    }
    return tiles;
}

/* A shore chunk has land and sea, and all land is as much as the head says. */
static enum err
check_masks(const struct island *i)
{
    uint64_t tiles = (uint64_t)i->head.land_chunks * ISLAND_CHUNK_TILES;

    for (uint32_t n = 0; n < i->head.shore_chunks; n++) {
        uint32_t land =
            mask_land_tiles(i->bytes.at + i->layout.masks + (size_t)n * ISLAND_MASK_BYTES);
        if (land == 0 || land == ISLAND_CHUNK_TILES) {
            return ERR_FORMAT;
        }
        tiles += land;
    }
    return tiles == i->head.land_tiles && tiles > 0 ? OK : ERR_FORMAT;
}

static enum err
check_rings(const struct island *i)
{
    uint32_t before = 0;

    for (uint32_t ring = 0; ring < i->head.rings; ring++) {
        uint32_t end = load_u32(i->bytes.at + i->layout.ring_ends + (size_t)ring * 4);
        if (end < before || end - before < 3 || end > i->head.vertices) {
            return ERR_FORMAT;
        }
        before = end;
    }
    return before == i->head.vertices ? OK : ERR_FORMAT;
}

static enum err
check_everything(const struct island *i)
{
    enum err error = check_classes(i);
    if (error == OK) {
        error = check_masks(i);
    }
    if (error == OK) {
        error = check_rings(i);
    }
    if (error == OK && !island_is_land(i, island_harbour(i))) {
        error = ERR_FORMAT;
    }
    struct slice name = {.at = i->bytes.at + i->layout.name, .bytes = i->head.name_bytes};
    if (error == OK && !text_is_line(name)) { /* it reaches terminals and pages */
        error = ERR_FORMAT;
    }
    return error;
}

enum err
island_open(struct slice bytes, struct island **out)
{
    CHECK(bytes.at || bytes.bytes == 0);
    if (bytes.bytes < ISLAND_HEAD_BYTES + 8) {
        return ERR_SHORT;
    }

    struct island_head head = read_head(bytes);
    enum err error = check_envelope(bytes, &head);
    if (error != OK) {
        return error;
    }
    struct island_layout layout = island_layout_of(&head);
    error = check_head(&head, &layout);
    if (error != OK) {
        return error;
    }

    struct island *i = calloc(1, sizeof *i);
    CHECK(i);
    *i = (struct island){.bytes = bytes, .head = head, .layout = layout};
    memcpy(i->name, bytes.at + layout.name, head.name_bytes);
    error = check_everything(i);
    if (error != OK) {
        island_close(&i);
        return error;
    }
    *out = i;
    return OK;
}

void
island_close(struct island **island)
{
    CHECK(island);
    free(*island);
    *island = NULL;
}

/* Plain facts. */

uint32_t
island_id(const struct island *i)
{
    return i->head.id;
}

const char *
island_name(const struct island *i)
{
    return i->name;
}

struct place
island_anchor_m(const struct island *i)
{
    return (struct place){.x_mm = i->head.anchor_x_m, .y_mm = i->head.anchor_y_m};
}

uint16_t
island_columns(const struct island *i)
{
    return i->head.columns;
}

uint16_t
island_rows(const struct island *i)
{
    return i->head.rows;
}

uint64_t
island_land_tiles(const struct island *i)
{
    return i->head.land_tiles;
}

uint32_t
island_land_chunks(const struct island *i)
{
    return i->head.land_chunks + i->head.shore_chunks;
}

struct place
island_harbour(const struct island *i)
{
    return (struct place){.x_mm = i->head.harbour_x_mm, .y_mm = i->head.harbour_y_mm};
}

uint64_t
island_memory_bytes(const struct island *i)
{
    return sizeof *i + i->bytes.bytes;
}

uint32_t
island_ring_count(const struct island *i)
{
    return i->head.rings;
}

static uint32_t
ring_end(const struct island *i, uint32_t ring)
{
    return load_u32(i->bytes.at + i->layout.ring_ends + (size_t)ring * 4);
}

uint32_t
island_ring_vertices(const struct island *i, uint32_t ring)
{
    CHECK(ring < i->head.rings);
    return ring_end(i, ring) - (ring > 0 ? ring_end(i, ring - 1) : 0);
}

struct place
island_ring_at(const struct island *i, uint32_t ring, uint32_t vertex)
{
    CHECK(vertex < island_ring_vertices(i, ring));
    uint32_t n = (ring > 0 ? ring_end(i, ring - 1) : 0) + vertex;
    const uint8_t *at = i->bytes.at + i->layout.vertices + (size_t)n * 8;
    return (struct place){.x_mm = (int32_t)load_u32(at), .y_mm = (int32_t)load_u32(at + 4)};
}

/* Land and sea. */

static enum chunk_class
class_at(const struct island *i, uint64_t chunk)
{
    uint8_t four = i->bytes.at[i->layout.classes + chunk / 4];
    return (enum chunk_class)(four >> (chunk % 4 * 2) & 3);
}

enum chunk_class
island_chunk(const struct island *i, int32_t cx, int32_t cy)
{
    if (cx < 0 || cy < 0 || cx >= i->head.columns || cy >= i->head.rows) {
        return CHUNK_SEA;
    }
    return class_at(i, (uint64_t)cy * i->head.columns + (uint64_t)cx);
}

/* How many shore chunks stand before this one: the index of its mask. */
static uint32_t
shore_rank(const struct island *i, uint64_t chunk)
{
    uint64_t group = chunk / ISLAND_GROUP_CHUNKS;
    const uint8_t *words = i->bytes.at + i->layout.classes + group * ISLAND_GROUP_BYTES;
    uint32_t rank = load_u32(i->bytes.at + i->layout.ranks + group * 4);
    uint32_t within = (uint32_t)(chunk % ISLAND_GROUP_CHUNKS);

    for (uint32_t word = 0; word < within / WORD_CHUNKS; word++) {
        rank += (uint32_t)__builtin_popcountll(load_u64(words + word * 8) & SHORE_BITS);
    }
    uint64_t last = load_u64(words + within / WORD_CHUNKS * 8);
    uint64_t before = (UINT64_C(1) << (within % WORD_CHUNKS * 2)) - 1;
    return rank + (uint32_t)__builtin_popcountll(last & before & SHORE_BITS);
}

/* at is on the grid of chunks. */
static bool
shore_tile_is_land(const struct island *i, int32_t cx, int32_t cy, struct place at)
{
    uint32_t rank = shore_rank(i, (uint64_t)cy * i->head.columns + (uint64_t)cx);
    CHECK(rank < i->head.shore_chunks);
    const uint8_t *mask = i->bytes.at + i->layout.masks + (size_t)rank * ISLAND_MASK_BYTES;
    int32_t column = at.x_mm % CHUNK_MM / TILE_MM, row = at.y_mm % CHUNK_MM / TILE_MM;
    return load_u16(mask + row * 2) >> column & 1;
}

bool
island_is_land(const struct island *i, struct place at)
{
    if (at.x_mm < 0 || at.y_mm < 0) {
        return false;
    }
    int32_t cx = at.x_mm / CHUNK_MM, cy = at.y_mm / CHUNK_MM;
    enum chunk_class class = island_chunk(i, cx, cy);
    return class == CHUNK_LAND || (class == CHUNK_SHORE && shore_tile_is_land(i, cx, cy, at));
}

/* The land around a place that can be crossed in one step: its chunk when that is all land, else
 * its tile. False: the place is in the sea. */
static bool
land_box(const struct island *i, struct place at, struct box *box)
{
    if (!island_is_land(i, at)) {
        return false;
    }
    int32_t cx = at.x_mm / CHUNK_MM, cy = at.y_mm / CHUNK_MM;
    int32_t edge = island_chunk(i, cx, cy) == CHUNK_LAND ? CHUNK_MM : TILE_MM;
    box->x0 = at.x_mm / edge * edge;
    box->y0 = at.y_mm / edge * edge;
    box->x1 = box->x0 + edge;
    box->y1 = box->y0 + edge;
    return true;
}

/* First whole ms at which start + trunc(v * ms / 500), motion_at()'s arithmetic, is outside [low,
 * high). */
static int64_t
leaves_ms(int32_t start, int16_t v, int32_t low, int32_t high)
{
    if (v == 0) {
        return INT64_MAX;
    }
    int64_t way = v > 0 ? (int64_t)high - start : (int64_t)start - low + 1;
    int64_t speed = v > 0 ? v : -(int64_t)v;
    const int64_t ms_per_mm = 1000 / VELOCITY_UNIT_MM_S;
    return (way * ms_per_mm + speed - 1) / speed;
}

uint16_t
island_dry_ms(const struct island *i, const struct motion *m)
{
    struct motion from_zero = *m; /* so that no world time can overflow */
    struct place at = {.x_mm = m->x_mm, .y_mm = m->y_mm};
    struct box box;
    int64_t ms = 0;

    from_zero.since_ms = 0;

    while (land_box(i, at, &box)) {
        int64_t x_ms = leaves_ms(m->x_mm, m->vx, box.x0, box.x1);
        int64_t y_ms = leaves_ms(m->y_mm, m->vy, box.y0, box.y1);
        int64_t next_ms = x_ms < y_ms ? x_ms : y_ms;
        CHECK(next_ms > ms);
        if (next_ms > m->lasts_ms) {
            return m->lasts_ms;
        }
        ms = next_ms;
        at = motion_at(&from_zero, ms);
    }
    return (uint16_t)(ms > 0 ? ms - 1 : 0);
}

/* A straight way along one axis: from start, distance mm up or down. */
struct way {
    int32_t start;
    int64_t distance; /* >= 0 */
    bool falls;
};

/* A moment of the way from a to b: part / whole of it is done, and a hair more when beyond. Tiles
 * are half-open, so a rising way enters the next one exactly on its edge, a falling one a hair
 * behind it. */
struct moment {
    int64_t part, whole;
    bool beyond;
};

static struct way
way_between(int32_t from, int32_t to)
{
    int64_t d = (int64_t)to - from;
    return (struct way){.start = from, .distance = d < 0 ? -d : d, .falls = d < 0};
}

/* When the way leaves [low, high); whole = 0: never. */
static struct moment
way_leaves(const struct way *w, int32_t low, int32_t high)
{
    int64_t part = w->falls ? (int64_t)w->start - low : (int64_t)high - w->start;
    bool reaches = w->falls ? part < w->distance : part <= w->distance;
    return (struct moment){.part = part, .whole = reaches ? w->distance : 0, .beyond = w->falls};
}

static bool
moment_before(const struct moment *a, const struct moment *b)
{
    if (a->whole == 0 || b->whole == 0) {
        return a->whole != 0;
    }
    int64_t left = a->part * b->whole, right = b->part * a->whole;
    return left != right ? left < right : !a->beyond && b->beyond;
}

/* The whole mm in which the way is at that moment (rounded down, a hair below an edge counts as
 * below). Both factors are below 2^31, as both ends are on the island. */
static int32_t
way_at(const struct way *w, const struct moment *m)
{
    int64_t gone = w->distance * m->part;
    if (!w->falls) {
        return (int32_t)(w->start + gone / m->whole);
    }
    bool below = gone % m->whole != 0 || (m->beyond && w->distance > 0);
    return (int32_t)(w->start - gone / m->whole - (below ? 1 : 0));
}

bool
island_path_is_dry(const struct island *i, struct place a, struct place b)
{
    if (!island_is_land(i, a) || !island_is_land(i, b)) {
        return false;
    }

    struct way x = way_between(a.x_mm, b.x_mm), y = way_between(a.y_mm, b.y_mm);
    struct place at = a;
    struct box box;
    while (land_box(i, at, &box)) {
        struct moment x_leaves = way_leaves(&x, box.x0, box.x1);
        struct moment y_leaves = way_leaves(&y, box.y0, box.y1);
        struct moment *next = moment_before(&x_leaves, &y_leaves) ? &x_leaves : &y_leaves;
        if (next->whole == 0) {
            return true;
        }
        at.x_mm = way_at(&x, next);
        at.y_mm = way_at(&y, next);
    }
    return false;
}

/* Spawning. */

/* Step k of ring r of a square spiral around (0, 0); ring 0 has one step, ring r has 8 r. */
static struct place
ring_step(int32_t r, int32_t k)
{
    if (r == 0) {
        return (struct place){0};
    }
    int32_t along = k % (2 * r) - r;
    switch (k / (2 * r)) {
    case 0: return (struct place){.x_mm = along, .y_mm = -r};
    case 1: return (struct place){.x_mm = r, .y_mm = along};
    case 2: return (struct place){.x_mm = -along, .y_mm = r};
    default: return (struct place){.x_mm = -r, .y_mm = -along};
    }
}

/* The n-th land tile of the spiral. False when there are fewer: *found says how many. */
static bool
spawn_find(const struct island *i, uint32_t n, struct place *out, uint32_t *found)
{
    struct place harbour = island_harbour(i);

    *found = 0;
    for (int32_t r = 0; r <= SPAWN_REACH_TILES; r++) {
        int32_t steps = r == 0 ? 1 : 8 * r;
        for (int32_t k = 0; k < steps; k++) {
            struct place step = ring_step(r, k); /* in tiles */
            *out = (struct place){.x_mm = harbour.x_mm + step.x_mm * TILE_MM,
                                  .y_mm = harbour.y_mm + step.y_mm * TILE_MM};
            if (island_is_land(i, *out) && (*found)++ == n) {
                return true;
            }
        }
    }
    return false;
}

struct place
island_spawn(const struct island *i, uint32_t n)
{
    struct place place;
    uint32_t found;

    n %= SPAWN_PLACES;
    if (!spawn_find(i, n, &place, &found)) {
        CHECK(found > 0); /* the harbour itself is land: island_open saw to it */
        bool again = spawn_find(i, n % found, &place, &found);
        CHECK(again);
    }
    return place;
}
