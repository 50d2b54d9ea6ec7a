#include "os/swap_queue.h"
#include "base/check.h"
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* mmap rather than malloc: pages that are never filled cost nothing. */
static uint8_t *
buffer_map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

enum err
swap_queue_init(struct swap_queue *q, size_t capacity)
{
    CHECK(capacity > 0);
    *q = (struct swap_queue){.capacity = capacity};
    q->filling = buffer_map(capacity);
    q->taken = buffer_map(capacity);
    if (q->filling == NULL || q->taken == NULL) {
        if (q->filling != NULL)
            munmap(q->filling, capacity);
        if (q->taken != NULL)
            munmap(q->taken, capacity);
        return ERR_FULL;
    }
    CHECK(pthread_mutex_init(&q->lock, NULL) == 0);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&q->filled, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    CHECK(pthread_cond_init(&q->drained, NULL) == 0);
    return OK;
}

void
swap_queue_fini(struct swap_queue *q)
{
    CHECK(q->filling != NULL);
    munmap(q->filling, q->capacity);
    munmap(q->taken, q->capacity);
    pthread_cond_destroy(&q->filled);
    pthread_cond_destroy(&q->drained);
    pthread_mutex_destroy(&q->lock);
    *q = (struct swap_queue){0};
}

enum err
swap_queue_send(struct swap_queue *q, const struct slice *pieces, uint32_t count, size_t spare,
                bool *was_empty)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    CHECK(bytes > 0 && bytes + spare <= q->capacity);
    pthread_mutex_lock(&q->lock);
    enum err error = OK;
    if (q->closed) {
        error = ERR_CLOSED;
    } else if (q->capacity - q->used < bytes + spare) {
        error = ERR_FULL;
    } else {
        if (was_empty != NULL)
            *was_empty = q->used == 0;
        for (uint32_t i = 0; i < count; i++) {
            if (pieces[i].bytes > 0)
                memcpy(q->filling + q->used, pieces[i].at, pieces[i].bytes);
            q->used += pieces[i].bytes;
        }
        if (!q->held)
            pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return error;
}

void
swap_queue_hold(struct swap_queue *q, uint64_t at_most_us)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    uint64_t ns = (uint64_t)until.tv_nsec + at_most_us * 1000;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&q->lock);
    q->held = true;
    q->held_until = until;
    pthread_mutex_unlock(&q->lock);
}

void
swap_queue_let_go(struct swap_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->held = false;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

/* With the lock held. */
static struct slice
buffers_swap(struct swap_queue *q)
{
    uint8_t *full = q->filling;
    struct slice taken = {full, q->used};
    q->filling = q->taken;
    q->taken = full;
    q->used = 0;
    pthread_cond_broadcast(&q->drained);
    return taken;
}

bool
swap_queue_take_wait(struct swap_queue *q, struct slice *taken)
{
    pthread_mutex_lock(&q->lock);
    while (q->held && !q->closed &&
           pthread_cond_timedwait(&q->filled, &q->lock, &q->held_until) == 0) {
    }
    q->held = false;
    while (q->used == 0 && !q->closed)
        pthread_cond_wait(&q->filled, &q->lock);
    bool some = q->used > 0;
    if (some)
        *taken = buffers_swap(q);
    pthread_mutex_unlock(&q->lock);
    return some;
}

bool
swap_queue_take(struct swap_queue *q, struct slice *taken)
{
    pthread_mutex_lock(&q->lock);
    bool some = q->used > 0;
    if (some)
        *taken = buffers_swap(q);
    pthread_mutex_unlock(&q->lock);
    return some;
}

void
swap_queue_wait_drained(struct swap_queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->used > 0 && !q->closed)
        pthread_cond_wait(&q->drained, &q->lock);
    pthread_mutex_unlock(&q->lock);
}

void
swap_queue_close(struct swap_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_cond_broadcast(&q->drained);
    pthread_mutex_unlock(&q->lock);
}
