/* The geometry of one ring. Decisions (crossings, which tile is land) are made in integers wide
 * enough to be exact; only sizes and middles, which decide nothing on the map, are floating point.
 */
#include "world/coast_ring.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 int128;

#define SCAN_STEP  (2 * TILE_MM) /* in half millimetres, so that the middles of tiles are whole */
#define SCAN_FIRST TILE_MM

/* An edge between two vertices, told from its lower end, in mm on the island. */
struct edge {
    int64_t x_low, y_low, x_high, y_high;
    int32_t turn; /* +1: it goes down, land begins east of it; -1: it goes up */
    uint32_t row;
};

/* Where a scan line meets an edge: everything from this tile on is east of it. */
struct crossing {
    int64_t tile;
    int32_t turn;
    uint32_t row;
};

struct scan {
    struct edge *edges; /* owned, by y_low */
    uint32_t edge_count;
    uint32_t next_edge; /* the first one not reached yet */
    uint32_t *active;   /* owned; edges the line may meet */
    uint32_t active_count;
    struct crossing *crossings; /* owned */
    struct chunk_mask *row;     /* owned; one row of chunks */
    uint16_t *whole;            /* owned; see draw_tiles(); one more than columns */
    uint32_t columns, rows;     /* in chunks */
};

struct coast_shape
coast_ring_shape(const struct coast_ring *ring)
{
    const struct coast_vertex *v = ring->vertices;
    double area = 0, x = 0, y = 0, mean_x = 0, mean_y = 0;

    CHECK(ring->count > 0);
    for (uint32_t n = 0; n < ring->count;
         n++) { /* relative to the first vertex: no large sums cancel */
        const struct coast_vertex *a = &v[n], *b = &v[n + 1 < ring->count ? n + 1 : 0];
        double ax = (double)a->x_mm - v->x_mm, ay = (double)a->y_mm - v->y_mm;
        double bx = (double)b->x_mm - v->x_mm, by = (double)b->y_mm - v->y_mm;
        double twice = ax * by - bx * ay;
        area += twice / 2;
        x += (ax + bx) * twice;
        y += (ay + by) * twice;
        mean_x += ax / ring->count;
        mean_y += ay / ring->count;
    }
    if (area == 0) {
        return (struct coast_shape){.x_mm = v->x_mm + mean_x, .y_mm = v->y_mm + mean_y};
    }
    return (struct coast_shape){
        .area_mm2 = area, .x_mm = v->x_mm + x / (6 * area), .y_mm = v->y_mm + y / (6 * area)};
}

/* Twice the area, exact. */
static int128
twice_area(const struct coast_ring *ring)
{
    const struct coast_vertex *v = ring->vertices;
    int128 sum = 0;

    for (uint32_t n = 0; n < ring->count; n++) {
        const struct coast_vertex *a = &v[n], *b = &v[n + 1 < ring->count ? n + 1 : 0];
        sum += (int128)a->x_mm * b->y_mm - (int128)b->x_mm * a->y_mm;
    }
    return sum;
}

static bool
same_place(const struct coast_vertex *a, const struct coast_vertex *b)
{
    return a->x_mm == b->x_mm && a->y_mm == b->y_mm;
}

static void
drop_repeated(struct coast_ring *ring)
{
    uint32_t kept = 0;

    for (uint32_t n = 0; n < ring->count; n++) {
        if (kept == 0 || !same_place(&ring->vertices[kept - 1], &ring->vertices[n])) {
            ring->vertices[kept++] = ring->vertices[n];
        }
    }
    while (kept > 1 && same_place(&ring->vertices[0], &ring->vertices[kept - 1])) {
        kept--; /* closed by repeating the first vertex; here rings close by themselves */
    }
    ring->count = kept;
}

static void
turn_around(struct coast_ring *ring)
{
    for (uint32_t low = 0, high = ring->count - 1; low < high; low++, high--) {
        struct coast_vertex kept = ring->vertices[low];
        ring->vertices[low] = ring->vertices[high];
        ring->vertices[high] = kept;
    }
}

static int
compare_edges(const void *a, const void *b)
{
    const struct edge *p = a, *q = b;
    if (p->y_low != q->y_low) {
        return p->y_low < q->y_low ? -1 : 1;
    }
    return (p->row > q->row) - (p->row < q->row);
}

