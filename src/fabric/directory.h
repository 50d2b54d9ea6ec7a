/* A node's dealings with the directory of its cluster (env/directory.h): it keeps the node's own
 * entry there, and the book of everybody else's here.
 *
 * Own entry. It is claimed with a lease by whoever finds the place free; the revision of that claim
 * is the node_epoch. The epoch belongs to this process until it leaves, rejoins or ends: a lease
 * that ran out, or a directory that forgot it, takes the entry out of the books, not the epoch from
 * the process; the entry is put back as soon as the directory answers, and says its epoch. Nobody
 * stops deciding meanwhile. Only when the other nodes have declared the epoch dead (the links tell)
 * the process gives it up: directory_rejoin(). An entry that an earlier process of the same
 * installation left behind is taken away at once; one of another installation is respected, and
 * this process refused.
 *
 * Book. A list at one revision, then the watch from there; a new list every 30 s, whenever the
 * watch ended, and whenever something was answered that should not have been. The watch and the
 * lease are hints, the list is the truth. While the directory is away the book stays as it is.
 *
 * There is no state machine: what is known of the directory and what should stand there decide
 * the next step, so that every fault is healed in the same way. Logic room, one thread, owned by a
 * node; the whole of docs/directory.md.
 */
#ifndef SEOM_FABRIC_DIRECTORY_H
#define SEOM_FABRIC_DIRECTORY_H

#include "env/directory.h"
#include "env/env.h"
#include "fabric/book.h"
#include <stdbool.h>
#include <stdint.h>

#define DIRECTORY_TTL_S     10
#define DIRECTORY_RELIST_MS 30000
#define DIRECTORY_WHY_MAX   320 /* bytes of a refusal's text with the 0 */

/* For the simulator, which must notice each of them. */
enum directory_mutant {
    DIRECTORY_MUTANT_NONE,
    DIRECTORY_MUTANT_WATCH_TRUSTED, /* no list but the first; a compacted watch skips ahead */
    DIRECTORY_MUTANT_LEASE_AS_LOCK  /* whose lease ended gives up its epoch */
};

/* What is said about the whole world, each in one entry without a lease. */
enum directory_table { DIRECTORY_ISLANDS, DIRECTORY_TABLES };

/* Called from directory_turn() and from answers of the port, never out of another call. They may
 * call everything here but directory_free(). Any may be NULL. */
struct directory_events {
    void *ctx;
    /* The node is registered: at first, and after a rejoin. */
    void (*claimed)(void *ctx, uint64_t epoch);
    /* Somebody else has this identity; why is one line for people, with the remedy. The book goes
     * on; for another try: directory_rejoin(). */
    void (*refused)(void *ctx, const char *why);
    /* The own entry was gone; it is being put back. For the log. */
    void (*lost)(void *ctx);
    void (*left)(void *ctx); /* after directory_leave() */
    void (*book_changed)(void *ctx);
    void (*table_changed)(void *ctx, enum directory_table table);
    /* Of directory_put(). DIRECTORY_UNKNOWN: look at what the next table_changed() brings. */
    void (*put)(void *ctx, enum directory_table table, enum directory_result result);
};

struct directory_options {
    uint32_t world;
    struct node node; /* to publish; its epoch and name are not looked at */
    /* Drawn once and kept in the data directory, which one process at a time may use
     * (os/data_lock.h): so whoever finds an entry with its own number knows that its owner is dead.
     * Not 0. */
    uint64_t installation;
    bool only_look;     /* a tool: the book and the table, no entry */
    uint32_t ttl_s;     /* 0: DIRECTORY_TTL_S */
    uint32_t relist_ms; /* 0: DIRECTORY_RELIST_MS */
    enum directory_mutant mutant;
    struct directory_events events;
};

struct directory_stats {
    uint64_t lists, lists_failed; /* answers */
    uint64_t healed;              /* lists that told what no watch had */
    uint64_t stale;               /* answers older than what was known already */
    uint64_t resets;              /* the directory lost its history */
    uint64_t watches, compacted, hints;
    uint64_t claims, returns; /* entries made: with a new epoch, with the old one */
    uint64_t keeps;           /* times that the lease was renewed */
    uint64_t lost;            /* own entries or leases found gone */
    uint64_t conflicts, unknown;
    uint64_t malformed;    /* entries that could not be read */
    uint64_t full;         /* entries that found no room in the book */
    int64_t away_since_us; /* mono; 0: it answers */
    int64_t answered_us;   /* mono, of its last answer or hint; 0: none yet */
};

struct directory;

struct directory *directory_alloc(const struct directory_options *options, const struct env *env);
void directory_free(struct directory **directory);
/* What the port is opened with; then the port, which is copied. */
struct directory_done directory_done(struct directory *directory);
void directory_start(struct directory *directory, const struct env_directory *port);

/* Does what is due. Returns the next mono time (us). */
int64_t directory_turn(struct directory *directory);
/* As it was last known; the own node stands in it as long as it has an epoch. */
const struct book *directory_book(const struct directory *directory);
bool directory_is_known(const struct directory *directory);  /* a first list has come */
uint64_t directory_epoch(const struct directory *directory); /* 0: not registered (yet) */
/* What a registration that is wanted waits for, for people; NULL: it waits for nothing. */
const char *directory_waits(const struct directory *directory);
/* What is published changed: draining, addresses. The identity stays. */
void directory_update(struct directory *directory, const struct node *node);
/* Gives up the epoch (or a refusal) and claims anew. */
void directory_rejoin(struct directory *directory);
/* Takes the entry away; left() follows, at the latest after two calls of the port. */
void directory_leave(struct directory *directory);

/* The bytes last seen, borrowed until the next turn, and their revision (0: there is none). */
struct slice directory_table(const struct directory *directory, enum directory_table table,
                             uint64_t *revision);
/* Puts a table if its revision is still the expected one; put() answers. ERR_FULL: another is
 * under way, or not started; ERR_TOO_LARGE. */
enum err directory_put(struct directory *directory, enum directory_table table, uint64_t expected,
                       struct slice value) MUST_USE;

struct directory_stats directory_stats(const struct directory *directory);

#endif
