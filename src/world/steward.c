/* Steward: the things of seen chunks. A block wakes with its first subscription on behalf of an
 * avatar and sleeps 10 s after the last one left. Things are closed forms of (seed, place, world
 * time) and of what the chunk's document says has happened to them, so waking needs no catching up
 * and an awake chunk costs a timer: at the time the game named, and when the document changes, what
 * stands there now is compared with what was last told, and only what differs is published.
 *
 * In a cluster only the steward of a block (claim.c) does so; for the others it sleeps on, and they
 * tell of nothing but their own avatars.
 */
#include "base/check.h"
#include "world/state.h"
#include <string.h>

void
steward_chunk(const struct topic *t, uint8_t chunk, uint16_t *cx, uint16_t *cy)
{
    *cx = (uint16_t)(topic_bx(t->id) * BLOCK_CHUNKS + chunk % BLOCK_CHUNKS);
    *cy = (uint16_t)(topic_by(t->id) * BLOCK_CHUNKS + chunk / BLOCK_CHUNKS);
}

static uint32_t
chunk_index_of(const struct topic *t, uint8_t chunk)
{
    uint16_t cx, cy;
    steward_chunk(t, chunk, &cx, &cy);
    return (uint32_t)cy * island_columns(t->island) + cx;
}

/* All things of a chunk as they are at a time. */
static void
things_at(const struct world *w, const struct topic *t, uint8_t chunk, int64_t at_ms,
          struct sight *out, int64_t *changes_ms)
{
    struct scratch scratch;
    uint16_t cx, cy;
    steward_chunk(t, chunk, &cx, &cy);
    uint32_t island = island_id(t->island), index = chunk_index_of(t, chunk);
    uint64_t seed = game_chunk_seed(w->options.seed, island, index);
    out->count = w->options.game->things(seed, cx, cy, copy_document(w, t, chunk, &scratch), at_ms,
                                         out->things, GAME_THINGS_PER_CHUNK_MAX, changes_ms);
    CHECK(out->count <= GAME_THINGS_PER_CHUNK_MAX);
    for (uint32_t n = 0; n < out->count; n++) {
        struct game_thing *thing = &out->things[n];
        if (thing->entity == 0 && n < GAME_CLOSED_FORMS_MAX) {
            thing->entity = game_thing_entity(w->options.world_id, island, index, n);
        }
    }
}

/* Games know nothing of the shore: what stands stays on land, and animals keep to chunks that are
 * all land. */
static bool
thing_belongs(const struct topic *t, uint8_t chunk, const struct game_thing *thing)
{
    uint16_t cx, cy;
    steward_chunk(t, chunk, &cx, &cy);
    if (thing->entity == 0) {
        return false; /* of a document that says nothing sensible */
    }
    return thing->moves ? island_chunk(t->island, cx, cy) == CHUNK_LAND
                        : island_is_land(t->island, thing->place);
}

