#include "base/once.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
takes_each_once(void **state)
{
    (void)state;
    struct once once;
    once_init(&once, 4, 7);
    assert_true(once_take(&once, 1));
    assert_true(once_take(&once, 2));
    assert_false(once_take(&once, 1));
    assert_false(once_take(&once, 2));
    once_fini(&once);
}

/* Of the ring of 4 the oldest goes, and only that one. */
static void
forgets_the_oldest(void **state)
{
    (void)state;
    struct once once;
    once_init(&once, 4, 7);
    for (uint64_t id = 1; id <= 5; id++) {
        assert_true(once_take(&once, id));
    }
    assert_false(once_take(&once, 2));
    assert_false(once_take(&once, 5));
    assert_true(once_take(&once, 1));
    for (uint64_t id = 10; id < 1000; id++) {
        assert_true(once_take(&once, id));
        assert_int_equal(once.places.count, 4);
    }
    once_fini(&once);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_each_once),
                                       cmocka_unit_test(forgets_the_oldest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
