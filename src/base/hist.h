/* Log-linear histogram of non-negative values (any unit): 16 sub-buckets per power of two, so a
 * quantile is at most 1/16 too high. Fixed size, no allocation; two can be merged.
 */
#ifndef SEOM_BASE_HIST_H
#define SEOM_BASE_HIST_H

#include <stdint.h>

#define HIST_BUCKETS (16 * 40)

struct hist {
    uint64_t count, sum, max;
    uint64_t buckets[HIST_BUCKETS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
uint64_t hist_quantile(const struct hist *h,
                       double q); /* upper edge of the bucket, at most max; 0 when empty */
uint64_t hist_count_up_to(const struct hist *h,
                          uint64_t value); /* whole buckets <= value, for Prometheus' le */

#endif
