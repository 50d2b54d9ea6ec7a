#include "base/rand.h"
#include "world/gauge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

/* The naive gauge: every ms each momentum under way is added and the sum clamped. */
struct ticking {
    int64_t value, min, max, now_ms;
    uint32_t count;
    struct momentum momenta[GAUGE_MOMENTA_MAX];
};

static void
tick(struct ticking *t)
{
    for (uint32_t n = 0; n < t->count; n++) {
        const struct momentum *m = &t->momenta[n];
        t->value += m->since_ms <= t->now_ms && t->now_ms < m->until_ms ? m->velocity : 0;
    }
    t->value = t->value < t->min ? t->min : t->value > t->max ? t->max : t->value;
    t->now_ms++;
}

static void
drop_over(struct ticking *t)
{
    uint32_t kept = 0;
    for (uint32_t n = 0; n < t->count; n++) {
        if (t->momenta[n].until_ms > t->now_ms) {
            t->momenta[kept++] = t->momenta[n];
        }
    }
    t->count = kept;
}

static struct momentum
random_momentum(struct rand *r, int64_t now_ms)
{
    int64_t since_ms = now_ms + (int64_t)rand_below(r, 400) - 100;
    return (struct momentum){.velocity = (int32_t)rand_below(r, 2001) - 1000,
                             .since_ms = since_ms,
                             .until_ms = rand_below(r, 6) == 0
                                             ? GAUGE_FOREVER
                                             : since_ms + (int64_t)rand_below(r, 600) - 20};
}

/* One random input to both. */
static void
poke(struct rand *r, struct gauge *g, struct ticking *t, uint32_t *adds, uint32_t *fulls)
{
    int64_t now_ms = t->now_ms;
    drop_over(t);
    switch (rand_below(r, 5)) {
    case 0:
        t->value = (int64_t)rand_below(r, 60000) - 5000;
        gauge_set(g, t->value, now_ms);
        t->value = t->value < t->min ? t->min : t->value > t->max ? t->max : t->value;
        break;
    case 1:
        t->min = (int64_t)rand_below(r, 10000);
        t->max = t->min + (int64_t)rand_below(r, 40000);
        assert_int_equal(gauge_limit(g, t->min, t->max, now_ms), OK);
        t->value = t->value < t->min ? t->min : t->value > t->max ? t->max : t->value;
        break;
    case 2:
        if (t->count > 0) {
            assert_int_equal(
                gauge_add(g, (struct momentum){.velocity = 1, .until_ms = now_ms}, now_ms),
                ERR_RANGE);
            uint32_t n = rand_below(r, t->count);
            gauge_remove(g, n, now_ms);
            memmove(&t->momenta[n], &t->momenta[n + 1], (t->count - n - 1) * sizeof *t->momenta);
            t->count--;
        }
        break;
    default: {
        struct momentum m = random_momentum(r, now_ms);
        enum err expected = m.until_ms <= (m.since_ms > now_ms ? m.since_ms : now_ms) ? ERR_RANGE
                            : t->count == GAUGE_MOMENTA_MAX                           ? ERR_FULL
                                                                                      : OK;
        assert_int_equal(gauge_add(g, m, now_ms), expected);
        if (expected == OK) {
            t->momenta[t->count++] = m;
            (*adds)++;
        }
        *fulls += expected == ERR_FULL;
    }
    }
}

static void
test_equals_ticking(void **state)
{
    (void)state;
    struct rand r;
    uint32_t adds = 0, fulls = 0, at_limit = 0, between = 0;
    rand_seed(&r, 31);
    for (uint32_t draw = 0; draw < 300; draw++) {
        struct ticking t = {
            .value = 20000, .max = 40000, .now_ms = (int64_t)rand_below(&r, 1000000)};
        struct gauge g;
        assert_int_equal(gauge_init(&g, t.value, t.min, t.max, t.now_ms), OK);
        for (uint32_t ms = 0; ms < 3000; ms++) {
            if (rand_below(&r, 100) == 0) {
                poke(&r, &g, &t, &adds, &fulls);
            }
            assert_int_equal(gauge_get(&g, t.now_ms), t.value);
            at_limit += t.value == t.min || t.value == t.max;
            between += t.value != t.min && t.value != t.max;
            tick(&t);
        }
    }
    assert_true(adds > 3000 && fulls > 50 && at_limit > 50000 && between > 50000);
}

