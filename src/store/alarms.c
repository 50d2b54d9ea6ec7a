#include "store/alarms.h"
#include "base/check.h"
#include <stdlib.h>

void
alarms_init(struct alarms *alarms, uint32_t alarms_max)
{
    CHECK(alarms_max > 0);
    *alarms = (struct alarms){.heap = calloc(alarms_max, sizeof *alarms->heap), .max = alarms_max};
    CHECK(alarms->heap != NULL);
}

void
alarms_fini(struct alarms *alarms)
{
    free(alarms->heap);
    *alarms = (struct alarms){0};
}

static bool
is_before(const struct alarm *a, const struct alarm *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

void
alarms_set(struct alarms *alarms, int64_t due_us, uint64_t n)
{
    CHECK(alarms->count < alarms->max);
    struct alarm alarm = {.due_us = due_us, .order = alarms->asked++, .n = n};
    uint32_t at = alarms->count++;
    while (at > 0 && is_before(&alarm, &alarms->heap[(at - 1) / 2])) {
        alarms->heap[at] = alarms->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    alarms->heap[at] = alarm;
}

bool
alarms_take(struct alarms *alarms, int64_t now_us, uint64_t *n)
{
    if (alarms->count == 0 || alarms->heap[0].due_us > now_us)
        return false;
    *n = alarms->heap[0].n;
    struct alarm last = alarms->heap[--alarms->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= alarms->count)
            break;
        if (child + 1 < alarms->count && is_before(&alarms->heap[child + 1], &alarms->heap[child]))
            child++;
        if (!is_before(&alarms->heap[child], &last))
            break;
        alarms->heap[at] = alarms->heap[child];
        at = child;
    }
    alarms->heap[at] = last;
    return true;
}

int64_t
alarms_next_us(const struct alarms *alarms)
{
    return alarms->count == 0 ? INT64_MAX : alarms->heap[0].due_us;
}
