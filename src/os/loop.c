#include "os/loop.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WATCHES_AHEAD 4 /* of the event being handled: brought into the cache */

struct loop {
    int epoll, wake;
    int64_t least_us, most_us;  /* bounds of the gap */
    int64_t gap_us, handled_us; /* handled_us: when the last turn began to call back */
    int64_t worked_us;          /* a turn, lately */
    bool working;               /* the present turn found something */
    int first;                  /* once more those that come first, for when too many are ready */
    uint32_t next, count;       /* of batch: the event being handled is next - 1 */
    /* What comes first up to LOOP_FIRST, the others from there on. data.ptr NULL: loop_wake(), or
     * removed meanwhile. */
    struct epoll_event batch[LOOP_FIRST + LOOP_BATCH];
    struct loop_stats stats;
};

static int64_t
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct timespec
timespec_of_us(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

static int
fetch(int epoll, struct epoll_event *events, int most, const struct timespec *wait)
{
    int count = epoll_pwait2(epoll, events, most, wait, NULL);
    return count < 0 && errno == EINTR ? 0 : count;
}

/* Fetches events into the batch; how many: 0 after a time-out or a signal, -1 with errno. Where not
 * more are ready than a turn handles, all of them are there, and nobody need be asked for first. */
static int
batch_fetch(struct loop *loop, int64_t wait_us)
{
    static const struct timespec no_wait = {0};
    struct timespec wait = timespec_of_us(wait_us);
    int all = fetch(loop->epoll, loop->batch + LOOP_FIRST, LOOP_BATCH,
                    wait_us == LOOP_FOREVER ? NULL : &wait);
    int first = all == LOOP_BATCH ? fetch(loop->first, loop->batch, LOOP_FIRST, &no_wait) : 0;
    if (all < 0 || first < 0)
        return -1;
    uint32_t begin = LOOP_FIRST - (uint32_t)first;
    memmove(loop->batch + begin, loop->batch, (size_t)first * sizeof *loop->batch);
    loop->next = begin;
    loop->count = LOOP_FIRST + (uint32_t)all;
    return first + all;
}

enum err
loop_open(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    CHECK(loop);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->first = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Edge-triggered: every write is an edge, so the counter never needs to be read. */
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (loop->epoll < 0 || loop->first < 0 || loop->wake < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) < 0 || batch_fetch(loop, 0) < 0) {
        enum err error = os_err(errno);
        loop_close(&loop);
        return error;
    }
    *out = loop;
    return OK;
}

void
loop_close(struct loop **loop)
{
    if (*loop == NULL)
        return;
    if ((*loop)->epoll >= 0)
        close((*loop)->epoll);
    if ((*loop)->first >= 0)
        close((*loop)->first);
    if ((*loop)->wake >= 0)
        close((*loop)->wake);
    free(*loop);
    *loop = NULL;
}

enum err
loop_add(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch)
{
    CHECK(watch != NULL && watch->ready != NULL);
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return os_err(errno);
    if (watch->first && epoll_ctl(loop->first, EPOLL_CTL_ADD, fd, &event) != 0) {
        enum err error = os_err(errno);
        CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
        return error;
    }
    return OK;
}

void
loop_change(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) == 0);
    if (watch->first)
        CHECK(epoll_ctl(loop->first, EPOLL_CTL_MOD, fd, &event) == 0);
}

void
loop_remove(struct loop *loop, int fd, struct loop_watch *watch)
{
    CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
    if (watch->first)
        CHECK(epoll_ctl(loop->first, EPOLL_CTL_DEL, fd, NULL) == 0);
    for (uint32_t i = loop->next; i < loop->count; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
}

/* Sleeps out the rest of the gap, but never longer than wait_us; returns what is left of it. */
static int64_t
gap_sleep(const struct loop *loop, int64_t before_us, int64_t wait_us)
{
    int64_t sleep_us = loop->handled_us + loop->gap_us - before_us;
    if (sleep_us <= 0)
        return wait_us;
    if (sleep_us > wait_us)
        sleep_us = wait_us;
    struct timespec until = timespec_of_us(before_us + sleep_us);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
                    NULL); /* a signal ends it early: fine */
    return wait_us == LOOP_FOREVER ? wait_us : wait_us - sleep_us;
}

/* The turn that found something is over: the next one begins when its gap is. */
static int64_t
paced(struct loop *loop, int64_t wait_us)
{
    int64_t before_us = now_us();
    if (loop->working) {
        loop->working = false;
        loop->worked_us += (before_us - loop->handled_us - loop->worked_us) / 4;
        int64_t gap_us = loop->worked_us * LOOP_PACE_WORK;
        gap_us = gap_us > loop->least_us ? gap_us : loop->least_us;
        loop->gap_us = gap_us < loop->most_us ? gap_us : loop->most_us;
    }
    return wait_us > 0 ? gap_sleep(loop, before_us, wait_us) : 0;
}

uint32_t
loop_turn(struct loop *loop, int64_t wait_us)
{
    CHECK(wait_us >= 0);
    CHECK(loop->next == loop->count); /* not from within a call-back */
    if (loop->most_us > 0)
        wait_us = paced(loop, wait_us);
    int count = batch_fetch(loop, wait_us);
    CHECK(count >= 0);
    loop->stats.turns++;
    if (loop->most_us > 0 && count > 0) {
        loop->handled_us = now_us();
        loop->working = true;
    }

    uint32_t called = 0;
    while (loop->next < loop->count) {
        const struct epoll_event *event = &loop->batch[loop->next++];
        if (loop->next + WATCHES_AHEAD < loop->count)
            __builtin_prefetch(loop->batch[loop->next + WATCHES_AHEAD].data.ptr);
        struct loop_watch *watch = event->data.ptr;
        if (watch == NULL)
            continue;
        watch->ready(watch->ctx, event->events);
        called++;
    }
    loop->stats.events += called;
    return called;
}

void
loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    /* Cannot fill up: nothing ever adds 2^64 to it. */
    CHECK(write(loop->wake, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

void
loop_pace(struct loop *loop, uint32_t least_us, uint32_t most_us)
{
    CHECK(least_us <= most_us && most_us < 1000000);
    loop->least_us = loop->gap_us = least_us;
    loop->most_us = most_us;
}

struct loop_stats
loop_stats(const struct loop *loop)
{
    return loop->stats;
}
