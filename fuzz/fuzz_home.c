/* A home that hears gates which say anything: raw bytes, and well-formed messages with extreme
 * fields. Time, store and links are the simulator's. Whatever they say, the world stands, tells
 * only messages that a gate can read, and keeps its counts.
 */
#include "base/check.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "rules/registry.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "wire/limits.h"
#include "world/island_make.h"
#include "world/world.h"
#include <string.h>

#define GATES        3
#define SESSIONS     8
#define PLAYERS_MAX  6
#define TOPICS_MAX   12
#define TOPIC_LIST   64
#define OPS_MAX      512
#define SIDE_MM      300000
#define START_US     INT64_C(100000000)
#define MESSAGE_MAX  8192
#define RAW_MAX      512
#define TURN_STEP_US 10000

struct session {
    uint64_t player, epoch;
    uint8_t ticket[TICKET_BYTES];
};

struct home {
    struct events time;
    struct memory_store *store;
    struct env env;
    struct world *world;
    struct session sessions[SESSIONS]; /* as the home told them, round and round */
    uint32_t session_count;
    uint32_t versions[GATES][2];
    bool full[GATES];
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

/* What the home tells a gate. */
static enum err
told(void *ctx, uint32_t gate, const struct slice *pieces, uint32_t count)
{
    struct home *h = ctx;
    static uint8_t bytes[32768];
    size_t n = 0;
    CHECK(gate < GATES);
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
        memcpy(s->ticket, m.as.home.ticket, sizeof s->ticket);
    }
    return OK;
}

static void
open_home(struct home *h)
{
    *h = (struct home){.session_count = 0};
    events_init(&h->time, 1);
    h->time.now_us = START_US;
    h->store = memory_store_alloc(&(struct memory_store_options){
        .schedule = events_port(&h->time), .documents_max = 256, .calls_max = 64});
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
    world_message(h->world, gate, bytes, n + tail.bytes);
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
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = {.conn = 1 + extreme_u64(in) % UINT64_MAX}};
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

static void
subscribe(struct home *h, struct reader *in)
{
    uint32_t gate = extreme_below(in, GATES);
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
    uint32_t gate = extreme_below(in, GATES);
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
    uint32_t gate = extreme_below(in, GATES);
    struct slice bytes = extreme_bytes(in, RAW_MAX);
    world_message(h->world, gate, bytes.at, bytes.bytes);
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