/* All edges by their lower ends, moved by -origin. */
static struct edge *
make_edges(const struct coast_ring *ring, int64_t x_origin, int64_t y_origin)
{
    struct edge *edges = coast_more(NULL, ring->count, sizeof *edges);

    for (uint32_t n = 0; n < ring->count; n++) {
        const struct coast_vertex *a = &ring->vertices[n];
        const struct coast_vertex *b = &ring->vertices[n + 1 < ring->count ? n + 1 : 0];
        bool up = a->y_mm < b->y_mm;
        const struct coast_vertex *low = up ? a : b, *high = up ? b : a;
        edges[n] = (struct edge){.x_low = low->x_mm - x_origin,
                                 .y_low = low->y_mm - y_origin,
                                 .x_high = high->x_mm - x_origin,
                                 .y_high = high->y_mm - y_origin,
                                 .turn = up ? -1 : 1,
                                 .row = a->row};
    }
    qsort(edges, ring->count, sizeof *edges, compare_edges);
    return edges;
}

/* On which side of the edge the point is: -1, 0 (on its line), 1. */
static int
side_of(const struct edge *e, int64_t x, int64_t y)
{
    int128 cross = (int128)(e->x_high - e->x_low) * (y - e->y_low) -
                   (int128)(e->y_high - e->y_low) * (x - e->x_low);
    return (cross > 0) - (cross < 0);
}

/* Their insides cross in one point; touching ends and lying on each other do not count. */
static bool
edges_cross(const struct edge *p, const struct edge *q)
{
    return side_of(p, q->x_low, q->y_low) * side_of(p, q->x_high, q->y_high) < 0 &&
           side_of(q, p->x_low, p->y_low) * side_of(q, p->x_high, p->y_high) < 0;
}

static bool
boxes_meet_in_x(const struct edge *p, const struct edge *q)
{
    int64_t p_west = p->x_low < p->x_high ? p->x_low : p->x_high,
            p_east = p->x_low + p->x_high - p_west;
    int64_t q_west = q->x_low < q->x_high ? q->x_low : q->x_high,
            q_east = q->x_low + q->x_high - q_west;
    return p_west <= q_east && q_west <= p_east;
}

/* Rows of the first pair of edges found to cross. */
static bool
find_crossing(const struct coast_ring *ring, uint32_t *row, uint32_t *other_row)
{
    struct edge *edges = make_edges(ring, 0, 0);
    bool found = false;

    for (uint32_t n = 0; n < ring->count && !found; n++) {
        for (uint32_t k = n + 1; k < ring->count && edges[k].y_low <= edges[n].y_high && !found;
             k++) {
            if (boxes_meet_in_x(&edges[n], &edges[k]) && edges_cross(&edges[n], &edges[k])) {
                found = true;
                *row = edges[n].row < edges[k].row ? edges[n].row : edges[k].row;
                *other_row = edges[n].row < edges[k].row ? edges[k].row : edges[n].row;
            }
        }
    }
    free(edges);
    return found;
}

bool
coast_ring_prepare(struct coast_ring *ring, struct coast *faults)
{
    uint32_t row = 0, other_row = 0;

    if (ring->count > COAST_RING_VERTICES_MAX) {
        coast_fault_add(faults, ring->row, "island %u has more than %u vertices; simplify it",
                        ring->number, COAST_RING_VERTICES_MAX);
        return false;
    }
    drop_repeated(ring);
    if (find_crossing(ring, &row, &other_row)) {
        coast_fault_add(faults, row,
                        "island %u crosses itself: the line from here crosses the one from row %u; "
                        "untangle it",
                        ring->number, other_row);
        return false;
    }
    int128 twice = twice_area(ring);
    if (twice == 0) {
        coast_fault_add(faults, ring->row,
                        "island %u encloses nothing; a ring needs three corners not in one line",
                        ring->number);
        return false;
    }
    if (twice < 0) {
        turn_around(ring);
    }
    return true;
}

/* Filling. */

static int64_t
divide_up(int128 a, int128 b)
{
    int128 q = a / b;
    return (int64_t)(q + (a % b > 0)); /* b > 0 */
}

/* The first tile of the scan line whose middle is not west of the edge. */
static int64_t
first_tile(const struct edge *e, int64_t scan)
{
    int128 high = e->y_high - e->y_low;
    int128 x = 2 * (int128)e->x_low * high + (int128)(scan - 2 * e->y_low) * (e->x_high - e->x_low);
    return divide_up(x - SCAN_FIRST * high, SCAN_STEP * high);
}

static int
compare_crossings(const void *a, const void *b)
{
    const struct crossing *p = a, *q = b;
    return (p->tile > q->tile) - (p->tile < q->tile);
}

/* Takes in the edges that begin below the scan line, lets go of those that end below it, and
 * gathers where it meets the rest. A scan line has an odd number of half millimetres, so it never
 * meets a vertex. */
