#include "view/gate_fixture.h"

#include "wire/code.h"

#define ME 11

static uint64_t
closed(const struct scene *s, uint32_t code)
{
    return gate_stats(s->gate)->closed_by_code[code];
}

/* The connection is gone, its client was told why, and why was counted: once, and nothing else. */
static void
assert_closed(struct scene *s, uint32_t conn, uint32_t code)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < GATE_CODES; i++) {
        all += closed(s, i);
    }
    assert_false(s->clients[conn].open);
    assert_int_equal(closed(s, code), 1);
    assert_int_equal(all, 1);
    assert_int_equal(gate_stats(s->gate)->connections, 0);
    assert_int_equal(s->gate->in_small.used + s->gate->in_large.used + s->gate->out.used, 0);
}

static void
assert_told(struct scene *s, uint32_t conn, uint32_t code)
{
    assert_closed(s, conn, code);
    assert_int_equal(s->clients[conn].goodbyes, 1);
    assert_int_equal(s->clients[conn].code, code);
}

static void
received(struct scene *s, uint32_t conn, const void *bytes, size_t n)
{
    uint8_t copy[70000];
    assert_true(n <= sizeof copy);
    memcpy(copy, bytes, n);
    gate_received(s->gate, conn, copy, n);
}

static size_t
hello_frame(uint8_t *out, size_t room)
{
    size_t bytes = scene_hello_bytes(false, PROTOCOL_MIN, PROTOCOL_MAX, out + 4, room - 4);
    struct writer w = writer_over(out, 4);
    write_u32(&w, (uint32_t)bytes);
    return bytes + 4;
}

static void
test_every_code_has_a_counter(void **state)
{
    (void)state;
    assert_true(code_is_known(GATE_CODES - 1));
    assert_false(code_is_known(GATE_CODES));
}

static void
test_a_frame_in_single_bytes(void **state)
{
    struct scene *s = *state;
    uint8_t frame[256];
    size_t bytes = hello_frame(frame, sizeof frame);
    scene_connect(s, 0);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(s->enters, 0);
        received(s, 0, frame + i, 1);
    }
    assert_int_equal(s->enters, 1);
    assert_int_equal(s->gate->in_small.used, 0); /* nothing is kept that is not half a frame */
}

static void
test_frames_cut_anywhere(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint8_t stream[600], ping[64];
    struct writer out = writer_over(stream, sizeof stream);
    Seom__Ping body = SEOM__PING__INIT;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_PING;
    m.ping = &body;
    body.client_ms = 123456;
    size_t bytes = message_write_client(&m, ping, sizeof ping);
    for (uint32_t i = 0; i < 10; i++) {
        write_u32(&out, (uint32_t)bytes);
        write_bytes(&out, ping, bytes);
    }
    size_t all = writer_used(&out);
    for (size_t cut = 1; cut < all; cut++) {
        uint32_t before = s->clients[0].pongs;
        received(s, 0, stream, cut);
        received(s, 0, stream + cut, all - cut);
        assert_int_equal(s->clients[0].pongs, before + 10);
        assert_int_equal(s->gate->in_small.used, 0);
        scene_run(s, 1000);
    }
}

