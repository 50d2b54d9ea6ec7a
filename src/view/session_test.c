#include "view/gate_fixture.h"

#define ME    11
#define OTHER 12

static void
request_say_on(struct scene *s, uint32_t conn, uint32_t number, uint32_t channel, const char *text)
{
    Seom__Say say = SEOM__SAY__INIT;
    say.text = message_text(text);
    say.channel = channel;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = number;
    request.what_case = SEOM__REQUEST__WHAT_SAY;
    request.say = &say;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    scene_send(s, conn, &m);
}

static void
request_say(struct scene *s, uint32_t conn, uint32_t number, const char *text)
{
    request_say_on(s, conn, number, 0, text);
}

static void
hello_of(struct scene *s, uint32_t conn, uint32_t min, uint32_t max)
{
    uint8_t frame[256];
    size_t bytes = scene_hello_bytes(false, min, max, frame, sizeof frame);
    scene_connect(s, conn);
    scene_send_frame(s, conn, frame, bytes);
}

static void
test_protocol_ranges(void **state)
{
    struct scene *s = *state;
    hello_of(s, 0, PROTOCOL_MAX + 1, PROTOCOL_MAX + 3);
    assert_false(s->clients[0].open);
    assert_int_equal(s->clients[0].code, SEOM__CODE__PROTOCOL);
    assert_int_equal(s->enters, 0);
    hello_of(s, 1, PROTOCOL_MAX, PROTOCOL_MAX + 3); /* a newer one that still knows ours */
    assert_true(s->clients[1].open);
    assert_int_equal(s->enters, 1);
}

static void
test_enters_and_plays(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    assert_int_equal(s->enter.ticket_bytes, 0);
    assert_true(s->clients[0].entity == ME);
    assert_int_equal(s->clients[0].islands, 1); /* what follows is about it */
    assert_int_equal(gate_stats(s->gate)->players, 1);
    struct message_move move = {.move_no = 7, .look = 1, .motion = scene_in(s, 5, 5)};
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    assert_int_equal(s->input.kind, INPUT_MOVE);
    assert_true(s->input.player == ME && s->input.session_epoch == 1);
    assert_int_equal(s->input.number, 7);
    assert_int_equal(s->input.look, 1);
    assert_int_equal(s->input.motion.x_mm, move.motion.x_mm);
    assert_int_equal(gate_stats(s->gate)->moves_in, 1);
    request_say(s, 0, 3, "hello");
    assert_int_equal(s->input.kind, INPUT_SAY);
    assert_int_equal(s->input.bytes.bytes, 5);
    assert_memory_equal(s->input.bytes.at, "hello", 5);
}

static void
test_refused_by_the_home(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    scene_hear(s, &(struct link_message){.kind = LINK_HOME,
                                         .as.home = {.conn = s->enter.conn,
                                                     .code = SEOM__CODE__FULL,
                                                     .retry_after_ms = 1234}});
    assert_false(s->clients[0].open);
    assert_int_equal(s->clients[0].code, SEOM__CODE__FULL);
    assert_int_equal(s->clients[0].retry_ms, 1234);
    assert_int_equal(s->inputs, 0); /* there is no session that would have to end */
}

static void
test_the_home_is_not_there(void **state)
{
    struct scene *s = *state;
    s->homes[0].full = true;
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    assert_int_equal(s->clients[0].code, SEOM__CODE__RETRY_AFTER);
    s->homes[0].full = false;
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    scene_run(s, 9000);
    assert_true(s->clients[0].open);
    scene_run(s, 2500); /* never answered */
    assert_int_equal(s->clients[0].code, SEOM__CODE__RETRY_AFTER);
}

/* The client went while its home still thought; its avatar must not wait for it. */
static void
test_gone_while_entering(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    uint64_t handle = s->enter.conn;
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    scene_connect(s, 0); /* the index is somebody else's by now */
    scene_hello(s, 0, false);
    assert_true(s->enter.conn != handle);
    scene_home(s, handle, ME, 4, scene_in(s, 5, 5));
    assert_int_equal(s->clients[0].welcomes, 0);
    assert_int_equal(s->input.kind, INPUT_GONE);
    assert_true(s->input.player == ME && s->input.session_epoch == 4);
}

