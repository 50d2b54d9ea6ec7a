/* What keeping the places of 19,000 walking people costs, LMDB's threads included: prints CPU per
 * player and second and durable commits per second. The figures are for people; the bounds only
 * catch blunders, as timings on a busy machine say no more.
 */
#include "os/files.h"
#include "os/lmdb_store.h"
#include "store/desk.h"
#include "store/place.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PLAYERS 19000U
#define ROUNDS  10

struct fixture {
    char directory[64];
    struct desk *desk; /* for its virtual time */
    struct env env;
    struct store store;
    struct lmdb_store *lmdb;
    uint64_t committed;
};

static double
process_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static double
wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
wait_idle(struct fixture *f, uint32_t at_most)
{
    struct pollfd wait = {.fd = lmdb_store_fd(f->lmdb), .events = POLLIN};
    while (lmdb_store_under_way(f->lmdb) > at_most) {
        assert_int_equal(poll(&wait, 1, 60000), 1);
        (void)lmdb_store_deliver(f->lmdb);
    }
}

static void
places_of_19000(void **state)
{
    struct fixture *f = *state;
    struct places *places = places_alloc(&f->store, DESK_WORLD, NULL);
    double cpu_us = 0;
    for (int32_t second = 0; second < ROUNDS; second++) {
        double start = process_cpu_us();
        for (uint64_t i = 1; i <= PLAYERS; i++) {
            struct stand one = {
                .player = (uint64_t)DESK_WORLD << 48 | i, .island = 1, .motion = {.x_mm = second}};
            struct place_slot slot = place_slot_of_id(one.player);
            assert_int_equal(place_set(places, &slot, &one), OK);
        }
        desk_run_ms(f->desk, 1000);
        (void)places_turn(places, second);
        wait_idle(f, 0);
        if (second > 1)
            cpu_us += process_cpu_us() - start;
    }
    places_flush(places, ROUNDS);
    wait_idle(f, 0);
    assert_true(places_durable(places));
    double each = cpu_us / (ROUNDS - 2) / PLAYERS;
    struct places_stats stats = places_stats(places);
    print_message("# places on LMDB: %.3f us of CPU per player and second, %.0f KB in %.0f pages "
                  "per second\n",
                  each, (double)stats.bytes / ROUNDS / 1e3, (double)stats.pages / ROUNDS);
    assert_true(each < 20);
    places_free(&places);
}

static void
on_committed(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    struct fixture *f = ctx;
    assert_int_equal(result, STORE_OK);
    f->committed++;
}

static void
commits_in_groups(void **state)
{
    struct fixture *f = *state;
    static const uint32_t depths[] = {1, 8, 64, 512};
    char key[64];
    uint8_t value[200] = {1};
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
        uint64_t before = f->committed, asked = 0;
        double start = wall_us(), cpu = process_cpu_us();
        while (wall_us() - start < 300e3) {
            while (lmdb_store_under_way(f->lmdb) < depths[d]) {
                snprintf(key, sizeof key, "0001/bench/%016llx",
                         (unsigned long long)(asked++ * 7919 % 20000));
                struct store_write write = {.key = {(const uint8_t *)key, strlen(key)},
                                            .expected_version = STORE_ANY_VERSION,
                                            .op = STORE_PUT,
                                            .value = {value, sizeof value}};
                assert_int_equal(store_commit(&f->store, &write, 1, on_committed, f, 0), OK);
            }
            wait_idle(f, depths[d] - 1);
        }
        wait_idle(f, 0);
        double commits = (double)(f->committed - before);
        print_message("# %3u under way: %.0f durable commits/s, %.1f us of CPU each\n", depths[d],
                      commits / (wall_us() - start) * 1e6, (process_cpu_us() - cpu) / commits);
        assert_true(commits > 1);
    }
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(directory_make_temporary(NULL, "cost", f->directory, sizeof f->directory), OK);
    char why[LMDB_STORE_WHY_MAX];
    assert_int_equal(
        lmdb_store_open(&(struct lmdb_store_options){.directory = f->directory}, &f->lmdb, why),
        OK);
    f->desk = desk_alloc(1);
    f->env.clock = f->desk->env.clock;
    store_init(&f->store, &f->env, 4096);
    f->env.store = lmdb_store_port(f->lmdb, store_done(&f->store));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    lmdb_store_close(&f->lmdb);
    store_fini(&f->store);
    desk_free(f->desk);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(places_of_19000, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_in_groups, setup, teardown),
    };
    return cmocka_run_group_tests_name("place_cost", tests, NULL, NULL);
}
