/* The figures that a bench of the store makes, and the documents that it writes. */
#include "app/bench_store_documents.h"
#include "app/bench_store_figures.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_near(double found, double expected)
{
    assert_true(fabs(found - expected) < 1e-9);
}

static struct bench_tally *
tally_of(const uint64_t *commits, size_t rounds)
{
    struct bench_tally *tally = calloc(1, sizeof *tally);
    assert_non_null(tally);
    for (size_t i = 0; i < rounds; i++) {
        struct bench_round round = {
            .commits = commits[i], .groups = commits[i] / 10, .us = 500000, .cpu_us = 1000};
        hist_add(&round.latency_us, 7);
        bench_tally_add(tally, &round);
    }
    return tally;
}

static void
rounds_come_to_their_median(void **state)
{
    (void)state;
    struct bench_tally *odd = tally_of((const uint64_t[]){300, 100, 100000}, 3);
    struct bench_tally *even = tally_of((const uint64_t[]){400, 100, 200, 100000}, 4);
    struct bench_tally *none = tally_of(NULL, 0);
    assert_near(bench_tally_per_s(odd), 600);
    assert_near(bench_tally_per_s(even), 600);
    assert_near(bench_tally_per_s(none), 0);
    assert_near(bench_tally_cpu_us(odd), 3000 / 100400.0);
    assert_near(bench_tally_group(odd), 10);
    assert_int_equal(odd->latency_us.count, 3);
    assert_near(bench_ratio(odd, even), 1);
    assert_near(bench_ratio(odd, none), 0); /* and not infinite */
    free(odd);
    free(even);
    free(none);
}

static void
the_lowest_ratio_leaves_the_first_level_out(void **state)
{
    (void)state;
    static struct bench_tally ours[BENCH_LEVELS], raw[BENCH_LEVELS];
    static const uint64_t commits[BENCH_LEVELS] = {10, 90, 70, 80};
    for (size_t level = 0; level < BENCH_LEVELS; level++) {
        bench_tally_add(&ours[level],
                        &(struct bench_round){.commits = commits[level], .us = 1000000});
        bench_tally_add(&raw[level], &(struct bench_round){.commits = 100, .us = 1000000});
    }
    assert_near(bench_ratio_lowest(ours, raw), 0.7);
}

static void
a_storm_is_as_good_as_its_lowest_second(void **state)
{
    (void)state;
    struct bench_storm *storm = calloc(1, sizeof *storm);
    assert_non_null(storm);
    assert_near(bench_storm_share(storm), 0);
    static const uint64_t seconds[] = {100, 140, 60, 100};
    memcpy(storm->seconds, seconds, sizeof seconds);
    storm->count = 4;
    assert_near(bench_storm_mean(storm), 100);
    assert_int_equal(bench_storm_lowest(storm), 60);
    assert_near(bench_storm_share(storm), 0.6);
    assert_int_equal(bench_storm_below(storm), 0);
    storm->seconds[1] = 400;
    assert_int_equal(bench_storm_below(storm), 1); /* 60 of 165 */
    storm->seconds[1] = 140;
    storm->count = 2; /* what stands behind does not count */
    assert_int_equal(bench_storm_lowest(storm), 100);
    free(storm);
}

static void
the_shares_keep_within_the_seconds(void **state)
{
    (void)state;
    for (int64_t s = 10; s <= 86400; s = s * 3 / 2) {
        struct bench_shares shares = bench_shares_of(s * 1000000);
        assert_in_range(shares.rounds, 1, BENCH_ROUNDS_MAX);
        int64_t rounds_us = shares.round_us * shares.rounds * BENCH_LEVELS * BENCH_SIDES;
        int64_t all_us = rounds_us + shares.fold_us + shares.reads_us + shares.places_us +
                         shares.storm_s * INT64_C(1000000);
        assert_true(all_us <= s * 1000000);
        assert_true(all_us >= s * 600000);
    }
    struct bench_shares least = bench_shares_of(-1);
    assert_int_equal(least.rounds, 1);
    assert_true(least.round_us > 0 && least.storm_s > 0);
}

static void
no_document_is_picked_twice_at_a_time(void **state)
{
    (void)state;
    struct bench_documents d;
    assert_int_equal(bench_documents_init(&d, 100, 1), OK);
    uint8_t seen[50] = {0};
    for (int i = 0; i < 50; i++) {
        uint32_t picked = bench_documents_pick(&d, 50);
        assert_true(picked < 50);
        assert_int_equal(seen[picked]++, 0);
    }
    bench_documents_settle(&d, 17, true);
    assert_int_equal(bench_documents_version(&d, 17), 1);
    assert_int_equal(bench_documents_pick(&d, 50), 17); /* the only one */
    bench_documents_settle(&d, 17, false);
    assert_int_equal(bench_documents_version(&d, 17), 1);
    bench_documents_fini(&d);
}

static void
a_value_tells_whose_it_is(void **state)
{
    (void)state;
    struct bench_documents d;
    assert_int_equal(bench_documents_init(&d, 100, 1), OK);
    uint8_t value[BENCH_VALUE_MAX];
    size_t shortest = SIZE_MAX, longest = 0;
    for (uint64_t version = 1; version <= 3000; version++) {
        size_t bytes = bench_document_value(&d, 7, version, value);
        shortest = bytes < shortest ? bytes : shortest;
        longest = bytes > longest ? bytes : longest;
    }
    assert_in_range(shortest, BENCH_VALUE_MIN, BENCH_VALUE_MIN + 5);
    assert_in_range(longest, BENCH_VALUE_MAX - 5, BENCH_VALUE_MAX);

    struct slice whole = {value, bench_document_value(&d, 7, 3, value)};
    assert_true(bench_document_fits(&d, 7, 3, whole));
    assert_false(bench_document_fits(&d, 7, 4, whole));
    assert_false(bench_document_fits(&d, 8, 3, whole));
    assert_false(bench_document_fits(&d, 7, 3, (struct slice){value, whole.bytes - 1}));
    value[whole.bytes - 1] ^= 1;
    assert_false(bench_document_fits(&d, 7, 3, whole));
    bench_documents_fini(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_come_to_their_median),
        cmocka_unit_test(the_lowest_ratio_leaves_the_first_level_out),
        cmocka_unit_test(a_storm_is_as_good_as_its_lowest_second),
        cmocka_unit_test(the_shares_keep_within_the_seconds),
        cmocka_unit_test(no_document_is_picked_twice_at_a_time),
        cmocka_unit_test(a_value_tells_whose_it_is),
    };
    return cmocka_run_group_tests_name("bench_store", tests, NULL, NULL);
}
