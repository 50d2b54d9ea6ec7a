/* Token bucket in integer arithmetic: rate per second, a burst on top, time in microseconds. */
#ifndef SEOM_BASE_BUCKET_H
#define SEOM_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t filled_us;     /* when tokens_micro was right */
    uint64_t tokens_micro; /* millionths of a token */
};

struct bucket_rate {
    uint32_t per_s, burst;
};

void bucket_init(struct bucket *b, struct bucket_rate rate, int64_t now_us); /* starts full */
bool bucket_take(struct bucket *b, struct bucket_rate rate, int64_t now_us,
                 uint32_t tokens); /* false: not enough, nothing taken */

#endif
