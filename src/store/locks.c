#include "store/locks.h"
#include "base/check.h"
#include <stdlib.h>

struct lock {
    uint32_t holder;
    uint32_t first, last; /* waiting */
    uint32_t waiting;
};

void
locks_init(struct locks *locks, uint32_t holders_max, uint32_t keys_per_holder)
{
    uint32_t keys_max = holders_max * keys_per_holder;
    *locks = (struct locks){.holders_max = holders_max,
                            .next_waiter = calloc(holders_max, sizeof locks->next_waiter[0])};
    CHECK(locks->next_waiter != NULL);
    pool_init(&locks->items, sizeof(struct lock), keys_max, 64);
    map_init(&locks->by_key, keys_max, 0);
}

void
locks_fini(struct locks *locks)
{
    pool_fini(&locks->items);
    map_fini(&locks->by_key);
    free(locks->next_waiter);
    *locks = (struct locks){0};
}

static struct lock *
lock_find(struct locks *locks, uint64_t key)
{
    uint32_t index = map_get(&locks->by_key, key);
    return index == MAP_NONE ? NULL : pool_at(&locks->items, index);
}

bool
locks_try(struct locks *locks, uint64_t key, uint32_t holder)
{
    CHECK(key != 0 && holder < locks->holders_max);
    const struct lock *lock = lock_find(locks, key);
    if (lock != NULL)
        return lock->holder == holder;
    uint32_t index;
    CHECK(pool_take(&locks->items, &index) == OK); /* keys_per_holder is everybody's limit */
    *(struct lock *)pool_at(&locks->items, index) =
        (struct lock){.holder = holder, .first = LOCKS_NONE, .last = LOCKS_NONE};
    CHECK(map_put(&locks->by_key, key, index) == OK);
    return true;
}

enum lock_answer
locks_take(struct locks *locks, uint64_t key, uint32_t holder)
{
    if (locks_try(locks, key, holder))
        return LOCK_YOURS;
    struct lock *lock = lock_find(locks, key);
    if (lock->waiting == LOCKS_WAITERS_MAX)
        return LOCK_FULL;
    lock->waiting++;
    locks->next_waiter[holder] = LOCKS_NONE;
    if (lock->last == LOCKS_NONE)
        lock->first = holder;
    else
        locks->next_waiter[lock->last] = holder;
    lock->last = holder;
    return LOCK_WAIT;
}

uint32_t
locks_give(struct locks *locks, uint64_t key, uint32_t holder)
{
    struct lock *lock = lock_find(locks, key);
    CHECK(lock != NULL && lock->holder == holder);
    uint32_t next = lock->first;
    if (next == LOCKS_NONE) {
        pool_give(&locks->items, map_remove(&locks->by_key, key));
        return LOCKS_NONE;
    }
    lock->holder = next;
    lock->waiting--;
    lock->first = locks->next_waiter[next];
    if (lock->first == LOCKS_NONE)
        lock->last = LOCKS_NONE;
    return next;
}
