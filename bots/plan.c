#include "bots/plan.h"
#include "base/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_CHUNKS  6 /* between groups: nobody sees two of them */
#define GROUP_BORDER  8 /* chunks left free along the shore */
#define COLUMNS       (PLAN_SIDE_MM / CHUNK_MM)
#define SHARE_STEP_MS 2000
#define CROWD_MIDDLE  (PLAN_SIDE_MM / CHUNK_MM / 2) /* the chunk of the crowd, both ways */

static const struct {
    const char *name, *doc;
} profiles[] = {

#define PROFILE_ROW(name, text, doc) {text, doc},
    PROFILE_TABLE(PROFILE_ROW)
#undef PROFILE_ROW
};

const char *
profile_name(enum profile profile)
{
    CHECK(profile < PROFILE_COUNT);
    return profiles[profile].name;
}

const char *
profile_doc(enum profile profile)
{
    CHECK(profile < PROFILE_COUNT);
    return profiles[profile].doc;
}

bool
profile_of(const char *name, enum profile *out)
{
    for (int i = 0; i < PROFILE_COUNT; i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            *out = (enum profile)i;
            return true;
        }
    }
    return false;
}

static uint32_t
groups_a_row(void)
{
    return (PLAN_SIDE_MM / CHUNK_MM - 2 * GROUP_BORDER) / GROUP_CHUNKS;
}

/* Whole groups stay on one island. */
static uint32_t
bots_an_island(const struct plan_options *o)
{
    if (o->profile != PROFILE_DENSE) {
        return o->per_island;
    }
    uint32_t groups = (o->per_island + PLAN_GROUP - 1) / PLAN_GROUP;
    uint32_t most = groups_a_row() * groups_a_row();
    return (groups < most ? groups : most) * PLAN_GROUP;
}

/* How long people of the recording are in each chunk, as shares of 1, laid out by one symmetry. */
static void
fill_shares(const struct tracks *tracks, uint8_t symmetry, double *shares)
{
    uint32_t filled = 0;
    memset(shares, 0, sizeof(*shares) * COLUMNS * COLUMNS);
    for (uint32_t i = 0; i < tracks->count; i++) {
        struct way_track t = {
            .tracks = tracks, .track = i, .symmetry = symmetry, .side_mm = PLAN_SIDE_MM};
        for (int64_t at = 0; at < track_duration_ms(tracks, i); at += SHARE_STEP_MS) {
            struct place p = way_track_place(&t, at);
            int32_t cx = chunk_of(p.x_mm), cy = chunk_of(p.y_mm);
            if (cx >= 0 && cx < COLUMNS && cy >= 0 && cy < COLUMNS) {
                shares[cy * COLUMNS + cx]++;
                filled++;
            }
        }
    }
    for (uint32_t i = 0; i < COLUMNS * COLUMNS && filled > 0; i++) {
        shares[i] /= filled;
    }
}

/* The chance that somebody of the second is in the 3 x 3 chunks around somebody of the first. */
static double
meeting(const double *first, const double *second)
{
    double sum = 0;
    for (int32_t y = 1; y < COLUMNS - 1; y++) {
        for (int32_t x = 1; x < COLUMNS - 1; x++) {
            const double *at = second + y * COLUMNS + x;
            if (first[y * COLUMNS + x] > 0) {
                sum += first[y * COLUMNS + x] *
                       (at[-1] + at[0] + at[1] + at[-COLUMNS - 1] + at[-COLUMNS] +
                        at[-COLUMNS + 1] + at[COLUMNS - 1] + at[COLUMNS] + at[COLUMNS + 1]);
            }
        }
    }
    return sum;
}

/* With the share a on one symmetry and the rest spread over the seven others, two bots share theirs
 * with a^2 + (1 - a)^2 / 7; then they meet as `same`, else as `other`. */
static double
choose_main_share(const struct tracks *tracks)
{
    double *first = calloc(2 * COLUMNS * COLUMNS, sizeof(*first)), *second;
    CHECK(first != NULL);
    second = first + COLUMNS * COLUMNS;
    fill_shares(tracks, 0, first);
    double same = meeting(first, first), other = 0;
    for (uint8_t s = 1; s < WAY_SYMMETRIES; s++) {
        fill_shares(tracks, s, second);
        other += meeting(first, second) / (WAY_SYMMETRIES - 1);
    }
    free(first);
    double best = 1, best_off = INFINITY;
    for (double a = 1; a >= 1.0 / WAY_SYMMETRIES; a -= 0.005) {
        double shared = a * a + (1 - a) * (1 - a) / (WAY_SYMMETRIES - 1);
        double others = (PLAN_PEOPLE - 1) * (shared * same + (1 - shared) * other);
        if (fabs(others - PLAN_OTHERS) < best_off) {
            best_off = fabs(others - PLAN_OTHERS);
            best = a;
        }
    }
    return best;
}

void
plan_init(struct plan *p, const struct plan_options *options)
{
    CHECK(options->profile < PROFILE_COUNT);
    p->options = *options;
    if (p->options.per_island == 0) {
        p->options.per_island = PLAN_PEOPLE;
    }
    p->main_share = 1;
    if (options->profile == PROFILE_REAL && options->tracks != NULL) {
        p->main_share = choose_main_share(options->tracks);
    }
}

uint32_t
plan_island(const struct plan *p, uint32_t bot)
{
    return p->options.profile == PROFILE_CROWD ? 0 : bot / bots_an_island(&p->options);
}

uint32_t
plan_islands(const struct plan *p, uint32_t count)
{
    return count == 0 ? 0 : plan_island(p, count - 1) + 1;
}

