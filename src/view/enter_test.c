/* Ways to a home: entering, death, drain, links that break and come back. */
#include "view/gate_fixture.h"

#include "wire/code.h"

#define ME     11
#define OTHER  12
#define A      0 /* homes */
#define B      1
#define C      2
#define NODE_A SCENE_NODE
#define NODE_B 6
#define NODE_C 7

static enum conn_state
state_of(const struct scene *s, uint32_t conn)
{
    return (enum conn_state)s->gate->hot[conn].state;
}

static void
say_move(struct scene *s, uint32_t conn, uint32_t number, struct motion motion)
{
    struct message_move move = {.move_no = number, .motion = motion};
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    scene_send_frame(s, conn, frame, message_write_move(&move, frame, sizeof frame));
}

static void
say_command(struct scene *s, uint32_t conn, uint64_t seq, const char *body)
{
    uint8_t bytes[64];
    memcpy(bytes, body, strlen(body));
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = seq;
    command.body.data = bytes;
    command.body.len = strlen(body);
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_COMMAND;
    m.command = &command;
    scene_send(s, conn, &m);
}

static void
request_look(struct scene *s, uint32_t conn, uint32_t number)
{
    Seom__LookAt look = SEOM__LOOK_AT__INIT;
    look.entity = OTHER;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = number;
    request.what_case = SEOM__REQUEST__WHAT_LOOK;
    request.look = &look;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    m.request = &request;
    scene_send(s, conn, &m);
}

static void
result(struct scene *s, uint32_t home, uint64_t epoch, uint64_t seq)
{
    scene_self_from(
        s, home,
        &(struct link_self){.player = ME, .session_epoch = epoch, .kind = SELF_RESULT, .seq = seq});
}

static void
go_conn(struct scene *s, uint32_t home, uint64_t handle, uint64_t node)
{
    scene_hear_from(
        s, home, &(struct link_message){.kind = LINK_GO, .as.go = {.conn = handle, .node = node}});
}

static void
go_player(struct scene *s, uint32_t home, uint64_t epoch, uint64_t node)
{
    scene_hear_from(
        s, home,
        &(struct link_message){.kind = LINK_GO,
                               .as.go = {.player = ME, .session_epoch = epoch, .node = node}});
}

static void
hello(struct scene *s, uint32_t conn)
{
    scene_connect(s, conn);
    scene_hello(s, conn, false);
}

static void
two_homes(struct scene *s)
{
    scene_home_up(s, B, NODE_B);
}

/* ME plays at home A; B is there too. */
static void
play_at_a(struct scene *s)
{
    two_homes(s);
    gate_home_state(s->gate, B, false, 100);
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    assert_int_equal(s->gate->conns[0].home, s->gate->home_by_peer[A]);
}

static void
test_the_emptier_of_two_is_asked(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    s->drawn = UINT64_C(1) << 32; /* one and the other */
    gate_home_state(s->gate, A, false, 5);
    gate_home_state(s->gate, B, false, 2);
    hello(s, 0);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, 0);
    hello(s, 1);
    hello(s, 2);
    assert_int_equal(s->enter_home, B);
    hello(s, 3); /* who was sent there since the heart-beat counts */
    assert_int_equal(s->enter_home, A);
}

static void
test_who_drains_is_not_asked(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    gate_home_state(s->gate, A, true, 0);
    gate_home_state(s->gate, B, false, 90);
    hello(s, 0);
    assert_int_equal(s->enter_home, B);
    gate_home_state(s->gate, B, true, 90);
    hello(s, 1);
    assert_int_equal(s->clients[1].code, SEOM__CODE__RETRY_AFTER);
}

static void
test_go_is_followed(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    hello(s, 0);
    assert_int_equal(s->enter_home, A);
    go_conn(s, B, s->enter.conn, NODE_B); /* was not asked */
    assert_int_equal(s->enters, 1);
    go_conn(s, A, s->enter.conn, NODE_B);
    assert_int_equal(s->enters, 2);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, ENTER_DECIDED);
    scene_home(s, s->enter.conn, ME, 4, scene_in(s, 5, 5));
    assert_int_equal(s->clients[0].welcomes, 1);
    say_move(s, 0, 1, scene_in(s, 5, 5));
    assert_int_equal(s->input_home, B);
}

