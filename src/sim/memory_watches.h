/* Who wants hints about which key, for the simulator's engine: pairs of key and connection, at most
 * STORE_WATCHES_MAX. Used by memory_store.c only. One thread.
 */
#ifndef SEOM_SIM_MEMORY_WATCHES_H
#define SEOM_SIM_MEMORY_WATCHES_H

#include "base/pool.h"
#include "sim/memory_documents.h"

#define MEMORY_WATCH_BUCKETS 1024

struct memory_watches {
    struct pool items;
    uint32_t buckets[MEMORY_WATCH_BUCKETS]; /* first of each */
};

typedef void memory_watches_tell(void *ctx, const struct memory_key *key, uint64_t connection);

void memory_watches_init(struct memory_watches *watches);
void memory_watches_fini(struct memory_watches *watches);
/* Twice is once. ERR_FULL. */
enum err memory_watches_set(struct memory_watches *watches, const struct memory_key *key,
                            uint64_t connection, bool on) MUST_USE;
void memory_watches_drop(struct memory_watches *watches, uint64_t connection); /* all of it */
void memory_watches_each(const struct memory_watches *watches, const struct memory_key *key,
                         memory_watches_tell *tell, void *ctx);

#endif
