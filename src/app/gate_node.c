/* `seom gate`: a gate of a cluster as a process of its own. It holds the sockets of players, knows
 * no store and no directory, and hears of homes, of other gates and of world time over its links.
 * It lets nobody in before it has spoken to a home.
 *
 *   WAITING (for a home: the time, the book) -> SERVING -> LEAVING
 *
 * With --take-over it starts beside the gate of its name that runs here, and when all is ready has
 * its listener: who connects meanwhile is served by the one or the other, and nobody is refused.
 */
#include "app/commands.h"
#include "app/node.h"
#include "app/sea.h"
#include "base/check.h"
#include "os/confine.h"
#include "os/conns.h"
#include "os/handover.h"
#include "os/listen.h"
#include "seom.pb-c.h"
#include "view/gate.h"
#include "watch/gather.h"
#include "world/game.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES_US  1000000
#define PATIENCE_US 5000000
/* What may wait for one home: 3,500 moves. A home that cannot keep up is told the newest move of
 * each player later, instead of all of them later and later. */
#define INPUT_BYTES_MAX   (256U << 10)
#define LEAVE_US          1000000 /* for good-byes to be read, at the end */
#define LATECOMERS_US     250000  /* for the first word of whoever was accepted last */
#define QUEUE_SAMPLES     64
#define RETRY_AFTER_MS    1000
#define SEEDS_MAX         16
#define HANDOVER_MS       5000
#define TOPICS_PER_PLAYER 12
#define CHUNKS_PER_PLAYER 32
#define THINGS_MAX        65536

enum gate_state { GATE_WAITING, GATE_SERVING, GATE_LEAVING };

struct gate_node {
    struct node_process node;
    struct config_input input;
    enum gate_state state;
    struct sea sea;
    struct conns *conns;
    struct gate *gate;
    char seed_texts[CONFIG_TEXT_MAX];
    const char *seeds[SEEDS_MAX];
    uint32_t seeds_count;
    const char *gates[GATES_MAX]; /* of others, into the mesh's book */
    uint32_t gates_count;
    const char *own_address;
    int listener;    /* -1: conns has it */
    int inheritance; /* the line to the gate whose place this one takes; -1: none */
    struct handover *handover;
    int handed[2]; /* listener and lock, for an heir */
    bool ready, replaced;
    int64_t patience_us;
};

enum { HANDED_LISTENER, HANDED_LOCK, HANDED_COUNT };

/* ---- sockets of players ---- */

static void
opened(void *ctx, uint32_t conn)
{
    struct gate_node *g = ctx;
    node_begin_turn(&g->node);
    gate_opened(g->gate, conn);
}

static void
received(void *ctx, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct gate_node *g = ctx;
    node_begin_turn(&g->node);
    gate_received(g->gate, conn, bytes, n);
}

static void
writable(void *ctx, uint32_t conn)
{
    struct gate_node *g = ctx;
    node_begin_turn(&g->node);
    gate_writable(g->gate, conn);
}

static void
closed(void *ctx, uint32_t conn)
{
    struct gate_node *g = ctx;
    node_begin_turn(&g->node);
    gate_closed(g->gate, conn);
}

static struct gate_options
gate_options_of(const struct gate_node *g)
{
    const struct config *c = &g->input.config;
    const struct game *game = config_game(c);
    uint32_t players = (uint32_t)c->players_max;
    struct gate_options out = {.conns_max = conns_limit(g->conns),
                               .islands = &g->sea.islands,
                               .entities_max = players * 4 + THINGS_MAX,
                               .topics_max = players * TOPICS_PER_PLAYER + 4096,
                               .chunks_max = players * CHUNKS_PER_PLAYER + 4096,
                               .subscribe_epoch_seed = env_random(&g->node.env),
                               .gates = &g->own_address,
                               .gates_count = 1,
                               .spread_goodbyes = true,
                               .speeds_count = 2};
    for (uint32_t look = LOOK_WALKER; look <= LOOK_RIDER; look++) {
        out.speeds[look].look = (uint8_t)look;
        out.speeds[look].mm_per_s = (uint32_t)game->speed_mm_s((uint8_t)look);
    }
    return out;
}

