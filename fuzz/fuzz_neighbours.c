/* A home among homes that say anything: batches about people, acknowledgements, answers to commands
 * and looks, commands of theirs, claims of its blocks, and a book that changes. Its own people play
 * on through a gate. Whatever comes, the world stands, its counts have limits, and once the others
 * are silent nothing waits for them.
 */
#include "base/check.h"
#include "documents.pb-c.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "rules/registry.h"
#include "seom.pb-c.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "world/island_make.h"
#include "world/world.h"
#include <stdlib.h>
#include <string.h>

#define OTHERS      2 /* homes; their peers are 1 and 2, the gate's is 0 */
#define PEERS       (1 + OTHERS)
#define PLAYERS     3
#define PLAYERS_MAX 6
#define TOPICS_KEPT 8
#define OPS_MAX     400
#define SIDE_MM     300000
#define START_US    INT64_C(100000000)
#define BYTES_MAX   8192
#define HERE        5 /* our node_epoch */
#define REST_US     INT64_C(20000000)
#define STEP_US     10000

enum neighbours_op {
    OP_STEP,
    OP_BATCH,
    OP_ACK,
    OP_RAW,
    OP_COMMAND,
    OP_LOOK,
    OP_MOVE,
    OP_ASK,
    OP_ANSWERS,
    OP_PEER,
    OP_BOOK,
    OP_CLAIM,
    OPS
};

struct other {
    struct neighbours *home;
    uint32_t peer;
    uint64_t epoch;
    struct env env;
    struct requests *requests; /* what it asks and answers */
    uint8_t manner;            /* in which it answers */
    struct slice answer;
};

struct neighbours {
    struct events time;
    struct memory_store *store;
    struct memory_connection *elsewhere;
    struct env env;
    struct requests *requests;
    struct world *world;
    struct book book;
    struct other others[OTHERS];
    bool up[PEERS];
    struct link_home players[PLAYERS];
    uint32_t players_count;
    uint64_t seq[PLAYERS];
    topic_id topics[TOPICS_KEPT]; /* that were subscribed last, round and round */
    uint32_t topics_count;
    struct link_subscribe asked; /* last */
    struct parcel *parcels;      /* on their way */
    uint64_t next_epoch;
};

static const struct archipelago *
islands(void)
{
    static struct archipelago made;
    static struct island_file file;
    if (file.at == NULL) {
        archipelago_init(&made);
        CHECK(island_make_plain(1, SIDE_MM, &file) == OK);
        CHECK(archipelago_add(&made, island_file_slice(&file)) == OK);
    }
    return &made;
}

/* ---- links ---- */

static void
hear_subscribe(struct neighbours *h, const struct link_subscribe *s)
{
    struct reader in = reader_over(s->topics.at, s->topics.bytes);
    for (uint32_t i = 0; i < s->add_count; i++) {
        h->topics[h->topics_count++ % TOPICS_KEPT] = read_u64(&in);
    }
    h->asked = *s;
}

static size_t
join_pieces(const struct slice *pieces, uint32_t count, uint8_t bytes[BYTES_MAX])
{
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(n + pieces[i].bytes <= BYTES_MAX);
        if (pieces[i].bytes > 0) {
            memcpy(bytes + n, pieces[i].at, pieces[i].bytes);
        }
        n += pieces[i].bytes;
    }
    return n;
}

struct parcel {
    struct parcel *next;
    struct neighbours *home;
    uint32_t peer;
    bool to_us;
    size_t bytes;
    uint8_t message[];
};

static void
arrives(void *argument, uint64_t n)
{
    (void)n;
    struct parcel *p = argument, **at = &p->home->parcels;
    struct neighbours *h = p->home;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    if (h->up[p->peer] && p->to_us) {
        CHECK(requests_message(h->requests, p->peer, p->message, p->bytes));
    } else if (h->up[p->peer]) {
        CHECK(requests_message(h->others[p->peer - 1].requests, 0, p->message, p->bytes));
    }
    free(p);
}

static void
post(struct neighbours *h, uint32_t peer, bool to_us, const uint8_t *bytes, size_t n)
{
    struct parcel *p = malloc(sizeof *p + n);
    CHECK(p != NULL);
    *p = (struct parcel){.next = h->parcels, .home = h, .peer = peer, .to_us = to_us, .bytes = n};
    h->parcels = p;
    memcpy(p->message, bytes, n);
    struct sim_schedule at = events_port(&h->time);
    at.at(at.ctx, h->time.now_us + 1000, arrives, p, 0);
}

