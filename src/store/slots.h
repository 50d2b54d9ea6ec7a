/* The slots of the pages of places (place.h) that this process made itself: nobody else writes
 * them, and it writes no others. Ids of pages come from blocks leased of the store and are never
 * used again, so a process that begins anew, or under a new node_epoch, begins with new pages.
 *
 * A slot belongs to a player from slots_take() until slots_give(), which is called when the
 * player's document names another one; then somebody else gets it. Pages of a process that ended
 * stay in the store as long as documents name them; after that sweep.h takes them away.
 *
 * Logic room, one thread, owned by the home. Limit: SLOTS_PAGES_MAX pages of 64.
 */
#ifndef SEOM_STORE_SLOTS_H
#define SEOM_STORE_SLOTS_H

#include "base/map.h"
#include "base/pool.h"
#include "store/ids.h"
#include "store/place.h"

#define SLOTS_PAGES_MAX 32768
/* Pages made this way have higher numbers than any that was named by a player's id. */
#define SLOTS_FIRST_PAGE (UINT64_C(1) << (IDS_COUNTER_BITS - 5))

struct slots {
    struct ids ids;
    struct pool pages; /* struct slot_page of slots.c */
    struct map by_number;
    uint32_t first_open; /* pages with room */
    uint32_t taken;
};

void slots_init(struct slots *slots, struct store *store, uint16_t world);
void slots_fini(struct slots *slots);
/* Asks for numbers of pages when there are none; true: slots_take() will find one. */
bool slots_ready(struct slots *slots);
/* *page_is_new: see place_new_page(). ERR_UNAVAILABLE: no number of a page yet, ask again;
 * ERR_FULL: all slots of all pages are taken. */
enum err slots_take(struct slots *slots, uint64_t player, struct place_slot *slot,
                    bool *page_is_new) MUST_USE;
bool slots_has(const struct slots *slots, uint64_t player, const struct place_slot *slot);
bool slots_owns(const struct slots *slots, uint64_t page);
/* Nothing happens when it is not that player's. */
void slots_give(struct slots *slots, uint64_t player, const struct place_slot *slot);

#endif