static enum err
open_play(struct gate_node *g, char *why)
{
    struct address play = g->input.config.play;
    char text[ADDRESS_TEXT_MAX];
    enum err e = g->listener >= 0 ? OK
                                  : listen_open((const struct sockaddr *)&play.socket,
                                                play.socket_bytes, 1, &g->listener);
    if (e != OK) {
        address_text(&play, text);
        snprintf(why, NODE_WHY_MAX,
                 "cannot listen on %s: %s (another seom? choose another address with --play)", text,
                 err_text(e));
        return e;
    }
    play.port = listen_port(g->listener);
    address_text(&play, g->node.self.play);
    struct conns_options conns = {.loop = g->node.loop,
                                  .listener = -1, /* nobody comes in before a home is there */
                                  .events = {.ctx = g,
                                             .opened = opened,
                                             .received = received,
                                             .writable = writable,
                                             .closed = closed}};
    e = conns_open(&conns, &g->conns);
    if (e != OK) {
        snprintf(why, NODE_WHY_MAX, "the sockets of players: %s", err_text(e));
        return e;
    }
    g->node.env.conns = conns_port(g->conns);
    return OK;
}

/* ---- taking a gate's place, and giving one's own ---- */

static void
handover_path(const struct gate_node *g, char out[NODE_PATH_MAX])
{
    char name[NODE_NAME_MAX];
    node_name(NODE_GATE, (uint32_t)g->input.config.shard, (uint32_t)g->input.config.index, name);
    snprintf(out, NODE_PATH_MAX, "%s/%s.play.sock", g->input.config.data, name);
}

/* A gate that is not there any more is no reason not to start. */
static enum err
inherit(struct gate_node *g, char *why)
{
    char path[NODE_PATH_MAX];
    if (!g->input.config.take_over) {
        return OK;
    }
    handover_path(g, path);
    enum err e = handover_take(path, g->handed, HANDED_COUNT, HANDOVER_MS, &g->inheritance);
    if (e == ERR_NOT_FOUND) {
        return OK;
    }
    if (e != OK) {
        snprintf(why, NODE_WHY_MAX, "the gate whose place this one takes does not hand over: %s",
                 err_text(e));
        return e;
    }
    g->listener = g->handed[HANDED_LISTENER];
    return OK;
}

/* The heir is ready: it has the listener, we have no names any more. */
static void
replaced(void *ctx)
{
    struct gate_node *g = ctx;
    env_log(&g->node.env, LOG_INFO, "gate.replaced", "a new process has taken this gate's place");
    conns_stop_listening(g->conns);
    control_close(&g->node.control);
    g->node.asked_to_stop = g->replaced = true;
    handover_done(g->handover);
}

static enum err
open_handover(struct gate_node *g, char *why)
{
    char path[NODE_PATH_MAX];
    handover_path(g, path);
    g->handed[HANDED_LISTENER] = g->listener;
    g->handed[HANDED_LOCK] = g->node.lock;
    struct handover_options options = {.loop = g->node.loop,
                                       .path = path,
                                       .descriptors = g->handed,
                                       .count = HANDED_COUNT,
                                       .asked = replaced,
                                       .ctx = g};
    enum err e = handover_open(&options, &g->handover);
    if (e != OK) {
        snprintf(why, NODE_WHY_MAX, "the socket for whoever takes this gate's place: %s",
                 err_text(e));
    }
    return e;
}

/* ---- the mesh's events ---- */

static void
peer_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct gate_node *g = ctx;
    if (node->role == NODE_HOME) {
        if (!g->ready) {
            node_take_time(&g->node, peer);
            g->ready = true; /* the turn goes on with the names: not out of this call-back */
        }
        gate_home_up(g->gate, peer, node->epoch);
    }
}

