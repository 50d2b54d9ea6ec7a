/* The replica: what this gate knows of the topics it subscribed, and the logs from which its
 * clients are fed. A record of a batch is applied to its entity and appended, as it came, to the
 * log of its chunk; replica_mark() then sets a bit at every watcher once, however many records
 * came.
 *
 * A topic has as many publishers as there are homes. A person has one of them at a time: whoever
 * has the session under the highest epoch (RECORD_OWNED), or whoever says the same one when its
 * publisher's link is down. Of things and animals the steward speaks: whoever has the highest
 * steward_epoch. Others' words are old news. A snapshot replaces what its publisher told of the
 * topic before, and of that only what differs is news.
 */
#include "base/check.h"
#include "base/rand.h"
#include "view/state.h"
#include <string.h>

#define NEWS_NONE     0
#define NEWS_MANY     UINT64_MAX
#define REAP_ENTITIES 8192 /* looked at in one turn */

static uint32_t
chunk_slot(uint16_t cx, uint16_t cy)
{
    return (uint32_t)(cy % BLOCK_CHUNKS) * BLOCK_CHUNKS + cx % BLOCK_CHUNKS;
}

uint32_t
replica_topic(struct gate *g, topic_id id)
{
    uint32_t index = map_get(&g->topic_by_id, id);
    if (index != MAP_NONE) {
        return index;
    }
    if (pool_take(&g->topics, &index) != OK) {
        g->stats.limits_reached++;
        return POOL_NONE;
    }
    CHECK(map_put(&g->topic_by_id, id, index) == OK);
    struct seen_topic *t = pool_at(&g->topics, index);
    t->id = id;
    for (uint32_t i = 0; i < TOPIC_CHUNKS; i++) {
        t->chunks[i] = POOL_NONE;
    }
    g->stats.topics++;
    return index;
}

uint32_t
replica_chunk(struct gate *g, uint32_t topic, uint16_t cx, uint16_t cy)
{
    struct seen_topic *t = pool_at(&g->topics, topic);
    uint32_t *at = &t->chunks[chunk_slot(cx, cy)];
    if (*at != POOL_NONE) {
        return *at;
    }
    if (pool_take(&g->chunks, at) != OK) {
        *at = POOL_NONE;
        g->stats.limits_reached++;
        return POOL_NONE;
    }
    struct seen_chunk *c = pool_at(&g->chunks, *at);
    c->topic = topic;
    c->cx = cx;
    c->cy = cy;
    c->members = c->watchers = c->crowd = POOL_NONE;
    news_init(&c->news);
    g->stats.chunks++;
    return *at;
}

static void
unlink_entity(struct gate *g, uint32_t index)
{
    struct seen_entity *e = pool_at(&g->entities, index);
    struct seen_chunk *c = pool_at(&g->chunks, e->chunk);
    if (c->crowd != POOL_NONE) {
        crowd_remove(g, c, index);
    }
    if (e->previous != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->previous))->next = e->next;
    } else {
        c->members = e->next;
    }
    if (e->next != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->next))->previous = e->previous;
    }
    c->count--;
    c->movers -= e->moves;
}

static void
link_entity(struct gate *g, uint32_t index, uint32_t chunk)
{
    struct seen_entity *e = pool_at(&g->entities, index);
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    e->chunk = chunk;
    e->previous = POOL_NONE;
    e->next = c->members;
    if (e->next != POOL_NONE) {
        ((struct seen_entity *)pool_at(&g->entities, e->next))->previous = index;
    }
    c->members = index;
    c->count++;
    c->movers += e->moves;
    if (c->crowd != POOL_NONE) {
        crowd_add(g, c, index);
    }
}

static void
remove_entity(struct gate *g, uint32_t index)
{
    const struct seen_entity *e = pool_at(&g->entities, index);
    uint32_t chunk = e->chunk;
    CHECK(map_remove(&g->entity_by_id, e->entity) == index);
    unlink_entity(g, index);
    pool_give(&g->entities, index);
    g->stats.entities--;
    crowd_check(g, chunk);
}

static void
list_logging(struct gate *g, uint32_t chunk)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    if (c->logging) {
        return;
    }
    c->logging = true;
    c->previous_logging = POOL_NONE;
    c->next_logging = g->first_logging;
    if (c->next_logging != POOL_NONE) {
        ((struct seen_chunk *)pool_at(&g->chunks, c->next_logging))->previous_logging = chunk;
    }
    g->first_logging = chunk;
}

