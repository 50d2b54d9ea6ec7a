#include "sim/events.h"
#include "base/check.h"
#include <stdlib.h>

static bool
is_before(const struct event *a, const struct event *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void
heap_swap(struct events *s, size_t a, size_t b)
{
    struct event event = s->heap[a];
    s->heap[a] = s->heap[b];
    s->heap[b] = event;
}

static void
at(void *ctx, int64_t due_us, void (*fn)(void *, uint64_t), void *arg, uint64_t n)
{
    struct events *s = ctx;
    CHECK(due_us >= s->now_us);
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 64 : s->capacity * 2;
        s->heap = realloc(s->heap, s->capacity * sizeof *s->heap);
        CHECK(s->heap != NULL);
    }
    size_t i = s->count++;
    s->heap[i] = (struct event){due_us, s->asked++, fn, arg, n};
    for (; i > 0 && is_before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(s, i, (i - 1) / 2);
}

static int64_t
now_us(void *ctx)
{
    return ((struct events *)ctx)->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return now_us(ctx) / 1000;
}

static uint64_t
draw(void *ctx)
{
    return rand_next(&((struct events *)ctx)->rand);
}

void
events_init(struct events *s, uint64_t seed)
{
    *s = (struct events){.now_us = 1000000};
    rand_seed(&s->rand, seed);
}

void
events_fini(struct events *s)
{
    free(s->heap);
    *s = (struct events){0};
}

struct sim_schedule
events_port(struct events *s)
{
    return (struct sim_schedule){.ctx = s, .at = at, .now_us = now_us, .random = draw};
}

struct env_clock
events_clock(struct events *s)
{
    return (struct env_clock){.ctx = s, .mono_us = now_us, .world_ms = world_ms, .random = draw};
}

static void
heap_sink(struct events *s)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->count; child++)
            if (is_before(&s->heap[child], &s->heap[least]))
                least = child;
        if (least == i)
            return;
        heap_swap(s, i, least);
        i = least;
    }
}

bool
events_step(struct events *s)
{
    if (s->count == 0)
        return false;
    struct event event = s->heap[0];
    s->heap[0] = s->heap[--s->count];
    heap_sink(s);
    CHECK(event.due_us >= s->now_us);
    s->now_us = event.due_us;
    event.fn(event.arg, event.n);
    return true;
}

void
events_run(struct events *s, int64_t until_us)
{
    CHECK(until_us >= s->now_us);
    while (s->count > 0 && s->heap[0].due_us <= until_us)
        (void)events_step(s);
    s->now_us = until_us;
}