static uint32_t
scan_crossings(struct scan *s, int64_t scan)
{
    uint32_t kept = 0;

    while (s->next_edge < s->edge_count && 2 * s->edges[s->next_edge].y_low < scan) {
        s->active[s->active_count++] = s->next_edge++;
    }
    for (uint32_t n = 0; n < s->active_count; n++) {
        const struct edge *e = &s->edges[s->active[n]];
        if (2 * e->y_high > scan) {
            s->active[kept] = s->active[n];
            s->crossings[kept++] =
                (struct crossing){.tile = first_tile(e, scan), .turn = e->turn, .row = e->row};
        }
    }
    s->active_count = kept;
    qsort(s->crossings, kept, sizeof *s->crossings, compare_crossings);
    return kept;
}

/* Tiles from <= t < to of one row and one chunk become land. */
static void
draw_in_chunk(struct scan *s, uint32_t row, int64_t from, int64_t to)
{
    uint32_t bits = (UINT32_C(1) << (to - from)) - 1;
    s->row[from / CHUNK_TILES].rows[row] |= (uint16_t)(bits << (from % CHUNK_TILES));
}

/* Tiles from <= t < to of one row become land. Most of a large island is chunks in which a row lies
 * whole: where such a run begins and where it has ended, the bit of its row is turned over in
 * `whole`, and draw_whole() draws them all together. */
static void
draw_tiles(struct scan *s, uint32_t row, int64_t from, int64_t to)
{
    CHECK(from >= 0 && to <= (int64_t)s->columns * CHUNK_TILES);
    int64_t first = (from + CHUNK_TILES - 1) / CHUNK_TILES, last = to / CHUNK_TILES;
    if (first > last) { /* within one chunk */
        draw_in_chunk(s, row, from, to);
        return;
    }
    s->whole[first] ^= (uint16_t)(1U << row);
    s->whole[last] ^= (uint16_t)(1U << row);
    if (from < first * CHUNK_TILES) {
        draw_in_chunk(s, row, from, first * CHUNK_TILES);
    }
    if (to > last * CHUNK_TILES) {
        draw_in_chunk(s, row, last * CHUNK_TILES, to);
    }
}

static void
draw_whole(struct scan *s)
{
    uint16_t rows = 0; /* of this chunk, that are whole */

    for (uint32_t column = 0; column < s->columns; column++) {
        rows ^= s->whole[column];
        if (rows == UINT16_MAX) {
            memset(&s->row[column], 0xff, sizeof s->row[column]);
            continue;
        }
        for (uint32_t left = rows; left != 0; left &= left - 1) {
            s->row[column].rows[__builtin_ctz(left)] = UINT16_MAX;
        }
    }
    CHECK((rows ^ s->whole[s->columns]) == 0); /* every run has ended */
}

/* Draws one row of tiles. A ring that winds once and counter-clockwise has every tile in it 0 or 1
 * times; anything else means that it crosses itself where two of its vertices meet, or runs twice.
 * Returns the row to blame, 0 = fine. */
static uint32_t
scan_line(struct scan *s, uint32_t tile_row)
{
    uint32_t count = scan_crossings(s, (int64_t)tile_row * SCAN_STEP + SCAN_FIRST);
    int32_t winding = 0;

    for (uint32_t n = 0; n + 1 < count; n++) {
        winding += s->crossings[n].turn;
        if (s->crossings[n].tile == s->crossings[n + 1].tile || winding == 0) {
            continue;
        }
        if (winding != 1) {
            return s->crossings[n].row;
        }
        draw_tiles(s, tile_row % CHUNK_TILES, s->crossings[n].tile, s->crossings[n + 1].tile);
    }
    CHECK(count == 0 || winding + s->crossings[count - 1].turn == 0); /* a ring closes */
    return 0;
}

/* All rows of chunks into the draft. */
static uint32_t
scan_rows(struct scan *s, struct island_draft *draft)
{
    for (uint32_t row = 0; row < s->rows; row++) {
        memset(s->row, 0, s->columns * sizeof *s->row);
        memset(s->whole, 0, (s->columns + 1) * sizeof *s->whole);
        for (uint32_t k = 0; k < CHUNK_TILES; k++) {
            uint32_t blame = scan_line(s, row * CHUNK_TILES + k);
            if (blame != 0) {
                return blame;
            }
        }
        draw_whole(s);
        island_draft_row(draft, s->row);
    }
    return 0;
}

static uint32_t
fill(const struct coast_ring *ring, const struct island_plan *plan, struct island_draft *draft)
{
    struct scan s = {.edge_count = ring->count, .columns = plan->columns, .rows = plan->rows};

    s.edges =
        make_edges(ring, (int64_t)plan->anchor_m.x_mm * 1000, (int64_t)plan->anchor_m.y_mm * 1000);
    s.active = coast_more(NULL, ring->count, sizeof *s.active);
    s.crossings = coast_more(NULL, ring->count, sizeof *s.crossings);
    s.row = coast_more(NULL, s.columns, sizeof *s.row);
    s.whole = coast_more(NULL, (size_t)s.columns + 1, sizeof *s.whole);
    uint32_t blame = scan_rows(&s, draft);
    free(s.edges);
    free(s.active);
    free(s.crossings);
    free(s.row);
    free(s.whole);
    return blame;
}

