/* `seom sim`: the simulator on the command line. */
#include "app/sim.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "base/rand.h"
#include "os/process.h"
#include <argp.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JOBS_MAX    64
#define SEEDS_MAX   1000000
#define LOOK_US     50000
#define PROGRESS_US 5000000
#define NO_SEED     UINT32_MAX

static const struct sim_model *const models[] = {&sim_world, &sim_commit, &sim_cluster};

#define MODELS (sizeof models / sizeof models[0])

struct sim_options {
    const struct sim_model *model;
    uint64_t seed;
    uint32_t seeds, players, minutes, jobs;
    bool list, trace;
    const char *mutant;
};

/* What the processes of one run share. Seeds are handed out in order, and after the first one that
 * is not fine only those before it are still looked at: so the same one is found however many
 * processes there are. */
struct sim_board {
    _Atomic uint32_t next, done;
    _Atomic uint32_t failed; /* the first seed that is not fine, counted from 0; NO_SEED */
    _Atomic uint64_t events;

    struct worker {
        uint32_t seed; /* the one that is running */
        bool has_failed, has_finished;
        struct sim_report report; /* of the seed that failed */
        uint64_t counts[SIM_COUNTS_MAX];
    } workers[JOBS_MAX];

    uint64_t hashes[]; /* of each seed */
};

struct sim_run {
    const struct sim_options *options;
    struct sim_board *board; /* owned */
    struct worker *worker;   /* of this process */
    int64_t began_us;
};

/* For the line that a crash leaves behind. */
static struct sim_run *running;

