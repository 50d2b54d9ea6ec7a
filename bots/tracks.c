/* CSV -> rows -> sorted by person and time -> tracks with slopes. */
#include "bots/tracks.h"
#include "base/check.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32
#define FIELD_MAX   64 /* bytes of a number */
#define PLACE_M_MAX 1e6
#define TIME_S_MAX  1e7
#define FILE_MAX    (UINT64_C(1) << 30)

/* What differs between recordings of a game and of pedestrians. */
struct rules {
    int64_t skip_ms, gap_ms, shortest_ms;
    double speed_max; /* m/s; faster is a jump */
    bool southwards;
};

static const struct rules rules_game = {
    .skip_ms = 150000, .gap_ms = 30000, .shortest_ms = 60000, .speed_max = 47, .southwards = true};
static const struct rules rules_crowd = {
    .skip_ms = 0, .gap_ms = 2000, .shortest_ms = 3000, .speed_max = 7, .southwards = false};

struct columns {
    int t, person, x, y, count;
    bool game;
};

struct row {
    uint64_t person;
    int64_t t_ms;
    double x_m, y_m;
    uint32_t number; /* in the file: makes sorting stable */
};

struct rows {
    struct row *rows; /* owned */
    uint32_t count, capacity;
};

/* Splits off the next line; without its end. */
static struct slice
next_line(struct slice *rest)
{
    const uint8_t *end = memchr(rest->at, '\n', rest->bytes);
    size_t bytes = end != NULL ? (size_t)(end - rest->at) : rest->bytes;
    struct slice line = {.at = rest->at, .bytes = bytes};
    size_t used = bytes + (end != NULL ? 1 : 0);
    rest->at += used;
    rest->bytes -= used;
    if (line.bytes > 0 && line.at[line.bytes - 1] == '\r') {
        line.bytes--;
    }
    return line;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '"';
}

/* The fields of a line, trimmed; returns how many there are, COLUMNS_MAX + 1 for too many. */
static int
split_fields(struct slice line, struct slice fields[COLUMNS_MAX])
{
    int count = 0;
    for (;;) {
        const uint8_t *comma = memchr(line.at, ',', line.bytes);
        struct slice f = {.at = line.at,
                          .bytes = comma != NULL ? (size_t)(comma - line.at) : line.bytes};
        if (count == COLUMNS_MAX) {
            return COLUMNS_MAX + 1;
        }
        size_t used = f.bytes + 1;
        while (f.bytes > 0 && is_blank(f.at[0])) {
            f.at++;
            f.bytes--;
        }
        while (f.bytes > 0 && is_blank(f.at[f.bytes - 1])) {
            f.bytes--;
        }
        fields[count++] = f;
        if (comma == NULL) {
            return count;
        }
        line.at += used;
        line.bytes -= used;
    }
}

static bool
field_is(struct slice f, const char *name)
{
    return f.bytes == strlen(name) && memcmp(f.at, name, f.bytes) == 0;
}

static bool
field_number(struct slice f, double limit, double *out)
{
    char text[FIELD_MAX];
    if (f.bytes == 0 || f.bytes >= sizeof(text)) {
        return false;
    }
    memcpy(text, f.at, f.bytes);
    text[f.bytes] = 0;
    char *end;
    *out = strtod(text, &end);
    return end == text + f.bytes && isfinite(*out) && fabs(*out) <= limit;
}

