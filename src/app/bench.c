/* A run: seed, server, herd, each a process; then the bare loop. Whoever conducts keeps no threads
 * and little memory, so that its children begin small. */
#include "app/bench.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MAX_S   30
#define READY_STEP_US 10000
#define LIMIT_S       5

int
bench_fail(struct bench_shared *shared, enum err error, const char *format, ...)
{
    CHECK(error != OK);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(shared->why, sizeof shared->why, format, arguments);
    va_end(arguments);
    shared->error = error;
    return 1;
}

bool
bench_plan(struct bench_shared *shared, struct tracks **tracks, struct plan_options *out)
{
    const struct bench_options *o = &shared->options;
    char why[TRACKS_WHY_MAX];
    *tracks = NULL;
    if (o->tracks_path != NULL) {
        enum err error = tracks_read(o->tracks_path, TRACKS_AUTO, tracks, why);
        if (error != OK) {
            bench_fail(shared, error, "%s: %s", o->tracks_path, why);
            return false;
        }
        if (o->profile != PROFILE_CROWD) {
            tracks_fit(*tracks, PLAN_SIDE_MM / 1000.0);
        }
    }
    *out = (struct plan_options){.profile = o->profile,
                                 .seed = o->seed,
                                 .per_island = o->per_island,
                                 .tracks = *tracks,
                                 .square = true};
    return true;
}

static void
wait_us(int64_t us)
{
    struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&wait, NULL);
}

/* One process from beginning to end. */
static enum err
run_child(struct bench_shared *shared, int (*run)(void *ctx))
{
    pid_t pid;
    if (process_fork(run, shared, &pid) != OK) {
        return ERR_FULL;
    }
    int code = process_wait(pid);
    if (code != 0 && shared->error == OK) {
        bench_fail(shared, ERR_IO, "a process of the bench ended with code %d", code);
    }
    return shared->error;
}

static enum err
wait_until_ready(struct bench_shared *shared, pid_t server)
{
    for (int64_t us = 0; us < READY_MAX_S * INT64_C(1000000); us += READY_STEP_US) {
        if (atomic_load(&shared->port) != 0) {
            return OK;
        }
        if (!scratch_child_runs(server) || scratch_stopped()) {
            return shared->error != OK ? shared->error : ERR_IO;
        }
        wait_us(READY_STEP_US);
    }
    return ERR_TIMEOUT;
}

static enum err
run_world(struct bench_shared *shared)
{
    pid_t server;
    if (process_fork(bench_server, shared, &server) != OK) {
        return ERR_FULL;
    }
    enum err error = wait_until_ready(shared, server);
    error = error == OK ? run_child(shared, bench_herd) : error;
    kill(server, SIGTERM);
    int code = process_wait(server);
    if (code != 0 && error == OK) {
        bench_fail(shared, ERR_IO, "the server ended with code %d", code);
        error = ERR_IO;
    }
    return error;
}

/* The bare loop does what this world's sockets did: as many connections, sends and receives. */
static enum err
run_limit(struct bench_shared *shared)
{
    struct bench_result *r = &shared->result;
    double seconds = (double)(r->to.gates_us - r->from.gates_us) / 1e6;
    uint64_t sends = r->to.sends - r->from.sends, receives = r->to.receives - r->from.receives;
    uint64_t feeds = r->to.feeds - r->from.feeds;
    if (seconds <= 0 || sends == 0 || feeds == 0 || receives == 0) {
        bench_fail(shared, ERR_RANGE, "the server counted nothing while it was measured");
        return ERR_RANGE;
    }
    struct limit_options options = {
        .connections = shared->options.players,
        .bytes = (uint32_t)((r->to.send_bytes - r->from.send_bytes) / sends),
        .pieces =
            (uint32_t)lround((double)(r->to.feed_pieces - r->from.feed_pieces) / (double)feeds),
        .seconds = LIMIT_S,
        .sends_per_s = (uint32_t)((double)sends / seconds),
        .receives_per_s = (uint32_t)((double)receives / seconds)};
    output_progress("the bare loop: %u connections, %u sends/s of %u bytes in %u pieces, %u "
                    "receives/s ...",
                    options.connections, options.sends_per_s, options.bytes, options.pieces,
                    options.receives_per_s);
    r->limit = bench_limit_run(&options);
    if (r->limit.error != OK) {
        bench_fail(shared, r->limit.error, "the bare loop: %s", r->limit.why);
    }
    return r->limit.error;
}

static enum err
run_all(struct bench_shared *shared)
{
    if (scratch_make(NULL, shared->data) != OK) {
        bench_fail(shared, ERR_IO, "%s: %s", shared->data, strerror(errno));
        return ERR_IO;
    }
    enum err error = run_child(shared, bench_seed);
    error = error == OK ? run_world(shared) : error;
    if (error == OK && !scratch_stopped() && !shared->options.without_limit) {
        error = run_limit(shared);
    }
    scratch_remove(shared->data);
    return scratch_stopped() ? ERR_CLOSED : error;
}

enum err
bench_run(const struct bench_options *options, struct bench_result *out, char why[BENCH_WHY_MAX])
{
    CHECK(options->players > 0 && options->players <= BENCH_PLAYERS_MAX);
    size_t bytes = sizeof(struct bench_shared) + sizeof(uint8_t[TICKET_BYTES]) * options->players;
    struct bench_shared *shared =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        snprintf(why, BENCH_WHY_MAX, "out of memory");
        return ERR_FULL;
    }
    struct scratch_signals before;
    scratch_signals_take(&before);
    shared->options = *options;
    enum err error = run_all(shared);
    *out = shared->result;
    snprintf(why, BENCH_WHY_MAX, "%s",
             error == ERR_CLOSED   ? "interrupted"
             : shared->why[0] != 0 ? shared->why
                                   : err_text(error));
    munmap(shared, bytes);
    scratch_signals_give_back(&before);
    return error;
}
