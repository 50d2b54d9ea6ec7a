#include "app/bench_request.h"
#include "app/bench_store.h"
#include "base/check.h"
#include "base/rand.h"
#include "fabric/mesh.h"
#include "fabric/requests.h"
#include "os/lines.h"
#include "os/process.h"
#include "wire/link.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UP_US     5000000 /* at most, until both ends see each other */
#define SILENT_US 5000000

/* A node: what a home has around its world. */
struct end {
    struct request_link *side;
    struct rand rand;
    struct env env;
    struct loop *loop;
    struct lines *lines;
    struct mesh *mesh;
    struct requests *requests;
    uint32_t peer; /* PEERS_MAX: not up */
};

struct request_link {
    struct book book; /* does not change */
    struct end asker, worker;
    pthread_t thread;
    atomic_bool stop;
    bool has_thread;

    /* Of a run. */
    struct request_run *run;
    int64_t until_us, now_us; /* now: 0 until somebody asks in this turn */
    uint32_t under_way;
    int64_t sent_us[REQUEST_DEPTH_MAX];
    enum err error;
};

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
    return rand_next(&((struct end *)ctx)->rand);
}

static void
up(void *ctx, uint32_t peer, const struct node *node)
{
    (void)node;
    ((struct end *)ctx)->peer = peer;
}

static void
down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    (void)node;
    (void)dead;
    struct end *end = ctx;
    end->peer = PEERS_MAX;
    requests_peer_down(end->requests, peer);
}

static void
died(void *ctx, const struct node *node)
{
    (void)ctx;
    (void)node;
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct end *end = ctx;
    (void)requests_message(end->requests, peer, bytes, n);
}

static void
dead_self(void *ctx)
{
    (void)ctx;
}

static void
echo(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    (void)peer;
    (void)deadline_us;
    requests_reply(((struct end *)ctx)->requests, job, false, body);
}

/* One turn of the loop, as a home's. */
static void
end_turn(struct end *end, int64_t wait_us)
{
    int64_t now_us = process_mono_us();
    int64_t next_us = requests_turn(end->requests);
    int64_t mesh_us = mesh_turn(end->mesh);
    mesh_flush(end->mesh);
    next_us = mesh_us < next_us ? mesh_us : next_us;
    int64_t left_us = next_us > now_us ? next_us - now_us : 0;
    loop_turn(end->loop, left_us < wait_us ? left_us : wait_us);
}

static void *
work(void *arg)
{
    struct request_link *side = arg;
    bench_core_take(1);
    while (!atomic_load(&side->stop))
        end_turn(&side->worker, LOOP_FOREVER);
    return NULL;
}

static enum err
end_open(struct request_link *side, struct end *end, uint16_t index)
{
    char why[LINES_WHY_MAX];
    end->side = side;
    end->peer = PEERS_MAX;
    rand_seed(&end->rand, index + 1U);
    end->env.clock =
        (struct env_clock){.ctx = end, .mono_us = mono_us, .world_ms = world_ms, .random = draw};
    enum err error = loop_open(&end->loop);
    if (error != OK)
        return error;
    const struct lines_options options = {.loop = end->loop, .listen = "127.0.0.1:0"};
    error = lines_open(&options, &end->lines, why);
    if (error != OK)
        return error;
    struct node node = {.epoch = index + 1U,
                        .role = NODE_HOME,
                        .index = index,
                        .protocol_min = LINK_PROTOCOL_MIN,
                        .protocol_max = LINK_PROTOCOL_MAX};
    snprintf(node.name, sizeof node.name, "home-%u", index);
    snprintf(node.address, sizeof node.address, "%s", lines_address(end->lines));
    return book_put(&side->book, &node);
}

static enum err
end_join(struct request_link *side, struct end *end, uint16_t index)
{
    const struct mesh_options options = {
        .self = *book_find(&side->book, index + 1U),
        .book = &side->book,
        .events = {.ctx = end,
                   .up = up,
                   .down = down,
                   .died = died,
                   .message = message,
                   .dead_self = dead_self},
    };
    struct env_transport transport = lines_port(end->lines);
    enum err error = mesh_alloc(&options, &end->env, &transport, &end->mesh);
    if (error != OK)
        return error;
    end->env.links = mesh_links(end->mesh);
    end->requests = requests_alloc(&end->env);
    requests_serve(end->requests, REQUEST_TEST, echo, end);
    const struct transport_events events = mesh_transport_events(end->mesh);
    lines_start(end->lines, &events);
    return OK;
}

