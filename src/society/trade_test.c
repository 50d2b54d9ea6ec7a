#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/mail.h"
#include "society/square.h"
#include "society/trade.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FINE      SEOM__CODE__FINE
#define MALFORMED SEOM__CODE__MALFORMED
#define CONFLICT  SEOM__CODE__CONFLICT
#define NOT_FOUND SEOM__CODE__NOT_FOUND
#define REFUSED   SEOM__CODE__REFUSED
#define ANN       0
#define BORA      1
#define CHUN      2

static int
setup(void **state)
{
    *state = square_alloc(1, SOCIETY_MUTANT_NONE);
    return 0;
}

static int
teardown(void **state)
{
    struct square *square = *state;
    struct audit_result result = square_audit(square);
    assert_string_equal(square->notes, "");
    assert_true(result.balanced);
    square_free(square);
    return 0;
}

struct wants {
    Seom__Holdings holdings;
    Seom__Stack stacks[2], *slots[2];
};

/* count 0: only coins. */
static Seom__Holdings *
wants(struct wants *wants, uint64_t coins, uint32_t kind, uint32_t count)
{
    seom__holdings__init(&wants->holdings);
    seom__stack__init(&wants->stacks[0]);
    wants->stacks[0].kind = kind;
    wants->stacks[0].count = count;
    wants->slots[0] = &wants->stacks[0];
    wants->holdings.coins = coins;
    wants->holdings.slots = wants->slots;
    wants->holdings.n_slots = count > 0;
    return &wants->holdings;
}

static uint64_t
hash_of(struct square *square, uint64_t trade)
{
    return trade_hash(square_trade(square, trade));
}

/* Ann offers Bora 5 fruit and 20 coins for 3 stones and 10 coins. */
static uint64_t
offer_fruit(struct square *square)
{
    struct wants w;
    assert_int_equal(square_give(square, ANN, FRUIT, 8), FINE);
    assert_int_equal(square_give(square, BORA, STONE, 4), FINE);
    assert_int_equal(
        square_offer(square, ANN, square->people[BORA], 20, 0, 5, wants(&w, 10, STONE, 3)), FINE);
    return square->answer->id;
}

static void
fill_bag(struct square *square, uint32_t who)
{
    while (square_give(square, who, CHEST, 1) == FINE)
        continue;
}

static void
an_offer_is_accepted(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    assert_int_equal(square_has(square, ANN, FRUIT), 3);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS - 20);
    assert_int_equal(square_player(square, ANN)->n_trades, 1);
    assert_int_equal(square_player(square, ANN)->trades[0], id);
    const Seom__InboxDocument *inbox = square_inbox(square, BORA);
    assert_int_equal(inbox->n_notices, 1);
    assert_int_equal(inbox->notices[0]->kind, SEOM__NOTICE_KIND__NOTICE_OFFER);
    assert_int_equal(inbox->notices[0]->id, id);
    assert_string_equal(inbox->notices[0]->from_name, "Ann");
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), FINE);
    assert_int_equal(square->answer->coins_gained, 20);
    assert_int_equal(square->answer->gained[0]->count, 5);
    assert_int_equal(square->answer->mail, 0);
    assert_int_equal(square_has(square, ANN, STONE), 3);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS - 10);
    assert_int_equal(square_has(square, BORA, FRUIT), 5);
    assert_int_equal(square_has(square, BORA, STONE), 1);
    assert_int_equal(square_has(square, BORA, COINS), SQUARE_FIRST_COINS + 10);
    assert_null(square_trade(square, id));
    assert_int_equal(square_player(square, ANN)->n_trades, 0);
    assert_int_equal(square_inbox(square, BORA)->n_notices, 0);
    assert_int_equal(square_accept(square, BORA, id, 1), NOT_FOUND);
}

