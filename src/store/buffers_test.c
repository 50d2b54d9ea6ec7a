/* Buffers by size, and alarms in the order of their times. */
#include "store/alarms.h"
#include "store/buffers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
each_size_has_room(void **state)
{
    (void)state;
    struct buffers buffers;
    buffers_init(&buffers, 64);
    static const size_t sizes[] = {0, 1, 512, 513, 16384, 20480, 20481, 1310720};
    struct buffer taken[8];
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(buffers_take(&buffers, sizes[i], &taken[i]), OK);
        memset(taken[i].at, 0xff, sizes[i]);
    }
    struct buffer none = {0};
    assert_int_equal(buffers_take(&buffers, 1310721, &none), ERR_TOO_LARGE);
    assert_null(none.at);
    buffers_give(&buffers, &none);
    for (uint32_t i = 0; i < 8; i++) {
        buffers_give(&buffers, &taken[i]);
        assert_null(taken[i].at);
    }
    buffers_fini(&buffers);
}

static void
small_ones_fall_back_on_larger_ones_until_all_are_taken(void **state)
{
    (void)state;
    struct buffers buffers;
    buffers_init(&buffers, 4);
    struct buffer taken[BUFFERS_SIZES * 4], more;
    for (uint32_t i = 0; i < BUFFERS_SIZES * 4; i++)
        assert_int_equal(buffers_take(&buffers, 10, &taken[i]), OK);
    assert_int_equal(buffers_take(&buffers, 10, &more), ERR_FULL);
    buffers_give(&buffers, &taken[3]);
    assert_int_equal(buffers_take(&buffers, 10, &more), OK);
    assert_int_equal(more.size, 0);
    buffers_fini(&buffers);
}

static void
alarms_come_in_order(void **state)
{
    (void)state;
    struct alarms alarms;
    alarms_init(&alarms, 1000);
    assert_int_equal(alarms_next_us(&alarms), INT64_MAX);
    for (uint64_t i = 0; i < 1000; i++)
        alarms_set(&alarms, (int64_t)(i * 7919 % 100), i);
    assert_int_equal(alarms_next_us(&alarms), 0);
    uint64_t n, before = 0, taken = 0;
    assert_false(alarms_take(&alarms, -1, &n));
    for (int64_t now = 0; now < 100; now++) {
        for (uint32_t of_this_time = 0; alarms_take(&alarms, now, &n); of_this_time++, taken++) {
            assert_int_equal(n * 7919 % 100, (uint64_t)now);
            assert_true(of_this_time == 0 || n > before); /* as they were set */
            before = n;
        }
    }
    assert_int_equal(taken, 1000);
    alarms_fini(&alarms);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size_has_room),
        cmocka_unit_test(small_ones_fall_back_on_larger_ones_until_all_are_taken),
        cmocka_unit_test(alarms_come_in_order),
    };
    return cmocka_run_group_tests_name("buffers", tests, NULL, NULL);
}