static void
unlist_logging(struct gate *g, struct seen_chunk *c)
{
    if (!c->logging) {
        return;
    }
    c->logging = false;
    if (c->previous_logging != POOL_NONE) {
        ((struct seen_chunk *)pool_at(&g->chunks, c->previous_logging))->next_logging =
            c->next_logging;
    } else {
        g->first_logging = c->next_logging;
    }
    if (c->next_logging != POOL_NONE) {
        ((struct seen_chunk *)pool_at(&g->chunks, c->next_logging))->previous_logging =
            c->previous_logging;
    }
}

static void
list_news(struct gate *g, uint32_t chunk, uint64_t entity)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    c->news_of = c->news_of == NEWS_NONE || c->news_of == entity ? entity : NEWS_MANY;
    if (!c->has_news) {
        c->has_news = true;
        c->next_news = g->first_news;
        g->first_news = chunk;
    }
    list_logging(g, chunk);
}

/* Nobody else sees the chunk: most people of a wide land, most of the time. */
static bool
sees_alone(struct gate *g, const struct seen_chunk *c, uint64_t entity)
{
    const struct watcher_block *block =
        c->watcher_count == 1 ? pool_at(&g->watcher_blocks, c->watchers) : NULL;
    return block != NULL && block->watchers[0].entity == entity;
}

/* A record goes into the log from which the chunk's watchers are fed. Where nobody watches nothing
 * is kept, and nobody is told of itself but what it says. */
static void
tell(struct gate *g, uint32_t chunk, uint32_t entity, uint8_t cell_before, struct slice record,
     bool own)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    const struct seen_entity *e = pool_at(&g->entities, entity);
    if (c->watcher_count == 0 || (sees_alone(g, c, e->entity) && !own)) {
        return;
    }
    if (c->crowd != POOL_NONE && e->moves) {
        crowd_told(g, c, entity, cell_before, record);
    } else {
        news_append(g, &c->news, record);
    }
    list_news(g, chunk, e->entity);
}

static uint32_t
chunk_in(struct gate *g, uint32_t topic, int32_t cx, int32_t cy)
{
    const struct seen_topic *t = pool_at(&g->topics, topic);
    if (cx < 0 || cy < 0 || cx / BLOCK_CHUNKS != topic_bx(t->id) ||
        cy / BLOCK_CHUNKS != topic_by(t->id)) {
        g->stats.records_bad++;
        return POOL_NONE;
    }
    return replica_chunk(g, topic, (uint16_t)cx, (uint16_t)cy);
}

/* What a batch says, and who. */
struct told {
    uint32_t topic;
    uint8_t home;
    bool tends; /* it is of the steward, or of one that nobody has followed yet */
    bool snapshot;
    uint64_t owned_entity, owned; /* the last OWNED */
};

static bool
is_told_by(const struct gate *g, const struct seen_entity *e, const struct told *by)
{
    return e->tended ? by->tends
                     : e->publisher == by->home || g->options.mutant == GATE_MUTANT_EPOCH_IGNORED;
}

static bool
is_tended(const struct record *r)
{
    return r->kind == RECORD_THING || (r->as.motion.look & LOOK_KIND_MASK) == LOOK_ANIMAL;
}

/* Somebody else speaks of a person than did before. When the publisher's link is down the same
 * epoch is enough, but never an older one: a home that lost the person may not know yet. */
static bool
takes_over(const struct gate *g, struct seen_entity *e, const struct told *by, uint64_t owned)
{
    bool is_up = g->homes[e->publisher].state == HOME_UP;
    if (owned < e->owned || (owned == e->owned && is_up)) {
        return false;
    }
    e->publisher = by->home;
    e->owned = owned;
    return true;
}

static void
apply_owned(struct gate *g, struct told *by, const struct record *r)
{
    by->owned_entity = r->entity;
    by->owned = r->as.session_epoch;
    uint32_t index = map_get(&g->entity_by_id, r->entity);
    struct seen_entity *e = index == MAP_NONE ? NULL : pool_at(&g->entities, index);
    if (e == NULL || e->tended) {
        return;
    }
    if (e->publisher == by->home) {
        e->owned = r->as.session_epoch;
    } else {
        takes_over(g, e, by, r->as.session_epoch);
    }
}

