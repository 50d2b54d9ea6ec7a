/* Claims: of which blocks this node is the steward, as documents steward/<block> say it. Only the
 * candidate of a block claims it: the home that wins the rendezvous of the block's name with the
 * epochs of all homes of the book that live and do not drain. Every node draws the same from the
 * same book; where books differ for a while, the document decides, and steward_epoch, raised with
 * every claim, tells whose word about the things is the last.
 *
 *            room            names others          written
 *   WANTED ------> READING ------------> CLAIMING ---------> HELD <------+
 *     ^  ^          |   ^ |                | |                | due      |
 *     |  |          |   +-|----------------+ |                v          | still ours,
 *     |  |          |     |  lost a race, or |             CHECKING -----+ or the store is away
 *     |  |          |     |  nobody knows    |                |
 *     |  +-- AWAY <-+     |                  |                | another has it
 *     |       ^   no store v                 |                v
 *     |       +------------ (ours already: HELD)            LOST
 *     +-------------------------------------------------------+  a pause; if it is still wanted
 *
 * A block that is held stays so while the store is away, and, asleep, in a cache, so that waking it
 * again costs nothing. Alone (no book) every block is ours with epoch 1 and nothing is written;
 * claims of a cluster begin at 2, so a world can be led either way.
 *
 * Inside of struct world, for this room only. Limits: one for each topic, CLAIMS_RESTING_MAX of
 * them asleep, CLAIMS_UNDER_WAY_MAX calls of the store.
 */
#ifndef SEOM_WORLD_CLAIM_H
#define SEOM_WORLD_CLAIM_H

#include "base/map.h"
#include "base/pool.h"
#include "fabric/book.h"
#include "wire/link.h"
#include <stdbool.h>
#include <stdint.h>

#define CLAIM_CHECK_MS       30000 /* a held block's document is read again */
#define CLAIM_LOST_MS        5000  /* before a block that another took is claimed again */
#define CLAIMS_UNDER_WAY_MAX 256
#define CLAIMS_RESTING_MAX   4096
#define CLAIMS_DEAD_MAX      64

struct world;

enum claim_state {
    CLAIM_FREE,
    CLAIM_WANTED,
    CLAIM_READING,
    CLAIM_CLAIMING,
    CLAIM_HELD,
    CLAIM_CHECKING,
    CLAIM_LOST,
    CLAIM_AWAY,
    CLAIM_STATES
};

struct claim {
    enum claim_state state;
    topic_id block;
    uint64_t epoch;   /* CLAIMING: the one being written; HELD, CHECKING: ours */
    uint64_t version; /* of the document, as read last */
    int64_t due_ms;   /* HELD: to be read again; LOST, AWAY: to be wanted again */
    int64_t won_ms;
    bool resting;            /* HELD or CHECKING while the block sleeps */
    bool again;              /* CHECKING: what comes may be old */
    uint8_t failures;        /* in a row */
    uint32_t next, previous; /* among those wanted, or resting */
};

struct claim_list {
    uint32_t first, last, count;
};

struct claims {
    struct pool pool;
    struct map by_block;
    struct claim_list wanted, resting;
    uint32_t under_way, held;
    int64_t swept_ms;
    bool missed;                    /* there was no room for one */
    uint64_t revision;              /* of the book that was looked at last */
    uint64_t homes[BOOK_NODES_MAX]; /* who can be a steward */
    uint32_t homes_count;
    uint16_t shard;
    uint32_t others; /* homes that may write what we know, whatever becomes of them */
    uint32_t abroad; /* likewise, of other shards: what is a player's, not what lies on land */
    uint64_t dead[CLAIMS_DEAD_MAX]; /* declared so, maybe still in the book; a ring */
    uint32_t dead_next;
};

void claims_init(struct world *w, uint32_t claims_max);
void claims_fini(struct world *w);
bool claim_is_alone(const struct world *w);           /* no book */
bool claim_has_others(const struct world *w);         /* other homes of our shard are in the book */
bool claim_has_homes_anywhere(const struct world *w); /* or of any shard */
/* The home that is to be the steward of a block. */
uint64_t claim_candidate(const struct world *w, topic_id block);
/* The block is wanted awake. true: it is ours, with *epoch. Else steward_won() follows if and when
 * it becomes so. */
bool claim_want(struct world *w, topic_id block, uint64_t *epoch);
void claim_rest(struct world *w, topic_id block); /* it fell asleep */
void claim_hinted(struct world *w, topic_id block);
/* The book, or who is dead, changed: gives up what others are candidates of now. true: what is
 * subscribed and sleeps is to be wanted again. */
bool claims_look_at_book(struct world *w);
void claims_turn(struct world *w, int64_t now_ms); /* each tick */
void claims_forget(struct world *w);               /* this process has a new name */

#endif