/* People are named by any text; FNV-1a tells them apart. */
static uint64_t
field_name(struct slice f)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < f.bytes; i++) {
        h = (h ^ f.at[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static enum err
read_header(struct slice line, struct columns *out, char why[TRACKS_WHY_MAX])
{
    struct slice fields[COLUMNS_MAX];
    if (line.bytes >= 3 && memcmp(line.at, "\xef\xbb\xbf", 3) == 0) {
        line.at += 3;
        line.bytes -= 3;
    }
    *out = (struct columns){.t = -1, .person = -1, .x = -1, .y = -1};
    out->count = split_fields(line, fields);
    if (out->count > COLUMNS_MAX) {
        snprintf(why, TRACKS_WHY_MAX, "the header has more than %d columns", COLUMNS_MAX);
        return ERR_FORMAT;
    }
    for (int i = 0; i < out->count; i++) {
        if (field_is(fields[i], "t_s")) {
            out->t = i;
        } else if (field_is(fields[i], "x_m")) {
            out->x = i;
        } else if (field_is(fields[i], "y_m")) {
            out->y = i;
        } else if (field_is(fields[i], "player") || field_is(fields[i], "id")) {
            out->person = i;
            out->game = field_is(fields[i], "player");
        }
    }
    const char *missing = out->t < 0        ? "t_s"
                          : out->person < 0 ? "player (or id)"
                          : out->x < 0      ? "x_m"
                          : out->y < 0      ? "y_m"
                                            : NULL;
    if (missing != NULL) {
        snprintf(why, TRACKS_WHY_MAX, "the header has no column %s", missing);
        return ERR_FORMAT;
    }
    return OK;
}

static bool
read_row(struct slice line, const struct columns *columns, struct row *out)
{
    struct slice fields[COLUMNS_MAX];
    double t_s;
    if (split_fields(line, fields) != columns->count) {
        return false;
    }
    if (!field_number(fields[columns->t], TIME_S_MAX, &t_s) ||
        !field_number(fields[columns->x], PLACE_M_MAX, &out->x_m) ||
        !field_number(fields[columns->y], PLACE_M_MAX, &out->y_m) ||
        fields[columns->person].bytes == 0) {
        return false;
    }
    out->t_ms = llround(t_s * 1000);
    out->person = field_name(fields[columns->person]);
    return true;
}

static void
rows_add(struct rows *rows, const struct row *row)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity > 0 ? rows->capacity * 2 : 4096;
        rows->rows = realloc(rows->rows, rows->capacity * sizeof(*rows->rows));
        CHECK(rows->rows != NULL);
    }
    rows->rows[rows->count++] = *row;
}

static enum err
read_rows(struct slice rest, const struct columns *columns, const struct rules *rules,
          struct rows *rows, struct tracks_report *report)
{
    for (uint32_t number = 2; rest.bytes > 0; number++) {
        struct slice line = next_line(&rest);
        struct row row = {.number = number};
        if (line.bytes == 0) {
            continue;
        }
        if (report->rows == TRACKS_ROWS_MAX) {
            return ERR_FULL;
        }
        if (!read_row(line, columns, &row)) {
            if (report->bad_rows < TRACKS_BAD_ROWS_MAX) {
                report->bad_row[report->bad_rows] = number;
            }
            report->bad_rows++;
            continue;
        }
        report->rows++;
        if (row.t_ms < rules->skip_ms) {
            report->early++;
            continue;
        }
        if (rules->southwards) {
            row.y_m = -row.y_m;
        }
        rows_add(rows, &row);
    }
    return OK;
}

static int
row_order(const void *a, const void *b)
{
    const struct row *p = a, *q = b;
    if (p->person != q->person) {
        return p->person < q->person ? -1 : 1;
    }
    if (p->t_ms != q->t_ms) {
        return p->t_ms < q->t_ms ? -1 : 1;
    }
    return p->number < q->number ? -1 : 1;
}

/* The slope through the middle one of three samples: 0 at a turning point, else the weighted
 * harmonic mean of the two secants, so that the curve is monotone where the samples are. */
static double
slope_between(double before, double h0, double after, double h1)
{
    if (before * after <= 0) {
        return 0;
    }
    double w0 = 2 * h1 + h0, w1 = h1 + 2 * h0;
    return (w0 + w1) / (w0 / before + w1 / after);
}

static void
set_slopes(struct track_sample *s, uint32_t count)
{
    CHECK(count >= 2);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = i > 0 ? i - 1 : 0, b = i + 1 < count ? i + 1 : count - 1;
        double h0 = (double)(s[i].t_ms - s[a].t_ms) / 1000;
        double h1 = (double)(s[b].t_ms - s[i].t_ms) / 1000;
        if (a == i) {
            s[i].vx = (s[b].x_m - s[i].x_m) / h1;
            s[i].vy = (s[b].y_m - s[i].y_m) / h1;
        } else if (b == i) {
            s[i].vx = (s[i].x_m - s[a].x_m) / h0;
            s[i].vy = (s[i].y_m - s[a].y_m) / h0;
        } else {
            s[i].vx = slope_between((s[i].x_m - s[a].x_m) / h0, h0, (s[b].x_m - s[i].x_m) / h1, h1);
            s[i].vy = slope_between((s[i].y_m - s[a].y_m) / h0, h0, (s[b].y_m - s[i].y_m) / h1, h1);
        }
    }
}

