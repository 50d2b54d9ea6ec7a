/* A gate between hostile clients and hostile homes: raw bytes from both, and well-formed messages
 * with extreme fields, on virtual time, with sockets and links that are full at times, and homes
 * that come, go, die and come again. Whatever comes, the gate stands, tells homes that are there
 * only messages that a home can read, keeps its counts and touches no connection that is not open.
 */
#include "base/check.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "view/gate.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/message.h"
#include "world/island_make.h"
#include <string.h>

#define CONNS       6
#define HOMES       3
#define PLAYERS     4
#define OPS_MAX     512
#define SIDE_MM     300000
#define START_US    INT64_C(10000000)
#define MESSAGE_MAX 8192
#define RAW_MAX     2048
#define CROWD_MAX   100

struct socket {
    bool open, writable;
    size_t room;    /* what one send takes */
    uint64_t enter; /* the gate's handle, while the home has not answered */
};

struct peer {
    uint64_t node;              /* 0: not up */
    bool full;                  /* its link takes nothing */
    struct link_subscribe last; /* without its topics */
};

struct scene {
    struct env env;
    int64_t now_us;
    struct gate *gate;
    struct socket sockets[CONNS];
    struct peer homes[HOMES];
    uint32_t speaker; /* who tells what comes next */
    uint64_t epoch;   /* of the sessions, and the blocks, it speaks of */
    uint64_t node;    /* the last one that came */
};

/* The islands are the same for every input. */
static const struct archipelago *
islands(void)
{
    static struct archipelago made;
    static struct island_file files[2];
    if (files[0].at == NULL) {
        archipelago_init(&made);
        for (uint32_t i = 0; i < 2; i++) {
            CHECK(island_make_plain(i + 1, SIDE_MM, &files[i]) == OK);
            CHECK(archipelago_add(&made, island_file_slice(&files[i])) == OK);
        }
    }
    return &made;
}

/* Ports */

static int64_t
clock_mono_us(void *ctx)
{
    return ((struct scene *)ctx)->now_us;
}

static int64_t
clock_world_ms(void *ctx)
{
    return ((struct scene *)ctx)->now_us / 1000 + 5000000;
}

static uint64_t
clock_random(void *ctx)
{
    (void)ctx;
    return 4;
}

static struct socket *
socket_of(struct scene *s, uint32_t conn)
{
    CHECK(conn < CONNS && s->sockets[conn].open);
    return &s->sockets[conn];
}

static enum err
port_send(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count, size_t *taken)
{
    const struct socket *socket = socket_of(ctx, conn);
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(pieces[i].at != NULL && pieces[i].bytes > 0);
        *taken += pieces[i].bytes;
    }
    *taken = *taken < socket->room ? *taken : socket->room;
    return OK;
}

static void
port_want_writable(void *ctx, uint32_t conn, bool on)
{
    socket_of(ctx, conn)->writable = on;
}

static void
port_close(void *ctx, uint32_t conn)
{
    *socket_of(ctx, conn) = (struct socket){.open = false};
}

/* What the gate tells its homes. */
static enum err
port_tell(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct scene *s = ctx;
    static uint8_t bytes[32768];
    size_t n = 0;
    CHECK(peer < HOMES && s->homes[peer].node != 0);
    if (s->homes[peer].full) {
        return ERR_FULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        CHECK(n + pieces[i].bytes <= sizeof bytes);
        if (pieces[i].bytes > 0) {
            memcpy(bytes + n, pieces[i].at, pieces[i].bytes);
        }
        n += pieces[i].bytes;
    }
    struct link_message m;
    CHECK(link_read(bytes, n, &m) == OK);
    if (m.kind == LINK_ENTER) {
        socket_of(s, (uint32_t)m.as.enter.conn)->enter = m.as.enter.conn;
    } else if (m.kind == LINK_SUBSCRIBE) {
        s->homes[peer].last = m.as.subscribe;
        s->homes[peer].last.topics = (struct slice){NULL, 0};
    }
    return OK;
}

static void
home_up(struct scene *s, uint32_t home, uint64_t node)
{
    s->homes[home] = (struct peer){.node = node};
    gate_home_up(s->gate, home, node);
}

