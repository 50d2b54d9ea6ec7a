/* A motion: position as a function of world time. (place, velocity, since, until): the mover stands
 * at (x, y) at since, goes straight at constant velocity and stops at until. Integers only, so that
 * every node, client and test computes the same millimetre.
 */
#ifndef SEOM_WIRE_MOTION_H
#define SEOM_WIRE_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#define CHUNK_MM            30000 /* edge of a chunk */
#define TILE_MM             1875  /* edge of a tile: 16 x 16 in a chunk */
#define CHUNK_TILES         16
#define BLOCK_CHUNKS        4 /* a topic is a block of 4 x 4 chunks */
#define VELOCITY_UNIT_MM_S  2 /* so an int16 reaches 65.5 m/s */
#define MOTION_LASTS_MS_MAX 10000

struct place {
    int32_t x_mm, y_mm; /* east, north of the island's south-west corner */
};

struct motion {
    int32_t x_mm, y_mm;
    int16_t vx, vy;    /* in VELOCITY_UNIT_MM_S */
    int64_t since_ms;  /* world time */
    uint16_t lasts_ms; /* until = since + lasts; 0 = stands */
};

/* Where the mover is at world time at_ms; before since: at the start; after until: at the end.
 * x + v * 2 * dt / 1000, truncated towards zero. */
struct place motion_at(const struct motion *m, int64_t at_ms);
bool motion_moves(const struct motion *m, int64_t at_ms); /* has a velocity and is not over */
/* First world time > after_ms at which the mover stands in another chunk than at after_ms;
 * INT64_MAX if never. */
int64_t motion_leaves_chunk_ms(const struct motion *m, int64_t after_ms);
/* The same motion told from at_ms on: place there, the time that is left. */
struct motion motion_from(const struct motion *m, int64_t at_ms);
int32_t chunk_of(int32_t mm);                  /* floor division, also below zero */
int32_t velocity_mm_s(const struct motion *m); /* length, rounded up */

#endif
