#include "society/deeds.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/mail.h"
#include "society/trade.h"

static const struct deed_kind *const deeds[] = {
    [SEOM__DEED__WHAT_SPLIT] = &society_split,     [SEOM__DEED__WHAT_OFFER] = &trade_offer,
    [SEOM__DEED__WHAT_CHANGE] = &trade_change,     [SEOM__DEED__WHAT_ACCEPT] = &trade_accept,
    [SEOM__DEED__WHAT_WITHDRAW] = &trade_withdraw, [SEOM__DEED__WHAT_SEND] = &mail_send,
    [SEOM__DEED__WHAT_CLAIM] = &mail_claim,
};

const struct deed_kind *
society_deed(Seom__Deed__WhatCase what)
{
    return (uint32_t)what < sizeof deeds / sizeof deeds[0] ? deeds[what] : NULL;
}

const Seom__Deed *
deed_asked(struct deed *deed, Seom__Deed__WhatCase what)
{
    const Seom__Deed *asked = deed_unpack(deed, &seom__deed__descriptor, deed_body(deed));
    return asked != NULL && asked->what_case == what ? asked : NULL;
}

bool
deed_gains(struct deed *deed, Seom__DeedResult *result, const Seom__Holdings *holds)
{
    Seom__Stack *copies = deed_alloc(deed, (holds->n_slots + 1) * sizeof *copies);
    Seom__Stack **gained = deed_alloc(deed, (holds->n_slots + 1) * sizeof *gained);
    if (copies == NULL || gained == NULL)
        return false;
    result->coins_gained = holds->coins;
    result->gained = gained;
    result->n_gained = 0;
    for (size_t i = 0; i < holds->n_slots; i++) {
        copies[i] = *holds->slots[i];
        if (copies[i].kind != 0)
            gained[result->n_gained++] = &copies[i];
    }
    return true;
}

void
deed_answer(struct deed *deed, Seom__DeedResult *result)
{
    uint8_t bytes[DEED_RESULT_MAX];
    while (seom__deed_result__get_packed_size(result) > sizeof bytes) {
        CHECK(result->n_gained > 0);
        result->n_gained--;
    }
    size_t count = seom__deed_result__pack(result, bytes);
    deed_result(deed, (struct slice){.at = bytes, .bytes = count});
}

uint32_t
deed_open_player(struct deed *deed, uint64_t id, Seom__PlayerDocument **player)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_PLAYER, id);
    *player = deed_open(deed, &key, &seom__player_document__descriptor);
    if (*player == NULL)
        return DEED_MORE;
    return deed_exists(deed, *player) ? SEOM__CODE__FINE : SEOM__CODE__NOT_FOUND;
}

uint32_t
deed_move_parts(struct deed *deed, const struct purse *from, Seom__Part *const *parts, size_t count,
                uint64_t coins, const struct purse *to, enum reason reason)
{
    uint32_t code = SEOM__CODE__FINE;
    if (coins > 0)
        code = purse_move_coins(deed, from, to, coins, reason);
    for (size_t i = 0; code == SEOM__CODE__FINE && i < count; i++) {
        Seom__Stack what;
        code = purse_move_slot(deed, from, parts[i]->slot, parts[i]->count, to, reason, &what);
    }
    return code;
}

static uint32_t
split_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_SPLIT);
    if (asked == NULL)
        return SEOM__CODE__MALFORMED;
    struct purse bag = purse_of_player(deed, deed_player(deed), deed_actor(deed)->player);
    if (bag.holds == NULL)
        return DEED_MORE;
    const Seom__Split *split = asked->split;
    return purse_split(deed, &bag, split->from, split->to, split->count);
}

const struct deed_kind society_split = {
    .name = "split", .class = DEED_ARRANGE, .decide = split_decide};
