/* A process of the cluster: the objects of a home, a gate or a relay, and the glue between them, in
 * the same order as in app/home_node.c, app/gate_node.c and app/relay_node.c.
 *
 *   home:  DOWN -> CLAIMING (an epoch from the directory) -> RUNS -> DRAINS -> LEAVES -> DOWN
 *   relay: likewise; it has nothing to drain
 *   gate:  DOWN -> RUNS -> DOWN
 */
#include "base/check.h"
#include "proof/cluster_state.h"
#include "rules/registry.h"
#include "wire/limits.h"
#include <stdio.h>
#include <string.h>

#define TURN_SOON_US 200
#define TURN_MOST_US 50000
#define CONNS_MAX    CLUSTER_PERSONS_MAX
#define LEAVE_US     2000000
#define RESTART_US   3000000
#define SWEEP_MS     2000

static const uint8_t life_moves[LIFE_STATES] = {
    [LIFE_DOWN] = 1 << LIFE_CLAIMING | 1 << LIFE_RUNS,
    [LIFE_CLAIMING] = 1 << LIFE_RUNS | 1 << LIFE_DOWN,
    [LIFE_RUNS] = 1 << LIFE_DRAINS | 1 << LIFE_DOWN,
    [LIFE_DRAINS] = 1 << LIFE_LEAVES | 1 << LIFE_DOWN,
    [LIFE_LEAVES] = 1 << LIFE_DOWN,
};

static void
life_move(struct cluster_node *n, enum cluster_life to)
{
    CHECK(life_moves[n->life] >> to & 1);
    n->life = to;
}

bool
cluster_node_is_home(const struct cluster_node *n)
{
    return n->self.role == NODE_HOME;
}

bool
cluster_node_is_gate(const struct cluster_node *n)
{
    return n->self.role == NODE_GATE;
}

bool
cluster_node_is_relay(const struct cluster_node *n)
{
    return n->self.role == NODE_RELAY;
}

bool
cluster_node_serves(const struct cluster_node *n)
{
    return n->life == LIFE_RUNS && !n->paused;
}

struct cluster_node *
cluster_gate(struct cluster_model *m, uint32_t gate)
{
    return &m->nodes[m->knobs.homes + gate];
}

struct cluster_node *
cluster_gate_at(struct cluster_model *m, const char *address)
{
    for (uint32_t gate = 0; gate < m->knobs.gates; gate++) {
        if (strcmp(cluster_gate(m, gate)->self.play, address) == 0) {
            return cluster_gate(m, gate);
        }
    }
    return NULL;
}

static void
log_line(void *ctx, enum log_level level, const char *event, const char *text)
{
    const struct cluster_node *n = ctx;
    (void)level;
    cluster_trace(n->model, "%s: %s %s", n->self.name, event, text);
}

/* ---- turns ---- */

static void turn(void *arg, uint64_t generation);

static void
plan(struct cluster_node *n, int64_t at_us)
{
    struct cluster_model *m = n->model;
    int64_t now_us = cluster_now_us(m);
    at_us = at_us > now_us + TURN_MOST_US ? now_us + TURN_MOST_US : at_us;
    at_us = at_us > now_us ? at_us : now_us + TURN_SOON_US;
    if (n->life == LIFE_DOWN || n->paused || (n->planned_us != 0 && n->planned_us <= at_us)) {
        return;
    }
    n->planned_us = at_us;
    cluster_at(m, at_us, turn, n, ++n->generation);
}

void
cluster_node_soon(struct cluster_node *n)
{
    plan(n, 0);
}

