/* Random deeds of a few people against the model and the audit. With mutants: it must be seen that
 * something is wrong. */
#include "base/rand.h"
#include "seom.pb-c.h"
#include "society/model.h"
#include "society/play.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STEPS        1500
#define SEEDS        6
#define MUTANT_SEEDS 8
#define CHESTS       20
#define FEWER        6

static uint32_t
by_chance(void *ctx, uint32_t limit)
{
    return rand_below(ctx, limit);
}

static void
counts_add(struct play_counts *sum, const struct play_counts *counts)
{
    for (uint32_t what = 0; what < PLAY_DEEDS; what++) {
        sum->fine[what] += counts->fine[what];
        sum->refused[what] += counts->refused[what];
    }
    sum->overflow_mine += counts->overflow_mine;
    sum->overflow_theirs += counts->overflow_theirs;
    sum->expired += counts->expired;
    sum->hash_misfits += counts->hash_misfits;
    sum->retries += counts->retries;
}

static bool
play_goes_wrong(uint64_t seed, enum society_mutant mutant, bool faults, struct play_counts *counts)
{
    struct rand rand;
    rand_seed(&rand, seed);
    struct play *play = play_alloc(seed, mutant, (struct play_source){&rand, by_chance});
    play_stock(play, CHESTS, FEWER);
    square_faults(play->square, faults);
    bool is_wrong = !play_steps(play, STEPS);
    if (is_wrong)
        print_message("# seed %u: %s\n", (unsigned)seed, play->wrong);
    counts_add(counts, &play->counts);
    play_free(play);
    return is_wrong;
}

static void
deeds_do_what_the_model_does(void **state)
{
    (void)state;
    struct play_counts counts = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        assert_false(play_goes_wrong(seed, SOCIETY_MUTANT_NONE, false, &counts));
    for (uint32_t what = SEOM__DEED__WHAT_SPLIT; what <= SEOM__DEED__WHAT_CLAIM; what++) {
        print_message("# deed %u: %u done, %u refused\n", what, (unsigned)counts.fine[what],
                      (unsigned)counts.refused[what]);
        assert_true(counts.fine[what] > 10 && counts.refused[what] > 10);
    }
    print_message("# overflow %u and %u, expired %u, misfits %u\n", (unsigned)counts.overflow_mine,
                  (unsigned)counts.overflow_theirs, (unsigned)counts.expired,
                  (unsigned)counts.hash_misfits);
    assert_true(counts.overflow_mine > 3 && counts.overflow_theirs > 3);
    assert_true(counts.expired > 3 && counts.hash_misfits > 3);
    assert_int_equal(counts.retries, 0);
}

static void
also_when_the_store_errs(void **state)
{
    (void)state;
    struct play_counts counts = {0};
    for (uint64_t seed = 101; seed <= 100 + SEEDS; seed++)
        assert_false(play_goes_wrong(seed, SOCIETY_MUTANT_NONE, true, &counts));
    assert_true(counts.retries > 10);
}

static void
mutant_is_seen(enum society_mutant mutant, bool faults, uint32_t least)
{
    struct play_counts counts = {0};
    uint32_t seen = 0;
    for (uint64_t seed = 1; seed <= MUTANT_SEEDS; seed++)
        seen += play_goes_wrong(seed, mutant, faults, &counts);
    assert_true(seen >= least);
}

static void
split_overflow_is_seen(void **state)
{
    (void)state;
    mutant_is_seen(SOCIETY_MUTANT_SPLIT_OVERFLOW, false, MUTANT_SEEDS / 2);
}

static void
claim_keeps_is_seen(void **state)
{
    (void)state;
    mutant_is_seen(SOCIETY_MUTANT_CLAIM_KEEPS, false, MUTANT_SEEDS / 2);
}

static void
offer_changed_is_seen(void **state)
{
    (void)state;
    mutant_is_seen(SOCIETY_MUTANT_OFFER_CHANGED, false, MUTANT_SEEDS / 2);
}

static void
overflow_apart_is_seen(void **state)
{
    (void)state;
    mutant_is_seen(SOCIETY_MUTANT_OVERFLOW_APART, true, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deeds_do_what_the_model_does), cmocka_unit_test(also_when_the_store_errs),
        cmocka_unit_test(split_overflow_is_seen),       cmocka_unit_test(claim_keeps_is_seen),
        cmocka_unit_test(offer_changed_is_seen),        cmocka_unit_test(overflow_apart_is_seen),
    };
    return cmocka_run_group_tests_name("society model", tests, NULL, NULL);
}
