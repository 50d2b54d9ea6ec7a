/* One set of topics, told to many homes. */
#include "view/gate_fixture.h"

#define ME 11
#define A  0 /* homes */
#define B  1
#define C  2

static bool
agree(struct scene *s, uint32_t home)
{
    return scene_digest_at(&s->homes[home], true) == gate_digest(s->gate, true) &&
           scene_digest_at(&s->homes[home], false) == gate_digest(s->gate, false);
}

/* ME is at home A; it walks to where other topics are. */
static void
walk(struct scene *s, int32_t cx)
{
    scene_walks(s, ME, scene_in(s, cx, 10));
    scene_run(s, 50);
}

static void
begin(struct scene *s)
{
    scene_home_up(s, B, 6);
    scene_play(s, 0, ME, scene_in(s, 10, 10));
}

static void
test_every_home_hears_the_set(void **state)
{
    struct scene *s = *state;
    begin(s);
    assert_true(agree(s, A) && agree(s, B));
    for (int32_t cx = 14; cx < 60; cx += 4) {
        walk(s, cx);
        assert_true(agree(s, A) && agree(s, B));
    }
    assert_true(gate_digest(s->gate, true) != 0);
    assert_int_equal(s->homes[A].wholes, 1);
    assert_int_equal(s->homes[B].wholes, 1);
    scene_home_up(s, C, 7);
    scene_run(s, 20);
    assert_true(agree(s, C));
    assert_int_equal(s->homes[C].subscribes, 1);
    assert_int_equal(s->homes[C].wholes, 1);
    walk(s, 70);
    assert_true(agree(s, C));
    assert_int_equal(s->homes[C].wholes, 1); /* from then on what changes */
}

static void
test_a_home_that_came_back_is_told_all(void **state)
{
    struct scene *s = *state;
    begin(s);
    scene_home_down(s, B, false);
    walk(s, 20);
    scene_home_up(s, B, 6);
    scene_run(s, 20);
    assert_true(agree(s, B));
    assert_int_equal(s->homes[B].wholes, 1);
    assert_int_equal(s->homes[A].wholes, 1);
}

/* One link is full: the others are told, that one is told the whole set as soon as it has room. */
static void
test_a_refused_change_is_repaired(void **state)
{
    struct scene *s = *state;
    begin(s);
    s->homes[B].full = true;
    walk(s, 20);
    walk(s, 30);
    assert_true(agree(s, A));
    assert_false(agree(s, B));
    s->homes[B].full = false;
    scene_run(s, 20);
    assert_true(agree(s, B));
    assert_int_equal(s->homes[B].wholes, 2);
    assert_int_equal(s->homes[A].wholes, 1);
}

static void
test_a_home_that_has_something_else(void **state)
{
    struct scene *s = *state;
    begin(s);
    for (uint32_t i = 0; i < s->homes[B].topic_count; i++) {
        s->homes[B].topics[i].on[1] = false; /* forgot it all, and nobody is told */
    }
    assert_false(agree(s, B));
    for (uint32_t second = 0; second < 12; second++) {
        scene_ping(s, 0);
        scene_run(s, 1000);
    }
    assert_true(agree(s, B));
    assert_int_equal(s->homes[B].wholes, 2);
    assert_int_equal(s->homes[A].wholes, 1);
}

/* A change was lost on its way: the next one does not fit, and the home says so. */
static void
test_a_version_that_does_not_fit(void **state)
{
    struct scene *s = *state;
    begin(s);
    s->homes[B].version[1]--;
    walk(s, 20);
    assert_true(agree(s, B));
    assert_int_equal(s->homes[B].wholes, 2);
}

static void
hold(struct scene *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t topic = replica_topic(
            s->gate, topic_make(1, (uint16_t)(1000 + i % 500), (uint16_t)(1000 + i / 500)));
        assert_int_not_equal(topic, POOL_NONE);
        ((struct seen_topic *)pool_at(&s->gate->topics, topic))->refs[1] = 1;
        subscribe_changed(s->gate, topic, true);
    }
}

struct trickle {
    struct scene *scene;
    uint32_t left; /* messages that the link of B still takes in this turn */
    enum err (*send)(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count);
};

static enum err
trickle_send(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct trickle *t = ctx;
    if (peer == B && t->left == 0) {
        return ERR_FULL;
    }
    t->left -= peer == B;
    return t->send(t->scene, peer, pieces, count);
}

/* More topics than a message holds, over a link that takes one message in a turn, while the set
 * goes on changing. */
static void
test_a_large_set_over_a_narrow_link(void **state)
{
    struct scene *s = *state;
    struct trickle trickle = {.scene = s, .left = 0, .send = s->env.links.send};
    scene_play(s, 0, ME, scene_in(s, 10, 10));
    hold(s, 4000);
    scene_run(s, 20);
    assert_true(agree(s, A));
    s->env.links.ctx = &trickle;
    s->env.links.send = trickle_send;
    scene_home_up(s, B, 6);
    uint32_t turns = 0;
    for (; turns < 40 && !agree(s, B); turns++) {
        trickle.left = turns == 2 ? 2 : 1;
        if (turns == 2) {
            scene_walks(s, ME, scene_in(s, 20, 10));
        }
        scene_run(s, 10);
    }
    assert_in_range(turns, 4, 8);
    assert_int_equal(s->homes[B].wholes, 1);
    trickle.left = 100;
    scene_run(s, 3000);
    assert_true(agree(s, A) && agree(s, B));
    assert_int_equal(s->homes[B].wholes, 1); /* and nobody found anything to repair */
}

static int
open_dropping(void **state)
{
    return scene_open_with(state, GATE_MUTANT_SUBSCRIBE_DROPPED);
}

/* The mutant is what it says: without the repair, and between two looks at digests, they differ. */
static void
test_a_dropped_change_is_seen(void **state)
{
    struct scene *s = *state;
    begin(s);
    s->homes[B].full = true;
    walk(s, 20);
    s->homes[B].full = false;
    scene_run(s, 1000);
    assert_false(agree(s, B));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_home_hears_the_set),
        TEST(test_a_home_that_came_back_is_told_all),
        TEST(test_a_refused_change_is_repaired),
        TEST(test_a_home_that_has_something_else),
        TEST(test_a_version_that_does_not_fit),
        TEST(test_a_large_set_over_a_narrow_link),
        cmocka_unit_test_setup_teardown(test_a_dropped_change_is_seen, open_dropping, scene_close),
    };
    return cmocka_run_group_tests_name("subscribe", tests, NULL, NULL);
}