static double
rand_unit_of(uint64_t mixed)
{
    return (double)(mixed >> 11) / 9007199254740992.0; /* 2^53 */
}

static struct place
real_way(const struct plan *p, uint32_t bot, struct way *out)
{
    const struct plan_options *o = &p->options;
    uint32_t island = plan_island(p, bot), nth = bot % bots_an_island(o);
    uint64_t mixed = rand_mix(o->seed, bot);
    if (o->tracks == NULL) {
        *out = (struct way){.kind = WAY_PERSON};
        people_land_square(&out->as.person.land, rand_mix(o->seed, UINT32_MAX - (uint64_t)island),
                           PLAN_SIDE_MM);
        return person_begin(&out->as.person.person, &out->as.person.land, mixed);
    }
    /* A point of the whole recorded time, spread evenly (golden section): who was recorded for
     * longer is followed by more, so that bots do what people did as often as they did it. */
    double share = fmod(nth * 0.6180339887498949 + rand_unit_of(rand_mix(o->seed, island)), 1);
    int64_t at_ms = (int64_t)(share * (double)tracks_duration_ms(o->tracks));
    uint32_t track = 0;
    while (track + 1 < o->tracks->count && at_ms >= track_duration_ms(o->tracks, track)) {
        at_ms -= track_duration_ms(o->tracks, track++);
    }
    uint8_t symmetry = 0;
    if (rand_unit_of(rand_mix(mixed, 1)) >= p->main_share) {
        symmetry = (uint8_t)(1 + mixed % (WAY_SYMMETRIES - 1));
    }
    *out = (struct way){
        .kind = WAY_TRACK,
        .as.track = {.tracks = o->tracks,
                     .track = track,
                     .symmetry = (uint8_t)((symmetry + island) % WAY_SYMMETRIES),
                     .direction = mixed >> 32 & 1 ? 1 : -1,
                     .side_mm = PLAN_SIDE_MM,
                     .at_ms = at_ms},
    };
    return way_track_place(&out->as.track, out->as.track.at_ms);
}

static struct place
dense_way(const struct plan *p, uint32_t bot, struct way *out)
{
    uint32_t group = bot % bots_an_island(&p->options) / PLAN_GROUP;
    uint32_t column = group % groups_a_row(), row = group / groups_a_row();
    *out = (struct way){.kind = WAY_GROUP};
    struct way_group *g = &out->as.group;
    rand_seed(&g->rand, rand_mix(p->options.seed, bot));
    g->middle.x_mm = (int32_t)(GROUP_BORDER + column * GROUP_CHUNKS) * CHUNK_MM + CHUNK_MM / 2;
    g->middle.y_mm = (int32_t)(GROUP_BORDER + row * GROUP_CHUNKS) * CHUNK_MM + CHUNK_MM / 2;
    g->heading = rand_unit(&g->rand) * 6.28;
    return (struct place){
        .x_mm = g->middle.x_mm + (int32_t)rand_below(&g->rand, GROUP_REACH_MM) - GROUP_REACH_MM / 2,
        .y_mm = g->middle.y_mm + (int32_t)rand_below(&g->rand, GROUP_REACH_MM) - GROUP_REACH_MM / 2,
    };
}

static struct place
crowd_way(const struct plan *p, uint32_t bot, struct place corner, struct way *out)
{
    *out = (struct way){.kind = WAY_CROWD,
                        .as.crowd = {.tracks = p->options.tracks, .corner = corner}};
    struct way_crowd *c = &out->as.crowd;
    rand_seed(&c->rand, rand_mix(p->options.seed, bot));
    c->symmetry = (uint8_t)rand_below(&c->rand, WAY_SYMMETRIES);
    c->heading = rand_unit(&c->rand) * 6.28;
    c->mm_s = 1000;
    if (c->tracks != NULL) {
        c->track = rand_below(&c->rand, c->tracks->count);
        c->at_ms =
            (int64_t)(rand_next(&c->rand) % (uint64_t)(track_duration_ms(c->tracks, c->track) + 1));
    }
    return (struct place){
        .x_mm = corner.x_mm + 1000 + (int32_t)rand_below(&c->rand, CHUNK_MM - 2000),
        .y_mm = corner.y_mm + 1000 + (int32_t)rand_below(&c->rand, CHUNK_MM - 2000),
    };
}

struct place
plan_way(const struct plan *p, uint32_t bot, struct way *out)
{
    switch (p->options.profile) {
    case PROFILE_TRADE: /* they go their own ways; where they begin is the same */
    case PROFILE_REAL: return real_way(p, bot, out);
    case PROFILE_DENSE: return dense_way(p, bot, out);
    case PROFILE_CROWD:
    case PROFILE_COUNT: break;
    }
    CHECK(p->options.profile == PROFILE_CROWD);
    struct place corner = {.x_mm = CROWD_MIDDLE * CHUNK_MM, .y_mm = CROWD_MIDDLE * CHUNK_MM};
    return crowd_way(p, bot, corner, out);
}

void
plan_way_from(const struct plan *p, uint32_t bot, struct place here, struct place gather,
              struct way *out)
{
    if (p->options.profile == PROFILE_CROWD) {
        struct place corner = {.x_mm = chunk_of(gather.x_mm) * CHUNK_MM,
                               .y_mm = chunk_of(gather.y_mm) * CHUNK_MM};
        (void)crowd_way(p, bot, corner, out);
        return;
    }
    (void)plan_way(p, bot, out);
    if (out->kind == WAY_PERSON) {
        people_land_around(&out->as.person.land, p->options.seed, here);
        person_begin_at(&out->as.person.person, &out->as.person.land,
                        rand_mix(p->options.seed, bot), here);
    }
    way_start(out, here);
}
