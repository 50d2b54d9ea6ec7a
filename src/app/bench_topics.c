/* `seom bench topics`: a home dies and starts again; how long until it has all that a gate
 * subscribes. Gate and home are those of the server, over lines and mesh of their own, and take
 * turns on one thread: so what is measured is the work of both together. The clients are spectators
 * who look at different parts of one plain island, 64 topics each.
 */
#include "app/arguments.h"
#include "app/bench_node.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include "rules/registry.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "view/gate.h"
#include "wire/limits.h"
#include "wire/message.h"
#include "world/island_make.h"
#include "world/world.h"
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_DEFAULT   200000
#define TOPICS_MAX       2000000
#define RESTARTS_DEFAULT 3
#define RESTARTS_MAX     100
#define CAMERA_BLOCKS    8 /* a side: as much as a spectator sees of a wide window */
#define CAMERA_TOPICS    (CAMERA_BLOCKS * CAMERA_BLOCKS)
#define CAMERA_MM        (CAMERA_BLOCKS * BLOCK_CHUNKS * CHUNK_MM)
#define WAIT_US          1000
#define PATIENCE_US      60000000
#define FRAME_MAX        256

enum { OPTION_TOPICS = 1, OPTION_RESTARTS, OPTION_MAX_MS };

struct request {
    uint32_t topics, restarts;
    double max_ms; /* 0: none */
};

/* Since the death of the home. */
struct times {
    double link_ms;     /* the gate has a link to the new one */
    double equal_ms;    /* the digests are equal */
    double snapshot_ms; /* and the gate was told of every topic */
};

struct ground {
    struct bench_node gate_node, home_node;
    struct gate *gate;
    struct world *world;
    uint64_t epoch; /* of the home */
    struct book book;
    char address[LINE_ADDRESS_MAX];
    const char *seed[1];
    uint32_t spectators;

    /* Around the world. */
    struct island_file file;
    struct archipelago islands;
    struct events time; /* of the store, which follows the clock */
    struct memory_store *store;
};

/* ---- the command line ---- */

static error_t
option_parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case OPTION_TOPICS:
        r->topics = arguments_number(arg, 1, TOPICS_MAX, "--topics", state);
        return 0;
    case OPTION_RESTARTS:
        r->restarts = arguments_number(arg, 1, RESTARTS_MAX, "--restarts", state);
        return 0;
    case OPTION_MAX_MS: r->max_ms = arguments_real(arg, 0, 1e6, "--max-ms", state); return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"topics", OPTION_TOPICS, "N", 0, "subscribe at least so many (200000)", 0},
    {"restarts", OPTION_RESTARTS, "N", 0, "let the home die so often (3)", 0},
    {"max-ms", OPTION_MAX_MS, "MS", 0, "fail when the digests took longer to be equal", 0},
    {0},
};

static const struct argp argp = {
    .options = option_rows,
    .parser = option_parse,
    .doc = "Let a home die and start again, and measure how long it takes until it has everything "
           "that a gate subscribes, and the gate all that it publishes.\vOne JSON object as the "
           "last line of stdout."};

/* ---- events of the meshes ---- */

static void
gate_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct ground *g = ctx;
    bench_node_up(&g->gate_node, peer);
    gate_home_up(g->gate, peer, node->epoch);
}

static void
gate_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    (void)node;
    struct ground *g = ctx;
    bench_node_down(&g->gate_node, peer);
    gate_home_down(g->gate, peer, dead);
}

static void
gate_died(void *ctx, const struct node *node)
{
    gate_home_died(((struct ground *)ctx)->gate, node->epoch);
}

static void
gate_heard(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    gate_message(((struct ground *)ctx)->gate, peer, bytes, n);
}

static void
home_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct ground *g = ctx;
    bench_node_up(&g->home_node, peer);
    world_peer_up(g->world, peer, node);
}

static void
home_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    (void)node;
    struct ground *g = ctx;
    bench_node_down(&g->home_node, peer);
    world_peer_down(g->world, peer, dead);
}

static void
home_died(void *ctx, const struct node *node)
{
    world_node_died(((struct ground *)ctx)->world, node->epoch);
}

static void
home_heard(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    world_message(((struct ground *)ctx)->world, peer, bytes, n);
}

static void
ignore(void *ctx)
{
    (void)ctx;
}

/* ---- the clients, who read everything ---- */

static enum err
client_send(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count, size_t *taken)
{
    (void)ctx;
    (void)conn;
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        *taken += pieces[i].bytes;
    }
    return OK;
}

static void
client_want_writable(void *ctx, uint32_t conn, bool on)
{
    (void)ctx;
    (void)conn;
    (void)on;
}

static void
client_close(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
}

