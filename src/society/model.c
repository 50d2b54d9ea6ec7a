#include "society/model.h"
#include "wire/text.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

void
model_init(struct model *model, const struct square *square)
{
    *model = (struct model){.society = &square->society};
    for (uint32_t who = 0; who < SQUARE_PEOPLE; who++) {
        model->ids[who] = square->people[who];
        model->people[who].bag.slots_max = BAG_SLOTS_MAX;
    }
}

/* ---- one purse ---- */

static uint32_t
stack_max(const struct model *model, uint32_t kind)
{
    const struct kind *known = kind_find(model->society, kind);
    return known == NULL ? 0 : known->stack_max;
}

static bool
put_one(const struct model *model, struct model_purse *to, struct model_stack one)
{
    uint32_t most = stack_max(model, one.kind);
    for (uint32_t i = 0; i < to->slots_max && most > 1; i++) {
        if (to->slots[i].kind == one.kind && to->slots[i].count < most) {
            to->slots[i].count++;
            return true;
        }
    }
    for (uint32_t i = 0; i < to->slots_max; i++) {
        if (to->slots[i].kind == 0) {
            to->slots[i] = (struct model_stack){.kind = one.kind, .count = 1, .uid = one.uid};
            return true;
        }
    }
    return false;
}

static void
take_from(struct model_purse *from, uint32_t slot)
{
    if (--from->slots[slot].count == 0)
        from->slots[slot] = (struct model_stack){0};
}

static bool
take_one(struct model_purse *from, uint32_t kind, uint64_t uid, struct model_stack *one)
{
    for (uint32_t i = 0; i < from->slots_max; i++) {
        if (from->slots[i].kind == kind && (uid == 0 || from->slots[i].uid == uid)) {
            *one = from->slots[i];
            take_from(from, i);
            return true;
        }
    }
    return false;
}

static bool
is_bare(const struct model_purse *purse)
{
    for (uint32_t i = 0; i < purse->slots_max; i++)
        if (purse->slots[i].kind != 0)
            return false;
    return purse->coins == 0;
}

static uint64_t
total(const struct model_purse *purse, uint32_t kind)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < purse->slots_max; i++)
        count += purse->slots[i].kind == kind ? purse->slots[i].count : 0;
    return count;
}

static bool
move_coins(struct model_purse *from, struct model_purse *to, uint64_t coins)
{
    if (coins > from->coins || coins + to->coins > COINS_MAX)
        return false;
    from->coins -= coins;
    to->coins += coins;
    return true;
}

static bool
move_slot(const struct model *model, struct model_purse *from, uint32_t slot, uint32_t count,
          struct model_purse *to)
{
    if (slot >= from->slots_max || count == 0 || from->slots[slot].count < count)
        return false;
    for (; count > 0; count--) {
        if (!put_one(model, to, from->slots[slot]))
            return false;
        take_from(from, slot);
    }
    return true;
}

/* ---- people and parcels ---- */

static uint32_t
person_of(const struct model *model, uint64_t id)
{
    for (uint32_t who = 0; who < SQUARE_PEOPLE; who++)
        if (model->ids[who] == id)
            return who;
    return NOBODY;
}

static struct model_purse *
bag_of(struct model *model, uint32_t who)
{
    struct model_person *person = &model->people[who];
    if (!person->born)
        person->bag.coins += model->society->first_coins;
    person->born = true;
    return &person->bag;
}

const struct model_parcel *
model_parcel(const struct model *model, uint64_t id, bool offer)
{
    for (uint32_t i = 0; i < MODEL_PARCELS_MAX && id != 0; i++)
        if (model->parcels[i].id == id && model->parcels[i].offer == offer)
            return &model->parcels[i];
    return NULL;
}

static struct model_parcel *
parcel_make(struct model *model, uint64_t id, bool offer, uint32_t from, uint32_t to)
{
    CHECK(model_parcel(model, id, offer) == NULL);
    uint32_t i = 0;
    while (model->parcels[i].id != 0)
        CHECK(++i < MODEL_PARCELS_MAX);
    if (i == model->parcels_count)
        model->parcels_count++;
    model->parcels[i] = (struct model_parcel){
        .id = id,
        .offer = offer,
        .from = from,
        .to = to,
        .holds.slots_max = offer ? TRADE_SLOTS_MAX : MAIL_SLOTS_MAX,
    };
    return &model->parcels[i];
}

