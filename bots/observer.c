#include "bots/observer.h"
#include "base/check.h"
#include <math.h>
#include <stdlib.h>

#define VIEW_CHUNKS_MAX   3  /* left at 5 x 5, one more while a crossing is on its way */
#define TRUTH_EVERY       10 /* samples between two looks at everybody */
#define TRUTH_NEAR_MM     (3 * CHUNK_MM) /* a spot may be a leg old */
#define CROWDED           48 /* so many around: a crowd comes round by rotation, not at once */
#define NEAREST_MM        (2 * CHUNK_MM) /* nobody farther is among the nearest */
#define LEG_MM            3000           /* people of a crowd go less in a leg */
#define MISSED_MS         1000
#define ASTRAY_MM         2000
#define ASTRAY_S          0.5
#define PEOPLE_SETTLED_US 3000000 /* after a change of place before a view must be whole */

static const struct {
    const char *name, *doc;
} invariants[] = {

#define INVARIANT_ROW(name, text) {#name, text},
    INVARIANT_TABLE(INVARIANT_ROW)
#undef INVARIANT_ROW
};

const char *
invariant_name(enum invariant invariant)
{
    CHECK(invariant < INVARIANT_COUNT);
    return invariants[invariant].name;
}

const char *
invariant_doc(enum invariant invariant)
{
    CHECK(invariant < INVARIANT_COUNT);
    return invariants[invariant].doc;
}

uint64_t
measures_broken(const struct measures *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        sum += m->broken[i];
    }
    return sum;
}

static void
hold(struct observer *o, enum invariant invariant, bool holds)
{
    o->measures->checked[invariant]++;
    o->measures->broken[invariant] += !holds;
}

static bool
is_person(const struct seom_entity *e)
{
    uint8_t kind = e->look & LOOK_KIND_MASK;
    return e->thing_kind == 0 && (kind == LOOK_WALKER || kind == LOOK_RIDER);
}

static int64_t
world_ms(const struct observer *o)
{
    return flock_world_us(o->bot->flock, o->bot->now_us) / 1000;
}

static double
distance_mm(struct place a, struct place b)
{
    return hypot((double)a.x_mm - b.x_mm, (double)a.y_mm - b.y_mm);
}

/* The bot behind an entity; NULL: none of ours, or not playing now. */
static const struct bot *
bot_of(const struct truth *t, uint64_t entity)
{
    uint32_t number = map_get(&t->by_entity, entity);
    if (number == MAP_NONE || t->spots[number].island == 0) {
        return NULL;
    }
    return t->bots[number];
}

static struct place
bot_place(const struct bot *b, int64_t at_ms, struct motion *motion)
{
    *motion = seom_client_self(b->client);
    return motion_at(motion, at_ms);
}

/* Really, and now: not as the view has it, and not at the last sample, as within a second people
 * change places. So near as the 16th was then; to look for the 16 nearest of thousands at every
 * motion would cost more than the server. */
static bool
is_nearest(const struct observer *o, const struct seom_entity *e)
{
    const struct bot *other = bot_of(o->truth, e->entity);
    if (o->nearest_count < OBSERVER_NEAREST || other == NULL) {
        return other != NULL;
    }
    int64_t now_ms = world_ms(o);
    struct motion self, theirs;
    return distance_mm(bot_place(o->bot, now_ms, &self), bot_place(other, now_ms, &theirs)) <=
           o->nearest_mm;
}

void
observer_heard(struct observer *o, const struct seom_entity *e, int64_t quiet_ms)
{
    o->new_one = quiet_ms < 0;
    if (o->measures->on && quiet_ms >= 0 && is_person(e) && !is_nearest(o, e)) {
        hist_add(&o->measures->rest_refresh_ms, (uint64_t)quiet_ms);
    }
}

/* Who has just come into view is told with the motion that it has had for a while: no news. */
void
observer_motion(struct observer *o, const struct seom_entity *e)
{
    struct measures *m = o->measures;
    if (!m->on || !is_person(e)) {
        return;
    }
    int64_t age_ms = world_ms(o) - e->motion.since_ms;
    hold(o, INVARIANT_FUTURE, age_ms >= -OBSERVER_FUTURE_MS);
    if (o->new_one) {
        return;
    }
    uint64_t age = age_ms > 0 ? (uint64_t)age_ms : 0;
    hist_add(&m->age_ms, age);
    if (is_nearest(o, e)) {
        hist_add(&m->nearest_age_ms, age);
    }
}

/* Sampling. */

