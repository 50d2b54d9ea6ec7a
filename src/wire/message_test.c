#include "base/rand.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct message_move sample_move = {.move_no = 4711,
                                                .look = 1,
                                                .motion = {.x_mm = 123456,
                                                           .y_mm = -1,
                                                           .vx = -700,
                                                           .vy = 21,
                                                           .since_ms = INT64_C(1) << 41,
                                                           .lasts_ms = 1000}};

static enum err
read_client(const uint8_t *frame, size_t n, const Seom__ClientMessage **out)
{
    static struct message_arena arena;
    memset(&arena, 0xa5, sizeof arena); /* what stood there before is nobody's business */
    return message_read_client((struct slice){frame, n}, &arena, out);
}

static enum err
read_server(const uint8_t *frame, size_t n, const Seom__ServerMessage **out)
{
    static struct message_arena arena;
    memset(&arena, 0xa5, sizeof arena);
    return message_read_server((struct slice){frame, n}, &arena, out);
}

static void
assert_move_equal(const struct message_move *a, const struct message_move *b)
{
    assert_int_equal(a->move_no, b->move_no);
    assert_int_equal(a->look, b->look);
    assert_int_equal(a->motion.x_mm, b->motion.x_mm);
    assert_int_equal(a->motion.y_mm, b->motion.y_mm);
    assert_int_equal(a->motion.vx, b->motion.vx);
    assert_int_equal(a->motion.vy, b->motion.vy);
    assert_int_equal(a->motion.since_ms, b->motion.since_ms);
    assert_int_equal(a->motion.lasts_ms, b->motion.lasts_ms);
}

static size_t
write_hello(uint8_t *out, size_t max, const char *name, size_t ticket_bytes)
{
    static uint8_t ticket[128];
    Seom__Range protocol = SEOM__RANGE__INIT;
    protocol.min = PROTOCOL_MIN, protocol.max = PROTOCOL_MAX;
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &protocol;
    hello.ticket = (ProtobufCBinaryData){.data = ticket, .len = ticket_bytes};
    hello.client = message_text(name);
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_HELLO;
    message.hello = &hello;
    return message_write_client(&message, out, max);
}

static void
test_hello(void **state)
{
    (void)state;
    uint8_t frame[512];
    const Seom__ClientMessage *m;
    size_t n = write_hello(frame, sizeof frame, "시험 1.0", 31);
    assert_int_equal(frame[0], FRAME_FORMAT_MESSAGE);
    assert_int_equal(read_client(frame, n, &m), OK);
    assert_int_equal(m->what_case, SEOM__CLIENT_MESSAGE__WHAT_HELLO);
    assert_int_equal(m->hello->protocol->max, PROTOCOL_MAX);
    assert_int_equal(m->hello->ticket.len, 31);
    assert_string_equal(m->hello->client, "시험 1.0");
    n = write_hello(frame, sizeof frame, "\xff", 0);
    assert_int_equal(read_client(frame, n, &m), ERR_FORMAT);
    n = write_hello(frame, sizeof frame, "", TICKET_BYTES_MAX + 1);
    assert_int_equal(read_client(frame, n, &m), ERR_RANGE);
    char longer[CLIENT_NAME_BYTES_MAX + 2] = {0};
    memset(longer, 'x', CLIENT_NAME_BYTES_MAX + 1);
    n = write_hello(frame, sizeof frame, longer, 0);
    assert_int_equal(read_client(frame, n, &m), ERR_RANGE);
    static const uint8_t without_protocol[] = {0, 0x0a, 0};
    assert_int_equal(read_client(without_protocol, 3, &m), ERR_FORMAT);
    static const uint8_t min_above_max[] = {0, 0x0a, 6, 0x0a, 4, 8, 2, 16, 1};
    assert_int_equal(read_client(min_above_max, 9, &m), ERR_RANGE);
}

static void
test_what_is_no_message(void **state)
{
    (void)state;
    const Seom__ClientMessage *m;
    const Seom__ServerMessage *s;
    static const uint8_t none[] = {0}, batch[] = {1, 0x32, 0}, unknown[] = {0, 0x7a, 1, 9};
    static const uint8_t move_alone[] = {0, 0x12, 0}, short_length[] = {0, 0x12, 5, 8, 1};
    assert_int_equal(read_client(none, 0, &m), ERR_FORMAT);
    assert_int_equal(read_client(none, 1, &m), ERR_NOT_FOUND);
    assert_int_equal(read_server(none, 1, &s), ERR_NOT_FOUND);
    assert_int_equal(read_client(batch, 3, &m), ERR_FORMAT);
    assert_int_equal(read_client(unknown, 4, &m), ERR_NOT_FOUND);
    assert_int_equal(read_client(move_alone, 3, &m), ERR_FORMAT);
    assert_int_equal(read_client(short_length, 5, &m), ERR_FORMAT);
}

