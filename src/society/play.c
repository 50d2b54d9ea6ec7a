#include "society/play.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/trade.h"
#include <stdio.h>
#include <stdlib.h>

#define PARTS_MAX 10
#define DAY_MS    86400000

/* A command with room for all that it may consist of. */
struct draft {
    Seom__Deed deed;
    Seom__Split split;
    Seom__Send send;
    Seom__Claim claim;
    Seom__Offer offer;
    Seom__Change change;
    Seom__Accept accept;
    Seom__Withdraw withdraw;
    Seom__Part parts[PARTS_MAX], *part_list[PARTS_MAX];
    Seom__Holdings wants;
    Seom__Stack stacks[PARTS_MAX], *stack_list[PARTS_MAX];
    bool hash_fits;
};

static uint32_t
below(struct play *play, uint32_t limit)
{
    uint32_t drawn = play->source.below(play->source.ctx, limit);
    CHECK(drawn < limit);
    return drawn;
}

static bool
seldom(struct play *play, uint32_t one_in)
{
    return below(play, one_in) == one_in - 1;
}

/* A number as clients send them: mostly small, sometimes extreme. */
static uint32_t
some_count(struct play *play)
{
    static const uint32_t extremes[] = {
        0, 5, 6, 19, 20, 21, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX - 1, UINT32_MAX};
    return seldom(play, 12) ? extremes[below(play, 10)] : 1 + below(play, 4);
}

static uint64_t
some_coins(struct play *play)
{
    static const uint64_t extremes[] = {COINS_MAX, COINS_MAX + 1, INT64_MAX, UINT64_MAX - 99,
                                        UINT64_MAX};
    if (seldom(play, 20))
        return extremes[below(play, 5)];
    return seldom(play, 2) ? 0 : below(play, 60);
}

static uint32_t
some_slot(struct play *play)
{
    return seldom(play, 30) ? BAG_SLOTS_MAX + below(play, 3) : below(play, BAG_SLOTS_MAX);
}

static uint32_t
some_used_slot(struct play *play, uint32_t who)
{
    uint32_t slot = some_slot(play);
    for (uint32_t n = 0; n < BAG_SLOTS_MAX; n++) {
        uint32_t i = (slot + n) % BAG_SLOTS_MAX;
        if (play->model.people[who].bag.slots[i].kind != 0 && !seldom(play, 20))
            return i;
    }
    return slot;
}

static uint64_t
some_person(struct play *play)
{
    static const uint64_t nobodies[] = {0, 1, UINT64_MAX, (uint64_t)DESK_WORLD << 48 | 99};
    return seldom(play, 20) ? nobodies[below(play, 4)]
                            : play->square->people[below(play, SQUARE_PEOPLE)];
}

/* An open mail or offer, mostly one of this person; 0: none. */
static uint64_t
some_parcel(struct play *play, uint32_t who, bool offer, bool by_giver)
{
    uint32_t start = below(play, MODEL_PARCELS_MAX);
    for (uint32_t n = 0; n < MODEL_PARCELS_MAX; n++) {
        const struct model_parcel *parcel = &play->model.parcels[(start + n) % MODEL_PARCELS_MAX];
        bool his = (by_giver ? parcel->from : parcel->to) == who;
        if (parcel->id != 0 && parcel->offer == offer && (his || seldom(play, 40)))
            return parcel->id;
    }
    return seldom(play, 2) ? 0 : (uint64_t)DESK_WORLD << 48 | below(play, 2000);
}

static size_t
some_parts(struct play *play, struct draft *draft, uint32_t who)
{
    size_t count = seldom(play, 30) ? PARTS_MAX : below(play, 4);
    for (size_t i = 0; i < count; i++) {
        seom__part__init(&draft->parts[i]);
        draft->part_list[i] = &draft->parts[i];
        draft->parts[i].slot = some_used_slot(play, who);
        draft->parts[i].count = seldom(play, 3) ? 1 : some_count(play);
    }
    return count;
}

static Seom__Holdings *
some_wants(struct play *play, struct draft *draft)
{
    if (seldom(play, 6))
        return NULL;
    seom__holdings__init(&draft->wants);
    draft->wants.coins = some_coins(play);
    draft->wants.n_slots = seldom(play, 30) ? PARTS_MAX : below(play, 3);
    draft->wants.slots = draft->stack_list;
    for (size_t i = 0; i < draft->wants.n_slots; i++) {
        Seom__Stack *want = &draft->stacks[i];
        seom__stack__init(want);
        draft->stack_list[i] = want;
        want->kind = seldom(play, 20) ? below(play, 9) : 1 + below(play, CHEST);
        want->count = want->kind == CHEST && !seldom(play, 10) ? 1 : some_count(play);
        want->uid = want->kind == CHEST && seldom(play, 4) ? below(play, 100) : 0;
    }
    return &draft->wants;
}

