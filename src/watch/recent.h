/* What a distribution looked like lately: the last 30 to 60 seconds of a histogram, as two halves
 * of which the older one is forgotten when the younger is full. A plain value; one thread.
 */
#ifndef SEOM_WATCH_RECENT_H
#define SEOM_WATCH_RECENT_H

#include "base/hist.h"
#include <stdint.h>

#define RECENT_HALF_US INT64_C(30000000)

struct recent {
    struct hist young, old;
    int64_t young_since_us;
};

void recent_init(struct recent *r, int64_t now_us);
void recent_merge(struct recent *r, const struct hist *news, int64_t now_us);
uint64_t recent_quantile(const struct recent *r, double q); /* 0 when nothing happened lately */

#endif
