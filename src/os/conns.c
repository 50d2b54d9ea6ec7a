/* An event can only hit the connection it was meant for: loop_remove() takes what was already
 * fetched out of the batch, so an index may be used again at once.
 *
 * Edge-triggered reading rests on two rules. A read that filled the buffer may have left something:
 * loop_change() re-arms, so the rest comes at the next turn, after everybody else's. And a hang-up
 * that was reported together with data will not be reported again: then we read until the end. */
#include "os/conns.h"
#include "base/check.h"
#include "os/listen.h"
#include "os/os_err.h"
#include "os/process.h"
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define GONE_EVENTS (EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define NONE        UINT32_MAX

struct conn {
    struct loop_watch watch;
    struct conns *conns;
    int fd;                  /* -1 = free */
    uint32_t next_free;      /* index, while free */
    uint32_t next, previous; /* index, while lingering; NONE at the ends */
    int64_t linger_until_us; /* mono; 0: since this turn */
    uint32_t linger_bytes;   /* thrown away so far */
    bool lingers;            /* we said our last word; the owner has let go of it */
    bool wants_writable;
    bool broken; /* a send failed; closed() comes with the next turn */
};

struct conns {
    struct loop *loop;
    struct conns_events events;
    struct loop_watch listener_watch;
    int listener;      /* -1 = none */
    bool paused;       /* not accepting */
    int64_t resume_us; /* mono; 0 while paused = not yet known */
    uint32_t limit, used, made, free_head;
    uint32_t linger_first, linger_last; /* in the order of their deadlines */
    uint32_t sample_next;               /* where conns_sample_queues() goes on */
    struct conns_stats stats;
    struct conn *table;           /* owned; `made` of limit were ever used */
    struct iovec pieces[IOV_MAX]; /* of the send being made */
    uint8_t buffer[CONNS_READ_BYTES];
};

static struct conn *
conn_at(const struct conns *conns, uint32_t index)
{
    CHECK(index < conns->made && conns->table[index].fd >= 0 && !conns->table[index].lingers);
    return &conns->table[index];
}

static uint32_t
conn_index(const struct conn *c)
{
    return (uint32_t)(c - c->conns->table);
}

static void
conn_release(struct conn *c)
{
    struct conns *conns = c->conns;
    CHECK(c->fd >= 0 && conns->used > 0);
    loop_remove(conns->loop, c->fd, &c->watch);
    close(c->fd);
    c->fd = -1;
    conns->used--;
    conns->stats.closed++;
}

static void
conn_free(struct conn *c)
{
    CHECK(c->fd < 0);
    c->next_free = c->conns->free_head;
    c->conns->free_head = conn_index(c);
}

static void
linger_begin(struct conn *c)
{
    struct conns *conns = c->conns;
    CHECK(!c->lingers);
    c->lingers = true;
    c->linger_until_us = 0;
    c->linger_bytes = 0;
    c->previous = conns->linger_last;
    c->next = NONE;
    *(c->previous == NONE ? &conns->linger_first : &conns->table[c->previous].next) = conn_index(c);
    conns->linger_last = conn_index(c);
    /* Level-triggered from here on: input that was left unread is reported as well. */
    loop_change(conns->loop, c->fd, EPOLLIN | EPOLLRDHUP, &c->watch);
}

static void
linger_end(struct conn *c)
{
    struct conns *conns = c->conns;
    CHECK(c->lingers);
    *(c->previous == NONE ? &conns->linger_first : &conns->table[c->previous].next) = c->next;
    *(c->next == NONE ? &conns->linger_last : &conns->table[c->next].previous) = c->previous;
    c->lingers = false;
    conn_release(c);
    conn_free(c);
}

/* The peer goes on talking, or has closed as well. */
static void
linger_read(struct conn *c)
{
    struct conns *conns = c->conns;
    ssize_t n = recv(c->fd, conns->buffer, sizeof(conns->buffer), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->linger_bytes += n > 0 ? (uint32_t)n : 0;
    if (n <= 0 || c->linger_bytes > CONNS_LINGER_BYTES)
        linger_end(c);
}

/* Ends those whose time is over; when the next one's is. */
static int64_t
linger_turn(struct conns *conns, int64_t now_us)
{
    for (uint32_t i = conns->linger_last; i != NONE && conns->table[i].linger_until_us == 0;
         i = conns->table[i].previous)
        conns->table[i].linger_until_us = now_us + CONNS_LINGER_US;
    while (conns->linger_first != NONE) {
        struct conn *c = &conns->table[conns->linger_first];
        if (c->linger_until_us > now_us)
            return c->linger_until_us;
        linger_end(c);
    }
    return INT64_MAX;
}

/* The peer's end of it: the index becomes free after the call-back. */
static void
conn_lost(struct conn *c)
{
    struct conns *conns = c->conns;
    conn_release(c);
    conns->events.closed(conns->events.ctx, conn_index(c));
    conn_free(c);
}

/* Reads what is there; false when the connection is gone afterwards, by whomever. */
static bool
conn_read(struct conn *c, bool to_the_end)
{
    struct conns *conns = c->conns;
    for (;;) {
        ssize_t n = recv(c->fd, conns->buffer, sizeof(conns->buffer), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0) {
            conn_lost(c);
            return false;
        }
        conns->stats.receives++;
        conns->stats.receive_bytes += (uint64_t)n;
        conns->events.received(conns->events.ctx, conn_index(c), conns->buffer, (size_t)n);
        if (c->fd < 0 || c->lingers)
            return false;
        if (n == CONNS_READ_BYTES) {
            loop_change(conns->loop, c->fd, READ_EVENTS | (c->wants_writable ? EPOLLOUT : 0),
                        &c->watch);
            return true;
        }
        if (!to_the_end)
            return true;
    }
}

static void
conn_ready(void *ctx, uint32_t events)
{
    struct conn *c = ctx;
    struct conns *conns = c->conns;
    if (c->lingers) {
        linger_read(c);
        return;
    }
    if ((events & (EPOLLIN | GONE_EVENTS)) != 0 && !conn_read(c, (events & GONE_EVENTS) != 0))
        return;
    if ((events & EPOLLOUT) != 0 && c->wants_writable)
        conns->events.writable(conns->events.ctx, conn_index(c));
}

/* A free place in the table; NONE when it is full. */
static uint32_t
place_take(struct conns *conns)
{
    uint32_t index = conns->free_head;
    if (index != NONE) {
        conns->free_head = conns->table[index].next_free;
        return index;
    }
    return conns->made < conns->limit ? conns->made++ : NONE;
}

enum err
conns_adopt(struct conns *conns, int fd)
{
    uint32_t index = place_take(conns);
    if (index == NONE)
        return ERR_FULL;
    struct conn *c = &conns->table[index];
    *c = (struct conn){.watch = {.ready = conn_ready, .ctx = c}, .conns = conns, .fd = -1};
    enum err error = loop_add(conns->loop, fd, READ_EVENTS, &c->watch);
    if (error != OK) {
        conn_free(c);
        return error;
    }
    c->fd = fd;
    conns->used++;
    conns->stats.accepted++;
    conns->events.opened(conns->events.ctx, index);
    return OK;
}

static void
accepting_pause(struct conns *conns)
{
    conns->stats.accept_failures++;
    conns->paused = true;
    conns->resume_us = 0;
    loop_change(conns->loop, conns->listener, 0, &conns->listener_watch);
}

static void
listener_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct conns *conns = ctx;
    if (conns->used == conns->limit) {
        accepting_pause(conns);
        return;
    }
    /* Ends quietly at the limit: if somebody still knocks, the next turn says so. */
    for (uint32_t i = 0;
         i < CONNS_ACCEPT_BURST && conns->listener >= 0 && conns->used < conns->limit; i++) {
        int fd = accept4(conns->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            accepting_pause(conns);
            return;
        }
        if (fd < 0) { /* that one broke before we took it (accept(2) lists a dozen reasons) */
            conns->stats.accept_failures++;
            continue;
        }
        if (conns_adopt(conns, fd) != OK) {
            close(fd);
            accepting_pause(conns);
            return;
        }
    }
}

/* One sendmsg of at most IOV_MAX pieces; -1 with errno. */
static ssize_t
pieces_send(struct conns *conns, int fd, const struct slice *pieces, uint32_t count, bool more,
            size_t *bytes)
{
    CHECK(count > 0 && count <= IOV_MAX);
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        conns->pieces[i] =
            (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].at, .iov_len = pieces[i].bytes};
        *bytes += pieces[i].bytes;
    }
    const struct msghdr message = {.msg_iov = conns->pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    return n;
}

