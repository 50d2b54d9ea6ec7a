#include "base/check.h"
#include "proof/commit_state.h"
#include "rules/sample.h"
#include "rules/sample_deeds.h"
#include "rules/sample_kinds.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "society/deeds.h"
#include "society/mail.h"
#include "society/trade.h"
#include <string.h>

/* A way to act: makes the command and what is to be remembered of it; false: nothing there to do it
 * with. People look at what stands in the documents now; when their command arrives, that has often
 * changed. */
typedef bool way(struct commit_person *p, struct sent *out);

static uint32_t
below(const struct commit_person *p, uint32_t limit)
{
    return commit_below(p->model, limit);
}

static const struct book *
bag_of(const struct commit_person *p)
{
    return check_book(p->model, KEY_CLASS_PLAYER, p->id);
}

/* One of the stacks that somebody holds; NULL: none. */
static const struct book_item *
any_stack(const struct commit_person *p, const struct book *book)
{
    if (book == NULL || book->items == 0)
        return NULL;
    const struct book_item *item = &book->item[below(p, book->items)];
    return item->kind != 0 ? item : NULL;
}

static const struct book_item *
stack_of_kind(const struct book *book, uint32_t kind)
{
    for (uint32_t i = 0; book != NULL && i < book->items; i++) {
        if (book->item[i].kind == kind)
            return &book->item[i];
    }
    return NULL;
}

/* Mostly some of it, sometimes all, sometimes more than there is. */
static uint32_t
some_of(const struct commit_person *p, uint64_t count)
{
    uint32_t all = (uint32_t)count;
    switch (below(p, 16)) {
    case 0: return all + 1;
    case 1: return UINT32_MAX - below(p, 2);
    case 2:
    case 3:
    case 4:
    case 5: return all;
    default: return all > 0 ? 1 + below(p, all) : 1;
    }
}

static const struct tree *
any_tree(const struct commit_person *p)
{
    return &p->model->trees[below(p, p->model->tree_count)];
}

static const struct commit_person *
any_other(const struct commit_person *p)
{
    uint32_t n = below(p, p->model->knobs.persons - 1);
    return &p->model->persons[n < p->index ? n : n + 1];
}

/* Whose mails and offers a person is after. */
static const struct commit_person *
whose_post(const struct commit_person *p)
{
    return below(p, 16) == 0 ? any_other(p) : p;
}

/* Something of this kind that lies or stands in one of the chunks; NULL: none found. */
static const struct book_thing *
any_thing(const struct commit_person *p, uint32_t kind)
{
    const struct tree *tree = any_tree(p);
    const struct book *book =
        check_book(p->model, KEY_CLASS_CHUNK, chunk_id(COMMIT_ISLAND, tree->cx, tree->cy));
    if (book == NULL || book->as.chunk.count == 0)
        return NULL;
    const struct book_thing *thing = &book->as.chunk.thing[below(p, book->as.chunk.count)];
    return kind == 0 || thing->kind == kind ? thing : NULL;
}

static struct place
place_of(const struct book_thing *thing)
{
    return (struct place){.x_mm = thing->x_mm, .y_mm = thing->y_mm};
}

/* The command's body. message: the one of this case. */
static bool
ask(struct sent *out, Seom__Deed__WhatCase what, void *message)
{
    Seom__Deed deed = SEOM__DEED__INIT;
    deed.what_case = what;
    deed.pick = message; /* all members are pointers to messages */
    if (seom__deed__get_packed_size(&deed) > sizeof out->body)
        return false;
    out->body_bytes = (uint16_t)seom__deed__pack(&deed, out->body);
    return true;
}

/* ---- gathering ---- */

static bool
way_pick(struct commit_person *p, struct sent *out)
{
    const struct tree *tree = any_tree(p);
    int64_t now_ms = node_world_ms(&p->model->nodes[0]);
    Seom__Pick pick = SEOM__PICK__INIT;
    if (commit_fruit_until_ms(p->model, tree->entity, now_ms) == 0 && below(p, 8) > 0)
        return false;
    pick.entity = out->entity = tree->entity;
    out->at = tree->at;
    return ask(out, SEOM__DEED__WHAT_PICK, &pick);
}

