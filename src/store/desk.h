/* A whole store on virtual time for the unit tests of this room: schedule, engine model, counter.
 * Tests only. */
#ifndef SEOM_STORE_DESK_H
#define SEOM_STORE_DESK_H

#include "env/env.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/store.h"

#define DESK_WORLD 1

struct desk {
    struct events schedule;
    struct memory_store *memory;
    struct env env;
    struct store store;
};

struct desk *desk_alloc(uint64_t seed);
void desk_free(struct desk *desk);
void desk_settle(struct desk *desk);             /* until nothing is under way */
void desk_run_ms(struct desk *desk, int64_t ms); /* virtual time passes */
void desk_restart(
    struct desk *desk); /* the process dies and starts anew: all that was under way is gone */
/* Faults of the engine in parts of a million, latencies as always. */
void desk_faults(struct desk *desk, uint32_t unknown_done, uint32_t unknown_lost,
                 uint32_t unknown_late, uint32_t unavailable);
/* Writes a document behind everybody's back. */
void desk_put(struct desk *desk, const char *key, const void *value, size_t bytes);
struct store_doc desk_look(const struct desk *desk, const char *key);

#endif