static enum err
port_send(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count, size_t *taken)
{
    struct conns *conns = ctx;
    struct conn *c = conn_at(conns, conn);
    *taken = 0;
    while (count > 0 && !c->broken) {
        uint32_t now = count < IOV_MAX ? count : IOV_MAX;
        size_t bytes;
        ssize_t n = pieces_send(conns, c->fd, pieces, now, now < count, &bytes);
        if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
            /* Re-armed, so that the next turn certainly reports the hang-up. */
            c->broken = true;
            loop_change(conns->loop, c->fd, READ_EVENTS, &c->watch);
            break;
        }
        if (n > 0) {
            conns->stats.sends++;
            conns->stats.send_bytes += (uint64_t)n;
            *taken += (size_t)n;
        }
        if (n < (ssize_t)bytes) {
            conns->stats.would_block++;
            return OK;
        }
        pieces += now;
        count -= now;
    }
    return c->broken ? ERR_CLOSED : OK;
}

static void
port_want_writable(void *ctx, uint32_t conn, bool on)
{
    struct conns *conns = ctx;
    struct conn *c = conn_at(conns, conn);
    if (c->wants_writable == on)
        return;
    c->wants_writable = on;
    loop_change(conns->loop, c->fd, READ_EVENTS | (on ? EPOLLOUT : 0), &c->watch);
}

