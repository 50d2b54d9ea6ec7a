/* Writes the seeds of fuzz/corpus with the real encoders: make_corpus fuzz/corpus. Run it again
 * when a format changes. */
#include "app/document_json.h"
#include "base/check.h"
#include "base/rand.h"
#include "fabric/notes.h"
#include "fabric/requests.h"
#include "fuzz/extreme.h"
#include "store/envelope.h"
#include "value.pb-c.h"
#include "wire/batch.h"
#include "wire/dump.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/link.h"
#include "wire/message.h"
#include "wire/ticket.h"
#include "world/coast.h"
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(0x300000123)

static const char *root;

static void
save(const char *target, const char *name, const void *at, size_t bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
    }
    CHECK(file != NULL);
    size_t written = fwrite(at, 1, bytes, file);
    int failed = fclose(file);
    CHECK(written == bytes && failed == 0);
}

static struct record_motion
walker(uint64_t entity)
{
    return (struct record_motion){.entity = entity,
                                  .look = LOOK_RIDER,
                                  .motion = {.x_mm = 61000 + (int32_t)entity,
                                             .y_mm = 95000,
                                             .vx = (int16_t)(-700 * (int)entity),
                                             .vy = 35,
                                             .since_ms = NOW_MS - 20,
                                             .lasts_ms = 900}};
}

static void
make_slice(struct writer *w)
{
    struct range_writer rw;
    range_begin(&rw, w, 2, 3, 0, NOW_MS);
    for (uint64_t entity = 1; entity < 40; entity += 3) {
        struct record_motion m = walker(entity);
        range_add(&rw, &m);
    }
    range_end(&rw, UINT64_MAX);
}

static size_t
make_density(uint8_t *out, size_t max)
{
    struct writer w = writer_over(out, max);
    struct density_cell cells[] = {{1, 2, 3}, {4, 5, 600}};
    batch_put_density(&w, 7, 240, cells, 2);
    return writer_used(&w);
}

static void
make_batches(void)
{
    uint8_t bytes[1024];
    struct record_motion m = walker(5);
    struct record_self self = {.flags = SELF_CORRECTED, .move_no = 77, .body = m};
    struct record_thing thing = {.entity = 9,
                                 .kind = 2,
                                 .place = {60000, 90000},
                                 .attributes = {(const uint8_t *)"ripe", 4}};
    struct writer w = writer_over(bytes, sizeof bytes);
    batch_put_island(&w, 7);
    batch_put_self(&w, &self);
    batch_put_motion(&w, &m);
    batch_put_say(&w, 5, (struct slice){(const uint8_t *)"안녕하세요", 15});
    batch_put_leave(&w, 5, 2, 3);
    batch_put_forget(&w, 2, 4);
    batch_put_thing(&w, &thing);
    save("batch", "all", bytes, writer_used(&w));
    w = writer_over(bytes, sizeof bytes);
    make_slice(&w);
    save("batch", "range", bytes, writer_used(&w));
    save("batch", "density", bytes, make_density(bytes, sizeof bytes));
}

static void
save_link(const char *name, const struct link_message *m)
{
    uint8_t bytes[LINK_HEAD_MAX + 1024];
    size_t n = link_head(m, bytes);
    struct slice tail = link_tail(m);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    save("link", name, bytes, n + tail.bytes);
}

