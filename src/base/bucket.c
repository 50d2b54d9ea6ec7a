#include "base/bucket.h"
#include "base/check.h"

#define MICRO 1000000u

void
bucket_init(struct bucket *b, struct bucket_rate rate, int64_t now_us)
{
    *b = (struct bucket){.filled_us = now_us, .tokens_micro = (uint64_t)rate.burst * MICRO};
}

/* A token per second is a micro-token per microsecond, so filling is exact at every rate. */
static void
bucket_fill(struct bucket *b, struct bucket_rate rate, int64_t now_us)
{
    if (now_us <= b->filled_us)
        return;
    uint64_t full = (uint64_t)rate.burst * MICRO;
    uint64_t missing = full > b->tokens_micro ? full - b->tokens_micro : 0;
    uint64_t elapsed_us = (uint64_t)now_us - (uint64_t)b->filled_us;
    b->filled_us = now_us;
    /* Asked by division: the product could overflow after a long silence. */
    if (rate.per_s > 0 && elapsed_us >= missing / rate.per_s + 1)
        b->tokens_micro = full;
    else
        b->tokens_micro += elapsed_us * rate.per_s;
    if (b->tokens_micro > full)
        b->tokens_micro = full;
}

bool
bucket_take(struct bucket *b, struct bucket_rate rate, int64_t now_us, uint32_t tokens)
{
    bucket_fill(b, rate, now_us);
    CHECK(b->tokens_micro <= (uint64_t)rate.burst * MICRO);
    uint64_t cost = (uint64_t)tokens * MICRO;
    if (b->tokens_micro < cost)
        return false;
    b->tokens_micro -= cost;
    return true;
}
