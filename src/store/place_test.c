#include "store/clock.h"
#include "store/desk.h"
#include "store/keys.h"
#include "store/place.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ANSWERS       4096
#define BENCH_PLAYERS 19000U

struct answer {
    uint32_t times;
    enum err result;
    struct stand stand;
};

struct fixture {
    struct desk *desk;
    struct places *places;
    struct answer answers[ANSWERS];
    uint64_t next;
};

static uint64_t
player(uint64_t counter)
{
    return (uint64_t)DESK_WORLD << 48 | counter;
}

static struct stand
stand(uint64_t counter, int32_t x_mm)
{
    return (struct stand){
        .player = player(counter),
        .island = 3,
        .look = 1,
        .motion = {.x_mm = x_mm,
                   .y_mm = -x_mm,
                   .vx = 700,
                   .vy = -3,
                   .since_ms = 123456789012,
                   .lasts_ms = 900},
    };
}

/* Where older worlds kept it: for a test as good as any slot. */
static const struct place_slot *
slot(uint64_t counter)
{
    static struct place_slot at;
    at = place_slot_of_id(player(counter));
    return &at;
}

static void
on_got(void *ctx, uint64_t n, enum err result, const struct stand *s)
{
    struct fixture *f = ctx;
    assert_true((result == OK) == (s != NULL));
    f->answers[n].times++;
    f->answers[n].result = result;
    if (s != NULL)
        f->answers[n].stand = *s;
}

static uint64_t
get_send(struct fixture *f, uint64_t counter)
{
    assert_true(f->next < ANSWERS);
    assert_int_equal(place_get(f->places, slot(counter), player(counter), on_got, f, f->next), OK);
    return f->next++;
}

static const struct answer *
get(struct fixture *f, uint64_t counter)
{
    uint64_t n = get_send(f, counter);
    if (f->answers[n].times == 0)
        desk_settle(f->desk);
    assert_int_equal(f->answers[n].times, 1);
    return &f->answers[n];
}

static void
set(struct fixture *f, uint64_t counter, int32_t x_mm)
{
    struct stand s = stand(counter, x_mm);
    assert_int_equal(place_set(f->places, slot(counter), &s), OK);
}

static uint32_t
turn(struct fixture *f)
{
    return places_turn(f->places, f->desk->schedule.now_us / 1000);
}

/* A second passes with ten turns in it. */
static void
second(struct fixture *f)
{
    for (uint32_t i = 0; i < 10; i++) {
        desk_run_ms(f->desk, 100);
        (void)turn(f);
    }
}

static void
restart(struct fixture *f)
{
    places_free(&f->places);
    desk_restart(f->desk);
    f->places = places_alloc(&f->desk->store, DESK_WORLD, NULL);
}

static void
assert_stands(struct fixture *f, uint64_t counter, int32_t x_mm)
{
    const struct answer *a = get(f, counter);
    assert_int_equal(a->result, OK);
    struct stand expected = stand(counter, x_mm);
    assert_int_equal(a->stand.player, expected.player);
    assert_int_equal(a->stand.island, expected.island);
    assert_int_equal(a->stand.look, expected.look);
    assert_int_equal(a->stand.motion.x_mm, x_mm);
    assert_int_equal(a->stand.motion.y_mm, -x_mm);
    assert_int_equal(a->stand.motion.vx, 700);
    assert_int_equal(a->stand.motion.vy, -3);
    assert_int_equal(a->stand.motion.since_ms, 123456789012);
    assert_int_equal(a->stand.motion.lasts_ms, 900);
}

/* ---- pages ---- */