static size_t
write_request(uint8_t *out, size_t max, const char *text)
{
    Seom__Say say = SEOM__SAY__INIT;
    say.text = message_text(text);
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = 3;
    request.what_case = SEOM__REQUEST__WHAT_SAY;
    request.say = &say;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    message.request = &request;
    return message_write_client(&message, out, max);
}

static void
test_say(void **state)
{
    (void)state;
    uint8_t frame[512];
    const Seom__ClientMessage *m;
    char text[202] = {0};
    memset(text, 'a', 200);
    size_t n = write_request(frame, sizeof frame, text);
    assert_int_equal(read_client(frame, n, &m), OK);
    assert_string_equal(m->request->say->text, text);
    text[200] = 'a';
    n = write_request(frame, sizeof frame, text);
    assert_int_equal(read_client(frame, n, &m), ERR_RANGE);
    n = write_request(frame, sizeof frame, "\xc0\x80");
    assert_int_equal(read_client(frame, n, &m), ERR_FORMAT);
    static const uint8_t no_what[] = {0, 0x1a, 2, 8, 1};
    assert_int_equal(read_client(no_what, 5, &m), ERR_NOT_FOUND);
}

static enum err
read_camera(uint32_t island, int32_t x_mm, uint32_t w_mm)
{
    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = island;
    camera.x_mm = camera.y_mm = x_mm;
    camera.w_mm = camera.h_mm = w_mm;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_CAMERA;
    request.camera = &camera;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    message.request = &request;
    uint8_t frame[64];
    const Seom__ClientMessage *m;
    size_t n = message_write_client(&message, frame, sizeof frame);
    return read_client(frame, n, &m);
}

/* One anonymous message once stopped the whole process: an island that fits no topic. */
static void
test_cameras_look_at_what_can_be(void **state)
{
    (void)state;
    assert_int_equal(read_camera(0, 0, 0), OK);
    assert_int_equal(read_camera(INT32_MAX, -1000, 100000), OK);
    assert_int_equal(read_camera(UINT32_MAX, 0, 1000000), ERR_RANGE);
    assert_int_equal(read_camera(1, INT32_MAX, 2), ERR_RANGE);
    assert_int_equal(read_camera(1, 0, UINT32_MAX), ERR_RANGE);
}

static void
test_the_arena_is_the_limit(void **state)
{
    (void)state;
    static uint8_t frame[FRAME_AFTER_HELLO_MAX], body[COMMAND_BYTES_MAX + 1];
    const Seom__ClientMessage *m;
    Seom__Command command = SEOM__COMMAND__INIT;
    command.body = (ProtobufCBinaryData){.data = body, .len = COMMAND_BYTES_MAX};
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_COMMAND;
    message.command = &command;
    size_t n = message_write_client(&message, frame, sizeof frame);
    assert_int_equal(read_client(frame, n, &m), OK);
    assert_int_equal(message_write_client(&message, frame, n - 1), 0);
    command.body.len++;
    n = message_write_client(&message, frame, sizeof frame);
    assert_int_equal(read_client(frame, n, &m), ERR_RANGE);
    /* A command of 60,000 bytes; 32,000 unknown fields; 16,000 gates of no bytes. */
    frame[0] = 0, frame[1] = 0x22, frame[2] = 0xe4, frame[3] = 0xd4, frame[4] = 3;
    frame[5] = 0x12, frame[6] = 0xe0, frame[7] = 0xd4, frame[8] = 3;
    assert_int_equal(read_client(frame, 9 + 60000, &m), ERR_TOO_LARGE);
    for (size_t i = 1; i + 1 < sizeof frame; i += 2) {
        frame[i] = 0x78, frame[i + 1] = 1;
    }
    assert_int_equal(read_client(frame, 64001, &m), ERR_TOO_LARGE);
    frame[1] = 0x2a, frame[2] = 0x80, frame[3] = 0xfa, frame[4] = 1;
    for (size_t i = 5; i + 1 < sizeof frame; i += 2) {
        frame[i] = 0x1a, frame[i + 1] = 0;
    }
    assert_int_equal(read_client(frame, 5 + 32000, &m), ERR_TOO_LARGE);
}

