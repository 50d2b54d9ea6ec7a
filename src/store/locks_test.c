#include "store/locks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOLDERS 4

static void
test_in_order_of_arrival(void **state)
{
    (void)state;
    struct locks locks;
    locks_init(&locks, HOLDERS, 2);
    assert_int_equal(locks_take(&locks, 7, 0), LOCK_YOURS);
    assert_int_equal(locks_take(&locks, 7, 0), LOCK_YOURS); /* has it already */
    assert_false(locks_try(&locks, 7, 3));                  /* does not wait */
    assert_int_equal(locks_take(&locks, 7, 2), LOCK_WAIT);
    assert_int_equal(locks_take(&locks, 7, 1), LOCK_WAIT);
    assert_int_equal(locks_give(&locks, 7, 0), 2);
    assert_int_equal(locks_take(&locks, 7, 0), LOCK_WAIT);
    assert_int_equal(locks_give(&locks, 7, 2), 1);
    assert_int_equal(locks_give(&locks, 7, 1), 0);
    assert_int_equal(locks_give(&locks, 7, 0), LOCKS_NONE);
    assert_true(locks_try(&locks, 7, 3));
    assert_int_equal(locks_give(&locks, 7, 3), LOCKS_NONE);
    locks_fini(&locks);
}

static void
test_keys_do_not_mix(void **state)
{
    (void)state;
    struct locks locks;
    locks_init(&locks, HOLDERS, 2);
    assert_int_equal(locks_take(&locks, 1, 0), LOCK_YOURS);
    assert_int_equal(locks_take(&locks, 2, 1), LOCK_YOURS);
    assert_int_equal(locks_take(&locks, 3, 0), LOCK_YOURS);
    assert_int_equal(locks_take(&locks, 1, 2), LOCK_WAIT);
    assert_int_equal(locks_take(&locks, 2, 3), LOCK_WAIT);
    assert_int_equal(locks_give(&locks, 1, 0), 2);
    assert_int_equal(locks_give(&locks, 3, 0), LOCKS_NONE);
    assert_int_equal(locks_give(&locks, 2, 1), 3);
    locks_fini(&locks);
}

static void
test_a_queue_has_an_end(void **state)
{
    (void)state;
    struct locks locks;
    locks_init(&locks, LOCKS_WAITERS_MAX + 2, 1);
    assert_int_equal(locks_take(&locks, 9, 0), LOCK_YOURS);
    for (uint32_t n = 1; n <= LOCKS_WAITERS_MAX; n++)
        assert_int_equal(locks_take(&locks, 9, n), LOCK_WAIT);
    assert_int_equal(locks_take(&locks, 9, LOCKS_WAITERS_MAX + 1), LOCK_FULL);
    assert_int_equal(locks_give(&locks, 9, 0), 1);
    assert_int_equal(locks_take(&locks, 9, LOCKS_WAITERS_MAX + 1), LOCK_WAIT);
    for (uint32_t n = 1; n <= LOCKS_WAITERS_MAX; n++)
        assert_int_equal(locks_give(&locks, 9, n), n + 1);
    assert_int_equal(locks_give(&locks, 9, LOCKS_WAITERS_MAX + 1), LOCKS_NONE);
    locks_fini(&locks);
}

/* Everybody at the limit of keys at once, and again after all were given back. */
static void
test_as_many_as_promised(void **state)
{
    (void)state;
    struct locks locks;
    locks_init(&locks, HOLDERS, 16);
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t key = 1; key <= HOLDERS * 16; key++)
            assert_int_equal(locks_take(&locks, key + round * 1000, (uint32_t)(key % HOLDERS)),
                             LOCK_YOURS);
        for (uint64_t key = 1; key <= HOLDERS * 16; key++)
            assert_int_equal(locks_give(&locks, key + round * 1000, (uint32_t)(key % HOLDERS)),
                             LOCKS_NONE);
    }
    locks_fini(&locks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_of_arrival),
        cmocka_unit_test(test_keys_do_not_mix),
        cmocka_unit_test(test_a_queue_has_an_end),
        cmocka_unit_test(test_as_many_as_promised),
    };
    return cmocka_run_group_tests_name("store/locks", tests, NULL, NULL);
}
