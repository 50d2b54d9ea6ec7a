#include "base/map.h"
#include "store/desk.h"
#include "store/ids.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t
take(struct desk *desk, struct ids *ids)
{
    uint64_t id = 0;
    enum err error = ids_take(ids, &id);
    for (uint32_t tries = 0; error == ERR_UNAVAILABLE; tries++) {
        assert_true(tries < 10000);
        desk_run_ms(desk, 10);
        error = ids_take(ids, &id);
    }
    assert_int_equal(error, OK);
    assert_int_equal(id_world(id), DESK_WORLD);
    return id;
}

static void
ids_begin_at_one_and_are_dense(void **state)
{
    struct desk *desk = *state;
    struct ids ids;
    ids_init(&ids, &desk->store, DESK_WORLD, "player");
    uint64_t id;
    assert_int_equal(ids_take(&ids, &id), ERR_UNAVAILABLE);
    ids_prepare(&ids); /* asking twice leases once */
    desk_settle(desk);
    for (uint64_t counter = 1; counter < 1000; counter++) {
        assert_int_equal(ids_take(&ids, &id), OK);
        assert_int_equal(id, 1ULL << 48 | counter);
    }
    assert_int_equal(ids.blocks, 1);
}

static void
the_next_block_is_there_before_this_one_ends(void **state)
{
    struct desk *desk = *state;
    struct ids ids;
    ids_init(&ids, &desk->store, DESK_WORLD, "player");
    uint64_t previous = take(desk, &ids);
    for (uint64_t i = 0; i < 2 * IDS_BLOCK + 100; i++) {
        uint64_t id;
        assert_int_equal(ids_take(&ids, &id), OK); /* never waits */
        assert_int_equal(id, previous + 1);        /* nobody else leases: no gap */
        previous = id;
        if (i % 1000 == 0)
            desk_settle(desk);
    }
    assert_in_range(ids.blocks, 3, 4);
}

static void
kinds_do_not_share_a_counter(void **state)
{
    struct desk *desk = *state;
    struct ids players, things;
    ids_init(&players, &desk->store, DESK_WORLD, "player");
    ids_init(&things, &desk->store, DESK_WORLD, "thing");
    assert_int_equal(take(desk, &players), take(desk, &things));
}

static void
a_kind_may_have_its_own_part(void **state)
{
    struct desk *desk = *state;
    const uint64_t first = 1ULL << 46;
    struct ids before, after;
    ids_init(&before, &desk->store, DESK_WORLD, "thing"); /* a world that knew no parts */
    assert_int_equal(id_counter(take(desk, &before)), 1);
    for (uint32_t life = 0; life < 2; life++) {
        ids_init(&after, &desk->store, DESK_WORLD, "thing");
        ids_begin_at(&after, first);
        uint64_t id = take(desk, &after);
        assert_int_equal(id_counter(id), first + life * IDS_BLOCK);
        assert_int_equal(take(desk, &after), id + 1);
    }
    assert_int_equal(id_counter(take(desk, &before)), 2);
}

static void
a_restart_never_hands_out_an_id_again(void **state)
{
    struct desk *desk = *state;
    uint64_t highest = 0;
    for (uint32_t life = 0; life < 20; life++) {
        struct ids ids;
        ids_init(&ids, &desk->store, DESK_WORLD, "player");
        for (uint32_t i = 0; i < 10; i++) {
            uint64_t id = take(desk, &ids);
            assert_true(id > highest);
            highest = id;
        }
        desk_restart(desk);
    }
}

/* Several nodes lease at the same time from an engine that fails in every way: no id twice. */
static void
nobody_gets_the_id_of_another(void **state)
{
    struct desk *desk = *state;
    struct map seen;
    map_init(&seen, 1 << 16, 0);
    struct ids nodes[4];
    uint64_t failures = 0, blocks = 0;
    for (uint32_t life = 0; life < 50; life++) {
        desk_faults(desk, 100000, 100000, 100000, 100000);
        for (uint32_t i = 0; i < 4; i++) {
            ids_init(&nodes[i], &desk->store, DESK_WORLD, "player");
            ids_prepare(&nodes[i]);
        }
        for (uint32_t round = 0; round < 20; round++) {
            uint64_t id = take(desk, &nodes[round % 4]);
            assert_int_equal(map_get(&seen, id), MAP_NONE);
            assert_int_equal(map_put(&seen, id, 1), OK);
        }
        for (uint32_t i = 0; i < 4; i++) {
            failures += nodes[i].failures;
            blocks += nodes[i].blocks;
        }
        desk_faults(desk, 0, 0, 0, 0);
        desk_settle(desk);
    }
    assert_int_equal(blocks, 50 * 4);
    assert_true(failures > 20); /* the faults were there */
    map_fini(&seen);
}

static void
an_end_is_told(void **state)
{
    struct desk *desk = *state;
    /* field 1, varint 2^48 */
    static const uint8_t end[] = {0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40};
    desk_put(desk, "0001/meta/ids-player", end, sizeof end);
    struct ids ids;
    uint64_t id;
    ids_init(&ids, &desk->store, DESK_WORLD, "player");
    assert_int_equal(ids_take(&ids, &id), ERR_UNAVAILABLE);
    desk_settle(desk);
    assert_int_equal(ids_take(&ids, &id), ERR_FULL);
}

static void
a_strange_document_is_left_alone(void **state)
{
    struct desk *desk = *state;
    desk_put(desk, "0001/meta/ids-player", "\xff\xff", 2);
    struct ids ids;
    uint64_t id;
    ids_init(&ids, &desk->store, DESK_WORLD, "player");
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(ids_take(&ids, &id), ERR_UNAVAILABLE);
        desk_run_ms(desk, 100);
    }
    assert_in_range(ids.failures, 2, 30); /* and not asked all the time */
    assert_int_equal(desk_look(desk, "0001/meta/ids-player").version, 1);
}

static int
setup(void **state)
{
    *state = desk_alloc(5);
    return 0;
}

static int
teardown(void **state)
{
    desk_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ids_begin_at_one_and_are_dense, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_block_is_there_before_this_one_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(kinds_do_not_share_a_counter, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kind_may_have_its_own_part, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_never_hands_out_an_id_again, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_gets_the_id_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_strange_document_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
