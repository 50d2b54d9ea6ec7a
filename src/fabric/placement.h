/* Which home somebody gets who stands somewhere: people who are near each other at the same home,
 * so that little is told between homes, and no home much fuller than the others. A pure function of
 * the homes and their loads, so every node draws the same from the same book; no memory, no thread.
 *
 * A region of the land has an order of homes (rendezvous hash): when a home comes or goes, only the
 * regions that it heads change. The first `share` of that order take the people of the region, the
 * least loaded first; who is too full is passed over.
 */
#ifndef SEOM_FABRIC_PLACEMENT_H
#define SEOM_FABRIC_PLACEMENT_H

#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define PLACEMENT_REGION_CHUNKS 16
#define PLACEMENT_FULL_PERCENT  125 /* of the average load, */
#define PLACEMENT_FULL_PEOPLE   50  /* and so many: then a home is passed over */
#define PLACEMENT_HOMES_MAX     128
#define PLACEMENT_NONE          UINT32_MAX

struct placement_home {
    uint64_t node; /* its node_epoch */
    uint32_t players;
    bool draining; /* takes nobody */
};

/* How many a home may have: who has more is passed over. 0: nobody takes people. */
uint32_t placement_full_at(const struct placement_home *homes, uint32_t count);
uint64_t placement_region(uint32_t island, struct place at);
/* The place in homes of the one that somebody in the region goes to; PLACEMENT_NONE: nobody takes
 * people. share: homes that share a region, 0 = 1. */
uint32_t placement_choose(const struct placement_home *homes, uint32_t count, uint64_t region,
                          uint32_t share);

#endif
