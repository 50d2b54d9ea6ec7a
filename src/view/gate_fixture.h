/* For tests of this room: a gate between clients that are buffers and homes that are tables. What
 * a client is sent is decoded as it comes, with the client's own replica; a home publishes who of
 * its people stands where to the topics that the gate subscribed, as src/world/topic.c would, at
 * once. Home 0 is there from the beginning; others come with scene_home_up(). Time is moved by
 * scene_run(). One test thread.
 */
#ifndef SEOM_VIEW_GATE_FIXTURE_H
#define SEOM_VIEW_GATE_FIXTURE_H

#include "base/rand.h"
#include "view/fixture_client.h"
#include "view/state.h"
#include "world/island_make.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCENE_CLIENTS  128
#define SCENE_PEOPLE   2048
#define SCENE_TOPICS   8192
#define SCENE_ISLAND   1
#define SCENE_START_US INT64_C(10000000)

struct scene_person {
    uint64_t id;
    bool there;
    uint32_t home;  /* whose it is */
    uint64_t epoch; /* under which session_epoch; 0: its home does not say */
    struct motion motion;
};

struct scene_topic {
    topic_id id;
    bool on[2];
};

#define SCENE_HOMES 3
#define SCENE_NODE  5 /* node_epoch of home 0 */

struct scene_home {
    bool up;
    uint64_t node;
    bool full;      /* its link takes nothing, */
    uint32_t takes; /* but for so many messages */
    bool deaf;      /* it publishes nothing by itself */
    uint32_t enters, inputs, subscribes, wholes;
    uint32_t version[2], epoch;
    struct scene_topic topics[SCENE_TOPICS];
    uint32_t topic_count;
    topic_id pending[SCENE_TOPICS]; /* to be published whole */
    uint32_t pending_count;
    uint32_t acks;
    struct link_subscribed ack[64]; /* to be sent behind the gate's turn */
};

#define SCENE_ISLANDS 2
#define SCENE_SIDE_MM 8160000

struct scene {
    struct archipelago islands;
    struct island_file files[SCENE_ISLANDS];
    struct env env;
    struct gate *gate;
    int64_t now_us;
    struct scene_client clients[SCENE_CLIENTS];
    uint64_t drawn;  /* what chance says */
    bool all_awake;  /* also what only spectators subscribe */
    uint32_t enters; /* and the last of them: */
    struct link_enter enter;
    uint32_t enter_home, input_home; /* to whom */
    uint32_t inputs;
    struct link_input input;
    uint8_t input_bytes[256];
    struct scene_home homes[SCENE_HOMES];
    struct scene_person people[SCENE_PEOPLE];
    uint32_t people_count;
};

static inline int64_t
scene_mono_us(void *ctx)
{
    return ((struct scene *)ctx)->now_us;
}

static inline int64_t
scene_world_ms(void *ctx)
{
    return ((struct scene *)ctx)->now_us / 1000 + 5000000;
}

static inline uint64_t
scene_random(void *ctx)
{
    return ((struct scene *)ctx)->drawn;
}

static inline int64_t
scene_ms(struct scene *s)
{
    return scene_world_ms(s);
}

static inline enum err
scene_conn_send(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count, size_t *taken)
{
    struct scene *s = ctx;
    struct scene_client *c = &s->clients[conn];
    assert_true(c->open);
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t part = pieces[i].bytes < c->room ? pieces[i].bytes : c->room;
        assert_true(c->used + part <= SCENE_BYTES);
        if (part > 0) {
            memcpy(c->bytes + c->used, pieces[i].at, part);
        }
        c->used += part;
        *taken += part;
        c->room -= c->room == SCENE_TAKES_ALL ? 0 : part;
        if (part < pieces[i].bytes) {
            break;
        }
    }
    c->sends += *taken > 0;
    if (s->gate->conns[conn].framing.kind == FRAME_TCP) {
        scene_client_frames(c, scene_ms(s), (s->now_us - SCENE_START_US) / GATE_SLOT_US);
    }
    return OK;
}

static inline void
scene_want_writable(void *ctx, uint32_t conn, bool on)
{
    ((struct scene *)ctx)->clients[conn].wants_writable = on;
}

static inline void
scene_conn_close(void *ctx, uint32_t conn)
{
    struct scene *s = ctx;
    assert_true(s->clients[conn].open);
    s->clients[conn].open = false;
}

/* The home */

