#include "base/rand.h"
#include "rules/registry.h"
#include "rules/sample.h"
#include "wire/batch.h"
#include "wire/little.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

struct sight {
    uint32_t count;
    int64_t changes_ms;
    struct game_thing things[SAMPLE_THINGS_MAX];
};

static void
look_at(uint64_t seed, int64_t at_ms, struct sight *out)
{
    memset(out, 0, sizeof *out);
    out->count = sample_game.things(seed, 3, 5, NULL, at_ms, out->things, SAMPLE_THINGS_MAX,
                                    &out->changes_ms);
    assert_in_range(out->count, 0, SAMPLE_THINGS_MAX);
    assert_true(out->count == 0 ? out->changes_ms == INT64_MAX : out->changes_ms > at_ms);
}

static bool
same_thing(const struct game_thing *a, const struct game_thing *b)
{
    return a->kind == b->kind && a->look == b->look && a->moves == b->moves &&
           a->place.x_mm == b->place.x_mm && a->place.y_mm == b->place.y_mm &&
           a->motion.x_mm == b->motion.x_mm && a->motion.y_mm == b->motion.y_mm &&
           a->motion.vx == b->motion.vx && a->motion.vy == b->motion.vy &&
           a->motion.since_ms == b->motion.since_ms && a->motion.lasts_ms == b->motion.lasts_ms &&
           a->attributes_bytes == b->attributes_bytes &&
           memcmp(a->attributes, b->attributes, a->attributes_bytes) == 0;
}

static bool
same_sight(const struct sight *a, const struct sight *b)
{
    bool same = a->count == b->count && a->changes_ms == b->changes_ms;
    for (uint32_t n = 0; same && n < a->count; n++) {
        same = same_thing(&a->things[n], &b->things[n]);
    }
    return same;
}

/* What one tick may do to a thing at the time it named: a tree goes to its next stage, an animal
 * begins a new leg where it stands; nothing else about them changes. Returns whether it changed. */
static bool
check_step(const struct game_thing *before, const struct game_thing *after, int64_t at_ms)
{
    if (same_thing(before, after)) {
        return false;
    }
    assert_int_equal(before->kind, after->kind);
    assert_int_equal(before->place.x_mm, after->place.x_mm);
    assert_int_equal(before->place.y_mm, after->place.y_mm);
    if (before->moves) {
        struct place end = motion_at(&before->motion, at_ms);
        assert_int_equal(before->motion.since_ms + before->motion.lasts_ms, at_ms);
        assert_int_equal(after->motion.since_ms, at_ms);
        assert_int_equal(after->motion.x_mm, end.x_mm);
        assert_int_equal(after->motion.y_mm, end.y_mm);
        bool walked = before->motion.vx != 0 || before->motion.vy != 0;
        bool walks = after->motion.vx != 0 || after->motion.vy != 0;
        assert_false(walked && walks);
    } else {
        assert_int_equal(load_u64(before->attributes + 1), at_ms);
        assert_int_equal(after->attributes[0], (before->attributes[0] + 1) % STAGE_COUNT);
        assert_true((int64_t)load_u64(after->attributes + 1) > at_ms);
    }
    return true;
}

/* A chunk that is ticked at every time it names, and the same chunk woken after a gap of any
 * length. */
static void
test_waking_is_ticking(void **state)
{
    (void)state;
    struct rand r;
    uint32_t steps = 0, wakes = 0, trees = 0, animals = 0;
    rand_seed(&r, 21);
    for (uint32_t chunk = 0; chunk < 60; chunk++) {
        uint64_t seed = rand_next(&r);
        int64_t start_ms = (int64_t)rand_below(&r, 2000000000) - 1000;
        int64_t end_ms = start_ms + (chunk < 2 ? 30 * DAY_MS : DAY_MS / 8);
        struct sight ticked, woken;
        look_at(seed, start_ms, &ticked);
        while (ticked.changes_ms < end_ms) {
            int64_t at_ms = ticked.changes_ms;
            look_at(seed, at_ms - 1, &woken); /* nothing happens before its time */
            assert_true(same_sight(&ticked, &woken));
            look_at(seed, at_ms, &woken);
            assert_int_equal(ticked.count, woken.count);
            bool changed = false;
            for (uint32_t n = 0; n < ticked.count; n++) {
                changed |= check_step(&ticked.things[n], &woken.things[n], at_ms);
            }
            assert_true(changed);
            ticked = woken;
            if (rand_below(&r, 8) == 0) { /* somebody comes by at any ms until the next change */
                uint32_t until = (uint32_t)(ticked.changes_ms - at_ms);
                look_at(seed, at_ms + rand_below(&r, until), &woken);
                assert_true(same_sight(&ticked, &woken));
                wakes++;
            }
            steps++;
        }
        look_at(seed, end_ms, &woken);
        assert_true(same_sight(&ticked, &woken) || ticked.changes_ms == end_ms);
        for (uint32_t n = 0; n < ticked.count; n++) {
            trees += ticked.things[n].kind == SAMPLE_TREE;
            animals += ticked.things[n].kind == SAMPLE_ANIMAL;
        }
    }
    assert_true(steps > 100000 && wakes > 10000 && trees > 20 && animals > 10);
}