/* A home says whose place would be taken: who is still there asks again, the same home or another,
 * and says so. */
static void
test_a_login_says_whose_place_it_takes(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    hello(s, 0);
    assert_int_equal(s->enter.over, 0);
    struct link_message go = {.kind = LINK_GO,
                              .as.go = {.conn = s->enter.conn, .over = 71, .node = NODE_A}};
    scene_hear_from(s, A, &go);
    assert_int_equal(s->enters, 2);
    assert_int_equal(s->enter_home, A);
    assert_int_equal(s->enter.over, 71);
    /* The last word counts, also where nobody stands there any more. */
    go.as.go.node = NODE_B;
    go.as.go.over = 0;
    scene_hear_from(s, A, &go);
    assert_int_equal(s->enters, 3);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.over, 0);
    go.as.go.over = 72;
    scene_hear_from(s, B, &go);
    scene_home(s, s->enter.conn, ME, 4, scene_in(s, 5, 5));
    assert_int_equal(s->enter.over, 72);
    /* A session that goes on takes nobody's place. */
    scene_home_down(s, B, true);
    scene_run(s, 300);
    assert_int_equal(s->enter.flags & ENTER_RESUME, ENTER_RESUME);
    assert_int_equal(s->enter.over, 0);
    assert_int_equal(s->enter.session_epoch, 4);
}

static void
test_who_has_gone_does_not_ask_again(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    hello(s, 0);
    struct link_message go = {.kind = LINK_GO,
                              .as.go = {.conn = s->enter.conn, .over = 71, .node = NODE_A}};
    gate_closed(s->gate, 0);
    scene_hear_from(s, A, &go);
    scene_run(s, 3000);
    assert_int_equal(s->enters, 1);
}

/* A names a node that this gate does not reach: it is given a moment, then somebody else is asked,
 * not for ever. */
static void
test_go_to_nobody(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    hello(s, 0);
    go_conn(s, A, s->enter.conn, NODE_C);
    assert_int_equal(s->enters, 1);
    scene_home_up(s, C, NODE_C);
    scene_run(s, 400);
    assert_int_equal(s->enters, 2);
    assert_int_equal(s->enter_home, C);
    assert_int_equal(s->enter.flags, ENTER_DECIDED);
    hello(s, 1);
    for (uint32_t i = 0; i < 20 && s->clients[1].open; i++) {
        go_conn(s, s->enter_home, s->enter.conn, 99);
        scene_run(s, 400);
    }
    assert_int_equal(s->clients[1].code, SEOM__CODE__RETRY_AFTER);
    assert_in_range(s->enters, 8, 12);
}

static void
test_the_asked_home_dies(void **state)
{
    struct scene *s = *state;
    two_homes(s);
    hello(s, 0);
    assert_int_equal(s->enter_home, A);
    scene_home_down(s, A, true);
    scene_run(s, 200);
    assert_int_equal(s->enters, 2);
    assert_int_equal(s->enter_home, B);
    assert_true(s->clients[0].open);
}

