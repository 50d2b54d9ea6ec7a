/* Repeatable random numbers: xoshiro256** seeded by splitmix64 (Blackman and Vigna, 2018). Not for
 * secrets. */
#ifndef SEOM_BASE_RAND_H
#define SEOM_BASE_RAND_H

#include <stdint.h>

struct rand {
    uint64_t s[4];
};

void rand_seed(struct rand *r, uint64_t seed);
uint64_t rand_next(struct rand *r);
uint32_t rand_below(struct rand *r, uint32_t limit); /* 0 .. limit - 1, unbiased; limit > 0 */
double rand_unit(struct rand *r);                    /* [0, 1) */
double rand_normal(struct rand *r);                  /* mean 0, deviation 1 */
uint64_t rand_mix(uint64_t a,
                  uint64_t b); /* one good 64-bit mix of two values: closed-form randomness */

#endif