static size_t
write_welcome(uint8_t *out, size_t max, size_t gates)
{
    char *addresses[GATES_MAX + 1];
    for (size_t i = 0; i <= GATES_MAX; i++) {
        addresses[i] = message_text(i == 1 ? "gate.example:7777" : "127.0.0.1:7777");
    }
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.silence_ms_max = SILENCE_MAX_MS;
    Seom__Motion motion;
    message_motion_set(&motion, &sample_move.motion);
    Seom__Speed foot = SEOM__SPEED__INIT, riding = SEOM__SPEED__INIT;
    riding.look = 1, riding.mm_per_s = 45000;
    Seom__Speed *speeds[] = {&foot, &riding};
    uint8_t ticket[31] = {1};
    Seom__Welcome welcome = SEOM__WELCOME__INIT;
    welcome.limits = &limits;
    welcome.world_ms = WORLD_MS_MAX;
    welcome.entity = UINT64_MAX;
    welcome.ticket = (ProtobufCBinaryData){.data = ticket, .len = sizeof ticket};
    welcome.motion = &motion;
    welcome.n_speeds = 2;
    welcome.speeds = speeds;
    welcome.n_gates = gates;
    welcome.gates = addresses;
    Seom__ServerMessage message = SEOM__SERVER_MESSAGE__INIT;
    message.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    message.welcome = &welcome;
    return message_write_server(&message, out, max);
}

static void
test_welcome(void **state)
{
    (void)state;
    uint8_t frame[512];
    const Seom__ServerMessage *m;
    size_t n = write_welcome(frame, sizeof frame, GATES_MAX);
    assert_int_equal(read_server(frame, n, &m), OK);
    assert_int_equal(m->welcome->entity, UINT64_MAX);
    assert_int_equal(m->welcome->limits->silence_ms_max, SILENCE_MAX_MS);
    assert_int_equal(m->welcome->n_gates, GATES_MAX);
    assert_string_equal(m->welcome->gates[1], "gate.example:7777");
    assert_int_equal(m->welcome->speeds[1]->mm_per_s, 45000);
    struct message_move read = sample_move;
    read.motion = message_motion_of(m->welcome->motion);
    assert_move_equal(&read, &sample_move);
    n = write_welcome(frame, sizeof frame, GATES_MAX + 1);
    assert_int_equal(read_server(frame, n, &m), ERR_RANGE);
    for (size_t max = 0; max < n; max++) {
        assert_int_equal(write_welcome(frame, max, GATES_MAX + 1), 0);
    }
}

static void
test_truncated_anywhere(void **state)
{
    (void)state;
    uint8_t frame[512];
    size_t n = write_welcome(frame, sizeof frame, 3);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy + 1, frame, cut);
        const Seom__ServerMessage *m;
        assert_int_not_equal(read_server(copy + 1, cut, &m), OK);
        free(copy);
    }
}

static size_t
pack_move(const struct message_move *move, uint8_t *out, size_t max)
{
    Seom__Motion motion;
    message_motion_set(&motion, &move->motion);
    Seom__Move body = SEOM__MOVE__INIT;
    body.move_no = move->move_no;
    body.look = move->look;
    body.motion = &motion;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_MOVE;
    message.move = &body;
    return message_write_client(&message, out, max);
}

/* Numbers of every length, zeroes among them. */
static uint64_t
random_number(struct rand *r, uint64_t max)
{
    if (rand_below(r, 8) == 0) {
        return max;
    }
    return rand_next(r) >> rand_below(r, 64) & (rand_below(r, 4) == 0 ? 0 : max);
}

static struct message_move
random_move(struct rand *r)
{
    return (struct message_move){
        .move_no = (uint32_t)random_number(r, UINT32_MAX),
        .look = (uint8_t)random_number(r, 15),
        .motion = {.x_mm = (int32_t)random_number(r, UINT32_MAX),
                   .y_mm = (int32_t)random_number(r, UINT32_MAX),
                   .vx = (int16_t)random_number(r, UINT16_MAX),
                   .vy = (int16_t)random_number(r, UINT16_MAX),
                   .since_ms = (int64_t)random_number(r, WORLD_MS_MAX),
                   .lasts_ms = (uint16_t)(random_number(r, UINT16_MAX) % 10001)}};
}

