#include "bots/tracks.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tracks *
parse(const char *csv)
{
    struct tracks *t;
    char why[TRACKS_WHY_MAX] = "";
    struct slice s = {.at = (const uint8_t *)csv, .bytes = strlen(csv)};
    if (tracks_parse(s, TRACKS_AUTO, &t, why) != OK) {
        fail_msg("%s", why);
    }
    return t;
}

/* One person who goes straight, sampled every 10 s; at 40 m/s at most, as riders do. */
static struct tracks *
straight(double x0, double y0, double x1, double y1, int steps)
{
    char csv[16384];
    size_t used = (size_t)snprintf(csv, sizeof(csv), "t_s,player,x_m,y_m\n");
    for (int i = 0; i <= steps; i++) {
        double u = (double)i / steps;
        used += (size_t)snprintf(csv + used, sizeof(csv) - used, "%d,p,%.3f,%.3f\n", 200 + 10 * i,
                                 x0 + u * (x1 - x0), y0 + u * (y1 - y0));
        assert_true(used < sizeof(csv));
    }
    return parse(csv);
}

static void
refuse(const char *csv, const char *because)
{
    struct tracks *t;
    char why[TRACKS_WHY_MAX] = "";
    struct slice s = {.at = (const uint8_t *)csv, .bytes = strlen(csv)};
    assert_int_equal(tracks_parse(s, TRACKS_AUTO, &t, why), ERR_FORMAT);
    if (strstr(why, because) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, because);
    }
}

static void
game_recordings_are_read(void **state)
{
    (void)state;
    /* Unsorted, columns in another order, a byte order mark, Windows line ends, blanks, quotes. */
    struct tracks *t = parse("\xef\xbb\xbfplayer,y_m,x_m,t_s,health\r\n"
                             "a,10,1,160,9\r\n"
                             "a,10,1,100,9\r\n" /* before anybody stood on the ground */
                             "b, 30 ,\"3\",160,9\r\n"
                             "a,20,2,170,9\r\n"
                             "a,20,2,170,9\r\n" /* twice the same time */
                             "a,50,5,230,9\r\n"
                             "a,40,4,200,9\r\n"
                             "b,30,3,170,9\r\n"
                             "\r\n");
    assert_int_equal(t->report.rows, 8);
    assert_int_equal(t->report.early, 1);
    assert_int_equal(t->report.people, 2);
    assert_int_equal(t->report.bad_rows, 0);
    assert_int_equal(t->report.too_short, 1); /* b */
    assert_int_equal(t->count, 1);
    assert_int_equal(t->tracks[0].count, 4);
    assert_int_equal(track_duration_ms(t, 0), 70000);
    tracks_fit(t, 100);
    double x, y;
    track_at(t, 0, 0, &x, &y);
    assert_true(fabs(x - 1) < 1e-9 && fabs(y - 90) < 1e-9); /* y grew southwards */
    track_at(t, 0, 10000, &x, &y);
    assert_true(fabs(x - 2) < 1e-9 && fabs(y - 80) < 1e-9);
    tracks_free(&t);
    assert_null(t);
}

static void
bad_rows_are_counted_and_named(void **state)
{
    (void)state;
    struct tracks *t = parse("t_s,id,x_m,y_m\n"
                             "0,1,0,0\n"
                             "1,1,0\n"      /* row 3: too few */
                             "1,1,0,0,0\n"  /* row 4: too many */
                             "1,1,zero,0\n" /* row 5 */
                             "1,1,0,\n"     /* row 6 */
                             "nan,1,0,0\n"  /* row 7 */
                             "1,1,1e9,0\n"  /* row 8: farther than any world */
                             "1,,0,0\n"     /* row 9: nobody */
                             "1,1,0 0,0\n"  /* row 10 */
                             "garbage\n"    /* row 11 */
                             "2,1,1,1\n"
                             "4,1,2,2\n");
    static const uint32_t rows[] = {3, 4, 5, 6, 7, 8, 9, 10};
    assert_int_equal(t->report.bad_rows, 9);
    assert_memory_equal(t->report.bad_row, rows, sizeof(rows));
    assert_int_equal(t->report.rows, 3);
    assert_int_equal(t->count, 1);
    tracks_free(&t);
}

static void
what_is_no_recording_is_refused(void **state)
{
    (void)state;
    refuse("", "t_s");
    refuse("t_s,x_m,y_m\n", "player");
    refuse("t_s,id,y_m\n", "x_m");
    refuse("a,b,c,d\n1,2,3,4\n", "t_s");
    refuse("t_s,id,x_m,y_m\n", "no track");
    refuse("t_s,id,x_m,y_m\n1,1,x,1\n", "row 2");
    char wide[200] = "t_s,id,x_m,y_m";
    for (int i = 0; i < 40; i++) {
        strcat(wide, ",a");
    }
    refuse(wide, "columns");
    struct tracks *t;
    char why[TRACKS_WHY_MAX];
    assert_int_equal(tracks_read("/nowhere/at/all.csv", TRACKS_AUTO, &t, why), ERR_NOT_FOUND);
}

