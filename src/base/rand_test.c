#include "base/rand.h"
#include <math.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* splitmix64 of seed 0 starts so (Vigna's published test values); the state is its first four
 * words. */
static void
the_seed_is_spread_by_splitmix64(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 0);
    assert_true(r.s[0] == 0xe220a8397b1dcdaf);
    assert_true(r.s[1] == 0x6e789e6aa1b965f4);
    assert_true(r.s[2] == 0x06c45d188009454f);
    assert_true(r.s[3] == 0xf88bb8a8724c81ec);
}

/* By hand from the state 1, 2, 3, 4. */
static void
the_sequence_is_xoshiro256starstar(void **state)
{
    (void)state;
    struct rand r = {.s = {1, 2, 3, 4}};
    assert_true(rand_next(&r) == 11520); /* rotl(2 * 5, 7) * 9 */
    assert_true(rand_next(&r) == 0);     /* s[1] is 1 ^ 2 ^ 3 */
    assert_true(rand_next(&r) == 1509978240);
}

static void
below_is_even_and_in_range(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 42);
    unsigned counts[7] = {0};
    for (unsigned i = 0; i < 70000; i++)
        counts[rand_below(&r, 7)]++;
    for (unsigned i = 0; i < 7; i++)
        assert_true(abs((int)counts[i] - 10000) < 500); /* 5 deviations */
    /* 3/4 of all words: cutting without throwing away would give every third result twice as often.
     */
    unsigned thirds[3] = {0};
    for (unsigned i = 0; i < 30000; i++)
        thirds[rand_below(&r, 3u << 30) % 3]++;
    for (unsigned i = 0; i < 3; i++)
        assert_true(abs((int)thirds[i] - 10000) < 500);
    assert_int_equal(rand_below(&r, 1), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(rand_below(&r, UINT32_MAX) < UINT32_MAX);
}

static void
unit_and_normal_have_their_moments(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 4);
    double unit = 0;
    double normal = 0;
    double square = 0;
    const unsigned count = 100000;
    for (unsigned i = 0; i < count; i++) {
        double u = rand_unit(&r);
        assert_true(u >= 0 && u < 1);
        unit += u;
        double n = rand_normal(&r);
        assert_true(isfinite(n));
        normal += n;
        square += n * n;
    }
    assert_true(fabs(unit / count - 0.5) < 0.005);
    assert_true(fabs(normal / count) < 0.02);
    assert_true(fabs(square / count - 1) < 0.03);
}

/* One flipped bit of either input flips about half of the output. */
static void
mix_depends_on_every_bit(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 6);
    for (unsigned bit = 0; bit < 64; bit++) {
        unsigned from_a = 0;
        unsigned from_b = 0;
        for (unsigned i = 0; i < 100; i++) {
            uint64_t a = rand_next(&r);
            uint64_t b = rand_next(&r);
            uint64_t mixed = rand_mix(a, b);
            from_a += (unsigned)__builtin_popcountll(mixed ^ rand_mix(a ^ 1ull << bit, b));
            from_b += (unsigned)__builtin_popcountll(mixed ^ rand_mix(a, b ^ 1ull << bit));
        }
        assert_in_range(from_a, 2800, 3600);
        assert_in_range(from_b, 2800, 3600);
    }
    assert_true(rand_mix(1, 2) != rand_mix(2, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(the_sequence_is_xoshiro256starstar),
        cmocka_unit_test(below_is_even_and_in_range),
        cmocka_unit_test(unit_and_normal_have_their_moments),
        cmocka_unit_test(mix_depends_on_every_bit),
    };
    return cmocka_run_group_tests_name("rand", tests, NULL, NULL);
}