/* Each millisecond of an hour: an animal never jumps, stays in its chunk and near its pasture. */
static void
test_ways_are_continuous(void **state)
{
    (void)state;
    struct rand r;
    uint32_t animals = 0, moved = 0;
    rand_seed(&r, 22);
    for (uint32_t chunk = 0; animals < 5; chunk++) {
        uint64_t seed = rand_next(&r);
        struct sight sight;
        look_at(seed, 0, &sight);
        for (uint32_t n = 0; n < sight.count; n++) {
            if (!sight.things[n].moves) {
                continue;
            }
            struct place before = motion_at(&sight.things[n].motion, 0);
            struct sight now = sight;
            for (int64_t ms = 0; ms < 3600000; ms++) {
                if (ms >= now.changes_ms) {
                    look_at(seed, ms, &now);
                }
                struct place at = motion_at(&now.things[n].motion, ms),
                             middle = now.things[n].place;
                assert_in_range(at.x_mm - before.x_mm + 2, 0, 4); /* below 2 m/s */
                assert_in_range(at.y_mm - before.y_mm + 2, 0, 4);
                assert_int_equal(chunk_of(at.x_mm), 3);
                assert_int_equal(chunk_of(at.y_mm), 5);
                assert_in_range(at.x_mm - middle.x_mm + SAMPLE_PASTURE_MM, 0,
                                2 * SAMPLE_PASTURE_MM);
                assert_in_range(at.y_mm - middle.y_mm + SAMPLE_PASTURE_MM, 0,
                                2 * SAMPLE_PASTURE_MM);
                moved += at.x_mm != before.x_mm || at.y_mm != before.y_mm;
                before = at;
            }
            animals++;
        }
    }
    assert_true(moved > 100000);
}

static void
test_how_many(void **state)
{
    (void)state;

    enum { CHUNKS = 20000 };

    uint32_t with[SAMPLE_THINGS_MAX + 1] = {0}, kinds[3] = {0};
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        uint64_t seed = rand_mix(99, chunk);
        struct sight now, later;
        look_at(seed, 5, &now);
        look_at(seed, 5 + chunk * INT64_C(1000003), &later);
        assert_int_equal(now.count, later.count);
        with[now.count]++;
        for (uint32_t n = 0; n < now.count; n++) {
            assert_int_equal(now.things[n].kind, later.things[n].kind);
            assert_int_equal(chunk_of(now.things[n].place.x_mm), 3);
            assert_int_equal(chunk_of(now.things[n].place.y_mm), 5);
            kinds[now.things[n].kind]++;
        }
        struct game_thing first;
        int64_t changes_ms;
        uint32_t one = sample_game.things(seed, 3, 5, NULL, 5, &first, 1, &changes_ms);
        assert_int_equal(one, now.count > 0);
        assert_true(one == 0 || same_thing(&first, &now.things[0]));
    }
    assert_in_range(with[0], CHUNKS * 28 / 100, CHUNKS * 32 / 100);
    assert_in_range(with[3], CHUNKS * 18 / 100, CHUNKS * 22 / 100);
    assert_true(kinds[SAMPLE_TREE] > kinds[SAMPLE_ANIMAL] && kinds[SAMPLE_ANIMAL] > CHUNKS / 4);
}

static void
test_people(void **state)
{
    (void)state;
    assert_int_equal(sample_game.speed_mm_s(LOOK_WALKER), 7000);
    assert_int_equal(sample_game.speed_mm_s(LOOK_RIDER), 45000);
    assert_int_equal(sample_game.speed_mm_s(LOOK_ANIMAL), 0);
    assert_int_equal(sample_game.speed_mm_s(200), 0);
    assert_true(sample_game.reach_mm(LOOK_WALKER) > 0);
}

/* Every game says everything that world and steward ask. */
static void
test_registry(void **state)
{
    (void)state;
    uint32_t games = 0;
    for (const struct game *g; (g = registry_at(games)) != NULL; games++) {
        struct game_player player = {.entity = 1, .island = 1};
        struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
        int64_t changes_ms = 0;
        assert_ptr_equal(registry_find(g->name), g);
        assert_true(g->speed_mm_s(LOOK_WALKER) > 0);
        g->enter(&player, 0);
        g->leave(&player, 0);
        assert_true(g->reach_mm(LOOK_WALKER) >= 0);
        assert_true(g->society == NULL || g->deed != NULL);
        assert_true((g->regrow == NULL) == (g->regrow_due_ms == NULL));
        assert_in_range(g->things(1, 0, 0, NULL, 0, things, GAME_THINGS_PER_CHUNK_MAX, &changes_ms),
                        0, GAME_THINGS_PER_CHUNK_MAX);
        assert_true(changes_ms > 0);
    }
    assert_int_equal(games, 2);
    assert_non_null(registry_find("sample"));
    assert_non_null(registry_find("empty"));
    assert_null(registry_find("chess"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waking_is_ticking), cmocka_unit_test(test_ways_are_continuous),
        cmocka_unit_test(test_how_many),          cmocka_unit_test(test_people),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
