/* Bots and observers against a gate that is only a table: no sockets, virtual time. The gate is
 * honest first; then it lies in one way at a time, and the observers must notice each.
 */
#include "bots/bot.h"
#include "bots/observer.h"
#include "wire/frame.h"
#include "wire/little.h"
#include "wire/message.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLAYERS   22
#define WORLD_MS  INT64_C(1000000)
#define BEGIN_US  (50 * INT64_C(1000000))
#define STEP_US   20000
#define TICK_US   100000
#define FRAME_MAX 8192

enum lie {
    HONEST,
    HIDES_ONE,   /* nobody is told of player 3 */
    SHIFTS_ONE,  /* player 3 is told ten metres off */
    KEEPS_GONE,  /* who leaves the view is not taken back */
    TELLS_LATE,  /* news wait for half a second */
    FROM_FUTURE, /* motions begin in two seconds */
    SPEEDS_ONE,  /* player 3 is told at 50 m/s */
};

struct told {
    bool known;
    int64_t since_ms;
    uint16_t cx, cy;
    int64_t due_us; /* of what is told late; 0: nothing is */
    struct motion late;
};

struct player {
    bool playing;
    struct motion motion;
    uint8_t look;
    struct told told[PLAYERS]; /* what this one was told of the others */
    uint32_t moves;
};

struct scene {
    struct flock flock;
    struct bot bots[PLAYERS];
    struct bot *bot_at[PLAYERS];
    struct observer observers[PLAYERS];
    struct truth_spot spots[PLAYERS];
    struct truth truth;
    struct measures measures;
    struct player players[PLAYERS];
    enum lie lie;
    int64_t now_us;
};

static int64_t
world_ms(const struct scene *s)
{
    return WORLD_MS + (s->now_us - BEGIN_US) / 1000;
}

static uint64_t
entity_of(uint32_t player)
{
    return 100 + player;
}

/* The gate. */

static void
give(struct scene *s, uint32_t i, uint8_t *frame, size_t bytes)
{
    store_u32(frame, (uint32_t)bytes);
    assert_int_equal(bot_input(&s->bots[i], frame, bytes + 4, s->now_us), OK);
}

static void
give_message(struct scene *s, uint32_t i, const Seom__ServerMessage *m)
{
    uint8_t frame[1024];
    size_t bytes = message_write_server(m, frame + 4, sizeof(frame) - 4);
    assert_true(bytes > 0);
    give(s, i, frame, bytes);
}

static void
welcome(struct scene *s, uint32_t i)
{
    struct way way;
    struct place at = plan_way(&s->flock.plan, i, &way);
    struct motion motion = {.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = world_ms(s)};
    Seom__Motion told;
    message_motion_set(&told, &motion);
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.silence_ms_max = 15000;
    Seom__Welcome w = SEOM__WELCOME__INIT;
    w.protocol = 1;
    w.limits = &limits;
    w.world_ms = world_ms(s);
    w.entity = entity_of(i);
    w.player = entity_of(i);
    w.island = 1;
    w.motion = &told;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &w;
    give_message(s, i, &m);
    s->players[i] = (struct player){.playing = true, .motion = motion};
    s->spots[i] = (struct truth_spot){.island = 1, .x_mm = at.x_mm, .y_mm = at.y_mm};
    assert_int_equal(map_put(&s->truth.by_entity, entity_of(i), i), OK);
}

static void
take(struct scene *s, uint32_t i)
{
    struct seom_client *c = s->bots[i].client;
    struct slice out;
    while ((out = seom_client_output(c)).bytes > 0) {
        struct message_arena arena;
        const Seom__ClientMessage *m;
        size_t bytes = load_u32(out.at);
        assert_true(out.bytes >= bytes + 4);
        struct slice frame = {.at = out.at + 4, .bytes = bytes};
        assert_int_equal(message_read_client(frame, &arena, &m), OK);
        seom_client_sent(c, bytes + 4);
        if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_HELLO) {
            welcome(s, i);
        } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_MOVE) {
            struct message_move move = message_move_of(m->move);
            assert_true(move.motion.since_ms <= world_ms(s) + 1);
            s->players[i].motion = move.motion;
            s->players[i].look = move.look;
            s->players[i].moves++;
            s->spots[i].x_mm = move.motion.x_mm;
            s->spots[i].y_mm = move.motion.y_mm;
        } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_PING) {
            Seom__Pong pong = SEOM__PONG__INIT;
            pong.client_ms = m->ping->client_ms;
            pong.world_ms = world_ms(s);
            Seom__ServerMessage answer = SEOM__SERVER_MESSAGE__INIT;
            answer.what_case = SEOM__SERVER_MESSAGE__WHAT_PONG;
            answer.pong = &pong;
            give_message(s, i, &answer);
        }
    }
}

/* Half a second after a change it is told, as it was then. */
static bool
is_held_back(struct scene *s, struct told *told, struct motion *m)
{
    if (s->lie != TELLS_LATE) {
        return false;
    }
    if (told->due_us == 0) {
        told->due_us = s->now_us + 500000;
        told->late = *m;
    }
    *m = told->late;
    return told->due_us > s->now_us;
}

