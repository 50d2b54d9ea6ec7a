/* Writes a recording (src/wire/dump.h) of a connection that never was: every message and every
 * record, with numbers of all lengths, from one seed. make_recording SEED FILE.
 * test/scene_decoder.py lets two decoders read it.
 */
#include "base/check.h"
#include "base/rand.h"
#include "wire/batch.h"
#include "wire/dump.h"
#include "wire/limits.h"
#include "wire/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDING_BYTES_MAX (8 << 20)
#define ROUNDS              300

struct recording {
    struct rand rand;
    struct writer out;
    int64_t mono_us, world_ms;
    struct writer ways[2]; /* bytes that are not in a piece yet */
};

static uint64_t
number(struct recording *r, uint64_t max)
{
    uint64_t v = rand_next(&r->rand) >> rand_below(&r->rand, 64);
    return rand_below(&r->rand, 6) == 0 ? 0 : max == UINT64_MAX ? v : v % (max + 1);
}

static int32_t
signed_number(struct recording *r)
{
    return (int32_t)(uint32_t)number(r, UINT32_MAX);
}

/* A window from there to anywhere where coordinates are. */
static uint32_t
window(struct recording *r, int32_t from_mm)
{
    return (uint32_t)number(r, (uint64_t)(INT32_MAX - (from_mm > 0 ? from_mm : 0)));
}

static uint64_t
entity(struct recording *r)
{
    return 1 + number(r, UINT64_MAX - 1);
}

/* What was said goes out in pieces that know nothing of frames. */
static void
cut_pieces(struct recording *r, enum dump_direction way, bool all)
{
    struct writer *w = &r->ways[way];
    while (writer_used(w) > 0 && (all || rand_below(&r->rand, 3) > 0)) {
        size_t n = writer_used(w), piece = all ? n : 1 + rand_below(&r->rand, (uint32_t)n);
        r->mono_us += rand_below(&r->rand, 100000);
        dump_append(&r->out, way, r->mono_us, (struct slice){w->start, piece});
        memmove(w->start, w->start + piece, n - piece);
        w->at -= piece;
    }
}

static void
put_frame(struct recording *r, enum dump_direction way, const uint8_t *frame, size_t bytes)
{
    CHECK(bytes > 0);
    uint8_t head[FRAME_HEAD_MAX];
    write_bytes(&r->ways[way], head, frame_head(FRAME_TCP, bytes, head));
    write_bytes(&r->ways[way], frame, bytes);
    CHECK(writer_ok(&r->ways[way]));
    cut_pieces(r, way, false);
}

static void
put_client(struct recording *r, Seom__ClientMessage__WhatCase what, void *body)
{
    uint8_t frame[4096];
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = what;
    m.hello = body; /* one of a union of pointers */
    put_frame(r, DUMP_TO_SERVER, frame, message_write_client(&m, frame, sizeof frame));
}

static void
put_server(struct recording *r, Seom__ServerMessage__WhatCase what, void *body)
{
    uint8_t frame[4096];
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = what;
    m.welcome = body;
    put_frame(r, DUMP_TO_CLIENT, frame, message_write_server(&m, frame, sizeof frame));
}

static char *
some_text(struct recording *r)
{
    static const char *const texts[] = {"",           "hello",  "say \"this\" \\ that",
                                        "안녕하세요", "a\tb\n", "\xf0\x9f\x90\x8b"};
    return message_text(texts[rand_below(&r->rand, 6)]);
}

static ProtobufCBinaryData
some_bytes(struct recording *r, uint8_t *at, uint32_t max)
{
    uint32_t n = rand_below(&r->rand, max + 1);
    for (uint32_t i = 0; i < n; i++) {
        at[i] = (uint8_t)rand_next(&r->rand);
    }
    return (ProtobufCBinaryData){.data = at, .len = n};
}

static struct motion
some_motion(struct recording *r)
{
    return (struct motion){.x_mm = signed_number(r),
                           .y_mm = signed_number(r),
                           .vx = (int16_t)signed_number(r),
                           .vy = (int16_t)signed_number(r),
                           .since_ms = r->world_ms - rand_below(&r->rand, 20000),
                           .lasts_ms = (uint16_t)rand_below(&r->rand, 10001)};
}

