#include "app/gate_thread.h"

#include "base/check.h"
#include "os/crash.h"
#include "os/process.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PACE_US       2000 /* one wake-up for whatever came in 2 ms */
#define FIGURES_US    1000000
#define QUEUE_SAMPLES 64
#define LEAVE_US      500000 /* for good-byes to be read, at the end */
#define HOME_PEER     0

struct gate_thread {
    struct gate_thread_options options;
    pthread_t thread;
    struct loop *loop;
    struct rings *rings;
    struct conns *conns;
    struct gate *gate;
    struct thread_clock clock;
    struct trace trace;
    struct env env;
    bool turned; /* world time is that of this turn */
    _Atomic bool stop;
    uint32_t stop_code, stop_retry_after_ms;
    pthread_mutex_t lock; /* of figures */
    struct gate_figures figures;
    int64_t figures_us;
};

/* World time stands still within a turn; a turn begins with the first thing that happens in it. */
static void
begin_turn(struct gate_thread *t)
{
    if (!t->turned) {
        thread_clock_turn(&t->clock);
        t->turned = true;
    }
}

static void
opened(void *ctx, uint32_t conn)
{
    struct gate_thread *t = ctx;
    begin_turn(t);
    gate_opened(t->gate, conn);
}

static void
received(void *ctx, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct gate_thread *t = ctx;
    begin_turn(t);
    gate_received(t->gate, conn, bytes, n);
}

static void
writable(void *ctx, uint32_t conn)
{
    struct gate_thread *t = ctx;
    begin_turn(t);
    gate_writable(t->gate, conn);
}

static void
closed(void *ctx, uint32_t conn)
{
    struct gate_thread *t = ctx;
    begin_turn(t);
    gate_closed(t->gate, conn);
}

static void
message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct gate_thread *t = ctx;
    CHECK(peer == HOME_PEER);
    gate_message(t->gate, peer, bytes, n);
}

static void
leave_figures(struct gate_thread *t, int64_t now_us)
{
    if (now_us - t->figures_us < FIGURES_US) {
        return;
    }
    t->figures_us = now_us;
    struct hist queue;
    hist_reset(&queue);
    conns_sample_queues(t->conns, QUEUE_SAMPLES, &queue);
    pthread_mutex_lock(&t->lock);
    t->figures.taken_us = now_us;
    t->figures.gate = *gate_stats(t->gate);
    t->figures.conns = conns_stats(t->conns);
    t->figures.connections = conns_count(t->conns);
    t->figures.cpu_us = thread_cpu_us();
    t->figures.rings = rings_stats(t->rings, HOME_PEER);
    t->figures.queue_bytes = queue;
    pthread_mutex_unlock(&t->lock);
}

/* So that everybody reads the good-bye; who does not is left behind. */
static void
wait_for_readers(struct gate_thread *t)
{
    conns_stop_listening(t->conns);
    int64_t end_us = env_mono_us(&t->env) + LEAVE_US;
    for (int64_t now_us; conns_count(t->conns) > 0 && (now_us = env_mono_us(&t->env)) < end_us;) {
        loop_turn(t->loop, end_us - now_us);
    }
}

static void *
run(void *arg)
{
    struct gate_thread *t = arg;
    const struct rings_handler handler = {.ctx = t, .message = message};
    crash_thread_begin(&t->trace);
    if (t->options.core >= 0 && thread_pin((uint32_t)t->options.core) != OK) {
        env_log(&t->env, LOG_WARN, "gate.core", "core %d is not to be had", t->options.core);
    }
    int64_t next_us = 0;
    while (!atomic_load_explicit(&t->stop, memory_order_acquire)) {
        int64_t wait_us = next_us - env_mono_us(&t->env);
        t->turned = false;
        loop_turn(t->loop, rings_sleep(t->rings) && wait_us > 0 ? wait_us : 0);
        rings_awake(t->rings);
        begin_turn(t);
        rings_receive(t->rings, &handler);
        next_us = gate_turn(t->gate);
        int64_t accept_us = conns_turn(t->conns, env_mono_us(&t->env));
        next_us = accept_us < next_us ? accept_us : next_us;
        rings_publish(t->rings);
        leave_figures(t, env_mono_us(&t->env));
    }
    gate_stop(t->gate, t->stop_code, t->stop_retry_after_ms);
    wait_for_readers(t);
    crash_thread_end(&t->trace);
    return NULL;
}

enum err
gate_thread_start(const struct gate_thread_options *options, struct gate_thread **out)
{
    struct gate_thread *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return ERR_FULL;
    }
    t->options = *options;
    pthread_mutex_init(&t->lock, NULL);
    CHECK(loop_open(&t->loop) == OK);
    loop_pace(t->loop, PACE_US, PACE_US);
    t->rings = rings_alloc(t->loop);
    rings_connect(options->logic, options->number, t->rings, HOME_PEER, options->ring_bytes,
                  options->ring_bytes);
    struct conns_options conns = {.loop = t->loop,
                                  .listener = options->listener,
                                  .limit = options->gate.conns_max,
                                  .events = {.ctx = t,
                                             .opened = opened,
                                             .received = received,
                                             .writable = writable,
                                             .closed = closed}};
    enum err e = conns_open(&conns, &t->conns);
    if (e != OK) {
        return e;
    }
    thread_clock_init(&t->clock, options->clock);
    thread_clock_turn(&t->clock);
    trace_init(&t->trace, "gate");
    t->env = (struct env){.clock = thread_clock_port(&t->clock),
                          .conns = conns_port(t->conns),
                          .links = rings_port(t->rings),
                          .log_ctx = options->log,
                          .log = log_write,
                          .trace = &t->trace};
    struct gate_options gate = options->gate;
    gate.conns_max = conns_limit(t->conns);
    gate.subscribe_epoch_seed = env_random(&t->env);
    e = gate_alloc(&gate, &t->env, &t->gate);
    if (e != OK) {
        return e;
    }
    gate_home_up(t->gate, HOME_PEER, options->home_epoch);
    CHECK(pthread_create(&t->thread, NULL, run, t) == 0);
    *out = t;
    return OK;
}

void
gate_thread_stop(struct gate_thread **thread, uint32_t code, uint32_t retry_after_ms)
{
    struct gate_thread *t = *thread;
    t->stop_code = code;
    t->stop_retry_after_ms = retry_after_ms;
    atomic_store_explicit(&t->stop, true, memory_order_release);
    loop_wake(t->loop);
    pthread_join(t->thread, NULL);
    gate_free(&t->gate);
    conns_close(&t->conns);
    rings_free(&t->rings);
    loop_close(&t->loop);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *thread = NULL;
}

void
gate_thread_figures(struct gate_thread *t, struct gate_figures *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->figures;
    pthread_mutex_unlock(&t->lock);
}
