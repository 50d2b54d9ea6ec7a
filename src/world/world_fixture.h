/* For tests of this room: a world on virtual time over the memory store, one square island and a
 * small game, with the links to its gates caught. What the world says to a gate is kept as the
 * bytes of the message, in order. One test thread.
 */
#ifndef SEOM_WORLD_WORLD_FIXTURE_H
#define SEOM_WORLD_WORLD_FIXTURE_H

#include "seom.pb-c.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "world/island_make.h"
#include "world/state.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCENE_ISLAND        1
#define SCENE_GATES         16
#define SCENE_GATE_EPOCH    100
#define SCENE_SIDE_MM       600000 /* 20 x 20 chunks, 5 x 5 blocks */
#define SCENE_WALK_MM_S     7000
#define SCENE_RIDE_MM_S     45000
#define SCENE_STEP_US       5000
#define SCENE_SAID_MAX      4096
#define SCENE_MESSAGE_BYTES 8400
#define SCENE_STAGE_MS      20000 /* the plant's */
#define SCENE_LEG_MS        4000  /* the animal's */
#define SCENE_PLANT         3
#define SCENE_GOODS         5
#define SCENE_BARE          9 /* what a plant says that was picked */
#define SCENE_RETRY_MS      5000

struct scene_said {
    uint32_t gate;
    size_t bytes;
    uint8_t message[SCENE_MESSAGE_BYTES];
};

struct scene {
    struct events time;
    struct memory_store *store;
    struct archipelago islands;
    struct island_file file;
    struct env env;
    const struct game *game;
    struct world *world;
    struct scene_said *said; /* owned */
    uint32_t said_count;
    bool full[PEERS_MAX]; /* this gate's ring takes nothing */
    int64_t next_turn_us;
    uint32_t turns;
};

static inline int32_t
scene_speed(uint8_t look)
{
    return look == LOOK_WALKER ? SCENE_WALK_MM_S : look == LOOK_RIDER ? SCENE_RIDE_MM_S : 0;
}

static inline void
scene_came_or_went(const struct game_player *player, int64_t now_ms)
{
    (void)player;
    (void)now_ms;
}

static inline int32_t
scene_reach(uint8_t look)
{
    (void)look;
    return 0;
}

/* Every second chunk has a plant that grows a stage every 20 s and an animal that walks 8 m to and
 * fro; besides what its document says. */
static inline uint32_t
scene_things(uint64_t chunk_seed, uint16_t cx, uint16_t cy, const Seom__ChunkDocument *chunk,
             int64_t now_ms, struct game_thing *out, uint32_t max, int64_t *changes_ms)
{
    (void)chunk_seed;
    *changes_ms = INT64_MAX;
    assert_true(max >= 2 + CHUNK_THINGS_MAX);
    uint32_t forms = (cx + cy) % 2 == 0 ? 2 : 0;
    for (uint32_t n = 0; chunk != NULL && n < chunk->n_things; n++) {
        out[forms + n] =
            (struct game_thing){.entity = chunk->things[n]->id,
                                .kind = SCENE_GOODS,
                                .place = {chunk->things[n]->x_mm, chunk->things[n]->y_mm}};
    }
    if (forms == 0) {
        return chunk == NULL ? 0 : (uint32_t)chunk->n_things;
    }
    bool picked = chunk != NULL && chunk->n_picked > 0;
    int64_t stage = now_ms / SCENE_STAGE_MS, leg = now_ms / SCENE_LEG_MS;
    struct place middle = {cx * CHUNK_MM + CHUNK_MM / 2, cy * CHUNK_MM + CHUNK_MM / 2};
    out[0] = (struct game_thing){.kind = SCENE_PLANT,
                                 .place = middle,
                                 .attributes_bytes = 1,
                                 .attributes = {(uint8_t)(picked ? SCENE_BARE : stage % 4)}};
    out[1] = (struct game_thing){.look = LOOK_ANIMAL,
                                 .moves = true,
                                 .motion = {.x_mm = middle.x_mm + (leg % 2 == 0 ? 0 : 8000),
                                            .y_mm = middle.y_mm,
                                            .vx = leg % 2 == 0 ? 1000 : -1000,
                                            .since_ms = leg * SCENE_LEG_MS,
                                            .lasts_ms = SCENE_LEG_MS}};
    int64_t plant_ms = (stage + 1) * SCENE_STAGE_MS, animal_ms = (leg + 1) * SCENE_LEG_MS;
    *changes_ms = plant_ms < animal_ms ? plant_ms : animal_ms;
    return 2 + (chunk == NULL ? 0 : (uint32_t)chunk->n_things);
}

static const struct game scene_game = {.name = "scene",
                                       .speed_mm_s = scene_speed,
                                       .enter = scene_came_or_went,
                                       .leave = scene_came_or_went,
                                       .reach_mm = scene_reach,
                                       .things = scene_things};

