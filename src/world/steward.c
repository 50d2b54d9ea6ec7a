/* Steward: the things of seen chunks. A block wakes with its first subscription on behalf of an
 * avatar and sleeps 10 s after the last one left. Things are closed forms of (seed, place, world
 * time), so waking needs no catching up and an awake chunk costs a timer: at the time the game
 * named, what a thing says now is compared with what it said when it was last told, and only what
 * differs is published.
 */
#include "base/check.h"
#include "world/state.h"
#include <string.h>

static void
chunk_place(const struct topic *t, uint8_t chunk, uint16_t *cx, uint16_t *cy)
{
    *cx = (uint16_t)(topic_bx(t->id) * BLOCK_CHUNKS + chunk % BLOCK_CHUNKS);
    *cy = (uint16_t)(topic_by(t->id) * BLOCK_CHUNKS + chunk / BLOCK_CHUNKS);
}

static uint32_t
chunk_index_of(const struct topic *t, uint8_t chunk)
{
    uint16_t cx, cy;
    chunk_place(t, chunk, &cx, &cy);
    return (uint32_t)cy * island_columns(t->island) + cx;
}

/* All things of a chunk as they are at a time. */
static uint32_t
things_at(const struct world *w, const struct topic *t, uint8_t chunk, int64_t at_ms,
          struct game_thing *out, int64_t *changes_ms)
{
    uint16_t cx, cy;
    chunk_place(t, chunk, &cx, &cy);
    uint64_t seed =
        game_chunk_seed(w->options.seed, island_id(t->island), chunk_index_of(t, chunk));
    return w->options.game->things(seed, cx, cy, NULL, at_ms, out, GAME_THINGS_PER_CHUNK_MAX,
                                   changes_ms);
}

/* Games know nothing of the shore: what stands stays on land, and animals keep to chunks that are
 * all land. */
static bool
thing_belongs(const struct topic *t, uint8_t chunk, const struct game_thing *thing)
{
    uint16_t cx, cy;
    chunk_place(t, chunk, &cx, &cy);
    return thing->moves ? island_chunk(t->island, cx, cy) == CHUNK_LAND
                        : island_is_land(t->island, thing->place);
}

static void
tell(const struct game_thing *thing, uint64_t entity, thing_sink *sink, void *ctx)
{
    if (thing->moves) {
        struct record_motion m = {.entity = entity, .look = thing->look, .motion = thing->motion};
        sink(ctx, NULL, &m);
        return;
    }
    struct record_thing r = {
        .entity = entity,
        .kind = thing->kind,
        .place = thing->place,
        .attributes = {.at = thing->attributes, .bytes = thing->attributes_bytes}};
    sink(ctx, &r, NULL);
}

static bool
same_thing(const struct game_thing *a, const struct game_thing *b)
{
    return a->kind == b->kind && a->look == b->look && a->moves == b->moves &&
           a->place.x_mm == b->place.x_mm && a->place.y_mm == b->place.y_mm &&
           a->motion.x_mm == b->motion.x_mm && a->motion.y_mm == b->motion.y_mm &&
           a->motion.vx == b->motion.vx && a->motion.vy == b->motion.vy &&
           a->motion.since_ms == b->motion.since_ms && a->motion.lasts_ms == b->motion.lasts_ms &&
           a->attributes_bytes == b->attributes_bytes &&
           memcmp(a->attributes, b->attributes, a->attributes_bytes) == 0;
}

void
steward_tell(struct world *w, struct topic *t, uint8_t chunk, int64_t at_ms, thing_sink *sink,
             void *ctx)
{
    struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
    int64_t changes_ms;
    uint32_t count = things_at(w, t, chunk, at_ms, things, &changes_ms);
    for (uint32_t n = 0; n < count; n++) {
        if (thing_belongs(t, chunk, &things[n])) {
            tell(&things[n],
                 game_thing_entity(w->options.world_id, island_id(t->island),
                                   chunk_index_of(t, chunk), n),
                 sink, ctx);
        }
    }
}

struct publishing {
    struct world *world;
    struct topic *topic;
};

static void
publish_thing(void *ctx, const struct record_thing *thing, const struct record_motion *mover)
{
    struct publishing *p = ctx;
    struct writer out = topic_room(p->world, p->topic, RECORD_MOTION_BYTES + ATTRIBUTES_MAX);
    if (thing != NULL) {
        batch_put_thing(&out, thing);
    } else {
        batch_put_motion(&out, mover);
    }
    topic_wrote(p->world, p->topic, &out);
}

