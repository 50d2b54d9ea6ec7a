#include "base/check.h"
#include "base/rand.h"
#include "os/pg_inside.h"
#include "os/process.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How soon after one another connections to a server that takes them and drops them are made. */
#define PACE_MIN_MS 1

static void
event_set(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    CHECK(n == sizeof one || errno == EAGAIN);
}

/* Until the time is over or, when told so, somebody wants something; false: it is to stop. */
static bool
dialler_sleep(struct pg_dialler *d, int wait_ms, bool until_woken)
{
    int64_t until_us = process_mono_us() + (int64_t)wait_ms * 1000;
    while (!atomic_load(&d->stopping)) {
        int64_t left_us = until_us - process_mono_us();
        if (wait_ms >= 0 && left_us <= 0)
            return true;
        struct pollfd woken = {.fd = d->wake_fd, .events = POLLIN};
        int ready = poll(&woken, 1, wait_ms < 0 ? -1 : (int)(left_us / 1000) + 1);
        uint64_t count;
        if (ready > 0 && read(d->wake_fd, &count, sizeof count) == sizeof count && until_woken)
            return !atomic_load(&d->stopping);
    }
    return false;
}

static int
line_wanted(struct pg_dialler *d)
{
    int found = -1;
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < PG_CONNECTIONS_MAX && found < 0; i++)
        if (d->wanted[i])
            found = i;
    pthread_mutex_unlock(&d->lock);
    return found;
}

static enum err
dial(struct pg_dialler *d, uint32_t line)
{
    char why[PG_STORE_WHY_MAX], note[PG_STORE_WHY_MAX];
    PGconn *pg = NULL;
    enum err error = pg_session_open(d->options->address, line == PG_LINE_READING,
                                     d->options->deadline_ms, &d->stopping, &pg, why, note);
    pthread_mutex_lock(&d->lock);
    d->error = error;
    if (error == OK) {
        CHECK(d->wanted[line] && d->made[line] == NULL);
        d->wanted[line] = false;
        d->made[line] = pg;
        d->connects++;
        memcpy(d->note, note, sizeof note);
    } else {
        d->failures++;
        memcpy(d->why, why, sizeof why);
    }
    pthread_mutex_unlock(&d->lock);
    event_set(d->event_fd);
    return error;
}

/* Half of the time at least, so that many nodes that lost the same server do not return at once. */
static int
jitter(struct rand *r, uint32_t ms)
{
    return (int)(ms / 2 + rand_below(r, ms / 2 + 1) + PACE_MIN_MS);
}

static void *
dialler_main(void *argument)
{
    struct pg_dialler *d = argument;
    struct rand r;
    rand_seed(&r, (uint64_t)process_mono_us() ^ (uint64_t)getpid() << 32);
    uint32_t pause_ms = d->options->reconnect_ms;
    uint32_t first_ones = d->options->connections; /* nobody is to wait for those */
    while (!atomic_load(&d->stopping)) {
        int line = line_wanted(d);
        if (line < 0) {
            (void)dialler_sleep(d, -1, true);
            continue;
        }
        if (first_ones > 0)
            first_ones--;
        else if (!dialler_sleep(d, jitter(&r, pause_ms), false))
            break;
        if (dial(d, (uint32_t)line) == OK) {
            pause_ms = d->options->reconnect_ms;
        } else {
            first_ones = 0;
            pause_ms = pause_ms < PG_RECONNECT_MS_MAX / 2 ? 2 * pause_ms : PG_RECONNECT_MS_MAX;
        }
    }
    return NULL;
}

void
pg_dialler_want(struct pg_dialler *d, uint32_t line)
{
    CHECK(line < PG_CONNECTIONS_MAX);
    pthread_mutex_lock(&d->lock);
    CHECK(!d->wanted[line]);
    d->wanted[line] = true;
    pthread_mutex_unlock(&d->lock);
    event_set(d->wake_fd);
}

enum err
pg_dialler_start(struct pg_dialler *d)
{
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->wake_fd < 0)
        return ERR_FULL;
    CHECK(pthread_mutex_init(&d->lock, NULL) == 0);
    CHECK(pthread_create(&d->thread, NULL, dialler_main, d) == 0);
    return OK;
}

void
pg_dialler_stop(struct pg_dialler *d)
{
    atomic_store(&d->stopping, true);
    event_set(d->wake_fd);
    pthread_join(d->thread, NULL);
    for (uint32_t i = 0; i < PG_CONNECTIONS_MAX; i++)
        if (d->made[i] != NULL)
            PQfinish(d->made[i]);
    pthread_mutex_destroy(&d->lock);
    close(d->wake_fd);
}