static void
open_scene(struct scene *s)
{
    *s = (struct scene){.now_us = START_US, .epoch = 1};
    s->env = (struct env){.clock = {s, clock_mono_us, clock_world_ms, clock_random},
                          .conns = {s, port_send, port_want_writable, port_close},
                          .links = {s, port_tell}};
    struct gate_options options = {.conns_max = CONNS,
                                   .entities_max = 192,
                                   .topics_max = 24,
                                   .chunks_max = 96,
                                   .islands = islands(),
                                   .subscribe_epoch_seed = 7,
                                   .speeds = {{.look = 0, .mm_per_s = 7000}},
                                   .speeds_count = 1};
    CHECK(gate_alloc(&options, &s->env, &s->gate) == OK);
    home_up(s, 0, ++s->node);
}

/* Clients */

static bool
is_open(const struct scene *s, uint32_t conn)
{
    return s->sockets[conn].open;
}

static void
open_conn(struct scene *s, uint32_t conn)
{
    if (!is_open(s, conn)) {
        s->sockets[conn] = (struct socket){.open = true, .room = SIZE_MAX};
        gate_opened(s->gate, conn);
    }
}

static void
send_frame(struct scene *s, uint32_t conn, const uint8_t *frame, size_t bytes)
{
    uint8_t all[FRAME_HEAD_MAX + MESSAGE_MAX];
    size_t head = frame_head(FRAME_TCP, bytes, all);
    CHECK(bytes <= MESSAGE_MAX);
    memcpy(all + head, frame, bytes);
    if (is_open(s, conn)) {
        gate_received(s->gate, conn, all, head + bytes);
    }
}

static void
send_message(struct scene *s, uint32_t conn, Seom__ClientMessage__WhatCase what, void *body)
{
    uint8_t frame[MESSAGE_MAX];
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = what;
    m.hello = body; /* one of a union of pointers */
    size_t bytes = message_write_client(&m, frame, sizeof frame);
    send_frame(s, conn, frame, bytes);
}

static void
hello(struct scene *s, uint32_t conn, bool spectator)
{
    Seom__Range protocol = SEOM__RANGE__INIT;
    protocol.min = PROTOCOL_MIN, protocol.max = PROTOCOL_MAX;
    Seom__Hello h = SEOM__HELLO__INIT;
    h.protocol = &protocol;
    h.spectator = spectator;
    open_conn(s, conn);
    send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_HELLO, &h);
}

static void
client_hello(struct scene *s, uint32_t conn, struct reader *in)
{
    uint8_t ticket[TICKET_BYTES_MAX] = {1};
    Seom__Range protocol = SEOM__RANGE__INIT;
    protocol.min = extreme_u32(in), protocol.max = extreme_u32(in);
    Seom__Hello h = SEOM__HELLO__INIT;
    h.protocol = &protocol;
    h.spectator = read_u8(in) % 2;
    h.island = extreme_u32(in);
    h.ticket = (ProtobufCBinaryData){.data = ticket, .len = extreme_below(in, sizeof ticket + 1)};
    send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_HELLO, &h);
}

static void
client_move(struct scene *s, uint32_t conn, struct reader *in)
{
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    struct message_move m = {.move_no = extreme_u32(in),
                             .look = (uint8_t)extreme_below(in, LOOK_KIND_MASK + 1),
                             .motion = extreme_motion(in, clock_world_ms(s))};
    m.motion.since_ms &= WORLD_MS_MAX;
    size_t bytes = message_write_move(&m, frame, sizeof frame);
    send_frame(s, conn, frame, bytes);
}

static void
client_request(struct scene *s, uint32_t conn, struct reader *in)
{
    char text[SAY_BYTES_MAX + 1] = {0};
    Seom__Say say = SEOM__SAY__INIT;
    Seom__LookAt look = SEOM__LOOK_AT__INIT;
    Seom__Camera camera = SEOM__CAMERA__INIT;
    Seom__Request r = SEOM__REQUEST__INIT;
    r.number = extreme_u32(in);
    uint32_t what = extreme_below(in, 4);
    if (what == 0) {
        memset(text, 'a', extreme_u32(in) % sizeof text);
        say.text = text;
        r.what_case = SEOM__REQUEST__WHAT_SAY;
        r.say = &say;
    } else if (what == 1) {
        look.entity = extreme_u64(in);
        r.what_case = SEOM__REQUEST__WHAT_LOOK;
        r.look = &look;
    } else {
        camera.island = what == 2 ? extreme_below(in, 4) : extreme_u32(in);
        camera.x_mm = extreme_mm(in), camera.y_mm = extreme_mm(in);
        camera.w_mm = extreme_u32(in), camera.h_mm = extreme_u32(in);
        r.what_case = SEOM__REQUEST__WHAT_CAMERA;
        r.camera = &camera;
    }
    send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_REQUEST, &r);
}