/* The heart of it: the home dies, its client walks on at another one, and was told nothing. */
static void
test_a_dead_home(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    struct motion walks = scene_in(s, 5, 5);
    walks.vx = 1000;
    walks.lasts_ms = 9000;
    say_move(s, 0, 1, walks);
    scene_self_from(s, A,
                    &(struct link_self){.player = ME,
                                        .session_epoch = 1,
                                        .kind = SELF_MOTION,
                                        .number = 1,
                                        .look = 1,
                                        .island = SCENE_ISLAND,
                                        .motion = walks});
    uint32_t enters = s->enters, selfs = s->clients[0].selfs;
    scene_home_down(s, A, true);
    assert_int_equal(state_of(s, 0), CONN_RESUMING);
    assert_int_equal(gate_stats(s->gate)->resuming, 1);
    assert_int_equal(gate_stats(s->gate)->players, 1);
    scene_run(s, 110);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, ENTER_RESUME);
    assert_int_equal(s->enter.island, SCENE_ISLAND);
    assert_int_equal(s->enter.session_epoch, 1);
    assert_int_equal(s->enter.look, 1);
    assert_int_equal(s->enter.motion.x_mm, walks.x_mm);
    assert_int_equal(s->enter.motion.vx, walks.vx);
    assert_int_equal(s->enter.motion.since_ms, walks.since_ms);
    assert_int_equal(s->enter.ticket_bytes, TICKET_BYTES);
    assert_true(s->enter.ticket[0] == ME && s->enter.ticket[1] == 1);
    struct link_message m =
        scene_home_message(s->enter.conn, ME, 2, motion_from(&walks, scene_ms(s)));
    m.as.home.look = 1;
    scene_hear_from(s, B, &m);
    scene_run(s, 200);
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
    assert_int_equal(s->clients[0].welcomes, 1);
    assert_int_equal(s->clients[0].selfs, selfs); /* it walks as it knows */
    assert_int_equal(s->clients[0].lobbies + s->clients[0].goodbyes, 0);
    assert_int_equal(gate_stats(s->gate)->resumed, 1);
    assert_in_range(gate_stats(s->gate)->resume_us_max, 10000, 200000);
    say_move(s, 0, 2, walks);
    assert_int_equal(s->input_home, B);
    assert_int_equal(s->input.session_epoch, 2);
}

static void
test_a_place_that_differs_is_told(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t selfs = s->clients[0].selfs;
    scene_home_down(s, A, true);
    scene_run(s, 110);
    struct motion aside = scene_in(s, 5, 5);
    aside.x_mm += 3000;
    scene_home(s, s->enter.conn, ME, 2, aside);
    scene_run(s, 110);
    assert_int_equal(s->clients[0].selfs, selfs + 1);
    assert_int_equal(s->clients[0].self_flags, SELF_CORRECTED);
}

/* What the client said meanwhile, and what the dead home never answered, the new home hears: the
 * newest move and the command, once each. */
static void
test_what_was_said_meanwhile(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    struct motion here = scene_in(s, 5, 5);
    say_command(s, 0, 7, "plant");
    assert_int_equal(s->input.kind, INPUT_COMMAND);
    scene_home_down(s, A, true);
    uint32_t inputs = s->inputs;
    for (uint32_t n = 1; n <= 3; n++) {
        say_move(s, 0, n, here);
    }
    request_look(s, 0, 21);
    assert_int_equal(s->clients[0].answer_number, 21);
    assert_int_equal(s->clients[0].answer_code, SEOM__CODE__RETRY_AFTER);
    scene_run(s, 110);
    assert_int_equal(s->inputs, inputs);
    scene_home(s, s->enter.conn, ME, 2, here);
    s->homes[B].full = true;
    scene_run(s, 50);
    s->homes[B].full = false;
    scene_run(s, 50);
    assert_int_equal(s->homes[B].inputs, 2);
    assert_int_equal(s->input.kind, INPUT_COMMAND); /* the move came first */
    assert_int_equal(s->input.seq, 7);
    assert_memory_equal(s->input.bytes.at, "plant", 5);
    result(s, B, 2, 7);
    assert_int_equal(s->clients[0].results, 1);
    assert_int_equal(s->gate->commands.used, 0);
    /* The move was answered by nobody, the command was: B dies as well. */
    scene_home_up(s, C, NODE_C);
    scene_home_down(s, B, true);
    scene_run(s, 110);
    scene_home(s, s->enter.conn, ME, 3, here);
    scene_run(s, 50);
    assert_int_equal(s->homes[C].inputs, 1);
    assert_int_equal(s->input.kind, INPUT_MOVE);
    assert_int_equal(s->input.number, 3);
    assert_int_equal(s->gate->inputs_owed, 0);
}

