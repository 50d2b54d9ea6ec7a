#include "fabric/mesh_frames.h"
#include "wire/limits.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct node
sample(void)
{
    return (struct node){.epoch = 0x1122334455667788,
                         .role = NODE_GATE,
                         .shard = 3,
                         .index = 500,
                         .protocol_min = 1,
                         .protocol_max = 2,
                         .draining = true,
                         .name = "gate-500",
                         .address = "127.0.0.1:7001",
                         .play = "[::1]:7000",
                         .version = "0.1.0-abcdef"};
}

static void
hellos_return(void **state)
{
    (void)state;
    struct mesh_hello out = {.world = 9,
                             .probe = true,
                             .schema = UINT64_MAX - 1,
                             .world_ms = WORLD_MS_MAX,
                             .node = sample()},
                      in;
    uint8_t body[MESH_HELLO_MAX + 8];
    size_t n = mesh_hello_write(&out, body);
    assert_int_equal(mesh_hello_read((struct slice){body, n}, &in), OK);
    assert_true(node_is_same(&in.node, &out.node));
    assert_true(in.world == 9 && in.probe && in.schema == out.schema &&
                in.world_ms == out.world_ms);
    /* A later version may say more. */
    memset(body + n, 7, 8);
    assert_int_equal(mesh_hello_read((struct slice){body, n + 8}, &in), OK);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(mesh_hello_read((struct slice){body, cut}, &in), ERR_FORMAT);
    }
    body[0] ^= 1;
    assert_int_equal(mesh_hello_read((struct slice){body, n}, &in), ERR_FORMAT);
}

static enum err
read_spoiled(size_t at, uint8_t value, struct node *node)
{
    uint8_t body[MESH_NODE_BYTES_MAX];
    struct writer w = writer_over(body, sizeof body);
    struct node whole = sample();
    mesh_node_write(&w, &whole);
    assert_true(writer_ok(&w));
    body[at] = value;
    struct reader r = reader_over(body, writer_used(&w));
    return mesh_node_read(&r, node);
}

static void
nodes_are_checked(void **state)
{
    (void)state;
    struct node node;
    assert_int_equal(read_spoiled(0, 0x88, &node), OK);
    assert_int_equal(read_spoiled(8, NODE_ROLES, &node), ERR_FORMAT);
    assert_int_equal(read_spoiled(13, 3, &node), ERR_FORMAT);  /* protocol min above max */
    assert_int_equal(read_spoiled(18, 24, &node), ERR_FORMAT); /* a name too long */
    /* Names go to logs. */
    assert_int_equal(read_spoiled(19, '\n', &node), OK);
    assert_string_equal(node.name, "?ate-500");
}

static void
the_largest_node_fits(void **state)
{
    (void)state;
    struct mesh_hello hello = {.node = sample()};
    memset(hello.node.name, 'n', NODE_NAME_MAX - 1);
    memset(hello.node.version, 'v', NODE_NAME_MAX - 1);
    memset(hello.node.address, 'a', LINE_ADDRESS_MAX - 1);
    memset(hello.node.play, 'p', LINE_ADDRESS_MAX - 1);
    uint8_t body[MESH_HELLO_MAX], node[MESH_NODE_BYTES_MAX];
    assert_true(mesh_hello_write(&hello, body) <= MESH_HELLO_MAX);
    struct writer w = writer_over(node, sizeof node);
    mesh_node_write(&w, &hello.node);
    assert_true(writer_ok(&w));
    /* So does a whole book, with the gates of a home. */
    assert_true(2 + (BOOK_NODES_MAX + 1) * writer_used(&w) <= MESH_BODY_MAX);
}

static void
beats_and_words_return(void **state)
{
    (void)state;
    uint8_t body[MESH_HELLO_MAX];
    struct mesh_beat beat = {.sent_us = INT64_MIN, .world_ms = 17, .load = 70000, .draining = true};
    struct mesh_beat beat_in;
    size_t n = mesh_beat_write(&beat, body);
    assert_int_equal(mesh_beat_read((struct slice){body, n}, &beat_in), OK);
    assert_true(beat_in.sent_us == INT64_MIN && beat_in.world_ms == 17 && beat_in.draining &&
                beat_in.load == 70000);
    assert_int_equal(mesh_beat_read((struct slice){body, n - 1}, &beat_in), ERR_FORMAT);
    beat.world_ms = -1;
    n = mesh_beat_write(&beat, body);
    assert_int_equal(mesh_beat_read((struct slice){body, n}, &beat_in), ERR_FORMAT);
    struct mesh_seen seen = {.epoch = 5, .sight = SIGHT_NOT_MET}, seen_in;
    n = mesh_seen_write(&seen, body);
    assert_int_equal(mesh_seen_read((struct slice){body, n}, &seen_in), OK);
    assert_true(seen_in.epoch == 5 && seen_in.sight == SIGHT_NOT_MET);
    body[8] = SIGHTS;
    assert_int_equal(mesh_seen_read((struct slice){body, n}, &seen_in), ERR_FORMAT);
    uint64_t epoch;
    n = mesh_epoch_write(77, body);
    assert_int_equal(mesh_epoch_read((struct slice){body, n}, &epoch), OK);
    assert_int_equal(epoch, 77);
    assert_int_equal(mesh_epoch_read((struct slice){body, 7}, &epoch), ERR_FORMAT);
}

static void
every_refusal_has_a_text(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 256; i++) {
        assert_true(strlen(mesh_refusal_text((uint8_t)i)) > 5);
    }
    assert_string_not_equal(mesh_refusal_text(REFUSE_DEAD), mesh_refusal_text(MESH_REFUSALS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hellos_return),
        cmocka_unit_test(nodes_are_checked),
        cmocka_unit_test(the_largest_node_fits),
        cmocka_unit_test(beats_and_words_return),
        cmocka_unit_test(every_refusal_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