static void
client_say(struct ground *g, uint32_t conn, const Seom__ClientMessage *m)
{
    uint8_t out[FRAME_MAX], frame[FRAME_MAX - sizeof(uint32_t)];
    size_t bytes = message_write_client(m, frame, sizeof frame);
    CHECK(bytes > 0);
    struct writer w = writer_over(out, sizeof out);
    write_u32(&w, (uint32_t)bytes);
    write_bytes(&w, frame, bytes);
    CHECK(writer_ok(&w));
    gate_received(g->gate, conn, out, writer_used(&w));
}

static void
spectator_open(struct ground *g, uint32_t conn, uint32_t across)
{
    gate_opened(g->gate, conn);
    Seom__Range range = SEOM__RANGE__INIT;
    range.min = PROTOCOL_MIN;
    range.max = PROTOCOL_MAX;
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &range;
    hello.spectator = true;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_HELLO;
    m.hello = &hello;
    client_say(g, conn, &m);

    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = 1;
    camera.x_mm = (int32_t)(conn % across * CAMERA_MM);
    camera.y_mm = (int32_t)(conn / across * CAMERA_MM);
    camera.w_mm = camera.h_mm = CAMERA_MM;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_CAMERA;
    request.camera = &camera;
    m = (Seom__ClientMessage)SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    client_say(g, conn, &m);
}

/* Who says nothing for 15 s is cut. */
static void
spectators_ping(struct ground *g)
{
    Seom__Ping ping = SEOM__PING__INIT;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_PING;
    m.ping = &ping;
    for (uint32_t conn = 0; conn < g->spectators; conn++) {
        client_say(g, conn, &m);
    }
}

/* ---- gate and home ---- */

static enum err
gate_start(struct ground *g)
{
    const struct gate_options options = {.conns_max = g->spectators,
                                         .entities_max = 4096,
                                         /* spectators have a quarter */
                                         .topics_max = 4 * (g->spectators * CAMERA_TOPICS + 64),
                                         .chunks_max = 4096,
                                         .islands = &g->islands,
                                         .subscribe_epoch_seed = 1};
    const struct mesh_events events = {.ctx = g,
                                       .up = gate_up,
                                       .down = gate_down,
                                       .died = gate_died,
                                       .message = gate_heard,
                                       .dead_self = ignore,
                                       .book_changed = ignore};
    g->gate_node.env.conns = (struct env_conns){.ctx = g,
                                                .send = client_send,
                                                .want_writable = client_want_writable,
                                                .close = client_close};
    enum err error = gate_alloc(&options, &g->gate_node.env, &g->gate);
    return error == OK ? bench_node_join(&g->gate_node, NULL, g->seed, &events) : error;
}

/* Under the next epoch. */
static enum err
home_start(struct ground *g, const char *listen)
{
    enum err error = bench_node_open(&g->home_node, NODE_HOME, 0, listen);
    if (error != OK) {
        return error;
    }
    g->home_node.self.epoch = ++g->epoch;
    memcpy(g->address, g->home_node.self.address, sizeof g->address);
    error = book_put(&g->book, &g->home_node.self);
    CHECK(error == OK);
    const struct world_options options = {.world_id = 1,
                                          .node_epoch = g->epoch,
                                          .players_max = 64,
                                          .topics_max = g->spectators * CAMERA_TOPICS + 4096,
                                          .game = registry_at(0),
                                          .islands = &g->islands,
                                          .seed = 1};
    const struct mesh_events events = {.ctx = g,
                                       .up = home_up,
                                       .down = home_down,
                                       .died = home_died,
                                       .message = home_heard,
                                       .dead_self = ignore};
    error = world_alloc(&options, &g->home_node.env, &g->world);
    if (error != OK) {
        return error;
    }
    g->home_node.env.store = memory_store_port(g->store, world_store_done(g->world));
    return bench_node_join(&g->home_node, &g->book, NULL, &events);
}

static void
home_kill(struct ground *g)
{
    bench_node_close(&g->home_node);
    world_free(&g->world);
    memory_store_crash(g->store);
}

static void
turn(struct ground *g)
{
    events_run(&g->time, process_mono_us());
    int64_t world_us = world_turn(g->world);
    bench_node_turn(&g->home_node, world_us, 0);
    int64_t gate_us = gate_turn(g->gate);
    bench_node_turn(&g->gate_node, gate_us < world_us ? gate_us : world_us, WAIT_US);
}

static bool
is_equal(const struct ground *g)
{
    return g->gate_node.peer != PEERS_MAX && g->home_node.peer != PEERS_MAX &&
           world_stats(g->world)->subscriptions >= g->spectators * CAMERA_TOPICS &&
           gate_digest(g->gate, false) == world_digest(g->world, g->home_node.peer, false);
}

static bool
is_told(const struct ground *g, uint64_t batches_before)
{
    return gate_stats(g->gate)->batches - batches_before >= g->spectators * CAMERA_TOPICS;
}

