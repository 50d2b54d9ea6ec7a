/* Whether the nodes of a half that were replaced serve people: visitors come in at each of its
 * gates, from island to island, until each of its homes had one. For the tool `seom roll`, which
 * waits for it.
 */
#ifndef SEOM_APP_ROLL_HEALTH_H
#define SEOM_APP_ROLL_HEALTH_H

#include "app/roll_plan.h"
#include "app/sea.h"
#include "base/err.h"

struct roll_health {
    const char *data; /* borrowed, as the rest */
    const struct roll_shard *shard;
    const struct roll_half *half;
    const struct archipelago *islands;
    uint32_t visits;               /* out */
    uint32_t homes_seen;           /* out: homes of the half that visitors were led to */
    bool seen[ROLL_NODES_MAX];     /* out: by node of the half */
    int64_t welcome_us, result_us; /* out: the longest */
    char why[ROLL_WHY_MAX];
};

/* ERR_UNAVAILABLE: not well, and why. A home that no visitor was led to (the islands' shores belong
 * to others) is not seen, but has its links. */
enum err roll_health_check(struct roll_health *h) MUST_USE;

#endif
