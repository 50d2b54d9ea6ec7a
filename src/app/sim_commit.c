#include "app/sim.h"
#include "base/check.h"
#include "proof/commit_model.h"
#include <stdio.h>
#include <string.h>

#define SEEDS_FOR_EXERCISES 32
#define COUNTS              (COMMIT_PROPERTY_COUNT + COMMIT_SOMETIMES_COUNT)

static void
print_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static void
run(const struct sim_ask *ask, struct sim_report *out)
{
    struct commit_options options = {.seed = ask->seed,
                                     .seconds = ask->seconds,
                                     .mutant = ask->mutant != NULL ? commit_mutant_find(ask->mutant)
                                                                   : NULL,
                                     .trace = ask->trace ? print_line : NULL};
    struct commit_result result;
    commit_run(&options, &result);
    *out = (struct sim_report){
        .verdict = result.verdict, .events = result.events, .trace_hash = result.trace_hash};
    memcpy(out->counts, result.exercised, sizeof result.exercised);
    memcpy(out->counts + COMMIT_PROPERTY_COUNT, result.sometimes, sizeof result.sometimes);
    if (result.verdict != PROOF_FINE) {
        snprintf(out->what, sizeof out->what, "%s", result.what);
        snprintf(out->broken, sizeof out->broken, "%s", commit_property_text(result.broken));
    }
}

static const char *
count_text(uint32_t n)
{
    return n < COMMIT_PROPERTY_COUNT
               ? commit_property_text((enum commit_property)n)
               : commit_sometimes_text((enum commit_sometimes)(n - COMMIT_PROPERTY_COUNT));
}

static uint32_t
count_seeds(uint32_t n)
{
    CHECK(n < COUNTS);
    return n < COMMIT_PROPERTY_COUNT
               ? SEEDS_FOR_EXERCISES
               : commit_sometimes_seeds((enum commit_sometimes)(n - COMMIT_PROPERTY_COUNT));
}

static bool
mutant(uint32_t n, struct sim_mutant *out)
{
    const struct commit_mutant *m = commit_mutant_at(n);
    if (m != NULL)
        *out = (struct sim_mutant){.name = m->name, .doc = m->doc, .seeds = m->seeds};
    return m != NULL;
}

_Static_assert(COUNTS <= SIM_COUNTS_MAX, "a report has room for all counts");

const struct sim_model sim_commit = {.name = "commit",
                                     .run = run,
                                     .counts = COUNTS,
                                     .count_text = count_text,
                                     .count_seeds = count_seeds,
                                     .mutant = mutant};