static inline struct scene_topic *
scene_topic_at(struct scene_home *h, topic_id id, bool make)
{
    for (uint32_t i = 0; i < h->topic_count; i++) {
        if (h->topics[i].id == id) {
            return &h->topics[i];
        }
    }
    if (!make) {
        return NULL;
    }
    assert_true(h->topic_count < SCENE_TOPICS);
    h->topics[h->topic_count] = (struct scene_topic){.id = id};
    return &h->topics[h->topic_count++];
}

/* Of home 0. */
static inline struct scene_topic *
scene_topic(struct scene *s, topic_id id)
{
    return scene_topic_at(&s->homes[0], id, false);
}

static inline uint64_t
scene_digest_at(const struct scene_home *h, bool wakes)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < h->topic_count; i++) {
        digest ^= h->topics[i].on[wakes] ? rand_mix(h->topics[i].id, 1) : 0;
    }
    return digest;
}

static inline uint64_t
scene_digest(const struct scene *s, bool wakes)
{
    return scene_digest_at(&s->homes[0], wakes);
}

/* As src/world/topic.c: a change that does not fit what stands here is not taken. */
static inline void
scene_subscribed(struct scene_home *h, const struct link_subscribe *m)
{
    bool fits = m->whole || (m->epoch == h->epoch && m->version == h->version[m->wakes] + 1);
    struct reader in = reader_over(m->topics.at, m->topics.bytes);
    h->subscribes++;
    h->wholes += m->whole;
    for (uint32_t i = 0; m->whole && i < h->topic_count; i++) {
        h->topics[i].on[m->wakes] = false;
    }
    for (uint32_t i = 0; fits && i < (uint32_t)m->add_count + m->remove_count; i++) {
        struct scene_topic *t = scene_topic_at(h, read_u64(&in), true);
        t->on[m->wakes] = i < m->add_count;
        if (i < m->add_count && t->id != TOPIC_DENSITY) {
            assert_true(h->pending_count < SCENE_TOPICS);
            h->pending[h->pending_count++] = t->id;
        }
    }
    h->epoch = fits ? m->epoch : h->epoch;
    h->version[m->wakes] = fits ? m->version : h->version[m->wakes];
    assert_true(h->acks < sizeof h->ack / sizeof h->ack[0]);
    h->ack[h->acks++] = (struct link_subscribed){.epoch = h->epoch,
                                                 .version = h->version[m->wakes],
                                                 .wakes = m->wakes,
                                                 .digest = scene_digest_at(h, m->wakes)};
}

static inline enum err
scene_tell_home(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct scene *s = ctx;
    uint8_t bytes[LINK_HEAD_MAX + 32768];
    size_t n = 0;
    assert_true(peer < SCENE_HOMES && s->homes[peer].up); /* nobody else is spoken to */
    if (s->homes[peer].full && s->homes[peer].takes == 0) {
        return ERR_FULL;
    }
    s->homes[peer].takes -= s->homes[peer].takes > 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(n + pieces[i].bytes <= sizeof bytes);
        if (pieces[i].bytes > 0) {
            memcpy(bytes + n, pieces[i].at, pieces[i].bytes);
        }
        n += pieces[i].bytes;
    }
    struct link_message m;
    assert_int_equal(link_read(bytes, n, &m), OK);
    if (m.kind == LINK_ENTER) {
        s->enters++;
        s->homes[peer].enters++;
        s->enter_home = peer;
        s->enter = m.as.enter;
    } else if (m.kind == LINK_INPUT) {
        s->inputs++;
        s->homes[peer].inputs++;
        s->input_home = peer;
        s->input = m.as.input;
        assert_true(m.as.input.bytes.bytes <= sizeof s->input_bytes);
        if (m.as.input.bytes.bytes > 0) {
            memcpy(s->input_bytes, m.as.input.bytes.at, m.as.input.bytes.bytes);
        }
        s->input.bytes.at = s->input_bytes;
    } else {
        assert_int_equal(m.kind, LINK_SUBSCRIBE);
        scene_subscribed(&s->homes[peer], &m.as.subscribe);
    }
    return OK;
}

