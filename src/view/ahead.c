/* Prefetching. Of what a gate knows nothing is in the cache when it is needed: it is 100 MB, and
 * between two messages about one person 100 ms go by. Waiting for memory would be most of the
 * time, one miss behind the other. So the messages that came together, and the clients of one slot,
 * are gone through in steps beforehand: each step has brought here what the next one looks at, for
 * all of them at a time. Nothing is changed, and whatever is not there is passed over.
 */
#include "view/state.h"

/* What of it a batch touches. */
#define ENTITY_BYTES 128
#define CONN_BYTES   256 /* up to and with struct conn.move */

static void
batch_ahead(const struct gate *g, uint32_t step, const struct link_subject *of)
{
    if (step == 0) {
        map_prefetch(&g->topic_by_id, of->key);
        map_prefetch(&g->entity_by_id, of->entity);
        return;
    }
    uint32_t entity = map_get(&g->entity_by_id, of->entity);
    if (step == 1) {
        uint32_t topic = map_get(&g->topic_by_id, of->key);
        pool_prefetch(&g->topics, topic, sizeof(struct seen_topic));
        pool_prefetch(&g->entities, entity, ENTITY_BYTES);
        return;
    }
    if (!pool_in_use(&g->entities, entity)) {
        return;
    }
    uint32_t chunk = ((const struct seen_entity *)pool_at(&g->entities, entity))->chunk;
    if (step == 2) {
        pool_prefetch(&g->chunks, chunk, sizeof(struct seen_chunk));
        return;
    }
    const struct seen_chunk *c = pool_at(&g->chunks, chunk);
    pool_prefetch(&g->watcher_blocks, c->watchers, CACHE_LINE_BYTES);
    pool_prefetch(&g->news_pages, c->news.last, 2 * (size_t)CACHE_LINE_BYTES);
}

static void
self_ahead(const struct gate *g, uint32_t step, uint64_t player)
{
    if (step == 0) {
        map_prefetch(&g->conn_by_player, player);
    } else if (step == 1) {
        uint32_t conn = map_get(&g->conn_by_player, player);
        if (conn != MAP_NONE) {
            conn_prefetch(g, conn);
        }
    }
}

void
gate_ahead(const struct gate *g, uint32_t step, const uint8_t *bytes, size_t n)
{
    struct link_subject of = link_subject(bytes, n);
    if (of.kind == LINK_BATCH) {
        batch_ahead(g, step, &of);
    } else if (of.kind == LINK_SELF) {
        self_ahead(g, step, of.key);
    }
}

void
conn_prefetch(const struct gate *g, uint32_t conn)
{
    const uint8_t *c = (const uint8_t *)&g->conns[conn];
    for (uint32_t at = 0; at < CONN_BYTES; at += CACHE_LINE_BYTES) {
        __builtin_prefetch(c + at, 1);
    }
}

void
feed_ahead(const struct gate *g, uint32_t step, uint32_t conn)
{
    const struct conn *c = &g->conns[conn];
    if (step == 0) {
        conn_prefetch(g, conn);
        return;
    }
    if (c->seen == NULL) {
        return;
    }
    for (uint64_t dirty = g->hot[conn].dirty; dirty != 0; dirty &= dirty - 1) {
        const struct seen *seen = &c->seen[__builtin_ctzll(dirty)];
        if (step == 1) {
            __builtin_prefetch(seen, 1);
        } else if (step == 2) {
            pool_prefetch(&g->chunks, seen->chunk, sizeof(struct seen_chunk));
        } else if (pool_in_use(&g->chunks, seen->chunk)) {
            const struct seen_chunk *chunk = pool_at(&g->chunks, seen->chunk);
            pool_prefetch(&g->news_pages, chunk->news.first, 2 * (size_t)CACHE_LINE_BYTES);
        }
    }
}
