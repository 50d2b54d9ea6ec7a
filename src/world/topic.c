/* Topics: what is published about a block of 4 x 4 chunks. A topic exists while somebody stands in
 * it, subscribes it or its things are awake. A record is written once, into the topic's pending
 * page, and goes to every subscribing gate in one batch. A gate that has just subscribed, or whose
 * ring was full, is *behind*: it hears nothing more of the topic until a snapshot got through,
 * which holds everything. Where nobody listens nothing is written.
 */
#include "base/check.h"
#include "base/rand.h"
#include "world/state.h"

topic_id
topic_of(const struct island *island, struct place at)
{
    int32_t cx = chunk_of(at.x_mm), cy = chunk_of(at.y_mm);
    CHECK(cx >= 0 && cy >= 0 && cx <= UINT16_MAX && cy <= UINT16_MAX);
    return topic_make(island_id(island), (uint16_t)(cx / BLOCK_CHUNKS),
                      (uint16_t)(cy / BLOCK_CHUNKS));
}

uint8_t
topic_chunk_of(struct place at)
{
    return (uint8_t)((chunk_of(at.y_mm) % BLOCK_CHUNKS) * BLOCK_CHUNKS +
                     chunk_of(at.x_mm) % BLOCK_CHUNKS);
}

struct topic *
topic_find(struct world *w, topic_id id)
{
    uint32_t index = map_get(&w->topic_by_id, id);
    return index == MAP_NONE ? NULL : pool_at(&w->topics, index);
}

uint32_t
topic_index(const struct world *w, const struct topic *t)
{
    CHECK(pool_at(&w->topics, t->steward.owner) == t);
    return t->steward.owner;
}

struct topic *
topic_at(struct world *w, topic_id id)
{
    struct topic *t = topic_find(w, id);
    if (t != NULL) {
        return t;
    }
    uint32_t index;
    CHECK(pool_take(&w->topics, &index) == OK);
    CHECK(map_put(&w->topic_by_id, id, index) == OK);
    t = pool_at(&w->topics, index);
    t->id = id;
    t->page = POOL_NONE;
    t->island = archipelago_find(w->options.islands, topic_island(id));
    t->steward = (struct timer){.kind = TIMER_STEWARD, .owner = index};
    for (uint32_t c = 0; c < TOPIC_CHUNKS; c++) {
        t->members[c] = POOL_NONE;
        t->changes_ms[c] = INT64_MAX;
        t->copies[c] = POOL_NONE;
    }
    w->stats.topics++;
    return t;
}

static bool
is_held(const struct topic *t)
{
    return topic_has_listeners(t) || t->awake != 0 || t->dirty || t->listed_behind;
}

/* Peers may name any block, also one at sea: what they subscribe is their state. Its number has a
 * limit, and a block that so far exists only because somebody stands there counts like a new one:
 * so besides those where players stand never more than topics_max exist, as topic_at() needs. */
static struct topic *
topic_for_subscriber(struct world *w, topic_id id)
{
    struct topic *t = topic_find(w, id);
    if ((t == NULL || !is_held(t)) && w->stats.topics >= w->options.topics_max) {
        w->stats.topics_full++;
        return NULL;
    }
    return t != NULL ? t : topic_at(w, id);
}

bool
topic_has_listeners(const struct topic *t)
{
    return !peer_set_is_empty(&t->wakers) || !peer_set_is_empty(&t->watchers);
}

void
topic_drop_if_idle(struct world *w, struct topic *t)
{
    if (topic_has_listeners(t) || t->member_count > 0 || t->awake != 0 || t->dirty ||
        t->listed_behind) {
        return;
    }
    CHECK(t->page == POOL_NONE);
    wheel_cancel(&w->wheel, &t->steward.entry);
    pool_give(&w->topics, map_remove(&w->topic_by_id, t->id));
    w->stats.topics--;
}

static void
list_behind(struct world *w, struct topic *t)
{
    if (!t->listed_behind) {
        t->listed_behind = true;
        t->next_behind = w->first_behind;
        w->first_behind = topic_index(w, t);
    }
}