static void
a_changed_offer_has_another_hash(void **state)
{
    struct square *square = *state;
    struct wants w;
    uint64_t id = offer_fruit(square), shown = hash_of(square, id);
    assert_true(shown != 0);
    assert_int_equal(square_change(square, BORA, id, wants(&w, 0, STONE, 1)), REFUSED);
    assert_int_equal(square_change(square, CHUN, id, wants(&w, 0, STONE, 1)), NOT_FOUND);
    assert_int_equal(square_change(square, ANN, id, wants(&w, 90, STONE, 4)), FINE);
    assert_int_equal(square_accept(square, BORA, id, shown), CONFLICT);
    assert_int_equal(square_has(square, BORA, STONE), 4);
    /* Changed back it is still not what was shown. */
    assert_int_equal(square_change(square, ANN, id, wants(&w, 10, STONE, 3)), FINE);
    assert_int_not_equal(hash_of(square, id), shown);
    assert_int_equal(square_accept(square, BORA, id, shown), CONFLICT);
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), FINE);
    assert_int_equal(square_has(square, BORA, STONE), 1);
}

static void
the_hash_tells_everything(void **state)
{
    (void)state;
    Seom__TradeDocument trade = SEOM__TRADE_DOCUMENT__INIT;
    struct wants given, wanted;
    trade.from = 1;
    trade.to = 2;
    trade.gives = wants(&given, 5, FRUIT, 2);
    trade.wants = wants(&wanted, 6, CHEST, 1);
    uint64_t seen[16];
    uint32_t count = 0;
    uint32_t *const small[] = {&trade.changes, &given.stacks[0].kind, &given.stacks[0].count,
                               &wanted.stacks[0].kind, &wanted.stacks[0].count};
    uint64_t *const large[] = {&trade.from,           &trade.to,
                               &given.holdings.coins, &wanted.holdings.coins,
                               &given.stacks[0].uid,  &wanted.stacks[0].uid};
    seen[count++] = trade_hash(&trade);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        ++*small[i];
        seen[count++] = trade_hash(&trade);
        --*small[i];
    }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        *large[i] += 7;
        seen[count++] = trade_hash(&trade);
        *large[i] -= 7;
    }
    trade.wants = NULL;
    seen[count++] = trade_hash(&trade);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    trade.wants = &wanted.holdings;
    assert_int_equal(trade_hash(&trade), seen[0]);
}

static void
things_come_back(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    assert_int_equal(square_withdraw(square, CHUN, id), NOT_FOUND);
    assert_int_equal(square_withdraw(square, ANN, id), FINE);
    assert_int_equal(square->answer->coins_gained, 20);
    assert_int_equal(square_has(square, ANN, FRUIT), 8);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS);
    assert_int_equal(square_inbox(square, BORA)->n_notices, 0);
    assert_int_equal(square_player(square, ANN)->n_trades, 0);
    assert_int_equal(square_withdraw(square, ANN, id), NOT_FOUND);
    /* Whom it is offered to can refuse it. */
    id = offer_fruit(square);
    assert_int_equal(square_withdraw(square, BORA, id), FINE);
    assert_int_equal(square->answer->n_gained, 0);
    assert_int_equal(square_has(square, ANN, FRUIT), 16);
    assert_int_equal(square_player(square, ANN)->n_trades, 0);
    assert_int_equal(square_inbox(square, BORA)->n_notices, 0);
}

static void
what_finds_no_room_is_mailed(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    fill_bag(square, ANN);
    fill_bag(square, BORA);
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), FINE);
    uint64_t mine = square->answer->mail;
    assert_int_not_equal(mine, 0);
    const Seom__InboxDocument *inbox = square_inbox(square, ANN);
    assert_int_equal(inbox->n_notices, 1);
    uint64_t theirs = inbox->notices[0]->id;
    assert_true(inbox->notices[0]->holds);
    assert_int_equal(square_mail(square, mine)->holds->slots[0]->kind, FRUIT);
    assert_int_equal(square_mail(square, theirs)->holds->slots[0]->kind, STONE);
    assert_int_equal(square_mail(square, theirs)->to, square->people[ANN]);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS - 10);
    assert_int_equal(square_use(square, ANN, CHEST, 1), FINE);
    assert_int_equal(square_claim(square, ANN, theirs), FINE);
    assert_int_equal(square_has(square, ANN, STONE), 3);
}