static void
peer_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct gate_node *g = ctx;
    requests_peer_down(g->node.requests, peer);
    if (node->role == NODE_HOME) {
        gate_home_down(g->gate, peer, dead);
    }
}

static void
node_died(void *ctx, const struct node *node)
{
    struct gate_node *g = ctx;
    gate_home_died(g->gate, node->epoch);
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct gate_node *g = ctx;
    if (!requests_message(g->node.requests, peer, bytes, n)) {
        gate_message(g->gate, peer, bytes, n);
    }
}

static void
ahead(void *ctx, uint32_t step, const uint8_t *bytes, size_t n)
{
    const struct gate_node *g = ctx;
    gate_ahead(g->gate, step, bytes, n);
}

/* Where clients may go when this gate is gone. */
static void
book_changed(void *ctx)
{
    struct gate_node *g = ctx;
    const struct book *book = mesh_book(g->node.mesh);
    g->gates_count = 0;
    for (uint32_t i = 0; i < book->count && g->gates_count < GATES_MAX; i++) {
        const struct node *node = &book->nodes[i];
        if (node->role == NODE_GATE && node->shard == g->node.self.shard && !node->draining &&
            node->play[0] != '\0' && node->epoch != g->node.self.epoch) {
            g->gates[g->gates_count++] = node->play;
        }
    }
    gate_set_gates(g->gate, g->gates, g->gates_count);
}

/* A gate decides for nobody: to the others it is a new one from now on. */
static void
dead_self(void *ctx)
{
    struct gate_node *g = ctx;
    env_log(&g->node.env, LOG_WARN, "gate.dead", "declared dead by the others: joining anew");
    g->node.self.epoch = env_random(&g->node.env) >> 1 | 1;
    mesh_self(g->node.mesh, &g->node.self);
}

/* ---- control and figures ---- */

static json_t *
command_status(void *ctx, const json_t *request)
{
    struct gate_node *g = ctx;
    const struct gate_stats *s = gate_stats(g->gate);
    (void)request;
    json_t *status =
        node_status(&g->node, g->state == GATE_WAITING ? "a home: none of --join answers" : "");
    json_object_set_new(status, "state",
                        json_string(g->state == GATE_WAITING   ? "waiting for a home"
                                    : g->state == GATE_SERVING ? "serving"
                                                               : "leaving"));
    json_object_set_new(status, "players", json_integer(s->players));
    json_object_set_new(status, "connections", json_integer(s->connections));
    json_object_set_new(status, "spectators", json_integer(s->spectators));
    return status;
}

/* Other gates do not name it to their clients any more; who comes here is let in. */
static json_t *
command_close(void *ctx, const json_t *request)
{
    struct gate_node *g = ctx;
    g->node.self.draining = !json_is_true(json_object_get(request, "open"));
    mesh_self(g->node.mesh, &g->node.self);
    return json_pack("{s:b}", "closed", (int)g->node.self.draining);
}

static_assert(offsetof(struct gate_node, node) == 0, "a command's ctx is both");

static const struct control_command commands[] = {
    {"status", "what this node is and does", command_status},
    {"close", "other gates do not name it any more (or again): open", command_close},
    {"drain", "sends its clients to other gates, then ends", node_command_stop},
    {"metrics", "its figures, as Prometheus reads them", node_command_metrics},
    {"log-level", "how much it tells: level", node_command_log_level},
    {"stop", "ends in order", node_command_stop},
    {0},
};

