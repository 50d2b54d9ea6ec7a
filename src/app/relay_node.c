/* `seom relay`: a node of its shard through which notes (fabric/relay.h) go to other shards and
 * come from them: linked with the homes of its shard and with all other relays. It knows no store
 * and no world and keeps nothing. Two or more of a shard do the same; none of them is needed for
 * play.
 *
 *   CLAIM (an epoch of the directory) -> SERVING -> LEAVING
 */
#include "app/commands.h"
#include "app/node.h"
#include "base/check.h"
#include "fabric/relay.h"
#include "watch/gather.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES_US  1000000
#define PATIENCE_US 5000000 /* between two lines that say what is waited for */
#define STOP_US     3000000 /* for the directory's last answer */

enum relay_state { RELAY_CLAIM, RELAY_SERVING, RELAY_LEAVING, RELAY_STATES };

struct relay_node {
    struct node_process node;
    struct config_input input;
    enum relay_state state;
    struct relay relay;
    int64_t patience_us;
    bool has_time; /* of a home */
    bool refused_identity, left, rejoining;
    char why[NODE_WHY_MAX];
};

static const char *const state_names[RELAY_STATES] = {
    [RELAY_CLAIM] = "waiting for the directory",
    [RELAY_SERVING] = "serving",
    [RELAY_LEAVING] = "leaving",
};

static void
relay_move(struct relay_node *r, enum relay_state to)
{
    static const uint8_t moves[RELAY_STATES] = {
        [RELAY_CLAIM] = 1 << RELAY_SERVING | 1 << RELAY_LEAVING,
        [RELAY_SERVING] = 1 << RELAY_LEAVING,
    };
    CHECK(moves[r->state] >> to & 1);
    env_log(&r->node.env, LOG_INFO, "relay.state", "%s", state_names[to]);
    r->state = to;
}

/* ---- the mesh's events ---- */

static void
peer_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct relay_node *r = ctx;
    if (node->role == NODE_HOME && !r->has_time) { /* it needs none but tells one with its beats */
        node_take_time(&r->node, peer);
        r->has_time = true;
    }
    relay_peer_up(&r->relay, peer, node);
}

static void
peer_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct relay_node *r = ctx;
    (void)node;
    (void)dead;
    relay_peer_down(&r->relay, peer);
}

static void
node_died(void *ctx, const struct node *node)
{
    struct relay_node *r = ctx;
    env_log(&r->node.env, LOG_WARN, "relay.died", "%s is dead", node->name);
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct relay_node *r = ctx;
    relay_message(&r->relay, peer, bytes, n);
}

static void
dead_self(void *ctx)
{
    struct relay_node *r = ctx;
    if (!r->rejoining) {
        env_log(&r->node.env, LOG_WARN, "relay.dead", "declared dead by the others: joining anew");
        r->rejoining = true;
        directory_rejoin(r->node.directory);
    }
}

/* ---- the directory's events ---- */

static void
join_mesh(struct relay_node *r)
{
    struct mesh_options options = {.self = r->node.self,
                                   .world = (uint16_t)r->input.config.world,
                                   .book = directory_book(r->node.directory),
                                   .events = {.ctx = r,
                                              .up = peer_up,
                                              .down = peer_down,
                                              .died = node_died,
                                              .message = message,
                                              .dead_self = dead_self}};
    node_join(&r->node, &options);
    relay_open(&r->relay, &r->node.self, r->node.requests, &r->node.env, NOTES_MUTANT_NONE);
}

static void
claimed(void *ctx, uint64_t epoch)
{
    struct relay_node *r = ctx;
    r->node.self.epoch = epoch;
    if (r->relay.notes == NULL) {
        join_mesh(r);
        relay_move(r, RELAY_SERVING);
    } else {
        relay_renamed(&r->relay, epoch);
        mesh_self(r->node.mesh, &r->node.self);
        r->rejoining = false;
    }
    mesh_book_changed(r->node.mesh);
}

static void
identity_refused(void *ctx, const char *why)
{
    struct relay_node *r = ctx;
    snprintf(r->why, sizeof r->why, "%s", why);
    r->refused_identity = true;
}

static void
left(void *ctx)
{
    ((struct relay_node *)ctx)->left = true;
}

static void
book_changed(void *ctx)
{
    struct relay_node *r = ctx;
    if (r->node.mesh != NULL) {
        mesh_book_changed(r->node.mesh);
    }
}

static enum err
open_directory(struct relay_node *r, char *why)
{
    struct directory_events events = {.ctx = r,
                                      .claimed = claimed,
                                      .refused = identity_refused,
                                      .left = left,
                                      .book_changed = book_changed};
    return node_open_directory(&r->node, &events, why);
}

/* ---- control and figures ---- */

static json_t *
refused_json(const struct relay_node *r)
{
    json_t *out = json_object();
    for (uint32_t kind = 0; kind < RELAY_KINDS; kind++) {
        if (r->relay.refused[kind] > 0) {
            char name[8];
            snprintf(name, sizeof name, "%u", kind);
            json_object_set_new(out, name, json_integer((json_int_t)r->relay.refused[kind]));
        }
    }
    return out;
}

