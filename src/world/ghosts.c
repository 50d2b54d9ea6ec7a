#include "world/ghosts.h"
#include "base/check.h"
#include "base/rand.h"
#include "world/state.h"

#define TOPICS_IN_MESSAGE 1024
#define ACK_MS            2000 /* an acknowledgement that fits comes in this time */

/* ---- ghosts ---- */

static struct ghost *
find(const struct world *w, uint64_t entity)
{
    uint32_t index = map_get(&w->ghosts.by_entity, entity);
    return index == MAP_NONE ? NULL : pool_at(&w->ghosts.pool, index);
}

const struct ghost *
ghost_find(const struct world *w, uint64_t entity)
{
    const struct ghost *g = find(w, entity);
    return g != NULL && g->placed && g->left_ms == 0 ? g : NULL;
}

static void
join(struct world *w, struct ghost *g, uint32_t topic)
{
    struct ghost_topic *t = pool_at(&w->ghosts.topics, topic);
    uint32_t index = map_get(&w->ghosts.by_entity, g->entity);
    g->topic = topic;
    g->previous = POOL_NONE;
    g->next = t->first;
    if (g->next != POOL_NONE) {
        ((struct ghost *)pool_at(&w->ghosts.pool, g->next))->previous = index;
    }
    t->first = index;
}

static void
part(struct world *w, const struct ghost *g)
{
    struct ghost_topic *t = pool_at(&w->ghosts.topics, g->topic);
    if (g->previous != POOL_NONE) {
        ((struct ghost *)pool_at(&w->ghosts.pool, g->previous))->next = g->next;
    } else {
        t->first = g->next;
    }
    if (g->next != POOL_NONE) {
        ((struct ghost *)pool_at(&w->ghosts.pool, g->next))->previous = g->previous;
    }
}

static void
drop(struct world *w, uint32_t index)
{
    const struct ghost *g = pool_at(&w->ghosts.pool, index);
    part(w, g);
    CHECK(map_remove(&w->ghosts.by_entity, g->entity) == index);
    pool_give(&w->ghosts.pool, index);
    w->stats.ghosts--;
}

static void
leave(struct ghost *g, int64_t now_ms)
{
    g->left_ms = g->left_ms == 0 || now_ms < g->left_ms ? now_ms : g->left_ms;
}

/* ---- what publishers say ---- */

/* One of ours plays elsewhere by now, perhaps: its document knows. */
static void
own_is_told_of(struct world *w, const struct avatar *a, uint64_t owner_epoch)
{
    if (owner_epoch > a->session_epoch) {
        struct key key = key_make(w->options.world_id, KEY_CLASS_PLAYER, a->id);
        hint_heard(w, key_slice(&key));
    }
}

static void
owned(struct world *w, uint32_t topic, uint64_t node, uint64_t entity, uint64_t owner_epoch)
{
    struct ghosts *ghosts = &w->ghosts;
    const struct avatar *a = avatar_find(w, entity);
    struct ghost *g = find(w, entity);
    uint32_t index;
    if (a != NULL) {
        own_is_told_of(w, a, owner_epoch);
        return;
    }
    if (g == NULL) {
        if (entity == 0 || pool_take(&ghosts->pool, &index) != OK) {
            w->stats.ghosts_full++;
            return;
        }
        CHECK(map_put(&ghosts->by_entity, entity, index) == OK);
        g = pool_at(&ghosts->pool, index);
        *g = (struct ghost){.entity = entity,
                            .owner_epoch = owner_epoch,
                            .node = node,
                            .left_ms = env_world_ms(w->env)}; /* until it is placed */
        join(w, g, topic);
        w->stats.ghosts++;
        return;
    }
    bool gone = g->node != node && forward_peer_of(w, g->node) == PEER_NONE;
    if (owner_epoch > g->owner_epoch || (gone && owner_epoch == g->owner_epoch)) {
        if (g->node != node) {
            g->placed = false;
            leave(g, env_world_ms(w->env)); /* until it is placed */
        }
        g->node = node;
        g->owner_epoch = owner_epoch;
    }
}

