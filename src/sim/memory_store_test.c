/* The model's faults: that each one happens, and that none of them breaks what the port promises.
 */
#include "sim/events.h"
#include "sim/memory_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKENS_MAX 8192

struct fixture {
    struct events schedule;
    struct memory_store *store;
    struct env_store port;
    uint64_t next;
    uint32_t times[TOKENS_MAX];
    enum store_result results[TOKENS_MAX];
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)doc;
    struct fixture *f = ctx;
    f->times[token]++;
    f->results[token] = result;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    on_got(ctx, token, result, NULL);
}

static void
connect_store(struct fixture *f)
{
    f->port = memory_store_port(
        f->store, (struct store_done){.ctx = f, .got = on_got, .committed = on_committed});
}

static struct fixture *
fixture_alloc(uint64_t seed)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    events_init(&f->schedule, seed);
    struct memory_store_options options = {
        .schedule = events_port(&f->schedule), .documents_max = 64, .calls_max = 1024};
    f->store = memory_store_alloc(&options);
    connect_store(f);
    return f;
}

static void
fixture_free(struct fixture *f)
{
    memory_store_free(&f->store);
    events_fini(&f->schedule);
    free(f);
}

static void
settle(struct fixture *f)
{
    while (memory_store_under_way(f->store) > 0)
        assert_true(events_step(&f->schedule));
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static uint64_t
put(struct fixture *f, uint32_t key, uint64_t version)
{
    char name[16];
    snprintf(name, sizeof name, "k%u", key);
    struct store_write write = {
        .key = text(name), .expected_version = version, .op = STORE_PUT, .value = text(name)};
    assert_true(f->next < TOKENS_MAX);
    assert_int_equal(f->port.commit(f->port.ctx, f->next, &write, 1), OK);
    return f->next++;
}

static uint64_t
version(struct fixture *f, uint32_t key)
{
    char name[16];
    snprintf(name, sizeof name, "k%u", key);
    return memory_store_look(f->store, text(name)).version;
}

static const struct memory_store_knobs all_faults = {
    .get_us_min = 10,
    .get_us_max = 1000,
    .commit_us_min = 10,
    .commit_us_max = 10000,
    .unknown_done_ppm = 100000,
    .unknown_lost_ppm = 100000,
    .unknown_late_ppm = 100000,
    .unavailable_ppm = 100000,
};

/* One key each: what is answered tells whether it happened; each kind of fault comes up. */
static void
answers_are_true(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(3);
    memory_store_set_knobs(f->store, &all_faults);
    uint32_t unknown_done = 0, unknown_lost = 0;
    uint64_t before[64] = {0};
    for (uint32_t round = 0; round < 50; round++) {
        uint64_t first = f->next;
        for (uint32_t key = 0; key < 64; key++)
            (void)put(f, key, before[key]);
        settle(f);
        for (uint32_t key = 0; key < 64; key++) {
            bool happened = version(f, key) == before[key] + 1;
            assert_true(happened || version(f, key) == before[key]);
            assert_int_equal(f->times[first + key], 1);
            switch (f->results[first + key]) {
            case STORE_OK: assert_true(happened); break;
            case STORE_UNAVAILABLE: assert_false(happened); break;
            case STORE_UNKNOWN:
                unknown_done += happened;
                unknown_lost += !happened;
                break;
            case STORE_CONFLICT: fail(); break;
            }
            before[key] += happened;
        }
    }
    struct memory_store_stats stats = memory_store_stats(f->store);
    assert_true(unknown_done > 300 && unknown_lost > 100 && stats.late > 100 &&
                stats.unavailable > 100);
    assert_int_equal(stats.unknown, unknown_done + unknown_lost);
    fixture_free(f);
}

static void
late_ones_come_after_their_answer(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(3);
    struct memory_store_knobs knobs = {
        .commit_us_min = 10, .commit_us_max = 100, .unknown_late_ppm = 1000000};
    memory_store_set_knobs(f->store, &knobs);
    uint64_t token = put(f, 1, 0);
    while (f->times[token] == 0)
        assert_true(events_step(&f->schedule));
    assert_int_equal(f->results[token], STORE_UNKNOWN);
    assert_int_equal(version(f, 1), 0);
    settle(f);
    assert_int_equal(version(f, 1), 1);
    fixture_free(f);
}

/* Acknowledged stays; the rest happens or not, and is never answered. */
static void
a_crash_loses_nothing_acknowledged(void **state)
{
    (void)state;
    uint32_t happened = 0, gone = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fixture *f = fixture_alloc(seed);
        for (uint32_t key = 0; key < 64; key++)
            (void)put(f, key, 0);
        events_run(&f->schedule, f->schedule.now_us + 3000);
        memory_store_crash(f->store);
        assert_int_equal(memory_store_under_way(f->store), 0);
        connect_store(f);
        for (uint32_t key = 0; key < 64; key++) {
            if (f->times[key] == 0) {
                happened += version(f, key) == 1;
                gone += version(f, key) == 0;
            } else {
                assert_int_equal(version(f, key), 1);
            }
        }
        events_run(&f->schedule, f->schedule.now_us + 100000); /* events of the dead */
        for (uint32_t key = 0; key < 64; key++)
            assert_true(f->times[key] <= 1);
        uint64_t token = put(f, 1, version(f, 1));
        settle(f);
        assert_int_equal(f->results[token], STORE_OK);
        fixture_free(f);
    }
    assert_true(happened > 100 && gone > 100);
}

