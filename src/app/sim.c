/* `seom sim`: the simulator on the command line. */
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "base/rand.h"
#include "os/process.h"
#include "proof/model.h"
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_FOR_EXERCISES \
    16 /* from so many seeds on, a property that was never exercised is a failure */

struct sim_options {
    const char *model;
    uint64_t seed;
    uint32_t seeds, players, minutes;
    bool list;
    const struct mutant *mutant;
};

/* The seed that is running, for the line that a crash leaves behind. */
static uint64_t running_seed;

static const struct argp_option argp_options[] = {
    {"model", 'm', "NAME", 0, "which model: world (default)", 0},
    {"seed", 's', "N", 0, "the first seed (default 1)", 0},
    {"seeds", 'k', "K", 0, "how many seeds, counting up (default 1)", 0},
    {"players", 'p', "P", 0, "how many people (default: the seed draws it)", 0},
    {"minutes", 't', "M", 0, "minutes of virtual time with faults (default: 40 s)", 0},
    {"mutant", 'x', "NAME", 0,
     "make the server wrong in this way; stops at the first seed that notices", 0},
    {"list-mutants", 'l', NULL, 0, "list the mutants", 0},
    {0}};

static uint64_t
number(struct argp_state *state, const char *name, const char *text, uint64_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 0);
    if (*text == 0 || *text == '-' || *end != 0 || value > max) {
        argp_error(state, "--%s takes a number up to %" PRIu64 ", not '%s'", name, max, text);
    }
    return value;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct sim_options *o = state->input;
    switch (key) {
    case 'm':
        if (strcmp(arg, "world") != 0) {
            argp_error(state, "there is no model '%s' (there is: world)", arg);
        }
        return 0;
    case 's': o->seed = number(state, "seed", arg, UINT64_MAX); return 0;
    case 'k': o->seeds = (uint32_t)number(state, "seeds", arg, 1000000); return 0;
    case 'p': o->players = (uint32_t)number(state, "players", arg, 160); return 0;
    case 't': o->minutes = (uint32_t)number(state, "minutes", arg, 1440); return 0;
    case 'l': o->list = true; return 0;
    case 'x':
        o->mutant = mutant_find(arg);
        if (o->mutant == NULL) {
            argp_error(state, "there is no mutant '%s' (see --list-mutants)", arg);
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int
list_mutants(void)
{
    json_t *names = json_array();
    for (uint32_t i = 0; mutant_at(i) != NULL; i++) {
        fprintf(stderr, "  %-16s %s\n", mutant_at(i)->name, mutant_at(i)->doc);
        json_array_append_new(names, json_string(mutant_at(i)->name));
    }
    json_t *out = json_pack("{s:o}", "mutants", names);
    return output_result(&out);
}

static void
crashed(const char *file, int line, const char *function, const char *what)
{
    fprintf(stderr, "seed %" PRIu64 ": CHECK(%s) failed in %s, %s:%d\n", running_seed, what,
            function, file, line);
    printf(
        "{\"seed\": %" PRIu64
        ", \"seeds\": 1, \"events\": 0, \"events_per_s\": 0, \"trace_hash\": \"0000000000000000\", "
        "\"verdict\": \"crash\"}\n",
        running_seed);
    fflush(stdout);
    _exit(PROOF_CRASH);
}

struct totals {
    uint64_t events, hash;
    uint64_t exercised[PROOF_COUNT];
};

static void
add_up(struct totals *t, const struct proof_result *r)
{
    t->events += r->events;
    t->hash = rand_mix(t->hash, r->trace_hash);
    for (uint32_t i = 0; i < PROOF_COUNT; i++) {
        t->exercised[i] += r->exercised[i];
    }
}

static int
tell(const struct sim_options *o, const struct totals *t, uint64_t seed, uint32_t seeds,
     enum proof_verdict verdict, int64_t spent_us)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, t->hash);
    for (uint32_t i = 0; i < PROOF_COUNT; i++) {
        fprintf(stderr, "  %12" PRIu64 " x  %s\n", t->exercised[i],
                proof_property_text((enum proof_property)i));
    }
    json_t *out =
        json_pack("{s:I,s:I,s:I,s:I,s:s,s:s}", "seed", (json_int_t)seed, "seeds", (json_int_t)seeds,
                  "events", (json_int_t)t->events, "events_per_s",
                  (json_int_t)((double)t->events * 1e6 / (double)(spent_us > 0 ? spent_us : 1)),
                  "trace_hash", hash, "verdict", proof_verdict_name(verdict));
    if (o->mutant != NULL) {
        json_object_set_new(out, "mutant", json_string(o->mutant->name));
    }
    int failed = output_result(&out);
    return verdict != PROOF_FINE ? (int)verdict : failed;
}

static enum proof_verdict
never_exercised(const struct sim_options *o, const struct totals *t)
{
    enum proof_verdict verdict = PROOF_FINE;
    for (uint32_t i = 0; i < PROOF_COUNT && o->seeds >= SEEDS_FOR_EXERCISES && o->players == 0;
         i++) {
        if (t->exercised[i] == 0) {
            fprintf(stderr, "never exercised: %s\n", proof_property_text((enum proof_property)i));
            verdict = PROOF_WRONG;
        }
    }
    return verdict;
}

int
sim_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse,
        .doc = "Run gates, world and clients in one thread on virtual time, with faults, and check "
               "after every step what "
               "must hold. Exit code: 0 fine, 10 crash, 11 stuck, 12 wrong."};
    struct sim_options o = {.seed = 1, .seeds = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.list) {
        return list_mutants();
    }
    check_set_hook(crashed);
    struct totals totals = {0};
    int64_t began_us = process_mono_us();
    for (uint32_t i = 0; i < o.seeds; i++) {
        struct proof_options options = {.seed = o.seed + i,
                                        .players = o.players,
                                        .seconds = o.minutes * 60,
                                        .mutant = o.mutant};
        struct proof_result result;
        running_seed = options.seed;
        proof_run(&options, &result);
        add_up(&totals, &result);
        if (result.verdict != PROOF_FINE) {
            fprintf(stderr, "seed %" PRIu64 " is %s: %s\n  broken: %s\n", options.seed,
                    proof_verdict_name(result.verdict), result.what,
                    proof_property_text(result.broken));
            return tell(&o, &totals, options.seed, i + 1, result.verdict,
                        process_mono_us() - began_us);
        }
        if (i % 10 == 9) {
            output_progress("%u of %u seeds, %" PRIu64 " events", i + 1, o.seeds, totals.events);
        }
    }
    return tell(&o, &totals, o.seed, o.seeds, never_exercised(&o, &totals),
                process_mono_us() - began_us);
}
