/* Recorded ways of people: read from a CSV, cleaned, and asked for as a function of time. The
 * columns are found by name: t_s, player or id, x_m, y_m; others are ignored. A recording of a game
 * (column `player`) begins before people stand on the ground and has y growing southwards, one of
 * pedestrians (column `id`) has neither; the options say otherwise where that is wrong.
 *
 * A track is the unbroken part of one person's way: a gap or a jump that nobody can walk or ride
 * splits it. Between samples runs a monotone cubic (Fritsch and Butland 1984) per axis: it never
 * overshoots, so who stands still stands still and who stays inside stays inside.
 *
 * Read-only once read; any thread. Limits: TRACKS_ROWS_MAX rows, the file fits memory.
 */
#ifndef SEOM_BOTS_TRACKS_H
#define SEOM_BOTS_TRACKS_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define TRACKS_ROWS_MAX     4000000
#define TRACKS_BAD_ROWS_MAX 8
#define TRACKS_WHY_MAX      256

enum tracks_shape {
    TRACKS_AUTO,  /* by the column's name */
    TRACKS_GAME,  /* skips 150 s, y southwards, samples far apart */
    TRACKS_CROWD, /* pedestrians, several samples a second */
};

struct tracks_report {
    uint32_t rows, early; /* read; of them before the time at which the recording begins to count */
    uint32_t bad_rows; /* not read: not as many fields as the header, not a number, out of range */
    uint32_t bad_row[TRACKS_BAD_ROWS_MAX]; /* the first of them, counted from 1 = the header */
    uint32_t people, splits, too_short;    /* tracks cut at a gap or jump; tracks dropped */
};

struct track_sample {
    int64_t t_ms;
    double x_m, y_m;
    double vx, vy; /* m/s through the sample */
};

struct track {
    uint32_t first, count; /* samples */
    uint64_t person;       /* who it was; several tracks of one person keep their order */
};

struct tracks {
    struct track_sample *samples; /* owned */
    struct track *tracks;         /* owned */
    uint32_t sample_count, count;
    bool crowd;
    double left_m, low_m, right_m, high_m; /* all samples lie inside */
    struct tracks_report report;
};

/* ERR_FORMAT: not such a table, or nothing usable in it; ERR_FULL: too many rows. why: for people.
 */
enum err tracks_parse(struct slice csv, enum tracks_shape shape, struct tracks **out,
                      char why[TRACKS_WHY_MAX]) MUST_USE;
/* Also ERR_NOT_FOUND and ERR_IO. */
enum err tracks_read(const char *path, enum tracks_shape shape, struct tracks **out,
                     char why[TRACKS_WHY_MAX]) MUST_USE;
void tracks_free(struct tracks **tracks);

/* Moves all of it into the middle of a square of side_m, smaller only if it does not fit with a
 * tenth of the side left over (then speeds shrink likewise). What lies inside already stays. */
void tracks_fit(struct tracks *tracks, double side_m);

int64_t tracks_duration_ms(const struct tracks *tracks); /* of all tracks together */
int64_t track_duration_ms(const struct tracks *tracks, uint32_t track);
/* Where the person was at_ms after the track's beginning; before and after it: at its ends. */
void track_at(const struct tracks *tracks, uint32_t track, int64_t at_ms, double *x_m, double *y_m);
/* The same, played forward and back without end: smooth where a loop would jump. */
void track_at_looped(const struct tracks *tracks, uint32_t track, int64_t at_ms, double *x_m,
                     double *y_m);

#endif
