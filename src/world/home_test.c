#include "world/world_fixture.h"

static void
assert_same_place(struct place a, struct place b)
{
    assert_int_equal(a.x_mm, b.x_mm);
    assert_int_equal(a.y_mm, b.y_mm);
}

static void
walk_east(struct scene *s, uint32_t gate, const struct link_home *who, uint32_t number)
{
    struct world_player p;
    assert_true(scene_player(s, who->player, &p));
    struct motion m = motion_from(&p.motion, scene_ms(s));
    m.vx = 1500;
    m.since_ms = scene_ms(s);
    m.lasts_ms = 2000;
    scene_move(s, gate, who, number, m);
}

static void
test_a_new_guest(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    assert_int_equal(who.code, SEOM__CODE__FINE);
    assert_true(who.player != 0 && who.entity == who.player);
    assert_int_equal(who.session_epoch, 1);
    assert_int_equal(who.island, SCENE_ISLAND);
    const struct island *island = archipelago_find(&s->islands, SCENE_ISLAND);
    assert_true(island_is_land(island, (struct place){who.motion.x_mm, who.motion.y_mm}));
    struct ticket t;
    struct slice bytes = {.at = who.ticket, .bytes = sizeof who.ticket};
    assert_int_equal(ticket_read(bytes, s->world->options.ticket_key, &t), OK);
    assert_true(t.player == who.player && t.world == 1);
    assert_int_equal(world_stats(s->world)->players, 1);
    assert_int_equal(s->world->entering.used, 0);
    struct link_home other = scene_enter(s, 0, 12, NULL);
    assert_true(other.player != who.player);
}

static void
test_bad_tickets(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL), forged = who;
    forged.ticket[20] ^= 1;
    assert_int_equal(scene_enter(s, 0, 12, &forged).code, SEOM__CODE__BAD_TICKET);
    /* Signed by us, for another world; and for somebody who was never there. */
    struct ticket t = {.world = 2, .player = who.player};
    ticket_write(&t, s->world->options.ticket_key, forged.ticket);
    assert_int_equal(scene_enter(s, 0, 13, &forged).code, SEOM__CODE__BAD_TICKET);
    t = (struct ticket){.world = 1, .player = who.player + 1000};
    ticket_write(&t, s->world->options.ticket_key, forged.ticket);
    assert_int_equal(scene_enter(s, 0, 14, &forged).code, SEOM__CODE__BAD_TICKET);
    assert_int_equal(world_stats(s->world)->enters_refused, 3);
    assert_int_equal(world_stats(s->world)->players, 1);
    assert_int_equal(s->world->entering.used, 0);
}

static void
test_the_newer_connection_wins(void **state)
{
    struct scene *s = *state;
    struct link_home older = scene_enter(s, 0, 11, NULL);
    walk_east(s, 0, &older, 1);
    scene_run(s, 500);
    struct link_home newer = scene_enter(s, 1, 21, &older);
    assert_int_equal(newer.code, SEOM__CODE__FINE);
    assert_true(newer.player == older.player);
    assert_int_equal(newer.session_epoch, older.session_epoch + 1);
    assert_int_equal(world_stats(s->world)->takeovers, 1);
    assert_int_equal(world_stats(s->world)->players, 1);
    struct link_message m;
    assert_true(scene_self(s, 0, older.player, SELF_END, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__REPLACED);
    assert_true(m.as.self.session_epoch == older.session_epoch);
    /* It stays where it was; the older one moves it no more and is told once more that it ended. */
    struct world_player before, after;
    scene_run(s, 3000);
    assert_true(scene_player(s, older.player, &before));
    scene_forget(s);
    walk_east(s, 0, &older, 2);
    scene_run(s, 20);
    assert_true(scene_player(s, older.player, &after));
    assert_int_equal(after.motion.since_ms, before.motion.since_ms);
    assert_int_equal(world_stats(s->world)->stale_inputs, 1);
    assert_true(scene_self(s, 0, older.player, SELF_END, &m));
    /* Its farewell does not end the newer session either. */
    scene_input(s, 0, &older, (struct link_input){.kind = INPUT_GONE});
    assert_int_equal(world_stats(s->world)->lingering, 0);
    /* The newer one counts its moves from anew. */
    walk_east(s, 1, &newer, 1);
    assert_true(scene_player(s, older.player, &after));
    assert_true(after.motion.since_ms > before.motion.since_ms);
}

static void
test_lingers_30_s_and_is_taken_over(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_GONE});
    scene_run(s, 29000);
    assert_int_equal(world_stats(s->world)->players, 1);
    assert_int_equal(world_stats(s->world)->lingering, 1);
    struct link_home again = scene_enter(s, 1, 21, &who);
    assert_int_equal(again.code, SEOM__CODE__FINE);
    assert_int_equal(world_stats(s->world)->lingering, 0);
    scene_run(s, 40000); /* the old clock does not run on */
    assert_int_equal(world_stats(s->world)->players, 1);
    scene_input(s, 1, &again, (struct link_input){.kind = INPUT_GONE});
    scene_run(s, 29500);
    assert_int_equal(world_stats(s->world)->players, 1);
    scene_run(s, 1000);
    assert_int_equal(world_stats(s->world)->players, 0);
    assert_int_equal(world_stats(s->world)->lingering, 0);
    assert_int_equal(s->world->wheel.count, 0);
}

