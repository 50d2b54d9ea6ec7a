#include "store/desk.h"
#include "store/player.h"
#include "store/sweep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define REST_MS 1000

struct fixture {
    struct desk *desk;
    struct players players;
    struct slots slots;
    struct sweep sweep;
    uint64_t next; /* who comes */
};

static int
fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->desk = desk_alloc(5);
    players_init(&f->players, &f->desk->store, DESK_WORLD, 16);
    slots_init(&f->slots, &f->desk->store, DESK_WORLD);
    sweep_init(&f->sweep, &f->desk->store, DESK_WORLD, &f->slots, REST_MS);
    f->next = (uint64_t)DESK_WORLD << 48 | 1000000;
    *state = f;
    return 0;
}

static int
fixture_close(void **state)
{
    struct fixture *f = *state;
    desk_settle(f->desk);
    slots_fini(&f->slots);
    players_fini(&f->players);
    desk_free(f->desk);
    free(f);
    return 0;
}

static void
was_done(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    (void)n, (void)player;
    *(enum err *)ctx = result;
}

/* Somebody whose document names that slot; page 0: none. */
static uint64_t
somebody(struct fixture *f, uint64_t page, uint32_t slot, uint32_t stood_on)
{
    enum err result = ERR_UNKNOWN;
    uint64_t id = f->next++;
    struct player_home home = {.node = 7, .slot = {page, slot}, .stood = {.island = stood_on}};
    assert_int_equal(player_create(&f->players, id, (struct slice){0}, &home, was_done, &result, 0),
                     OK);
    desk_settle(f->desk);
    assert_int_equal(result, OK);
    return id;
}

static const char *
page_key(uint64_t page)
{
    static struct key key;
    key = key_make(DESK_WORLD, KEY_CLASS_PLACE, page);
    return key.text;
}

/* A page with these players, in the first slots. */
static void
page(struct fixture *f, uint64_t number, const uint64_t *players, uint32_t count)
{
    uint8_t bytes[PLACE_PAGE_BYTES] = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (players[i] != 0) {
            place_page_write(bytes, i, &(struct stand){.player = players[i], .island = 1});
        }
    }
    desk_put(f->desk, page_key(number), bytes, (size_t)count * PLACE_SLOT_BYTES);
}

static bool
is_there(const struct fixture *f, uint64_t number)
{
    return desk_look(f->desk, page_key(number)).exists;
}

static void
sweep_for_ms(struct fixture *f, int64_t ms)
{
    for (int64_t at_ms = 0; at_ms < ms; at_ms += 10) {
        sweep_turn(&f->sweep);
        desk_run_ms(f->desk, 10);
    }
}

/* ---- what goes and what stays ---- */

static void
what_nobody_names_goes(void **state)
{
    struct fixture *f = *state;
    uint64_t elsewhere = somebody(f, 9, 0, 1), here = somebody(f, 5, 1, 1);
    page(f, 4, &elsewhere, 1);
    page(f, 5, (uint64_t[]){elsewhere, here}, 2);
    page(f, 6, (uint64_t[]){0, f->next}, 2); /* somebody who never was */
    page(f, 7, NULL, 0);
    page(f, 8, &here, 1); /* named, but not this page */
    f->sweep.due_us = f->desk->schedule.now_us + REST_MS * 1000;
    sweep_for_ms(f, REST_MS);
    assert_int_equal(f->sweep.stats.pages, 0); /* it rests first */
    sweep_for_ms(f, REST_MS);
    assert_false(is_there(f, 4) || is_there(f, 6) || is_there(f, 7) || is_there(f, 8));
    assert_true(is_there(f, 5));
    assert_int_equal(f->sweep.stats.rounds, 1);
    assert_int_equal(f->sweep.stats.pages, 5);
    assert_int_equal(f->sweep.stats.swept, 4);
    assert_int_equal(f->sweep.stats.reads, 5);
    /* The document may say another slot: what does not fit is not ours to judge. */
    uint64_t other = somebody(f, 10, 3, 1);
    page(f, 10, &other, 1);
    sweep_for_ms(f, 2 * REST_MS);
    assert_true(is_there(f, 10) && is_there(f, 5));
    assert_int_equal(f->desk->store.stats.scans[ROLE_PLAY], 0);
}

/* A document without a slot: in older worlds the place followed from the id; since, it was said in
 * the document when its player left. */
static void
pages_of_older_worlds_stay(void **state)
{
    struct fixture *f = *state;
    uint64_t old = somebody(f, 0, 0, 0), left = somebody(f, 0, 0, 1);
    uint64_t number = place_slot_of_id(old).page;
    assert_int_equal(place_slot_of_id(left).page, number);
    page(f, number, (uint64_t[]){left, old}, 2);
    sweep_for_ms(f, 2 * REST_MS);
    assert_true(is_there(f, number));
    page(f, number, &left, 1);
    sweep_for_ms(f, 2 * REST_MS);
    assert_false(is_there(f, number));
}

