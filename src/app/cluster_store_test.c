/* How the addresses of a store's servers stand in one text. */
#include "app/cluster_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
expect(const char *addresses, uint32_t count, const char *first)
{
    struct slice found;
    assert_int_equal(cluster_store_addresses(addresses, &found), count);
    assert_int_equal(found.bytes, strlen(first));
    if (found.bytes > 0)
        assert_memory_equal(found.at, first, found.bytes);
}

static void
addresses_are_told_apart(void **state)
{
    (void)state;
    expect("postgresql:///a?host=/x", 1, "postgresql:///a?host=/x");
    expect(" postgresql:///a ;\n", 1, "postgresql:///a");
    expect("postgresql:///a;postgresql:///b", 2, "postgresql:///a");
    expect("postgresql:///a postgresql:///b\tpostgresql:///c", 3, "postgresql:///a");
    /* Several hosts of one server, of which one takes writes. */
    expect("postgresql://h1:1,h2:2/a", 1, "postgresql://h1:1,h2:2/a");
}

static void
words_are_one_address(void **state)
{
    (void)state;
    expect("host=/tmp dbname=seom", 1, "host=/tmp dbname=seom");
}

static void
nothing_is_no_address(void **state)
{
    (void)state;
    expect("", 0, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(words_are_one_address),
        cmocka_unit_test(nothing_is_no_address),
    };
    return cmocka_run_group_tests_name("cluster_store", tests, NULL, NULL);
}
