#include "app/server.h"

#include "app/config.h"
#include "app/freeze.h"
#include "app/gate_thread.h"
#include "app/origin.h"
#include "app/promote.h"
#include "app/version.h"
#include "base/check.h"
#include "os/crash.h"
#include "os/listen.h"
#include "os/lmdb_store.h"
#include "os/process.h"
#include "os/signals.h"
#include "seom.pb-c.h"
#include "watch/gather.h"
#include "watch/recent.h"
#include "wire/code.h"
#include "world/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GATES_THREADS_MAX 16
#define RING_BYTES        (8U << 20)
#define FIGURES_US        1000000
#define STOP_DEADLINE_US  5000000
#define RETRY_AFTER_MS    1000
#define TOPICS_PER_PLAYER 12
#define CHUNKS_PER_PLAYER 32
#define THINGS_MAX        65536
#define PACE_US           1000

struct server {
    struct server_options options;
    struct address play;
    struct log log;
    struct clock clock;
    struct thread_clock thread_clock;
    struct trace trace;
    struct loop *loop;
    struct rings *rings;
    struct signals signals;
    struct lmdb_store *store;
    struct loop_watch store_watch;
    struct world *world;
    struct env env;
    struct gate_thread *gates[GATES_THREADS_MAX];
    uint32_t gate_count;
    struct board *board;
    struct metrics metrics;
    struct recent ticks;
    int64_t started_us, figures_us;
    uint64_t node_epoch;
    bool asked_to_stop;
    char gate_text[ADDRESS_TEXT_MAX];
    const char *gate_list[1];
};

static void
store_ready(void *ctx, uint32_t events)
{
    struct server *s = ctx;
    (void)events;
    lmdb_store_deliver(s->store);
}

static void
asked(void *ctx, int signal_number)
{
    struct server *s = ctx;
    env_log(&s->env, LOG_INFO, "server.signal", "signal %d: stopping", signal_number);
    s->asked_to_stop = true;
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct server *s = ctx;
    world_message(s->world, peer, bytes, n);
}

static void
add_figures(struct server_figures *sum, const struct gate_figures *gate)
{
    sum->gates_us = gate->taken_us;
    sum->sends += gate->conns.sends;
    sum->receives += gate->conns.receives;
    sum->send_bytes += gate->conns.send_bytes;
    sum->feeds += gate->gate.sends;
    sum->feed_pieces += gate->gate.pieces;
}

static void
hang_up_figures(struct server *s, int64_t now_us)
{
    const struct world_stats *w = world_stats(s->world);
    const struct commands_stats *commands = world_commands_stats(s->world);
    struct lmdb_store_stats store;
    struct places_stats places = world_places_stats(s->world);
    struct log_stats log = log_stats(&s->log);
    uint32_t bots = s->options.bots == NULL ? 0 : s->options.bots(s->options.bots_ctx);
    struct status status = {
        .bots = bots, .islands = s->options.sea->islands.count, .world = s->options.world_id};
    struct server_figures figures = {.tick_us = &w->tick_us, .queue_wait_us = &w->queue_wait_us};
    lmdb_store_stats(s->store, &store);
    recent_merge(&s->ticks, &w->tick_us, now_us);
    gather_begin(&s->metrics);
    gather_world(&s->metrics, w);
    if (commands != NULL)
        gather_commands(&s->metrics, w, commands, world_commands_under_way(s->world));
    gather_store(&s->metrics, &store, lmdb_store_under_way(s->store));
    gather_scans(&s->metrics, world_store_stats(s->world));
    gather_places(&s->metrics, &places);
    gather_log(&s->metrics, &log);
    for (uint32_t i = 0; i < s->gate_count; i++) {
        struct gate_figures f;
        struct rings_stats rings = rings_stats(s->rings, i);
        gate_thread_figures(s->gates[i], &f);
        gather_gate(&s->metrics, &f.gate);
        gather_conns(&s->metrics, &f.conns);
        gather_send_queues(&s->metrics, &f.queue_bytes, f.connections);
        gather_rings(&s->metrics, METRIC_NAMED_logic_to_gate, &rings);
        gather_rings(&s->metrics, METRIC_NAMED_gate_to_logic, &f.rings);
        status.spectators += f.gate.spectators;
        add_figures(&figures, &f);
    }
    if (s->options.told != NULL) {
        s->options.told(s->options.ctx, &figures);
    }
    gather_process(&s->metrics, s->started_us, env_world_ms(&s->env));
    s->metrics.values[METRIC_BOTS] = bots;
    world_stats_reset_histograms(s->world);
    status.players = w->players;
    status.lingering = w->lingering;
    status.awake_chunks = w->chunks_awake;
    status.tick_ms_p99 = (double)recent_quantile(&s->ticks, 0.99) / 1e3;
    status.uptime_s = (now_us - s->started_us) / 1000000;
    status.world_ms = env_world_ms(&s->env);
    snprintf(status.node, sizeof status.node, "%s", s->metrics.node);
    snprintf(status.host, sizeof status.host, "%s", s->metrics.host);
    snprintf(status.version, sizeof status.version, "%s", version_number());
    snprintf(status.play, sizeof status.play, "%s", s->gate_text);
    board_put(s->board, &s->metrics, &status);
    s->figures_us = now_us;
}