static Seom__Code
some_code(struct recording *r)
{
    return (Seom__Code)rand_below(&r->rand, 24); /* three that nobody knows yet */
}

static void
say_hello(struct recording *r)
{
    uint8_t ticket[TICKET_BYTES_MAX];
    Seom__Range protocol = SEOM__RANGE__INIT;
    protocol.min = 1, protocol.max = 1 + (uint32_t)number(r, UINT32_MAX - 1);
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &protocol;
    hello.ticket = some_bytes(r, ticket, sizeof ticket);
    hello.spectator = rand_below(&r->rand, 2) != 0;
    hello.island = (uint32_t)number(r, UINT32_MAX);
    hello.client = some_text(r);
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_HELLO, &hello);
}

static void
say_requests(struct recording *r)
{
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = (uint32_t)number(r, UINT32_MAX);
    Seom__Say say = SEOM__SAY__INIT;
    say.text = some_text(r);
    request.what_case = SEOM__REQUEST__WHAT_SAY, request.say = &say;
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
    Seom__LookAt look = SEOM__LOOK_AT__INIT;
    look.entity = entity(r);
    request.what_case = SEOM__REQUEST__WHAT_LOOK, request.look = &look;
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = (uint32_t)number(r, 40);
    camera.x_mm = signed_number(r), camera.y_mm = signed_number(r);
    camera.w_mm = window(r, camera.x_mm), camera.h_mm = window(r, camera.y_mm);
    request.what_case = SEOM__REQUEST__WHAT_CAMERA, request.camera = &camera;
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
    Seom__Show show = SEOM__SHOW__INIT;
    show.what = (Seom__ShowKind)number(r, UINT8_MAX);
    show.id = number(r, UINT64_MAX);
    request.what_case = SEOM__REQUEST__WHAT_SHOW, request.show = &show;
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
}

static void
say_rest(struct recording *r)
{
    uint8_t body[64], frame[MESSAGE_MOVE_BYTES_MAX];
    struct message_move move = {.move_no = (uint32_t)number(r, UINT32_MAX),
                                .look = (uint8_t)rand_below(&r->rand, 16),
                                .motion = some_motion(r)};
    put_frame(r, DUMP_TO_SERVER, frame, message_write_move(&move, frame, sizeof frame));
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = number(r, UINT64_MAX);
    command.body = some_bytes(r, body, sizeof body);
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_COMMAND, &command);
    Seom__Ping ping = SEOM__PING__INIT;
    ping.client_ms = (int64_t)number(r, UINT64_MAX);
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_PING, &ping);
}

static void
answer_welcome(struct recording *r)
{
    uint8_t ticket[TICKET_BYTES_MAX];
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.frame_bytes_max = FRAME_AFTER_HELLO_MAX, limits.messages_per_s = MESSAGES_PER_S;
    limits.messages_burst = MESSAGES_BURST, limits.bytes_per_s = BYTES_PER_S;
    limits.silence_ms_max = SILENCE_MAX_MS, limits.say_bytes_max = SAY_BYTES_MAX;
    struct motion stands = some_motion(r);
    Seom__Motion motion;
    message_motion_set(&motion, &stands);
    char *gates[GATES_MAX];
    Seom__Speed speed[3], *speeds[3];
    for (uint32_t i = 0; i < 3; i++) {
        seom__speed__init(&speed[i]);
        speed[i].look = i, speed[i].mm_per_s = 7000 * i;
        speeds[i] = &speed[i];
    }
    Seom__Welcome welcome = SEOM__WELCOME__INIT;
    welcome.protocol = 1;
    welcome.limits = &limits;
    welcome.world_ms = r->world_ms;
    welcome.entity = number(r, UINT64_MAX);
    welcome.player = number(r, UINT64_MAX);
    welcome.session_epoch = number(r, UINT64_MAX);
    welcome.last_seq = number(r, UINT64_MAX);
    welcome.ticket = some_bytes(r, ticket, sizeof ticket);
    welcome.island = (uint32_t)number(r, UINT32_MAX);
    welcome.motion = welcome.entity != 0 ? &motion : NULL;
    welcome.n_gates = rand_below(&r->rand, GATES_MAX + 1), welcome.gates = gates;
    for (size_t i = 0; i < welcome.n_gates; i++) {
        gates[i] = some_text(r);
    }
    welcome.n_speeds = rand_below(&r->rand, 4), welcome.speeds = speeds;
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_WELCOME, &welcome);
}

