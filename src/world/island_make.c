#include "world/island_make.h"
#include "base/check.h"
#include "wire/little.h"
#include "wire/text.h"
#include "world/island.h"
#include "world/island_format.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct island_draft {
    struct island_head head;
    uint8_t *classes; /* owned; as in the file */
    uint32_t *ranks;  /* owned; per group */
    uint16_t *tiles;  /* owned; land tiles per chunk */
    uint8_t *masks;   /* owned; head.shore_chunks of masks_made */
    uint32_t masks_made;
    uint32_t *ring_ends;    /* owned */
    struct place *vertices; /* owned */
    char name[ISLAND_NAME_MAX];
    uint32_t rows_done;
};

/* A candidate for the harbour. More is better; among equals the one nearest to the middle of the
 * island. */
struct berth {
    uint32_t shelter; /* land tiles in the 5 x 5 chunks around it */
    uint64_t from_middle;
    int32_t cx, cy;
    bool found;
};

void
island_file_free(struct island_file *file)
{
    free(file->at);
    *file = (struct island_file){0};
}

struct slice
island_file_slice(const struct island_file *file)
{
    return (struct slice){.at = file->at, .bytes = file->bytes};
}

/* Room for count items, never none: start-up memory, and without it there is nothing to start. */
static void *
more(void *at, size_t count, size_t item_bytes)
{
    void *moved = reallocarray(at, count > 0 ? count : 1, item_bytes);
    CHECK(moved);
    return moved;
}

enum err
island_draft_open(const struct island_plan *plan, struct island_draft **out)
{
    uint64_t chunks = (uint64_t)plan->columns * plan->rows;

    if (plan->id == 0 || chunks == 0 || chunks > ISLAND_CHUNKS_MAX) {
        return ERR_RANGE;
    }
    if (plan->columns > ISLAND_SIDE_CHUNKS_MAX || plan->rows > ISLAND_SIDE_CHUNKS_MAX) {
        return ERR_RANGE;
    }
    if (plan->name.bytes > ISLAND_NAME_MAX || !text_is_line(plan->name)) {
        return ERR_FORMAT;
    }
    struct island_draft *d = more(NULL, 1, sizeof *d);
    *d = (struct island_draft){
        .head = {.magic = ISLAND_MAGIC,
                 .format = ISLAND_FORMAT,
                 .id = plan->id,
                 .anchor_x_m = plan->anchor_m.x_mm,
                 .anchor_y_m = plan->anchor_m.y_mm,
                 .columns = (uint16_t)plan->columns,
                 .rows = (uint16_t)plan->rows,
                 .name_bytes = (uint16_t)plan->name.bytes},
    };
    uint32_t groups = island_layout_of(&d->head).groups;
    d->classes = more(NULL, groups, ISLAND_GROUP_BYTES);
    memset(d->classes, 0, (size_t)groups * ISLAND_GROUP_BYTES);
    d->ranks = more(NULL, groups, sizeof *d->ranks);
    d->tiles = more(NULL, chunks, sizeof *d->tiles);
    if (plan->name.bytes > 0) {
        memcpy(d->name, plan->name.at, plan->name.bytes);
    }
    *out = d;
    return OK;
}

void
island_draft_drop(struct island_draft **draft)
{
    struct island_draft *d = *draft;

    if (!d) {
        return;
    }
    free(d->classes);
    free(d->ranks);
    free(d->tiles);
    free(d->masks);
    free(d->ring_ends);
    free(d->vertices);
    free(d);
    *draft = NULL;
}

/* Most chunks are all sea or all land: those are seen without counting. */
static uint32_t
mask_tiles(const struct chunk_mask *mask)
{
    uint64_t words[4], any = 0, all = UINT64_MAX;
    uint32_t tiles = 0;

    _Static_assert(sizeof words == sizeof *mask, "16 rows of 16 tiles");
    memcpy(words, mask, sizeof words);
    for (uint32_t n = 0; n < 4; n++) {
        any |= words[n];
        all &= words[n];
    }
    if (any == 0 || all == UINT64_MAX) {
        return any == 0 ? 0 : ISLAND_CHUNK_TILES;
    }
    for (uint32_t n = 0; n < 4; n++) {
        tiles += (uint32_t)__builtin_popcountll(words[n]);
    }
    return tiles;
}

