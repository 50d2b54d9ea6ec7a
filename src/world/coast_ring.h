/* One coast ring on its way from a CSV file to an island: what coast_csv.c reads, coast_ring.c
 * measures and fills, and coast.c makes islands of. Pure; for start-up and tools, it allocates.
 * Inside this room only.
 */
#ifndef SEOM_WORLD_COAST_RING_H
#define SEOM_WORLD_COAST_RING_H

#include "world/coast.h"
#include "world/island_make.h"
#include <stdbool.h>
#include <stdint.h>

struct coast_vertex {
    int32_t x_mm, y_mm; /* on the sea chart */
    uint32_t row;       /* of the CSV file, the header is 1 */
};

struct coast_ring {
    uint32_t number; /* the CSV's */
    uint32_t row;    /* its first */
    bool refused;
    struct coast_vertex *vertices; /* owned by coast_rings */
    uint32_t count;
};

struct coast_rings {
    struct coast_ring *rings; /* owned */
    uint32_t count, room;
    struct coast_vertex *vertices; /* owned; of all rings, one behind the other */
    uint32_t vertex_count, vertex_room;
};

/* Area in mm2, positive when counter-clockwise, and the middle of gravity (of the vertices when
 * there is no area). */
struct coast_shape {
    double area_mm2, x_mm, y_mm;
};

/* Reads all rings; what is wrong becomes a fault and the ring is refused. */
void coast_csv_read(struct slice file, struct coast_rings *out, struct coast *faults);
void coast_rings_fini(struct coast_rings *rings);

/* Takes out repeated vertices, turns it counter-clockwise and looks for what no island can be made
 * of. False: refused, and a fault says why. */
bool coast_ring_prepare(struct coast_ring *ring, struct coast *faults);
struct coast_shape coast_ring_shape(const struct coast_ring *ring);

/* Draws the land inside a prepared ring: each tile whose middle is inside, at least the one under
 * the ring's middle. plan's id and name are given, the rest is filled in. ERR_FORMAT: refused, a
 * fault says why. */
enum err coast_ring_fill(const struct coast_ring *ring, struct island_plan *plan,
                         struct island_draft **out, struct coast *faults);

/* Notes what is wrong in a row and what to do about it. */
void coast_fault_add(struct coast *coast, uint32_t row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* realloc() for start-up, where being out of memory ends the process. */
void *coast_more(void *at, size_t count, size_t item_bytes);

#endif
