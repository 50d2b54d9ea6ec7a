/* Interest: which chunks a client sees. An avatar sees the 3 x 3 chunks around it and keeps what it
 * has seen until that leaves the 5 x 5; a spectator sees the awake chunks nearest to the middle of
 * its window. From the chunks follow the topics this gate subscribes (subscribe.c).
 */
#include "base/check.h"
#include "base/rand.h"
#include "view/state.h"
#include <stdlib.h>
#include <string.h>

#define SPECTATOR_SHARE     4 /* a quarter of the topics */
#define BLOCK_MM            (BLOCK_CHUNKS * CHUNK_MM)
#define SPECTATOR_BLOCKS    8       /* squared: as many blocks as it may see chunks */
#define SPECTATOR_WINDOW_MM 2000000 /* a wider window sees density only */

static void
hold_topic(struct gate *g, uint32_t topic, bool wakes)
{
    struct seen_topic *t = pool_at(&g->topics, topic);
    if (t->refs[wakes]++ == 0) {
        g->watched_topics += !wakes;
        subscribe_changed(g, topic, wakes);
    }
}

static void
release_topic(struct gate *g, uint32_t topic, bool wakes)
{
    struct seen_topic *t = pool_at(&g->topics, topic);
    CHECK(t->refs[wakes] > 0);
    if (--t->refs[wakes] == 0) {
        g->watched_topics -= !wakes;
        subscribe_changed(g, topic, wakes);
    }
}

void
interest_drop(struct gate *g, uint32_t topic)
{
    const struct seen_topic *t = pool_at(&g->topics, topic);
    bool held = subscribe_wants(t, false) || subscribe_wants(t, true);
    if (!held && !t->sent[0] && !t->sent[1] && !t->changed[0] && !t->changed[1]) {
        replica_topic_drop(g, topic);
    }
}

static bool
see(struct gate *g, uint32_t conn, uint32_t chunk)
{
    struct conn *c = &g->conns[conn];
    for (uint32_t slot = 0; slot < c->seen_max; slot++) {
        if (c->seen[slot].chunk != POOL_NONE) {
            continue;
        }
        const struct seen_chunk *seen = pool_at(&g->chunks, chunk);
        c->seen[slot] = (struct seen){.chunk = chunk, .fresh = true};
        c->seen_count++;
        chunk_watch(g, chunk, conn, slot);
        hold_topic(g, seen->topic, conn_plays(g->hot[conn].state));
        g->hot[conn].urgent = true;
        if (seen->crowd != POOL_NONE) {
            g->hot[conn].crowd = true;
            c->near_valid = false;
        }
        return true;
    }
    return false;
}

/* The client has heard all there is, and that is nobody: nothing to forget. */
static bool
knows_nobody(const struct seen_chunk *chunk, const struct seen *seen)
{
    return chunk->count == 0 && chunk->crowd == POOL_NONE && !seen->forget_first &&
           seen->cursor == chunk->news.end;
}

static void
unsee(struct gate *g, uint32_t conn, uint32_t slot)
{
    struct conn *c = &g->conns[conn];
    const struct seen_chunk *chunk = pool_at(&g->chunks, c->seen[slot].chunk);
    if (c->forget_count == FORGETS_MAX) {
        /* More than a message holds: the client is told to forget everything and all is told anew.
         */
        c->island_pending = true;
        c->forget_count = 0;
        for (uint32_t i = 0; i < c->seen_max; i++) {
            c->seen[i].fresh = true;
        }
    }
    if (g->options.mutant != GATE_MUTANT_FORGET_LOST &&
        (!c->seen[slot].fresh || c->seen[slot].forget_first) &&
        !knows_nobody(chunk, &c->seen[slot])) {
        c->forgets[c->forget_count].cx = chunk->cx;
        c->forgets[c->forget_count++].cy = chunk->cy;
    }
    chunk_unwatch(g, c->seen[slot].chunk, conn);
    release_topic(g, chunk->topic, conn_plays(g->hot[conn].state));
    c->seen[slot].chunk = POOL_NONE;
    c->seen_count--;
    c->near_valid = false;
    g->hot[conn].dirty &= ~(UINT64_C(1) << slot);
    g->hot[conn].urgent = true;
}