static enum err
say(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct neighbours *h = ctx;
    uint8_t bytes[BYTES_MAX];
    CHECK(peer < PEERS);
    if (!h->up[peer]) {
        return ERR_CLOSED;
    }
    size_t n = join_pieces(pieces, count, bytes);
    if (bytes[0] >= REQUESTS_KIND_MIN) {
        if (peer != 0) { /* a gate that asks for something is refused */
            post(h, peer, false, bytes, n);
        }
        return OK;
    }
    struct link_message m;
    CHECK(link_read(bytes, n, &m) == OK);
    if (m.kind == LINK_SUBSCRIBE) {
        CHECK(peer != 0);
        hear_subscribe(h, &m.as.subscribe);
    } else if (m.kind == LINK_HOME && m.as.home.code == SEOM__CODE__FINE) {
        h->players[h->players_count++ % PLAYERS] = m.as.home;
    }
    return OK;
}

static enum err
other_says(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct other *o = ctx;
    uint8_t bytes[BYTES_MAX];
    CHECK(peer == 0);
    post(o->home, o->peer, true, bytes, join_pieces(pieces, count, bytes));
    return OK;
}

static void
other_is_asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    const struct other *o = ctx;
    (void)peer;
    (void)deadline_us;
    if (o->manner % 4 == 0) {
        requests_reject(o->requests, job);
    } else if (o->manner % 4 == 1) {
        requests_reply(o->requests, job, o->manner >= 128, o->answer);
    } else if (o->manner % 4 == 2) {
        requests_reply(o->requests, job, false, body);
    }
}

static void
other_is_answered(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    (void)ctx;
    (void)n;
    CHECK(!part && (end == REQUEST_DONE || body.bytes == 0));
}

static void
elsewhere_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
}

static void
elsewhere_committed(void *ctx, uint64_t token, enum store_result result)
{
    (void)ctx;
    (void)token;
    (void)result;
}

/* ---- begin and end ---- */

static void
peer_comes(struct neighbours *h, uint32_t peer)
{
    struct node node = {.epoch = 1000, .role = NODE_GATE};
    if (peer > 0) {
        struct other *o = &h->others[peer - 1];
        o->epoch = ++h->next_epoch;
        node = (struct node){.epoch = o->epoch, .role = NODE_HOME, .index = (uint16_t)peer};
        CHECK(book_put(&h->book, &node) == OK);
    }
    h->up[peer] = true;
    world_peer_up(h->world, peer, &node);
}

