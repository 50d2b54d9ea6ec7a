#include "app/commands.h"
#include "os/files.h"
#include "os/lmdb_store.h"
#include "store/clock.h"
#include "store/place.h"
#include "store/player.h"
#include "store/store.h"
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_MS 60000

/* A world of one logic thread, just enough to write documents. */
struct fixture {
    char directory[64];
    struct env env;
    struct store store;
    struct lmdb_store *lmdb;
    struct players players;
    struct places *places;
};

static int64_t
mono_us(void *ctx)
{
    (void)ctx;
    return NOW_MS * 1000;
}

static int64_t
world_ms(void *ctx)
{
    (void)ctx;
    return NOW_MS;
}

static uint64_t
no_chance(void *ctx)
{
    (void)ctx;
    return 4;
}

static void
on_player(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    (void)ctx;
    (void)n;
    (void)player;
    assert_int_equal(result, OK);
}

static void
player_add_at(struct fixture *f, uint64_t counter, const char *name, const struct player_home *home)
{
    struct slice text = {(const uint8_t *)name, strlen(name)};
    assert_int_equal(
        player_create(&f->players, 1ULL << 48 | counter, text, home, on_player, NULL, 0), OK);
}

static void
player_add(struct fixture *f, uint64_t counter, const char *name)
{
    player_add_at(f, counter, name, &(struct player_home){.node = 1});
}

static void
stand_add(struct fixture *f, uint64_t counter, uint32_t island, struct motion motion)
{
    struct stand stand = {.player = 1ULL << 48 | counter, .island = island, .motion = motion};
    struct place_slot slot = place_slot_of_id(stand.player);
    assert_int_equal(place_set(f->places, &slot, &stand), OK);
}

static void
settle(struct fixture *f)
{
    struct pollfd wait = {.fd = lmdb_store_fd(f->lmdb), .events = POLLIN};
    places_flush(f->places, NOW_MS);
    while (lmdb_store_under_way(f->lmdb) > 0 || !places_durable(f->places)) {
        assert_int_equal(poll(&wait, 1, 60000), 1);
        (void)lmdb_store_deliver(f->lmdb);
        (void)places_turn(f->places, NOW_MS);
    }
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(directory_make_temporary(NULL, "players", f->directory, sizeof f->directory),
                     OK);
    f->env.clock =
        (struct env_clock){.mono_us = mono_us, .world_ms = world_ms, .random = no_chance};
    char why[LMDB_STORE_WHY_MAX];
    assert_int_equal(
        lmdb_store_open(&(struct lmdb_store_options){.directory = f->directory}, &f->lmdb, why),
        OK);
    store_init(&f->store, &f->env, 256);
    f->env.store = lmdb_store_port(f->lmdb, store_done(&f->store));
    players_init(&f->players, &f->store, 1, 16);
    f->places = places_alloc(&f->store, 1, NULL);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    if (f->lmdb != NULL)
        lmdb_store_close(&f->lmdb);
    places_free(&f->places);
    players_fini(&f->players);
    store_fini(&f->store);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    rmdir(f->directory);
    free(f);
    return 0;
}