static inline enum err
scene_say(void *ctx, uint32_t gate, const struct slice *pieces, uint32_t count)
{
    struct scene *s = ctx;
    assert_true(gate < PEERS_MAX);
    if (s->full[gate]) {
        return ERR_FULL;
    }
    assert_true(s->said_count < SCENE_SAID_MAX);
    struct scene_said *said = &s->said[s->said_count++];
    said->gate = gate;
    said->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(said->bytes + pieces[i].bytes <= sizeof said->message);
        if (pieces[i].bytes > 0) {
            memcpy(said->message + said->bytes, pieces[i].at, pieces[i].bytes);
        }
        said->bytes += pieces[i].bytes;
    }
    return OK;
}

static inline int64_t
scene_ms(const struct scene *s)
{
    return s->time.now_us / 1000;
}

/* A process: what it kept in memory is gone with it, the store stays. */
static inline void
scene_start(struct scene *s, int64_t saved_world_ms)
{
    struct world_options options = {.world_id = 1,
                                    .node_epoch = 5,
                                    .players_max = 64,
                                    .topics_max = 128,
                                    .entering_max = 8,
                                    .game = s->game,
                                    .islands = &s->islands,
                                    .ticket_key = {1, 2, 3},
                                    .seed = 9,
                                    .saved_world_ms = saved_world_ms};
    s->env = (struct env){.clock = events_clock(&s->time), .links = {.ctx = s, .send = scene_say}};
    assert_int_equal(world_alloc(&options, &s->env, &s->world), OK);
    s->env.store = memory_store_port(s->store, world_store_done(s->world));
    for (uint32_t gate = 0; gate < SCENE_GATES; gate++) {
        struct node node = {.epoch = SCENE_GATE_EPOCH + gate,
                            .role = NODE_GATE,
                            .index = (uint16_t)gate,
                            .protocol_max = LINK_PROTOCOL_MAX};
        world_peer_up(s->world, gate, &node);
    }
    s->next_turn_us = s->time.now_us;
}

static inline int
scene_open_game(void **state, const struct game *game)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->game = game;
    s->said = calloc(SCENE_SAID_MAX, sizeof *s->said);
    assert_non_null(s->said);
    events_init(&s->time, 3);
    s->time.now_us = 100000000; /* somewhere in a world's life */
    s->store =
        memory_store_alloc(&(struct memory_store_options){.schedule = events_port(&s->time)});
    memory_store_set_knobs(s->store,
                           &(struct memory_store_knobs){.get_us_max = 500, .commit_us_max = 2000});
    assert_int_equal(island_make_plain(SCENE_ISLAND, SCENE_SIDE_MM, &s->file), OK);
    archipelago_init(&s->islands);
    assert_int_equal(archipelago_add(&s->islands, island_file_slice(&s->file)), OK);
    scene_start(s, 0);
    *state = s;
    return 0;
}

static inline int
scene_open(void **state)
{
    return scene_open_game(state, &scene_game);
}

static inline int
scene_close(void **state)
{
    struct scene *s = *state;
    world_free(&s->world);
    memory_store_free(&s->store);
    archipelago_fini(&s->islands);
    island_file_free(&s->file);
    events_fini(&s->time);
    free(s->said);
    free(s);
    return 0;
}

/* As a loop would: a turn when one was asked for, and after what the store answered. */
static inline void
scene_run(struct scene *s, int64_t ms)
{
    int64_t end_us = s->time.now_us + ms * 1000;
    while (s->time.now_us < end_us) {
        uint64_t asked = s->time.asked;
        events_run(&s->time, s->time.now_us + SCENE_STEP_US);
        if (s->time.now_us >= s->next_turn_us || s->time.asked != asked) {
            s->next_turn_us = world_turn(s->world);
            s->turns++;
        }
    }
}

static inline void
scene_forget(struct scene *s)
{
    s->said_count = 0;
}

static inline void
scene_hear(struct scene *s, uint32_t gate, const struct link_message *m)
{
    uint8_t bytes[LINK_HEAD_MAX + 4096];
    struct link_message now = *m;
    if (m->kind == LINK_ENTER && m->as.enter.sent_ms == 0) {
        now.as.enter.sent_ms = s->time.now_us / 1000;
    }
    size_t n = link_head(&now, bytes);
    struct slice tail = link_tail(&now);
    assert_true(n + tail.bytes <= sizeof bytes);
    if (tail.bytes > 0) {
        memcpy(bytes + n, tail.at, tail.bytes);
    }
    world_message(s->world, gate, bytes, n + tail.bytes);
    s->next_turn_us = s->time.now_us;
}

/* The n-th message of a kind that a gate was told, from 0; false: there are not so many. */
static inline bool
scene_told(const struct scene *s, uint32_t gate, enum link_kind kind, uint32_t n,
           struct link_message *out)
{
    for (uint32_t i = 0; i < s->said_count; i++) {
        const struct scene_said *said = &s->said[i];
        assert_int_equal(link_read(said->message, said->bytes, out), OK);
        if (said->gate == gate && out->kind == kind && n-- == 0) {
            return true;
        }
    }
    return false;
}

