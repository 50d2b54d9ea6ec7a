/* The conformance suite against the simulator's engine, on virtual time. */
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CALLS_MAX 512

struct memory_engine {
    struct events schedule;
    struct memory_store *store; /* stays over a close: that is what is on the disk */
    uint32_t commit_max;
    uint64_t seed;
};

static void
engine_open(void *ctx, bool fresh)
{
    struct memory_engine *e = ctx;
    if (!fresh)
        return;
    if (e->store != NULL) {
        memory_store_free(&e->store);
        events_fini(&e->schedule);
    }
    events_init(&e->schedule, ++e->seed);
    struct memory_store_options options = {
        .schedule = events_port(&e->schedule), .calls_max = CALLS_MAX, .commit_max = e->commit_max};
    e->store = memory_store_alloc(&options);
}

static void
engine_close(void *ctx)
{
    struct memory_engine *e = ctx;
    memory_store_crash(e->store);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return memory_store_port(((struct memory_engine *)ctx)->store, done);
}

static void
engine_wait(void *ctx)
{
    struct memory_engine *e = ctx;
    assert_true(events_step(&e->schedule));
}

/* Latencies as always; every fault that the port allows. */
static void
engine_faults(void *ctx, bool on)
{
    struct memory_engine *e = ctx;
    struct memory_store_knobs knobs = {
        .get_us_min = 50, .get_us_max = 500, .commit_us_min = 200, .commit_us_max = 5000};
    if (on) {
        knobs.unknown_done_ppm = knobs.unknown_lost_ppm = 50000;
        knobs.unknown_late_ppm = knobs.unavailable_ppm = 50000;
        knobs.twice_ppm = knobs.zombie_ppm = 200000;
    }
    memory_store_set_knobs(e->store, &knobs);
}

static int
run(const char *name, uint32_t commit_max)
{
    struct memory_engine e = {.commit_max = commit_max};
    struct conformance_engine engine = {.name = name,
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX,
                                        .hints = true,
                                        .faults = engine_faults};
    int failed = conformance_run(&engine);
    memory_store_free(&e.store);
    events_fini(&e.schedule);
    return failed;
}

/* one_key: the engine is used one key at a time. */
int
main(int argc, char **argv)
{
    bool one_key = argc == 2 && strcmp(argv[1], "one_key") == 0;
    return one_key ? run("engine_one_key", 1) : run("engine_memory", STORE_COMMIT_MAX);
}
