/* What every engine behind the store port must do: one suite of cmocka cases, run against each
 * engine. Used by tests only. An engine under test opens empty, can be closed and opened again with
 * what it held, and can be waited for.
 */
#ifndef SEOM_STORE_CONFORMANCE_H
#define SEOM_STORE_CONFORMANCE_H

#include "env/env.h"
#include <stdbool.h>

struct conformance_engine {
    const char *name;
    void *ctx;
    void (*open)(void *ctx, bool fresh); /* fresh: empty; otherwise as it was when closed */
    void (*close)(void *ctx);
    struct env_store (*connect)(void *ctx, struct store_done done);
    void (*wait)(void *ctx); /* until at least one more answer was delivered */
    uint32_t calls_max;      /* with how many calls under way it opens */
    bool hints;              /* a watch of an engine without faults is never deaf */
    /* On: answers may be UNKNOWN or UNAVAILABLE, and what is UNKNOWN comes late or twice; NULL: it
     * has no faults on demand. Open without. */
    void (*faults)(void *ctx, bool on);
};

/* Runs all cases; 0 when all passed. */
int conformance_run(const struct conformance_engine *engine);

#endif
