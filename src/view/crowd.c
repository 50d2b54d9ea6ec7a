/* Crowds: a chunk in which more than GATE_CROWDED people move is cut into its 16 x 16 tiles, the
 * cells. Each cell has a log and a list of its own; a client hears the 3 x 3 cells around its
 * avatar at full rate. Everybody else comes round by rotation: once per tick the chunk's people, in
 * the order of their ids, are packed into slices (RANGE records), each a snapshot of a stretch of
 * ids; every client walks through them at the pace of its byte budget. So the cost of a crowd grows
 * with its people, not with their square.
 */
#include "base/check.h"
#include "view/state.h"
#include <stdlib.h>

uint8_t
cell_of(int32_t x_mm, int32_t y_mm)
{
    int32_t column = x_mm % CHUNK_MM / TILE_MM, row = y_mm % CHUNK_MM / TILE_MM;
    return (uint8_t)(row * CHUNK_TILES + column);
}

void
crowd_add(struct gate *g, struct seen_chunk *c, uint32_t entity)
{
    struct crowd *crowd = pool_at(&g->crowds, c->crowd);
    struct seen_entity *e = pool_at(&g->entities, entity);
    e->cell_previous = POOL_NONE;
    e->cell_next = crowd->members[e->cell];
    if (e->cell_next != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->cell_next))->cell_previous = entity;
    }
    crowd->members[e->cell] = entity;
}

void
crowd_remove(struct gate *g, struct seen_chunk *c, uint32_t entity)
{
    struct crowd *crowd = pool_at(&g->crowds, c->crowd);
    const struct seen_entity *e = pool_at(&g->entities, entity);
    if (e->cell_previous != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->cell_previous))->cell_next = e->cell_next;
    } else {
        crowd->members[e->cell] = e->cell_next;
    }
    if (e->cell_next != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->cell_next))->cell_previous =
            e->cell_previous;
    }
}

static bool
cells_touch(uint8_t a, uint8_t b)
{
    int32_t dx = a % CHUNK_TILES - b % CHUNK_TILES, dy = a / CHUNK_TILES - b / CHUNK_TILES;
    return dx >= -1 && dx <= 1 && dy >= -1 && dy <= 1;
}

/* A record goes into the log of the cell in which it begins. Who stepped over from the next cell is
 * not told there once more: nearly all who hear the one hear the other, and a third of all bytes
 * about the near would be told twice. For the few others it walks on as they knew it, and comes
 * round like everybody who is farther away. */
void
crowd_told(struct gate *g, struct seen_chunk *c, uint32_t entity, uint8_t cell_before,
           struct slice record)
{
    struct crowd *crowd = pool_at(&g->crowds, c->crowd);
    const struct seen_entity *e = pool_at(&g->entities, entity);
    bool here = pool_at(&g->chunks, e->chunk) == (void *)c;
    if (!here || e->cell == cell_before || !cells_touch(e->cell, cell_before)) {
        news_append(g, &crowd->news[cell_before], record);
    }
    if (here && e->cell != cell_before) {
        news_append(g, &crowd->news[e->cell], record);
    }
}

/* Whoever watches the chunk sees it in another way from now on. Of a new crowd they know everybody
 * once they have read the chunk's log to its end; of a former one they do not, and are told whole.
 */
static void
change_watchers(struct gate *g, const struct seen_chunk *c)
{
    for (uint32_t b = c->watchers; b != POOL_NONE;) {
        const struct watcher_block *block = pool_at(&g->watcher_blocks, b);
        for (uint32_t i = 0; i < block->count; i++) {
            uint32_t conn = block->watchers[i].conn;
            struct seen *seen = &g->conns[conn].seen[block->watchers[i].slot];
            if (c->crowd == POOL_NONE) {
                seen->fresh = seen->forget_first = true;
            }
            seen->rotation = 0;
            g->hot[conn].dirty |= UINT64_C(1) << block->watchers[i].slot;
            g->conns[conn].near_valid = false;
            g->hot[conn].crowd = g->hot[conn].urgent = true;
        }
        b = block->next;
    }
}

static void
become_crowded(struct gate *g, uint32_t chunk)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    if (pool_take(&g->crowds, &c->crowd) != OK) {
        c->crowd = POOL_NONE;
        g->stats.limits_reached++;
        return;
    }
    struct crowd *crowd = pool_at(&g->crowds, c->crowd);
    crowd->chunk = chunk;
    crowd->book_tick = -1;
    for (uint32_t i = 0; i < CELLS; i++) {
        news_init(&crowd->news[i]);
        crowd->members[i] = POOL_NONE;
    }
    for (uint32_t i = c->members; i != POOL_NONE;) {
        crowd_add(g, c, i);
        i = ((const struct seen_entity *)pool_at(&g->entities, i))->next;
    }
    g->stats.crowded_chunks++;
    change_watchers(g, c);
}