static void
gaps_and_jumps_split(void **state)
{
    (void)state;
    char csv[8192];
    size_t used = (size_t)snprintf(csv, sizeof(csv), "t_s,player,x_m,y_m\n");
    for (int i = 0; i < 30; i++) {
        int t = 200 + 10 * i + (i >= 10 ? 40 : 0);  /* silence */
        int x = 100 + 20 * i + (i >= 20 ? 900 : 0); /* faster than anybody rides */
        used += (size_t)snprintf(csv + used, sizeof(csv) - used, "%d,p,%d,50\n", t, x);
    }
    struct tracks *t = parse(csv);
    assert_int_equal(t->count, 3);
    assert_int_equal(t->report.splits, 2);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(t->tracks[i].count, 10);
        assert_true(t->tracks[i].person == t->tracks[0].person);
    }
    assert_int_equal(tracks_duration_ms(t), 3 * 90000);
    tracks_free(&t);
}

/* The curve goes through its samples, never beyond its neighbours, and without jumps. */
static void
the_curve_does_not_overshoot(void **state)
{
    (void)state;
    struct tracks *t = parse("t_s,player,x_m,y_m\n"
                             "200,p,0,0\n210,p,0,0\n220,p,100,5\n225,p,101,90\n240,p,400,80\n"
                             "250,p,400,80\n260,p,390,81\n");
    const struct track_sample *s = t->samples;
    uint32_t step = 0;
    double before_x, before_y;
    track_at(t, 0, 0, &before_x, &before_y);
    for (int64_t at = 0; at <= track_duration_ms(t, 0); at += 10) {
        double x, y;
        track_at(t, 0, at, &x, &y);
        while (s[step + 1].t_ms - s[0].t_ms < at) {
            step++;
        }
        const struct track_sample *a = &s[step], *b = &s[step + 1];
        assert_true(x >= fmin(a->x_m, b->x_m) - 1e-9 && x <= fmax(a->x_m, b->x_m) + 1e-9);
        assert_true(y >= fmin(a->y_m, b->y_m) - 1e-9 && y <= fmax(a->y_m, b->y_m) + 1e-9);
        assert_true(hypot(x - before_x, y - before_y) < 0.5);
        before_x = x;
        before_y = y;
    }
    double x, y;
    track_at(t, 0, 5000, &x, &y);
    assert_true(x == 0 && y == 0); /* who stands, stands */
    track_at(t, 0, -1000, &x, &y);
    assert_true(x == 0);
    track_at(t, 0, INT32_MAX, &x, &y);
    assert_true(x == 390);
    tracks_free(&t);
}

static void
loops_have_no_jump(void **state)
{
    (void)state;
    struct tracks *t = straight(0, 0, 600, 0, 6);
    double x, y, before = 0;
    int64_t duration = track_duration_ms(t, 0);
    for (int64_t at = 0; at < 5 * duration; at += 100) {
        track_at_looped(t, 0, at, &x, &y);
        assert_true(fabs(x - before) <= 1.01);
        before = x;
    }
    track_at_looped(t, 0, -10000, &x, &y); /* also backwards */
    assert_true(fabs(x - 100) < 1e-6);
    track_at_looped(t, 0, duration + 10000, &x, &y);
    assert_true(fabs(x - 500) < 1e-6);
    tracks_free(&t);
}

static void
recordings_fit_the_square(void **state)
{
    (void)state;
    /* A square of its own elsewhere is moved, what is too large shrinks, what fits stays. */
    struct tracks *t = straight(-500, 9000, -400, 9100, 10);
    tracks_fit(t, 8160);
    assert_true(fabs(t->left_m - 4030) < 1 && fabs(t->right_m - 4130) < 1);
    assert_true(fabs(t->low_m - 4030) < 1 && fabs(t->high_m - 4130) < 1);
    tracks_free(&t);
    t = straight(0, 0, 16000, 8000, 100);
    tracks_fit(t, 8160);
    assert_true(t->left_m >= 400 && t->right_m <= 7760 && t->low_m >= 0 && t->high_m <= 8160);
    assert_true(fabs((t->right_m - t->left_m) - 0.9 * 8160) < 1);
    double x0, y0, x1, y1;
    track_at(t, 0, 0, &x0, &y0);
    track_at(t, 0, 1000000, &x1, &y1);
    assert_true(x1 > x0 && y1 < y0);
    tracks_free(&t);
    t = straight(10, 20, 11, 22, 10);
    tracks_fit(t, 8160);
    assert_true(t->left_m == 10 && t->low_m == 8160 - 22); /* only turned, as y grew southwards */
    tracks_free(&t);
    t = parse("t_s,id,x_m,y_m\n0,p,10,20\n1,p,10,20\n2,p,11,22\n3,p,11,22\n");
    tracks_fit(t, 8160);
    assert_true(t->left_m == 10 && t->low_m == 20);
    tracks_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(game_recordings_are_read),
        cmocka_unit_test(bad_rows_are_counted_and_named),
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(gaps_and_jumps_split),
        cmocka_unit_test(the_curve_does_not_overshoot),
        cmocka_unit_test(loops_have_no_jump),
        cmocka_unit_test(recordings_fit_the_square),
    };
    return cmocka_run_group_tests_name("tracks", tests, NULL, NULL);
}
