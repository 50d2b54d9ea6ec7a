#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/mail.h"
#include "society/square.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FINE      SEOM__CODE__FINE
#define MALFORMED SEOM__CODE__MALFORMED
#define NOT_FOUND SEOM__CODE__NOT_FOUND
#define REFUSED   SEOM__CODE__REFUSED
#define NO_ROOM   SEOM__CODE__NO_ROOM
#define ANN       0
#define BORA      1
#define CHUN      2

static int
setup(void **state)
{
    *state = square_alloc(1, SOCIETY_MUTANT_NONE);
    return 0;
}

static int
teardown(void **state)
{
    struct square *square = *state;
    struct audit_result result = square_audit(square);
    assert_string_equal(square->notes, "");
    assert_true(result.balanced);
    square_free(square);
    return 0;
}

static uint64_t
send_text(struct square *square, uint32_t who, uint32_t to, const char *text)
{
    assert_int_equal(square_send(square, who, square->people[to], text, 0, 0, 0), FINE);
    return square->answer->id;
}

static uint32_t
notices_of(struct square *square, uint32_t who)
{
    const Seom__InboxDocument *inbox = square_inbox(square, who);
    return inbox == NULL ? 0 : (uint32_t)inbox->n_notices;
}

static void
a_mail_arrives_and_is_claimed(void **state)
{
    struct square *square = *state;
    uint64_t bora = square->people[BORA];
    square_pass_days(square, 3);
    assert_int_equal(square_give(square, ANN, FRUIT, 12), FINE);
    assert_int_equal(square_send(square, ANN, bora, "안녕", 30, 0, 5), FINE);
    uint64_t id = square->answer->id;
    assert_int_equal(square_has(square, ANN, FRUIT), 7);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS - 30);
    const Seom__MailDocument *mail = square_mail(square, id);
    assert_int_equal(mail->from, square->people[ANN]);
    assert_int_equal(mail->to, bora);
    assert_string_equal(mail->text, "안녕");
    assert_int_equal(mail->day, 3);
    assert_int_equal(mail->holds->coins, 30);
    const Seom__InboxDocument *inbox = square_inbox(square, BORA);
    assert_int_equal(inbox->n_notices, 1);
    assert_int_equal(inbox->notices[0]->kind, SEOM__NOTICE_KIND__NOTICE_MAIL);
    assert_int_equal(inbox->notices[0]->id, id);
    assert_int_equal(inbox->notices[0]->from, square->people[ANN]);
    assert_string_equal(inbox->notices[0]->from_name, "Ann");
    assert_int_equal(inbox->notices[0]->day, 3);
    assert_true(inbox->notices[0]->holds);
    assert_int_equal(square_claim(square, BORA, id), FINE);
    assert_int_equal(square->answer->coins_gained, 30);
    assert_int_equal(square->answer->n_gained, 1);
    assert_int_equal(square->answer->gained[0]->kind, FRUIT);
    assert_int_equal(square->answer->gained[0]->count, 5);
    assert_int_equal(square_has(square, BORA, FRUIT), 5);
    assert_int_equal(square_has(square, BORA, COINS), SQUARE_FIRST_COINS + 30);
    assert_null(square_mail(square, id));
    assert_int_equal(notices_of(square, BORA), 0);
    assert_int_equal(square_claim(square, BORA, id), NOT_FOUND);
    assert_int_equal(square_has(square, BORA, FRUIT), 5);
}

static void
only_its_receiver_claims_it(void **state)
{
    struct square *square = *state;
    uint64_t id = send_text(square, ANN, BORA, "for Bora");
    assert_int_equal(square_claim(square, CHUN, id), NOT_FOUND);
    assert_int_equal(square_claim(square, ANN, id), NOT_FOUND);
    assert_int_equal(square_claim(square, BORA, id + 1), NOT_FOUND);
    assert_int_equal(square_claim(square, BORA, 0), MALFORMED);
    assert_non_null(square_mail(square, id));
    assert_int_equal(square_claim(square, BORA, id), FINE);
}

