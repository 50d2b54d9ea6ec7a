#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/purse.h"
#include "society/square.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FINE      SEOM__CODE__FINE
#define MALFORMED SEOM__CODE__MALFORMED
#define REFUSED   SEOM__CODE__REFUSED
#define NO_ROOM   SEOM__CODE__NO_ROOM
#define ANN       0
#define BORA      1

static int
setup(void **state)
{
    *state = square_alloc(1, SOCIETY_MUTANT_NONE);
    return 0;
}

static int
teardown(void **state)
{
    square_free(*state);
    return 0;
}

static void
assert_slot(struct square *square, uint32_t slot, uint32_t kind, uint32_t count)
{
    const Seom__Holdings *bag = square_player(square, ANN)->bag;
    uint32_t there = slot < bag->n_slots ? bag->slots[slot]->kind : 0;
    assert_int_equal(there, kind);
    if (there != 0)
        assert_int_equal(bag->slots[slot]->count, count);
}

static void
assert_balanced(struct square *square)
{
    struct audit_result result = square_audit(square);
    assert_string_equal(square->notes, "");
    assert_true(result.balanced);
}

static void
stacks_fill_up(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, ANN, STONE, 3), FINE);
    assert_int_equal(square_give(square, ANN, FRUIT, 15), FINE);
    assert_int_equal(square_give(square, ANN, STONE, 4), FINE);
    assert_slot(square, 0, STONE, 5);
    assert_slot(square, 1, FRUIT, 15);
    assert_slot(square, 2, STONE, 2);
    uint64_t room = 3 + 21 * 5;
    assert_int_equal(square_give(square, ANN, STONE, room + 1), NO_ROOM);
    assert_int_equal(square_has(square, ANN, STONE), 7);
    assert_int_equal(square_give(square, ANN, STONE, room), FINE);
    assert_int_equal(square_give(square, ANN, STONE, 1), NO_ROOM);
    assert_int_equal(square_give(square, ANN, FRUIT, 6), NO_ROOM);
    assert_int_equal(square_give(square, ANN, FRUIT, 5), FINE);
    assert_balanced(square);
}

static void
what_cannot_be_is_refused(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, ANN, FRUIT, 0), MALFORMED);
    assert_int_equal(square_give(square, ANN, NO_KIND, 1), MALFORMED);
    assert_int_equal(square_give(square, ANN, SQUARE_KINDS, 1), MALFORMED);
    assert_int_equal(square_give(square, ANN, UINT32_MAX, 1), MALFORMED);
    assert_int_equal(square_give(square, ANN, CHEST, 2), MALFORMED);
    assert_int_equal(square_give(square, ANN, COINS, 0), MALFORMED);
    assert_int_equal(square_give(square, ANN, COINS, UINT64_MAX), NO_ROOM);
    assert_int_equal(square_use(square, ANN, FRUIT, 1), REFUSED);
    assert_int_equal(square_use(square, ANN, CHEST, 1), REFUSED);
    assert_null(square_player(square, ANN)->bag);
    assert_int_equal(square_audit(square).minted, 0);
}

static void
coins_have_bounds(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, ANN, COINS, COINS_MAX), NO_ROOM);
    assert_int_equal(square_give(square, ANN, COINS, COINS_MAX - SQUARE_FIRST_COINS), FINE);
    assert_int_equal(square_has(square, ANN, COINS), COINS_MAX);
    assert_int_equal(square_give(square, ANN, COINS, 1), NO_ROOM);
    assert_int_equal(square_use(square, ANN, COINS, COINS_MAX + 1ULL), REFUSED);
    assert_int_equal(square_use(square, ANN, COINS, UINT64_MAX), REFUSED);
    assert_int_equal(square_use(square, ANN, COINS, COINS_MAX), FINE);
    assert_int_equal(square_use(square, ANN, COINS, 1), REFUSED);
    assert_balanced(square);
}

