/* A scripted server speaks bytes to the client; what it hears is decoded with the server's own
 * readers. */
#include "client/client.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/little.h"
#include "wire/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ME         7
#define WORLD_MS   INT64_C(5000000)
#define SECOND_US  INT64_C(1000000)
#define SERVER_MAX 70000

/* What the client was told, in order of kinds. */
struct seen {
    uint32_t welcomes, motions, heard, gone, corrected, ended, answers, results, things, said,
        lines;
    uint32_t end_code;
    int64_t age_ms, quiet_ms;
    uint64_t gone_entity;
};

struct scene {
    struct seom_client *client;
    struct seen seen;
    int64_t now_us;
    uint8_t bytes[SERVER_MAX]; /* what the server is about to send */
    size_t used;
};

static void
on_welcome(void *ctx, struct seom_client *c)
{
    struct scene *s = ctx;
    assert_int_equal(seom_client_state(c), SEOM_PLAYING);
    s->seen.welcomes++;
}

static void
on_motion(void *ctx, const struct seom_entity *e, int64_t age_ms)
{
    struct scene *s = ctx;
    assert_int_not_equal(e->entity, ME);
    s->seen.motions++;
    s->seen.age_ms = age_ms;
}

static void
on_heard(void *ctx, const struct seom_entity *e, int64_t quiet_ms)
{
    struct scene *s = ctx;
    assert_non_null(e);
    s->seen.heard++;
    s->seen.quiet_ms = quiet_ms;
}

static void
on_thing(void *ctx, const struct seom_entity *e, struct slice attributes)
{
    struct scene *s = ctx;
    assert_int_equal(e->thing_kind, 3);
    assert_int_equal(attributes.bytes, 2);
    s->seen.things++;
}

static void
on_gone(void *ctx, uint64_t entity)
{
    struct scene *s = ctx;
    s->seen.gone++;
    s->seen.gone_entity = entity;
}

static void
on_corrected(void *ctx, const struct motion *truth)
{
    struct scene *s = ctx;
    assert_non_null(truth);
    s->seen.corrected++;
}

static void
on_ended(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    struct scene *s = ctx;
    assert_true(retry_after_ms < 100000);
    s->seen.ended++;
    s->seen.end_code = code;
}

static void
on_result(void *ctx, uint64_t seq, uint32_t code, struct slice body)
{
    struct scene *s = ctx;
    assert_int_equal(seq, 42);
    assert_int_equal(code, SEOM__CODE__FINE);
    assert_int_equal(body.bytes, 2);
    s->seen.results++;
}

static void
on_said(void *ctx, uint64_t entity, struct slice text)
{
    struct scene *s = ctx;
    assert_int_equal(entity, 9);
    assert_memory_equal(text.at, "hi", 2);
    s->seen.said++;
}

static void
on_line(void *ctx, uint32_t channel, uint64_t player, struct slice name, struct slice text)
{
    struct scene *s = ctx;
    assert_int_equal(channel, CHANNEL_WORLD);
    assert_int_equal(player, 5);
    assert_int_equal(name.bytes, 4);
    assert_memory_equal(name.at, "Hana", 4);
    assert_memory_equal(text.at, "from afar", 9);
    s->seen.lines++;
}

static void
scene_begin(struct scene *s, bool replica)
{
    memset(s, 0, sizeof(*s));
    s->now_us = 100 * SECOND_US;
    struct seom_events events = {
        .ctx = s,
        .welcome = on_welcome,
        .motion = on_motion,
        .heard = on_heard,
        .thing = on_thing,
        .gone = on_gone,
        .said = on_said,
        .line = on_line,
        .corrected = on_corrected,
        .ended = on_ended,
        .result = on_result,
    };
    struct seom_options options = {.replica = replica, .replica_max = 16, .seed = 11};
    assert_int_equal(seom_client_open(&options, &events, &s->client), OK);
}

static void
scene_end(struct scene *s)
{
    seom_client_close(&s->client);
    assert_null(s->client);
}

/* Server side: frames into s->bytes. */

static void
serve_message(struct scene *s, const Seom__ServerMessage *m)
{
    size_t bytes = message_write_server(m, s->bytes + s->used + 4, sizeof(s->bytes) - s->used - 4);
    assert_true(bytes > 0);
    store_u32(s->bytes + s->used, (uint32_t)bytes);
    s->used += 4 + bytes;
}

