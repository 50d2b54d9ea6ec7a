/* Every entity stands in exactly one chunk's chain; a chunk with an empty chain has no entry in
 * `chunks`. */
#include "client/replica.h"
#include "base/check.h"
#include <stddef.h>
#include <string.h>

#define BLOCK_ITEMS 32

struct known {
    struct seom_entity public; /* first: the public pointer is the known's */
    uint32_t next, previous;   /* in the chunk's chain; POOL_NONE at its ends */
    uint32_t stamp;            /* of the last RANGE that named it */
    bool by_range;             /* a RANGE told its motion: since is when, not when it began */
    int64_t told_ms;           /* a MOTION that begins before this is old news */
};

static uint64_t
chunk_key(uint16_t cx, uint16_t cy)
{
    return (uint64_t)1 << 32 | (uint32_t)cx << 16 | cy; /* never 0 */
}

void
replica_init(struct replica *r, uint32_t limit, uint64_t seed)
{
    CHECK(limit > 0);
    pool_init(&r->pool, sizeof(struct known), limit, BLOCK_ITEMS);
    map_init(&r->entities, limit, seed);
    map_init(&r->chunks, limit, seed);
    r->stamp = 0;
}

void
replica_fini(struct replica *r)
{
    pool_fini(&r->pool);
    map_fini(&r->entities);
    map_fini(&r->chunks);
}

static struct known *
known_at(const struct replica *r, uint32_t index)
{
    return pool_at(&r->pool, index);
}

static struct known *
known_find(const struct replica *r, uint64_t entity)
{
    uint32_t index = map_get(&r->entities, entity);
    return index == MAP_NONE ? NULL : known_at(r, index);
}

static void
chain_in(struct replica *r, uint32_t index, uint16_t cx, uint16_t cy)
{
    struct known *k = known_at(r, index);
    uint64_t key = chunk_key(cx, cy);
    uint32_t head = map_get(&r->chunks, key);
    k->public.cx = cx;
    k->public.cy = cy;
    k->previous = POOL_NONE;
    k->next = head == MAP_NONE ? POOL_NONE : head;
    if (head != MAP_NONE) {
        known_at(r, head)->previous = index;
    }
    /* As many chunks as entities fit, and each chunk holds one. */
    enum err error = map_put(&r->chunks, key, index);
    CHECK(error == OK);
}

static void
chain_out(struct replica *r, uint32_t index)
{
    struct known *k = known_at(r, index);
    uint64_t key = chunk_key(k->public.cx, k->public.cy);
    if (k->next != POOL_NONE) {
        known_at(r, k->next)->previous = k->previous;
    }
    if (k->previous != POOL_NONE) {
        known_at(r, k->previous)->next = k->next;
        return;
    }
    CHECK(map_get(&r->chunks, key) == index);
    if (k->next == POOL_NONE) {
        map_remove(&r->chunks, key);
    } else {
        enum err error = map_put(&r->chunks, key, k->next);
        CHECK(error == OK);
    }
}

/* The entity, made when it is not there, in the chunk (cx, cy). */
static enum err
known_place(struct replica *r, uint64_t entity, uint16_t cx, uint16_t cy, struct known **out,
            bool *is_new)
{
    uint32_t index = map_get(&r->entities, entity);
    *is_new = index == MAP_NONE;
    if (*is_new) {
        enum err error = pool_take(&r->pool, &index);
        if (error != OK) {
            return error;
        }
        error = map_put(&r->entities, entity, index);
        CHECK(error == OK); /* same limit as the pool's */
        known_at(r, index)->public.entity = entity;
        chain_in(r, index, cx, cy);
    } else {
        struct known *k = known_at(r, index);
        if (k->public.cx != cx || k->public.cy != cy) {
            chain_out(r, index);
            chain_in(r, index, cx, cy);
        }
    }
    *out = known_at(r, index);
    return OK;
}

static bool
chunk_of_place(int32_t x_mm, int32_t y_mm, uint16_t *cx, uint16_t *cy)
{
    int32_t column = chunk_of(x_mm), row = chunk_of(y_mm);
    if (column < 0 || column > UINT16_MAX || row < 0 || row > UINT16_MAX) {
        return false;
    }
    *cx = (uint16_t)column;
    *cy = (uint16_t)row;
    return true;
}

static enum err
tell(struct replica *r, const struct record_motion *m, int64_t told_ms, int64_t now_ms,
     const struct seom_entity **entity, int64_t *quiet_ms)
{
    uint16_t cx, cy;
    if (!chunk_of_place(m->motion.x_mm, m->motion.y_mm, &cx, &cy)) {
        return ERR_RANGE;
    }
    struct known *k;
    bool is_new;
    enum err error = known_place(r, m->entity, cx, cy, &k, &is_new);
    if (error != OK) {
        return error;
    }
    *quiet_ms = is_new ? -1 : now_ms - k->public.heard_ms;
    k->public.look = m->look;
    k->public.thing_kind = 0;
    k->public.motion = m->motion;
    k->public.heard_ms = now_ms;
    k->told_ms = told_ms;
    *entity = &k->public;
    return OK;
}

/* Chunks are not ordered against each other: a motion that began before the known one is old. */
static bool
is_old_news(const struct known *k, const struct record_motion *m)
{
    int64_t known_ms = k->public.motion.since_ms;
    return k->public.thing_kind == 0 &&
           m->motion.since_ms < (k->by_range ? known_ms - REPLICA_RANGE_GRACE_MS : known_ms);
}

