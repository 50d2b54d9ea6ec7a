/* What stands under a node's key: it comes back as it was written, and what no node writes is
 * refused, with nothing changed. */
#include "directory.pb-c.h"
#include "env/directory.h"
#include "fabric/directory_node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct directory_node sample = {.node = {.role = NODE_GATE,
                                                      .shard = 3,
                                                      .index = 4,
                                                      .epoch = UINT64_C(1) << 62,
                                                      .protocol_min = 1,
                                                      .protocol_max = UINT16_MAX,
                                                      .draining = true,
                                                      .name = "gate-3-4",
                                                      .address = "127.0.0.1:7000",
                                                      .play = "[::1]:7777",
                                                      .version = "0.1.0"},
                                             .installation = UINT64_MAX,
                                             .life = 1};

/* As the key says it. */
static struct directory_node
identity(void)
{
    struct directory_node node = {.node = {.role = NODE_GATE, .shard = 3, .index = 4}};
    strcpy(node.node.name, "gate-3-4");
    return node;
}

static void
it_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[DIRECTORY_NODE_MAX];
    size_t count = directory_node_write(&sample, bytes);
    struct directory_node back = identity();
    assert_int_equal(directory_node_read((struct slice){bytes, count}, &back), OK);
    assert_true(node_is_same(&back.node, &sample.node));
    assert_string_equal(back.node.name, "gate-3-4"); /* of the key: an entry does not say it */
    assert_true(back.installation == sample.installation && back.life == sample.life);
}

static void
the_largest_one_has_room(void **state)
{
    (void)state;
    uint8_t bytes[DIRECTORY_NODE_MAX];
    struct directory_node large = sample, back = identity();
    large.node.epoch = large.life = UINT64_MAX;
    large.node.protocol_min = UINT16_MAX;
    memset(large.node.address, 'a', sizeof large.node.address - 1);
    memset(large.node.play, 'p', sizeof large.node.play - 1);
    memset(large.node.version, 'v', sizeof large.node.version - 1);
    size_t count = directory_node_write(&large, bytes);
    assert_int_equal(directory_node_read((struct slice){bytes, count}, &back), OK);
    assert_true(node_is_same(&back.node, &large.node));
}

/* Packs a message and wants it to be refused, whatever stood in *out before. */
static void
expect_refused(const Seom__DirectoryNode *m)
{
    uint8_t bytes[1024];
    struct directory_node out = identity(), before = out;
    assert_true(seom__directory_node__get_packed_size(m) <= sizeof bytes);
    size_t count = seom__directory_node__pack(m, bytes);
    assert_int_equal(directory_node_read((struct slice){bytes, count}, &out), ERR_FORMAT);
    assert_memory_equal(&out, &before, sizeof out);
}

static void
what_no_node_writes_is_refused(void **state)
{
    (void)state;
    char longer[LINE_ADDRESS_MAX + 1], lines[] = "two\nlines", bytes[] = "\xff";
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    Seom__DirectoryNode fine = SEOM__DIRECTORY_NODE__INIT, m;
    fine.installation = fine.life = 1;
    fine.protocol_min = 1;
    fine.protocol_max = 2;
    m = fine;
    m.installation = 0;
    expect_refused(&m);
    m = fine;
    m.life = 0;
    expect_refused(&m);
    m = fine;
    m.protocol_min = 3;
    expect_refused(&m);
    m = fine;
    m.protocol_max = UINT16_MAX + 1;
    expect_refused(&m);
    char *const wrong[] = {longer, lines, bytes};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        m = fine;
        m.address = wrong[i];
        expect_refused(&m);
        m = fine;
        m.play = wrong[i];
        expect_refused(&m);
        m = fine;
        m.version = wrong[i];
        expect_refused(&m);
    }
    struct directory_node out = identity();
    uint8_t *large = calloc(1, DIRECTORY_VALUE_MAX + 1);
    assert_non_null(large);
    assert_int_equal(directory_node_read((struct slice){large, DIRECTORY_VALUE_MAX + 1}, &out),
                     ERR_TOO_LARGE);
    assert_int_equal(directory_node_read((struct slice){large, 3}, &out), ERR_FORMAT);
    free(large);
}

/* A field of a later version, which this one does not know, is no reason to refuse its node. */
static void
a_later_version_may_say_more(void **state)
{
    (void)state;
    uint8_t bytes[DIRECTORY_NODE_MAX + 16];
    size_t count = directory_node_write(&sample, bytes);
    static const uint8_t more[] = {0xfa, 0x01, 0x03, 'n', 'e', 'w'}; /* field 31, a text */
    memcpy(bytes + count, more, sizeof more);
    struct directory_node back = identity();
    assert_int_equal(directory_node_read((struct slice){bytes, count + sizeof more}, &back), OK);
    assert_true(node_is_same(&back.node, &sample.node));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_as_it_was),
        cmocka_unit_test(the_largest_one_has_room),
        cmocka_unit_test(what_no_node_writes_is_refused),
        cmocka_unit_test(a_later_version_may_say_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
