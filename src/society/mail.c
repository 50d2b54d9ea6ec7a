#include "society/mail.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/list.h"
#include "wire/text.h"

uint32_t
mail_day(const struct deed *deed)
{
    int64_t now_ms = deed_now_ms(deed);
    return now_ms < 0 ? 0 : (uint32_t)(now_ms / MAIL_DAY_MS);
}

static Seom__MailDocument *
mail_open(struct deed *deed, uint64_t id)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_MAIL, id);
    return deed_open(deed, &key, &seom__mail_document__descriptor);
}

/* ---- the inbox ---- */

static void
notices_remove(Seom__InboxDocument *inbox, size_t n)
{
    CHECK(n < inbox->n_notices);
    inbox->n_notices--;
    memmove(&inbox->notices[n], &inbox->notices[n + 1],
            (inbox->n_notices - n) * sizeof inbox->notices[0]);
}

/* What is in an old mail goes to the world, and the mail is gone. One that cannot be emptied, since
 * no such kind is known any more, stays for the operator. */
static uint32_t
mail_expire(struct deed *deed, uint64_t player, uint64_t id)
{
    Seom__MailDocument *mail = mail_open(deed, id);
    if (mail == NULL)
        return DEED_MORE;
    if (!deed_exists(deed, mail) || mail->to != player)
        return SEOM__CODE__FINE;
    struct purse purse =
        purse_over(deed, SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, id, &mail->holds, MAIL_SLOTS_MAX, mail);
    if (purse.holds == NULL)
        return DEED_MORE;
    struct purse world = purse_world();
    uint32_t code = purse_move_all(deed, &purse, &world, REASON_EXPIRED);
    if (code == DEED_MORE)
        return DEED_MORE;
    if (code == SEOM__CODE__FINE)
        deed_delete(deed, mail);
    return SEOM__CODE__FINE;
}

static uint32_t
inbox_sweep(struct deed *deed, uint64_t player, Seom__InboxDocument *inbox)
{
    uint32_t today = mail_day(deed);
    for (uint32_t n = 0; n < INBOX_SWEEP_MAX && inbox->n_notices > 0; n++) {
        const Seom__Notice *oldest = inbox->notices[0];
        if ((uint64_t)oldest->day + MAIL_DAYS >= today)
            break;
        if (oldest->kind == SEOM__NOTICE_KIND__NOTICE_MAIL &&
            mail_expire(deed, player, oldest->id) == DEED_MORE)
            return DEED_MORE;
        notices_remove(inbox, 0);
        deed_put(deed, inbox);
    }
    return SEOM__CODE__FINE;
}

static Seom__InboxDocument *
inbox_open(struct deed *deed, uint64_t player)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_INBOX, player);
    return deed_open(deed, &key, &seom__inbox_document__descriptor);
}

static bool
inbox_has_room(const Seom__InboxDocument *inbox, uint64_t from, bool asked)
{
    uint32_t from_one = 0;
    for (size_t i = 0; i < inbox->n_notices; i++)
        from_one += inbox->notices[i]->from == from;
    return asked ? inbox->n_notices < INBOX_ASKED_MAX && from_one < INBOX_FROM_ONE
                 : inbox->n_notices < INBOX_MAX;
}

uint32_t
inbox_add(struct deed *deed, uint64_t player, const Seom__Notice *notice, bool asked)
{
    CHECK(notice->kind != SEOM__NOTICE_KIND__NOTICE_NONE && notice->id != 0);
    Seom__InboxDocument *inbox = inbox_open(deed, player);
    if (inbox == NULL || inbox_sweep(deed, player, inbox) == DEED_MORE)
        return DEED_MORE;
    if (!inbox_has_room(inbox, notice->from, asked))
        return SEOM__CODE__NO_ROOM;
    Seom__Notice **notices =
        list_longer(deed, inbox->notices, inbox->n_notices, 1, sizeof inbox->notices[0]);
    Seom__Notice *copy = deed_alloc(deed, sizeof *copy);
    if (notices == NULL || copy == NULL)
        return DEED_MORE;
    *copy = *notice;
    notices[inbox->n_notices++] = copy;
    inbox->notices = notices;
    deed_put(deed, inbox);
    return SEOM__CODE__FINE;
}