static void
test_two_with_one_ticket_on_one_gate(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_connect(s, 1);
    scene_hello(s, 1, false);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_false(s->clients[0].open);
    assert_int_equal(s->clients[0].code, SEOM__CODE__REPLACED);
    assert_true(s->clients[1].open);
    assert_int_equal(s->clients[1].welcomes, 1);
    assert_int_equal(gate_stats(s->gate)->players, 1);
    /* What is still said of the older session changes nothing. */
    scene_hear(s, &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = ME,
                                                     .session_epoch = 1,
                                                     .kind = SELF_END,
                                                     .code = SEOM__CODE__REPLACED}});
    assert_true(s->clients[1].open);
    assert_int_equal(s->gate->conn_by_player.count, 1);
}

static void
test_the_home_ends_it(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint32_t inputs = s->inputs;
    scene_hear(s, &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = ME,
                                                     .session_epoch = 1,
                                                     .kind = SELF_END,
                                                     .code = SEOM__CODE__SERVER_STOPS,
                                                     .number = 5000}});
    assert_int_equal(s->clients[0].code, SEOM__CODE__SERVER_STOPS);
    assert_int_equal(s->clients[0].retry_ms, 5000);
    assert_int_equal(s->inputs, inputs); /* it need not be told */
}

static void
test_answers(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    struct slice name = {.at = (const uint8_t *)"Mina", .bytes = 4};
    scene_hear(s, &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = ME,
                                                     .session_epoch = 1,
                                                     .kind = SELF_ANSWER,
                                                     .number = 5,
                                                     .entity = OTHER,
                                                     .bytes = name}});
    assert_int_equal(s->clients[0].answers, 1);
    assert_int_equal(s->clients[0].answer_number, 5);
    assert_int_equal(s->clients[0].answer_code, SEOM__CODE__FINE);
    scene_hear(s, &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = ME,
                                                     .session_epoch = 1,
                                                     .kind = SELF_RESULT,
                                                     .seq = 9,
                                                     .code = SEOM__CODE__REFUSED}});
    assert_int_equal(s->clients[0].results, 1);
    assert_int_equal(s->clients[0].result_code, SEOM__CODE__REFUSED);
}

static void
tell(struct scene *s, uint64_t epoch, struct link_self self)
{
    self.player = ME;
    self.session_epoch = epoch;
    scene_hear(s, &(struct link_message){.kind = LINK_SELF, .as.self = self});
}

/* Its home was away, is back, does not answer in time, and then says that somebody else has the
 * session: the search for a home, which goes on, begins anew. */
static void
test_the_home_ends_what_looks_for_one(void **state)
{
    struct scene *s = *state;
    const struct gate_stats *stats = gate_stats(s->gate);
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_home_down(s, 0, false);
    scene_home_up(s, 0, SCENE_NODE);
    scene_run(s, 110);
    scene_run(s, 2010);
    assert_int_equal(stats->resuming, 1);
    uint32_t enters = s->enters;
    tell(s, 1, (struct link_self){.kind = SELF_END, .code = SEOM__CODE__REPLACED});
    assert_true(s->clients[0].open && stats->resuming == 1 && stats->players == 1);
    tell(s, 1, (struct link_self){.kind = SELF_END, .code = SEOM__CODE__REPLACED});
    assert_true(s->clients[0].open); /* it is nobody's now: that is stale */
    assert_int_equal(stats->stale, 1);
    scene_run(s, 110);
    assert_true(s->enters == enters + 1 && s->enter.session_epoch == 1);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_true(stats->resuming == 0 && stats->players == 1 && s->clients[0].welcomes == 1);
    assert_in_range(stats->resume_us_max, 2120000, 2300000); /* the whole pause */
}

static void
request_show(struct scene *s, uint32_t conn, uint32_t number, uint32_t what)
{
    Seom__Show show = SEOM__SHOW__INIT;
    show.what = (Seom__ShowKind)what;
    show.id = 77;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = number;
    request.what_case = SEOM__REQUEST__WHAT_SHOW;
    request.show = &show;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    scene_send(s, conn, &m);
}

