#include "bots/way.h"
#include "base/check.h"
#include "wire/batch.h"
#include <math.h>

#define LEG_MS_MIN        900 /* about one change of motion a second, not all at once */
#define LEG_MS_MAX        1100
#define LEG_MS_GROUP      200
#define SWAYS_MM_S        10 /* people in a crowd who stand sway, and are told to */
#define STANDS_MM_S       80 /* slower is standing: a recording's noise */
#define GROUP_MM_S_MIN    1200
#define GROUP_MM_S_MAX    4500
#define CROWD_WALL_MM     400  /* nobody in a crowd comes nearer to its chunk's border */
#define CROWD_PACE_MM_S   1000 /* made up: as pedestrians walk */
#define CROWD_PACE_SPREAD 350
#define GATHER_MM_S       6000 /* on the way to the crowd */

static uint16_t
leg_ms(struct rand *r)
{
    return (uint16_t)(LEG_MS_MIN + rand_below(r, LEG_MS_MAX - LEG_MS_MIN + 1));
}

/* One of the eight ways to lay a square upon itself. */
static void
turn_square(uint8_t symmetry, double side, double *x, double *y)
{
    if (symmetry & 4) {
        *x = side - *x;
    }
    for (uint8_t i = 0; i < (symmetry & 3); i++) {
        double old = *x;
        *x = side - *y;
        *y = old;
    }
}

static struct place
place_of(double x_mm, double y_mm)
{
    return (struct place){.x_mm = (int32_t)lround(x_mm), .y_mm = (int32_t)lround(y_mm)};
}

static struct leg
leg_to(struct place from, double x_mm, double y_mm, uint16_t next_ms, double stands_mm_s)
{
    double dx = x_mm - from.x_mm, dy = y_mm - from.y_mm;
    double mm_s = hypot(dx, dy) * 1000 / next_ms;
    if (mm_s < stands_mm_s) {
        return (struct leg){.look = LOOK_WALKER, .next_ms = next_ms};
    }
    return leg_of(mm_s, atan2(dy, dx), next_ms);
}

/* Tracks. */

struct place
way_track_place(const struct way_track *t, int64_t at_ms)
{
    double x_m, y_m;
    track_at_looped(t->tracks, t->track, at_ms, &x_m, &y_m);
    double x_mm = x_m * 1000, y_mm = y_m * 1000;
    turn_square(t->symmetry, t->side_mm, &x_mm, &y_mm);
    return place_of(x_mm, y_mm);
}

static void
track_leg(struct way_track *t, int64_t now_ms, struct place here, struct leg *out)
{
    if (t->told_ms != 0) {
        t->at_ms += t->direction * (now_ms - t->told_ms);
    }
    t->told_ms = now_ms;
    /* The jitter of the change comes from the place, so that a way needs no chance of its own. */
    uint16_t next_ms =
        (uint16_t)(LEG_MS_MIN + rand_mix((uint64_t)t->at_ms, t->track) % (LEG_MS_MAX - LEG_MS_MIN));
    struct place next = way_track_place(t, t->at_ms + t->direction * next_ms);
    *out = leg_to(here, (double)next.x_mm + t->shift.x_mm, (double)next.y_mm + t->shift.y_mm,
                  next_ms, STANDS_MM_S);
}

static void
track_shift(struct way_track *t, struct place here)
{
    struct place there = way_track_place(t, t->at_ms);
    t->shift.x_mm = here.x_mm - there.x_mm;
    t->shift.y_mm = here.y_mm - there.y_mm;
}

/* Groups. */

static void
group_leg(struct way_group *g, struct place here, struct leg *out)
{
    double dx = (double)g->middle.x_mm - here.x_mm, dy = (double)g->middle.y_mm - here.y_mm;
    double strayed = hypot(dx, dy) / GROUP_REACH_MM;
    g->heading += rand_normal(&g->rand) * 0.6;
    if (strayed > 0.6) {
        g->heading = atan2(dy, dx) + rand_normal(&g->rand) * 0.4;
    }
    double mm_s = GROUP_MM_S_MIN + rand_unit(&g->rand) * (GROUP_MM_S_MAX - GROUP_MM_S_MIN);
    /* Back by the straight way, should something have carried it off. */
    *out = leg_of(strayed > 1 ? GATHER_MM_S : mm_s, g->heading, LEG_MS_GROUP);
}

/* Crowds. */

/* A place beyond a wall, mirrored at it: a walk in the open becomes one between walls, its paces
 * stay. */