static void
draft_add_shore(struct island_draft *d, const struct chunk_mask *mask)
{
    if (d->head.shore_chunks == d->masks_made) {
        d->masks_made = d->masks_made > 0 ? d->masks_made * 2 : 64;
        d->masks = more(d->masks, d->masks_made, ISLAND_MASK_BYTES);
    }
    uint8_t *at = d->masks + (size_t)d->head.shore_chunks++ * ISLAND_MASK_BYTES;
    for (uint32_t row = 0; row < CHUNK_TILES; row++) {
        store_u16(at + row * 2, mask->rows[row]);
    }
}

void
island_draft_row(struct island_draft *d, const struct chunk_mask *chunks)
{
    CHECK(d->rows_done < d->head.rows);
    uint32_t first = d->rows_done++ * d->head.columns;

    for (uint32_t column = 0; column < d->head.columns; column++) {
        uint32_t chunk = first + column, tiles = mask_tiles(&chunks[column]);
        if (chunk % ISLAND_GROUP_CHUNKS == 0) {
            d->ranks[chunk / ISLAND_GROUP_CHUNKS] = d->head.shore_chunks;
        }
        enum chunk_class class = CHUNK_SEA;
        if (tiles == ISLAND_CHUNK_TILES) {
            class = CHUNK_LAND;
            d->head.land_chunks++;
        } else if (tiles > 0) {
            class = CHUNK_SHORE;
            draft_add_shore(d, &chunks[column]);
        }
        d->head.land_tiles += tiles;
        d->tiles[chunk] = (uint16_t)tiles;
        d->classes[chunk / 4] |= (uint8_t)(class << (chunk % 4 * 2));
    }
}

uint64_t
island_draft_land_tiles(const struct island_draft *d)
{
    return d->head.land_tiles;
}

enum err
island_draft_ring(struct island_draft *d, const struct place *vertices, uint32_t count)
{
    CHECK(count >= 3);
    if (count > ISLAND_VERTICES_MAX - d->head.vertices) {
        return ERR_FULL;
    }
    uint32_t end = d->head.vertices + count;
    d->ring_ends = more(d->ring_ends, d->head.rings + 1, sizeof *d->ring_ends);
    d->vertices = more(d->vertices, end, sizeof *d->vertices);
    memcpy(d->vertices + d->head.vertices, vertices, count * sizeof *vertices);
    d->ring_ends[d->head.rings++] = end;
    d->head.vertices = end;
    return OK;
}

/* The harbour: the chunk of the coast with the most land around it, which is a bay where there is
 * one. */

static uint32_t
draft_tiles(const struct island_draft *d, int32_t cx, int32_t cy)
{
    if (cx < 0 || cy < 0 || cx >= d->head.columns || cy >= d->head.rows) {
        return 0;
    }
    return d->tiles[(size_t)cy * d->head.columns + (size_t)cx];
}

static bool
chunk_at_coast(const struct island_draft *d, int32_t cx, int32_t cy)
{
    uint32_t tiles = draft_tiles(d, cx, cy);

    if (tiles < ISLAND_CHUNK_TILES) {
        return tiles > 0;
    }
    return draft_tiles(d, cx - 1, cy) == 0 || draft_tiles(d, cx + 1, cy) == 0 ||
           draft_tiles(d, cx, cy - 1) == 0 || draft_tiles(d, cx, cy + 1) == 0;
}

static struct berth
berth_at(const struct island_draft *d, int32_t cx, int32_t cy)
{
    struct berth b = {.cx = cx, .cy = cy, .found = true};
    int64_t dx = 2 * (int64_t)cx - d->head.columns + 1, dy = 2 * (int64_t)cy - d->head.rows + 1;

    b.from_middle = (uint64_t)(dx * dx + dy * dy);
    for (int32_t near_y = cy - 2; near_y <= cy + 2; near_y++) {
        for (int32_t near_x = cx - 2; near_x <= cx + 2; near_x++) {
            b.shelter += draft_tiles(d, near_x, near_y);
        }
    }
    return b;
}

