/* Equal-sized items, addressed by index, in blocks that never move: a pointer to an item stays
 * valid until the item is given back. Grows block by block up to a limit and never shrinks. Items
 * carry a generation, so a handle {index, generation} that went stale fails the look-up instead of
 * finding somebody else. One thread.
 */
#ifndef SEOM_BASE_POOL_H
#define SEOM_BASE_POOL_H

#include "base/check.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_NONE        UINT32_MAX
#define CACHE_LINE_BYTES 64

struct pool {
    uint8_t **blocks;      /* owned */
    uint32_t *generations; /* owned; odd = in use */
    uint32_t *free_next;   /* owned; free list */
    uint32_t free_head, used, made, limit;
    uint32_t block_shift; /* a block has 1 << block_shift items */
    size_t item_bytes;
};

/* block_items is rounded up to a power of two. */
void pool_init(struct pool *p, size_t item_bytes, uint32_t limit, uint32_t block_items);
void pool_fini(struct pool *p);
enum err pool_take(struct pool *p, uint32_t *index); /* the item is zeroed; ERR_FULL at the limit */
void pool_give(struct pool *p, uint32_t index);      /* CHECKs that it was taken */
uint64_t pool_handle(const struct pool *p, uint32_t index); /* generation << 32 | index */
void *pool_find(const struct pool *p, uint64_t handle);     /* NULL when stale */
uint32_t pool_next(
    const struct pool *p,
    uint32_t after); /* next index in use; start with POOL_NONE; POOL_NONE at the end */

static inline bool
pool_in_use(const struct pool *p, uint32_t index)
{
    return index < p->made && (p->generations[index] & 1);
}

/* CHECKs that it is in use. Inline, as a server does little else. */
static inline void *
pool_at(const struct pool *p, uint32_t index)
{
    CHECK(pool_in_use(p, index));
    uint32_t within = index & ((1U << p->block_shift) - 1);
    return p->blocks[index >> p->block_shift] + within * p->item_bytes;
}

/* Has the item, all its cache lines up to `bytes`, brought into the cache without waiting for it.
 * Any index may be asked for: this is a hint, and nothing is looked at. */
static inline void
pool_prefetch(const struct pool *p, uint32_t index, size_t bytes)
{
    if (index >= p->made)
        return;
    __builtin_prefetch(&p->generations[index]);
    uint32_t within = index & ((1U << p->block_shift) - 1);
    const uint8_t *item = p->blocks[index >> p->block_shift] + within * p->item_bytes;
    for (size_t at = 0; at < bytes; at += CACHE_LINE_BYTES)
        __builtin_prefetch(item + at, 1);
}

#endif