static void
client_other(struct scene *s, uint32_t conn, struct reader *in)
{
    uint8_t body[COMMAND_BYTES_MAX] = {7};
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = extreme_u64(in);
    command.body = (ProtobufCBinaryData){.data = body, .len = extreme_u32(in) % (sizeof body + 1)};
    Seom__Ping ping = SEOM__PING__INIT;
    ping.client_ms = (int64_t)extreme_u64(in);
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    goodbye.code = (Seom__Code)(extreme_u32(in) % (UINT8_MAX + 1));
    switch (extreme_below(in, 5)) {
    case 0: send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_GOODBYE, &goodbye); break;
    case 1: send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_PING, &ping); break;
    default: send_message(s, conn, SEOM__CLIENT_MESSAGE__WHAT_COMMAND, &command); break;
    }
}

static void
client(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS);
    switch (extreme_below(in, 8)) {
    case 0: client_hello(s, conn, in); break;
    case 1:
    case 2:
    case 3: client_request(s, conn, in); break;
    case 4: client_other(s, conn, in); break;
    default: client_move(s, conn, in); break;
    }
}

static void
raw(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS);
    struct slice bytes = extreme_bytes(in, RAW_MAX);
    uint8_t copy[RAW_MAX];
    if (is_open(s, conn) && bytes.bytes > 0) {
        memcpy(copy, bytes.at, bytes.bytes);
        gate_received(s->gate, conn, copy, bytes.bytes);
    }
}

/* Homes */

static void
tell(struct scene *s, const struct link_message *m)
{
    static uint8_t bytes[MESSAGE_MAX];
    size_t n = link_head(m, bytes);
    struct slice tail = link_tail(m);
    CHECK(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    for (uint32_t step = 0; step < MESH_AHEAD_STEPS; step++) {
        gate_ahead(s->gate, step, bytes, n + tail.bytes);
    }
    gate_message(s->gate, s->speaker, bytes, n + tail.bytes);
}

static void
home(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS), player = 1 + extreme_below(in, PLAYERS);
    uint8_t at = read_u8(in);
    if (!is_open(s, conn) || s->sockets[conn].enter == 0) {
        return;
    }
    struct link_home h = {.conn = s->sockets[conn].enter,
                          .player = player,
                          .entity = player,
                          .session_epoch = s->epoch,
                          .island = 1 + at % 2,
                          .motion = {.x_mm = at % 16 * (SIDE_MM / 16),
                                     .y_mm = at / 16 * (SIDE_MM / 16),
                                     .since_ms = clock_world_ms(s)}};
    tell(s, &(struct link_message){.kind = LINK_HOME, .as.home = h});
}

/* Mostly one that means something. */
static uint8_t
any_code(struct reader *in)
{
    uint8_t n = read_u8(in);
    return n < 192 ? n % GATE_CODES : n;
}

static struct link_self
any_self(struct scene *s, struct reader *in)
{
    struct link_self self = {.player = 1 + extreme_below(in, PLAYERS), .session_epoch = s->epoch};
    self.kind = (enum self_kind)(SELF_MOTION + extreme_below(in, SELF_LOBBY));
    self.flags = (uint8_t)extreme_u32(in);
    self.look = (uint8_t)extreme_u32(in);
    self.number = extreme_u32(in);
    self.island = read_u8(in) < 200 ? 1 + extreme_below(in, 2) : extreme_u32(in);
    self.motion = extreme_motion(in, clock_world_ms(s));
    self.code = any_code(in);
    self.seq = extreme_u64(in);
    self.entity = extreme_u64(in);
    self.bytes = extreme_bytes(in, RESULT_BYTES_MAX);
    return self;
}