static void
test_tcp_and_websocket_on_one_port(void **state)
{
    struct scene *s = *state;
    static const char request[] = "GET /play HTTP/1.1\r\nHost: seom\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_connect(s, 1);
    /* Handshake and a masked hello, in two pieces that are cut in the middle of neither. */
    uint8_t bytes[512], frame[128], mask[4] = {9, 8, 7, 6};
    struct writer out = writer_over(bytes, sizeof bytes);
    write_bytes(&out, request, sizeof request - 1);
    size_t n = scene_hello_bytes(false, PROTOCOL_MIN, PROTOCOL_MAX, frame, sizeof frame);
    assert_true(n < 126);
    write_u8(&out, 0x82);
    write_u8(&out, (uint8_t)(0x80 | n));
    write_bytes(&out, mask, sizeof mask);
    for (size_t i = 0; i < n; i++) {
        write_u8(&out, frame[i] ^ mask[i % 4]);
    }
    received(s, 1, bytes, 100);
    assert_int_equal(s->clients[1].used, 0);
    received(s, 1, bytes + 100, writer_used(&out) - 100);
    assert_int_equal(s->gate->conns[1].framing.kind, FRAME_WEBSOCKET);
    assert_memory_equal(s->clients[1].bytes, "HTTP/1.1 101", 12);
    assert_int_equal(s->enters, 2);
    size_t before = s->clients[1].used;
    scene_home(s, s->enter.conn, 12, 1, scene_in(s, 5, 5));
    assert_int_equal(s->clients[1].bytes[before], 0x82); /* Welcome, unmasked, binary */
    scene_run(s, 200);
    assert_int_equal(gate_stats(s->gate)->players, 2);
    assert_true(s->clients[1].used > before + 100);
}

static void
test_malformed(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    static const uint8_t junk[] = {5, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    received(s, 0, junk, sizeof junk);
    assert_told(s, 0, SEOM__CODE__MALFORMED);
}

static void
test_oversized(void **state)
{
    struct scene *s = *state;
    static const uint8_t head[] = {1, 4, 0, 0, 0}; /* 1,025 bytes before hello */
    scene_connect(s, 0);
    received(s, 0, head, sizeof head);
    assert_told(s, 0, SEOM__CODE__TOO_LARGE);
}

static void
test_larger_after_hello(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint8_t body[1500] = {0};
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = 1;
    command.body.data = body;
    command.body.len = sizeof body;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_COMMAND;
    m.command = &command;
    uint8_t frame[4096];
    size_t bytes = message_write_client(&m, frame, sizeof frame);
    uint8_t head[4];
    struct writer w = writer_over(head, sizeof head);
    write_u32(&w, (uint32_t)bytes);
    received(s, 0, head, 4);
    received(s, 0, frame, 700);
    assert_int_equal(s->gate->in_small.used, 1);
    assert_int_equal(s->inputs, 0);
    static const uint8_t huge[] = {1, 0, 1, 0};
    s->homes[0].full = true; /* larger than the fixture's room; the client is told */
    received(s, 0, frame + 700, bytes - 700);
    assert_int_equal(s->clients[0].results, 1);
    assert_int_equal(s->clients[0].result_code, SEOM__CODE__RETRY_AFTER);
    s->homes[0].full = false;
    received(s, 0, huge, sizeof huge);
    assert_int_equal(closed(s, SEOM__CODE__TOO_LARGE), 1);
}

/* A frame of 60,000 bytes needs a large buffer, only for as long as it is on its way. */
static void
test_large_frames_have_large_buffers(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_run(s, 2000);
    scene_ping(s, 0);
    uint8_t bytes[30000] = {0x60, 0xea, 0, 0};
    received(s, 0, bytes, 1000);
    assert_int_equal(s->gate->in_small.used, 1);
    received(s, 0, bytes, sizeof bytes);
    assert_int_equal(s->gate->in_small.used, 0);
    assert_int_equal(s->gate->in_large.used, 1);
    gate_closed(s->gate, 0);
    s->clients[0].open = false;
    assert_int_equal(s->gate->in_large.used, 0);
    assert_int_equal(s->input.kind, INPUT_GONE);
}

static void
test_memory_before_hello(void **state)
{
    struct scene *s = *state;
    assert_true(IN_SMALL_BYTES + sizeof(struct conn) + sizeof(struct conn_hot) <=
                BEFORE_HELLO_BYTES);
    scene_connect(s, 0);
    uint8_t bytes[1000] = {0xff, 3, 0, 0};
    received(s, 0, bytes, 900);
    assert_int_equal(s->gate->in_small.used, 1);
    assert_null(s->gate->conns[0].seen);
    /* A handshake that never ends. */
    scene_connect(s, 1);
    static const char line[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    received(s, 1, line, sizeof line - 1);
    for (uint32_t i = 0; i < 100 && s->clients[1].open; i++) {
        received(s, 1, line + 4, sizeof line - 5);
        assert_int_equal(s->gate->in_large.used, 0);
    }
    assert_false(s->clients[1].open);
    assert_int_equal(closed(s, SEOM__CODE__TOO_LARGE), 1);
    assert_int_equal(s->gate->in_small.used, 1);
}

static void
test_unknown(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    static const uint8_t later[] = {4, 0, 0, 0, 0, 0xf8, 0x01, 0x01}; /* field 31: of a newer one */
    received(s, 0, later, sizeof later);
    assert_told(s, 0, SEOM__CODE__UNKNOWN_MESSAGE);
}

static void
test_a_message_that_does_not_belong_here(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    scene_ping(s, 0); /* before hello */
    assert_told(s, 0, SEOM__CODE__UNKNOWN_MESSAGE);
}

static void
test_hello_twice(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_hello(s, 0, false);
    assert_told(s, 0, SEOM__CODE__UNKNOWN_MESSAGE);
    assert_int_equal(s->input.kind, INPUT_GONE);
}

static void
test_too_many_messages(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_run(s, 3000);
    for (uint32_t i = 0; i < MESSAGES_BURST; i++) {
        scene_ping(s, 0);
        assert_true(s->clients[0].open);
    }
    scene_ping(s, 0);
    assert_told(s, 0, SEOM__CODE__TOO_FAST);
}

static void
test_the_allowed_rate_is_allowed(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < MESSAGES_PER_S / 10; k++) {
            scene_ping(s, 0);
        }
        scene_run(s, 100);
    }
    assert_int_equal(s->clients[0].pongs, 100 * MESSAGES_PER_S / 10);
}

