/* The two rules of edge-triggered reading stand in conns.c. A dial that fails at once still fails
 * by an event: the socket stays registered, and a socket that is not connected reports a hang-up.
 */
#include "os/lines.h"
#include "base/check.h"
#include "os/address.h"
#include "os/listen.h"
#include "os/os_err.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define GONE_EVENTS (EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define NONE        UINT32_MAX

enum line_state { LINE_FREE, LINE_DIALLING, LINE_OPEN, LINE_STATES };

static const bool moves[LINE_STATES][LINE_STATES] = {
    [LINE_FREE] = {[LINE_DIALLING] = true, [LINE_OPEN] = true},
    [LINE_DIALLING] = {[LINE_OPEN] = true, [LINE_FREE] = true},
    [LINE_OPEN] = {[LINE_FREE] = true},
};

struct line {
    struct loop_watch watch;
    struct lines *lines;
    enum line_state state;
    int fd;
    int dial_errno; /* found when it was dialled, told by the next turn */
    uint32_t next_free;
    bool wants_writable;
    bool broken; /* a send failed; closed() comes with the next turn */
};

struct lines {
    struct loop *loop;
    struct transport_events events;
    struct loop_watch listener_watch;
    int listener; /* -1 = none */
    bool plain, started;
    bool paused;       /* not accepting */
    int64_t resume_us; /* mono; 0 while paused = not yet known */
    char address[LINE_ADDRESS_MAX];
    uint32_t used, free_head;
    struct lines_stats stats;
    struct line table[LINES_MAX];
    struct iovec pieces[IOV_MAX]; /* of the send being made */
    uint8_t buffer[LINES_READ_BYTES];
};

static void
line_move(struct line *line, enum line_state to)
{
    CHECK(moves[line->state][to]);
    line->state = to;
}

static uint32_t
line_index(const struct line *line)
{
    return (uint32_t)(line - line->lines->table);
}

static struct line *
line_at(struct lines *lines, uint32_t index)
{
    CHECK(lines->started && index < LINES_MAX && lines->table[index].state != LINE_FREE);
    return &lines->table[index];
}

/* Registers a socket in a free place. On failure it is still the caller's. */
static enum err
line_make(struct lines *lines, int fd, enum line_state state, struct line **out)
{
    if (lines->free_head == NONE)
        return ERR_FULL;
    struct line *line = &lines->table[lines->free_head];
    uint32_t next_free = line->next_free;
    uint32_t events = state == LINE_DIALLING ? EPOLLOUT | EPOLLET : READ_EVENTS;
    enum err error = loop_add(lines->loop, fd, events, &line->watch);
    if (error != OK)
        return error;
    lines->free_head = next_free;
    lines->used++;
    line->fd = fd;
    line->wants_writable = line->broken = false;
    line->dial_errno = 0;
    line_move(line, state);
    *out = line;
    return OK;
}

static void
line_release(struct line *line)
{
    loop_remove(line->lines->loop, line->fd, &line->watch);
    close(line->fd);
    line->fd = -1;
    line_move(line, LINE_FREE);
    line->lines->used--;
    line->lines->stats.closed++;
}

static void
line_free(struct line *line)
{
    CHECK(line->state == LINE_FREE);
    line->next_free = line->lines->free_head;
    line->lines->free_head = line_index(line);
}

/* The index becomes free after the call-back. */
static void
line_lost(struct line *line, bool refused)
{
    struct lines *lines = line->lines;
    line_release(line);
    lines->events.closed(lines->events.ctx, line_index(line), refused);
    line_free(line);
}

static void
line_rearm(struct line *line)
{
    loop_change(line->lines->loop, line->fd, READ_EVENTS | (line->wants_writable ? EPOLLOUT : 0),
                &line->watch);
}

static void
dial_ready(struct line *line)
{
    struct lines *lines = line->lines;
    int error = line->dial_errno;
    socklen_t bytes = sizeof error;
    CHECK(error != 0 || getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0);
    if (error != 0) {
        line_lost(line, error == ECONNREFUSED);
        return;
    }
    line_move(line, LINE_OPEN);
    line_rearm(line);
    lines->events.dialled(lines->events.ctx, line_index(line));
}

/* Reads what is there, all of it unless that is very much: what peers say grows old in the kernel,
 * and a busy loop has no time to come back for it soon. false when the line is gone afterwards, by
 * whomever. */