static void
a_refused_offer_finds_a_full_bag(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    assert_int_equal(square_use(square, ANN, FRUIT, 3), FINE);
    fill_bag(square, ANN);
    assert_int_equal(square_withdraw(square, BORA, id), FINE);
    assert_int_equal(square->answer->mail, 0);
    const Seom__InboxDocument *inbox = square_inbox(square, ANN);
    assert_int_equal(inbox->n_notices, 1);
    uint64_t mail = inbox->notices[0]->id;
    assert_int_equal(square_mail(square, mail)->holds->slots[0]->count, 5);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS);
}

static void
coins_beyond_the_limit_are_mailed(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    uint64_t room = COINS_MAX - square_has(square, ANN, COINS);
    assert_int_equal(square_give(square, ANN, COINS, room), FINE);
    assert_int_equal(square_withdraw(square, ANN, id), FINE);
    uint64_t mail = square->answer->mail;
    assert_int_not_equal(mail, 0);
    assert_int_equal(square_mail(square, mail)->holds->coins, 20);
    assert_int_equal(square_has(square, ANN, FRUIT), 8);
}

static void
who_cannot_pay_gets_nothing(void **state)
{
    struct square *square = *state;
    struct wants w;
    uint64_t id = offer_fruit(square);
    assert_int_equal(square_give(square, ANN, STONE, 5), FINE);
    assert_int_equal(square_accept(square, ANN, id, hash_of(square, id)), REFUSED);
    assert_int_equal(square_use(square, BORA, STONE, 2), FINE);
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), REFUSED);
    assert_int_equal(square_give(square, BORA, STONE, 1), FINE);
    assert_int_equal(square_use(square, BORA, COINS, SQUARE_FIRST_COINS - 9), FINE);
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), REFUSED);
    assert_int_equal(square_has(square, BORA, STONE), 3);
    assert_int_equal(square_has(square, BORA, FRUIT), 0);
    assert_int_equal(square_change(square, ANN, id, wants(&w, COINS_MAX, 0, 0)), FINE);
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), REFUSED);
    assert_int_equal(square_accept(square, CHUN, id, hash_of(square, id)), NOT_FOUND);
}

static void
single_things_are_wanted_by_kind_or_id(void **state)
{
    struct square *square = *state;
    struct wants w;
    uint64_t bora = square->people[BORA], chests[2];
    for (uint32_t n = 0; n < 2; n++) {
        assert_int_equal(square_give(square, BORA, CHEST, 1), FINE);
        chests[n] = square->answer->id;
    }
    Seom__Holdings *that = wants(&w, 0, CHEST, 1);
    w.stacks[0].uid = chests[1];
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, that), FINE);
    uint64_t id = square->answer->id;
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), FINE);
    assert_int_equal(square_player(square, ANN)->bag->slots[0]->uid, chests[1]);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, wants(&w, 0, CHEST, 1)), FINE);
    id = square->answer->id;
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), FINE);
    assert_int_equal(square_player(square, ANN)->bag->slots[1]->uid, chests[0]);
    w.stacks[0].uid = chests[0];
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, &w.holdings), FINE);
    id = square->answer->id;
    assert_int_equal(square_accept(square, BORA, id, hash_of(square, id)), REFUSED);
}