static void
serve_welcome(struct scene *s)
{
    Seom__Motion motion;
    struct motion at = {.x_mm = 15000, .y_mm = 15000, .since_ms = WORLD_MS};
    message_motion_set(&motion, &at);
    Seom__Speed speed = SEOM__SPEED__INIT;
    speed.look = LOOK_WALKER;
    speed.mm_per_s = 7000;
    Seom__Speed *speeds[] = {&speed};
    char gate[] = "127.0.0.1:7001";
    char *gates[] = {gate};
    uint8_t ticket[TICKET_BYTES] = {1, 2, 3};
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.frame_bytes_max = FRAME_AFTER_HELLO_MAX;
    limits.messages_per_s = MESSAGES_PER_S;
    limits.messages_burst = MESSAGES_BURST;
    limits.bytes_per_s = BYTES_PER_S;
    limits.silence_ms_max = SILENCE_MAX_MS;
    limits.say_bytes_max = SAY_BYTES_MAX;
    Seom__Welcome w = SEOM__WELCOME__INIT;
    w.protocol = 1;
    w.limits = &limits;
    w.world_ms = WORLD_MS;
    w.entity = ME;
    w.player = 77;
    w.session_epoch = 1;
    w.last_seq = 41;
    w.ticket.data = ticket;
    w.ticket.len = sizeof(ticket);
    w.island = 3;
    w.motion = &motion;
    w.n_gates = 1;
    w.gates = gates;
    w.n_speeds = 1;
    w.speeds = speeds;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &w;
    serve_message(s, &m);
}

static void
serve_goodbye(struct scene *s, Seom__Code code, uint32_t retry_after_ms)
{
    Seom__Goodbye g = SEOM__GOODBYE__INIT;
    g.code = code;
    g.retry_after_ms = retry_after_ms;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_GOODBYE;
    m.goodbye = &g;
    serve_message(s, &m);
}

static struct writer
batch_begin(struct scene *s)
{
    s->bytes[s->used + 4] = FRAME_FORMAT_BATCH;
    return writer_over(s->bytes + s->used + 5, sizeof(s->bytes) - s->used - 5);
}

static void
batch_end(struct scene *s, const struct writer *w)
{
    assert_true(writer_ok(w));
    store_u32(s->bytes + s->used, (uint32_t)writer_used(w) + 1);
    s->used += 5 + writer_used(w);
}

static void
serve_motion(struct scene *s, uint64_t entity, int32_t x_mm, int64_t since_ms)
{
    struct writer w = batch_begin(s);
    struct record_motion m = {
        .entity = entity,
        .motion = {.x_mm = x_mm, .y_mm = 1000, .vx = 500, .since_ms = since_ms, .lasts_ms = 900}};
    batch_put_motion(&w, &m);
    batch_end(s, &w);
}

/* The client hears what was served, in pieces of at most `piece` bytes. */
static enum err
hear(struct scene *s, size_t piece)
{
    enum err error = OK;
    for (size_t at = 0; at < s->used && error == OK;) {
        size_t n = s->used - at < piece ? s->used - at : piece;
        error = seom_client_input(s->client, s->bytes + at, n, s->now_us);
        at += n;
    }
    s->used = 0;
    return error;
}

/* The next message that the client sent, NULL when there is none. */
static const Seom__ClientMessage *
spoken(struct scene *s, struct message_arena *arena)
{
    struct slice out = seom_client_output(s->client);
    if (out.bytes == 0) {
        return NULL;
    }
    assert_true(out.bytes > 4);
    size_t bytes = load_u32(out.at);
    assert_true(out.bytes >= 4 + bytes);
    const Seom__ClientMessage *m;
    struct slice frame = {.at = out.at + 4, .bytes = bytes};
    assert_int_equal(message_read_client(frame, arena, &m), OK);
    seom_client_sent(s->client, 4 + bytes);
    return m;
}