static bool
way_eat(struct commit_person *p, struct sent *out)
{
    const struct book_item *fruit = stack_of_kind(bag_of(p), GOODS_FRUIT);
    Seom__Eat eat = SEOM__EAT__INIT;
    if (fruit == NULL)
        return false;
    eat.slot = fruit->slot;
    return ask(out, SEOM__DEED__WHAT_EAT, &eat);
}

static bool
way_craft(struct commit_person *p, struct sent *out)
{
    Seom__Craft craft = SEOM__CRAFT__INIT;
    const struct book_item *fruit = stack_of_kind(bag_of(p), GOODS_FRUIT);
    if (fruit == NULL && below(p, 8) > 0)
        return false;
    craft.kind = below(p, 16) == 0 ? below(p, 10) : GOODS_CHARM + below(p, 2);
    return ask(out, SEOM__DEED__WHAT_CRAFT, &craft);
}

static bool
way_sell(struct commit_person *p, struct sent *out)
{
    const struct book_item *item = any_stack(p, bag_of(p));
    Seom__Sell sell = SEOM__SELL__INIT;
    if (item == NULL)
        return false;
    sell.slot = item->slot;
    sell.count = some_of(p, item->count);
    return ask(out, SEOM__DEED__WHAT_SELL, &sell);
}

static bool
way_buy(struct commit_person *p, struct sent *out)
{
    Seom__Buy buy = SEOM__BUY__INIT;
    const struct book_item *coins = stack_of_kind(bag_of(p), 0);
    if ((coins == NULL || coins->count < 50) && below(p, 8) > 0)
        return false;
    buy.kind = below(p, 8) == 0 ? 1 + below(p, GOODS_COUNT) : GOODS_FRUIT;
    buy.count = 1 + below(p, 12);
    return ask(out, SEOM__DEED__WHAT_BUY, &buy);
}

/* ---- on the ground ---- */

static bool
way_drop(struct commit_person *p, struct sent *out)
{
    const struct book_item *item = any_stack(p, bag_of(p));
    Seom__Drop drop = SEOM__DROP__INIT;
    if (item == NULL)
        return false;
    drop.slot = item->slot;
    drop.count = some_of(p, item->count);
    out->at = any_tree(p)->at;
    return ask(out, SEOM__DEED__WHAT_DROP, &drop);
}

static bool
way_take(struct commit_person *p, struct sent *out)
{
    const struct book_thing *thing = any_thing(p, 0);
    Seom__Take take = SEOM__TAKE__INIT;
    if (thing == NULL)
        return false;
    take.entity = thing->id;
    out->at = place_of(thing);
    return ask(out, SEOM__DEED__WHAT_TAKE, &take);
}

static bool
way_build(struct commit_person *p, struct sent *out)
{
    const struct book_item *chest = stack_of_kind(bag_of(p), GOODS_CHEST);
    Seom__Build build = SEOM__BUILD__INIT;
    if (chest == NULL)
        return false;
    build.slot = chest->slot;
    out->at = any_tree(p)->at;
    return ask(out, SEOM__DEED__WHAT_BUILD, &build);
}

static bool
way_put_in(struct commit_person *p, struct sent *out)
{
    const struct book_thing *chest = any_thing(p, SAMPLE_CHEST);
    const struct book_item *item = any_stack(p, bag_of(p));
    Seom__PutIn put = SEOM__PUT_IN__INIT;
    if (chest == NULL || item == NULL)
        return false;
    put.chest = chest->id;
    put.slot = item->slot;
    put.count = some_of(p, item->count);
    out->at = place_of(chest);
    return ask(out, SEOM__DEED__WHAT_PUT_IN, &put);
}

static bool
way_take_out(struct commit_person *p, struct sent *out)
{
    const struct book_thing *chest = any_thing(p, SAMPLE_CHEST);
    if (chest == NULL)
        return false;
    const struct book_item *item = any_stack(p, check_book(p->model, KEY_CLASS_CHEST, chest->id));
    Seom__TakeOut take = SEOM__TAKE_OUT__INIT;
    if (item == NULL)
        return false;
    take.chest = chest->id;
    take.slot = item->slot;
    take.count = some_of(p, item->count);
    out->at = place_of(chest);
    return ask(out, SEOM__DEED__WHAT_TAKE_OUT, &take);
}

/* ---- the bag ---- */

