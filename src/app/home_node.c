/* `seom home`: a home of a cluster as a process of its own. It starts in whatever order the others
 * do: it waits for the store, which says when the world was born, and for the directory, whose
 * claim gives it its epoch; then it has a world, and whoever dials is answered.
 *
 *   STORE (birth and time of the world) -> CLAIM (an epoch) -> SERVING -> DRAINING -> LEAVING
 */
#include "app/cluster_store.h"
#include "app/commands.h"
#include "app/home_notes.h"
#include "app/node.h"
#include "app/origin.h"
#include "app/sea.h"
#include "base/check.h"
#include "os/process.h"
#include "store/birth.h"
#include "watch/gather.h"
#include "watch/recent.h"
#include "world/world.h"
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define FIGURES_US        1000000
#define PATIENCE_US       5000000 /* between two lines that say what is waited for */
#define STOP_DEADLINE_US  10000000
#define DRAIN_DEADLINE_US 120000000
#define RETRY_AFTER_MS    1000
#define TOPICS_PER_PLAYER 12
#define BOOT_CALLS        8
#define CLOCK_BEHIND_MAX  100 /* ms: a node whose clock is so far off takes nobody in */

enum home_state { HOME_STORE, HOME_CLAIM, HOME_SERVING, HOME_DRAINING, HOME_LEAVING, HOME_STATES };

struct home_node {
    struct node_process node;
    struct config_input input;
    enum home_state state;
    struct sea sea;
    struct cluster_store *store;
    struct loop_watch store_watch;
    struct env boot_env; /* of the start, before there is a world */
    struct store boot_store;
    struct birth birth;
    uint8_t ticket_key[TICKET_KEY_BYTES];
    struct world *world;
    struct home_shards shards;
    struct recent ticks;
    struct hist ticks_ever;
    int64_t patience_us, deadline_us;
    bool refused, left, leave_asked, rejoining;
    bool closed;    /* somebody asked that nobody is sent here */
    bool clock_off; /* world time here is too far from that of the others */
    char why[NODE_WHY_MAX];
};

static const char *const state_names[HOME_STATES] = {
    [HOME_STORE] = "waiting for the store",
    [HOME_CLAIM] = "waiting for the directory",
    [HOME_SERVING] = "serving",
    [HOME_DRAINING] = "draining",
    [HOME_LEAVING] = "leaving",
};

static const uint8_t home_moves[HOME_STATES] = {
    [HOME_STORE] = 1 << HOME_CLAIM | 1 << HOME_LEAVING,
    [HOME_CLAIM] = 1 << HOME_SERVING | 1 << HOME_LEAVING,
    [HOME_SERVING] = 1 << HOME_DRAINING | 1 << HOME_LEAVING,
    [HOME_DRAINING] = 1 << HOME_LEAVING,
};

static void
home_move(struct home_node *h, enum home_state to)
{
    CHECK(home_moves[h->state] >> to & 1);
    env_log(&h->node.env, LOG_INFO, "home.state", "%s", state_names[to]);
    h->state = to;
}

/* What the start waits for, without the addresses: that of the store may hold a password. */
static void
waits_for(const struct home_node *h, char out[NODE_WAITS_MAX])
{
    node_waits_for_directory(&h->node, out);
    if (h->state != HOME_STORE) {
        return;
    }
    bool away = cluster_store_stats(h->store).servers_away > 0;
    bool known = cluster_store_state(h->store) == SERVERS_DONE;
    snprintf(out, NODE_WAITS_MAX, "the store: %s",
             away    ? "it cannot be reached"
             : known ? "it is asked when the world was born"
                     : "its servers are asked whether they are this world's");
}

/* ---- the mesh's events ---- */

static void
peer_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct home_node *h = ctx;
    notes_peer_up(h->shards.notes, peer, node);
    if (node->role != NODE_RELAY) { /* relays know of no world */
        world_peer_up(h->world, peer, node);
    }
}

static void
peer_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct home_node *h = ctx;
    notes_peer_down(h->shards.notes, peer);
    requests_peer_down(h->node.requests, peer);
    if (node->role != NODE_RELAY) {
        world_peer_down(h->world, peer, dead);
    }
}

static void
node_died(void *ctx, const struct node *node)
{
    struct home_node *h = ctx;
    env_log(&h->node.env, LOG_WARN, "home.died", "%s is dead", node->name);
    world_node_died(h->world, node->epoch);
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct home_node *h = ctx;
    if (requests_message(h->node.requests, peer, bytes, n)) {
        return;
    }
    const struct node *from = mesh_peer(h->node.mesh, peer);
    if (from != NULL && from->role != NODE_RELAY) {
        world_message(h->world, peer, bytes, n);
    }
}

