/* The conformance suite against the simulator's engine, on virtual time. */
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CALLS_MAX 512

struct memory_engine {
    struct events schedule;
    struct memory_store *store; /* stays over a close: that is what is on the disk */
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
    events_init(&e->schedule, 11);
    struct memory_store_options options = {.schedule = events_port(&e->schedule),
                                           .calls_max = CALLS_MAX};
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

int
main(void)
{
    struct memory_engine e = {0};
    struct conformance_engine engine = {.name = "engine_memory",
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX};
    int failed = conformance_run(&engine);
    memory_store_free(&e.store);
    events_fini(&e.schedule);
    return failed;
}