/* May this home say that of this entity? */
static bool
speaks_of(struct gate *g, struct seen_entity *e, const struct told *by)
{
    if (is_told_by(g, e, by)) {
        return true;
    }
    if (e->tended) {
        g->stats.things_stale++;
        return false;
    }
    bool takes = takes_over(g, e, by, by->owned_entity == e->entity ? by->owned : 0);
    g->stats.records_foreign += !takes;
    return takes;
}

/* Who sees only the chunk that somebody left must hear of it, though the batch that says so may be
 * lost, or was not written as this one is a snapshot. */
static void
tell_left(struct gate *g, uint32_t index, uint32_t chunk)
{
    uint8_t record[RECORD_LEAVE_BYTES];
    struct writer out = writer_over(record, sizeof record);
    const struct seen_entity *e = pool_at(&g->entities, index);
    const struct seen_chunk *c = pool_at(&g->chunks, chunk);
    batch_put_leave(&out, e->entity, c->cx, c->cy);
    tell(g, chunk, index, e->chunk == chunk ? e->cell : e->left_cell,
         (struct slice){record, sizeof record}, false);
}

static uint32_t
new_entity(struct gate *g, const struct told *by, const struct record *r)
{
    uint32_t index;
    if (pool_take(&g->entities, &index) != OK) {
        g->stats.limits_reached++;
        return POOL_NONE;
    }
    CHECK(map_put(&g->entity_by_id, r->entity, index) == OK);
    g->stats.entities++;
    struct seen_entity *e = pool_at(&g->entities, index);
    e->entity = r->entity;
    e->publisher = by->home;
    e->owned = by->owned_entity == r->entity ? by->owned : 0;
    return index;
}

/* Of a known entity: may be said, and is not known already. */
static bool
is_news(struct gate *g, struct seen_entity *e, const struct told *by, const struct record *r,
        uint32_t chunk)
{
    if (!speaks_of(g, e, by)) {
        return false;
    }
    e->listed = true;
    if (r->kind == RECORD_MOTION && r->as.motion.motion.since_ms < e->since_ms) {
        return false; /* topics are not ordered against each other: this is what it did before */
    }
    return !(by->snapshot && e->chunk == chunk && e->bytes == r->whole.bytes &&
             memcmp(e->record, r->whole.at, r->whole.bytes) == 0);
}

/* Takes a known entity out of the chunk in which it was. */
static void
unplace(struct gate *g, uint32_t index, const struct told *by, uint32_t chunk)
{
    struct seen_entity *e = pool_at(&g->entities, index);
    uint32_t left = e->chunk;
    unlink_entity(g, index);
    if (left != chunk) {
        const struct seen_chunk *c = pool_at(&g->chunks, left);
        bool unsaid = by->snapshot || c->topic != by->topic;
        e->chunk = chunk;
        if (unsaid) {
            tell_left(g, index, left);
        }
        crowd_check(g, left);
    }
}

/* Nothing that a chunk's list is ordered or counted by has changed: so its neighbours there, whom
 * to touch costs more than all the rest, are left alone. */
static bool
stays_linked(const struct gate *g, const struct seen_entity *e, uint32_t chunk, bool moves)
{
    return e->chunk == chunk && e->moves == moves &&
           ((const struct seen_chunk *)pool_at(&g->chunks, chunk))->crowd == POOL_NONE;
}

/* MOTION and THING: the entity is known from now on, in the chunk of its place. */
static void
apply_state(struct gate *g, const struct told *by, const struct record *r)
{
    bool moves = r->kind == RECORD_MOTION, tended = is_tended(r);
    struct place at =
        moves ? (struct place){.x_mm = r->as.motion.motion.x_mm, .y_mm = r->as.motion.motion.y_mm}
              : r->as.thing.place;
    if (tended && !by->tends) {
        g->stats.things_stale++;
        return;
    }
    uint32_t chunk = chunk_in(g, by->topic, chunk_of(at.x_mm), chunk_of(at.y_mm));
    if (chunk == POOL_NONE || r->whole.bytes > THING_BYTES_MAX) {
        return;
    }
    uint32_t index = map_get(&g->entity_by_id, r->entity);
    uint8_t cell_before = cell_of(at.x_mm, at.y_mm);
    bool stays = false;
    if (index == MAP_NONE) {
        index = new_entity(g, by, r);
        if (index == POOL_NONE) {
            return;
        }
    } else {
        struct seen_entity *known = pool_at(&g->entities, index);
        if (!is_news(g, known, by, r, chunk)) {
            return;
        }
        cell_before = known->chunk == chunk ? known->cell : cell_before;
        known->left_cell = known->cell;
        stays = stays_linked(g, known, chunk, moves);
        if (!stays) {
            unplace(g, index, by, chunk);
        }
    }
    struct seen_entity *e = pool_at(&g->entities, index);
    e->publisher = by->home;
    e->moves = moves;
    e->tended = tended;
    e->listed = true;
    e->since_ms = moves ? r->as.motion.motion.since_ms : 0;
    e->bytes = (uint8_t)r->whole.bytes;
    e->cell = cell_of(at.x_mm, at.y_mm);
    memcpy(e->record, r->whole.at, r->whole.bytes);
    if (!stays) {
        link_entity(g, index, chunk);
    }
    tell(g, chunk, index, cell_before, r->whole, false);
    crowd_check(g, chunk);
}