struct sample {
    struct observer *observer;
    int64_t mono_us, world_ms;
    struct motion self;
    struct place here;
    int32_t cx, cy;
    uint32_t others; /* people in the 3 x 3 chunks */
    uint32_t island;
    bool crowd;
    bool deep;                         /* one of the samples that look at everybody */
    double distance[OBSERVER_NEAREST]; /* of observer->nearest, growing */
};

static int32_t
chunks_between(struct place a, int32_t cx, int32_t cy)
{
    int32_t dx = abs(chunk_of(a.x_mm) - cx), dy = abs(chunk_of(a.y_mm) - cy);
    return dx > dy ? dx : dy;
}

static void
keep_nearest(struct sample *s, uint32_t number, double distance)
{
    struct observer *o = s->observer;
    if (o->nearest_count == OBSERVER_NEAREST && distance >= s->distance[OBSERVER_NEAREST - 1]) {
        return;
    }
    uint32_t at = o->nearest_count < OBSERVER_NEAREST ? o->nearest_count++ : OBSERVER_NEAREST - 1;
    for (; at > 0 && s->distance[at - 1] > distance; at--) {
        s->distance[at] = s->distance[at - 1];
        o->nearest[at] = o->nearest[at - 1];
    }
    s->distance[at] = distance;
    o->nearest[at] = number;
}

/* Spots are a leg old: who is near enough by them is asked where it really is. */
static void
find_nearest(struct sample *s)
{
    struct observer *o = s->observer;
    const struct truth *t = o->truth;
    o->nearest_count = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct truth_spot *spot = &t->spots[i];
        bool full = o->nearest_count == OBSERVER_NEAREST;
        double reach = (full ? s->distance[OBSERVER_NEAREST - 1] : NEAREST_MM) + LEG_MM;
        if (spot->island != s->island || t->bots[i] == o->bot ||
            abs(spot->x_mm - s->here.x_mm) > reach || abs(spot->y_mm - s->here.y_mm) > reach) {
            continue;
        }
        struct motion motion;
        double distance = distance_mm(bot_place(t->bots[i], s->world_ms, &motion), s->here);
        if (distance <= NEAREST_MM) {
            keep_nearest(s, i, distance);
        }
    }
    o->nearest_mm = o->nearest_count > 0 ? s->distance[o->nearest_count - 1] : 0;
}

/* Holds one known entity against where it really is. */
static void
check_entity(struct sample *s, const struct seom_entity *e)
{
    struct observer *o = s->observer;
    hold(o, INVARIANT_FAST, velocity_mm_s(&e->motion) <= PEOPLE_RIDE_MM_S);
    hold(o, INVARIANT_FAR,
         chunks_between((struct place){e->cx * CHUNK_MM, e->cy * CHUNK_MM}, s->cx, s->cy) <=
             VIEW_CHUNKS_MAX);
    const struct bot *other = bot_of(o->truth, e->entity);
    if (other == NULL) {
        return;
    }
    struct motion truth;
    struct place there = bot_place(other, s->world_ms, &truth);
    bool same_island = seom_client_island(other->client) == s->island;
    hold(o, INVARIANT_GHOST,
         same_island && chunks_between(there, s->cx, s->cy) <= VIEW_CHUNKS_MAX + 1);
    if (!s->crowd && same_island) {
        struct place shown = motion_at(&e->motion, s->world_ms);
        double speeds = (double)velocity_mm_s(&e->motion) + velocity_mm_s(&truth);
        hold(o, INVARIANT_ASTRAY, distance_mm(shown, there) <= ASTRAY_MM + ASTRAY_S * speeds);
    }
}

/* A change of one of the nearest that has not come, though it is old, will never be in the ages. */
static void
count_nearest(struct sample *s)
{
    struct observer *o = s->observer;
    for (uint32_t i = 0; i < o->nearest_count; i++) {
        const struct bot *other = o->truth->bots[o->nearest[i]];
        const struct seom_entity *e =
            seom_client_find(o->bot->client, seom_client_entity(other->client));
        struct motion truth = seom_client_self(other->client);
        int64_t changed_ms = truth.since_ms;
        if (e != NULL) {
            int64_t quiet_ms = s->world_ms - e->heard_ms;
            hist_add(&o->measures->nearest_quiet_ms, quiet_ms > 0 ? (uint64_t)quiet_ms : 0);
            if (truth.since_ms <= e->motion.since_ms + OBSERVER_FUTURE_MS) {
                continue;
            }
            int64_t stops_ms = e->motion.since_ms + e->motion.lasts_ms; /* at the latest */
            changed_ms = e->motion.lasts_ms > 0 && stops_ms < changed_ms ? stops_ms : changed_ms;
        }
        if (s->world_ms - changed_ms > MISSED_MS) {
            hist_add(&o->measures->nearest_age_ms, (uint64_t)(s->world_ms - changed_ms));
        }
    }
}

