/* What is said in channels of the whole world, and clients led to another shard. */
#include "view/gate_fixture.h"

static void
said(struct scene *s, uint32_t home, uint64_t id, const char *text)
{
    struct link_message m = {
        .kind = LINK_SAID,
        .as.said = {.id = id,
                    .player = 99,
                    .channel = CHANNEL_WORLD,
                    .name_bytes = 4,
                    .name = "Hana",
                    .text = {.at = (const uint8_t *)text, .bytes = strlen(text)}}};
    scene_hear_from(s, home, &m);
}

static void
tells_everybody_once(void **state)
{
    struct scene *s = *state;
    scene_home_up(s, 1, 6);
    scene_play(s, 0, 11, scene_in(s, 5, 5));
    scene_play(s, 1, 12, scene_in(s, 200, 200)); /* far from the other */
    scene_connect(s, 2);
    scene_hello(s, 2, true);
    scene_connect(s, 3); /* has not said who it is */
    said(s, 0, 71, "annyeong");
    said(s, 1, 71, "annyeong"); /* another home tells it, too */
    scene_run(s, 200);
    for (uint32_t conn = 0; conn < 3; conn++) {
        assert_int_equal(s->clients[conn].lines, 1);
        assert_string_equal(s->clients[conn].line, "annyeong");
        assert_string_equal(s->clients[conn].line_name, "Hana");
    }
    assert_int_equal(s->clients[3].lines, 0);
    assert_int_equal(gate_stats(s->gate)->lines_again, 1);
    scene_hello(s, 3, true);
    scene_run(s, 2000);
    assert_int_equal(s->clients[3].lines, 0); /* who comes later does not hear what was */
}

/* Within the tick all of them in one send; beyond the rate they are dropped for all. */
static void
keeps_the_rate(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, 11, scene_in(s, 5, 5));
    scene_run(s, 1000);
    uint32_t sends = s->clients[0].sends;
    for (uint64_t id = 1; id <= 100; id++) {
        said(s, 0, id, "spam");
    }
    scene_run(s, 110);
    assert_int_equal(s->clients[0].lines, LINES_BURST);
    assert_int_equal(s->clients[0].sends, sends + 1);
    assert_int_equal(gate_stats(s->gate)->lines_dropped, 100 - LINES_BURST);
    for (uint64_t id = 1000; id < 2000; id++) {
        said(s, 0, id, "more");
        scene_run(s, 10);
    }
    uint32_t allowed = LINES_BURST + 10 * LINES_PER_S;
    assert_in_range(s->clients[0].lines, allowed, allowed + LINES_PER_S);
}

/* Whose socket is full is passed over, and told when it reads again. */
static void
waits_for_room(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, 11, scene_in(s, 5, 5));
    s->clients[0].room = 0;
    said(s, 0, 1, "first");
    scene_run(s, 120);
    said(s, 0, 2, "second");
    scene_run(s, 120);
    assert_int_equal(s->clients[0].lines, 0);
    s->clients[0].room = SCENE_TAKES_ALL;
    gate_writable(s->gate, 0);
    scene_run(s, 200);
    assert_int_equal(s->clients[0].lines, 2);
    assert_string_equal(s->clients[0].line, "second");
}

static void
leads_to_another_shard(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    static const char gates[] = "127.0.0.1:7001\n127.0.0.1:7002";
    struct link_message m = {
        .kind = LINK_HOME,
        .as.home = {.conn = s->enter.conn,
                    .code = SEOM__CODE__RETRY_AFTER,
                    .retry_after_ms = 2000,
                    .gates = {.at = (const uint8_t *)gates, .bytes = sizeof gates - 1}}};
    s->drawn = 1; /* the second first */
    scene_hear_from(s, s->enter_home, &m);
    assert_false(s->clients[0].open);
    assert_int_equal(s->clients[0].code, SEOM__CODE__RETRY_AFTER);
    assert_int_equal(s->clients[0].retry_ms, 0);
    assert_int_equal(s->clients[0].goodbye_gates, 2);
    assert_string_equal(s->clients[0].goodbye_gate, "127.0.0.1:7002");
    assert_int_equal(gate_stats(s->gate)->led, 1);
}

static void
asks_in_the_channel(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, 11, scene_in(s, 5, 5));
    Seom__Say say = SEOM__SAY__INIT;
    char text[] = "to all";
    say.text = text;
    say.channel = CHANNEL_WORLD;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = 3;
    request.what_case = SEOM__REQUEST__WHAT_SAY;
    request.say = &say;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    scene_send(s, 0, &m);
    assert_int_equal(s->input.kind, INPUT_SAY);
    assert_int_equal(s->input.look, CHANNEL_WORLD);
    say.channel = 256;
    scene_send(s, 0, &m);
    assert_int_equal(s->clients[0].code, SEOM__CODE__MALFORMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_everybody_once, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(keeps_the_rate, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(waits_for_room, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(leads_to_another_shard, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(asks_in_the_channel, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
