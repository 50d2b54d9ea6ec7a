/* What everything behind the directory port must do: one suite of cmocka cases, run against the
 * in-process directory, the simulator's model and etcd. For tests. An engine opens empty.
 */
#ifndef SEOM_FABRIC_DIRECTORY_SUITE_H
#define SEOM_FABRIC_DIRECTORY_SUITE_H

#include "env/directory.h"

struct directory_engine {
    const char *name;
    void *ctx;
    struct env_directory (*open)(void *ctx, struct directory_done done);
    void (*close)(void *ctx);
    void (*wait)(void *ctx); /* at most 0.1 s of its time passes */
    /* All that happened before is forgotten. */
    void (*compact)(void *ctx);
    /* It cannot be reached, then it can again, with all that it held. NULL: never happens to it. */
    void (*away)(void *ctx, bool away);
    uint32_t calls_max; /* under way at the same time */
};

/* Runs all cases; 0 when all passed. */
int directory_suite_run(const struct directory_engine *engine);

#endif
