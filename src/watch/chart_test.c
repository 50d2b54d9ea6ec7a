/* What the page gets to draw is what stands in the island's file. */
#include "watch/chart.h"

#include "world/coast.h"
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An L of 900 x 900 m without its north-east quarter, far out on the chart. */
static const char csv[] = "island,seq,x_m,y_m\n"
                          "0,0,5000,7000\n"
                          "0,1,5900,7000\n"
                          "0,2,5900,7450\n"
                          "0,3,5450,7450\n"
                          "0,4,5450,7900\n"
                          "0,5,5000,7900\n";
#define NAME "\"섬\" <1>"

struct fixture {
    struct coast coast;
    struct island *island;
    json_t *chart;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct coast_known known = {.id = 7, .name = NAME, .x_m = 5375, .y_m = 7375, .area_m2 = 607500};
    struct coast_source source = {.csv = {.at = (const uint8_t *)csv, .bytes = sizeof csv - 1},
                                  .known = &known,
                                  .known_count = 1,
                                  .next_id = 8};
    coast_import(&source, &f->coast);
    assert_int_equal(f->coast.count, 1);
    struct slice file = island_file_slice(&f->coast.islands[0].file);
    assert_int_equal(island_open(file, &f->island), OK);
    const struct island *islands[] = {f->island};
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(chart_json(islands, 1, &text, &bytes), OK);
    assert_int_equal(bytes, strlen(text));
    f->chart = json_loadb(text, bytes, 0, NULL);
    assert_non_null(f->chart);
    free(text);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    json_decref(f->chart);
    island_close(&f->island);
    coast_fini(&f->coast);
    free(f);
    return 0;
}

static const json_t *
only_island(const struct fixture *f)
{
    const json_t *list = json_object_get(f->chart, "islands");
    assert_int_equal(json_array_size(list), 1);
    return json_array_get(list, 0);
}

static double
number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void
the_island_is_told_as_it_is(void **state)
{
    const struct fixture *f = *state;
    const json_t *island = only_island(f);
    assert_int_equal(number(island, "id"), 7);
    assert_string_equal(json_string_value(json_object_get(island, "name")), NAME);
    assert_int_equal(number(island, "x_m"), island_anchor_m(f->island).x_mm);
    assert_int_equal(number(island, "y_m"), island_anchor_m(f->island).y_mm);
    assert_int_equal(number(island, "columns"), island_columns(f->island));
    assert_int_equal(number(island, "rows"), island_rows(f->island));
    assert_int_equal(number(island, "land_tiles"), island_land_tiles(f->island));
    const json_t *harbour = json_object_get(island, "harbour");
    struct place at = {.x_mm = (int32_t)json_integer_value(json_array_get(harbour, 0)),
                       .y_mm = (int32_t)json_integer_value(json_array_get(harbour, 1))};
    assert_true(island_is_land(f->island, at));
}

/* Shoelace over the told ring: 607,500 m2, wherever its corner is put. */
static void
the_ring_holds_the_land(void **state)
{
    const json_t *rings = json_object_get(only_island(*state), "rings");
    assert_int_equal(json_array_size(rings), 1);
    const json_t *ring = json_array_get(rings, 0);
    size_t count = json_array_size(ring) / 2;
    assert_true(count >= 6 && json_array_size(ring) % 2 == 0);
    double twice = 0;
    for (size_t i = 0; i < count; i++) {
        size_t next = (i + 1) % count;
        double x0 = json_number_value(json_array_get(ring, 2 * i)),
               y0 = json_number_value(json_array_get(ring, 2 * i + 1)),
               x1 = json_number_value(json_array_get(ring, 2 * next)),
               y1 = json_number_value(json_array_get(ring, 2 * next + 1));
        twice += x0 * y1 - x1 * y0;
    }
    double area_m2 = fabs(twice) / 2 / 1e6;
    assert_true(fabs(area_m2 - 607500) < 100);
}

static void
a_sea_without_islands_is_a_chart_too(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(chart_json(NULL, 0, &text, &bytes), OK);
    assert_string_equal(text, "{\"islands\":[]}");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_island_is_told_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ring_holds_the_land, set_up, tear_down),
        cmocka_unit_test(a_sea_without_islands_is_a_chart_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