static bool
way_split(struct commit_person *p, struct sent *out)
{
    const struct book *bag = bag_of(p);
    const struct book_item *from = any_stack(p, bag), *to = any_stack(p, bag);
    Seom__Split split = SEOM__SPLIT__INIT;
    if (from == NULL)
        return false;
    split.from = from->slot;
    split.to = to != NULL && below(p, 2) == 0 ? to->slot : below(p, BAG_SLOTS_MAX + 1);
    split.count = some_of(p, from->count);
    return ask(out, SEOM__DEED__WHAT_SPLIT, &split);
}

/* ---- trade ---- */

/* An offer out of somebody's inbox; 0: none there. */
static uint64_t
any_offer_to(const struct commit_person *p, const struct commit_person *to)
{
    const struct book *inbox = check_book(p->model, KEY_CLASS_INBOX, to->id);
    if (inbox == NULL || inbox->as.inbox.count == 0)
        return 0;
    const struct book_notice *notice = &inbox->as.inbox.notice[below(p, inbox->as.inbox.count)];
    return notice->kind == SEOM__NOTICE_KIND__NOTICE_OFFER ? notice->id : 0;
}

static bool
way_offer(struct commit_person *p, struct sent *out)
{
    const struct commit_person *to = any_other(p);
    const struct book_item *item = any_stack(p, bag_of(p)),
                           *theirs = any_stack(p, check_book(p->model, KEY_CLASS_PLAYER, to->id));
    Seom__Offer offer = SEOM__OFFER__INIT;
    Seom__Part part = SEOM__PART__INIT, *parts = &part;
    Seom__Holdings wants = SEOM__HOLDINGS__INIT;
    Seom__Stack stack = SEOM__STACK__INIT, *stacks = &stack;
    offer.to = to->id;
    offer.coins = below(p, 3) == 0 ? below(p, 40) : 0;
    if (item != NULL) {
        part.slot = item->slot;
        part.count = some_of(p, item->count);
        offer.parts = &parts;
        offer.n_parts = 1;
    }
    wants.coins = below(p, 2) == 0 ? below(p, 30) : 0;
    if (theirs != NULL && below(p, 2) == 0) {
        stack.kind = theirs->kind;
        stack.count = theirs->uid != 0 ? 1 : 1 + below(p, (uint32_t)theirs->count);
        stack.uid = below(p, 2) == 0 ? theirs->uid : 0;
        wants.slots = &stacks;
        wants.n_slots = 1;
    }
    offer.wants = &wants;
    return ask(out, SEOM__DEED__WHAT_OFFER, &offer);
}

static bool
way_change(struct commit_person *p, struct sent *out)
{
    Seom__Change change = SEOM__CHANGE__INIT;
    Seom__Holdings wants = SEOM__HOLDINGS__INIT;
    change.trade = any_offer_to(p, any_other(p));
    const struct book *trade = check_book(p->model, KEY_CLASS_TRADE, change.trade);
    if (trade == NULL || trade->as.trade.from != p->id)
        return false;
    wants.coins = below(p, 30);
    change.wants = &wants;
    return ask(out, SEOM__DEED__WHAT_CHANGE, &change);
}

/* An offer to this person is shown, with the hash that to accept it takes. */
static void
look_at_offers(struct commit_person *p)
{
    struct key key = key_make(COMMIT_WORLD, KEY_CLASS_TRADE, any_offer_to(p, whose_post(p)));
    const struct truth_doc *doc = truth_find(&p->model->truth, &key);
    const struct book *book = check_book_of(p->model, doc);
    if (book == NULL)
        return;
    struct slice body = truth_body(&p->model->truth, doc);
    Seom__TradeDocument *trade = seom__trade_document__unpack(NULL, body.bytes, body.at);
    if (trade == NULL)
        return;
    p->seen[p->seen_at++ % COMMIT_SEEN_MAX] =
        (struct seen){.trade = doc->id, .hash = trade_hash(trade), .digest = book->as.trade.digest};
    seom__trade_document__free_unpacked(trade, NULL);
}

static bool
way_accept(struct commit_person *p, struct sent *out)
{
    const struct seen *seen = &p->seen[below(p, COMMIT_SEEN_MAX)];
    Seom__Accept accept = SEOM__ACCEPT__INIT;
    if (check_book(p->model, KEY_CLASS_TRADE, seen->trade) == NULL && below(p, 8) > 0)
        return false;
    accept.trade = out->trade = seen->trade;
    accept.hash = seen->hash;
    out->seen = seen->digest;
    return ask(out, SEOM__DEED__WHAT_ACCEPT, &accept);
}

