#include "base/rand.h"
#include "base/check.h"
#include <math.h>

#define SPLITMIX_STEP 0x9e3779b97f4a7c15u

static uint64_t
rotate_left(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

/* The finaliser of splitmix64: every bit of the input reaches every bit of the output. */
static uint64_t
splitmix_finish(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void
rand_seed(struct rand *r, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++) {
        seed += SPLITMIX_STEP;
        r->s[i] = splitmix_finish(seed);
    }
}

uint64_t
rand_next(struct rand *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint32_t
rand_below(struct rand *r, uint32_t limit)
{
    CHECK(limit > 0);
    /* Multiply and keep the high half; the low half tells the few draws that would favour some
     * results, which are thrown away (Lemire 2019). */
    uint32_t threshold = -limit % limit;
    uint64_t product;
    do
        product = (rand_next(r) >> 32) * limit;
    while ((uint32_t)product < threshold);
    return (uint32_t)(product >> 32);
}

double
rand_unit(struct rand *r)
{
    return (double)(rand_next(r) >> 11) * 0x1p-53;
}

double
rand_normal(struct rand *r)
{
    /* Box-Muller; one of the pair is thrown away so that the state is the four words alone. */
    double radius = sqrt(-2 * log(1 - rand_unit(r)));
    return radius * cos(2 * M_PI * rand_unit(r));
}

uint64_t
rand_mix(uint64_t a, uint64_t b)
{
    return splitmix_finish(splitmix_finish(a + SPLITMIX_STEP) + b * SPLITMIX_STEP);
}