static void
what_cannot_be_sent_is_refused(void **state)
{
    struct square *square = *state;
    uint64_t bora = square->people[BORA];
    char text[MAIL_TEXT_MAX + 2];
    memset(text, 'a', sizeof text);
    text[MAIL_TEXT_MAX + 1] = '\0';
    assert_int_equal(square_give(square, ANN, FRUIT, 3), FINE);
    assert_int_equal(square_send(square, ANN, bora, text, 0, 0, 0), MALFORMED);
    assert_int_equal(square_send(square, ANN, bora, "", 0, 0, 0), MALFORMED);
    assert_int_equal(square_send(square, ANN, bora, "a\nb", 0, 0, 0), MALFORMED);
    assert_int_equal(square_send(square, ANN, bora, "\xc3\x28", 0, 0, 0), MALFORMED);
    assert_int_equal(square_send(square, ANN, square->people[ANN], "me", 0, 0, 0), REFUSED);
    assert_int_equal(square_send(square, ANN, bora + 9, "nobody", 0, 0, 0), NOT_FOUND);
    assert_int_equal(square_send(square, ANN, 0, "nobody", 0, 0, 0), NOT_FOUND);
    assert_int_equal(square_send(square, ANN, bora, "", 0, 0, 4), REFUSED);
    assert_int_equal(square_send(square, ANN, bora, "", 0, 1, 1), REFUSED);
    assert_int_equal(square_send(square, ANN, bora, "", 0, UINT32_MAX, 1), REFUSED);
    assert_int_equal(square_send(square, ANN, bora, "", SQUARE_FIRST_COINS + 1, 0, 1), REFUSED);
    assert_int_equal(square_send(square, ANN, bora, "", UINT64_MAX, 0, 0), REFUSED);
    assert_int_equal(square_has(square, ANN, FRUIT), 3);
    assert_int_equal(notices_of(square, BORA), 0);
    text[MAIL_TEXT_MAX] = '\0';
    assert_int_equal(square_send(square, ANN, bora, text, 0, 0, 0), FINE);
}

static void
a_mail_that_does_not_fit_stays(void **state)
{
    struct square *square = *state;
    assert_int_equal(square_give(square, ANN, CHEST, 1), FINE);
    assert_int_equal(square_send(square, ANN, square->people[BORA], "", 7, 0, 1), FINE);
    uint64_t id = square->answer->id;
    for (uint32_t n = 0; n < BAG_SLOTS_MAX; n++)
        assert_int_equal(square_give(square, BORA, CHEST, 1), FINE);
    assert_int_equal(square_claim(square, BORA, id), NO_ROOM);
    assert_int_equal(square_has(square, BORA, COINS), SQUARE_FIRST_COINS);
    assert_int_equal(square_mail(square, id)->holds->coins, 7);
    assert_int_equal(notices_of(square, BORA), 1);
    assert_int_equal(square_use(square, BORA, CHEST, 1), FINE);
    assert_int_equal(square_claim(square, BORA, id), FINE);
    assert_int_equal(square_has(square, BORA, COINS), SQUARE_FIRST_COINS + 7);
    assert_int_equal(square_has(square, BORA, CHEST), BAG_SLOTS_MAX);
}

static void
an_inbox_is_limited(void **state)
{
    struct square *square = *state;
    uint64_t bora = square->people[BORA], first = send_text(square, ANN, BORA, "first");
    for (uint32_t n = 1; n < INBOX_FROM_ONE; n++)
        send_text(square, ANN, BORA, "more");
    assert_int_equal(square_send(square, ANN, bora, "one too many", 5, 0, 0), NO_ROOM);
    assert_int_equal(square_has(square, ANN, COINS), SQUARE_FIRST_COINS);
    assert_int_equal(notices_of(square, BORA), INBOX_FROM_ONE);
    assert_int_equal(square_send(square, CHUN, bora, "others may", 5, 0, 0), FINE);
    assert_int_equal(square_claim(square, BORA, first), FINE);
    assert_int_equal(square_send(square, ANN, bora, "fits", 5, 0, 0), FINE);
}

