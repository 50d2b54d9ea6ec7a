/* The sample game: what seom plays until a team puts its own rules on top. People walk at 7 m/s and
 * ride at 45 m/s; the land carries fruit trees that ripen and drop their fruit, and animals that
 * graze. Everything about them is a closed form of the chunk's seed and world time, so a chunk that
 * nobody saw for a month wakes as if it had been watched; of what people did there, picked trees
 * (grove.h) and what they laid down or built (society/chunk.h) stand in the chunk's document.
 *
 * A chunk has 0 to 3 closed forms, 3 in 10 chunks none. Things may be asked for where there is sea:
 * the steward keeps to land.
 */
#ifndef SEOM_RULES_SAMPLE_H
#define SEOM_RULES_SAMPLE_H

#include "world/game.h"

#define SAMPLE_WALK_MM_S 7000
#define SAMPLE_RIDE_MM_S 45000

#define SAMPLE_THINGS_MAX 3
#define SAMPLE_PASTURE_MM \
    4000 /* an animal stays this near to the middle of its pasture, in x and in y */
#define SAMPLE_PLANT_ATTRIBUTES 9 /* bytes: stage u8, next_change i64, world ms */
#define SAMPLE_GOODS_ATTRIBUTES 5 /* bytes: enum sample_goods u8, count u32 */

/* As clients know them; of a chunk's document, ChunkThing.kind. */
enum sample_kind { SAMPLE_TREE = 1, SAMPLE_ANIMAL = 2, SAMPLE_DROP = 3, SAMPLE_CHEST = 4 };

/* A tree's year. Fruit that nobody picks falls; then it begins anew. */
enum sample_stage { STAGE_BARE, STAGE_BUD, STAGE_FLOWER, STAGE_FRUIT, STAGE_COUNT };

/* A tree's closed form at a time. */
struct sample_tree {
    struct place place;
    enum sample_stage stage;
    int64_t next_ms;       /* when this stage ends: the harvest's name while it bears fruit */
    int64_t bare_until_ms; /* picked bare now, when it will bud */
};

extern const struct game sample_game;

/* The n-th closed form of a chunk; false: there is none, or it is no tree. */
bool sample_tree(uint64_t chunk_seed, uint16_t cx, uint16_t cy, uint32_t n, int64_t now_ms,
                 struct sample_tree *out);

int32_t sample_speed_mm_s(uint8_t look); /* 0: not a look of players */

#endif