static void
test_shows_and_hints(void **state)
{
    struct scene *s = *state;
    static uint8_t view[SHOWN_BYTES_MAX];
    struct scene_client *c = &s->clients[0];
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    request_show(s, 0, 6, SEOM__SHOW_KIND__SHOW_CHEST);
    assert_true(s->input.kind == INPUT_SHOW && s->input.number == 6);
    assert_true(s->input.look == SEOM__SHOW_KIND__SHOW_CHEST && s->input.entity == 77);
    tell(s, 1,
         (struct link_self){.kind = SELF_SHOWN, .number = 6, .bytes = {view, SHOWN_BYTES_MAX}});
    assert_true(c->answers == 1 && c->answer_number == 6 && c->answer_code == SEOM__CODE__FINE);
    assert_int_equal(c->shown_bytes, SHOWN_BYTES_MAX);
    tell(s, 1, (struct link_self){.kind = SELF_SHOWN, .number = 7, .code = SEOM__CODE__TOO_FAR});
    assert_true(c->answers == 2 && c->answer_code == SEOM__CODE__TOO_FAR && c->shown_bytes == 0);
    tell(s, 1, (struct link_self){.kind = SELF_CHANGED, .look = SEOM__SHOW_KIND__SHOW_INBOX});
    assert_true(c->changes == 1 && c->changed_what == SEOM__SHOW_KIND__SHOW_INBOX);
    tell(s, 0, (struct link_self){.kind = SELF_CHANGED, .look = SEOM__SHOW_KIND__SHOW_INBOX});
    assert_int_equal(c->changes, 1); /* of an older session */
    s->homes[0].full = true;
    request_show(s, 0, 9, SEOM__SHOW_KIND__SHOW_CHEST);
    assert_true(c->answer_number == 9 && c->answer_code == SEOM__CODE__RETRY_AFTER);
}

/* Which numbers are known is the home's business, but 256 must not become 0 on the way to it. */
static void
test_numbers_of_channels_and_kinds(void **state)
{
    struct scene *s = *state;
    static const uint32_t fit[] = {1, 2, 6, 255}, beyond[] = {256, 257, 0x10001, UINT32_MAX};
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    for (uint32_t i = 0; i < 4; i++) {
        request_say_on(s, 0, 2, fit[i], "hello");
        assert_true(s->input.kind == INPUT_SAY && s->input.look == fit[i]);
        request_show(s, 0, 3, fit[i]);
        assert_true(s->input.kind == INPUT_SHOW && s->input.look == fit[i]);
    }
    for (uint32_t i = 0; i < 8; i++) {
        scene_play(s, 1, OTHER, scene_in(s, 5, 5));
        if (i < 4) {
            request_say_on(s, 1, 2, beyond[i], "hello");
        } else {
            request_show(s, 1, 3, beyond[i - 4]);
        }
        assert_int_equal(s->clients[1].code, SEOM__CODE__MALFORMED);
        assert_int_equal(s->input.kind, INPUT_GONE); /* nothing else was told */
    }
}

/* The line stays: what was under way on it is dropped, the session is nobody's, and the next hello
 * on it begins a new one. */
static void
test_to_the_lobby_and_back(void **state)
{
    struct scene *s = *state;
    struct scene_client *c = &s->clients[0];
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_play(s, 1, OTHER, scene_in(s, 5, 5));
    uint32_t inputs = s->inputs, enters = s->enters;
    tell(s, 1,
         (struct link_self){.kind = SELF_LOBBY, .code = SEOM__CODE__UNREADABLE, .number = 3000});
    assert_true(c->open && c->lobbies == 1 && c->goodbyes == 0);
    assert_true(c->lobby_code == SEOM__CODE__UNREADABLE && c->lobby_retry_ms == 3000);
    assert_int_equal(s->gate->conn_by_player.count, 1);
    assert_int_equal(gate_stats(s->gate)->lobby, 1);
    struct message_move move = {.move_no = 9, .motion = scene_in(s, 5, 5)};
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    request_say(s, 0, 4, "hello");
    request_show(s, 0, 5, SEOM__SHOW_KIND__SHOW_CHEST);
    scene_hello(s, 0, false); /* too early */
    assert_true(c->open && c->lobbies == 2 && c->answers == 0);
    assert_true(c->lobby_retry_ms > 2000 && c->lobby_retry_ms <= 3001);
    uint32_t motions = c->motions;
    for (uint32_t second = 0; second < 20; second++) { /* whoever speaks is not silent */
        scene_ping(s, 0);
        scene_ping(s, 1);
        scene_walks(s, OTHER, scene_in(s, 5, 5));
        scene_run(s, 1000);
    }
    assert_true(c->open && c->motions == motions);
    assert_true(s->inputs == inputs && s->enters == enters);
    assert_true(s->clients[1].open && s->clients[1].lobbies == 0);
    scene_hello(s, 0, false);
    assert_int_equal(s->enters, enters + 1);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_int_equal(c->welcomes, 2);
    scene_run(s, 300);
    assert_true(scene_knows(s, 0, OTHER));
    scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    assert_true(s->input.kind == INPUT_MOVE && s->input.session_epoch == 2);
    assert_int_equal(gate_stats(s->gate)->lobby, 0);
    assert_int_equal(gate_stats(s->gate)->lobbied, 1);
}

