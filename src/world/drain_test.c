#include "world/entering_fixture.h"

#define CROWD 30

/* A gate that does what it is asked: whoever is sent on goes on there, with the place it saw last.
 */
struct follower {
    struct link_home who;
    bool sent_on, arrived;
    int64_t sent_us, arrived_us;
    uint32_t number; /* of its home */
};

struct crowd {
    struct follower people[CROWD];
    uint32_t read[CLUSTER_HOMES]; /* messages of each home that were heard already */
};

static struct follower *
follower_of(struct crowd *crowd, uint64_t player)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        if (crowd->people[i].who.player == player) {
            return &crowd->people[i];
        }
    }
    return NULL;
}

static uint32_t
number_of(const struct cluster *c, uint64_t node)
{
    uint32_t number = 0;
    while (c->homes[number].epoch != node) {
        number++;
        assert_true(number < c->count);
    }
    return number;
}

static void
heard(struct cluster *c, struct crowd *crowd, uint32_t number, const struct link_message *m)
{
    if (m->kind == LINK_GO && m->as.go.conn == 0) {
        struct follower *f = follower_of(crowd, m->as.go.player);
        assert_non_null(f);
        assert_true(!f->sent_on && f->number == number);
        assert_true(m->as.go.session_epoch == f->who.session_epoch);
        f->sent_on = true;
        f->sent_us = c->time.now_us;
        f->number = number_of(c, m->as.go.node);
        struct world_player seen;
        assert_true(stands_at(c, number, f->who.player, &seen) && seen.given);
        uint64_t conn = (uint64_t)(f - crowd->people) + 1;
        ask(c, f->number, going_on(&f->who, conn, ENTER_DECIDED, seen.motion));
    } else if (m->kind == LINK_HOME && m->as.home.code == SEOM__CODE__FINE) {
        struct follower *f = &crowd->people[m->as.home.conn - 1];
        f->arrived = f->sent_on;
        f->arrived_us = c->time.now_us;
        f->who = m->as.home;
        f->number = number;
    }
}

static void
run(struct cluster *c, struct crowd *crowd, int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 5) {
        cluster_run(c, 5);
        for (uint32_t n = 0; n < c->count; n++) {
            struct home *h = &c->homes[n];
            while (crowd->read[n] < h->said_count) {
                struct scene_said said = h->said[crowd->read[n]++];
                struct link_message m;
                assert_int_equal(link_read(said.message, said.bytes, &m), OK);
                heard(c, crowd, n, &m);
            }
        }
    }
}

static void
gather(struct cluster *c, struct crowd *crowd)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        ask(c, 0, (struct link_enter){.conn = i + 1, .flags = ENTER_DECIDED});
        if (i % 4 == 3) {
            run(c, crowd, 200); /* not more at once than there is room for at the door */
        }
    }
    run(c, crowd, 300);
    assert_int_equal(world_stats(c->homes[0].world)->players, CROWD);
}

static void
test_everybody_moves(void **state)
{
    struct cluster *c = *state;
    struct crowd crowd = {0};
    gather(c, &crowd);
    struct world *w = c->homes[0].world;
    for (uint32_t i = 0; i < CROWD; i++) {
        walk(c, 0, &crowd.people[i].who, 1);
    }
    assert_false(world_drained(w));
    world_drain(w);
    world_peer_load(c->homes[1].world, home_peer(&c->homes[0]), true, CROWD);
    run(c, &crowd, 3000);
    assert_int_equal(world_stats(w)->given, CROWD);
    assert_int_equal(world_stats(w)->players, 0);
    assert_int_equal(world_stats(c->homes[1].world)->players, CROWD);
    assert_int_equal(world_stats(c->homes[1].world)->resumes, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        assert_true(crowd.people[i].arrived);
        assert_in_range(crowd.people[i].arrived_us - crowd.people[i].sent_us, 0, 300000);
        assert_int_equal(crowd.people[i].who.session_epoch, 2);
        assert_int_equal(homes_of(c, crowd.people[i].who.player), 1);
    }
    run(c, &crowd, 1500);
    assert_true(world_drained(w));
    assert_int_equal(w->slots.taken, 0); /* all of them have been seen to be others' */
    struct link_self self;
    assert_int_equal(home_selves(&c->homes[0], crowd.people[3].who.player, SELF_END, &self), 0);
}