static void
own_pages_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct place_slot slot;
    bool is_new;
    while (!slots_ready(&f->slots)) {
        desk_settle(f->desk);
    }
    uint64_t nobody = f->next++;
    assert_int_equal(slots_take(&f->slots, nobody, &slot, &is_new), OK);
    page(f, slot.page, &nobody, 1);
    page(f, slot.page + 1, &nobody, 1);
    sweep_for_ms(f, 2 * REST_MS);
    assert_true(is_there(f, slot.page));
    assert_false(is_there(f, slot.page + 1));
    assert_int_equal(f->sweep.stats.pages, 1);
}

static void
what_cannot_be_read_stays(void **state)
{
    struct fixture *f = *state;
    uint64_t broken = f->next++;
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, broken);
    desk_put(f->desk, key.text, "\xff\xff", 2);
    page(f, 4, &broken, 1);
    desk_put(f->desk, page_key(5),
             "\x7f and 63 more bytes of a format that nobody knows yet, as it is newer", 64);
    desk_put(f->desk, "0001/place/none", "x", 1);
    uint64_t nobody = f->next++;
    page(f, 6, &nobody, 1);
    sweep_for_ms(f, 2 * REST_MS);
    assert_true(is_there(f, 4) && is_there(f, 5) && !is_there(f, 6));
    assert_true(desk_look(f->desk, "0001/place/none").exists);
    assert_int_equal(f->sweep.stats.failures, 1);
    assert_int_equal(f->sweep.stats.rounds, 1);
}

/* ---- others who write ---- */

/* Its process slept and goes on: what it writes in any moment is not lost. */
static void
a_page_that_is_written_meanwhile_stays(void **state)
{
    struct fixture *f = *state;
    uint32_t stayed = 0, swept = 0;
    memory_store_set_knobs(f->desk->memory, &(struct memory_store_knobs){.get_us_min = 2000,
                                                                         .get_us_max = 2000,
                                                                         .commit_us_min = 10000,
                                                                         .commit_us_max = 20000});
    for (int64_t delay_ms = 0; delay_ms < 60; delay_ms++) {
        uint64_t gone[8];
        for (uint32_t i = 0; i < 8; i++) {
            gone[i] = f->next++;
        }
        page(f, 4, gone, 8);
        f->sweep.due_us = 0;
        uint64_t pages = f->sweep.stats.pages, removed = f->sweep.stats.swept;
        for (int64_t ms = 0; ms < delay_ms; ms++) {
            sweep_turn(&f->sweep);
            desk_run_ms(f->desk, 1);
        }
        bool began = f->sweep.stats.pages > pages && f->sweep.stats.swept == removed;
        gone[3] = f->next;
        page(f, 4, gone, 8);
        assert_int_equal(somebody(f, 4, 3, 1), gone[3]);
        sweep_for_ms(f, 400);
        assert_true(is_there(f, 4));
        stayed += began && f->sweep.stats.swept == removed;
        swept += f->sweep.stats.swept > removed;
        f->sweep.due_us = 0;
        sweep_for_ms(f, 400);
        assert_true(is_there(f, 4)); /* now it is named */
    }
    assert_true(stayed > 3 && swept > 3);
    assert_true(f->sweep.stats.changed > 0);
}

static void
a_store_that_fails_delays_it(void **state)
{
    struct fixture *f = *state;
    uint64_t nobody[PLACE_PAGE_SLOTS], here = somebody(f, 30, 0, 1);
    for (uint32_t i = 0; i < PLACE_PAGE_SLOTS; i++) {
        nobody[i] = f->next++;
    }
    for (uint64_t number = 1; number <= 20; number++) {
        page(f, number, nobody, number % 5 == 0 ? PLACE_PAGE_SLOTS : 3);
    }
    page(f, 30, &here, 1);
    desk_faults(f->desk, 50000, 50000, 50000, 50000);
    sweep_for_ms(f, 20 * REST_MS);
    assert_true(f->sweep.stats.failures > 0 && f->sweep.stats.rounds > 2);
    desk_faults(f->desk, 0, 0, 0, 0);
    sweep_for_ms(f, 4 * REST_MS);
    for (uint64_t number = 1; number <= 20; number++) {
        assert_false(is_there(f, number));
    }
    assert_true(is_there(f, 30));
}

/* The mutant: what tests and the simulator must see. */
static void
a_blind_sweeper_takes_all(void **state)
{
    struct fixture *f = *state;
    uint64_t here = somebody(f, 4, 0, 1);
    page(f, 4, &here, 1);
    f->sweep.blind = true;
    sweep_for_ms(f, 2 * REST_MS);
    assert_false(is_there(f, 4));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_names_goes),
        TEST(pages_of_older_worlds_stay),
        TEST(own_pages_are_left_alone),
        TEST(what_cannot_be_read_stays),
        TEST(a_page_that_is_written_meanwhile_stays),
        TEST(a_store_that_fails_delays_it),
        TEST(a_blind_sweeper_takes_all),
    };
    return cmocka_run_group_tests_name("store/sweep", tests, NULL, NULL);
}