static void
test_too_many_bytes(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint8_t bytes[30000] = {0, 0, 1, 0};
    received(s, 0, bytes, sizeof bytes);
    received(s, 0, bytes, sizeof bytes);
    assert_true(s->clients[0].open);
    received(s, 0, bytes, sizeof bytes);
    assert_told(s, 0, SEOM__CODE__TOO_FAST);
}

static void
test_hello_takes_too_long(void **state)
{
    struct scene *s = *state;
    scene_connect(s, 0);
    uint8_t frame[256];
    size_t bytes = hello_frame(frame, sizeof frame);
    for (uint32_t i = 0; i < 9; i++) { /* a byte every half second does not help */
        received(s, 0, frame + i, 1);
        scene_run(s, 500);
        assert_true(s->clients[0].open && i < bytes);
    }
    scene_run(s, 1600);
    assert_told(s, 0, SEOM__CODE__TOO_SLOW);
}

static void
test_silent(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_run(s, 14500);
    assert_true(s->clients[0].open);
    scene_ping(s, 0);
    scene_run(s, 14800);
    assert_true(s->clients[0].open);
    scene_run(s, 2500);
    assert_told(s, 0, SEOM__CODE__SILENT);
    assert_int_equal(s->input.kind, INPUT_GONE);
}

static void
test_does_not_read(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->clients[0].room = 0;
    scene_moves(s, 50, scene_in(s, 5, 5));
    for (uint32_t i = 0; i < 14; i++) {
        scene_run(s, 1000);
        scene_ping(s, 0); /* it speaks, but does not listen */
    }
    assert_true(s->clients[0].open);
    scene_run(s, 2500);
    assert_closed(s, 0, SEOM__CODE__TOO_SLOW);
}

