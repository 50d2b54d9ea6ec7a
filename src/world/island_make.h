/* Makes island files (world/island_format.h) out of land: chunk rows from south to north, then the
 * outline, then the bytes. For start-up and for tools, not for a running tick: it allocates.
 * Single-threaded; a draft belongs to its caller and ends with island_draft_finish() or
 * island_draft_drop().
 */
#ifndef SEOM_WORLD_ISLAND_MAKE_H
#define SEOM_WORLD_ISLAND_MAKE_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/motion.h"
#include "world/island_format.h"
#include <stdbool.h>
#include <stdint.h>

#define ISLAND_SIDE_CHUNKS_MAX 65535

#define ISLAND_VERTICES_MAX (UINT32_C(1) << 20)

/* Bytes of a made island, owned by whoever made it. */
struct island_file {
    uint8_t *at;
    size_t bytes;
};

void island_file_free(struct island_file *file);
struct slice island_file_slice(const struct island_file *file);

/* One chunk's land: 16 rows from the south, lowest bit in the west. */
struct chunk_mask {
    uint16_t rows[CHUNK_TILES];
};

struct island_plan {
    uint32_t id;       /* >= 1 */
    struct slice name; /* at most 64 bytes of printable UTF-8; may be empty */
    struct place anchor_m;
    uint32_t columns, rows; /* chunks */
};

struct island_draft;

/* ERR_RANGE: no id, no chunks or too many; ERR_FORMAT: the name. */
enum err island_draft_open(const struct island_plan *plan, struct island_draft **out);
/* The next chunk row, plan.columns masks; CHECKs that there are not more than plan.rows. */
void island_draft_row(struct island_draft *d, const struct chunk_mask *chunks);
/* An outline ring, at least three vertices in mm on the island. ERR_FULL: too many vertices. */
enum err island_draft_ring(struct island_draft *d, const struct place *vertices, uint32_t count);
uint64_t island_draft_land_tiles(const struct island_draft *d); /* so far */
/* Chooses the harbour and writes the file. ERR_NOT_FOUND: there is no land. The draft is gone in
 * any case. */
enum err island_draft_finish(struct island_draft **d, struct island_file *out);
void island_draft_drop(struct island_draft **d);

/* A square of land without shore, side_mm long (whole tiles, at least one), at (0, 0) of the chart:
 * for benches. */
enum err island_make_plain(uint32_t id, int32_t side_mm, struct island_file *out);

#endif
