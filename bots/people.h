/* People made up where no recording is there: one walker that stands, walks and rides as the people
 * of a real recording do (figures: docs/bots.md). Two hidden things make them alike: speeds come
 * from the recording's quantiles by an inverse distribution and are kept for a while, and people
 * keep to hot places, of which a few draw most, with rides between them.
 *
 * Pure: a walker is a plain value that says its next leg when asked; every step follows from its
 * seed. Any thread.
 */
#ifndef SEOM_BOTS_PEOPLE_H
#define SEOM_BOTS_PEOPLE_H

#include "base/rand.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define PEOPLE_SPOTS 10 /* hot places of one island */

#define PEOPLE_FOOT_MM_S 7000  /* above it one rides */
#define PEOPLE_RIDE_MM_S 45000 /* nobody is faster */

/* A straight stretch of a way: velocity, and after how long the next one begins. */
struct leg {
    int16_t vx, vy; /* in VELOCITY_UNIT_MM_S; 0, 0: stands */
    uint8_t look;   /* LOOK_WALKER, LOOK_RIDER */
    uint16_t next_ms;
};

/* Where the people of one island like to be. */
struct people_land {
    struct place spots[PEOPLE_SPOTS]; /* the first draws most, the n-th 1/n of it */
    int32_t spread_mm;                /* people stand around a spot with this deviation */
    int32_t side_mm;                  /* they keep inside 0 .. side; 0: no border but the shore */
};

/* A square island of all land. */
void people_land_square(struct people_land *land, uint64_t seed, int32_t side_mm);
/* An island that nobody measured: a few spots not far from `around`. */
void people_land_around(struct people_land *land, uint64_t seed, struct place around);

struct person {
    struct rand rand;
    struct place goal;
    double heading; /* radians, 0 = east */
    double mood;    /* hidden normal value that the speed follows */
    int32_t speed_mm_s;
    int32_t bout_ms; /* how long this speed still lasts */
    uint8_t spot;
    bool rides; /* to another spot, until there */
};

/* The place at which a person of this seed begins. */
struct place person_begin(struct person *p, const struct people_land *land, uint64_t seed);
/* The same for who stands at `here` already. */
void person_begin_at(struct person *p, const struct people_land *land, uint64_t seed,
                     struct place here);
/* The next leg of who stands at `here` now. */
void person_leg(struct person *p, const struct people_land *land, struct place here,
                struct leg *out);
/* The way on is barred (shore): turns away and goes elsewhere. */
void person_barred(struct person *p, const struct people_land *land, struct place here);

/* A leg with this speed and heading, the look that belongs to it, and limits kept. */
struct leg leg_of(double speed_mm_s, double heading, uint16_t next_ms);

#endif