static struct link_home
any_home(struct scene *s, struct reader *in)
{
    struct link_home h = {.conn = s->sockets[extreme_below(in, CONNS)].enter};
    h.conn = h.conn != 0 ? h.conn : 1 + extreme_u64(in) % UINT64_MAX;
    h.code = read_u8(in) < 128 ? 0 : any_code(in);
    h.retry_after_ms = extreme_u32(in);
    h.player = extreme_u64(in);
    h.entity = extreme_u64(in);
    h.session_epoch = extreme_u64(in);
    h.last_seq = extreme_u64(in);
    h.island = extreme_u32(in);
    h.look = (uint8_t)extreme_u32(in);
    h.motion = extreme_motion(in, clock_world_ms(s));
    return h;
}

static void
density(struct scene *s, struct reader *in)
{
    uint8_t record[1024];
    struct density_cell cells[64];
    uint16_t count = (uint16_t)extreme_below(in, 64);
    for (uint16_t i = 0; i < count; i++) {
        cells[i] = (struct density_cell){read_u16(in), read_u16(in), read_u16(in)};
    }
    uint32_t island = extreme_u32(in);
    uint16_t cell_m = (uint16_t)extreme_u32(in);
    struct writer out = writer_over(record, sizeof record);
    batch_put_density(&out, island, cell_m != 0 ? cell_m : 1, cells, count);
    tell(s, &(struct link_message){
                .kind = LINK_DENSITY,
                .as.density = {.island = island, .record = {record, writer_used(&out)}}});
}

static void
link_message_of_home(struct scene *s, struct reader *in)
{
    struct link_message m = {.kind = LINK_GO, .as.go = {.conn = 1}};
    switch (extreme_below(in, 6)) {
    case 0:
    case 1: m = (struct link_message){.kind = LINK_SELF, .as.self = any_self(s, in)}; break;
    case 2: m = (struct link_message){.kind = LINK_HOME, .as.home = any_home(s, in)}; break;
    case 3:
        m = (struct link_message){.kind = LINK_SUBSCRIBED,
                                  .as.subscribed = {.epoch = extreme_u32(in),
                                                    .version = extreme_u32(in),
                                                    .wakes = read_u8(in) % 2,
                                                    .digest = extreme_u64(in)}};
        break;
    case 4: density(s, in); return;
    default: break;
    }
    tell(s, &m);
}

static void
put_record(struct scene *s, struct reader *in, struct writer *out)
{
    uint64_t entity = 1 + extreme_u64(in) % UINT64_MAX;
    struct record_motion motion = {.entity = entity, .look = (uint8_t)extreme_u32(in)};
    motion.motion = extreme_motion(in, clock_world_ms(s));
    struct record_self self = {.body = motion};
    struct record_thing thing = {.entity = entity, .kind = motion.look};
    thing.place = (struct place){motion.motion.x_mm, motion.motion.y_mm};
    uint8_t what = read_u8(in);
    switch (what % 8) {
    case 0:
        thing.attributes = extreme_bytes(in, ATTRIBUTES_MAX);
        batch_put_thing(out, &thing);
        break;
    case 1:
        batch_put_leave(out, entity, (uint16_t)extreme_u32(in), (uint16_t)extreme_u32(in));
        break;
    case 2: batch_put_say(out, entity, extreme_bytes(in, SAY_BYTES_MAX)); break;
    case 3: batch_put_forget(out, (uint16_t)extreme_u32(in), (uint16_t)extreme_u32(in)); break;
    case 4: batch_put_self(out, &self); break;
    case 5: batch_put_owned(out, entity, what / 8); break;
    default: batch_put_motion(out, &motion); break;
    }
}

static void
batch(struct scene *s, topic_id topic, uint8_t flags, const struct writer *records)
{
    if (topic == TOPIC_DENSITY) {
        return; /* no batch may name it */
    }
    struct link_batch batch = {.topic = topic,
                               .publisher_epoch = s->homes[s->speaker].node + (flags == 0xff),
                               .tick_ms = clock_world_ms(s),
                               .snapshot = flags & 1,
                               .steward_epoch = flags >> 1 & 1 ? s->epoch : 0,
                               .awake_chunks_lo = flags,
                               .awake_chunks_hi = (uint8_t)~flags,
                               .records = {records->start, writer_used(records)}};
    tell(s, &(struct link_message){.kind = LINK_BATCH, .as.batch = batch});
}