static void
test_a_command_while_resuming(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    scene_home_down(s, A, true);
    say_command(s, 0, 1, "pick");
    scene_run(s, 110);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_run(s, 50);
    assert_int_equal(s->homes[B].inputs, 1);
    assert_int_equal(s->input.seq, 1);
    assert_int_equal(s->clients[0].results, 0);
}

/* What answered moves are not said again. */
static void
test_nothing_is_owed(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    say_move(s, 0, 4, scene_in(s, 5, 5));
    scene_self_from(s, A,
                    &(struct link_self){.player = ME,
                                        .session_epoch = 1,
                                        .kind = SELF_MOTION,
                                        .number = 4,
                                        .island = SCENE_ISLAND,
                                        .motion = scene_in(s, 5, 5)});
    scene_home_down(s, A, true);
    scene_run(s, 110);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_run(s, 500);
    assert_int_equal(s->homes[B].inputs, 0);
}

/* A link that broke is not a death: that home is waited for, as long as dialling it takes. */
static void
test_a_link_that_comes_back(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t enters = s->enters;
    scene_home_down(s, A, false);
    scene_run(s, 500);
    assert_int_equal(s->enters, enters);
    assert_int_equal(state_of(s, 0), CONN_RESUMING);
    scene_home_up(s, C, NODE_A); /* as another peer */
    scene_run(s, 110);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter_home, C);
    assert_int_equal(s->enter.flags, ENTER_RESUME);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
}

static void
test_a_link_that_broke_and_then_death(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t enters = s->enters;
    scene_home_down(s, A, false);
    scene_run(s, 400);
    gate_home_died(s->gate, NODE_A);
    scene_run(s, 110);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, ENTER_RESUME);
}

/* The home lives, but this gate is cut off from it: the others would say GO, so one is told to
 * decide. What it told of others stays for a while, so that nobody flickers when it comes back. */
static void
test_a_link_that_stays_broken(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t enters = s->enters;
    scene_home_down(s, A, false);
    scene_run(s, 550);
    assert_int_equal(s->enters, enters);
    scene_run(s, 200);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, ENTER_RESUME | ENTER_DECIDED);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_run(s, 4000);
    assert_int_equal(gate_stats(s->gate)->homes_down, 1);
    scene_run(s, 400);
    assert_int_equal(gate_stats(s->gate)->homes_down, 0);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
}

/* Back after its people went elsewhere: they stay there, and others may come to it. */
static void
test_a_link_that_comes_back_late(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    scene_home_down(s, A, false);
    scene_run(s, 1000);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    uint32_t enters = s->enters;
    scene_home_up(s, A, NODE_A);
    scene_run(s, 8000);
    assert_int_equal(s->enters, enters);
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
    say_move(s, 0, 1, scene_in(s, 5, 5));
    assert_int_equal(s->input_home, B);
    /* And the next break is waited for like the first. */
    scene_home_down(s, B, false);
    scene_run(s, 500);
    assert_int_equal(s->enters, enters);
    scene_run(s, 250);
    assert_int_equal(s->enter_home, A);
}

static void
test_a_home_that_drains_gives_it_away(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t enters = s->enters;
    go_player(s, A, 0, NODE_B); /* of an older session */
    go_player(s, B, 1, NODE_B); /* of somebody else's */
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
    assert_int_equal(gate_stats(s->gate)->stale, 2);
    go_player(s, A, 1, NODE_B);
    assert_int_equal(s->enters, enters + 1); /* at once */
    assert_int_equal(s->enter_home, B);
    assert_int_equal(s->enter.flags, ENTER_RESUME | ENTER_DECIDED);
    uint32_t inputs = s->inputs;
    say_move(s, 0, 1, scene_in(s, 5, 5));
    assert_int_equal(s->inputs, inputs);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_run(s, 20);
    assert_int_equal(s->input_home, B);
    assert_int_equal(s->input.number, 1);
}