uint32_t
inbox_remove(struct deed *deed, uint64_t player, Seom__NoticeKind kind, uint64_t id)
{
    Seom__InboxDocument *inbox = inbox_open(deed, player);
    if (inbox == NULL)
        return DEED_MORE;
    for (size_t i = inbox->n_notices; i > 0; i--) {
        if (inbox->notices[i - 1]->kind != kind || inbox->notices[i - 1]->id != id)
            continue;
        notices_remove(inbox, i - 1);
        deed_put(deed, inbox);
    }
    return inbox_sweep(deed, player, inbox);
}

/* ---- making a mail ---- */

/* A new mail with its notice; text NULL: for what finds no room. FINE, DEED_MORE, NO_ROOM: the
 * inbox is full. */
static uint32_t
mail_make(struct deed *deed, uint64_t to, char *text, bool holds, uint64_t *id,
          Seom__MailDocument **out)
{
    *id = deed_id(deed);
    if (*id == 0)
        return DEED_MORE;
    Seom__MailDocument *mail = mail_open(deed, *id);
    if (mail == NULL)
        return DEED_MORE;
    if (deed_exists(deed, mail))
        return SEOM__CODE__CONFLICT; /* an id that was used before: a store put back by halves */
    mail->from = deed_actor(deed)->player;
    mail->to = to;
    mail->day = mail_day(deed);
    if (text != NULL)
        mail->text = text;
    *out = mail;
    Seom__Notice notice = SEOM__NOTICE__INIT;
    notice.kind = SEOM__NOTICE_KIND__NOTICE_MAIL;
    notice.id = *id;
    notice.from = mail->from;
    notice.from_name = deed_player(deed)->name;
    notice.day = mail->day;
    notice.holds = holds;
    return inbox_add(deed, to, &notice, text != NULL);
}

/* The mail for what finds no room, made when there is none yet. */
static uint32_t
overflow_open(struct deed *deed, uint64_t to, uint64_t *id, struct purse *purse)
{
    Seom__MailDocument *mail;
    if (*id == 0) {
        uint32_t code = mail_make(deed, to, NULL, true, id, &mail);
        if (code != SEOM__CODE__FINE)
            return code;
        if (society_of(deed)->mutant == SOCIETY_MUTANT_OVERFLOW_APART)
            deed_put_apart(deed, mail);
        else
            deed_put(deed, mail);
    } else {
        mail = mail_open(deed, *id);
        CHECK(mail != NULL); /* it was made by this attempt */
    }
    *purse =
        purse_over(deed, SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, *id, &mail->holds, MAIL_SLOTS_MAX, NULL);
    return purse->holds == NULL ? DEED_MORE : SEOM__CODE__FINE;
}

uint32_t
mail_move_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                  Seom__Stack *what, enum reason reason, uint64_t *mail)
{
    CHECK(to->account.kind == SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER);
    if (purse_has_room(deed, to, what))
        return purse_move(deed, from, to, what, reason);
    struct purse waits;
    uint32_t code = overflow_open(deed, to->account.id, mail, &waits);
    return code == SEOM__CODE__FINE ? purse_move(deed, from, &waits, what, REASON_OVERFLOW) : code;
}

uint32_t
mail_move_coins_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                        uint64_t coins, enum reason reason, uint64_t *mail)
{
    CHECK(to->account.kind == SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER);
    if (purse_has_coins_room(to, coins))
        return purse_move_coins(deed, from, to, coins, reason);
    struct purse waits;
    uint32_t code = overflow_open(deed, to->account.id, mail, &waits);
    return code == SEOM__CODE__FINE ? purse_move_coins(deed, from, &waits, coins, REASON_OVERFLOW)
                                    : code;
}