static int64_t
sooner(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

static void
again(void *arg, uint64_t n)
{
    struct cluster_node *node = arg;
    (void)n;
    if (!node->model->over && node->life == LIFE_DOWN) {
        cluster_node_start(node);
    }
}

static void
gone(void *arg, uint64_t unused)
{
    struct cluster_node *n = arg;
    struct cluster_model *m = n->model;
    (void)unused;
    if (!m->over && n->life == LIFE_LEAVES) {
        cluster_node_kill(n, SIM_KILLED);
        cluster_at(m, cluster_now_us(m) + 1 + cluster_below(m, RESTART_US), again, n, 0);
    }
}

/* Everybody was given away: good-bye, as a process that ends in order says it. */
static void
leave_when_drained(struct cluster_node *n)
{
    bool home = cluster_node_is_home(n);
    if (n->life == LIFE_DRAINS && (!home || world_drained(n->world))) {
        life_move(n, LIFE_LEAVES);
        if (home) {
            cluster_sometimes(n->model, CLUSTER_SOMETIMES_DRAINED);
            world_stop(n->world, 1000);
        }
        mesh_leave(n->mesh);
        directory_leave(n->directory);
        cluster_at(n->model, cluster_now_us(n->model) + LEAVE_US, gone, n, 0);
    }
}

static int64_t
turn_registered(struct cluster_node *n)
{
    int64_t next_us = directory_turn(n->directory);
    if (n->world != NULL) {
        next_us = sooner(next_us, world_turn(n->world));
        next_us = sooner(next_us, home_shards_turn(&n->shards));
    }
    leave_when_drained(n);
    return next_us;
}

static void
turn(void *arg, uint64_t generation)
{
    struct cluster_node *n = arg;
    struct cluster_model *m = n->model;
    if (m->over || generation != n->generation || n->life == LIFE_DOWN || n->paused) {
        return;
    }
    n->planned_us = 0;
    int64_t next_us = cluster_node_is_gate(n) ? gate_turn(n->gate_object) : turn_registered(n);
    if (n->mesh != NULL) {
        next_us = sooner(next_us, requests_turn(n->requests));
        next_us = sooner(next_us, mesh_turn(n->mesh));
        mesh_flush(n->mesh);
    }
    plan(n, next_us);
}

/* ---- what homes do with what their mesh tells ---- */

static void
home_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct cluster_node *n = ctx;
    notes_peer_up(n->shards.notes, peer, node);
    if (node->role != NODE_RELAY) {
        world_peer_up(n->world, peer, node);
    }
}

static void
home_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct cluster_node *n = ctx;
    notes_peer_down(n->shards.notes, peer);
    requests_peer_down(n->requests, peer);
    if (node->role != NODE_RELAY) {
        world_peer_down(n->world, peer, dead);
    }
}

static void
home_died(void *ctx, const struct node *node)
{
    struct cluster_node *n = ctx;
    world_node_died(n->world, node->epoch);
}

static void
home_message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t count)
{
    struct cluster_node *n = ctx;
    if (requests_message(n->requests, peer, bytes, count)) {
        return;
    }
    const struct node *from = mesh_peer(n->mesh, peer);
    CHECK(from != NULL);
    cluster_exercised(n->model, CLUSTER_NOTES_ONLY);
    if (from->role == NODE_RELAY) {
        cluster_wrong(n->model, PROOF_WRONG, CLUSTER_NOTES_ONLY, "%s is told %u by %s",
                      n->self.name, bytes[0], from->name);
        return;
    }
    world_message(n->world, peer, bytes, count);
}

static void
home_hears(void *ctx, const struct note *note)
{
    struct cluster_node *n = ctx;
    cluster_note_heard(n, note);
    world_note(n->world, note);
}

static void
home_ahead(void *ctx, uint32_t step, const uint8_t *bytes, size_t count)
{
    const struct cluster_node *n = ctx;
    world_ahead(n->world, step, bytes, count);
}

static void
dead_self(void *ctx)
{
    struct cluster_node *n = ctx;
    cluster_sometimes(n->model, CLUSTER_SOMETIMES_DEAD_SELF);
    cluster_trace(n->model, "%s hears that it is dead", n->self.name);
    n->taken_for_dead = true;
    directory_rejoin(n->directory);
}

/* ---- and relays ---- */

static void
relay_up(void *ctx, uint32_t peer, const struct node *node)
{
    relay_peer_up(&((struct cluster_node *)ctx)->relay, peer, node);
}

static void
relay_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    (void)node, (void)dead;
    relay_peer_down(&((struct cluster_node *)ctx)->relay, peer);
}

