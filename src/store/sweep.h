/* Takes away pages of places that no player's document names (place.h). A process that ends leaves
 * its pages behind, and people who come back get slots on pages of others; what nobody came back to
 * stays. One page at a time: it is found by walking over the pages, the documents of those who
 * stand on it are read until one names it, and if none does it is removed, if its version is still
 * the one that was found.
 *
 * Nobody needs to know whether its process lives, only stands still, or is dead. A process writes
 * its pages whole and of any version: what it writes after that brings the page back with all that
 * it knows, what it wrote before makes the removal fail. And who gets a slot of the page after his
 * document was read is set down there anew, by that process, at the latest a second later; until
 * then the document itself says where he stands.
 *
 * Logic room, one thread, owned by the home; two sweepers do each other no harm. At most one call
 * of the store is under way, and a page begins at most with each turn.
 */
#ifndef SEOM_STORE_SWEEP_H
#define SEOM_STORE_SWEEP_H

#include "store/keys.h"
#include "store/place.h"
#include "store/slots.h"

#define SWEEP_REST_MS 600000 /* between two rounds, and before the first */

struct sweep_stats {
    uint64_t rounds, pages; /* pages: looked at, but for the own ones */
    uint64_t reads;         /* of documents */
    uint64_t swept;
    uint64_t changed;  /* pages that were written in the moment of their removal */
    uint64_t failures; /* calls of the store; the page is left to the next round */
};

enum sweep_state { SWEEP_RESTS, SWEEP_FINDS, SWEEP_READS, SWEEP_REMOVES, SWEEP_STATES };

struct sweep {
    struct store *store;       /* borrowed */
    const struct slots *slots; /* borrowed: own pages are left alone */
    uint16_t world;
    uint32_t rest_ms;
    bool blind; /* mutant: documents are not looked at */
    enum sweep_state state;
    int64_t due_us;
    struct key after; /* the key of the last page of this round; empty: it begins */
    uint64_t number;  /* of the page at hand */
    uint64_t version;
    uint32_t slot;
    uint64_t players[PLACE_PAGE_SLOTS]; /* 0: nobody */
    uint64_t swept_before;              /* this round */
    struct sweep_stats stats;
};

/* rest_ms 0: SWEEP_REST_MS. */
void sweep_init(struct sweep *sweep, struct store *store, uint16_t world, const struct slots *slots,
                uint32_t rest_ms);
/* Each tick, while this process is the one to sweep. */
void sweep_turn(struct sweep *sweep);

#endif