static void
answer_rest(struct recording *r)
{
    uint8_t body[64], view[1024];
    Seom__Look look = SEOM__LOOK__INIT;
    look.entity = entity(r), look.look = rand_below(&r->rand, 16), look.name = some_text(r);
    Seom__Answer answer = SEOM__ANSWER__INIT;
    answer.number = (uint32_t)number(r, UINT32_MAX);
    answer.code = some_code(r);
    answer.what_case =
        rand_below(&r->rand, 2) == 0 ? SEOM__ANSWER__WHAT_LOOK : SEOM__ANSWER__WHAT__NOT_SET;
    answer.look = &look;
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_ANSWER, &answer);
    answer.what_case = SEOM__ANSWER__WHAT_SHOWN;
    answer.shown = some_bytes(r, view, sizeof view);
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_ANSWER, &answer);
    Seom__CommandResult result = SEOM__COMMAND_RESULT__INIT;
    result.seq = number(r, UINT64_MAX);
    result.code = some_code(r);
    result.body = some_bytes(r, body, sizeof body);
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_RESULT, &result);
    Seom__Pong pong = SEOM__PONG__INIT;
    pong.client_ms = (int64_t)number(r, UINT64_MAX), pong.world_ms = r->world_ms;
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_PONG, &pong);
}

static void
answer_hints(struct recording *r)
{
    Seom__Changed changed = SEOM__CHANGED__INIT;
    changed.what = (Seom__ShowKind)number(r, UINT8_MAX);
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_CHANGED, &changed);
    Seom__Lobby lobby = SEOM__LOBBY__INIT;
    lobby.code = some_code(r);
    lobby.retry_after_ms = (uint32_t)number(r, UINT32_MAX);
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_LOBBY, &lobby);
}

static struct record_motion
some_body(struct recording *r)
{
    return (struct record_motion){
        .entity = entity(r), .look = (uint8_t)rand_next(&r->rand), .motion = some_motion(r)};
}

static void
put_slice(struct recording *r, struct writer *w)
{
    uint16_t cx = (uint16_t)number(r, UINT16_MAX), cy = (uint16_t)number(r, UINT16_MAX);
    uint64_t id = number(r, UINT64_MAX >> 1);
    struct range_writer rw;
    range_begin(&rw, w, cx, cy, id, r->world_ms - rand_below(&r->rand, 3000));
    for (uint32_t n = rand_below(&r->rand, 40); n > 0; n--) {
        id += 1 + number(r, UINT64_MAX >> 8);
        struct record_motion m = some_body(r);
        m.entity = id;
        m.look &= LOOK_KIND_MASK;
        m.motion.x_mm = cx * CHUNK_MM + (int32_t)rand_below(&r->rand, CHUNK_MM);
        m.motion.y_mm = cy * CHUNK_MM + (int32_t)rand_below(&r->rand, CHUNK_MM);
        range_add(&rw, &m);
    }
    range_end(&rw, id);
}