static void
records(struct scene *s, struct reader *in)
{
    uint8_t bytes[4096];
    struct writer out = writer_over(bytes, sizeof bytes);
    topic_id topic = extreme_topic(in);
    uint8_t flags = read_u8(in);
    uint32_t count = extreme_below(in, 16);
    for (uint32_t i = 0; i < count; i++) {
        put_record(s, in, &out);
    }
    batch(s, topic, flags, &out);
}

/* So many people in one place that its chunk is cut into cells; sometimes half of them go again. */
static void
crowd(struct scene *s, struct reader *in)
{
    uint8_t bytes[CROWD_MAX * RECORD_MOTION_BYTES];
    struct writer out = writer_over(bytes, sizeof bytes);
    topic_id topic = extreme_topic(in);
    uint8_t at = read_u8(in), flags = read_u8(in);
    uint32_t count = extreme_below(in, CROWD_MAX + 1);
    uint64_t first = UINT64_C(1) + extreme_u32(in);
    int32_t x_mm = topic_bx(topic) % 64 * BLOCK_CHUNKS * CHUNK_MM + at % 4 * CHUNK_MM;
    int32_t y_mm = topic_by(topic) % 64 * BLOCK_CHUNKS * CHUNK_MM + at / 4 % 4 * CHUNK_MM;
    for (uint32_t i = 0; i < count; i++) {
        struct record_motion m = {.entity = first + i,
                                  .look = (uint8_t)(at >> 4),
                                  .motion = {.x_mm = x_mm + (int32_t)i * 293,
                                             .y_mm = y_mm + (int32_t)(i * i % 30) * 997,
                                             .vx = (int16_t)(i * 999),
                                             .since_ms = clock_world_ms(s),
                                             .lasts_ms = 10000}};
        batch_put_motion(&out, &m);
    }
    batch(s, topic, flags, &out);
}

static void
ack(struct scene *s, struct reader *in)
{
    uint8_t what = read_u8(in);
    const struct link_subscribe *last = &s->homes[s->speaker].last;
    struct link_subscribed a = {.epoch = last->epoch,
                                .version = last->version + (what >> 1 & 1),
                                .wakes = last->wakes,
                                .digest = what & 1 ? gate_digest(s->gate, last->wakes) : what};
    tell(s, &(struct link_message){.kind = LINK_SUBSCRIBED, .as.subscribed = a});
}

static void
go(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS);
    uint8_t whose = read_u8(in);
    struct link_go go = {.node = s->homes[extreme_below(in, HOMES)].node};
    if (whose % 2 == 0) {
        go.conn = s->sockets[conn].enter != 0 ? s->sockets[conn].enter : UINT64_C(1) << 32 | conn;
    } else {
        go.player = 1 + whose / 2 % PLAYERS;
        go.session_epoch = s->epoch;
    }
    tell(s, &(struct link_message){.kind = LINK_GO, .as.go = go});
}

static void
line(struct scene *s, struct reader *in)
{
    uint32_t home = extreme_below(in, HOMES);
    struct peer *h = &s->homes[home];
    uint8_t what = read_u8(in);
    switch (what % 6) {
    case 0: home_up(s, home, ++s->node); break;
    case 1: /* one that was here, maybe under another number */
        if (h->node == 0 && s->homes[(home + 1) % HOMES].node != s->node &&
            s->homes[(home + 2) % HOMES].node != s->node) {
            home_up(s, home, s->node);
        }
        break;
    case 2:
    case 3:
        h->node = 0;
        gate_home_down(s->gate, home, what % 6 == 3);
        break;
    case 4: {
        uint64_t node = what / 6 % (s->node + 1);
        for (uint32_t i = 0; i < HOMES; i++) {
            s->homes[i].node = s->homes[i].node == node ? 0 : s->homes[i].node;
        }
        gate_home_died(s->gate, node);
        break;
    }
    default: gate_home_state(s->gate, home, what / 6 % 2 != 0, extreme_u32(in)); break;
    }
}

