#include "store/desk.h"
#include "store/keys.h"
#include "store/player.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID      ((uint64_t)DESK_WORLD << 48 | 77)
#define ANSWERS 256

struct answer {
    uint32_t times;
    enum err result;
    struct player player;
};

struct fixture {
    struct desk *desk;
    struct players players;
    struct answer answers[ANSWERS];
    uint64_t next;
    uint64_t refused_node; /* choose_slot() does not claim from this home */
    uint32_t chosen;
};

static void
on_done(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    struct fixture *f = ctx;
    assert_true(n < f->next);
    assert_true((result == OK) == (player != NULL));
    f->answers[n].times++;
    f->answers[n].result = result;
    if (player != NULL)
        f->answers[n].player = *player;
}

static uint64_t
next(struct fixture *f)
{
    assert_true(f->next < ANSWERS);
    return f->next++;
}

static const struct answer *
settled(struct fixture *f, uint64_t n)
{
    desk_settle(f->desk);
    assert_int_equal(f->answers[n].times, 1);
    return &f->answers[n];
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static const struct answer *
load(struct fixture *f)
{
    uint64_t n = next(f);
    assert_int_equal(player_load(&f->players, ID, on_done, f, n), OK);
    return settled(f, n);
}

static const struct answer *
create(struct fixture *f, const char *name)
{
    uint64_t n = next(f);
    assert_int_equal(
        player_create(&f->players, ID, text(name), &(struct player_home){.node = 9}, on_done, f, n),
        OK);
    return settled(f, n);
}

static uint64_t
claim_send(struct fixture *f, uint64_t node)
{
    uint64_t n = next(f);
    assert_int_equal(player_claim(&f->players, ID, node, NULL, on_done, f, n), OK);
    return n;
}

static void
nobody_is_nobody(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f)->result, ERR_NOT_FOUND);
    assert_int_equal(settled(f, claim_send(f, 1))->result, ERR_NOT_FOUND);
    assert_int_equal(desk_look(f->desk, "0001/player/000100000000004d").version, 0);
}

static void
a_new_player_is_at_home(void **state)
{
    struct fixture *f = *state;
    const struct answer *a = create(f, "섬사람");
    assert_int_equal(a->result, OK);
    assert_int_equal(a->player.id, ID);
    assert_int_equal(a->player.version, 1);
    assert_string_equal(a->player.name, "섬사람");
    assert_int_equal(a->player.session_epoch, 1);
    assert_int_equal(a->player.home.node, 9);
    assert_true(a->player.created_ms > 0);
    struct player created = a->player;
    a = load(f);
    assert_int_equal(a->result, OK);
    assert_int_equal(a->player.version, created.version);
    assert_int_equal(a->player.created_ms, created.created_ms);
    assert_int_equal(a->player.session_epoch, created.session_epoch);
    assert_int_equal(a->player.home.node, created.home.node);
    assert_int_equal(a->player.home.slot.page, created.home.slot.page);
    assert_int_equal(a->player.home.claimant, created.home.claimant);
    assert_int_equal(a->player.last_seq, created.last_seq);
    assert_string_equal(a->player.name, created.name);
    assert_int_equal(create(f, "other")->result, ERR_EXISTS);
    assert_string_equal(load(f)->player.name, "섬사람");
    char too_long[PLAYER_NAME_MAX + 2];
    memset(too_long, 'n', sizeof too_long);
    too_long[PLAYER_NAME_MAX + 1] = '\0';
    assert_int_equal(player_create(&f->players, ID + 1, text(too_long),
                                   &(struct player_home){.node = 9}, on_done, f, 0),
                     ERR_TOO_LARGE);
}

static void
each_claim_raises_the_epoch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "a")->result, OK);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        const struct answer *a = settled(f, claim_send(f, epoch * 10));
        assert_int_equal(a->result, OK);
        assert_int_equal(a->player.session_epoch, epoch);
        assert_int_equal(a->player.version, epoch);
        assert_int_equal(a->player.home.node, epoch * 10);
    }
    assert_int_equal(load(f)->player.session_epoch, 5);
}

static void
two_at_once_get_different_epochs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "a")->result, OK);
    uint64_t first = f->next;
    for (uint64_t i = 0; i < 3; i++)
        (void)claim_send(f, 3); /* even from one node */
    (void)settled(f, first);
    uint64_t seen = 0;
    for (uint64_t n = first; n < f->next; n++) {
        assert_int_equal(f->answers[n].result, OK);
        seen |= 1ULL << f->answers[n].player.session_epoch;
    }
    assert_int_equal(seen, 1 << 2 | 1 << 3 | 1 << 4);
    assert_true(f->players.conflicts > 0);
}

/* An engine that fails in every way: who was told OK has an epoch of his own, and the document
 * never goes back. */
