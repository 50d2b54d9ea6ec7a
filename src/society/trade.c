#include "society/trade.h"
#include "base/check.h"
#include "base/rand.h"
#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/list.h"
#include "society/mail.h"

#define CHANGES_BITS 16

_Static_assert(TRADE_CHANGES_MAX < 1 << CHANGES_BITS, "the count of changes fits the hash");

/* ---- the offer ---- */

static uint64_t
holdings_hash(uint64_t hash, const Seom__Holdings *holds)
{
    if (holds == NULL)
        return rand_mix(hash, 0);
    hash = rand_mix(rand_mix(hash, holds->coins), holds->n_slots);
    for (size_t i = 0; i < holds->n_slots; i++) {
        const Seom__Stack *slot = holds->slots[i];
        hash = rand_mix(rand_mix(rand_mix(hash, slot->kind), slot->count), slot->uid);
    }
    return hash;
}

uint64_t
trade_hash(const Seom__TradeDocument *trade)
{
    uint64_t hash = rand_mix(trade->from, trade->to);
    hash = holdings_hash(holdings_hash(hash, trade->gives), trade->wants);
    hash = hash << CHANGES_BITS | (trade->changes & TRADE_CHANGES_MAX);
    return hash == 0 ? 1 : hash;
}

static bool
is_nothing(const Seom__Holdings *wants)
{
    return wants == NULL || (wants->coins == 0 && wants->n_slots == 0);
}

/* Whether somebody could ever have what is asked for. */
static bool
wants_are_sensible(const struct society *society, const Seom__Holdings *wants)
{
    if (wants == NULL)
        return true;
    if (wants->coins > COINS_MAX || wants->n_slots > TRADE_SLOTS_MAX)
        return false;
    for (size_t i = 0; i < wants->n_slots; i++) {
        const Seom__Stack *want = wants->slots[i];
        const struct kind *kind = kind_find(society, want->kind);
        if (kind == NULL || want->count == 0 || want->count > kind->stack_max ||
            (want->uid != 0 && !kind_is_single(kind)))
            return false;
    }
    return true;
}

/* What is wanted, as far as it is understood here: what a client put beside that would stand in the
 * document, and could make it too much to read. */
static Seom__Holdings *
wants_understood(Seom__Holdings *wants)
{
    if (wants == NULL)
        return NULL;
    wants->base.n_unknown_fields = 0;
    for (size_t i = 0; i < wants->n_slots; i++)
        wants->slots[i]->base.n_unknown_fields = 0;
    return wants;
}

static Seom__TradeDocument *
trade_open(struct deed *deed, uint64_t id)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_TRADE, id);
    return deed_open(deed, &key, &seom__trade_document__descriptor);
}

static struct purse
purse_of_trade(struct deed *deed, uint64_t id, Seom__TradeDocument *trade, const void *document)
{
    return purse_over(deed, SEOM__ACCOUNT_KIND__ACCOUNT_TRADE, id, &trade->gives, TRADE_SLOTS_MAX,
                      document);
}

/* An open trade that concerns the initiator. FINE, NOT_FOUND, DEED_MORE. */
static uint32_t
trade_find(struct deed *deed, uint64_t id, Seom__TradeDocument **trade)
{
    *trade = trade_open(deed, id);
    if (*trade == NULL)
        return DEED_MORE;
    uint64_t me = deed_actor(deed)->player;
    bool mine = deed_exists(deed, *trade) && ((*trade)->from == me || (*trade)->to == me);
    return mine ? SEOM__CODE__FINE : SEOM__CODE__NOT_FOUND;
}

/* ---- a giver's list of open offers ---- */

static bool
trades_add(struct deed *deed, Seom__PlayerDocument *giver, uint64_t id)
{
    uint64_t *trades =
        list_longer(deed, giver->trades, giver->n_trades, 1, sizeof giver->trades[0]);
    if (trades == NULL)
        return false;
    trades[giver->n_trades++] = id;
    giver->trades = trades;
    return true;
}