/* Of mails older than MAIL_DAYS a few leave with each one that comes. */
static void
old_mails_go_to_the_world(void **state)
{
    struct square *square = *state;
    uint64_t bora = square->people[BORA], ids[3];
    for (uint32_t n = 0; n < 3; n++) {
        assert_int_equal(square_send(square, ANN, bora, "", 10 + n, 0, 0), FINE);
        ids[n] = square->answer->id;
    }
    square_pass_days(square, MAIL_DAYS);
    send_text(square, CHUN, BORA, "not yet");
    assert_int_equal(notices_of(square, BORA), 4);
    square_pass_days(square, 1);
    send_text(square, CHUN, BORA, "now");
    assert_null(square_mail(square, ids[0]));
    assert_null(square_mail(square, ids[1]));
    assert_non_null(square_mail(square, ids[2]));
    assert_int_equal(notices_of(square, BORA), 3);
    assert_int_equal(square_claim(square, BORA, ids[0]), NOT_FOUND);
    const Seom__PlayerDocument *chun = square_player(square, CHUN);
    assert_true(chun->n_ledger >= 2);
    assert_int_equal(chun->ledger[chun->n_ledger - 1]->reason, REASON_EXPIRED);
    assert_int_equal(chun->ledger[chun->n_ledger - 1]->from_id, ids[1]);
    /* An old one that nobody has swept yet can still be claimed. */
    assert_int_equal(square_claim(square, BORA, ids[2]), FINE);
    assert_int_equal(square_has(square, BORA, COINS), SQUARE_FIRST_COINS + 12);
    struct audit_result result = square_audit(square);
    assert_int_equal(result.coins_consumed, 21);
}

static void
several_things_travel_together(void **state)
{
    struct square *square = *state;
    Seom__Deed asked = SEOM__DEED__INIT;
    Seom__Send send = SEOM__SEND__INIT;
    Seom__Part parts[MAIL_SLOTS_MAX + 1], *list[MAIL_SLOTS_MAX + 1];
    for (uint32_t n = 0; n < MAIL_SLOTS_MAX + 1; n++) {
        assert_int_equal(square_give(square, ANN, CHEST, 1), FINE);
        seom__part__init(&parts[n]);
        list[n] = &parts[n];
        parts[n].slot = n;
        parts[n].count = 1;
    }
    send.to = square->people[BORA];
    send.parts = list;
    send.n_parts = MAIL_SLOTS_MAX + 1;
    asked.what_case = SEOM__DEED__WHAT_SEND;
    asked.send = &send;
    assert_int_equal(square_do(square, ANN, &asked), MALFORMED);
    send.n_parts = MAIL_SLOTS_MAX;
    assert_int_equal(square_do(square, ANN, &asked), FINE);
    uint64_t id = square->answer->id;
    assert_int_equal(square_has(square, ANN, CHEST), 1);
    assert_int_equal(square_claim(square, BORA, id), FINE);
    assert_int_equal(square->answer->n_gained, MAIL_SLOTS_MAX);
    assert_int_equal(square_has(square, BORA, CHEST), MAIL_SLOTS_MAX);
    /* The same slot twice has only what it has. */
    parts[0].slot = parts[1].slot = 8;
    send.n_parts = 2;
    assert_int_equal(square_do(square, ANN, &asked), REFUSED);
    assert_int_equal(square_has(square, ANN, CHEST), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mail_arrives_and_is_claimed, setup, teardown),
        cmocka_unit_test_setup_teardown(only_its_receiver_claims_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mail_that_does_not_fit_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(an_inbox_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(old_mails_go_to_the_world, setup, teardown),
        cmocka_unit_test_setup_teardown(several_things_travel_together, setup, teardown),
    };
    return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
