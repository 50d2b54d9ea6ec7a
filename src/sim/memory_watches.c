#include "sim/memory_watches.h"
#include "base/check.h"
#include <string.h>

#define BLOCK_ITEMS 256

struct watch {
    struct memory_key key;
    uint64_t connection;
    uint32_t next; /* in its bucket; POOL_NONE at the end */
};

void
memory_watches_init(struct memory_watches *watches)
{
    pool_init(&watches->items, sizeof(struct watch), STORE_WATCHES_MAX, BLOCK_ITEMS);
    memset(watches->buckets, 0xff, sizeof watches->buckets); /* POOL_NONE */
}

void
memory_watches_fini(struct memory_watches *watches)
{
    pool_fini(&watches->items);
}

static struct watch *
watch_at(const struct memory_watches *watches, uint32_t index)
{
    return pool_at(&watches->items, index);
}

/* The link that leads to the watch, or the one at the end. */
static uint32_t *
watch_link(struct memory_watches *watches, const struct memory_key *key, uint64_t connection)
{
    uint32_t *link = &watches->buckets[key->hash % MEMORY_WATCH_BUCKETS];
    while (*link != POOL_NONE) {
        struct watch *watch = watch_at(watches, *link);
        if (watch->connection == connection && memory_key_equal(&watch->key, key))
            break;
        link = &watch->next;
    }
    return link;
}

static void
watch_remove(struct memory_watches *watches, uint32_t *link)
{
    uint32_t index = *link;
    CHECK(index != POOL_NONE);
    *link = watch_at(watches, index)->next;
    pool_give(&watches->items, index);
}

enum err
memory_watches_set(struct memory_watches *watches, const struct memory_key *key,
                   uint64_t connection, bool on)
{
    uint32_t *link = watch_link(watches, key, connection);
    if (on == (*link != POOL_NONE))
        return OK;
    if (!on) {
        watch_remove(watches, link);
        return OK;
    }
    uint32_t index;
    enum err error = pool_take(&watches->items, &index);
    if (error != OK)
        return error;
    *watch_at(watches, index) = (struct watch){*key, connection, POOL_NONE};
    *link = index;
    return OK;
}

void
memory_watches_drop(struct memory_watches *watches, uint64_t connection)
{
    for (uint32_t i = pool_next(&watches->items, POOL_NONE); i != POOL_NONE;
         i = pool_next(&watches->items, i)) {
        const struct watch *watch = watch_at(watches, i);
        if (watch->connection == connection)
            watch_remove(watches, watch_link(watches, &watch->key, connection));
    }
}

void
memory_watches_each(const struct memory_watches *watches, const struct memory_key *key,
                    memory_watches_tell *tell, void *ctx)
{
    for (uint32_t i = watches->buckets[key->hash % MEMORY_WATCH_BUCKETS]; i != POOL_NONE;) {
        const struct watch *watch = watch_at(watches, i);
        if (memory_key_equal(&watch->key, key))
            tell(ctx, key, watch->connection);
        i = watch->next;
    }
}
