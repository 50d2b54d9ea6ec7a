/* src/wire/motion.h against test/vectors/motion.json, which the page's own arithmetic is held to as
 * well. */
#include "wire/motion.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int64_t
number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static int64_t
number_at(const json_t *list, size_t index)
{
    const json_t *value = json_array_get(list, index);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static struct motion
motion_of(const json_t *object)
{
    return (struct motion){
        .x_mm = (int32_t)number_of(object, "x_mm"),
        .y_mm = (int32_t)number_of(object, "y_mm"),
        .vx = (int16_t)number_of(object, "vx"),
        .vy = (int16_t)number_of(object, "vy"),
        .since_ms = number_of(object, "since_ms"),
        .lasts_ms = (uint16_t)number_of(object, "lasts_ms"),
    };
}

static void
movers_stand_where_the_vectors_say(void **state)
{
    const json_t *motions = json_object_get(*state, "motions");
    assert_true(json_array_size(motions) > 50);
    size_t m;
    json_t *entry;
    json_array_foreach(motions, m, entry)
    {
        struct motion motion = motion_of(json_object_get(entry, "motion"));
        const json_t *points = json_object_get(entry, "at");
        assert_true(json_array_size(points) > 5);
        for (size_t i = 0; i < json_array_size(points); i++) {
            const json_t *point = json_array_get(points, i);
            struct place at = motion_at(&motion, number_at(point, 0));
            assert_int_equal(at.x_mm, number_at(point, 1));
            assert_int_equal(at.y_mm, number_at(point, 2));
        }
    }
}

static void
chunks_are_what_the_vectors_say(void **state)
{
    const json_t *chunks = json_object_get(*state, "chunks");
    assert_true(json_array_size(chunks) > 5);
    for (size_t i = 0; i < json_array_size(chunks); i++) {
        const json_t *pair = json_array_get(chunks, i);
        assert_int_equal(chunk_of((int32_t)number_at(pair, 0)), number_at(pair, 1));
    }
}

static int
set_up(void **state)
{
    json_error_t error;
    *state = json_load_file(MOTION_VECTORS, 0, &error);
    return *state == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    json_decref(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(movers_stand_where_the_vectors_say),
        cmocka_unit_test(chunks_are_what_the_vectors_say),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
