#include "bots/people.h"
#include "base/check.h"
#include "wire/batch.h"
#include <math.h>

#define LEG_MS_MIN 900 /* one change of motion a second, not all at once */
#define LEG_MS_MAX 1100

/* Bouts: a walker keeps its speed for so long on average, and the next speed is like the last. */
#define BOUT_MS_MIN  8000
#define BOUT_MS_MEAN 14000 /* on top of the shortest, exponential */
#define MOOD_KEPT    0.6

/* Rides between spots: 9 % of the time, as recorded. A bout on foot lasts 22 s, a ride of d takes d
 * / (17.5 m/s), so one of d / 37 m bouts may end in one. */
#define RIDE_CHANCE_MM 37000
#define ARRIVED_MM     40000

#define SPREAD_MM        315000
#define SPREAD_AROUND_MM 60000
#define AROUND_MM        250000
#define BEGIN_WAY_MAX    0.25
#define BORDER_MM        200000 /* nobody aims nearer to the border of a square */

/* Speeds on foot and while riding, mm/s, at growing shares of people: the inverse distribution,
 * straight between its knots. With the chance above they give the quantiles of docs/bots.md. */
struct knot {
    double share, mm_s;
};

static const struct knot knots_foot[] = {{0, 0},        {0.105, 0},    {0.165, 270},  {0.22, 440},
                                         {0.33, 800},   {0.44, 1310},  {0.548, 1970}, {0.66, 2900},
                                         {0.767, 4130}, {0.877, 5500}, {0.932, 5940}, {0.987, 6360},
                                         {1, 6900}};
static const struct knot knots_ride[] = {{0, 8000},     {0.14, 9500},  {0.37, 14900}, {0.6, 20000},
                                         {0.83, 27500}, {0.93, 31500}, {1, 41000}};

#define KNOTS(knots) (knots), sizeof(knots) / sizeof(*(knots))

static double
knots_at(const struct knot *knots, uint32_t count, double share)
{
    uint32_t i = 1;
    CHECK(share >= 0 && share <= 1);
    while (i + 1 < count && knots[i].share < share) {
        i++;
    }
    double u = (share - knots[i - 1].share) / (knots[i].share - knots[i - 1].share);
    return knots[i - 1].mm_s + u * (knots[i].mm_s - knots[i - 1].mm_s);
}

static int32_t
clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

static struct place
scatter(struct rand *r, struct place around, int32_t spread_mm)
{
    return (struct place){
        .x_mm = around.x_mm + (int32_t)(rand_normal(r) * spread_mm),
        .y_mm = around.y_mm + (int32_t)(rand_normal(r) * spread_mm),
    };
}

void
people_land_square(struct people_land *land, uint64_t seed, int32_t side_mm)
{
    struct rand r;
    CHECK(side_mm > 4 * BORDER_MM);
    rand_seed(&r, seed);
    *land = (struct people_land){.spread_mm = SPREAD_MM, .side_mm = side_mm};
    /* Within the middle three quarters, as towns are on an island. */
    int32_t margin = side_mm / 8;
    for (int i = 0; i < PEOPLE_SPOTS; i++) {
        land->spots[i].x_mm = margin + (int32_t)(rand_unit(&r) * (side_mm - 2 * margin));
        land->spots[i].y_mm = margin + (int32_t)(rand_unit(&r) * (side_mm - 2 * margin));
    }
}

void
people_land_around(struct people_land *land, uint64_t seed, struct place around)
{
    struct rand r;
    rand_seed(&r, seed);
    *land = (struct people_land){.spread_mm = SPREAD_AROUND_MM};
    for (int i = 0; i < PEOPLE_SPOTS; i++) {
        land->spots[i] = i == 0 ? around : scatter(&r, around, AROUND_MM);
    }
}

static uint8_t
draw_spot(struct rand *r)
{
    double sum = 0, drawn;
    for (int i = 0; i < PEOPLE_SPOTS; i++) {
        sum += 1.0 / (i + 1);
    }
    drawn = rand_unit(r) * sum;
    for (uint8_t i = 0; i < PEOPLE_SPOTS - 1; i++) {
        drawn -= 1.0 / (i + 1);
        if (drawn < 0) {
            return i;
        }
    }
    return PEOPLE_SPOTS - 1;
}

static struct place
draw_goal(struct person *p, const struct people_land *land)
{
    struct place goal = scatter(&p->rand, land->spots[p->spot], land->spread_mm);
    if (land->side_mm > 0) {
        goal.x_mm = clamp(goal.x_mm, BORDER_MM, land->side_mm - BORDER_MM);
        goal.y_mm = clamp(goal.y_mm, BORDER_MM, land->side_mm - BORDER_MM);
    }
    return goal;
}

static double
heading_to(struct place from, struct place to)
{
    return atan2((double)to.y_mm - from.y_mm, (double)to.x_mm - from.x_mm);
}

static double
distance_mm(struct place a, struct place b)
{
    return hypot((double)a.x_mm - b.x_mm, (double)a.y_mm - b.y_mm);
}