/* The run */

static void
step(struct scene *s, struct reader *in)
{
    static const int64_t steps_us[] = {1000, 10000, 100000, 500000, 1000000, 6000000, 16000000};
    int64_t end_us = s->now_us + steps_us[extreme_below(in, 7)];
    while (s->now_us < end_us) {
        int64_t next_us = gate_turn(s->gate);
        CHECK(next_us > s->now_us);
        int64_t least_us = s->now_us + 20000; /* a late gate is a gate, too */
        next_us = next_us > least_us ? next_us : least_us;
        s->now_us = next_us < end_us ? next_us : end_us;
    }
}

static void
change_socket(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS);
    uint32_t room = extreme_u32(in);
    struct socket *socket = &s->sockets[conn];
    if (socket->open) {
        socket->room = room == UINT32_MAX ? SIZE_MAX : room;
        if (socket->writable && room > 0) {
            gate_writable(s->gate, conn);
        }
    }
}

static void
close_conn(struct scene *s, struct reader *in)
{
    uint32_t conn = extreme_below(in, CONNS);
    if (is_open(s, conn)) {
        s->sockets[conn] = (struct socket){.open = false};
        gate_closed(s->gate, conn);
    }
}

static void
check_counts(const struct scene *s)
{
    const struct gate_stats *stats = gate_stats(s->gate);
    uint32_t open = 0;
    for (uint32_t i = 0; i < CONNS; i++) {
        open += s->sockets[i].open;
    }
    uint32_t up = 0;
    for (uint32_t i = 0; i < HOMES; i++) {
        up += s->homes[i].node != 0;
    }
    CHECK(stats->homes == up && stats->resuming <= stats->players);
    CHECK(stats->connections == open && stats->players + stats->spectators <= open);
    CHECK(stats->opened == stats->closed + open);
}

static void
operate(struct scene *s, struct reader *in)
{
    switch ((enum gate_op)extreme_below(in, GATE_OPS)) {
    case GATE_OP_TURN: CHECK(gate_turn(s->gate) > s->now_us); break;
    case GATE_OP_STEP: step(s, in); break;
    case GATE_OP_OPEN: open_conn(s, extreme_below(in, CONNS)); break;
    case GATE_OP_HELLO: {
        uint32_t conn = extreme_below(in, CONNS);
        hello(s, conn, read_u8(in) % 2 != 0);
        break;
    }
    case GATE_OP_HOME: home(s, in); break;
    case GATE_OP_CLIENT: client(s, in); break;
    case GATE_OP_RAW: raw(s, in); break;
    case GATE_OP_LINK: link_message_of_home(s, in); break;
    case GATE_OP_LINK_RAW: {
        struct slice bytes = extreme_bytes(in, RAW_MAX);
        for (uint32_t step = 0; step < MESH_AHEAD_STEPS; step++) {
            gate_ahead(s->gate, step, bytes.at, bytes.bytes);
        }
        gate_message(s->gate, s->speaker, bytes.at, bytes.bytes);
        break;
    }
    case GATE_OP_RECORDS: records(s, in); break;
    case GATE_OP_CROWD: crowd(s, in); break;
    case GATE_OP_ACK: ack(s, in); break;
    case GATE_OP_CLOSE: close_conn(s, in); break;
    case GATE_OP_SOCKET: change_socket(s, in); break;
    case GATE_OP_HOME_FULL: s->homes[s->speaker].full = read_u8(in) % 2 != 0; break;
    case GATE_OP_PEER:
        s->speaker = extreme_below(in, HOMES);
        s->epoch = 1 + read_u8(in) % 8;
        break;
    case GATE_OP_LINE: line(s, in); break;
    case GATE_OP_GO: go(s, in); break;
    case GATE_OP_STOP:
        if (read_u8(in) >= 240) {
            gate_stop(s->gate, read_u8(in) % GATE_CODES, extreme_u32(in));
        }
        break;
    case GATE_OPS: break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene s;
    struct reader in = reader_over(data, size);
    open_scene(&s);
    for (uint32_t i = 0; i < OPS_MAX && reader_left(&in) > 0; i++) {
        operate(&s, &in);
        check_counts(&s);
    }
    gate_free(&s.gate);
    return 0;
}
