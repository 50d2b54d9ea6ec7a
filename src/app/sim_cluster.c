#include "app/sim.h"
#include "base/check.h"
#include "proof/cluster_model.h"
#include <stdio.h>
#include <string.h>

#define SEEDS_FOR_EXERCISES 20
#define SEEDS_FOR_SOMETIMES 100

static void
tell(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static void
run(const struct sim_ask *ask, struct sim_report *out)
{
    struct cluster_options options = {
        .seed = ask->seed,
        .nodes = ask->players,
        .seconds = ask->seconds,
        .mutant = ask->mutant != NULL ? cluster_mutant_find(ask->mutant) : NULL,
        .trace = ask->trace ? tell : NULL};
    struct cluster_result result;
    cluster_run(&options, &result);
    *out = (struct sim_report){
        .verdict = result.verdict, .events = result.events, .trace_hash = result.trace_hash};
    memcpy(out->counts, result.exercised, sizeof result.exercised);
    memcpy(out->counts + CLUSTER_PROPERTIES_COUNT, result.sometimes, sizeof result.sometimes);
    if (result.verdict != PROOF_FINE) {
        snprintf(out->what, sizeof out->what, "%s", result.what);
        snprintf(out->broken, sizeof out->broken, "%s", cluster_property_text(result.broken));
    }
}

static const char *
count_text(uint32_t n)
{
    return n < CLUSTER_PROPERTIES_COUNT
               ? cluster_property_text((enum cluster_property)n)
               : cluster_sometimes_text((enum cluster_sometimes)(n - CLUSTER_PROPERTIES_COUNT));
}

static uint32_t
count_seeds(uint32_t n)
{
    CHECK(n < CLUSTER_PROPERTIES_COUNT + CLUSTER_SOMETIMES_COUNT);
    return n < CLUSTER_PROPERTIES_COUNT ? SEEDS_FOR_EXERCISES : SEEDS_FOR_SOMETIMES;
}

static bool
mutant(uint32_t n, struct sim_mutant *out)
{
    const struct cluster_mutant *m = cluster_mutant_at(n);
    if (m != NULL) {
        *out = (struct sim_mutant){.name = m->name, .doc = m->doc, .seeds = m->seeds};
    }
    return m != NULL;
}

_Static_assert(CLUSTER_PROPERTIES_COUNT + CLUSTER_SOMETIMES_COUNT <= SIM_COUNTS_MAX,
               "a report has room for all counts");

const struct sim_model sim_cluster = {.name = "cluster",
                                      .run = run,
                                      .counts = CLUSTER_PROPERTIES_COUNT + CLUSTER_SOMETIMES_COUNT,
                                      .count_text = count_text,
                                      .count_seeds = count_seeds,
                                      .mutant = mutant};
