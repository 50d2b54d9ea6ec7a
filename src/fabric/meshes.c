#include "fabric/meshes.h"
#include "base/check.h"
#include "base/rand.h"
#include "wire/link.h"
#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 13 /* kind, number, epoch */

/* What meshes call */

static int64_t
world_ms(void *ctx)
{
    const struct meshes_node *node = ctx;
    return 1000000 + node->meshes->time.now_us / 1000 + node->world_offset_ms;
}

static int64_t
mono_us(void *ctx)
{
    return ((struct meshes_node *)ctx)->meshes->time.now_us;
}

static uint64_t
draw(void *ctx)
{
    return rand_next(&((struct meshes_node *)ctx)->meshes->time.rand);
}

static void
log_line(void *ctx, enum log_level level, const char *event, const char *text)
{
    struct meshes_node *node = ctx;
    (void)level;
    if (node->meshes->options.loud) {
        fprintf(stderr, "# %9lld us %s: %s: %s\n", (long long)node->meshes->time.now_us,
                node->self.name, event, text);
    }
}

static void
on_up(void *ctx, uint32_t peer, const struct node *other)
{
    struct meshes_node *node = ctx;
    CHECK(peer < PEERS_MAX && !node->links[peer].up);
    CHECK(mesh_peer(node->mesh, peer) != NULL);
    CHECK(!mesh_is_dead(node->mesh, other->epoch));
    node->links[peer] = (struct meshes_link){.up = true, .epoch = other->epoch};
    node->ups++;
}

static void
check_verdict(const struct meshes *meshes, uint64_t epoch)
{
    for (uint32_t n = 0; n < meshes->count && meshes->options.only_dead_die; n++) {
        const struct meshes_node *node = &meshes->nodes[n];
        CHECK(node->self.epoch != epoch || node->mesh == NULL || node->leaving);
    }
}

static void
on_down(void *ctx, uint32_t peer, const struct node *other, bool dead)
{
    struct meshes_node *node = ctx;
    CHECK(node->links[peer].up && node->links[peer].epoch == other->epoch);
    CHECK(dead == mesh_is_dead(node->mesh, other->epoch));
    node->links[peer].up = false;
    node->downs++;
    if (dead) {
        node->deaths++;
        check_verdict(node->meshes, other->epoch);
    }
}

static void
on_died(void *ctx, const struct node *other)
{
    struct meshes_node *node = ctx;
    CHECK(mesh_is_dead(node->mesh, other->epoch));
    node->died++;
    check_verdict(node->meshes, other->epoch);
}

static void
on_message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct meshes_node *node = ctx;
    struct meshes_link *link = &node->links[peer];
    struct reader r = reader_over(bytes, n);
    read_u8(&r);
    uint32_t number = read_u32(&r);
    uint64_t epoch = read_u64(&r);
    CHECK(reader_ok(&r) && link->up && link->epoch == epoch);
    CHECK(number > link->last);
    link->last = number;
    node->messages++;
}

static void
rename_self(struct meshes_node *node)
{
    node->self.epoch = ++node->meshes->registered;
    enum err error = book_put(&node->meshes->book, &node->self);
    CHECK(error == OK);
}

static void
on_dead_self(void *ctx)
{
    struct meshes_node *node = ctx;
    node->dead_selfs++;
    if (node->meshes->options.rejoins) {
        rename_self(node);
        mesh_self(node->mesh, &node->self);
    }
}

static void
on_book(void *ctx)
{
    ((struct meshes_node *)ctx)->book_changes++;
}

/* Life */

void
meshes_open(struct meshes *meshes, const struct meshes_options *options)
{
    *meshes = (struct meshes){.options = *options, .registered = 100};
    events_init(&meshes->time, options->seed);
    struct sim_lines_options of_lines = {
        .schedule = events_port(&meshes->time),
        .nodes_max = MESHES_MAX,
        .line_bytes = options->line_bytes != 0 ? options->line_bytes : 256U << 10,
        .delay_us_min = options->delay_us_max != 0 ? options->delay_us_min : 50,
        .delay_us_max = options->delay_us_max != 0 ? options->delay_us_max : 300,
        .stall_us_min = 5000000,
        .stall_us_max = 20000000,
    };
    meshes->lines = sim_lines_alloc(&of_lines);
}

void
meshes_close(struct meshes *meshes)
{
    for (uint32_t n = 0; n < meshes->count; n++) {
        mesh_free(&meshes->nodes[n].mesh);
    }
    sim_lines_free(&meshes->lines);
    events_fini(&meshes->time);
}

uint32_t
meshes_add(struct meshes *meshes, enum node_role role, uint16_t index)
{
    CHECK(meshes->count < MESHES_MAX);
    uint32_t n = meshes->count++;
    struct meshes_node *node = &meshes->nodes[n];
    *node = (struct meshes_node){
        .meshes = meshes,
        .number = n,
        .self = {.role = role, .index = index, .protocol_min = 1, .protocol_max = 1},
    };
    snprintf(node->self.name, sizeof node->self.name, "%s-%u", node_role_name(role), index);
    snprintf(node->self.version, sizeof node->self.version, "test");
    sim_lines_address(n, node->address);
    if (role != NODE_GATE) {
        sim_lines_address(n, node->self.address);
    }
    return n;
}