/* It left for another topic, and that one said already that it is gone: who sees only this chunk
 * must hear it all the same. */
static void
tell_gone(struct gate *g, uint32_t chunk, const struct record *r)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    if (c->watcher_count > 0) {
        news_append(g, &c->news, r->whole);
        list_news(g, chunk, NEWS_MANY);
    }
}

static void
apply_leave(struct gate *g, const struct told *by, const struct record *r)
{
    uint32_t chunk = chunk_in(g, by->topic, r->cx, r->cy);
    uint32_t index = map_get(&g->entity_by_id, r->entity);
    if (chunk == POOL_NONE) {
        return;
    }
    if (index == MAP_NONE) {
        tell_gone(g, chunk, r);
        return;
    }
    const struct seen_entity *e = pool_at(&g->entities, index);
    if (!is_told_by(g, e, by)) {
        g->stats.records_foreign += !e->tended;
        g->stats.things_stale += e->tended;
        return;
    }
    if (((const struct seen_chunk *)pool_at(&g->chunks, e->chunk))->topic != by->topic) {
        return; /* was told when it came there */
    }
    tell(g, chunk, index, e->chunk == chunk ? e->cell : e->left_cell, r->whole, false);
    if (e->chunk == chunk) {
        remove_entity(g, index);
    }
}

static void
apply_say(struct gate *g, const struct told *by, const struct record *r)
{
    uint32_t index = map_get(&g->entity_by_id, r->entity);
    if (index == MAP_NONE) {
        return;
    }
    const struct seen_entity *e = pool_at(&g->entities, index);
    const struct seen_chunk *c = pool_at(&g->chunks, e->chunk);
    if (c->topic == by->topic && (e->tended || e->publisher == by->home)) {
        tell(g, e->chunk, index, e->cell, r->whole, true);
        /* Who speaks hears it too: an own line is news like anybody's. */
        list_news(g, e->chunk, NEWS_MANY);
    }
}

static void
forget_topic(struct gate *g, const struct seen_topic *t)
{
    for (uint32_t i = 0; i < TOPIC_CHUNKS; i++) {
        if (t->chunks[i] == POOL_NONE) {
            continue;
        }
        struct seen_chunk *c = pool_at(&g->chunks, t->chunks[i]);
        while (c->members != POOL_NONE) {
            remove_entity(g, c->members);
        }
        news_clear(g, &c->news);
        list_news(g, t->chunks[i], NEWS_MANY);
    }
}

/* A snapshot has as many pages as it needs, of which only the first says that it is one; they come
 * one after the other, so it is over when its home speaks of something else. Before it nothing that
 * its publisher told of the topic is listed, afterwards what is not listed is gone. */
static void
begin_snapshot(struct gate *g, const struct told *by, uint64_t steward_epoch)
{
    struct seen_topic *t = pool_at(&g->topics, by->topic);
    g->homes[by->home].open_topic = by->topic;
    g->homes[by->home].open_steward_epoch = steward_epoch;
    t->known = true;
    for (uint32_t i = 0; i < TOPIC_CHUNKS; i++) {
        const struct seen_chunk *c =
            t->chunks[i] == POOL_NONE ? NULL : pool_at(&g->chunks, t->chunks[i]);
        for (uint32_t e = c == NULL ? POOL_NONE : c->members; e != POOL_NONE;) {
            struct seen_entity *known = pool_at(&g->entities, e);
            known->listed = known->listed && !is_told_by(g, known, by);
            e = known->next;
        }
    }
}