/* Closes the track that began at sample `first`, or drops it when it is too short to walk on. */
static void
track_end(struct tracks *t, const struct rules *rules, uint32_t first, uint64_t person)
{
    uint32_t count = t->sample_count - first;
    if (count == 0) {
        return;
    }
    const struct track_sample *s = t->samples + first;
    if (count < 2 || s[count - 1].t_ms - s[0].t_ms < rules->shortest_ms) {
        t->sample_count = first;
        t->report.too_short++;
        return;
    }
    set_slopes(t->samples + first, count);
    t->tracks[t->count++] = (struct track){.first = first, .count = count, .person = person};
}

static void
make_tracks(struct tracks *t, const struct rows *rows, const struct rules *rules)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->rows[i], *last = i > 0 ? row - 1 : NULL;
        bool same = last != NULL && last->person == row->person;
        t->report.people += !same;
        if (same && last->t_ms == row->t_ms) {
            continue;
        }
        if (t->sample_count > first) {
            const struct track_sample *s = &t->samples[t->sample_count - 1];
            double seconds = (double)(row->t_ms - s->t_ms) / 1000;
            bool breaks =
                same && (row->t_ms - s->t_ms > rules->gap_ms ||
                         hypot(row->x_m - s->x_m, row->y_m - s->y_m) > rules->speed_max * seconds);
            t->report.splits += breaks;
            if (!same || breaks) {
                track_end(t, rules, first, last->person);
                first = t->sample_count;
            }
        }
        t->samples[t->sample_count++] =
            (struct track_sample){.t_ms = row->t_ms, .x_m = row->x_m, .y_m = row->y_m};
    }
    if (rows->count > 0) {
        track_end(t, rules, first, rows->rows[rows->count - 1].person);
    }
}

static void
set_bounds(struct tracks *t)
{
    t->left_m = t->low_m = INFINITY;
    t->right_m = t->high_m = -INFINITY;
    for (uint32_t i = 0; i < t->sample_count; i++) {
        const struct track_sample *s = &t->samples[i];
        t->left_m = fmin(t->left_m, s->x_m);
        t->right_m = fmax(t->right_m, s->x_m);
        t->low_m = fmin(t->low_m, s->y_m);
        t->high_m = fmax(t->high_m, s->y_m);
    }
}

enum err
tracks_parse(struct slice csv, enum tracks_shape shape, struct tracks **out,
             char why[TRACKS_WHY_MAX])
{
    struct columns columns;
    struct rows rows = {0};
    enum err error = read_header(next_line(&csv), &columns, why);
    if (error != OK) {
        return error;
    }
    bool crowd = shape == TRACKS_AUTO ? !columns.game : shape == TRACKS_CROWD;
    const struct rules *rules = crowd ? &rules_crowd : &rules_game;
    struct tracks *t = calloc(1, sizeof(*t));
    CHECK(t != NULL);
    t->crowd = crowd;
    error = read_rows(csv, &columns, rules, &rows, &t->report);
    if (error == OK) {
        if (rows.count > 0) {
            qsort(rows.rows, rows.count, sizeof(*rows.rows), row_order);
        }
        t->samples = calloc(rows.count + 1, sizeof(*t->samples));
        t->tracks = calloc(rows.count / 2 + 1, sizeof(*t->tracks));
        CHECK(t->samples != NULL && t->tracks != NULL);
        make_tracks(t, &rows, rules);
    }
    free(rows.rows);
    if (error == OK && t->count == 0) {
        snprintf(
            why, TRACKS_WHY_MAX,
            "no track of %lld s or more in it (%u rows, %u too early, %u bad, the first in row %u)",
            (long long)(rules->shortest_ms / 1000), t->report.rows, t->report.early,
            t->report.bad_rows, t->report.bad_row[0]);
        error = ERR_FORMAT;
    } else if (error == ERR_FULL) {
        snprintf(why, TRACKS_WHY_MAX, "more than %d rows", TRACKS_ROWS_MAX);
    }
    if (error != OK) {
        tracks_free(&t);
        return error;
    }
    set_bounds(t);
    *out = t;
    return OK;
}

static enum err
read_file(const char *path, uint8_t **bytes, size_t *count)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    size_t capacity = 1 << 16;
    uint8_t *at = malloc(capacity);
    size_t used = 0;
    CHECK(at != NULL);
    for (;;) {
        size_t n = fread(at + used, 1, capacity - used, f);
        used += n;
        if (n == 0 || used > FILE_MAX) {
            break;
        }
        if (used == capacity) {
            capacity *= 2;
            at = realloc(at, capacity);
            CHECK(at != NULL);
        }
    }
    enum err error = ferror(f) ? ERR_IO : used > FILE_MAX ? ERR_FULL : OK;
    (void)fclose(f); /* nothing was written */
    if (error != OK) {
        free(at);
        return error;
    }
    *bytes = at;
    *count = used;
    return OK;
}

