#include "society/square.h"
#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/trade.h"
#include "store/player.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX  200
#define TURNS_MAX  100000
#define BODY_MAX   8192
#define BODY_ITEMS 3

static const struct kind kinds[SQUARE_KINDS] = {
    [FRUIT] = {.name = "fruit", .stack_max = 20},
    [STONE] = {.name = "stone", .stack_max = 5},
    [CHEST] = {.name = "chest", .stack_max = 1},
    [SAND] = {.name = "sand", .stack_max = UINT32_MAX},
};

/* ---- the store ---- */

static void *
square_take(void *ctx, size_t bytes)
{
    struct square *square = ctx;
    size_t rounded = (bytes + 15) & ~(size_t)15;
    CHECK(rounded <= SQUARE_MEMORY - square->used);
    void *at = square->memory + square->used;
    square->used += rounded;
    return at;
}

static void
square_give_back(void *ctx, void *at)
{
    (void)ctx;
    (void)at; /* with the rest, at the next command */
}

void *
square_look(struct square *square, const char *class, uint64_t id,
            const ProtobufCMessageDescriptor *type)
{
    struct key key = key_make(DESK_WORLD, class, id);
    struct store_doc doc = desk_look(square->desk, key.text);
    if (!doc.exists)
        return NULL;
    void *message =
        protobuf_c_message_unpack(type, &square->allocator, doc.value.bytes, doc.value.at);
    CHECK(message != NULL);
    return message;
}

void
square_forge(struct square *square, const char *class, uint64_t id, const ProtobufCMessage *message)
{
    static const uint8_t nothing[] = {0xff, 0xff, 0xff};
    static uint8_t bytes[STORE_VALUE_MAX];
    struct key key = key_make(DESK_WORLD, class, id);
    if (message == NULL) {
        desk_put(square->desk, key.text, nothing, sizeof nothing);
        return;
    }
    CHECK(protobuf_c_message_get_packed_size(message) <= sizeof bytes);
    size_t count = protobuf_c_message_pack(message, bytes);
    desk_put(square->desk, key.text, bytes, count);
}

static void
on_created(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    (void)ctx;
    (void)n;
    CHECK(result == OK && player->session_epoch == 1);
}

static void
square_settle(struct square *square)
{
    for (uint32_t turn = 0; commands_under_way(square->commands) > 0; turn++) {
        CHECK(turn < TURNS_MAX);
        int64_t next_us = commands_turn(square->commands);
        if (memory_store_under_way(square->desk->memory) > 0)
            CHECK(events_step(&square->desk->schedule));
        else if (next_us != INT64_MAX)
            events_run(&square->desk->schedule, next_us);
    }
}

struct square *
square_alloc(uint64_t seed, enum society_mutant mutant)
{
    static const char *const names[SQUARE_PEOPLE] = {"Ann", "Bora", "Chun", "Dan"};
    struct square *square = calloc(1, sizeof *square);
    CHECK(square != NULL);
    square->allocator = (ProtobufCAllocator){
        .alloc = square_take, .free = square_give_back, .allocator_data = square};
    square->society = (struct society){.kinds = kinds,
                                       .kinds_count = SQUARE_KINDS,
                                       .first_coins = SQUARE_FIRST_COINS,
                                       .mutant = mutant};
    square->desk = desk_alloc(seed);
    ids_init(&square->ids, &square->desk->store, DESK_WORLD, "thing");
    ids_prepare(&square->ids);
    struct players players;
    players_init(&players, &square->desk->store, DESK_WORLD, SQUARE_PEOPLE);
    for (uint32_t who = 0; who < SQUARE_PEOPLE; who++) {
        square->people[who] = (uint64_t)DESK_WORLD << 48 | (who + 1);
        struct slice name = {.at = (const uint8_t *)names[who], .bytes = strlen(names[who])};
        CHECK(player_create(&players, square->people[who], name, &(struct player_home){.node = 0},
                            on_created, NULL, who) == OK);
    }
    desk_settle(square->desk);
    players_fini(&players);
    struct commands_options options = {
        .world = DESK_WORLD, .ctx = &square->society, .finish = ledger_finish};
    square->commands = commands_alloc(&options, &square->desk->store, &square->ids);
    return square;
}

void
square_free(struct square *square)
{
    commands_free(&square->commands);
    desk_free(square->desk);
    free(square);
}

void
square_faults(struct square *square, bool on)
{
    square->faulty = on;
    if (on)
        desk_faults(square->desk, 30000, 30000, 30000, 60000);
    else
        desk_faults(square->desk, 0, 0, 0, 0);
}

void
square_pass_days(struct square *square, uint32_t days)
{
    desk_run_ms(square->desk, (int64_t)days * MAIL_DAY_MS);
}

