/* The serving process of a bench: a world as `seom dev` runs it, on core 0, that writes down what
 * it counts while the herd measures. */
#include "app/bench.h"
#include "app/server.h"
#include "base/check.h"
#include "os/process.h"
#include "rules/registry.h"
#include <stdio.h>
#include <string.h>

/* Who comes back while its avatar still stands needs no room, guests do. */
#define PLAYERS_SPARE 64

/* Once a second, on the logic thread. */
static void
told(void *ctx, const struct server_figures *figures)
{
    struct bench_shared *shared = ctx;
    struct bench_result *r = &shared->result;
    if (!atomic_load(&shared->measuring)) {
        return;
    }
    struct bench_count now = {.mono_us = process_mono_us(),
                              .cpu_us = process_cpu_us(),
                              .gates_us = figures->gates_us,
                              .sends = figures->sends,
                              .receives = figures->receives,
                              .send_bytes = figures->send_bytes,
                              .feeds = figures->feeds,
                              .feed_pieces = figures->feed_pieces};
    if (r->from.mono_us == 0) {
        r->from = now;
        return;
    }
    r->to = now;
    r->rss_to = process_rss_bytes();
    hist_merge(&r->tick_us, figures->tick_us);
    hist_merge(&r->queue_wait_us, figures->queue_wait_us);
}

static uint32_t
islands_of(const struct bench_options *options)
{
    struct plan plan;
    plan_init(&plan, &(struct plan_options){.profile = options->profile,
                                            .per_island = options->per_island,
                                            .square = true});
    return plan_islands(&plan, options->players);
}

int
bench_server(void *ctx)
{
    struct bench_shared *shared = ctx;
    struct sea sea;
    struct server *server = NULL;
    char why[SERVER_WHY_MAX] = "";
    enum err error = sea_plain(islands_of(&shared->options), PLAN_SIDE_MM, &sea);
    if (error != OK) {
        return bench_fail(shared, error, "the islands cannot be made: %s", err_text(error));
    }
    struct server_options options = {.data = shared->data,
                                     .sea = &sea,
                                     .game = registry_find("empty"),
                                     .world_id = BENCH_WORLD_ID,
                                     .players_max = shared->options.players + PLAYERS_SPARE,
                                     .gate_threads = 1,
                                     .log_level = LOG_WARN,
                                     .core = process_cores() > 1 ? 0 : -1,
                                     .told = told,
                                     .ctx = shared};
    CHECK(options.game != NULL && address_parse("127.0.0.1:0", &options.play) == NULL);
    error = server_open(&options, &server, why);
    if (error == OK) {
        shared->result.rss_from = process_rss_bytes();
        atomic_store(&shared->port, server_play(server).port);
        error = server_run(server, 0);
        snprintf(why, sizeof why, "it did not stop cleanly");
        server_close(&server);
    }
    sea_free(&sea);
    return error == OK ? 0 : bench_fail(shared, error, "the server: %s", why);
}
