#include "bots/bot.h"
#include "base/check.h"
#include "bots/observer.h"
#include "wire/message.h"
#include <math.h>
#include <stdlib.h>

#define CLOCK_US_MAX   (60 * INT64_C(1000000)) /* older, any other sample is as good */
#define CLOCK_APART_US (20 * INT64_C(1000000)) /* more than any way there and back takes */
#define MISPLACED_MM   2000
#define FIRST_LEG_MS   1000   /* bots that are welcomed together do not step together */
#define BARRED_US      150000 /* how soon after a correction it turns around */

void
flock_init(struct flock *f, const struct plan_options *options)
{
    *f = (struct flock){.clock_us = INT64_MAX, .round_trip_us = INT64_MAX};
    plan_init(&f->plan, options);
}

int64_t
flock_world_us(const struct flock *f, int64_t mono_us)
{
    return f->clock_us == INT64_MAX ? 0 : mono_us + f->clock_us;
}

/* All clients of a herd hear the same world time; the quickest answer tells it best. */
static void
share_clock(struct bot *b, int64_t mono_us)
{
    struct flock *f = b->flock;
    int64_t round_trip_us, clock_us = seom_client_clock_us(b->client, &round_trip_us);
    if (clock_us == INT64_MAX) {
        return;
    }
    /* So far apart are only the clocks of different worlds: somebody put another one in its place.
     */
    bool other = f->clock_us == INT64_MAX || llabs(clock_us - f->clock_us) > CLOCK_APART_US;
    bool old = mono_us - f->clock_taken_us > CLOCK_US_MAX;
    if (other || old || round_trip_us < f->round_trip_us) {
        f->clock_us = clock_us;
        f->round_trip_us = round_trip_us;
        f->clock_taken_us = mono_us;
    }
}

static bool
is_far(struct place a, struct place b)
{
    return llabs((int64_t)a.x_mm - b.x_mm) > MISPLACED_MM ||
           llabs((int64_t)a.y_mm - b.y_mm) > MISPLACED_MM;
}

static void
begin_way(struct bot *b, struct place here)
{
    struct flock *f = b->flock;
    if (f->plan.options.square) {
        struct place planned = plan_way(&f->plan, b->number, &b->way);
        if (is_far(planned, here)) {
            f->misplaced++;
            way_start(&b->way, here);
        }
        return;
    }
    uint32_t island = seom_client_island(b->client);
    if (f->gather_island == 0) {
        f->gather = here;
        f->gather_island = island;
    }
    /* Who stands on another island has nobody to go to. */
    struct place gather = island == f->gather_island ? f->gather : here;
    plan_way_from(&f->plan, b->number, here, gather, &b->way);
}

static void
on_welcome(void *ctx, struct seom_client *c)
{
    struct bot *b = ctx;
    struct motion self = seom_client_self(c);
    struct place here = motion_at(&self, INT64_MAX);
    if (b->trader != NULL) {
        trader_welcome(b->trader, b->now_us);
        b->welcomed_us = b->leg_us = b->now_us;
        return;
    }
    if (b->has_way) {
        way_start(&b->way, here);
    } else {
        begin_way(b, here);
        b->has_way = true;
    }
    b->welcomed_us = b->now_us;
    b->leg_us = b->now_us + rand_below(&b->chance, FIRST_LEG_MS) * INT64_C(1000);
}

static void
on_corrected(void *ctx, const struct motion *truth)
{
    struct bot *b = ctx;
    if (b->trader != NULL) {
        return; /* it looks where it stands before it acts */
    }
    int64_t world_us = flock_world_us(b->flock, b->now_us);
    int64_t ends_ms = truth->since_ms + truth->lasts_ms;
    bool later = ends_ms * 1000 >= world_us + (b->leg_us - b->now_us);
    if (b->leg_us == INT64_MAX || (truth->lasts_ms > 0 && later)) {
        return; /* only the slack was cut: the next leg begins before that matters */
    }
    way_barred(&b->way, world_us / 1000, motion_at(truth, world_us / 1000));
    b->leg_us = b->now_us + BARRED_US;
}

static void
on_ended(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    struct bot *b = ctx;
    (void)retry_after_ms; /* the client keeps it */
    b->end_code = code;
    b->leg_us = INT64_MAX;
}

static void
on_heard(void *ctx, const struct seom_entity *e, int64_t quiet_ms)
{
    struct bot *b = ctx;
    observer_heard(b->observer, e, quiet_ms);
}

static void
on_motion(void *ctx, const struct seom_entity *e, int64_t age_ms)
{
    struct bot *b = ctx;
    (void)age_ms; /* by this client's clock; the observer asks the flock's */
    observer_motion(b->observer, e);
}

static void
on_shown(void *ctx, uint32_t number, struct slice view)
{
    struct bot *b = ctx;
    trader_shown(b->trader, number, view, b->now_us);
    b->leg_us = b->now_us;
}

static void
on_probed(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name)
{
    struct bot *b = ctx;
    (void)look;
    (void)name;
    int64_t asked_us = b->prober == NULL ? 0 : prober_answered(b->prober, number);
    b->answered_us = code == SEOM__CODE__FINE && asked_us != 0 ? asked_us : b->answered_us;
}

