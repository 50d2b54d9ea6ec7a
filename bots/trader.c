#include "bots/trader.h"
#include "base/check.h"
#include "rules/sample.h"
#include "rules/sample_kinds.h"
#include "seom.pb-c.h"
#include "value.pb-c.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_US 3000000 /* for a view */
#define WALK_MM_S   6000
#define REACH_MM    2500
#define TREE_FAR_MM 45000
#define RICH        60 /* coins from which on a trader buys */
#define BODY_MAX    512
#define SECOND_US   1000000
#define ARRIVAL_US  300000

enum way {
    WAY_PICK,
    WAY_BUY,
    WAY_SELL,
    WAY_EAT,
    WAY_CRAFT,
    WAY_SPLIT,
    WAY_DROP,
    WAY_TAKE,
    WAY_BUILD,
    WAY_PUT_IN,
    WAY_TAKE_OUT,
    WAY_OFFER,
    WAY_CHANGE,
    WAY_ACCEPT,
    WAY_WITHDRAW,
    WAY_SEND,
    WAY_CLAIM,
    WAY_WRONG,
    WAY_COUNT
};

_Static_assert(WAY_COUNT <= TRADER_WAYS, "room to count each");

static const char *const names[WAY_COUNT] = {
    "pick", "buy",   "sell",  "eat",    "craft",  "split",    "drop", "take",  "build",
    "put",  "fetch", "offer", "change", "accept", "withdraw", "send", "claim", "wrong"};

const char *
trader_way_name(uint32_t way)
{
    return way < WAY_COUNT ? names[way] : NULL;
}

void
trader_init(struct trader *t, struct trades *trades, struct seom_client *client, uint64_t seed)
{
    *t = (struct trader){.trades = trades, .client = client, .bag_old = true, .inbox_old = true};
    rand_seed(&t->chance, seed);
}

static uint32_t
below(struct trader *t, uint32_t limit)
{
    return rand_below(&t->chance, limit);
}

static void
think(struct trader *t, int64_t mono_us)
{
    t->wait = WAIT_NOTHING;
    t->due_us = mono_us + (int64_t)below(t, 2 * t->trades->think_ms + 1) * 1000;
}

void
trader_welcome(struct trader *t, int64_t mono_us)
{
    struct trades *trades = t->trades;
    trades->peers[trades->peers_count++ % TRADER_PEERS_MAX] = seom_client_player(t->client);
    t->bag_old = t->inbox_old = true;
    /* A command that was under way stays so: the client asks again until it has the answer. */
    if (t->wait != WAIT_RESULT)
        think(t, mono_us);
}

/* ---- views ---- */

static void
read_bag(struct trader *t, struct slice view)
{
    Seom__BagView *bag = seom__bag_view__unpack(NULL, view.bytes, view.at);
    if (bag == NULL)
        return;
    t->slots_count = 0;
    t->coins = bag->holds == NULL ? 0 : bag->holds->coins;
    for (size_t i = 0; bag->holds != NULL && i < bag->holds->n_slots; i++) {
        const Seom__Stack *s = bag->holds->slots[i];
        if (t->slots_count < TRADER_SLOTS_MAX)
            t->slots[t->slots_count++] =
                (struct trader_slot){.kind = s->kind, .count = s->count, .uid = s->uid};
    }
    t->trades_open_count = 0;
    for (size_t i = 0; i < bag->n_trades && i < 8; i++)
        t->trades_open[t->trades_open_count++] = bag->trades[i];
    seom__bag_view__free_unpacked(bag, NULL);
    t->bag_old = false;
}

static void
read_inbox(struct trader *t, struct slice view)
{
    Seom__InboxView *inbox = seom__inbox_view__unpack(NULL, view.bytes, view.at);
    if (inbox == NULL)
        return;
    t->notices_count = 0;
    for (size_t i = 0; i < inbox->n_notices && i < TRADER_NOTICES_MAX; i++) {
        const Seom__Notice *n = inbox->notices[i];
        t->notices[t->notices_count++] =
            (struct trader_notice){.kind = (uint32_t)n->kind, .id = n->id, .from = n->from};
    }
    seom__inbox_view__free_unpacked(inbox, NULL);
    t->inbox_old = false;
}