static void
away_is_away(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(1);
    uint64_t token = put(f, 1, 0);
    settle(f);
    memory_store_set_away(f->store, true);
    uint64_t other = put(f, 1, 1);
    assert_int_equal(f->port.get(f->port.ctx, f->next++, text("k1")), OK);
    settle(f);
    assert_int_equal(f->results[token], STORE_OK);
    assert_int_equal(f->results[other], STORE_UNAVAILABLE);
    assert_int_equal(f->results[other + 1], STORE_UNAVAILABLE);
    assert_int_equal(version(f, 1), 1);
    memory_store_set_away(f->store, false);
    other = put(f, 1, 1);
    settle(f);
    assert_int_equal(f->results[other], STORE_OK);
    fixture_free(f);
}

static void
a_full_disk_is_unavailable(void **state)
{
    (void)state;
    struct fixture *f = fixture_alloc(1);
    for (uint32_t key = 0; key < 64; key++)
        (void)put(f, key, 0);
    settle(f);
    uint64_t token = put(f, 64, 0), fits = put(f, 63, 1);
    settle(f);
    assert_int_equal(f->results[token], STORE_UNAVAILABLE);
    assert_int_equal(f->results[fits], STORE_OK);
    fixture_free(f);
}

static uint64_t
history(uint64_t seed)
{
    struct fixture *f = fixture_alloc(seed);
    memory_store_set_knobs(f->store, &all_faults);
    for (uint32_t i = 0; i < 500; i++) {
        (void)put(f, i % 60, i % 3 ? STORE_ANY_VERSION : i / 60);
        if (i % 50 == 49) {
            events_run(&f->schedule, f->schedule.now_us + 5000);
            if (i % 100 == 99) {
                memory_store_crash(f->store);
                connect_store(f);
            }
        }
    }
    settle(f);
    uint64_t digest = memory_store_digest(f->store) ^ (uint64_t)f->schedule.now_us;
    fixture_free(f);
    return digest;
}

static void
one_seed_one_history(void **state)
{
    (void)state;
    uint32_t different = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(history(seed), history(seed));
        different += history(seed) != history(seed + 1);
    }
    assert_int_equal(different, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_true),
        cmocka_unit_test(late_ones_come_after_their_answer),
        cmocka_unit_test(a_crash_loses_nothing_acknowledged),
        cmocka_unit_test(away_is_away),
        cmocka_unit_test(a_full_disk_is_unavailable),
        cmocka_unit_test(one_seed_one_history),
    };
    return cmocka_run_group_tests_name("memory_store", tests, NULL, NULL);
}
