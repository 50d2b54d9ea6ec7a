#include "society/table.h"
#include "base/check.h"
#include "base/rand.h"
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 1024

void
table_init(struct table *table, size_t item_bytes, uint64_t limit, table_needless *needless)
{
    CHECK(item_bytes >= sizeof(struct table_key) && limit > 0);
    *table = (struct table){.item_bytes = item_bytes, .limit = limit, .needless = needless};
}

void
table_fini(struct table *table)
{
    free(table->items);
    *table = (struct table){0};
}

static struct table_key
key_of(const void *item)
{
    struct table_key key;
    memcpy(&key, item, sizeof key);
    return key;
}

/* The place of a key, taken or empty; there is always an empty one. */
static uint8_t *
place_of(uint8_t *items, size_t item_bytes, uint64_t capacity, struct table_key key)
{
    uint64_t at = rand_mix(key.id, key.rest) & (capacity - 1);
    for (;; at = (at + 1) & (capacity - 1)) {
        uint8_t *place = items + at * item_bytes;
        struct table_key there = key_of(place);
        if (there.rest == 0 || (there.id == key.id && there.rest == key.rest))
            return place;
    }
}

static bool
is_needed(const struct table *table, const void *item)
{
    return key_of(item).rest != 0 && (table->needless == NULL || !table->needless(item));
}

/* Room for one more, at most half full afterwards. */
static bool
table_grow(struct table *table)
{
    uint64_t needed = 0, capacity = CAPACITY_FIRST;
    for (uint64_t i = 0; i < table->capacity; i++)
        needed += is_needed(table, table->items + i * table->item_bytes);
    if (needed >= table->limit)
        return false;
    while (capacity <= 2 * needed)
        capacity *= 2;
    uint8_t *items = calloc(capacity, table->item_bytes);
    if (items == NULL)
        return false;
    for (uint64_t i = 0; i < table->capacity; i++) {
        const uint8_t *item = table->items + i * table->item_bytes;
        if (is_needed(table, item))
            memcpy(place_of(items, table->item_bytes, capacity, key_of(item)), item,
                   table->item_bytes);
        else if (key_of(item).rest != 0 && table->left != NULL)
            table->left(table->left_ctx, item);
    }
    free(table->items);
    table->items = items;
    table->capacity = capacity;
    table->count = needed;
    return true;
}

void *
table_reach(struct table *table, struct table_key key)
{
    CHECK(key.rest != 0);
    uint8_t *place = NULL;
    if (table->capacity > 0) {
        place = place_of(table->items, table->item_bytes, table->capacity, key);
        if (key_of(place).rest != 0)
            return place;
    }
    bool full = table->count >= table->limit || 4 * (table->count + 1) > 3 * table->capacity;
    if (full) {
        if (!table_grow(table))
            return NULL;
        place = place_of(table->items, table->item_bytes, table->capacity, key);
    }
    memcpy(place, &key, sizeof key);
    table->count++;
    return place;
}

const void *
table_find(const struct table *table, struct table_key key)
{
    CHECK(key.rest != 0);
    if (table->capacity == 0)
        return NULL;
    const uint8_t *place = place_of(table->items, table->item_bytes, table->capacity, key);
    return key_of(place).rest != 0 ? place : NULL;
}

void *
table_next(const struct table *table, uint64_t *cursor)
{
    while (*cursor < table->capacity) {
        uint8_t *item = table->items + (*cursor)++ * table->item_bytes;
        if (key_of(item).rest != 0)
            return item;
    }
    return NULL;
}
