#include "proof/commit_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct commit_result
play(uint64_t seed, const char *mutant)
{
    struct commit_options options = {
        .seed = seed, .seconds = 1, .mutant = mutant != NULL ? commit_mutant_find(mutant) : NULL};
    struct commit_result result;
    assert_true(mutant == NULL || options.mutant != NULL);
    commit_run(&options, &result);
    return result;
}

static void
test_same_seed_same_history(void **state)
{
    (void)state;
    struct commit_result first = play(3, NULL), again = play(3, NULL), other = play(4, NULL);
    assert_int_equal(first.verdict, PROOF_FINE);
    assert_true(first.events > 1000 && first.commands > 10);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.trace_hash != other.trace_hash);
}

/* Over a few seeds everything is looked at, on both kinds of engine. */
static void
test_what_is_counted_was_looked_at(void **state)
{
    (void)state;
    struct commit_result sum = {0};
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct commit_result r = play(seed, NULL);
        assert_int_equal(r.verdict, PROOF_FINE);
        for (uint32_t i = 0; i < COMMIT_PROPERTY_COUNT; i++)
            sum.exercised[i] += r.exercised[i];
        for (uint32_t i = 0; i < COMMIT_SOMETIMES_COUNT; i++)
            sum.sometimes[i] += r.sometimes[i];
    }
    for (uint32_t i = 0; i < COMMIT_PROPERTY_COUNT; i++)
        assert_true(sum.exercised[i] > 0);
    assert_true(sum.sometimes[SOMETIMES_SEVERAL] > sum.sometimes[SOMETIMES_DIRECT]);
    assert_true(sum.sometimes[SOMETIMES_DIRECT] > 0);
    assert_true(sum.sometimes[SOMETIMES_CRASH] > 0 && sum.sometimes[SOMETIMES_STALL] > 0);
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
    struct commit_options options = {
        .seed = 3, .seconds = 1, .trace = line_counts, .trace_ctx = &lines};
    struct commit_result traced, silent = play(3, NULL);
    commit_run(&options, &traced);
    assert_true(lines > 100);
    assert_memory_equal(&traced, &silent, sizeof traced);
}

/* Those that show soon, one of each kind; ./check tries them all. */
static void
test_mutants_are_caught(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        enum commit_property property;
    } soon[] = {{"ack-early", COMMIT_ANSWER},
                {"fail-not-consumed", COMMIT_ANSWER},
                {"claim-keeps", COMMIT_CONSERVED},
                {"split-overflow", COMMIT_LIMITS}};

    for (uint32_t i = 0; i < sizeof soon / sizeof soon[0]; i++) {
        struct commit_result r = {0};
        for (uint64_t seed = 1; seed <= 100 && r.verdict == PROOF_FINE; seed++)
            r = play(seed, soon[i].name);
        assert_int_equal(r.verdict, PROOF_WRONG);
        assert_int_equal(r.broken, soon[i].property);
        assert_true(strlen(r.what) > 10);
    }
}

static void
test_mutants_are_known_by_name(void **state)
{
    (void)state;
    bool committer[COMMITTER_MUTANTS] = {false}, commands[16] = {false}, society[16] = {false};
    uint32_t count = 0;
    int ways = 0;
    for (const struct commit_mutant *m; (m = commit_mutant_at(count)) != NULL; count++) {
        assert_ptr_equal(commit_mutant_find(m->name), m); /* names are different */
        assert_true(strlen(m->doc) > 10 && m->seeds > 0 && m->seeds <= 400);
        /* Each is wrong in one way, and no two in the same. */
        assert_int_equal((m->committer != COMMITTER_MUTANT_NONE) +
                             (m->commands != COMMANDS_MUTANT_NONE) +
                             (m->society != SOCIETY_MUTANT_NONE) + m->engine_rolls_back,
                         1);
        assert_true(m->commands < 16 && m->society < 16);
        ways += !committer[m->committer] + !commands[m->commands] + !society[m->society];
        committer[m->committer] = commands[m->commands] = society[m->society] = true;
    }
    assert_null(commit_mutant_find("no-such-mutant"));
    assert_int_equal(ways, (int)count - 1 + 3); /* and the three ways to be right */
    /* No way to be wrong is without a name, but one that commands make good: they look whether a
     * refused command was done. The committer's own histories catch it. */
    for (uint32_t i = 0; i < COMMITTER_MUTANTS; i++)
        assert_true(committer[i] || i == COMMITTER_MUTANT_TOGETHER_UNKNOWN);
    for (uint32_t i = 0; i <= COMMANDS_MUTANT_FOREIGN_VERSION; i++)
        assert_true(commands[i]);
    for (uint32_t i = 0; i <= SOCIETY_MUTANT_OVERFLOW_APART; i++)
        assert_true(society[i]);
}

static void
test_everything_counted_has_its_text(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COMMIT_PROPERTY_COUNT; i++)
        assert_true(strlen(commit_property_text((enum commit_property)i)) > 10);
    for (uint32_t i = 0; i < COMMIT_SOMETIMES_COUNT; i++) {
        assert_true(strlen(commit_sometimes_text((enum commit_sometimes)i)) > 10);
        assert_true(commit_sometimes_seeds((enum commit_sometimes)i) >= 16);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_history),
        cmocka_unit_test(test_what_is_counted_was_looked_at),
        cmocka_unit_test(test_a_trace_is_the_same_history),
        cmocka_unit_test(test_mutants_are_caught),
        cmocka_unit_test(test_mutants_are_known_by_name),
        cmocka_unit_test(test_everything_counted_has_its_text),
    };
    return cmocka_run_group_tests_name("commit_model", tests, NULL, NULL);
}