static void
become_normal(struct gate *g, uint32_t chunk)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    struct crowd *crowd = pool_at(&g->crowds, c->crowd);
    for (uint32_t i = 0; i < CELLS; i++) {
        news_clear(g, &crowd->news[i]);
    }
    pool_give(&g->crowds, c->crowd);
    c->crowd = POOL_NONE;
    g->stats.crowded_chunks--;
    change_watchers(g, c);
}

void
crowd_check(struct gate *g, uint32_t chunk)
{
    const struct seen_chunk *c = pool_at(&g->chunks, chunk);
    if (c->crowd == POOL_NONE && c->movers > GATE_CROWDED) {
        become_crowded(g, chunk);
    } else if (c->crowd != POOL_NONE && c->movers < GATE_CROWDED * 3 / 4) {
        become_normal(g, chunk);
    }
}

void
crowd_trim(struct gate *g, int64_t before_us)
{
    for (uint32_t i = pool_next(&g->crowds, POOL_NONE); i != POOL_NONE;
         i = pool_next(&g->crowds, i)) {
        struct crowd *crowd = pool_at(&g->crowds, i);
        for (uint32_t cell = 0; cell < CELLS; cell++) {
            news_trim(g, &crowd->news[cell], before_us);
        }
    }
}

static int
by_entity(const void *a, const void *b)
{
    uint64_t left = ((const struct crowd_entry *)a)->entity,
             right = ((const struct crowd_entry *)b)->entity;
    return left < right ? -1 : left > right;
}

static uint32_t
sort_people(struct gate *g, const struct seen_chunk *c)
{
    uint32_t count = 0;
    for (uint32_t i = c->members; i != POOL_NONE;) {
        const struct seen_entity *e = pool_at(&g->entities, i);
        if (e->moves) {
            g->sorting[count++] = (struct crowd_entry){.entity = e->entity, .index = i};
        }
        i = e->next;
    }
    qsort(g->sorting, count, sizeof g->sorting[0], by_entity);
    return count;
}

/* One slice of at most SLICE_ENTITIES people; its ids reach from first to just below the next
 * slice's. */
static bool
pack_slice(struct gate *g, const struct seen_chunk *c, uint64_t first, uint32_t from,
           uint32_t people, uint64_t last)
{
    if (g->slices_used == g->slices_max ||
        BOOK_BYTES - g->book_used < RANGE_HEAD_BYTES + people * RANGE_ENTRY_BYTES_MAX) {
        g->stats.limits_reached++;
        return false;
    }
    int64_t now_ms = env_world_ms(g->env);
    struct writer out = writer_over(g->book + g->book_used, BOOK_BYTES - g->book_used);
    struct range_writer range;
    range_begin(&range, &out, c->cx, c->cy, first, now_ms);
    for (uint32_t i = from; i < from + people; i++) {
        const struct seen_entity *e = pool_at(&g->entities, g->sorting[i].index);
        struct reader in = reader_over(e->record, e->bytes);
        struct record r;
        CHECK(batch_next(&in, now_ms, &r) == OK); /* was read before it was kept */
        range_add(&range, &r.as.motion);
    }
    range_end(&range, last);
    CHECK(writer_ok(&out));
    g->slices[g->slices_used++] = (struct slice_of_crowd){
        .first = first, .last = last, .at = g->book_used, .bytes = (uint32_t)writer_used(&out)};
    g->book_used += (uint32_t)writer_used(&out);
    return true;
}

static void
pack_book(struct gate *g, struct crowd *crowd, int64_t tick)
{
    if (g->book_tick != tick) {
        g->book_tick = tick;
        g->book_used = g->slices_used = 0;
    }
    const struct seen_chunk *c = pool_at(&g->chunks, crowd->chunk);
    uint32_t count = sort_people(g, c);
    uint64_t first = 0;
    crowd->book_tick = tick;
    crowd->slices_first = g->slices_used;
    for (uint32_t i = 0; i < count; i += SLICE_ENTITIES) {
        uint32_t people = count - i < SLICE_ENTITIES ? count - i : SLICE_ENTITIES;
        uint64_t last = i + people == count ? UINT64_MAX : g->sorting[i + people].entity - 1;
        if (!pack_slice(g, c, first, i, people, last)) {
            break;
        }
        first = last + 1;
    }
    crowd->slices_count = g->slices_used - crowd->slices_first;
}

