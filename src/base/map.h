/* Open-addressing map from a non-zero u64 key to a u32 value (an index into a pool). It belongs to
 * one thread, grows by doubling up to limit entries and never shrinks. Keys are mixed with the
 * map's seed; where clients choose keys, give a random seed.
 */
#ifndef SEOM_BASE_MAP_H
#define SEOM_BASE_MAP_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot {
    uint64_t key; /* 0 = empty */
    uint32_t value;
};

struct map {
    struct map_slot *slots; /* owned */
    uint32_t count, capacity, limit;
    uint64_t seed;
};

void map_init(struct map *m, uint32_t limit, uint64_t seed);
void map_fini(struct map *m);
uint32_t map_get(const struct map *m,
                 uint64_t key); /* MAP_NONE when absent, which key 0 always is */
/* Has what map_get(m, key) will look at brought into the cache, without waiting for it. */
void map_prefetch(const struct map *m, uint64_t key);
enum err map_put(struct map *m, uint64_t key, uint32_t value); /* replaces; ERR_FULL at the limit */
uint32_t map_remove(struct map *m, uint64_t key); /* what stood there, MAP_NONE when absent */
/* Walks all entries in slot order: start with *cursor = 0; false at the end. Do not change
 * meanwhile. */
bool map_next(const struct map *m, uint32_t *cursor, uint64_t *key, uint32_t *value);

#endif