static void
tell(struct neighbours *h, uint32_t peer, const struct link_message *m)
{
    uint8_t bytes[BYTES_MAX];
    size_t n = link_head(m, bytes);
    struct slice tail = link_tail(m);
    CHECK(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    if (h->up[peer]) {
        world_message(h->world, peer, bytes, n + tail.bytes);
    }
}

static void
run(struct neighbours *h, int64_t us)
{
    int64_t end_us = h->time.now_us + us;
    while (h->time.now_us < end_us) {
        events_run(&h->time, h->time.now_us + STEP_US);
        (void)requests_turn(h->requests);
        for (uint32_t i = 0; i < OTHERS; i++) {
            (void)requests_turn(h->others[i].requests);
        }
        CHECK(world_turn(h->world) > h->time.now_us);
    }
}

/* The gate wants what our people see awake. */
static void
subscribe(struct neighbours *h)
{
    uint8_t bytes[TOPICS_KEPT * 8];
    struct writer out = writer_over(bytes, sizeof bytes);
    uint32_t count = h->topics_count < TOPICS_KEPT ? h->topics_count : TOPICS_KEPT;
    for (uint32_t i = 0; i < count; i++) {
        write_u64(&out, h->topics[i]);
    }
    tell(h, 0,
         &(struct link_message){.kind = LINK_SUBSCRIBE,
                                .as.subscribe = {.epoch = 1,
                                                 .version = 1,
                                                 .whole = 1,
                                                 .wakes = 1,
                                                 .add_count = (uint16_t)count,
                                                 .topics = {bytes, writer_used(&out)}}});
}

static void
open_others(struct neighbours *h)
{
    for (uint32_t i = 0; i < OTHERS; i++) {
        struct other *o = &h->others[i];
        *o = (struct other){.home = h, .peer = i + 1};
        o->env = (struct env){.clock = events_clock(&h->time), .links = {o, other_says}};
        o->requests = requests_alloc(&o->env);
        requests_serve(o->requests, REQUEST_COMMAND, other_is_asked, o);
        requests_serve(o->requests, REQUEST_LOOK, other_is_asked, o);
    }
}

static void
open_home(struct neighbours *h)
{
    *h = (struct neighbours){.next_epoch = 10};
    events_init(&h->time, 1);
    h->time.now_us = START_US;
    h->store = memory_store_alloc(
        &(struct memory_store_options){.schedule = events_port(&h->time), .documents_max = 4096});
    h->env = (struct env){.clock = events_clock(&h->time), .links = {h, say}};
    h->requests = requests_alloc(&h->env);
    struct node self = {.epoch = HERE, .role = NODE_HOME};
    CHECK(book_put(&h->book, &self) == OK);
    struct world_options options = {.world_id = 1,
                                    .node_epoch = HERE,
                                    .players_max = PLAYERS_MAX,
                                    .topics_max = 32,
                                    .game = registry_find("sample"),
                                    .islands = islands(),
                                    .seed = 9,
                                    .book = &h->book,
                                    .requests = h->requests};
    CHECK(world_alloc(&options, &h->env, &h->world) == OK);
    h->env.store = memory_store_port(h->store, world_store_done(h->world));
    h->elsewhere = memory_store_connect(
        h->store, (struct store_done){.got = elsewhere_got, .committed = elsewhere_committed});
    open_others(h);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        peer_comes(h, peer);
    }
    for (uint32_t i = 0; i < PLAYERS; i++) {
        tell(h, 0,
             &(struct link_message){.kind = LINK_ENTER,
                                    .as.enter = {.conn = 1 + i,
                                                 .sent_ms = h->time.now_us / 1000,
                                                 .flags = ENTER_DECIDED}});
    }
    run(h, 2000000);
    subscribe(h);
    CHECK(h->players_count == PLAYERS && h->topics_count > 0);
}

/* The others fall silent; within their deadlines nothing is left that waits for them. */
static void
close_home(struct neighbours *h)
{
    for (uint32_t i = 0; i < OTHERS; i++) {
        h->others[i].manner = 3;
    }
    run(h, REST_US);
    CHECK(requests_stats(h->requests)->asking == 0);
    CHECK(world_commands_under_way(h->world) == 0);
    world_free(&h->world);
    requests_free(&h->requests);
    for (uint32_t i = 0; i < OTHERS; i++) {
        requests_free(&h->others[i].requests);
    }
    while (h->parcels != NULL) {
        struct parcel *p = h->parcels;
        h->parcels = p->next;
        free(p);
    }
    memory_store_free(&h->store);
    events_fini(&h->time);
}

/* ---- what the others say ---- */

/* Never 0, which cannot be written. */
static uint64_t
entity(const struct neighbours *h, struct reader *in)
{
    uint8_t n = read_u8(in);
    uint64_t any = n < 192 ? 0 : extreme_u64(in);
    return n < 64     ? h->players[n % PLAYERS].player
           : any == 0 ? h->players[0].player + 100 + n % 4
                      : any;
}

/* Often a block that we listen to. */
static topic_id
topic(const struct neighbours *h, struct reader *in)
{
    uint32_t kept = h->topics_count < TOPICS_KEPT ? h->topics_count : TOPICS_KEPT;
    return read_u8(in) < 200 ? h->topics[extreme_below(in, kept)] : extreme_topic(in);
}

static struct slice
some_bytes(struct reader *in)
{
    size_t n = read_u8(in) % 64, left = reader_left(in);
    return read_bytes(in, n < left ? n : left);
}

