#include "base/rand.h"
#include "society/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 20000

struct item {
    struct table_key key;
    uint64_t value;
};

static struct table_key
key_of(uint64_t n)
{
    return (struct table_key){.id = rand_mix(n, 1), .rest = 1 + n % 3};
}

static void
items_are_found_again(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, sizeof(struct item), MANY, NULL);
    for (uint64_t n = 0; n < MANY; n++) {
        struct item *item = table_reach(&table, key_of(n));
        assert_non_null(item);
        assert_int_equal(item->value, 0);
        item->value = n + 1;
    }
    assert_null(table_reach(&table, key_of(MANY)));
    uint64_t sum = 0, count = 0;
    for (uint64_t n = 0; n < MANY; n++)
        assert_int_equal(((struct item *)table_reach(&table, key_of(n)))->value, n + 1);
    const struct item *item;
    for (uint64_t cursor = 0; (item = table_next(&table, &cursor)) != NULL; count++)
        sum += item->value;
    assert_int_equal(count, MANY);
    assert_int_equal(sum, (uint64_t)MANY * (MANY + 1) / 2);
    table_fini(&table);
}

static void
keys_differ_in_both_halves(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, sizeof(struct item), 10, NULL);
    void *first = table_reach(&table, (struct table_key){.id = 0, .rest = 1});
    assert_ptr_equal(table_reach(&table, (struct table_key){.id = 0, .rest = 1}), first);
    assert_ptr_not_equal(table_reach(&table, (struct table_key){.id = 0, .rest = 2}), first);
    assert_ptr_not_equal(table_reach(&table, (struct table_key){.id = 1, .rest = 1}), first);
    assert_int_equal(table.count, 3);
    table_fini(&table);
}

static bool
is_zero(const void *item)
{
    return ((const struct item *)item)->value == 0;
}

/* Things that come and go, far more than the limit, of which few are there at a time. */
static void
what_is_needless_makes_room(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, sizeof(struct item), 2000, is_zero);
    for (uint64_t n = 0; n < MANY; n++) {
        struct item *item = table_reach(&table, key_of(n));
        assert_non_null(item);
        item->value = 1;
        if (n >= 100)
            ((struct item *)table_reach(&table, key_of(n - 100)))->value = 0;
    }
    assert_in_range(table.capacity, 1, 8192);
    for (uint64_t n = MANY - 100; n < MANY; n++)
        assert_int_equal(((struct item *)table_reach(&table, key_of(n)))->value, 1);
    table_fini(&table);
}

static bool
value_is_even(const void *item)
{
    return ((const struct item *)item)->value % 2 == 0;
}

static void
count_left(void *ctx, const void *item)
{
    assert_int_equal(((const struct item *)item)->value % 2, 0);
    ++*(uint64_t *)ctx;
}

/* What is left behind is told of, once, and only then it is not found any more. */
static void
what_is_left_behind_is_told(void **state)
{
    (void)state;
    struct table table;
    uint64_t left = 0, found = 0;
    table_init(&table, sizeof(struct item), MANY, value_is_even);
    table.left = count_left;
    table.left_ctx = &left;
    assert_null(table_find(&table, key_of(0)));
    for (uint64_t n = 0; n < MANY; n++)
        ((struct item *)table_reach(&table, key_of(n)))->value = n;
    for (uint64_t n = 0; n < MANY; n++) {
        const struct item *item = table_find(&table, key_of(n));
        if (item != NULL)
            assert_int_equal(item->value, n);
        found += item != NULL;
        assert_true(item != NULL || n % 2 == 0);
    }
    assert_true(left > MANY / 8);
    assert_int_equal(found + left, MANY);
    table_fini(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_found_again),
        cmocka_unit_test(keys_differ_in_both_halves),
        cmocka_unit_test(what_is_needless_makes_room),
        cmocka_unit_test(what_is_left_behind_is_told),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