static void
read_trade(struct trader *t, struct slice view)
{
    Seom__TradeView *trade = seom__trade_view__unpack(NULL, view.bytes, view.at);
    if (trade == NULL)
        return;
    t->offer_hash = trade->hash;
    seom__trade_view__free_unpacked(trade, NULL);
}

void
trader_shown(struct trader *t, uint32_t number, struct slice view, int64_t mono_us)
{
    if (t->wait != WAIT_VIEW || number != t->number)
        return; /* one that was given up */
    switch (t->what) {
    case SEOM__SHOW_KIND__SHOW_BAG: read_bag(t, view); break;
    case SEOM__SHOW_KIND__SHOW_INBOX: read_inbox(t, view); break;
    case SEOM__SHOW_KIND__SHOW_TRADE: read_trade(t, view); break;
    default: break;
    }
    t->wait = WAIT_NOTHING;
    t->due_us = mono_us;
}

void
trader_answer(struct trader *t, uint32_t number, int64_t mono_us)
{
    if (t->wait != WAIT_VIEW || number != t->number)
        return;
    if (t->what == SEOM__SHOW_KIND__SHOW_TRADE)
        t->offer = 0; /* it is gone */
    t->inbox_old = true;
    think(t, mono_us);
}

void
trader_changed(struct trader *t, uint32_t what)
{
    t->bag_old |= what == SEOM__SHOW_KIND__SHOW_BAG;
    t->inbox_old |= what == SEOM__SHOW_KIND__SHOW_INBOX;
}

static void
ask_view(struct trader *t, uint32_t what, uint64_t id, int64_t mono_us)
{
    t->asked_us = mono_us;
    t->what = what;
    if (seom_client_show(t->client, what, id, &t->number) == OK)
        t->wait = WAIT_VIEW;
    else
        t->due_us = mono_us + SECOND_US / 10;
}

/* ---- commands ---- */

void
trader_result(struct trader *t, uint64_t seq, uint32_t code, struct slice body, int64_t mono_us)
{
    struct trades *trades = t->trades;
    bool fine = code == SEOM__CODE__FINE;
    if (trades->answers != NULL)
        fprintf(trades->answers, "%llu %llu %u\n",
                (unsigned long long)seom_client_player(t->client), (unsigned long long)seq, code);
    trades->done += fine;
    trades->refused += !fine;
    trades->done_by_way[t->way] += fine;
    hist_add(&trades->answer_us, (uint64_t)(mono_us - t->asked_us));
    Seom__DeedResult *result = seom__deed_result__unpack(NULL, body.bytes, body.at);
    if (fine && result != NULL && t->way == WAY_DROP)
        t->dropped = result->id;
    if (fine && result != NULL && t->way == WAY_BUILD)
        t->chest = result->id;
    if (t->way == WAY_TAKE)
        t->dropped = 0;
    if (t->way == WAY_ACCEPT || t->way == WAY_WITHDRAW)
        t->offer = 0;
    if (result != NULL) {
        t->inbox_old |= result->mail != 0;
        seom__deed_result__free_unpacked(result, NULL);
    }
    t->bag_old = true;
    t->inbox_old |= t->way == WAY_ACCEPT || t->way == WAY_WITHDRAW || t->way == WAY_CLAIM;
    think(t, mono_us);
}

static void
command(struct trader *t, enum way way, const Seom__Deed *deed, int64_t mono_us)
{
    uint8_t body[BODY_MAX];
    CHECK(seom__deed__get_packed_size(deed) <= sizeof body);
    struct slice bytes = {.at = body, .bytes = seom__deed__pack(deed, body)};
    uint64_t seq;
    if (seom_client_command(t->client, bytes, &seq) != OK) {
        t->due_us = mono_us + SECOND_US / 10;
        return;
    }
    t->wait = WAIT_RESULT;
    t->way = way;
    t->asked_us = mono_us;
}

/* A slot of a kind (0: any), chosen by chance; -1: none. */
static int
slot_of(struct trader *t, uint32_t kind)
{
    uint32_t first = t->slots_count == 0 ? 0 : below(t, t->slots_count);
    for (uint32_t i = 0; i < t->slots_count; i++) {
        uint32_t at = (first + i) % t->slots_count;
        if (t->slots[at].count > 0 && (kind == 0 || t->slots[at].kind == kind))
            return (int)at;
    }
    return -1;
}