static inline void
scene_hear_from(struct scene *s, uint32_t home, const struct link_message *m)
{
    uint8_t bytes[LINK_HEAD_MAX + 65536];
    size_t n = link_head(m, bytes);
    struct slice tail = link_tail(m);
    assert_true(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    gate_message(s->gate, home, bytes, n + tail.bytes);
}

static inline void
scene_hear(struct scene *s, const struct link_message *m)
{
    scene_hear_from(s, 0, m);
}

static inline void
scene_batch_of(struct scene *s, uint32_t home, uint64_t steward_epoch, topic_id id, bool snapshot,
               const struct writer *records)
{
    const struct scene_topic *t = scene_topic_at(&s->homes[home], id, false);
    uint8_t awake = (t != NULL && t->on[1]) || s->all_awake ? 0xff : 0;
    assert_true(writer_ok(records));
    scene_hear_from(
        s, home,
        &(struct link_message){
            .kind = LINK_BATCH,
            .as.batch = {.topic = id,
                         .publisher_epoch = s->homes[home].node,
                         .tick_ms = scene_ms(s),
                         .snapshot = snapshot,
                         .steward_epoch = steward_epoch,
                         .awake_chunks_lo = awake,
                         .awake_chunks_hi = awake,
                         .records = {.at = records->start, .bytes = writer_used(records)}}});
}

static inline void
scene_batch(struct scene *s, topic_id id, bool snapshot, const struct writer *records)
{
    scene_batch_of(s, 0, 0, id, snapshot, records);
}

static inline topic_id
scene_topic_of(const struct motion *m)
{
    return topic_make(SCENE_ISLAND, (uint16_t)(chunk_of(m->x_mm) / BLOCK_CHUNKS),
                      (uint16_t)(chunk_of(m->y_mm) / BLOCK_CHUNKS));
}

static inline void
scene_put(struct writer *out, const struct scene_person *p)
{
    if (p->epoch != 0) {
        batch_put_owned(out, p->id, p->epoch);
    }
    batch_put_motion(out, &(struct record_motion){.entity = p->id, .motion = p->motion});
}

static inline void
scene_snapshot_of(struct scene *s, uint32_t home, topic_id id)
{
    static uint8_t bytes[SCENE_PEOPLE * (RECORD_MOTION_BYTES + RECORD_OWNED_BYTES)];
    struct writer out = writer_over(bytes, sizeof bytes);
    for (uint32_t i = 0; i < s->people_count; i++) {
        const struct scene_person *p = &s->people[i];
        if (p->there && p->home == home && scene_topic_of(&p->motion) == id) {
            scene_put(&out, p);
        }
    }
    scene_batch_of(s, home, 0, id, true, &out);
}

static inline void
scene_snapshot(struct scene *s, topic_id id)
{
    scene_snapshot_of(s, 0, id);
}

static inline void
scene_answer(struct scene *s)
{
    for (uint32_t home = 0; home < SCENE_HOMES; home++) {
        struct scene_home *h = &s->homes[home];
        for (uint32_t i = 0; i < h->acks && h->up && !h->deaf; i++) {
            scene_hear_from(
                s, home,
                &(struct link_message){.kind = LINK_SUBSCRIBED, .as.subscribed = h->ack[i]});
        }
        for (uint32_t i = 0; i < h->pending_count && h->up && !h->deaf; i++) {
            scene_snapshot_of(s, home, h->pending[i]);
        }
        h->acks = h->pending_count = 0;
    }
}

/* A process that begins, with nothing but its people. */
static inline void
scene_home_up(struct scene *s, uint32_t home, uint64_t node)
{
    s->homes[home] = (struct scene_home){.up = true, .node = node};
    gate_home_up(s->gate, home, node);
}

static inline void
scene_home_down(struct scene *s, uint32_t home, bool dead)
{
    s->homes[home].up = false;
    gate_home_down(s->gate, home, dead);
}

static inline void
scene_run(struct scene *s, int64_t ms)
{
    for (int64_t end_us = s->now_us + ms * 1000; s->now_us < end_us;) {
        s->now_us += GATE_SLOT_US;
        gate_turn(s->gate);
        scene_answer(s);
    }
}

static inline struct motion
scene_at(struct scene *s, int32_t x_mm, int32_t y_mm)
{
    return (struct motion){.x_mm = x_mm, .y_mm = y_mm, .since_ms = scene_ms(s)};
}

/* The middle of a chunk. */
static inline struct motion
scene_in(struct scene *s, int32_t cx, int32_t cy)
{
    return scene_at(s, cx * CHUNK_MM + CHUNK_MM / 2, cy * CHUNK_MM + CHUNK_MM / 2);
}

static inline struct scene_person *
scene_person(struct scene *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->people_count; i++) {
        if (s->people[i].id == id) {
            return &s->people[i];
        }
    }
    assert_true(s->people_count < SCENE_PEOPLE);
    s->people[s->people_count] = (struct scene_person){.id = id};
    return &s->people[s->people_count++];
}