/* What comes after GO is for the new home: the gate keeps it. */
static void
test_what_is_said_meanwhile_is_not_heeded(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 1);
    world_drain(c->homes[0].world);
    world_peer_load(c->homes[1].world, home_peer(&c->homes[0]), true, 1);
    cluster_run(c, 200);
    struct world_player before, after;
    assert_true(stands_at(c, 0, who.player, &before));
    assert_true(before.given);
    walk(c, 0, &who, 1);
    assert_true(stands_at(c, 0, who.player, &after));
    assert_int_equal(after.motion.vx, before.motion.vx);
    struct link_self self;
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_END, &self), 0);
    /* Its gate never asks the new home: it stands no longer than that, and its place is kept. */
    cluster_run(c, 2100);
    assert_int_equal(world_stats(c->homes[0].world)->players, 0);
    cluster_run(c, 1500);
    assert_true(world_drained(c->homes[0].world));
    struct answered a = enter(c, 1, cluster_login(&who, 2, 0));
    assert_true(a.home);
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_near(now_at(c, &a.at.motion), now_at(c, &before.motion), 1);
}

static void
test_who_comes_is_sent_on(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 1);
    cluster_input(c, 0, &who, (struct link_input){.kind = INPUT_GONE});
    world_drain(c->homes[0].world);
    struct answered a = enter(c, 0, (struct link_enter){.conn = 5, .flags = ENTER_DECIDED});
    assert_true(a.go && a.node == c->homes[1].epoch);
    assert_int_equal(world_stats(c->homes[0].world)->players, 0); /* who lingered was saved */
    a = enter(c, 0, cluster_login(&who, 6, ENTER_DECIDED));
    assert_true(a.go && a.node == c->homes[1].epoch);
    a = enter(c, 1, cluster_login(&who, 6, ENTER_DECIDED));
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.session_epoch, 2);
}

/* A closed home sends newcomers on and keeps who is there; where nobody else takes them, it does.
 */
static void
test_a_closed_home_sends_newcomers_on(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 1);
    world_close(c->homes[0].world, true);
    for (uint32_t conn = 5; conn < 15; conn++) {
        struct answered a = enter(c, 0, (struct link_enter){.conn = conn});
        assert_true(a.go && a.node == c->homes[1].epoch);
    }
    struct world_player p;
    cluster_run(c, 3000);
    assert_true(stands_at(c, 0, who.player, &p) && !p.given);
    world_peer_load(c->homes[0].world, home_peer(&c->homes[1]), true, 0);
    struct answered a = enter(c, 0, (struct link_enter){.conn = 20});
    assert_true(a.home && a.at.code == SEOM__CODE__FINE);
}

/* Nobody takes people: they stay and play on. */
static void
test_nobody_is_given_to_nobody(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 1);
    world_drain(c->homes[0].world);
    world_peer_load(c->homes[0].world, home_peer(&c->homes[1]), true, 0);
    cluster_run(c, 3000);
    struct world_player p;
    assert_true(stands_at(c, 0, who.player, &p) && !p.given);
    walk(c, 0, &who, 1);
    assert_true(stands_at(c, 0, who.player, &p) && p.motion.vx > 0);
    struct answered a = enter(c, 0, (struct link_enter){.conn = 5});
    assert_int_equal(a.at.code, SEOM__CODE__RETRY_AFTER);
    world_peer_load(c->homes[0].world, home_peer(&c->homes[1]), false, 0);
    cluster_run(c, 200);
    assert_true(stands_at(c, 0, who.player, &p) && p.given);
}