static void
play(struct scene *s)
{
    struct message_arena arena;
    seom_client_connected(s->client, s->now_us);
    const Seom__ClientMessage *m = spoken(s, &arena);
    assert_non_null(m);
    assert_int_equal(m->what_case, SEOM__CLIENT_MESSAGE__WHAT_HELLO);
    s->now_us += 2000;
    serve_welcome(s);
    assert_int_equal(hear(s, SIZE_MAX), OK);
    m = spoken(s, &arena);
    assert_non_null(m);
    assert_int_equal(m->what_case, SEOM__CLIENT_MESSAGE__WHAT_PING);
    assert_null(spoken(s, &arena));
}

/* Tests. */

static void
plays_after_welcome(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, true);
    assert_int_equal(seom_client_state(s.client), SEOM_OFFLINE);
    assert_int_equal(seom_client_move(s.client, &(struct motion){0}, 0, NULL), ERR_UNAVAILABLE);
    play(&s);
    assert_int_equal(s.seen.welcomes, 1);
    assert_int_equal(seom_client_entity(s.client), ME);
    assert_int_equal(seom_client_player(s.client), 77);
    assert_int_equal(seom_client_island(s.client), 3);
    assert_int_equal(seom_client_self(s.client).x_mm, 15000);
    assert_int_equal(seom_client_speed_mm_s(s.client, LOOK_WALKER), 7000);
    assert_int_equal(seom_client_speed_mm_s(s.client, LOOK_RIDER), 0);
    assert_string_equal(seom_client_gate(s.client, 0), "127.0.0.1:7001");
    assert_null(seom_client_gate(s.client, 1));
    assert_int_equal(seom_client_ticket(s.client).bytes, TICKET_BYTES);
    assert_int_equal(seom_client_ticket(s.client).at[1], 2);
    /* Half of the hello's 2 ms, and half a ms because whole ones are told. */
    assert_int_equal(seom_client_world_ms(s.client, s.now_us), WORLD_MS + 1);
    scene_end(&s);
}

static void
moves_are_numbered(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, false);
    play(&s);
    struct motion m = {
        .x_mm = 20000, .y_mm = 15000, .vx = -700, .since_ms = WORLD_MS + 5, .lasts_ms = 10000};
    for (uint32_t i = 1; i <= 3; i++) {
        uint32_t move_no;
        assert_int_equal(seom_client_move(s.client, &m, LOOK_RIDER, &move_no), OK);
        assert_int_equal(move_no, i);
        struct message_arena arena;
        const Seom__ClientMessage *heard = spoken(&s, &arena);
        assert_non_null(heard);
        assert_int_equal(heard->what_case, SEOM__CLIENT_MESSAGE__WHAT_MOVE);
        struct message_move move = message_move_of(heard->move);
        assert_int_equal(move.move_no, i);
        assert_int_equal(move.look, LOOK_RIDER);
        assert_int_equal(move.motion.vx, -700);
        assert_int_equal(move.motion.since_ms, WORLD_MS + 5);
    }
    m.lasts_ms = 10001;
    assert_int_equal(seom_client_move(s.client, &m, 0, NULL), ERR_RANGE);
    assert_int_equal(seom_client_stats(s.client)->moves, 3);
    scene_end(&s);
}

static void
lines_of_the_world(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, false);
    play(&s);
    struct slice text = {.at = (const uint8_t *)"to all", .bytes = 6};
    assert_int_equal(seom_client_say_in(s.client, CHANNEL_WORLD, text, NULL), OK);
    struct message_arena arena;
    const Seom__ClientMessage *heard = spoken(&s, &arena);
    assert_non_null(heard);
    assert_int_equal(heard->request->say->channel, CHANNEL_WORLD);
    assert_string_equal(heard->request->say->text, "to all");
    assert_int_equal(seom_client_say_in(s.client, 256, text, NULL), ERR_RANGE);
    char name[] = "Hana", said[] = "from afar";
    Seom__Said line = SEOM__SAID__INIT;
    line.channel = CHANNEL_WORLD;
    line.player = 5;
    line.name = name;
    line.text = said;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_SAID;
    m.said = &line;
    serve_message(&s, &m);
    assert_int_equal(hear(&s, 3), OK);
    assert_int_equal(s.seen.lines, 1);
    scene_end(&s);
}

