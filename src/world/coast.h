/* Coast lines in, island files out. A coast is a CSV file with a header line that names at least
 * the columns island,seq,x_m,y_m (others, such as lon,lat, are passed over): one row a vertex, the
 * rows of an island together, seq counting up from 0 or 1, coordinates in metres on the sea chart,
 * x east, y north.
 *
 * Each ring becomes one island. Clockwise rings are turned, open ones closed, rings that touch
 * themselves are filled by winding number; a ring that crosses itself or is no ring is refused with
 * the number of its row and a remedy, the others are still made. Pure: bytes in, bytes out. For
 * start-up and tools: it allocates. Single-threaded.
 */
#ifndef SEOM_WORLD_COAST_H
#define SEOM_WORLD_COAST_H

#include "base/bytes.h"
#include "base/err.h"
#include "world/island.h"
#include "world/island_make.h"
#include <stdbool.h>
#include <stdint.h>

#define COAST_ISLANDS_MAX       4096
#define COAST_RING_VERTICES_MAX (UINT32_C(1) << 18)
#define COAST_VERTICES_MAX      (UINT32_C(1) << 22)
#define COAST_FAULTS_KEPT       64
#define COAST_FAULT_BYTES       192

/* An island that an earlier import made: whoever comes to lie in its place gets its id and name. */
struct coast_known {
    uint32_t id;
    const char *name; /* borrowed */
    double x_m, y_m;  /* middle of gravity on the sea chart */
    double area_m2;
};

struct coast_known coast_known_of(const struct island *island);

struct coast_fault {
    uint32_t row; /* of the CSV file, the header is 1; 0 = the file as a whole */
    char text[COAST_FAULT_BYTES];
};

struct coast_island {
    uint32_t number, row; /* in the CSV file */
    uint32_t id;
    bool is_known;
    double area_m2; /* inside the ring */
    uint64_t land_tiles;
    struct island_file file; /* owned by the coast */
};

struct coast {
    struct coast_island *islands; /* owned; in the order of the file */
    uint32_t count;
    struct coast_fault faults[COAST_FAULTS_KEPT];
    uint32_t fault_count;   /* also those not kept */
    uint32_t refused_count; /* islands that were in the file and are not here */
    uint32_t next_id;       /* the first id that nobody has */
};

struct coast_source {
    struct slice csv;
    const struct coast_known *known; /* borrowed; may be NULL */
    uint32_t known_count;
    uint32_t next_id; /* ids below were given out before; 0 = 1 */
    void (*progress)(void *ctx, uint32_t done, uint32_t count); /* after each island; may be NULL */
    void *ctx;
};

/* Never fails as a whole: look at faults. A matching known island gives its id, all others fresh
 * ones in file order. */
void coast_import(const struct coast_source *source, struct coast *out);
void coast_fini(struct coast *coast);

#endif
