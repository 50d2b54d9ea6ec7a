#include "base/hist.h"
#include "base/rand.h"
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define VALUES 2000

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Against the sorted values themselves: never too low, at most 1/16 too high. */
static void
quantiles_keep_their_bound(void **state)
{
    (void)state;
    const double wanted[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rand r;
        rand_seed(&r, seed);
        static uint64_t values[VALUES];
        struct hist h;
        hist_reset(&h);
        unsigned bits = 4 + rand_below(&r, 38);
        for (unsigned i = 0; i < VALUES; i++) {
            values[i] = rand_next(&r) >> (64 - 1 - rand_below(&r, bits));
            hist_add(&h, values[i]);
        }
        qsort(values, VALUES, sizeof(values[0]), compare);
        for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            double rank = wanted[i] * VALUES;
            unsigned at = rank <= 1 ? 0 : (unsigned)(rank + 0.999999) - 1;
            uint64_t got = hist_quantile(&h, wanted[i]);
            assert_true(got >= values[at]);
            assert_true(got <= values[at] + values[at] / 16);
        }
        assert_true(h.max == values[VALUES - 1]);
        assert_true(hist_quantile(&h, 1) == h.max);
    }
}

static void
small_values_are_exact(void **state)
{
    (void)state;
    struct hist h;
    hist_reset(&h);
    assert_int_equal(hist_quantile(&h, 0.5), 0);
    assert_int_equal(hist_count_up_to(&h, 100), 0);
    for (uint64_t v = 1; v <= 10; v++)
        hist_add(&h, v);
    assert_int_equal(h.sum, 55);
    assert_int_equal(hist_quantile(&h, 0), 1);
    assert_int_equal(hist_quantile(&h, 0.1), 1);
    assert_int_equal(hist_quantile(&h, 0.5), 5);
    assert_int_equal(hist_quantile(&h, 0.51), 6);
    assert_int_equal(hist_count_up_to(&h, 0), 0);
    assert_int_equal(hist_count_up_to(&h, 7), 7);
    assert_int_equal(hist_count_up_to(&h, 10), 10);
}

/* Values beyond the last bucket are still counted and bounded by max. */
static void
huge_values_stay_in_the_last_bucket(void **state)
{
    (void)state;
    struct hist h;
    hist_reset(&h);
    hist_add(&h, 1);
    hist_add(&h, UINT64_MAX);
    assert_int_equal(hist_quantile(&h, 0.5), 1);
    assert_true(hist_quantile(&h, 1) == UINT64_MAX);
    assert_int_equal(hist_count_up_to(&h, UINT64_MAX), 2);
    assert_int_equal(hist_count_up_to(&h, UINT64_MAX - 1), 1);
}

static void
counts_up_to_grow_and_end_at_all(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 5);
    struct hist h;
    hist_reset(&h);
    for (unsigned i = 0; i < 1000; i++)
        hist_add(&h, rand_below(&r, 1000000));
    uint64_t last = 0;
    for (uint64_t edge = 1; edge < 2000000; edge *= 2) {
        uint64_t count = hist_count_up_to(&h, edge - 1); /* a power of two ends a bucket */
        assert_true(count >= last);
        last = count;
    }
    assert_int_equal(last, 1000);
}

static void
merged_is_as_if_added_to_one(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 9);
    struct hist one;
    struct hist two;
    struct hist both;
    hist_reset(&one);
    hist_reset(&two);
    hist_reset(&both);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t v = rand_next(&r) >> rand_below(&r, 64);
        hist_add(i % 3 ? &one : &two, v);
        hist_add(&both, v);
    }
    hist_merge(&one, &two);
    assert_memory_equal(&one, &both, sizeof(both));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_keep_their_bound),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(huge_values_stay_in_the_last_bucket),
        cmocka_unit_test(counts_up_to_grow_and_end_at_all),
        cmocka_unit_test(merged_is_as_if_added_to_one),
    };
    return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