static void
output_is_limited(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, false);
    play(&s);
    struct motion m = {.since_ms = WORLD_MS};
    uint32_t taken = 0;
    while (seom_client_move(s.client, &m, 0, NULL) == OK) {
        taken++;
        assert_true(taken < 1000);
    }
    assert_true(taken >= 4096 / (4 + MESSAGE_MOVE_BYTES_MAX));
    assert_true(seom_client_output(s.client).bytes <= 4096);
    /* Half of it goes, and there is room again. */
    seom_client_sent(s.client, seom_client_output(s.client).bytes / 2);
    assert_int_equal(seom_client_move(s.client, &m, 0, NULL), OK);
    scene_end(&s);
}

static void
replica_follows_batches(void **state)
{
    (void)state;
    size_t pieces[] = {SIZE_MAX, 1, 3, 7, 64};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct scene s;
        scene_begin(&s, true);
        play(&s);
        serve_motion(&s, 9, 1000, WORLD_MS - 40);
        serve_motion(&s, 10, 31000, WORLD_MS);
        serve_motion(&s, ME, 31000, WORLD_MS); /* somebody else's truth about us: not ours */
        assert_int_equal(hear(&s, pieces[i]), OK);
        assert_int_equal(s.seen.motions, 2);
        assert_int_equal(seom_client_entity_count(s.client), 2);
        assert_null(seom_client_find(s.client, ME));
        assert_int_equal(seom_client_find(s.client, 10)->cx, 1);

        /* 9 walked on into chunk 1; the LEAVE of chunk 0 comes later and is old news. */
        s.now_us += 100000;
        serve_motion(&s, 9, 30500, WORLD_MS + 90);
        struct writer w = batch_begin(&s);
        batch_put_leave(&w, 9, 0, 0);
        batch_put_say(&w, 9, (struct slice){.at = (const uint8_t *)"hi", .bytes = 2});
        batch_end(&s, &w);
        assert_int_equal(hear(&s, pieces[i]), OK);
        assert_int_equal(seom_client_entity_count(s.client), 2);
        assert_int_equal(s.seen.quiet_ms, 100);
        assert_int_equal(s.seen.age_ms, 11);
        assert_int_equal(s.seen.said, 1);

        /* And so is a motion that began before the known one. */
        serve_motion(&s, 9, 1000, WORLD_MS + 89);
        assert_int_equal(hear(&s, pieces[i]), OK);
        assert_int_equal(seom_client_find(s.client, 9)->cx, 1);
        assert_int_equal(s.seen.motions, 3);

        w = batch_begin(&s);
        batch_put_leave(&w, 9, 1, 0);
        batch_end(&s, &w);
        assert_int_equal(hear(&s, pieces[i]), OK);
        assert_null(seom_client_find(s.client, 9));
        assert_int_equal(s.seen.gone_entity, 9);

        w = batch_begin(&s);
        batch_put_forget(&w, 1, 0);
        batch_end(&s, &w);
        assert_int_equal(hear(&s, pieces[i]), OK);
        assert_int_equal(seom_client_entity_count(s.client), 0);
        assert_int_equal(s.seen.gone, 2);
        scene_end(&s);
    }
}

