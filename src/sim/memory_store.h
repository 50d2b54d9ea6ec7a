/* The store port in memory, on virtual time: the simulator's engine. It keeps the promises of the
 * port and no more: commits under way at the same time take effect in any order, each with a
 * latency drawn from the schedule's random numbers, and it fails on demand in every way the port
 * allows. The same conformance suite runs against it and against LMDB (store/conformance.h), so
 * that the model is not a wish.
 *
 * Several processes share one store, each through a connection of its own, which dies with it.
 * A call has two moments: when it takes effect (or reads), and when its answer arrives; between
 * them others go on, so what a get tells may be old. A crash falls anywhere: what was answered
 * stays, what was under way has taken effect or never will, or does so after the death.
 *
 * One thread. Memory belongs to the store, is bounded by documents_max and calls_max, and comes
 * from free lists, so that a history in its stride allocates nothing.
 */
#ifndef SEOM_SIM_MEMORY_STORE_H
#define SEOM_SIM_MEMORY_STORE_H

#include "env/env.h"
#include "sim/schedule.h"
#include <stdbool.h>
#include <stdint.h>

#define MEMORY_CONNECTIONS_MAX 128

struct memory_store;
struct memory_connection; /* belongs to the store */

/* 0 = the default. */
struct memory_store_options {
    struct sim_schedule schedule;
    uint32_t documents_max; /* 1 << 20 */
    uint32_t calls_max;     /* of one connection without an answer; 8192 */
    uint32_t commit_max;    /* STORE_COMMIT_MAX; 1: an engine used one key at a time */
    uint32_t groups;        /* 1; more: as many servers, each with its share of the documents; a
                               commit across them is ERR_RANGE */
};

/* Everything may be changed at any time; probabilities in parts of a million. All 0 but the
 * latencies: no faults. */
struct memory_store_knobs {
    uint32_t get_us_min, get_us_max;       /* from asking to the answer, drawn evenly */
    uint32_t commit_us_min, commit_us_max; /* both moments of a commit are drawn for themselves */
    uint32_t unknown_done_ppm; /* answered STORE_UNKNOWN although it was tried: a lost reply */
    uint32_t unknown_lost_ppm; /* answered STORE_UNKNOWN and never takes effect */
    uint32_t unknown_late_ppm; /* answered STORE_UNKNOWN, and takes effect up to 20 latencies later,
                                  if its versions still fit */
    uint32_t unavailable_ppm;  /* answered STORE_UNAVAILABLE, gets too; had no effect */
    uint32_t twice_ppm;        /* answered STORE_UNKNOWN, and arrives once more up to 20 latencies
                                  after it took effect */
    uint32_t zombie_ppm;       /* of a dead process' commits: take effect after its death */
    uint32_t hint_lost_ppm;
};

struct memory_store_stats {
    uint64_t gets, commits, scans, documents, conflicts, unknown, unavailable, refused;
    uint64_t late, twice, zombies; /* such as took effect */
    uint64_t stale;                /* answers of gets that were old when they arrived */
    uint64_t hints, hints_lost, rolled_back;
};

/* For checkers: told of each document that changes, in the moment it does, those of one commit in a
 * row and then `end`. after->version 0: forgotten. Everything is borrowed until the call-back
 * returns, which must not ask the store for anything but memory_store_look(). */
struct memory_effects {
    void *ctx;
    void (*effect)(void *ctx, struct slice key, const struct store_doc *before,
                   const struct store_doc *after);
    void (*end)(void *ctx); /* may be NULL */
};

struct memory_store *memory_store_alloc(const struct memory_store_options *options);
void memory_store_free(struct memory_store **store);
void memory_store_set_knobs(struct memory_store *store, const struct memory_store_knobs *knobs);
void memory_store_set_away(struct memory_store *store,
                           bool away); /* away: everything is STORE_UNAVAILABLE */
void memory_store_set_effects(struct memory_store *store, const struct memory_effects *effects);

/* A process connects; answers and hints go to `done`. At most MEMORY_CONNECTIONS_MAX. */
struct memory_connection *memory_store_connect(struct memory_store *store, struct store_done done);
struct env_store memory_connection_port(struct memory_connection *connection);
/* The process died: no answer to what is under way will ever come; each commit of it that has not
 * taken effect yet does or does not, by the toss of a coin. Nulls the pointer. */
void memory_connection_crash(struct memory_connection **connection);
/* For so long from now, nothing arrives, neither what was asked nor what is answered; then all of
 * it comes at once, in the order in which it would have come. */
void memory_connection_stall(struct memory_connection *connection, int64_t us);
/* The line to the store is lost and made again, under everything that is under way: gets and scans
 * are STORE_UNAVAILABLE, commits STORE_UNKNOWN, of which half take effect. */
void memory_connection_cut(struct memory_connection *connection);
/* Accepted and not yet answered. */
uint32_t memory_connection_under_way(const struct memory_connection *connection);

/* For one process alone: a connection that belongs to the store. memory_store_port() connects it,
 * anew after memory_store_crash(). */
struct env_store memory_store_port(struct memory_store *store, struct store_done done);
void memory_store_crash(struct memory_store *store);

/* Everything that will still happen, of the living and of the dead. */
uint32_t memory_store_under_way(const struct memory_store *store);
/* The document as it stands now; version 0 when it was never there. */
struct store_doc memory_store_look(const struct memory_store *store, struct slice key);
/* All documents that were ever there, one after the other, in no order of meaning; start with 0.
 * false behind the last one. */
bool memory_store_next(const struct memory_store *store, uint32_t *cursor, struct slice *key,
                       struct store_doc *doc);
struct memory_store_stats memory_store_stats(const struct memory_store *store);
/* The same for the same history: folds every document into one number. */
uint64_t memory_store_digest(const struct memory_store *store);

/* An engine that breaks its promise, to prove that this is noticed: a third of the documents,
 * drawn by salt, are put back to what they held when memory_store_remember() was called last;
 * their versions grow. How many changed. */
void memory_store_remember(struct memory_store *store);
uint32_t memory_store_rollback(struct memory_store *store, uint64_t salt);

#endif