enum err
replica_motion(struct replica *r, const struct record_motion *m, int64_t now_ms,
               const struct seom_entity **entity, int64_t *quiet_ms)
{
    uint16_t cx, cy;
    if (!chunk_of_place(m->motion.x_mm, m->motion.y_mm, &cx, &cy)) {
        return ERR_RANGE;
    }
    struct known *k = known_find(r, m->entity);
    if (k != NULL && is_old_news(k, m)) {
        *entity = NULL;
        return OK;
    }
    bool is_new;
    enum err error = known_place(r, m->entity, cx, cy, &k, &is_new);
    if (error != OK) {
        return error;
    }
    *quiet_ms = is_new ? -1 : now_ms - k->public.heard_ms;
    k->public.look = m->look;
    k->public.thing_kind = 0;
    k->public.motion = m->motion;
    k->public.heard_ms = now_ms;
    k->by_range = false;
    *entity = &k->public;
    return OK;
}

enum err
replica_thing(struct replica *r, const struct record_thing *t, int64_t now_ms,
              const struct seom_entity **entity)
{
    uint16_t cx, cy;
    if (!chunk_of_place(t->place.x_mm, t->place.y_mm, &cx, &cy)) {
        return ERR_RANGE;
    }
    struct known *k;
    bool is_new;
    enum err error = known_place(r, t->entity, cx, cy, &k, &is_new);
    if (error != OK) {
        return error;
    }
    k->public.look = 0;
    k->public.thing_kind = t->kind;
    k->public.motion =
        (struct motion){.x_mm = t->place.x_mm, .y_mm = t->place.y_mm, .since_ms = now_ms};
    k->public.heard_ms = now_ms;
    k->public.attributes_bytes = (uint8_t)t->attributes.bytes;
    if (t->attributes.bytes > 0) {
        memcpy(k->public.attributes, t->attributes.at, t->attributes.bytes);
    }
    *entity = &k->public;
    return OK;
}

bool
replica_drop(struct replica *r, uint64_t entity)
{
    uint32_t index = map_remove(&r->entities, entity);
    if (index == MAP_NONE) {
        return false;
    }
    chain_out(r, index);
    pool_give(&r->pool, index);
    return true;
}

bool
replica_leave(struct replica *r, uint64_t entity, uint16_t cx, uint16_t cy)
{
    const struct known *k = known_find(r, entity);
    /* Two topics are not ordered against each other: it may already stand in the next one's chunk.
     */
    if (k == NULL || k->public.cx != cx || k->public.cy != cy) {
        return false;
    }
    return replica_drop(r, entity);
}

uint64_t
replica_any_in_chunk(const struct replica *r, uint16_t cx, uint16_t cy)
{
    uint32_t head = map_get(&r->chunks, chunk_key(cx, cy));
    return head == MAP_NONE ? 0 : known_at(r, head)->public.entity;
}

void
replica_range_begin(struct replica *r)
{
    r->stamp++;
}

/* A slice speaks of movers only, so a thing is never gone by it. */
static bool
is_newer_than_range(const struct known *k, const struct record_range *range)
{
    return k->public.thing_kind != 0 ||
           k->public.motion.since_ms > range->at_ms - REPLICA_RANGE_GRACE_MS;
}

enum err
replica_range_entry(struct replica *r, const struct record_range *range,
                    const struct record_motion *m, int64_t now_ms,
                    const struct seom_entity **entity, int64_t *quiet_ms)
{
    struct known *k = known_find(r, m->entity);
    if (k == NULL || !is_newer_than_range(k, range)) {
        enum err error =
            tell(r, m, range->at_ms - REPLICA_RANGE_GRACE_MS, now_ms, entity, quiet_ms);
        if (error != OK) {
            return error;
        }
        k = known_find(r, m->entity);
        CHECK(k != NULL);
        k->by_range = true;
    } else {
        *quiet_ms = now_ms - k->public.heard_ms;
        k->public.heard_ms = now_ms;
        *entity = &k->public;
    }
    k->stamp = r->stamp;
    return OK;
}

uint64_t
replica_range_gone(const struct replica *r, const struct record_range *range)
{
    uint32_t at = map_get(&r->chunks, chunk_key(range->cx, range->cy));
    for (uint32_t i = at == MAP_NONE ? POOL_NONE : at; i != POOL_NONE; i = known_at(r, i)->next) {
        const struct known *k = known_at(r, i);
        if (k->stamp != r->stamp && k->public.entity >= range->first &&
            k->public.entity <= range->last && !is_newer_than_range(k, range)) {
            return k->public.entity;
        }
    }
    return 0;
}

uint32_t
replica_count(const struct replica *r)
{
    return r->entities.count;
}

const struct seom_entity *
replica_find(const struct replica *r, uint64_t entity)
{
    const struct known *k = entity == 0 ? NULL : known_find(r, entity);
    return k == NULL ? NULL : &k->public;
}

const struct seom_entity *
replica_next(const struct replica *r, uint32_t *cursor)
{
    /* The cursor is the next index to look at, so that 0 is the start. */
    uint32_t index = pool_next(&r->pool, *cursor - 1);
    if (index == POOL_NONE) {
        return NULL;
    }
    *cursor = index + 1;
    return &known_at(r, index)->public;
}

const struct seom_entity *
replica_in_chunk(const struct replica *r, uint16_t cx, uint16_t cy, const struct seom_entity *after)
{
    uint32_t index;
    if (after == NULL) {
        index = map_get(&r->chunks, chunk_key(cx, cy));
    } else {
        index = ((const struct known *)after)->next;
    }
    return index == MAP_NONE || index == POOL_NONE ? NULL : &known_at(r, index)->public;
}
