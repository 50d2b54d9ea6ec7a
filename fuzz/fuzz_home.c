/* A home that hears gates and other homes which say anything: raw bytes, and well-formed messages
 * with extreme fields; and commands that could be some, over documents that somebody else wrote
 * with any content. Time, store and links are the simulator's. Whatever comes, the world stands,
 * tells only messages that a gate can read, and keeps its counts.
 */
#include "base/check.h"
#include "documents.pb-c.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "rules/registry.h"
#include "seom.pb-c.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "society/trade.h"
#include "value.pb-c.h"
#include "wire/limits.h"
#include "world/island_make.h"
#include "world/world.h"
#include <string.h>

#define GATES        3
#define PEERS        6 /* the gates, then other homes */
#define SESSIONS     8
#define PLAYERS_MAX  6
#define TOPICS_MAX   12
#define TOPIC_LIST   64
#define OPS_MAX      512
#define SIDE_MM      300000
#define START_US     INT64_C(100000000)
#define MESSAGE_MAX  8192
#define FILLED_MAX   65536
#define REPEATED_MAX 3
#define DEPTH_MAX    3
#define RAW_MAX      512
#define TURN_STEP_US 10000

struct session {
    uint64_t player, epoch;
    uint32_t gate;
    uint64_t seq; /* of its next command */
    uint8_t ticket[TICKET_BYTES];
};

struct home {
    struct events time;
    struct memory_store *store;
    struct memory_connection *other; /* another process */
    struct env env;
    struct world *world;
    struct session sessions[SESSIONS]; /* as the home told them, round and round */
    uint32_t session_count;
    uint32_t versions[PEERS][2];
    bool full[PEERS], up[PEERS];
    uint64_t epoch; /* the last that was given to anybody */
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

static void
check_records(const struct link_batch *batch)
{
    struct reader in = reader_over(batch->records.at, batch->records.bytes);
    struct record r;
    while (reader_left(&in) > 0) {
        CHECK(batch_next(&in, batch->tick_ms, &r) == OK);
    }
}

static void
heard_result(struct home *h, const struct link_self *self)
{
    bool settled = self->code != SEOM__CODE__RETRY_AFTER && self->code != SEOM__CODE__CLOSED &&
                   self->code != SEOM__CODE__UNREADABLE && self->code != SEOM__CODE__CONFLICT;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        if (h->sessions[i].player == self->player && settled) {
            h->sessions[i].seq = self->seq + 1;
        }
    }
}

/* What the home tells a gate. */
static enum err
told(void *ctx, uint32_t gate, const struct slice *pieces, uint32_t count)
{
    struct home *h = ctx;
    static uint8_t bytes[32768];
    size_t n = 0;
    CHECK(gate < PEERS && h->up[gate]); /* never to somebody who is gone */
    if (h->full[gate]) {
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
    if (m.kind == LINK_BATCH) {
        check_records(&m.as.batch);
    } else if (m.kind == LINK_SUBSCRIBED) {
        h->versions[gate][m.as.subscribed.wakes] = m.as.subscribed.version;
    } else if (m.kind == LINK_HOME && m.as.home.player != 0) {
        struct session *s = &h->sessions[h->session_count++ % SESSIONS];
        s->player = m.as.home.player;
        s->epoch = m.as.home.session_epoch;
        s->gate = gate;
        s->seq = m.as.home.last_seq + 1;
        memcpy(s->ticket, m.as.home.ticket, sizeof s->ticket);
    } else if (m.kind == LINK_SELF && m.as.self.kind == SELF_RESULT) {
        heard_result(h, &m.as.self);
    }
    return OK;
}

static void
other_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
}

static void
other_committed(void *ctx, uint64_t token, enum store_result result)
{
    (void)ctx;
    (void)token;
    (void)result;
}

static void
peer_comes(struct home *h, uint32_t peer)
{
    struct node node = {
        .epoch = ++h->epoch, .role = peer < GATES ? NODE_GATE : NODE_HOME, .index = (uint16_t)peer};
    world_peer_up(h->world, peer, &node);
    h->up[peer] = true;
    h->full[peer] = false;
}