static void
notices_drop(struct model_person *person, uint32_t n)
{
    person->notices_count--;
    memmove(&person->notices[n], &person->notices[n + 1],
            (person->notices_count - n) * sizeof person->notices[0]);
}

/* Two of those that are too old, with what is in the mails. */
static void
notices_sweep(struct model *model, uint32_t who)
{
    struct model_person *person = &model->people[who];
    for (int n = 0; n < 2; n++) {
        struct model_notice oldest = person->notices[0];
        if (person->notices_count == 0 || model->day <= oldest.day + MAIL_DAYS)
            return;
        struct model_parcel *mail =
            (struct model_parcel *)model_parcel(model, oldest.id, oldest.offer);
        if (mail != NULL && !mail->offer) {
            mail->id = 0;
            model->expired++;
        }
        notices_drop(person, 0);
    }
}

/* asked: somebody wants to send or offer something. */
static bool
notices_add(struct model *model, uint32_t who, struct model_notice notice, bool asked)
{
    struct model_person *person = &model->people[who];
    uint32_t his = 0;
    notices_sweep(model, who);
    for (uint32_t n = 0; n < person->notices_count; n++)
        his += person->notices[n].from == notice.from;
    if (person->notices_count >= (asked ? INBOX_ASKED_MAX : INBOX_MAX) ||
        (asked && his >= INBOX_FROM_ONE))
        return false;
    notice.day = model->day;
    person->notices[person->notices_count++] = notice;
    return true;
}

static void
notices_remove(struct model *model, uint32_t who, bool offer, uint64_t id)
{
    struct model_person *person = &model->people[who];
    for (uint32_t n = person->notices_count; n > 0; n--)
        if (person->notices[n - 1].id == id && person->notices[n - 1].offer == offer)
            notices_drop(person, n - 1);
    notices_sweep(model, who);
}

/* One stack into the bag, or as a whole into the mail for what finds no room. */
static bool
move_or_send(struct model *model, uint32_t by, struct model_purse *from, struct model_stack what,
             uint32_t to, uint64_t mail)
{
    struct model_purse bag = *bag_of(model, to), rest = *from;
    struct model_stack one;
    bool fits = true;
    if (total(from, what.kind) < what.count)
        return false;
    for (uint32_t n = 0; n < what.count && fits; n++) {
        if (!take_one(&rest, what.kind, what.uid, &one))
            return false;
        fits = put_one(model, &bag, one);
    }
    if (fits) {
        *from = rest;
        model->people[to].bag = bag;
        return true;
    }
    uint64_t id = mail == 0 ? UINT64_MAX : mail; /* 0: the store made none, which will be seen */
    struct model_parcel *waits = (struct model_parcel *)model_parcel(model, id, false);
    if (waits == NULL) {
        waits = parcel_make(model, id, false, by, to);
        if (!notices_add(model, to, (struct model_notice){.id = id, .from = by}, false))
            return false;
    }
    for (uint32_t n = 0; n < what.count; n++)
        if (!take_one(from, what.kind, what.uid, &one) || !put_one(model, &waits->holds, one))
            return false;
    return true;
}

static bool
move_all_or_send(struct model *model, uint32_t by, struct model_purse *from, uint32_t to,
                 uint64_t mail)
{
    if (!move_coins(from, bag_of(model, to), from->coins))
        return false;
    for (uint32_t i = 0; i < from->slots_max; i++)
        if (from->slots[i].kind != 0 && !move_or_send(model, by, from, from->slots[i], to, mail))
            return false;
    return true;
}

static void
trades_drop(struct model_person *person, uint64_t id)
{
    for (uint32_t i = 0; i < person->trades_count; i++) {
        if (person->trades[i] == id) {
            person->trades_count--;
            memmove(&person->trades[i], &person->trades[i + 1],
                    (person->trades_count - i) * sizeof person->trades[0]);
        }
    }
}

/* ---- deeds ---- */