enum err
tracks_read(const char *path, enum tracks_shape shape, struct tracks **out,
            char why[TRACKS_WHY_MAX])
{
    struct slice csv;
    uint8_t *bytes;
    enum err error = read_file(path, &bytes, &csv.bytes);
    if (error != OK) {
        snprintf(why, TRACKS_WHY_MAX, "%s", err_text(error));
        return error;
    }
    csv.at = bytes;
    error = tracks_parse(csv, shape, out, why);
    free(bytes);
    return error;
}

void
tracks_free(struct tracks **tracks)
{
    CHECK(tracks != NULL);
    if (*tracks != NULL) {
        free((*tracks)->samples);
        free((*tracks)->tracks);
        free(*tracks);
        *tracks = NULL;
    }
}

/* One axis of the fit: samples from..to go into 0..side. */
static double
fit_shift(double from, double to, double scale, double side, bool southwards)
{
    double low = southwards ? from + side : from, high = southwards ? to + side : to;
    if (scale == 1 && low >= 0 && high <= side) {
        return southwards ? side : 0;
    }
    return side / 2 - (from + to) / 2 * scale;
}

void
tracks_fit(struct tracks *t, double side_m)
{
    CHECK(side_m > 0 && t->count > 0);
    double extent = fmax(t->right_m - t->left_m, t->high_m - t->low_m);
    double scale = extent > side_m * 0.9 ? side_m * 0.9 / extent : 1;
    double dx = fit_shift(t->left_m, t->right_m, scale, side_m, false);
    double dy = fit_shift(t->low_m, t->high_m, scale, side_m, !t->crowd);
    for (uint32_t i = 0; i < t->sample_count; i++) {
        struct track_sample *s = &t->samples[i];
        s->x_m = s->x_m * scale + dx;
        s->y_m = s->y_m * scale + dy;
        s->vx *= scale;
        s->vy *= scale;
    }
    set_bounds(t);
}

int64_t
tracks_duration_ms(const struct tracks *tracks)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < tracks->count; i++) {
        sum += track_duration_ms(tracks, i);
    }
    return sum;
}

int64_t
track_duration_ms(const struct tracks *tracks, uint32_t track)
{
    CHECK(track < tracks->count);
    const struct track *t = &tracks->tracks[track];
    return tracks->samples[t->first + t->count - 1].t_ms - tracks->samples[t->first].t_ms;
}

/* Cubic Hermite on 0..1 between a and b, whose slopes are already multiplied by the step. */
static double
hermite(double a, double slope_a, double b, double slope_b, double u)
{
    double v = 1 - u;
    return a * (1 + 2 * u) * v * v + slope_a * u * v * v + b * u * u * (1 + 2 * v) -
           slope_b * u * u * v;
}

void
track_at(const struct tracks *tracks, uint32_t track, int64_t at_ms, double *x_m, double *y_m)
{
    CHECK(track < tracks->count);
    const struct track *t = &tracks->tracks[track];
    const struct track_sample *s = tracks->samples + t->first;
    int64_t t_ms = s[0].t_ms + at_ms;
    uint32_t low = 0, high = t->count - 1; /* the step low..high holds t_ms */
    if (t_ms <= s[0].t_ms || t_ms >= s[high].t_ms) {
        uint32_t end = at_ms <= 0 ? 0 : high;
        *x_m = s[end].x_m;
        *y_m = s[end].y_m;
        return;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (s[middle].t_ms <= t_ms) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double step_s = (double)(s[high].t_ms - s[low].t_ms) / 1000;
    double u = (double)(t_ms - s[low].t_ms) / 1000 / step_s;
    *x_m = hermite(s[low].x_m, s[low].vx * step_s, s[high].x_m, s[high].vx * step_s, u);
    *y_m = hermite(s[low].y_m, s[low].vy * step_s, s[high].y_m, s[high].vy * step_s, u);
}

void
track_at_looped(const struct tracks *tracks, uint32_t track, int64_t at_ms, double *x_m,
                double *y_m)
{
    int64_t duration = track_duration_ms(tracks, track);
    int64_t round = at_ms % (2 * duration);
    if (round < 0) {
        round += 2 * duration;
    }
    track_at(tracks, track, round <= duration ? round : 2 * duration - round, x_m, y_m);
}