static inline void
scene_publish_leave(struct scene *s, const struct scene_person *p)
{
    uint8_t bytes[RECORD_LEAVE_BYTES];
    struct writer out = writer_over(bytes, sizeof bytes);
    batch_put_leave(&out, p->id, (uint16_t)chunk_of(p->motion.x_mm),
                    (uint16_t)chunk_of(p->motion.y_mm));
    scene_batch_of(s, p->home, 0, scene_topic_of(&p->motion), false, &out);
}

/* Somebody has a new motion: LEAVE where its chunk changed, MOTION where it is. */
static inline void
scene_moves(struct scene *s, uint64_t id, struct motion motion)
{
    struct scene_person *p = scene_person(s, id);
    if (p->there && (chunk_of(p->motion.x_mm) != chunk_of(motion.x_mm) ||
                     chunk_of(p->motion.y_mm) != chunk_of(motion.y_mm))) {
        scene_publish_leave(s, p);
    }
    p->there = true;
    p->motion = motion;
    uint8_t bytes[RECORD_OWNED_BYTES + RECORD_MOTION_BYTES];
    struct writer out = writer_over(bytes, sizeof bytes);
    scene_put(&out, p);
    scene_batch_of(s, p->home, 0, scene_topic_of(&motion), false, &out);
}

static inline void
scene_goes(struct scene *s, uint64_t id)
{
    struct scene_person *p = scene_person(s, id);
    p->there = false;
    scene_publish_leave(s, p);
}

/* Clients */

static inline void
scene_connect(struct scene *s, uint32_t conn)
{
    struct scene_client *c = &s->clients[conn];
    assert_false(c->open);
    if (c->bytes != NULL) {
        replica_fini(&c->replica);
        free(c->bytes);
    }
    *c = (struct scene_client){.open = true, .room = SCENE_TAKES_ALL};
    c->bytes = malloc(SCENE_BYTES);
    assert_non_null(c->bytes);
    replica_init(&c->replica, SCENE_PEOPLE, 1);
    gate_opened(s->gate, conn);
}

static inline void
scene_send_frame(struct scene *s, uint32_t conn, const uint8_t *frame, size_t bytes)
{
    uint8_t out[FRAME_AFTER_HELLO_MAX + 8];
    struct writer w = writer_over(out, sizeof out);
    write_u32(&w, (uint32_t)bytes);
    write_bytes(&w, frame, bytes);
    assert_true(writer_ok(&w));
    gate_received(s->gate, conn, out, writer_used(&w));
}

static inline void
scene_send(struct scene *s, uint32_t conn, const Seom__ClientMessage *m)
{
    uint8_t frame[4096];
    size_t bytes = message_write_client(m, frame, sizeof frame);
    assert_true(bytes > 0);
    scene_send_frame(s, conn, frame, bytes);
}

static inline size_t
scene_hello_bytes(bool spectator, uint32_t min, uint32_t max, uint8_t *out, size_t room)
{
    Seom__Range range = SEOM__RANGE__INIT;
    range.min = min;
    range.max = max;
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &range;
    hello.spectator = spectator;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_HELLO;
    m.hello = &hello;
    return message_write_client(&m, out, room);
}

static inline void
scene_hello(struct scene *s, uint32_t conn, bool spectator)
{
    uint8_t frame[256];
    size_t bytes = scene_hello_bytes(spectator, PROTOCOL_MIN, PROTOCOL_MAX, frame, sizeof frame);
    scene_send_frame(s, conn, frame, bytes);
}

static inline void
scene_ping(struct scene *s, uint32_t conn)
{
    Seom__Ping ping = SEOM__PING__INIT;
    Seom__ClientMessage m = SEOM__CLIENT_MESSAGE__INIT;
    m.what_case = SEOM__CLIENT_MESSAGE__WHAT_PING;
    m.ping = &ping;
    scene_send(s, conn, &m);
}

static inline struct link_message
scene_home_message(uint64_t handle, uint64_t player, uint64_t epoch, struct motion motion)
{
    return (struct link_message){.kind = LINK_HOME,
                                 .as.home = {.conn = handle,
                                             .code = SEOM__CODE__FINE,
                                             .player = player,
                                             .entity = player,
                                             .session_epoch = epoch,
                                             .island = SCENE_ISLAND,
                                             .motion = motion,
                                             .ticket = {(uint8_t)player, (uint8_t)epoch}}};
}