static void
open_home(struct home *h)
{
    *h = (struct home){.session_count = 0};
    events_init(&h->time, 1);
    h->time.now_us = START_US;
    h->store = memory_store_alloc(&(struct memory_store_options){
        .schedule = events_port(&h->time), .documents_max = 4096, .calls_max = 64});
    h->env = (struct env){.clock = events_clock(&h->time), .links = {h, told}};
    struct world_options options = {.world_id = 1,
                                    .node_epoch = 5,
                                    .players_max = PLAYERS_MAX,
                                    .topics_max = TOPICS_MAX,
                                    .entering_max = 4,
                                    .game = registry_find("sample"),
                                    .islands = islands(),
                                    .seed = 9};
    CHECK(world_alloc(&options, &h->env, &h->world) == OK);
    h->env.store = memory_store_port(h->store, world_store_done(h->world));
    h->epoch = 100;
    for (uint32_t gate = 0; gate < GATES; gate++) {
        peer_comes(h, gate);
    }
    h->other = memory_store_connect(
        h->store, (struct store_done){.got = other_got, .committed = other_committed});
}

static void
close_home(struct home *h)
{
    world_free(&h->world);
    memory_store_free(&h->store);
    events_fini(&h->time);
}

static void
step(struct home *h, struct reader *in)
{
    static const int64_t steps_us[] = {1000, 10000, 100000, 1000000, 4000000, 11000000, 31000000};
    int64_t end_us = h->time.now_us + steps_us[extreme_below(in, 7)], next_us = h->time.now_us;
    while (h->time.now_us < end_us) {
        int64_t until_us =
            next_us > h->time.now_us + TURN_STEP_US ? next_us : h->time.now_us + TURN_STEP_US;
        events_run(&h->time, until_us < end_us ? until_us : end_us);
        next_us = world_turn(h->world);
        CHECK(next_us > h->time.now_us);
    }
}

static void
tell(struct home *h, uint32_t gate, const struct link_message *m)
{
    static uint8_t bytes[MESSAGE_MAX];
    size_t n = link_head(m, bytes);
    struct slice tail = link_tail(m);
    CHECK(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    if (h->up[gate]) {
        for (uint32_t step = 0; step < MESH_AHEAD_STEPS; step++) {
            world_ahead(h->world, step, bytes, n + tail.bytes);
        }
        world_message(h->world, gate, bytes, n + tail.bytes);
    }
}

static const struct session *
session(const struct home *h, struct reader *in)
{
    return &h->sessions[extreme_below(in, SESSIONS)];
}

static void
enter(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, GATES);
    struct link_message m = {
        .kind = LINK_ENTER,
        .as.enter = {.conn = 1 + extreme_u64(in) % UINT64_MAX, .sent_ms = env_world_ms(&h->env)}};
    uint8_t ticket = read_u8(in);
    m.as.enter.island = extreme_u32(in);
    if (ticket < SESSIONS) {
        m.as.enter.ticket_bytes = TICKET_BYTES;
        memcpy(m.as.enter.ticket, h->sessions[ticket].ticket, TICKET_BYTES);
    } else if (ticket >= 128) {
        m.as.enter.ticket_bytes = ticket % (sizeof m.as.enter.ticket + 1);
    }
    tell(h, gate, &m);
}

static void
input(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, GATES);
    const struct session *s = session(h, in);
    struct link_input i = {.player = s->player, .session_epoch = s->epoch};
    i.kind = (enum input_kind)(INPUT_MOVE + extreme_below(in, INPUT_SHOW));
    if (read_u8(in) >= 240) {
        i.player = extreme_u64(in);
        i.session_epoch = extreme_u64(in);
    }
    i.sent_us = read_u8(in) < 128 ? h->time.now_us : (int64_t)extreme_u64(in);
    i.number = extreme_u32(in);
    i.seq = extreme_u64(in);
    i.look = (uint8_t)extreme_u32(in);
    i.motion = extreme_motion(in, h->time.now_us / 1000);
    i.entity = read_u8(in) < 128 ? session(h, in)->player : extreme_u64(in);
    i.bytes = extreme_bytes(in, i.kind == INPUT_SAY ? SAY_BYTES_MAX : COMMAND_BYTES_MAX);
    tell(h, gate, &(struct link_message){.kind = LINK_INPUT, .as.input = i});
}

/* ---- messages with any content ---- */

static struct {
    size_t used;
    _Alignas(max_align_t) uint8_t bytes[FILLED_MAX];
} filled;

static void *
fill_room(size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    CHECK(rounded <= FILLED_MAX - filled.used);
    void *at = filled.bytes + filled.used;
    filled.used += rounded;
    memset(at, 0, rounded);
    return at;
}