static void
make_links(void)
{
    struct motion motion = walker(5).motion;
    uint8_t topics[24], records[64];
    struct writer w = writer_over(topics, sizeof topics);
    write_u64(&w, topic_make(1, 2, 3));
    write_u64(&w, TOPIC_DENSITY);
    write_u64(&w, topic_make(2, 0, 0));
    struct slice density = {records, make_density(records, sizeof records)};
    struct slice text = {(const uint8_t *)"hello", 5};

    const struct {
        const char *name;
        struct link_message message;
    } all[] = {
        {"enter", {.kind = LINK_ENTER, .as.enter = {.conn = 7, .island = 3, .ticket_bytes = 31}}},
        {"go", {.kind = LINK_GO, .as.go = {.conn = 7, .node = 9}}},
        {"home",
         {.kind = LINK_HOME,
          .as.home = {.conn = 7, .player = 1, .entity = 1, .island = 3, .motion = motion}}},
        {"move",
         {.kind = LINK_INPUT,
          .as.input = {.player = 1, .session_epoch = 2, .kind = INPUT_MOVE, .motion = motion}}},
        {"say", {.kind = LINK_INPUT, .as.input = {.player = 1, .kind = INPUT_SAY, .bytes = text}}},
        {"self",
         {.kind = LINK_SELF,
          .as.self = {.player = 1, .kind = SELF_MOTION, .island = 3, .motion = motion}}},
        {"result",
         {.kind = LINK_SELF, .as.self = {.player = 1, .kind = SELF_RESULT, .bytes = text}}},
        {"subscribe",
         {.kind = LINK_SUBSCRIBE,
          .as.subscribe = {.epoch = 1,
                           .version = 2,
                           .wakes = 1,
                           .add_count = 2,
                           .remove_count = 1,
                           .topics = {topics, sizeof topics}}}},
        {"subscribed", {.kind = LINK_SUBSCRIBED, .as.subscribed = {.epoch = 1, .version = 2}}},
        {"batch",
         {.kind = LINK_BATCH, .as.batch = {.topic = topic_make(1, 2, 3), .records = density}}},
        {"density", {.kind = LINK_DENSITY, .as.density = {.island = 7, .record = density}}},
        {"led", {.kind = LINK_HOME, .as.home = {.conn = 7, .code = 12, .gates = text}}},
        {"said",
         {.kind = LINK_SAID,
          .as.said =
              {.id = 9, .player = 5, .channel = 1, .name_bytes = 4, .name = "Hana", .text = text}}},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        save_link(all[i].name, &all[i].message);
    }
}

static void
save_note(const char *name, const struct note *note)
{
    uint8_t bytes[NOTE_BYTES_MAX];
    save("note", name, bytes, note_write(note, bytes));
}

static void
make_notes(void)
{
    struct slice name = {(const uint8_t *)"Hana", 4}, text = {(const uint8_t *)"annyeong", 8};
    struct slice gates = {(const uint8_t *)"127.0.0.1:1\n[::1]:2\n", 21};
    save_note("line", &(struct note){.kind = NOTE_LINE,
                                     .channel = 1,
                                     .shard = 2,
                                     .id = 77,
                                     .player = 5,
                                     .name = name,
                                     .text = text});
    save_note("mail", &(struct note){.kind = NOTE_MAIL, .shard = 2, .id = 78, .player = 5});
    save_note("gates", &(struct note){.kind = NOTE_GATES, .shard = 2, .id = 79, .text = gates});
}

static void
save_client(const char *name, Seom__ClientMessage__WhatCase what, void *body)
{
    uint8_t bytes[1024];
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = what;
    message.hello = body; /* one of a union of pointers */
    save("message", name, bytes, message_write_client(&message, bytes, sizeof bytes));
}

static void
save_server(const char *name, Seom__ServerMessage__WhatCase what, void *body)
{
    uint8_t bytes[1024];
    Seom__ServerMessage message = SEOM__SERVER_MESSAGE__INIT;
    message.what_case = what;
    message.welcome = body;
    save("message", name, bytes, message_write_server(&message, bytes, sizeof bytes));
}