/* when() is the first ms at which ticking has reached or passed the value. */
static void
test_when_is_first(void **state)
{
    (void)state;
    struct rand r;
    uint32_t reached = 0, never = 0;
    rand_seed(&r, 32);
    for (uint32_t draw = 0; draw < 6000; draw++) {
        struct ticking t = {.value = (int64_t)rand_below(&r, 40000), .max = 40000, .now_ms = 1000};
        struct gauge g;
        assert_int_equal(gauge_init(&g, t.value, 0, 40000, 1000), OK);
        for (uint32_t n = rand_below(&r, 4); n > 0; n--) {
            struct momentum m = random_momentum(&r, 1000);
            if (gauge_add(&g, m, 1000) == OK) {
                t.momenta[t.count++] = m;
            }
        }
        int64_t after_ms = 900 + rand_below(&r, 500), value = (int64_t)rand_below(&r, 44000) - 2000;
        while (t.now_ms < after_ms) {
            tick(&t);
        }
        bool up = value > t.value, there = value == t.value;
        int64_t expected = there ? t.now_ms : INT64_MAX;
        while (!there &&
               t.now_ms <
                   1000 + 700 +
                       42000) { /* all that ends has ended, and 1 a ms has crossed everything */
            tick(&t);
            if (up ? t.value >= value : t.value <= value) {
                expected = t.now_ms;
                there = true;
            }
        }
        int64_t when_ms = gauge_when(&g, value, after_ms);
        assert_true(when_ms == expected || (!there && when_ms > t.now_ms));
        reached += there;
        never += !there;
    }
    assert_true(reached > 500 && never > 500);
}

/* Nobody looked for thirty days, and it is as if somebody had counted: hunger that grows while two
 * meals fall into the month. Counted second by second, which is the same as ms by ms while
 * everything begins and ends on whole seconds. */
static void
test_thirty_days_later(void **state)
{
    (void)state;

    enum { SECOND_MS = 1000 };
    struct ticking t = {.max = 1500 * GAUGE_UNIT, .now_ms = 12000};
    const struct momentum momenta[3] = {
        {.velocity = 1, .since_ms = 12000, .until_ms = GAUGE_FOREVER},
        {.velocity = -7, .since_ms = 9 * DAY_MS + 1000, .until_ms = 10 * DAY_MS + 333000},
        {.velocity = -3, .since_ms = 28 * DAY_MS, .until_ms = 28 * DAY_MS + 77000}};
    struct gauge g;
    uint32_t at_max = 0, between = 0;
    assert_int_equal(gauge_init(&g, 0, 0, t.max, t.now_ms), OK);
    for (uint32_t n = 0; n < 3; n++) {
        assert_int_equal(gauge_add(&g, momenta[n], t.now_ms), OK);
    }
    for (int64_t second = 0; second < 30 * DAY_MS / SECOND_MS; second++) {
        assert_int_equal(gauge_get(&g, t.now_ms), t.value);
        at_max += t.value == t.max;
        between += t.value > 0 && t.value < t.max;
        for (uint32_t n = 0; n < 3; n++) {
            bool under_way = momenta[n].since_ms <= t.now_ms && t.now_ms < momenta[n].until_ms;
            t.value += under_way ? (int64_t)momenta[n].velocity * SECOND_MS : 0;
        }
        t.value = t.value < t.min ? t.min : t.value > t.max ? t.max : t.value;
        t.now_ms += SECOND_MS;
    }
    assert_int_equal(gauge_get(&g, t.now_ms), t.value);
    assert_true(at_max > 100000 && between > 100000);
}

static void
test_edges(void **state)
{
    (void)state;
    struct gauge g;
    assert_int_equal(gauge_init(&g, 0, 1, 0, 0), ERR_RANGE);
    assert_int_equal(gauge_init(&g, 0, 0, GAUGE_VALUE_MAX + 1, 0), ERR_RANGE);
    assert_int_equal(gauge_init(&g, 9, 0, GAUGE_VALUE_MAX, 100), OK);
    assert_int_equal(gauge_limit(&g, 5, 4, 100), ERR_RANGE);
    struct momentum fastest = {
        .velocity = INT32_MAX, .since_ms = INT64_MIN, .until_ms = GAUGE_FOREVER};
    for (uint32_t n = 0; n < GAUGE_MOMENTA_MAX; n++) {
        assert_int_equal(gauge_add(&g, fastest, 100), OK);
    }
    assert_int_equal(gauge_add(&g, fastest, 100), ERR_FULL);
    assert_int_equal(gauge_get(&g, 99), 9); /* the past is forgotten */
    assert_int_equal(gauge_get(&g, 101), 9 + INT64_C(4) * INT32_MAX);
    assert_int_equal(gauge_get(&g, INT64_MAX), GAUGE_VALUE_MAX);
    assert_int_equal(gauge_when(&g, GAUGE_VALUE_MAX + 1, 0), INT64_MAX);
    assert_int_equal(gauge_when(&g, 10, INT64_MIN), 101);
    assert_int_equal(gauge_when(&g, 8, 0), INT64_MAX);
    gauge_set(&g, -5, 50); /* late news count as now */
    assert_int_equal(gauge_get(&g, 100), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_ticking),
        cmocka_unit_test(test_when_is_first),
        cmocka_unit_test(test_thirty_days_later),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests_name("gauge", tests, NULL, NULL);
}
