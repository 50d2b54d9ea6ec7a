#include "proof/commit_books.h"

#include "documents.pb-c.h"
#include "society/kinds.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ID 0x1000000000007

static uint8_t packed[4096];

static struct slice
pack(const void *message)
{
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof packed);
    return (struct slice){packed, protobuf_c_message_pack(message, packed)};
}

/* A bag with coins, a stack, an empty slot and a single thing. */
struct bag {
    Seom__Holdings holds;
    Seom__Stack stack, empty, single;
    Seom__Stack *slots[3];
};

static void
bag_make(struct bag *bag)
{
    seom__holdings__init(&bag->holds);
    seom__stack__init(&bag->stack);
    seom__stack__init(&bag->empty);
    seom__stack__init(&bag->single);
    bag->stack.kind = 1;
    bag->stack.count = 99;
    bag->single.kind = 2;
    bag->single.count = 1;
    bag->single.uid = UINT64_C(1) << 60;
    bag->slots[0] = &bag->stack;
    bag->slots[1] = &bag->empty;
    bag->slots[2] = &bag->single;
    bag->holds.coins = 1000000000000;
    bag->holds.slots = bag->slots;
    bag->holds.n_slots = 3;
}

static void
assert_bag(const struct book *book, enum book_account kind)
{
    assert_true(book->owner.kind == kind && book->owner.id == ID);
    assert_int_equal(book->items, 3);
    const struct book_item *coins = &book->item[0], *stack = &book->item[1],
                           *single = &book->item[2];
    assert_true(coins->kind == 0 && coins->count == 1000000000000 && coins->uid == 0);
    assert_true(stack->kind == 1 && stack->count == 99 && stack->slot == 0 && stack->uid == 0);
    assert_true(single->kind == 2 && single->count == 1 && single->slot == 2);
    assert_true(single->uid == UINT64_C(1) << 60);
}

static void
test_player(void **state)
{
    (void)state;
    struct bag bag;
    bag_make(&bag);
    Seom__Entry entry = SEOM__ENTRY__INIT, *entries = &entry;
    entry.seq = 9;
    entry.at_ms = 1234567890123;
    entry.reason = 2;
    entry.to = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER;
    entry.to_id = ID;
    entry.kind = 1;
    entry.count = 3;
    Seom__PlayerDocument player = SEOM__PLAYER_DOCUMENT__INIT;
    uint8_t result[] = {15, 7};
    char name[] = "Bora";
    player.name = name;
    player.session_epoch = 4;
    player.last_seq = 9;
    player.last_hash = 0x123456789abcdef0;
    player.last_res = (ProtobufCBinaryData){.data = result, .len = sizeof result};
    player.bag = &bag.holds;
    player.ledger = &entries;
    player.n_ledger = 1;
    player.ledger_pages = 2;
    struct book book, other;
    assert_int_equal(book_read(TRUTH_PLAYER, ID, pack(&player), &book), OK);
    assert_bag(&book, ACCOUNT_PLAYER);
    const struct book_player *p = &book.as.player;
    assert_true(p->session_epoch == 4 && p->last_seq == 9 && p->last_hash == 0x123456789abcdef0);
    assert_true(p->code == 15 && p->result == book_digest((struct slice){result, sizeof result}));
    assert_true(p->pages == 2 && p->lines == 1);

    static struct book_lines lines;
    struct book_line line;
    lines.count = 0;
    assert_int_equal(book_lines_add(TRUTH_PLAYER, pack(&player), &lines), OK);
    assert_int_equal(lines.count, 1);
    assert_true(book_digest(lines.line[0]) == p->line[0]);
    assert_int_equal(book_line_read(lines.line[0], &line), OK);
    assert_true(line.seq == 9 && line.at_ms == 1234567890123 && line.reason == 2);
    assert_true(line.from.kind == ACCOUNT_WORLD && line.to.kind == ACCOUNT_PLAYER);
    assert_true(line.to.id == ID && line.kind == 1 && line.count == 3 && line.uid == 0);

    /* The rest is what a refusal and a claim of the session leave alone. */
    player.last_seq = 10;
    player.session_epoch = 5;
    player.home_node = 3;
    assert_int_equal(book_read(TRUTH_PLAYER, ID, pack(&player), &other), OK);
    assert_true(other.as.player.rest == p->rest);
    bag.holds.coins--;
    assert_int_equal(book_read(TRUTH_PLAYER, ID, pack(&player), &other), OK);
    assert_true(other.as.player.rest != p->rest);
}