/* A ride goes on until it is there, in bouts of its own, so that a fast one does not last shorter.
 */
static void
begin_bout(struct person *p)
{
    struct rand *r = &p->rand;
    p->mood = MOOD_KEPT * p->mood + sqrt(1 - MOOD_KEPT * MOOD_KEPT) * rand_normal(r);
    p->bout_ms = BOUT_MS_MIN + (int32_t)(-log(1 - rand_unit(r)) * BOUT_MS_MEAN);
    double share = 0.5 * erfc(-p->mood / sqrt(2));
    double mm_s =
        p->rides ? knots_at(KNOTS(knots_ride), share) : knots_at(KNOTS(knots_foot), share);
    p->speed_mm_s = (int32_t)mm_s;
}

/* Perhaps off to another spot: the farther, the less often, so that the share of time that people
 * ride is the recording's however the spots lie. */
static void
consider_ride(struct person *p, const struct people_land *land, struct place here)
{
    struct place stay = p->goal;
    uint8_t from = p->spot;
    while (p->spot == from) {
        p->spot = draw_spot(&p->rand);
    }
    p->goal = draw_goal(p, land);
    p->rides = rand_unit(&p->rand) * distance_mm(here, p->goal) < RIDE_CHANCE_MM;
    if (!p->rides) {
        p->spot = from;
        p->goal = stay;
    }
}

void
person_begin_at(struct person *p, const struct people_land *land, uint64_t seed, struct place here)
{
    *p = (struct person){.spot = 0};
    rand_seed(&p->rand, seed);
    p->spot = draw_spot(&p->rand);
    p->mood = rand_normal(&p->rand);
    p->goal = draw_goal(p, land);
    p->heading = heading_to(here, p->goal);
    begin_bout(p);
}

struct place
person_begin(struct person *p, const struct people_land *land, uint64_t seed)
{
    person_begin_at(p, land, seed, land->spots[0]);
    /* On the way from one goal to the next: who is on the way is nearer to the middle of a spot
     * than who has arrived, and others in view are as many at the beginning as minutes later. */
    struct place here = draw_goal(p, land);
    double way = rand_unit(&p->rand) * BEGIN_WAY_MAX;
    here.x_mm += (int32_t)(way * (p->goal.x_mm - here.x_mm));
    here.y_mm += (int32_t)(way * (p->goal.y_mm - here.y_mm));
    p->heading = heading_to(here, p->goal);
    return here;
}

struct leg
leg_of(double speed_mm_s, double heading, uint16_t next_ms)
{
    /* Rounding to units must not make anybody faster than its look may be. */
    double foot = PEOPLE_FOOT_MM_S - 2 * VELOCITY_UNIT_MM_S;
    double ride = PEOPLE_RIDE_MM_S - 2 * VELOCITY_UNIT_MM_S;
    bool rides = speed_mm_s > PEOPLE_FOOT_MM_S;
    double limit = rides ? ride : foot;
    double speed = speed_mm_s < limit ? speed_mm_s : limit;
    return (struct leg){
        .vx = (int16_t)lround(cos(heading) * speed / VELOCITY_UNIT_MM_S),
        .vy = (int16_t)lround(sin(heading) * speed / VELOCITY_UNIT_MM_S),
        .look = rides ? LOOK_RIDER : LOOK_WALKER,
        .next_ms = next_ms,
    };
}

void
person_leg(struct person *p, const struct people_land *land, struct place here, struct leg *out)
{
    struct rand *r = &p->rand;
    bool arrived = distance_mm(here, p->goal) < (p->rides ? ARRIVED_MM : ARRIVED_MM / 4);
    if (arrived) {
        p->rides = false;
        p->goal = draw_goal(p, land);
    }
    if (arrived || p->bout_ms <= 0) {
        if (!p->rides) {
            consider_ride(p, land, here);
        }
        begin_bout(p);
    }
    uint16_t next_ms = (uint16_t)(LEG_MS_MIN + rand_below(r, LEG_MS_MAX - LEG_MS_MIN + 1));
    p->bout_ms -= next_ms;
    /* A walker looks about, a rider keeps to the road: both swing around the way to the goal. */
    double turn = remainder(heading_to(here, p->goal) - p->heading, 2 * M_PI);
    double sharpest = p->rides ? 0.4 : 0.7;
    turn = turn > sharpest ? sharpest : turn < -sharpest ? -sharpest : turn;
    p->heading = remainder(p->heading + turn + rand_normal(r) * (p->rides ? 0.06 : 0.15), 2 * M_PI);
    *out = leg_of(p->speed_mm_s, p->heading, next_ms);
}

void
person_barred(struct person *p, const struct people_land *land, struct place here)
{
    p->rides = false;
    p->spot = draw_spot(&p->rand);
    p->goal = draw_goal(p, land);
    p->heading = remainder(p->heading + M_PI + rand_normal(&p->rand), 2 * M_PI);
    begin_bout(p);
    if (distance_mm(here, p->goal) < ARRIVED_MM) {
        p->goal = land->spots[0];
    }
}