static void
moved(struct world *w, uint32_t topic, uint64_t node, const struct record_motion *m)
{
    struct ghost *g = find(w, m->entity);
    if ((m->look & LOOK_KIND_MASK) == LOOK_ANIMAL || avatar_find(w, m->entity) != NULL) {
        return; /* of the steward's things; of our own */
    }
    bool there = g != NULL && g->placed && g->left_ms == 0;
    if (g == NULL || g->node != node || (there && m->motion.since_ms < g->motion.since_ms)) {
        w->stats.ghosts_stale++;
        return;
    }
    if (g->topic != topic) {
        part(w, g);
        join(w, g, topic);
    }
    g->placed = true;
    g->left_ms = 0;
    g->look = m->look;
    g->motion = m->motion;
}

static void
left(struct world *w, uint32_t topic, uint64_t node, const struct record *r)
{
    struct ghost *g = find(w, r->entity);
    if (g != NULL && g->node == node && g->topic == topic && g->placed &&
        chunk_of(g->motion.x_mm) == r->cx && chunk_of(g->motion.y_mm) == r->cy) {
        leave(g, env_world_ms(w->env));
    }
}

static void
apply(struct world *w, uint32_t topic, uint64_t node, const struct record *r)
{
    switch (r->kind) {
    case RECORD_OWNED: owned(w, topic, node, r->entity, r->as.session_epoch); break;
    case RECORD_MOTION: moved(w, topic, node, &r->as.motion); break;
    case RECORD_LEAVE: left(w, topic, node, r); break;
    case RECORD_SAY:
    case RECORD_FORGET:
    case RECORD_RANGE:
    case RECORD_SELF:
    case RECORD_THING:
    case RECORD_DENSITY:
    case RECORD_ISLAND: break;
    }
}

void
ghosts_batch(struct world *w, uint32_t peer, const struct link_batch *batch)
{
    uint64_t node = w->forwards.homes[peer]; /* 0: a gate, which publishes nothing */
    uint32_t topic = map_get(&w->ghosts.topic_by_id, batch->topic);
    int64_t now_ms = env_world_ms(w->env);
    if (topic == MAP_NONE || node == 0 || batch->publisher_epoch != node) {
        w->stats.ghosts_stale++;
        return;
    }
    const struct ghost_topic *t = pool_at(&w->ghosts.topics, topic);
    for (uint32_t i = t->first; batch->snapshot && i != POOL_NONE;) {
        struct ghost *g = pool_at(&w->ghosts.pool, i);
        i = g->next;
        if (g->node == node) {
            leave(g, now_ms);
        }
    }
    struct reader in = reader_over(batch->records.at, batch->records.bytes);
    while (reader_left(&in) > 0) {
        struct record r;
        if (batch_next(&in, now_ms, &r) != OK) {
            w->stats.malformed++;
            return;
        }
        apply(w, topic, node, &r);
    }
}

/* ---- subscriptions ---- */

static bool
is_wanted(const struct ghost_topic *t, int64_t now_ms)
{
    return now_ms < t->wanted_ms + GHOSTS_KEEP_MS;
}

static void
want(struct world *w, topic_id id, int64_t now_ms)
{
    struct ghosts *ghosts = &w->ghosts;
    uint32_t index = map_get(&ghosts->topic_by_id, id);
    if (index == MAP_NONE) {
        if (pool_take(&ghosts->topics, &index) != OK) {
            w->stats.ghosts_full++;
            return;
        }
        CHECK(map_put(&ghosts->topic_by_id, id, index) == OK);
        *(struct ghost_topic *)pool_at(&ghosts->topics, index) =
            (struct ghost_topic){.id = id, .first = POOL_NONE};
        ghosts->changed = true;
    }
    ((struct ghost_topic *)pool_at(&ghosts->topics, index))->wanted_ms = now_ms;
}

