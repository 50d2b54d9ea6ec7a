/* The conformance suite against three engines behind one port: with the committer above, as a store
 * of several servers runs, on virtual time. */
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/committer.h"
#include "store/conformance.h"
#include "store/spread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS_MAX 512
#define ENGINES   3

struct spread_engine {
    struct events schedule;
    struct env env;
    struct memory_store *memory[ENGINES]; /* stay over a close: that is what is on the disks */
    struct spread *spread;
    struct committer *committer;
    uint64_t epoch;
};

static void
memories_make(struct spread_engine *e)
{
    events_init(&e->schedule, 12);
    e->env.clock = events_clock(&e->schedule);
    for (uint32_t i = 0; i < ENGINES; i++)
        e->memory[i] = memory_store_alloc(&(struct memory_store_options){
            .schedule = events_port(&e->schedule), .calls_max = 2 * CALLS_MAX});
}

static void
memories_free(struct spread_engine *e)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        if (e->memory[i] != NULL)
            memory_store_free(&e->memory[i]);
    events_fini(&e->schedule);
}

static void
engine_open(void *ctx, bool fresh)
{
    struct spread_engine *e = ctx;
    if (fresh) {
        memories_free(e);
        memories_make(e);
    }
    struct committer_options options = {
        .env = &e->env, .world = 1, .node_epoch = ++e->epoch, .calls_max = CALLS_MAX};
    uint8_t engine_of[SPREAD_BUCKETS];
    for (uint32_t b = 0; b < SPREAD_BUCKETS; b++)
        engine_of[b] = (uint8_t)(b % ENGINES);
    e->spread = spread_alloc(ENGINES, engine_of);
    for (uint32_t i = 0; i < ENGINES; i++) {
        struct env_store port = memory_store_port(e->memory[i], spread_done(e->spread, i));
        spread_connect(e->spread, i, &port);
    }
    e->committer = committer_alloc(&options);
    struct env_store whole = spread_port(e->spread, committer_done(e->committer));
    committer_connect(e->committer, &whole);
}

static void
engine_close(void *ctx)
{
    struct spread_engine *e = ctx;
    for (uint32_t i = 0; i < ENGINES; i++)
        memory_store_crash(e->memory[i]);
    committer_free(&e->committer);
    spread_free(&e->spread);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return committer_port(((struct spread_engine *)ctx)->committer, done);
}

static void
engine_wait(void *ctx)
{
    struct spread_engine *e = ctx;
    int64_t turn_us = committer_turn(e->committer);
    if (e->schedule.count > 0 && e->schedule.heap[0].due_us <= turn_us)
        (void)events_step(&e->schedule);
    else
        events_run(&e->schedule, turn_us);
}

static void
engine_faults(void *ctx, bool on)
{
    struct spread_engine *e = ctx;
    struct memory_store_knobs knobs = {
        .get_us_min = 50, .get_us_max = 500, .commit_us_min = 200, .commit_us_max = 5000};
    if (on) {
        knobs.unknown_done_ppm = knobs.unknown_lost_ppm = 30000;
        knobs.unknown_late_ppm = knobs.unavailable_ppm = 30000;
        knobs.twice_ppm = knobs.zombie_ppm = 100000;
    }
    for (uint32_t i = 0; i < ENGINES; i++)
        memory_store_set_knobs(e->memory[i], &knobs);
}

int
main(void)
{
    struct spread_engine e = {.epoch = 0};
    struct conformance_engine engine = {.name = "engine_spread",
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX,
                                        .hints = true,
                                        .faults = engine_faults};
    int failed = conformance_run(&engine);
    memories_free(&e);
    return failed;
}
