/* The document of a chunk, chunk/<island 32 bit, cx 16 bit, cy 16 bit>: what lies or stands there
 * and is no closed form. Each thing holds what it is made of (a dropped stack, a chest that
 * stands), so value on the ground is held like value anywhere, under one account for each chunk.
 * Made by the first change and never deleted.
 *
 * Pure functions within a deed. Limit: CHUNK_THINGS_MAX things.
 */
#ifndef SEOM_SOCIETY_CHUNK_H
#define SEOM_SOCIETY_CHUNK_H

#include "society/purse.h"

#define KEY_CLASS_CHUNK "chunk"
#define KEY_CLASS_CHEST "chest"

/* What a chunk is called in keys, accounts and chests. */
uint64_t chunk_id(uint32_t island, uint16_t cx, uint16_t cy);
/* The chunk a place lies in; false: west or south of the island, or beyond what an id can say. */
bool chunk_of_place(uint32_t island, struct place at, uint64_t *chunk);
struct key chunk_key(uint16_t world, uint64_t chunk);

static inline uint32_t
chunk_island(uint64_t chunk)
{
    return (uint32_t)(chunk >> 32);
}

static inline uint16_t
chunk_cx(uint64_t chunk)
{
    return (uint16_t)(chunk >> 16);
}

static inline uint16_t
chunk_cy(uint64_t chunk)
{
    return (uint16_t)chunk;
}

static inline struct place
chunk_place_of(const Seom__ChunkThing *thing)
{
    return (struct place){.x_mm = thing->x_mm, .y_mm = thing->y_mm};
}

/* By distance alone; whether it is on the actor's island, the caller knows. */
bool actor_reaches(const struct deed_actor *actor, struct place at);
/* NULL: return DEED_MORE. An empty message where there is none yet. */
Seom__ChunkDocument *chunk_open(struct deed *deed, uint64_t chunk);
Seom__ChunkThing *chunk_find(const Seom__ChunkDocument *document, uint64_t id); /* NULL: none */
bool chunk_is_full(const Seom__ChunkDocument *document);
/* A thing that holds nothing yet; the caller says what it is called. CHECKs that there is room.
 * NULL: return DEED_MORE. */
Seom__ChunkThing *chunk_add(struct deed *deed, Seom__ChunkDocument *document, uint32_t kind,
                            struct place at);
void chunk_remove(Seom__ChunkDocument *document, const Seom__ChunkThing *thing);
/* What a thing of a chunk holds: one slot. */
struct purse chunk_purse(uint64_t chunk, const Seom__ChunkDocument *document,
                         const Seom__ChunkThing *thing);

#endif