/* A death, or the beginning, until all is as it should be. */
static enum err
restart(struct ground *g, bool first, struct times *out)
{
    spectators_ping(g);
    int64_t begin_us = process_mono_us();
    uint64_t batches = gate_stats(g->gate)->batches;
    *out = (struct times){0};
    if (!first) {
        home_kill(g);
        enum err error = home_start(g, g->address);
        if (error != OK) {
            return error;
        }
    }
    while (out->snapshot_ms == 0) {
        turn(g);
        double ms = (double)(process_mono_us() - begin_us) / 1e3;
        if (ms * 1e3 > PATIENCE_US) {
            return ERR_TIMEOUT;
        }
        if (out->link_ms == 0 && g->gate_node.peer != PEERS_MAX) {
            out->link_ms = ms;
        }
        if (out->equal_ms == 0 && is_equal(g)) {
            out->equal_ms = ms;
        }
        if (out->equal_ms != 0 && is_told(g, batches)) {
            out->snapshot_ms = ms;
        }
    }
    return OK;
}

/* ---- a run ---- */

static uint32_t
across_of(uint32_t topics)
{
    uint32_t spectators = (topics + CAMERA_TOPICS - 1) / CAMERA_TOPICS, across = 1;
    while (across * across < spectators) {
        across++;
    }
    return across;
}

static enum err
ground_open(struct ground *g, uint32_t topics)
{
    uint32_t across = across_of(topics);
    g->spectators = (topics + CAMERA_TOPICS - 1) / CAMERA_TOPICS;
    g->epoch = 1;
    g->seed[0] = g->address;
    archipelago_init(&g->islands);
    events_init(&g->time, 1);
    g->time.now_us = process_mono_us();
    g->store =
        memory_store_alloc(&(struct memory_store_options){.schedule = events_port(&g->time)});
    enum err error = island_make_plain(1, (int32_t)(across * CAMERA_MM), &g->file);
    error = error == OK ? archipelago_add(&g->islands, island_file_slice(&g->file)) : error;
    error = error == OK ? home_start(g, "127.0.0.1:0") : error;
    error = error == OK ? bench_node_open(&g->gate_node, NODE_GATE, 0, NULL) : error;
    error = error == OK ? gate_start(g) : error;
    for (uint32_t i = 0; error == OK && i < g->spectators; i++) {
        spectator_open(g, i, across);
    }
    return error;
}

static void
ground_close(struct ground *g)
{
    bench_node_close(&g->gate_node);
    gate_free(&g->gate);
    bench_node_close(&g->home_node);
    world_free(&g->world);
    memory_store_free(&g->store);
    events_fini(&g->time);
    archipelago_fini(&g->islands);
    island_file_free(&g->file);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static json_t *
spread_json(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare);
    return json_pack("{s:f, s:f}", "p50", values[count / 2], "max", values[count - 1]);
}

static int
report(const struct request *r, const struct ground *g, const struct times *times)
{
    double link[RESTARTS_MAX], equal[RESTARTS_MAX], told[RESTARTS_MAX], worst = 0;
    for (uint32_t i = 0; i < r->restarts; i++) {
        link[i] = times[i].link_ms;
        equal[i] = times[i].equal_ms;
        told[i] = times[i].snapshot_ms;
        worst = equal[i] > worst ? equal[i] : worst;
    }
    json_t *json = json_pack(
        "{s:i, s:i, s:o, s:o, s:o}", "topics", (int)(g->spectators * CAMERA_TOPICS), "restarts",
        (int)r->restarts, "link_ms", spread_json(link, r->restarts), "equal_ms",
        spread_json(equal, r->restarts), "told_ms", spread_json(told, r->restarts));
    int code = output_result(&json);
    if (r->max_ms > 0 && worst > r->max_ms) {
        output_progress("the digests were equal after %.0f ms only, wanted: %.0f", worst,
                        r->max_ms);
        return 1;
    }
    return code;
}

int
bench_topics_command(int argc, char **argv)
{
    struct request r = {.topics = TOPICS_DEFAULT, .restarts = RESTARTS_DEFAULT};
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return 2;
    }
    struct ground *g = calloc(1, sizeof *g);
    CHECK(g != NULL);
    struct times times[RESTARTS_MAX], first;
    enum err error = ground_open(g, r.topics);
    error = error == OK ? restart(g, true, &first) : error;
    for (uint32_t i = 0; error == OK && i < r.restarts; i++) {
        error = restart(g, false, &times[i]);
        output_progress("restart %u: link after %.0f ms, digests equal after %.0f, all told after "
                        "%.0f",
                        i + 1, times[i].link_ms, times[i].equal_ms, times[i].snapshot_ms);
    }
    int code = 1;
    if (error == OK) {
        code = report(&r, g, times);
    } else {
        output_progress("bench topics: %s", err_text(error));
    }
    ground_close(g);
    free(g);
    return code;
}
