/* When to look at whom again: a heap of times with a number each. Nothing is cancelled: whoever
 * sets an alarm gives a handle, which is stale when it is no longer wanted. Equal times go in the
 * order of setting. One thread; memory for alarms_max at start.
 */
#ifndef SEOM_STORE_ALARMS_H
#define SEOM_STORE_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

struct alarm {
    int64_t due_us;
    uint64_t order, n;
};

struct alarms {
    struct alarm *heap; /* owned */
    uint64_t asked;
    uint32_t count, max;
};

void alarms_init(struct alarms *alarms, uint32_t alarms_max);
void alarms_fini(struct alarms *alarms);
void alarms_set(struct alarms *alarms, int64_t due_us, uint64_t n);   /* CHECKs that it fits */
bool alarms_take(struct alarms *alarms, int64_t now_us, uint64_t *n); /* false: none is due */
int64_t alarms_next_us(const struct alarms *alarms);                  /* INT64_MAX: none */

#endif