static ProtobufCMessage *fill(const struct home *h, struct reader *in,
                              const ProtobufCMessageDescriptor *type, uint32_t depth);

/* Who came in, if anybody did. */
static const struct session *
somebody(const struct home *h, struct reader *in)
{
    uint32_t count = h->session_count < SESSIONS ? h->session_count : SESSIONS;
    return &h->sessions[extreme_below(in, count > 0 ? count : 1)];
}

static uint64_t
any_id(const struct home *h, struct reader *in)
{
    return read_u8(in) < 160 ? somebody(h, in)->player : extreme_u64(in);
}

static void
fill_one(const struct home *h, struct reader *in, const ProtobufCFieldDescriptor *field, void *at,
         uint32_t depth)
{
    uint64_t number;
    uint32_t half;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(void **)at = depth < DEPTH_MAX ? fill(h, in, field->descriptor, depth + 1) : NULL;
        return;
    case PROTOBUF_C_TYPE_STRING: {
        struct slice text = extreme_bytes(in, 80);
        char *copy = fill_room(text.bytes + 1);
        memcpy(copy, text.bytes > 0 ? (const char *)text.at : "", text.bytes);
        *(void **)at = copy;
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        struct slice bytes = extreme_bytes(in, 80);
        ProtobufCBinaryData data = {.len = bytes.bytes, .data = fill_room(bytes.bytes + 1)};
        memcpy(data.data, bytes.bytes > 0 ? (const char *)bytes.at : "", bytes.bytes);
        memcpy(at, &data, sizeof data);
        return;
    }
    case PROTOBUF_C_TYPE_SINT32:
        half = (uint32_t)extreme_mm(in);
        memcpy(at, &half, sizeof half);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        half = extreme_u32(in);
        memcpy(at, &half, sizeof half);
        return;
    case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at = read_u8(in) & 1; return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        number = any_id(h, in);
        memcpy(at, &number, sizeof number);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: break;
    }
    CHECK(!"a type that documents have");
}

static size_t
item_bytes(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_UINT32 ? sizeof(uint32_t) : sizeof(uint64_t);
}

/* Each field is left out, or has whatever the input says. Of a oneof the last one counts. */
static ProtobufCMessage *
fill(const struct home *h, struct reader *in, const ProtobufCMessageDescriptor *type,
     uint32_t depth)
{
    ProtobufCMessage *m = fill_room(type->sizeof_message);
    protobuf_c_message_init(type, m);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        uint8_t *at = (uint8_t *)m + field->offset;
        bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (read_u8(in) % 4 == 0 || oneof ||
            (field->type == PROTOBUF_C_TYPE_MESSAGE && depth == DEPTH_MAX)) {
            continue;
        }
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            fill_one(h, in, field, at, depth);
            continue;
        }
        size_t count = extreme_below(in, REPEATED_MAX + 1);
        uint8_t *items = fill_room(REPEATED_MAX * sizeof(uint64_t));
        for (size_t n = 0; n < count; n++) {
            fill_one(h, in, field, items + n * item_bytes(field), depth);
        }
        memcpy(at, &items, sizeof items);
        memcpy((uint8_t *)m + field->quantifier_offset, &count, sizeof count);
    }
    return m;
}

/* A command that could be one. */
static void
deed(struct home *h, struct reader *in)
{
    const ProtobufCMessageDescriptor *type = &seom__deed__descriptor;
    const struct session *s = somebody(h, in);
    uint8_t strange = read_u8(in);
    struct link_input i = {.player = s->player,
                           .session_epoch = s->epoch,
                           .kind = INPUT_COMMAND,
                           .seq = strange < 240 ? s->seq : strange - 240U};
    Seom__Deed asked = SEOM__DEED__INIT;
    const ProtobufCFieldDescriptor *field = &type->fields[extreme_below(in, type->n_fields)];
    uint8_t body[COMMAND_BYTES_MAX];
    filled.used = 0;
    asked.what_case = (Seom__Deed__WhatCase)field->id;
    asked.pick = (Seom__Pick *)fill(h, in, field->descriptor, 1); /* one of a union of pointers */
    if (seom__deed__get_packed_size(&asked) <= sizeof body) {
        i.bytes = (struct slice){body, seom__deed__pack(&asked, body)};
        tell(h, s->gate, &(struct link_message){.kind = LINK_INPUT, .as.input = i});
    }
}