static bool
do_split(struct model *model, uint32_t who, const Seom__Split *split)
{
    struct model_purse *bag = bag_of(model, who);
    if (split->from >= bag->slots_max || split->to >= bag->slots_max || split->from == split->to)
        return false;
    struct model_stack *from = &bag->slots[split->from], *to = &bag->slots[split->to];
    uint32_t most = stack_max(model, from->kind);
    if (from->kind == 0 || split->count == 0 || split->count > from->count ||
        (to->kind != 0 && (to->kind != from->kind || most == 1)) || split->count > most - to->count)
        return false;
    to->kind = from->kind;
    to->uid = from->uid;
    to->count += split->count;
    for (uint32_t n = 0; n < split->count; n++)
        take_from(bag, split->from);
    return true;
}

static bool
move_parts(struct model *model, uint32_t who, Seom__Part **parts, size_t count, uint64_t coins,
           struct model_purse *to)
{
    struct model_purse *bag = bag_of(model, who);
    for (size_t i = 0; i < count; i++)
        if (!move_slot(model, bag, parts[i]->slot, parts[i]->count, to))
            return false;
    return move_coins(bag, to, coins);
}

static bool
do_send(struct model *model, uint32_t who, const Seom__Send *send, uint64_t id)
{
    uint32_t to = person_of(model, send->to);
    size_t bytes = strlen(send->text);
    struct slice text = {.at = (const uint8_t *)send->text, .bytes = bytes};
    if (to == NOBODY || to == who || bytes > MAIL_TEXT_MAX || !text_is_line(text) ||
        send->n_parts > MAIL_SLOTS_MAX || (bytes == 0 && send->n_parts == 0 && send->coins == 0))
        return false;
    struct model_parcel *mail = parcel_make(model, id, false, who, to);
    return notices_add(model, to, (struct model_notice){.id = id, .from = who}, true) &&
           move_parts(model, who, send->parts, send->n_parts, send->coins, &mail->holds);
}

static bool
do_claim(struct model *model, uint32_t who, uint64_t id)
{
    struct model_parcel *mail = (struct model_parcel *)model_parcel(model, id, false);
    if (mail == NULL || mail->to != who)
        return false;
    struct model_purse *bag = bag_of(model, who);
    if (!move_coins(&mail->holds, bag, mail->holds.coins))
        return false;
    for (uint32_t i = 0; i < mail->holds.slots_max; i++)
        if (mail->holds.slots[i].kind != 0 &&
            !move_slot(model, &mail->holds, i, mail->holds.slots[i].count, bag))
            return false;
    CHECK(is_bare(&mail->holds));
    mail->id = 0;
    notices_remove(model, who, false, id);
    return true;
}

static bool
read_wants(const struct model *model, const Seom__Holdings *wants, struct model_purse *out)
{
    *out = (struct model_purse){.slots_max = TRADE_SLOTS_MAX};
    if (wants == NULL)
        return true;
    if (wants->n_slots > TRADE_SLOTS_MAX || wants->coins > COINS_MAX)
        return false;
    out->coins = wants->coins;
    for (size_t i = 0; i < wants->n_slots; i++) {
        const Seom__Stack *want = wants->slots[i];
        uint32_t most = stack_max(model, want->kind);
        if (want->count == 0 || want->count > most || (want->uid != 0 && most > 1))
            return false;
        out->slots[i] = (struct model_stack){want->kind, want->count, want->uid};
    }
    return true;
}

static bool
do_offer(struct model *model, uint32_t who, const Seom__Offer *offer, uint64_t id)
{
    struct model_person *me = &model->people[who];
    uint32_t to = person_of(model, offer->to);
    struct model_purse wants;
    bool gives = offer->n_parts > 0 || offer->coins > 0;
    if (to == NOBODY || to == who || offer->n_parts > TRADE_SLOTS_MAX ||
        me->trades_count == TRADES_OPEN_MAX || !read_wants(model, offer->wants, &wants) ||
        (!gives && is_bare(&wants)))
        return false;
    struct model_parcel *trade = parcel_make(model, id, true, who, to);
    trade->wants = wants;
    me->trades[me->trades_count++] = id;
    return notices_add(model, to, (struct model_notice){.offer = true, .id = id, .from = who},
                       true) &&
           move_parts(model, who, offer->parts, offer->n_parts, offer->coins, &trade->holds);
}