static void
test_nobody_speaks_for_another(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint64_t stale = gate_stats(s->gate)->stale;
    const struct link_self end = {.player = ME, .session_epoch = 1, .kind = SELF_END};
    scene_self_from(s, B, &end);
    assert_true(s->clients[0].open);
    scene_home_down(s, A, false);
    scene_home_up(s, A, NODE_A);
    scene_run(s, 110);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_self_from(s, A, &end); /* of the session before */
    assert_true(s->clients[0].open);
    assert_int_equal(gate_stats(s->gate)->stale, stale + 2);
    /* A HOME that is not newer changes nothing, a newer one counts whoever says it. */
    struct link_message m = scene_home_message(s->enter.conn, ME, 2, scene_in(s, 9, 9));
    scene_hear_from(s, B, &m);
    assert_int_equal(s->gate->conns[0].home, s->gate->home_by_peer[A]);
    m = scene_home_message(s->enter.conn, ME, 3, scene_in(s, 5, 5));
    scene_hear_from(s, B, &m);
    assert_int_equal(s->gate->conns[0].home, s->gate->home_by_peer[B]);
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
}

/* A try has 2 s; who says "not now" is left alone as long as it asks for, and others are asked. */
static void
test_tries_end(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    scene_home_up(s, C, NODE_C);
    scene_home_down(s, A, true);
    scene_run(s, 110);
    uint32_t first = s->enter_home, enters = s->enters;
    scene_run(s, 1900);
    assert_int_equal(s->enters, enters);
    scene_run(s, 300);
    assert_int_equal(s->enters, enters + 1);
    assert_int_not_equal(s->enter_home, first);
    uint32_t second = s->enter_home;
    scene_refuse(s, first, s->enter.conn, SEOM__CODE__FULL, 100); /* too late */
    scene_refuse(s, second, s->enter.conn, SEOM__CODE__RETRY_AFTER, 1000);
    scene_run(s, 900);
    assert_int_equal(s->enters, enters + 1);
    scene_run(s, 300);
    assert_int_equal(s->enters, enters + 2);
    assert_int_equal(s->enter_home, first);
    scene_refuse(s, first, s->enter.conn, SEOM__CODE__REPLACED, 0);
    assert_int_equal(s->clients[0].code, SEOM__CODE__REPLACED);
}

/* B is asked in vain, C takes the session, then B claims it after all and C is told. The client was
 * replaced by nobody but its own gate, and plays on. */
static void
test_a_stray_claim(void **state)
{
    struct scene *s = *state;
    const struct link_self end = {
        .player = ME, .session_epoch = 2, .kind = SELF_END, .code = SEOM__CODE__REPLACED};
    play_at_a(s);
    scene_home_up(s, C, NODE_C);
    gate_home_state(s->gate, C, false, 200);
    s->drawn = UINT64_C(1) << 32;
    scene_home_down(s, A, true);
    scene_run(s, 110);
    assert_int_equal(s->enter_home, B);
    scene_run(s, 2200);
    assert_int_equal(s->enter_home, C);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
    uint32_t enters = s->enters;
    scene_self_from(s, C, &end);
    assert_int_equal(state_of(s, 0), CONN_RESUMING);
    scene_run(s, 110);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter.session_epoch, 2);
    struct link_message m = scene_home_message(s->enter.conn, ME, 3, scene_in(s, 5, 5));
    scene_hear_from(s, B, &m);
    assert_int_equal(state_of(s, 0), CONN_PLAYING);
    assert_int_equal(s->gate->conns[0].home, s->gate->home_by_peer[B]);
    for (uint32_t second = 0; second < 11; second++) {
        scene_ping(s, 0);
        scene_run(s, 1000);
    }
    scene_self_from(
        s, B,
        &(struct link_self){
            .player = ME, .session_epoch = 3, .kind = SELF_END, .code = SEOM__CODE__REPLACED});
    assert_int_equal(s->clients[0].code, SEOM__CODE__REPLACED); /* nobody strays any more */
}