static void
test_to_the_lobby_instead_of_welcome(void **state)
{
    struct scene *s = *state;
    struct scene_client *c = &s->clients[0];
    scene_connect(s, 0);
    scene_hello(s, 0, false);
    for (uint32_t i = 1; i <= 3; i++) {
        scene_hear(s, &(struct link_message){.kind = LINK_HOME,
                                             .as.home = {.conn = s->enter.conn,
                                                         .code = SEOM__CODE__UNREADABLE,
                                                         .retry_after_ms = 1000}});
        assert_true(c->open && c->lobbies == i && c->welcomes == 0);
        scene_run(s, 1100);
        scene_hello(s, 0, false);
        assert_int_equal(s->enters, i + 1);
    }
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_int_equal(c->welcomes, 1);
    /* Whoever goes from the lobby has no session that would have to end. */
    tell(s, 2, (struct link_self){.kind = SELF_LOBBY, .code = SEOM__CODE__UNREADABLE});
    uint32_t inputs = s->inputs;
    gate_closed(s->gate, 0);
    c->open = false;
    scene_run(s, 500);
    assert_int_equal(s->inputs, inputs);
    assert_int_equal(gate_stats(s->gate)->lobby, 0);
}

/* Out of the lobby into a world that has no room now: back to the lobby, on the same line. */
static void
test_back_to_the_lobby(void **state)
{
    struct scene *s = *state;
    struct scene_client *c = &s->clients[0];
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    tell(s, 1, (struct link_self){.kind = SELF_LOBBY, .code = SEOM__CODE__UNREADABLE});
    scene_run(s, 100);
    scene_hello(s, 0, false);
    scene_refuse(s, 0, s->enter.conn, SEOM__CODE__RETRY_AFTER, 1000);
    assert_true(c->open && c->lobbies == 2 && c->lobby_code == SEOM__CODE__RETRY_AFTER);
    scene_run(s, 1100);
    s->homes[0].full = true;
    scene_hello(s, 0, false);
    assert_true(c->open && c->lobbies == 3);
    s->homes[0].full = false;
    scene_run(s, 2100);
    scene_hello(s, 0, false); /* never answered */
    scene_run(s, 5000);
    scene_ping(s, 0);
    scene_run(s, 6000);
    assert_true(c->open && c->lobbies == 4);
    scene_run(s, 2100);
    scene_hello(s, 0, false);
    scene_refuse(s, 0, s->enter.conn, SEOM__CODE__BAD_TICKET, 0);
    assert_int_equal(c->code, SEOM__CODE__BAD_TICKET);
}

static void
test_who_is_silent_in_the_lobby_is_cut(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    tell(s, 1,
         (struct link_self){.kind = SELF_LOBBY, .code = SEOM__CODE__UNREADABLE, .number = 3000});
    scene_run(s, 18000);
    assert_int_equal(s->clients[0].code, SEOM__CODE__SILENT);
}

