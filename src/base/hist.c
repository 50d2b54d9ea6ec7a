#include "base/hist.h"
#include "base/check.h"
#include <string.h>

#define SUB_BITS 4
#define SUBS     (1u << SUB_BITS)

/* Values below 16 have a bucket each; above, a power of two is cut into 16 equal parts. */
static unsigned
bucket_of(uint64_t value)
{
    if (value < SUBS)
        return (unsigned)value;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    unsigned sub = (unsigned)(value >> (power - SUB_BITS)) & (SUBS - 1);
    unsigned bucket = (power - SUB_BITS + 1) * SUBS + sub;
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t
bucket_top(unsigned bucket)
{
    if (bucket < SUBS)
        return bucket;
    unsigned shift = bucket / SUBS - 1;
    return ((uint64_t)(SUBS + bucket % SUBS + 1) << shift) - 1;
}

void
hist_reset(struct hist *h)
{
    memset(h, 0, sizeof(*h));
}

void
hist_add(struct hist *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
    h->buckets[bucket_of(value)]++;
}

void
hist_merge(struct hist *into, const struct hist *from)
{
    CHECK(into != from);
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
    CHECK(q >= 0 && q <= 1);
    if (h->count == 0)
        return 0;
    /* The value of rank ceil(q * count), counted from 1. */
    uint64_t rank = (uint64_t)(q * (double)h->count);
    if ((double)rank < q * (double)h->count || rank == 0)
        rank++;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS - 1; i++) {
        seen += h->buckets[i];
        if (seen >= rank)
            return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return h->max; /* the last bucket also holds everything larger */
}

uint64_t
hist_count_up_to(const struct hist *h, uint64_t value)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS - 1 && bucket_top(i) <= value; i++)
        seen += h->buckets[i];
    return value >= h->max ? h->count : seen;
}
