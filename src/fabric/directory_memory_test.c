/* The suite of the directory port against the simulator's model, on virtual time. */
#include "fabric/directory_suite.h"
#include "sim/events.h"
#include "sim/memory_directory.h"

struct model {
    struct events events;
    struct memory_directory *directory;
    struct memory_directory_client *client;
    uint64_t seed;
};

static struct env_directory
model_open(void *ctx, struct directory_done done)
{
    struct model *m = ctx;
    events_init(&m->events, ++m->seed);
    struct sim_schedule schedule = events_port(&m->events);
    m->directory = memory_directory_alloc(&schedule);
    m->client = memory_directory_connect(m->directory, done);
    return memory_directory_port(m->client);
}

static void
model_close(void *ctx)
{
    struct model *m = ctx;
    memory_directory_crash(&m->client);
    memory_directory_free(&m->directory);
    events_fini(&m->events);
}

static void
model_wait(void *ctx)
{
    struct model *m = ctx;
    events_run(&m->events, m->events.now_us + 100000);
}

static void
model_compact(void *ctx)
{
    memory_directory_compact(((struct model *)ctx)->directory);
}

static void
model_away(void *ctx, bool away)
{
    memory_directory_set_away(((struct model *)ctx)->directory, away);
}

int
main(void)
{
    struct model m = {.seed = 0};
    struct directory_engine engine = {.name = "directory_memory",
                                      .ctx = &m,
                                      .open = model_open,
                                      .close = model_close,
                                      .wait = model_wait,
                                      .compact = model_compact,
                                      .away = model_away,
                                      .calls_max = MEMORY_DIRECTORY_CALLS_MAX};
    return directory_suite_run(&engine);
}
