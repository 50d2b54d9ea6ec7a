/* What a game says: a table of call-backs that world and steward ask. Games live in rules/ (C now,
 * Lua later); this is the seam, so it stands below them. All call-backs run on the logic thread,
 * are pure (state is what they are given and what they return), never block and never keep a
 * pointer. What players do to things of value are deeds (store/deed.h): the game names them, the
 * executor runs them.
 */
#ifndef SEOM_WORLD_GAME_H
#define SEOM_WORLD_GAME_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/rand.h"
#include "documents.pb-c.h"
#include "society/kinds.h"
#include "store/deed.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define GAME_ATTRIBUTES_MAX       64
#define GAME_CLOSED_FORMS_MAX     16 /* in one chunk */
#define GAME_THINGS_PER_CHUNK_MAX (GAME_CLOSED_FORMS_MAX + CHUNK_THINGS_MAX)

/* A thing of a chunk, as it is to be seen. In closed form everything about it follows from the
 * chunk's seed, world time and what the chunk's document says has happened to it; other things
 * stand in the document with all that they are. */
struct game_thing {
    uint64_t entity; /* of a thing of the document: its id; 0: a closed form (game_thing_entity) */
    uint8_t kind;    /* the game's */
    uint8_t look;    /* enum look for movers; things that stand: 0 */
    bool moves;      /* an animal: motion is valid and changes by itself at motion.since + lasts */
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
    /* How far from its place an entity of this look acts, in mm (0 = itself only). */
    int32_t (*reach_mm)(uint8_t look);
    /* The things of one chunk at a world time; returns how many were written (<= max). Closed forms
     * come first, in the order of their numbers: the n-th is the same thing at every time. chunk:
     * the chunk's document, NULL where there is none (or it could not be read yet). *changes_ms:
     * when the first of them will differ in a way that must be told (a new leg of an animal's way,
     * a plant's next stage); INT64_MAX = never. */
    uint32_t (*things)(uint64_t chunk_seed, uint16_t cx, uint16_t cy,
                       const Seom__ChunkDocument *chunk, int64_t now_ms, struct game_thing *out,
                       uint32_t max, int64_t *changes_ms);

    /* Of value; all of these are NULL in a game that has none. */
    const struct society *society; /* kinds and rules: what deed_ctx() hands to its deeds */
    /* Which deed the body of a command asks for; NULL: malformed. */
    const struct deed_kind *(*deed)(struct slice body);
    /* What brings an awake chunk up to date with time: run for the chunk in which actor.at lies,
     * with an empty body, at least once after regrow_due_ms() has come. INT64_MAX: nothing is due.
     * Both may be NULL. */
    const struct deed_kind *regrow;
    int64_t (*regrow_due_ms)(const Seom__ChunkDocument *chunk);
};

/* Ids of closed forms are computed, never leased: world 16 | 1 | island 16 | chunk 27 | number 4.
 * The flag keeps them apart from leased ids. chunk_index: cy * columns of the island + cx. */
#define GAME_THING_FLAG (UINT64_C(1) << 47)
/* Ids of things that are leased begin here, those of players at 1: on the ground both are entities.
 */
#define GAME_LEASED_THINGS_FIRST (UINT64_C(1) << 46)

#define GAME_THING_NUMBER_BITS 4
#define GAME_THING_CHUNK_BITS  27
#define GAME_THING_ISLAND_BITS 16

_Static_assert(GAME_CLOSED_FORMS_MAX <= 1 << GAME_THING_NUMBER_BITS,
               "a thing's number must fit its id");

static inline uint64_t
game_thing_entity(uint16_t world, uint32_t island, uint32_t chunk_index, uint32_t number)
{
    CHECK(island < 1U << GAME_THING_ISLAND_BITS && chunk_index < 1U << GAME_THING_CHUNK_BITS &&
          number < GAME_CLOSED_FORMS_MAX);
    return (uint64_t)world << 48 | GAME_THING_FLAG |
           (uint64_t)island << (GAME_THING_CHUNK_BITS + GAME_THING_NUMBER_BITS) |
           (uint64_t)chunk_index << GAME_THING_NUMBER_BITS | number;
}

/* Which closed form an id names; false: none, it was leased. */
static inline bool
game_thing_parse(uint64_t entity, uint16_t *world, uint32_t *island, uint32_t *chunk_index,
                 uint32_t *number)
{
    *world = (uint16_t)(entity >> 48);
    *island = (uint32_t)(entity >> (GAME_THING_CHUNK_BITS + GAME_THING_NUMBER_BITS)) &
              ((1U << GAME_THING_ISLAND_BITS) - 1);
    *chunk_index =
        (uint32_t)(entity >> GAME_THING_NUMBER_BITS) & ((1U << GAME_THING_CHUNK_BITS) - 1);
    *number = (uint32_t)entity & ((1U << GAME_THING_NUMBER_BITS) - 1);
    return (entity & GAME_THING_FLAG) != 0;
}

static inline uint64_t
game_chunk_seed(uint64_t world_seed, uint32_t island, uint32_t chunk_index)
{
    return rand_mix(world_seed, rand_mix(island, chunk_index));
}

#endif
