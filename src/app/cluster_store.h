/* The store of a cluster as a node uses it: one PostgreSQL server, whose own port it is, or several
 * behind one port (store/spread.h) with the committer above, for commits that lie on more than one.
 *
 * Addresses stand in one text, separated by spaces or semicolons, always in the same order; a
 * single address may also be in libpq's form of words ("host=... dbname=..."). Which server holds
 * what, and whether these are the servers of this world, the servers say themselves
 * (store/servers.h): until they have, calls are refused with ERR_FULL.
 *
 * One thread, that of the env. Descriptors: one, and those of the engines behind it.
 */
#ifndef SEOM_APP_CLUSTER_STORE_H
#define SEOM_APP_CLUSTER_STORE_H

#include "env/env.h"
#include "os/pg_store.h"
#include "store/committer.h"
#include "store/servers.h"
#include "watch/metrics.h"

#define CLUSTER_STORE_WHY_MAX PG_STORE_WHY_MAX

struct cluster_store;

struct cluster_store_options {
    const char *addresses; /* borrowed until the store is open */
    uint16_t world;
    const struct env *env; /* borrowed: clock, random numbers, log; its store is not used */
    void *log_ctx;         /* of the engines; as in struct env */
    void (*log)(void *ctx, enum log_level level, const char *event, const char *text);
};

struct cluster_store_stats {
    uint32_t servers, servers_away;
    struct committer_stats committer; /* of several servers */
};

/* How many addresses stand in the text; *first is the first one, and how long it is. */
uint32_t cluster_store_addresses(const char *addresses, struct slice *first);

/* Begins to connect and returns. ERR_FORMAT: no address, too many, or one that is none; ERR_FULL:
 * no descriptor left. */
enum err cluster_store_open(const struct cluster_store_options *options, struct cluster_store **out,
                            char why[CLUSTER_STORE_WHY_MAX]) MUST_USE;
void cluster_store_close(struct cluster_store **store);

/* SERVERS_DONE: calls are taken; SERVERS_FAILED: never will be, and cluster_store_why() says why.
 */
enum servers_state cluster_store_state(const struct cluster_store *store);
const char *cluster_store_why(const struct cluster_store *store);
/* The port; answers go to `done` from now on. */
struct env_store cluster_store_port(struct cluster_store *store, struct store_done done);

int cluster_store_fd(const struct cluster_store *store); /* readable: there is something to do */
void cluster_store_deliver(struct cluster_store *store);
/* Does what is due; the next mono time (us). */
int64_t cluster_store_turn(struct cluster_store *store);
struct cluster_store_stats cluster_store_stats(const struct cluster_store *store);
/* All servers, and what is between them, into a round of figures. */
void cluster_store_gather(const struct cluster_store *store, struct metrics *m);

#endif