/* Runs the command with stdout and stderr in one file each. */
static int
run(const char *directory, char *out, size_t out_bytes, char *err, size_t err_bytes)
{
    char option[96];
    snprintf(option, sizeof option, "--data=%s", directory);
    char name[] = "seom players";
    char *argv[] = {name, option, NULL};
    FILE *files[2] = {tmpfile(), tmpfile()};
    int saved[2] = {dup(1), dup(2)};
    fflush(NULL);
    dup2(fileno(files[0]), 1);
    dup2(fileno(files[1]), 2);
    int code = players_command(2, argv);
    fflush(NULL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    char *texts[2] = {out, err};
    size_t sizes[2] = {out_bytes, err_bytes};
    for (int i = 0; i < 2; i++) {
        close(saved[i]);
        rewind(files[i]);
        texts[i][fread(texts[i], 1, sizes[i] - 1, files[i])] = '\0';
        fclose(files[i]);
    }
    return code;
}

static void
assert_row(const json_t *players, size_t row, uint64_t counter, int island, int x_mm, int y_mm)
{
    const json_t *one = json_array_get(players, row);
    assert_int_equal(json_integer_value(json_object_get(one, "id")), 1ULL << 48 | counter);
    assert_int_equal(json_integer_value(json_object_get(one, "island")), island);
    assert_int_equal(json_integer_value(json_object_get(one, "x_mm")), x_mm);
    assert_int_equal(json_integer_value(json_object_get(one, "y_mm")), y_mm);
}

static void
who_stands_where(void **state)
{
    struct fixture *f = *state;
    player_add(f, 5, "Hana");
    player_add(f, 6, "nowhere yet");
    player_add(f, 200, "\x1b[2Jevil");
    stand_add(f, 200, 7, (struct motion){.x_mm = 1500, .y_mm = -2500});
    /* On the way: 5 m/s east since half a second before the clock was saved, for two seconds. */
    stand_add(
        f, 5, 3,
        (struct motion){.x_mm = 10000, .vx = 2500, .since_ms = NOW_MS - 500, .lasts_ms = 2000});
    settle(f);
    lmdb_store_close(&f->lmdb);
    static char out[4096], err[4096];
    assert_int_equal(run(f->directory, out, sizeof out, err, sizeof err), 0);
    json_t *object = json_loads(out, 0, NULL);
    const json_t *players = json_object_get(object, "players");
    assert_int_equal(json_array_size(players), 2);
    assert_row(players, 0, 5, 3, 12500, 0);
    assert_row(players, 1, 200, 7, 1500, -2500);
    json_decref(object);
    assert_non_null(strstr(err, "Hana"));
    assert_non_null(strstr(err, "12.500"));
    assert_non_null(strstr(err, "?[2Jevil")); /* steers no terminal */
    assert_null(strstr(err, "nowhere yet"));
    assert_non_null(strstr(err, "2 players"));
}

static void
stand_on(struct fixture *f, const struct place_slot *slot, uint64_t counter, int32_t x_mm,
         int64_t since_ms)
{
    struct stand stand = {.player = 1ULL << 48 | counter,
                          .island = 1,
                          .motion = {.x_mm = x_mm, .since_ms = since_ms}};
    assert_int_equal(place_set(f->places, slot, &stand), OK);
}

/* Whoever was at many homes stands where the document says, whatever their pages say. */
static void
one_place_for_each(void **state)
{
    struct fixture *f = *state;
    struct place_slot old = place_slot_of_id(1ULL << 48 | 9),
                      gone = {.page = 1ULL << 44, .slot = 3},
                      now = {.page = (1ULL << 44) + 1, .slot = 2};
    struct player_home home = {
        .node = 1, .slot = now, .stood = {.island = 1, .motion = {.x_mm = 40, .since_ms = 400}}};
    player_add_at(f, 9, "roamer", &home);
    stand_on(f, &old, 9, 10, 900);
    stand_on(f, &gone, 9, 20, 800);
    stand_on(f, &now, 9, 30, 500);
    home.slot.slot = 7; /* nothing stands there yet */
    player_add_at(f, 4, "claimed just now", &home);
    stand_on(f, &gone, 9, 20, 800);
    settle(f);
    lmdb_store_close(&f->lmdb);
    static char out[4096], err[4096];
    assert_int_equal(run(f->directory, out, sizeof out, err, sizeof err), 0);
    json_t *object = json_loads(out, 0, NULL);
    const json_t *players = json_object_get(object, "players");
    assert_int_equal(json_array_size(players), 2);
    assert_row(players, 0, 4, 1, 40, 0);
    assert_row(players, 1, 9, 1, 30, 0);
    json_decref(object);
}

static void
no_world_is_told(void **state)
{
    struct fixture *f = *state;
    static char out[4096], err[4096];
    assert_int_equal(run("/nowhere/at/all", out, sizeof out, err, sizeof err), 1);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, "/nowhere/at/all"));
    lmdb_store_close(&f->lmdb);
    assert_int_equal(run(f->directory, out, sizeof out, err, sizeof err),
                     0); /* an empty world is one */
    assert_string_equal(out, "{\"players\":[]}\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_stands_where, setup, teardown),
        cmocka_unit_test_setup_teardown(one_place_for_each, setup, teardown),
        cmocka_unit_test_setup_teardown(no_world_is_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("players", tests, NULL, NULL);
}