/* An islet between the middles of tiles: the tile under its own middle is its land. */
static void
draw_one_tile(const struct coast_ring *ring, const struct island_plan *plan,
              struct island_draft *draft)
{
    struct coast_shape shape = coast_ring_shape(ring);
    int64_t x = ((int64_t)shape.x_mm - (int64_t)plan->anchor_m.x_mm * 1000) / TILE_MM;
    int64_t y = ((int64_t)shape.y_mm - (int64_t)plan->anchor_m.y_mm * 1000) / TILE_MM;
    int64_t x_max = (int64_t)plan->columns * CHUNK_TILES - 1,
            y_max = (int64_t)plan->rows * CHUNK_TILES - 1;
    struct chunk_mask *row = coast_more(NULL, plan->columns, sizeof *row);

    x = x < 0 ? 0 : x > x_max ? x_max : x;
    y = y < 0 ? 0 : y > y_max ? y_max : y;
    for (int64_t cy = 0; cy < plan->rows; cy++) {
        memset(row, 0, plan->columns * sizeof *row);
        if (y / CHUNK_TILES == cy) {
            row[x / CHUNK_TILES].rows[y % CHUNK_TILES] = (uint16_t)(1u << x % CHUNK_TILES);
        }
        island_draft_row(draft, row);
    }
    free(row);
}

/* Anchor and size follow from the ring's box: the anchor is a whole metre. */
static void
plan_box(const struct coast_ring *ring, struct island_plan *plan)
{
    int32_t west = INT32_MAX, south = INT32_MAX, east = INT32_MIN, north = INT32_MIN;

    for (uint32_t n = 0; n < ring->count; n++) {
        const struct coast_vertex *v = &ring->vertices[n];
        west = v->x_mm < west ? v->x_mm : west;
        east = v->x_mm > east ? v->x_mm : east;
        south = v->y_mm < south ? v->y_mm : south;
        north = v->y_mm > north ? v->y_mm : north;
    }
    plan->anchor_m.x_mm = west / 1000 - (west % 1000 < 0);
    plan->anchor_m.y_mm = south / 1000 - (south % 1000 < 0);
    int64_t wide = east - (int64_t)plan->anchor_m.x_mm * 1000,
            high = north - (int64_t)plan->anchor_m.y_mm * 1000;
    plan->columns = (uint32_t)((wide + CHUNK_MM - 1) / CHUNK_MM);
    plan->rows = (uint32_t)((high + CHUNK_MM - 1) / CHUNK_MM);
}

static void
draw_outline(const struct coast_ring *ring, const struct island_plan *plan,
             struct island_draft *draft)
{
    struct place *places = coast_more(NULL, ring->count, sizeof *places);

    for (uint32_t n = 0; n < ring->count; n++) {
        int64_t x = ring->vertices[n].x_mm - (int64_t)plan->anchor_m.x_mm * 1000;
        int64_t y = ring->vertices[n].y_mm - (int64_t)plan->anchor_m.y_mm * 1000;
        places[n] = (struct place){.x_mm = (int32_t)x, .y_mm = (int32_t)y};
    }
    enum err error = island_draft_ring(draft, places, ring->count);
    CHECK(error == OK); /* COAST_RING_VERTICES_MAX is below the draft's limit */
    free(places);
}

enum err
coast_ring_fill(const struct coast_ring *ring, struct island_plan *plan, struct island_draft **out,
                struct coast *faults)
{
    struct island_draft *draft = NULL;

    CHECK(ring->count >= 3);
    plan_box(ring, plan);
    if (island_draft_open(plan, &draft) != OK) {
        coast_fault_add(faults, ring->row,
                        "island %u is larger than %u chunks; is x_m, y_m in metres?", ring->number,
                        ISLAND_CHUNKS_MAX);
        return ERR_FORMAT;
    }
    uint32_t blame = fill(ring, plan, draft);
    if (blame != 0) {
        island_draft_drop(&draft);
        coast_fault_add(faults, blame,
                        "island %u crosses itself or runs round twice near here; untangle it",
                        ring->number);
        return ERR_FORMAT;
    }
    if (island_draft_land_tiles(draft) == 0) {
        island_draft_drop(&draft);
        enum err error = island_draft_open(plan, &draft);
        CHECK(error == OK);
        draw_one_tile(ring, plan, draft);
    }
    draw_outline(ring, plan, draft);
    *out = draft;
    return OK;
}
