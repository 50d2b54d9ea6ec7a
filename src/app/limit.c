#include "app/limit.h"
#include "app/limit_peer.h"
#include "base/check.h"
#include "os/conns.h"
#include "os/listen.h"
#include "os/process.h"
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define SLOT_US          10000 /* between bursts of sends, as the gate's slots */
#define WARM_UP_MESSAGES 20    /* from each connection */
#define WARM_UP_MAX_US   10000000
#define CONNECT_MAX_US   60000000
#define POOL_BYTES       (1U << 20) /* what is sent lies scattered over this */

struct server {
    struct limit_shared *shared;
    const struct limit_options *options;
    struct limit_result *result;
    struct loop *loop;
    struct conns *conns;
    struct env_conns port;
    uint32_t *open; /* owned: indices of the connections, in the order they came */
    uint32_t count, next;
    int64_t sending_cpu_us; /* of all bursts so far */
    uint8_t *pool;          /* owned, POOL_BYTES */
    uint32_t pool_at;
};

static void
on_opened(void *ctx, uint32_t conn)
{
    struct server *s = ctx;
    CHECK(s->count < s->options->connections);
    s->open[s->count++] = conn;
}

static void
on_received(void *ctx, uint32_t conn, uint8_t *bytes, size_t n)
{
    (void)ctx;
    (void)conn;
    (void)bytes;
    (void)n;
}

static void
on_writable(void *ctx, uint32_t conn)
{
    (void)ctx;
    (void)conn;
}

static _Noreturn void
server_fail(struct server *s, enum err error, const char *why)
{
    s->result->error = error;
    s->result->why = why;
    exit(1);
}

static void
on_closed(void *ctx, uint32_t conn)
{
    (void)conn;
    server_fail(ctx, ERR_CLOSED, "a connection broke");
}

static void
server_open(struct server *s)
{
    const struct limit_options *o = s->options;
    if (process_raise_descriptors() < o->connections + CONNS_DESCRIPTORS)
        server_fail(s, ERR_FULL, "more connections than this process may have descriptors");
    if (process_cores() > 1 && thread_pin(0) != OK)
        server_fail(s, ERR_DENIED, "cannot stay on one core");
    s->open = calloc(o->connections, sizeof(*s->open));
    s->pool = malloc(POOL_BYTES);
    CHECK(s->open != NULL && s->pool != NULL);
    for (uint32_t i = 0; i < POOL_BYTES; i++)
        s->pool[i] = (uint8_t)i;
    int listener;
    if (loop_open(&s->loop) != OK || listen_loopback(&listener, &s->shared->port) != OK)
        server_fail(s, ERR_IO, "cannot listen on loopback");
    const struct conns_options options = {.loop = s->loop,
                                          .listener = listener,
                                          .limit = o->connections,
                                          .events = {.ctx = s,
                                                     .opened = on_opened,
                                                     .received = on_received,
                                                     .writable = on_writable,
                                                     .closed = on_closed}};
    if (conns_open(&options, &s->conns) != OK)
        server_fail(s, ERR_IO, "cannot accept connections");
    s->port = conns_port(s->conns);
    loop_pace(s->loop, o->gap_us, o->gap_us);
}

/* Turns the loop until then, at least once, and looks after the peer. */
static void
turn_until(struct server *s, int64_t until_us)
{
    int64_t now_us = process_mono_us();
    do {
        loop_turn(s->loop, until_us > now_us ? until_us - now_us : 0);
        conns_turn(s->conns, now_us);
        if (atomic_load_explicit(&s->shared->peer_error, memory_order_relaxed) != OK)
            server_fail(s, (enum err)atomic_load(&s->shared->peer_error), "the peer failed");
        now_us = process_mono_us();
    } while (now_us < until_us);
}

static void
server_connect(struct server *s)
{
    atomic_store(&s->shared->phase, LIMIT_CONNECT);
    int64_t until_us = process_mono_us() + CONNECT_MAX_US;
    while (s->count < s->options->connections) {
        if (process_mono_us() > until_us)
            server_fail(s, ERR_TIMEOUT, "the peer did not connect in time");
        turn_until(s, process_mono_us() + SLOT_US);
    }
}

/* One gathered send to the next connection, its pieces from all over the pool. */
static void
send_one(struct server *s)
{
    const struct limit_options *o = s->options;
    struct slice pieces[LIMIT_PIECES_MAX];
    size_t left = o->bytes, taken;
    for (uint32_t i = 0; i < o->pieces; i++) {
        size_t bytes = left / (o->pieces - i);
        s->pool_at = (s->pool_at + 4099) % (POOL_BYTES - LIMIT_BYTES_MAX);
        pieces[i] = (struct slice){.at = s->pool + s->pool_at, .bytes = bytes};
        left -= bytes;
    }
    uint32_t conn = s->open[s->next];
    s->next = (s->next + 1) % s->count;
    if (s->port.send(s->port.ctx, conn, pieces, o->pieces, &taken) != OK)
        server_fail(s, ERR_CLOSED, "a connection broke");
}

/* Sends what is due each 10 ms, until then; between bursts it receives. What the bursts cost is
 * counted by itself. */
