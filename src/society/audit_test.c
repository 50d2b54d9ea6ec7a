#include "base/rand.h"
#include "seom.pb-c.h"
#include "society/audit.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "society/square.h"
#include "society/trade.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FINE      SEOM__CODE__FINE
#define ANN       0
#define BORA      1
#define CHUN      2
#define MAIL      ((uint64_t)DESK_WORLD << 48 | 1) /* the ids of the fixture's things, in order */
#define TRADE     (MAIL + 1)
#define ANNS      (MAIL + 2)
#define BORAS     (MAIL + 3)
#define STRANGERS (MAIL + 4)

/* A world with something everywhere: Ann has 7 fruit, a chest, a page of ledger and 60 coins; 3
 * fruit of hers are in a mail to Bora, 40 coins in an offer to Chun; Bora has a chest. */
static struct square *
square_with_things(void)
{
    struct square *square = square_alloc(1, SOCIETY_MUTANT_NONE);
    uint64_t bora = square->people[BORA], chun = square->people[CHUN];
    assert_int_equal(square_give(square, ANN, FRUIT, 10), FINE);
    assert_int_equal(square_send(square, ANN, bora, "", 0, 0, 3), FINE);
    assert_int_equal(square->answer->id, MAIL);
    assert_int_equal(square_offer(square, ANN, chun, 40, 0, 0, NULL), FINE);
    assert_int_equal(square->answer->id, TRADE);
    assert_int_equal(square_give(square, ANN, CHEST, 1), FINE);
    assert_int_equal(square->answer->id, ANNS);
    assert_int_equal(square_give(square, BORA, CHEST, 1), FINE);
    assert_int_equal(square->answer->id, BORAS);
    for (uint32_t n = 0; n < LEDGER_TAIL_MAX / 2; n++) {
        assert_int_equal(square_split(square, ANN, 0, 5, 1), FINE);
        assert_int_equal(square_split(square, ANN, 5, 0, 1), FINE);
    }
    return square;
}

/* ---- ways to spoil it ---- */

static void
put_player(struct square *square, uint32_t who, const Seom__PlayerDocument *player)
{
    square_forge(square, KEY_CLASS_PLAYER, square->people[who], &player->base);
}

static Seom__Stack *
slot_of(Seom__PlayerDocument *player, uint32_t kind)
{
    for (size_t i = 0; i < player->bag->n_slots; i++)
        if (player->bag->slots[i]->kind == kind)
            return player->bag->slots[i];
    fail_msg("no such kind in the bag");
    return NULL;
}

static void
fruit_more(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    slot_of(ann, FRUIT)->count++;
    put_player(square, ANN, ann);
}

static void
fruit_fewer(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    slot_of(ann, FRUIT)->count -= 2;
    put_player(square, ANN, ann);
}

static void
coins_more(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->bag->coins += 5;
    put_player(square, BORA, bora);
}

static void
coins_wrapped(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->bag->coins = UINT64_MAX;
    put_player(square, BORA, bora);
}

static void
mail_emptied(struct square *square)
{
    Seom__MailDocument *mail = square_mail(square, MAIL);
    mail->holds = NULL;
    square_forge(square, KEY_CLASS_MAIL, MAIL, &mail->base);
}

static void
mail_unreadable(struct square *square)
{
    square_forge(square, KEY_CLASS_MAIL, MAIL, NULL);
}

static void
trade_richer(struct square *square)
{
    Seom__TradeDocument *trade = square_trade(square, TRADE);
    trade->gives->coins = 41;
    square_forge(square, KEY_CLASS_TRADE, TRADE, &trade->base);
}

static void
trade_of_another(struct square *square)
{
    Seom__TradeDocument *trade = square_trade(square, TRADE);
    trade->from = square->people[BORA];
    square_forge(square, KEY_CLASS_TRADE, TRADE, &trade->base);
}

static void
trades_forgotten(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    ann->n_trades = 0;
    put_player(square, ANN, ann);
}

