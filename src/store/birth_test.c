#include "store/birth.h"
#include "store/desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WALL_MS INT64_C(1700000000000)

static void
run(struct desk *desk, struct birth *b)
{
    for (int i = 0; i < 400 && b->state != BIRTH_DONE && b->state != BIRTH_FAILED; i++) {
        birth_turn(b);
        desk_settle(desk);
        desk_run_ms(desk, 100);
    }
}

static void
the_first_node_makes_the_world(void **state)
{
    (void)state;
    struct desk *desk = desk_alloc(1);
    struct birth first, second;
    birth_init(&first, &desk->store, DESK_WORLD, WALL_MS, 7);
    run(desk, &first);
    assert_int_equal(first.state, BIRTH_DONE);
    assert_int_equal(first.wall_ms, WALL_MS);
    assert_int_equal(first.saved_world_ms, 0);
    birth_init(&second, &desk->store, DESK_WORLD, WALL_MS + 999, 8);
    run(desk, &second);
    assert_int_equal(second.state, BIRTH_DONE);
    assert_int_equal(second.wall_ms, WALL_MS);
    assert_int_equal(second.seed, 7);
    desk_free(desk);
}

static void
two_at_once_agree(void **state)
{
    (void)state;
    struct desk *desk = desk_alloc(2);
    struct birth a, b;
    birth_init(&a, &desk->store, DESK_WORLD, WALL_MS, 7);
    birth_init(&b, &desk->store, DESK_WORLD, WALL_MS + 5, 8);
    birth_turn(&a);
    birth_turn(&b);
    run(desk, &a);
    run(desk, &b);
    assert_int_equal(a.state, BIRTH_DONE);
    assert_int_equal(b.state, BIRTH_DONE);
    assert_int_equal(a.wall_ms, b.wall_ms);
    assert_int_equal(a.seed, b.seed);
    desk_free(desk);
}

/* Whatever the engine says to a write, all nodes have one birth. */
static void
doubt_is_answered_by_reading(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct desk *desk = desk_alloc(seed);
        struct birth a, b;
        desk_faults(desk, 300000, 300000, 100000, 200000);
        birth_init(&a, &desk->store, DESK_WORLD, WALL_MS, 7);
        run(desk, &a);
        birth_init(&b, &desk->store, DESK_WORLD, WALL_MS + 5, 8);
        run(desk, &b);
        assert_int_equal(a.state, BIRTH_DONE);
        assert_int_equal(b.state, BIRTH_DONE);
        assert_int_equal(a.seed, b.seed);
        desk_free(desk);
    }
}

static void
what_is_none_of_ours_is_refused(void **state)
{
    (void)state;
    struct desk *desk = desk_alloc(3);
    struct birth b;
    desk_put(desk, "0001/meta/birth", "\x08\x01\x18\x63", 4); /* format 99 */
    birth_init(&b, &desk->store, DESK_WORLD, WALL_MS, 7);
    run(desk, &b);
    assert_int_equal(b.state, BIRTH_FAILED);
    assert_true(b.newer);
    desk_free(desk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_node_makes_the_world),
        cmocka_unit_test(two_at_once_agree),
        cmocka_unit_test(doubt_is_answered_by_reading),
        cmocka_unit_test(what_is_none_of_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