static bool
sees(const struct conn *c, uint32_t chunk)
{
    for (uint32_t slot = 0; slot < c->seen_max; slot++) {
        if (c->seen[slot].chunk == chunk) {
            return true;
        }
    }
    return false;
}

static bool
need_seen(struct gate *g, struct conn *c, struct pool *pool, uint32_t max)
{
    if (c->seen != NULL) {
        return true;
    }
    if (pool_take(pool, &c->seen_index) != OK) {
        g->stats.limits_reached++;
        return false;
    }
    c->seen = pool_at(pool, c->seen_index);
    c->seen_max = max;
    for (uint32_t i = 0; i < max; i++) {
        c->seen[i].chunk = POOL_NONE;
    }
    return true;
}

void
interest_clear(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (c->seen == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < c->seen_max; slot++) {
        if (c->seen[slot].chunk != POOL_NONE) {
            unsee(g, conn, slot);
        }
    }
    for (uint32_t i = 0; i < c->camera.topic_count; i++) {
        release_topic(g, c->camera.topics[i], false);
    }
    c->camera.topic_count = 0;
    pool_give(c->seen_max == SEEN_MAX ? &g->seen_pool : &g->spectator_pool, c->seen_index);
    c->seen = NULL;
    c->seen_max = 0;
}

static uint32_t
distance(int32_t a, int32_t b)
{
    return (uint32_t)(a > b ? a - b : b - a);
}

void
interest_moved(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (!need_seen(g, c, &g->seen_pool, SEEN_MAX)) {
        return;
    }
    int32_t cx = chunk_of(c->motion.x_mm), cy = chunk_of(c->motion.y_mm);
    c->lacks = false;
    uint32_t keep = g->options.mutant == GATE_MUTANT_NO_HYSTERESIS ? 1 : 2;
    for (uint32_t slot = 0; slot < c->seen_max; slot++) {
        if (c->seen[slot].chunk == POOL_NONE) {
            continue;
        }
        const struct seen_chunk *seen = pool_at(&g->chunks, c->seen[slot].chunk);
        const struct seen_topic *t = pool_at(&g->topics, seen->topic);
        if (topic_island(t->id) != c->island || distance(seen->cx, cx) > keep ||
            distance(seen->cy, cy) > keep) {
            unsee(g, conn, slot);
        }
    }
    for (int32_t y = cy - 1; y <= cy + 1; y++) {
        for (int32_t x = cx - 1; x <= cx + 1; x++) {
            if (x < 0 || y < 0 || x > UINT16_MAX || y > UINT16_MAX) {
                continue;
            }
            uint32_t topic = replica_topic(g, topic_make(c->island, (uint16_t)(x / BLOCK_CHUNKS),
                                                         (uint16_t)(y / BLOCK_CHUNKS)));
            uint32_t chunk =
                topic == POOL_NONE ? POOL_NONE : replica_chunk(g, topic, (uint16_t)x, (uint16_t)y);
            c->lacks = c->lacks || chunk == POOL_NONE;
            if (chunk != POOL_NONE && !sees(c, chunk)) {
                see(g, conn, chunk);
            } else if (chunk == POOL_NONE && topic != POOL_NONE) {
                interest_drop(g, topic);
            }
        }
    }
    c->cx = (uint16_t)cx;
    c->cy = (uint16_t)cy;
}

/* Of a wide window only the middle is seen. */
static int64_t
blocks_around_middle(int32_t corner_mm, uint32_t size_mm, int64_t blocks)
{
    int64_t middle_mm = (int64_t)corner_mm + size_mm / 2;
    return middle_mm / BLOCK_MM + blocks;
}

static int32_t
first_block(int32_t corner_mm, uint32_t size_mm)
{
    int64_t first = corner_mm / BLOCK_MM,
            least = blocks_around_middle(corner_mm, size_mm, -SPECTATOR_BLOCKS / 2);
    first = first > least ? first : least;
    return first > 0 ? (int32_t)first : 0;
}