static uint64_t
some_peer(struct trader *t)
{
    const struct trades *trades = t->trades;
    uint32_t count =
        trades->peers_count < TRADER_PEERS_MAX ? trades->peers_count : TRADER_PEERS_MAX;
    return count == 0 ? 0 : trades->peers[below(t, count)];
}

/* A deed and what it holds; whoever fills `inner` in hangs it up. */
#define DEED(TYPE, NAME)                       \
    Seom__##TYPE inner = SEOM__##NAME##__INIT; \
    Seom__Deed deed = SEOM__DEED__INIT;        \
    deed.what_case = SEOM__DEED__WHAT_##NAME;

static void
do_pick(struct trader *t, uint64_t entity, int64_t now_us)
{
    DEED(Pick, PICK)
    deed.pick = &inner;
    inner.entity = entity;
    command(t, WAY_PICK, &deed, now_us);
}

static void
do_buy(struct trader *t, int64_t now_us)
{
    DEED(Buy, BUY)
    deed.buy = &inner;
    inner.kind = GOODS_FRUIT;
    inner.count = 1 + below(t, 6);
    command(t, WAY_BUY, &deed, now_us);
}

static void
do_sell(struct trader *t, int slot, int64_t now_us)
{
    DEED(Sell, SELL)
    deed.sell = &inner;
    inner.slot = (uint32_t)slot;
    inner.count = 1 + below(t, t->slots[slot].count);
    command(t, WAY_SELL, &deed, now_us);
}

static void
do_eat(struct trader *t, int slot, int64_t now_us)
{
    DEED(Eat, EAT)
    deed.eat = &inner;
    inner.slot = (uint32_t)slot;
    command(t, WAY_EAT, &deed, now_us);
}

static void
do_craft(struct trader *t, int64_t now_us)
{
    DEED(Craft, CRAFT)
    deed.craft = &inner;
    inner.kind = below(t, 6) == 0 ? GOODS_CHEST : GOODS_CHARM;
    command(t, WAY_CRAFT, &deed, now_us);
}

static void
do_split(struct trader *t, int slot, int64_t now_us)
{
    DEED(Split, SPLIT)
    deed.split = &inner;
    inner.from = (uint32_t)slot;
    inner.to = below(t, TRADER_SLOTS_MAX);
    inner.count = 1 + below(t, t->slots[slot].count);
    command(t, WAY_SPLIT, &deed, now_us);
}

static void
do_drop(struct trader *t, int slot, int64_t now_us)
{
    DEED(Drop, DROP)
    deed.drop = &inner;
    inner.slot = (uint32_t)slot;
    inner.count = 1 + below(t, t->slots[slot].count);
    command(t, WAY_DROP, &deed, now_us);
}

static void
do_take(struct trader *t, int64_t now_us)
{
    DEED(Take, TAKE)
    deed.take = &inner;
    inner.entity = t->dropped;
    command(t, WAY_TAKE, &deed, now_us);
}

static void
do_build(struct trader *t, int slot, int64_t now_us)
{
    DEED(Build, BUILD)
    deed.build = &inner;
    inner.slot = (uint32_t)slot;
    command(t, WAY_BUILD, &deed, now_us);
}

static void
do_put_in(struct trader *t, int slot, int64_t now_us)
{
    DEED(PutIn, PUT_IN)
    deed.put_in = &inner;
    inner.chest = t->chest;
    inner.slot = (uint32_t)slot;
    inner.count = 1 + below(t, t->slots[slot].count);
    command(t, WAY_PUT_IN, &deed, now_us);
}

static void
do_take_out(struct trader *t, int64_t now_us)
{
    DEED(TakeOut, TAKE_OUT)
    deed.take_out = &inner;
    inner.chest = t->chest;
    inner.slot = below(t, 4);
    inner.count = 1;
    command(t, WAY_TAKE_OUT, &deed, now_us);
}

static void
do_offer(struct trader *t, int slot, int64_t now_us)
{
    DEED(Offer, OFFER)
    Seom__Part part = SEOM__PART__INIT, *parts[] = {&part};
    Seom__Holdings wants = SEOM__HOLDINGS__INIT;
    deed.offer = &inner;
    inner.to = some_peer(t);
    part.slot = (uint32_t)slot;
    part.count = 1;
    inner.parts = parts;
    inner.n_parts = 1;
    wants.coins = below(t, 10);
    inner.wants = &wants;
    command(t, WAY_OFFER, &deed, now_us);
}

