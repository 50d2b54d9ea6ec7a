#include "seom.pb-c.h"
#include "society/audit.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "society/square.h"
#include "society/trade.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

/* ---- what nobody can reach ---- */

#define NOTICES_MAX 3

static void
put_notices(struct square *square, uint64_t player, const Seom__Notice *notices, size_t count)
{
    Seom__InboxDocument inbox = SEOM__INBOX_DOCUMENT__INIT;
    Seom__Notice copies[NOTICES_MAX], *list[NOTICES_MAX];
    assert_in_range(count, 0, NOTICES_MAX);
    for (size_t i = 0; i < count; i++) {
        copies[i] = notices[i];
        list[i] = &copies[i];
    }
    inbox.notices = list;
    inbox.n_notices = count;
    square_forge(square, KEY_CLASS_INBOX, player, &inbox.base);
}

static Seom__Notice
notice_of(Seom__NoticeKind kind, uint64_t id)
{
    Seom__Notice notice = SEOM__NOTICE__INIT;
    notice.kind = kind;
    notice.id = id;
    return notice;
}

static void
notice_gone(struct square *square)
{
    put_notices(square, square->people[BORA], NULL, 0);
}

static void
notice_twice(struct square *square)
{
    Seom__Notice mail = notice_of(SEOM__NOTICE_KIND__NOTICE_MAIL, MAIL);
    put_notices(square, square->people[BORA], (Seom__Notice[]){mail, mail}, 2);
}

static void
notice_at_another(struct square *square)
{
    Seom__Notice notices[] = {notice_of(SEOM__NOTICE_KIND__NOTICE_MAIL, MAIL),
                              notice_of(SEOM__NOTICE_KIND__NOTICE_OFFER, TRADE)};
    put_notices(square, square->people[BORA], NULL, 0);
    put_notices(square, square->people[CHUN], notices, 2);
}

static void
notice_of_no_mail(struct square *square)
{
    Seom__Notice notices[] = {notice_of(SEOM__NOTICE_KIND__NOTICE_MAIL, MAIL),
                              notice_of(SEOM__NOTICE_KIND__NOTICE_MAIL, STRANGERS)};
    put_notices(square, square->people[BORA], notices, 2);
}

static void
notice_of_no_offer(struct square *square)
{
    Seom__Notice notices[] = {notice_of(SEOM__NOTICE_KIND__NOTICE_OFFER, TRADE),
                              notice_of(SEOM__NOTICE_KIND__NOTICE_OFFER, STRANGERS)};
    put_notices(square, square->people[CHUN], notices, 2);
}

static void
notice_to_nobody(struct square *square)
{
    Seom__Notice mail = notice_of(SEOM__NOTICE_KIND__NOTICE_MAIL, MAIL);
    Seom__MailDocument *document = square_mail(square, MAIL);
    document->to = STRANGERS;
    square_forge(square, KEY_CLASS_MAIL, MAIL, &document->base);
    put_notices(square, square->people[BORA], NULL, 0);
    put_notices(square, STRANGERS, &mail, 1);
}

static void
inbox_unreadable(struct square *square)
{
    square_forge(square, KEY_CLASS_INBOX, square->people[BORA], NULL);
}

static void
inside_put(struct square *square, uint64_t uid, uint64_t chunk)
{
    Seom__ChestDocument chest = SEOM__CHEST_DOCUMENT__INIT;
    chest.owner = square->people[BORA];
    chest.chunk = chunk;
    square_forge(square, KEY_CLASS_CHEST, uid, &chest.base);
}

/* Both of Bora's chests, a second one is made, stand in chunk 9, as these kinds of things. */
static void
stand_chests(struct square *square, const uint32_t forms[2])
{
    assert_int_equal(square_give(square, BORA, CHEST, 1), FINE);
    assert_int_equal(square->answer->id, STRANGERS);
    Seom__PlayerDocument *bora = square_player(square, BORA);
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    Seom__ChunkThing things[2], *list[2];
    Seom__Holdings holds[2];
    Seom__Stack *stacks[2];
    assert_in_range(bora->n_ledger, 3, LEDGER_TAIL_MAX);
    for (size_t i = 0; i < 2; i++) {
        Seom__Entry *line = bora->ledger[bora->n_ledger - 2 + i];
        line->to = SEOM__ACCOUNT_KIND__ACCOUNT_GROUND;
        line->to_id = 9;
        stacks[i] = slot_of(bora, CHEST);
        seom__holdings__init(&holds[i]);
        seom__chunk_thing__init(&things[i]);
        list[i] = &things[i];
        holds[i].n_slots = 1;
        things[i].holds = &holds[i];
        things[i].id = BORAS + i;
        things[i].kind = forms[i];
        Seom__Stack *copy = square->allocator.alloc(square, sizeof *copy);
        *copy = *stacks[i];
        assert_int_equal(copy->uid, things[i].id);
        seom__stack__init(stacks[i]);
        stacks[i] = copy;
        holds[i].slots = &stacks[i];
    }
    chunk.things = list;
    chunk.n_things = 2;
    square_forge(square, KEY_CLASS_CHUNK, 9, &chunk.base);
    put_player(square, BORA, bora);
}

static void
inside_of_nothing(struct square *square)
{
    inside_put(square, MAIL, 9);
}

static void
inside_of_what_is_carried(struct square *square)
{
    inside_put(square, ANNS, 9);
}

static void
inside_elsewhere(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 7});
    inside_put(square, BORAS, 9);
    inside_put(square, STRANGERS, 10);
}

static void
inside_missing(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 7});
    inside_put(square, BORAS, 9);
}