static void
single_things_have_ids(void **state)
{
    struct square *square = *state;
    uint64_t ids[3];
    for (uint32_t n = 0; n < 3; n++) {
        assert_int_equal(square_give(square, ANN, CHEST, 1), FINE);
        ids[n] = square->answer->id;
        assert_true(ids[n] != 0 && (n == 0 || ids[n] != ids[n - 1]));
        assert_int_equal(square_player(square, ANN)->bag->slots[n]->uid, ids[n]);
    }
    assert_int_equal(square_use(square, ANN, CHEST, 1), FINE);
    const Seom__Holdings *bag = square_player(square, ANN)->bag;
    assert_int_equal(bag->slots[0]->kind, 0);
    assert_int_equal(bag->slots[0]->uid, 0);
    assert_int_equal(bag->slots[1]->uid, ids[1]);
    struct audit_result result = square_audit(square);
    assert_true(result.balanced);
    assert_int_equal(result.minted, 3);
    assert_int_equal(result.consumed, 1);
}

/* Body: another player, and whether everything goes to him or comes from him. Does not say that his
 * document is to be written. */
static uint32_t
hand_over_decide(struct deed *deed)
{
    uint64_t asked[2];
    memcpy(asked, deed_body(deed).at, sizeof asked);
    Seom__PlayerDocument *other;
    uint32_t code = deed_open_player(deed, asked[0], &other);
    if (code != FINE)
        return code;
    struct purse mine = purse_of_player(deed, deed_player(deed), deed_actor(deed)->player);
    struct purse his = purse_of_player(deed, other, asked[0]);
    if (mine.holds == NULL || his.holds == NULL)
        return DEED_MORE;
    return purse_move_all(deed, asked[1] ? &mine : &his, asked[1] ? &his : &mine, REASON_OPERATOR);
}

static void
what_moves_is_written_on_both_sides(void **state)
{
    struct square *square = *state;
    static const struct deed_kind hand_over = {.name = "hand over", .decide = hand_over_decide};
    uint64_t asked[2] = {square->people[BORA], true};
    struct slice body = {.at = (const uint8_t *)asked, .bytes = sizeof asked};
    assert_int_equal(square_give(square, ANN, FRUIT, 30), FINE);
    assert_int_equal(square_give(square, ANN, CHEST, 1), FINE);
    assert_int_equal(square_run(square, ANN, &hand_over, body), FINE);
    assert_int_equal(square_has(square, ANN, FRUIT) + square_has(square, ANN, COINS), 0);
    assert_int_equal(square_has(square, BORA, FRUIT), 30);
    assert_int_equal(square_has(square, BORA, CHEST), 1);
    assert_int_equal(square_has(square, BORA, COINS), 2 * SQUARE_FIRST_COINS);
    asked[1] = false;
    assert_int_equal(square_run(square, ANN, &hand_over, body), FINE);
    assert_int_equal(square_has(square, ANN, FRUIT), 30);
    assert_int_equal(square_has(square, BORA, FRUIT), 0);
    assert_balanced(square);
}

/* ---- split ---- */

struct split_case {
    uint32_t from, to, count, code;
};

/* Slots before each: 0 fruit 15, 1 fruit 18, 2 stone 4, 3 a chest, 4 a chest. */
static const struct split_case splits[] = {
    {0, 5, 1, FINE},
    {0, 5, 15, FINE},
    {0, 23, 7, FINE},
    {0, 1, 2, FINE},
    {1, 0, 5, FINE},
    {3, 5, 1, FINE},
    {0, 1, 3, REFUSED},
    {1, 0, 6, REFUSED},
    {0, 5, 16, REFUSED},
    {0, 5, UINT32_MAX, REFUSED},
    {0, 1, UINT32_MAX, REFUSED},
    {0, 1, UINT32_MAX - 17, REFUSED},
    {0, 1, (uint32_t)INT32_MAX + 1, REFUSED},
    {0, 2, 1, REFUSED},
    {3, 4, 1, REFUSED},
    {3, 5, 2, REFUSED},
    {0, 24, 1, REFUSED},
    {0, UINT32_MAX, 1, REFUSED},
    {5, 0, 1, REFUSED},
    {24, 0, 1, REFUSED},
    {UINT32_MAX, 0, 1, REFUSED},
    {0, 5, 0, MALFORMED},
    {0, 0, 1, MALFORMED},
};