/* What player i is told of player j now. */
static void
tell(struct scene *s, uint32_t i, uint32_t j, struct writer *w)
{
    struct told *told = &s->players[i].told[j];
    struct motion m = s->players[j].motion;
    struct place me = motion_at(&s->players[i].motion, world_ms(s)),
                 at = motion_at(&m, world_ms(s));
    int32_t cx = chunk_of(at.x_mm), cy = chunk_of(at.y_mm);
    int32_t far = abs(cx - chunk_of(me.x_mm)), far_y = abs(cy - chunk_of(me.y_mm));
    far = far > far_y ? far : far_y;
    bool crossed = told->known && (told->cx != cx || told->cy != cy);
    if (told->known && far > 2) {
        if (s->lie != KEEPS_GONE) {
            batch_put_leave(w, entity_of(j), told->cx, told->cy);
            told->known = false;
        }
        return;
    }
    if (far > 1 && !told->known) {
        return;
    }
    if ((told->known && told->since_ms == m.since_ms && !crossed) ||
        (s->lie == HIDES_ONE && j == 3) || is_held_back(s, told, &m)) {
        return;
    }
    struct record_motion record = {
        .entity = entity_of(j), .look = s->players[j].look, .motion = motion_from(&m, world_ms(s))};
    if (!crossed && told->known) {
        record.motion = m;
    }
    if (s->lie == SHIFTS_ONE && j == 3) {
        record.motion.x_mm += 10000;
    }
    if (s->lie == SPEEDS_ONE && j == 3) {
        record.motion.vx = 50000 / VELOCITY_UNIT_MM_S;
    }
    if (s->lie == FROM_FUTURE) {
        record.motion.since_ms += 2000;
    }
    batch_put_motion(w, &record);
    *told = (struct told){
        .known = true, .since_ms = m.since_ms, .cx = (uint16_t)cx, .cy = (uint16_t)cy};
}

static void
tick(struct scene *s)
{
    for (uint32_t i = 0; i < PLAYERS; i++) {
        uint8_t frame[FRAME_MAX];
        struct writer w = writer_over(frame + 5, sizeof(frame) - 5);
        frame[4] = FRAME_FORMAT_BATCH;
        for (uint32_t j = 0; j < PLAYERS && s->players[i].playing; j++) {
            if (j != i && s->players[j].playing) {
                tell(s, i, j, &w);
            }
        }
        assert_true(writer_ok(&w));
        if (writer_used(&w) > 0) {
            give(s, i, frame, writer_used(&w) + 1);
        }
    }
}

/* The scene. */

static struct scene *
scene_begin(enum profile profile, enum lie lie, const struct tracks *tracks)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    struct plan_options options = {.profile = profile, .seed = 5, .square = true, .tracks = tracks};
    flock_init(&s->flock, &options);
    s->lie = lie;
    s->now_us = BEGIN_US;
    map_init(&s->truth.by_entity, PLAYERS, 1);
    s->truth.spots = s->spots;
    s->truth.bots = s->bot_at;
    s->truth.count = PLAYERS;
    for (uint32_t i = 0; i < PLAYERS; i++) {
        s->bot_at[i] = &s->bots[i];
        s->observers[i] =
            (struct observer){.measures = &s->measures, .truth = &s->truth, .bot = &s->bots[i]};
        assert_int_equal(bot_open(&s->bots[i], &s->flock, i, (struct slice){0}, &s->observers[i]),
                         OK);
        seom_client_connected(s->bots[i].client, s->now_us);
    }
    return s;
}

static void
scene_run(struct scene *s, int seconds)
{
    for (int64_t end_us = s->now_us + seconds * INT64_C(1000000); s->now_us < end_us;) {
        for (uint32_t i = 0; i < PLAYERS; i++) {
            bot_turn(&s->bots[i], s->now_us);
            take(s, i);
            assert_false(seom_client_is_dead(s->bots[i].client, s->now_us));
        }
        s->measures.on = s->now_us - BEGIN_US > 5000000;
        if ((s->now_us - BEGIN_US) % TICK_US == 0) {
            tick(s);
        }
        for (uint32_t i = 0; i < PLAYERS && (s->now_us - BEGIN_US) % OBSERVER_PERIOD_US == 0; i++) {
            observer_sample(&s->observers[i], s->now_us, false);
        }
        s->now_us += STEP_US;
    }
}

static void
scene_end(struct scene **scene)
{
    struct scene *s = *scene;
    for (uint32_t i = 0; i < PLAYERS; i++) {
        bot_close(&s->bots[i]);
    }
    map_fini(&s->truth.by_entity);
    free(s);
    *scene = NULL;
}

static uint64_t
broken_by(enum profile profile, enum lie lie, enum invariant invariant)
{
    struct scene *s = scene_begin(profile, lie, NULL);
    scene_run(s, 40);
    uint64_t broken = s->measures.broken[invariant];
    assert_true(s->measures.checked[invariant] > 0);
    scene_end(&s);
    return broken;
}