/* Puts a chest into a chunk that nobody knows of. */
static void
lay_chest(struct square *square, uint64_t uid, uint32_t kind)
{
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    Seom__ChunkThing thing = SEOM__CHUNK_THING__INIT, *things = &thing;
    Seom__Holdings holds = SEOM__HOLDINGS__INIT;
    Seom__Stack stack = SEOM__STACK__INIT, *slots = &stack;
    stack.kind = kind;
    stack.count = 1;
    stack.uid = uid;
    holds.slots = &slots;
    holds.n_slots = 1;
    thing.holds = &holds;
    chunk.things = &things;
    chunk.n_things = 1;
    square_forge(square, KEY_CLASS_CHUNK, 9, &chunk.base);
}

static void
chest_twice(struct square *square)
{
    lay_chest(square, ANNS, CHEST);
}

static void
chest_of_no_make(struct square *square)
{
    lay_chest(square, STRANGERS, CHEST);
}

static void
chest_of_another_kind(struct square *square)
{
    lay_chest(square, ANNS, FRUIT);
}

static void
chest_gone(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    seom__stack__init(slot_of(ann, CHEST));
    put_player(square, ANN, ann);
}

static void
chest_moved(struct square *square)
{
    chest_gone(square);
    lay_chest(square, ANNS, CHEST);
}

static void
chests_exchanged(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN), *bora = square_player(square, BORA);
    slot_of(ann, CHEST)->uid = BORAS;
    slot_of(bora, CHEST)->uid = ANNS;
    put_player(square, ANN, ann);
    put_player(square, BORA, bora);
}

static void
empty_slot_counts(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    slot_of(ann, FRUIT)->kind = 0;
    put_player(square, ANN, ann);
}

/* ---- the ledger itself ---- */

static void
line_of_chest_twice(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    Seom__Entry *lines[8];
    size_t count = bora->n_ledger;
    assert_in_range(count, 1, 7);
    memcpy(lines, bora->ledger, count * sizeof lines[0]);
    lines[count] = lines[count - 1];
    bora->ledger = lines;
    bora->n_ledger = count + 1;
    put_player(square, BORA, bora);
}

static void
line_of_a_crowd(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->ledger[bora->n_ledger - 1]->count = 2;
    put_player(square, BORA, bora);
}

static void
line_of_no_account(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->ledger[bora->n_ledger - 1]->to = (Seom__AccountKind)250;
    put_player(square, BORA, bora);
}

static void
line_beyond_bounds(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->ledger[0]->count = UINT64_MAX - 7;
    put_player(square, BORA, bora);
}

static void
line_of_a_later_command(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    bora->last_seq--;
    put_player(square, BORA, bora);
}

static void
page_missing(struct square *square)
{
    Seom__PlayerDocument *ann = square_player(square, ANN);
    ann->ledger_pages++;
    put_player(square, ANN, ann);
}

static void
page_too_many(struct square *square)
{
    struct key key = ledger_key(DESK_WORLD, square->people[ANN], 7);
    desk_put(square->desk, key.text, "", 0);
}

static void
page_elsewhere(struct square *square)
{
    page_too_many(square);
    page_missing(square);
}

static void
page_of_nobody(struct square *square)
{
    struct key key = ledger_key(DESK_WORLD, STRANGERS, 0);
    desk_put(square->desk, key.text, "", 0);
}

static void
page_without_number(struct square *square)
{
    Seom__LedgerDocument page = SEOM__LEDGER_DOCUMENT__INIT;
    square_forge(square, KEY_CLASS_LEDGER, square->people[ANN], &page.base);
}

/* What the first page tells stands in the document, too. */
static void
page_in_tail(struct square *square)
{
    struct key key = ledger_key(DESK_WORLD, square->people[ANN], 0);
    struct store_doc doc = desk_look(square->desk, key.text);
    assert_true(doc.exists);
    Seom__LedgerDocument *page =
        seom__ledger_document__unpack(&square->allocator, doc.value.bytes, doc.value.at);
    Seom__PlayerDocument *ann = square_player(square, ANN);
    ann->ledger = page->entries;
    ann->n_ledger = page->n_entries;
    put_player(square, ANN, ann);
}

