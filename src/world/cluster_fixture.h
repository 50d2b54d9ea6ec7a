/* For tests of this room: up to three homes on one memory store and one book, with links between
 * each other that take their time, and one gate that hears all of them (peer 0 of each). A home can
 * stop for a while, die, or lose a link. The game and its deeds are those of value_fixture.h. One
 * test thread.
 */
#ifndef SEOM_WORLD_CLUSTER_FIXTURE_H
#define SEOM_WORLD_CLUSTER_FIXTURE_H

#include "world/value_fixture.h"

#define CLUSTER_HOMES      3
#define CLUSTER_SAID_MAX   2048
#define CLUSTER_LINK_US    2000 /* of a message between homes, at most */
#define CLUSTER_GATE       0    /* the gate's index at each home */
#define CLUSTER_GATE_EPOCH 1000

struct cluster;

struct home {
    struct cluster *cluster;
    uint32_t number;
    uint64_t epoch;
    struct env env;
    struct memory_connection *connection;
    struct world *world;
    struct requests *requests;
    bool dead;
    int64_t stopped_until_us, next_turn_us;
    int64_t arrives_us[CLUSTER_HOMES]; /* the last message to each: links keep the order */
    bool cut[CLUSTER_HOMES];
    struct scene_said *said; /* owned; to the gate */
    uint32_t said_count;
};

struct cluster {
    struct events time;
    struct memory_store *store;
    struct archipelago islands;
    struct island_file file;
    struct book book;
    uint32_t count;
    struct home homes[CLUSTER_HOMES];
    enum world_mutant mutant;
    uint32_t link_us;
};

/* On its way from one home to another. */
struct parcel {
    struct home *from, *to;
    size_t bytes;
    uint8_t message[];
};

static inline uint32_t
home_peer(const struct home *to)
{
    return to->number + 1;
}

static inline void
home_hear(struct home *h, uint32_t peer, const uint8_t *bytes, size_t n)
{
    if (!requests_message(h->requests, peer, bytes, n)) {
        world_message(h->world, peer, bytes, n);
    }
    h->next_turn_us = h->cluster->time.now_us;
}

static inline void
parcel_arrives(void *argument, uint64_t n)
{
    (void)n;
    struct parcel *p = argument;
    struct cluster *c = p->from->cluster;
    if (p->to->stopped_until_us > c->time.now_us) {
        struct sim_schedule at = events_port(&c->time);
        at.at(at.ctx, p->to->stopped_until_us, parcel_arrives, p, 0);
        return;
    }
    if (!p->to->dead && !p->from->cut[p->to->number] &&
        p->to->world->peers[home_peer(p->from)].up) {
        home_hear(p->to, home_peer(p->from), p->message, p->bytes);
    }
    free(p);
}

static inline void
home_say_to_gate(struct home *h, const uint8_t *bytes, size_t n)
{
    assert_true(h->said_count < CLUSTER_SAID_MAX && n <= SCENE_MESSAGE_BYTES);
    struct scene_said *said = &h->said[h->said_count++];
    said->bytes = n;
    memcpy(said->message, bytes, n);
}

static inline enum err
home_say(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct home *h = ctx;
    struct cluster *c = h->cluster;
    uint8_t bytes[SCENE_MESSAGE_BYTES];
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(n + pieces[i].bytes <= sizeof bytes);
        if (pieces[i].bytes > 0) {
            memcpy(bytes + n, pieces[i].at, pieces[i].bytes);
        }
        n += pieces[i].bytes;
    }
    if (peer == CLUSTER_GATE) {
        home_say_to_gate(h, bytes, n);
        return OK;
    }
    assert_true(peer <= c->count && !h->dead);
    struct home *to = &c->homes[peer - 1];
    if (!h->world->peers[peer].up) {
        return ERR_CLOSED;
    }
    struct parcel *p = malloc(sizeof *p + n);
    assert_non_null(p);
    *p = (struct parcel){.from = h, .to = to, .bytes = n};
    memcpy(p->message, bytes, n);
    int64_t due_us = c->time.now_us + rand_below(&c->time.rand, c->link_us) + 1;
    int64_t *last_us = &h->arrives_us[to->number];
    *last_us = due_us > *last_us ? due_us : *last_us + 1;
    struct sim_schedule at = events_port(&c->time);
    at.at(at.ctx, *last_us, parcel_arrives, p, 0);
    return OK;
}