static bool
line_read(struct line *line, bool to_the_end)
{
    struct lines *lines = line->lines;
    for (size_t all = 0;;) {
        ssize_t n = recv(line->fd, lines->buffer, sizeof lines->buffer, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0) {
            line_lost(line, false);
            return false;
        }
        lines->stats.receives++;
        lines->stats.receive_bytes += (uint64_t)n;
        lines->events.received(lines->events.ctx, line_index(line), lines->buffer, (size_t)n);
        if (line->state != LINE_OPEN) /* closed, and perhaps dialled anew */
            return false;
        all += (size_t)n;
        if (all >= LINES_TURN_BYTES) {
            line_rearm(line);
            return true;
        }
        if (n < LINES_READ_BYTES && !to_the_end)
            return true;
    }
}

static void
line_ready(void *ctx, uint32_t events)
{
    struct line *line = ctx;
    struct lines *lines = line->lines;
    if (line->state == LINE_DIALLING) {
        dial_ready(line);
        return;
    }
    if ((events & (EPOLLIN | GONE_EVENTS)) != 0 && !line_read(line, (events & GONE_EVENTS) != 0))
        return;
    if ((events & EPOLLOUT) != 0 && line->wants_writable)
        lines->events.writable(lines->events.ctx, line_index(line));
}

/* Links want depth, where listen.h keeps what is unsent small for clients. */
static bool
buffers_set(int fd)
{
    int yes = 1, bytes = LINES_BUFFER_BYTES, as_usual = 0;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &as_usual, sizeof as_usual) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0;
}

static enum err
port_dial(void *ctx, const char *address, uint32_t *index)
{
    struct lines *lines = ctx;
    CHECK(lines->started);
    struct address to;
    if (address_parse(address, &to) != NULL || to.port == 0)
        return ERR_FORMAT;
    if (!to.loopback && !lines->plain)
        return ERR_DENIED;
    int fd = socket(to.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !buffers_set(fd)) {
        enum err error = os_err(errno);
        if (fd >= 0)
            close(fd);
        return error;
    }
    int failed = 0;
    if (connect(fd, (const struct sockaddr *)&to.socket, to.socket_bytes) < 0 &&
        errno != EINPROGRESS)
        failed = errno;
    struct line *line;
    enum err error = line_make(lines, fd, LINE_DIALLING, &line);
    if (error != OK) {
        close(fd);
        return error;
    }
    line->dial_errno = failed;
    lines->stats.dials++;
    *index = line_index(line);
    return OK;
}

/* One sendmsg of at most IOV_MAX pieces; -1 with errno. */
static ssize_t
pieces_send(struct line *line, const struct slice *pieces, uint32_t count, bool more, size_t *bytes)
{
    struct lines *lines = line->lines;
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        lines->pieces[i] =
            (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].at, .iov_len = pieces[i].bytes};
        *bytes += pieces[i].bytes;
    }
    const struct msghdr message = {.msg_iov = lines->pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = sendmsg(line->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    while (n < 0 && errno == EINTR);
    return n;
}

static enum err
port_send(void *ctx, uint32_t index, const struct slice *pieces, uint32_t count, size_t *taken)
{
    struct lines *lines = ctx;
    struct line *line = line_at(lines, index);
    *taken = 0;
    if (line->state == LINE_DIALLING)
        return OK;
    while (count > 0 && !line->broken) {
        uint32_t now = count < IOV_MAX ? count : IOV_MAX;
        size_t bytes;
        ssize_t n = pieces_send(line, pieces, now, now < count, &bytes);
        if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
            line->broken = true;
            line_rearm(line); /* the next turn certainly reports the hang-up */
            break;
        }
        if (n > 0) {
            lines->stats.sends++;
            lines->stats.send_bytes += (uint64_t)n;
            *taken += (size_t)n;
        }
        if (n < (ssize_t)bytes) {
            lines->stats.would_block++;
            return OK;
        }
        pieces += now;
        count -= now;
    }
    return line->broken ? ERR_CLOSED : OK;
}

static void
port_want_writable(void *ctx, uint32_t index, bool on)
{
    struct line *line = line_at(ctx, index);
    if (line->wants_writable == on)
        return;
    line->wants_writable = on;
    if (line->state == LINE_OPEN)
        line_rearm(line);
}

static void
port_close(void *ctx, uint32_t index)
{
    struct line *line = line_at(ctx, index);
    line_release(line);
    line_free(line);
}

struct env_transport
lines_port(struct lines *lines)
{
    return (struct env_transport){.ctx = lines,
                                  .dial = port_dial,
                                  .send = port_send,
                                  .want_writable = port_want_writable,
                                  .close = port_close};
}

/* Accepting */

static void
accepting_pause(struct lines *lines)
{
    lines->stats.accept_failures++;
    lines->paused = true;
    lines->resume_us = 0;
    loop_change(lines->loop, lines->listener, 0, &lines->listener_watch);
}

static enum err
line_accept(struct lines *lines, int fd)
{
    struct line *line;
    if (!buffers_set(fd))
        return os_err(errno);
    enum err error = line_make(lines, fd, LINE_OPEN, &line);
    if (error != OK)
        return error;
    lines->stats.accepted++;
    lines->events.accepted(lines->events.ctx, line_index(line));
    return OK;
}