static void
make_client_messages(void)
{
    uint8_t bytes[MESSAGE_MOVE_BYTES_MAX];
    struct message_move move = {.move_no = 300, .look = 1, .motion = walker(5).motion};
    save("message", "move", bytes, message_write_move(&move, bytes, sizeof bytes));
    Seom__Range protocol = SEOM__RANGE__INIT;
    protocol.min = PROTOCOL_MIN, protocol.max = PROTOCOL_MAX;
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &protocol;
    hello.client = message_text("corpus 1");
    save_client("hello", SEOM__CLIENT_MESSAGE__WHAT_HELLO, &hello);
    Seom__Say say = SEOM__SAY__INIT;
    say.text = message_text("안녕");
    Seom__Request request = SEOM__REQUEST__INIT;
    request.number = 1;
    request.what_case = SEOM__REQUEST__WHAT_SAY;
    request.say = &say;
    save_client("say", SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = 3, camera.x_mm = -5, camera.w_mm = 100000, camera.h_mm = 80000;
    request.what_case = SEOM__REQUEST__WHAT_CAMERA;
    request.camera = &camera;
    save_client("camera", SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &request);
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = 9;
    command.body = (ProtobufCBinaryData){.data = bytes, .len = 12};
    save_client("command", SEOM__CLIENT_MESSAGE__WHAT_COMMAND, &command);
    Seom__Ping ping = SEOM__PING__INIT;
    ping.client_ms = -1;
    save_client("ping", SEOM__CLIENT_MESSAGE__WHAT_PING, &ping);
}

static void
make_server_messages(void)
{
    uint8_t ticket[TICKET_BYTES] = {1};
    char *gate = message_text("127.0.0.1:7777");
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.messages_per_s = MESSAGES_PER_S;
    struct motion place = walker(5).motion;
    Seom__Motion motion;
    message_motion_set(&motion, &place);
    Seom__Speed speed = SEOM__SPEED__INIT, *speeds[] = {&speed};
    speed.mm_per_s = 7000;
    Seom__Welcome welcome = SEOM__WELCOME__INIT;
    welcome.limits = &limits;
    welcome.entity = 5;
    welcome.motion = &motion;
    welcome.ticket = (ProtobufCBinaryData){.data = ticket, .len = sizeof ticket};
    welcome.n_gates = 1, welcome.gates = &gate;
    welcome.n_speeds = 1, welcome.speeds = speeds;
    save_server("welcome", SEOM__SERVER_MESSAGE__WHAT_WELCOME, &welcome);
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    goodbye.code = SEOM__CODE__SERVER_STOPS;
    goodbye.retry_after_ms = 2000;
    goodbye.n_gates = 1, goodbye.gates = &gate;
    save_server("goodbye", SEOM__SERVER_MESSAGE__WHAT_GOODBYE, &goodbye);
    Seom__Look look = SEOM__LOOK__INIT;
    look.entity = 5, look.look = 1, look.name = message_text("섬사람");
    Seom__Answer answer = SEOM__ANSWER__INIT;
    answer.what_case = SEOM__ANSWER__WHAT_LOOK;
    answer.look = &look;
    save_server("answer", SEOM__SERVER_MESSAGE__WHAT_ANSWER, &answer);
    Seom__Pong pong = SEOM__PONG__INIT;
    pong.world_ms = NOW_MS;
    save_server("pong", SEOM__SERVER_MESSAGE__WHAT_PONG, &pong);
}

/* A masked frame; the mask is zero, so the fuzzer sees through it. */
static size_t
put_frame(uint8_t *out, uint8_t first, const char *payload)
{
    size_t n = strlen(payload);
    out[0] = first;
    out[1] = (uint8_t)(0x80 | n);
    memset(out + 2, 0, 4);
    memcpy(out + 6, payload, n);
    return n + 6;
}

static void
make_frames(void)
{
    static const char handshake[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    uint8_t bytes[1024] = {0, 4, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 1, 0, 0, 0, 'x'};
    save("frame", "tcp", bytes, 16);
    size_t n = 2 + sizeof handshake - 1;
    memcpy(bytes + 2, handshake, sizeof handshake - 1);
    save("frame", "handshake", bytes, n);
    bytes[0] = 1, bytes[1] = 9;
    n = 2;
    n += put_frame(bytes + n, 0x02, "one ");
    n += put_frame(bytes + n, 0x89, "ping");
    n += put_frame(bytes + n, 0x00, "two ");
    n += put_frame(bytes + n, 0x80, "three");
    n += put_frame(bytes + n, 0x82, "whole");
    n += put_frame(bytes + n, 0x88, "\x03\xe8");
    save("frame", "websocket", bytes, n);
    bytes[0] = 3;
    memcpy(bytes + 2, "\x82\xfe\1\0\0\0\0\0", 8);
    memset(bytes + 10, 'm', 256);
    save("frame", "medium", bytes, 266);
}

static void
make_tickets(void)
{
    static const uint8_t key[TICKET_KEY_BYTES] = "the key of the corpus, 32 bytes";
    uint8_t bytes[TICKET_BYTES];
    struct ticket ticket = {.world = 1, .player = 0x0001000000000007, .issued_s = 3600};
    ticket_write(&ticket, key, bytes);
    save("ticket", "good", bytes, sizeof bytes);
    save("ticket", "short", bytes, sizeof bytes - 1);
}

/* Coasts, and the island files that they become. */
static void
make_islands(void)
{
    static const char *const coasts[][2] = {
        {"square", "island,seq,lon,lat,x_m,y_m\n3,0,1,1,10,10\n3,1,1,1,70.5,10\n3,2,1,1,70.5,-"
                   "50\n3,3,1,1,10,-50\n"},
        {"two", "y_m,x_m,seq,island\r\n0,0,1,4\r\n0,90,2,4\r\n90,0,3,4\r\n0,200,0,5\r\n0,200.4,1,"
                "5\r\n0.3,200,2,5\r\n"},
        {"touching", "island,seq,x_m,y_m\n1,0,30,0\n1,1,60,0\n1,2,60,60\n1,3,0,60\n1,4,0,0\n1,5,30,"
                     "0\n1,6,15,30\n"
                     "1,7,45,30\n"},
        {"crossing", "island,seq,x_m,y_m\n1,0,0,0\n1,1,60,60\n1,2,60,0\n1,3,0,50\n"},
        {"again", "island,seq,x_m,y_m\n1,0,0,0\n1,1,60,0\n1,2,0,60\n2,0,99999999,nan\n1,3,5,5\n"},
    };
    for (size_t n = 0; n < sizeof coasts / sizeof *coasts; n++) {
        struct coast coast;
        const struct coast_source source = {
            .csv = {.at = (const uint8_t *)coasts[n][1], .bytes = strlen(coasts[n][1])}};
        save("coast", coasts[n][0], coasts[n][1], strlen(coasts[n][1]));
        coast_import(&source, &coast);
        if (coast.count > 0) {
            save("island", coasts[n][0], coast.islands[0].file.at, coast.islands[0].file.bytes);
        }
        coast_fini(&coast);
    }
    struct island_file plain;
    enum err error = island_make_plain(9, 300000, &plain);
    CHECK(error == OK);
    save("island", "plain", plain.at, plain.bytes);
    island_file_free(&plain);
}

static void
make_dumps(void)
{
    uint8_t dump[1024], stream[512] = {0}, frame[256] = {FRAME_FORMAT_BATCH};
    struct message_move move = {.move_no = 1, .motion = walker(5).motion};
    size_t n = message_write_move(&move, stream + 4, sizeof stream - 4);
    frame_head(FRAME_TCP, n, stream);
    struct writer w = writer_over(dump, sizeof dump);
    dump_append(&w, DUMP_TO_SERVER, 1000, (struct slice){stream, 9});
    dump_append(&w, DUMP_TO_SERVER, 2000, (struct slice){stream + 9, n + 4 - 9});
    struct writer batch = writer_over(frame + 1, sizeof frame - 1);
    make_slice(&batch);
    n = 1 + writer_used(&batch);
    frame_head(FRAME_TCP, n, stream);
    memcpy(stream + 4, frame, n);
    dump_append(&w, DUMP_TO_CLIENT, 3000, (struct slice){stream, n + 4});
    CHECK(writer_ok(&w) && writer_ok(&batch));
    save("dump", "both", dump, writer_used(&w));
}

/* Lists of operations of whole machines, one a line; their arguments stand in extreme.h. */
// clang-format off
static void
make_gates(void)
{
    static const uint8_t plays[] = {
        GATE_OP_HELLO, 0, 0,
        GATE_OP_HOME, 0, 0, 0x22,
        GATE_OP_STEP, 2,
        GATE_OP_CROWD, 0, 0x05, 1, 9,
        GATE_OP_RECORDS, 0, 1, 0,
        GATE_OP_STEP, 3,
        GATE_OP_CLIENT, 0, 5, 9, 0, 40, 40, 5, 5, 5, 0,
        GATE_OP_STEP, 2,
    };
    static const uint8_t watches[] = {
        GATE_OP_HELLO, 1, 1,
        GATE_OP_CLIENT, 1, 1, 3, 2, 1, 0, 0, 10, 10,
        GATE_OP_STEP, 2,
        GATE_OP_ACK, 1,
        GATE_OP_CROWD, 0, 0, 1, 80, 40,
        GATE_OP_STEP, 4,
        GATE_OP_SOCKET, 1, 0,
        GATE_OP_STEP, 6,
    };
    static const uint8_t refused[] = {
        GATE_OP_HELLO, 0, 0,
        GATE_OP_HOME, 0, 0, 0x22,
        GATE_OP_HOME_FULL, 1,
        GATE_OP_CLOSE, 0,
        GATE_OP_STEP, 3,
        GATE_OP_HOME_FULL, 0,
        GATE_OP_STEP, 3,
    };
    save("gate", "plays", plays, sizeof plays);
    save("gate", "watches", watches, sizeof watches);
    save("gate", "refused", refused, sizeof refused);
}

static void
make_gates_with_homes(void)
{
    static const uint8_t resumes[] = {
        GATE_OP_HELLO, 0, 0,
        GATE_OP_HOME, 0, 0, 0x22,
        GATE_OP_LINE, 1, 0,
        GATE_OP_CROWD, 0, 0x05, 1, 9,
        GATE_OP_LINE, 0, 3,
        GATE_OP_CLIENT, 0, 5, 9, 0, 40, 40, 5, 5, 5, 0,
        GATE_OP_STEP, 2,
        GATE_OP_PEER, 1, 1,
        GATE_OP_HOME, 0, 0, 0x22,
        GATE_OP_LINE, 2, 0,
        GATE_OP_GO, 0, 1, 2,
        GATE_OP_STEP, 2,
        GATE_OP_LINE, 1, 2,
        GATE_OP_STEP, 4,
        GATE_OP_LINE, 1, 1,
        GATE_OP_STEP, 5,
    };
    static const uint8_t publishers[] = {
        GATE_OP_HELLO, 0, 0,
        GATE_OP_HOME, 0, 0, 0x22,
        GATE_OP_LINE, 1, 0,
        GATE_OP_STEP, 2,
        GATE_OP_CROWD, 0, 0x05, 3, 9,
        GATE_OP_PEER, 1, 3,
        GATE_OP_CROWD, 0, 0x05, 1, 9,
        GATE_OP_RECORDS, 0, 2, 0,
        GATE_OP_CROWD, 0, 0x25, 3, 9,
        GATE_OP_STEP, 2,
        GATE_OP_LINE, 1, 3,
        GATE_OP_STEP, 5,
    };
    save("gate", "resumes", resumes, sizeof resumes);
    save("gate", "publishers", publishers, sizeof publishers);
}

static void
make_homes(void)
{
    static const uint8_t enters[] = {
        HOME_OP_ENTER, 0, 1, 64, 1,
        HOME_OP_STEP, 3,
        HOME_OP_SUBSCRIBE, 0, 3, 2, 0, 0, 205,
        HOME_OP_INPUT, 0, 0, 0, 0, 0, 1, 0, 0, 40, 40, 9, 9, 5, 0, 0, 0, 0,
        HOME_OP_STEP, 4,
        HOME_OP_INPUT, 0, 0, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        HOME_OP_STEP, 6,
    };
    static const uint8_t returns[] = {
        HOME_OP_ENTER, 0, 1, 64, 1,
        HOME_OP_STEP, 3,
        HOME_OP_STORE, 10,
        HOME_OP_ENTER, 1, 2, 0, 1,
        HOME_OP_GATE_FULL, 1, 1,
        HOME_OP_STEP, 4,
    };
    static const uint8_t goes_on[] = {
        HOME_OP_ENTER, 0, 1, 64, 1,
        HOME_OP_STEP, 3,
        HOME_OP_PEER, 3, 0,
        HOME_OP_PEER, 0, 129,
        HOME_OP_RESUME, 1, 5, 0, 3, 0, 1, 0, 40, 40, 9, 9, 5, 0,
        HOME_OP_STEP, 3,
        HOME_OP_NODE, 0,
        HOME_OP_STEP, 4,
        HOME_OP_NODE, 40,
        HOME_OP_STEP, 4,
    };
    save("home", "goes-on", goes_on, sizeof goes_on);
    save("home", "enters", enters, sizeof enters);
    save("home", "returns", returns, sizeof returns);
}

// clang-format on

/* People who stand there, commands that could be some, and documents from elsewhere. */
static void
make_value(void)
{
    static const char *const names[] = {"value-1", "value-2", "value-3", "value-4"};
    static const uint8_t opening[] = {HOME_OP_ENTER,
                                      0,
                                      1,
                                      64,
                                      1,
                                      HOME_OP_ENTER,
                                      1,
                                      2,
                                      64,
                                      1,
                                      HOME_OP_STEP,
                                      3,
                                      HOME_OP_SUBSCRIBE,
                                      0,
                                      3,
                                      2,
                                      0,
                                      0,
                                      205};
    struct rand rand;
    rand_seed(&rand, 2);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t bytes[1500];
        struct writer w = writer_over(bytes, sizeof bytes);
        write_bytes(&w, opening, sizeof opening);
        while (writer_left(&w) > 64) {
            static const uint8_t ops[] = {HOME_OP_DEED, HOME_OP_DEED, HOME_OP_DOCUMENT};
            write_u8(&w, ops[rand_below(&rand, 3)]);
            for (uint32_t n = 12 + rand_below(&rand, 40); n > 0; n--) {
                write_u8(&w, (uint8_t)rand_below(&rand, 24));
            }
            write_u8(&w, HOME_OP_STEP);
            write_u8(&w, 2);
        }
        save("home", names[i], bytes, writer_used(&w));
    }
}

/* Plays of some length drawn by chance, and none with a sensible body behind it. */
static void
make_deeds(void)
{
    static const char *const names[] = {"play-1", "play-2", "play-3", "play-4"};
    struct rand rand;
    rand_seed(&rand, 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t bytes[600];
        for (size_t n = 0; n < sizeof bytes; n++)
            bytes[n] = (uint8_t)rand_next(&rand);
        bytes[0] = 63;
        save("deed", names[i], bytes, sizeof bytes);
    }
    Seom__Deed deed = SEOM__DEED__INIT;
    Seom__Split split = SEOM__SPLIT__INIT;
    split.from = 0;
    split.to = 23;
    split.count = 1;
    deed.what_case = SEOM__DEED__WHAT_SPLIT;
    deed.split = &split;
    uint8_t body[32] = {0};
    save("deed", "split", body, 1 + seom__deed__pack(&deed, body + 1));
}

/* One document of each class of fuzz_document.c, as JSON and as the bytes it stands for. */
static void
make_documents(void)
{
    static const struct {
        const char *name, *key, *json;
        uint8_t class;
    } documents[] = {
        {"player", "0001/player/0001000000000001",
         "{\"name\":\"Hana\",\"session_epoch\":3,\"last_seq\":8,\"last_hash\":"
         "\"18364758544493064720\","
         "\"last_res\":\"00\",\"bag\":{\"coins\":91,\"slots\":[{\"kind\":1,\"count\":7},{},{"
         "\"kind\":2,"
         "\"count\":1,\"uid\":\"281474976710657\"}]},\"ledger\":[{\"seq\":8,\"at_ms\":5,\"reason\":"
         "6,"
         "\"from\":\"ACCOUNT_PLAYER\",\"from_id\":1,\"count\":9}],\"trades\":[4,5],"
         "\"?\":[{\"field\":99,\"wire\":0,\"bytes\":\"01\"}]}",
         0},
        {"ledger", "0001/ledger/0001000000000001-000000",
         "{\"entries\":[{\"seq\":1,\"reason\":2,\"to\":\"ACCOUNT_PLAYER\",\"kind\":1,\"count\":3}]"
         "}",
         1},
        {"chunk", "0001/chunk/0000000100020003",
         "{\"things\":[{\"id\":9,\"kind\":3,\"x_mm\":-5,\"y_mm\":70000,\"holds\":{\"slots\":[{"
         "\"kind\":1,"
         "\"count\":2}]}}],\"picked\":[{\"thing\":2,\"until_ms\":77000}]}",
         2},
        {"chest", "0001/chest/0001000000000001", "{\"holds\":{\"coins\":2},\"owner\":1}", 3},
        {"mail", "0001/mail/0001000000000001",
         "{\"from\":1,\"to\":2,\"text\":\"for you\",\"day\":3,\"holds\":{\"coins\":2}}", 4},
        {"inbox", "0001/inbox/0001000000000001",
         "{\"notices\":[{\"kind\":\"NOTICE_MAIL\",\"id\":4,\"from\":1,\"day\":3,\"holds\":true}]}",
         5},
        {"trade", "0001/trade/0001000000000001",
         "{\"from\":1,\"to\":2,\"gives\":{\"coins\":2},\"wants\":{\"slots\":[{\"kind\":2,\"count\":"
         "1}]}}",
         6},
        {"switches", "0001/meta/switches", "{\"closed\":30,\"why\":\"a dupe\"}", 9},
    };

    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        uint8_t bytes[1 + STORE_VALUE_MAX];
        char name[32], why[DOCUMENT_WHY_MAX];
        size_t packed, length = strlen(documents[i].json);
        struct key_parts key;
        CHECK(key_parse((struct slice){(const uint8_t *)documents[i].key, strlen(documents[i].key)},
                        &key) == OK);
        bytes[0] = (uint8_t)(documents[i].class << 1 | 1);
        memcpy(bytes + 1, documents[i].json, length);
        snprintf(name, sizeof name, "%s_json", documents[i].name);
        save("document", name, bytes, 1 + length);
        json_t *json = json_loads(documents[i].json, 0, NULL);
        bytes[0] = (uint8_t)(documents[i].class << 1);
        CHECK(document_from_json(&key, json, bytes + 1, &packed, why) == OK);
        save("document", documents[i].name, bytes, 1 + packed);
        json_decref(json);
    }
}