static void
relay_died(void *ctx, const struct node *node)
{
    (void)ctx, (void)node;
}

static void
relay_hears(void *ctx, uint32_t peer, const uint8_t *bytes, size_t count)
{
    struct cluster_node *n = ctx;
    relay_message(&n->relay, peer, bytes, count);
    cluster_exercised(n->model, CLUSTER_NOTES_ONLY);
    if (count > 0 && n->relay.refused[bytes[0]] > 0) {
        cluster_wrong(n->model, PROOF_WRONG, CLUSTER_NOTES_ONLY, "%s is told %u", n->self.name,
                      bytes[0]);
    }
}

/* ---- joining ---- */

static void
join(struct cluster_node *n, const struct mesh_events *events)
{
    struct mesh_options options = {.self = n->self,
                                   .world = CLUSTER_WORLD,
                                   .book =
                                       n->directory != NULL ? directory_book(n->directory) : NULL,
                                   .seeds = n->seed_list,
                                   .seeds_count = cluster_node_is_gate(n) ? 3 : 0,
                                   .events = *events};
    const struct cluster_mutant *mutant = n->model->options.mutant;
    options.mutant = mutant != NULL ? mutant->mesh : MESH_MUTANT_NONE;
    CHECK(mesh_alloc(&options, &n->env, &n->transport, &n->mesh) == OK);
    n->env.links = mesh_links(n->mesh);
    n->requests = requests_alloc(&n->env);
    CHECK(n->requests != NULL);
    requests_set_mutant(n->requests, mutant != NULL ? mutant->requests : REQUESTS_MUTANT_NONE);
}

static void
open_world(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    const struct cluster_mutant *mutant = m->options.mutant;
    struct world_options world = {.world_id = CLUSTER_WORLD,
                                  .node_epoch = n->self.epoch,
                                  .players_max = 512,
                                  .topics_max = 2048,
                                  .game = registry_find("sample"),
                                  .islands = &m->islands,
                                  .seed = m->options.seed,
                                  .saved_world_ms = cluster_now_us(m) / 1000,
                                  .book = directory_book(n->directory),
                                  .requests = n->requests,
                                  .nodes_per_chunk = m->knobs.nodes_per_chunk,
                                  .sweep_rest_ms = SWEEP_MS,
                                  .notes = n->shards.notes,
                                  .shards = &n->shards.shards,
                                  .mutant = mutant != NULL ? mutant->world : WORLD_MUTANT_NONE};
    CHECK(world_alloc(&world, &n->env, &n->world) == OK);
    n->connection = memory_store_connect(m->store, world_store_done(n->world));
    n->env.store = memory_connection_port(n->connection);
}

/* ---- what the directory tells ---- */

static void
open_home(struct cluster_node *n)
{
    struct mesh_events events = {.ctx = n,
                                 .up = home_up,
                                 .down = home_down,
                                 .died = home_died,
                                 .message = home_message,
                                 .ahead = home_ahead,
                                 .dead_self = dead_self};
    const struct cluster_mutant *mutant = n->model->options.mutant;
    join(n, &events);
    struct home_shards_options shards = {.self = n->self,
                                         .mesh = n->mesh,
                                         .requests = n->requests,
                                         .env = &n->env,
                                         .heard = home_hears,
                                         .ctx = n,
                                         .mutant =
                                             mutant != NULL ? mutant->notes : NOTES_MUTANT_NONE};
    n->notes_count = 0;
    home_shards_open(&n->shards, &shards);
    open_world(n);
}

static void
open_relay(struct cluster_node *n)
{
    struct mesh_events events = {.ctx = n,
                                 .up = relay_up,
                                 .down = relay_down,
                                 .died = relay_died,
                                 .message = relay_hears,
                                 .dead_self = dead_self};
    const struct cluster_mutant *mutant = n->model->options.mutant;
    join(n, &events);
    relay_open(&n->relay, &n->self, n->requests, &n->env,
               mutant != NULL ? mutant->notes : NOTES_MUTANT_NONE);
}

