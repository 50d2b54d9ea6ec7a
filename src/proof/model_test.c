#include "proof/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct proof_result
play(uint64_t seed, uint32_t players, const struct mutant *mutant)
{
    struct proof_options options = {
        .seed = seed, .players = players, .seconds = mutant != NULL ? 20 : 4, .mutant = mutant};
    struct proof_result result;
    proof_run(&options, &result);
    return result;
}

static void
test_same_seed_same_hash(void **state)
{
    (void)state;
    struct proof_result first = play(4, 8, NULL), again = play(4, 8, NULL),
                        other = play(5, 8, NULL);
    assert_int_equal(first.verdict, PROOF_FINE);
    assert_true(first.events > 1000);
    assert_true(first.events == again.events && first.trace_hash == again.trace_hash);
    assert_memory_equal(first.exercised, again.exercised, sizeof first.exercised);
    assert_true(first.trace_hash != other.trace_hash);
}

static void
test_what_is_counted_was_looked_at(void **state)
{
    (void)state;
    struct proof_result r = play(4, 12, NULL);
    assert_true(r.exercised[PROOF_VISIBLE] > 100);
    assert_true(r.exercised[PROOF_AGREES] > 100);
    assert_true(r.exercised[PROOF_SPEED] > 10);
    assert_true(r.exercised[PROOF_QUEUES] > 10);
    assert_true(r.exercised[PROOF_RECOVERS] > 0);
}

/* One mutant that shows soon, as a proof that a run can be red at all; ./check tries them all. */
static void
test_a_mutant_is_caught(void **state)
{
    (void)state;
    const struct mutant *mutant = mutant_find("snapshot-empty");
    assert_non_null(mutant);
    bool caught = false;
    for (uint64_t seed = 1; seed <= 20 && !caught; seed++) {
        struct proof_result r = play(seed, 16, mutant);
        caught = r.verdict == PROOF_WRONG;
        assert_true(!caught || strlen(r.what) > 0);
    }
    assert_true(caught);
}

static void
test_mutants_are_known_by_name(void **state)
{
    (void)state;
    bool world[64] = {false}, gate[64] = {false};
    uint32_t count = 0;
    for (const struct mutant *m; (m = mutant_at(count)) != NULL; count++) {
        assert_ptr_equal(mutant_find(m->name), m); /* names are different */
        assert_true(strlen(m->doc) > 10);
        /* Each is wrong in one way, and no two in the same. */
        assert_true((m->world != WORLD_MUTANT_NONE) != (m->gate != GATE_MUTANT_NONE));
        assert_true(m->world < 64 && m->gate < 64);
        assert_false(m->world != WORLD_MUTANT_NONE && world[m->world]);
        assert_false(m->gate != GATE_MUTANT_NONE && gate[m->gate]);
        world[m->world] = gate[m->gate] = true;
    }
    assert_true(count >= 6);
    assert_null(mutant_find("no-such-mutant"));
    /* No way to be wrong is without a name: the numbers in use have no gaps. */
    bool gap[2] = {false, false};
    for (uint32_t i = 1; i < 64; i++) {
        assert_false(world[i] && gap[0]);
        assert_false(gate[i] && gap[1]);
        gap[0] |= !world[i];
        gap[1] |= !gate[i];
    }
}

static void
test_every_property_has_its_text(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PROOF_COUNT; i++) {
        assert_true(strlen(proof_property_text((enum proof_property)i)) > 10);
    }
    assert_string_equal(proof_verdict_name(PROOF_STUCK), "stuck");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_hash),
        cmocka_unit_test(test_what_is_counted_was_looked_at),
        cmocka_unit_test(test_a_mutant_is_caught),
        cmocka_unit_test(test_mutants_are_known_by_name),
        cmocka_unit_test(test_every_property_has_its_text),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
