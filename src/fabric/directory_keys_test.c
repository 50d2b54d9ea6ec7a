#include "fabric/directory_keys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
keys_of_nodes_go_there_and_back(void **state)
{
    (void)state;
    struct directory_place place = {.shard = 2, .role = "home", .index = 4294967295}, back;
    struct directory_key key = directory_key_of_node(1, &place);
    assert_string_equal(key.text, "/seom/1/2/home/4294967295");
    assert_true(directory_key_is_node(1, directory_key_slice(&key), &back));
    assert_int_equal(back.shard, 2);
    assert_int_equal(back.index, 4294967295);
    assert_string_equal(back.role, "home");
    assert_false(directory_key_is_node(2, directory_key_slice(&key), &back));
}

static void
other_keys_are_no_nodes(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "/seom/1/",
        "/seom/1/store",
        "/seom/1/2/home",
        "/seom/1/2/home/",
        "/seom/1/2/home/01",
        "/seom/1/2/home/1/",
        "/seom/1/2/home/1x",
        "/seom/1/2/Home/1",
        "/seom/1/2//1",
        "/seom/1/-2/home/1",
        "/seom/1/2/home/4294967296",
        "/seom/1/2/sixteen-letters/1",
        "/seom/1/2/abcdefghijklmnop/1",
        "/seom/1/99999999999999999999/home/1",
    };
    struct directory_place place;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(directory_key_is_node(1, text(others[i]), &place));
    static const char inside[] = "/seom/1/2/home/1\0002";
    assert_false(directory_key_is_node(
        1, (struct slice){(const uint8_t *)inside, sizeof inside - 1}, &place));
}

static void
tables_are_known_by_name(void **state)
{
    (void)state;
    struct directory_key key = directory_key_of_table(7, "islands");
    assert_string_equal(key.text, "/seom/7/islands");
    assert_true(directory_key_is_table(7, directory_key_slice(&key), "islands"));
    assert_false(directory_key_is_table(7, directory_key_slice(&key), "other"));
    assert_false(directory_key_is_table(8, directory_key_slice(&key), "islands"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_of_nodes_go_there_and_back),
                                       cmocka_unit_test(other_keys_are_no_nodes),
                                       cmocka_unit_test(tables_are_known_by_name)};
    return cmocka_run_group_tests_name("directory_keys", tests, NULL, NULL);
}