static void
trades_remove(Seom__PlayerDocument *giver, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < giver->n_trades; i++)
        if (giver->trades[i] != id)
            giver->trades[kept++] = giver->trades[i];
    giver->n_trades = kept;
}

/* ---- deeds ---- */

/* A new trade, its notice and its place in the giver's list, with nothing in it yet. */
static uint32_t
trade_make(struct deed *deed, const Seom__Offer *offer, uint64_t *id, Seom__TradeDocument **out)
{
    Seom__PlayerDocument *giver = deed_player(deed), *receiver;
    uint64_t me = deed_actor(deed)->player;
    uint32_t code = deed_open_player(deed, offer->to, &receiver);
    if (code != SEOM__CODE__FINE)
        return code;
    *id = deed_id(deed);
    if (*id == 0)
        return DEED_MORE;
    Seom__TradeDocument *trade = trade_open(deed, *id);
    if (trade == NULL)
        return DEED_MORE;
    if (deed_exists(deed, trade))
        return SEOM__CODE__CONFLICT; /* an id that was used before: a store put back by halves */
    trade->from = me;
    trade->to = offer->to;
    trade->wants = wants_understood(offer->wants);
    trade->day = mail_day(deed);
    *out = trade;
    deed_put(deed, trade);
    if (!trades_add(deed, giver, *id))
        return DEED_MORE;
    Seom__Notice notice = SEOM__NOTICE__INIT;
    notice.kind = SEOM__NOTICE_KIND__NOTICE_OFFER;
    notice.id = *id;
    notice.from = me;
    notice.from_name = giver->name;
    notice.day = trade->day;
    notice.holds = offer->n_parts > 0 || offer->coins > 0;
    return inbox_add(deed, offer->to, &notice, true);
}

static uint32_t
offer_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_OFFER);
    if (asked == NULL)
        return SEOM__CODE__MALFORMED;
    const Seom__Offer *offer = asked->offer;
    bool gives = offer->n_parts > 0 || offer->coins > 0;
    if (offer->n_parts > TRADE_SLOTS_MAX || !wants_are_sensible(society_of(deed), offer->wants) ||
        (!gives && is_nothing(offer->wants)))
        return SEOM__CODE__MALFORMED;
    Seom__PlayerDocument *giver = deed_player(deed);
    uint64_t me = deed_actor(deed)->player;
    if (offer->to == me || giver->n_trades >= TRADES_OPEN_MAX)
        return SEOM__CODE__REFUSED;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    Seom__TradeDocument *trade;
    uint32_t code = trade_make(deed, offer, &result.id, &trade);
    if (code != SEOM__CODE__FINE)
        return code;
    struct purse bag = purse_of_player(deed, giver, me);
    struct purse waits = purse_of_trade(deed, result.id, trade, trade);
    if (bag.holds == NULL || waits.holds == NULL)
        return DEED_MORE;
    code = deed_move_parts(deed, &bag, offer->parts, offer->n_parts, offer->coins, &waits,
                           REASON_OFFERED);
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

const struct deed_kind trade_offer = {.name = "offer", .class = DEED_TRADE, .decide = offer_decide};

static uint32_t
change_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_CHANGE);
    if (asked == NULL || !wants_are_sensible(society_of(deed), asked->change->wants))
        return SEOM__CODE__MALFORMED;
    Seom__TradeDocument *trade;
    uint32_t code = trade_find(deed, asked->change->trade, &trade);
    if (code != SEOM__CODE__FINE)
        return code;
    if (trade->from != deed_actor(deed)->player || trade->changes >= TRADE_CHANGES_MAX)
        return SEOM__CODE__REFUSED;
    trade->wants = wants_understood(asked->change->wants);
    trade->changes++;
    deed_put(deed, trade);
    return SEOM__CODE__FINE;
}

const struct deed_kind trade_change = {
    .name = "change", .class = DEED_TRADE, .decide = change_decide};

/* The accepter pays what is wanted; single things one by one, whichever there are when none was
 * named. */