static void
do_change(struct trader *t, int64_t now_us)
{
    DEED(Change, CHANGE)
    Seom__Holdings wants = SEOM__HOLDINGS__INIT;
    deed.change = &inner;
    inner.trade = t->trades_open[below(t, t->trades_open_count)];
    wants.coins = below(t, 20);
    inner.wants = &wants;
    command(t, WAY_CHANGE, &deed, now_us);
}

static void
do_accept(struct trader *t, int64_t now_us)
{
    DEED(Accept, ACCEPT)
    deed.accept = &inner;
    inner.trade = t->offer;
    inner.hash = t->offer_hash;
    command(t, WAY_ACCEPT, &deed, now_us);
}

static void
do_withdraw(struct trader *t, uint64_t trade, int64_t now_us)
{
    DEED(Withdraw, WITHDRAW)
    deed.withdraw = &inner;
    inner.trade = trade;
    command(t, WAY_WITHDRAW, &deed, now_us);
}

static void
do_send(struct trader *t, int slot, int64_t now_us)
{
    DEED(Send, SEND)
    Seom__Part part = SEOM__PART__INIT, *parts[] = {&part};
    deed.send = &inner;
    inner.to = some_peer(t);
    inner.text = (char *)"for you";
    inner.coins = t->coins > 5 ? below(t, 5) : 0;
    if (slot >= 0) {
        part.slot = (uint32_t)slot;
        part.count = 1 + below(t, t->slots[slot].count);
        inner.parts = parts;
        inner.n_parts = 1;
    }
    command(t, WAY_SEND, &deed, now_us);
}

static void
do_claim(struct trader *t, uint64_t mail, int64_t now_us)
{
    DEED(Claim, CLAIM)
    deed.claim = &inner;
    inner.mail = mail;
    command(t, WAY_CLAIM, &deed, now_us);
}

/* More than anybody has. */
static void
do_wrong(struct trader *t, int64_t now_us)
{
    DEED(Sell, SELL)
    deed.sell = &inner;
    inner.slot = below(t, 2 * TRADER_SLOTS_MAX);
    inner.count = UINT32_MAX - below(t, 10);
    command(t, WAY_WRONG, &deed, now_us);
}

/* ---- trees ---- */

static struct place
own_place(const struct trader *t, int64_t world_ms)
{
    struct motion self = seom_client_self(t->client);
    return motion_at(&self, world_ms);
}

static double
distance_mm(struct place a, struct place b)
{
    return hypot((double)a.x_mm - b.x_mm, (double)a.y_mm - b.y_mm);
}

/* The nearest tree that bears; NULL: none near. */
static const struct seom_entity *
ripe_tree(const struct trader *t, struct place here)
{
    const struct seom_entity *best = NULL, *e;
    double best_mm = TREE_FAR_MM;
    for (uint32_t cursor = 0; (e = seom_client_next(t->client, &cursor)) != NULL;) {
        if (e->thing_kind != SAMPLE_TREE || e->attributes_bytes < 1 ||
            e->attributes[0] != STAGE_FRUIT)
            continue;
        double mm = distance_mm(here, (struct place){e->motion.x_mm, e->motion.y_mm});
        if (mm < best_mm) {
            best = e;
            best_mm = mm;
        }
    }
    return best;
}

/* Picks what is within reach, else goes there. false: there is no tree. */
static bool
go_and_pick(struct trader *t, int64_t now_us, int64_t world_ms)
{
    struct place here = own_place(t, world_ms);
    const struct seom_entity *tree = ripe_tree(t, here);
    if (tree == NULL)
        return false;
    struct place there = {tree->motion.x_mm, tree->motion.y_mm};
    double mm = distance_mm(here, there);
    if (mm <= REACH_MM) {
        t->tree = 0;
        do_pick(t, tree->entity, now_us);
        return true;
    }
    if (t->tree == tree->entity) {
        t->tree = 0; /* the shore was between: some other time */
        return false;
    }
    double seconds = mm / WALK_MM_S;
    struct motion walk = {
        .x_mm = here.x_mm,
        .y_mm = here.y_mm,
        .vx = (int16_t)lround((there.x_mm - here.x_mm) / seconds / VELOCITY_UNIT_MM_S),
        .vy = (int16_t)lround((there.y_mm - here.y_mm) / seconds / VELOCITY_UNIT_MM_S),
        .since_ms = world_ms,
        .lasts_ms = (uint16_t)(seconds * 1000)};
    t->tree = tree->entity;
    if (seom_client_move(t->client, &walk, LOOK_WALKER, NULL) == OK)
        t->due_us = now_us + (int64_t)(seconds * SECOND_US) + ARRIVAL_US;
    else
        t->due_us = now_us + SECOND_US / 10;
    return true;
}