/* Publishes what differs between the time a chunk was last told and now. */
static void
tell_changes(struct world *w, struct topic *t, uint8_t chunk, int64_t now_ms)
{
    struct game_thing before[GAME_THINGS_PER_CHUNK_MAX], now[GAME_THINGS_PER_CHUNK_MAX];
    int64_t unused_ms;
    uint32_t count = things_at(w, t, chunk, t->woke_ms[chunk], before, &unused_ms);
    CHECK(count == things_at(w, t, chunk, now_ms, now, &t->changes_ms[chunk]));
    for (uint32_t n = 0; n < count; n++) {
        if (thing_belongs(t, chunk, &now[n]) && !same_thing(&before[n], &now[n])) {
            w->stats.changes++;
            tell(&now[n],
                 game_thing_entity(w->options.world_id, island_id(t->island),
                                   chunk_index_of(t, chunk), n),
                 publish_thing, &(struct publishing){.world = w, .topic = t});
        }
    }
    t->woke_ms[chunk] = now_ms;
}

/* The timer stands at the next change of any chunk, or at the time to fall asleep. */
static void
set_timer(struct world *w, struct topic *t)
{
    int64_t next_ms = t->sleep_ms != 0 ? t->sleep_ms : INT64_MAX;
    for (uint8_t c = 0; c < TOPIC_CHUNKS; c++) {
        next_ms = t->changes_ms[c] < next_ms ? t->changes_ms[c] : next_ms;
    }
    if (next_ms == INT64_MAX) {
        wheel_cancel(&w->wheel, &t->steward.entry);
    } else {
        wheel_set(&w->wheel, &t->steward.entry, (next_ms + WORLD_TICK_MS - 1) / WORLD_TICK_MS);
    }
}

static void
wake(struct world *w, struct topic *t)
{
    int64_t now_ms = env_world_ms(w->env);
    for (uint8_t c = 0; c < TOPIC_CHUNKS; c++) {
        uint16_t cx, cy;
        chunk_place(t, c, &cx, &cy);
        if (island_chunk(t->island, cx, cy) == CHUNK_SEA) {
            continue;
        }
        struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
        uint32_t count = things_at(w, t, c, now_ms, things, &t->changes_ms[c]);
        t->changes_ms[c] = count > 0 ? t->changes_ms[c] : INT64_MAX;
        t->woke_ms[c] = now_ms;
        t->awake |= (uint16_t)(1U << c);
        w->stats.chunks_awake++;
        w->stats.things += count;
    }
    /* Spectators who were here already learn of the things by a snapshot. */
    topic_all_behind(w, t);
}

static void
fall_asleep(struct world *w, struct topic *t)
{
    for (uint8_t c = 0; c < TOPIC_CHUNKS; c++) {
        if (t->awake >> c & 1) {
            struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
            int64_t unused_ms;
            w->stats.things -= things_at(w, t, c, t->woke_ms[c], things, &unused_ms);
            w->stats.chunks_awake--;
        }
        t->changes_ms[c] = INT64_MAX;
    }
    t->awake = 0;
    t->sleep_ms = 0;
    topic_all_behind(w, t);
}

void
steward_subscribed(struct world *w, struct topic *t)
{
    t->sleep_ms = 0;
    bool on_island = t->island != NULL &&
                     topic_bx(t->id) * BLOCK_CHUNKS < island_columns(t->island) &&
                     topic_by(t->id) * BLOCK_CHUNKS < island_rows(t->island);
    if (t->awake == 0 && on_island) {
        wake(w, t);
    }
    set_timer(w, t);
}

void
steward_unsubscribed(struct world *w, struct topic *t)
{
    if (t->wakers == 0 && t->awake != 0) {
        t->sleep_ms = env_world_ms(w->env) + WORLD_SLEEP_AFTER_MS;
        set_timer(w, t);
    }
}

void
steward_due(struct world *w, uint32_t topic)
{
    struct topic *t = pool_at(&w->topics, topic);
    int64_t now_ms = env_world_ms(w->env);
    if (t->sleep_ms != 0 && now_ms >= t->sleep_ms) {
        fall_asleep(w, t);
        return;
    }
    for (uint8_t c = 0; c < TOPIC_CHUNKS; c++) {
        if (t->changes_ms[c] <= now_ms) {
            tell_changes(w, t, c, now_ms);
        }
    }
    set_timer(w, t);
}