static void
slots_are_read_as_written(void **state)
{
    (void)state;
    uint8_t page[PLACE_PAGE_BYTES];
    memset(page, 0, sizeof page);
    page[5 * PLACE_SLOT_BYTES + 63] = 0xab; /* in the reserve */
    struct stand s = stand(5, INT32_MIN + 1), read;
    place_page_write(page, 5, &s);
    struct slice bytes = {page, sizeof page};
    assert_int_equal(place_page_check(bytes), OK);
    assert_true(place_page_read(bytes, 5, &read));
    assert_int_equal(read.motion.x_mm, INT32_MIN + 1);
    assert_int_equal(page[5 * PLACE_SLOT_BYTES + 63], 0xab);
    assert_false(place_page_read(bytes, 4, &read));
    bytes.bytes = 5 * PLACE_SLOT_BYTES;
    assert_false(place_page_read(bytes, 5, &read)); /* a shorter page: empty behind its end */
    bytes.bytes++;
    assert_int_equal(place_page_check(bytes), ERR_FORMAT);
    bytes.bytes = sizeof page;
    page[9 * PLACE_SLOT_BYTES] = 2;
    assert_int_equal(place_page_check(bytes), ERR_NEWER);
}

/* ---- reading and writing behind ---- */

static void
what_was_set_is_there_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, 10)->result, ERR_NOT_FOUND);
    set(f, 10, 5000);
    assert_stands(f, 10, 5000);
    assert_int_equal(get(f, 11)->result, ERR_NOT_FOUND);
    set(f, 500, 1);
    assert_stands(f, 500, 1); /* even while its page is still being read */
    struct stand other = stand(1, 1);
    other.player = 2ULL << 48 | 1;
    assert_int_equal(place_set(f->places, slot(1), &other), ERR_RANGE);
}

static void
a_second_later_it_is_durable(void **state)
{
    struct fixture *f = *state;
    set(f, 10, 1000);
    set(f, 10, 2000);
    set(f, 70, 3000);
    assert_int_equal(places_stats(f->places).dirty, 2);
    assert_false(places_durable(f->places));
    second(f);
    second(f);
    desk_settle(f->desk);
    assert_true(places_durable(f->places));
    struct places_stats stats = places_stats(f->places);
    assert_int_equal(stats.dirty, 0);
    assert_int_equal(stats.pages, 2);
    assert_in_range(stats.lag_ms_max, 1, 1200);
    restart(f);
    assert_stands(f, 10, 2000);
    assert_stands(f, 70, 3000);
    assert_int_equal(get(f, 11)->result, ERR_NOT_FOUND);
}

/* Of a page that was never in this process's memory, a single set leaves the others where they
 * were. */
static void
neighbours_in_a_page_survive(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 64; i < 128; i++)
        set(f, i, (int32_t)i);
    second(f);
    second(f);
    restart(f);
    set(f, 100, -7);
    uint64_t early = get_send(f, 101); /* waits for the page */
    assert_int_equal(f->answers[early].times, 0);
    second(f);
    second(f);
    assert_int_equal(f->answers[early].stand.motion.x_mm, 101);
    restart(f);
    for (uint64_t i = 64; i < 128; i++)
        assert_stands(f, i, i == 100 ? -7 : (int32_t)i);
}

static void
at_most_a_second_is_lost(void **state)
{
    struct fixture *f = *state;
    int32_t durable_at_least = -1;
    for (int32_t tick = 0; tick < 100; tick++) {
        set(f, 10, tick);
        (void)turn(f);
        desk_run_ms(f->desk, 100);
        if (tick % 17 == 16) { /* the process dies */
            restart(f);
            const struct answer *a = get(f, 10);
            assert_int_equal(a->result, OK);
            assert_in_range(a->stand.motion.x_mm, tick - 11, tick);
            assert_true(a->stand.motion.x_mm >= durable_at_least);
            durable_at_least = a->stand.motion.x_mm;
        }
    }
}

static void
never_two_writes_of_a_page_under_way(void **state)
{
    struct fixture *f = *state;
    struct memory_store_knobs slow = {
        .get_us_min = 1, .get_us_max = 1, .commit_us_min = 2000000, .commit_us_max = 4000000};
    memory_store_set_knobs(f->desk->memory, &slow);
    for (int32_t i = 0; i < 40; i++) {
        set(f, 10, i);
        set(f, 1000, i);
        second(f);
        /* two commits at most: one with the pages, one that went out before them with the clock */
        assert_true(store_under_way(&f->desk->store) <= 2);
    }
    places_flush(f->places, f->desk->schedule.now_us / 1000);
    for (uint32_t i = 0; i < 20; i++)
        second(f);
    assert_true(places_durable(f->places));
    restart(f);
    assert_stands(f, 10, 39); /* and so no older write came after a newer one */
    assert_stands(f, 1000, 39);
}