/* From whom the last ENTER went to. */
static inline void
scene_home(struct scene *s, uint64_t handle, uint64_t player, uint64_t epoch, struct motion motion)
{
    struct link_message m = scene_home_message(handle, player, epoch, motion);
    scene_hear_from(s, s->enter_home, &m);
}

static inline void
scene_refuse(struct scene *s, uint32_t home, uint64_t handle, uint8_t code, uint32_t retry_after_ms)
{
    scene_hear_from(
        s, home,
        &(struct link_message){
            .kind = LINK_HOME,
            .as.home = {.conn = handle, .code = code, .retry_after_ms = retry_after_ms}});
}

static inline void
scene_self_from(struct scene *s, uint32_t home, const struct link_self *self)
{
    scene_hear_from(s, home, &(struct link_message){.kind = LINK_SELF, .as.self = *self});
}

static inline void
scene_self(struct scene *s, uint64_t player, uint64_t epoch, uint8_t flags, struct motion motion)
{
    scene_self_from(s, scene_person(s, player)->home,
                    &(struct link_self){.player = player,
                                        .session_epoch = epoch,
                                        .kind = SELF_MOTION,
                                        .flags = flags,
                                        .island = SCENE_ISLAND,
                                        .motion = motion});
}

/* Connected, welcomed, its avatar told, its surroundings subscribed and told whole. */
static inline void
scene_play(struct scene *s, uint32_t conn, uint64_t player, struct motion motion)
{
    scene_connect(s, conn);
    scene_hello(s, conn, false);
    scene_home(s, s->enter.conn, player, 1, motion);
    assert_int_equal(s->clients[conn].welcomes, 1);
    scene_person(s, player)->home = s->enter_home;
    scene_moves(s, player, motion);
    scene_run(s, 200);
}

/* The avatar of a client moves: the world hears of it and its gate too. */
static inline void
scene_walks(struct scene *s, uint64_t player, struct motion motion)
{
    scene_self(s, player, 1, 0, motion);
    scene_moves(s, player, motion);
}

static inline bool
scene_knows(const struct scene *s, uint32_t conn, uint64_t entity)
{
    return replica_find(&s->clients[conn].replica, entity) != NULL;
}

static inline int
scene_open_with(void **state, enum gate_mutant mutant)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->now_us = SCENE_START_US;
    s->drawn = 4;
    s->env = (struct env){.clock = {.ctx = s,
                                    .mono_us = scene_mono_us,
                                    .world_ms = scene_world_ms,
                                    .random = scene_random},
                          .conns = {.ctx = s,
                                    .send = scene_conn_send,
                                    .want_writable = scene_want_writable,
                                    .close = scene_conn_close},
                          .links = {.ctx = s, .send = scene_tell_home}};
    archipelago_init(&s->islands);
    for (uint32_t i = 0; i < SCENE_ISLANDS; i++) {
        assert_int_equal(island_make_plain(i + 1, SCENE_SIDE_MM, &s->files[i]), OK);
        assert_int_equal(archipelago_add(&s->islands, island_file_slice(&s->files[i])), OK);
    }
    struct gate_options options = {.conns_max = SCENE_CLIENTS,
                                   .islands = &s->islands,
                                   .entities_max = SCENE_PEOPLE,
                                   .topics_max = SCENE_TOPICS,
                                   .chunks_max = 8192,
                                   .subscribe_epoch_seed = 9,
                                   .mutant = mutant};
    assert_int_equal(gate_alloc(&options, &s->env, &s->gate), OK);
    scene_home_up(s, 0, SCENE_NODE);
    *state = s;
    return 0;
}

static inline int
scene_open(void **state)
{
    return scene_open_with(state, GATE_MUTANT_NONE);
}

static inline int
scene_close(void **state)
{
    struct scene *s = *state;
    gate_free(&s->gate);
    archipelago_fini(&s->islands);
    for (uint32_t i = 0; i < SCENE_ISLANDS; i++) {
        island_file_free(&s->files[i]);
    }
    for (uint32_t i = 0; i < SCENE_CLIENTS; i++) {
        if (s->clients[i].bytes != NULL) {
            replica_fini(&s->clients[i].replica);
            free(s->clients[i].bytes);
        }
    }
    free(s);
    return 0;
}

#endif