static void
test_nobody_takes_it(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_home_down(s, A, true);
    for (uint32_t second = 0; second < 29; second++) {
        scene_ping(s, 0);
        scene_run(s, 1000);
        assert_int_equal(state_of(s, 0), CONN_RESUMING);
    }
    scene_run(s, 1500);
    assert_int_equal(state_of(s, 0), CONN_LOBBY);
    assert_true(s->clients[0].open && s->clients[0].lobbies == 1);
    assert_int_equal(s->clients[0].lobby_code, SEOM__CODE__RETRY_AFTER);
    assert_int_equal(gate_stats(s->gate)->resuming, 0);
}

/* Sixty lose their home at once: each looks for another in its own slot of the tick, no slot has
 * more than its share. */
static void
test_resumes_are_paced(void **state)
{
    struct scene *s = *state;
    const uint32_t people = 60;
    two_homes(s);
    for (uint32_t conn = 0; conn < people; conn++) {
        scene_play(s, conn, 1000 + conn, scene_in(s, 5, 5));
    }
    uint32_t enters = s->enters;
    scene_home_down(s, A, true);
    for (uint32_t slot = 1; slot <= GATE_SLOTS; slot++) {
        scene_run(s, GATE_SLOT_US / 1000);
        assert_int_equal(s->enters, enters + slot * people / GATE_SLOTS);
    }
}

/* As many as may in a second have just done so: the next ones wait for their slots, too. */
static void
test_a_drain_is_paced(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    uint32_t enters = s->enters;
    while (bucket_take(&s->gate->resumes, (struct bucket_rate){GATE_RESUMES_S, GATE_RESUMES_S / 10},
                       s->now_us, 1)) {
    }
    go_player(s, A, 1, NODE_B);
    assert_int_equal(s->enters, enters);
    scene_run(s, 100);
    assert_int_equal(s->enters, enters + 1);
    assert_int_equal(s->enter_home, B);
}

static void
test_leaving_while_resuming(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    scene_home_down(s, A, true);
    scene_run(s, 110);
    uint64_t handle = s->enter.conn;
    uint32_t inputs = s->inputs;
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    scene_run(s, 100);
    assert_int_equal(s->inputs, inputs); /* there is nobody to be told */
    struct link_message m = scene_home_message(handle, ME, 2, scene_in(s, 5, 5));
    scene_hear_from(s, B, &m);
    assert_int_equal(s->input_home, B); /* it claimed for nobody */
    assert_int_equal(s->input.kind, INPUT_GONE);
    assert_int_equal(s->input.session_epoch, 2);
}

static void
test_farewells_end_with_their_home(void **state)
{
    struct scene *s = *state;
    play_at_a(s);
    go_player(s, A, 1, NODE_B);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    gate_home_state(s->gate, A, false, 0);
    scene_play(s, 1, OTHER, scene_in(s, 5, 5));
    s->homes[A].full = s->homes[B].full = true;
    for (uint32_t conn = 0; conn < 2; conn++) {
        gate_closed(s->gate, conn);
        s->clients[conn].open = false;
    }
    assert_int_equal(s->gate->farewells_owed, 2);
    s->homes[A].full = false; /* one full link does not hold up another's */
    uint32_t inputs = s->homes[A].inputs;
    scene_run(s, 50);
    assert_int_equal(s->homes[A].inputs, inputs + 1);
    assert_int_equal(s->gate->farewells_owed, 1);
    scene_home_down(s, B, false);
    assert_int_equal(s->gate->farewells_owed, 0);
}

