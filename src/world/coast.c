#include "world/coast.h"
#include "base/check.h"
#include "world/coast_ring.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far apart two islands may be and still be the same one, drawn again: a quarter of their size.
 */
#define SAME_DISTANCE_M     30.0
#define SAME_DISTANCE_SHARE 0.25
#define SAME_AREA_RATIO     2.0

#define MM2_PER_M2 1e6

/* A ring that may be an island known from before. */
struct match {
    double distance_m;
    uint32_t ring, known;
};

void *
coast_more(void *at, size_t count, size_t item_bytes)
{
    void *moved = reallocarray(at, count > 0 ? count : 1, item_bytes);
    CHECK(moved);
    return moved;
}

void
coast_fault_add(struct coast *coast, uint32_t row, const char *format, ...)
{
    if (coast->fault_count < COAST_FAULTS_KEPT) {
        struct coast_fault *fault = &coast->faults[coast->fault_count];
        fault->row = row;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(fault->text, sizeof fault->text, format, arguments);
        va_end(arguments);
    }
    coast->fault_count++;
}

struct coast_known
coast_known_of(const struct island *island)
{
    struct place anchor = island_anchor_m(island);
    double area = 0, x = 0, y = 0;

    for (uint32_t r = 0; r < island_ring_count(island); r++) {
        struct coast_ring ring = {.count = island_ring_vertices(island, r)};
        ring.vertices = coast_more(NULL, ring.count, sizeof *ring.vertices);
        for (uint32_t n = 0; n < ring.count; n++) {
            struct place at = island_ring_at(island, r, n);
            ring.vertices[n] = (struct coast_vertex){.x_mm = at.x_mm, .y_mm = at.y_mm};
        }
        struct coast_shape shape = coast_ring_shape(&ring);
        area += shape.area_mm2;
        x += shape.area_mm2 * shape.x_mm;
        y += shape.area_mm2 * shape.y_mm;
        free(ring.vertices);
    }
    struct coast_known known = {.id = island_id(island), .name = island_name(island)};
    if (area != 0) {
        known.area_m2 = area / MM2_PER_M2;
        known.x_m = anchor.x_mm + x / area / 1000;
        known.y_m = anchor.y_mm + y / area / 1000;
    }
    return known;
}

static int
compare_matches(const void *a, const void *b)
{
    const struct match *p = a, *q = b;
    if (p->distance_m != q->distance_m) {
        return p->distance_m < q->distance_m ? -1 : 1;
    }
    if (p->ring != q->ring) {
        return p->ring < q->ring ? -1 : 1;
    }
    return (p->known > q->known) - (p->known < q->known);
}

static bool
may_be_same(const struct coast_shape *shape, const struct coast_known *known, double *distance_m)
{
    double area_m2 = shape->area_mm2 / MM2_PER_M2;
    double smaller = area_m2 < known->area_m2 ? area_m2 : known->area_m2;

    *distance_m = hypot(shape->x_mm / 1000 - known->x_m, shape->y_mm / 1000 - known->y_m);
    return *distance_m <= SAME_DISTANCE_M + SAME_DISTANCE_SHARE * sqrt(smaller) &&
           area_m2 + known->area_m2 - smaller <= SAME_AREA_RATIO * smaller;
}

/* Which known island each ring is, nearest pairs first; UINT32_MAX: none. The caller frees it. */
static uint32_t *
match_known(const struct coast_rings *rings, const struct coast_source *source)
{
    struct match *matches = NULL;
    size_t count = 0, room = 0;
    uint32_t *known_of = coast_more(NULL, rings->count, sizeof *known_of);
    bool *taken = coast_more(NULL, source->known_count, sizeof *taken);

    memset(taken, 0, source->known_count * sizeof *taken);
    for (uint32_t n = 0; n < rings->count; n++) {
        known_of[n] = UINT32_MAX;
        if (rings->rings[n].refused) {
            continue;
        }
        struct coast_shape shape = coast_ring_shape(&rings->rings[n]);
        for (uint32_t k = 0; k < source->known_count; k++) {
            struct match match = {.ring = n, .known = k};
            if (!may_be_same(&shape, &source->known[k], &match.distance_m)) {
                continue;
            }
            if (count == room) {
                room = room > 0 ? room * 2 : 256;
                matches = coast_more(matches, room, sizeof *matches);
            }
            matches[count++] = match;
        }
    }
    if (count > 0) {
        qsort(matches, count, sizeof *matches, compare_matches);
    }
    for (size_t n = 0; n < count; n++) {
        if (known_of[matches[n].ring] == UINT32_MAX && !taken[matches[n].known]) {
            known_of[matches[n].ring] = matches[n].known;
            taken[matches[n].known] = true;
        }
    }
    free(matches);
    free(taken);
    return known_of;
}

static uint32_t
first_free_id(const struct coast_source *source)
{
    uint32_t id = source->next_id > 0 ? source->next_id : 1;

    for (uint32_t k = 0; k < source->known_count; k++) {
        CHECK(source->known[k].id < UINT32_MAX);
        id = source->known[k].id >= id ? source->known[k].id + 1 : id;
    }
    return id;
}

/* One island out of one ring. False: refused. */
static bool
make_island(struct coast *coast, const struct coast_ring *ring, const struct coast_known *known)
{
    struct island_plan plan = {.id = known ? known->id : coast->next_id};
    struct island_draft *draft = NULL;

    if (known) {
        plan.name =
            (struct slice){.at = (const uint8_t *)known->name, .bytes = strlen(known->name)};
    }
    if (coast_ring_fill(ring, &plan, &draft, coast) != OK) {
        return false;
    }
    struct coast_island island = {.number = ring->number,
                                  .row = ring->row,
                                  .id = plan.id,
                                  .is_known = known != NULL,
                                  .area_m2 = coast_ring_shape(ring).area_mm2 / MM2_PER_M2,
                                  .land_tiles = island_draft_land_tiles(draft)};
    enum err error = island_draft_finish(&draft, &island.file);
    CHECK(error == OK); /* it has at least one tile */
    coast->islands[coast->count++] = island;
    coast->next_id += known == NULL;
    return true;
}

void
coast_import(const struct coast_source *source, struct coast *out)
{
    struct coast_rings rings;

    *out = (struct coast){.next_id = first_free_id(source)};
    coast_csv_read(source->csv, &rings, out);
    for (uint32_t n = 0; n < rings.count; n++) {
        struct coast_ring *ring = &rings.rings[n];
        ring->refused = ring->refused || !coast_ring_prepare(ring, out);
    }
    uint32_t *known_of = match_known(&rings, source);
    out->islands = coast_more(NULL, rings.count, sizeof *out->islands);
    for (uint32_t n = 0; n < rings.count; n++) {
        const struct coast_known *known =
            known_of[n] != UINT32_MAX ? &source->known[known_of[n]] : NULL;
        if (rings.rings[n].refused || !make_island(out, &rings.rings[n], known)) {
            out->refused_count++;
        }
        if (source->progress) {
            source->progress(source->ctx, n + 1, rings.count);
        }
    }
    if (rings.count == 0 && out->fault_count == 0) {
        coast_fault_add(out, 0, "no rows behind the header; there is no island in this file");
    }
    free(known_of);
    coast_rings_fini(&rings);
}

void
coast_fini(struct coast *coast)
{
    for (uint32_t n = 0; n < coast->count; n++) {
        island_file_free(&coast->islands[n].file);
    }
    free(coast->islands);
    *coast = (struct coast){0};
}