static inline uint32_t
scene_count(const struct scene *s, uint32_t gate, enum link_kind kind)
{
    struct link_message m;
    uint32_t n = 0;
    while (scene_told(s, gate, kind, n, &m)) {
        n++;
    }
    return n;
}

/* The last HOME that a gate was told for a connection. */
static inline struct link_home
scene_home(const struct scene *s, uint32_t gate, uint64_t conn)
{
    struct link_message m;
    struct link_home home = {.code = UINT8_MAX};
    for (uint32_t n = 0; scene_told(s, gate, LINK_HOME, n, &m); n++) {
        home = m.as.home.conn == conn ? m.as.home : home;
    }
    return home;
}

/* As a gate does: it asks again, whoever was there before. */
static inline struct link_home
scene_enter(struct scene *s, uint32_t gate, uint64_t conn, const struct link_home *with_ticket_of)
{
    struct link_message m = {.kind = LINK_ENTER, .as.enter = {.conn = conn}};
    if (with_ticket_of != NULL) {
        m.as.enter.ticket_bytes = TICKET_BYTES;
        memcpy(m.as.enter.ticket, with_ticket_of->ticket, TICKET_BYTES);
    }
    scene_hear(s, gate, &m);
    scene_run(s, 300);
    struct link_message go;
    for (uint32_t n = 0; scene_told(s, gate, LINK_GO, n, &go); n++) {
        if (go.as.go.conn == conn) {
            m.as.enter.over = go.as.go.over;
        }
    }
    if (m.as.enter.over != 0) {
        scene_hear(s, gate, &m);
        scene_run(s, 300);
    }
    return scene_home(s, gate, conn);
}

static inline void
scene_input(struct scene *s, uint32_t gate, const struct link_home *who, struct link_input input)
{
    input.player = who->player;
    input.session_epoch = who->session_epoch;
    scene_hear(s, gate, &(struct link_message){.kind = LINK_INPUT, .as.input = input});
}

static inline void
scene_move(struct scene *s, uint32_t gate, const struct link_home *who, uint32_t number,
           struct motion motion)
{
    scene_input(s, gate, who,
                (struct link_input){
                    .kind = INPUT_MOVE, .number = number, .look = LOOK_WALKER, .motion = motion});
}

/* The last SELF of a kind for a player; false: none. */
static inline bool
scene_self(const struct scene *s, uint32_t gate, uint64_t player, enum self_kind kind,
           struct link_message *out)
{
    struct link_message m;
    bool found = false;
    *out = (struct link_message){0};
    for (uint32_t n = 0; scene_told(s, gate, LINK_SELF, n, &m); n++) {
        if (m.as.self.player == player && m.as.self.kind == kind) {
            *out = m;
            found = true;
        }
    }
    return found;
}

static inline bool
scene_player(const struct scene *s, uint64_t player, struct world_player *out)
{
    uint32_t cursor = 0;
    while (world_next_player(s->world, &cursor, out)) {
        if (out->player == player) {
            return true;
        }
    }
    return false;
}

/* Puts an avatar somewhere: what a login would have found in the store. */
static inline struct avatar *
scene_put(struct scene *s, const struct link_home *who, struct place at)
{
    uint32_t index = map_get(&s->world->avatar_by_id, who->player);
    assert_int_not_equal(index, MAP_NONE);
    struct avatar *a = pool_at(&s->world->avatars, index);
    mover_put(&a->mover, at, LOOK_WALKER, SCENE_WALK_MM_S, scene_ms(s));
    avatar_crossed(s->world, index);
    s->next_turn_us = s->time.now_us;
    scene_run(s, 20);
    return a;
}

struct scene_set {
    uint32_t epoch, version;
    bool whole, wakes;
};

static inline void
scene_subscribe(struct scene *s, uint32_t gate, struct scene_set set, const topic_id *add,
                uint16_t adds, const topic_id *drop, uint16_t drops)
{
    uint8_t bytes[2048];
    struct writer out = writer_over(bytes, sizeof bytes);
    for (uint32_t i = 0; i < adds; i++) {
        write_u64(&out, add[i]);
    }
    for (uint32_t i = 0; i < drops; i++) {
        write_u64(&out, drop[i]);
    }
    assert_true(writer_ok(&out));
    scene_hear(s, gate,
               &(struct link_message){
                   .kind = LINK_SUBSCRIBE,
                   .as.subscribe = {.epoch = set.epoch,
                                    .version = set.version,
                                    .whole = set.whole,
                                    .wakes = set.wakes,
                                    .add_count = adds,
                                    .remove_count = drops,
                                    .topics = {.at = bytes, .bytes = writer_used(&out)}}});
}

/* A gate's first word: this one topic. */
static inline void
scene_listen(struct scene *s, uint32_t gate, bool wakes, topic_id topic)
{
    scene_subscribe(s, gate,
                    (struct scene_set){.epoch = 7, .version = 1, .whole = true, .wakes = wakes},
                    &topic, 1, NULL, 0);
}

#endif
