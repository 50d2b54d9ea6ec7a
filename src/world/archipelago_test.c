#include "world/archipelago.h"
#include "world/island_make.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void
test_sorted_and_found(void **state)
{
    (void)state;

    enum { COUNT = 200 };
    struct archipelago a;
    struct island_file files[COUNT] = {0};
    archipelago_init(&a);
    assert_null(archipelago_find(&a, 1));

    for (uint32_t n = 0; n < COUNT; n++) {
        uint32_t id =
            1 + n * 77 % COUNT * 5; /* 77 and 200 share no factor: each id once, unordered */
        assert_int_equal(island_make_plain(id, 30000, &files[n]), OK);
        assert_int_equal(archipelago_add(&a, island_file_slice(&files[n])), OK);
        assert_int_equal(archipelago_add(&a, island_file_slice(&files[n])), ERR_EXISTS);
    }
    assert_int_equal(a.count, COUNT);
    assert_int_equal(a.land_tiles, COUNT * 256);

    uint32_t cursor = 0, before = 0, seen = 0;
    for (const struct island *i; (i = archipelago_next(&a, &cursor)) != NULL; seen++) {
        assert_true(island_id(i) > before);
        before = island_id(i);
        assert_ptr_equal(archipelago_find(&a, before), i);
        assert_null(archipelago_find(&a, before + 1));
    }
    assert_int_equal(seen, COUNT);
    archipelago_fini(&a);
    for (uint32_t n = 0; n < COUNT; n++) {
        island_file_free(&files[n]);
    }
}

static void
test_refuses(void **state)
{
    (void)state;
    struct archipelago a;
    struct island_file *files = calloc(ARCHIPELAGO_ISLANDS_MAX + 1, sizeof *files);
    assert_non_null(files);
    archipelago_init(&a);
    assert_int_equal(archipelago_add(&a, (struct slice){.at = (const uint8_t *)"no", .bytes = 2}),
                     ERR_SHORT);

    for (uint32_t n = 0; n <= ARCHIPELAGO_ISLANDS_MAX; n++) {
        assert_int_equal(island_make_plain(n + 1, 1875, &files[n]), OK);
        enum err expected = n < ARCHIPELAGO_ISLANDS_MAX ? OK : ERR_FULL;
        assert_int_equal(archipelago_add(&a, island_file_slice(&files[n])), expected);
    }
    assert_int_equal(a.count, ARCHIPELAGO_ISLANDS_MAX);
    archipelago_fini(&a);

    struct island_file high = {0};
    archipelago_init(&a);
    assert_int_equal(island_make_plain(ARCHIPELAGO_ID_MAX + 1, 1875, &high), OK);
    assert_int_equal(archipelago_add(&a, island_file_slice(&high)), ERR_RANGE);
    assert_int_equal(a.count, 0);
    island_file_free(&high);
    archipelago_fini(&a);
    for (uint32_t n = 0; n <= ARCHIPELAGO_ISLANDS_MAX; n++) {
        island_file_free(&files[n]);
    }
    free(files);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_found),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests_name("archipelago", tests, NULL, NULL);
}