static int64_t
last_block(int32_t corner_mm, uint32_t size_mm, uint16_t chunks)
{
    int64_t of_island = (chunks - 1) / BLOCK_CHUNKS;
    int64_t last = ((int64_t)corner_mm + size_mm) / BLOCK_MM;
    int64_t most = blocks_around_middle(corner_mm, size_mm, SPECTATOR_BLOCKS / 2 - 1);
    last = last < most ? last : most;
    return last < of_island ? last : of_island;
}

/* Spectators share a part of the topics, so that however many they are, players find theirs. */
static uint32_t
topic_to_watch(struct gate *g, topic_id id)
{
    uint32_t known = map_get(&g->topic_by_id, id);
    if (known == MAP_NONE && g->watched_topics >= g->options.topics_max / SPECTATOR_SHARE) {
        g->stats.limits_reached++;
        return POOL_NONE;
    }
    return known != MAP_NONE ? known : replica_topic(g, id);
}

/* The blocks in a spectator's window, at most as many as it may see chunks. Holding them wakes
 * nothing. */
static void
camera_topics(struct gate *g, struct conn *c)
{
    uint32_t held[GATE_SPECTATOR_CHUNKS];
    uint32_t count = 0;
    if (c->camera.w_mm > 0 && c->camera.w_mm <= SPECTATOR_WINDOW_MM &&
        c->camera.h_mm <= SPECTATOR_WINDOW_MM) {
        int32_t from_x = first_block(c->camera.x_mm, c->camera.w_mm);
        int32_t from_y = first_block(c->camera.y_mm, c->camera.h_mm);
        const struct island *island = archipelago_find(g->options.islands, c->camera.island);
        int64_t to_x = last_block(c->camera.x_mm, c->camera.w_mm, island_columns(island));
        int64_t to_y = last_block(c->camera.y_mm, c->camera.h_mm, island_rows(island));
        for (int32_t y = from_y; y <= to_y; y++) {
            for (int32_t x = from_x; x <= to_x && count < GATE_SPECTATOR_CHUNKS; x++) {
                uint32_t topic =
                    topic_to_watch(g, topic_make(c->camera.island, (uint16_t)x, (uint16_t)y));
                if (topic != POOL_NONE) {
                    hold_topic(g, topic, false);
                    held[count++] = topic;
                }
            }
        }
    }
    for (uint32_t i = 0; i < c->camera.topic_count; i++) {
        release_topic(g, c->camera.topics[i], false);
    }
    memcpy(c->camera.topics, held, sizeof held[0] * count);
    c->camera.topic_count = count;
}

struct candidate {
    uint64_t distance;
    uint32_t topic;
    uint16_t cx, cy;
};

static int
by_distance(const void *a, const void *b)
{
    uint64_t left = ((const struct candidate *)a)->distance,
             right = ((const struct candidate *)b)->distance;
    return left < right ? -1 : left > right;
}

static uint32_t
awake_in_window(struct gate *g, const struct conn *c, struct candidate *out)
{
    uint32_t count = 0;
    int64_t middle_x = (int64_t)c->camera.x_mm + c->camera.w_mm / 2,
            middle_y = (int64_t)c->camera.y_mm + c->camera.h_mm / 2;
    for (uint32_t i = 0; i < c->camera.topic_count; i++) {
        const struct seen_topic *t = pool_at(&g->topics, c->camera.topics[i]);
        for (uint32_t n = 0; n < TOPIC_CHUNKS; n++) {
            if ((t->awake >> n & 1) == 0) {
                continue;
            }
            uint16_t cx = (uint16_t)(topic_bx(t->id) * BLOCK_CHUNKS + n % BLOCK_CHUNKS);
            uint16_t cy = (uint16_t)(topic_by(t->id) * BLOCK_CHUNKS + n / BLOCK_CHUNKS);
            int64_t dx = ((int64_t)cx * CHUNK_MM + CHUNK_MM / 2 - middle_x) / 1000;
            int64_t dy = ((int64_t)cy * CHUNK_MM + CHUNK_MM / 2 - middle_y) / 1000;
            out[count++] = (struct candidate){.distance = (uint64_t)(dx * dx + dy * dy),
                                              .topic = c->camera.topics[i],
                                              .cx = cx,
                                              .cy = cy};
        }
    }
    qsort(out, count, sizeof out[0], by_distance);
    return count < GATE_SPECTATOR_CHUNKS ? count : GATE_SPECTATOR_CHUNKS;
}

