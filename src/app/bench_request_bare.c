/* A ping-pong of fixed messages: slot u32, then whatever. */
#include "app/bench_request.h"
#include "app/bench_store.h"
#include "base/check.h"
#include "os/listen.h"
#include "os/os_err.h"
#include "os/process.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_BYTES    (REQUEST_ASK_HEAD + REQUEST_BODY)
#define ANSWER_BYTES (REQUEST_DONE_HEAD + REQUEST_BODY)
#define BUFFER_BYTES (256U << 10)
#define WAIT_MS      5000

_Static_assert(REQUEST_DEPTH_MAX *ASK_BYTES <= BUFFER_BYTES, "all that is under way fits");

/* One end of the connection. */
struct end {
    int fd, epoll;
    uint8_t in[BUFFER_BYTES], out[BUFFER_BYTES];
    size_t in_used, out_used;
};

struct request_bare {
    struct end asker, worker;
    pthread_t thread;
    int64_t sent_us[REQUEST_DEPTH_MAX];
};

static enum err
end_open(struct end *end, int fd)
{
    int yes = 1;
    end->fd = fd;
    end->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (end->epoll < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 ||
        epoll_ctl(end->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return os_err(errno);
    return OK;
}

/* Waits, and reads once; false: over, or broken. */
static bool
end_read(struct end *end)
{
    struct epoll_event event;
    int n;
    do
        n = epoll_wait(end->epoll, &event, 1, WAIT_MS);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    ssize_t got = recv(end->fd, end->in + end->in_used, BUFFER_BYTES - end->in_used, MSG_DONTWAIT);
    if (got > 0)
        end->in_used += (size_t)got;
    return got > 0 || (got < 0 && errno == EAGAIN);
}

/* Everything that waits in out. */
static bool
end_send(struct end *end)
{
    size_t sent = 0;
    while (sent < end->out_used) {
        ssize_t n = send(end->fd, end->out + sent, end->out_used - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        sent += n > 0 ? (size_t)n : 0;
    }
    end->out_used = 0;
    return true;
}

/* What is left of a message that is not whole moves to the front. */
static void
end_keep_rest(struct end *end, size_t taken)
{
    memmove(end->in, end->in + taken, end->in_used - taken);
    end->in_used -= taken;
}

static void *
work(void *arg)
{
    struct request_bare *side = arg;
    struct end *end = &side->worker;
    bench_core_take(1);
    while (end_read(end)) {
        size_t taken = 0;
        for (; end->in_used - taken >= ASK_BYTES; taken += ASK_BYTES) {
            memcpy(end->out + end->out_used, end->in + taken, ANSWER_BYTES);
            end->out_used += ANSWER_BYTES;
        }
        end_keep_rest(end, taken);
        if (!end_send(end))
            break;
    }
    return NULL;
}

static enum err
connect_both(int fds[2])
{
    int listener;
    uint16_t port;
    enum err error = listen_loopback(&listener, &port);
    if (error != OK)
        return error;
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[1] = -1;
    if (fds[0] >= 0 && connect(fds[0], (const struct sockaddr *)&to, sizeof to) == 0)
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC); /* not before it is connected */
    error = fds[1] >= 0 ? OK : os_err(errno);
    close(listener);
    return error;
}

enum err
request_bare_open(struct request_bare **out)
{
    struct request_bare *side = calloc(1, sizeof *side);
    CHECK(side != NULL);
    int fds[2];
    enum err error = connect_both(fds);
    error = error == OK ? end_open(&side->asker, fds[0]) : error;
    error = error == OK ? end_open(&side->worker, fds[1]) : error;
    if (error != OK || pthread_create(&side->thread, NULL, work, side) != 0) {
        free(side); /* the bench ends here */
        return error != OK ? error : ERR_FULL;
    }
    *out = side;
    return OK;
}

void
request_bare_close(struct request_bare **pointer)
{
    struct request_bare *side = *pointer;
    if (side == NULL)
        return;
    shutdown(side->asker.fd, SHUT_RDWR);
    pthread_join(side->thread, NULL);
    struct end *ends[] = {&side->asker, &side->worker};
    for (int i = 0; i < 2; i++) {
        close(ends[i]->fd);
        close(ends[i]->epoll);
    }
    free(side);
    *pointer = NULL;
}

static void
ask(struct request_bare *side, uint32_t slot, int64_t now_us)
{
    uint8_t *at = side->asker.out + side->asker.out_used;
    memset(at, 0, ASK_BYTES);
    memcpy(at, &slot, sizeof slot);
    side->asker.out_used += ASK_BYTES;
    side->sent_us[slot] = now_us;
}

enum err
request_bare_run(struct request_bare *side, uint32_t depth, int64_t us, struct request_run *out)
{
    CHECK(depth > 0 && depth <= REQUEST_DEPTH_MAX);
    struct end *end = &side->asker;
    int64_t cpu_us = process_cpu_us(), begin_us = process_mono_us(), now_us = begin_us;
    for (uint32_t slot = 0; slot < depth; slot++)
        ask(side, slot, now_us);
    uint32_t under_way = depth;
    if (!end_send(end))
        return ERR_CLOSED;
    while (under_way > 0) {
        if (!end_read(end))
            return ERR_CLOSED;
        now_us = process_mono_us();
        size_t taken = 0;
        for (; end->in_used - taken >= ANSWER_BYTES; taken += ANSWER_BYTES) {
            uint32_t slot;
            memcpy(&slot, end->in + taken, sizeof slot);
            CHECK(slot < depth);
            hist_add(&out->latency_us, (uint64_t)(now_us - side->sent_us[slot]));
            out->answers++;
            if (now_us - begin_us < us)
                ask(side, slot, now_us);
            else
                under_way--;
        }
        end_keep_rest(end, taken);
        if (!end_send(end))
            return ERR_CLOSED;
    }
    out->wall_us += now_us - begin_us;
    out->cpu_us += process_cpu_us() - cpu_us;
    return OK;
}