/* A home joined and has nobody yet: what is too much for one goes there, no more. */
static void
test_what_is_too_much_goes(void **state)
{
    struct cluster *c = *state;
    struct crowd crowd = {0};
    struct world *w = c->homes[0].world;
    gather(c, &crowd);
    run(c, &crowd, 1000);
    assert_int_equal(world_stats(w)->given, 0); /* both have few */
    /* As if it had 150 more: of 180, 1.25 x 90 + 50 are for one home. */
    w->stats.players += 150;
    run(c, &crowd, 1500);
    uint32_t given = 0;
    for (uint32_t i = 0; i < CROWD; i++) {
        given += crowd.people[i].arrived;
    }
    assert_int_equal(given, 18);
    w->stats.players -= 150;
    run(c, &crowd, 3000);
    assert_int_equal(w->given, 0);
    assert_int_equal(world_stats(w)->players + world_stats(c->homes[1].world)->players, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        assert_int_equal(homes_of(c, crowd.people[i].who.player), 1);
    }
}

/* A home joins: it gets those whom placement sends there, once, and only when it has stayed. */
static void
test_a_home_that_joins_gets_its_share(void **state)
{
    struct cluster *c = *state;
    struct crowd crowd = {0};
    struct world *w = c->homes[0].world;
    uint32_t share = 0;
    gather(c, &crowd);
    for (uint32_t i = 0; i < CROWD; i++) { /* all over the island */
        struct place at = {15000 + (int32_t)(i % 6) * 110000, 15000 + (int32_t)(i / 6) * 130000};
        cluster_put(c, 0, &crowd.people[i].who, at);
        struct stand stand = avatar_stand(avatar_find(w, crowd.people[i].who.player));
        share += peers_choose(w, &stand) != c->homes[0].epoch;
    }
    assert_in_range(share, 2, CROWD - 2);
    for (uint32_t i = 1; i < 3; i++) {
        struct node node = home_node(&c->homes[i]);
        world_peer_down(w, home_peer(&c->homes[i]), false);
        world_peer_up(w, home_peer(&c->homes[i]), &node);
    }
    run(c, &crowd, 12000);
    uint64_t given = world_stats(w)->given;
    assert_int_equal(given, share);
    run(c, &crowd, 12000);
    assert_int_equal(world_stats(w)->given, given);
    for (uint32_t i = 0; i < CROWD; i++) {
        struct world_player p;
        assert_int_equal(homes_of(c, crowd.people[i].who.player), 1);
        assert_true(stands_at(c, crowd.people[i].number, crowd.people[i].who.player, &p));
        assert_int_equal(crowd.people[i].arrived, crowd.people[i].number != 0);
    }
    /* It leaves and comes, and leaves before it has stayed. */
    uint32_t peer = home_peer(&c->homes[1]);
    struct node node = home_node(&c->homes[1]);
    world_peer_down(w, peer, false);
    world_peer_up(w, peer, &node);
    run(c, &crowd, 5000);
    world_peer_down(w, peer, false);
    run(c, &crowd, 12000);
    assert_int_equal(world_stats(w)->given, given);
}

int
main(void)
{
#define CASE(name, open) cmocka_unit_test_setup_teardown(name, open, cluster_close)
    const struct CMUnitTest tests[] = {
        CASE(test_everybody_moves, cluster_open),
        CASE(test_what_is_said_meanwhile_is_not_heeded, cluster_open),
        CASE(test_who_comes_is_sent_on, cluster_open),
        CASE(test_a_closed_home_sends_newcomers_on, cluster_open),
        CASE(test_nobody_is_given_to_nobody, cluster_open),
        CASE(test_what_is_too_much_goes, cluster_open),
        CASE(test_a_home_that_joins_gets_its_share, cluster_open_three),
    };
#undef CASE
    return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