static void
test_moves_are_written_as_protobuf_writes_them(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 5);
    for (int i = 0; i < 20000; i++) {
        struct message_move move = random_move(&r), read;
        uint8_t ours[MESSAGE_MOVE_BYTES_MAX], theirs[MESSAGE_MOVE_BYTES_MAX];
        size_t n = message_write_move(&move, ours, sizeof ours);
        assert_int_equal(pack_move(&move, theirs, sizeof theirs), n);
        assert_memory_equal(ours, theirs, n);
        assert_int_equal(message_write_move(&move, ours, n - 1), 0);
        assert_int_equal(message_read_move((struct slice){theirs, n}, &read), OK);
        assert_move_equal(&read, &move);
    }
}

/* Whatever the fast path takes, the slow one takes and says the same; both are exercised. */
static void
test_the_fast_path_agrees_with_the_slow_one(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 6);
    unsigned fast = 0, slow_only = 0, neither = 0;
    for (int i = 0; i < 200000; i++) {
        struct message_move move = random_move(&r), read;
        uint8_t frame[MESSAGE_MOVE_BYTES_MAX + 8];
        size_t n = message_write_move(&move, frame, sizeof frame);
        for (uint32_t k = rand_below(&r, 4); k > 0; k--) {
            uint32_t at = rand_below(&r, (uint32_t)n);
            if (rand_below(&r, 8) == 0) {
                n = at > 0 ? at : 1;
            } else if (rand_below(&r, 3) == 0) {
                frame[at] ^= (uint8_t)(1 << rand_below(&r, 8));
            } else {
                static const uint8_t tags[] = {0, 8, 16, 18, 24, 32, 40, 48, 128, 127, 1, 2, 3, 4};
                frame[at] = tags[rand_below(&r, sizeof tags)];
            }
        }
        const Seom__ClientMessage *m;
        enum err error = read_client(frame, n, &m);
        bool is_move = error == OK && m->what_case == SEOM__CLIENT_MESSAGE__WHAT_MOVE;
        enum err quick = message_read_move((struct slice){frame, n}, &read);
        assert_true(quick == OK || quick == ERR_NOT_FOUND);
        if (quick == OK) {
            assert_true(is_move);
            struct message_move truth = message_move_of(m->move);
            assert_move_equal(&read, &truth);
            fast++;
        } else {
            is_move ? slow_only++ : neither++;
        }
    }
    assert_in_range(fast, 60000, 190000);
    assert_in_range(slow_only, 100, 60000);
    assert_in_range(neither, 20000, 130000);
}

static void
test_moves_out_of_range_go_the_slow_way(void **state)
{
    (void)state;
    struct message_move read;
    const Seom__ClientMessage *m;
    static const uint8_t fast_riders[] = {0, 0x12, 6, 0x12, 4, 0x18, 0x80, 0x80, 4}; /* vx 32,768 */
    static const uint8_t too_long[] = {0, 0x12, 5, 0x12, 3, 0x30, 0x91, 0x4e}; /* lasts 10,001 */
    static const uint8_t look_16[] = {0, 0x12, 4, 0x12, 0, 0x18, 16};
    static const uint8_t look_15[] = {0, 0x12, 4, 0x12, 0, 0x18, 15};
    static const uint8_t reversed[] = {0, 0x12, 4, 0x18, 15, 0x12, 0};
#define FRAME(bytes) (struct slice){bytes, sizeof bytes}
    assert_int_equal(message_read_move(FRAME(fast_riders), &read), ERR_NOT_FOUND);
    assert_int_equal(read_client(fast_riders, sizeof fast_riders, &m), ERR_RANGE);
    assert_int_equal(message_read_move(FRAME(too_long), &read), ERR_NOT_FOUND);
    assert_int_equal(read_client(too_long, sizeof too_long, &m), ERR_RANGE);
    assert_int_equal(message_read_move(FRAME(look_16), &read), ERR_NOT_FOUND);
    assert_int_equal(read_client(look_16, sizeof look_16, &m), ERR_RANGE);
    assert_int_equal(message_read_move(FRAME(look_15), &read), OK);
    assert_int_equal(read.look, 15);
    assert_int_equal(message_read_move(FRAME(reversed), &read), ERR_NOT_FOUND);
    assert_int_equal(read_client(reversed, sizeof reversed, &m), OK);
    assert_int_equal(m->move->look, 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_what_is_no_message),
        cmocka_unit_test(test_say),
        cmocka_unit_test(test_the_arena_is_the_limit),
        cmocka_unit_test(test_cameras_look_at_what_can_be),
        cmocka_unit_test(test_welcome),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_moves_are_written_as_protobuf_writes_them),
        cmocka_unit_test(test_the_fast_path_agrees_with_the_slow_one),
        cmocka_unit_test(test_moves_out_of_range_go_the_slow_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
