#include "base/bucket.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
it_starts_full_and_takes_all_or_nothing(void **state)
{
    (void)state;
    const struct bucket_rate rate = {.per_s = 30, .burst = 60};
    struct bucket b;
    bucket_init(&b, rate, 1000);
    assert_false(bucket_take(&b, rate, 1000, 61));
    assert_true(bucket_take(&b, rate, 1000, 60));
    assert_false(bucket_take(&b, rate, 1000, 1));
    assert_true(bucket_take(&b, rate, 1000, 0));
    /* A thirtieth of a second is 33,333.3 us. */
    assert_false(bucket_take(&b, rate, 1000 + 33333, 1));
    assert_true(bucket_take(&b, rate, 1000 + 33334, 1));
}

/* Asked at any rhythm, what passes is burst + rate x time, to the token. */
static void
the_rate_is_exact(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 8);
    for (unsigned round = 0; round < 50; round++) {
        struct bucket_rate rate = {
            .per_s = 1 + rand_below(&r, 40000),
            .burst = 2 + rand_below(&r, 100),
        };
        struct bucket b;
        int64_t start_us = (int64_t)rand_below(&r, 1000000);
        int64_t now_us = start_us;
        bucket_init(&b, rate, start_us);
        /* Shorter than filling the burst takes, less the token that may be there in part: nothing
         * runs over. */
        uint32_t step_us_max = 1000000u * (rate.burst - 1) / rate.per_s;
        assert_true(step_us_max > 0);
        uint64_t passed = 0;
        while (now_us < start_us + 2000000) {
            while (bucket_take(&b, rate, now_us, 1))
                passed++;
            now_us += 1 + rand_below(&r, step_us_max);
        }
        while (bucket_take(&b, rate, now_us, 1))
            passed++;
        uint64_t filled = (uint64_t)(now_us - start_us) * rate.per_s / 1000000;
        assert_int_equal(passed, rate.burst + filled);
    }
}

static void
it_never_holds_more_than_its_burst(void **state)
{
    (void)state;
    const struct bucket_rate rate = {.per_s = UINT32_MAX, .burst = UINT32_MAX};
    struct bucket b;
    bucket_init(&b, rate, 0);
    assert_true(bucket_take(&b, rate, 0, UINT32_MAX));
    assert_true(bucket_take(&b, rate, INT64_MAX, UINT32_MAX));
    assert_false(bucket_take(&b, rate, INT64_MAX, 1));

    const struct bucket_rate never = {.per_s = 0, .burst = 1};
    bucket_init(&b, never, 0);
    assert_true(bucket_take(&b, never, 0, 1));
    assert_false(bucket_take(&b, never, INT64_MAX, 1));
}

/* 2^62 us x 4 tokens/s is 2^64: a product that is not guarded is nothing at all. */
static void
a_long_silence_fills_it(void **state)
{
    (void)state;
    const struct bucket_rate rate = {.per_s = 4, .burst = 10};
    struct bucket b;
    bucket_init(&b, rate, 0);
    assert_true(bucket_take(&b, rate, 0, 10));
    assert_true(bucket_take(&b, rate, INT64_C(1) << 62, 10));
}

static void
nearly_full_is_not_full(void **state)
{
    (void)state;
    const struct bucket_rate rate = {.per_s = 300000, .burst = 1};
    struct bucket b;
    bucket_init(&b, rate, 0);
    assert_true(bucket_take(&b, rate, 0, 1));
    assert_false(bucket_take(&b, rate, 3, 1)); /* 900,000 millionths */
    assert_true(bucket_take(&b, rate, 4, 1));
}

static void
time_going_back_gives_nothing(void **state)
{
    (void)state;
    const struct bucket_rate rate = {.per_s = 1, .burst = 1};
    struct bucket b;
    bucket_init(&b, rate, 5000000);
    assert_true(bucket_take(&b, rate, 5000000, 1));
    assert_false(bucket_take(&b, rate, 1000000, 1));
    assert_false(bucket_take(&b, rate, 5999999, 1));
    assert_true(bucket_take(&b, rate, 6000000, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_full_and_takes_all_or_nothing),
        cmocka_unit_test(the_rate_is_exact),
        cmocka_unit_test(it_never_holds_more_than_its_burst),
        cmocka_unit_test(a_long_silence_fills_it),
        cmocka_unit_test(nearly_full_is_not_full),
        cmocka_unit_test(time_going_back_gives_nothing),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