static void
ahead(void *ctx, uint32_t step, const uint8_t *bytes, size_t n)
{
    const struct home_node *h = ctx;
    if (h->world != NULL) {
        world_ahead(h->world, step, bytes, n);
    }
}

/* The others took this process for dead, so its people have other homes by now: what it still
 * believes is worth nothing, and it comes back as somebody new. */
static void
dead_self(void *ctx)
{
    struct home_node *h = ctx;
    if (!h->rejoining) {
        env_log(&h->node.env, LOG_WARN, "home.dead",
                "declared dead by the others: everybody here is let go, and this node joins anew");
        h->rejoining = true;
        directory_rejoin(h->node.directory);
    }
}

/* ---- the directory's events ---- */

static enum err
open_world(struct home_node *h)
{
    const struct config *c = &h->input.config;
    struct world_options world = {.world_id = (uint16_t)c->world,
                                  .node_epoch = h->node.self.epoch,
                                  .players_max = (uint32_t)c->players_max,
                                  .topics_max = (uint32_t)c->players_max * TOPICS_PER_PLAYER + 4096,
                                  .game = config_game(c),
                                  .islands = &h->sea.islands,
                                  .seed = h->birth.seed,
                                  .saved_world_ms = h->birth.saved_world_ms,
                                  .book = directory_book(h->node.directory),
                                  .requests = h->node.requests,
                                  .nodes_per_chunk = (uint32_t)c->nodes_per_chunk,
                                  .notes = h->shards.notes,
                                  .shards = &h->shards.shards};
    memcpy(world.ticket_key, h->ticket_key, sizeof world.ticket_key);
    enum err e = world_alloc(&world, &h->node.env, &h->world);
    if (e == OK) {
        h->node.env.store = cluster_store_port(h->store, world_store_done(h->world));
    }
    return e;
}

static void
join_mesh(struct home_node *h)
{
    struct mesh_options options = {.self = h->node.self,
                                   .world = (uint16_t)h->input.config.world,
                                   .book = directory_book(h->node.directory),
                                   .events = {.ctx = h,
                                              .up = peer_up,
                                              .down = peer_down,
                                              .died = node_died,
                                              .message = message,
                                              .ahead = ahead,
                                              .dead_self = dead_self}};
    node_join(&h->node, &options);
}

static void
claimed(void *ctx, uint64_t epoch)
{
    struct home_node *h = ctx;
    h->node.self.epoch = epoch;
    env_log(&h->node.env, LOG_INFO, "home.claimed", "%s has epoch %llu", h->node.self.name,
            (unsigned long long)epoch);
    if (h->world == NULL) {
        join_mesh(h);
        home_notes_open(&h->shards, &h->node, &h->world);
        CHECK(open_world(h) == OK);
        home_move(h, HOME_SERVING);
    } else {
        world_renamed(h->world, epoch);
        home_shards_renamed(&h->shards, epoch);
        mesh_self(h->node.mesh, &h->node.self);
        h->rejoining = false;
    }
    mesh_book_changed(h->node.mesh);
}

static void
identity_refused(void *ctx, const char *why)
{
    struct home_node *h = ctx;
    snprintf(h->why, sizeof h->why, "%s", why);
    h->refused = true;
}

static void
entry_lost(void *ctx)
{
    struct home_node *h = ctx;
    env_log(&h->node.env, LOG_WARN, "home.lost",
            "our entry in the directory was gone; it is put back, and play goes on");
}

static void
left(void *ctx)
{
    ((struct home_node *)ctx)->left = true;
}

static void
book_changed(void *ctx)
{
    struct home_node *h = ctx;
    if (h->world != NULL) {
        mesh_book_changed(h->node.mesh);
        world_book_changed(h->world);
    }
}

static void
table_changed(void *ctx, enum directory_table table)
{
    struct home_node *h = ctx;
    if (table == DIRECTORY_ISLANDS) {
        home_notes_table(&h->shards, h->node.directory, &h->node.env);
    }
}

/* ---- control ---- */