/* One turn of the logic thread; returns when it wants the next. */
static int64_t
turn(struct server *s, int64_t next_us)
{
    const struct rings_handler handler = {.ctx = s, .message = message};
    int64_t wait_us = next_us - env_mono_us(&s->env);
    loop_turn(s->loop, rings_sleep(s->rings) && wait_us > 0 ? wait_us : 0);
    rings_awake(s->rings);
    thread_clock_turn(&s->thread_clock);
    rings_receive(s->rings, &handler);
    next_us = world_turn(s->world);
    rings_publish(s->rings);
    int64_t now_us = env_mono_us(&s->env);
    if (now_us - s->figures_us >= FIGURES_US) {
        hang_up_figures(s, now_us);
    }
    return next_us;
}

/* Play knows the keys of what it needs: if it walked over documents, this run was not good. */
static enum err
scans_check(const struct server *s)
{
    uint64_t scans = world_store_stats(s->world)->scans[ROLE_PLAY];
    if (scans == 0) {
        return OK;
    }
    env_log(&s->env, LOG_ERROR, "server.scans", "the game scanned the store %llu times",
            (unsigned long long)scans);
    return ERR_RANGE;
}

enum err
server_run(struct server *s, int64_t until_mono_us)
{
    int64_t next_us = 0;
    hang_up_figures(s, env_mono_us(&s->env));
    while (!s->asked_to_stop && (until_mono_us == 0 || env_mono_us(&s->env) < until_mono_us)) {
        if (until_mono_us != 0 && until_mono_us < next_us) {
            next_us = until_mono_us;
        }
        next_us = turn(s, next_us);
    }
    env_log(&s->env, LOG_INFO, "server.stop", "saying good-bye to %u players",
            world_stats(s->world)->players);
    world_stop(s->world, RETRY_AFTER_MS);
    int64_t deadline_us = env_mono_us(&s->env) + STOP_DEADLINE_US;
    while (!world_stopped(s->world) && env_mono_us(&s->env) < deadline_us) {
        turn(s, env_mono_us(&s->env) + 10000);
    }
    bool durable = world_stopped(s->world);
    for (uint32_t i = 0; i < s->gate_count; i++) {
        gate_thread_stop(&s->gates[i], SEOM__CODE__SERVER_STOPS, RETRY_AFTER_MS);
    }
    s->gate_count = 0;
    env_log(&s->env, durable ? LOG_INFO : LOG_ERROR, "server.stopped",
            durable ? "everything is on disk"
                    : "the store did not confirm the last places in time");
    return durable ? scans_check(s) : ERR_UNAVAILABLE;
}

