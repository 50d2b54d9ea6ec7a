#include "app/sim.h"
#include "base/check.h"
#include "proof/model.h"
#include <stdio.h>
#include <string.h>

#define SEEDS_FOR_EXERCISES 16

static void
run(const struct sim_ask *ask, struct sim_report *out)
{
    struct proof_options options = {.seed = ask->seed,
                                    .players = ask->players,
                                    .seconds = ask->seconds,
                                    .mutant =
                                        ask->mutant != NULL ? mutant_find(ask->mutant) : NULL};
    struct proof_result result;
    proof_run(&options, &result);
    *out = (struct sim_report){
        .verdict = result.verdict, .events = result.events, .trace_hash = result.trace_hash};
    memcpy(out->counts, result.exercised, sizeof result.exercised);
    if (result.verdict != PROOF_FINE) {
        snprintf(out->what, sizeof out->what, "%s", result.what);
        snprintf(out->broken, sizeof out->broken, "%s", proof_property_text(result.broken));
    }
}

static const char *
count_text(uint32_t n)
{
    return proof_property_text((enum proof_property)n);
}

static uint32_t
count_seeds(uint32_t n)
{
    CHECK(n < PROOF_COUNT);
    return SEEDS_FOR_EXERCISES;
}

static bool
mutant(uint32_t n, struct sim_mutant *out)
{
    const struct mutant *m = mutant_at(n);
    if (m != NULL)
        *out = (struct sim_mutant){.name = m->name, .doc = m->doc, .seeds = 200};
    return m != NULL;
}

_Static_assert(PROOF_COUNT <= SIM_COUNTS_MAX, "a report has room for all properties");

const struct sim_model sim_world = {.name = "world",
                                    .run = run,
                                    .counts = PROOF_COUNT,
                                    .count_text = count_text,
                                    .count_seeds = count_seeds,
                                    .mutant = mutant};