static void
range_names_who_is_there(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, true);
    play(&s);
    int64_t tick = WORLD_MS + 1000;
    s.now_us += SECOND_US;
    serve_motion(&s, 20, 1000, tick - 300); /* old enough to be moved and to be gone */
    serve_motion(&s, 21, 1000, tick - 300);
    serve_motion(&s, 22, 1000, tick - 299); /* heard of directly: stays as it is */
    serve_motion(&s, 23, 1000, tick - 299);
    serve_motion(&s, 40, 1000, tick - 900);  /* not of this slice */
    serve_motion(&s, 24, 31000, tick - 900); /* of another chunk */
    struct writer w = batch_begin(&s);
    struct record_thing thing = {.entity = 25,
                                 .kind = 3,
                                 .place = {.x_mm = 5, .y_mm = 5},
                                 .attributes = {.at = (const uint8_t *)"ab", .bytes = 2}};
    batch_put_thing(&w, &thing);
    struct range_writer rw;
    range_begin(&rw, &w, 0, 0, 20, tick);
    struct record_motion m = {.entity = 20,
                              .motion = {.x_mm = 2000, .y_mm = 2000, .since_ms = tick}};
    range_add(&rw, &m);
    m.entity = 22;
    range_add(&rw, &m);
    m.entity = 30; /* new */
    range_add(&rw, &m);
    range_end(&rw, 39);
    batch_end(&s, &w);
    assert_int_equal(hear(&s, 5), OK);
    assert_int_equal(seom_client_find(s.client, 20)->motion.x_mm, 2000);
    assert_int_equal(seom_client_find(s.client, 22)->motion.x_mm, 1000);
    assert_non_null(seom_client_find(s.client, 30));
    assert_null(seom_client_find(s.client, 21));
    assert_int_equal(s.seen.gone_entity, 21);
    assert_non_null(seom_client_find(s.client, 23));
    assert_non_null(seom_client_find(s.client, 24));
    assert_non_null(seom_client_find(s.client, 25)); /* a slice speaks of movers */
    assert_non_null(seom_client_find(s.client, 40));
    assert_int_equal(s.seen.gone, 1);
    assert_int_equal(s.seen.things, 1);
    /* A motion may have begun before the slice that told of it. */
    serve_motion(&s, 20, 3000, tick - 301);
    assert_int_equal(hear(&s, 5), OK);
    assert_int_equal(seom_client_find(s.client, 20)->motion.x_mm, 2000);
    serve_motion(&s, 20, 3000, tick - 300);
    assert_int_equal(hear(&s, 5), OK);
    assert_int_equal(seom_client_find(s.client, 20)->motion.x_mm, 3000);
    uint32_t in_chunk = 0;
    const struct seom_entity *e = NULL;
    while ((e = seom_client_in_chunk(s.client, 0, 0, e)) != NULL) {
        in_chunk++;
    }
    assert_int_equal(in_chunk, 6);
    scene_end(&s);
}

static void
replica_is_limited(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, true);
    play(&s);
    for (uint64_t i = 0; i < 20; i++) {
        serve_motion(&s, 100 + i, (int32_t)(i * CHUNK_MM), WORLD_MS);
    }
    assert_int_equal(hear(&s, SIZE_MAX), OK);
    assert_int_equal(seom_client_entity_count(s.client), 16);
    assert_int_equal(seom_client_stats(s.client)->replica_full, 4);
    /* A new island drops everybody and makes room. */
    struct writer w = batch_begin(&s);
    batch_put_island(&w, 4);
    batch_end(&s, &w);
    serve_motion(&s, 200, 0, WORLD_MS);
    assert_int_equal(hear(&s, SIZE_MAX), OK);
    assert_int_equal(s.seen.gone, 16);
    assert_int_equal(seom_client_entity_count(s.client), 1);
    assert_int_equal(seom_client_island(s.client), 4);
    scene_end(&s);
}

/* With and without a replica, in pieces of every size: SELF at the head is noticed, the rest costs
 * no decoding. */
static void
light_client_sees_its_correction(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        struct scene s;
        scene_begin(&s, false);
        play(&s);
        for (int round = 0; round < 3; round++) {
            struct writer w = batch_begin(&s);
            if (round == 1) {
                batch_put_island(&w, 8);
            }
            struct record_self self = {
                .flags = SELF_CORRECTED,
                .move_no = 1,
                .body = {.entity = ME,
                         .motion = {.x_mm = 4000 + round, .y_mm = 1, .since_ms = WORLD_MS}}};
            batch_put_self(&w, &self);
            if (round == 2) {
                batch_put_island(&w, 9);
            }
            struct record_motion m = {.entity = 5, .motion = {.since_ms = WORLD_MS}};
            for (int i = 0; i < 10 * round; i++) {
                batch_put_motion(&w, &m);
            }
            batch_end(&s, &w);
            serve_motion(&s, 9, 1000, WORLD_MS);
        }
        assert_int_equal(hear(&s, piece), OK);
        assert_int_equal(s.seen.corrected, 3);
        assert_int_equal(s.seen.motions, 0);
        assert_int_equal(seom_client_self(s.client).x_mm, 4002);
        assert_int_equal(seom_client_island(s.client), 9);
        assert_int_equal(seom_client_stats(s.client)->frames, 1 + 6);
        assert_int_equal(seom_client_stats(s.client)->records, 0);
        scene_end(&s);
    }
}