static const struct spoiled {
    const char *what;
    void (*spoil)(struct square *square);
    uint64_t doubled, lost;
    const char *finding; /* a part of the first one */
} spoileds[] = {
    {"fruit more", fruit_more, 1, 0, "0001/player/0001000000000001: 1 of kind 1 more than"},
    {"fruit fewer", fruit_fewer, 0, 2, "0001/player/0001000000000001: 2 of kind 1 fewer than"},
    {"coins more", coins_more, 5, 0, "0001/player/0001000000000002: 5 coins more than"},
    {"coins wrapped", coins_wrapped, (uint64_t)INT64_MAX - 100, 0,
     "0001/player/0001000000000002: a count of 18446744073709551615"},
    {"mail emptied", mail_emptied, 0, 3, "0001/mail/0001000000000001: 3 of kind 1 fewer than"},
    {"mail unreadable", mail_unreadable, 0, 3, "0001/mail/0001000000000001: cannot be read"},
    {"trade richer", trade_richer, 1, 0, "0001/trade/0001000000000002: 1 coins more than"},
    {"trade of another", trade_of_another, 0, 0, "list of open offers is not what there is"},
    {"trades forgotten", trades_forgotten, 0, 0,
     "0001/player/0001000000000001: its list of open offers is not what there is"},
    {"chest twice", chest_twice, 1, 0, "thing 0001000000000003 of kind 3: in 2 places, one is "},
    {"chest of no make", chest_of_no_make, 1, 0,
     "thing 0001000000000005 of kind 3: at 0001/chunk/0000000000000009, by the ledger never made"},
    {"chest of another kind", chest_of_another_kind, 1, 0, "thing 0001000000000003: of kind "},
    {"chest gone", chest_gone, 0, 1, "thing 0001000000000003 of kind 3: nowhere"},
    {"chest moved", chest_moved, 1, 1,
     "thing 0001000000000003 of kind 3: at 0001/chunk/0000000000000009, by the ledger elsewhere"},
    {"chests exchanged", chests_exchanged, 2, 2, "by the ledger elsewhere"},
    {"empty slot counts", empty_slot_counts, 0, 7,
     "0001/player/0001000000000001: an empty slot that is not empty"},
    {"line of chest twice", line_of_chest_twice, 0, 1,
     "thing 0001000000000004 of kind 3: made 2 times, used up 0 times"},
    {"line of a crowd", line_of_a_crowd, 1, 0,
     "0001/player/0001000000000002: a line of command 1 that cannot be"},
    {"line of no account", line_of_no_account, 1, 0,
     "0001/player/0001000000000002: a line of command 1 that cannot be"},
    {"line beyond bounds", line_beyond_bounds, 0, (uint64_t)INT64_MAX - 100,
     "0001/player/0001000000000002: a count of 18446744073709551608"},
    {"line of a later command", line_of_a_later_command, 0, 0,
     "0001/player/0001000000000002: lines of command 1, the last one was 0"},
    {"page missing", page_missing, 0, 0, "pages of the ledger, the last is "},
    {"page too many", page_too_many, 0, 0, "pages of the ledger, the last is 8, by its document "},
    {"page elsewhere", page_elsewhere, 0, 0,
     "pages of the ledger, the last is 8, by its document "},
    {"page of nobody", page_of_nobody, 0, 0, "0001/player/0001000000000005: no document"},
    {"page without number", page_without_number, 0, 0,
     "0001/ledger/0001000000000001: cannot be read"},
    {"page in tail", page_in_tail, UINT64_MAX, UINT64_MAX, "already in a page"},
};

static void
a_sound_world_balances(void **state)
{
    (void)state;
    struct square *square = square_with_things();
    assert_true(square_player(square, ANN)->ledger_pages > 0);
    struct audit_result result = square_audit(square);
    assert_string_equal(square->notes, "");
    assert_true(result.balanced);
    assert_int_equal(result.minted, 12);
    assert_int_equal(result.held, 12);
    assert_int_equal(result.consumed, 0);
    assert_int_equal(result.coins_minted, 200);
    assert_int_equal(result.coins_held, 200);
    assert_int_equal(result.doubled + result.lost + result.faults + result.findings, 0);
    assert_int_equal(result.commands, square->seqs[ANN] + square->seqs[BORA]);
    square_free(square);
}

