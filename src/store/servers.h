/* The servers that hold one world's documents between them (spread.h), as they know themselves:
 * each carries a mark, meta/server-<number>, that says how many there are, which of them it is and
 * in which of them each bucket lies. So no node can open them in another order, or one of them
 * alone, or with an empty one in the place of one that was lost, and write where nobody looks.
 *
 * Asks every server for its mark; makes the marks when all servers are empty, the first one's last,
 * so that where it stands all stand; then counts this opening in the first one's, which gives the
 * committer above a number that none had before.
 *
 *   ASKING -> MAKING -> ASKING ...      COUNTING -> DONE      FAILED: why says what to do
 *      \_____________________________/^
 *
 * A state machine for the start of a node, over the engines' own ports: call servers_turn() until
 * it is DONE or FAILED; servers may be away for as long as they like. Logic room, one thread.
 */
#ifndef SEOM_STORE_SERVERS_H
#define SEOM_STORE_SERVERS_H

#include "env/env.h"
#include "store/keys.h"
#include "store/spread.h"

#define SERVERS_RETRY_US    500000
#define SERVERS_MARK_PREFIX "server-" /* of names in the class meta */
#define SERVERS_WHY_MAX     256
#define SERVERS_FORMAT      1

enum servers_state {
    SERVERS_ASKING,
    SERVERS_MAKING,
    SERVERS_COUNTING,
    SERVERS_DONE,
    SERVERS_FAILED,
    SERVERS_STATES
};

struct servers;

struct server {
    struct servers *servers;
    uint32_t number;
    struct env_store port;
    bool waits;          /* for an answer */
    bool marked, in_use; /* the last asking found: its mark; documents beside it */
    uint64_t mark_version, buckets_hash;
};

struct servers {
    const struct env *env; /* borrowed */
    uint16_t world;
    uint32_t count;
    struct server server[SPREAD_ENGINES_MAX];
    enum servers_state state;
    uint32_t answers_due;
    bool away;      /* something of the last round was not answered well */
    bool suspected; /* the last round found what cannot be, unless it was just being made */
    int64_t retry_us;
    uint8_t of_bucket[SPREAD_BUCKETS];
    uint64_t openings; /* as the first one's mark says; DONE: the number of this one */
    char why[SERVERS_WHY_MAX];
};

void servers_init(struct servers *s, const struct env *env, uint16_t world, uint32_t count);
/* Order of building: connect each engine with servers_done(), hand its port over, then turns. */
struct store_done servers_done(struct servers *s, uint32_t number);
void servers_connect(struct servers *s, uint32_t number, const struct env_store *port);
/* Returns the mono time (us) of the next turn. */
int64_t servers_turn(struct servers *s);

#endif