static void
hang_up_figures(struct gate_node *g, int64_t now_us)
{
    struct node_process *n = &g->node;
    const struct gate_stats *s = gate_stats(g->gate);
    struct conns_stats conns = conns_stats(g->conns);
    struct hist queues;
    hist_reset(&queues);
    conns_sample_queues(g->conns, QUEUE_SAMPLES, &queues);
    node_figures_begin(n, now_us);
    gather_gate(&n->metrics, s);
    gather_conns(&n->metrics, &conns);
    gather_send_queues(&n->metrics, &queues, conns_count(g->conns));
    struct status status = {
        .islands = g->sea.islands.count, .players = s->players, .spectators = s->spectators};
    node_figures_end(n, now_us, &status);
    mesh_tell_load(n->mesh, s->players);
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const struct node *home = mesh_peer(n->mesh, peer);
        if (home != NULL && home->role == NODE_HOME) {
            gate_home_state(g->gate, peer, home->draining, mesh_peer_load(n->mesh, peer));
        }
    }
}

/* ---- start ---- */

static enum err
read_seeds(struct gate_node *g, char *why)
{
    char *rest = g->seed_texts, *one;
    snprintf(g->seed_texts, sizeof g->seed_texts, "%s", g->input.config.join);
    while ((one = strsep(&rest, ",")) != NULL && g->seeds_count < SEEDS_MAX) {
        struct address address;
        const char *wrong = one[0] == '\0' ? "it is empty" : address_parse(one, &address);
        if (wrong != NULL) {
            snprintf(why, NODE_WHY_MAX,
                     "--join: `%s': %s (addresses of homes' links, as `seom nodes` lists them, "
                     "separated by commas)",
                     one, wrong);
            return ERR_FORMAT;
        }
        g->seeds[g->seeds_count++] = one;
    }
    return OK;
}

static void
join_mesh(struct gate_node *g)
{
    g->node.self.epoch = env_random(&g->node.env) >> 1 | 1;
    struct mesh_options mesh = {.self = g->node.self,
                                .world = (uint16_t)g->input.config.world,
                                .seeds = g->seeds,
                                .seeds_count = g->seeds_count,
                                .data_bytes = INPUT_BYTES_MAX,
                                .events = {.ctx = g,
                                           .up = peer_up,
                                           .down = peer_down,
                                           .died = node_died,
                                           .message = message,
                                           .ahead = ahead,
                                           .book_changed = book_changed,
                                           .dead_self = dead_self}};
    node_join(&g->node, &mesh);
    book_changed(g);
}

static enum err
open_all(struct gate_node *g, char *why)
{
    enum err e = read_seeds(g, why);
    e = e == OK ? inherit(g, why) : e;
    int lock = g->inheritance >= 0 ? g->handed[HANDED_LOCK] : -1;
    e = e == OK ? node_open(&g->node, &g->input.config, NODE_GATE, lock, why) : e;
    /* After the first line of the log, as it takes its time where there is little of it. */
    e = e == OK ? sea_load(g->input.config.islands, &g->sea, why, NODE_WHY_MAX) : e;
    e = e == OK ? open_play(g, why) : e;
    if (e != OK) {
        return e;
    }
    g->own_address = g->node.self.play;
    struct gate_options options = gate_options_of(g);
    e = gate_alloc(&options, &g->node.env, &g->gate);
    if (e != OK) {
        snprintf(why, NODE_WHY_MAX, "the gate: %s", err_text(e));
        return e;
    }
    join_mesh(g);
    if (g->inheritance < 0) { /* else the names are the older gate's, until we are ready */
        e = node_serve(&g->node, commands, why);
    }
    return e;
}

/* A home was heard: names, listener, and then nothing is opened any more. */
static enum err
serve(struct gate_node *g, char *why)
{
    enum err e = OK;
    if (g->inheritance >= 0) {
        if (handover_ready(g->inheritance, HANDOVER_MS) != OK) {
            env_log(&g->node.env, LOG_WARN, "gate.inherit", "the older gate did not say good-bye");
        }
        g->inheritance = -1;
        e = node_serve(&g->node, commands, why);
    }
    e = e == OK ? open_handover(g, why) : e;
    e = e == OK ? conns_listen(g->conns, g->listener) : e;
    if (e == OK) {
        g->listener = -1;
        e = confine_user(g->input.config.user, why, NODE_WHY_MAX);
    }
    e = e == OK ? confine_gate(why, NODE_WHY_MAX) : e;
    if (e == OK) {
        g->state = GATE_SERVING;
        env_log(&g->node.env, LOG_INFO, "gate.serves",
                "world time is %lld ms; players may connect to %s",
                (long long)env_world_ms(&g->node.env), g->node.self.play);
    }
    return e;
}

