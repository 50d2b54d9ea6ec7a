/* The island file, format 1: what island_make.c writes and island.c reads in place. All integers
 * are little-endian, every section starts at a multiple of 8.
 *
 *   head       72 bytes, struct island_head in its order; magic first, then format u32 and id u32,
 * then file_bytes u64 classes    2 bits a chunk (enum chunk_class), chunks row by row from the
 * south-west corner, the first in the lowest bits; whole groups of 256 chunks = 64 bytes = one
 * cache line; what is over is sea ranks      u32 a group: how many shore chunks stand before it, so
 * that a mask is found in O(1) masks      32 bytes a shore chunk, in chunk order: 16 rows of u16
 * from the south, lowest bit in the west, 1 = land ring_ends  u32 a ring: number of vertices up to
 * and with this ring vertices   i32 x, i32 y in mm on the island; counter-clockwise, not repeated
 * at the end name       UTF-8 checksum   u64, XXH3 of everything before it
 *
 * Recipe for change: magic, format, id and file_bytes keep their places and the checksum stays last
 * in every format, so that a damaged file, a cut one and a newer one can always be told apart.
 * Raise ISLAND_FORMAT, keep reading the format before it in island.c, and add a corpus file of the
 * new one to fuzz/corpus/island.
 */
#ifndef SEOM_WORLD_ISLAND_FORMAT_H
#define SEOM_WORLD_ISLAND_FORMAT_H

#include "wire/motion.h"
#include <stddef.h>
#include <stdint.h>

#define ISLAND_FORMAT       1
#define ISLAND_MAGIC        UINT64_C(0x656c73696d6f6573) /* "seomisle" */
#define ISLAND_HEAD_BYTES   72
#define ISLAND_NAME_MAX     64 /* bytes */
#define ISLAND_GROUP_CHUNKS 256
#define ISLAND_GROUP_BYTES  64
#define ISLAND_MASK_BYTES   32
#define ISLAND_CHUNK_TILES  (CHUNK_TILES * CHUNK_TILES)
/* Of the whole rectangle, land and sea: 60,000 km2. */
#define ISLAND_CHUNKS_MAX (UINT32_C(1) << 26)

struct island_head {
    uint64_t magic;
    uint32_t format, id;
    uint64_t file_bytes;
    int32_t anchor_x_m, anchor_y_m;
    int32_t harbour_x_mm, harbour_y_mm;
    uint16_t columns, rows;
    uint16_t name_bytes, zero;
    uint32_t shore_chunks, land_chunks; /* land_chunks: without a sea tile */
    uint64_t land_tiles;
    uint32_t rings, vertices;
};

/* Where each section starts, counted from the file's first byte. */
struct island_layout {
    size_t classes, ranks, masks, ring_ends, vertices, name, checksum, file_bytes;
    uint32_t groups;
};

/* Follows from columns, rows, name_bytes, shore_chunks, rings and vertices; cannot overflow 64
 * bits. */
struct island_layout island_layout_of(const struct island_head *head);

#endif