static void
test_chunk(void **state)
{
    (void)state;
    Seom__Holdings holds = SEOM__HOLDINGS__INIT;
    Seom__Stack stack = SEOM__STACK__INIT, *slots = &stack;
    stack.kind = 1;
    stack.count = 5;
    holds.slots = &slots;
    holds.n_slots = 1;
    Seom__ChunkThing thing = SEOM__CHUNK_THING__INIT, *things = &thing;
    thing.id = 77;
    thing.kind = 3;
    thing.x_mm = -12345;
    thing.y_mm = 2000000000;
    thing.holds = &holds;
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    chunk.things = &things;
    chunk.n_things = 1;
    struct book book;
    assert_int_equal(book_read(TRUTH_CHUNK, ID, pack(&chunk), &book), OK);
    assert_true(book.owner.kind == ACCOUNT_GROUND && book.items == 1 && book.item[0].count == 5);
    assert_int_equal(book.as.chunk.count, 1);
    assert_true(book.as.chunk.thing[0].id == 77 && book.as.chunk.thing[0].kind == 3);
    assert_true(book.as.chunk.thing[0].x_mm == -12345);
    assert_true(book.as.chunk.thing[0].y_mm == 2000000000);
}

static void
test_holders(void **state)
{
    (void)state;
    struct bag bag;
    struct book book;
    bag_make(&bag);
    Seom__ChestDocument chest = SEOM__CHEST_DOCUMENT__INIT;
    chest.holds = &bag.holds;
    assert_int_equal(book_read(TRUTH_CHEST, ID, pack(&chest), &book), OK);
    assert_bag(&book, ACCOUNT_CHEST);
    Seom__MailDocument mail = SEOM__MAIL_DOCUMENT__INIT;
    mail.holds = &bag.holds;
    mail.to = 12;
    assert_int_equal(book_read(TRUTH_MAIL, ID, pack(&mail), &book), OK);
    assert_bag(&book, ACCOUNT_MAIL);
    assert_true(book.as.mail.to == 12);

    Seom__Notice notice = SEOM__NOTICE__INIT, *notices = &notice;
    notice.kind = SEOM__NOTICE_KIND__NOTICE_OFFER;
    notice.id = 5;
    Seom__InboxDocument inbox = SEOM__INBOX_DOCUMENT__INIT;
    inbox.notices = &notices;
    inbox.n_notices = 1;
    assert_int_equal(book_read(TRUTH_INBOX, ID, pack(&inbox), &book), OK);
    assert_true(book.items == 0 && book.as.inbox.count == 1);
    assert_true(book.as.inbox.notice[0].kind == 2 && book.as.inbox.notice[0].id == 5);
}

static void
test_trade(void **state)
{
    (void)state;
    struct bag bag;
    struct book book, other;
    bag_make(&bag);
    Seom__Holdings wants = SEOM__HOLDINGS__INIT;
    Seom__TradeDocument trade = SEOM__TRADE_DOCUMENT__INIT;
    trade.from = 3;
    trade.to = 4;
    trade.gives = &bag.holds;
    trade.wants = &wants;
    assert_int_equal(book_read(TRUTH_TRADE, ID, pack(&trade), &book), OK);
    assert_bag(&book, ACCOUNT_TRADE); /* what is wanted is not held */
    assert_true(book.as.trade.from == 3 && book.as.trade.to == 4);
    wants.coins = 1;
    assert_int_equal(book_read(TRUTH_TRADE, ID, pack(&trade), &other), OK);
    assert_true(other.as.trade.digest != book.as.trade.digest);
    wants.coins = 0;
    bag.stack.count = 98;
    assert_int_equal(book_read(TRUTH_TRADE, ID, pack(&trade), &other), OK);
    assert_true(other.as.trade.digest != book.as.trade.digest);
}

static void
test_malformed(void **state)
{
    (void)state;
    struct bag bag;
    struct book book;
    bag_make(&bag);
    Seom__ChestDocument chest = SEOM__CHEST_DOCUMENT__INIT;
    chest.holds = &bag.holds;
    struct slice body = pack(&chest);
    for (size_t bytes = 1; bytes < body.bytes; bytes++)
        assert_int_equal(book_read(TRUTH_CHEST, ID, (struct slice){body.at, bytes}, &book),
                         ERR_FORMAT);
    static const uint8_t odd[] = {0x0b};
    assert_int_equal(book_read(TRUTH_CHEST, ID, (struct slice){odd, 1}, &book), ERR_FORMAT);

    /* More slots than a holder may have. */
    Seom__Stack *slots[CHEST_SLOTS_MAX + 1];
    for (uint32_t i = 0; i <= CHEST_SLOTS_MAX; i++)
        slots[i] = &bag.stack;
    bag.holds.slots = slots;
    bag.holds.n_slots = CHEST_SLOTS_MAX;
    assert_int_equal(book_read(TRUTH_CHEST, ID, pack(&chest), &book), OK);
    bag.holds.n_slots = CHEST_SLOTS_MAX + 1;
    assert_int_equal(book_read(TRUTH_CHEST, ID, pack(&chest), &book), ERR_FORMAT);

    Seom__Entry entry = SEOM__ENTRY__INIT;
    struct book_line line;
    entry.kind = KINDS_MAX;
    assert_int_equal(book_line_read(pack(&entry), &line), ERR_FORMAT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_player),    cmocka_unit_test(test_chunk),
        cmocka_unit_test(test_holders),   cmocka_unit_test(test_trade),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests_name("commit_books", tests, NULL, NULL);
}