/* Each kind of pend, and a record. The first byte is the state that the record is said to have. */
static void
make_envelopes(void)
{
    static const char *const names[] = {"plain", "put", "delete", "check", "forget"};
    uint8_t bytes[1 + ENVELOPE_MAX], keys[256];
    for (uint32_t pend = PEND_NONE; pend <= PEND_FORGET; pend++) {
        struct envelope e = {.version = 7,
                             .exists = true,
                             .body = {(const uint8_t *)"body", 4},
                             .writers = {{3, 4}, {3, 2}},
                             .pend = (enum pend_kind)pend};
        if (pend != PEND_NONE)
            e.pend_id = (struct txid){5, 6};
        if (pend == PEND_PUT)
            e.pend_body = (struct slice){(const uint8_t *)"new body", 8};
        bytes[0] = RECORD_COMMITTED;
        save("envelope", names[pend], bytes, 1 + envelope_write(&e, bytes + 1));
    }
    static const char *const key_texts[] = {"0001/player/0001000000000001", "0001/mail/1"};
    size_t used = 0;
    for (uint32_t i = 0; i < 2; i++)
        used = record_add_key(keys, used, sizeof keys,
                              (struct slice){(const uint8_t *)key_texts[i], strlen(key_texts[i])});
    struct commit_record record = {
        .state = RECORD_PENDING, .deadline_ms = NOW_MS, .count = 2, .keys = {keys, used}};
    save("envelope", "record", bytes, 1 + record_write(&record, bytes + 1));
}