uint32_t
mail_move_all_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                      enum reason reason, uint64_t *mail)
{
    CHECK(from->holds != NULL);
    uint32_t code = SEOM__CODE__FINE;
    if (from->holds->coins > 0)
        code = mail_move_coins_or_send(deed, from, to, from->holds->coins, reason, mail);
    for (size_t i = 0; code == SEOM__CODE__FINE && i < from->holds->n_slots; i++) {
        Seom__Stack what = *from->holds->slots[i];
        if (what.kind != 0)
            code = mail_move_or_send(deed, from, to, &what, reason, mail);
    }
    return code;
}

/* ---- deeds ---- */

static uint32_t
send_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_SEND);
    if (asked == NULL)
        return SEOM__CODE__MALFORMED;
    const Seom__Send *send = asked->send;
    struct slice text = {.at = (const uint8_t *)send->text, .bytes = strlen(send->text)};
    bool holds = send->n_parts > 0 || send->coins > 0;
    if (text.bytes > MAIL_TEXT_MAX || !text_is_line(text) || send->n_parts > MAIL_SLOTS_MAX ||
        (text.bytes == 0 && !holds))
        return SEOM__CODE__MALFORMED;
    uint64_t me = deed_actor(deed)->player;
    if (send->to == me)
        return SEOM__CODE__REFUSED;
    Seom__PlayerDocument *receiver;
    uint32_t code = deed_open_player(deed, send->to, &receiver);
    if (code != SEOM__CODE__FINE)
        return code;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    Seom__MailDocument *mail;
    code = mail_make(deed, send->to, send->text, holds, &result.id, &mail);
    if (code != SEOM__CODE__FINE)
        return code;
    deed_put(deed, mail);
    struct purse bag = purse_of_player(deed, deed_player(deed), me);
    struct purse purse = purse_over(deed, SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, result.id, &mail->holds,
                                    MAIL_SLOTS_MAX, mail);
    if (bag.holds == NULL || purse.holds == NULL)
        return DEED_MORE;
    code =
        deed_move_parts(deed, &bag, send->parts, send->n_parts, send->coins, &purse, REASON_SENT);
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

const struct deed_kind mail_send = {.name = "send", .class = DEED_MAIL, .decide = send_decide};

static uint32_t
claim_decide(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_CLAIM);
    if (asked == NULL || asked->claim->mail == 0)
        return SEOM__CODE__MALFORMED;
    uint64_t id = asked->claim->mail, me = deed_actor(deed)->player;
    Seom__MailDocument *mail = mail_open(deed, id);
    if (mail == NULL)
        return DEED_MORE;
    if (!deed_exists(deed, mail) || mail->to != me)
        return SEOM__CODE__NOT_FOUND;
    struct purse bag = purse_of_player(deed, deed_player(deed), me);
    struct purse purse =
        purse_over(deed, SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, id, &mail->holds, MAIL_SLOTS_MAX, NULL);
    if (bag.holds == NULL || purse.holds == NULL)
        return DEED_MORE;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    if (!deed_gains(deed, &result, purse.holds))
        return DEED_MORE;
    uint32_t code = purse_move_all(deed, &purse, &bag, REASON_CLAIMED);
    if (code != SEOM__CODE__FINE)
        return code;
    if (society_of(deed)->mutant != SOCIETY_MUTANT_CLAIM_KEEPS)
        deed_delete(deed, mail);
    code = inbox_remove(deed, me, SEOM__NOTICE_KIND__NOTICE_MAIL, id);
    if (code == SEOM__CODE__FINE)
        deed_answer(deed, &result);
    return code;
}

const struct deed_kind mail_claim = {.name = "claim", .class = DEED_MAIL, .decide = claim_decide};
