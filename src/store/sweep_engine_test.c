/* The sweeper on a real engine: LMDB, or with any argument PostgreSQL, where it is installed.
 * Prints what a round costs; nothing is judged by it. */
#include "os/lmdb_store.h"
#include "os/pg_fixture.h"
#include "os/pg_store.h"
#include "store/player.h"
#include "store/sweep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#define WORLD   1
#define PAGES   60
#define NAMED   3 /* each so manieth page has somebody, in its last slot */
#define TICK_US 100000

struct engine {
    char directory[64];
    struct lmdb_store *lmdb; /* or */
    struct pg_store *pg;
    struct env env;
    int64_t now_us;
    uint64_t random;
    struct store store;
    uint32_t answers;
};

static int64_t
mono_us(void *ctx)
{
    return ((struct engine *)ctx)->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return ((struct engine *)ctx)->now_us / 1000;
}

static uint64_t
random_of(void *ctx)
{
    return ++((struct engine *)ctx)->random;
}

static void
wait_for_all(struct engine *e)
{
    while (store_under_way(&e->store) > 0) {
        struct pollfd wait = {.fd = e->lmdb != NULL ? lmdb_store_fd(e->lmdb) : pg_store_fd(e->pg),
                              .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 60000), 1);
        (void)(e->lmdb != NULL ? lmdb_store_deliver(e->lmdb) : pg_store_deliver(e->pg));
    }
}

static void
on_put(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    assert_int_equal(result, STORE_OK);
    ((struct engine *)ctx)->answers++;
}

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    assert_int_equal(result, STORE_OK);
    assert_int_equal(doc->exists, n % NAMED == 0);
    ((struct engine *)ctx)->answers++;
}

static void
on_created(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    (void)n, (void)player;
    assert_int_equal(result, OK);
    ((struct engine *)ctx)->answers++;
}

/* Pages of 64 people who never came back, and of some one is there. */
static void
fill(struct engine *e)
{
    struct players players;
    players_init(&players, &e->store, WORLD, 1);
    uint64_t id = (uint64_t)WORLD << 48 | 5000000;
    for (uint64_t page = 0; page < PAGES; page++) {
        uint8_t bytes[PLACE_PAGE_BYTES] = {0};
        for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
            place_page_write(bytes, slot, &(struct stand){.player = ++id, .island = 1});
        }
        struct key key = key_make(WORLD, KEY_CLASS_PLACE, SLOTS_FIRST_PAGE + page);
        struct store_write write = {.key = key_slice(&key),
                                    .expected_version = STORE_ANY_VERSION,
                                    .op = STORE_PUT,
                                    .value = {bytes, sizeof bytes}};
        assert_int_equal(store_commit(&e->store, &write, 1, on_put, e, 0), OK);
        if (page % NAMED == 0) {
            struct player_home home = {.node = 3,
                                       .slot = {SLOTS_FIRST_PAGE + page, PLACE_PAGE_SLOTS - 1}};
            assert_int_equal(
                player_create(&players, id, (struct slice){0}, &home, on_created, e, 0), OK);
        }
        wait_for_all(e);
    }
    players_fini(&players);
}

static void
play(struct engine *e, const char *name)
{
    struct slots slots;
    struct sweep sweep;
    struct timespec from, to;
    fill(e);
    slots_init(&slots, &e->store, WORLD);
    sweep_init(&sweep, &e->store, WORLD, &slots, 0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    e->now_us += SWEEP_REST_MS * INT64_C(1000);
    while (sweep.stats.rounds == 0) {
        e->now_us += TICK_US;
        sweep_turn(&sweep);
        wait_for_all(e);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    assert_int_equal(sweep.stats.pages, PAGES);
    assert_int_equal(sweep.stats.swept, PAGES - PAGES / NAMED);
    assert_int_equal(sweep.stats.failures + sweep.stats.changed, 0);
    assert_int_equal(sweep.stats.reads, PAGES * PLACE_PAGE_SLOTS);
    e->answers = 0;
    for (uint64_t page = 0; page < PAGES; page++) {
        struct key key = key_make(WORLD, KEY_CLASS_PLACE, SLOTS_FIRST_PAGE + page);
        assert_int_equal(store_get(&e->store, key_slice(&key), on_got, e, page), OK);
        wait_for_all(e);
    }
    assert_int_equal(e->answers, PAGES);
    print_message("# %s: %d pages and %d documents read, %d pages gone: %.0f ms, %.2f ms a page\n",
                  name, PAGES, PAGES * PLACE_PAGE_SLOTS, PAGES - PAGES / NAMED, ms, ms / PAGES);
    slots_fini(&slots);
}

static struct engine *
engine_alloc(void)
{
    struct engine *e = calloc(1, sizeof *e);
    assert_non_null(e);
    e->now_us = 1000000;
    e->env.clock =
        (struct env_clock){.ctx = e, .mono_us = mono_us, .world_ms = world_ms, .random = random_of};
    store_init(&e->store, &e->env, 16);
    return e;
}

static void
on_lmdb(void **state)
{
    (void)state;
    struct engine *e = engine_alloc();
    snprintf(e->directory, sizeof e->directory, "/tmp/seom-sweep-XXXXXX");
    assert_non_null(mkdtemp(e->directory));
    char why[LMDB_STORE_WHY_MAX] = "";
    struct lmdb_store_options options = {.directory = e->directory, .calls_max = 16};
    if (lmdb_store_open(&options, &e->lmdb, why) != OK) {
        fail_msg("%s", why);
    }
    e->env.store = lmdb_store_port(e->lmdb, store_done(&e->store));
    play(e, "LMDB");
    lmdb_store_close(&e->lmdb);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", e->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(e->directory), 0);
    store_fini(&e->store);
    free(e);
}

static void
on_postgresql(void **state)
{
    const struct pg_fixture *server = *state;
    struct engine *e = engine_alloc();
    char why[PG_STORE_WHY_MAX] = "";
    struct pg_store_options options = {
        .address = server->address, .calls_max = 16, .deadline_ms = 60000};
    if (pg_store_check(server->address, why) != OK || pg_store_open(&options, &e->pg, why) != OK) {
        fail_msg("%s", why);
    }
    e->env.store = pg_store_port(e->pg, store_done(&e->store));
    play(e, "PostgreSQL");
    pg_store_close(&e->pg);
    store_fini(&e->store);
    free(e);
}

int
main(int argc, char **argv)
{
    (void)argv;
    if (argc == 1) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(on_lmdb)};
        return cmocka_run_group_tests_name("store/sweep_lmdb", tests, NULL, NULL);
    }
    struct pg_fixture server;
    if (!pg_fixture_start(&server)) {
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(on_postgresql, &server)};
    int failed = cmocka_run_group_tests_name("store/sweep_pg", tests, NULL, NULL);
    pg_fixture_stop(&server);
    return failed;
}
