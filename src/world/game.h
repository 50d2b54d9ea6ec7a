/* What a game says: a table of call-backs that world and steward ask. Games live in rules/ (C now,
 * Lua later); this is the seam, so it stands below them. All call-backs run on the logic thread,
 * are pure (state is what they are given and what they return), never block and never keep a
 * pointer.
 */
#ifndef SEOM_WORLD_GAME_H
#define SEOM_WORLD_GAME_H

#include "base/bytes.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define GAME_ATTRIBUTES_MAX       64
#define GAME_THINGS_PER_CHUNK_MAX 16

/* A thing of a chunk in closed form: everything about it follows from the chunk's seed and world
 * time. */
struct game_thing {
    uint8_t kind; /* the game's */
    uint8_t look; /* enum look for movers; things that stand: 0 */
    bool moves;   /* an animal: motion is valid and changes by itself at motion.since + lasts */
    struct place place;   /* standing things */
    struct motion motion; /* movers: the leg at the asked time */
    uint8_t attributes_bytes;
    uint8_t attributes[GAME_ATTRIBUTES_MAX];
};

struct game_player {
    uint64_t entity;
    uint32_t island;
    struct motion motion;
    uint8_t look;
};

struct game {
    const char *name;
    /* Fastest allowed speed in mm/s for a look; 0 = that look is not for players. */
    int32_t (*speed_mm_s)(uint8_t look);
    /* A player came into the world or left it. */
    void (*enter)(const struct game_player *player, int64_t now_ms);
    void (*leave)(const struct game_player *player, int64_t now_ms);
    /* A command of value. result: at most 256 bytes; returns a Code of proto/seom.proto. */
    uint32_t (*command)(const struct game_player *player, struct slice body, int64_t now_ms,
                        uint8_t result[256], uint32_t *result_bytes);
    /* How far from its place an entity of this look acts, in mm (0 = itself only). */
    int32_t (*reach_mm)(uint8_t look);
    /* The things of one chunk at a world time, in closed form; returns how many were written (<=
     * max). The n-th thing is the same thing at every time. *changes_ms: when the first of them
     * will differ in a way that must be told (a new leg of an animal's way, a plant's next stage);
     * INT64_MAX = never. */
    uint32_t (*things)(uint64_t chunk_seed, uint16_t cx, uint16_t cy, int64_t now_ms,
                       struct game_thing *out, uint32_t max, int64_t *changes_ms);
};

#endif