static void
a_store_that_is_away_loses_nothing(void **state)
{
    struct fixture *f = *state;
    set(f, 10, 1);
    second(f);
    memory_store_set_away(f->desk->memory, true);
    for (int32_t i = 0; i < 60; i++) {
        set(f, 10, 100 + i);
        set(f, 5000, i); /* its page cannot even be read */
        second(f);
    }
    struct places_stats stats = places_stats(f->places);
    assert_int_equal(stats.dirty, 2);
    assert_in_range(stats.failures, 5, 40); /* tried, later and later */
    assert_true(stats.lag_ms > 50000);
    assert_int_equal(get(f, 5001)->result, ERR_UNAVAILABLE);
    assert_stands(f, 5000, 59);
    memory_store_set_away(f->desk->memory, false);
    for (uint32_t i = 0; i < 2 * PLACE_RETRY_MS_MAX / 1000; i++)
        second(f);
    assert_int_equal(places_stats(f->places).dirty, 0);
    assert_true(places_stats(f->places).lag_ms < 1500);
    restart(f);
    assert_stands(f, 10, 159);
    assert_stands(f, 5000, 59);
}

/* What the store holds for a player now, in mm; INT32_MIN: nothing. */
static int32_t
stored_x(struct fixture *f, uint64_t counter)
{
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLACE, counter / PLACE_PAGE_SLOTS);
    struct stand s;
    bool there =
        place_page_read(desk_look(f->desk, key.text).value, counter % PLACE_PAGE_SLOTS, &s);
    return there ? s.motion.x_mm : INT32_MIN;
}

static void
faults_lose_nothing_that_is_called_durable(void **state)
{
    struct fixture *f = *state;
    /* no late ones: a write of any version that comes late is beyond what feel is protected against
     */
    desk_faults(f->desk, 150000, 150000, 0, 150000);
    for (int32_t i = 0; i < 100; i++) {
        for (uint64_t p = 0; p < 8; p++)
            set(f, 1 + p * 40, i * 10 + (int32_t)p);
        for (uint32_t seconds = 0; places_stats(f->places).dirty > 0; seconds++) {
            assert_true(seconds < 200);
            second(f);
        }
        for (uint64_t p = 0; p < 8; p++)
            assert_int_equal(stored_x(f, 1 + p * 40), i * 10 + (int32_t)p);
    }
    assert_true(places_stats(f->places).failures > 20);
}

/* ---- limits ---- */

static void
clean_pages_make_room(void **state)
{
    struct fixture *f = *state;
    places_free(&f->places);
    struct places_limits limits = {.pages_max = 8, .waiters_max = 4};
    f->places = places_alloc(&f->desk->store, DESK_WORLD, &limits);
    for (uint64_t page = 0; page < 100; page++) {
        set(f, page * 64 + 1, (int32_t)page);
        if (page % 8 == 7) {
            second(f);
            second(f);
        }
    }
    struct places_stats stats = places_stats(f->places);
    assert_int_equal(stats.in_memory, 8);
    assert_true(stats.evictions >= 92);
    for (uint64_t page = 0; page < 96; page++)
        assert_stands(f, page * 64 + 1, (int32_t)page);
}