static void
keeps_the_line_alive(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, false);
    play(&s);
    struct message_arena arena;
    int64_t spoke_us = s.now_us;
    uint32_t pings = 0;
    for (int i = 0; i < 400; i++) {
        int64_t next_us = seom_client_turn(s.client, s.now_us);
        const Seom__ClientMessage *m = spoken(&s, &arena);
        if (m != NULL) {
            assert_int_equal(m->what_case, SEOM__CLIENT_MESSAGE__WHAT_PING);
            assert_true(s.now_us - spoke_us <= 5 * SECOND_US);
            spoke_us = s.now_us;
            pings++;
            Seom__Pong pong = SEOM__PONG__INIT;
            pong.client_ms = m->ping->client_ms;
            pong.world_ms = WORLD_MS + (s.now_us - 100 * SECOND_US) / 1000;
            Seom__ServerMessage answer = SEOM__SERVER_MESSAGE__INIT;
            answer.what_case = SEOM__SERVER_MESSAGE__WHAT_PONG;
            answer.pong = &pong;
            serve_message(&s, &answer);
            s.now_us += 200;
            assert_int_equal(hear(&s, SIZE_MAX), OK);
            int64_t truth = WORLD_MS + (s.now_us - 100 * SECOND_US) / 1000;
            int64_t off = seom_client_world_ms(s.client, s.now_us) - truth;
            assert_in_range(off + 2, 1, 3);
        }
        assert_false(seom_client_is_dead(s.client, s.now_us));
        assert_true(next_us > s.now_us);
        s.now_us = next_us;
    }
    assert_true(pings >= 100);
    /* And then the server says nothing more. */
    int64_t silent_us = s.now_us;
    while (!seom_client_is_dead(s.client, s.now_us)) {
        s.now_us = seom_client_turn(s.client, s.now_us);
        seom_client_sent(s.client, seom_client_output(s.client).bytes);
        assert_true(s.now_us < silent_us + 60 * SECOND_US);
    }
    assert_true(s.now_us >= silent_us + 40 * SECOND_US);
    scene_end(&s);
}

static void
comes_back_with_jitter(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, true);
    assert_true(seom_client_retry_us(s.client) <= s.now_us);
    int64_t longest = 0;
    for (int i = 0; i < 40; i++) {
        seom_client_connecting(s.client, s.now_us);
        assert_true(seom_client_retry_us(s.client) == INT64_MAX);
        seom_client_broke(s.client, s.now_us);
        assert_int_equal(seom_client_state(s.client), SEOM_OFFLINE);
        int64_t wait = seom_client_retry_us(s.client) - s.now_us;
        assert_in_range(wait, SECOND_US / 4, 15 * SECOND_US);
        if (i == 0) {
            assert_in_range(wait, SECOND_US / 4, SECOND_US / 2);
        }
        longest = wait > longest ? wait : longest;
        s.now_us += wait;
    }
    assert_true(longest > 8 * SECOND_US);
    /* Told to wait, it never comes before. */
    for (int i = 0; i < 20; i++) {
        play(&s);
        serve_goodbye(&s, SEOM__CODE__SERVER_STOPS, 20000);
        assert_int_equal(hear(&s, SIZE_MAX), ERR_CLOSED);
        assert_true(seom_client_is_dead(s.client, s.now_us));
        seom_client_broke(s.client, s.now_us);
        assert_int_equal(s.seen.end_code, SEOM__CODE__SERVER_STOPS);
        int64_t wait = seom_client_retry_us(s.client) - s.now_us;
        assert_in_range(wait, 20 * SECOND_US, 30 * SECOND_US);
        s.now_us += wait;
    }
    assert_int_equal(s.seen.ended, 40 + 20);
    assert_int_equal(seom_client_stats(s.client)->reconnects, 19);
    scene_end(&s);
}