static void
spectator_look(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    struct candidate wanted[GATE_SPECTATOR_CHUNKS * TOPIC_CHUNKS];
    uint32_t count = awake_in_window(g, c, wanted), chunks[GATE_SPECTATOR_CHUNKS];
    for (uint32_t i = 0; i < count; i++) {
        chunks[i] = replica_chunk(g, wanted[i].topic, wanted[i].cx, wanted[i].cy);
    }
    for (uint32_t slot = 0; slot < c->seen_max; slot++) {
        bool keep = false;
        for (uint32_t i = 0; i < count && !keep; i++) {
            keep = chunks[i] == c->seen[slot].chunk;
        }
        if (c->seen[slot].chunk != POOL_NONE && !keep) {
            unsee(g, conn, slot);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (chunks[i] != POOL_NONE && !sees(c, chunks[i])) {
            see(g, conn, chunks[i]);
        }
    }
}

void
interest_camera(struct gate *g, uint32_t conn, const Seom__Camera *camera)
{
    struct conn *c = &g->conns[conn];
    if (!need_seen(g, c, &g->spectator_pool, GATE_SPECTATOR_CHUNKS)) {
        return;
    }
    if (camera->island != c->camera.island) {
        /* What was known is of another island. */
        interest_clear(g, conn);
        c->forget_count = 0;
        c->island = camera->island;
        c->island_pending = g->hot[conn].urgent = true;
        if (!need_seen(g, c, &g->spectator_pool, GATE_SPECTATOR_CHUNKS)) {
            return;
        }
    }
    c->camera.island = camera->island;
    c->camera.x_mm = camera->x_mm;
    c->camera.y_mm = camera->y_mm;
    c->camera.w_mm = camera->island == 0 ? 0 : camera->w_mm;
    c->camera.h_mm = camera->h_mm;
    c->motion = (struct motion){.x_mm = camera->x_mm + (int32_t)(c->camera.w_mm / 2),
                                .y_mm = camera->y_mm + (int32_t)(c->camera.h_mm / 2)};
    camera_topics(g, c);
    spectator_look(g, conn);
}

/* Once a second: what was not to be had when it was wanted. */
void
interest_retry(struct gate *g)
{
    for (uint32_t i = 0; i < g->conns_high; i++) {
        if (conn_plays(g->hot[i].state) && g->conns[i].lacks) {
            interest_moved(g, i);
        }
    }
}

void
interest_spectators(struct gate *g)
{
    if (g->stats.spectators > 0) {
        interest_density(g, true); /* the limit may have refused it to the first one */
    }
    for (uint32_t i = 0; i < g->conns_high && g->stats.spectators > 0; i++) {
        if (g->hot[i].state == CONN_SPECTATOR && g->conns[i].camera.topic_count > 0) {
            spectator_look(g, i);
        }
    }
}

void
interest_density(struct gate *g, bool on)
{
    uint32_t known = map_get(&g->topic_by_id, TOPIC_DENSITY);
    bool held = known != MAP_NONE &&
                subscribe_wants((const struct seen_topic *)pool_at(&g->topics, known), false);
    if (held == on) {
        return;
    }
    uint32_t topic = on ? replica_topic(g, TOPIC_DENSITY) : known;
    if (topic != POOL_NONE && on) {
        hold_topic(g, topic, false);
    } else if (topic != POOL_NONE) {
        release_topic(g, topic, false);
    }
}