static void
test_one_full_link_holds_up_nobody_else(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_play(s, 1, OTHER, scene_in(s, 5, 5));
    two_homes(s);
    go_player(s, A, 1, NODE_B);
    scene_home(s, s->enter.conn, ME, 2, scene_in(s, 5, 5));
    scene_run(s, 50);
    s->homes[A].full = s->homes[B].full = true;
    say_move(s, 0, 7, scene_in(s, 5, 5));
    say_move(s, 1, 8, scene_in(s, 5, 5));
    s->homes[A].full = false;
    scene_run(s, 50);
    assert_int_equal(s->input.number, 8);
    assert_int_equal(s->input_home, A);
    assert_int_equal(s->homes[B].inputs, 0);
    s->homes[B].full = false;
    scene_run(s, 50);
    assert_int_equal(s->homes[B].inputs, 1);
    assert_int_equal(s->input.number, 7);
    assert_int_equal(s->gate->inputs_owed, 0);
}

static void
test_goodbyes_are_spread(void **state)
{
    struct scene *s = *state;
    s->gate->options.spread_goodbyes = true;
    static const char *const others[] = {"b:1", "c:1"};
    scene_connect(s, 0);
    scene_hello(s, 0, true);
    gate_set_gates(s->gate, others, 2);
    s->drawn = 4999;
    gate_stop(s->gate, SEOM__CODE__SERVER_STOPS, 100);
    assert_int_equal(s->clients[0].retry_ms, 5099);
    s->drawn = 5000;
    scene_connect(s, 1);
    scene_hello(s, 1, true);
    gate_stop(s->gate, SEOM__CODE__SERVER_STOPS, 100);
    assert_int_equal(s->clients[1].retry_ms, 100);
    gate_set_gates(s->gate, others, 0); /* alone: all come back here */
    scene_connect(s, 2);
    scene_hello(s, 2, true);
    s->drawn = 4999;
    gate_stop(s->gate, SEOM__CODE__SERVER_STOPS, 100);
    assert_int_equal(s->clients[2].retry_ms, 100);
}

static void
test_other_gates_are_told_first(void **state)
{
    struct scene *s = *state;
    static const char *const own[] = {"own:1"}, *const others[] = {"b:1", "c:1", "d:1"};
    char *out[GATES_MAX];
    s->gate->options.gates = own;
    s->gate->options.gates_count = 1;
    gate_set_gates(s->gate, others, 3);
    static const char *const orders[3][4] = {{"b:1", "c:1", "d:1", "own:1"},
                                             {"c:1", "d:1", "b:1", "own:1"},
                                             {"d:1", "b:1", "c:1", "own:1"}};
    for (uint32_t n = 0; n < 3; n++) {
        s->drawn = n;
        assert_int_equal(gate_list(s->gate, out), 4);
        for (uint32_t i = 0; i < 4; i++) {
            assert_string_equal(out[i], orders[n][i]);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_emptier_of_two_is_asked),
        TEST(test_who_drains_is_not_asked),
        TEST(test_go_is_followed),
        TEST(test_a_login_says_whose_place_it_takes),
        TEST(test_who_has_gone_does_not_ask_again),
        TEST(test_go_to_nobody),
        TEST(test_the_asked_home_dies),
        TEST(test_a_dead_home),
        TEST(test_a_place_that_differs_is_told),
        TEST(test_what_was_said_meanwhile),
        TEST(test_a_command_while_resuming),
        TEST(test_nothing_is_owed),
        TEST(test_a_link_that_comes_back),
        TEST(test_a_link_that_broke_and_then_death),
        TEST(test_a_link_that_stays_broken),
        TEST(test_a_link_that_comes_back_late),
        TEST(test_a_home_that_drains_gives_it_away),
        TEST(test_nobody_speaks_for_another),
        TEST(test_tries_end),
        TEST(test_a_stray_claim),
        TEST(test_nobody_takes_it),
        TEST(test_resumes_are_paced),
        TEST(test_a_drain_is_paced),
        TEST(test_leaving_while_resuming),
        TEST(test_farewells_end_with_their_home),
        TEST(test_one_full_link_holds_up_nobody_else),
        TEST(test_goodbyes_are_spread),
        TEST(test_other_gates_are_told_first),
    };
    return cmocka_run_group_tests_name("enter", tests, NULL, NULL);
}