static void
what_is_spoiled_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spoileds / sizeof spoileds[0]; i++) {
        const struct spoiled *s = &spoileds[i];
        struct square *square = square_with_things();
        square->used = 0;
        s->spoil(square);
        struct audit_result result = square_audit(square);
        if (result.balanced || result.findings == 0)
            fail_msg("%s: nothing was found", s->what);
        if (strstr(square->notes, s->finding) == NULL)
            fail_msg("%s: found %s", s->what, square->notes);
        if (s->doubled != UINT64_MAX && (result.doubled != s->doubled || result.lost != s->lost))
            fail_msg("%s: doubled %ju, lost %ju: %s", s->what, (uintmax_t)result.doubled,
                     (uintmax_t)result.lost, square->notes);
        square_free(square);
    }
}

/* ---- order and limits ---- */

struct paper {
    struct key key;
    uint8_t bytes[2048];
    size_t count;
};

static size_t
papers_make(struct paper *papers, uint32_t people)
{
    for (uint32_t n = 0; n < people; n++) {
        struct paper *paper = &papers[n];
        uint64_t id = n + 1, next = n + 2 > people ? 1 : n + 2;
        Seom__PlayerDocument player = SEOM__PLAYER_DOCUMENT__INIT;
        Seom__Entry entries[4], *ledger[4];
        Seom__Stack stacks[2], *slots[2];
        Seom__Holdings bag = SEOM__HOLDINGS__INIT;
        for (uint32_t i = 0; i < 4; i++) {
            seom__entry__init(&entries[i]);
            ledger[i] = &entries[i];
            entries[i].seq = i + 1;
            entries[i].to = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER;
            entries[i].to_id = id;
            entries[i].kind = i;
            entries[i].count = i == 3 ? 1 : 10;
            entries[i].uid = i == 3 ? 1000 + id : 0;
        }
        /* Everybody gives 4 of kind 1 and the single thing to the next. */
        entries[2].kind = 1;
        entries[2].count = 4;
        entries[2].from = entries[2].to;
        entries[2].from_id = id;
        entries[2].to_id = next;
        entries[3].to_id = next;
        for (uint32_t i = 0; i < 2; i++) {
            seom__stack__init(&stacks[i]);
            slots[i] = &stacks[i];
        }
        stacks[0].kind = 1;
        stacks[0].count = 10;
        stacks[1].kind = 3;
        stacks[1].count = 1;
        stacks[1].uid = 1000 + (n == 0 ? people : id - 1);
        bag.coins = 10;
        bag.slots = slots;
        bag.n_slots = 2;
        player.bag = &bag;
        player.ledger = ledger;
        player.n_ledger = 4;
        player.last_seq = 4;
        paper->key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, id);
        assert_true(seom__player_document__get_packed_size(&player) <= sizeof paper->bytes);
        paper->count = seom__player_document__pack(&player, paper->bytes);
    }
    return people;
}

static enum err
paper_read(struct audit *audit, const struct paper *paper)
{
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&paper->key), &parts), OK);
    return audit_read(audit, &parts, (struct slice){paper->bytes, paper->count});
}

#define PAPERS 3000

static void
any_order_will_do(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS);
    struct rand rand;
    rand_seed(&rand, 5);
    for (uint32_t round = 0; round < 6; round++) {
        struct audit *audit = audit_alloc(0);
        for (size_t i = 0; i < count; i++) {
            size_t other = i + rand_below(&rand, (uint32_t)(count - i));
            struct paper swap = papers[i];
            papers[i] = papers[other];
            papers[other] = swap;
            assert_int_equal(paper_read(audit, &papers[i]), OK);
        }
        struct audit_result result = audit_end(audit, 0, NULL, NULL);
        assert_true(result.balanced);
        assert_int_equal(result.documents, PAPERS);
        assert_int_equal(result.minted, PAPERS * 11);
        assert_int_equal(result.held, PAPERS * 11);
        assert_int_equal(result.coins_held, PAPERS * 10);
        assert_int_equal(result.commands, PAPERS * 4);
        audit_free(&audit);
        assert_null(audit);
    }
    free(papers);
}