/* ---- commands ---- */

static void
on_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct square *square = ctx;
    (void)n;
    square->code = result->code;
    square->answer =
        seom__deed_result__unpack(&square->allocator, result->body.bytes, result->body.at);
    CHECK(square->answer != NULL);
}

uint32_t
square_run(struct square *square, uint32_t who, const struct deed_kind *kind, struct slice body)
{
    CHECK(who < SQUARE_PEOPLE);
    struct command command = {.actor = {.player = square->people[who], .session_epoch = 1},
                              .seq = square->seqs[who] + 1,
                              .body = body,
                              .kind = kind};
    square->used = 0;
    square->retries = 0;
    do {
        CHECK(square->retries < TRIES_MAX);
        CHECK(commands_run(square->commands, &command, on_done, square, 0) == OK);
        square_settle(square);
        square->retries += square->code == SEOM__CODE__RETRY_AFTER;
    } while (square->code == SEOM__CODE__RETRY_AFTER);
    square->seqs[who] = square_player(square, who)->last_seq;
    return square->code;
}

uint32_t
square_do(struct square *square, uint32_t who, const Seom__Deed *asked)
{
    static uint8_t bytes[BODY_MAX];
    CHECK(seom__deed__get_packed_size(asked) <= sizeof bytes);
    struct slice body = {.at = bytes, .bytes = seom__deed__pack(asked, bytes)};
    const struct deed_kind *kind = society_deed(asked->what_case);
    CHECK(kind != NULL);
    return square_run(square, who, kind, body);
}

/* Body: whether it goes to the world, kind, count. */
static uint32_t
mint_decide(struct deed *deed)
{
    uint64_t items[BODY_ITEMS];
    CHECK(deed_body(deed).bytes == sizeof items);
    memcpy(items, deed_body(deed).at, sizeof items);
    struct purse bag = purse_of_player(deed, deed_player(deed), deed_actor(deed)->player);
    struct purse world = purse_world();
    if (bag.holds == NULL)
        return DEED_MORE;
    const struct purse *from = items[0] ? &bag : &world, *to = items[0] ? &world : &bag;
    if (items[1] == COINS)
        return purse_move_coins(deed, from, to, items[2], REASON_OPERATOR);
    Seom__Stack what = SEOM__STACK__INIT;
    what.kind = (uint32_t)items[1];
    what.count = (uint32_t)items[2];
    uint32_t code = purse_move(deed, from, to, &what, REASON_OPERATOR);
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    result.id = what.uid;
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

static uint32_t
square_mint(struct square *square, uint32_t who, bool back, uint32_t kind, uint64_t count)
{
    static const struct deed_kind mint = {
        .name = "mint", .class = DEED_GATHER, .decide = mint_decide};
    uint64_t items[BODY_ITEMS] = {back, kind, count};
    return square_run(square, who, &mint,
                      (struct slice){.at = (const uint8_t *)items, .bytes = sizeof items});
}

uint32_t
square_give(struct square *square, uint32_t who, uint32_t kind, uint64_t count)
{
    return square_mint(square, who, false, kind, count);
}

uint32_t
square_use(struct square *square, uint32_t who, uint32_t kind, uint64_t count)
{
    return square_mint(square, who, true, kind, count);
}

uint32_t
square_split(struct square *square, uint32_t who, uint32_t from, uint32_t to, uint32_t count)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Split split = SEOM__SPLIT__INIT;
    split.from = from;
    split.to = to;
    split.count = count;
    asked.what_case = SEOM__DEED__WHAT_SPLIT;
    asked.split = &split;
    return square_do(square, who, &asked);
}

uint32_t
square_claim(struct square *square, uint32_t who, uint64_t mail)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Claim claim = SEOM__CLAIM__INIT;
    claim.mail = mail;
    asked.what_case = SEOM__DEED__WHAT_CLAIM;
    asked.claim = &claim;
    return square_do(square, who, &asked);
}

uint32_t
square_accept(struct square *square, uint32_t who, uint64_t trade, uint64_t hash)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Accept accept = SEOM__ACCEPT__INIT;
    accept.trade = trade;
    accept.hash = hash;
    asked.what_case = SEOM__DEED__WHAT_ACCEPT;
    asked.accept = &accept;
    return square_do(square, who, &asked);
}

uint32_t
square_withdraw(struct square *square, uint32_t who, uint64_t trade)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Withdraw withdraw = SEOM__WITHDRAW__INIT;
    withdraw.trade = trade;
    asked.what_case = SEOM__DEED__WHAT_WITHDRAW;
    asked.withdraw = &withdraw;
    return square_do(square, who, &asked);
}