/* It was dead to the others, this is its new name. */
static void
rename_node(struct cluster_node *n)
{
    if (cluster_node_is_relay(n)) {
        relay_renamed(&n->relay, n->self.epoch);
    } else {
        world_renamed(n->world, n->self.epoch);
        home_shards_renamed(&n->shards, n->self.epoch);
    }
    mesh_self(n->mesh, &n->self);
}

static void
claimed(void *ctx, uint64_t epoch)
{
    struct cluster_node *n = ctx;
    cluster_exercised(n->model, CLUSTER_KEEPS_NAME);
    if (n->mesh != NULL && !n->taken_for_dead) {
        cluster_wrong(n->model, PROOF_WRONG, CLUSTER_KEEPS_NAME,
                      "%s lives, and gave up epoch %llu for %llu", n->self.name,
                      (unsigned long long)n->self.epoch, (unsigned long long)epoch);
    }
    n->taken_for_dead = false;
    n->self.epoch = epoch;
    cluster_trace(n->model, "%s has epoch %llu", n->self.name, (unsigned long long)epoch);
    if (cluster_node_is_home(n)) {
        cluster_named(n->model, epoch, n->self.shard);
    }
    if (n->mesh == NULL) {
        (cluster_node_is_home(n) ? open_home : open_relay)(n);
        struct transport_events lines = mesh_transport_events(n->mesh);
        sim_lines_start(n->model->lines, n->number, &lines);
        life_move(n, LIFE_RUNS);
    } else {
        rename_node(n);
    }
    mesh_book_changed(n->mesh);
    cluster_node_soon(n);
}

static void
refused(void *ctx, const char *why)
{
    struct cluster_node *n = ctx;
    cluster_wrong(n->model, PROOF_WRONG, CLUSTER_ALIVE, "%s was refused: %s", n->self.name, why);
}

static void
left(void *ctx)
{
    struct cluster_node *n = ctx;
    cluster_at(n->model, cluster_now_us(n->model), gone, n, 0);
}

static void
lost(void *ctx)
{
    cluster_sometimes(((struct cluster_node *)ctx)->model, CLUSTER_SOMETIMES_LEASE_LOST);
}

static void
book_changed(void *ctx)
{
    struct cluster_node *n = ctx;
    if (n->mesh == NULL) {
        return;
    }
    mesh_book_changed(n->mesh);
    if (n->world != NULL) {
        world_book_changed(n->world);
    }
    cluster_node_soon(n);
}

static void
table_changed(void *ctx, enum directory_table table)
{
    struct cluster_node *n = ctx;
    if (table == DIRECTORY_ISLANDS && cluster_node_is_home(n)) {
        CHECK(home_shards_table(&n->shards, n->directory) == OK);
    }
}

/* ---- gates ---- */

static void
gate_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct cluster_node *n = ctx;
    if (node->role == NODE_HOME) {
        gate_home_up(n->gate_object, peer, node->epoch);
    }
}

static void
gate_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct cluster_node *n = ctx;
    requests_peer_down(n->requests, peer);
    if (node->role == NODE_HOME) {
        gate_home_down(n->gate_object, peer, dead);
    }
}

static void
gate_died(void *ctx, const struct node *node)
{
    struct cluster_node *n = ctx;
    gate_home_died(n->gate_object, node->epoch);
}

static void
gate_hears(void *ctx, uint32_t peer, const uint8_t *bytes, size_t count)
{
    struct cluster_node *n = ctx;
    if (!requests_message(n->requests, peer, bytes, count)) {
        gate_message(n->gate_object, peer, bytes, count);
    }
}

/* Where clients may go when this gate is gone. */
static void
gate_looks_ahead(void *ctx, uint32_t step, const uint8_t *bytes, size_t count)
{
    const struct cluster_node *n = ctx;
    gate_ahead(n->gate_object, step, bytes, count);
}

static void
gate_book_changed(void *ctx)
{
    struct cluster_node *n = ctx;
    const struct book *book = mesh_book(n->mesh);
    const char *gates[GATES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < book->count && count < GATES_MAX; i++) {
        const struct node *node = &book->nodes[i];
        if (node->role == NODE_GATE && node->shard == n->self.shard && !node->draining &&
            node->play[0] != '\0' && node->epoch != n->self.epoch) {
            gates[count++] = node->play;
        }
    }
    gate_set_gates(n->gate_object, gates, count);
}