static void
full_of_unsaved_pages_is_told(void **state)
{
    struct fixture *f = *state;
    places_free(&f->places);
    struct places_limits limits = {.pages_max = 8, .waiters_max = 4};
    f->places = places_alloc(&f->desk->store, DESK_WORLD, &limits);
    for (uint64_t page = 0; page < 8; page++)
        set(f, page * 64 + 1, 1);
    struct stand ninth = stand(8 * 64, 1);
    assert_int_equal(place_set(f->places, slot(8 * 64), &ninth), ERR_FULL);
    assert_int_equal(place_get(f->places, slot(8 * 64), ninth.player, on_got, f, 0), ERR_FULL);
    assert_int_equal(places_stats(f->places).refused, 2);
    for (uint64_t i = 0; i < 4; i++)
        (void)get_send(f, 2);
    assert_int_equal(place_get(f->places, slot(2), player(2), on_got, f, 0),
                     ERR_FULL); /* waiters */
    second(f);
    second(f);
    assert_int_equal(place_set(f->places, slot(8 * 64), &ninth), OK); /* saved ones make room */
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(f->answers[i].times, 1);
}

static void
a_page_nobody_understands_is_left_alone(void **state)
{
    struct fixture *f = *state;
    desk_put(f->desk, "0001/place/0000000000000000", "strange", 7);
    assert_int_equal(get(f, 5)->result, ERR_UNAVAILABLE);
    set(f, 6, 1);
    second(f);
    second(f);
    assert_int_equal(desk_look(f->desk, "0001/place/0000000000000000").version, 1);
    assert_int_equal(places_stats(f->places).dirty, 1);
}

/* Of a page that somebody else writes nothing is kept: each look reads it. */
static void
looks_at_others_pages(void **state)
{
    struct fixture *f = *state;
    uint8_t page[PLACE_PAGE_BYTES] = {0};
    const char *key = "0001/place/0008000000000005";
    struct place_slot at = {.page = UINT64_C(0x8000000000005), .slot = 3};
    for (int32_t x_mm = 1; x_mm <= 2; x_mm++) {
        struct stand s = stand(900, x_mm);
        place_page_write(page, 3, &s);
        desk_put(f->desk, key, page, sizeof page);
        assert_int_equal(place_look(f->places, &at, player(900), on_got, f, f->next), OK);
        desk_settle(f->desk);
        assert_int_equal(f->answers[f->next].times, 1);
        assert_int_equal(f->answers[f->next++].stand.motion.x_mm, x_mm);
    }
    assert_int_equal(places_stats(f->places).in_memory, 0);
    /* Somebody else has the slot by now; there is no page; it is none; the store is away. */
    assert_int_equal(place_look(f->places, &at, player(901), on_got, f, f->next++), OK);
    at.page++;
    assert_int_equal(place_look(f->places, &at, player(900), on_got, f, f->next++), OK);
    at.page++;
    desk_put(f->desk, "0001/place/0008000000000007", "strange", 7);
    assert_int_equal(place_look(f->places, &at, player(900), on_got, f, f->next++), OK);
    desk_settle(f->desk);
    memory_store_set_away(f->desk->memory, true);
    assert_int_equal(place_look(f->places, &at, player(900), on_got, f, f->next++), OK);
    desk_settle(f->desk);

    const enum err expected[] = {ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_UNAVAILABLE};

    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(f->answers[f->next - 4 + i].times, 1);
        assert_int_equal(f->answers[f->next - 4 + i].result, expected[i]);
    }
}

static void
a_new_page_needs_no_reading(void **state)
{
    struct fixture *f = *state;
    place_new_page(f->places, 7);
    set(f, 7 * 64 + 1, 5);
    assert_stands(f, 7 * 64 + 1, 5);
    assert_int_equal(get(f, 7 * 64 + 2)->result, ERR_NOT_FOUND);
    assert_int_equal(places_stats(f->places).loads, 0);
    second(f);
    second(f);
    restart(f);
    assert_stands(f, 7 * 64 + 1, 5);
}

struct again {
    struct fixture *f;
    uint32_t depth;
};

static void
on_got_again(void *ctx, uint64_t n, enum err result, const struct stand *s)
{
    (void)s;
    struct again *again = ctx;
    assert_int_equal(result, ERR_NOT_FOUND);
    if (again->depth++ >= 50)
        return;
    set(again->f, n + 64, 1); /* of the same page and of others: makes room by evicting */
    assert_int_equal(
        place_get(again->f->places, slot(n + 1), player(n + 1), on_got_again, again, n + 1), OK);
}