/* Of everybody, who should be known and is not? A margin covers what is on its way. */
static void
look_for_missing(struct sample *s)
{
    const struct observer *o = s->observer;
    const struct truth *t = o->truth;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct truth_spot *spot = &t->spots[i];
        if (spot->island != s->island || abs(spot->x_mm - s->here.x_mm) > TRUTH_NEAR_MM ||
            abs(spot->y_mm - s->here.y_mm) > TRUTH_NEAR_MM || t->bots[i] == o->bot ||
            s->mono_us - t->bots[i]->welcomed_us < PEOPLE_SETTLED_US) {
            continue;
        }
        struct motion truth;
        struct place there = bot_place(t->bots[i], s->world_ms, &truth);
        int32_t margin = (velocity_mm_s(&truth) + velocity_mm_s(&s->self)) / 2;
        int32_t left = (s->cx - 1) * CHUNK_MM + margin, low = (s->cy - 1) * CHUNK_MM + margin;
        int32_t wide = 3 * CHUNK_MM - 2 * margin;
        if (there.x_mm >= left && there.x_mm < left + wide && there.y_mm >= low &&
            there.y_mm < low + wide) {
            uint64_t entity = seom_client_entity(t->bots[i]->client);
            hold(s->observer, INVARIANT_MISSING, seom_client_find(o->bot->client, entity) != NULL);
        }
    }
}

/* Everybody known: the others around, the invariants. */
static void
look_around(struct sample *s)
{
    struct observer *o = s->observer;
    struct measures *m = o->measures;
    uint32_t cursor = 0, seen = 0;
    const struct seom_entity *e;
    while ((e = seom_client_next(o->bot->client, &cursor)) != NULL) {
        if (!is_person(e)) {
            continue;
        }
        s->others += abs(e->cx - s->cx) <= 1 && abs(e->cy - s->cy) <= 1;
        seen += s->world_ms - e->heard_ms <= OBSERVER_SEEN_MS;
        if (m->on && (s->deep || !s->crowd)) {
            check_entity(s, e);
        }
    }
    if (m->on) {
        m->samples++;
        m->others += s->others;
        m->known += seom_client_entity_count(o->bot->client);
        m->seen += seen;
    }
}

static void
count_bytes(struct sample *s)
{
    struct observer *o = s->observer;
    uint64_t bytes_in = seom_client_stats(o->bot->client)->bytes_in;
    int64_t passed_us = s->mono_us - o->sampled_us;
    if (o->measures->on && o->sampled_us != 0 && passed_us > 0) {
        uint64_t per_s = (bytes_in - o->bytes_in) * 1000000 / (uint64_t)passed_us;
        if (per_s > o->measures->bytes_per_s_max) {
            o->measures->bytes_per_s_max = per_s;
        }
    }
    o->bytes_in = bytes_in;
    o->sampled_us = s->mono_us;
}

void
observer_sample(struct observer *o, int64_t mono_us, bool crowd)
{
    const struct bot *b = o->bot;
    struct sample s = {.observer = o, .mono_us = mono_us, .crowd = crowd};
    s.deep = o->samples++ % TRUTH_EVERY == rand_mix(b->number, 0) % TRUTH_EVERY;
    if (seom_client_state(b->client) != SEOM_PLAYING ||
        mono_us - b->welcomed_us < PEOPLE_SETTLED_US) {
        o->sampled_us = 0;
        return;
    }
    s.world_ms = flock_world_us(b->flock, mono_us) / 1000;
    s.here = bot_place(b, s.world_ms, &s.self);
    s.cx = chunk_of(s.here.x_mm);
    s.cy = chunk_of(s.here.y_mm);
    s.island = seom_client_island(b->client);
    count_bytes(&s);
    look_around(&s);
    find_nearest(&s);
    if (!o->measures->on) {
        return;
    }
    count_nearest(&s);
    uint32_t playing = 0;
    for (uint32_t i = 0; crowd && i < o->truth->count; i++) {
        playing += o->truth->spots[i].island == s.island;
    }
    o->measures->seeable += crowd && playing > 0 ? playing - 1 : 0;
    if (s.deep && !crowd && s.others < CROWDED) {
        look_for_missing(&s);
    }
}
