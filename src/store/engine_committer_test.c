/* The conformance suite against the committer, on virtual time, over the simulator's engine: used
 * one key at a time; one that takes whole commits ("1"); one whose documents live in three groups
 * ("3"). */
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/committer.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS_MAX 512

struct committer_engine {
    struct events schedule;
    struct env env;
    struct memory_store *memory; /* stays over a close: that is what is on the disk */
    struct committer *committer;
    uint64_t epoch;
    uint32_t groups; /* 0: one key at a time */
};

static void
engine_open(void *ctx, bool fresh)
{
    struct committer_engine *e = ctx;
    if (fresh) {
        if (e->memory != NULL) {
            memory_store_free(&e->memory);
            events_fini(&e->schedule);
        }
        events_init(&e->schedule, 11);
        struct memory_store_options options = {.schedule = events_port(&e->schedule),
                                               .calls_max = 2 * CALLS_MAX,
                                               .commit_max = e->groups > 0 ? 0 : 1,
                                               .groups = e->groups};
        e->memory = memory_store_alloc(&options);
        e->env.clock = events_clock(&e->schedule);
    }
    struct committer_options options = {
        .env = &e->env, .world = 1, .node_epoch = ++e->epoch, .calls_max = CALLS_MAX};
    e->committer = committer_alloc(&options);
    struct env_store engine = memory_store_port(e->memory, committer_done(e->committer));
    committer_connect(e->committer, &engine);
}

static void
engine_close(void *ctx)
{
    struct committer_engine *e = ctx;
    memory_store_crash(e->memory);
    committer_free(&e->committer);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return committer_port(((struct committer_engine *)ctx)->committer, done);
}

static void
engine_wait(void *ctx)
{
    struct committer_engine *e = ctx;
    int64_t turn_us = committer_turn(e->committer);
    if (e->schedule.count > 0 && e->schedule.heap[0].due_us <= turn_us)
        (void)events_step(&e->schedule);
    else
        events_run(&e->schedule, turn_us);
}

/* Of the engine below: what it answers UNKNOWN is told by reading, most of it. */
static void
engine_faults(void *ctx, bool on)
{
    struct committer_engine *e = ctx;
    struct memory_store_knobs knobs = {
        .get_us_min = 50, .get_us_max = 500, .commit_us_min = 200, .commit_us_max = 5000};
    if (on) {
        knobs.unknown_done_ppm = knobs.unknown_lost_ppm = 30000;
        knobs.unknown_late_ppm = knobs.unavailable_ppm = 30000;
        knobs.twice_ppm = knobs.zombie_ppm = 100000;
    }
    memory_store_set_knobs(e->memory, &knobs);
}

int
main(int argc, char **argv)
{
    static const char *const names[] = {"engine_committer", "engine_committer_1",
                                        "engine_committer_2", "engine_committer_3"};
    struct committer_engine e = {.groups = argc > 1 ? (uint32_t)(argv[1][0] - '0') : 0};
    struct conformance_engine engine = {.name = names[e.groups % 4],
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX,
                                        .faults = engine_faults};
    int failed = conformance_run(&engine);
    memory_store_free(&e.memory);
    events_fini(&e.schedule);
    return failed;
}
