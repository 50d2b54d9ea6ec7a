/* Who is linked with whom: the whole rule as a table. */
#include "fabric/mesh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
links_whom_the_rule_says(void **state)
{
    (void)state;

    static const struct {
        enum node_role a, b;
        bool in_one_shard, across;
    } rule[] = {
        {NODE_HOME, NODE_HOME, true, false},   {NODE_HOME, NODE_GATE, true, false},
        {NODE_HOME, NODE_RELAY, true, false},  {NODE_GATE, NODE_GATE, false, false},
        {NODE_GATE, NODE_RELAY, false, false}, {NODE_RELAY, NODE_RELAY, true, true},
    };

    _Static_assert(NODE_ROLES == 3, "a new role has rows of its own here");
    for (size_t i = 0; i < sizeof rule / sizeof rule[0]; i++) {
        struct node a = {.role = rule[i].a, .shard = 1, .index = 1};
        struct node b = {.role = rule[i].b, .shard = 1, .index = 2};
        assert_int_equal(mesh_nodes_link(&a, &b), rule[i].in_one_shard);
        assert_int_equal(mesh_nodes_link(&b, &a), rule[i].in_one_shard);
        b.shard = 2;
        assert_int_equal(mesh_nodes_link(&a, &b), rule[i].across);
        assert_int_equal(mesh_nodes_link(&b, &a), rule[i].across);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(links_whom_the_rule_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
