#include "app/bench_node.h"
#include "app/bench_request.h"
#include "app/bench_store.h"
#include "base/check.h"
#include "fabric/requests.h"
#include "os/process.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define UP_US     5000000 /* at most, until both ends see each other */
#define SILENT_US 5000000

struct end {
    struct bench_node node;
    struct requests *requests;
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

static void
up(void *ctx, uint32_t peer, const struct node *node)
{
    (void)node;
    bench_node_up(&((struct end *)ctx)->node, peer);
}

static void
down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    (void)node;
    (void)dead;
    struct end *end = ctx;
    bench_node_down(&end->node, peer);
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

static void
end_turn(struct end *end, int64_t wait_us)
{
    bench_node_turn(&end->node, requests_turn(end->requests), wait_us);
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
    enum err error = bench_node_open(&end->node, NODE_HOME, index, "127.0.0.1:0");
    return error == OK ? book_put(&side->book, &end->node.self) : error;
}

static enum err
end_join(struct request_link *side, struct end *end)
{
    const struct mesh_events events = {.ctx = end,
                                       .up = up,
                                       .down = down,
                                       .died = died,
                                       .message = message,
                                       .dead_self = dead_self};
    enum err error = bench_node_join(&end->node, &side->book, NULL, &events);
    if (error != OK) {
        return error;
    }
    end->requests = requests_alloc(&end->node.env);
    requests_serve(end->requests, REQUEST_TEST, echo, end);
    return OK;
}

static void
end_close(struct end *end)
{
    requests_free(&end->requests);
    bench_node_close(&end->node);
}

/* Until both see each other; on this thread, as the worker has none yet. */
static enum err
wait_until_up(struct request_link *side)
{
    int64_t until_us = process_mono_us() + UP_US;
    while (side->asker.node.peer == PEERS_MAX || side->worker.node.peer == PEERS_MAX) {
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
    error = error == OK ? end_join(side, &side->asker) : error;
    error = error == OK ? end_join(side, &side->worker) : error;
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
        loop_wake(side->worker.node.loop);
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
    enum err error = requests_ask(end->requests, end->node.peer, REQUEST_TEST,
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