static void
unknown_is_cleared_up_by_reading(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "a")->result, OK);
    uint64_t granted[ANSWERS] = {0}, highest = 1, fine = 0;
    for (uint32_t round = 0; round < 80; round++) {
        desk_faults(f->desk, 200000, 200000, 100000, 50000);
        uint64_t a = claim_send(f, 3), b = claim_send(f, 4);
        (void)settled(f, a);
        (void)settled(f, b);
        for (uint64_t n = a; n <= b; n++) {
            if (f->answers[n].result != OK)
                continue;
            uint64_t epoch = f->answers[n].player.session_epoch;
            assert_true(epoch < ANSWERS * 8);
            for (uint64_t i = 0; i < fine; i++)
                assert_int_not_equal(granted[i], epoch);
            granted[fine++] = epoch;
            highest = epoch > highest ? epoch : highest;
        }
        desk_faults(f->desk, 0, 0, 0, 0);
        const struct answer *now = load(f);
        assert_int_equal(now->result, OK);
        assert_true(now->player.session_epoch >= highest);
        f->next--; /* its slot serves again */
        f->answers[f->next] = (struct answer){0};
        if (f->next > 200)
            break;
    }
    assert_true(fine > 80);
    assert_true(f->players.resolved > 10); /* what this test is about did happen */
}

static void
a_store_that_is_away_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, "a")->result, OK);
    memory_store_set_away(f->desk->memory, true);
    assert_int_equal(load(f)->result, ERR_UNAVAILABLE);
    assert_int_equal(settled(f, claim_send(f, 1))->result, ERR_UNAVAILABLE);
    memory_store_set_away(f->desk->memory, false);
    assert_int_equal(load(f)->player.session_epoch, 1);
}

/* A field that only a newer version knows (number 99) stays through a claim. */
static void
unknown_fields_are_kept(void **state)
{
    struct fixture *f = *state;
    static const uint8_t newer[] = {0x0a, 1,    'x',                           /* name */
                                    0x18, 6,                                   /* session_epoch */
                                    0x9a, 0x06, 5,   'n', 'e', 'w', 'e', 'r'}; /* field 99 */
    desk_put(f->desk, "0001/player/000100000000004d", newer, sizeof newer);
    const struct answer *a = settled(f, claim_send(f, 1));
    assert_int_equal(a->result, OK);
    assert_int_equal(a->player.session_epoch, 7);
    struct store_doc doc = desk_look(f->desk, "0001/player/000100000000004d");
    assert_int_equal(doc.version, 2);
    assert_non_null(memmem(doc.value.at, doc.value.bytes, newer + 5, 8));
}

static void
what_is_no_player_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"\xff\xff\xff", "\x0a\x7f"};
    for (size_t i = 0; i < 2; i++) {
        desk_put(f->desk, "0001/player/000100000000004d", wrong[i], strlen(wrong[i]));
        assert_int_equal(load(f)->result, ERR_FORMAT);
        assert_int_equal(settled(f, claim_send(f, 1))->result, ERR_FORMAT);
    }
    /* thousands of tiny unknown fields would want more memory than one document may take */
    static uint8_t many[STORE_VALUE_MAX];
    for (size_t i = 0; i + 2 < sizeof many; i += 3)
        memcpy(many + i, "\x98\x06\x01", 3);
    desk_put(f->desk, "0001/player/000100000000004d", many, sizeof many / 3 * 3);
    assert_int_equal(load(f)->result, ERR_FORMAT);
}

static void
the_number_under_way_is_limited(void **state)
{
    struct fixture *f = *state;
    enum err error = OK;
    uint32_t taken = 0;
    for (; error == OK; taken++) {
        uint64_t n = next(f);
        error = player_load(&f->players, ID, on_done, f, n);
    }
    assert_int_equal(error, ERR_FULL);
    assert_int_equal(taken, 65);
    assert_int_equal(players_under_way(&f->players), 64);
    desk_settle(f->desk);
    assert_int_equal(players_under_way(&f->players), 0);
    assert_int_equal(f->answers[64].times, 0); /* refused: no call-back */
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(f->answers[i].times, 1);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->desk = desk_alloc(5);
    players_init(&f->players, &f->desk->store, DESK_WORLD, 64);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    players_fini(&f->players);
    desk_free(f->desk);
    free(f);
    return 0;
}

/* What a home says of itself with its claim. */
static bool
choose_slot(void *ctx, uint64_t n, const struct player *player, struct player_home *home)
{
    (void)n;
    struct fixture *f = ctx;
    assert_int_equal(player->id, ID);
    f->chosen++;
    if (player->home.node == f->refused_node)
        return false;
    home->slot = (struct place_slot){.page = 77 + player->session_epoch, .slot = 63};
    home->stood = (struct stand){.island = 4, .look = 2, .motion = {.x_mm = -5, .since_ms = 9}};
    home->claimant = 99;
    return true;
}