static inline struct node
home_node(const struct home *h)
{
    struct node node = {.epoch = h->epoch, .role = NODE_HOME, .index = (uint16_t)h->number};
    return node;
}

static inline void
cluster_link(struct cluster *c, uint32_t a, uint32_t b)
{
    struct node one = home_node(&c->homes[a]), other = home_node(&c->homes[b]);
    world_peer_up(c->homes[a].world, home_peer(&c->homes[b]), &other);
    world_peer_up(c->homes[b].world, home_peer(&c->homes[a]), &one);
    peers_settle(c->homes[a].world, INT64_MAX); /* nobody counts as one who has just joined */
    peers_settle(c->homes[b].world, INT64_MAX);
}

static inline void
home_start(struct cluster *c, uint32_t number, uint64_t epoch)
{
    struct home *h = &c->homes[number];
    struct scene_said *said = h->said;
    *h = (struct home){.cluster = c, .number = number, .epoch = epoch, .said = said};
    h->env = (struct env){.clock = events_clock(&c->time), .links = {.ctx = h, .send = home_say}};
    h->requests = requests_alloc(&h->env);
    struct world_options options = {.world_id = 1,
                                    .node_epoch = epoch,
                                    .players_max = 100,
                                    .topics_max = 128,
                                    .entering_max = 32,
                                    .game = &scene_value_game,
                                    .islands = &c->islands,
                                    .ticket_key = {1, 2, 3},
                                    .seed = 9,
                                    .book = &c->book,
                                    .requests = h->requests,
                                    .mutant = c->mutant};
    struct node node = home_node(h), gate = {.epoch = CLUSTER_GATE_EPOCH,
                                             .role = NODE_GATE,
                                             .protocol_max = LINK_PROTOCOL_MAX};
    assert_int_equal(book_put(&c->book, &node), OK);
    c->book.revision++;
    assert_int_equal(world_alloc(&options, &h->env, &h->world), OK);
    h->connection = memory_store_connect(c->store, world_store_done(h->world));
    h->env.store = memory_connection_port(h->connection);
    world_peer_up(h->world, CLUSTER_GATE, &gate);
    h->next_turn_us = c->time.now_us;
}

static inline int
cluster_open_with(void **state, uint32_t count, uint64_t seed, enum world_mutant mutant)
{
    struct cluster *c = calloc(1, sizeof *c);
    assert_non_null(c);
    events_init(&c->time, seed);
    c->time.now_us = 100000000;
    c->mutant = mutant;
    c->link_us = CLUSTER_LINK_US;
    c->store =
        memory_store_alloc(&(struct memory_store_options){.schedule = events_port(&c->time)});
    memory_store_set_knobs(c->store,
                           &(struct memory_store_knobs){.get_us_max = 500, .commit_us_max = 2000});
    assert_int_equal(island_make_plain(SCENE_ISLAND, SCENE_SIDE_MM, &c->file), OK);
    archipelago_init(&c->islands);
    assert_int_equal(archipelago_add(&c->islands, island_file_slice(&c->file)), OK);
    c->count = count;
    for (uint32_t i = 0; i < count; i++) {
        c->homes[i].said = calloc(CLUSTER_SAID_MAX, sizeof *c->homes[i].said);
        assert_non_null(c->homes[i].said);
        home_start(c, i, 11 + i);
        for (uint32_t other = 0; other < i; other++) {
            cluster_link(c, other, i);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        world_book_changed(c->homes[i].world);
    }
    *state = c;
    return 0;
}

static inline int
cluster_open(void **state)
{
    return cluster_open_with(state, 2, 3, WORLD_MUTANT_NONE);
}

static inline int
cluster_open_three(void **state)
{
    return cluster_open_with(state, 3, 3, WORLD_MUTANT_NONE);
}

static inline void
home_end(struct home *h)
{
    world_free(&h->world);
    requests_free(&h->requests);
}

static inline int
cluster_close(void **state)
{
    struct cluster *c = *state;
    for (uint32_t i = 0; i < c->count; i++) {
        c->homes[i].dead = true;
    }
    events_run(&c->time, c->time.now_us + 120000000); /* what is under way is given back */
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->homes[i].world != NULL) {
            home_end(&c->homes[i]);
        }
        free(c->homes[i].said);
    }
    memory_store_free(&c->store);
    archipelago_fini(&c->islands);
    island_file_free(&c->file);
    events_fini(&c->time);
    free(c);
    return 0;
}

