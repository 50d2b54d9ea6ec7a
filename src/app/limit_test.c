#include "app/limit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Not how fast, but that it measures what was asked for. */
static void
test_small_run(void **state)
{
    (void)state;
    const struct limit_options o = {.connections = 20,
                                    .bytes = 100,
                                    .pieces = 3,
                                    .seconds = 1,
                                    .sends_per_s = 2000,
                                    .receives_per_s = 1000};
    struct limit_result r = bench_limit_run(&o);
    assert_string_equal(r.why, "");
    assert_int_equal(r.error, OK);
    assert_int_equal(r.sends, 2000);
    assert_int_equal(r.would_block, 0);
    assert_true(r.receives > 0 && r.receives <= 1100);
    assert_true(r.send_us > 0 && r.receive_us > 0);
    assert_true(r.cpu_share > 0 && r.cpu_share <= 1);
}

static void
test_out_of_range(void **state)
{
    (void)state;
    const struct limit_options good = {.connections = 1, .bytes = 1, .pieces = 1, .seconds = 1};
    struct limit_options o = good;
    o.pieces = 2; /* more pieces than bytes */
    assert_int_equal(bench_limit_run(&o).error, ERR_RANGE);
    o = good;
    o.connections = LIMIT_CONNECTIONS_MAX + 1;
    assert_int_equal(bench_limit_run(&o).error, ERR_RANGE);
    o = good;
    o.bytes = LIMIT_BYTES_MAX + 1;
    assert_int_equal(bench_limit_run(&o).error, ERR_RANGE);
    o = good;
    o.seconds = 0;
    assert_int_equal(bench_limit_run(&o).error, ERR_RANGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_run),
        cmocka_unit_test(test_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
