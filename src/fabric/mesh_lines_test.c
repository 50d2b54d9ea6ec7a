/* Greetings that come in the wrong order of events. */
#include "fabric/mesh_alone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* Unlike one whom we knew and buried, it was never our peer: its number alone says that it is over.
 */
static void
who_was_replaced_before_it_came_is_told_so(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node old = alone_node(NODE_HOME, 1, 2000), new = alone_node(NODE_HOME, 1, 2001);
    struct node gate = alone_node(NODE_GATE, 1, 2001), gate_again = alone_node(NODE_GATE, 1, 5);
    uint32_t first = alone_link(&a, &new), second = alone_accept(&a);
    alone_hello(&a, second, &old);
    assert_int_equal(a.lines[second].refusal, REFUSE_REPLACED);
    assert_int_equal(a.lines[second].said[MESH_FRAME_WELCOME], 0);
    assert_true(a.lines[first].open && !mesh_is_dead(a.mesh, 2001));
    /* Epochs of gates are drawn: which of two is the later one they do not tell. */
    gate.epoch = 3000;
    alone_link(&a, &gate);
    alone_link(&a, &gate_again);
    assert_int_equal(a.ups, 3);
    alone_close(&a);
}

/* Its hello was fine when it came; by the time it welcomes us the book names another process. */
static void
who_is_replaced_while_it_greets_gets_no_link(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node old = alone_node(NODE_HOME, 1, 2000), new = alone_node(NODE_HOME, 1, 2001);
    alone_list(&a, &old);
    alone_run(&a, 1000);
    uint32_t line = alone_accept(&a);
    alone_hello(&a, line, &old);
    assert_int_equal(a.lines[line].said[MESH_FRAME_WELCOME], 1);
    alone_list(&a, &new);
    alone_run(&a, 1000);
    assert_true(mesh_is_dead(a.mesh, 2000));
    if (a.lines[line].open) {
        alone_frame(&a, line, MESH_FRAME_WELCOME, NULL, 0);
        assert_int_equal(a.lines[line].refusal, REFUSE_DEAD);
    }
    assert_int_equal(a.ups, 0);
    alone_close(&a);
}

/* Until it has another name: what it would say of others is worth nothing. */
static void
who_is_dead_itself_judges_nobody(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node judge = alone_node(NODE_HOME, 1, 3000), other = alone_node(NODE_HOME, 2, 3001);
    uint8_t why = REFUSE_DEAD;
    uint32_t line = alone_accept(&a);
    alone_hello(&a, line, &judge);
    alone_frame(&a, line, MESH_FRAME_REFUSE, &why, 1);
    alone_run(&a, 1000);
    assert_int_equal(a.dead_selfs, 1);
    line = alone_accept(&a);
    alone_hello(&a, line, &other);
    assert_int_equal(a.lines[line].refusal, REFUSE_BUSY);
    struct node self = a.self;
    self.epoch = 4000;
    mesh_self(a.mesh, &self);
    alone_run(&a, SECOND);
    line = alone_link(&a, &other);
    assert_int_equal(a.ups, 1);
    alone_close(&a);
}

/* Before it is known who speaks no more is kept for him than a hello. */
static void
a_stranger_says_no_more_than_a_hello(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    for (uint32_t more = 0; more < 2; more++) {
        uint32_t line = alone_accept(&a);
        uint8_t head[LANE_HEAD_BYTES];
        struct writer w = writer_over(head, sizeof head);
        write_u32(&w, 1 + MESH_HELLO_MAX + more);
        write_u8(&w, MESH_FRAME_HELLO);
        alone_bytes(&a, line, head, sizeof head);
        assert_int_equal(a.lines[line].open, more == 0);
    }
    assert_int_equal(mesh_stats(a.mesh)->malformed, 1);
    alone_close(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_replaced_before_it_came_is_told_so),
        cmocka_unit_test(who_is_replaced_while_it_greets_gets_no_link),
        cmocka_unit_test(who_is_dead_itself_judges_nobody),
        cmocka_unit_test(a_stranger_says_no_more_than_a_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
