/* Where a bot goes: leg after leg, whatever the leg comes from. A recorded track, a made-up person
 * (people.h), a group that stays together, or somebody in a crowd. Pure; a plain value embedded in
 * its bot; tracks are borrowed and shared by all ways.
 */
#ifndef SEOM_BOTS_WAY_H
#define SEOM_BOTS_WAY_H

#include "bots/people.h"
#include "bots/tracks.h"

#define WAY_SYMMETRIES 8     /* of a square: four turns, each also mirrored */
#define GROUP_REACH_MM 12000 /* so far a group strays from its middle */

enum way_kind { WAY_TRACK, WAY_PERSON, WAY_GROUP, WAY_CROWD };

struct way_track {
    const struct tracks *tracks; /* borrowed */
    uint32_t track;
    uint8_t symmetry;
    int8_t direction;   /* of time along the track: 1 or -1 */
    int32_t side_mm;    /* of the square on which it is mirrored */
    int64_t at_ms;      /* along the looped track */
    int64_t told_ms;    /* world time of at_ms; 0 before the first leg */
    struct place shift; /* from the track to where the bot really goes */
};

struct way_person {
    struct person person;
    struct people_land land;
};

struct way_group {
    struct rand rand;
    struct place middle;
    double heading;
};

struct way_crowd {
    struct rand rand;
    const struct tracks *tracks; /* borrowed; NULL: paces are made up */
    uint32_t track;
    uint8_t symmetry;
    int64_t at_ms;
    struct place corner;  /* of the chunk where everybody is */
    double heading, mm_s; /* made up */
};

struct way {
    enum way_kind kind;

    union {
        struct way_track track;
        struct way_person person;
        struct way_group group;
        struct way_crowd crowd;
    } as;
};

/* Where a track's follower stands at at_ms, in mm on the square. */
struct place way_track_place(const struct way_track *t, int64_t at_ms);

/* The bot stands at `here`, wherever that is: the way is moved so that it begins there. */
void way_start(struct way *w, struct place here);
/* The leg from `here` at world time now_ms. */
void way_leg(struct way *w, int64_t now_ms, struct place here, struct leg *out);
/* The server put the bot at `here`: barred by shore or limits, it turns around from there. */
void way_barred(struct way *w, int64_t now_ms, struct place here);

#endif