static void
count_finding(void *ctx, const char *what)
{
    assert_true(strlen(what) > 10);
    ++*(uint32_t *)ctx;
}

static void
findings_are_counted_and_some_told(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS);
    struct audit *audit = audit_alloc(0);
    for (size_t i = 0; i < count; i += 2)
        assert_int_equal(paper_read(audit, &papers[i]), OK);
    uint32_t told = 0;
    struct audit_result result = audit_end(audit, 10, count_finding, &told);
    assert_int_equal(told, 10);
    assert_false(result.balanced);
    /* Of each two, one gave what nobody holds and one holds what nobody gave. */
    assert_int_equal(result.findings, PAPERS / 2 * 4);
    audit_free(&audit);
    free(papers);
}

/* More accounts in one document than are gathered at a time. */
static void
a_page_may_tell_of_many(void **state)
{
    (void)state;

    enum { LINES = 150 };

    static Seom__Entry entries[LINES];
    static Seom__Entry *list[LINES];
    static uint8_t bytes[STORE_VALUE_MAX];
    Seom__LedgerDocument page = SEOM__LEDGER_DOCUMENT__INIT;
    for (uint32_t n = 0; n < LINES; n++) {
        seom__entry__init(&entries[n]);
        list[n] = &entries[n];
        entries[n].to = SEOM__ACCOUNT_KIND__ACCOUNT_MAIL;
        entries[n].to_id = n + 1;
        entries[n].count = 2;
    }
    page.entries = list;
    page.n_entries = LINES;
    assert_true(seom__ledger_document__get_packed_size(&page) <= sizeof bytes);
    struct slice value = {bytes, seom__ledger_document__pack(&page, bytes)};
    struct key key = ledger_key(DESK_WORLD, 1, 0);
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    struct audit *audit = audit_alloc(0);
    assert_int_equal(audit_read(audit, &parts, value), OK);
    struct audit_result result = audit_end(audit, 0, NULL, NULL);
    assert_int_equal(result.lost, 2 * LINES);
    assert_int_equal(result.findings, LINES + 1); /* and nobody whose page it is */
    audit_free(&audit);
}

static void
a_full_audit_says_so(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS), i = 0;
    struct audit *audit = audit_alloc(PAPERS / 2);
    while (i < count && paper_read(audit, &papers[i]) == OK)
        i++;
    assert_in_range(i, PAPERS / 2 - 2, PAPERS / 2);
    assert_false(audit_end(audit, 0, NULL, NULL).balanced);
    audit_free(&audit);
    free(papers);
}

static void
what_is_of_no_value_is_passed_over(void **state)
{
    (void)state;
    static const char *const keys[] = {"0001/place/0001000000000001", "0001/meta/clock",
                                       "0001/inbox/0001000000000001", "0001/play/0001000000000001",
                                       "0001/players/0001000000000001"};
    struct audit *audit = audit_alloc(0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct key_parts parts;
        struct slice key = {(const uint8_t *)keys[i], strlen(keys[i])};
        assert_int_equal(key_parse(key, &parts), OK);
        assert_int_equal(audit_read(audit, &parts, key), OK);
    }
    struct audit_result result = audit_end(audit, 0, NULL, NULL);
    assert_true(result.balanced);
    assert_int_equal(result.documents + result.unreadable, 0);
    audit_free(&audit);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_world_balances),
        cmocka_unit_test(what_is_spoiled_is_found),
        cmocka_unit_test(any_order_will_do),
        cmocka_unit_test(findings_are_counted_and_some_told),
        cmocka_unit_test(a_page_may_tell_of_many),
        cmocka_unit_test(a_full_audit_says_so),
        cmocka_unit_test(what_is_of_no_value_is_passed_over),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
