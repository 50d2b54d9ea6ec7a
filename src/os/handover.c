#include "os/handover.h"

#include "base/check.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READY 'r'
#define DONE  'd'

struct handover {
    struct handover_options options;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int listener, heir; /* -1: none */
    bool named;         /* the socket's name is ours */
    struct loop_watch knocks, says;
};

static bool
address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t bytes = strlen(path);
    if (bytes >= sizeof out->sun_path) {
        return false;
    }
    memcpy(out->sun_path, path, bytes + 1);
    return true;
}

static void
forget_heir(struct handover *h)
{
    if (h->heir >= 0) {
        loop_remove(h->options.loop, h->heir, &h->says);
        close(h->heir);
        h->heir = -1;
    }
}

/* Who has given up root by now may not take the name away: then it is one that nobody listens on,
 * which the heir replaces. */
static void
stop_giving(struct handover *h)
{
    if (h->listener >= 0) {
        loop_remove(h->options.loop, h->listener, &h->knocks);
        close(h->listener);
        h->listener = -1;
    }
    if (h->named) {
        unlink(h->path);
        h->named = false;
    }
}

static bool
may_inherit(int fd)
{
    struct ucred who;
    socklen_t bytes = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static bool
send_descriptors(int to, const int *descriptors, uint32_t count)
{
    uint8_t number = (uint8_t)count;
    struct iovec iov = {.iov_base = &number, .iov_len = 1};

    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(HANDOVER_MAX * sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), descriptors, count * sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL) == 1;
}

/* The heir speaks: it is ready, or it is gone. */
static void
heard(void *ctx, uint32_t events)
{
    struct handover *h = ctx;
    char what = 0;
    (void)events;
    ssize_t n = recv(h->heir, &what, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n != 1 || what != READY) {
        forget_heir(h);
        return;
    }
    loop_change(h->options.loop, h->heir, 0, &h->says);
    stop_giving(h);
    h->options.asked(h->options.ctx);
}

static void
knocked(void *ctx, uint32_t events)
{
    struct handover *h = ctx;
    (void)events;
    int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (h->heir >= 0 || !may_inherit(fd) ||
        !send_descriptors(fd, h->options.descriptors, h->options.count) ||
        loop_add(h->options.loop, fd, EPOLLIN, &h->says) != OK) {
        close(fd);
        return;
    }
    h->heir = fd;
}

/* Whether somebody listens at a name that is there. */
static bool
is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return alive;
}

static enum err
listen_at(struct handover *h)
{
    struct sockaddr_un address;
    if (!address_of(h->options.path, &address)) {
        return ERR_TOO_LARGE;
    }
    memcpy(h->path, address.sun_path, sizeof h->path);
    if (access(h->path, F_OK) == 0) {
        if (is_alive(&address)) {
            return ERR_EXISTS;
        }
        unlink(h->path);
    }
    h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listener < 0) {
        return ERR_IO;
    }
    mode_t before = umask(0177);
    bool bound = bind(h->listener, (const struct sockaddr *)&address, sizeof address) == 0;
    umask(before);
    h->named = bound;
    return bound && listen(h->listener, 4) == 0 &&
                   loop_add(h->options.loop, h->listener, EPOLLIN, &h->knocks) == OK
               ? OK
               : ERR_IO;
}

enum err
handover_open(const struct handover_options *options, struct handover **out)
{
    CHECK(options->count > 0 && options->count <= HANDOVER_MAX);
    struct handover *h = calloc(1, sizeof *h);
    CHECK(h != NULL);
    h->options = *options;
    h->listener = h->heir = -1;
    h->knocks = (struct loop_watch){.ready = knocked, .ctx = h};
    h->says = (struct loop_watch){.ready = heard, .ctx = h};
    enum err e = listen_at(h);
    if (e != OK) {
        handover_close(&h);
        return e;
    }
    *out = h;
    return OK;
}

void
handover_done(struct handover *h)
{
    char done = DONE;
    if (h->heir >= 0 && send(h->heir, &done, 1, MSG_NOSIGNAL) != 1) {
        forget_heir(h); /* it has died meanwhile: whoever comes next finds the names free */
    }
}

void
handover_close(struct handover **handover)
{
    struct handover *h = *handover;
    if (h == NULL) {
        return;
    }
    forget_heir(h);
    stop_giving(h);
    free(h);
    *handover = NULL;
}

/* ---- the heir ---- */

static bool
readable_within(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do {
        n = poll(&p, 1, timeout_ms);
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

static enum err
receive_descriptors(int from, int *descriptors, uint32_t count)
{
    uint8_t number = 0;
    struct iovec iov = {.iov_base = &number, .iov_len = 1};

    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(HANDOVER_MAX * sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    if (n <= 0) {
        return ERR_DENIED; /* it hung up: we are not who may inherit */
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    size_t got = c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
                     ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
                     : 0;
    int came[HANDOVER_MAX];
    CHECK(got <= HANDOVER_MAX);
    if (got > 0) {
        memcpy(came, CMSG_DATA(c), got * sizeof(int));
    }
    if (got != count || number != count) {
        for (size_t i = 0; i < got; i++) {
            close(came[i]);
        }
        return ERR_FORMAT;
    }
    memcpy(descriptors, came, count * sizeof(int));
    return OK;
}

enum err
handover_take(const char *path, int *descriptors, uint32_t count, int timeout_ms, int *line)
{
    struct sockaddr_un address;
    CHECK(count > 0 && count <= HANDOVER_MAX);
    if (!address_of(path, &address)) {
        return ERR_TOO_LARGE;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        close(fd);
        return why == ENOENT || why == ECONNREFUSED ? ERR_NOT_FOUND
               : why == EACCES                      ? ERR_DENIED
                                                    : ERR_IO;
    }
    enum err e = readable_within(fd, timeout_ms) ? receive_descriptors(fd, descriptors, count)
                                                 : ERR_UNAVAILABLE;
    if (e != OK) {
        close(fd);
        return e;
    }
    *line = fd;
    return OK;
}

enum err
handover_ready(int line, int timeout_ms)
{
    char ready = READY, done = 0;
    bool let_go = send(line, &ready, 1, MSG_NOSIGNAL) == 1 && readable_within(line, timeout_ms) &&
                  recv(line, &done, 1, 0) == 1 && done == DONE;
    close(line);
    return let_go ? OK : ERR_UNAVAILABLE;
}
