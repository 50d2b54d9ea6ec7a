#include "base/check_expect.h"
#include "base/map.h"
#include "base/rand.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KEYS 64

/* The model: the value of key k stands at values[k], MAP_NONE when absent. */
struct model {
    uint32_t values[KEYS + 1];
    uint32_t count;
};

static void
assert_same(const struct map *m, const struct model *model)
{
    assert_int_equal(m->count, model->count);
    for (uint64_t key = 1; key <= KEYS; key++)
        assert_int_equal(map_get(m, key), model->values[key]);
    uint32_t cursor = 0;
    uint32_t value;
    uint32_t walked = 0;
    uint64_t key;
    while (map_next(m, &cursor, &key, &value)) {
        assert_int_equal(value, model->values[key]);
        walked++;
    }
    assert_int_equal(walked, model->count);
}

struct exercised {
    unsigned replaced, refused, removed, missed;
};

static void
step(struct map *m, struct model *model, struct rand *r, struct exercised *seen)
{
    uint64_t key = 1 + rand_below(r, KEYS);
    uint32_t old = model->values[key];
    if (rand_below(r, 100) < 55) {
        uint32_t value = rand_below(r, 1000);
        bool full = old == MAP_NONE && model->count == m->limit;
        assert_int_equal(map_put(m, key, value), full ? ERR_FULL : OK);
        seen->refused += full;
        seen->replaced += old != MAP_NONE;
        if (full)
            return;
        model->count += old == MAP_NONE;
        model->values[key] = value;
    } else {
        assert_int_equal(map_remove(m, key), old);
        seen->missed += old == MAP_NONE;
        seen->removed += old != MAP_NONE;
        model->count -= old != MAP_NONE;
        model->values[key] = MAP_NONE;
    }
}

/* Few keys in a nearly full table: long runs, runs over the end, holes in the middle of both. */
static void
it_behaves_like_a_table(void **state)
{
    (void)state;
    struct exercised seen = {0};
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rand r;
        rand_seed(&r, seed);
        struct map m;
        map_init(&m, 48, seed);
        struct model model = {.count = 0};
        memset(model.values, 0xff, sizeof(model.values));
        for (unsigned i = 0; i < 1000; i++) {
            step(&m, &model, &r, &seen);
            if (i % 7 == 0)
                assert_same(&m, &model);
        }
        assert_same(&m, &model);
        map_fini(&m);
    }
    assert_true(seen.replaced > 0 && seen.refused > 0 && seen.removed > 0 && seen.missed > 0);
}

static void
it_grows_to_its_limit(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, 100000, 7);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(map_put(&m, (uint64_t)i << 20 | 1, i), OK);
    assert_int_equal(map_put(&m, 2, 0), ERR_FULL);
    assert_int_equal(map_put(&m, 1, 5), OK); /* replacing needs no room */
    assert_int_equal(map_get(&m, 1), 5);
    for (uint32_t i = 1; i < 100000; i++)
        assert_int_equal(map_get(&m, (uint64_t)i << 20 | 1), i);
    map_fini(&m);
    map_fini(&m); /* twice does no harm */
}

static void
an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, 4, 0);
    uint32_t cursor = 0;
    uint32_t value;
    uint64_t key;
    assert_int_equal(map_get(&m, 1), MAP_NONE);
    assert_int_equal(map_remove(&m, 1), MAP_NONE);
    assert_false(map_next(&m, &cursor, &key, &value));
    assert_int_equal(map_get(&m, 0), MAP_NONE); /* an id from outside may be 0 */
    EXPECT_CHECK((void)!map_put(&m, 0, 1));
    map_fini(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_behaves_like_a_table),
        cmocka_unit_test(it_grows_to_its_limit),
        cmocka_unit_test(an_empty_map_has_nothing),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