static double
fold(double at, double low, double high)
{
    double width = high - low, round = fmod(at - low, 2 * width);
    if (round < 0) {
        round += 2 * width;
    }
    return low + (round <= width ? round : 2 * width - round);
}

/* How far somebody of the recording walks within the next leg. */
static void
crowd_step(struct way_crowd *c, uint16_t next_ms, double *dx_mm, double *dy_mm)
{
    if (c->tracks == NULL) {
        if (rand_below(&c->rand, 12) == 0) {
            c->mm_s = fmax(0, CROWD_PACE_MM_S + rand_normal(&c->rand) * CROWD_PACE_SPREAD);
        }
        c->heading += rand_normal(&c->rand) * 0.25;
        *dx_mm = cos(c->heading) * c->mm_s * next_ms / 1000;
        *dy_mm = sin(c->heading) * c->mm_s * next_ms / 1000;
        return;
    }
    if (c->at_ms + next_ms > track_duration_ms(c->tracks, c->track)) {
        c->track = rand_below(&c->rand, c->tracks->count);
        c->at_ms = 0;
    }
    double x0, y0, x1, y1;
    track_at(c->tracks, c->track, c->at_ms, &x0, &y0);
    c->at_ms += next_ms;
    track_at(c->tracks, c->track, c->at_ms, &x1, &y1);
    turn_square(c->symmetry, 0, &x0, &y0);
    turn_square(c->symmetry, 0, &x1, &y1);
    *dx_mm = (x1 - x0) * 1000;
    *dy_mm = (y1 - y0) * 1000;
}

static void
crowd_leg(struct way_crowd *c, struct place here, struct leg *out)
{
    double left = c->corner.x_mm + CROWD_WALL_MM, right = left + CHUNK_MM - 2 * CROWD_WALL_MM;
    double low = c->corner.y_mm + CROWD_WALL_MM, high = low + CHUNK_MM - 2 * CROWD_WALL_MM;
    uint16_t next_ms = leg_ms(&c->rand);
    if (here.x_mm < c->corner.x_mm || here.x_mm >= c->corner.x_mm + CHUNK_MM ||
        here.y_mm < c->corner.y_mm || here.y_mm >= c->corner.y_mm + CHUNK_MM) {
        double x = left + rand_unit(&c->rand) * (right - left);
        double y = low + rand_unit(&c->rand) * (high - low);
        double far = hypot(x - here.x_mm, y - here.y_mm);
        double step = fmin(1, GATHER_MM_S / fmax(far, 1) * next_ms / 1000);
        *out = leg_to(here, here.x_mm + (x - here.x_mm) * step, here.y_mm + (y - here.y_mm) * step,
                      next_ms, SWAYS_MM_S);
        return;
    }
    double dx, dy;
    crowd_step(c, next_ms, &dx, &dy);
    *out = leg_to(here, fold(here.x_mm + dx, left, right), fold(here.y_mm + dy, low, high), next_ms,
                  SWAYS_MM_S);
}

/* All of them. */

void
way_start(struct way *w, struct place here)
{
    switch (w->kind) {
    case WAY_TRACK:
        w->as.track.told_ms = 0;
        track_shift(&w->as.track, here);
        break;
    case WAY_GROUP: w->as.group.middle = here; break;
    case WAY_PERSON:
    case WAY_CROWD: break; /* they go on from wherever they are */
    }
}

void
way_leg(struct way *w, int64_t now_ms, struct place here, struct leg *out)
{
    switch (w->kind) {
    case WAY_TRACK: track_leg(&w->as.track, now_ms, here, out); break;
    case WAY_PERSON: person_leg(&w->as.person.person, &w->as.person.land, here, out); break;
    case WAY_GROUP: group_leg(&w->as.group, here, out); break;
    case WAY_CROWD: crowd_leg(&w->as.crowd, here, out); break;
    }
    CHECK(out->next_ms > 0);
}

void
way_barred(struct way *w, int64_t now_ms, struct place here)
{
    switch (w->kind) {
    case WAY_TRACK:
        /* Back along the way it came, which was dry. */
        if (w->as.track.told_ms != 0) {
            w->as.track.at_ms += w->as.track.direction * (now_ms - w->as.track.told_ms);
            w->as.track.told_ms = now_ms;
        }
        w->as.track.direction = (int8_t)-w->as.track.direction;
        track_shift(&w->as.track, here);
        break;
    case WAY_PERSON: person_barred(&w->as.person.person, &w->as.person.land, here); break;
    case WAY_GROUP: w->as.group.heading += M_PI; break;
    case WAY_CROWD: w->as.crowd.heading += M_PI; break;
    }
}