static void
test_comes_back_where_it_stood(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    walk_east(s, 0, &who, 1);
    scene_run(s, 1000);
    struct world_player p;
    assert_true(scene_player(s, who.player, &p));
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    struct place stood = motion_at(&p.motion, scene_ms(s));
    assert_int_equal(world_stats(s->world)->players, 0); /* who says good-bye leaves at once */
    scene_run(s, 5000);
    struct link_home again = scene_enter(s, 0, 12, &who);
    assert_same_place((struct place){again.motion.x_mm, again.motion.y_mm}, stood);
}

static void
test_comes_back_after_a_crash(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    walk_east(s, 0, &who, 1);
    struct world_player p;
    assert_true(scene_player(s, who.player, &p));
    scene_run(s, 1500);
    int64_t saved_ms = scene_ms(s);
    memory_store_crash(s->store);
    world_free(&s->world);
    s->time.now_us += 3600 * INT64_C(1000000); /* nobody walks on while the world is down */
    scene_start(s, saved_ms);
    struct link_home again = scene_enter(s, 0, 12, &who);
    assert_int_equal(again.code, SEOM__CODE__FINE);
    assert_same_place((struct place){again.motion.x_mm, again.motion.y_mm},
                      motion_at(&p.motion, saved_ms));
}

static void
test_the_store_is_away(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    memory_store_set_away(s->store, true);
    struct link_home refused = scene_enter(s, 0, 12, &who);
    scene_run(s, 20000);
    refused = scene_home(s, 0, 12);
    assert_int_equal(refused.code, SEOM__CODE__RETRY_AFTER);
    assert_true(refused.retry_after_ms > 0);
    assert_int_equal(s->world->entering.used, 0);
    memory_store_set_away(s->store, false);
    assert_int_equal(scene_enter(s, 0, 13, &who).code, SEOM__CODE__FINE);
}

/* Who comes while another is on the way in hears of it when that one has arrived; asking again, as
 * only somebody does who is still there, makes it the newer one. */
static void
test_two_at_once_with_one_ticket(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    scene_run(s, 300);
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = {.conn = 12, .ticket_bytes = TICKET_BYTES}};
    memcpy(m.as.enter.ticket, who.ticket, TICKET_BYTES);
    scene_hear(s, 0, &m);
    m.as.enter.conn = 22;
    scene_hear(s, 1, &m);
    scene_run(s, 300);
    assert_int_equal(scene_home(s, 0, 12).code, SEOM__CODE__FINE);
    assert_int_equal(scene_home(s, 1, 22).code, UINT8_MAX);
    assert_false(scene_self(s, 0, who.player, SELF_END, &m));
    struct link_message go;
    assert_true(scene_told(s, 1, LINK_GO, 0, &go));
    assert_true(go.as.go.conn == 22 && go.as.go.node == 5);
    assert_true(go.as.go.over == rand_mix(SCENE_GATE_EPOCH, 12));
    m = (struct link_message){.kind = LINK_ENTER, .as.enter = {.conn = 22, .over = go.as.go.over}};
    m.as.enter.ticket_bytes = TICKET_BYTES;
    memcpy(m.as.enter.ticket, who.ticket, TICKET_BYTES);
    scene_hear(s, 1, &m);
    scene_run(s, 300);
    assert_int_equal(scene_home(s, 1, 22).code, SEOM__CODE__FINE);
    assert_true(scene_self(s, 0, who.player, SELF_END, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__REPLACED);
    assert_int_equal(world_stats(s->world)->players, 1);
}

static void
test_too_many_at_the_door(void **state)
{
    struct scene *s = *state;
    for (uint32_t i = 1; i <= 10; i++) {
        scene_hear(s, 0, &(struct link_message){.kind = LINK_ENTER, .as.enter = {.conn = i}});
    }
    scene_run(s, 300);
    uint32_t fine = 0, full = 0;
    for (uint32_t i = 1; i <= 10; i++) {
        fine += scene_home(s, 0, i).code == SEOM__CODE__FINE;
        full += scene_home(s, 0, i).code == SEOM__CODE__FULL;
    }
    assert_int_equal(fine, 8); /* entering_max */
    assert_int_equal(full, 2);
    for (uint32_t i = 0; i < 70; i++) {
        scene_enter(s, 0, 100 + i, NULL);
    }
    assert_int_equal(world_stats(s->world)->players, 64); /* players_max */
    assert_int_equal(scene_home(s, 0, 169).code, SEOM__CODE__FULL);
}