static void
open_metrics(struct server *s)
{
    char host[METRICS_LABEL_MAX] = "localhost";
    gethostname(host, sizeof host - 1);
    snprintf(s->metrics.world, sizeof s->metrics.world, "%u", s->options.world_id);
    snprintf(s->metrics.node, sizeof s->metrics.node, "dev-%d", (int)getpid());
    memcpy(s->metrics.host, host, sizeof host);
    snprintf(s->metrics.version, sizeof s->metrics.version, "%s", version_number());
    snprintf(s->metrics.revision, sizeof s->metrics.revision, "%s", version_revision());
    s->started_us = process_mono_us();
    recent_init(&s->ticks, s->started_us);
    s->board = board_alloc();
    CHECK(s->board != NULL);
}

static enum err
look_for_promotion(const char *data, char *why)
{
    char note[CONFIG_TEXT_MAX + sizeof "/" PROMOTED_NOTE];
    snprintf(note, sizeof note, "%s/" PROMOTED_NOTE, data);
    if (access(note, F_OK) != 0) {
        return OK;
    }
    snprintf(why, SERVER_WHY_MAX,
             "the world of this directory moved to a PostgreSQL server (%s says so): start it with "
             "`seom cluster up --store ...`",
             note);
    return ERR_EXISTS;
}

static enum err
open_store(struct server *s, char *why)
{
    struct lmdb_store_options store = {
        .directory = s->options.data, .log_ctx = &s->log, .log = log_write};
    enum err e = look_for_promotion(s->options.data, why);
    if (e == OK) {
        e = lmdb_store_open(&store, &s->store, why);
    }
    if (e != OK) {
        return e;
    }
    s->store_watch = (struct loop_watch){.ready = store_ready, .ctx = s};
    return loop_add(s->loop, lmdb_store_fd(s->store), EPOLLIN, &s->store_watch);
}

static enum err
open_world(struct server *s, const struct origin *origin, char *why)
{
    s->node_epoch = (uint64_t)env_world_ms(&s->env) + 1; /* a new world is 0 ms old; 0 is no node */
    struct world_options world = {.world_id = s->options.world_id,
                                  .node_epoch = s->node_epoch,
                                  .players_max = s->options.players_max,
                                  .topics_max = s->options.players_max * TOPICS_PER_PLAYER + 4096,
                                  .game = s->options.game,
                                  .islands = &s->options.sea->islands,
                                  .seed = origin->seed,
                                  .saved_world_ms = origin->saved_world_ms};
    memcpy(world.ticket_key, origin->ticket_key, sizeof world.ticket_key);
    enum err e = world_alloc(&world, &s->env, &s->world);
    if (e != OK) {
        snprintf(why, SERVER_WHY_MAX, "the world did not start: %s", err_text(e));
        return e;
    }
    s->env.store = lmdb_store_port(s->store, world_store_done(s->world));
    return OK;
}

static enum err
open_gates(struct server *s, char *why)
{
    int fds[GATES_THREADS_MAX];
    enum err e = listen_open((const struct sockaddr *)&s->play.socket, s->play.socket_bytes,
                             s->options.gate_threads, fds);
    if (e != OK) {
        address_text(&s->play, s->gate_text);
        snprintf(why, SERVER_WHY_MAX,
                 "cannot listen on %s: %s (another seom? choose another address with --play)",
                 s->gate_text, err_text(e));
        return e;
    }
    s->play.port = listen_port(fds[0]);
    address_text(&s->play, s->gate_text);
    s->gate_list[0] = s->gate_text;
    uint32_t players = s->options.players_max;
    struct gate_options gate = {.islands = &s->options.sea->islands,
                                .entities_max = players * 2 + THINGS_MAX,
                                .topics_max = players * TOPICS_PER_PLAYER + 4096,
                                .chunks_max = players * CHUNKS_PER_PLAYER + 4096,
                                .gates = s->gate_list,
                                .gates_count = 1,
                                .speeds_count = 2};
    for (uint32_t look = LOOK_WALKER; look <= LOOK_RIDER; look++) {
        gate.speeds[look].look = (uint8_t)look;
        gate.speeds[look].mm_per_s = (uint32_t)s->options.game->speed_mm_s((uint8_t)look);
    }
    for (uint32_t i = 0; i < s->options.gate_threads; i++) {
        struct gate_thread_options options = {.number = i,
                                              .listener = fds[i],
                                              .clock = &s->clock,
                                              .log = &s->log,
                                              .logic = s->rings,
                                              .ring_bytes = RING_BYTES,
                                              .home_epoch = s->node_epoch,
                                              .gate = gate,
                                              .core = s->options.core};
        e = gate_thread_start(&options, &s->gates[i]);
        if (e != OK) {
            snprintf(why, SERVER_WHY_MAX, "gate thread %u did not start: %s", i, err_text(e));
            return e;
        }
        struct node node = {.epoch = s->node_epoch,
                            .role = NODE_GATE,
                            .index = (uint16_t)i,
                            .protocol_max = LINK_PROTOCOL_MAX};
        world_peer_up(s->world, i, &node);
        s->gate_count++;
    }
    return OK;
}