static void
on_answer(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name)
{
    struct bot *b = ctx;
    (void)code;
    (void)look;
    (void)name;
    trader_answer(b->trader, number, b->now_us);
    b->leg_us = b->now_us;
}

static void
on_changed(void *ctx, uint32_t what)
{
    struct bot *b = ctx;
    trader_changed(b->trader, what);
}

static void
on_result(void *ctx, uint64_t seq, uint32_t code, struct slice body)
{
    struct bot *b = ctx;
    trader_result(b->trader, seq, code, body, b->now_us);
    b->leg_us = b->now_us;
}

static void
make_trader(struct bot *b, struct seom_events *events, struct seom_options *options)
{
    b->trader = calloc(1, sizeof(*b->trader));
    CHECK(b->trader != NULL);
    events->shown = on_shown;
    events->answer = on_answer;
    events->changed = on_changed;
    events->result = on_result;
    options->replica = true;
    options->replica_max = TRADER_REPLICA_MAX;
}

enum err
bot_open(struct bot *b, struct flock *flock, uint32_t number, struct slice ticket,
         struct observer *observer)
{
    *b = (struct bot){.flock = flock, .observer = observer, .number = number, .leg_us = INT64_MAX};
    rand_seed(&b->chance, rand_mix(flock->plan.options.seed, number));
    struct seom_events events = {.ctx = b,
                                 .welcome = on_welcome,
                                 .corrected = on_corrected,
                                 .ended = on_ended,
                                 .answer = on_probed};
    if (observer != NULL) {
        events.heard = on_heard;
        events.motion = on_motion;
    }
    struct seom_options options = {
        .island = flock->plan.options.profile == PROFILE_CROWD ? flock->gather_island : 0,
        .replica = observer != NULL,
        .replica_max = observer != NULL ? OBSERVER_REPLICA_MAX : 0,
        .ticket = ticket.bytes > 0 ? ticket.at : NULL,
        .ticket_bytes = (uint32_t)ticket.bytes,
        .seed = rand_next(&b->chance),
    };
    if (flock->plan.options.profile == PROFILE_TRADE) {
        make_trader(b, &events, &options);
    }
    enum err error = seom_client_open(&options, &events, &b->client);
    if (b->trader != NULL) {
        trader_init(b->trader, &flock->trades, b->client, rand_next(&b->chance));
    }
    return error;
}

void
bot_close(struct bot *b)
{
    seom_client_close(&b->client);
    free(b->trader);
    b->trader = NULL;
}

enum err
bot_input(struct bot *b, const uint8_t *bytes, size_t n, int64_t mono_us)
{
    b->now_us = mono_us;
    enum err error = seom_client_input(b->client, bytes, n, mono_us);
    share_clock(b, mono_us);
    return error;
}

/* Begins the next leg; one that stands on where the last one stood is not worth a message. */
static void
walk(struct bot *b)
{
    int64_t world_ms = flock_world_us(b->flock, b->now_us) / 1000;
    struct motion self = seom_client_self(b->client);
    struct place here = motion_at(&self, world_ms);
    struct leg leg;
    way_leg(&b->way, world_ms, here, &leg);
    bool stands = leg.vx == 0 && leg.vy == 0;
    uint32_t lasts_ms = leg.next_ms + BOT_SLACK_MS;
    struct motion next = {
        .x_mm = here.x_mm,
        .y_mm = here.y_mm,
        .vx = leg.vx,
        .vy = leg.vy,
        .since_ms = world_ms,
        .lasts_ms = stands ? 0 : (uint16_t)lasts_ms,
    };
    CHECK(lasts_ms <= MOTION_LASTS_MS_MAX);
    if (!stands || motion_moves(&self, world_ms)) {
        /* A full outbox means a line that takes nothing: the bot stands until it does. */
        b->flock->moves += seom_client_move(b->client, &next, leg.look, NULL) == OK;
    }
    /* From when it was due, so that being late does not make legs longer; but never catch up. */
    b->leg_us += leg.next_ms * INT64_C(1000);
    if (b->leg_us < b->now_us) {
        b->leg_us = b->now_us + leg.next_ms * INT64_C(1000);
    }
}

int64_t
bot_turn(struct bot *b, int64_t mono_us)
{
    b->now_us = mono_us;
    if (b->leg_us <= mono_us && seom_client_state(b->client) == SEOM_PLAYING) {
        if (b->trader != NULL) {
            int64_t world_ms = flock_world_us(b->flock, mono_us) / 1000;
            b->leg_us = trader_turn(b->trader, mono_us, world_ms);
        } else {
            walk(b);
        }
    }
    if (b->turn_us <= mono_us) {
        b->turn_us = seom_client_turn(b->client, mono_us);
    }
    int64_t due_us = b->leg_us < b->turn_us ? b->leg_us : b->turn_us;
    if (b->prober == NULL) {
        return due_us;
    }
    int64_t ask_us = prober_turn(b->prober, b->client, mono_us);
    return ask_us < due_us ? ask_us : due_us;
}