/* ---- what next ---- */

/* Something that waits in the inbox. false: nothing, or not now. */
static bool
do_inbox(struct trader *t, int64_t now_us)
{
    if (t->offer != 0 && t->offer_hash != 0) {
        if (below(t, 5) == 0)
            do_withdraw(t, t->offer, now_us);
        else
            do_accept(t, now_us);
        t->offer_hash = 0;
        return true;
    }
    if (t->notices_count == 0 || below(t, 4) == 0)
        return false;
    const struct trader_notice *n = &t->notices[below(t, t->notices_count)];
    if (n->kind == SEOM__NOTICE_KIND__NOTICE_MAIL) {
        do_claim(t, n->id, now_us);
        return true;
    }
    t->offer = n->id;
    t->offer_hash = 0;
    ask_view(t, SEOM__SHOW_KIND__SHOW_TRADE, n->id, now_us);
    return true;
}

static void
do_something(struct trader *t, int64_t now_us)
{
    int fruit = slot_of(t, GOODS_FRUIT), charm = slot_of(t, GOODS_CHARM),
        chest = slot_of(t, GOODS_CHEST), any = slot_of(t, 0);
    uint32_t dice = below(t, 100);
    if (dice < 4)
        do_wrong(t, now_us);
    else if (chest >= 0 && dice < 40)
        do_build(t, chest, now_us);
    else if (t->dropped != 0 && dice < 60)
        do_take(t, now_us);
    else if (any < 0 || (t->coins > RICH && dice < 40))
        do_buy(t, now_us);
    else if (t->trades_open_count > 0 && dice < 15)
        do_withdraw(t, t->trades_open[below(t, t->trades_open_count)], now_us);
    else if (t->trades_open_count > 0 && dice < 22)
        do_change(t, now_us);
    else if (charm >= 0 && dice < 40)
        do_offer(t, charm, now_us);
    else if (t->chest != 0 && dice < 48)
        do_put_in(t, any, now_us);
    else if (t->chest != 0 && dice < 54)
        do_take_out(t, now_us);
    else if (dice < 66)
        do_send(t, any, now_us);
    else if (dice < 72)
        do_split(t, any, now_us);
    else if (dice < 80)
        do_drop(t, any, now_us);
    else if (fruit >= 0 && dice < 84)
        do_eat(t, fruit, now_us);
    else if (fruit >= 0 && dice < 91)
        do_sell(t, fruit, now_us);
    else
        do_craft(t, now_us);
}

static void
act(struct trader *t, int64_t now_us, int64_t world_ms)
{
    if (t->bag_old)
        ask_view(t, SEOM__SHOW_KIND__SHOW_BAG, 0, now_us);
    else if (t->inbox_old)
        ask_view(t, SEOM__SHOW_KIND__SHOW_INBOX, 0, now_us);
    else if (!do_inbox(t, now_us) && (below(t, 6) > 0 || !go_and_pick(t, now_us, world_ms)))
        do_something(t, now_us);
}

int64_t
trader_turn(struct trader *t, int64_t mono_us, int64_t world_ms)
{
    if (seom_client_state(t->client) != SEOM_PLAYING)
        return INT64_MAX;
    switch (t->wait) {
    case WAIT_RESULT: return INT64_MAX; /* the client asks until it has it */
    case WAIT_VIEW:
        if (mono_us - t->asked_us < PATIENCE_US)
            return t->asked_us + PATIENCE_US;
        t->trades->shows_lost++;
        t->wait = WAIT_NOTHING;
        t->due_us = mono_us;
        break;
    case WAIT_NOTHING: break;
    }
    if (t->due_us <= mono_us)
        act(t, mono_us, world_ms);
    return t->wait == WAIT_VIEW     ? t->asked_us + PATIENCE_US
           : t->wait == WAIT_RESULT ? INT64_MAX
                                    : t->due_us;
}