/* ---- the loop ---- */

static int64_t
turn(struct gate_node *g)
{
    int64_t now_us = env_mono_us(&g->node.env);
    int64_t next_us = node_sooner_us(gate_turn(g->gate), now_us + FIGURES_US);
    next_us = node_sooner_us(next_us, conns_turn(g->conns, now_us));
    next_us = node_sooner_us(next_us, node_end_turn(&g->node));
    if (now_us - g->node.figures_us >= FIGURES_US) {
        hang_up_figures(g, now_us);
    }
    if (g->state == GATE_WAITING && now_us >= g->patience_us) {
        g->patience_us = now_us + PATIENCE_US;
        env_log(&g->node.env, LOG_INFO, "gate.waits", "no home answers yet at %s",
                g->input.config.join);
    }
    return next_us;
}

static void
turn_until(struct gate_node *g, int64_t end_us)
{
    int64_t next_us = 0;
    while (conns_count(g->conns) > 0 && env_mono_us(&g->node.env) < end_us) {
        node_wait(&g->node, node_sooner_us(next_us, end_us));
        next_us = turn(g);
    }
}

static void
leave(struct gate_node *g)
{
    conns_stop_listening(g->conns);
    /* Good-bye can be said only to a client whose first bytes told how it wants to be spoken to. */
    turn_until(g, env_mono_us(&g->node.env) + LATECOMERS_US);
    env_log(&g->node.env, LOG_INFO, "gate.stop", "saying good-bye to %u clients",
            gate_stats(g->gate)->connections);
    g->state = GATE_LEAVING;
    gate_stop(g->gate, SEOM__CODE__SERVER_STOPS, RETRY_AFTER_MS);
    turn_until(g, env_mono_us(&g->node.env) + LEAVE_US);
    mesh_leave(g->node.mesh);
    mesh_flush(g->node.mesh);
}

static enum err
gate_run(struct gate_node *g, char *why)
{
    int64_t next_us = 0;
    while (!g->node.asked_to_stop) {
        node_wait(&g->node, next_us);
        next_us = turn(g);
        if (g->ready && g->state == GATE_WAITING) {
            enum err e = serve(g, why);
            if (e != OK) {
                return e;
            }
        }
    }
    leave(g);
    return OK;
}

static void
gate_close(struct gate_node *g)
{
    handover_close(&g->handover);
    if (g->gate != NULL) {
        gate_free(&g->gate);
    }
    if (g->conns != NULL) {
        conns_close(&g->conns);
    }
    if (g->node.loop != NULL) {
        node_close(&g->node);
    }
    sea_free(&g->sea);
}

int
gate_command(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &config_argp_gate}, {0}};
    static const struct argp argp = {
        .parser = config_parse_only,
        .children = children,
        .doc = "Run one gate of a cluster: it holds the sockets of players and decides what each "
               "is sent. It knows no store and no directory; --join names the links of some homes. "
               "SIGTERM ends it in order: its clients are sent to other gates. `seom cluster up` "
               "starts a whole cluster on this machine."};
    struct gate_node *g = calloc(1, sizeof *g);
    CHECK(g != NULL);
    char why[NODE_WHY_MAX] = "";
    argp_parse(&argp, argc, argv, 0, NULL, &g->input);
    g->listener = g->inheritance = -1;
    enum err e = open_all(g, why);
    e = e == OK ? gate_run(g, why) : e;
    if (e != OK) {
        fprintf(stderr, "seom gate: %s\n", why);
    }
    gate_close(g);
    free(g);
    return e == OK ? 0 : 1;
}