static void
inside_under_another_id(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 7});
    inside_put(square, BORAS, 9);
    inside_put(square, STRANGERS, 9);
    Seom__ChunkDocument *chunk =
        square_look(square, KEY_CLASS_CHUNK, 9, &seom__chunk_document__descriptor);
    chunk->things[1]->id = ANNS;
    square_forge(square, KEY_CLASS_CHUNK, 9, &chunk->base);
}

/* ---- first coins ---- */

static void
born_twice(struct square *square)
{
    Seom__PlayerDocument *bora = square_player(square, BORA);
    Seom__Entry *lines[LEDGER_TAIL_MAX];
    assert_in_range(bora->n_ledger, 1, LEDGER_TAIL_MAX - 1);
    assert_int_equal(bora->ledger[0]->reason, REASON_BIRTH);
    memcpy(lines, bora->ledger, bora->n_ledger * sizeof lines[0]);
    lines[bora->n_ledger++] = bora->ledger[0];
    bora->ledger = lines;
    bora->bag->coins += SQUARE_FIRST_COINS;
    put_player(square, BORA, bora);
}

static void
bag_of_no_birth(struct square *square)
{
    Seom__PlayerDocument *chun = square_player(square, CHUN);
    Seom__Holdings bag = SEOM__HOLDINGS__INIT;
    assert_null(chun->bag);
    chun->bag = &bag;
    put_player(square, CHUN, chun);
}

static void
birth_without_bag(struct square *square)
{
    Seom__PlayerDocument *chun = square_player(square, CHUN);
    Seom__Entry lines[2], *list[2] = {&lines[0], &lines[1]};
    for (size_t i = 0; i < 2; i++) {
        seom__entry__init(&lines[i]);
        lines[i].seq = 1;
        lines[i].count = SQUARE_FIRST_COINS;
    }
    lines[0].reason = REASON_BIRTH;
    lines[0].to = lines[1].from = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER;
    lines[0].to_id = lines[1].from_id = square->people[CHUN];
    lines[1].reason = REASON_BOUGHT;
    chun->ledger = list;
    chun->n_ledger = 2;
    chun->last_seq = 1;
    put_player(square, CHUN, chun);
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
    {"notice gone", notice_gone, 0, 0,
     "0001/mail/0001000000000001: no notice of it in the inbox of 0001000000000002"},
    {"notice twice", notice_twice, 0, 0, "0001/mail/0001000000000001: two notices of it"},
    {"notice at another", notice_at_another, 0, 0,
     "0001/mail/0001000000000001: to 0001000000000003 by its document or its notice"},
    {"notice of no mail", notice_of_no_mail, 0, 0,
     "0001/mail/0001000000000005: a notice of it in the inbox of 0001000000000002"},
    {"notice of no offer", notice_of_no_offer, 0, 0,
     "0001/trade/0001000000000005: a notice of it in the inbox of 0001000000000003"},
    {"notice to nobody", notice_to_nobody, 0, 0, "0001/player/0001000000000005: no document"},
    {"inbox unreadable", inbox_unreadable, 0, 0, "0001/inbox/0001000000000002: cannot be read"},
    {"inside of nothing", inside_of_nothing, 0, 0,
     "0001/chest/0001000000000001: nothing of this id stands in 0001/chunk/0000000000000009"},
    {"inside of what is carried", inside_of_what_is_carried, 0, 0,
     "0001/chest/0001000000000003: nothing of this id stands in 0001/chunk/0000000000000009"},
    {"inside elsewhere", inside_elsewhere, 0, 0,
     "0001/chest/0001000000000005: nothing of this id stands in 0001/chunk/000000000000000a"},
    {"inside missing", inside_missing, 0, 0,
     "0001/chest/0001000000000005: no document, but it stands in 0001/chunk/0000000000000009"},
    {"inside under another id", inside_under_another_id, 0, 0,
     "0001/chest/0001000000000005: nothing of this id stands in 0001/chunk/0000000000000009"},
    {"born twice", born_twice, 0, 0,
     "0001/player/0001000000000002: first coins were given 2 times"},
    {"bag of no birth", bag_of_no_birth, 0, 0,
     "0001/player/0001000000000003: a bag, but first coins were never given"},
    {"birth without bag", birth_without_bag, 0, 0,
     "0001/player/0001000000000003: first coins were given, but it has no bag"},
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

/* ---- what looks odd and is right ---- */

/* Being old, it left: the giver has the offer in the own list. */
static void
offer_without_notice(struct square *square)
{
    put_notices(square, square->people[CHUN], NULL, 0);
}

static void
chests_that_stand(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 7});
    inside_put(square, BORAS, 9);
    inside_put(square, STRANGERS, 9);
}

/* One stands, with an inside; the other was dropped, so it is a thing of another kind. */
static void
chest_that_lies(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 8});
    inside_put(square, BORAS, 9);
}

static void
chests_of_a_game_without_insides(struct square *square)
{
    stand_chests(square, (uint32_t[]){7, 7});
}

static void
what_is_right_is_not_found(void **state)
{
    (void)state;
    static void (*const rights[])(struct square * square) = {
        offer_without_notice, chests_that_stand, chest_that_lies, chests_of_a_game_without_insides};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        struct square *square = square_with_things();
        rights[i](square);
        struct audit_result result = square_audit(square);
        assert_string_equal(square->notes, "");
        assert_true(result.balanced);
        square_free(square);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_world_balances),
        cmocka_unit_test(what_is_spoiled_is_found),
        cmocka_unit_test(what_is_right_is_not_found),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