static void
honest_gate_breaks_nothing(void **state)
{
    (void)state;
    struct scene *s = scene_begin(PROFILE_DENSE, HONEST, NULL);
    scene_run(s, 60);
    const struct measures *m = &s->measures;
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        if (m->broken[i] > 0) {
            fail_msg("%s: %s", invariant_name((enum invariant)i), invariant_doc((enum invariant)i));
        }
        assert_true(m->checked[i] > 100); /* each was really held against something */
    }
    /* Two groups of eleven; everybody sees the ten of its own. */
    assert_int_equal(m->others, 10 * m->samples);
    assert_int_equal(s->flock.misplaced, 0);
    /* Five changes a second, and news are a tick old at most. */
    for (uint32_t i = 0; i < PLAYERS; i++) {
        assert_in_range(s->players[i].moves, 59 * 5 - 5, 60 * 5);
    }
    assert_true(m->age_ms.count > 10000);
    assert_in_range(m->age_ms.max, 1, TICK_US / 1000 + STEP_US / 1000);
    scene_end(&s);
}

static void
each_lie_is_noticed(void **state)
{
    (void)state;
    assert_true(broken_by(PROFILE_DENSE, HIDES_ONE, INVARIANT_MISSING) > 0);
    assert_true(broken_by(PROFILE_DENSE, SHIFTS_ONE, INVARIANT_ASTRAY) > 0);
    assert_true(broken_by(PROFILE_DENSE, SPEEDS_ONE, INVARIANT_FAST) > 0);
    assert_true(broken_by(PROFILE_DENSE, FROM_FUTURE, INVARIANT_FUTURE) > 0);
    struct scene *s = scene_begin(PROFILE_DENSE, TELLS_LATE, NULL);
    scene_run(s, 30);
    assert_true(hist_quantile(&s->measures.age_ms, 0.99) >= 500);
    scene_end(&s);
}

/* One walks away from the others, on a gate that takes nobody back. */
static void
who_went_away_is_noticed(void **state)
{
    (void)state;
    for (int lies = 0; lies < 2; lies++) {
        struct scene *s = scene_begin(PROFILE_DENSE, lies ? KEEPS_GONE : HONEST, NULL);
        scene_run(s, 10);
        s->bots[3].way.as.group.middle.x_mm += 400000;
        scene_run(s, 60);
        uint64_t broken = s->measures.broken[INVARIANT_GHOST] + s->measures.broken[INVARIANT_FAR];
        assert_true(lies ? broken > 0 : measures_broken(&s->measures) == 0);
        scene_end(&s);
    }
}

static void
corrected_bot_turns_around(void **state)
{
    (void)state;
    struct scene *s = scene_begin(PROFILE_REAL, HONEST, NULL);
    scene_run(s, 10);
    /* The shore is where the bot stands: it goes on from there, another way, and is heard again. */
    struct bot *b = &s->bots[0];
    struct motion truth = s->players[0].motion;
    struct place at = motion_at(&truth, world_ms(s));
    truth = (struct motion){.x_mm = at.x_mm - 500, .y_mm = at.y_mm, .since_ms = world_ms(s)};
    uint8_t frame[64];
    struct writer w = writer_over(frame + 5, sizeof(frame) - 5);
    struct record_self self = {.flags = SELF_CORRECTED,
                               .move_no = s->players[0].moves,
                               .body = {.entity = entity_of(0), .motion = truth}};
    batch_put_self(&w, &self);
    frame[4] = FRAME_FORMAT_BATCH;
    s->players[0].motion = truth;
    give(s, 0, frame, writer_used(&w) + 1);
    assert_int_equal(seom_client_self(b->client).x_mm, truth.x_mm);
    uint32_t moves = s->players[0].moves;
    scene_run(s, 20);
    assert_true(s->players[0].moves > moves);
    assert_int_equal(measures_broken(&s->measures), 0);
    scene_end(&s);
}

static void
bots_come_back_where_they_were(void **state)
{
    (void)state;
    struct scene *s = scene_begin(PROFILE_REAL, HONEST, NULL);
    scene_run(s, 10);
    struct bot *b = &s->bots[0];
    seom_client_broke(b->client, s->now_us);
    s->players[0].playing = false;
    assert_true(b->leg_us == INT64_MAX);
    int64_t due_us = bot_turn(b, s->now_us);
    assert_true(due_us == seom_client_retry_us(b->client) && due_us > s->now_us);
    s->now_us += 2 * INT64_C(1000000) / STEP_US * STEP_US;
    seom_client_connected(b->client, s->now_us);
    scene_run(s, 5);
    assert_int_equal(seom_client_state(b->client), SEOM_PLAYING);
    assert_int_equal(s->flock.misplaced, 0); /* asked of the plan only the first time */
    scene_end(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_gate_breaks_nothing),
        cmocka_unit_test(each_lie_is_noticed),
        cmocka_unit_test(who_went_away_is_noticed),
        cmocka_unit_test(corrected_bot_turns_around),
        cmocka_unit_test(bots_come_back_where_they_were),
    };
    return cmocka_run_group_tests_name("bot", tests, NULL, NULL);
}