uint32_t
square_send(struct square *square, uint32_t who, uint64_t to, const char *text, uint64_t coins,
            uint32_t slot, uint32_t count)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Send send = SEOM__SEND__INIT;
    Seom__Part part = SEOM__PART__INIT, *parts = &part;
    char copy[BODY_MAX / 2];
    snprintf(copy, sizeof copy, "%s", text);
    part.slot = slot;
    part.count = count;
    send.to = to;
    send.text = copy;
    send.coins = coins;
    send.parts = &parts;
    send.n_parts = count > 0;
    asked.what_case = SEOM__DEED__WHAT_SEND;
    asked.send = &send;
    return square_do(square, who, &asked);
}

uint32_t
square_offer(struct square *square, uint32_t who, uint64_t to, uint64_t coins, uint32_t slot,
             uint32_t count, Seom__Holdings *wants)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Offer offer = SEOM__OFFER__INIT;
    Seom__Part part = SEOM__PART__INIT, *parts = &part;
    part.slot = slot;
    part.count = count;
    offer.to = to;
    offer.coins = coins;
    offer.parts = &parts;
    offer.n_parts = count > 0;
    offer.wants = wants;
    asked.what_case = SEOM__DEED__WHAT_OFFER;
    asked.offer = &offer;
    return square_do(square, who, &asked);
}

uint32_t
square_change(struct square *square, uint32_t who, uint64_t trade, Seom__Holdings *wants)
{
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Change change = SEOM__CHANGE__INIT;
    change.trade = trade;
    change.wants = wants;
    asked.what_case = SEOM__DEED__WHAT_CHANGE;
    asked.change = &change;
    return square_do(square, who, &asked);
}

/* ---- looking ---- */

Seom__PlayerDocument *
square_player(struct square *square, uint32_t who)
{
    Seom__PlayerDocument *player = square_look(square, KEY_CLASS_PLAYER, square->people[who],
                                               &seom__player_document__descriptor);
    CHECK(player != NULL);
    return player;
}

Seom__InboxDocument *
square_inbox(struct square *square, uint32_t who)
{
    return square_look(square, KEY_CLASS_INBOX, square->people[who],
                       &seom__inbox_document__descriptor);
}

Seom__MailDocument *
square_mail(struct square *square, uint64_t id)
{
    return square_look(square, KEY_CLASS_MAIL, id, &seom__mail_document__descriptor);
}

Seom__TradeDocument *
square_trade(struct square *square, uint64_t id)
{
    return square_look(square, KEY_CLASS_TRADE, id, &seom__trade_document__descriptor);
}

uint64_t
square_has(struct square *square, uint32_t who, uint32_t kind)
{
    const Seom__Holdings *bag = square_player(square, who)->bag;
    uint64_t count = kind == COINS && bag != NULL ? bag->coins : 0;
    for (size_t i = 0; bag != NULL && i < bag->n_slots; i++)
        if (kind != COINS && bag->slots[i]->kind == kind)
            count += bag->slots[i]->count;
    return count;
}

/* ---- the audit ---- */

struct walk {
    struct square *square;
    struct audit *audit;
    struct key last;
    bool more;
};

static void
on_scanned(void *ctx, uint64_t n, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct walk *walk = ctx;
    (void)n;
    CHECK(result == STORE_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct key_parts parts;
        CHECK(key_parse(found[i].key, &parts) == OK);
        CHECK(audit_read(walk->audit, &parts, found[i].doc.value) == OK);
        memcpy(walk->last.text, found[i].key.at, found[i].key.bytes);
        walk->last.bytes = (uint8_t)found[i].key.bytes;
    }
    walk->more = count == STORE_SCAN_MAX;
}

static void
on_found(void *ctx, const char *what)
{
    struct square *square = ctx;
    size_t used = strlen(square->notes);
    snprintf(square->notes + used, sizeof square->notes - used, "%s; ", what);
}

struct audit_result
square_audit(struct square *square)
{
    struct walk walk = {.square = square, .audit = audit_alloc(0), .more = true};
    desk_faults(square->desk, 0, 0, 0, 0);
    desk_settle(square->desk);
    while (walk.more) {
        struct slice after = {.at = (const uint8_t *)walk.last.text, .bytes = walk.last.bytes};
        CHECK(store_scan(&square->desk->store, ROLE_TOOL, (struct slice){0}, after, STORE_SCAN_MAX,
                         on_scanned, &walk, 0) == OK);
        desk_settle(square->desk);
    }
    square->notes[0] = '\0';
    struct audit_result result = audit_end(walk.audit, 16, on_found, square);
    audit_free(&walk.audit);
    square_faults(square, square->faulty);
    return result;
}