static void
end_close(struct end *end)
{
    requests_free(&end->requests);
    mesh_free(&end->mesh);
    lines_close(&end->lines);
    loop_close(&end->loop);
}

/* Until both see each other; on this thread, as the worker has none yet. */
static enum err
wait_until_up(struct request_link *side)
{
    int64_t until_us = process_mono_us() + UP_US;
    while (side->asker.peer == PEERS_MAX || side->worker.peer == PEERS_MAX) {
        if (process_mono_us() > until_us)
            return ERR_TIMEOUT;
        end_turn(&side->asker, 1000);
        end_turn(&side->worker, 1000);
    }
    return OK;
}

enum err
request_link_open(struct request_link **out)
{
    struct request_link *side = calloc(1, sizeof *side);
    CHECK(side != NULL);
    atomic_init(&side->stop, false);
    enum err error = end_open(side, &side->asker, 0);
    error = error == OK ? end_open(side, &side->worker, 1) : error;
    error = error == OK ? end_join(side, &side->asker, 0) : error;
    error = error == OK ? end_join(side, &side->worker, 1) : error;
    error = error == OK ? wait_until_up(side) : error;
    if (error == OK && pthread_create(&side->thread, NULL, work, side) != 0)
        error = ERR_FULL;
    side->has_thread = error == OK;
    if (error != OK)
        request_link_close(&side);
    *out = side;
    return error;
}

void
request_link_close(struct request_link **pointer)
{
    struct request_link *side = *pointer;
    if (side == NULL)
        return;
    if (side->has_thread) {
        atomic_store(&side->stop, true);
        loop_wake(side->worker.loop);
        pthread_join(side->thread, NULL);
    }
    end_close(&side->asker);
    end_close(&side->worker);
    free(side);
    *pointer = NULL;
}

static void answered(void *ctx, uint64_t slot, enum request_end end, bool part, struct slice body);

static void
ask(struct request_link *side, uint32_t slot)
{
    static const uint8_t text[REQUEST_BODY];
    struct end *end = &side->asker;
    enum err error = requests_ask(end->requests, end->peer, REQUEST_TEST,
                                  (struct slice){.at = text, .bytes = sizeof text}, SILENT_US,
                                  answered, side, slot);
    side->sent_us[slot] = side->now_us;
    side->under_way += error == OK;
    side->error = side->error == OK ? error : side->error;
}

static void
answered(void *ctx, uint64_t slot, enum request_end end, bool part, struct slice body)
{
    struct request_link *side = ctx;
    CHECK(!part && slot < REQUEST_DEPTH_MAX);
    side->under_way--;
    if (end != REQUEST_DONE || body.bytes != REQUEST_BODY) {
        side->error = ERR_TIMEOUT;
        return;
    }
    if (side->now_us == 0)
        side->now_us = process_mono_us();
    hist_add(&side->run->latency_us, (uint64_t)(side->now_us - side->sent_us[slot]));
    side->run->answers++;
    if (side->now_us < side->until_us)
        ask(side, (uint32_t)slot);
}

enum err
request_link_run(struct request_link *side, uint32_t depth, int64_t us, struct request_run *out)
{
    CHECK(depth > 0 && depth <= REQUEST_DEPTH_MAX);
    int64_t cpu_us = process_cpu_us(), begin_us = process_mono_us();
    side->run = out;
    side->now_us = begin_us;
    side->until_us = begin_us + us;
    for (uint32_t slot = 0; slot < depth; slot++)
        ask(side, slot);
    while (side->under_way > 0) {
        side->now_us = 0;
        end_turn(&side->asker, LOOP_FOREVER);
    }
    out->wall_us += process_mono_us() - begin_us;
    out->cpu_us += process_cpu_us() - cpu_us;
    return side->error;
}