static bool
do_change(struct model *model, uint32_t who, const Seom__Change *change)
{
    struct model_parcel *trade = (struct model_parcel *)model_parcel(model, change->trade, true);
    struct model_purse wants;
    if (trade == NULL || trade->from != who || !read_wants(model, change->wants, &wants))
        return false;
    trade->wants = wants;
    return true;
}

static bool
do_accept(struct model *model, uint32_t who, const Seom__Accept *accept, bool hash_fits,
          const struct model_made *made)
{
    struct model_parcel *trade = (struct model_parcel *)model_parcel(model, accept->trade, true);
    if (trade == NULL || trade->to != who || !hash_fits)
        return false;
    uint32_t giver = trade->from;
    struct model_purse *mine = bag_of(model, who);
    if (!move_coins(mine, bag_of(model, giver), trade->wants.coins))
        return false;
    for (uint32_t i = 0; i < trade->wants.slots_max; i++)
        if (trade->wants.slots[i].kind != 0 &&
            !move_or_send(model, who, mine, trade->wants.slots[i], giver, made->theirs))
            return false;
    if (!move_all_or_send(model, who, &trade->holds, who, made->mine))
        return false;
    trade->id = 0;
    trades_drop(&model->people[giver], accept->trade);
    notices_remove(model, who, true, accept->trade);
    return true;
}

static bool
do_withdraw(struct model *model, uint32_t who, uint64_t id, const struct model_made *made)
{
    struct model_parcel *trade = (struct model_parcel *)model_parcel(model, id, true);
    if (trade == NULL || (trade->to != who && trade->from != who))
        return false;
    uint64_t mail = trade->from == who ? made->mine : made->theirs;
    if (!move_all_or_send(model, who, &trade->holds, trade->from, mail))
        return false;
    trade->id = 0;
    trades_drop(&model->people[trade->from], id);
    notices_remove(model, trade->to, true, id);
    return true;
}

static bool
do_any(struct model *model, uint32_t who, const Seom__Deed *asked, bool hash_fits,
       const struct model_made *made)
{
    if (asked->what_case == SEOM__DEED__WHAT_SPLIT)
        return do_split(model, who, asked->split);
    if (asked->what_case == SEOM__DEED__WHAT_SEND)
        return do_send(model, who, asked->send, made->id);
    if (asked->what_case == SEOM__DEED__WHAT_CLAIM)
        return do_claim(model, who, asked->claim->mail);
    if (asked->what_case == SEOM__DEED__WHAT_OFFER)
        return do_offer(model, who, asked->offer, made->id);
    if (asked->what_case == SEOM__DEED__WHAT_CHANGE)
        return do_change(model, who, asked->change);
    if (asked->what_case == SEOM__DEED__WHAT_ACCEPT)
        return do_accept(model, who, asked->accept, hash_fits, made);
    CHECK(asked->what_case == SEOM__DEED__WHAT_WITHDRAW);
    return do_withdraw(model, who, asked->withdraw->trade, made);
}

/* Tried on the model itself, put back when it cannot be done. */
bool
model_do(struct model *model, uint32_t who, const Seom__Deed *asked, bool hash_fits,
         const struct model_made *made)
{
    /* Without the parcels that never were, which are nearly all. */
    uint32_t count = model->parcels_count;
    size_t bytes = offsetof(struct model, parcels) + count * sizeof model->parcels[0];
    void *before = malloc(bytes);
    CHECK(before != NULL);
    memcpy(before, model, bytes);
    bool done = do_any(model, who, asked, hash_fits, made);
    if (!done) {
        CHECK(model->parcels_count >= count);
        memset(&model->parcels[count], 0,
               (model->parcels_count - count) * sizeof model->parcels[0]);
        memcpy(model, before, bytes);
    }
    free(before);
    return done;
}