static void
gate_dead_self(void *ctx)
{
    struct cluster_node *n = ctx;
    n->self.epoch = rand_next(&n->model->rand) >> 1 | 1;
    mesh_self(n->mesh, &n->self);
}

static void
start_gate(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    const struct cluster_mutant *mutant = m->options.mutant;
    struct gate_options gate = {.conns_max = CONNS_MAX,
                                .islands = &m->islands,
                                .entities_max = 2048,
                                .topics_max = 1024,
                                .chunks_max = 4096,
                                .subscribe_epoch_seed = rand_next(&m->rand),
                                .gates = n->play,
                                .gates_count = 1,
                                .mutant = mutant != NULL ? mutant->gate : GATE_MUTANT_NONE};
    struct mesh_events events = {.ctx = n,
                                 .up = gate_up,
                                 .down = gate_down,
                                 .died = gate_died,
                                 .message = gate_hears,
                                 .ahead = gate_looks_ahead,
                                 .dead_self = gate_dead_self,
                                 .book_changed = gate_book_changed};
    n->env.conns = sim_net_conns(m->net, n->gate);
    CHECK(gate_alloc(&gate, &n->env, &n->gate_object) == OK);
    n->self.epoch = rand_next(&m->rand) >> 1 | 1;
    for (uint32_t i = 0; i < 3; i++) { /* homes take turns in their shards */
        uint32_t of_shard = (m->knobs.homes - n->self.shard) / m->knobs.shards + 1;
        uint32_t home = n->self.shard - 1U + cluster_below(m, of_shard) * m->knobs.shards;
        CHECK(m->nodes[home].self.shard == n->self.shard && home < m->knobs.homes);
        sim_lines_address(home, n->seeds[i]);
        n->seed_list[i] = n->seeds[i];
    }
    join(n, &events);
    struct transport_events lines = mesh_transport_events(n->mesh);
    sim_lines_start(m->lines, n->number, &lines);
    life_move(n, LIFE_RUNS);
}

/* ---- life and death ---- */

void
cluster_node_init(struct cluster_model *m, uint32_t number, enum node_role role, uint32_t index)
{
    struct cluster_node *n = &m->nodes[number];
    uint32_t shard = 1 + index % m->knobs.shards, in_shard = 1 + index / m->knobs.shards;
    *n = (struct cluster_node){.model = m, .number = number, .gate = index};
    n->installation = rand_next(&m->rand) | 1;
    n->self = (struct node){.role = role,
                            .shard = (uint16_t)shard,
                            .index = (uint16_t)in_shard,
                            .protocol_min = LINK_PROTOCOL_MIN,
                            .protocol_max = LINK_PROTOCOL_MAX};
    if (m->knobs.mixed && cluster_below(m, 2) == 0) {
        n->self.protocol_max++;
        cluster_sometimes(m, CLUSTER_SOMETIMES_MIXED);
    }
    node_name(role, shard, in_shard, n->self.name);
    sim_lines_address(number, n->self.address);
    if (role == NODE_GATE) {
        snprintf(n->self.play, sizeof n->self.play, "play-%u:1", index);
        n->play[0] = n->self.play;
    }
}

void
cluster_node_start(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    CHECK(n->life == LIFE_DOWN);
    cluster_trace(m, "%s starts", n->self.name);
    n->paused = n->taken_for_dead = false;
    n->planned_us = 0;
    n->self.draining = false;
    n->self.epoch = 0;
    n->env = (struct env){.clock = events_clock(&m->events), .log_ctx = n, .log = log_line};
    n->transport = sim_lines_port(m->lines, n->number);
    if (cluster_node_is_gate(n)) {
        start_gate(n);
        cluster_node_soon(n);
        return;
    }
    home_shards_init(&n->shards, n->self.shard, (uint16_t)m->knobs.shards);
    const struct cluster_mutant *mutant = m->options.mutant;
    struct directory_options options = {.world = CLUSTER_WORLD,
                                        .node = n->self,
                                        .installation = n->installation,
                                        .mutant = mutant != NULL ? mutant->directory
                                                                 : DIRECTORY_MUTANT_NONE,
                                        .events = {.ctx = n,
                                                   .claimed = claimed,
                                                   .refused = refused,
                                                   .lost = lost,
                                                   .left = left,
                                                   .book_changed = book_changed,
                                                   .table_changed = table_changed}};
    n->directory = directory_alloc(&options, &n->env);
    n->client = memory_directory_connect(m->directory, directory_done(n->directory));
    struct env_directory port = memory_directory_port(n->client);
    directory_start(n->directory, &port);
    life_move(n, LIFE_CLAIMING);
    cluster_node_soon(n);
}

