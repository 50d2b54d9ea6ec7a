#include "base/rand.h"
#include "fabric/book.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct node
node_of(uint64_t epoch, uint16_t shard, enum node_role role, uint16_t index)
{
    struct node node = {.epoch = epoch, .shard = shard, .role = role, .index = index};
    snprintf(node.name, sizeof node.name, "%s-%u", node_role_name(role), index);
    return node;
}

static void
names_are_of_a_cluster(void **state)
{
    char name[NODE_NAME_MAX];
    (void)state;
    node_name(NODE_HOME, 1, 2, name);
    assert_string_equal(name, "home-2");
    node_name(NODE_GATE, 3, 1, name);
    assert_string_equal(name, "gate-3-1");
    node_name(NODE_RELAY, UINT16_MAX, UINT16_MAX, name);
    assert_string_equal(name, "relay-65535-65535");
}

static void
nodes_are_found_by_epoch_and_by_identity(void **state)
{
    struct book *book = *state;
    struct node home = node_of(7, 0, NODE_HOME, 1), gate = node_of(9, 0, NODE_GATE, 1);
    assert_int_equal(book_put(book, &home), OK);
    assert_int_equal(book_put(book, &gate), OK);
    assert_string_equal(book_find(book, 9)->name, "gate-1");
    assert_int_equal(book_find_identity(book, 0, NODE_HOME, 1)->epoch, 7);
    assert_null(book_find(book, 8));
    assert_null(book_find_identity(book, 1, NODE_HOME, 1));
}

static void
an_identity_stands_once(void **state)
{
    struct book *book = *state;
    struct node first = node_of(7, 0, NODE_HOME, 1), second = node_of(11, 0, NODE_HOME, 1);
    assert_int_equal(book_put(book, &first), OK);
    assert_int_equal(book_put(book, &second), OK);
    assert_int_equal(book->count, 1);
    assert_null(book_find(book, 7));
    assert_false(book_remove(book, 7));
    assert_true(book_remove(book, 11));
    assert_false(book_remove_identity(book, 0, NODE_HOME, 1));
}

static void
the_lowest_maximum_is_written(void **state)
{
    struct book *book = *state;
    assert_int_equal(book_protocol(book, 3), 3); /* nobody else */
    struct node home = node_of(7, 0, NODE_HOME, 1), gate = node_of(9, 1, NODE_GATE, 1);
    home.protocol_max = 4;
    gate.protocol_max = 2;
    assert_int_equal(book_put(book, &home), OK);
    assert_int_equal(book_protocol(book, 3), 3);
    assert_int_equal(book_put(book, &gate), OK);
    assert_int_equal(book_protocol(book, 3), 2);
    gate.protocol_max = 3; /* it came back as the next version */
    assert_int_equal(book_put(book, &gate), OK);
    assert_int_equal(book_protocol(book, 4), 3);
    assert_true(book_remove(book, 9));
    assert_int_equal(book_protocol(book, 4), 4);
}

static void
the_revision_tells_of_changes_only(void **state)
{
    struct book *book = *state;
    struct node home = node_of(7, 0, NODE_HOME, 1);
    assert_int_equal(book_put(book, &home), OK);
    uint64_t revision = book->revision;
    assert_int_equal(book_put(book, &home), OK);
    assert_int_equal(book->revision, revision);
    home.draining = true;
    assert_int_equal(book_put(book, &home), OK);
    assert_int_equal(book->revision, revision + 1);
    assert_true(book_remove_identity(book, 0, NODE_HOME, 1));
    assert_int_equal(book->revision, revision + 2);
}

static void
nodes_stand_in_order_up_to_the_limit(void **state)
{
    struct book *book = *state;
    struct rand rand;
    rand_seed(&rand, 5);
    while (book->count < BOOK_NODES_MAX) {
        struct node node =
            node_of(rand_next(&rand), (uint16_t)rand_below(&rand, 4),
                    (enum node_role)rand_below(&rand, NODE_ROLES), (uint16_t)rand_below(&rand, 99));
        assert_int_equal(book_put(book, &node), OK);
    }
    struct node one_more = node_of(1, 9, NODE_HOME, 0);
    assert_int_equal(book_put(book, &one_more), ERR_FULL);
    for (uint32_t i = 1; i < book->count; i++) {
        const struct node *a = &book->nodes[i - 1], *b = &book->nodes[i];
        uint64_t a_order = (uint64_t)a->shard << 32 | (uint64_t)a->role << 16 | a->index;
        uint64_t b_order = (uint64_t)b->shard << 32 | (uint64_t)b->role << 16 | b->index;
        assert_true(a_order < b_order);
    }
}

static int
setup(void **state)
{
    *state = calloc(1, sizeof(struct book));
    return *state == NULL;
}

static int
teardown(void **state)
{
    free(*state);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {CASE(names_are_of_a_cluster),
                                       CASE(nodes_are_found_by_epoch_and_by_identity),
                                       CASE(an_identity_stands_once),
                                       CASE(the_lowest_maximum_is_written),
                                       CASE(the_revision_tells_of_changes_only),
                                       CASE(nodes_stand_in_order_up_to_the_limit)};
    return cmocka_run_group_tests_name("book", tests, NULL, NULL);
}
