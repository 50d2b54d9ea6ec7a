/* For tests: people on the square who do things, sensible and senseless ones, drawn from a source
 * of numbers, each followed in the model. After each the store must be as the model says; the audit
 * is asked now and then. The first thing that is wrong ends it.
 */
#ifndef SEOM_SOCIETY_PLAY_H
#define SEOM_SOCIETY_PLAY_H

#include "society/model.h"

#define PLAY_AUDIT_EVERY 16
#define PLAY_DEEDS       (SEOM__DEED__WHAT_CLAIM + 1)

struct play_source {
    void *ctx;
    uint32_t (*below)(void *ctx, uint32_t limit); /* limit > 0 */
};

/* What happened: each must, or a play proves little. */
struct play_counts {
    uint64_t fine[PLAY_DEEDS], refused[PLAY_DEEDS]; /* by what_case of Deed */
    uint64_t overflow_mine, overflow_theirs, expired, hash_misfits, retries;
};

struct play {
    struct square *square;
    struct model model;
    struct play_source source;
    struct play_counts counts;
    char wrong[SQUARE_NOTES_BYTES + 64]; /* empty: nothing is */
};

struct play *play_alloc(uint64_t seed, enum society_mutant mutant, struct play_source source);
void play_free(struct play *play);
/* Single things for everybody, fewer from one to the next, so that the first one's bag is nearly
 * full. */
void play_stock(struct play *play, uint32_t most, uint32_t fewer);
/* Up to steps commands or passing days, and an audit at the end; false: something is wrong. */
bool play_steps(struct play *play, uint32_t steps);

#endif