/* A message of a peer: an ask of kind 4 under id 7 whose body says how it is answered, or its
 * cancel. */
static void
requests_hear(struct writer *w, uint8_t kind, uint32_t left_us, uint8_t manner)
{
    write_u8(w, REQUESTS_OP_RAW);
    write_u8(w, 1); /* peer */
    write_u8(w, kind == REQUESTS_KIND_MIN ? 15 : 9);
    write_u8(w, kind);
    write_u64(w, 7);
    if (kind == REQUESTS_KIND_MIN) {
        write_u8(w, REQUEST_TEST);
        write_u32(w, left_us);
        write_u8(w, manner);
    }
}

static void
make_requests(void)
{
    static const char *const names[] = {"kept", "replied", "refused", "part"};
    for (uint8_t manner = 0; manner < 4; manner++) {
        uint8_t bytes[128];
        struct writer w = writer_over(bytes, sizeof bytes);
        requests_hear(&w, REQUESTS_KIND_MIN, 100000, manner);
        write_bytes(&w, (const uint8_t[]){REQUESTS_OP_WORK, 0, 1}, 3);
        requests_hear(&w, REQUESTS_KIND_MAX, 0, 0);
        write_bytes(&w, (const uint8_t[]){REQUESTS_OP_STEP, 40}, 2);
        CHECK(writer_ok(&w));
        save("requests", names[manner], bytes, writer_used(&w));
    }
    static const char *const answers[] = {"accept", "reject", "part_of_it", "result"};
    for (uint8_t kind = 1; kind <= 4; kind++) {
        const uint8_t ops[] = {REQUESTS_OP_ASK,
                               1,
                               0xe8,
                               3, /* peer 1, 100 ms */
                               REQUESTS_OP_KNOWN,
                               1,
                               kind,
                               0,
                               1,
                               9, /* its answer, with a byte behind */
                               REQUESTS_OP_KNOWN,
                               1,
                               kind,
                               0,
                               0, /* again, without */
                               REQUESTS_OP_ASK,
                               2,
                               1,
                               0,
                               REQUESTS_OP_DOWN,
                               2,
                               REQUESTS_OP_STEP,
                               255};
        save("requests", answers[kind - 1], ops, sizeof ops);
    }
}