static void
put_record(const struct neighbours *h, struct reader *in, struct writer *out)
{
    struct record_motion m = {.look = read_u8(in) % 4};
    uint64_t who = entity(h, in);
    switch (extreme_below(in, 4)) {
    case 0: batch_put_owned(out, who, extreme_u64(in)); break;
    case 1:
        m.entity = who;
        m.motion = extreme_motion(in, h->time.now_us / 1000);
        batch_put_motion(out, &m);
        break;
    case 2: batch_put_leave(out, who, (uint16_t)extreme_u32(in), (uint16_t)extreme_u32(in)); break;
    default: batch_put_forget(out, (uint16_t)extreme_u32(in), (uint16_t)extreme_u32(in)); break;
    }
}

static void
batch(struct neighbours *h, struct reader *in)
{
    uint8_t bytes[1024];
    struct writer out = writer_over(bytes, sizeof bytes);
    uint32_t peer = extreme_below(in, PEERS), records = extreme_below(in, 16);
    for (uint32_t i = 0; i < records; i++) {
        put_record(h, in, &out);
    }
    CHECK(writer_ok(&out));
    struct link_batch b = {.topic = topic(h, in), .tick_ms = h->time.now_us / 1000};
    b.topic = b.topic == TOPIC_DENSITY ? h->topics[0] : b.topic; /* which has no batches */
    b.publisher_epoch = peer > 0 && read_u8(in) < 224 ? h->others[peer - 1].epoch : extreme_u64(in);
    b.snapshot = read_u8(in) % 2;
    b.steward_epoch = extreme_u64(in);
    b.records = (struct slice){bytes, writer_used(&out)};
    b.records.bytes -= read_u8(in) == 255 && b.records.bytes > 0;
    tell(h, peer, &(struct link_message){.kind = LINK_BATCH, .as.batch = b});
}

static void
acknowledge(struct neighbours *h, struct reader *in)
{
    struct link_subscribed a = {
        .epoch = h->asked.epoch, .version = h->asked.version, .digest = extreme_u64(in)};
    if (read_u8(in) >= 192) {
        a.epoch = extreme_u32(in);
        a.version = extreme_u32(in);
        a.wakes = read_u8(in) % 2;
    }
    tell(h, 1 + extreme_below(in, OTHERS),
         &(struct link_message){.kind = LINK_SUBSCRIBED, .as.subscribed = a});
}

static void
raw(struct neighbours *h, struct reader *in)
{
    uint32_t peer = extreme_below(in, PEERS);
    struct slice bytes = extreme_bytes(in, 256);
    if (h->up[peer] && !requests_message(h->requests, peer, bytes.at, bytes.bytes)) {
        world_message(h->world, peer, bytes.at, bytes.bytes);
    }
}

/* A command or a look that another home asks us for. */
static void
ask(struct neighbours *h, struct reader *in)
{
    const struct other *o = &h->others[extreme_below(in, OTHERS)];
    uint8_t bytes[512], kind = read_u8(in);
    struct writer out = writer_over(bytes, sizeof bytes);
    const struct link_home *who = &h->players[extreme_below(in, PLAYERS)];
    write_u8(&out, read_u8(in) < 240 ? 1 : read_u8(in));
    write_u64(&out, entity(h, in));
    if (kind % 4 != 0) {
        write_u64(&out, who->session_epoch);
        write_u64(&out, extreme_u64(in));
        write_u32(&out, read_u8(in) < 240 ? 1 : extreme_u32(in));
        write_u8(&out, read_u8(in));
        write_i32(&out, read_u8(in) < 128 ? who->motion.x_mm : extreme_mm(in));
        write_i32(&out, read_u8(in) < 128 ? who->motion.y_mm : extreme_mm(in));
    }
    struct slice body = some_bytes(in);
    write_bytes(&out, body.at, body.bytes);
    CHECK(writer_ok(&out));
    enum err e =
        requests_ask(o->requests, 0, kind % 4 != 0 ? REQUEST_COMMAND : REQUEST_LOOK,
                     (struct slice){bytes, writer_used(&out)}, 1000000, other_is_answered, NULL, 0);
    CHECK(e == OK || e == ERR_FULL);
}

/* ---- what our people do ---- */

