#include "app/limit_peer.h"
#include "base/check.h"
#include "os/dial.h"
#include "os/loop.h"
#include "os/process.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#define DIALS_UNDER_WAY 256u
#define SLOT_US         1000
#define LAG_MAX_US      20000
#define WARM_UP_PER_S   100000u

struct line {
    struct loop_watch watch;
    struct peer *peer;
    int fd;
    bool connected;
};

struct peer {
    struct limit_shared *shared;
    struct loop *loop;
    struct line *lines; /* owned, one per connection */
    uint32_t dialled, connected, next_talker;
    int64_t talked_us; /* everything due until then was said */
};

static void
peer_fail(struct peer *p, enum err error)
{
    atomic_store(&p->shared->peer_error, (uint32_t)error);
    exit(1);
}

/* The bytes themselves interest nobody: MSG_TRUNC throws them away in the kernel. */
static void
line_drain(struct line *line)
{
    static char sink[LIMIT_BYTES_MAX]; /* never written to */
    ssize_t n;
    do {
        n = recv(line->fd, sink, sizeof(sink), MSG_TRUNC | MSG_DONTWAIT);
        if (n > 0)
            atomic_fetch_add_explicit(&line->peer->shared->drained_bytes, (uint64_t)n,
                                      memory_order_relaxed);
    } while (n == (ssize_t)sizeof(sink));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        peer_fail(line->peer, ERR_CLOSED);
}

static void
line_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct line *line = ctx;
    if (line->connected) {
        line_drain(line);
        return;
    }
    enum err error = dial_result(line->fd);
    if (error != OK)
        peer_fail(line->peer, error);
    line->connected = true;
    line->peer->connected++;
    loop_change(line->peer->loop, line->fd, EPOLLIN | EPOLLET, &line->watch);
}

/* Keeps a few connects under way, so that the backlog never overflows. */
static void
peer_dial(struct peer *p)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons(p->shared->port)};
    uint32_t wanted = p->shared->options.connections;
    while (p->dialled < wanted && p->dialled - p->connected < DIALS_UNDER_WAY) {
        struct line *line = &p->lines[p->dialled];
        *line = (struct line){.watch = {.ready = line_ready, .ctx = line}, .peer = p};
        enum err error =
            dial_start((const struct sockaddr *)&to, sizeof(to), p->dialled, &line->fd);
        if (error == OK)
            error = loop_add(p->loop, line->fd, EPOLLOUT, &line->watch);
        if (error != OK)
            peer_fail(p, error);
        p->dialled++;
    }
}

/* As many messages as are due since the last time, from one connection after the other. */
static void
peer_talk(struct peer *p, uint32_t per_s)
{
    static const uint8_t message[LIMIT_MESSAGE_BYTES];
    int64_t now_us = process_mono_us();
    if (now_us - p->talked_us > LAG_MAX_US)
        p->talked_us = now_us - LAG_MAX_US; /* what we are too slow for is not made up later */
    int64_t due = (now_us - p->talked_us) * per_s / 1000000;
    p->talked_us += due * 1000000 / per_s;
    for (; due > 0; due--) {
        const struct line *line = &p->lines[p->next_talker];
        p->next_talker = (p->next_talker + 1) % p->connected;
        if (send(line->fd, message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
            errno != EAGAIN)
            peer_fail(p, ERR_CLOSED);
    }
}

int
limit_peer_run(void *shared)
{
    struct peer p = {.shared = shared};
    uint32_t needed = p.shared->options.connections + 64;
    if (process_raise_descriptors() < needed)
        peer_fail(&p, ERR_FULL);
    if (process_cores() > 1 && thread_pin(1) != OK)
        peer_fail(&p, ERR_DENIED);
    p.lines = calloc(p.shared->options.connections, sizeof(*p.lines));
    CHECK(p.lines != NULL);
    enum err error = loop_open(&p.loop);
    if (error != OK)
        peer_fail(&p, error);
    /* A reader that sleeps in the kernel would have to be woken by each send, and the sender would
     * pay for it: bots in one process are busy, people's machines are elsewhere. */
    loop_pace(p.loop, SLOT_US, SLOT_US);
    for (;;) {
        uint32_t phase = atomic_load(&p.shared->phase);
        if (phase == LIMIT_CONNECT)
            peer_dial(&p);
        if (phase == LIMIT_WARM_UP)
            peer_talk(&p, WARM_UP_PER_S);
        if (phase == LIMIT_TALK)
            peer_talk(&p, p.shared->options.receives_per_s);
        loop_turn(p.loop, SLOT_US);
    }
}
