/* World time kept in the store (meta/clock): the value that the clock must never fall below after a
 * restart. Loading is asked once at start. It never goes backwards, whoever writes: many homes keep
 * the clock of one world, each writes on top of the version it knows and only what is later than
 * what stands there; while one of them does, the others look and are content. Logic room, one
 * thread.
 */
#ifndef SEOM_STORE_CLOCK_H
#define SEOM_STORE_CLOCK_H

#include "base/err.h"
#include "store/keys.h"
#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_DOCUMENT_MAX 16

/* world_ms: 0 for a world that was never saved. ERR_UNAVAILABLE, ERR_FORMAT: do not start on a
 * guess. */
typedef void clock_loaded(void *ctx, enum err result, int64_t world_ms);

struct clock_load {
    clock_loaded *done;
    void *ctx;
};

/* load is the caller's and must stay until the call-back. ERR_FULL from the store. */
enum err clock_load(struct clock_load *load, struct store *store, uint16_t world,
                    clock_loaded *done, void *ctx);

enum clock_state { CLOCK_IDLE, CLOCK_READING, CLOCK_WRITING, CLOCK_STATES };

struct clock_keeper {
    struct store *store; /* borrowed */
    uint16_t world;
    enum clock_state state;
    int64_t wanted_ms; /* under way: what is to stand there, */
    int64_t slack_ms;  /* or so much less, if somebody else wrote it */
    int64_t kept_ms;   /* known to stand there, at least; -1: nothing is known */
    uint64_t version;
    bool known; /* the version is what we wrote last: no need to read before the next write */
    uint64_t writes, failures;
};

void clock_keeper_init(struct clock_keeper *keeper, struct store *store, uint16_t world);
/* world_ms is to stand in the store, or what another home wrote that is at most slack_ms earlier.
 * Nothing happens while the last one is under way; one that failed is asked for anew. */
void clock_keep(struct clock_keeper *keeper, int64_t world_ms, int64_t slack_ms);
enum err clock_decode(struct slice value, int64_t *world_ms); /* also for tools */

#endif
