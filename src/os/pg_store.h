/* The store of a cluster: one PostgreSQL server (or any that speaks its protocol) behind the store
 * port (env/env.h). Several servers are several engines of this kind.
 *
 * Documents lie in one table; a delete leaves a tombstone, so that versions grow also across
 * deletes. Commits that wait go out together: a group is one call of one function and so one
 * transaction and one flush of the server's log, in which each commit stands or falls by its own
 * versions. No key is twice in a group; of groups on several connections the server's row locks
 * see to it, taken in the order of keys, that one comes after the other. Gets that wait go out
 * together likewise.
 *
 * Nothing here blocks: connections are made by a thread of its own (names, passwords and the
 * server's first answers take their time) and then served through pg_store_fd(), which becomes
 * readable when there is something to do; pg_store_deliver() does it. Lost connections are made
 * again, paced, with jitter.
 *
 * Failure. STORE_OK is told only after the server said that the transaction is over. A connection
 * that is lost, or does not answer for deadline_ms, is closed: its commits are STORE_UNKNOWN, its
 * gets STORE_UNAVAILABLE. A transaction that the server gave up is STORE_UNAVAILABLE for all its
 * commits. A commit that was sent once is never sent again. What waits while no connection can be
 * made is STORE_UNAVAILABLE. A server that takes no writes (a standby) is not used; of several
 * hosts in the address the one that does is looked for, each time anew.
 *
 * Durable means what the server means by it: its fsync must be on, and losing it without losing
 * commits needs a synchronous standby. synchronous_commit is raised to "on" where it is lower. A
 * wait for the standby that somebody cancelled is STORE_UNKNOWN.
 *
 * Hints: a commit that was OK is told to all nodes by NOTIFY, in a transaction of its own, hashes
 * of keys only, once every hint_ms; to this process' own watches at once.
 *
 * Owned by app/; all functions are called on the env's thread. Limits: calls_max calls under way,
 * queue_bytes of keys and values in them, connections, STORE_WATCHES_MAX keys watched.
 */
#ifndef SEOM_OS_PG_STORE_H
#define SEOM_OS_PG_STORE_H

#include "base/err.h"
#include "base/hist.h"
#include "env/env.h"
#include <stdbool.h>
#include <stdint.h>

#define PG_STORE_FORMAT            1
#define PG_STORE_WHY_MAX           512
#define PG_CALLS_DEFAULT           8192
#define PG_QUEUE_DEFAULT           (16U << 20)
#define PG_CONNECTIONS_DEFAULT     3
#define PG_CONNECTIONS_MAX         16
#define PG_DEADLINE_MS_DEFAULT     5000
#define PG_RECONNECT_MS_DEFAULT    50
#define PG_RECONNECT_MS_MAX        5000
#define PG_HINT_MS_DEFAULT         50
#define PG_CONNECT_TIMEOUT_DEFAULT "3" /* seconds a host; unless the address says otherwise */

struct pg_store;

/* 0 = the default above. */
struct pg_store_options {
    const char *address;  /* postgresql://user@host,host:port/database?... as libpq takes it */
    uint32_t connections; /* at least 2: one for gets and hints, the others for commits */
    uint32_t calls_max;
    uint32_t queue_bytes; /* at least STORE_COMMIT_BYTES_MAX + 128 KiB */
    uint32_t deadline_ms;
    uint32_t reconnect_ms; /* at first; doubles with each failure up to PG_RECONNECT_MS_MAX */
    uint32_t hint_ms;
    void *log_ctx; /* call-back as in struct env, called from pg_store_deliver(); may be NULL */
    void (*log)(void *ctx, enum log_level level, const char *event, const char *text);
};

struct pg_store_stats {
    uint64_t gets, commits, documents,
        conflicts;                 /* answered; documents: written by commits that were OK */
    uint64_t groups;               /* transactions with commits */
    uint64_t unknown, unavailable; /* commits answered so */
    uint64_t lost_gets;            /* gets and scans answered STORE_UNAVAILABLE */
    uint64_t refused;              /* ERR_FULL at the door */
    uint64_t scans;
    uint64_t hints, hints_dropped; /* told to our watches; not sent for want of room */
    uint64_t connects, connects_failed, connections_lost;
    uint32_t connections; /* that there are now */
    struct hist group_us; /* from sending a group to its answer */
    struct hist group_commits;
};

/* Begins to connect and returns. ERR_FORMAT: `why` tells what is wrong with the address; ERR_RANGE
 * (options); ERR_FULL: no descriptor left. */
enum err pg_store_open(const struct pg_store_options *options, struct pg_store **out,
                       char why[PG_STORE_WHY_MAX]) MUST_USE;
/* Answers not yet delivered are dropped; commits under way may still take effect. May wait for
 * a connection that is being made, at most its timeout. Nulls the pointer. */
void pg_store_close(struct pg_store **store);

/* For the start and for tools, as it blocks: connects once, and makes or checks the tables. On
 * failure `why` tells a person: ERR_UNAVAILABLE: no server there that takes writes; ERR_NEWER:
 * written by a newer seom; ERR_FORMAT: the address, or not a store of ours; ERR_DENIED: the user
 * may not; ERR_IO. */
enum err pg_store_check(const char *address, char why[PG_STORE_WHY_MAX]) MUST_USE;

/* The port; answers go to `done` from now on. */
struct env_store pg_store_port(struct pg_store *store, struct store_done done);
int pg_store_fd(const struct pg_store *store); /* readable when there is something to do */
/* Sends what waits, calls back for everything that is answered; how many answers. */
uint32_t pg_store_deliver(struct pg_store *store);
uint32_t pg_store_under_way(const struct pg_store *store); /* accepted and not yet answered */
/* No connection, and the last attempt failed. */
bool pg_store_is_away(const struct pg_store *store);
void pg_store_stats(const struct pg_store *store, struct pg_store_stats *out);

#endif
