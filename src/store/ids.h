/* Ids: u64 = world 16 bit | counter 48 bit, never reused. A source leases blocks of 2^20 counters
 * from the store by CAS on meta/ids-<what> and hands them out one by one; it leases the next block
 * when half of this one is gone, so nobody waits. What a dead process had leased and not used is
 * lost, which 2^28 blocks can bear. One source per kind of thing, so that the ids of players lie
 * close together (place/ pages hold 64 neighbours). Kinds that must never share an id, as all that
 * can be seen must not, begin at counters of their own (ids_begin_at()).
 *
 * Logic room, one thread, owned by whoever makes such things. No memory beyond the struct; two
 * calls of the store at most.
 */
#ifndef SEOM_STORE_IDS_H
#define SEOM_STORE_IDS_H

#include "base/err.h"
#include "store/keys.h"
#include "store/store.h"
#include <stdint.h>

#define IDS_BLOCK        (1ULL << 20)
#define IDS_COUNTER_BITS 48
#define IDS_COUNTER_MASK ((1ULL << IDS_COUNTER_BITS) - 1)

enum ids_state { IDS_IDLE, IDS_READING, IDS_WRITING, IDS_WAITING, IDS_STATES };

struct ids {
    struct store *store; /* borrowed */
    struct key key;
    uint16_t world;
    enum ids_state state;
    uint64_t next, end;             /* counters of the block in hand; next == end: none left */
    uint64_t spare_next, spare_end; /* the block after it; empty: not leased yet */
    uint64_t wanted;                /* first counter of the block that is being leased */
    uint64_t first;                 /* counters below it are none of this kind */
    int64_t retry_at_us, retry_after_us;
    bool used_up;              /* all 2^48 counters are leased */
    uint64_t blocks, failures; /* leased; tries that failed */
};

void ids_init(struct ids *ids, struct store *store, uint16_t world,
              const char *what); /* asks for nothing yet */
/* Counters below first are never given: also in a world where this kind had some of them, which go
 * on being what they are. Before anything is asked. */
void ids_begin_at(struct ids *ids, uint64_t first);
/* ERR_UNAVAILABLE: no block yet, one is being leased, ask again; ERR_FULL: the counter is used up.
 */
enum err ids_take(struct ids *ids, uint64_t *id);
void ids_prepare(
    struct ids *ids); /* leases the first block now, so that the first ids_take() finds one */

static inline uint16_t
id_world(uint64_t id)
{
    return (uint16_t)(id >> IDS_COUNTER_BITS);
}

static inline uint64_t
id_counter(uint64_t id)
{
    return id & IDS_COUNTER_MASK;
}

#endif