static inline void
cluster_turns(struct cluster *c, bool asked)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct home *h = &c->homes[i];
        if (h->dead || h->stopped_until_us > c->time.now_us ||
            (!asked && c->time.now_us < h->next_turn_us)) {
            continue;
        }
        int64_t world_us = world_turn(h->world), requests_us = requests_turn(h->requests);
        h->next_turn_us = world_us < requests_us ? world_us : requests_us;
    }
}

static inline void
cluster_run(struct cluster *c, int64_t ms)
{
    int64_t end_us = c->time.now_us + ms * 1000;
    while (c->time.now_us < end_us) {
        uint64_t asked = c->time.asked;
        events_run(&c->time, c->time.now_us + SCENE_STEP_US);
        cluster_turns(c, c->time.asked != asked);
    }
}

/* ---- what happens to homes ---- */

/* The others' links break; death is decided when they say so. */
static inline void
home_cut(struct cluster *c, uint32_t number, bool dead)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct home *h = &c->homes[i];
        uint32_t peer = home_peer(&c->homes[number]);
        if (i == number || h->dead || !h->world->peers[peer].up) {
            continue;
        }
        world_peer_down(h->world, peer, dead);
        requests_peer_down(h->requests, peer);
    }
}

static inline void
home_kill(struct cluster *c, uint32_t number)
{
    struct home *h = &c->homes[number];
    h->dead = true;
    memory_connection_crash(&h->connection);
    home_cut(c, number, true);
}

/* SIGSTOP: nothing of it moves, nothing reaches it. */
static inline void
home_pause(struct cluster *c, uint32_t number, int64_t ms)
{
    struct home *h = &c->homes[number];
    h->stopped_until_us = c->time.now_us + ms * 1000;
    memory_connection_stall(h->connection, ms * 1000);
}

/* ---- what the gate says and hears ---- */

static inline void
cluster_hear(struct cluster *c, uint32_t number, const struct link_message *m)
{
    uint8_t bytes[LINK_HEAD_MAX + 4096];
    struct link_message now = *m;
    if (m->kind == LINK_ENTER && m->as.enter.sent_ms == 0) {
        now.as.enter.sent_ms = c->time.now_us / 1000;
    }
    size_t n = link_head(&now, bytes);
    struct slice tail = link_tail(&now);
    assert_true(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    home_hear(&c->homes[number], CLUSTER_GATE, bytes, n + tail.bytes);
}

/* As a gate does: the same set at every home that is there. version 1 begins; on: subscribes, else
 * gives it up. */
static inline void
cluster_listen(struct cluster *c, bool wakes, uint32_t version, topic_id topic, bool on)
{
    uint8_t bytes[8];
    struct writer out = writer_over(bytes, sizeof bytes);
    write_u64(&out, topic);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->homes[i].dead || c->homes[i].stopped_until_us > c->time.now_us) {
            continue;
        }
        cluster_hear(c, i,
                     &(struct link_message){.kind = LINK_SUBSCRIBE,
                                            .as.subscribe = {.epoch = 7,
                                                             .version = version,
                                                             .whole = version == 1,
                                                             .wakes = wakes,
                                                             .add_count = on,
                                                             .remove_count = !on,
                                                             .topics = {bytes, sizeof bytes}}});
    }
}

static inline void
cluster_forget(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        c->homes[i].said_count = 0;
    }
}