static void
remove_unlisted(struct gate *g, const struct told *by)
{
    const struct seen_topic *t = pool_at(&g->topics, by->topic);
    for (uint32_t i = 0; i < TOPIC_CHUNKS; i++) {
        const struct seen_chunk *c =
            t->chunks[i] == POOL_NONE ? NULL : pool_at(&g->chunks, t->chunks[i]);
        for (uint32_t e = c == NULL ? POOL_NONE : c->members; e != POOL_NONE;) {
            const struct seen_entity *known = pool_at(&g->entities, e);
            uint32_t next = known->next;
            if (is_told_by(g, known, by) && !known->listed) {
                tell_left(g, e, t->chunks[i]);
                remove_entity(g, e);
            }
            e = next;
        }
    }
}

static bool
tends(const struct gate *g, const struct seen_topic *t, uint64_t steward_epoch)
{
    return steward_epoch >= t->steward_epoch || g->options.mutant == GATE_MUTANT_STEWARD_IGNORED;
}

void
replica_snapshot_end(struct gate *g, uint8_t home)
{
    struct gate_home *h = &g->homes[home];
    const struct seen_topic *t = pool_at(&g->topics, h->open_topic);
    struct told by = {
        .topic = h->open_topic, .home = home, .tends = tends(g, t, h->open_steward_epoch)};
    h->open_topic = POOL_NONE;
    remove_unlisted(g, &by);
}

static void
apply_record(struct gate *g, struct told *by, const struct record *r)
{
    if (r->kind == RECORD_MOTION || r->kind == RECORD_THING) {
        apply_state(g, by, r);
    } else if (r->kind == RECORD_LEAVE) {
        apply_leave(g, by, r);
    } else if (r->kind == RECORD_SAY) {
        apply_say(g, by, r);
    } else if (r->kind == RECORD_OWNED) {
        apply_owned(g, by, r);
    } else {
        g->stats.records_bad++;
    }
}

void
replica_batch(struct gate *g, uint8_t home, const struct link_batch *batch)
{
    uint32_t topic = map_get(&g->topic_by_id, batch->topic);
    if (topic == MAP_NONE) {
        return; /* was on its way while the subscription ended */
    }
    if (batch->publisher_epoch != g->homes[home].node) {
        g->stats.batches_stale++;
        return;
    }
    struct seen_topic *t = pool_at(&g->topics, topic);
    struct told by = {.topic = topic, .home = home};
    by.tends = tends(g, t, batch->steward_epoch);
    if (by.tends) {
        t->steward_epoch = batch->steward_epoch;
        t->awake = (uint16_t)(batch->awake_chunks_lo | batch->awake_chunks_hi << 8);
    }
    g->stats.batches++;
    if (batch->snapshot) {
        begin_snapshot(g, &by, batch->steward_epoch);
    }
    by.snapshot = g->homes[home].open_topic == topic;
    struct reader in = reader_over(batch->records.at, batch->records.bytes);
    struct record r;
    while (reader_left(&in) > 0) {
        if (batch_next(&in, batch->tick_ms, &r) != OK) {
            g->stats.records_bad++;
            return;
        }
        g->stats.records++;
        apply_record(g, &by, &r);
    }
}

bool
replica_reap(struct gate *g, uint8_t home, uint32_t *at)
{
    for (uint32_t visited = 0; visited < REAP_ENTITIES; visited++) {
        if (*at >= g->entities.made) {
            return true;
        }
        uint32_t index = (*at)++;
        if (!pool_in_use(&g->entities, index)) {
            continue;
        }
        const struct seen_entity *e = pool_at(&g->entities, index);
        if (e->publisher == home && !e->tended) {
            tell_left(g, index, e->chunk);
            remove_entity(g, index);
            g->stats.reaped++;
        }
    }
    return false;
}

/* Marks the watchers of one chunk. Who alone made the news is not told of them: their cursor steps
 * over. */
