#include "proof/cluster_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct cluster_result
play(uint64_t seed, const char *mutant)
{
    struct cluster_options options = {
        .seed = seed, .mutant = mutant != NULL ? cluster_mutant_find(mutant) : NULL};
    struct cluster_result result;
    assert_true(mutant == NULL || options.mutant != NULL);
    cluster_run(&options, &result);
    return result;
}

static void
test_same_seed_same_history(void **state)
{
    (void)state;
    struct cluster_result first = play(3, NULL), again = play(3, NULL), other = play(4, NULL);
    assert_string_equal(first.what, "");
    assert_int_equal(first.verdict, PROOF_FINE);
    assert_true(first.events > 10000);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.trace_hash != other.trace_hash);
}

static void
test_what_is_counted_was_looked_at(void **state)
{
    (void)state;
    struct cluster_result sum = {0};
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct cluster_result r = play(seed, NULL);
        assert_string_equal(r.what, "");
        for (uint32_t i = 0; i < CLUSTER_PROPERTIES_COUNT; i++) {
            sum.exercised[i] += r.exercised[i];
        }
        for (uint32_t i = 0; i < CLUSTER_SOMETIMES_COUNT; i++) {
            sum.sometimes[i] += r.sometimes[i];
        }
    }
    for (uint32_t i = 0; i < CLUSTER_PROPERTIES_COUNT; i++) {
        assert_true(sum.exercised[i] > 0);
    }
    assert_true(sum.sometimes[CLUSTER_SOMETIMES_HOME_KILLED] > 0);
    assert_true(sum.sometimes[CLUSTER_SOMETIMES_RESUMED] > 0);
    assert_true(sum.sometimes[CLUSTER_SOMETIMES_COMMANDS] > 0);
    assert_true(sum.sometimes[CLUSTER_SOMETIMES_LINE_CROSSED] > 0);
    assert_true(sum.sometimes[CLUSTER_SOMETIMES_WAS_LED] > 0);
}

static void
line_counts(void *ctx, const char *line)
{
    uint32_t *lines = ctx;
    assert_true(strlen(line) > 10);
    ++*lines;
}

/* To listen changes nothing. */
static void
test_a_trace_is_the_same_history(void **state)
{
    (void)state;
    uint32_t lines = 0;
    struct cluster_options options = {.seed = 3, .trace = line_counts, .trace_ctx = &lines};
    struct cluster_result traced, silent = play(3, NULL);
    cluster_run(&options, &traced);
    assert_true(lines > 20);
    assert_memory_equal(&traced, &silent, sizeof traced);
}

/* Those that show soon; ./check tries them all. */
static void
test_mutants_are_caught(void **state)
{
    (void)state;
    static const char *const soon[] = {"gate-steward-ignored", "watch-trusted", "lease-as-lock",
                                       "shard-ignored", "gates-told-once"};
    for (uint32_t i = 0; i < sizeof soon / sizeof *soon; i++) {
        uint64_t seed = 1;
        while (seed <= 24 && play(seed, soon[i]).verdict == PROOF_FINE) {
            seed++;
        }
        assert_true(seed <= 24);
    }
    assert_null(cluster_mutant_find("none of them"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_history),
        cmocka_unit_test(test_what_is_counted_was_looked_at),
        cmocka_unit_test(test_a_trace_is_the_same_history),
        cmocka_unit_test(test_mutants_are_caught),
    };
    return cmocka_run_group_tests_name("proof/cluster_model", tests, NULL, NULL);
}