static void
put_record(struct recording *r, struct writer *w)
{
    uint8_t bytes[ATTRIBUTES_MAX];
    struct record_motion m = some_body(r);
    struct record_self self = {.flags = (uint8_t)rand_below(&r->rand, 4),
                               .move_no = (uint32_t)number(r, UINT32_MAX),
                               .body = m};
    struct density_cell cells[3] = {{1, 2, 3}, {0, UINT16_MAX, 1}, {4, 5, 600}};
    uint16_t cx = (uint16_t)number(r, UINT16_MAX), cy = (uint16_t)number(r, UINT16_MAX);
    const char *text = some_text(r);
    ProtobufCBinaryData data = some_bytes(r, bytes, sizeof bytes);
    struct record_thing thing = {.entity = m.entity,
                                 .kind = m.look,
                                 .place = {m.motion.x_mm, m.motion.y_mm},
                                 .attributes = {data.data, data.len}};
    switch (1 + rand_below(&r->rand, 9)) {
    case RECORD_MOTION: batch_put_motion(w, &m); break;
    case RECORD_LEAVE: batch_put_leave(w, m.entity, cx, cy); break;
    case RECORD_SAY:
        batch_put_say(w, m.entity, (struct slice){(const uint8_t *)text, strlen(text)});
        break;
    case RECORD_FORGET: batch_put_forget(w, cx, cy); break;
    case RECORD_RANGE: put_slice(r, w); break;
    case RECORD_SELF: batch_put_self(w, &self); break;
    case RECORD_THING: batch_put_thing(w, &thing); break;
    case RECORD_DENSITY:
        batch_put_density(w, 1 + rand_below(&r->rand, 40), 240, cells,
                          (uint16_t)rand_below(&r->rand, 4));
        break;
    default: batch_put_island(w, 1 + rand_below(&r->rand, 40)); break;
    }
}

static void
put_batch(struct recording *r)
{
    static uint8_t frame[FRAME_AFTER_HELLO_MAX] = {FRAME_FORMAT_BATCH};
    struct writer w = writer_over(frame + 1, sizeof frame - 1);
    for (uint32_t n = rand_below(&r->rand, 12); n > 0; n--) {
        put_record(r, &w);
    }
    CHECK(writer_ok(&w));
    put_frame(r, DUMP_TO_CLIENT, frame, 1 + writer_used(&w));
}

static void
record(struct recording *r)
{
    say_hello(r);
    answer_welcome(r);
    for (int round = 0; round < ROUNDS; round++) {
        r->world_ms += rand_below(&r->rand, 2000);
        uint32_t what = rand_below(&r->rand, 8);
        if (what == 0) {
            say_requests(r);
        } else if (what == 1) {
            answer_rest(r);
            answer_hints(r);
        } else if (what < 4) {
            say_rest(r);
        } else {
            put_batch(r);
        }
    }
    static const uint8_t newer[] = {FRAME_FORMAT_MESSAGE, 0x7a, 1, 9};
    put_frame(r, DUMP_TO_CLIENT, newer, sizeof newer);
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    goodbye.code = some_code(r);
    goodbye.retry_after_ms = (uint32_t)number(r, UINT32_MAX);
    put_client(r, SEOM__CLIENT_MESSAGE__WHAT_GOODBYE, &goodbye);
    char *gate = message_text("127.0.0.1:7777");
    goodbye.n_gates = 1, goodbye.gates = &gate;
    put_server(r, SEOM__SERVER_MESSAGE__WHAT_GOODBYE, &goodbye);
    cut_pieces(r, DUMP_TO_SERVER, true);
    cut_pieces(r, DUMP_TO_CLIENT, true);
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "make_recording SEED FILE\n");
        return 2;
    }
    struct recording r = {.world_ms =
                              (INT64_C(1) << 33) - 100000}; /* across an end of the low 32 bits */
    rand_seed(&r.rand, strtoull(argv[1], NULL, 10));
    uint8_t *out = malloc(RECORDING_BYTES_MAX);
    CHECK(out != NULL);
    r.out = writer_over(out, RECORDING_BYTES_MAX);
    for (int way = 0; way < 2; way++) {
        static uint8_t waiting[2][4 * FRAME_AFTER_HELLO_MAX];
        r.ways[way] = writer_over(waiting[way], sizeof waiting[way]);
    }
    record(&r);
    CHECK(writer_ok(&r.out));
    FILE *file = fopen(argv[2], "wb");
    bool fine = file != NULL && fwrite(out, 1, writer_used(&r.out), file) == writer_used(&r.out);
    fine = file != NULL && fclose(file) == 0 && fine;
    free(out);
    if (!fine) {
        perror(argv[2]);
    }
    return fine ? 0 : 1;
}
