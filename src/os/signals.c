#include "os/signals.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
signals_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct signals *s = ctx;
    struct signalfd_siginfo info;
    while (s->fd >= 0 && read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        s->asked(s->ctx, (int)info.ssi_signo);
}

enum err
signals_open(struct signals *s, struct loop *loop, void *ctx,
             void (*asked)(void *ctx, int signal_number))
{
    CHECK(asked != NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    *s = (struct signals){.loop = loop,
                          .watch = {.ready = signals_ready, .ctx = s},
                          .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
                          .ctx = ctx,
                          .asked = asked};
    if (s->fd < 0)
        return os_err(errno);
    enum err error = loop_add(loop, s->fd, EPOLLIN, &s->watch);
    if (error != OK) {
        close(s->fd);
        s->fd = -1;
    }
    return error;
}

void
signals_close(struct signals *s)
{
    if (s->fd < 0)
        return;
    loop_remove(s->loop, s->fd, &s->watch);
    close(s->fd);
    s->fd = -1;
}

static const int held[] = {SIGTERM, SIGINT, SIGHUP};

void
signals_hold(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        /* While it is held also what is ignored would be kept, and taken for a wish. */
        struct sigaction now;
        CHECK(sigaction(held[i], NULL, &now) == 0);
        if (now.sa_handler != SIG_IGN)
            sigaddset(&set, held[i]);
    }
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

int
signals_held(void)
{
    sigset_t set;
    CHECK(sigpending(&set) == 0);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        if (sigismember(&set, held[i]) == 1)
            return held[i];
    }
    return 0;
}