static void
port_close(void *ctx, uint32_t conn)
{
    struct conns *conns = ctx;
    struct conn *c = conn_at(conns, conn);
    if (!c->broken && shutdown(c->fd, SHUT_WR) == 0) {
        linger_begin(c);
        return;
    }
    conn_release(c);
    conn_free(c);
}

struct env_conns
conns_port(struct conns *conns)
{
    return (struct env_conns){
        .ctx = conns, .send = port_send, .want_writable = port_want_writable, .close = port_close};
}

enum err
conns_open(const struct conns_options *options, struct conns **out)
{
    const struct conns_events *events = &options->events;
    CHECK(options->loop != NULL);
    CHECK(events->opened && events->received && events->writable && events->closed);
    uint32_t limit = options->limit;
    if (limit == 0) {
        uint32_t descriptors = process_raise_descriptors();
        limit = descriptors > 2 * CONNS_DESCRIPTORS ? descriptors - CONNS_DESCRIPTORS
                                                    : CONNS_DESCRIPTORS;
    }
    struct conns *conns = malloc(sizeof(*conns)); /* not calloc: the buffers are large */
    struct conn *table = calloc(limit, sizeof(*table));
    CHECK(conns != NULL && table != NULL);
    memset(conns, 0, offsetof(struct conns, pieces));
    conns->loop = options->loop;
    conns->events = *events;
    conns->listener_watch = (struct loop_watch){.ready = listener_ready, .ctx = conns};
    conns->listener = -1;
    conns->limit = limit;
    conns->free_head = conns->linger_first = conns->linger_last = NONE;
    conns->table = table;
    enum err error = options->listener >= 0 ? conns_listen(conns, options->listener) : OK;
    if (error != OK) {
        conns_close(&conns);
        return error;
    }
    *out = conns;
    return OK;
}

enum err
conns_listen(struct conns *conns, int listener)
{
    CHECK(conns->listener < 0 && listener >= 0);
    enum err error = loop_add(conns->loop, listener, EPOLLIN, &conns->listener_watch);
    if (error == OK)
        conns->listener = listener;
    return error;
}

void
conns_stop_listening(struct conns *conns)
{
    if (conns->listener < 0)
        return;
    loop_remove(conns->loop, conns->listener, &conns->listener_watch);
    close(conns->listener);
    conns->listener = -1;
    conns->paused = false;
}

void
conns_close(struct conns **conns)
{
    if (*conns == NULL)
        return;
    conns_stop_listening(*conns);
    for (uint32_t i = 0; i < (*conns)->made; i++)
        if ((*conns)->table[i].fd >= 0)
            conn_release(&(*conns)->table[i]);
    CHECK((*conns)->used == 0);
    free((*conns)->table);
    free(*conns);
    *conns = NULL;
}

int64_t
conns_turn(struct conns *conns, int64_t now_us)
{
    int64_t linger_us = linger_turn(conns, now_us);
    if (!conns->paused)
        return linger_us;
    if (conns->resume_us == 0)
        conns->resume_us = now_us + CONNS_PAUSE_US;
    if (now_us < conns->resume_us)
        return conns->resume_us < linger_us ? conns->resume_us : linger_us;
    conns->paused = false;
    loop_change(conns->loop, conns->listener, EPOLLIN, &conns->listener_watch);
    return linger_us;
}

uint32_t
conns_count(const struct conns *conns)
{
    return conns->used;
}

uint32_t
conns_limit(const struct conns *conns)
{
    return conns->limit;
}

struct conns_stats
conns_stats(const struct conns *conns)
{
    return conns->stats;
}

bool
conns_peer(const struct conns *conns, uint32_t conn, struct sockaddr_storage *address)
{
    socklen_t bytes = sizeof(*address);
    return getpeername(conn_at(conns, conn)->fd, (struct sockaddr *)address, &bytes) == 0;
}

void
conns_sample_queues(struct conns *conns, uint32_t count, struct hist *bytes)
{
    if (count > conns->used)
        count = conns->used;
    while (count > 0) {
        const struct conn *c = &conns->table[conns->sample_next];
        conns->sample_next = (conns->sample_next + 1) % conns->made;
        int queued;
        if (c->fd < 0)
            continue;
        count--;
        if (ioctl(c->fd, SIOCOUTQ, &queued) == 0)
            hist_add(bytes, (uint64_t)queued);
    }
}
