#include "store/slots.h"

#include "store/desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct desk *desk;
    struct slots slots;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->desk = desk_alloc(3);
    slots_init(&f->slots, &f->desk->store, DESK_WORLD);
    assert_false(slots_ready(&f->slots)); /* the first numbers are being leased */
    desk_settle(f->desk);
    assert_true(slots_ready(&f->slots));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    slots_fini(&f->slots);
    desk_free(f->desk);
    free(f);
    return 0;
}

static struct place_slot
take(struct fixture *f, uint64_t player, bool page_is_new)
{
    struct place_slot slot;
    bool is_new;
    assert_int_equal(slots_take(&f->slots, player, &slot, &is_new), OK);
    assert_int_equal(is_new, page_is_new);
    assert_true(slots_has(&f->slots, player, &slot));
    assert_true(slots_owns(&f->slots, slot.page));
    return slot;
}

static void
a_page_has_64(void **state)
{
    struct fixture *f = *state;
    uint64_t seen = 0, page = 0;
    for (uint64_t player = 1; player <= PLACE_PAGE_SLOTS; player++) {
        struct place_slot slot = take(f, player, player == 1);
        page = player == 1 ? slot.page : page;
        assert_true(slot.page == page && slot.page >= SLOTS_FIRST_PAGE);
        seen |= UINT64_C(1) << slot.slot;
    }
    assert_true(seen == UINT64_MAX);
    assert_true(take(f, 65, true).page != page);
    assert_int_equal(f->slots.taken, 65);
}

static void
what_is_given_is_taken_again(void **state)
{
    struct fixture *f = *state;
    struct place_slot slots[PLACE_PAGE_SLOTS];
    for (uint64_t i = 0; i < PLACE_PAGE_SLOTS; i++)
        slots[i] = take(f, i + 1, i == 0);
    slots_give(&f->slots, 9, &slots[7]); /* not theirs */
    assert_true(slots_has(&f->slots, 8, &slots[7]));
    slots_give(&f->slots, 8, &slots[7]);
    slots_give(&f->slots, 8, &slots[7]);
    assert_false(slots_has(&f->slots, 8, &slots[7]));
    assert_int_equal(f->slots.taken, PLACE_PAGE_SLOTS - 1);
    struct place_slot again = take(f, 100, false);
    assert_true(again.page == slots[7].page && again.slot == 7);
    for (uint64_t i = 0; i < PLACE_PAGE_SLOTS; i++)
        slots_give(&f->slots, i == 7 ? 100 : i + 1, &slots[i]);
    assert_int_equal(f->slots.taken, 0);
    assert_true(take(f, 200, true).page == again.page); /* empty: nobody needs to read it */
}

static void
others_have_nothing_here(void **state)
{
    struct fixture *f = *state;
    struct place_slot slot = take(f, 1, true), old = place_slot_of_id(UINT64_C(1) << 48 | 1);
    assert_false(slots_has(&f->slots, 2, &slot));
    assert_false(slots_has(&f->slots, 1, &old));
    assert_false(slots_owns(&f->slots, old.page));
    slot.slot = 3000; /* as some document says */
    assert_false(slots_has(&f->slots, 1, &slot));
    struct slots other;
    slots_init(&other, &f->desk->store, DESK_WORLD); /* the process after this one */
    (void)slots_ready(&other);
    desk_settle(f->desk);
    struct place_slot theirs;
    bool is_new;
    assert_int_equal(slots_take(&other, 1, &theirs, &is_new), OK);
    assert_false(slots_owns(&f->slots, theirs.page));
    slots_fini(&other);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_page_has_64),
        CASE(what_is_given_is_taken_again),
        CASE(others_have_nothing_here),
    };
#undef CASE
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