/* As a home would have left it, apart from what it holds. */
static void
keep_session(const struct home *h, struct reader *in, Seom__PlayerDocument *document, uint64_t id)
{
    for (uint32_t i = 0; i < SESSIONS && read_u8(in) < 240; i++) {
        if (h->sessions[i].player == id && h->sessions[i].epoch >= document->session_epoch) {
            document->session_epoch = h->sessions[i].epoch;
            document->last_seq = h->sessions[i].seq - 1;
        }
    }
}

/* Whatever another process, an older version or a mistake may have left there. */
static void
document(struct home *h, struct reader *in)
{
    static const struct {
        const char *class;
        const ProtobufCMessageDescriptor *type;
    } classes[] = {
        {KEY_CLASS_PLAYER, &seom__player_document__descriptor},
        {KEY_CLASS_INBOX, &seom__inbox_document__descriptor},
        {KEY_CLASS_CHUNK, &seom__chunk_document__descriptor},
        {KEY_CLASS_CHEST, &seom__chest_document__descriptor},
        {KEY_CLASS_TRADE, &seom__trade_document__descriptor},
        {KEY_CLASS_MAIL, &seom__mail_document__descriptor},
        {KEY_CLASS_META, &seom__switches_document__descriptor},
    };

    uint32_t n = extreme_below(in, sizeof classes / sizeof classes[0]);
    uint8_t where = read_u8(in), packed[STORE_VALUE_MAX];
    uint64_t id = n == 2 ? chunk_id(1 + where / 100, where / 10 % 10, where % 10) : any_id(h, in);
    struct key key = classes[n].type == &seom__switches_document__descriptor
                         ? key_named(1, KEY_CLASS_META, "switches")
                         : key_make(1, classes[n].class, id);
    struct slice value = extreme_bytes(in, 64);
    filled.used = 0;
    if (where < 250) {
        ProtobufCMessage *m = fill(h, in, classes[n].type, 0);
        if (n == 0 && id != 0) {
            ((Seom__PlayerDocument *)m)->session_epoch = 0;
            keep_session(h, in, (Seom__PlayerDocument *)m, id);
        }
        if (protobuf_c_message_get_packed_size(m) > sizeof packed) {
            return;
        }
        value = (struct slice){packed, protobuf_c_message_pack(m, packed)};
    }
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = value};
    struct env_store port = memory_connection_port(h->other);
    CHECK(port.commit(port.ctx, 1, &write, 1) != ERR_RANGE);
}

static void
subscribe(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, PEERS);
    uint8_t flags = read_u8(in), bytes[TOPIC_LIST * sizeof(topic_id)];
    uint16_t adds = (uint16_t)extreme_below(in, TOPIC_LIST / 2 + 1),
             drops = (uint16_t)extreme_below(in, TOPIC_LIST / 2 + 1);
    struct link_subscribe s = {.epoch = 7, .whole = flags & 1, .wakes = flags >> 1 & 1};
    s.version = flags < 128 ? h->versions[gate][s.wakes] + 1 : extreme_u32(in);
    s.epoch = flags < 240 ? s.epoch : extreme_u32(in);
    s.add_count = adds;
    s.remove_count = s.whole ? 0 : drops;
    struct writer out = writer_over(bytes, sizeof bytes);
    for (uint32_t i = 0; i < (uint32_t)s.add_count + s.remove_count; i++) {
        write_u64(&out, extreme_topic(in));
    }
    s.topics = (struct slice){bytes, writer_used(&out)};
    tell(h, gate, &(struct link_message){.kind = LINK_SUBSCRIBE, .as.subscribe = s});
}

/* A kind that is not for a home, or a strange one. */
static void
link_other(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, PEERS);
    struct link_message m = {.kind = LINK_GO, .as.go = {.conn = 1, .node = extreme_u64(in)}};
    if (read_u8(in) % 2 == 0) {
        m = (struct link_message){.kind = LINK_SUBSCRIBED,
                                  .as.subscribed = {.epoch = extreme_u32(in)}};
    }
    tell(h, gate, &m);
}

static void
raw(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, PEERS);
    struct slice bytes = extreme_bytes(in, RAW_MAX);
    if (h->up[gate]) {
        for (uint32_t step = 0; step < MESH_AHEAD_STEPS; step++) {
            world_ahead(h->world, step, bytes.at, bytes.bytes);
        }
        world_message(h->world, gate, bytes.at, bytes.bytes);
    }
}