static const struct argp_option argp_options[] = {
    {"model", 'm', "NAME", 0, "which model: world (default), commit, cluster", 0},
    {"seed", 's', "N", 0, "the first seed (default 1)", 0},
    {"seeds", 'k', "K", 0,
     "how many seeds, counting up (default 1; of a mutant: within so many it must be noticed)", 0},
    {"jobs", 'j', "J", 0, "how many processes share the seeds (default 1)", 0},
    {"players", 'p', "P", 0,
     "world: how many people; cluster: how many nodes (default: the seed draws it)", 0},
    {"minutes", 't', "M", 0, "minutes of virtual time with faults (default: some seconds)", 0},
    {"trace", 'r', NULL, 0, "commit, cluster: tell each fault and what came of it on stderr", 0},
    {"mutant", 'x', "NAME", 0,
     "make the server wrong in this way; stops at the first seed that notices", 0},
    {"list-mutants", 'l', NULL, 0, "list the model's mutants", 0},
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

static const struct sim_model *
model_find(const char *name)
{
    for (uint32_t i = 0; i < MODELS; i++) {
        if (strcmp(models[i]->name, name) == 0) {
            return models[i];
        }
    }
    return NULL;
}

/* 0: there is no such mutant. */
static uint32_t
mutant_seeds(const struct sim_options *o)
{
    struct sim_mutant mutant;
    for (uint32_t n = 0; o->model->mutant(n, &mutant); n++) {
        if (strcmp(mutant.name, o->mutant) == 0) {
            return mutant.seeds;
        }
    }
    return 0;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct sim_options *o = state->input;
    switch (key) {
    case 'm':
        o->model = model_find(arg);
        if (o->model == NULL) {
            argp_error(state, "there is no model '%s' (there are: world, commit, cluster)", arg);
        }
        return 0;
    case 's': o->seed = number(state, "seed", arg, UINT64_MAX); return 0;
    case 'k': o->seeds = (uint32_t)number(state, "seeds", arg, SEEDS_MAX); return 0;
    case 'j':
        o->jobs = (uint32_t)number(state, "jobs", arg, JOBS_MAX);
        o->jobs += o->jobs == 0;
        return 0;
    case 'p': o->players = (uint32_t)number(state, "players", arg, 160); return 0;
    case 't': o->minutes = (uint32_t)number(state, "minutes", arg, 1440); return 0;
    case 'r': o->trace = true; return 0;
    case 'l': o->list = true; return 0;
    case 'x': o->mutant = arg; return 0;
    case ARGP_KEY_END:
        if (o->mutant != NULL && mutant_seeds(o) == 0) {
            argp_error(state, "there is no mutant '%s' (see --list-mutants)", o->mutant);
        }
        if (o->seeds == 0) {
            o->seeds = o->mutant != NULL ? mutant_seeds(o) : 1;
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int
list_mutants(const struct sim_model *model)
{
    json_t *names = json_array(), *seeds = json_object();
    struct sim_mutant mutant;
    for (uint32_t i = 0; model->mutant(i, &mutant); i++) {
        fprintf(stderr, "  %-26s %4u seeds  %s\n", mutant.name, mutant.seeds, mutant.doc);
        json_array_append_new(names, json_string(mutant.name));
        json_object_set_new(seeds, mutant.name, json_integer(mutant.seeds));
    }
    json_t *out = json_pack("{s:o,s:o}", "mutants", names, "seeds", seeds);
    return output_result(&out);
}

/* ---- one process ---- */

static void
fail(struct sim_run *run, const struct sim_report *report)
{
    uint32_t first = atomic_load(&run->board->failed);
    run->worker->report = *report;
    run->worker->has_failed = true;
    while (run->worker->seed < first &&
           !atomic_compare_exchange_weak(&run->board->failed, &first, run->worker->seed)) {
    }
}

static int tell(const struct sim_run *run);

static void
crashed(const char *file, int line, const char *function, const char *what)
{
    struct sim_report report = {.verdict = PROOF_CRASH, .broken = "no CHECK of our own fails"};
    snprintf(report.what, sizeof report.what, "CHECK(%s) failed in %s, %s:%d", what, function, file,
             line);
    fail(running, &report);
    if (running->options->jobs == 1) {
        tell(running);
        fflush(NULL);
    }
    _exit(PROOF_CRASH);
}

/* One seed after the other, until there is none left that could be the first to fail. */
static int
work(void *ctx)
{
    struct sim_run *run = ctx;
    const struct sim_options *o = run->options;
    struct sim_board *board = run->board;
    struct worker *worker = run->worker;
    running = run;
    check_set_hook(crashed);
    for (;;) {
        uint32_t n = atomic_fetch_add(&board->next, 1);
        if (n >= o->seeds || n > atomic_load(&board->failed)) {
            worker->has_finished = true;
            return 0;
        }
        struct sim_ask ask = {.seed = o->seed + n,
                              .players = o->players,
                              .seconds = o->minutes * 60,
                              .mutant = o->mutant,
                              .trace = o->trace};
        struct sim_report report;
        worker->seed = n;
        o->model->run(&ask, &report);
        board->hashes[n] = report.trace_hash;
        for (uint32_t i = 0; i < SIM_COUNTS_MAX; i++) {
            worker->counts[i] += report.counts[i];
        }
        atomic_fetch_add(&board->events, report.events);
        atomic_fetch_add(&board->done, 1);
        if (report.verdict != PROOF_FINE) {
            fail(run, &report); /* what this process would take next comes later */
        }
    }
}

/* ---- all of them ---- */

/* A process that was killed by a signal tells nothing. */
static void
ended(struct sim_run *run, struct worker *worker)
{
    if (worker->has_finished || worker->has_failed) {
        return;
    }
    struct sim_report report = {.verdict = PROOF_CRASH, .broken = "the process stays alive"};
    snprintf(report.what, sizeof report.what, "the process that ran it died");
    run->worker = worker;
    fail(run, &report);
}

static void
work_together(struct sim_run *run)
{
    struct sim_board *board = run->board;
    const struct sim_options *o = run->options;
    pid_t children[JOBS_MAX] = {0};
    uint32_t alive = 0;
    int64_t told_us = process_mono_us();
    for (uint32_t i = 0; i < o->jobs; i++) {
        run->worker = &board->workers[i];
        if (process_fork(work, run, &children[i]) == OK) {
            alive++;
        } else {
            children[i] = 0;
        }
    }
    while (alive > 0) {
        usleep(LOOK_US);
        for (uint32_t i = 0; i < o->jobs; i++) {
            if (children[i] != 0 && process_has_ended(children[i])) {
                ended(run, &board->workers[i]);
                children[i] = 0;
                alive--;
            }
        }
        if (process_mono_us() - told_us > PROGRESS_US) {
            told_us = process_mono_us();
            output_progress("%u of %u seeds, %" PRIu64 " events", atomic_load(&board->done),
                            o->seeds, atomic_load(&board->events));
        }
    }
}

/* ---- what came of it ---- */

static const struct worker *
worker_that_failed(const struct sim_board *board)
{
    uint32_t failed = atomic_load(&board->failed);
    for (uint32_t i = 0; i < JOBS_MAX && failed != NO_SEED; i++) {
        if (board->workers[i].has_failed && board->workers[i].seed == failed) {
            return &board->workers[i];
        }
    }
    return NULL;
}

static enum proof_verdict
never_exercised(const struct sim_run *run, const uint64_t *counts)
{
    const struct sim_options *o = run->options;
    enum proof_verdict verdict = PROOF_FINE;
    for (uint32_t i = 0; i < o->model->counts && o->players == 0 && o->mutant == NULL; i++) {
        if (counts[i] == 0 && o->seeds >= o->model->count_seeds(i)) {
            fprintf(stderr, "never exercised: %s\n", o->model->count_text(i));
            verdict = PROOF_WRONG;
        }
    }
    return verdict;
}

static void
tell_failure(const struct sim_options *o, const struct worker *worker)
{
    const struct sim_report *r = &worker->report;
    uint64_t seed = o->seed + worker->seed;
    fprintf(stderr, "seed %" PRIu64 " is %s: %s\n  broken: %s\n  again:  seom sim --model %s", seed,
            proof_verdict_name(r->verdict), r->what, r->broken, o->model->name);
    if (o->mutant != NULL) {
        fprintf(stderr, " --mutant %s", o->mutant);
    }
    if (o->players > 0) {
        fprintf(stderr, " --players %u", o->players);
    }
    if (o->minutes > 0) {
        fprintf(stderr, " --minutes %u", o->minutes);
    }
    fprintf(stderr, " --seed %" PRIu64 " --seeds 1\n", seed);
}

/* The exit code. */
static int
tell(const struct sim_run *run)
{
    const struct sim_options *o = run->options;
    const struct sim_board *board = run->board;
    const struct worker *failed = worker_that_failed(board);
    uint64_t counts[SIM_COUNTS_MAX] = {0}, hash = 0;
    int64_t spent_us = process_mono_us() - run->began_us;
    uint64_t events = atomic_load(&board->events);
    uint32_t seeds = failed != NULL ? failed->seed + 1 : o->seeds;
    for (uint32_t i = 0; i < JOBS_MAX * SIM_COUNTS_MAX; i++) {
        counts[i % SIM_COUNTS_MAX] += board->workers[i / SIM_COUNTS_MAX].counts[i % SIM_COUNTS_MAX];
    }
    for (uint32_t i = 0; i < seeds; i++) {
        hash = rand_mix(hash, board->hashes[i]);
    }
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    for (uint32_t i = 0; i < o->model->counts; i++) {
        fprintf(stderr, "  %12" PRIu64 " x  %s\n", counts[i], o->model->count_text(i));
    }
    enum proof_verdict verdict =
        failed != NULL ? failed->report.verdict : never_exercised(run, counts);
    if (failed != NULL) {
        tell_failure(o, failed);
    }
    json_t *out =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:s,s:s}", "model", o->model->name, "seed",
                  (json_int_t)(o->seed + (failed != NULL ? failed->seed : 0)), "seeds",
                  (json_int_t)seeds, "events", (json_int_t)events, "events_per_s",
                  (json_int_t)((double)events * 1e6 / (double)(spent_us > 0 ? spent_us : 1)),
                  "trace_hash", text, "verdict", proof_verdict_name(verdict));
    if (o->mutant != NULL) {
        json_object_set_new(out, "mutant", json_string(o->mutant));
    }
    int code = output_result(&out);
    return verdict != PROOF_FINE ? (int)verdict : code;
}

int
sim_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse,
        .doc = "Run the server's own objects in one thread on virtual time, with faults, and check "
               "after every step what must hold. Model world: gates, world and clients. Model "
               "commit: several nodes that share an engine, and what players own. Model "
               "cluster: homes and gates, their links and their directory. Exit code: 0 "
               "fine, 10 crash, 11 stuck, 12 wrong."};
    struct sim_options o = {.model = &sim_world, .seed = 1, .jobs = 1};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.list) {
        return list_mutants(o.model);
    }
    size_t bytes = sizeof(struct sim_board) + o.seeds * sizeof(uint64_t);
    struct sim_run run = {.options = &o, .began_us = process_mono_us()};
    run.board = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.board == MAP_FAILED) {
        fprintf(stderr, "seom sim: no memory for %u seeds\n", o.seeds);
        return 1;
    }
    atomic_store(&run.board->failed, NO_SEED);
    if (o.jobs > 1) {
        work_together(&run);
    } else {
        run.worker = &run.board->workers[0];
        work(&run);
    }
    int code = tell(&run);
    munmap(run.board, bytes);
    return code;
}