/* The blocks at the corners of what an avatar reaches: no reach is as long as a block. */
static void
want_around(struct world *w, const struct avatar *a, int64_t now_ms)
{
    int32_t reach_mm = w->options.game->reach_mm(a->mover.look);
    struct place at = avatar_place(w, a);
    for (uint32_t corner = 0; corner < 4 && reach_mm > 0; corner++) {
        struct place reached = {at.x_mm + (corner & 1 ? reach_mm : -reach_mm),
                                at.y_mm + (corner & 2 ? reach_mm : -reach_mm)};
        if (reached.x_mm >= 0 && reached.y_mm >= 0) {
            want(w, topic_of(a->island, reached), now_ms);
        }
    }
}

/* What stands in told is what the peer has, if it acknowledges so. false: it took nothing. */
static bool
send(struct world *w, uint32_t peer, const uint32_t *topics, uint16_t adds, uint16_t removes)
{
    struct ghost_peer *p = &w->ghosts.peers[peer];
    uint8_t bytes[TOPICS_IN_MESSAGE * 8];
    struct writer out = writer_over(bytes, sizeof bytes);
    uint64_t digest = p->introduced ? p->digest : 0;
    for (uint32_t i = 0; i < (uint32_t)adds + removes; i++) {
        topic_id id = ((const struct ghost_topic *)pool_at(&w->ghosts.topics, topics[i]))->id;
        write_u64(&out, id);
        digest ^= rand_mix(id, 1);
    }
    CHECK(writer_ok(&out));
    struct link_message m = {.kind = LINK_SUBSCRIBE,
                             .as.subscribe = {.epoch = p->epoch,
                                              .version = p->version + 1,
                                              .whole = !p->introduced,
                                              .add_count = adds,
                                              .remove_count = removes,
                                              .topics = {bytes, writer_used(&out)}}};
    if (!home_send(w, peer, &m)) {
        return false;
    }
    for (uint32_t i = 0; i < (uint32_t)adds + removes; i++) {
        struct ghost_topic *t = pool_at(&w->ghosts.topics, topics[i]);
        peer_set_put(&t->told, peer, i < adds);
    }
    p->introduced = true;
    p->version++;
    p->digest = digest;
    p->asked_ms = env_world_ms(w->env);
    return true;
}

/* One message of what a peer does not know yet. true: there is more. */
static bool
tell_some(struct world *w, uint32_t peer, int64_t now_ms)
{
    struct pool *topics = &w->ghosts.topics;
    uint32_t found[TOPICS_IN_MESSAGE], count = 0, adds = 0;
    for (uint32_t round = 0; round < 2; round++) { /* what is added stands first */
        for (uint32_t i = pool_next(topics, POOL_NONE); i != POOL_NONE && count < TOPICS_IN_MESSAGE;
             i = pool_next(topics, i)) {
            const struct ghost_topic *t = pool_at(topics, i);
            bool wanted = is_wanted(t, now_ms), told = peer_set_has(&t->told, peer);
            if (round == 0 ? wanted && !told : !wanted && told) {
                found[count++] = i;
            }
        }
        adds = round == 0 ? count : adds;
    }
    if (count == 0 && w->ghosts.peers[peer].introduced) {
        return false;
    }
    bool sent = send(w, peer, found, (uint16_t)adds, (uint16_t)(count - adds));
    w->ghosts.changed |= !sent || count == TOPICS_IN_MESSAGE;
    return sent && count == TOPICS_IN_MESSAGE;
}

static void
forget_told(struct world *w, uint32_t peer)
{
    struct pool *topics = &w->ghosts.topics;
    for (uint32_t i = pool_next(topics, POOL_NONE); i != POOL_NONE; i = pool_next(topics, i)) {
        peer_set_put(&((struct ghost_topic *)pool_at(topics, i))->told, peer, false);
    }
    w->ghosts.peers[peer] = (struct ghost_peer){.epoch = ++w->ghosts.epoch};
    w->ghosts.changed = true;
}

void
ghosts_subscribed(struct world *w, uint32_t peer, const struct link_subscribed *ack)
{
    struct ghost_peer *p = &w->ghosts.peers[peer];
    if (!ack->wakes && p->introduced && ack->epoch == p->epoch && ack->version == p->version &&
        ack->digest == p->digest) {
        p->asked_ms = 0;
    }
}