static bool
give(struct model *model, struct model_purse *bag, uint32_t kind, uint64_t count, uint64_t uid)
{
    struct model_purse world = {.coins = COINS_MAX};
    uint32_t most = stack_max(model, kind);
    if (kind == 0)
        return count > 0 && move_coins(&world, bag, count);
    if (count == 0 || count > (uint64_t)BAG_SLOTS_MAX * most || (most == 1 && count > 1))
        return false;
    for (uint64_t n = 0; n < count; n++)
        if (!put_one(model, bag, (struct model_stack){kind, 1, uid}))
            return false;
    return true;
}

static bool
use(struct model *model, struct model_purse *bag, uint32_t kind, uint64_t count)
{
    struct model_purse world = {.coins = 0};
    struct model_stack one;
    if (kind == 0)
        return count > 0 && move_coins(bag, &world, count);
    if (count == 0 || (stack_max(model, kind) == 1 && count > 1))
        return false;
    for (uint64_t n = 0; n < count; n++)
        if (!take_one(bag, kind, 0, &one))
            return false;
    return true;
}

bool
model_give(struct model *model, uint32_t who, uint32_t kind, uint64_t count, uint64_t uid)
{
    struct model_person before = model->people[who];
    bool done = give(model, bag_of(model, who), kind, count, uid);
    if (!done)
        model->people[who] = before;
    return done;
}

bool
model_use(struct model *model, uint32_t who, uint32_t kind, uint64_t count)
{
    struct model_person before = model->people[who];
    bool done = use(model, bag_of(model, who), kind, count);
    if (!done)
        model->people[who] = before;
    return done;
}

/* ---- against the store ---- */

static bool
purse_differs(const struct model_purse *purse, const Seom__Holdings *holds)
{
    if (holds == NULL)
        return !is_bare(purse);
    if (holds->coins != purse->coins || holds->n_slots > purse->slots_max)
        return true;
    for (uint32_t i = 0; i < purse->slots_max; i++) {
        struct model_stack there = {0};
        if (i < holds->n_slots)
            there = (struct model_stack){holds->slots[i]->kind, holds->slots[i]->count,
                                         holds->slots[i]->uid};
        if (there.kind != purse->slots[i].kind || there.count != purse->slots[i].count ||
            there.uid != purse->slots[i].uid)
            return true;
    }
    return false;
}

static bool
notices_differ(const struct model_person *person, const Seom__InboxDocument *inbox)
{
    if ((inbox == NULL ? 0 : inbox->n_notices) != person->notices_count)
        return true;
    for (uint32_t i = 0; i < person->notices_count; i++)
        if (inbox->notices[i]->id != person->notices[i].id ||
            (inbox->notices[i]->kind == SEOM__NOTICE_KIND__NOTICE_OFFER) !=
                person->notices[i].offer)
            return true;
    return false;
}

static const char *
parcel_differs(const struct model_parcel *parcel, struct square *square)
{
    if (parcel->offer) {
        const Seom__TradeDocument *trade = square_trade(square, parcel->id);
        if (trade == NULL || purse_differs(&parcel->holds, trade->gives))
            return "an offer";
        return purse_differs(&parcel->wants, trade->wants) ? "what an offer wants" : NULL;
    }
    const Seom__MailDocument *mail = square_mail(square, parcel->id);
    return mail == NULL || purse_differs(&parcel->holds, mail->holds) ? "a mail" : NULL;
}

const char *
model_differs(const struct model *model, struct square *square)
{
    square->used = 0;
    for (uint32_t who = 0; who < SQUARE_PEOPLE; who++) {
        const struct model_person *person = &model->people[who];
        const Seom__PlayerDocument *player = square_player(square, who);
        if (purse_differs(&person->bag, player->bag))
            return "a bag";
        if (player->n_trades != person->trades_count ||
            (person->trades_count > 0 &&
             memcmp(player->trades, person->trades,
                    person->trades_count * sizeof person->trades[0]) != 0))
            return "a list of offers";
        if (notices_differ(person, square_inbox(square, who)))
            return "an inbox";
    }
    for (uint32_t i = 0; i < MODEL_PARCELS_MAX; i++) {
        const char *what =
            model->parcels[i].id == 0 ? NULL : parcel_differs(&model->parcels[i], square);
        if (what != NULL)
            return what;
    }
    return NULL;
}