static void
test_stops(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_hear(s, 0, &(struct link_message){.kind = LINK_ENTER, .as.enter = {.conn = 12}});
    walk_east(s, 0, &who, 1);
    world_stop(s->world, SCENE_RETRY_MS);
    struct link_message m;
    assert_true(scene_self(s, 0, who.player, SELF_END, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__SERVER_STOPS);
    assert_int_equal(m.as.self.number, SCENE_RETRY_MS);
    assert_int_equal(scene_home(s, 0, 12).code, SEOM__CODE__SERVER_STOPS);
    assert_false(world_stopped(s->world));
    scene_run(s, 1000);
    assert_true(world_stopped(s->world));
    assert_int_equal(scene_enter(s, 0, 13, &who).code, SEOM__CODE__SERVER_STOPS);
}

/* HOME was lost in a full ring: nobody plays, so the avatar must not stand there for ever. */
static void
test_an_answer_that_was_lost(void **state)
{
    struct scene *s = *state;
    s->full[0] = true;
    scene_enter(s, 0, 11, NULL);
    assert_int_equal(world_stats(s->world)->controls_lost, 1);
    assert_int_equal(world_stats(s->world)->players, 1);
    s->full[0] = false;
    scene_run(s, 31000);
    assert_int_equal(world_stats(s->world)->players, 0);
}

/* What a full ring refused of a correction is told again. */
static void
test_a_correction_is_owed(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct motion far = who.motion;
    far.x_mm += 30000;
    far.since_ms = scene_ms(s);
    s->full[0] = true;
    scene_move(s, 0, &who, 1, far);
    scene_run(s, 300);
    s->full[0] = false;
    scene_forget(s);
    scene_run(s, 200);
    struct link_message m;
    assert_true(scene_self(s, 0, who.player, SELF_MOTION, &m));
    assert_int_equal(m.as.self.flags, SELF_CORRECTED);
    assert_int_equal(m.as.self.number, 1);
    scene_forget(s);
    scene_run(s, 1000);
    assert_false(scene_self(s, 0, who.player, SELF_MOTION, &m));
}

static void
test_requests(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL), other = scene_enter(s, 1, 21, NULL);
    struct link_message m;
    scene_input(s, 0, &who,
                (struct link_input){.kind = INPUT_LOOK, .number = 5, .entity = other.player});
    assert_true(scene_self(s, 0, who.player, SELF_ANSWER, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__FINE);
    assert_int_equal(m.as.self.number, 5);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LOOK, .number = 6, .entity = 99});
    assert_true(scene_self(s, 0, who.player, SELF_ANSWER, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__NOT_FOUND);
    struct slice body = {.at = (const uint8_t *)"plant", .bytes = 5};
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_COMMAND, .seq = 9, .bytes = body});
    assert_true(scene_self(s, 0, who.player, SELF_RESULT, &m));
    assert_true(m.as.self.seq == 9 && m.as.self.code == SEOM__CODE__REFUSED);
    struct slice bad = {.at = (const uint8_t *)"a\nb", .bytes = 3};
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_SAY, .bytes = bad});
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_SAY, .bytes = body});
    assert_int_equal(world_stats(s->world)->says_refused, 1);
    assert_int_equal(world_stats(s->world)->says, 1);
    /* An older move number is old. */
    walk_east(s, 0, &who, 7);
    walk_east(s, 0, &who, 7);
    assert_int_equal(world_stats(s->world)->moves_stale, 1);
}

static void
test_garbage_from_a_gate(void **state)
{
    struct scene *s = *state;
    uint8_t bytes[64] = {LINK_INPUT, 1, 2};
    for (size_t n = 0; n < sizeof bytes; n++) {
        world_message(s->world, 0, bytes, n);
    }
    scene_hear(s, 0, &(struct link_message){.kind = LINK_GO, .as.go = {.conn = 1}});
    assert_true(world_stats(s->world)->malformed >= 10);
    assert_int_equal(world_stats(s->world)->players, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_guest, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_bad_tickets, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_newer_connection_wins, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_lingers_30_s_and_is_taken_over, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_comes_back_where_it_stood, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_comes_back_after_a_crash, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_store_is_away, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_two_at_once_with_one_ticket, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_too_many_at_the_door, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_stops, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_an_answer_that_was_lost, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_correction_is_owed, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_requests, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_garbage_from_a_gate, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