static void
splits_move_within_a_bag(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        const struct split_case *c = &splits[i];
        struct square *square = square_alloc(i + 1, SOCIETY_MUTANT_NONE);
        square_give(square, ANN, FRUIT, 33);
        square_split(square, ANN, 0, 1, 5);
        square_give(square, ANN, STONE, 4);
        square_give(square, ANN, CHEST, 1);
        square_give(square, ANN, CHEST, 1);
        assert_slot(square, 0, FRUIT, 15);
        assert_slot(square, 1, FRUIT, 18);
        assert_slot(square, 2, STONE, 4);
        assert_slot(square, 3, CHEST, 1);
        uint32_t code = square_split(square, ANN, c->from, c->to, c->count);
        if (code != c->code)
            fail_msg("split %u to %u of %u: %u", c->from, c->to, c->count, code);
        assert_int_equal(square_has(square, ANN, FRUIT), 33);
        assert_int_equal(square_has(square, ANN, STONE), 4);
        assert_int_equal(square_has(square, ANN, CHEST), 2);
        assert_balanced(square);
        square_free(square);
    }
}

static void
sums_beyond_32_bits_are_refused(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, ANN, SAND, UINT32_MAX), FINE);
    assert_int_equal(square_give(square, ANN, SAND, UINT32_MAX), FINE);
    assert_int_equal(square_has(square, ANN, SAND), 2ULL * UINT32_MAX);
    assert_int_equal(square_split(square, ANN, 0, 1, 1), REFUSED);
    assert_int_equal(square_split(square, ANN, 0, 1, UINT32_MAX), REFUSED);
    assert_int_equal(square_split(square, ANN, 0, 2, UINT32_MAX), FINE);
    assert_slot(square, 0, 0, 0);
    assert_slot(square, 2, SAND, UINT32_MAX);
    assert_balanced(square);
}

/* ---- documents that nobody can have written ---- */

struct garbage {
    const char *what;
    uint64_t coins;
    uint32_t kind, count;
    uint64_t uid;
    uint32_t copies;
};

static const struct garbage garbages[] = {
    {"more slots than a bag has", 5, FRUIT, 1, 0, 60},
    {"a kind there is not", 5, 77, 3, 0, 2},
    {"the kind of coins", 5, COINS, 9, 0, 3},
    {"the highest kind", 5, UINT32_MAX, UINT32_MAX, UINT64_MAX, 3},
    {"more than a stack", 5, FRUIT, UINT32_MAX, 0, 30},
    {"two of a single thing", 5, CHEST, 2, 8, 1},
    {"single things without ids", 5, CHEST, 1, 0, 3},
    {"one thing twice", 5, CHEST, 1, 8, 2},
    {"a stack with an id", 5, FRUIT, 3, 8, 3},
    {"nothing of something", 5, FRUIT, 0, 0, 3},
    {"all coins", UINT64_MAX, FRUIT, 1, 0, 1},
    {"more coins than there may be", COINS_MAX + 1ULL, FRUIT, 1, 0, 1},
};

static void
forge_bag(struct square *square, uint32_t who, const struct garbage *garbage)
{
    Seom__Stack stacks[64], *slots[64];
    Seom__Holdings bag = SEOM__HOLDINGS__INIT;
    for (uint32_t n = 0; n < garbage->copies; n++) {
        seom__stack__init(&stacks[n]);
        slots[n] = &stacks[n];
        stacks[n].kind = garbage->kind;
        stacks[n].count = garbage->count;
        stacks[n].uid = garbage->uid;
    }
    bag.coins = garbage->coins;
    bag.slots = slots;
    bag.n_slots = garbage->copies;
    Seom__PlayerDocument *player = square_player(square, who);
    player->bag = &bag;
    square_forge(square, KEY_CLASS_PLAYER, square->people[who], &player->base);
}