static bool
way_withdraw(struct commit_person *p, struct sent *out)
{
    Seom__Withdraw withdraw = SEOM__WITHDRAW__INIT;
    withdraw.trade = any_offer_to(p, below(p, 4) == 0 ? p : any_other(p));
    return withdraw.trade != 0 && ask(out, SEOM__DEED__WHAT_WITHDRAW, &withdraw);
}

/* ---- mail ---- */

static bool
way_send(struct commit_person *p, struct sent *out)
{
    const struct book_item *item = any_stack(p, bag_of(p));
    Seom__Send send = SEOM__SEND__INIT;
    Seom__Part part = SEOM__PART__INIT, *parts = &part;
    char text[] = "for you";
    send.to = any_other(p)->id;
    send.text = text;
    send.coins = below(p, 2) == 0 ? below(p, 30) : 0;
    if (item != NULL) {
        part.slot = item->slot;
        part.count = some_of(p, item->count);
        send.parts = &parts;
        send.n_parts = 1;
    }
    return ask(out, SEOM__DEED__WHAT_SEND, &send);
}

static bool
way_claim(struct commit_person *p, struct sent *out)
{
    const struct book *inbox = check_book(p->model, KEY_CLASS_INBOX, whose_post(p)->id);
    Seom__Claim claim = SEOM__CLAIM__INIT;
    for (uint32_t i = 0; inbox != NULL && i < inbox->as.inbox.count && claim.mail == 0; i++) {
        const struct book_notice *notice = &inbox->as.inbox.notice[i];
        if (notice->kind == SEOM__NOTICE_KIND__NOTICE_MAIL && below(p, 3) > 0)
            claim.mail = notice->id;
    }
    return claim.mail != 0 && ask(out, SEOM__DEED__WHAT_CLAIM, &claim);
}

/* ---- which one ---- */

static way *const ways[COMMIT_WAYS] = {
    [WAY_PICK] = way_pick,     [WAY_EAT] = way_eat,           [WAY_CRAFT] = way_craft,
    [WAY_SELL] = way_sell,     [WAY_BUY] = way_buy,           [WAY_DROP] = way_drop,
    [WAY_TAKE] = way_take,     [WAY_BUILD] = way_build,       [WAY_PUT_IN] = way_put_in,
    [WAY_SPLIT] = way_split,   [WAY_TAKE_OUT] = way_take_out, [WAY_OFFER] = way_offer,
    [WAY_CHANGE] = way_change, [WAY_ACCEPT] = way_accept,     [WAY_WITHDRAW] = way_withdraw,
    [WAY_SEND] = way_send,     [WAY_CLAIM] = way_claim};

static way *
any_way(const struct commit_person *p)
{
    const uint32_t *weights = p->model->knobs.ways;
    uint32_t sum = 0, n = 0;
    for (uint32_t i = 0; i < COMMIT_WAYS; i++)
        sum += weights[i];
    uint32_t at = below(p, sum);
    while (at >= weights[n])
        at -= weights[n++];
    return ways[n];
}

/* What a liar sends under the same number. */
static void
lie(const struct commit_person *p, struct sent *out)
{
    struct sent other = {.body_bytes = 0};
    Seom__Split split = SEOM__SPLIT__INIT;
    split.from = below(p, 4);
    split.to = below(p, BAG_SLOTS_MAX);
    split.count = 1 + below(p, 3);
    CHECK(ask(&other, SEOM__DEED__WHAT_SPLIT, &split));
    if (other.body_bytes == out->body_bytes && memcmp(other.body, out->body, out->body_bytes) == 0)
        return; /* by chance it is the truth */
    memcpy(out->other, other.body, other.body_bytes);
    out->other_bytes = other.body_bytes;
    out->other_kind = &society_split;
}

void
ways_choose(struct commit_person *p, struct sent *out)
{
    bool found = false;
    look_at_offers(p);
    for (uint32_t i = 0; i < 8 && !found; i++) {
        *out = (struct sent){.at = any_tree(p)->at};
        found = any_way(p)(p, out);
    }
    if (!found) {
        *out = (struct sent){.at = any_tree(p)->at};
        CHECK(way_send(p, out));
    }
    out->kind = sample_deed((struct slice){out->body, out->body_bytes});
    CHECK(out->kind != NULL);
    if (commit_chance(p->model, p->model->knobs.lie_ppm))
        lie(p, out);
}