static void
draft_accept(struct play *play, struct draft *draft, uint32_t who)
{
    seom__accept__init(&draft->accept);
    draft->deed.accept = &draft->accept;
    draft->accept.trade = some_parcel(play, who, true, false);
    const Seom__TradeDocument *trade = square_trade(play->square, draft->accept.trade);
    draft->accept.hash = trade == NULL ? 1 : trade_hash(trade);
    draft->hash_fits = !seldom(play, 8);
    if (!draft->hash_fits)
        draft->accept.hash += 1 + below(play, 65536);
}

static void
draft_make(struct play *play, struct draft *draft, uint32_t who, Seom__Deed__WhatCase what)
{
    static char texts[][20] = {"", "hello", "안녕하세요", "two\nlines", "\xff\xfe"};
    seom__deed__init(&draft->deed);
    draft->deed.what_case = what;
    if (what == SEOM__DEED__WHAT_SPLIT) {
        seom__split__init(&draft->split);
        draft->deed.split = &draft->split;
        draft->split.from = some_used_slot(play, who);
        draft->split.to = some_slot(play);
        draft->split.count = some_count(play);
    } else if (what == SEOM__DEED__WHAT_SEND) {
        seom__send__init(&draft->send);
        draft->deed.send = &draft->send;
        draft->send.to = some_person(play);
        draft->send.text = texts[seldom(play, 8) ? 3 + below(play, 2) : below(play, 3)];
        draft->send.coins = some_coins(play);
        draft->send.n_parts = some_parts(play, draft, who);
        draft->send.parts = draft->part_list;
    } else if (what == SEOM__DEED__WHAT_CLAIM) {
        seom__claim__init(&draft->claim);
        draft->deed.claim = &draft->claim;
        draft->claim.mail = some_parcel(play, who, false, false);
    } else if (what == SEOM__DEED__WHAT_OFFER) {
        seom__offer__init(&draft->offer);
        draft->deed.offer = &draft->offer;
        draft->offer.to = some_person(play);
        draft->offer.coins = some_coins(play);
        draft->offer.n_parts = some_parts(play, draft, who);
        draft->offer.parts = draft->part_list;
        draft->offer.wants = some_wants(play, draft);
    } else if (what == SEOM__DEED__WHAT_CHANGE) {
        seom__change__init(&draft->change);
        draft->deed.change = &draft->change;
        draft->change.trade = some_parcel(play, who, true, true);
        draft->change.wants = some_wants(play, draft);
    } else if (what == SEOM__DEED__WHAT_ACCEPT) {
        draft_accept(play, draft, who);
    } else {
        seom__withdraw__init(&draft->withdraw);
        draft->deed.withdraw = &draft->withdraw;
        draft->withdraw.trade = some_parcel(play, who, true, seldom(play, 2));
    }
}

/* The newest mail in an inbox that the model does not know yet. */
static uint64_t
unknown_mail(struct play *play, uint32_t who)
{
    const Seom__InboxDocument *inbox = square_inbox(play->square, who);
    for (size_t n = inbox == NULL ? 0 : inbox->n_notices; n > 0; n--) {
        const Seom__Notice *notice = inbox->notices[n - 1];
        if (notice->kind == SEOM__NOTICE_KIND__NOTICE_MAIL &&
            model_parcel(&play->model, notice->id, false) == NULL)
            return notice->id;
    }
    return 0;
}

static void
wrong(struct play *play, const char *what, const char *detail)
{
    if (play->wrong[0] == '\0')
        snprintf(play->wrong, sizeof play->wrong, "%s: %s", what, detail);
}