static uint32_t
trade_pay(struct deed *deed, const Seom__Holdings *wants, const struct purse *from,
          const struct purse *to, uint64_t *mail)
{
    if (wants == NULL)
        return SEOM__CODE__FINE;
    uint32_t code = SEOM__CODE__FINE;
    if (wants->coins > 0)
        code = mail_move_coins_or_send(deed, from, to, wants->coins, REASON_TRADED, mail);
    for (size_t i = 0; code == SEOM__CODE__FINE && i < wants->n_slots; i++) {
        Seom__Stack want = *wants->slots[i];
        code = mail_move_or_send(deed, from, to, &want, REASON_TRADED, mail);
    }
    return code;
}

static uint32_t
accept_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_ACCEPT);
    if (asked == NULL)
        return SEOM__CODE__MALFORMED;
    uint64_t id = asked->accept->trade, me = deed_actor(deed)->player;
    Seom__TradeDocument *trade;
    uint32_t code = trade_find(deed, id, &trade);
    if (code != SEOM__CODE__FINE)
        return code;
    if (trade->from == me)
        return SEOM__CODE__REFUSED;
    if (asked->accept->hash != trade_hash(trade) &&
        society_of(deed)->mutant != SOCIETY_MUTANT_OFFER_CHANGED)
        return SEOM__CODE__CONFLICT;
    Seom__PlayerDocument *giver;
    code = deed_open_player(deed, trade->from, &giver);
    if (code != SEOM__CODE__FINE)
        return code;
    struct purse mine = purse_of_player(deed, deed_player(deed), me);
    struct purse theirs = purse_of_player(deed, giver, trade->from);
    struct purse waits = purse_of_trade(deed, id, trade, NULL);
    if (mine.holds == NULL || theirs.holds == NULL || waits.holds == NULL)
        return DEED_MORE;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    if (!deed_gains(deed, &result, waits.holds))
        return DEED_MORE;
    uint64_t mail_to_giver = 0;
    code = trade_pay(deed, trade->wants, &mine, &theirs, &mail_to_giver);
    if (code == SEOM__CODE__FINE)
        code = mail_move_all_or_send(deed, &waits, &mine, REASON_TRADED, &result.mail);
    if (code != SEOM__CODE__FINE)
        return code;
    trades_remove(giver, id);
    deed_put(deed, giver);
    deed_delete(deed, trade);
    code = inbox_remove(deed, me, SEOM__NOTICE_KIND__NOTICE_OFFER, id);
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

const struct deed_kind trade_accept = {
    .name = "accept", .class = DEED_TRADE, .decide = accept_decide};

static uint32_t
withdraw_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_WITHDRAW);
    if (asked == NULL)
        return SEOM__CODE__MALFORMED;
    uint64_t id = asked->withdraw->trade;
    Seom__TradeDocument *trade;
    uint32_t code = trade_find(deed, id, &trade);
    if (code != SEOM__CODE__FINE)
        return code;
    Seom__PlayerDocument *giver;
    code = deed_open_player(deed, trade->from, &giver);
    if (code != SEOM__CODE__FINE)
        return code;
    struct purse bag = purse_of_player(deed, giver, trade->from);
    struct purse waits = purse_of_trade(deed, id, trade, NULL);
    if (bag.holds == NULL || waits.holds == NULL)
        return DEED_MORE;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    bool by_giver = trade->from == deed_actor(deed)->player;
    if (by_giver && !deed_gains(deed, &result, waits.holds))
        return DEED_MORE;
    code = mail_move_all_or_send(deed, &waits, &bag, REASON_WITHDRAWN, &result.mail);
    if (code != SEOM__CODE__FINE)
        return code;
    trades_remove(giver, id);
    deed_put(deed, giver);
    deed_delete(deed, trade);
    code = inbox_remove(deed, trade->to, SEOM__NOTICE_KIND__NOTICE_OFFER, id);
    if (!by_giver)
        result.mail = 0;
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

const struct deed_kind trade_withdraw = {
    .name = "withdraw", .class = DEED_TRADE, .decide = withdraw_decide};