static void
test_spectators_only_look(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    scene_hello(s, 0, true);
    assert_int_equal(s->enters, 0); /* no home, no avatar */
    assert_int_equal(s->clients[0].welcomes, 1);
    assert_int_equal(s->clients[0].entity, 0);
    assert_int_equal(gate_stats(s->gate)->spectators, 1);
    request_say(s, 0, 8, "hello");
    assert_int_equal(s->inputs, 0);
    assert_int_equal(s->clients[0].answer_number, 8);
    assert_int_equal(s->clients[0].answer_code, SEOM__CODE__REFUSED);
    struct message_move move = {.move_no = 1, .motion = scene_in(s, 5, 5)};
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    assert_int_equal(s->clients[0].code, SEOM__CODE__UNKNOWN_MESSAGE);
}

static void
test_the_newest_move_is_told_when_there_is_room(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->homes[0].full = true;
    uint32_t inputs = s->inputs;
    for (uint32_t n = 1; n <= 3; n++) {
        struct message_move move = {.move_no = n, .motion = scene_in(s, 5, 5)};
        uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
        scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    }
    assert_int_equal(gate_stats(s->gate)->inputs_dropped, 2);
    s->homes[0].full = false;
    scene_run(s, 1000);
    assert_int_equal(s->inputs, inputs + 1); /* once */
    assert_int_equal(s->input.kind, INPUT_MOVE);
    assert_int_equal(s->input.number, 3);
}

/* The move of a session that ended is not told any more, its end is. */
static void
test_a_farewell_is_told_when_there_is_room(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_play(s, 1, OTHER, scene_in(s, 5, 5));
    s->homes[0].full = true;
    struct message_move move = {.move_no = 1, .motion = scene_in(s, 5, 5)};
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    scene_send_frame(s, 0, frame, message_write_move(&move, frame, sizeof frame));
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    scene_run(s, 100);
    uint32_t inputs = s->inputs;
    s->homes[0].full = false;
    scene_run(s, 100);
    assert_int_equal(s->inputs, inputs + 1);
    assert_int_equal(s->input.kind, INPUT_GONE);
    assert_true(s->input.player == ME && s->input.session_epoch == 1);
    scene_run(s, 1000);
    assert_int_equal(s->inputs, inputs + 1); /* once */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

/* A home that takes one input a turn while everybody moves in every turn hears of each in turn, and
 * only the newest. */
static void
test_a_slow_home_hears_of_everybody(void **state)
{
    struct scene *s = *state;

    enum { PEOPLE = 4, ROUNDS = 3 };

    uint32_t told[PEOPLE + 1] = {0};
    for (uint32_t i = 0; i < PEOPLE; i++) {
        scene_play(s, i, i + 1, scene_in(s, 5, 5));
    }
    s->homes[0].full = true;
    for (uint32_t turn = 1; turn <= ROUNDS * PEOPLE; turn++) {
        for (uint32_t i = 0; i < PEOPLE; i++) {
            struct message_move move = {.move_no = turn, .motion = scene_in(s, 5, 5)};
            uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
            scene_send_frame(s, i, frame, message_write_move(&move, frame, sizeof frame));
        }
        uint32_t inputs = s->inputs;
        s->homes[0].takes = 1;
        gate_turn(s->gate);
        assert_int_equal(s->inputs, inputs + 1);
        assert_int_equal(s->input.number, turn);
        told[s->input.player]++;
    }
    for (uint32_t player = 1; player <= PEOPLE; player++) {
        assert_int_equal(told[player], ROUNDS);
    }
    s->homes[0].full = false;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_protocol_ranges),
        TEST(test_enters_and_plays),
        TEST(test_refused_by_the_home),
        TEST(test_the_home_is_not_there),
        TEST(test_gone_while_entering),
        TEST(test_two_with_one_ticket_on_one_gate),
        TEST(test_the_home_ends_it),
        TEST(test_the_home_ends_what_looks_for_one),
        TEST(test_answers),
        TEST(test_shows_and_hints),
        TEST(test_numbers_of_channels_and_kinds),
        TEST(test_to_the_lobby_and_back),
        TEST(test_to_the_lobby_instead_of_welcome),
        TEST(test_back_to_the_lobby),
        TEST(test_who_is_silent_in_the_lobby_is_cut),
        TEST(test_spectators_only_look),
        TEST(test_a_farewell_is_told_when_there_is_room),
        TEST(test_the_newest_move_is_told_when_there_is_room),
        TEST(test_a_slow_home_hears_of_everybody),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
