/* When a world on a shared store was born, and its seed: meta/birth, written once by the first node
 * that ever came and read by all others, so that all have one world time. (A world of one process
 * keeps both in a file, app/origin.h.) With it comes the last world time that was kept.
 *
 * A state machine for the start of a node: call birth_turn() until birth_state() is DONE or FAILED.
 * The store may be away for as long as it likes. Logic room, one thread.
 */
#ifndef SEOM_STORE_BIRTH_H
#define SEOM_STORE_BIRTH_H

#include "store/clock.h"

#define BIRTH_FORMAT   1 /* of the data; what is newer is refused */
#define BIRTH_RETRY_US 500000

enum birth_state {
    BIRTH_WAITING,
    BIRTH_READING,
    BIRTH_WRITING,
    BIRTH_CLOCK,
    BIRTH_DONE,
    BIRTH_FAILED,
    BIRTH_STATES
};

struct birth {
    struct store *store; /* borrowed */
    struct key key;
    uint16_t world;
    enum birth_state state;
    int64_t retry_us;
    int64_t offered_wall_ms; /* what a new world is given */
    uint64_t offered_seed;
    int64_t wall_ms; /* since 1970 */
    uint64_t seed;
    int64_t saved_world_ms; /* 0: a new world */
    struct clock_load clock;
    bool away;  /* the last try found no store */
    bool newer; /* FAILED: the data format is one of a newer seom */
};

/* wall_ms and seed: taken when there is no world yet. */
void birth_init(struct birth *b, struct store *store, uint16_t world, int64_t wall_ms,
                uint64_t seed);
/* Returns the mono time (us) of the next turn. */
int64_t birth_turn(struct birth *b);

#endif
