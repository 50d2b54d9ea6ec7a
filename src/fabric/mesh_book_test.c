/* The book of a gate, as homes tell it. */
#include "fabric/mesh_alone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* The home on that line lists one node, or nobody but itself. */
static void
tell(struct alone *a, uint32_t line, const struct node *self, const struct node *listed)
{
    uint8_t body[2 + 2 * MESH_NODE_BYTES_MAX];
    struct writer w = writer_over(body, sizeof body);
    write_u16(&w, listed != NULL ? 2 : 1);
    mesh_node_write(&w, self);
    if (listed != NULL) {
        mesh_node_write(&w, listed);
    }
    assert_true(writer_ok(&w));
    alone_frame(a, line, MESH_FRAME_BOOK, body, writer_used(&w));
    assert_true(a->lines[line].open);
}

static bool
is_known(const struct alone *a, uint64_t epoch)
{
    return book_find(mesh_book(a->mesh), epoch) != NULL;
}

/* A home whose watch is deaf lists for a while what was there before. */
static void
the_later_registration_is_believed_whoever_tells_it(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_GATE);
    struct node one = alone_node(NODE_HOME, 1, 2001), two = alone_node(NODE_HOME, 2, 2002);
    struct node old = alone_node(NODE_HOME, 9, 3000), new = alone_node(NODE_HOME, 9, 3001);
    uint32_t first = alone_link(&a, &one), second = alone_link(&a, &two);
    tell(&a, first, &one, &new);
    tell(&a, second, &two, &old);
    assert_true(is_known(&a, 3001) && !is_known(&a, 3000));
    tell(&a, first, &one, &new);
    new.epoch = 3002;
    tell(&a, second, &two, &new);
    assert_true(is_known(&a, 3002) && !is_known(&a, 3001));
    alone_close(&a);
}

/* A home that goes takes nothing away; the next word of one that is there does. */
static void
who_goes_takes_nobody_away(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_GATE);
    struct node one = alone_node(NODE_HOME, 1, 2001), two = alone_node(NODE_HOME, 2, 2002);
    struct node other = alone_node(NODE_HOME, 9, 3000);
    uint32_t first = alone_link(&a, &one), second = alone_link(&a, &two);
    tell(&a, first, &one, &other);
    tell(&a, second, &two, NULL);
    assert_true(is_known(&a, 3000)); /* the first one lists it */
    alone_break(&a, first, false);
    assert_true(is_known(&a, 3000));
    tell(&a, second, &two, NULL);
    assert_false(is_known(&a, 3000));
    alone_close(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_later_registration_is_believed_whoever_tells_it),
        cmocka_unit_test(who_goes_takes_nobody_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