static void
step_deed(struct play *play, uint32_t who)
{
    static const Seom__Deed__WhatCase whats[] = {
        SEOM__DEED__WHAT_SPLIT,   SEOM__DEED__WHAT_SEND,   SEOM__DEED__WHAT_CLAIM,
        SEOM__DEED__WHAT_CLAIM,   SEOM__DEED__WHAT_OFFER,  SEOM__DEED__WHAT_OFFER,
        SEOM__DEED__WHAT_CHANGE,  SEOM__DEED__WHAT_ACCEPT, SEOM__DEED__WHAT_ACCEPT,
        SEOM__DEED__WHAT_WITHDRAW};
    struct draft draft = {.hash_fits = true};
    struct square *square = play->square;
    Seom__Deed__WhatCase what = whats[below(play, sizeof whats / sizeof whats[0])];
    square->used = 0;
    draft_make(play, &draft, who, what);
    const struct model_parcel *trade = NULL;
    if (what == SEOM__DEED__WHAT_ACCEPT)
        trade = model_parcel(&play->model, draft.accept.trade, true);
    if (what == SEOM__DEED__WHAT_WITHDRAW)
        trade = model_parcel(&play->model, draft.withdraw.trade, true);
    bool fine = square_do(square, who, &draft.deed) == SEOM__CODE__FINE;
    struct model_made made = {.id = square->answer->id, .mine = square->answer->mail};
    if (fine && trade != NULL)
        made.theirs = unknown_mail(play, trade->from);
    bool expected = model_do(&play->model, who, &draft.deed, draft.hash_fits, &made);
    if (fine != expected)
        wrong(play, expected ? "refused" : "done", society_deed(what)->name);
    struct play_counts *counts = &play->counts;
    counts->fine[what] += fine;
    counts->refused[what] += !fine;
    counts->overflow_mine += fine && made.mine != 0;
    counts->overflow_theirs += fine && made.theirs != 0 && made.theirs != made.mine;
    counts->hash_misfits += !draft.hash_fits && trade != NULL;
    counts->retries += square->retries;
}

static void
step(struct play *play)
{
    struct square *square = play->square;
    uint32_t who = below(play, SQUARE_PEOPLE), dice = below(play, 100);
    if (dice < 12) {
        uint32_t kind = below(play, CHEST + 2);
        uint64_t count = kind == CHEST ? 1 : kind == COINS ? some_coins(play) : some_count(play);
        bool fine = square_give(square, who, kind, count) == SEOM__CODE__FINE;
        if (fine != model_give(&play->model, who, kind, count, square->answer->id))
            wrong(play, "give", fine ? "done" : "refused");
    } else if (dice < 18) {
        uint32_t kind = below(play, CHEST + 1);
        uint64_t count = kind == COINS ? some_coins(play) : some_count(play);
        bool fine = square_use(square, who, kind, count) == SEOM__CODE__FINE;
        if (fine != model_use(&play->model, who, kind, count))
            wrong(play, "use", fine ? "done" : "refused");
    } else if (dice < 20) {
        square_pass_days(square, seldom(play, 4) ? MAIL_DAYS : below(play, 4));
    } else {
        step_deed(play, who);
    }
}

static void
audit(struct play *play)
{
    struct audit_result result = square_audit(play->square);
    if (!result.balanced)
        wrong(play, "audit", play->square->notes);
    else if (result.minted != result.held + result.consumed ||
             result.coins_minted != result.coins_held + result.coins_consumed)
        wrong(play, "audit", "balanced, but the sums are not");
}

/* Days go by with virtual time, faults or not; the model is told. */
bool
play_steps(struct play *play, uint32_t steps)
{
    for (uint32_t n = 0; n < steps && play->wrong[0] == '\0'; n++) {
        play->model.day = (uint32_t)(env_world_ms(&play->square->desk->env) / DAY_MS);
        step(play);
        const char *differs = model_differs(&play->model, play->square);
        if (differs != NULL)
            wrong(play, "the store differs", differs);
        if (n % PLAY_AUDIT_EVERY == 0)
            audit(play);
    }
    audit(play);
    play->counts.expired = play->model.expired;
    return play->wrong[0] == '\0';
}

void
play_stock(struct play *play, uint32_t most, uint32_t fewer)
{
    for (uint32_t who = 0; who < SQUARE_PEOPLE; who++) {
        for (uint32_t n = who * fewer; n < most; n++) {
            CHECK(square_give(play->square, who, CHEST, 1) == SEOM__CODE__FINE);
            CHECK(model_give(&play->model, who, CHEST, 1, play->square->answer->id));
        }
    }
}

struct play *
play_alloc(uint64_t seed, enum society_mutant mutant, struct play_source source)
{
    struct play *play = calloc(1, sizeof *play);
    CHECK(play != NULL && source.below != NULL);
    play->source = source;
    play->square = square_alloc(seed, mutant);
    model_init(&play->model, play->square);
    return play;
}

void
play_free(struct play *play)
{
    square_free(play->square);
    free(play);
}