static void
final_codes_end_it(void **state)
{
    (void)state;
    Seom__Code codes[] = {SEOM__CODE__BAD_TICKET, SEOM__CODE__PROTOCOL, SEOM__CODE__REPLACED};
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        struct scene s;
        scene_begin(&s, true);
        play(&s);
        serve_goodbye(&s, codes[i], 0);
        assert_int_equal(hear(&s, SIZE_MAX), ERR_CLOSED);
        seom_client_broke(s.client, s.now_us);
        assert_int_equal(seom_client_state(s.client), SEOM_ENDED);
        assert_true(seom_client_retry_us(s.client) == INT64_MAX);
        scene_end(&s);
    }
    struct scene s;
    scene_begin(&s, true);
    play(&s);
    assert_int_equal(seom_client_goodbye(s.client), OK);
    seom_client_broke(s.client, s.now_us);
    assert_int_equal(seom_client_state(s.client), SEOM_ENDED);
    scene_end(&s);
}

static void
commands_survive_a_break(void **state)
{
    (void)state;
    struct scene s;
    scene_begin(&s, true);
    play(&s);
    uint64_t seq;
    struct slice body = {.at = (const uint8_t *)"chop", .bytes = 4};
    assert_int_equal(seom_client_command(s.client, body, &seq), OK);
    assert_int_equal(seq, 42);
    assert_int_equal(seom_client_command(s.client, body, &seq), ERR_CONFLICT);
    seom_client_broke(s.client, s.now_us);
    s.now_us = seom_client_retry_us(s.client);
    seom_client_connected(s.client, s.now_us);
    struct message_arena arena;
    assert_non_null(spoken(&s, &arena)); /* hello, with the ticket it was given */
    serve_welcome(&s);
    assert_int_equal(hear(&s, SIZE_MAX), OK);
    const Seom__ClientMessage *m;
    while ((m = spoken(&s, &arena)) != NULL && m->what_case != SEOM__CLIENT_MESSAGE__WHAT_COMMAND) {
    }
    assert_non_null(m);
    assert_int_equal(m->command->seq, 42);
    assert_memory_equal(m->command->body.data, "chop", 4);
    for (int i = 0; i < 2; i++) { /* two answers, one result */
        uint8_t ok[] = "ok";
        Seom__CommandResult r = SEOM__COMMAND_RESULT__INIT;
        r.seq = 42;
        r.body.data = ok;
        r.body.len = 2;
        Seom__ServerMessage answer = SEOM__SERVER_MESSAGE__INIT;
        answer.what_case = SEOM__SERVER_MESSAGE__WHAT_RESULT;
        answer.result = &r;
        serve_message(&s, &answer);
    }
    assert_int_equal(hear(&s, SIZE_MAX), OK);
    assert_int_equal(s.seen.results, 1);
    scene_end(&s);
}

static void
nonsense_is_refused(void **state)
{
    (void)state;
    static const uint8_t nonsense[][12] = {
        {0, 0, 0, 0, 0},                /* no format byte */
        {1, 0, 1, 0, 1},                /* longer than any frame */
        {2, 0, 0, 0, 9, 0},             /* format 9 */
        {2, 0, 0, 0, 1, 99},            /* a record of no kind */
        {3, 0, 0, 0, 0, 0xff, 0xff},    /* no message */
        {6, 0, 0, 0, 1, 6, 0, 0, 0, 0}, /* SELF cut short */
    };
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
        struct scene s;
        scene_begin(&s, true);
        play(&s);
        memcpy(s.bytes, nonsense[i], sizeof(nonsense[i]));
        s.used = 12;
        assert_int_equal(hear(&s, SIZE_MAX), ERR_FORMAT);
        assert_int_equal(seom_client_stats(s.client)->malformed, 1);
        scene_end(&s);
    }
    /* A batch before Welcome. */
    struct scene s;
    scene_begin(&s, true);
    seom_client_connected(s.client, s.now_us);
    serve_motion(&s, 9, 0, WORLD_MS);
    assert_int_equal(hear(&s, SIZE_MAX), ERR_FORMAT);
    scene_end(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plays_after_welcome),
        cmocka_unit_test(moves_are_numbered),
        cmocka_unit_test(lines_of_the_world),
        cmocka_unit_test(output_is_limited),
        cmocka_unit_test(replica_follows_batches),
        cmocka_unit_test(range_names_who_is_there),
        cmocka_unit_test(replica_is_limited),
        cmocka_unit_test(light_client_sees_its_correction),
        cmocka_unit_test(keeps_the_line_alive),
        cmocka_unit_test(comes_back_with_jitter),
        cmocka_unit_test(final_codes_end_it),
        cmocka_unit_test(commands_survive_a_break),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