/* The slice that holds an id; NULL when there is none this tick. */
const struct slice_of_crowd *
crowd_slice(struct gate *g, struct crowd *crowd, uint64_t from)
{
    int64_t tick = env_mono_us(g->env) / (GATE_SLOT_US * GATE_SLOTS);
    if (crowd->book_tick != tick) {
        pack_book(g, crowd, tick);
    }
    const struct slice_of_crowd *slices = &g->slices[crowd->slices_first];
    uint32_t low = 0, high = crowd->slices_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slices[middle].last < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < crowd->slices_count ? &slices[low] : NULL;
}

static bool
cell_was_near(const struct near_cell *before, uint32_t chunk, uint8_t cell, uint32_t *cursor)
{
    for (uint32_t i = 0; i < NEAR_CELLS; i++) {
        if (before[i].chunk == chunk && before[i].cell == cell && !before[i].fresh) {
            *cursor = before[i].cursor;
            return true;
        }
    }
    return false;
}

static uint32_t
seen_crowded_chunk(struct gate *g, const struct conn *conn, int32_t cx, int32_t cy)
{
    for (uint32_t i = 0; i < conn->seen_max; i++) {
        if (conn->seen[i].chunk == POOL_NONE) {
            continue;
        }
        const struct seen_chunk *c = pool_at(&g->chunks, conn->seen[i].chunk);
        if (c->cx == cx && c->cy == cy) {
            return c->crowd == POOL_NONE ? POOL_NONE : conn->seen[i].chunk;
        }
    }
    return POOL_NONE;
}

#define QUARTERS   4 /* of a tile's side: as fine as the order of cells is chosen */
#define QUARTER_MM (TILE_MM / QUARTERS)

/* How far it is, in eighths of a tile, from the middle of a quarter to the next tile on one side.
 */
static int32_t
gap(int32_t quarter, int32_t side)
{
    return side == 0 ? 0 : side < 0 ? 2 * quarter + 1 : 2 * (QUARTERS - quarter) - 1;
}

struct near_order {
    int32_t distance; /* squared */
    int8_t dx, dy;
};

/* The 3 x 3 cells, nearest first, seen from a quarter of the middle one's columns and rows. */
static void
order_cells(int32_t column, int32_t row, struct near_order out[NEAR_CELLS])
{
    for (int32_t i = 0; i < NEAR_CELLS; i++) {
        struct near_order cell = {.dx = (int8_t)(i % 3 - 1), .dy = (int8_t)(i / 3 - 1)};
        int32_t x = gap(column, cell.dx), y = gap(row, cell.dy), at = i;
        cell.distance = x * x + y * y;
        for (; at > 0 && out[at - 1].distance > cell.distance; at--) {
            out[at] = out[at - 1];
        }
        out[at] = cell;
    }
}

void
crowd_near(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    struct place at = motion_at(&c->motion, env_world_ms(g->env));
    int32_t quarter_x = at.x_mm / QUARTER_MM, quarter_y = at.y_mm / QUARTER_MM;
    if (c->near_valid && quarter_x == c->near_quarter_x && quarter_y == c->near_quarter_y) {
        return;
    }
    struct near_order order[NEAR_CELLS];
    order_cells(at.x_mm % TILE_MM * QUARTERS / TILE_MM, at.y_mm % TILE_MM * QUARTERS / TILE_MM,
                order);
    struct near_cell before[NEAR_CELLS];
    for (uint32_t i = 0; i < NEAR_CELLS; i++) {
        before[i] = c->near_valid ? c->near[i] : (struct near_cell){.chunk = POOL_NONE};
    }
    for (uint32_t i = 0; i < NEAR_CELLS; i++) {
        int32_t x = at.x_mm / TILE_MM + order[i].dx, y = at.y_mm / TILE_MM + order[i].dy;
        struct near_cell *n = &c->near[i];
        *n = (struct near_cell){.chunk = POOL_NONE};
        if (x < 0 || y < 0) {
            continue;
        }
        n->chunk = seen_crowded_chunk(g, c, x / CHUNK_TILES, y / CHUNK_TILES);
        n->cell = (uint8_t)(y % CHUNK_TILES * CHUNK_TILES + x % CHUNK_TILES);
        n->fresh = n->chunk != POOL_NONE && !cell_was_near(before, n->chunk, n->cell, &n->cursor);
    }
    c->near_valid = true;
    c->near_quarter_x = quarter_x;
    c->near_quarter_y = quarter_y;
}
