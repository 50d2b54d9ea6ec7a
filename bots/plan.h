/* Who begins where and goes how: for each bot of a profile, from one seed, the island (counted from
 * 0), the place at which it begins and its way. Benches write these places into a store beforehand
 * (seed.h), bots follow the ways; both ask the same plan, so they agree. Read-only once made; any
 * thread.
 */
#ifndef SEOM_BOTS_PLAN_H
#define SEOM_BOTS_PLAN_H

#include "bots/way.h"

#define PLAN_SIDE_MM 8160000 /* of the square all-land islands of benches, as in the recording */
#define PLAN_GROUP   11      /* bots of a `dense` group: each has ten others in view */

#define PLAN_PEOPLE 570 /* measured: so many on such an island */
#define PLAN_OTHERS 1.0 /* have so many others in the 3 x 3 chunks around each */

/* X(name, for people) */
#define PROFILE_TABLE(X)                                                     \
    X(REAL, "real", "as recorded people walk and ride, one change a second") \
    X(DENSE, "dense", "groups of eleven, five changes a second each")        \
    X(CROWD, "crowd", "everybody in one chunk, one change a second")         \
    X(TRADE, "trade", "nothing but things of value: picks, crafts, trades, writes mail")

#define PROFILE_ENUM(name, text, doc) PROFILE_##name,

enum profile { PROFILE_TABLE(PROFILE_ENUM) PROFILE_COUNT };

#undef PROFILE_ENUM

struct plan_options {
    enum profile profile;
    uint64_t seed;
    uint32_t per_island;         /* bots on one island; 0 = 570; `crowd` has one island */
    const struct tracks *tracks; /* borrowed; for real or crowd; NULL: made-up people */
    bool square;                 /* the islands are all-land squares of PLAN_SIDE_MM */
};

struct plan {
    struct plan_options options;
    double main_share; /* of the bots on tracks, that follow them unmirrored */
};

const char *profile_name(enum profile profile);
const char *profile_doc(enum profile profile);
bool profile_of(const char *name, enum profile *out);

/* tracks: already fitted to the square (tracks_fit) for `real`. Recordings differ in how closely
 * people keep together; how many tracks are mirrored is chosen so that PLAN_PEOPLE of them on an
 * island have PLAN_OTHERS in view, as far as that can be. */
void plan_init(struct plan *p, const struct plan_options *options);
uint32_t plan_islands(const struct plan *p, uint32_t count); /* that `count` bots need */
uint32_t plan_island(const struct plan *p, uint32_t bot);
/* The bot's way and the place where it begins on its square island. */
struct place plan_way(const struct plan *p, uint32_t bot, struct way *out);
/* For an island that is no square of ours: the way of a bot that stands at `here`. gather: where a
 * crowd meets. */
void plan_way_from(const struct plan *p, uint32_t bot, struct place here, struct place gather,
                   struct way *out);

#endif