static void
tell_peers(struct world *w, int64_t now_ms)
{
    struct ghosts *ghosts = &w->ghosts;
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const struct ghost_peer *p = &ghosts->peers[peer];
        if (w->forwards.homes[peer] != 0 && p->asked_ms != 0 && now_ms > p->asked_ms + ACK_MS) {
            w->stats.ghosts_repairs++;
            forget_told(w, peer);
        }
    }
    if (!ghosts->changed) {
        return;
    }
    ghosts->changed = false;
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        while (w->forwards.homes[peer] != 0 && tell_some(w, peer, now_ms)) {
        }
    }
}

/* ---- time, and who comes and goes ---- */

static void
drop_topics(struct world *w, int64_t now_ms)
{
    struct pool *topics = &w->ghosts.topics;
    for (uint32_t i = pool_next(topics, POOL_NONE); i != POOL_NONE; i = pool_next(topics, i)) {
        const struct ghost_topic *t = pool_at(topics, i);
        if (is_wanted(t, now_ms)) {
            continue;
        }
        w->ghosts.changed |= !peer_set_is_empty(&t->told);
        while (t->first != POOL_NONE) {
            drop(w, t->first);
        }
        if (peer_set_is_empty(&t->told)) {
            CHECK(map_remove(&w->ghosts.topic_by_id, t->id) == i);
            pool_give(topics, i);
        }
    }
}

static void
reap(struct world *w, int64_t now_ms)
{
    struct pool *pool = &w->ghosts.pool;
    for (uint32_t i = pool_next(pool, POOL_NONE); i != POOL_NONE; i = pool_next(pool, i)) {
        const struct ghost *g = pool_at(pool, i);
        bool over = g->left_ms != 0 && now_ms >= g->left_ms + GHOST_LEFT_MS;
        if (over || avatar_find(w, g->entity) != NULL) {
            drop(w, i);
        }
    }
}

void
ghosts_turn(struct world *w, int64_t now_ms)
{
    if (now_ms < w->ghosts.turned_ms + GHOSTS_TURN_MS ||
        (!claim_has_others(w) && w->ghosts.topics.used == 0)) {
        return;
    }
    w->ghosts.turned_ms = now_ms;
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE && !w->stopping;
         i = pool_next(&w->avatars, i)) {
        want_around(w, pool_at(&w->avatars, i), now_ms);
    }
    reap(w, now_ms);
    drop_topics(w, now_ms);
    tell_peers(w, now_ms);
}

void
ghosts_peer_up(struct world *w, uint32_t peer)
{
    forget_told(w, peer);
}

static void
leave_all(struct world *w, uint64_t node, int64_t when_ms)
{
    struct pool *pool = &w->ghosts.pool;
    for (uint32_t i = pool_next(pool, POOL_NONE); i != POOL_NONE; i = pool_next(pool, i)) {
        struct ghost *g = pool_at(pool, i);
        if (g->node == node) {
            leave(g, when_ms);
        }
    }
}

void
ghosts_peer_down(struct world *w, uint32_t peer)
{
    leave_all(w, w->peers[peer].node.epoch, env_world_ms(w->env) + GHOST_UNHEARD_MS);
    forget_told(w, peer);
}

void
ghosts_node_died(struct world *w, uint64_t node)
{
    leave_all(w, node, env_world_ms(w->env));
}

void
ghosts_init(struct world *w, uint32_t ghosts_max, uint32_t topics_max)
{
    pool_init(&w->ghosts.pool, sizeof(struct ghost), ghosts_max, 256);
    pool_init(&w->ghosts.topics, sizeof(struct ghost_topic), topics_max, 64);
    map_init(&w->ghosts.by_entity, ghosts_max, 0);
    map_init(&w->ghosts.topic_by_id, topics_max, 0);
}

void
ghosts_fini(struct world *w)
{
    pool_fini(&w->ghosts.pool);
    pool_fini(&w->ghosts.topics);
    map_fini(&w->ghosts.by_entity);
    map_fini(&w->ghosts.topic_by_id);
}