enum err
server_open(const struct server_options *options, struct server **out, char why[SERVER_WHY_MAX])
{
    struct server *s = calloc(1, sizeof *s);
    CHECK(s != NULL && options->gate_threads <= GATES_THREADS_MAX);
    s->options = *options;
    s->play = options->play;
    process_raise_descriptors();
    log_init(&s->log, STDERR_FILENO, options->log_level, time_source_linux());
    trace_init(&s->trace, "logic");
    CHECK(loop_open(&s->loop) == OK);
    loop_pace(s->loop, PACE_US, PACE_US);
    CHECK(signals_open(&s->signals, s->loop, s, asked) == OK);
    s->rings = rings_alloc(s->loop);
    struct origin origin;
    enum err e = open_store(s, why);
    e = e == OK
            ? origin_load(options->data, s->store, options->world_id, &origin, why, SERVER_WHY_MAX)
            : e;
    uint32_t stopped = 0;
    e = e == OK ? freeze_places(s->store, options->world_id, origin.saved_world_ms, &stopped, why,
                                SERVER_WHY_MAX)
                : e;
    if (e != OK) {
        server_close(&s);
        return e;
    }
    if (crash_install(options->data) == OK) {
        crash_thread_begin(&s->trace);
    }
    if (options->core >= 0 && thread_pin((uint32_t)options->core) != OK) {
        log_write(&s->log, LOG_WARN, "server.core", "the core asked for is not to be had");
    }
    clock_init(&s->clock, time_source_linux(), origin.birth_wall_ms, origin.saved_world_ms);
    thread_clock_init(&s->thread_clock, &s->clock);
    thread_clock_turn(&s->thread_clock);
    s->env = (struct env){.clock = thread_clock_port(&s->thread_clock),
                          .links = rings_port(s->rings),
                          .log_ctx = &s->log,
                          .log = log_write,
                          .trace = &s->trace};
    open_metrics(s);
    e = open_world(s, &origin, why);
    e = e == OK ? open_gates(s, why) : e;
    if (e != OK) {
        server_close(&s);
        return e;
    }
    *out = s;
    return OK;
}

void
server_close(struct server **server)
{
    struct server *s = *server;
    for (uint32_t i = 0; i < s->gate_count; i++) {
        gate_thread_stop(&s->gates[i], SEOM__CODE__SERVER_STOPS, RETRY_AFTER_MS);
    }
    if (s->store != NULL) {
        loop_remove(s->loop, lmdb_store_fd(s->store), &s->store_watch);
        lmdb_store_close(&s->store);
    }
    if (s->world != NULL) {
        world_free(&s->world);
    }
    if (s->board != NULL) {
        board_free(&s->board);
        crash_thread_end(&s->trace);
    }
    signals_close(&s->signals);
    rings_free(&s->rings);
    loop_close(&s->loop);
    log_fini(&s->log);
    free(s);
    *server = NULL;
}

struct address
server_play(const struct server *s)
{
    return s->play;
}

struct board *
server_board(struct server *s)
{
    return s->board;
}