/* What can be done with it is done, the rest refused; nothing more appears or vanishes than was
 * there, which the audit tells as before. */
static void
garbage_stays_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof garbages / sizeof garbages[0]; i++) {
        struct square *square = square_alloc(i + 1, SOCIETY_MUTANT_NONE);
        forge_bag(square, ANN, &garbages[i]);
        struct audit_result before = square_audit(square);
        if (before.balanced)
            fail_msg("%s: the audit finds nothing", garbages[i].what);
        uint64_t ann = square->people[ANN], bora = square->people[BORA];
        for (uint32_t slot = 0; slot < 70; slot += 1 + slot / 8) {
            square_split(square, ANN, slot, 23, 1);
            square_split(square, ANN, slot, slot + 1, UINT32_MAX);
            square_split(square, ANN, 0, slot, 1);
            square_send(square, ANN, bora, "", UINT64_MAX, slot, 1);
            square_send(square, ANN, bora, "", 1, slot, 1);
            square_claim(square, BORA, square->answer->id);
            square_offer(square, ANN, bora, 0, slot, UINT32_MAX, NULL);
            square_withdraw(square, ANN, square->answer->id);
            square_offer(square, ANN, bora, 0, slot, 1, NULL);
            square_withdraw(square, BORA, square->answer->id);
            square_send(square, BORA, ann, "", 1, 0, 1);
            square_claim(square, ANN, square->answer->id);
            square_use(square, ANN, garbages[i].kind, 1);
            square_give(square, ANN, garbages[i].kind, 1);
            square_give(square, ANN, CHEST, 1);
        }
        struct audit_result after = square_audit(square);
        assert_false(after.balanced);
        if (after.doubled != before.doubled || after.lost != before.lost ||
            after.unreadable != before.unreadable)
            fail_msg("%s: doubled %ju, then %ju; lost %ju, then %ju: %s", garbages[i].what,
                     (uintmax_t)before.doubled, (uintmax_t)after.doubled, (uintmax_t)before.lost,
                     (uintmax_t)after.lost, square->notes);
        square_free(square);
    }
}

static void
bodies_that_are_none_are_malformed(void **state)
{
    struct square *square = *state;
    static const uint8_t bytes[] = {0xff, 0x00, 0x92, 0x03, 0x05, 0x08};
    for (Seom__Deed__WhatCase what = SEOM__DEED__WHAT_SPLIT; what <= SEOM__DEED__WHAT_CLAIM;
         what++) {
        const struct deed_kind *kind = society_deed(what);
        assert_non_null(kind);
        for (size_t n = 0; n <= sizeof bytes; n++)
            assert_int_equal(square_run(square, ANN, kind, (struct slice){bytes, n}), MALFORMED);
        Seom__Deed asked = SEOM__DEED__INIT;
        Seom__Pick pick = SEOM__PICK__INIT;
        uint8_t packed[32];
        asked.what_case = SEOM__DEED__WHAT_PICK;
        asked.pick = &pick;
        struct slice body = {packed, seom__deed__pack(&asked, packed)};
        assert_int_equal(square_run(square, ANN, kind, body), MALFORMED);
    }
    assert_null(society_deed(SEOM__DEED__WHAT_PICK));
    assert_null(society_deed(SEOM__DEED__WHAT__NOT_SET));
    assert_null(society_deed((Seom__Deed__WhatCase)57));
    assert_null(society_deed((Seom__Deed__WhatCase)-1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stacks_fill_up, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(coins_have_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(single_things_have_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(what_moves_is_written_on_both_sides, setup, teardown),
        cmocka_unit_test(splits_move_within_a_bag),
        cmocka_unit_test_setup_teardown(sums_beyond_32_bits_are_refused, setup, teardown),
        cmocka_unit_test(garbage_stays_what_it_is),
        cmocka_unit_test_setup_teardown(bodies_that_are_none_are_malformed, setup, teardown),
    };
    return cmocka_run_group_tests_name("purse", tests, NULL, NULL);
}
