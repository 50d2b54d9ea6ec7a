/* The own entry at the ends of its life, while the directory does not do what it should. What
 * happens in between stands in directory_test.c. */
#include "fabric/directory_fleet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Whoever stops a node while the directory is away does not wait for it: the lease runs out by
 * itself. */
static void
who_leaves_without_an_answer_leaves_all_the_same(void **state)
{
    (void)state;
    struct fleet *f = fleet_alloc(3, DIRECTORY_MUTANT_NONE);
    struct fleet_node *n = fleet_start(f, 0, 0, 100);
    (void)fleet_start(f, 1, 1, 101);
    fleet_run_ms(f, 1000);
    memory_directory_set_away(f->model, true);
    fleet_run_ms(f, 5000);
    directory_leave(n->directory);
    fleet_run_ms(f, 2 * DIRECTORY_CALL_MS + 5000); /* and a pause between two calls */
    assert_true(n->left);
    assert_int_equal(directory_epoch(n->directory), 0);
    memory_directory_set_away(f->model, false);
    fleet_run_ms(f, DIRECTORY_TTL_S * 1000 + DIRECTORY_RELIST_MS);
    assert_true(fleet_agrees(f));
    assert_int_equal(directory_book(f->nodes[1].directory)->count, 1);
    fleet_free(&f);
}

/* What a node knew of epochs when it started says nothing of those that were given since. */
static void
a_rejoin_measures_by_what_is_known_now(void **state)
{
    (void)state;
    struct fleet *f = fleet_alloc(3, DIRECTORY_MUTANT_NONE);
    struct fleet_node *n = fleet_start(f, 0, 0, 100);
    fleet_run_ms(f, 1000);
    for (uint32_t round = 0; round < 8; round++) { /* higher epochs */
        (void)fleet_start(f, 7, 7, 107);
        fleet_run_ms(f, 500);
        fleet_kill(f, 7);
    }
    (void)fleet_start(f, 1, 1, 101);
    fleet_run_ms(f, 15000);
    uint64_t epoch = f->nodes[1].epoch;
    memory_directory_wipe(f->model);
    fleet_run_ms(f, 5000);
    assert_true(fleet_agrees(f)); /* both put themselves back */
    n->rejoined = true;
    directory_rejoin(n->directory);
    fleet_run_ms(f, 5000);
    assert_true(n->refused);
    assert_non_null(strstr(n->why, "lost its history"));
    assert_int_equal(n->claimed, 1);
    assert_int_equal(f->nodes[1].epoch, epoch);
    fleet_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leaves_without_an_answer_leaves_all_the_same),
        cmocka_unit_test(a_rejoin_measures_by_what_is_known_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
