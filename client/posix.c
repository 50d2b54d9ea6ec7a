#include "client/posix.h"
#include "base/check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES   65536
#define READS_A_TURN 16 /* so that a fast server cannot keep us from everything else */

struct address {
    struct sockaddr_storage socket;
    socklen_t bytes;
};

struct seom_line {
    struct seom_client *client; /* borrowed */
    struct address first;
    uint32_t tries; /* since it last played; the gates take turns by it */
    int fd;         /* -1: none */
    bool connecting;
    int64_t due_us;
    uint8_t bytes[READ_BYTES];
};

int64_t
seom_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static enum err
address_read(const char *text, struct address *out)
{
    char host[INET6_ADDRSTRLEN + 1];
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return ERR_FORMAT;
    }
    char *end;
    errno = 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (errno != 0 || *end != 0 || end == colon + 1 || port == 0 || port > UINT16_MAX) {
        return ERR_FORMAT;
    }
    bool is_v6 = text[0] == '[' && colon > text && colon[-1] == ']';
    const char *from = is_v6 ? text + 1 : text;
    size_t bytes = (size_t)(colon - from) - (is_v6 ? 1 : 0);
    if (bytes >= sizeof(host)) {
        return ERR_FORMAT;
    }
    memcpy(host, from, bytes);
    host[bytes] = 0;
    *out = (struct address){0};
    if (is_v6) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        out->bytes = sizeof(in);
        if (inet_pton(AF_INET6, host, &in.sin6_addr) != 1) {
            return ERR_FORMAT;
        }
        memcpy(&out->socket, &in, sizeof(in));
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        out->bytes = sizeof(in);
        if (inet_pton(AF_INET, host, &in.sin_addr) != 1) {
            return ERR_FORMAT;
        }
        memcpy(&out->socket, &in, sizeof(in));
    }
    return OK;
}

enum err
seom_line_open(struct seom_client *client, const char *address, struct seom_line **out)
{
    CHECK(client != NULL && address != NULL && out != NULL);
    struct address first;
    enum err error = address_read(address, &first);
    if (error != OK) {
        return error;
    }
    struct seom_line *line = calloc(1, sizeof(*line));
    if (line == NULL) {
        return ERR_FULL;
    }
    line->client = client;
    line->first = first;
    line->fd = -1;
    *out = line;
    return OK;
}

void
seom_line_close(struct seom_line **line)
{
    CHECK(line != NULL);
    if (*line != NULL) {
        if ((*line)->fd >= 0) {
            close((*line)->fd);
        }
        free(*line);
        *line = NULL;
    }
}

static void
line_drop(struct seom_line *line)
{
    if (line->fd >= 0) {
        close(line->fd);
        line->fd = -1;
    }
    line->connecting = false;
    seom_client_broke(line->client, seom_now_us());
}

/* The address as it was given, then each gate that the server told, in turn. */
static struct address
line_address(const struct seom_line *line)
{
    uint32_t gates = 0;
    while (seom_client_gate(line->client, gates) != NULL) {
        gates++;
    }
    uint32_t n = line->tries % (gates + 1);
    struct address gate;
    if (n > 0 && address_read(seom_client_gate(line->client, n - 1), &gate) == OK) {
        return gate;
    }
    return line->first;
}

static void
line_connect(struct seom_line *line)
{
    struct address to = line_address(line);
    line->tries++;
    seom_client_connecting(line->client, seom_now_us());
    line->fd = socket(to.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0) {
        line_drop(line);
        return;
    }
    int on = 1;
    /* Frames are small and wait for nobody; without it a failed call costs latency only. */
    (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(line->fd, (const struct sockaddr *)&to.socket, to.bytes) == 0) {
        seom_client_connected(line->client, seom_now_us());
    } else if (errno == EINPROGRESS) {
        line->connecting = true;
    } else {
        line_drop(line);
    }
}

/* Is the connection that was begun there? */
static void
line_connected(struct seom_line *line)
{
    struct pollfd p = {.fd = line->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) != 1) {
        return;
    }
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0) {
        line_drop(line);
        return;
    }
    line->connecting = false;
    seom_client_connected(line->client, seom_now_us());
}

static void
line_read(struct seom_line *line)
{
    for (int i = 0; i < READS_A_TURN && line->fd >= 0; i++) {
        ssize_t n = recv(line->fd, line->bytes, sizeof(line->bytes), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        enum err error =
            n <= 0 ? ERR_CLOSED
                   : seom_client_input(line->client, line->bytes, (size_t)n, seom_now_us());
        if (error != OK) {
            /* After a good-bye the gates that it named come first: there one shall go. */
            line->tries = n > 0 && error == ERR_CLOSED ? 1 : line->tries;
            line_drop(line);
            return;
        }
        if (seom_client_state(line->client) == SEOM_PLAYING) {
            line->tries = 0;
        }
    }
}

static void
line_write(struct seom_line *line)
{
    struct slice out = seom_client_output(line->client);
    if (line->fd < 0 || out.bytes == 0) {
        return;
    }
    ssize_t n = send(line->fd, out.at, out.bytes, MSG_NOSIGNAL);
    if (n >= 0) {
        seom_client_sent(line->client, (size_t)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        line_drop(line);
    }
}

void
seom_line_turn(struct seom_line *line)
{
    int64_t now_us = seom_now_us();
    if (line->fd < 0 && seom_client_retry_us(line->client) <= now_us) {
        line_connect(line);
    }
    if (line->connecting) {
        line_connected(line);
    }
    if (line->fd >= 0 && !line->connecting) {
        line_read(line);
    }
    line->due_us = seom_client_turn(line->client, seom_now_us());
    if (!line->connecting) {
        line_write(line);
    }
    if (seom_client_is_dead(line->client, seom_now_us())) {
        line_drop(line);
    }
    if (line->fd < 0) {
        line->due_us = seom_client_retry_us(line->client);
    }
}

int
seom_line_fd(const struct seom_line *line)
{
    return line->fd;
}

short
seom_line_wants(const struct seom_line *line)
{
    bool writes = line->connecting || seom_client_output(line->client).bytes > 0;
    return (short)(POLLIN | (writes ? POLLOUT : 0));
}

int64_t
seom_line_due_us(const struct seom_line *line)
{
    return line->due_us;
}

void
seom_line_wait(struct seom_line *line, int timeout_ms)
{
    int64_t left_us = line->due_us - seom_now_us();
    if (left_us < 0) {
        left_us = 0;
    }
    if (line->due_us != INT64_MAX && left_us / 1000 < timeout_ms) {
        timeout_ms = (int)((left_us + 999) / 1000);
    }
    struct pollfd p = {.fd = line->fd, .events = seom_line_wants(line)};
    (void)poll(&p, 1,
               timeout_ms); /* a negative fd is skipped; an interrupted wait is a short one */
    seom_line_turn(line);
}