static bool
berth_better(const struct berth *a, const struct berth *b)
{
    if (!b->found || a->shelter != b->shelter) {
        return !b->found || a->shelter > b->shelter;
    }
    return a->from_middle < b->from_middle;
}

static bool
tile_at_coast(const struct island *i, struct place at)
{
    struct place west = {.x_mm = at.x_mm - TILE_MM, .y_mm = at.y_mm};
    struct place east = {.x_mm = at.x_mm + TILE_MM, .y_mm = at.y_mm};
    struct place south = {.x_mm = at.x_mm, .y_mm = at.y_mm - TILE_MM};
    struct place north = {.x_mm = at.x_mm, .y_mm = at.y_mm + TILE_MM};

    return island_is_land(i, at) && (!island_is_land(i, west) || !island_is_land(i, east) ||
                                     !island_is_land(i, south) || !island_is_land(i, north));
}

/* The middle of the coastal tile nearest to the middle of the chunk; of any land tile when the sea
 * begins next door. */
static struct place
berth_tile(const struct island *i, const struct berth *b)
{
    struct place best = {0};
    int32_t best_distance = INT32_MAX;

    for (int32_t tile = 0; tile < ISLAND_CHUNK_TILES; tile++) {
        int32_t column = tile % CHUNK_TILES, row = tile / CHUNK_TILES;
        struct place at = {.x_mm = b->cx * CHUNK_MM + column * TILE_MM + TILE_MM / 2,
                           .y_mm = b->cy * CHUNK_MM + row * TILE_MM + TILE_MM / 2};
        int32_t dx = 2 * column - CHUNK_TILES + 1, dy = 2 * row - CHUNK_TILES + 1;
        int32_t distance = dx * dx + dy * dy + (tile_at_coast(i, at) ? 0 : ISLAND_CHUNK_TILES * 16);
        if (island_is_land(i, at) && distance < best_distance) {
            best = at;
            best_distance = distance;
        }
    }
    CHECK(best_distance < INT32_MAX);
    return best;
}

static struct berth
choose_berth(const struct island_draft *d)
{
    struct berth best = {0};

    for (int32_t cy = 0; cy < d->head.rows; cy++) {
        for (int32_t cx = 0; cx < d->head.columns; cx++) {
            if (!chunk_at_coast(d, cx, cy)) {
                continue;
            }
            struct berth b = berth_at(d, cx, cy);
            if (berth_better(&b, &best)) {
                best = b;
            }
        }
    }
    CHECK(best.found);
    return best;
}

/* Some land tile, so that the island can be opened to look for a better one: the first. */
static struct place
draft_first_land(const struct island_draft *d)
{
    uint32_t chunk = 0, tile = 0;

    while (d->tiles[chunk] == 0) {
        chunk++;
    }
    if (d->tiles[chunk] < ISLAND_CHUNK_TILES) {
        while (!(load_u16(d->masks + tile / CHUNK_TILES * 2) >> (tile % CHUNK_TILES) & 1)) {
            tile++;
        }
    }
    uint32_t column = chunk % d->head.columns, row = chunk / d->head.columns;
    return (struct place){.x_mm = (int32_t)(column * CHUNK_MM + tile % CHUNK_TILES * TILE_MM),
                          .y_mm = (int32_t)(row * CHUNK_MM + tile / CHUNK_TILES * TILE_MM)};
}

static void
write_head(uint8_t *at, const struct island_head *h)
{
    struct writer w = writer_over(at, ISLAND_HEAD_BYTES);

    write_u64(&w, h->magic);
    write_u32(&w, h->format);
    write_u32(&w, h->id);
    write_u64(&w, h->file_bytes);
    write_i32(&w, h->anchor_x_m);
    write_i32(&w, h->anchor_y_m);
    write_i32(&w, h->harbour_x_mm);
    write_i32(&w, h->harbour_y_mm);
    write_u16(&w, h->columns);
    write_u16(&w, h->rows);
    write_u16(&w, h->name_bytes);
    write_u16(&w, h->zero);
    write_u32(&w, h->shore_chunks);
    write_u32(&w, h->land_chunks);
    write_u64(&w, h->land_tiles);
    write_u32(&w, h->rings);
    write_u32(&w, h->vertices);
    CHECK(writer_ok(&w) && writer_left(&w) == 0);
}

