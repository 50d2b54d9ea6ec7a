#include "seom.pb-c.h"
#include "society/ledger.h"
#include "society/square.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FINE SEOM__CODE__FINE

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

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
pages_have_names(void **state)
{
    (void)state;
    static const uint64_t players[] = {0, 1, 0x0001000000000004, UINT64_MAX};
    static const uint32_t pages[] = {0, 1, 17, LEDGER_PAGES_MAX - 1};
    for (size_t i = 0; i < 4; i++) {
        struct key key = ledger_key(3, players[i], pages[i]);
        struct key_parts parts;
        uint64_t player;
        uint32_t page;
        assert_int_equal(key_parse(key_slice(&key), &parts), OK);
        assert_true(key_has_class(&parts, KEY_CLASS_LEDGER));
        assert_int_equal(ledger_key_parse(parts.name, &player, &page), OK);
        assert_int_equal(player, players[i]);
        assert_int_equal(page, pages[i]);
    }
    assert_true(strcmp(ledger_key(1, 5, 9).text, ledger_key(1, 5, 16).text) < 0);
}

static void
other_names_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "0001000000000004",
                                        "0001000000000004-",
                                        "0001000000000004-000000",
                                        "0001000000000004-00000000",
                                        "0001000000000004x0000000",
                                        "000100000000000g-0000000",
                                        "0001000000000004-000000A",
                                        "0001000000000004--000001"};
    uint64_t player;
    uint32_t page;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(ledger_key_parse(text(names[i]), &player, &page), ERR_FORMAT);
}

static void
reasons_have_texts(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < REASON_COUNT; reason++)
        assert_true(strlen(reason_text(reason)) > 1);
    assert_string_equal(reason_text(REASON_COUNT), "?");
    assert_string_equal(reason_text(UINT32_MAX), "?");
}

static void
what_moves_has_a_line(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, 0, FRUIT, 7), FINE);
    const Seom__PlayerDocument *player = square_player(square, 0);
    assert_int_equal(player->n_ledger, 2);
    const Seom__Entry *birth = player->ledger[0], *gift = player->ledger[1];
    assert_int_equal(birth->reason, REASON_BIRTH);
    assert_int_equal(birth->kind, 0);
    assert_int_equal(birth->count, SQUARE_FIRST_COINS);
    assert_int_equal(gift->reason, REASON_OPERATOR);
    assert_int_equal(gift->from, SEOM__ACCOUNT_KIND__ACCOUNT_WORLD);
    assert_int_equal(gift->to, SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER);
    assert_int_equal(gift->to_id, square->people[0]);
    assert_int_equal(gift->kind, FRUIT);
    assert_int_equal(gift->count, 7);
    assert_int_equal(gift->seq, 1);
    assert_true(gift->at_ms > 0);
}

static void
a_command_that_moves_nothing_has_a_line(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, 0, FRUIT, 7), FINE);
    assert_int_equal(square_split(square, 0, 0, 3, 2), FINE);
    const Seom__PlayerDocument *player = square_player(square, 0);
    assert_int_equal(player->n_ledger, 3);
    assert_int_equal(player->ledger[2]->seq, 2);
    assert_int_equal(player->ledger[2]->reason, REASON_NONE);
    assert_int_equal(player->ledger[2]->count, 0);
    assert_int_equal(square_split(square, 0, 9, 3, 2), SEOM__CODE__REFUSED);
    assert_int_equal(square_player(square, 0)->n_ledger, 3);
}

static void
a_long_tail_moves_into_pages(void **state)
{
    struct square *square = *state;
    uint32_t pages = 0, lines = 1; /* of the first coins */
    for (uint32_t n = 0; n < 40; n++) {
        assert_int_equal(square_give(square, 0, SAND, 1 + n), FINE);
        lines++;
        const Seom__PlayerDocument *player = square_player(square, 0);
        if (lines == LEDGER_TAIL_MAX) {
            struct key key = ledger_key(DESK_WORLD, square->people[0], pages++);
            assert_true(desk_look(square->desk, key.text).exists);
            lines = 0;
        }
        assert_int_equal(player->n_ledger, lines);
        assert_int_equal(player->ledger_pages, pages);
    }
    assert_int_equal(pages, 2);
    struct audit_result result = square_audit(square);
    assert_true(result.balanced);
    assert_int_equal(result.minted, 40 * 41 / 2);
    assert_int_equal(result.held, 40 * 41 / 2);
}

/* A page that stands already tells that the store was put back by halves: nothing is overwritten.
 */
static void
a_page_is_never_written_twice(void **state)
{
    struct square *square = *state;
    static const uint8_t nothing[1];
    struct key key = ledger_key(DESK_WORLD, square->people[0], 0);
    desk_put(square->desk, key.text, nothing, 0);
    for (uint32_t n = 0; n < LEDGER_TAIL_MAX - 2; n++)
        assert_int_equal(square_give(square, 0, SAND, 1), FINE);
    assert_int_equal(square_give(square, 0, SAND, 1), SEOM__CODE__CONFLICT);
    assert_int_equal(square_player(square, 0)->n_ledger, LEDGER_TAIL_MAX - 1);
    assert_int_equal(square_has(square, 0, SAND), LEDGER_TAIL_MAX - 2);
    assert_int_equal(desk_look(square->desk, key.text).version, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_have_names),
        cmocka_unit_test(other_names_are_none),
        cmocka_unit_test(reasons_have_texts),
        cmocka_unit_test_setup_teardown(what_moves_has_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_command_that_moves_nothing_has_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_tail_moves_into_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_is_never_written_twice, setup, teardown),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
