/* Commands, shows, hints, the lobby and things with attributes: a scripted server speaks to the
 * client, what it hears is decoded with the server's own readers. */
#include "client/client.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/little.h"
#include "wire/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ME        7
#define WORLD_MS  INT64_C(5000000)
#define SECOND_US INT64_C(1000000)
#define STEP_US   10000

struct scene {
    struct seom_client *client;
    int64_t now_us;
    uint32_t results, answers, views, changes, lobbies, things, gone;
    uint64_t seq;
    uint32_t code, what;
    uint8_t attribute;
    struct message_arena arena;
};

static void
on_result(void *ctx, uint64_t seq, uint32_t code, struct slice body)
{
    struct scene *s = ctx;
    assert_int_not_equal(code, SEOM__CODE__RETRY_AFTER);
    assert_true(body.bytes <= RESULT_BYTES_MAX);
    s->results++;
    s->seq = seq;
    s->code = code;
}

static void
on_answer(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name)
{
    struct scene *s = ctx;
    assert_true(number > 0 && look == 0 && name.bytes == 0);
    s->answers++;
    s->code = code;
}

static void
on_shown(void *ctx, uint32_t number, struct slice view)
{
    struct scene *s = ctx;
    assert_true(number > 0);
    assert_int_equal(view.bytes, SHOWN_BYTES_MAX);
    s->views++;
}

static void
on_changed(void *ctx, uint32_t what)
{
    struct scene *s = ctx;
    s->changes++;
    s->what = what;
}

static void
on_lobby(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    struct scene *s = ctx;
    assert_int_equal(seom_client_state(s->client), SEOM_LOBBY);
    assert_int_equal(retry_after_ms, 3000);
    s->lobbies++;
    s->code = code;
}

static void
on_thing(void *ctx, const struct seom_entity *e, struct slice attributes)
{
    struct scene *s = ctx;
    assert_int_equal(e->attributes_bytes, attributes.bytes);
    s->things++;
    s->attribute = attributes.at[0];
}

static void
on_gone(void *ctx, uint64_t entity)
{
    struct scene *s = ctx;
    assert_int_equal(entity, 9);
    s->gone++;
}

static enum err
serve(struct scene *s, const Seom__ServerMessage *m)
{
    uint8_t bytes[4 + 1024 + SHOWN_BYTES_MAX];
    size_t n = message_write_server(m, bytes + 4, sizeof bytes - 4);
    assert_true(n > 0);
    store_u32(bytes, (uint32_t)n);
    return seom_client_input(s->client, bytes, 4 + n, s->now_us);
}

static void
serve_welcome(struct scene *s, uint64_t last_seq)
{
    Seom__Motion motion;
    message_motion_set(&motion,
                       &(struct motion){.x_mm = 15000, .y_mm = 15000, .since_ms = WORLD_MS});
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.silence_ms_max = SILENCE_MAX_MS;
    uint8_t ticket[TICKET_BYTES] = {1, 2, 3};
    Seom__Welcome w = SEOM__WELCOME__INIT;
    w.protocol = 1;
    w.limits = &limits;
    w.world_ms = WORLD_MS;
    w.entity = w.player = ME;
    w.session_epoch = 1;
    w.last_seq = last_seq;
    w.ticket.data = ticket;
    w.ticket.len = sizeof ticket;
    w.island = 3;
    w.motion = &motion;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &w;
    assert_int_equal(serve(s, &m), OK);
}

static void
serve_result(struct scene *s, uint64_t seq, Seom__Code code)
{
    Seom__CommandResult r = SEOM__COMMAND_RESULT__INIT;
    r.seq = seq;
    r.code = code;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_RESULT;
    m.result = &r;
    assert_int_equal(serve(s, &m), OK);
}

static enum err
serve_lobby(struct scene *s)
{
    Seom__Lobby l = SEOM__LOBBY__INIT;
    l.code = SEOM__CODE__UNREADABLE;
    l.retry_after_ms = 3000;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_LOBBY;
    m.lobby = &l;
    return serve(s, &m);
}