/* The n-th message of a kind that the gate was told, from 0; false: there are not so many. */
static inline bool
home_told(const struct home *h, enum link_kind kind, uint32_t n, struct link_message *out)
{
    for (uint32_t i = 0; i < h->said_count; i++) {
        assert_int_equal(link_read(h->said[i].message, h->said[i].bytes, out), OK);
        if (out->kind == kind && n-- == 0) {
            return true;
        }
    }
    return false;
}

/* What a home said last of a block since cluster_forget(), and how many records of things in all;
 * steward_epoch 0 and awake 0 where it said nothing. */
struct heard {
    uint32_t batches, things;
    uint64_t steward_epoch;
    uint16_t awake;
};

static inline struct heard
home_heard(const struct home *h, topic_id topic)
{
    struct link_message m;
    struct heard heard = {0};
    for (uint32_t n = 0; home_told(h, LINK_BATCH, n, &m); n++) {
        if (m.as.batch.topic != topic) {
            continue;
        }
        struct reader in = reader_over(m.as.batch.records.at, m.as.batch.records.bytes);
        struct record r;
        heard.batches++;
        heard.steward_epoch = m.as.batch.steward_epoch;
        heard.awake =
            (uint16_t)(m.as.batch.awake_chunks_lo | (uint16_t)m.as.batch.awake_chunks_hi << 8);
        while (reader_left(&in) > 0) {
            assert_int_equal(batch_next(&in, m.as.batch.tick_ms, &r), OK);
            bool animal =
                r.kind == RECORD_MOTION && (r.as.motion.look & LOOK_KIND_MASK) == LOOK_ANIMAL;
            heard.things += r.kind == RECORD_THING || animal;
        }
    }
    return heard;
}

/* ---- players ---- */

static inline struct link_home
cluster_enter(struct cluster *c, uint32_t number, uint64_t conn)
{
    struct link_message m;
    struct link_home home = {.code = UINT8_MAX};
    cluster_hear(c, number,
                 &(struct link_message){.kind = LINK_ENTER,
                                        .as.enter = {.conn = conn, .flags = ENTER_DECIDED}});
    cluster_run(c, 300);
    for (uint32_t n = 0; home_told(&c->homes[number], LINK_HOME, n, &m); n++) {
        home = m.as.home.conn == conn ? m.as.home : home;
    }
    assert_int_equal(home.code, SEOM__CODE__FINE);
    return home;
}

/* What another connection of somebody says who knows whose place it takes. */
static inline struct link_enter
cluster_login(const struct link_home *who, uint64_t conn, uint8_t flags)
{
    struct link_enter e = {.conn = conn,
                           .flags = flags,
                           .over = rand_mix(CLUSTER_GATE_EPOCH, who->conn),
                           .ticket_bytes = TICKET_BYTES};
    memcpy(e.ticket, who->ticket, TICKET_BYTES);
    return e;
}

static inline void
cluster_put(struct cluster *c, uint32_t number, const struct link_home *who, struct place at)
{
    struct world *w = c->homes[number].world;
    uint32_t index = map_get(&w->avatar_by_id, who->player);
    assert_int_not_equal(index, MAP_NONE);
    struct avatar *a = pool_at(&w->avatars, index);
    mover_put(&a->mover, at, LOOK_WALKER, SCENE_WALK_MM_S, c->time.now_us / 1000);
    avatar_crossed(w, index);
    cluster_run(c, 20);
}

static inline void
cluster_input(struct cluster *c, uint32_t number, const struct link_home *who,
              struct link_input input)
{
    input.player = who->player;
    input.session_epoch = who->session_epoch;
    cluster_hear(c, number, &(struct link_message){.kind = LINK_INPUT, .as.input = input});
}

/* How often a kind of SELF came for a player from a home; *last: the last of them. */
static inline uint32_t
home_selves(const struct home *h, uint64_t player, enum self_kind kind, struct link_self *last)
{
    struct link_message m;
    uint32_t count = 0;
    for (uint32_t n = 0; home_told(h, LINK_SELF, n, &m); n++) {
        if (m.as.self.player == player && m.as.self.kind == kind) {
            *last = m.as.self;
            count++;
        }
    }
    return count;
}

#endif