static void
break_clients(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        struct cluster_person *p = &m->persons[i];
        if (p->gate == n->gate && sim_net_is_open(m->net, i)) {
            cluster_person_cut(p);
        }
    }
}

void
cluster_node_kill(struct cluster_node *n, enum sim_death death)
{
    struct cluster_model *m = n->model;
    CHECK(n->life != LIFE_DOWN);
    cluster_trace(m, "%s dies", n->self.name);
    if (sim_lines_is_up(m->lines, n->number)) {
        sim_lines_crash(m->lines, n->number, death);
    }
    if (n->connection != NULL) {
        memory_connection_crash(&n->connection);
    }
    if (n->client != NULL) {
        memory_directory_crash(&n->client);
    }
    if (n->world != NULL) {
        world_free(&n->world);
    }
    if (n->gate_object != NULL) {
        gate_free(&n->gate_object);
    }
    home_shards_close(&n->shards);
    relay_close(&n->relay);
    if (n->requests != NULL) {
        requests_free(&n->requests);
        mesh_free(&n->mesh);
    }
    if (n->directory != NULL) {
        directory_free(&n->directory);
    }
    life_move(n, LIFE_DOWN);
    n->paused = false;
    n->generation++;
    n->planned_us = 0;
    if (cluster_node_is_gate(n)) {
        break_clients(n);
    }
}

static void
go_on(void *arg, uint64_t generation)
{
    struct cluster_node *n = arg;
    if (n->model->over || n->life == LIFE_DOWN || !n->paused || generation != n->generation) {
        return;
    }
    cluster_trace(n->model, "%s goes on", n->self.name);
    n->went_on_us = cluster_now_us(n->model);
    n->paused = false;
    memory_directory_cut(n->client, false);
    sim_lines_pause(n->model->lines, n->number, false);
    n->planned_us = 0;
    cluster_node_soon(n);
}

/* SIGSTOP, and SIGCONT at that time. */
void
cluster_node_pause(struct cluster_node *n, int64_t until_us)
{
    struct cluster_model *m = n->model;
    CHECK(n->life == LIFE_RUNS && !cluster_node_is_gate(n) && !n->paused);
    int64_t now_us = cluster_now_us(m);
    cluster_trace(m, "%s stands still for %lld ms", n->self.name,
                  (long long)(until_us - now_us) / 1000);
    if (cluster_node_is_home(n) && until_us - now_us > DIRECTORY_TTL_S * INT64_C(1000000)) {
        cluster_sometimes(m, CLUSTER_SOMETIMES_PAUSED_LONG);
    }
    n->paused = true;
    n->generation++;
    if (n->connection != NULL) {
        memory_connection_stall(n->connection, until_us - now_us);
    }
    memory_directory_cut(n->client, true);
    sim_lines_pause(m->lines, n->number, true);
    cluster_at(m, until_us, go_on, n, n->generation);
}

void
cluster_node_drain(struct cluster_node *n)
{
    CHECK(n->life == LIFE_RUNS && !cluster_node_is_gate(n));
    cluster_trace(n->model, "%s drains", n->self.name);
    life_move(n, LIFE_DRAINS);
    n->self.draining = true;
    directory_update(n->directory, &n->self);
    mesh_self(n->mesh, &n->self);
    if (n->world != NULL) {
        world_drain(n->world);
    }
    cluster_node_soon(n);
}