/* Whoever is called back may ask for anything again, with a cache that is full all the time. */
static void
call_backs_may_ask_again(void **state)
{
    struct fixture *f = *state;
    places_free(&f->places);
    struct places_limits limits = {.pages_max = 4, .waiters_max = 8};
    f->places = places_alloc(&f->desk->store, DESK_WORLD, &limits);
    struct again again = {.f = f};
    assert_int_equal(place_get(f->places, slot(1), player(1), on_got_again, &again, 1), OK);
    desk_settle(f->desk);
    assert_int_equal(again.depth, 51);
}

/* ---- the clock ---- */

static void
on_clock(void *ctx, enum err result, int64_t world_ms)
{
    int64_t *out = ctx;
    *out = result == OK ? world_ms : -(int64_t)result;
}

static int64_t
clock_stored(struct fixture *f)
{
    struct clock_load load;
    int64_t world_ms = INT64_MIN;
    assert_int_equal(clock_load(&load, &f->desk->store, DESK_WORLD, on_clock, &world_ms), OK);
    desk_settle(f->desk);
    return world_ms;
}

static void
the_clock_goes_along(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(clock_stored(f), 0); /* a new world */
    int64_t before = 0;
    set(f, 1, 1); /* it may walk on for ten seconds without another word */
    for (uint32_t i = 0; i < 10; i++) {
        second(f);
        desk_run_ms(f->desk, 20);
        int64_t stored = clock_stored(f);
        int64_t now = f->desk->schedule.now_us / 1000;
        assert_in_range(stored, now - 1200, now);
        assert_true(stored > before || i == 0);
        before = stored;
    }
    uint32_t saves = 0;
    for (uint32_t i = 0; i < 60; i++) { /* nobody walks any more: there is no hurry */
        second(f);
        desk_run_ms(f->desk, 20);
        int64_t stored = clock_stored(f);
        assert_true(stored >= f->desk->schedule.now_us / 1000 - PLACE_REST_MS - 1200);
        saves += stored != before;
        before = stored;
    }
    assert_in_range(saves, 5, 7);
    set(f, 1, 2); /* and at once when somebody does */
    second(f);
    desk_run_ms(f->desk, 20);
    assert_true(clock_stored(f) >= f->desk->schedule.now_us / 1000 - 1200);
    desk_put(f->desk, "0001/meta/clock", "\xff", 1);
    assert_int_equal(clock_stored(f), -(int64_t)ERR_FORMAT);
    memory_store_set_away(f->desk->memory, true);
    assert_int_equal(clock_stored(f), -(int64_t)ERR_UNAVAILABLE);
}

/* The pages of each group in commits of their own: the engine refuses what is mixed. */
static void
one_commit_per_group(void **state)
{
    struct fixture *f = *state;
    memory_store_free(&f->desk->memory);
    f->desk->memory = memory_store_alloc(
        &(struct memory_store_options){.schedule = events_port(&f->desk->schedule), .groups = 3});
    f->desk->env.store = memory_store_port(f->desk->memory, store_done(&f->desk->store));
    for (uint64_t page = 0; page < 40; page++) {
        place_new_page(f->places, page);
        set(f, page * PLACE_PAGE_SLOTS + 1, 7);
    }
    second(f);
    second(f);
    struct places_stats stats = places_stats(f->places);
    assert_int_equal(stats.saves, 3);
    assert_int_equal(stats.pages, 40);
    assert_int_equal(stats.failures, 0);
    assert_true(places_durable(f->places));
}

/* An engine that is used one key at a time: each page and the clock go out alone, and still all of
 * them within a second. */
