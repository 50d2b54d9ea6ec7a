#include "app/bench_node.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include "wire/link.h"
#include <stdio.h>

static int64_t
mono_us(void *ctx)
{
    (void)ctx;
    return process_mono_us();
}

static int64_t
world_ms(void *ctx)
{
    return mono_us(ctx) / 1000;
}

static uint64_t
draw(void *ctx)
{
    return rand_next(ctx);
}

enum err
bench_node_open(struct bench_node *n, enum node_role role, uint16_t index, const char *listen)
{
    char why[LINES_WHY_MAX];
    *n = (struct bench_node){.self = {.epoch = index + 1U,
                                      .role = role,
                                      .index = index,
                                      .protocol_min = LINK_PROTOCOL_MIN,
                                      .protocol_max = LINK_PROTOCOL_MAX},
                             .peer = PEERS_MAX};
    rand_seed(&n->rand, (uint64_t)process_mono_us() + index);
    n->env.clock = (struct env_clock){
        .ctx = &n->rand, .mono_us = mono_us, .world_ms = world_ms, .random = draw};
    snprintf(n->self.name, sizeof n->self.name, "%s-%u", node_role_name(role), index);
    enum err error = loop_open(&n->loop);
    if (error != OK) {
        return error;
    }
    const struct lines_options options = {.loop = n->loop, .listen = listen};
    error = lines_open(&options, &n->lines, why);
    if (error != OK) {
        output_progress("%s: %s", n->self.name, why);
        return error;
    }
    snprintf(n->self.address, sizeof n->self.address, "%s", lines_address(n->lines));
    return OK;
}

enum err
bench_node_join(struct bench_node *n, const struct book *book, const char *const *seed,
                const struct mesh_events *events)
{
    const struct mesh_options options = {.self = n->self,
                                         .book = book,
                                         .seeds = seed,
                                         .seeds_count = seed != NULL,
                                         .events = *events};
    struct env_transport transport = lines_port(n->lines);
    enum err error = mesh_alloc(&options, &n->env, &transport, &n->mesh);
    if (error != OK) {
        return error;
    }
    n->env.links = mesh_links(n->mesh);
    const struct transport_events lines_events = mesh_transport_events(n->mesh);
    lines_start(n->lines, &lines_events);
    return OK;
}

void
bench_node_up(struct bench_node *n, uint32_t peer)
{
    CHECK(peer < PEERS_MAX);
    n->peer = peer;
}

void
bench_node_down(struct bench_node *n, uint32_t peer)
{
    if (n->peer == peer) {
        n->peer = PEERS_MAX;
    }
}

void
bench_node_turn(struct bench_node *n, int64_t next_us, int64_t wait_us)
{
    int64_t now_us = process_mono_us();
    int64_t mesh_us = mesh_turn(n->mesh);
    mesh_flush(n->mesh);
    next_us = mesh_us < next_us ? mesh_us : next_us;
    int64_t left_us = next_us > now_us ? next_us - now_us : 0;
    loop_turn(n->loop, left_us < wait_us ? left_us : wait_us);
}

void
bench_node_close(struct bench_node *n)
{
    mesh_free(&n->mesh);
    lines_close(&n->lines);
    loop_close(&n->loop);
}
