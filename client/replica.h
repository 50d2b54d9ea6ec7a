/* What a client knows of those in view: entities by id and by the chunk they were last published
 * in, fed record by record from batches (wire/batch.h, whose rules it keeps). Owned by a
 * seom_client, on the client's thread. At most `limit` entities and as many chunks; who does not
 * fit is left out and counted by the caller.
 */
#ifndef SEOM_CLIENT_REPLICA_H
#define SEOM_CLIENT_REPLICA_H

#include "base/map.h"
#include "base/pool.h"
#include "client/client.h"
#include "wire/batch.h"

/* A RANGE leaves alone whom somebody spoke of directly since this long before it. */
#define REPLICA_RANGE_GRACE_MS 300

struct replica {
    struct pool pool;    /* of struct known (replica.c) */
    struct map entities; /* entity -> index in the pool */
    struct map chunks;   /* chunk key -> index of its first entity */
    uint32_t stamp;      /* of the RANGE that is being read */
};

void replica_init(struct replica *r, uint32_t limit, uint64_t seed);
void replica_fini(struct replica *r);

/* Each takes one decoded record; now_ms: world time of its arrival. *entity: whom it is about, good
 * until the next change, NULL when this is old news (replica_motion
 * only); *quiet_ms: how long nothing was heard of it, -1 when it is new. ERR_FULL:
 * no room, nothing changed. ERR_RANGE: a place outside every chunk. A MOTION that begins before
 * what is known already is old news: OK, *entity = NULL, nothing changed. */
enum err replica_motion(struct replica *r, const struct record_motion *m, int64_t now_ms,
                        const struct seom_entity **entity, int64_t *quiet_ms) MUST_USE;
enum err replica_thing(struct replica *r, const struct record_thing *t, int64_t now_ms,
                       const struct seom_entity **entity) MUST_USE;
/* Both: true when the entity was removed. */
bool replica_leave(struct replica *r, uint64_t entity, uint16_t cx, uint16_t cy);
bool replica_drop(struct replica *r, uint64_t entity);

/* One entity that stands in the chunk, 0 when there is none: FORGET drops until there is none. */
uint64_t replica_any_in_chunk(const struct replica *r, uint16_t cx, uint16_t cy);

/* A rotation slice: begin, entry by entry, then gone until it answers 0: each answer is an entity
 * that the slice would have named if it were still there; the caller drops it. */
void replica_range_begin(struct replica *r);
enum err replica_range_entry(struct replica *r, const struct record_range *range,
                             const struct record_motion *m, int64_t now_ms,
                             const struct seom_entity **entity, int64_t *quiet_ms) MUST_USE;
uint64_t replica_range_gone(const struct replica *r, const struct record_range *range);

uint32_t replica_count(const struct replica *r);
const struct seom_entity *replica_find(const struct replica *r, uint64_t entity);
/* The one just handed out may be dropped meanwhile, others not. */
const struct seom_entity *replica_next(const struct replica *r, uint32_t *cursor);
const struct seom_entity *replica_in_chunk(const struct replica *r, uint16_t cx, uint16_t cy,
                                           const struct seom_entity *after);

#endif
