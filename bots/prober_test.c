/* A prober and a client whose server is only a table: no sockets, virtual time. */
#include "bots/prober.h"
#include "wire/little.h"
#include "wire/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGIN_US INT64_C(5000000)
#define EVERY_US INT64_C(200000)

static struct seom_client *
client_open(void)
{
    struct seom_client *c;
    struct seom_options options = {.seed = 1};
    struct seom_events events = {0};
    assert_int_equal(seom_client_open(&options, &events, &c), OK);
    seom_client_connected(c, BEGIN_US);
    return c;
}

static void
welcome(struct seom_client *c)
{
    uint8_t frame[256];
    struct motion here = {.x_mm = 1000, .y_mm = 1000, .since_ms = 1000};
    Seom__Motion told;
    message_motion_set(&told, &here);
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.silence_ms_max = 15000;
    Seom__Welcome w = SEOM__WELCOME__INIT;
    w.protocol = 1;
    w.limits = &limits;
    w.world_ms = 1000;
    w.entity = w.player = 7;
    w.island = 1;
    w.motion = &told;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &w;
    size_t bytes = message_write_server(&m, frame + 4, sizeof frame - 4);
    assert_true(bytes > 0);
    store_u32(frame, (uint32_t)bytes);
    assert_int_equal(seom_client_input(c, frame, bytes + 4, BEGIN_US), OK);
    assert_int_equal(seom_client_state(c), SEOM_PLAYING);
    seom_client_sent(c, seom_client_output(c).bytes);
}

static void
test_who_does_not_play_asks_nothing(void **state)
{
    (void)state;
    struct seom_client *c = client_open();
    struct prober p;
    prober_init(&p, EVERY_US, BEGIN_US);
    assert_int_equal(prober_turn(&p, c, BEGIN_US), BEGIN_US + EVERY_US);
    assert_int_equal(p.asked, 0);
    seom_client_close(&c);
}

static void
test_an_answer_tells_when_it_was_asked(void **state)
{
    (void)state;
    struct seom_client *c = client_open();
    struct prober p;
    welcome(c);
    prober_init(&p, EVERY_US, BEGIN_US + 1000);
    assert_int_equal(prober_turn(&p, c, BEGIN_US), BEGIN_US + 1000);
    assert_int_equal(seom_client_output(c).bytes, 0);
    assert_int_equal(prober_turn(&p, c, BEGIN_US + 1000), BEGIN_US + 1000 + EVERY_US);
    assert_true(seom_client_output(c).bytes > 0);
    (void)prober_turn(&p, c, BEGIN_US + 1000 + EVERY_US);
    assert_int_equal(p.asked, 2);
    uint32_t first = p.under_way[0].number, second = p.under_way[1].number;
    assert_int_equal(prober_answered(&p, second), BEGIN_US + 1000 + EVERY_US);
    assert_int_equal(prober_answered(&p, first), BEGIN_US + 1000);
    assert_int_equal(prober_answered(&p, first), 0); /* told once */
    assert_int_equal(prober_answered(&p, second + 100), 0);
    seom_client_close(&c);
}

static void
test_what_was_missed_is_not_asked_for(void **state)
{
    (void)state;
    struct seom_client *c = client_open();
    struct prober p;
    welcome(c);
    prober_init(&p, EVERY_US, BEGIN_US);
    int64_t late_us = BEGIN_US + 10 * EVERY_US;
    assert_int_equal(prober_turn(&p, c, late_us), late_us + EVERY_US);
    assert_int_equal(p.asked, 1);
    seom_client_close(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_does_not_play_asks_nothing),
        cmocka_unit_test(test_an_answer_tells_when_it_was_asked),
        cmocka_unit_test(test_what_was_missed_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
