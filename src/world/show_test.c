#include "world/value_fixture.h"

static void
ask(struct scene *s, uint32_t gate, const struct link_home *who, uint8_t what, uint64_t id)
{
    scene_input(s, gate, who,
                (struct link_input){.kind = INPUT_SHOW, .number = 8, .look = what, .entity = id});
}

/* The code of the last answer; its view is in *out, good until something more is told. */
static uint32_t
show(struct scene *s, const struct link_home *who, uint8_t what, uint64_t id, struct slice *out)
{
    struct link_message m;
    scene_forget(s);
    ask(s, 0, who, what, id);
    scene_run(s, 50);
    assert_true(scene_self(s, 0, who->player, SELF_SHOWN, &m));
    assert_true(m.as.self.number == 8 && m.as.self.look == what);
    assert_true(m.as.self.code == SEOM__CODE__FINE || m.as.self.bytes.bytes == 0);
    *out = m.as.self.bytes;
    return m.as.self.code;
}

static Seom__PlayerDocument
document_of(const struct link_home *who)
{
    Seom__PlayerDocument document = SEOM__PLAYER_DOCUMENT__INIT;
    document.session_epoch = who->session_epoch;
    return document;
}

static void
test_the_bag(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct slice bytes;
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_BAG, 0, &bytes), SEOM__CODE__FINE);
    Seom__BagView *view = seom__bag_view__unpack(NULL, bytes.bytes, bytes.at);
    assert_non_null(view);
    assert_int_equal(view->holds->coins, SCENE_COINS); /* as the first command will make it */
    assert_int_equal(view->slots_max, BAG_SLOTS_MAX);
    seom__bag_view__free_unpacked(view, NULL);
    Seom__Stack stack = SEOM__STACK__INIT, *slots[] = {&stack};
    stack.kind = 1;
    stack.count = 3;
    Seom__Holdings holds = SEOM__HOLDINGS__INIT;
    holds.coins = 7;
    holds.slots = slots;
    holds.n_slots = 1;
    uint64_t trades[] = {55};
    Seom__PlayerDocument document = document_of(&who);
    document.bag = &holds;
    document.trades = trades;
    document.n_trades = 1;
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    scene_write_message(s, &key, &document.base);
    /* Read at each asking, whatever id is asked for. */
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_BAG, 999, &bytes), SEOM__CODE__FINE);
    view = seom__bag_view__unpack(NULL, bytes.bytes, bytes.at);
    assert_non_null(view);
    assert_int_equal(view->holds->coins, 7);
    assert_int_equal(view->holds->slots[0]->count, 3);
    assert_int_equal(view->trades[0], 55);
    seom__bag_view__free_unpacked(view, NULL);
    scene_write(s, &key, scene_text("\xff"));
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_BAG, 0, &bytes), SEOM__CODE__UNREADABLE);
}

/* The largest one fits. */
static void
test_the_inbox(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct slice bytes;
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_INBOX, 0, &bytes), SEOM__CODE__FINE);
    assert_int_equal(bytes.bytes, 0); /* nothing waits */
    char name[PLAYER_NAME_MAX + 1];
    memset(name, 'x', PLAYER_NAME_MAX);
    name[PLAYER_NAME_MAX] = 0;
    Seom__Notice notices[INBOX_MAX], *list[INBOX_MAX];
    for (uint32_t i = 0; i < INBOX_MAX; i++) {
        seom__notice__init(&notices[i]);
        notices[i].kind = SEOM__NOTICE_KIND__NOTICE_MAIL;
        notices[i].id = notices[i].from = UINT64_MAX - i;
        notices[i].day = UINT32_MAX;
        notices[i].from_name = name;
        notices[i].holds = true;
        list[i] = &notices[i];
    }
    Seom__InboxDocument inbox = SEOM__INBOX_DOCUMENT__INIT;
    inbox.notices = list;
    inbox.n_notices = INBOX_MAX;
    uint8_t packed[STORE_VALUE_MAX];
    assert_true(seom__inbox_document__get_packed_size(&inbox) <= sizeof packed);
    struct key key = key_make(1, KEY_CLASS_INBOX, who.player);
    scene_write(s, &key, (struct slice){packed, seom__inbox_document__pack(&inbox, packed)});
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_INBOX, 0, &bytes), SEOM__CODE__FINE);
    Seom__InboxView *view = seom__inbox_view__unpack(NULL, bytes.bytes, bytes.at);
    assert_non_null(view);
    assert_int_equal(view->n_notices, INBOX_MAX);
    seom__inbox_view__free_unpacked(view, NULL);
}

#define CHEST 4242

static void
put_chest(struct scene *s, struct place at, bool listed)
{
    uint64_t chunk;
    assert_true(chunk_of_place(SCENE_ISLAND, at, &chunk));
    Seom__ChestDocument chest = SEOM__CHEST_DOCUMENT__INIT;
    chest.chunk = chunk;
    struct key key = key_make(1, KEY_CLASS_CHEST, CHEST);
    scene_write_message(s, &key, &chest.base);
    Seom__ChunkThing thing = SEOM__CHUNK_THING__INIT, *things[] = {&thing};
    thing.id = CHEST;
    thing.x_mm = at.x_mm;
    thing.y_mm = at.y_mm;
    Seom__ChunkDocument document = SEOM__CHUNK_DOCUMENT__INIT;
    document.things = things;
    document.n_things = listed;
    key = chunk_key(1, chunk);
    scene_write_message(s, &key, &document.base);
}

