#include "base/pool.h"
#include <stdlib.h>
#include <string.h>

static uint32_t
block_count(const struct pool *p)
{
    return ((p->limit - 1) >> p->block_shift) + 1;
}

void
pool_init(struct pool *p, size_t item_bytes, uint32_t limit, uint32_t block_items)
{
    CHECK(item_bytes > 0 && limit > 0 && limit < POOL_NONE && block_items > 0);
    *p = (struct pool){.free_head = POOL_NONE, .limit = limit, .item_bytes = item_bytes};
    while (1U << p->block_shift < block_items && 1U << p->block_shift < limit)
        p->block_shift++;
    p->blocks = calloc(block_count(p), sizeof(*p->blocks));
    CHECK(p->blocks);
}

void
pool_fini(struct pool *p)
{
    for (uint32_t i = 0; p->blocks && i < block_count(p); i++)
        free(p->blocks[i]);
    free(p->blocks);
    free(p->generations);
    free(p->free_next);
    *p = (struct pool){.free_head = POOL_NONE};
}

/* One more block; its items go on the free list so that the lowest index is taken first. */
static void
pool_grow(struct pool *p)
{
    uint32_t block = p->made >> p->block_shift, items = 1U << p->block_shift;
    uint32_t more = p->limit - p->made < items ? p->limit - p->made : items;
    uint32_t made = p->made + more;
    p->blocks[block] = calloc(items, p->item_bytes);
    p->generations = realloc(p->generations, made * sizeof(*p->generations));
    p->free_next = realloc(p->free_next, made * sizeof(*p->free_next));
    CHECK(p->blocks[block] && p->generations && p->free_next); /* promised at start */
    for (uint32_t i = made; i-- > p->made;) {
        p->generations[i] = 0;
        p->free_next[i] = p->free_head;
        p->free_head = i;
    }
    p->made = made;
}

enum err
pool_take(struct pool *p, uint32_t *index)
{
    CHECK(p->limit > 0);
    if (p->used == p->limit)
        return ERR_FULL;
    if (p->free_head == POOL_NONE)
        pool_grow(p);
    uint32_t taken = p->free_head;
    CHECK(taken < p->made && !pool_in_use(p, taken));
    p->free_head = p->free_next[taken];
    p->generations[taken]++;
    p->used++;
    memset(pool_at(p, taken), 0, p->item_bytes);
    *index = taken;
    return OK;
}

void
pool_give(struct pool *p, uint32_t index)
{
    CHECK(pool_in_use(p, index));
    p->generations[index]++;
    p->free_next[index] = p->free_head;
    p->free_head = index;
    p->used--;
}

uint64_t
pool_handle(const struct pool *p, uint32_t index)
{
    CHECK(pool_in_use(p, index));
    return (uint64_t)p->generations[index] << 32 | index;
}

void *
pool_find(const struct pool *p, uint64_t handle)
{
    uint32_t index = (uint32_t)handle;
    uint32_t generation = (uint32_t)(handle >> 32);
    if (!pool_in_use(p, index) || p->generations[index] != generation)
        return NULL;
    return pool_at(p, index);
}

uint32_t
pool_next(const struct pool *p, uint32_t after)
{
    /* POOL_NONE + 1 wraps to index 0. */
    for (uint32_t i = after + 1; i < p->made; i++)
        if (pool_in_use(p, i))
            return i;
    return POOL_NONE;
}