static void
a_claim_says_where_the_place_is_kept(void **state)
{
    struct fixture *f = *state;
    (void)create(f, "a");
    uint64_t n = next(f);
    assert_int_equal(player_claim(&f->players, ID, 3, choose_slot, on_done, f, n), OK);
    assert_int_equal(settled(f, n)->result, OK);
    const struct player *p = &load(f)->player;
    assert_int_equal(p->session_epoch, 2);
    assert_int_equal(p->home.node, 3);
    assert_int_equal(p->home.slot.page, 78);
    assert_int_equal(p->home.slot.slot, 63);
    assert_int_equal(p->home.stood.island, 4);
    assert_int_equal(p->home.stood.look, 2);
    assert_int_equal(p->home.stood.motion.x_mm, -5);
    assert_int_equal(p->home.stood.motion.since_ms, 9);
    /* A claim that says nothing of it leaves it as it is. */
    assert_int_equal(settled(f, claim_send(f, 5))->result, OK);
    p = &load(f)->player;
    assert_int_equal(p->home.node, 5);
    assert_int_equal(p->home.slot.page, 78);
    assert_int_equal(p->home.stood.island, 4);
}

static void
a_claim_that_is_not_wanted_writes_nothing(void **state)
{
    struct fixture *f = *state;
    (void)create(f, "a");
    f->refused_node = 9;
    uint64_t n = next(f);
    assert_int_equal(player_claim(&f->players, ID, 3, choose_slot, on_done, f, n), OK);
    assert_int_equal(settled(f, n)->result, ERR_DENIED);
    assert_int_equal(load(f)->player.version, 1);
}

static uint64_t
leave_send(struct fixture *f, uint64_t session_epoch)
{
    uint64_t n = next(f);
    struct stand stood = {.island = 4, .motion = {.x_mm = 8}};
    assert_int_equal(player_leave(&f->players, ID, session_epoch, &stood, on_done, f, n), OK);
    return n;
}

static void
who_leaves_has_no_home(void **state)
{
    struct fixture *f = *state;
    (void)create(f, "a");
    uint64_t n = next(f);
    assert_int_equal(player_claim(&f->players, ID, 3, choose_slot, on_done, f, n), OK);
    assert_int_equal(settled(f, n)->result, OK);
    assert_int_equal(settled(f, leave_send(f, 1))->result, ERR_DENIED); /* an older session */
    assert_int_equal(load(f)->player.home.node, 3);
    assert_int_equal(settled(f, leave_send(f, 2))->result, OK);
    const struct player *p = &load(f)->player;
    assert_int_equal(p->session_epoch, 2);
    assert_int_equal(p->home.node, 0);
    assert_int_equal(p->home.slot.page, 0);
    assert_int_equal(p->home.stood.motion.x_mm, 8);
    assert_int_equal(p->home.claimant, 99); /* its connection may not know yet, and go on */
}

/* Whoever comes again at the same moment is at home afterwards. */
static void
leaving_does_not_undo_a_claim(void **state)
{
    struct fixture *f = *state;
    (void)create(f, "a");
    uint64_t gone = leave_send(f, 1), come = claim_send(f, 7);
    desk_settle(f->desk);
    assert_int_equal(f->answers[come].result, OK);
    assert_true(f->answers[gone].result == OK || f->answers[gone].result == ERR_DENIED);
    assert_int_equal(load(f)->player.home.node, 7);
    assert_int_equal(load(f)->player.session_epoch, 2);
}

/* Two at once: the one that loses is asked again, with what the winner wrote. */
static void
whoever_loses_is_asked_again(void **state)
{
    struct fixture *f = *state;
    (void)create(f, "a");
    f->refused_node = 4;
    uint64_t won = next(f), lost = next(f);
    assert_int_equal(player_claim(&f->players, ID, 4, NULL, on_done, f, won), OK);
    assert_int_equal(player_claim(&f->players, ID, 3, choose_slot, on_done, f, lost), OK);
    desk_settle(f->desk);
    if (f->answers[won].player.session_epoch == 2) {
        assert_int_equal(f->answers[lost].result, ERR_DENIED);
        assert_int_equal(load(f)->player.home.node, 4);
    } else { /* it was first, and then the other, who does not ask */
        assert_int_equal(f->answers[lost].result, OK);
        assert_int_equal(load(f)->player.session_epoch, 3);
    }
    assert_in_range(f->chosen, 1, 2);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(nobody_is_nobody),
        CASE(a_new_player_is_at_home),
        CASE(each_claim_raises_the_epoch),
        CASE(two_at_once_get_different_epochs),
        CASE(unknown_is_cleared_up_by_reading),
        CASE(a_claim_says_where_the_place_is_kept),
        CASE(a_claim_that_is_not_wanted_writes_nothing),
        CASE(whoever_loses_is_asked_again),
        CASE(who_leaves_has_no_home),
        CASE(leaving_does_not_undo_a_claim),
        CASE(a_store_that_is_away_is_told),
        CASE(unknown_fields_are_kept),
        CASE(what_is_no_player_is_refused),
        CASE(the_number_under_way_is_limited),
    };
#undef CASE
    return cmocka_run_group_tests_name("player", tests, NULL, NULL);
}