static void
serve_thing(struct scene *s, uint8_t attribute)
{
    uint8_t bytes[128] = {0};
    struct writer w = writer_over(bytes + 5, sizeof bytes - 5);
    struct record_thing thing = {
        .entity = 9, .kind = 1, .place = {15000, 16000}, .attributes = {&attribute, 1}};
    batch_put_thing(&w, &thing);
    store_u32(bytes, (uint32_t)writer_used(&w) + 1);
    bytes[4] = FRAME_FORMAT_BATCH;
    assert_int_equal(seom_client_input(s->client, bytes, 5 + writer_used(&w), s->now_us), OK);
}

/* The next message that the client sent of a kind; NULL: none. */
static const Seom__ClientMessage *
spoken(struct scene *s, Seom__ClientMessage__WhatCase what)
{
    for (struct slice out; (out = seom_client_output(s->client)).bytes > 0;) {
        const Seom__ClientMessage *m;
        size_t bytes = load_u32(out.at);
        assert_int_equal(message_read_client((struct slice){out.at + 4, bytes}, &s->arena, &m), OK);
        seom_client_sent(s->client, 4 + bytes);
        if (m->what_case == what) {
            return m;
        }
    }
    return NULL;
}

/* As a driver would: turns when they were asked for; until a command was sent, or the time is over.
 * How long it took; -1: none was. */
static int64_t
wait_for(struct scene *s, Seom__ClientMessage__WhatCase what, int64_t us)
{
    int64_t begin_us = s->now_us, next_us = s->now_us;
    for (; s->now_us < begin_us + us; s->now_us += STEP_US) {
        if (s->now_us >= next_us) {
            next_us = seom_client_turn(s->client, s->now_us);
        }
        if (spoken(s, what) != NULL) {
            return s->now_us - begin_us;
        }
    }
    return -1;
}

static void
connect_line(struct scene *s, uint64_t last_seq)
{
    seom_client_connected(s->client, s->now_us);
    assert_non_null(spoken(s, SEOM__CLIENT_MESSAGE__WHAT_HELLO));
    serve_welcome(s, last_seq);
    assert_int_equal(seom_client_state(s->client), SEOM_PLAYING);
}

static int
scene_open(void **state)
{
    static struct scene s;
    s = (struct scene){.now_us = 100 * SECOND_US};
    struct seom_events events = {.ctx = &s,
                                 .result = on_result,
                                 .answer = on_answer,
                                 .shown = on_shown,
                                 .changed = on_changed,
                                 .lobby = on_lobby,
                                 .thing = on_thing,
                                 .gone = on_gone};
    struct seom_options options = {.replica = true, .replica_max = 16, .seed = 11};
    assert_int_equal(seom_client_open(&options, &events, &s.client), OK);
    connect_line(&s, 41);
    *state = &s;
    return 0;
}

static int
scene_close(void **state)
{
    struct scene *s = *state;
    seom_client_close(&s->client);
    return 0;
}

static void
order(struct scene *s, const char *text, uint64_t wanted)
{
    uint64_t seq;
    struct slice body = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(seom_client_command(s->client, body, &seq), OK);
    assert_int_equal(seq, wanted);
    const Seom__ClientMessage *m = spoken(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND);
    assert_non_null(m);
    assert_int_equal(m->command->seq, wanted);
}