static void
input(struct neighbours *h, struct reader *in, enum input_kind kind)
{
    uint32_t which = extreme_below(in, PLAYERS);
    const struct link_home *who = &h->players[which];
    struct link_input i = {
        .player = who->player, .session_epoch = who->session_epoch, .kind = kind};
    i.number = extreme_u32(in);
    i.entity = entity(h, in);
    if (kind == INPUT_MOVE) {
        i.motion = extreme_motion(in, h->time.now_us / 1000);
    } else if (kind == INPUT_COMMAND) {
        i.seq = read_u8(in) < 200 ? ++h->seq[which] : extreme_u64(in);
        i.bytes = some_bytes(in);
    }
    tell(h, 0, &(struct link_message){.kind = LINK_INPUT, .as.input = i});
}

/* ---- what happens to the cluster ---- */

static void
peer(struct neighbours *h, struct reader *in)
{
    uint32_t which = 1 + extreme_below(in, OTHERS);
    if (!h->up[which]) {
        peer_comes(h, which);
        return;
    }
    h->up[which] = false;
    world_peer_down(h->world, which, read_u8(in) % 2);
    requests_peer_down(h->requests, which);
    requests_peer_down(h->others[which - 1].requests, 0);
}

static void
book(struct neighbours *h, struct reader *in)
{
    uint8_t what = read_u8(in);
    uint32_t which = what % PEERS; /* 0: ourselves */
    struct node node = {.epoch = which == 0 ? HERE : h->others[which - 1].epoch,
                        .role = NODE_HOME,
                        .index = (uint16_t)which,
                        .draining = (what & 4) != 0,
                        .shard = (what & 8) != 0};
    if (what < 64) {
        book_remove(&h->book, node.epoch);
    } else {
        CHECK(book_put(&h->book, &node) == OK);
    }
    if (what & 16) {
        world_book_changed(h->world);
    }
}

/* Somebody claims a block, or writes what is no claim. */
static void
claim(struct neighbours *h, struct reader *in)
{
    uint8_t bytes[64];
    struct key key = key_make(1, KEY_CLASS_STEWARD, topic(h, in));
    Seom__StewardDocument document = SEOM__STEWARD_DOCUMENT__INIT;
    document.steward = read_u8(in) < 64 ? HERE : extreme_u64(in);
    document.steward_epoch = extreme_u64(in);
    struct slice value = {bytes, seom__steward_document__pack(&document, bytes)};
    if (read_u8(in) >= 240) {
        value = extreme_bytes(in, sizeof bytes);
    }
    struct env_store port = memory_connection_port(h->elsewhere);
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = value};
    enum err e = port.commit(port.ctx, 1, &write, 1);
    CHECK(e == OK || e == ERR_FULL);
}

static void
operate(struct neighbours *h, struct reader *in)
{
    static const int64_t steps_us[] = {10000, 100000, 1000000, 6000000};
    struct other *o;
    switch ((enum neighbours_op)extreme_below(in, OPS)) {
    case OP_STEP: run(h, steps_us[extreme_below(in, 4)]); break;
    case OP_BATCH: batch(h, in); break;
    case OP_ACK: acknowledge(h, in); break;
    case OP_RAW: raw(h, in); break;
    case OP_COMMAND: input(h, in, INPUT_COMMAND); break;
    case OP_LOOK: input(h, in, INPUT_LOOK); break;
    case OP_MOVE: input(h, in, INPUT_MOVE); break;
    case OP_ASK: ask(h, in); break;
    case OP_ANSWERS:
        o = &h->others[extreme_below(in, OTHERS)];
        o->manner = read_u8(in);
        o->answer = some_bytes(in);
        break;
    case OP_PEER: peer(h, in); break;
    case OP_BOOK: book(h, in); break;
    case OP_CLAIM: claim(h, in); break;
    case OPS: break;
    }
}

static void
check_counts(const struct neighbours *h)
{
    const struct world_stats *s = world_stats(h->world);
    struct world_ghost g;
    uint32_t cursor = 0, placed = 0;
    while (world_next_ghost(h->world, &cursor, &g)) {
        placed++;
        CHECK(g.player != 0 && g.island != 0);
    }
    CHECK(placed <= s->ghosts && s->ghosts <= 4 * PLAYERS_MAX);
    CHECK(s->commands_forwarded + s->commands_repeated <= s->commands);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct neighbours h;
    struct reader in = reader_over(data, size);
    open_home(&h);
    for (uint32_t i = 0; i < OPS_MAX && reader_left(&in) > 0; i++) {
        operate(&h, &in);
        check_counts(&h);
    }
    close_home(&h);
    return 0;
}
