/* Locks of one process: who works on a key, and who waits for it in order of arrival. They spare
 * needless conflicts between commands of one process; what is safe are the versions of documents.
 * Keys are hashes: two that collide only wait for each other.
 *
 * One thread. A holder is a small number below holders_max; it may hold many keys and wait for one.
 */
#ifndef SEOM_STORE_LOCKS_H
#define SEOM_STORE_LOCKS_H

#include "base/map.h"
#include "base/pool.h"
#include <stdbool.h>
#include <stdint.h>

#define LOCKS_NONE        UINT32_MAX
#define LOCKS_WAITERS_MAX 64 /* for one key: what everybody wants must not take all slots */

struct locks {
    struct pool items; /* struct lock of locks.c */
    struct map by_key;
    uint32_t *next_waiter; /* owned: per holder, who waits behind it */
    uint32_t holders_max;
};

void locks_init(struct locks *locks, uint32_t holders_max, uint32_t keys_per_holder);
void locks_fini(struct locks *locks);
/* true: holder has it now, or had it. false: somebody else has it, nothing changed. key is not 0.
 */
bool locks_try(struct locks *locks, uint64_t key, uint32_t holder);

enum lock_answer {
    LOCK_YOURS,
    LOCK_WAIT, /* holder waits, and gets it when its turn comes (locks_give() tells) */
    LOCK_FULL  /* LOCKS_WAITERS_MAX wait already: nothing changed */
};

enum lock_answer locks_take(struct locks *locks, uint64_t key, uint32_t holder) MUST_USE;
/* Gives back what holder has; who has it now, LOCKS_NONE: nobody. */
uint32_t locks_give(struct locks *locks, uint64_t key, uint32_t holder);

#endif