static void
mark_watchers(struct gate *g, struct seen_chunk *c)
{
    for (uint32_t b = c->watchers; b != POOL_NONE;) {
        const struct watcher_block *block = pool_at(&g->watcher_blocks, b);
        for (uint32_t i = 0; i < block->count; i++) {
            const struct watcher *watcher = &block->watchers[i];
            if (watcher->entity == c->news_of) {
                struct seen *seen = &g->conns[watcher->conn].seen[watcher->slot];
                seen->cursor = seen->cursor == c->news_end ? c->news.end : seen->cursor;
                continue;
            }
            bool last = i + 1 == block->count && block->next == POOL_NONE && c->watcher_count > 1;
            if (!(last && g->options.mutant == GATE_MUTANT_DIRTY_LOST)) {
                g->hot[watcher->conn].dirty |= UINT64_C(1) << watcher->slot;
            }
        }
        b = block->next;
    }
}

void
replica_mark(struct gate *g)
{
    while (g->first_news != POOL_NONE) {
        struct seen_chunk *c = pool_at(&g->chunks, g->first_news);
        g->first_news = c->next_news;
        c->has_news = false;
        if (c->crowd == POOL_NONE) {
            mark_watchers(g, c); /* who sees a crowd is served every tick anyway */
        }
        c->news_of = NEWS_NONE;
        c->news_end = c->news.end;
    }
}

void
chunk_watch(struct gate *g, uint32_t chunk, uint32_t conn, uint32_t slot)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    struct watcher_block *block =
        c->watchers == POOL_NONE ? NULL : pool_at(&g->watcher_blocks, c->watchers);
    if (block == NULL || block->count == WATCHERS_PER_BLOCK) {
        uint32_t index;
        CHECK(pool_take(&g->watcher_blocks, &index) ==
              OK); /* one slot, one watcher: as many as seen_pool can hold */
        block = pool_at(&g->watcher_blocks, index);
        block->next = c->watchers;
        c->watchers = index;
    }
    block->watchers[block->count++] =
        (struct watcher){.entity = g->conns[conn].entity, .conn = conn, .slot = slot};
    c->watcher_count++;
}

void
chunk_unwatch(struct gate *g, uint32_t chunk, uint32_t conn)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    struct watcher_block *first = pool_at(&g->watcher_blocks, c->watchers);
    for (uint32_t b = c->watchers; b != POOL_NONE;) {
        struct watcher_block *block = pool_at(&g->watcher_blocks, b);
        for (uint32_t i = 0; i < block->count; i++) {
            if (block->watchers[i].conn == conn) {
                /* Only the first block is ever partly filled: its last watcher takes the free
                 * place. */
                block->watchers[i] = first->watchers[--first->count];
                if (first->count == 0) {
                    uint32_t empty = c->watchers;
                    c->watchers = first->next;
                    pool_give(&g->watcher_blocks, empty);
                }
                c->watcher_count--;
                return;
            }
        }
        b = block->next;
    }
    CHECK(!"the watcher stands in its chunk's list");
}

static void
drop_chunk(struct gate *g, uint32_t chunk)
{
    struct seen_chunk *c = pool_at(&g->chunks, chunk);
    CHECK(c->watcher_count == 0 && c->members == POOL_NONE && !c->has_news &&
          c->crowd == POOL_NONE);
    unlist_logging(g, c);
    news_clear(g, &c->news);
    pool_give(&g->chunks, chunk);
    g->stats.chunks--;
}

void
replica_topic_drop(struct gate *g, uint32_t topic)
{
    struct seen_topic *t = pool_at(&g->topics, topic);
    CHECK(t->refs[0] == 0 && t->refs[1] == 0);
    for (uint8_t home = 0; home < g->homes_high; home++) {
        if (g->homes[home].open_topic == topic) {
            g->homes[home].open_topic = POOL_NONE;
        }
    }
    forget_topic(g, t);
    replica_mark(g);
    for (uint32_t i = 0; i < TOPIC_CHUNKS; i++) {
        if (t->chunks[i] != POOL_NONE) {
            drop_chunk(g, t->chunks[i]);
        }
    }
    CHECK(map_remove(&g->topic_by_id, t->id) == topic);
    pool_give(&g->topics, topic);
    g->stats.topics--;
}

void
replica_trim(struct gate *g, int64_t now_us)
{
    int64_t before_us = now_us - NEWS_KEEP_US;
    for (uint32_t i = g->first_logging; i != POOL_NONE;) {
        struct seen_chunk *c = pool_at(&g->chunks, i);
        i = c->next_logging;
        if (news_trim(g, &c->news, before_us)) {
            unlist_logging(g, c);
        }
    }
    crowd_trim(g, before_us);
}
