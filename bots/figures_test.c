/* Do bots move as recorded people do? Walks the plan's bots on virtual time as the server would see
 * them and measures what ../shared/data/README.md says of the recording: once with made-up people,
 * once with the recording itself, both printed side by side.
 */
#include "base/hist.h"
#include "bots/plan.h"
#include "wire/batch.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE_MS 10000
#define WARM_MS   60000
#define COLUMNS   (PLAN_SIDE_MM / CHUNK_MM)

struct walker {
    struct way way;
    struct motion motion;
    int64_t next_ms;
    struct place sampled;
};

struct figures {
    double p50, p90, p99, still, crossings_a_minute, others, changes_a_second, fastest;
    double pace; /* median of the legs' own speeds, m/s */
    uint32_t samples;
};

/* One leg, as bot.c tells it to a server. */
static void
walker_step(struct walker *w, int64_t now_ms, uint64_t *changes)
{
    struct leg leg;
    struct place here = motion_at(&w->motion, now_ms);
    way_leg(&w->way, now_ms, here, &leg);
    bool stood = w->motion.lasts_ms == 0;
    bool stands = leg.vx == 0 && leg.vy == 0;
    *changes += !(stood && stands);
    w->motion = (struct motion){.x_mm = here.x_mm,
                                .y_mm = here.y_mm,
                                .vx = leg.vx,
                                .vy = leg.vy,
                                .since_ms = now_ms,
                                .lasts_ms = stands ? 0 : (uint16_t)(leg.next_ms + 1000)};
    w->next_ms = now_ms + leg.next_ms;
}

static int
order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Others in the 3 x 3 chunks around each, on average. */
static double
count_others(const struct walker *walkers, uint32_t count, int64_t now_ms)
{
    static uint16_t chunks[COLUMNS + 2][COLUMNS + 2];
    uint64_t sum = 0;
    memset(chunks, 0, sizeof(chunks));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < count; i++) {
            struct place at = motion_at(&walkers[i].motion, now_ms);
            int32_t cx = chunk_of(at.x_mm) + 1, cy = chunk_of(at.y_mm) + 1;
            assert_in_range(cx, 1, COLUMNS);
            assert_in_range(cy, 1, COLUMNS);
            if (round == 0) {
                chunks[cx][cy]++;
                continue;
            }
            for (int32_t x = cx - 1; x <= cx + 1; x++) {
                for (int32_t y = cy - 1; y <= cy + 1; y++) {
                    sum += chunks[x][y];
                }
            }
            sum--; /* itself */
        }
    }
    return (double)sum / count;
}

static void
measure(const struct plan *plan, uint32_t count, int minutes, struct figures *out)
{
    struct walker *walkers = calloc(count, sizeof(*walkers));
    uint32_t rounds = (uint32_t)(minutes * 60000 / SAMPLE_MS), used = 0, sums = 0;
    double *speeds = calloc((size_t)count * rounds, sizeof(*speeds));
    static struct hist paces;
    hist_reset(&paces);
    uint64_t changes = 0, ignored = 0, crossings = 0;
    double others = 0;
    assert_true(walkers != NULL && speeds != NULL);
    *out = (struct figures){0};
    for (uint32_t i = 0; i < count; i++) {
        struct place at = plan_way(plan, i, &walkers[i].way);
        walkers[i].motion = (struct motion){.x_mm = at.x_mm, .y_mm = at.y_mm};
        walkers[i].next_ms = 1 + i * 1000 / count;
        way_start(&walkers[i].way, at);
    }
    for (int64_t now = 1; now <= WARM_MS + (int64_t)rounds * SAMPLE_MS; now += 50) {
        bool samples = now > WARM_MS && (now - 1) % SAMPLE_MS == 0;
        for (uint32_t i = 0; i < count; i++) {
            struct walker *w = &walkers[i];
            struct place before = motion_at(&w->motion, now - 50), at = motion_at(&w->motion, now);
            if (now > WARM_MS) {
                crossings += chunk_of(before.x_mm) != chunk_of(at.x_mm);
                crossings += chunk_of(before.y_mm) != chunk_of(at.y_mm);
            }
            if (samples || now == WARM_MS + 1) {
                double speed =
                    hypot(at.x_mm - w->sampled.x_mm, at.y_mm - w->sampled.y_mm) / SAMPLE_MS;
                if (now > WARM_MS + 1) {
                    speeds[used++] = speed;
                }
                w->sampled = at;
            }
            while (w->next_ms <= now) {
                walker_step(w, w->next_ms, now > WARM_MS ? &changes : &ignored);
                double mm_s = velocity_mm_s(&w->motion);
                hist_add(&paces, (uint64_t)mm_s);
                out->fastest = fmax(out->fastest, mm_s / 1000);
            }
        }
        if (samples) {
            others += count_others(walkers, count, now);
            sums++;
        }
    }
    qsort(speeds, used, sizeof(*speeds), order);
    double seconds = (double)rounds * SAMPLE_MS / 1000;
    uint32_t still = 0;
    while (still < used && speeds[still] < 0.1) {
        still++;
    }
    out->samples = used;
    out->p50 = speeds[used / 2];
    out->p90 = speeds[used / 10 * 9];
    out->p99 = speeds[used / 100 * 99];
    out->still = (double)still / used;
    out->crossings_a_minute = (double)crossings / count / seconds * 60;
    out->changes_a_second = (double)changes / count / seconds;
    out->others = others / sums;
    out->pace = (double)hist_quantile(&paces, 0.5) / 1000;
    free(walkers);
    free(speeds);
}

