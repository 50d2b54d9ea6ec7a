#include "app/spof.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODE(name, role, shard, state)                                                    \
    "{\"name\":\"" name "\",\"role\":\"" role "\",\"shard\":" shard ",\"state\":\"" state \
    "\",\"draining\":false}"

/* What stands alone, without the machine, as "what: name; ". */
static void
expect(const char *nodes, const char *engines, const char *expected)
{
    char text[2048], found[1024] = "";
    snprintf(text, sizeof text, "{\"nodes\":[%s],\"engines\":[%s]}", nodes, engines);
    json_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    json_t *alone = spof_find(list);
    size_t count = json_array_size(alone);
    assert_true(count > 0);
    for (size_t i = 0; i + 1 < count; i++) {
        const json_t *row = json_array_get(alone, i);
        strcat(found, json_string_value(json_object_get(row, "what")));
        strcat(found, ": ");
        strcat(found, json_string_value(json_object_get(row, "name")));
        strcat(found, "; ");
        assert_true(json_string_length(json_object_get(row, "dies")) > 0);
    }
    assert_string_equal(found, expected);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(alone, count - 1), "what")),
        "the only machine, and the keeper of all its processes");
    json_decref(alone);
    json_decref(list);
}

static void
two_of_each_do_not_stand_alone(void **state)
{
    (void)state;
    expect(
        NODE("home-1", "home", "1", "serving") "," NODE("home-2", "home", "1", "serving") "," NODE(
            "gate-1", "gate", "1", "serving") "," NODE("gate-2", "gate", "1", "serving"),
        "", "");
}

static void
one_does_whatever_else_is_there(void **state)
{
    (void)state;
    expect(
        NODE("home-1", "home", "1", "serving") "," NODE("home-2", "home", "1", "silent") "," NODE(
            "gate-1", "gate", "1", "serving") "," NODE("gate-2", "gate", "1", "serving"),
        "{\"name\":\"postgres\",\"role\":\"postgres\",\"state\":\"up\"},"
        "{\"name\":\"etcd\",\"role\":\"etcd\",\"state\":\"ended\"}",
        "the only home of shard 1: home-1; the only PostgreSQL server: postgres; "
        "the missing etcd server: etcd; ");
}

static void
shards_do_not_help_each_other(void **state)
{
    (void)state;
    expect(
        NODE("home-1", "home", "1", "serving") "," NODE("home-2", "home", "1", "serving") "," NODE(
            "gate-1", "gate", "1",
            "serving") "," NODE("gate-2", "gate", "1",
                                "serving") "," NODE("home-2-1", "home", "2",
                                                    "serving") "," NODE("home-2-2", "home", "2",
                                                                        "draining"),
        "", "the only home of shard 2: home-2-1; the missing gate of shard 2: ; ");
}

static void
relays_count_where_there_are_shards(void **state)
{
    (void)state;
    char nodes[1024] = "";
    static const char *const names[] = {
        NODE("home-1", "home", "1", "serving"),    NODE("home-2", "home", "1", "serving"),
        NODE("gate-1", "gate", "1", "serving"),    NODE("gate-2", "gate", "1", "serving"),
        NODE("home-2-1", "home", "2", "serving"),  NODE("home-2-2", "home", "2", "serving"),
        NODE("gate-2-1", "gate", "2", "serving"),  NODE("gate-2-2", "gate", "2", "serving"),
        NODE("relay-2-1", "relay", "2", "serving")};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        strcat(nodes, i > 0 ? "," : "");
        strcat(nodes, names[i]);
    }
    expect(nodes, "", "the missing relay of shard 1: ; the only relay of shard 2: relay-2-1; ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_of_each_do_not_stand_alone),
        cmocka_unit_test(one_does_whatever_else_is_there),
        cmocka_unit_test(shards_do_not_help_each_other),
        cmocka_unit_test(relays_count_where_there_are_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