/* An operation with its arguments, each a byte. */
static void
mesh_op(struct writer *w, enum mesh_op op, const char *arguments, size_t n)
{
    write_u8(w, (uint8_t)op);
    write_bytes(w, arguments, n);
}

/* A node is n: n % 32 + 990 is its epoch, n / 32 its role, n % 6 its index. A frame is its kind - 1
 * and what fuzz_mesh reads of it. */
static void
make_mesh(void)
{
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    write_u8(&w, 0);
    mesh_op(&w, MESH_OP_LINK, "\x01", 1);
    mesh_op(&w, MESH_OP_LINK, "\x22", 1);
    mesh_op(&w, MESH_OP_STEP, "\x02", 1);
    mesh_op(&w, MESH_OP_SEND, "\x06\xc8\0\0\0\0", 6);
    mesh_op(&w, MESH_OP_FRAME, "\0\x0a\x09\x06", 4);
    mesh_op(&w, MESH_OP_BREAK, "\x01\0", 2);
    mesh_op(&w, MESH_OP_STEP, "\x06", 1);
    save("mesh", "linked", bytes, writer_used(&w));
    w = writer_over(bytes, sizeof bytes);
    write_u8(&w, 0);
    mesh_op(&w, MESH_OP_LINK, "\x01", 1);
    mesh_op(&w, MESH_OP_LINK, "\x02", 1);
    mesh_op(&w, MESH_OP_BREAK, "\x01\0", 2);
    mesh_op(&w, MESH_OP_STEP, "\x01", 1);
    mesh_op(&w, MESH_OP_FRAME, "\0\x07\x02\0", 4); /* seen */
    mesh_op(&w, MESH_OP_FRAME, "\0\x08\x02", 3);   /* dead */
    mesh_op(&w, MESH_OP_FRAME, "\0\x06\x02", 3);   /* asked */
    mesh_op(&w, MESH_OP_STEP, "\x06", 1);
    save("mesh", "death", bytes, writer_used(&w));
    w = writer_over(bytes, sizeof bytes);
    write_u8(&w, 0);
    mesh_op(&w, MESH_OP_ACCEPT, "", 0);
    mesh_op(&w, MESH_OP_HELLO, "\0\x01", 2);
    mesh_op(&w, MESH_OP_FRAME, "\0\x02\x06", 3);
    mesh_op(&w, MESH_OP_STEP, "\x02", 1);
    mesh_op(&w, MESH_OP_ACCEPT, "", 0);
    mesh_op(&w, MESH_OP_HELLO, "\x01\x0a", 2);
    mesh_op(&w, MESH_OP_WELCOME, "\x01", 1);
    save("mesh", "refused", bytes, writer_used(&w));
    w = writer_over(bytes, sizeof bytes);
    write_u8(&w, 1);
    mesh_op(&w, MESH_OP_STEP, "\x01", 1);
    mesh_op(&w, MESH_OP_DIALLED, "\0", 1);
    mesh_op(&w, MESH_OP_HELLO, "\0\x01", 2);
    mesh_op(&w, MESH_OP_WELCOME, "\0", 1);
    mesh_op(&w, MESH_OP_FRAME, "\0\x05\0\x02", 4); /* the book */
    mesh_op(&w, MESH_OP_ROOM, "\0\0", 2);
    mesh_op(&w, MESH_OP_STEP, "\x07", 1);
    save("mesh", "gate", bytes, writer_used(&w));
    /* Two nodes of one epoch in a book. */
    static const uint8_t book[] = {1, MESH_OP_LINK, 1, MESH_OP_FRAME, 0, 5, 1, 2, 0x22};
    save("mesh", "book", book, sizeof book);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "make_corpus DIRECTORY\n");
        return 2;
    }
    root = argv[1];
    make_batches();
    make_dumps();
    make_links();
    make_notes();
    make_client_messages();
    make_server_messages();
    make_frames();
    make_tickets();
    make_islands();
    make_gates();
    make_gates_with_homes();
    make_homes();
    make_value();
    make_deeds();
    make_documents();
    make_envelopes();
    make_requests();
    make_mesh();
    return 0;
}