static void
test_retry_after_is_sent_again_unchanged(void **state)
{
    struct scene *s = *state;
    int64_t longest_us = 0;
    order(s, "chop", 42);
    for (int i = 0; i < 12; i++) {
        serve_result(s, 42, SEOM__CODE__RETRY_AFTER);
        assert_null(spoken(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND)); /* not at once */
        int64_t begin_us = s->now_us, next_us = seom_client_turn(s->client, s->now_us);
        const Seom__ClientMessage *m = NULL;
        for (; m == NULL && s->now_us < begin_us + 10 * SECOND_US; s->now_us += STEP_US) {
            if (s->now_us >= next_us) {
                next_us = seom_client_turn(s->client, s->now_us);
            }
            m = spoken(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND);
        }
        assert_non_null(m);
        assert_int_equal(m->command->seq, 42);
        assert_memory_equal(m->command->body.data, "chop", 4);
        int64_t took_us = s->now_us - begin_us;
        assert_true(took_us >= SECOND_US / 4 && took_us <= 8 * SECOND_US + 2 * STEP_US);
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    assert_true(longest_us > 4 * SECOND_US); /* it waits longer and longer */
    assert_int_equal(s->results, 0);
    assert_int_equal(seom_client_stats(s->client)->command_again, 12);
    serve_result(s, 42, SEOM__CODE__FINE);
    serve_result(s, 42, SEOM__CODE__FINE); /* of a repetition */
    assert_int_equal(s->results, 1);
    assert_int_equal(wait_for(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND, 10 * SECOND_US), -1);
    order(s, "next", 43);
}

/* A new line brings it at once, and what was planned on the old one is forgotten. */
static void
test_goes_on_over_a_new_line(void **state)
{
    struct scene *s = *state;
    order(s, "chop", 42);
    serve_result(s, 42, SEOM__CODE__RETRY_AFTER);
    seom_client_broke(s->client, s->now_us);
    s->now_us += 100 * STEP_US;
    connect_line(s, 41);
    const Seom__ClientMessage *m = spoken(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND);
    assert_non_null(m);
    assert_int_equal(m->command->seq, 42);
    assert_int_equal(wait_for(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND, 10 * SECOND_US), -1);
    serve_result(s, 42, SEOM__CODE__REFUSED);
    assert_true(s->results == 1 && s->code == SEOM__CODE__REFUSED);
    order(s, "next", 43);
}

static void
test_what_was_not_done_leaves_its_number(void **state)
{
    struct scene *s = *state;
    order(s, "sell", 42);
    serve_result(s, 42, SEOM__CODE__CLOSED);
    assert_true(s->results == 1 && s->code == SEOM__CODE__CLOSED && s->seq == 42);
    order(s, "chop", 42);
    serve_result(s, 42, SEOM__CODE__UNREADABLE);
    assert_true(s->results == 2 && s->code == SEOM__CODE__UNREADABLE);
    order(s, "chop", 42);
    serve_result(s, 42, SEOM__CODE__NO_ROOM);
    order(s, "chop", 43);
}

static void
test_shows(void **state)
{
    struct scene *s = *state;
    static uint8_t view[SHOWN_BYTES_MAX];
    uint32_t number;
    assert_int_equal(seom_client_show(s->client, 256, 0, &number), ERR_RANGE);
    assert_int_equal(seom_client_show(s->client, SEOM__SHOW_KIND__SHOW_CHEST, 55, &number), OK);
    const Seom__ClientMessage *m = spoken(s, SEOM__CLIENT_MESSAGE__WHAT_REQUEST);
    assert_non_null(m);
    assert_int_equal(m->request->what_case, SEOM__REQUEST__WHAT_SHOW);
    assert_int_equal(m->request->number, number);
    assert_int_equal(m->request->show->what, SEOM__SHOW_KIND__SHOW_CHEST);
    assert_int_equal(m->request->show->id, 55);
    Seom__Answer a = SEOM__ANSWER__INIT;
    a.number = number;
    a.what_case = SEOM__ANSWER__WHAT_SHOWN;
    a.shown.data = view;
    a.shown.len = sizeof view;
    Seom__ServerMessage answer = SEOM__SERVER_MESSAGE__INIT;
    answer.what_case = SEOM__SERVER_MESSAGE__WHAT_ANSWER;
    answer.answer = &a;
    assert_int_equal(serve(s, &answer), OK);
    assert_true(s->views == 1 && s->answers == 0);
    a.what_case = SEOM__ANSWER__WHAT__NOT_SET;
    a.code = SEOM__CODE__TOO_FAR;
    assert_int_equal(serve(s, &answer), OK);
    assert_true(s->views == 1 && s->answers == 1 && s->code == SEOM__CODE__TOO_FAR);
    Seom__Changed changed = SEOM__CHANGED__INIT;
    changed.what = SEOM__SHOW_KIND__SHOW_INBOX;
    Seom__ServerMessage hint = SEOM__SERVER_MESSAGE__INIT;
    hint.what_case = SEOM__SERVER_MESSAGE__WHAT_CHANGED;
    hint.changed = &changed;
    assert_int_equal(serve(s, &hint), OK);
    assert_true(s->changes == 1 && s->what == SEOM__SHOW_KIND__SHOW_INBOX);
}

/* The line stays, what was seen is gone, and it says hello again by itself, not before it may. */
static void
test_the_lobby(void **state)
{
    struct scene *s = *state;
    order(s, "chop", 42);
    serve_thing(s, 1);
    assert_int_equal(serve_lobby(s), OK);
    assert_true(s->lobbies == 1 && s->gone == 1 && s->code == SEOM__CODE__UNREADABLE);
    assert_int_equal(seom_client_move(s->client, &(struct motion){0}, 0, NULL), ERR_UNAVAILABLE);
    int64_t took_us = wait_for(s, SEOM__CLIENT_MESSAGE__WHAT_HELLO, 10 * SECOND_US);
    assert_true(took_us >= 3 * SECOND_US && took_us < 5 * SECOND_US);
    assert_int_equal(seom_client_state(s->client), SEOM_HELLO);
    assert_int_equal(serve_lobby(s), OK); /* still not */
    assert_int_equal(s->lobbies, 2);
    assert_int_equal(serve_lobby(s), ERR_FORMAT); /* it is there already */
    assert_true(wait_for(s, SEOM__CLIENT_MESSAGE__WHAT_HELLO, 10 * SECOND_US) > 0);
    serve_welcome(s, 41);
    assert_int_equal(seom_client_state(s->client), SEOM_PLAYING);
    const Seom__ClientMessage *m = spoken(s, SEOM__CLIENT_MESSAGE__WHAT_COMMAND);
    assert_non_null(m);
    assert_int_equal(m->command->seq, 42);
    assert_int_equal(seom_client_stats(s->client)->reconnects, 0);
}

static void
test_a_line_that_breaks_in_the_lobby(void **state)
{
    struct scene *s = *state;
    assert_int_equal(serve_lobby(s), OK);
    seom_client_broke(s->client, s->now_us);
    assert_int_equal(seom_client_state(s->client), SEOM_OFFLINE);
    connect_line(s, 41);
    assert_int_equal(serve_lobby(s), OK);
    assert_false(seom_client_is_dead(s->client, s->now_us + 40 * SECOND_US));
    assert_true(seom_client_is_dead(s->client, s->now_us + 60 * SECOND_US));
}

static void
test_things_have_attributes_and_go(void **state)
{
    struct scene *s = *state;
    serve_thing(s, 3);
    assert_true(s->things == 1 && s->attribute == 3);
    serve_thing(s, 0);
    const struct seom_entity *e = seom_client_find(s->client, 9);
    assert_non_null(e);
    assert_true(s->things == 2 && e->attributes_bytes == 1 && e->attributes[0] == 0);
    uint8_t bytes[32] = {RECORD_LEAVE_BYTES + 1, 0, 0, 0, FRAME_FORMAT_BATCH};
    struct writer w = writer_over(bytes + 5, sizeof bytes - 5);
    batch_put_leave(&w, 9, 0, 0);
    assert_int_equal(seom_client_input(s->client, bytes, 5 + writer_used(&w), s->now_us), OK);
    assert_null(seom_client_find(s->client, 9));
    assert_int_equal(s->gone, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_retry_after_is_sent_again_unchanged, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_goes_on_over_a_new_line, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_what_was_not_done_leaves_its_number, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_shows, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_lobby, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_line_that_breaks_in_the_lobby, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_things_have_attributes_and_go, scene_open,
                                        scene_close),
    };
    return cmocka_run_group_tests_name("client_value", tests, NULL, NULL);
}