static void
test_a_flood_of_answers_to_one_who_does_not_read(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    s->clients[0].room = 0;
    for (uint32_t i = 0; i < 20000 && s->clients[0].open; i++) {
        scene_hear(s, &(struct link_message){
                          .kind = LINK_SELF,
                          .as.self = {.player = ME, .session_epoch = 1, .kind = SELF_ANSWER}});
        assert_true(gate_out_bytes_max(s->gate) <= OUT_BUFFER_BYTES);
    }
    assert_closed(s, 0, SEOM__CODE__TOO_SLOW);
}

static void
test_goodbye(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_GOODBYE;
    m.goodbye = &goodbye;
    scene_send(s, 0, &m);
    assert_told(s, 0, SEOM__CODE__LEFT);
    assert_int_equal(s->input.kind, INPUT_LEFT); /* leaves at once, does not linger */
}

static void
test_stop(void **state)
{
    struct scene *s = *state;
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    scene_connect(s, 1);
    scene_hello(s, 1, true);
    gate_stop(s->gate, SEOM__CODE__SERVER_STOPS, 3000);
    for (uint32_t conn = 0; conn < 2; conn++) {
        assert_false(s->clients[conn].open);
        assert_int_equal(s->clients[conn].code, SEOM__CODE__SERVER_STOPS);
        assert_int_equal(s->clients[conn].retry_ms, 3000);
    }
    assert_int_equal(closed(s, SEOM__CODE__SERVER_STOPS), 2);
    assert_int_equal(gate_stats(s->gate)->connections, 0);
}

/* Garbage of every kind ends its own connection and nothing else. */
static void
test_garbage_hurts_nobody_else(void **state)
{
    struct scene *s = *state;
    struct rand r;
    rand_seed(&r, 12);
    scene_play(s, 0, ME, scene_in(s, 5, 5));
    uint32_t cut = 0;
    for (uint32_t i = 0; i < 400; i++) {
        scene_connect(s, 1);
        uint8_t bytes[300];
        size_t n = 5 + rand_below(&r, 290);
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (uint8_t)rand_below(&r, 256);
        }
        if (i % 2 == 0) {
            struct writer w = writer_over(bytes, 4);
            write_u32(&w, (uint32_t)(n - 4));
            bytes[4] = 0;
        }
        received(s, 1, bytes, n);
        scene_run(s, 10);
        if (s->clients[1].open) {
            gate_closed(s->gate, 1);
            s->clients[1].open = false;
        } else {
            cut++;
        }
        if (i % 100 == 0) {
            scene_ping(s, 0);
        }
    }
    assert_true(cut > 200);
    assert_true(s->clients[0].open);
    assert_int_equal(gate_stats(s->gate)->connections, 1);
    assert_int_equal(s->gate->in_small.used + s->gate->in_large.used, 0);
}

static void
test_idle_gates_sleep(void **state)
{
    struct scene *s = *state;
    scene_run(s, 100);
    assert_true(gate_turn(s->gate) - s->now_us >= 500000);
    scene_connect(s, 0);
    assert_true(gate_turn(s->gate) - s->now_us <= GATE_SLOT_US);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_code_has_a_counter),
        TEST(test_a_frame_in_single_bytes),
        TEST(test_frames_cut_anywhere),
        TEST(test_tcp_and_websocket_on_one_port),
        TEST(test_malformed),
        TEST(test_oversized),
        TEST(test_larger_after_hello),
        TEST(test_large_frames_have_large_buffers),
        TEST(test_memory_before_hello),
        TEST(test_unknown),
        TEST(test_a_message_that_does_not_belong_here),
        TEST(test_hello_twice),
        TEST(test_too_many_messages),
        TEST(test_the_allowed_rate_is_allowed),
        TEST(test_too_many_bytes),
        TEST(test_hello_takes_too_long),
        TEST(test_silent),
        TEST(test_does_not_read),
        TEST(test_a_flood_of_answers_to_one_who_does_not_read),
        TEST(test_goodbye),
        TEST(test_stop),
        TEST(test_garbage_hurts_nobody_else),
        TEST(test_idle_gates_sleep),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