void
meshes_start(struct meshes *meshes, uint32_t n)
{
    struct meshes_node *node = &meshes->nodes[n];
    bool is_gate = node->self.role == NODE_GATE;
    CHECK(node->mesh == NULL);
    node->env =
        (struct env){.clock = {node, mono_us, world_ms, draw}, .log_ctx = node, .log = log_line};
    node->seeds[0] = meshes->nodes[0].address;
    struct mesh_options options = {
        .world = 7,
        .book = is_gate ? NULL : &meshes->book,
        .seeds = node->seeds,
        .seeds_count = is_gate,
        .events = {node, on_up, on_down, on_died, on_message, on_dead_self, on_book, NULL},
        .data_bytes = meshes->options.data_bytes,
        .control_bytes = meshes->options.control_bytes,
        .mutant = meshes->options.mutant,
    };
    if (is_gate) {
        node->self.epoch = draw(node) | 1;
    } else {
        rename_self(node);
    }
    options.self = node->self;
    struct env_transport port = sim_lines_port(meshes->lines, n);
    enum err error = mesh_alloc(&options, &node->env, &port, &node->mesh);
    CHECK(error == OK);
    memset(node->links, 0, sizeof node->links);
    node->paused = node->leaving = false;
    struct transport_events events = mesh_transport_events(node->mesh);
    sim_lines_start(meshes->lines, n, &events);
}

void
meshes_kill(struct meshes *meshes, uint32_t n, enum sim_death death)
{
    sim_lines_crash(meshes->lines, n, death);
    mesh_free(&meshes->nodes[n].mesh);
    meshes->nodes[n].paused = false;
}

void
meshes_pause(struct meshes *meshes, uint32_t n, bool on)
{
    sim_lines_pause(meshes->lines, n, on);
    meshes->nodes[n].paused = on;
}

void
meshes_leave(struct meshes *meshes, uint32_t n)
{
    meshes->nodes[n].leaving = true;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        meshes->nodes[n].links[p].up = false;
    }
    mesh_leave(meshes->nodes[n].mesh);
}

void
meshes_expire(struct meshes *meshes, uint32_t n)
{
    book_remove(&meshes->book, meshes->nodes[n].self.epoch);
}

void
meshes_cut(struct meshes *meshes, uint32_t a, uint32_t b, bool on)
{
    sim_lines_cut(meshes->lines, a, b, on);
    sim_lines_cut(meshes->lines, b, a, on);
}

/* The loops: after every event each node does what is due, like a process that wakes up. */

static int64_t
turn_all(struct meshes *meshes)
{
    int64_t next_us = INT64_MAX;
    for (uint32_t n = 0; n < meshes->count; n++) {
        struct meshes_node *node = &meshes->nodes[n];
        if (node->mesh == NULL || node->paused) {
            continue;
        }
        if (meshes->book.revision != node->book_seen) {
            node->book_seen = meshes->book.revision;
            mesh_book_changed(node->mesh);
        }
        int64_t due_us = mesh_turn(node->mesh);
        CHECK(due_us > meshes->time.now_us);
        mesh_flush(node->mesh);
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us;
}

/* One event, or the next turn of somebody, or the end. false: that was the end. */
static bool
step(struct meshes *meshes, int64_t end_us)
{
    int64_t turn_us = turn_all(meshes);
    int64_t due_us = turn_us < end_us ? turn_us : end_us;
    if (meshes->time.count > 0 && meshes->time.heap[0].due_us <= due_us) {
        return events_step(&meshes->time);
    }
    events_run(&meshes->time, due_us);
    return due_us < end_us;
}

void
meshes_run(struct meshes *meshes, int64_t us)
{
    int64_t end_us = meshes->time.now_us + us;
    while (step(meshes, end_us)) {
    }
}

uint32_t
meshes_peer(const struct meshes *meshes, uint32_t n, uint32_t other)
{
    CHECK(meshes->nodes[n].mesh != NULL);
    return mesh_peer_of(meshes->nodes[n].mesh, meshes->nodes[other].self.epoch);
}

bool
meshes_is_up(const struct meshes *meshes, uint32_t n, uint32_t other)
{
    return meshes_peer(meshes, n, other) != PEERS_MAX;
}

bool
meshes_await(struct meshes *meshes, uint32_t n, uint32_t other, bool up, int64_t limit_us)
{
    int64_t end_us = meshes->time.now_us + limit_us;
    while (meshes_is_up(meshes, n, other) != up) {
        if (!step(meshes, end_us)) {
            return meshes_is_up(meshes, n, other) == up;
        }
    }
    return true;
}

enum err
meshes_send(struct meshes *meshes, uint32_t n, uint32_t other, uint8_t kind, size_t bytes)
{
    static const uint8_t padding[MESH_MESSAGE_MAX];
    struct meshes_node *node = &meshes->nodes[n];
    uint8_t head[HEAD_BYTES];
    struct writer w = writer_over(head, sizeof head);
    write_u8(&w, kind);
    write_u32(&w, ++node->sent);
    write_u64(&w, node->self.epoch);
    CHECK(bytes <= sizeof padding);
    struct slice pieces[] = {{head, sizeof head}, {padding, bytes}};
    struct env_links links = mesh_links(node->mesh);
    return links.send(links.ctx, meshes_peer(meshes, n, other), pieces, 2);
}

const struct mesh_stats *
meshes_stats(const struct meshes *meshes, uint32_t n)
{
    CHECK(meshes->nodes[n].mesh != NULL);
    return mesh_stats(meshes->nodes[n].mesh);
}