static void
print(const char *name, uint32_t count, const struct figures *f)
{
    printf("# %-10s %5u people: p50 %.2f p90 %.2f p99 %.1f m/s (fastest %.1f), still %.3f, "
           "%.1f crossings/min, %.2f others, %.2f changes/s, pace %.2f, %u samples\n",
           name, count, f->p50, f->p90, f->p99, f->fastest, f->still, f->crossings_a_minute,
           f->others, f->changes_a_second, f->pace, f->samples);
}

static void
near(const char *what, double value, double wanted, double share)
{
    if (fabs(value - wanted) > wanted * share) {
        fail_msg("%s is %.3f, more than %.0f %% off %.3f", what, value, share * 100, wanted);
    }
}

/* Tolerances: the recording is one match; another one differs by more than these. */
static void
check_figures(const struct figures *f)
{
    near("p50", f->p50, 1.9, 0.15);
    near("p90", f->p90, 6.3, 0.15);
    near("p99", f->p99, 29, 0.2);
    near("still", f->still, 0.11, 0.3);
    near("crossings", f->crossings_a_minute, 9.6, 0.2);
    assert_true(f->changes_a_second >= 0.8 && f->changes_a_second <= 1.1);
    assert_true(f->fastest <= 45);
}

static void
made_up_people_move_as_recorded(void **state)
{
    (void)state;
    double few = 0, many = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct plan plan;
        struct figures f;
        struct plan_options options = {
            .profile = PROFILE_REAL, .seed = seed, .square = true, .per_island = 1344};
        plan_init(&plan, &options);
        measure(&plan, 100, 10, &f);
        print("made up", 100, &f);
        few += f.others / 3;
        measure(&plan, 570, 10, &f);
        print("made up", 570, &f);
        many += f.others / 3;
        check_figures(&f);
    }
    assert_true(few >= 0.08 && few <= 0.24);
    assert_true(many >= 0.8 && many <= 1.3);
}

static struct tracks *
recording(const char *name, enum tracks_shape shape)
{
    struct tracks *tracks;
    char why[TRACKS_WHY_MAX], path[1024];
    snprintf(path, sizeof(path), "%s/%s", SEOM_TEST_DATA, name);
    enum err error = tracks_read(path, shape, &tracks, why);
    if (error == ERR_NOT_FOUND) {
        print_message("# skipped: %s is not there\n", name);
        skip();
    }
    if (error != OK) {
        fail_msg("%s: %s", path, why);
    }
    return tracks;
}

static void
recorded_people_move_as_recorded(void **state)
{
    (void)state;
    struct tracks *tracks = recording("movement/pubg_erangel.csv", TRACKS_AUTO);
    tracks_fit(tracks, PLAN_SIDE_MM / 1000.0);
    static const uint32_t counts[] = {100, 570, 1344};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct plan plan;
        struct figures f;
        struct plan_options options = {.profile = PROFILE_REAL,
                                       .seed = 1,
                                       .square = true,
                                       .per_island = counts[i],
                                       .tracks = tracks};
        plan_init(&plan, &options);
        measure(&plan, counts[i], 10, &f);
        print("recorded", counts[i], &f);
        if (counts[i] == 570) {
            check_figures(&f);
            assert_true(f.others >= 0.8 && f.others <= 1.3);
        }
    }
    tracks_free(&tracks);
}

static void
crowds_walk_as_filmed(void **state)
{
    (void)state;
    struct tracks *tracks = recording("crowd/ucy_students03.csv", TRACKS_AUTO);
    struct tracks *sources[] = {NULL, tracks};
    for (size_t i = 0; i < 2; i++) {
        struct plan plan;
        struct figures f;
        struct plan_options options = {
            .profile = PROFILE_CROWD, .seed = 1, .square = true, .tracks = sources[i]};
        plan_init(&plan, &options);
        measure(&plan, 300, 3, &f);
        print(i == 0 ? "crowd" : "filmed", 300, &f);
        assert_true(f.crossings_a_minute == 0);
        assert_true(f.others == 299);
        assert_true(f.changes_a_second >= 0.8);
        assert_true(f.pace >= 0.5 && f.pace <= 1.5);
        assert_true(f.fastest < 4);
    }
    tracks_free(&tracks);
}

static void
groups_stay_in_view(void **state)
{
    (void)state;
    struct plan plan;
    struct figures f;
    struct plan_options options = {
        .profile = PROFILE_DENSE, .seed = 1, .square = true, .per_island = 1100};
    plan_init(&plan, &options);
    measure(&plan, 1100, 2, &f);
    print("dense", 1100, &f);
    assert_true(f.others >= 9.95 && f.others <= 10);
    assert_true(f.changes_a_second >= 4.9);
    assert_true(plan_islands(&plan, 1100) == 1 && plan_islands(&plan, 1101) == 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_people_move_as_recorded),
        cmocka_unit_test(recorded_people_move_as_recorded),
        cmocka_unit_test(crowds_walk_as_filmed),
        cmocka_unit_test(groups_stay_in_view),
    };
    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
