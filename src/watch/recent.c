#include "watch/recent.h"
#include "base/check.h"

void
recent_init(struct recent *r, int64_t now_us)
{
    hist_reset(&r->young);
    hist_reset(&r->old);
    r->young_since_us = now_us;
}

void
recent_merge(struct recent *r, const struct hist *news, int64_t now_us)
{
    CHECK(now_us >= r->young_since_us);
    int64_t age_us = now_us - r->young_since_us;
    if (age_us >= 2 * RECENT_HALF_US) {
        recent_init(r, now_us); /* nobody came for so long that both halves are old */
    } else if (age_us >= RECENT_HALF_US) {
        r->old = r->young;
        hist_reset(&r->young);
        r->young_since_us += RECENT_HALF_US;
    }
    hist_merge(&r->young, news);
}

uint64_t
recent_quantile(const struct recent *r, double q)
{
    struct hist both = r->old;
    hist_merge(&both, &r->young);
    return hist_quantile(&both, q);
}
