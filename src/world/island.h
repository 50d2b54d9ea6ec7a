/* An island: bounded land, its shore and its harbour. Read-only once opened, and in the form in
 * which it lies in its file: a class per chunk (sea, land, shore) in 2 bits and a tile mask only
 * for shore chunks, so that memory is what the file costs, whatever the island's size (Jeju: 2.04 M
 * chunks of land). Owned by whoever opened it; may be read from any thread.
 *
 * The file format stands in island_format.h beside its recipe for change; island_make.c writes it,
 * coast.c makes islands from coast rings.
 */
#ifndef SEOM_WORLD_ISLAND_H
#define SEOM_WORLD_ISLAND_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

enum chunk_class { CHUNK_SEA = 0, CHUNK_LAND = 1, CHUNK_SHORE = 2 };

struct island;

/* Opens an island over bytes that must outlive it (an mmap-ed file, an arena). Everything is
 * checked: ERR_SHORT (the file is cut), ERR_FORMAT (damaged, or no island), ERR_NEWER (whole, but
 * of a later format). */
enum err island_open(struct slice bytes, struct island **out) MUST_USE;
void island_close(struct island **island);

uint32_t island_id(const struct island *i);      /* >= 1, stable over re-import */
const char *island_name(const struct island *i); /* UTF-8, may be "" */
struct place island_anchor_m(
    const struct island *i);                     /* south-west corner on the sea chart, in METRES */
uint16_t island_columns(const struct island *i); /* chunks west to east */
uint16_t island_rows(const struct island *i);    /* chunks south to north */
uint64_t island_land_tiles(const struct island *i);
uint32_t island_land_chunks(const struct island *i); /* land and shore */
struct place island_harbour(const struct island *i); /* a land tile's middle near the shore */
uint64_t island_memory_bytes(
    const struct island *i); /* everything this island costs, file bytes included */

enum chunk_class island_chunk(const struct island *i, int32_t cx,
                              int32_t cy);                    /* outside: CHUNK_SEA */
bool island_is_land(const struct island *i, struct place at); /* by tile; outside: false */
/* How long a mover following m stays on land: the last ms after m->since_ms up to which it stands
 * on land at every ms (motion_at), so a motion that lasts this long is dry to its end. m->lasts_ms
 * when it never gets wet, 0 also when it starts in the sea. Visits each crossed tile once (shore)
 * or each crossed chunk once (land). */
uint16_t island_dry_ms(const struct island *i, const struct motion *m);
/* Is the straight way from a to b on land all along? Every point of the line counts, also a corner
 * only touched. */
bool island_path_is_dry(const struct island *i, struct place a, struct place b);
/* The n-th place of a spiral of land tiles around the harbour, n counted from 0: spawn spread by
 * place; always land. 4,096 different places within 120 m, fewer where there is less land; then it
 * begins anew. */
struct place island_spawn(const struct island *i, uint32_t n);

/* The outline rings for drawing: vertices in mm on the island. */
uint32_t island_ring_count(const struct island *i);
uint32_t island_ring_vertices(const struct island *i, uint32_t ring);
struct place island_ring_at(const struct island *i, uint32_t ring, uint32_t vertex);

#endif