static void
listener_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct lines *lines = ctx;
    for (uint32_t i = 0; i < LINES_ACCEPT_BURST; i++) {
        if (lines->free_head == NONE) {
            accepting_pause(lines);
            return;
        }
        int fd = accept4(lines->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            accepting_pause(lines);
            return;
        }
        if (fd < 0) { /* that one broke before we took it (accept(2) lists a dozen reasons) */
            lines->stats.accept_failures++;
            continue;
        }
        if (line_accept(lines, fd) != OK) {
            close(fd);
            accepting_pause(lines);
            return;
        }
    }
}

int64_t
lines_turn(struct lines *lines, int64_t now_us)
{
    if (!lines->paused)
        return INT64_MAX;
    if (lines->resume_us == 0)
        lines->resume_us = now_us + LINES_PAUSE_US;
    if (now_us < lines->resume_us)
        return lines->resume_us;
    lines->paused = false;
    loop_change(lines->loop, lines->listener, EPOLLIN, &lines->listener_watch);
    return INT64_MAX;
}

/* Life */

static enum err
listener_open(struct lines *lines, const char *text, char why[LINES_WHY_MAX])
{
    struct address address;
    const char *wrong = address_parse(text, &address);
    if (wrong != NULL) {
        snprintf(why, LINES_WHY_MAX, "%s %s", text, wrong);
        return ERR_FORMAT;
    }
    if (!address.loopback && !lines->plain) {
        snprintf(why, LINES_WHY_MAX,
                 "%s can be reached from other machines, and links are not encrypted: listen on "
                 "127.0.0.1, or allow it with --plain on a trusted network",
                 text);
        return ERR_DENIED;
    }
    enum err error = listen_open((const struct sockaddr *)&address.socket, address.socket_bytes, 1,
                                 &lines->listener);
    if (error != OK) {
        lines->listener = -1;
        snprintf(why, LINES_WHY_MAX, "cannot listen on %s: %s", text, err_text(error));
        return error;
    }
    lines->listener_watch = (struct loop_watch){.ready = listener_ready, .ctx = lines};
    error = loop_add(lines->loop, lines->listener, 0, &lines->listener_watch);
    if (error != OK) {
        close(lines->listener);
        lines->listener = -1;
        snprintf(why, LINES_WHY_MAX, "cannot watch %s: %s", text, err_text(error));
        return error;
    }
    address.port = listen_port(lines->listener);
    address_text(&address, lines->address);
    return OK;
}

enum err
lines_open(const struct lines_options *options, struct lines **out, char why[LINES_WHY_MAX])
{
    CHECK(options->loop != NULL);
    _Static_assert((int)LINE_ADDRESS_MAX >= (int)ADDRESS_TEXT_MAX, "any address fits");
    struct lines *lines = calloc(1, sizeof *lines);
    CHECK(lines != NULL);
    lines->loop = options->loop;
    lines->plain = options->plain;
    lines->listener = -1;
    lines->free_head = NONE;
    for (uint32_t i = LINES_MAX; i-- > 0;) {
        struct line *line = &lines->table[i];
        *line = (struct line){
            .watch = {.ready = line_ready, .ctx = line, .first = true}, .lines = lines, .fd = -1};
        line_free(line);
    }
    enum err error = options->listen == NULL ? OK : listener_open(lines, options->listen, why);
    if (error != OK) {
        lines_close(&lines);
        return error;
    }
    *out = lines;
    return OK;
}

void
lines_start(struct lines *lines, const struct transport_events *events)
{
    CHECK(!lines->started);
    CHECK(events->dialled && events->accepted && events->received && events->writable &&
          events->closed);
    lines->events = *events;
    lines->started = true;
    if (lines->listener >= 0)
        loop_change(lines->loop, lines->listener, EPOLLIN, &lines->listener_watch);
}

void
lines_close(struct lines **pointer)
{
    struct lines *lines = *pointer;
    if (lines == NULL)
        return;
    if (lines->listener >= 0) {
        loop_remove(lines->loop, lines->listener, &lines->listener_watch);
        close(lines->listener);
    }
    for (uint32_t i = 0; i < LINES_MAX; i++)
        if (lines->table[i].state != LINE_FREE)
            line_release(&lines->table[i]);
    CHECK(lines->used == 0);
    free(lines);
    *pointer = NULL;
}

const char *
lines_address(const struct lines *lines)
{
    return lines->address;
}

uint32_t
lines_count(const struct lines *lines)
{
    return lines->used;
}

struct lines_stats
lines_stats(const struct lines *lines)
{
    return lines->stats;
}