static enum err
send_batch(struct world *w, uint32_t gate, const struct topic *t, const void *records, size_t bytes,
           bool snapshot)
{
    struct link_message m = {.kind = LINK_BATCH,
                             .as.batch = {.topic = t->id,
                                          .publisher_epoch = w->options.node_epoch,
                                          .tick_ms = env_world_ms(w->env),
                                          .snapshot = snapshot,
                                          .steward_epoch = t->steward_epoch,
                                          .awake_chunks_lo = (uint8_t)t->awake,
                                          .awake_chunks_hi = (uint8_t)(t->awake >> 8),
                                          .records = {.at = records, .bytes = bytes}}};
    uint8_t head[LINK_HEAD_MAX];
    struct slice pieces[2] = {{.at = head, .bytes = link_head(&m, head)}, link_tail(&m)};
    enum err e = w->env->links.send(w->env->links.ctx, gate, pieces, 2);
    if (e == OK) {
        w->stats.batches++;
        w->stats.batch_bytes += bytes;
    } else {
        w->stats.batches_full++;
    }
    return e;
}

/* Sends what is pending to everybody who is not behind. */
static void
flush_page(struct world *w, struct topic *t)
{
    if (t->page == POOL_NONE) {
        return;
    }
    struct peer_set listeners = peer_set_union(&t->wakers, &t->watchers);
    listeners = peer_set_without(&listeners, &t->behind);
    for (uint32_t gate = 0; (gate = peer_set_next(&listeners, gate)) != PEER_NONE; gate++) {
        if (send_batch(w, gate, t, pool_at(&w->pages, t->page), t->page_used, false) != OK &&
            w->options.mutant != WORLD_MUTANT_FULL_FORGOTTEN) {
            peer_set_put(&t->behind, gate, true);
            list_behind(w, t);
        }
    }
    pool_give(&w->pages, t->page);
    t->page = POOL_NONE;
    t->page_used = 0;
}

void
topic_all_behind(struct world *w, struct topic *t)
{
    t->behind = peer_set_union(&t->wakers, &t->watchers);
    list_behind(w, t);
}

struct writer
topic_room(struct world *w, struct topic *t, size_t bytes)
{
    CHECK(bytes <= TOPIC_PAGE_BYTES);
    if (!topic_has_listeners(t)) {
        return writer_over(NULL, 0);
    }
    if (t->page != POOL_NONE && TOPIC_PAGE_BYTES - t->page_used < bytes) {
        flush_page(w, t);
    }
    if (t->page == POOL_NONE && pool_take(&w->pages, &t->page) != OK) {
        t->page = POOL_NONE;
        topic_all_behind(w, t);
        return writer_over(NULL, 0);
    }
    if (!t->dirty) {
        t->dirty = true;
        t->next_dirty = w->first_dirty;
        w->first_dirty = topic_index(w, t);
    }
    return writer_over((uint8_t *)pool_at(&w->pages, t->page) + t->page_used,
                       TOPIC_PAGE_BYTES - t->page_used);
}

void
topic_wrote(struct world *w, struct topic *t, const struct writer *out)
{
    if (t->page == POOL_NONE || out->start == NULL) {
        return;
    }
    CHECK(writer_ok(out));
    t->page_used += (uint32_t)writer_used(out);
    w->stats.encodes++;
}

/* A snapshot is written page by page; the first one replaces what was known, the others add to it.
 */
struct snapshot {
    struct world *world;
    struct topic *topic;
    uint32_t gate;
    bool begun, failed;
    struct writer out;
};

static void
snapshot_flush(struct snapshot *s)
{
    size_t bytes = writer_used(&s->out);
    if (s->failed || (s->begun && bytes == 0)) {
        return;
    }
    s->failed = send_batch(s->world, s->gate, s->topic, s->out.start, bytes, !s->begun) != OK;
    s->begun = true;
    s->out = writer_over(s->out.start, TOPIC_PAGE_BYTES);
}

static void
snapshot_thing(void *ctx, const struct record_thing *thing, const struct record_motion *mover)
{
    struct snapshot *s = ctx;
    if (writer_left(&s->out) < RECORD_MOTION_BYTES + ATTRIBUTES_MAX) {
        snapshot_flush(s);
    }
    if (thing != NULL) {
        batch_put_thing(&s->out, thing);
    } else {
        batch_put_motion(&s->out, mover);
    }
}

static enum err
send_snapshot(struct world *w, struct topic *t, uint32_t gate)
{
    struct snapshot s = {
        .world = w, .topic = t, .gate = gate, .out = writer_over(w->scratch, sizeof w->scratch)};
    int64_t now_ms = env_world_ms(w->env);
    for (uint8_t c = 0; c < TOPIC_CHUNKS && w->options.mutant != WORLD_MUTANT_SNAPSHOT_EMPTY; c++) {
        for (uint32_t i = t->members[c]; i != POOL_NONE && !s.failed;) {
            const struct avatar *a = pool_at(&w->avatars, i);
            if (writer_left(&s.out) < RECORD_OWNED_BYTES + RECORD_MOTION_BYTES) {
                snapshot_flush(&s);
            }
            avatar_write_owned(a, &s.out);
            avatar_write_motion(a, &s.out);
            i = a->next;
        }
        if (t->awake >> c & 1) {
            steward_tell(w, t, c, now_ms, snapshot_thing, &s);
        }
    }
    snapshot_flush(&s);
    w->stats.snapshots++;
    return s.failed ? ERR_FULL : OK;
}

