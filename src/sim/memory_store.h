/* The store port in memory, on virtual time: the simulator's engine. It keeps the promises of the
 * port and no more: commits under way at the same time take effect in any order, each with a
 * latency drawn from the schedule's random numbers, and it fails on demand in every way the port
 * allows. The same conformance suite runs against it and against LMDB (store/conformance.h), so
 * that the model is not a wish.
 *
 * A commit has two moments: when it takes effect (and is durable), and when its answer arrives. A
 * crash falls anywhere: what was answered stays, what was under way has taken effect or never will.
 * One thread. Memory belongs to the store and is bounded by documents_max and calls_max.
 */
#ifndef SEOM_SIM_MEMORY_STORE_H
#define SEOM_SIM_MEMORY_STORE_H

#include "env/env.h"
#include "sim/schedule.h"
#include <stdbool.h>
#include <stdint.h>

struct memory_store;

struct memory_store_options {
    struct sim_schedule schedule;
    uint32_t documents_max; /* 0 = 1 << 20 */
    uint32_t calls_max;     /* 0 = 8192 */
};

/* Everything may be changed at any time; probabilities in parts of a million. All 0 but the
 * latencies: no faults. */
struct memory_store_knobs {
    uint32_t get_us_min,
        get_us_max; /* latency, drawn evenly; both moments of a commit are drawn for themselves */
    uint32_t commit_us_min, commit_us_max;
    uint32_t unknown_done_ppm; /* answered STORE_UNKNOWN although it took effect */
    uint32_t unknown_lost_ppm; /* answered STORE_UNKNOWN and never takes effect */
    uint32_t unknown_late_ppm; /* answered STORE_UNKNOWN, and takes effect up to 20 latencies later,
                                  if its versions still fit */
    uint32_t unavailable_ppm;  /* answered STORE_UNAVAILABLE, gets too; had no effect */
};

struct memory_store_stats {
    uint64_t gets, commits, documents, conflicts, unknown, unavailable, refused, late;
};

struct memory_store *memory_store_alloc(const struct memory_store_options *options);
void memory_store_free(struct memory_store **store);

/* Answers go to `done` from now on. */
struct env_store memory_store_port(struct memory_store *store, struct store_done done);
void memory_store_set_knobs(struct memory_store *store, const struct memory_store_knobs *knobs);
void memory_store_set_away(struct memory_store *store,
                           bool away); /* away: everything is STORE_UNAVAILABLE */
/* The caller's process died: no answer to what is under way will ever come; each commit of it that
 * has not taken effect yet does or does not, by the toss of a coin. Whoever starts anew connects
 * with memory_store_port(). */
void memory_store_crash(struct memory_store *store);
uint32_t memory_store_under_way(const struct memory_store *store);
/* For checkers: the document as it stands now; version 0 when it was never there. */
struct store_doc memory_store_look(const struct memory_store *store, struct slice key);
struct memory_store_stats memory_store_stats(const struct memory_store *store);
/* The same for the same history: folds every document into one number, in the order in which they
 * were made. */
uint64_t memory_store_digest(const struct memory_store *store);

#endif
