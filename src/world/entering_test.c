#include "world/entering_fixture.h"

/* By placement, wherever that is. */
static struct link_home
enter_somewhere(struct cluster *c, uint64_t conn, uint32_t *number)
{
    struct answered a = enter(c, 0, (struct link_enter){.conn = conn});
    assert_true(a.home != a.go);
    *number = 0;
    if (a.go) {
        while (c->homes[*number].epoch != a.node) {
            ++*number;
        }
        a = enter(c, *number, (struct link_enter){.conn = conn, .flags = ENTER_DECIDED});
    }
    assert_true(a.home);
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    return a.at;
}

/* Writes a document behind everybody's back. */
static void
write_document(struct cluster *c, const struct key *key, struct slice value)
{
    enum store_result result = STORE_UNAVAILABLE;
    struct memory_connection *other = memory_store_connect(
        c->store,
        (struct store_done){.ctx = &result, .got = other_got, .committed = other_committed});
    struct env_store port = memory_connection_port(other);
    struct store_write write = {.key = key_slice(key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = value};
    assert_int_equal(port.commit(port.ctx, 1, &write, 1), OK);
    cluster_run(c, 20);
    assert_int_equal(result, STORE_OK);
    memory_connection_crash(&other);
}

static void
leave(struct cluster *c, uint32_t number, const struct link_home *who)
{
    cluster_hear(c, number,
                 &(struct link_message){.kind = LINK_INPUT,
                                        .as.input = {.player = who->player,
                                                     .session_epoch = who->session_epoch,
                                                     .kind = INPUT_LEFT}});
}

/* ---- which home ---- */

static void
test_all_homes_send_to_the_same(void **state)
{
    struct cluster *c = *state;
    for (uint64_t conn = 1; conn <= 20; conn++) {
        uint32_t number;
        struct link_home who = enter_somewhere(c, conn, &number);
        assert_int_equal(homes_of(c, who.player), 1);
        /* Asked of the other, it would have been the same. */
        struct answered other = enter(c, 1 - number, (struct link_enter){.conn = conn});
        assert_true(other.go);
        assert_true(other.node == c->homes[number].epoch);
        cluster_forget(c);
    }
}

/* A new guest stands where the connection's name says, so the home that it is sent on to agrees. */
static void
test_all_homes_draw_the_same_place(void **state)
{
    struct cluster *c = *state;
    for (uint64_t conn = 1; conn <= 5; conn++) {
        struct link_home a = cluster_enter(c, 0, conn), b = cluster_enter(c, 1, conn);
        assert_true(a.player != b.player);
        assert_near(now_at(c, &a.motion), now_at(c, &b.motion), 1);
    }
}

static void
test_a_ticket_leads_to_the_home_that_lives(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    struct answered a = enter(c, 1, cluster_login(&who, 12, 0));
    assert_true(a.go && !a.home);
    assert_true(a.node == c->homes[0].epoch);
    assert_int_equal(document(c, who.player).session_epoch, 1);
    a = enter(c, 0, cluster_login(&who, 12, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.session_epoch, 2);
    assert_int_equal(world_stats(c->homes[0].world)->takeovers, 1);
}

/* Another home claims: here the session ends by itself, and its place is the other's from then on.
 */
static void
test_a_claim_elsewhere_ends_the_session(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    struct answered a = enter(c, 1, cluster_login(&who, 12, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 2);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
    assert_int_equal(homes_of(c, who.player), 1);
    assert_int_equal(world_stats(c->homes[0].world)->replaced, 1);
    struct link_message m;
    bool ended = false;
    for (uint32_t n = 0; home_told(&c->homes[0], LINK_SELF, n, &m); n++) {
        ended |= m.as.self.kind == SELF_END && m.as.self.code == SEOM__CODE__REPLACED;
    }
    assert_true(ended);
    struct player now = document(c, who.player);
    assert_true(now.home.node == c->homes[1].epoch);
    assert_true(slots_has(&c->homes[1].world->slots, who.player, &now.home.slot));
    assert_int_equal(c->homes[0].world->slots.taken, 0);
}

/* ---- which login is the newer one ---- */

/* The line held the ENTER of somebody who gave up and came in elsewhere: nobody asks again. */
static void
test_a_late_enter_ends_nobody(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    struct link_enter late = cluster_login(&who, 12, 0);
    late.over = 0;
    for (uint8_t flags = 0; flags <= ENTER_DECIDED; flags = (uint8_t)(flags + ENTER_DECIDED)) {
        late.flags = flags;
        cluster_forget(c);
        ask(c, 0, late);
        cluster_run(c, 300);
        struct answered a = answer_of(&c->homes[0], 12);
        assert_true(a.go && !a.home);
        assert_true(a.node == c->homes[0].epoch);
        assert_true(a.over == document(c, who.player).home.claimant);
    }
    assert_int_equal(document(c, who.player).session_epoch, 1);
    assert_int_equal(world_stats(c->homes[0].world)->takeovers, 0);
    assert_int_equal(world_stats(c->homes[0].world)->asked_again, 2);
    /* Nor does one that knew of somebody else. */
    late.over = 77;
    ask(c, 0, late);
    cluster_run(c, 300);
    assert_int_equal(document(c, who.player).session_epoch, 1);
    /* The same connection need not know itself. */
    late.conn = 11;
    late.over = 0;
    ask(c, 0, late);
    cluster_run(c, 300);
    assert_int_equal(document(c, who.player).session_epoch, 2);
}

/* Neither that of a session which waits for a home, as its own died. */
static void
test_a_late_enter_ends_no_session_that_goes_on(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    home_kill(c, 0);
    struct link_enter late = cluster_login(&who, 12, ENTER_DECIDED);
    late.over = 0;
    ask(c, 1, late);
    cluster_run(c, 300);
    assert_true(answer_of(&c->homes[1], 12).go);
    struct answered a = enter(c, 1, going_on(&who, 11, ENTER_DECIDED, who.motion));
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 2);
}

/* Who comes while a session goes on here waits, and is the newer one only if it asks again. */
static void
test_a_login_meets_a_session_that_goes_on(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    home_kill(c, 0);
    ask(c, 1, going_on(&who, 11, ENTER_DECIDED, who.motion));
    ask(c, 1, cluster_login(&who, 12, ENTER_DECIDED));
    ask(c, 1, cluster_login(&who, 13, ENTER_DECIDED));
    cluster_run(c, 300);
    assert_int_equal(answer_of(&c->homes[1], 11).at.code, SEOM__CODE__FINE);
    assert_true(answer_of(&c->homes[1], 12).go);
    assert_int_equal(answer_of(&c->homes[1], 13).at.code, SEOM__CODE__RETRY_AFTER);
    assert_int_equal(document(c, who.player).session_epoch, 2);
    struct link_enter again = cluster_login(&who, 12, ENTER_DECIDED);
    again.over = answer_of(&c->homes[1], 12).over;
    ask(c, 1, again);
    cluster_run(c, 300);
    assert_int_equal(answer_of(&c->homes[1], 12).at.session_epoch, 3);
}

/* Gates of the version before do not say whose place is taken: that they were sent is enough. */
static void
test_an_older_gate_logs_people_in(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    c->homes[0].world->peers[CLUSTER_GATE].node.protocol_max = LINK_PROTOCOL_OVER - 1;
    struct link_enter newer = cluster_login(&who, 12, 0);
    newer.over = 0;
    ask(c, 0, newer);
    cluster_run(c, 300);
    assert_true(answer_of(&c->homes[0], 12).go);
    newer.flags = ENTER_DECIDED;
    ask(c, 0, newer);
    cluster_run(c, 300);
    assert_int_equal(answer_of(&c->homes[0], 12).at.session_epoch, 2);
}

static void
test_two_claim_at_once(void **state)
{
    (void)state;
    uint32_t went_on = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        void *opened;
        assert_int_equal(cluster_open_with(&opened, 3, seed, WORLD_MUTANT_NONE), 0);
        struct cluster *c = opened;
        struct link_home who = cluster_enter(c, 0, 11);
        home_kill(c, 0);
        struct link_enter e = going_on(&who, 11, 0, who.motion);
        ask(c, 1, e);
        ask(c, 2, e);
        cluster_run(c, 2000);
        assert_int_equal(homes_of(c, who.player), 1);
        struct player now = document(c, who.player);
        for (uint32_t i = 1; i < 3; i++) {
            struct answered a = answer_of(&c->homes[i], 11);
            struct world_player p;
            assert_int_equal(stands_at(c, i, who.player, &p), now.home.node == c->homes[i].epoch);
            assert_true(a.home || a.go);
            went_on += a.go;
        }
        cluster_close(&opened);
    }
    assert_true(went_on > 10); /* whoever lost said who has won */
}

/* ---- leaving ---- */

static void
test_who_left_is_at_home_nowhere(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    struct player playing = document(c, who.player);
    leave(c, 0, &who);
    cluster_run(c, 300);
    struct player gone = document(c, who.player);
    assert_true(playing.home.node == c->homes[0].epoch && gone.home.node == 0);
    assert_int_equal(gone.session_epoch, playing.session_epoch);
    assert_int_equal(c->homes[0].world->slots.taken, 0);
    /* Its slot is somebody else's, and still it comes back where it stood. */
    struct link_home other = cluster_enter(c, 0, 12);
    struct player now = document(c, other.player);
    assert_true(now.home.slot.page == playing.home.slot.page &&
                now.home.slot.slot == playing.home.slot.slot);
    cluster_run(c, 1500);
    struct answered a = enter(c, 1, cluster_login(&who, 13, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
}

/* More than may be under way: the rest stands until there is room, and nothing of it is lost. */
static void
test_many_leave_at_once(void **state)
{
    struct cluster *c = *state;
    static struct link_home who[90];
    for (uint32_t i = 0; i < 90; i++) {
        who[i] = cluster_enter(c, 0, 11 + i);
    }
    for (uint32_t i = 0; i < 90; i++) {
        leave(c, 0, &who[i]);
    }
    const struct world_stats *stats = world_stats(c->homes[0].world);
    assert_int_equal(stats->players, 90 - 64);
    assert_int_equal(stats->lingering, 90 - 64);
    assert_int_equal(stats->leaves_late, 90 - 64);
    cluster_run(c, 1000);
    for (uint32_t i = 0; i < 90; i++) {
        assert_int_equal(document(c, who[i].player).home.node, 0);
    }
    assert_int_equal(stats->players, 0);
    assert_int_equal(c->homes[0].world->slots.taken, 0);
}

/* Whoever comes back in the moment of leaving: the document, the avatar and the slot agree. */
static void
test_comes_back_while_leaving(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        void *opened;
        assert_int_equal(cluster_open_with(&opened, 2, seed, WORLD_MUTANT_NONE), 0);
        struct cluster *c = opened;
        uint32_t number = seed % 2;
        struct link_home who = cluster_enter(c, 0, 11);
        leave(c, 0, &who);
        cluster_run(c, (int64_t)(seed % 4) * 5);
        ask(c, number, cluster_login(&who, 12, ENTER_DECIDED));
        cluster_run(c, 2000);
        struct answered a = answer_of(&c->homes[number], 12);
        assert_true(a.home);
        assert_int_equal(a.at.session_epoch, 2);
        struct player now = document(c, who.player);
        struct world *w = c->homes[number].world;
        const struct avatar *avatar = avatar_find(w, who.player);
        assert_non_null(avatar);
        assert_true(now.home.node == c->homes[number].epoch);
        assert_true(slots_has(&w->slots, who.player, &now.home.slot));
        assert_true(avatar->slot.page == now.home.slot.page &&
                    avatar->slot.slot == now.home.slot.slot);
        assert_int_equal(w->slots.taken, 1);
        assert_int_equal(homes_of(c, who.player), 1);
        cluster_close(&opened);
    }
}

/* ---- sessions that go on ---- */

static void
test_goes_on_where_the_gate_saw_it(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    walk(c, 0, &who, 1);
    struct world_player seen;
    assert_true(stands_at(c, 0, who.player, &seen));
    cluster_run(c, 300);
    home_kill(c, 0); /* what it did since was not saved */
    struct answered a = enter(c, 1, going_on(&who, 11, 0, seen.motion));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 2);
    assert_int_equal(world_stats(c->homes[1].world)->resumes, 1);
    /* It walks on, at the same time at the same place. */
    struct world_player now;
    assert_true(stands_at(c, 1, who.player, &now));
    assert_true(motion_moves(&now.motion, c->time.now_us / 1000));
    assert_near(now_at(c, &now.motion), now_at(c, &seen.motion), 100);
}

/* Its gate thinks that the home is gone; others have it. */
static void
test_goes_back_to_the_home_that_lives(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    struct answered a = enter(c, 1, going_on(&who, 11, 0, who.motion));
    assert_true(a.go && !a.home);
    assert_true(a.node == c->homes[0].epoch);
    a = enter(c, 0, going_on(&who, 11, ENTER_DECIDED, who.motion));
    assert_true(a.home);
    assert_int_equal(a.at.session_epoch, 2);
    assert_int_equal(homes_of(c, who.player), 1);
    /* This one knows less than the document: whoever has the player knows whether it is the same.
     */
    a = enter(c, 1, going_on(&who, 12, ENTER_DECIDED, who.motion));
    assert_true(a.go && a.node == c->homes[0].epoch);
    a = enter(c, 0, going_on(&who, 12, ENTER_DECIDED, who.motion));
    assert_int_equal(a.at.code, SEOM__CODE__REPLACED);
}

/* Nobody knows where they were but the page of the dead home: at most a second ago. */
static void
test_comes_back_after_the_death_of_its_home(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    home_kill(c, 0);
    struct answered a = enter(c, 1, cluster_login(&who, 12, 0));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
}

/* The new home dies before its page is saved: the place went along with the claim. */
static void
test_two_homes_die_one_after_the_other(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    home_kill(c, 0);
    ask(c, 1, cluster_login(&who, 12, ENTER_DECIDED));
    for (uint32_t i = 0; i < 60 && !answer_of(&c->homes[1], 12).home; i++) {
        cluster_run(c, 5);
    }
    assert_true(answer_of(&c->homes[1], 12).home);
    home_kill(c, 1);
    struct player now = document(c, who.player);
    struct key key = key_make(1, KEY_CLASS_PLACE, now.home.slot.page);
    assert_false(memory_store_look(c->store, key_slice(&key)).exists);
    struct answered a = enter(c, 2, cluster_login(&who, 13, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 3);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
}

static void
test_a_place_in_the_sea_is_not_believed(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    home_kill(c, 0);
    struct motion far = {.x_mm = 90000000, .y_mm = -5, .vx = 3, .since_ms = INT64_MAX};
    struct answered a = enter(c, 1, going_on(&who, 11, 0, far));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
}

/* The gate asks again while the first ENTER is under way, and knows by now where they went, or for
 * the first time. */
static void
test_the_newer_enter_knows_where_they_are(void **state)
{
    struct cluster *c = *state;
    struct link_home who[5];
    struct motion first = {.x_mm = EDGE_MM, .y_mm = EDGE_MM}, second = first;
    second.x_mm += 20000;
    for (uint64_t i = 0; i < 5; i++) {
        who[i] = cluster_enter(c, 0, 11 + i);
        stand_at(c, 0, &who[i], (struct place){EDGE_MM, EDGE_MM + 20000});
    }
    home_kill(c, 0);
    cluster_enter(c, 1, 10); /* it has a page, and its first turns are over */
    for (uint64_t i = 0; i < 5; i++) {
        struct world *w = c->homes[1].world;
        uint64_t conn = 11 + i;
        /* The page that all stood on is read once. */
        enum entering_state state_then = i > 0 ? ENTERING_LOAD : ENTERING_PLACE;
        ask(c, 1,
            i % 2 == 0 ? cluster_login(&who[i], conn, ENTER_DECIDED)
                       : going_on(&who[i], conn, ENTER_DECIDED, (struct motion){.x_mm = -1}));
        const struct entering *e = pool_at(&w->entering, pool_next(&w->entering, POOL_NONE));
        for (uint32_t n = 0; n < 1000 && e->state != state_then; n++) {
            events_run(&c->time, c->time.now_us + 100);
            cluster_turns(c, true);
        }
        assert_int_equal(e->state, state_then);
        struct answered a = enter(c, 1, going_on(&who[i], conn, ENTER_DECIDED, second));
        assert_true(a.home);
        assert_int_equal(a.at.code, SEOM__CODE__FINE);
        assert_near(now_at(c, &a.at.motion), (struct place){second.x_mm, second.y_mm}, 1);
    }
}

/* A newer connection has the player: the older one, whose home died, does not get it back. */
static void
test_an_older_session_stays_over(void **state)
{
    struct cluster *c = *state;
    struct link_home older = cluster_enter(c, 0, 11);
    home_kill(c, 0);
    struct answered newer = enter(c, 1, cluster_login(&older, 21, 0));
    assert_int_equal(newer.at.session_epoch, 2);
    struct answered a = enter(c, 1, going_on(&older, 11, 0, older.motion));
    assert_int_equal(a.at.code, SEOM__CODE__REPLACED);
    assert_int_equal(document(c, older.player).session_epoch, 2);
    /* The same connection that did not hear the answer does. */
    a = enter(c, 1, going_on(&older, 21, 0, older.motion));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 3);
    struct link_message m;
    for (uint32_t n = 0; home_told(&c->homes[1], LINK_SELF, n, &m); n++) {
        assert_int_not_equal(m.as.self.kind, SELF_END);
    }
}

/* Stopped for longer than anybody waits: when it moves again, others have its players. */
static void
test_a_zombie_writes_nothing_that_is_read(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    stand_at(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    walk(c, 0, &who, 1); /* unsaved as it stops */
    home_pause(c, 0, 30000);
    home_cut(c, 0, true);
    struct motion there = {.x_mm = EDGE_MM + 50000, .y_mm = EDGE_MM};
    struct answered a = enter(c, 1, going_on(&who, 11, 0, there));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    cluster_run(c, 33000);
    struct world_player p;
    assert_false(stands_at(c, 0, who.player, &p)); /* the document said so */
    leave(c, 1, &a.at);
    cluster_run(c, 1500);
    world_renamed(c->homes[0].world, 99);
    assert_int_equal(world_stats(c->homes[0].world)->players, 0);
    /* Wherever it comes back, it is where it was seen last. */
    struct answered back = enter(c, 0, cluster_login(&who, 14, ENTER_DECIDED));
    assert_int_equal(back.at.code, SEOM__CODE__FINE);
    assert_int_equal(back.at.session_epoch, 3);
    assert_near(now_at(c, &back.at.motion), (struct place){there.x_mm, there.y_mm}, 1);
}

static void
test_a_new_name_ends_all_sessions(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    ask(c, 0, (struct link_enter){.conn = 12, .flags = ENTER_DECIDED});
    cluster_forget(c);
    world_renamed(c->homes[0].world, 99);
    assert_int_equal(world_stats(c->homes[0].world)->players, 0);
    assert_int_equal(c->homes[0].world->entering.used, 0);
    struct link_message m;
    assert_false(home_told(&c->homes[0], LINK_SELF, 0, &m)); /* gates give them to others */
    cluster_run(c, 3000);
    assert_int_equal(world_stats(c->homes[0].world)->players, 0);
    struct answered a = enter(c, 0, cluster_login(&who, 13, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_true(document(c, who.player).home.node == 99);
}

/* ---- gates that go ---- */

static void
test_the_avatars_of_a_gate_linger(void **state)
{
    struct cluster *c = *state;
    struct world *w = c->homes[0].world;
    struct link_home who = cluster_enter(c, 0, 11);
    ask(c, 0, (struct link_enter){.conn = 12, .flags = ENTER_DECIDED});
    cluster_listen(c, true, 1, topic_make(SCENE_ISLAND, 2, 2), true);
    assert_true(world_digest(w, CLUSTER_GATE, true) != 0);
    world_peer_down(w, CLUSTER_GATE, true);
    assert_int_equal(world_stats(w)->lingering, 1);
    assert_int_equal(world_stats(w)->subscriptions, 0);
    cluster_forget(c);
    cluster_run(c, 500); /* whoever was on the way in arrives, and nobody is told */
    assert_int_equal(world_stats(w)->players, 2);
    assert_int_equal(world_stats(w)->lingering, 2);
    assert_int_equal(c->homes[0].said_count, 0);
    /* Another gate under the same index has nothing of it. */
    struct node gate = {.epoch = 1001, .role = NODE_GATE};
    world_peer_up(w, CLUSTER_GATE, &gate);
    assert_int_equal(world_digest(w, CLUSTER_GATE, true), 0);
    cluster_run(c, 500);
    assert_int_equal(c->homes[0].said_count, 0);
    struct answered a = enter(c, 0, going_on(&who, 31, ENTER_DECIDED, who.motion));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(world_stats(w)->lingering, 1);
    cluster_run(c, 31000);
    assert_int_equal(world_stats(w)->players, 1);
}

/* ---- older worlds ---- */

static void
test_a_place_on_a_page_of_older_worlds(void **state)
{
    struct cluster *c = *state;
    uint64_t id = (uint64_t)1 << 48 | 77;
    uint8_t page[PLACE_PAGE_BYTES] = {0}, packed[256];
    struct stand stood = {.player = id,
                          .island = SCENE_ISLAND,
                          .look = LOOK_WALKER,
                          .motion = {.x_mm = EDGE_MM, .y_mm = EDGE_MM}};
    struct place_slot slot = place_slot_of_id(id);
    place_page_write(page, slot.slot, &stood);
    Seom__PlayerDocument doc = SEOM__PLAYER_DOCUMENT__INIT;
    doc.name = (char *)"older";
    doc.session_epoch = 41;
    struct key keys[2] = {key_make(1, KEY_CLASS_PLAYER, id),
                          key_make(1, KEY_CLASS_PLACE, slot.page)};
    write_document(c, &keys[0], (struct slice){packed, seom__player_document__pack(&doc, packed)});
    write_document(c, &keys[1], (struct slice){page, sizeof page});
    struct link_home who = {.player = id};
    struct ticket t = {.world = 1, .player = id};
    ticket_write(&t, c->homes[0].world->options.ticket_key, who.ticket);
    struct answered a = enter(c, 0, cluster_login(&who, 11, ENTER_DECIDED));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 42);
    assert_near(now_at(c, &a.at.motion), (struct place){EDGE_MM, EDGE_MM}, 1);
    struct player now = document(c, id);
    assert_true(now.home.slot.page >= SLOTS_FIRST_PAGE);
    cluster_run(c, 1500);
    assert_int_equal(memory_store_look(c->store, key_slice(&keys[1])).version, 1);
}

/* ---- what viewers are told ---- */

static void
test_who_owns_is_told_before_the_first_motion(void **state)
{
    struct cluster *c = *state;
    uint32_t owned = 0, motions = 0;
    struct link_home who = cluster_enter(c, 0, 11);
    cluster_put(c, 0, &who, (struct place){EDGE_MM, EDGE_MM});
    topic_id blocks[2] = {topic_make(SCENE_ISLAND, 2, 2), topic_make(SCENE_ISLAND, 3, 2)};
    cluster_listen(c, true, 1, blocks[0], true);
    cluster_listen(c, true, 2, blocks[1], true);
    cluster_run(c, 100);                                                     /* in a snapshot, */
    cluster_put(c, 0, &who, (struct place){EDGE_MM + 120000, EDGE_MM});      /* by walking, */
    struct answered a = enter(c, 0, cluster_login(&who, 12, ENTER_DECIDED)); /* and taken over */
    cluster_run(c, 100);
    struct link_message m;
    uint64_t told[2] = {0};
    for (uint32_t n = 0; home_told(&c->homes[0], LINK_BATCH, n, &m); n++) {
        struct reader in = reader_over(m.as.batch.records.at, m.as.batch.records.bytes);
        struct record r;
        uint32_t block = m.as.batch.topic == blocks[1];
        while (reader_left(&in) > 0) {
            assert_int_equal(batch_next(&in, m.as.batch.tick_ms, &r), OK);
            if (r.kind == RECORD_OWNED) {
                told[block] = r.as.session_epoch;
                owned++;
            } else if (r.kind == RECORD_MOTION && r.entity == who.player) {
                assert_true(told[block] != 0);
                motions++;
            }
        }
    }
    assert_true(owned >= 3 && motions >= 3);
    assert_int_equal(told[1], a.at.session_epoch);
}

/* ---- what is measured ---- */

static void
input_took(struct cluster *c, const struct link_home *who, int64_t us)
{
    cluster_input(c, 0, who,
                  (struct link_input){
                      .kind = INPUT_LOOK, .sent_us = c->time.now_us - us, .entity = who->player});
}

/* The gate is on another machine, which was started an hour later, or an hour before. */
static void
test_waits_are_told_across_machines(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 11);
    const struct hist *waits = &world_stats(c->homes[0].world)->queue_wait_us;
    for (int64_t apart_us = -3600000000; apart_us <= 3600000000; apart_us += 7200000000) {
        cluster_run(c, 60000);
        world_stats_reset_histograms(c->homes[0].world);
        for (uint32_t i = 0; i < 100; i++) {
            input_took(c, &who, apart_us + 300);
        }
        assert_true(waits->max < 10);
        for (uint32_t i = 0; i < 10; i++) {
            cluster_run(c, 3000);
            input_took(c, &who, apart_us + 300);
        }
        input_took(c, &who, apart_us + 20300);
        assert_in_range(waits->max, 20000, 20010);
        assert_int_equal(waits->count, 111);
    }
}

int
main(void)
{
#define CASE(name, open) cmocka_unit_test_setup_teardown(name, open, cluster_close)
    const struct CMUnitTest tests[] = {
        CASE(test_all_homes_send_to_the_same, cluster_open),
        CASE(test_all_homes_draw_the_same_place, cluster_open),
        CASE(test_a_ticket_leads_to_the_home_that_lives, cluster_open),
        CASE(test_a_late_enter_ends_nobody, cluster_open),
        CASE(test_a_late_enter_ends_no_session_that_goes_on, cluster_open),
        CASE(test_a_login_meets_a_session_that_goes_on, cluster_open),
        CASE(test_an_older_gate_logs_people_in, cluster_open),
        CASE(test_a_claim_elsewhere_ends_the_session, cluster_open),
        cmocka_unit_test(test_two_claim_at_once),
        CASE(test_who_left_is_at_home_nowhere, cluster_open),
        CASE(test_many_leave_at_once, cluster_open),
        cmocka_unit_test(test_comes_back_while_leaving),
        CASE(test_goes_on_where_the_gate_saw_it, cluster_open),
        CASE(test_goes_back_to_the_home_that_lives, cluster_open),
        CASE(test_comes_back_after_the_death_of_its_home, cluster_open),
        CASE(test_two_homes_die_one_after_the_other, cluster_open_three),
        CASE(test_a_place_in_the_sea_is_not_believed, cluster_open),
        CASE(test_the_newer_enter_knows_where_they_are, cluster_open),
        CASE(test_an_older_session_stays_over, cluster_open),
        CASE(test_a_zombie_writes_nothing_that_is_read, cluster_open),
        CASE(test_a_new_name_ends_all_sessions, cluster_open),
        CASE(test_the_avatars_of_a_gate_linger, cluster_open),
        CASE(test_a_place_on_a_page_of_older_worlds, cluster_open),
        CASE(test_who_owns_is_told_before_the_first_motion, cluster_open),
        CASE(test_waits_are_told_across_machines, cluster_open),
    };
#undef CASE
    return cmocka_run_group_tests_name("entering", tests, NULL, NULL);
}