static void
repair_behind(struct world *w)
{
    uint32_t index = w->first_behind;
    w->first_behind = POOL_NONE;
    while (index != POOL_NONE) {
        struct topic *t = pool_at(&w->topics, index);
        index = t->next_behind;
        t->listed_behind = false;
        struct peer_set listeners = peer_set_union(&t->wakers, &t->watchers);
        t->behind = peer_set_common(&t->behind, &listeners);
        for (uint32_t gate = 0; (gate = peer_set_next(&t->behind, gate)) != PEER_NONE; gate++) {
            if (send_snapshot(w, t, gate) == OK) {
                peer_set_put(&t->behind, gate, false);
            }
        }
        if (!peer_set_is_empty(&t->behind)) {
            list_behind(w, t);
        } else {
            topic_drop_if_idle(w, t);
        }
    }
}

void
topics_publish(struct world *w)
{
    uint32_t index = w->first_dirty;
    w->first_dirty = POOL_NONE;
    while (index != POOL_NONE) {
        struct topic *t = pool_at(&w->topics, index);
        index = t->next_dirty;
        t->dirty = false;
        flush_page(w, t);
        topic_drop_if_idle(w, t);
    }
    repair_behind(w);
}

static void
set_subscribed(struct world *w, uint32_t gate, topic_id id, bool wakes, bool on)
{
    struct topic *t = on ? topic_for_subscriber(w, id) : topic_find(w, id);
    if (t == NULL) {
        return;
    }
    struct peer_set *set = wakes ? &t->wakers : &t->watchers;
    if (peer_set_has(set, gate) == on) {
        return;
    }
    bool heard = peer_set_has(&t->wakers, gate) || peer_set_has(&t->watchers, gate);
    peer_set_put(set, gate, on);
    w->stats.subscriptions = on ? w->stats.subscriptions + 1 : w->stats.subscriptions - 1;
    w->peers[gate].digest[wakes] ^= rand_mix(id, 1);
    if (wakes && on) {
        steward_subscribed(w, t);
    } else if (wakes) {
        steward_unsubscribed(w, t);
    }
    if (id == TOPIC_DENSITY) {
        w->density_gates = peer_set_union(&t->wakers, &t->watchers);
    } else if (on && !heard) {
        peer_set_put(&t->behind, gate, true);
        list_behind(w, t);
    }
    topic_drop_if_idle(w, t);
}

static void
clear_subscriptions(struct world *w, uint32_t gate, bool wakes)
{
    for (uint32_t i = pool_next(&w->topics, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->topics, i)) {
        const struct topic *t = pool_at(&w->topics, i);
        set_subscribed(w, gate, t->id, wakes, false);
    }
}

void
topic_peer_down(struct world *w, uint32_t peer)
{
    clear_subscriptions(w, peer, false);
    clear_subscriptions(w, peer, true);
}

void
topic_subscribe(struct world *w, uint32_t gate, const struct link_subscribe *s)
{
    struct peer *g = &w->peers[gate];
    bool wakes = s->wakes != 0;
    if (s->whole) {
        clear_subscriptions(w, gate, wakes);
    } else if (!g->known || s->epoch != g->epoch[wakes] || s->version != g->version[wakes] + 1) {
        /* A delta that does not fit what stands here: the acknowledgement says so, and the gate
         * sends its whole set. */
        s = NULL;
    }
    if (s != NULL) {
        struct reader in = reader_over(s->topics.at, s->topics.bytes);
        for (uint32_t i = 0; i < (uint32_t)s->add_count + s->remove_count; i++) {
            set_subscribed(w, gate, read_u64(&in), wakes, i < s->add_count);
        }
        g->epoch[wakes] = s->epoch;
        g->version[wakes] = s->version;
        g->known = true;
    }
    home_send(w, gate,
              &(struct link_message){.kind = LINK_SUBSCRIBED,
                                     .as.subscribed = {.epoch = g->epoch[wakes],
                                                       .version = g->version[wakes],
                                                       .wakes = wakes,
                                                       .digest = g->digest[wakes]}});
}