static void
work_until(struct server *s, int64_t until_us)
{
    int64_t start_us = process_mono_us(), slot_us = start_us;
    uint64_t sent = 0;
    while (slot_us < until_us) {
        slot_us += SLOT_US;
        turn_until(s, slot_us);
        uint64_t due = (uint64_t)(slot_us - start_us) * s->options->sends_per_s / 1000000;
        int64_t before_us = thread_cpu_us();
        for (; sent < due; sent++)
            send_one(s);
        s->sending_cpu_us += thread_cpu_us() - before_us;
    }
}

/* Until every connection has spoken often enough to be past the quick acknowledgements with which
 * TCP begins (16 of them, which the sender's core pays for). */
static void
warm_up(struct server *s)
{
    uint64_t wanted = (uint64_t)s->count * WARM_UP_MESSAGES * LIMIT_MESSAGE_BYTES;
    int64_t until_us = process_mono_us() + WARM_UP_MAX_US;
    atomic_store(&s->shared->phase, LIMIT_WARM_UP);
    while (conns_stats(s->conns).receive_bytes < wanted && process_mono_us() < until_us)
        work_until(s, process_mono_us() + 10 * SLOT_US);
    atomic_store(&s->shared->phase, LIMIT_TALK);
    work_until(s, process_mono_us() + 50 * SLOT_US);
}

struct moment {
    int64_t mono_us, cpu_us, sending_cpu_us;
    struct conns_stats conns;
    struct loop_stats loop;
    uint64_t preemptions;
};

static struct moment
moment_now(const struct server *s)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    return (struct moment){.mono_us = process_mono_us(),
                           .cpu_us = thread_cpu_us(),
                           .sending_cpu_us = s->sending_cpu_us,
                           .conns = conns_stats(s->conns),
                           .loop = loop_stats(s->loop),
                           .preemptions = (uint64_t)usage.ru_nivcsw};
}

static double
per(double what, double count)
{
    return count > 0 ? what / count : 0;
}

static void
measure(struct server *s)
{
    struct moment a = moment_now(s);
    work_until(s, a.mono_us + (int64_t)s->options->seconds * 1000000);
    struct moment b = moment_now(s);
    double seconds = (double)(b.mono_us - a.mono_us) / 1e6;
    double sending_us = (double)(b.sending_cpu_us - a.sending_cpu_us);
    double all_us = (double)(b.cpu_us - a.cpu_us);
    struct limit_result *r = s->result;
    r->sends = b.conns.sends - a.conns.sends;
    r->would_block = b.conns.would_block - a.conns.would_block;
    /* Messages, not recv calls: where two came before we looked, the second was for nothing. */
    r->receives = (b.conns.receive_bytes - a.conns.receive_bytes) / LIMIT_MESSAGE_BYTES;
    r->send_us = per(sending_us, (double)r->sends);
    r->receive_us = per(all_us - sending_us, (double)r->receives);
    r->sends_per_s = (double)r->sends / seconds;
    r->receives_per_s = (double)r->receives / seconds;
    r->turns_per_s = (double)(b.loop.turns - a.loop.turns) / seconds;
    r->preemptions = b.preemptions - a.preemptions;
    r->cpu_share = all_us / 1e6 / seconds;
}

static int
server_run(void *shared)
{
    struct server s = {.shared = shared};
    s.options = &s.shared->options;
    s.result = &s.shared->result;
    server_open(&s);
    server_connect(&s);
    warm_up(&s);
    measure(&s);
    s.result->error = OK;
    s.result->why = "";
    return 0;
}

static struct limit_result
failed(enum err error, const char *why)
{
    return (struct limit_result){.error = error, .why = why};
}

static struct limit_result
children_run(struct limit_shared *shared)
{
    pid_t peer, server;
    if (process_fork(limit_peer_run, shared, &peer) != OK)
        return failed(ERR_FULL, "cannot start another process");
    struct limit_result result = failed(ERR_FULL, "cannot start another process");
    if (process_fork(server_run, shared, &server) == OK) {
        process_wait(server);
        result = shared->result;
    }
    kill(peer, SIGKILL);
    process_wait(peer);
    return result;
}

struct limit_result
bench_limit_run(const struct limit_options *options)
{
    struct limit_options o = *options;
    if (o.sends_per_s == 0)
        o.sends_per_s = LIMIT_SENDS_PER_S;
    if (o.receives_per_s == 0)
        o.receives_per_s = LIMIT_RECEIVES_PER_S;
    if (o.gap_us == 0)
        o.gap_us = LIMIT_GAP_US;
    if (o.connections == 0 || o.connections > LIMIT_CONNECTIONS_MAX || o.bytes == 0 ||
        o.bytes > LIMIT_BYTES_MAX || o.pieces == 0 || o.pieces > LIMIT_PIECES_MAX ||
        o.pieces > o.bytes || o.seconds == 0)
        return failed(ERR_RANGE, "outside the limits of this bench");
    struct limit_shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return failed(ERR_FULL, "out of memory");
    shared->options = o;
    /* Until the server says better: it died before it could say anything. */
    shared->result = failed(ERR_IO, "the measuring process died");
    struct limit_result result = children_run(shared);
    munmap(shared, sizeof(*shared));
    return result;
}