static void
test_chests_within_reach(void **state)
{
    struct scene *s = *state;
    const uint8_t what = SEOM__SHOW_KIND__SHOW_CHEST;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct place at = {135000, 135000};
    struct slice bytes;
    scene_put(s, &who, at);
    assert_int_equal(show(s, &who, what, CHEST, &bytes), SEOM__CODE__NOT_FOUND);
    put_chest(s, (struct place){at.x_mm, at.y_mm - SCENE_REACH}, true);
    assert_int_equal(show(s, &who, what, CHEST, &bytes), SEOM__CODE__FINE);
    Seom__ChestView *view = seom__chest_view__unpack(NULL, bytes.bytes, bytes.at);
    assert_non_null(view);
    assert_true(view->slots_max == CHEST_SLOTS_MAX && view->holds != NULL);
    seom__chest_view__free_unpacked(view, NULL);
    put_chest(s, (struct place){at.x_mm, at.y_mm - SCENE_REACH - 1}, true);
    assert_int_equal(show(s, &who, what, CHEST, &bytes), SEOM__CODE__TOO_FAR);
    put_chest(s, (struct place){at.x_mm + SCENE_REACH, at.y_mm - 100}, true);
    assert_int_equal(show(s, &who, what, CHEST, &bytes), SEOM__CODE__TOO_FAR);
    put_chest(s, at, false); /* it says that it stands there, and does not */
    assert_int_equal(show(s, &who, what, CHEST, &bytes), SEOM__CODE__NOT_FOUND);
    assert_int_equal(s->world->shows.used, 0);
}

static void
test_trades_and_mails_of_others_are_not_shown(void **state)
{
    struct scene *s = *state;
    struct link_home one = scene_enter(s, 0, 11, NULL), two = scene_enter(s, 0, 12, NULL);
    struct link_home three = scene_enter(s, 0, 13, NULL);
    struct slice bytes;
    Seom__Holdings gives = SEOM__HOLDINGS__INIT;
    gives.coins = 5;
    Seom__TradeDocument trade = SEOM__TRADE_DOCUMENT__INIT;
    trade.from = one.player;
    trade.to = two.player;
    trade.gives = &gives;
    struct key key = key_make(1, KEY_CLASS_TRADE, 60);
    scene_write_message(s, &key, &trade.base);
    Seom__MailDocument mail = SEOM__MAIL_DOCUMENT__INIT;
    char text[] = "hello";
    mail.from = one.player;
    mail.to = two.player;
    mail.text = text;
    mail.holds = &gives;
    mail.day = 3;
    key = key_make(1, KEY_CLASS_MAIL, 61);
    scene_write_message(s, &key, &mail.base);
    const struct link_home *both[] = {&one, &two};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(show(s, both[i], SEOM__SHOW_KIND__SHOW_TRADE, 60, &bytes),
                         SEOM__CODE__FINE);
        Seom__TradeView *shown = seom__trade_view__unpack(NULL, bytes.bytes, bytes.at);
        assert_non_null(shown);
        assert_true(shown->gives->coins == 5 && shown->hash == trade_hash(&trade));
        seom__trade_view__free_unpacked(shown, NULL);
        assert_int_equal(show(s, both[i], SEOM__SHOW_KIND__SHOW_MAIL, 61, &bytes),
                         SEOM__CODE__FINE);
        Seom__MailView *read = seom__mail_view__unpack(NULL, bytes.bytes, bytes.at);
        assert_non_null(read);
        assert_string_equal(read->text, "hello");
        seom__mail_view__free_unpacked(read, NULL);
    }
    assert_int_equal(show(s, &three, SEOM__SHOW_KIND__SHOW_TRADE, 60, &bytes),
                     SEOM__CODE__NOT_FOUND);
    assert_int_equal(show(s, &three, SEOM__SHOW_KIND__SHOW_MAIL, 61, &bytes),
                     SEOM__CODE__NOT_FOUND);
    assert_int_equal(show(s, &two, SEOM__SHOW_KIND__SHOW_MAIL, 62, &bytes), SEOM__CODE__NOT_FOUND);
}

static void
test_what_there_is_not(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct slice bytes;
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_NOTHING, 0, &bytes), SEOM__CODE__REFUSED);
    assert_int_equal(show(s, &who, 200, 0, &bytes), SEOM__CODE__REFUSED);
    memory_store_set_away(s->store, true);
    assert_int_equal(show(s, &who, SEOM__SHOW_KIND__SHOW_BAG, 0, &bytes), SEOM__CODE__RETRY_AFTER);
    assert_int_equal(world_stats(s->world)->shows, 3);
}

/* One player has a few under way; who left or came anew is not told what somebody else asked. */
static void
test_limits_and_who_left(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_forget(s);
    for (uint32_t i = 0; i < 10; i++) {
        ask(s, 0, &who, SEOM__SHOW_KIND__SHOW_BAG, 0);
    }
    scene_run(s, 50);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_SHOWN), 10);
    assert_int_equal(world_stats(s->world)->shows_refused, 6);
    scene_forget(s);
    ask(s, 0, &who, SEOM__SHOW_KIND__SHOW_BAG, 0);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    struct link_home back = scene_enter(s, 0, 12, &who);
    assert_int_equal(back.code, SEOM__CODE__FINE);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_SHOWN), 0);
    assert_int_equal(s->world->shows.used, 0);
    ask(s, 0, &back, SEOM__SHOW_KIND__SHOW_BAG, 0);
    scene_run(s, 50);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_SHOWN), 1);
}

#define IN_SCENE(name) cmocka_unit_test_setup_teardown(name, value_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(test_the_bag),
        IN_SCENE(test_the_inbox),
        IN_SCENE(test_chests_within_reach),
        IN_SCENE(test_trades_and_mails_of_others_are_not_shown),
        IN_SCENE(test_what_there_is_not),
        IN_SCENE(test_limits_and_who_left),
    };
    return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
