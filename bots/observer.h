/* What a whole observer measures: how old news are, who is in view, and whether the view is true.
 * The herd knows where each of its bots really is, so a view can be held against the truth. One
 * observer belongs to one bot; all of a herd fill one `measures`. On the herd's thread, pure.
 */
#ifndef SEOM_BOTS_OBSERVER_H
#define SEOM_BOTS_OBSERVER_H

#include "base/hist.h"
#include "base/map.h"
#include "bots/bot.h"

#define OBSERVER_REPLICA_MAX 20000
#define OBSERVER_NEAREST     16
#define OBSERVER_PERIOD_US   1000000 /* between two samples of one observer */
#define OBSERVER_SEEN_MS     10000   /* who was heard of within it counts as seen */
#define OBSERVER_FUTURE_MS   300 /* a motion may begin so far ahead, clocks being what they are */

/* X(name, what must hold) */
#define INVARIANT_TABLE(X)                                                                  \
    X(FAR, "nobody is known who stands more than three chunks away")                        \
    X(GHOST, "nobody is known who is really elsewhere")                                     \
    X(MISSING, "whoever stands well within the 3 x 3 chunks is known")                      \
    X(ASTRAY, "a known one is shown where it is, give or take half a second of its motion") \
    X(FUTURE, "no motion begins in the future")                                             \
    X(FAST, "nobody moves faster than riders may")

#define INVARIANT_ENUM(name, text) INVARIANT_##name,

enum invariant { INVARIANT_TABLE(INVARIANT_ENUM) INVARIANT_COUNT };

#undef INVARIANT_ENUM

/* What the observers of one herd found; filled only while `on`. */
struct measures {
    bool on;
    struct hist age_ms;         /* of motions of people already known: arrival - since */
    struct hist nearest_age_ms; /* the same, of the 16 nearest at arrival; and how long a change of
                                 * one of them has been missing, when that is more than a second */
    struct hist nearest_quiet_ms; /* at sampling: since when nothing was heard of the 16 nearest */
    struct hist rest_refresh_ms;  /* of everybody else: time between two hearings */
    uint64_t samples, others, known, seen, seeable; /* sums over samples */
    uint64_t bytes_per_s_max;
    uint64_t checked[INVARIANT_COUNT], broken[INVARIANT_COUNT];
};

/* The truth, shared by the observers of a herd. `spots` is a rough and compact copy for looking
 * through everybody: where each bot was at its last leg. */
struct truth_spot {
    uint32_t island; /* 0: not playing */
    int32_t x_mm, y_mm;
};

struct truth {
    struct truth_spot *spots; /* owned by the herd */
    struct bot *const *bots;  /* borrowed */
    struct map by_entity;     /* entity -> number of the bot */
    uint32_t count;
};

struct observer {
    struct measures *measures; /* borrowed */
    const struct truth *truth; /* borrowed */
    const struct bot *bot;     /* borrowed */
    bool new_one;              /* what is being told just came into view */
    uint64_t bytes_in;         /* at the last sample */
    int64_t sampled_us;        /* 0: never */
    uint32_t samples;
    uint32_t nearest_count;
    uint32_t nearest[OBSERVER_NEAREST]; /* numbers of bots, at the last sample, nearest first */
    double nearest_mm;                  /* how far the last of them was */
};

const char *invariant_name(enum invariant invariant); /* "GHOST" */
const char *invariant_doc(enum invariant invariant);
uint64_t measures_broken(const struct measures *m); /* all of them */

void observer_heard(struct observer *o, const struct seom_entity *e, int64_t quiet_ms);
void observer_motion(struct observer *o, const struct seom_entity *e);
/* Once a second. crowd: everybody of the herd is in one chunk. */
void observer_sample(struct observer *o, int64_t mono_us, bool crowd);

#endif