static void
tell(const struct game_thing *thing, thing_sink *sink, void *ctx)
{
    if (thing->moves) {
        struct record_motion m = {
            .entity = thing->entity, .look = thing->look, .motion = thing->motion};
        sink(ctx, NULL, &m);
        return;
    }
    struct record_thing r = {
        .entity = thing->entity,
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
    struct sight sight;
    int64_t unused_ms;
    things_at(w, t, chunk, at_ms, &sight, &unused_ms);
    for (uint32_t n = 0; n < sight.count; n++) {
        if (thing_belongs(t, chunk, &sight.things[n])) {
            tell(&sight.things[n], sink, ctx);
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

static void
publish_gone(struct world *w, struct topic *t, uint8_t chunk, uint64_t entity)
{
    uint16_t cx, cy;
    steward_chunk(t, chunk, &cx, &cy);
    struct writer out = topic_room(w, t, RECORD_LEAVE_BYTES);
    batch_put_leave(&out, entity, cx, cy);
    topic_wrote(w, t, &out);
}

/* The thing as somebody saw it there; NULL: it was not to be seen. */
static const struct game_thing *
find_seen(const struct topic *t, uint8_t chunk, const struct sight *sight,
          const struct game_thing *thing, uint32_t likely)
{
    const struct game_thing *found = NULL;
    if (likely < sight->count && sight->things[likely].entity == thing->entity) {
        found = &sight->things[likely];
    }
    for (uint32_t n = 0; n < sight->count && found == NULL; n++) {
        found = sight->things[n].entity == thing->entity ? &sight->things[n] : NULL;
    }
    return found != NULL && thing_belongs(t, chunk, found) ? found : NULL;
}

void
steward_before(struct world *w, struct topic *t, uint8_t chunk, struct sight *out)
{
    int64_t unused_ms;
    things_at(w, t, chunk, t->woke_ms[chunk], out, &unused_ms);
}

void
steward_after(struct world *w, struct topic *t, uint8_t chunk, const struct sight *before)
{
    struct sight now;
    int64_t now_ms = env_world_ms(w->env);
    things_at(w, t, chunk, now_ms, &now, &t->changes_ms[chunk]);
    for (uint32_t n = 0; n < now.count; n++) {
        const struct game_thing *thing = &now.things[n];
        const struct game_thing *seen = find_seen(t, chunk, before, thing, n);
        if (thing_belongs(t, chunk, thing) && (seen == NULL || !same_thing(seen, thing))) {
            w->stats.changes++;
            tell(thing, publish_thing, &(struct publishing){.world = w, .topic = t});
        }
    }
    for (uint32_t n = 0; n < before->count; n++) {
        const struct game_thing *thing = &before->things[n];
        if (thing_belongs(t, chunk, thing) && find_seen(t, chunk, &now, thing, n) == NULL) {
            w->stats.changes++;
            publish_gone(w, t, chunk, thing->entity);
        }
    }
    w->stats.things += now.count - before->count;
    t->changes_ms[chunk] = now.count > 0 ? t->changes_ms[chunk] : INT64_MAX;
    t->woke_ms[chunk] = now_ms;
}

/* Publishes what differs between the time a chunk was last told and now. */
static void
tell_changes(struct world *w, struct topic *t, uint8_t chunk)
{
    struct sight before;
    steward_before(w, t, chunk, &before);
    steward_after(w, t, chunk, &before);
}

/* The timer stands at the next change of any chunk, at what the copies of documents want, or at the
 * time to fall asleep. */
void
steward_set_timer(struct world *w, struct topic *t)
{
    int64_t next_ms = copies_next_ms(w, t);
    next_ms = t->sleep_ms != 0 && t->sleep_ms < next_ms ? t->sleep_ms : next_ms;
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
        steward_chunk(t, c, &cx, &cy);
        if (island_chunk(t->island, cx, cy) == CHUNK_SEA) {
            continue;
        }
        struct sight sight;
        things_at(w, t, c, now_ms, &sight, &t->changes_ms[c]);
        t->changes_ms[c] = sight.count > 0 ? t->changes_ms[c] : INT64_MAX;
        t->woke_ms[c] = now_ms;
        t->awake |= (uint16_t)(1U << c);
        w->stats.chunks_awake++;
        w->stats.things += sight.count;
        copy_take(w, t, c);
    }
    copies_read(w);
    /* Spectators who were here already learn of the things by a snapshot. */
    topic_all_behind(w, t);
}

static void
fall_asleep(struct world *w, struct topic *t)
{
    for (uint8_t c = 0; c < TOPIC_CHUNKS; c++) {
        if (t->awake >> c & 1) {
            struct sight sight;
            steward_before(w, t, c, &sight);
            w->stats.things -= sight.count;
            w->stats.chunks_awake--;
            copy_give(w, t, c);
        }
        t->changes_ms[c] = INT64_MAX;
    }
    t->awake = 0;
    claim_rest(w, t->id);
    t->sleep_ms = t->reread_ms = 0;
    t->read_failures = 0;
    topic_all_behind(w, t);
}

static bool
is_on_island(const struct topic *t)
{
    return t->island != NULL && topic_bx(t->id) * BLOCK_CHUNKS < island_columns(t->island) &&
           topic_by(t->id) * BLOCK_CHUNKS < island_rows(t->island);
}

void
steward_subscribed(struct world *w, struct topic *t)
{
    uint64_t epoch;
    t->sleep_ms = 0;
    if (t->awake == 0 && is_on_island(t) && claim_want(w, t->id, &epoch)) {
        t->steward_epoch = epoch;
        wake(w, t);
    }
    steward_set_timer(w, t);
}

void
steward_unsubscribed(struct world *w, struct topic *t)
{
    if (peer_set_is_empty(&t->wakers) && t->awake != 0) {
        t->sleep_ms = env_world_ms(w->env) + WORLD_SLEEP_AFTER_MS;
        steward_set_timer(w, t);
    }
}

bool
steward_wants(struct world *w, topic_id block)
{
    const struct topic *t = topic_find(w, block);
    return t != NULL && t->awake == 0 && !peer_set_is_empty(&t->wakers) && is_on_island(t);
}

bool
steward_won(struct world *w, topic_id block, uint64_t epoch)
{
    struct topic *t = topic_find(w, block);
    if (t == NULL || !steward_wants(w, block)) {
        return false;
    }
    t->steward_epoch = epoch;
    wake(w, t);
    steward_set_timer(w, t);
    return true;
}

/* Who still sees the block keeps its things as they were last told until the next steward tells
 * them. If nobody does, they fell asleep with us. */
void
steward_lost(struct world *w, topic_id block)
{
    struct topic *t = topic_find(w, block);
    if (t == NULL) {
        return;
    }
    if (t->awake != 0) {
        fall_asleep(w, t);
        steward_set_timer(w, t);
    }
    t->steward_epoch = peer_set_is_empty(&t->wakers) ? t->steward_epoch : 0;
}

void
steward_book_changed(struct world *w)
{
    bool changed = claims_look_at_book(w);
    for (uint32_t i = pool_next(&w->topics, POOL_NONE); changed && i != POOL_NONE;
         i = pool_next(&w->topics, i)) {
        struct topic *t = pool_at(&w->topics, i);
        if (steward_wants(w, t->id)) {
            steward_subscribed(w, t);
        }
    }
}

void
steward_node_died(struct world *w, uint64_t node_epoch)
{
    struct claims *claims = &w->claims;
    claims->dead[claims->dead_next] = node_epoch;
    claims->dead_next = (claims->dead_next + 1) % CLAIMS_DEAD_MAX;
    steward_book_changed(w);
}

void
steward_renamed(struct world *w)
{
    claims_forget(w);
    steward_book_changed(w);
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
            tell_changes(w, t, c);
        }
    }
    copies_due(w, t, now_ms);
    steward_set_timer(w, t);
}