static void
resume(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, GATES);
    struct link_message m = {
        .kind = LINK_ENTER,
        .as.enter = {.conn = 1 + extreme_u64(in) % UINT64_MAX, .sent_ms = env_world_ms(&h->env)}};
    struct link_enter *e = &m.as.enter;
    const struct session *s = session(h, in);
    e->flags = read_u8(in);
    e->sent_ms = read_u8(in) < 200 ? e->sent_ms : (int64_t)extreme_u64(in);
    e->session_epoch = read_u8(in) < 200 ? s->epoch : extreme_u64(in);
    e->island = extreme_u32(in);
    e->look = (uint8_t)extreme_u32(in);
    e->motion = extreme_motion(in, h->time.now_us / 1000);
    e->ticket_bytes = TICKET_BYTES;
    memcpy(e->ticket, s->ticket, TICKET_BYTES);
    tell(h, gate, &m);
}

static void
peer(struct home *h, struct reader *in)
{
    uint32_t which = extreme_below(in, PEERS);
    uint8_t what = read_u8(in);
    if (!h->up[which]) {
        peer_comes(h, which);
    } else if (what < 128) {
        world_peer_load(h->world, which, what % 2 != 0, extreme_u32(in));
    } else {
        world_peer_down(h->world, which, what % 2 != 0);
        h->up[which] = false;
        memset(h->versions[which], 0, sizeof h->versions[which]);
    }
}

static void
node(struct home *h, struct reader *in)
{
    uint8_t what = read_u8(in);
    if (what < 32) {
        world_drain(h->world);
    } else if (what < 64) {
        world_renamed(h->world, ++h->epoch);
    } else if (what < 128) {
        world_node_died(h->world, extreme_u64(in));
    } else {
        world_book_changed(h->world);
    }
}

static void
store_trouble(struct home *h, struct reader *in)
{
    uint8_t what = read_u8(in);
    struct memory_store_knobs knobs = {.get_us_max = 2000, .commit_us_max = 20000};
    knobs.unavailable_ppm = what & 1 ? 200000 : 0;
    knobs.unknown_done_ppm = what & 2 ? 200000 : 0;
    knobs.unknown_lost_ppm = what & 4 ? 200000 : 0;
    knobs.unknown_late_ppm = what & 8 ? 200000 : 0;
    memory_store_set_knobs(h->store, &knobs);
    memory_store_set_away(h->store, (what & 16) != 0);
}

static void
check_counts(const struct home *h)
{
    const struct world_stats *s = world_stats(h->world);
    struct world_player p;
    uint32_t cursor = 0, players = 0, lingering = 0;
    while (world_next_player(h->world, &cursor, &p)) {
        players++;
        lingering += p.lingering;
        CHECK(archipelago_find(islands(), p.island) != NULL);
    }
    CHECK(players == s->players && lingering == s->lingering && players <= PLAYERS_MAX);
    CHECK(s->topics <= TOPICS_MAX + PLAYERS_MAX);
}

static void
operate(struct home *h, struct reader *in)
{
    switch ((enum home_op)extreme_below(in, HOME_OPS)) {
    case HOME_OP_TURN: CHECK(world_turn(h->world) > 0); break;
    case HOME_OP_STEP: step(h, in); break;
    case HOME_OP_ENTER: enter(h, in); break;
    case HOME_OP_INPUT: input(h, in); break;
    case HOME_OP_SUBSCRIBE: subscribe(h, in); break;
    case HOME_OP_LINK: link_other(h, in); break;
    case HOME_OP_RAW: raw(h, in); break;
    case HOME_OP_GATE_FULL: {
        uint32_t gate = extreme_below(in, GATES);
        h->full[gate] = read_u8(in) % 2;
        break;
    }
    case HOME_OP_STORE: store_trouble(h, in); break;
    case HOME_OP_STOP:
        if (read_u8(in) == UINT8_MAX) { /* seldom: little happens afterwards */
            world_stop(h->world, extreme_u32(in));
        }
        break;
    case HOME_OP_DEED: deed(h, in); break;
    case HOME_OP_DOCUMENT: document(h, in); break;
    case HOME_OP_RESUME: resume(h, in); break;
    case HOME_OP_PEER: peer(h, in); break;
    case HOME_OP_NODE: node(h, in); break;
    case HOME_OPS: break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct home h;
    struct reader in = reader_over(data, size);
    open_home(&h);
    for (uint32_t i = 0; i < OPS_MAX && reader_left(&in) > 0; i++) {
        operate(&h, &in);
        check_counts(&h);
    }
    close_home(&h);
    return 0;
}