static json_t *
command_status(void *ctx, const json_t *request)
{
    struct relay_node *r = ctx;
    const struct notes_stats none = {0};
    const struct notes_stats *n = r->relay.notes != NULL ? notes_stats(r->relay.notes) : &none;
    char waits[NODE_WAITS_MAX];
    (void)request;
    node_waits_for_directory(&r->node, waits);
    json_t *status = node_status(&r->node, waits);
    json_object_set_new(status, "state", json_string(state_names[r->state]));
    json_object_set_new(
        status, "notes",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "lines",
                  (json_int_t)n->heard[NOTE_LINE], "mails", (json_int_t)n->heard[NOTE_MAIL],
                  "gates", (json_int_t)n->heard[NOTE_GATES], "passed", (json_int_t)n->passed,
                  "again", (json_int_t)n->again, "lost", (json_int_t)n->lost, "limited",
                  (json_int_t)n->limited, "refused", (json_int_t)n->refused));
    json_object_set_new(status, "refused_kinds", refused_json(r));
    return status;
}

static_assert(offsetof(struct relay_node, node) == 0, "a command's ctx is both");

static const struct control_command commands[] = {
    {"status", "what this node is and does", command_status},
    {"drain", "ends in order: others of its shard do the same", node_command_stop},
    {"metrics", "its figures, as Prometheus reads them", node_command_metrics},
    {"log-level", "how much it tells: level", node_command_log_level},
    {"stop", "ends in order", node_command_stop},
    {0},
};

static void
hang_up_figures(struct relay_node *r, int64_t now_us)
{
    struct status status = {0};
    uint64_t refused = 0;
    node_figures_begin(&r->node, now_us);
    if (r->relay.notes != NULL) {
        gather_notes(&r->node.metrics, notes_stats(r->relay.notes));
    }
    for (uint32_t kind = 0; kind < RELAY_KINDS; kind++) {
        refused += r->relay.refused[kind];
    }
    gather_relay(&r->node.metrics, refused);
    node_figures_end(&r->node, now_us, &status);
}

/* ---- the loop ---- */

static int64_t
turn(struct relay_node *r)
{
    int64_t now_us = env_mono_us(&r->node.env);
    int64_t next_us = node_sooner_us(now_us + FIGURES_US, directory_turn(r->node.directory));
    next_us = node_sooner_us(next_us, node_end_turn(&r->node));
    if (now_us - r->node.figures_us >= FIGURES_US) {
        hang_up_figures(r, now_us);
    }
    if (r->state == RELAY_CLAIM && now_us >= r->patience_us) {
        char waits[NODE_WAITS_MAX];
        r->patience_us = now_us + PATIENCE_US;
        node_waits_for_directory(&r->node, waits);
        env_log(&r->node.env, LOG_INFO, "relay.waits", "for %s, at %s", waits,
                r->input.config.directory);
    }
    return next_us;
}

static void
leave(struct relay_node *r)
{
    relay_move(r, RELAY_LEAVING);
    if (r->node.mesh != NULL) {
        mesh_leave(r->node.mesh);
    }
    directory_leave(r->node.directory);
    int64_t end_us = env_mono_us(&r->node.env) + STOP_US;
    while (!r->left && env_mono_us(&r->node.env) < end_us) {
        int64_t next_us = turn(r);
        node_wait(&r->node, node_sooner_us(next_us, env_mono_us(&r->node.env) + 10000));
    }
}

static enum err
relay_run(struct relay_node *r, char *why)
{
    int64_t next_us = 0;
    while (!r->node.asked_to_stop) {
        node_wait(&r->node, next_us);
        next_us = turn(r);
        if (r->refused_identity) {
            snprintf(why, NODE_WHY_MAX, "%s", r->why);
            return ERR_EXISTS;
        }
    }
    leave(r);
    return OK;
}

static void
close_all(struct relay_node *r)
{
    relay_close(&r->relay);
    if (r->node.loop != NULL) {
        node_close(&r->node);
    }
}

int
relay_command(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &config_argp_relay}, {0}};
    static const struct argp argp = {
        .parser = config_parse_only,
        .children = children,
        .doc = "Run one relay of a cluster: through it the homes of its shard tell other shards "
               "what the whole world is to hear. It needs the directory (etcd) of the homes. "
               "SIGTERM ends it in order. docs/shards.md tells more."};
    struct relay_node *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    char why[NODE_WHY_MAX] = "";
    argp_parse(&argp, argc, argv, 0, NULL, &r->input);
    enum err e = node_open(&r->node, &r->input.config, NODE_RELAY, -1, why);
    e = e == OK ? node_serve(&r->node, commands, why) : e;
    e = e == OK ? open_directory(r, why) : e;
    e = e == OK ? relay_run(r, why) : e;
    if (e != OK) {
        fprintf(stderr, "seom relay: %s\n", why);
    }
    close_all(r);
    free(r);
    return e == OK ? 0 : 1;
}
