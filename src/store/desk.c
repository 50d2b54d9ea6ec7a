#include "store/desk.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 4096

struct desk *
desk_alloc(uint64_t seed)
{
    struct desk *desk = calloc(1, sizeof *desk);
    CHECK(desk != NULL);
    events_init(&desk->schedule, seed);
    struct memory_store_options options = {.schedule = events_port(&desk->schedule)};
    desk->memory = memory_store_alloc(&options);
    desk->env.clock = events_clock(&desk->schedule);
    store_init(&desk->store, &desk->env, CALLS_MAX);
    desk->env.store = memory_store_port(desk->memory, store_done(&desk->store));
    return desk;
}

void
desk_free(struct desk *desk)
{
    store_fini(&desk->store);
    memory_store_free(&desk->memory);
    events_fini(&desk->schedule);
    free(desk);
}

void
desk_settle(struct desk *desk)
{
    while (memory_store_under_way(desk->memory) > 0)
        CHECK(events_step(&desk->schedule));
}

void
desk_run_ms(struct desk *desk, int64_t ms)
{
    events_run(&desk->schedule, desk->schedule.now_us + ms * 1000);
}

void
desk_restart(struct desk *desk)
{
    memory_store_crash(desk->memory);
    store_fini(&desk->store);
    store_init(&desk->store, &desk->env, CALLS_MAX);
    desk->env.store = memory_store_port(desk->memory, store_done(&desk->store));
}

void
desk_faults(struct desk *desk, uint32_t unknown_done, uint32_t unknown_lost, uint32_t unknown_late,
            uint32_t unavailable)
{
    struct memory_store_knobs knobs = {
        .get_us_min = 50,
        .get_us_max = 500,
        .commit_us_min = 200,
        .commit_us_max = 5000,
        .unknown_done_ppm = unknown_done,
        .unknown_lost_ppm = unknown_lost,
        .unknown_late_ppm = unknown_late,
        .unavailable_ppm = unavailable,
    };
    memory_store_set_knobs(desk->memory, &knobs);
}

static void
on_put(void *ctx, uint64_t n, enum store_result result)
{
    (void)ctx;
    (void)n;
    CHECK(result == STORE_OK);
}

void
desk_put(struct desk *desk, const char *key, const void *value, size_t bytes)
{
    struct store_write write = {.key = {(const uint8_t *)key, strlen(key)},
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {value, bytes}};
    CHECK(store_commit(&desk->store, &write, 1, on_put, NULL, 0) == OK);
    desk_settle(desk);
}

struct store_doc
desk_look(const struct desk *desk, const char *key)
{
    return memory_store_look(desk->memory, (struct slice){(const uint8_t *)key, strlen(key)});
}