static json_t *
command_status(void *ctx, const json_t *request)
{
    struct home_node *h = ctx;
    char waits[NODE_WAITS_MAX];
    (void)request;
    waits_for(h, waits);
    json_t *status = node_status(&h->node, waits);
    json_object_set_new(status, "state", json_string(state_names[h->state]));
    if (h->world != NULL) {
        const struct world_stats *w = world_stats(h->world);
        json_object_set_new(status, "players", json_integer(w->players));
        json_object_set_new(status, "lingering", json_integer(w->lingering));
        json_object_set_new(status, "awake_chunks", json_integer(w->chunks_awake));
        json_object_set_new(status, "queue_wait_p99_us",
                            json_integer((json_int_t)hist_quantile(&w->queue_wait_us, 0.99)));
        json_object_set_new(status, "tick_p99_us",
                            json_integer((json_int_t)recent_quantile(&h->ticks, 0.99)));
    }
    json_object_set_new(status, "notes", home_notes_status(&h->shards));
    struct cluster_store_stats store = cluster_store_stats(h->store);
    json_object_set_new(status, "store_away", json_boolean(store.servers_away > 0));
    json_object_set_new(status, "store_servers", json_integer(store.servers));
    if (store.servers > 1) {
        json_object_set_new(status, "store_commits_together",
                            json_integer((json_int_t)store.committer.together));
        json_object_set_new(status, "store_commits_across",
                            json_integer((json_int_t)store.committer.committed));
    }
    struct directory_stats d = {0};
    if (h->node.directory != NULL) {
        d = directory_stats(h->node.directory);
    }
    int64_t away_us = d.away_since_us == 0 ? 0 : env_mono_us(&h->node.env) - d.away_since_us;
    json_object_set_new(status, "directory_away_s", json_real((double)away_us / 1e6));
    return status;
}

/* Others send nobody here while it is told as draining; who is here stays. */
static void
tell_whether_it_takes_in(struct home_node *h)
{
    bool draining = h->state == HOME_DRAINING || h->closed || h->clock_off;
    if (draining == h->node.self.draining)
        return;
    h->node.self.draining = draining;
    directory_update(h->node.directory, &h->node.self);
    mesh_self(h->node.mesh, &h->node.self);
    world_close(h->world, draining);
}

/* Whether people of here have somewhere to go: a home that is linked and takes people in. */
static bool
others_take_in(const struct home_node *h)
{
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const struct node *other = mesh_peer(h->node.mesh, peer);
        if (other != NULL && other->role == NODE_HOME && !other->draining)
            return true;
    }
    return false;
}

static json_t *
command_drain(void *ctx, const json_t *request)
{
    struct home_node *h = ctx;
    if (h->state != HOME_SERVING) {
        return control_error("%s is %s: there is nothing to drain", h->node.self.name,
                             state_names[h->state]);
    }
    bool force = json_is_true(json_object_get(request, "force"));
    if (!force && world_stats(h->world)->players > 0 && !others_take_in(h)) {
        return control_error("%s is linked with no other home that takes people in, so its own "
                             "would have nowhere to go: start one (`seom node add`), or let them "
                             "wait for one with --force",
                             h->node.self.name);
    }
    home_move(h, HOME_DRAINING);
    h->deadline_us = env_mono_us(&h->node.env) + DRAIN_DEADLINE_US;
    tell_whether_it_takes_in(h);
    world_drain(h->world);
    return json_pack("{s:b}", "draining", 1);
}

static json_t *
command_close(void *ctx, const json_t *request)
{
    struct home_node *h = ctx;
    if (h->state != HOME_SERVING)
        return control_error("%s is %s", h->node.self.name, state_names[h->state]);
    h->closed = !json_is_true(json_object_get(request, "open"));
    tell_whether_it_takes_in(h);
    return json_pack("{s:b}", "closed", (int)h->closed);
}

/* Where everybody is, for the map: at most `limit`. */
static json_t *
command_people(void *ctx, const json_t *request)
{
    struct home_node *h = ctx;
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    json_t *people = json_array();
    struct world_player player;
    uint32_t cursor = 0;
    limit = limit > 0 && limit < 5000 ? limit : 5000;
    while (h->world != NULL && limit-- > 0 && world_next_player(h->world, &cursor, &player)) {
        struct place at = motion_at(&player.motion, env_world_ms(&h->node.env));
        json_array_append_new(people, json_pack("[i,i,i,i]", (int)player.island, at.x_mm / 1000,
                                                at.y_mm / 1000, (int)player.lingering));
    }
    return json_pack("{s:o}", "people", people);
}

