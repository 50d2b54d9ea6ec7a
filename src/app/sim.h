/* What `seom sim` asks of a model of src/proof: to run one seed and to tell what happened. Models
 * do not see each other; each has an adaptor of its own (sim_world.c, sim_commit.c,
 * sim_cluster.c).
 *
 * Seeds may run in several processes, so a report holds all that it says. Main thread of each.
 */
#ifndef SEOM_APP_SIM_H
#define SEOM_APP_SIM_H

#include "proof/verdict.h"
#include <stdbool.h>
#include <stdint.h>

#define SIM_COUNTS_MAX 96

struct sim_ask {
    uint64_t seed;
    uint32_t players, seconds; /* 0: the seed draws them; players: of a cluster, nodes */
    const char *mutant;        /* NULL: none */
    bool trace;                /* on stderr, where the model can */
};

struct sim_report {
    enum proof_verdict verdict;
    char what[256], broken[128]; /* unless fine: in words, and the property */
    uint64_t events, trace_hash;
    uint64_t counts[SIM_COUNTS_MAX]; /* how often each property was looked at, each branch taken */
};

struct sim_mutant {
    const char *name, *doc;
    uint32_t seeds; /* it is found within so many */
};

struct sim_model {
    const char *name;
    void (*run)(const struct sim_ask *ask, struct sim_report *out);
    uint32_t counts;
    const char *(*count_text)(uint32_t n);
    /* In a run of so many seeds or more, a count that stays 0 is a failure. */
    uint32_t (*count_seeds)(uint32_t n);
    bool (*mutant)(uint32_t n, struct sim_mutant *out); /* false behind the last one */
};

extern const struct sim_model sim_world, sim_commit, sim_cluster;

#endif