static void
what_cannot_be_offered_is_refused(void **state)
{
    struct square *square = *state;
    struct wants w;
    uint64_t ann = square->people[ANN], bora = square->people[BORA];
    assert_int_equal(square_give(square, ANN, FRUIT, 8), FINE);
    assert_int_equal(square_offer(square, ANN, ann, 5, 0, 1, NULL), REFUSED);
    assert_int_equal(square_offer(square, ANN, bora + 50, 5, 0, 1, NULL), NOT_FOUND);
    assert_int_equal(square_offer(square, ANN, bora, 0, 0, 0, NULL), MALFORMED);
    assert_int_equal(square_offer(square, ANN, bora, 0, 0, 0, wants(&w, 0, 0, 0)), MALFORMED);
    assert_int_equal(square_offer(square, ANN, bora, 5, 0, 9, NULL), REFUSED);
    assert_int_equal(square_offer(square, ANN, bora, UINT64_MAX, 0, 1, NULL), REFUSED);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, wants(&w, COINS_MAX + 1ULL, 0, 0)),
                     MALFORMED);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, wants(&w, 0, NO_KIND, 1)), MALFORMED);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, wants(&w, 0, FRUIT, 21)), MALFORMED);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, wants(&w, 0, CHEST, 2)), MALFORMED);
    wants(&w, 0, FRUIT, 1);
    w.stacks[0].uid = 5;
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, &w.holdings), MALFORMED);
    assert_int_equal(square_has(square, ANN, FRUIT), 8);
    assert_null(square_inbox(square, BORA));
    for (uint32_t n = 0; n < TRADES_OPEN_MAX; n++)
        assert_int_equal(square_offer(square, ANN, bora, 1, 0, 1, NULL), FINE);
    uint64_t id = square->answer->id;
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 0, NULL), REFUSED);
    assert_int_equal(square_withdraw(square, ANN, id), FINE);
    assert_int_equal(square_offer(square, ANN, bora, 1, 0, 1, NULL), FINE);
}

/* The notice of an old offer leaves the inbox; what was offered can still be had back. */
static void
old_offers_are_not_lost(void **state)
{
    struct square *square = *state;
    uint64_t id = offer_fruit(square);
    square_pass_days(square, MAIL_DAYS + 1);
    assert_int_equal(square_send(square, CHUN, square->people[BORA], "news", 0, 0, 0), FINE);
    assert_int_equal(square_inbox(square, BORA)->n_notices, 1);
    assert_non_null(square_trade(square, id));
    assert_int_equal(square_withdraw(square, ANN, id), FINE);
    assert_int_equal(square_has(square, ANN, FRUIT), 8);
}

/* A client may put anything into a message; what nobody understands does not get into a document,
 * where it would have to be read for ever. */
static void
what_nobody_understands_is_left_out(void **state)
{
    enum { UNKNOWN_MAX = 450 };

    static ProtobufCMessageUnknownField unknown[UNKNOWN_MAX];
    static uint8_t zero;
    struct square *square = *state;
    struct wants w;
    uint64_t id = 0;
    for (uint32_t i = 0; i < UNKNOWN_MAX; i++)
        unknown[i] = (ProtobufCMessageUnknownField){
            .tag = 15, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = &zero};
    for (uint32_t change = 0; change < 2; change++) {
        Seom__Holdings *wanted = wants(&w, 7, STONE, 1);
        wanted->base.n_unknown_fields = wanted->slots[0]->base.n_unknown_fields = UNKNOWN_MAX;
        wanted->base.unknown_fields = wanted->slots[0]->base.unknown_fields = unknown;
        if (change == 0) {
            assert_int_equal(square_offer(square, ANN, square->people[BORA], 5, 0, 0, wanted),
                             FINE);
            id = square->answer->id;
        } else {
            assert_int_equal(square_change(square, ANN, id, wanted), FINE);
        }
        const Seom__Holdings *kept = square_trade(square, id)->wants;
        assert_int_equal(kept->base.n_unknown_fields, 0);
        assert_int_equal(kept->slots[0]->base.n_unknown_fields, 0);
        assert_int_equal(kept->slots[0]->count, 1);
        assert_int_equal(square_audit(square).unreadable, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_offer_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_offer_has_another_hash, setup, teardown),
        cmocka_unit_test(the_hash_tells_everything),
        cmocka_unit_test_setup_teardown(things_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_mailed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_offer_finds_a_full_bag, setup, teardown),
        cmocka_unit_test_setup_teardown(coins_beyond_the_limit_are_mailed, setup, teardown),
        cmocka_unit_test_setup_teardown(who_cannot_pay_gets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(single_things_are_wanted_by_kind_or_id, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_offered_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(old_offers_are_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_understands_is_left_out, setup, teardown),
    };
    return cmocka_run_group_tests_name("trade", tests, NULL, NULL);
}
