/* What a bench writes into a store before the bots come: who each bot is, its ticket, and where it
 * stands. Asks the same plan as the bots themselves, so a seeded bot's way begins where it stands.
 * Pure; any thread.
 */
#ifndef SEOM_BOTS_SEED_H
#define SEOM_BOTS_SEED_H

#include "bots/plan.h"
#include "wire/ticket.h"

struct seed_options {
    const uint8_t *key; /* TICKET_KEY_BYTES of the data directory; borrowed */
    uint16_t world;
    uint64_t first_counter; /* bots get first_counter, first_counter + 1, ...; > 0 */
    uint32_t first_island;  /* the square islands are first_island, first_island + 1, ... */
    int64_t world_ms;       /* since when they stand there */
};

struct seed_place {
    uint64_t player;
    uint32_t island;
    struct motion motion; /* standing */
    uint8_t look;
    uint8_t ticket[TICKET_BYTES];
};

/* plan: of square islands. */
void seed_place(const struct plan *plan, const struct seed_options *options, uint32_t bot,
                struct seed_place *out);

#endif