static void
one_document_to_a_commit(void **state)
{
    struct fixture *f = *state;
    f->desk->env.store.commit_max = 1;
    for (uint64_t page = 0; page < 200; page++)
        set(f, 1 + page * PLACE_PAGE_SLOTS, 5);
    desk_settle(f->desk); /* they are read */
    second(f);
    desk_settle(f->desk);
    second(f);
    desk_settle(f->desk);
    assert_int_equal(places_stats(f->places).dirty, 0);
    assert_true(f->desk->store.stats.commits > 200);
    assert_int_equal(f->desk->store.stats.documents, f->desk->store.stats.commits);
    restart(f);
    for (uint64_t page = 0; page < 200; page++)
        assert_int_equal(get(f, 1 + page * PLACE_PAGE_SLOTS)->result, OK);
}

/* ---- cost ---- */

/* An engine that takes everything and answers at once when asked: leaves the cost of places alone.
 */
struct null_engine {
    struct store_done done;
    uint64_t tokens[1024];
    bool gets[1024];
    uint32_t count;
};

static enum err
null_get(void *ctx, uint64_t token, struct slice key)
{
    (void)key;
    struct null_engine *e = ctx;
    e->gets[e->count] = true;
    e->tokens[e->count++] = token;
    return OK;
}

static enum err
null_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    (void)writes;
    (void)count;
    struct null_engine *e = ctx;
    e->gets[e->count] = false;
    e->tokens[e->count++] = token;
    return OK;
}

static void
null_answer(struct null_engine *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (e->gets[i])
            e->done.got(e->done.ctx, e->tokens[i], STORE_OK, &(struct store_doc){0});
        else
            e->done.committed(e->done.ctx, e->tokens[i], STORE_OK);
    e->count = 0;
}

static double
thread_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Prints what a second of 19,000 walking people costs the logic thread. What it costs with LMDB,
 * all threads counted, is measured by test/place_cost.c. The bound only catches a blunder: timings
 * of a busy machine say no more. */
static void
what_a_second_of_walking_costs(void **state)
{
    struct fixture *f = *state;
    struct null_engine engine = {0};
    struct store store;
    struct env env = f->desk->env;
    store_init(&store, &env, 1024);
    engine.done = store_done(&store);
    env.store = (struct env_store){.ctx = &engine,
                                   .value_max = STORE_VALUE_MAX,
                                   .commit_max = STORE_COMMIT_MAX,
                                   .get = null_get,
                                   .commit = null_commit};
    struct places *places = places_alloc(&store, DESK_WORLD, NULL);
    double us = 0;
    for (int32_t s = 0; s < 6; s++) {
        double start = thread_us();
        for (uint64_t i = 1; i <= BENCH_PLAYERS; i++) {
            struct stand one = stand(i, s);
            assert_int_equal(place_set(places, slot(i), &one), OK);
        }
        desk_run_ms(f->desk, 1000);
        (void)places_turn(places, s);
        null_answer(&engine);
        if (s > 0) /* the first one reads its pages */
            us += thread_us() - start;
    }
    assert_int_equal(places_stats(places).dirty, 0);
    double each = us / 5 / BENCH_PLAYERS;
    print_message("# places: %.3f us of the logic thread per player and second\n", each);
    assert_true(each < 20);
    places_free(&places);
    store_fini(&store);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->desk = desk_alloc(5);
    f->places = places_alloc(&f->desk->store, DESK_WORLD, NULL);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    places_free(&f->places);
    desk_free(f->desk);
    free(f);
    return 0;
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(slots_are_read_as_written),
        CASE(what_was_set_is_there_at_once),
        CASE(a_second_later_it_is_durable),
        CASE(neighbours_in_a_page_survive),
        CASE(at_most_a_second_is_lost),
        CASE(never_two_writes_of_a_page_under_way),
        CASE(a_store_that_is_away_loses_nothing),
        CASE(faults_lose_nothing_that_is_called_durable),
        CASE(clean_pages_make_room),
        CASE(full_of_unsaved_pages_is_told),
        CASE(a_page_nobody_understands_is_left_alone),
        CASE(looks_at_others_pages),
        CASE(a_new_page_needs_no_reading),
        CASE(call_backs_may_ask_again),
        CASE(the_clock_goes_along),
        CASE(one_commit_per_group),
        CASE(one_document_to_a_commit),
        CASE(what_a_second_of_walking_costs),
    };
#undef CASE
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
