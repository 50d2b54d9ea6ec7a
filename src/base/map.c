/* Linear probing. An entry stands at its home slot or behind it, with no empty slot in between; a
 * removal keeps that by moving later entries back into the hole, so there are no tombstones and the
 * cost of a look-up depends on what is in the map only. */
#include "base/map.h"
#include "base/check.h"
#include "base/rand.h"
#include <stdlib.h>

#define CAPACITY_MIN 16

static uint32_t
slot_home(const struct map *m, uint64_t key)
{
    return (uint32_t)(rand_mix(m->seed, key) >> 32) & (m->capacity - 1);
}

/* The slot of key, or the empty slot where it would stand. One empty slot always exists. */
static uint32_t
slot_find(const struct map *m, uint64_t key)
{
    CHECK(m->count < m->capacity);
    uint32_t at = slot_home(m, key);
    while (m->slots[at].key != 0 && m->slots[at].key != key)
        at = (at + 1) & (m->capacity - 1);
    return at;
}

void
map_init(struct map *m, uint32_t limit, uint64_t seed)
{
    CHECK(limit > 0 && limit <= 1u << 30);
    *m = (struct map){.limit = limit, .seed = seed};
}

void
map_fini(struct map *m)
{
    free(m->slots);
    *m = (struct map){.slots = NULL};
}

static void
map_grow(struct map *m)
{
    struct map grown = *m;
    grown.capacity = m->capacity ? m->capacity * 2 : CAPACITY_MIN;
    grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
    CHECK(grown.slots); /* memory for the configured limits is a promise made at start */
    for (uint32_t i = 0; i < m->capacity; i++)
        if (m->slots[i].key != 0)
            grown.slots[slot_find(&grown, m->slots[i].key)] = m->slots[i];
    free(m->slots);
    *m = grown;
}

uint32_t
map_get(const struct map *m, uint64_t key)
{
    if (m->count == 0 || key == 0)
        return MAP_NONE;
    const struct map_slot *slot = &m->slots[slot_find(m, key)];
    return slot->key == key ? slot->value : MAP_NONE;
}

void
map_prefetch(const struct map *m, uint64_t key)
{
    if (m->count > 0)
        __builtin_prefetch(&m->slots[slot_home(m, key)]);
}

enum err
map_put(struct map *m, uint64_t key, uint32_t value)
{
    CHECK(key != 0 && value != MAP_NONE && m->limit > 0);
    if (m->capacity > 0) {
        struct map_slot *slot = &m->slots[slot_find(m, key)];
        if (slot->key == key) {
            slot->value = value;
            return OK;
        }
    }
    if (m->count == m->limit)
        return ERR_FULL;
    if ((m->count + 1) * 4ull > m->capacity * 3ull)
        map_grow(m);
    m->slots[slot_find(m, key)] = (struct map_slot){.key = key, .value = value};
    m->count++;
    return OK;
}

/* Fills the hole with the next entry that may stand there (its home is not behind the hole), which
 * leaves a hole further on, until an empty slot ends the run. */
static void
close_hole(struct map *m, uint32_t hole)
{
    uint32_t mask = m->capacity - 1;
    for (uint32_t at = (hole + 1) & mask; m->slots[at].key != 0; at = (at + 1) & mask) {
        uint32_t from_home = (at - slot_home(m, m->slots[at].key)) & mask;
        uint32_t from_hole = (at - hole) & mask;
        if (from_home < from_hole)
            continue;
        m->slots[hole] = m->slots[at];
        hole = at;
    }
    m->slots[hole] = (struct map_slot){.key = 0};
}

uint32_t
map_remove(struct map *m, uint64_t key)
{
    CHECK(key != 0);
    if (m->count == 0)
        return MAP_NONE;
    uint32_t at = slot_find(m, key);
    if (m->slots[at].key != key)
        return MAP_NONE;
    uint32_t value = m->slots[at].value;
    close_hole(m, at);
    m->count--;
    return value;
}

bool
map_next(const struct map *m, uint32_t *cursor, uint64_t *key, uint32_t *value)
{
    while (*cursor < m->capacity) {
        const struct map_slot *slot = &m->slots[(*cursor)++];
        if (slot->key == 0)
            continue;
        *key = slot->key;
        *value = slot->value;
        return true;
    }
    return false;
}