/* Whether somebody is at home here, and where. */
static json_t *
command_player(void *ctx, const json_t *request)
{
    struct home_node *h = ctx;
    uint64_t wanted = (uint64_t)json_integer_value(json_object_get(request, "player"));
    struct world_player player;
    uint32_t cursor = 0;
    while (h->world != NULL && world_next_player(h->world, &cursor, &player)) {
        if (player.player != wanted || player.given)
            continue;
        struct place at = motion_at(&player.motion, env_world_ms(&h->node.env));
        return json_pack("{s:b, s:i, s:i, s:i}", "here", 1, "island", (int)player.island, "x_mm",
                         (int)at.x_mm, "y_mm", (int)at.y_mm);
    }
    return json_pack("{s:b}", "here", 0);
}

/* Exact enough to say what two moments differ in: buckets as in base/hist.h. */
static json_t *
command_ticks(void *ctx, const json_t *request)
{
    const struct home_node *h = ctx;
    json_t *buckets = json_array();
    (void)request;
    for (int i = 0; i < HIST_BUCKETS; i++) {
        if (h->ticks_ever.buckets[i] > 0)
            json_array_append_new(buckets,
                                  json_pack("[i,I]", i, (json_int_t)h->ticks_ever.buckets[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "count", (json_int_t)h->ticks_ever.count, "sum_us",
                     (json_int_t)h->ticks_ever.sum, "max_us", (json_int_t)h->ticks_ever.max,
                     "buckets", buckets);
}

static_assert(offsetof(struct home_node, node) == 0, "a command's ctx is both");

static const struct control_command commands[] = {
    {"status", "what this node is and does", command_status},
    {"people", "where its players are: [island, x m, y m, lingering]", command_people},
    {"player", "whether a player is at home here, and where: player", command_player},
    {"close", "nobody is sent here any more (or again): open", command_close},
    {"drain", "gives its players to other homes, then ends: force", command_drain},
    {"ticks", "how long its ticks took since it began: [bucket, count]", command_ticks},
    {"metrics", "its figures, as Prometheus reads them", node_command_metrics},
    {"log-level", "how much it tells: level", node_command_log_level},
    {"stop", "ends in order", node_command_stop},
    {0},
};

/* ---- figures ---- */

/* Once a second. World time is slewed, so a wall clock that was set shows for long. */
static void
look_at_clock(struct home_node *h)
{
    int64_t behind_ms = clock_behind_ms(&h->node.clock);
    bool off = behind_ms > CLOCK_BEHIND_MAX || behind_ms < -CLOCK_BEHIND_MAX;
    if (off == h->clock_off) {
        return;
    }
    h->clock_off = off;
    if (off) {
        env_log(&h->node.env, LOG_ERROR, "home.clock",
                "world time is %lld ms off the wall clock: until it is not, newcomers are sent to "
                "other homes",
                (long long)behind_ms);
    } else {
        env_log(&h->node.env, LOG_INFO, "home.clock", "world time is that of the wall clock again");
    }
    tell_whether_it_takes_in(h);
}

static void
gather_of_world(struct home_node *h)
{
    struct metrics *m = &h->node.metrics;
    const struct world_stats *w = world_stats(h->world);
    const struct commands_stats *c = world_commands_stats(h->world);
    struct places_stats places = world_places_stats(h->world);
    gather_world(m, w);
    if (c != NULL) {
        gather_commands(m, w, c, world_commands_under_way(h->world));
    }
    gather_scans(m, world_store_stats(h->world));
    gather_places(m, &places);
    gather_notes(m, notes_stats(h->shards.notes));
}

static void
exchange_loads(struct home_node *h)
{
    struct mesh *mesh = h->node.mesh;
    mesh_tell_load(mesh, world_stats(h->world)->players);
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const struct node *other = mesh_peer(mesh, peer);
        if (other != NULL && other->role == NODE_HOME) {
            world_peer_load(h->world, peer, other->draining, mesh_peer_load(mesh, peer));
        }
    }
}

/* Also before there is a world: how the store and the directory are, for which it waits. */
static void
hang_up_figures(struct home_node *h, int64_t now_us)
{
    struct node_process *n = &h->node;
    struct status status = {.islands = h->sea.islands.count};
    node_figures_begin(n, now_us);
    cluster_store_gather(h->store, &n->metrics);
    if (h->world != NULL) {
        const struct world_stats *w = world_stats(h->world);
        recent_merge(&h->ticks, &w->tick_us, now_us);
        hist_merge(&h->ticks_ever, &w->tick_us);
        gather_of_world(h);
        status.players = w->players;
        status.lingering = w->lingering;
        status.awake_chunks = w->chunks_awake;
        status.tick_ms_p99 = (double)recent_quantile(&h->ticks, 0.99) / 1e3;
    }
    node_figures_end(n, now_us, &status);
    if (h->world != NULL) {
        world_stats_reset_histograms(h->world);
        exchange_loads(h);
        look_at_clock(h);
    }
}

/* ---- start ---- */

static void
store_ready(void *ctx, uint32_t events)
{
    struct home_node *h = ctx;
    (void)events;
    node_begin_turn(&h->node);
    cluster_store_deliver(h->store);
}

static enum err
open_store(struct home_node *h, char *why)
{
    struct cluster_store_options options = {.addresses = h->input.config.store,
                                            .world = (uint16_t)h->input.config.world,
                                            .env = &h->node.env,
                                            .log_ctx = &h->node.log,
                                            .log = log_write};
    if (options.addresses[0] == '\0') {
        snprintf(why, NODE_WHY_MAX,
                 "a home of a cluster needs a store that the others share: --store "
                 "postgresql://... (`seom dev` has one of its own, `seom cluster up` starts one)");
        return ERR_RANGE;
    }
    enum err e = cluster_store_open(&options, &h->store, why);
    if (e != OK) {
        return e;
    }
    h->boot_env = h->node.env;
    store_init(&h->boot_store, &h->boot_env, BOOT_CALLS);
    h->boot_env.store = cluster_store_port(h->store, store_done(&h->boot_store));
    struct timespec now;
    uint64_t seed;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
    birth_init(&h->birth, &h->boot_store, (uint16_t)h->input.config.world,
               (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, seed >> 1);
    h->store_watch = (struct loop_watch){.ready = store_ready, .ctx = h};
    return loop_add(h->node.loop, cluster_store_fd(h->store), EPOLLIN, &h->store_watch);
}

static enum err
open_directory(struct home_node *h, char *why)
{
    struct directory_events events = {.ctx = h,
                                      .claimed = claimed,
                                      .refused = identity_refused,
                                      .lost = entry_lost,
                                      .left = left,
                                      .book_changed = book_changed,
                                      .table_changed = table_changed};
    return node_open_directory(&h->node, &events, why);
}

/* The world is known: from here on world time is everybody's. */
static enum err
born(struct home_node *h, char *why)
{
    if (h->birth.state == BIRTH_FAILED) {
        snprintf(why, NODE_WHY_MAX,
                 h->birth.newer ? "the store was written by a newer seom: update this one"
                                : "the store's meta/birth is no document of ours");
        return h->birth.newer ? ERR_NEWER : ERR_FORMAT;
    }
    enum err e = origin_load_key(h->input.config.data, h->birth.saved_world_ms > 0, h->ticket_key,
                                 why, NODE_WHY_MAX);
    if (e != OK) {
        return e;
    }
    node_set_clock(&h->node, h->birth.wall_ms, h->birth.saved_world_ms);
    home_move(h, HOME_CLAIM);
    return open_directory(h, why);
}

static void
say_what_is_waited_for(struct home_node *h, int64_t now_us)
{
    char waits[NODE_WAITS_MAX];
    bool starts = h->state == HOME_STORE || h->state == HOME_CLAIM;
    if (starts && now_us >= h->patience_us) {
        h->patience_us = now_us + PATIENCE_US;
        waits_for(h, waits);
        bool claims = h->state == HOME_CLAIM;
        env_log(&h->node.env, LOG_INFO, "home.waits", "for %s%s%s", waits, claims ? ", at " : "",
                claims ? h->input.config.directory : "");
    }
}

/* ---- the loop ---- */

static int64_t
home_turn(struct home_node *h)
{
    int64_t now_us = env_mono_us(&h->node.env), next_us = now_us + FIGURES_US;
    cluster_store_deliver(h->store);
    if (h->state == HOME_STORE && cluster_store_state(h->store) == SERVERS_DONE) {
        next_us = node_sooner_us(next_us, birth_turn(&h->birth));
    }
    if (h->node.directory != NULL) {
        next_us = node_sooner_us(next_us, directory_turn(h->node.directory));
    }
    if (h->world != NULL) {
        next_us = node_sooner_us(next_us, world_turn(h->world));
        next_us = node_sooner_us(next_us, home_shards_turn(&h->shards));
    }
    cluster_store_deliver(h->store); /* what this turn asked for goes out */
    next_us = node_sooner_us(next_us, cluster_store_turn(h->store));
    next_us = node_sooner_us(next_us, node_end_turn(&h->node));
    if (now_us - h->node.figures_us >= FIGURES_US) {
        hang_up_figures(h, now_us);
    }
    say_what_is_waited_for(h, now_us);
    return next_us;
}

/* Everybody is told good-bye, all is durable, then the entry is taken away. */
static void
leave(struct home_node *h, int64_t now_us)
{
    if (h->state != HOME_LEAVING) {
        home_move(h, HOME_LEAVING);
        h->deadline_us = now_us + STOP_DEADLINE_US;
        if (h->world != NULL) {
            world_stop(h->world, RETRY_AFTER_MS);
        }
    }
    bool rests = h->world == NULL || world_stopped(h->world);
    if (rests && !h->leave_asked && h->node.directory != NULL) {
        h->leave_asked = true;
        if (h->node.mesh != NULL) {
            mesh_leave(h->node.mesh);
        }
        directory_leave(h->node.directory);
    }
    h->left = h->left || (rests && h->node.directory == NULL);
}

static enum err
home_run(struct home_node *h, char *why)
{
    int64_t next_us = 0;
    for (;;) {
        node_wait(&h->node, next_us);
        next_us = home_turn(h);
        int64_t now_us = env_mono_us(&h->node.env);
        if (h->state == HOME_STORE &&
            (h->birth.state == BIRTH_DONE || h->birth.state == BIRTH_FAILED)) {
            enum err e = born(h, why);
            if (e != OK) {
                return e;
            }
            next_us = 0;
        }
        if (h->refused) {
            snprintf(why, NODE_WHY_MAX, "%s", h->why);
            return ERR_EXISTS;
        }
        if (cluster_store_state(h->store) == SERVERS_FAILED) {
            snprintf(why, NODE_WHY_MAX, "%s", cluster_store_why(h->store));
            return ERR_FORMAT;
        }
        bool drained =
            h->state == HOME_DRAINING && (world_drained(h->world) || now_us >= h->deadline_us);
        if (h->node.asked_to_stop || drained || h->state == HOME_LEAVING) {
            leave(h, now_us);
            next_us = node_sooner_us(next_us, now_us + 10000);
            if (h->left) {
                return OK;
            }
            if (now_us >= h->deadline_us) {
                snprintf(why, NODE_WHY_MAX, "the store or the directory did not confirm in time");
                return ERR_UNAVAILABLE;
            }
        }
    }
}

static void
home_close(struct home_node *h)
{
    if (h->store != NULL) {
        loop_remove(h->node.loop, cluster_store_fd(h->store), &h->store_watch);
        cluster_store_close(&h->store);
        store_fini(&h->boot_store);
    }
    if (h->world != NULL) {
        world_free(&h->world);
    }
    home_shards_close(&h->shards);
    node_close(&h->node);
    sea_free(&h->sea);
}

int
home_command(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &config_argp_home}, {0}};
    static const struct argp argp = {
        .parser = config_parse_only,
        .children = children,
        .doc = "Run one home of a cluster: it decides for the players that it is home to and looks "
               "after things. It needs a store (PostgreSQL) and a directory (etcd) that all homes "
               "share, and waits for both. SIGTERM ends it in order. `seom cluster up` starts a "
               "whole cluster on this machine."};
    struct home_node *h = calloc(1, sizeof *h);
    CHECK(h != NULL);
    char why[NODE_WHY_MAX] = "";
    argp_parse(&argp, argc, argv, 0, NULL, &h->input);
    enum err e = home_notes_check(&h->input.config, why);
    if (e != OK) {
        fprintf(stderr, "seom home: %s\n", why);
        free(h);
        return 2;
    }
    e = node_open(&h->node, &h->input.config, NODE_HOME, -1, why);
    home_shards_init(&h->shards, (uint16_t)h->input.config.shard, (uint16_t)h->input.config.shards);
    recent_init(&h->ticks, h->node.started_us);
    /* After the first line of the log, as it takes its time where there is little of it. */
    e = e == OK ? sea_load(h->input.config.islands, &h->sea, why, sizeof why) : e;
    e = e == OK ? node_serve(&h->node, commands, why) : e;
    e = e == OK ? open_store(h, why) : e;
    e = e == OK ? home_run(h, why) : e;
    if (e != OK) {
        fprintf(stderr, "seom home: %s\n", why);
    }
    home_close(h);
    free(h);
    return e == OK ? 0 : 1;
}
