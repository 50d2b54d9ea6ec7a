#include "society/chunk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_names(void **state)
{
    (void)state;
    uint64_t chunk = chunk_id(0x80000001, 0xfffe, 0x0102);
    assert_int_equal(chunk, 0x80000001fffe0102);
    assert_int_equal(chunk_island(chunk), 0x80000001);
    assert_int_equal(chunk_cx(chunk), 0xfffe);
    assert_int_equal(chunk_cy(chunk), 0x0102);
    assert_string_equal(chunk_key(2, chunk).text, "0002/chunk/80000001fffe0102");
}

static void
test_places(void **state)
{
    (void)state;
    uint64_t chunk = 0;
    assert_true(chunk_of_place(7, (struct place){CHUNK_MM - 1, CHUNK_MM}, &chunk));
    assert_int_equal(chunk, chunk_id(7, 0, 1));
    assert_true(chunk_of_place(7, (struct place){UINT16_MAX * CHUNK_MM, 0}, &chunk));
    assert_int_equal(chunk, chunk_id(7, UINT16_MAX, 0));
    const struct place nowhere[] = {
        {-1, 0}, {0, -1}, {INT32_MIN, INT32_MIN}, {INT32_MAX, 0}, {0, INT32_MAX}};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
        assert_false(chunk_of_place(7, nowhere[i], &chunk));
}

static void
test_reach(void **state)
{
    (void)state;
    struct deed_actor actor = {.at = {1000, -1000}, .reach_mm = 500};
    assert_true(actor_reaches(&actor, actor.at));
    assert_true(actor_reaches(&actor, (struct place){1500, -1000}));
    assert_true(actor_reaches(&actor, (struct place){700, -1400})); /* 3, 4, 5 */
    assert_false(actor_reaches(&actor, (struct place){1501, -1000}));
    assert_false(actor_reaches(&actor, (struct place){699, -1400}));
    assert_false(actor_reaches(&actor, (struct place){1000, -1501}));
    actor.at = (struct place){INT32_MIN, INT32_MIN};
    assert_false(actor_reaches(&actor, (struct place){INT32_MAX, INT32_MAX}));
    actor.reach_mm = 0;
    assert_true(actor_reaches(&actor, actor.at));
}

static void
test_find_and_remove(void **state)
{
    (void)state;
    Seom__ChunkThing things[3], *list[3];
    Seom__ChunkDocument document = SEOM__CHUNK_DOCUMENT__INIT;
    for (uint32_t i = 0; i < 3; i++) {
        seom__chunk_thing__init(&things[i]);
        things[i].id = 10 + i;
        list[i] = &things[i];
    }
    document.things = list;
    document.n_things = 3;
    assert_ptr_equal(chunk_find(&document, 11), &things[1]);
    assert_null(chunk_find(&document, 13));
    chunk_remove(&document, &things[1]);
    assert_int_equal(document.n_things, 2);
    assert_null(chunk_find(&document, 11));
    assert_ptr_equal(list[0], &things[0]);
    assert_ptr_equal(list[1], &things[2]);
    chunk_remove(&document, &things[2]);
    chunk_remove(&document, &things[0]);
    assert_int_equal(document.n_things, 0);
    document.n_things = CHUNK_THINGS_MAX - 1;
    assert_false(chunk_is_full(&document));
    document.n_things = CHUNK_THINGS_MAX;
    assert_true(chunk_is_full(&document));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_find_and_remove),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