static void
write_body(const struct island_draft *d, const struct island_layout *l, uint8_t *at)
{
    memcpy(at + l->classes, d->classes, (size_t)l->groups * ISLAND_GROUP_BYTES);
    for (uint32_t group = 0; group < l->groups; group++) {
        store_u32(at + l->ranks + (size_t)group * 4, d->ranks[group]);
    }
    if (d->head.shore_chunks > 0) {
        memcpy(at + l->masks, d->masks, (size_t)d->head.shore_chunks * ISLAND_MASK_BYTES);
    }
    for (uint32_t ring = 0; ring < d->head.rings; ring++) {
        store_u32(at + l->ring_ends + (size_t)ring * 4, d->ring_ends[ring]);
    }
    for (uint32_t vertex = 0; vertex < d->head.vertices; vertex++) {
        store_u32(at + l->vertices + (size_t)vertex * 8, (uint32_t)d->vertices[vertex].x_mm);
        store_u32(at + l->vertices + (size_t)vertex * 8 + 4, (uint32_t)d->vertices[vertex].y_mm);
    }
    memcpy(at + l->name, d->name, d->head.name_bytes);
}

static void
seal(uint8_t *at, const struct island_head *head, const struct island_layout *l)
{
    write_head(at, head);
    store_u64(at + l->checksum, XXH3_64bits(at, l->checksum));
}

enum err
island_draft_finish(struct island_draft **draft, struct island_file *out)
{
    struct island_draft *d = *draft;
    CHECK(d->rows_done == d->head.rows);

    if (d->head.land_tiles == 0) {
        island_draft_drop(draft);
        return ERR_NOT_FOUND;
    }
    struct island_layout l = island_layout_of(&d->head);
    struct place harbour = draft_first_land(d);
    d->head.file_bytes = l.file_bytes;
    d->head.harbour_x_mm = harbour.x_mm;
    d->head.harbour_y_mm = harbour.y_mm;
    *out = (struct island_file){.at = calloc(1, l.file_bytes), .bytes = l.file_bytes};
    CHECK(out->at);
    write_body(d, &l, out->at);
    seal(out->at, &d->head, &l);

    struct island *island = NULL;
    enum err error = island_open(island_file_slice(out), &island);
    CHECK(error == OK); /* what we write, we can read */
    struct berth berth = choose_berth(d);
    harbour = berth_tile(island, &berth);
    island_close(&island);
    d->head.harbour_x_mm = harbour.x_mm;
    d->head.harbour_y_mm = harbour.y_mm;
    seal(out->at, &d->head, &l);
    island_draft_drop(draft);
    return OK;
}

enum err
island_make_plain(uint32_t id, int32_t side_mm, struct island_file *out)
{
    if (side_mm < TILE_MM) {
        return ERR_RANGE;
    }
    uint32_t tiles = (uint32_t)(side_mm / TILE_MM), side = (tiles + CHUNK_TILES - 1) / CHUNK_TILES;
    struct island_plan plan = {.id = id, .columns = side, .rows = side};
    struct island_draft *d = NULL;
    enum err error = island_draft_open(&plan, &d);
    if (error != OK) {
        return error;
    }

    struct chunk_mask *row = more(NULL, side, sizeof *row);
    for (uint32_t cy = 0; cy < side; cy++) {
        for (uint32_t cx = 0; cx < side; cx++) {
            uint32_t wide = tiles - cx * CHUNK_TILES, high = tiles - cy * CHUNK_TILES;
            for (uint32_t k = 0; k < CHUNK_TILES; k++) {
                uint32_t bits = wide < CHUNK_TILES ? (UINT32_C(1) << wide) - 1 : UINT16_MAX;
                row[cx].rows[k] = (uint16_t)(k < high ? bits : 0);
            }
        }
        island_draft_row(d, row);
    }
    free(row);
    int32_t edge = (int32_t)tiles * TILE_MM;
    const struct place corners[4] = {{0, 0}, {edge, 0}, {edge, edge}, {0, edge}};
    error = island_draft_ring(d, corners, 4);
    CHECK(error == OK);
    return island_draft_finish(&d, out);
}
