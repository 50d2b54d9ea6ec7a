#include "world/cluster_fixture.h"

#define NEAR_MM (4 * CHUNK_MM * 2) /* the corner of four blocks */

static struct place
near_corner(int32_t east_mm, int32_t north_mm)
{
    return (struct place){NEAR_MM + east_mm, NEAR_MM + north_mm};
}

static const struct world_stats *
stats_of(const struct cluster *c, uint32_t number)
{
    return world_stats(c->homes[number].world);
}

static const struct ghost *
ghost_at(const struct cluster *c, uint32_t number, uint64_t player)
{
    return ghost_find(c->homes[number].world, player);
}

/* One of each home, so near that each is a ghost at the other. */
static void
meet(struct cluster *c, struct link_home *one, struct link_home *other)
{
    *one = cluster_enter(c, 0, 5);
    *other = cluster_enter(c, 1, 6);
    cluster_put(c, 0, one, near_corner(1000, 1000));
    cluster_put(c, 1, other, near_corner(2000, 2000));
    cluster_run(c, 2500);
}

static void
test_who_stands_near_is_a_ghost(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    const struct ghost *g = ghost_at(c, 0, other.player);
    assert_non_null(g);
    assert_int_equal(g->node, c->homes[1].epoch);
    assert_int_equal(g->owner_epoch, other.session_epoch);
    assert_int_equal(g->motion.x_mm, NEAR_MM + 2000);
    assert_non_null(ghost_at(c, 1, one.player));
    assert_null(ghost_at(c, 0, one.player)); /* nobody is its own ghost */
    assert_int_equal(stats_of(c, 0)->ghosts, 1);
    struct world_ghost told;
    uint32_t cursor = 0;
    assert_true(world_next_ghost(c->homes[0].world, &cursor, &told));
    assert_int_equal(told.player, other.player);
    assert_int_equal(told.island, SCENE_ISLAND);
    assert_false(world_next_ghost(c->homes[0].world, &cursor, &told));
}

/* Four blocks meet there; elsewhere it is one. Things and animals are nobody. */
static void
test_no_more_blocks_than_reach(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5);
    cluster_put(c, 0, &one, near_corner(CHUNK_MM, CHUNK_MM));
    cluster_run(c, GHOSTS_KEEP_MS + 2000); /* where it came in is forgotten */
    assert_int_equal(c->homes[0].world->ghosts.topics.used, 1);
    cluster_put(c, 0, &one, near_corner(SCENE_REACH - 1, 1 - SCENE_REACH));
    cluster_run(c, 2500);
    assert_int_equal(c->homes[0].world->ghosts.topics.used, 4);
    assert_int_equal(stats_of(c, 1)->subscriptions, 4);
    assert_int_equal(stats_of(c, 1)->chunks_awake, 0); /* seen, not woken */
    for (uint32_t x = 1; x <= 2; x++) {
        cluster_listen(c, true, x, topic_make(SCENE_ISLAND, (uint16_t)x, 1), true);
    }
    cluster_run(c, 5000);
    assert_true(stats_of(c, 0)->things + stats_of(c, 1)->things > 0);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
    cluster_put(c, 0, &one, near_corner(CHUNK_MM, CHUNK_MM));
    cluster_run(c, GHOSTS_KEEP_MS + 2500);
    assert_int_equal(stats_of(c, 1)->subscriptions, 1 + 2);
    assert_int_equal(stats_of(c, 0)->ghosts_repairs, 0);
}

static void
test_it_moves_and_leaves(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    /* Over the corner into another block, of which the home knows too. */
    cluster_put(c, 1, &other, near_corner(-1000, -1000));
    cluster_run(c, 100);
    const struct ghost *g = ghost_at(c, 0, other.player);
    assert_non_null(g);
    assert_int_equal(g->motion.x_mm, NEAR_MM - 1000);
    /* Far away. */
    cluster_put(c, 1, &other, (struct place){CHUNK_MM, CHUNK_MM});
    cluster_run(c, 100);
    assert_null(ghost_at(c, 0, other.player));
    cluster_run(c, 2500);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
    cluster_put(c, 1, &other, near_corner(3000, 0));
    cluster_run(c, 100);
    assert_non_null(ghost_at(c, 0, other.player));
    cluster_input(c, 1, &other, (struct link_input){.kind = INPUT_LEFT});
    cluster_run(c, 100);
    assert_null(ghost_at(c, 0, other.player));
}

static void
test_ghosts_of_the_dead_are_reaped(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    home_kill(c, 1);
    cluster_run(c, 2000);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
}

/* A link that breaks is no death; what comes again is told whole. */
static void
test_a_link_that_breaks(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    home_cut(c, 1, false);
    world_peer_down(c->homes[1].world, home_peer(&c->homes[0]), false);
    cluster_run(c, 1000);
    assert_int_equal(stats_of(c, 0)->ghosts, 1);
    cluster_put(c, 1, &other, near_corner(-2500, 500)); /* nobody hears it */
    cluster_link(c, 0, 1);
    cluster_run(c, 1500);
    const struct ghost *g = ghost_at(c, 0, other.player);
    assert_non_null(g);
    assert_int_equal(g->motion.x_mm, NEAR_MM - 2500);
    home_cut(c, 1, false);
    cluster_run(c, GHOST_UNHEARD_MS + GHOST_LEFT_MS + 1500);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
}

/* ---- rules of who may tell ---- */

struct words {
    struct cluster *c;
    uint32_t from; /* number of the home that says them */
    uint8_t bytes[256];
    struct writer out;
};

static void
say(struct words *s, bool snapshot)
{
    struct home *to = &s->c->homes[0];
    struct link_message m = {.kind = LINK_BATCH,
                             .as.batch = {.topic = topic_make(SCENE_ISLAND, 2, 2),
                                          .publisher_epoch = s->c->homes[s->from].epoch,
                                          .tick_ms = s->c->time.now_us / 1000,
                                          .snapshot = snapshot,
                                          .records = {s->bytes, writer_used(&s->out)}}};
    uint8_t bytes[LINK_HEAD_MAX + 256];
    size_t n = link_head(&m, bytes);
    struct slice tail = link_tail(&m);
    memcpy(bytes + n, tail.at, tail.bytes);
    home_hear(to, home_peer(&s->c->homes[s->from]), bytes, n + tail.bytes);
    s->out = writer_over(s->bytes, sizeof s->bytes);
}

static struct words
words_of(struct cluster *c, uint32_t from)
{
    return (struct words){.c = c, .from = from};
}

static void
put_owned(struct words *s, uint64_t entity, uint64_t epoch)
{
    s->out = s->out.start == NULL ? writer_over(s->bytes, sizeof s->bytes) : s->out;
    batch_put_owned(&s->out, entity, epoch);
}

static void
put_motion_since(struct words *s, uint64_t entity, int32_t east_mm, int64_t since_ms)
{
    struct record_motion m = {
        .entity = entity,
        .motion = {.x_mm = NEAR_MM + east_mm, .y_mm = NEAR_MM + 1000, .since_ms = since_ms}};
    s->out = s->out.start == NULL ? writer_over(s->bytes, sizeof s->bytes) : s->out;
    batch_put_motion(&s->out, &m);
}

static void
put_motion(struct words *s, uint64_t entity, int32_t east_mm)
{
    put_motion_since(s, entity, east_mm, s->c->time.now_us / 1000);
}

static void
test_the_highest_epoch_wins(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5);
    uint64_t who = one.player + 1000;
    cluster_put(c, 0, &one, near_corner(1000, 1000));
    cluster_run(c, 2500);
    struct words first = words_of(c, 1), second = words_of(c, 2);
    put_owned(&first, who, 4);
    put_motion(&first, who, 100);
    say(&first, false);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 100);
    /* Topics are not ordered against each other: what began before is old. */
    put_motion_since(&first, who, 50, c->time.now_us / 1000 - 20);
    say(&first, false);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 100);
    /* Without or with the same epoch nobody takes its place. */
    put_motion(&second, who, 200);
    say(&second, false);
    put_owned(&second, who, 4);
    put_motion(&second, who, 200);
    say(&second, false);
    put_owned(&second, who, 3);
    put_motion(&second, who, 200);
    say(&second, false);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 100);
    assert_int_equal(stats_of(c, 0)->ghosts_stale, 1 + 3);
    put_owned(&second, who, 5);
    put_motion(&second, who, 200);
    say(&second, false);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 200);
    assert_int_equal(ghost_at(c, 0, who)->node, c->homes[2].epoch);
    /* What the first one says by now is old. */
    put_motion(&first, who, 300);
    say(&first, false);
    uint16_t chunk = NEAR_MM / CHUNK_MM;
    first.out = writer_over(first.bytes, sizeof first.bytes);
    batch_put_leave(&first.out, who, chunk, chunk);
    say(&first, false);
    first.out = writer_over(first.bytes, sizeof first.bytes);
    say(&first, true);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 200);
    /* Unless the second is gone. */
    world_peer_down(c->homes[0].world, home_peer(&c->homes[2]), true);
    put_owned(&first, who, 5);
    put_motion(&first, who, 300);
    say(&first, false);
    assert_int_equal(ghost_at(c, 0, who)->motion.x_mm, NEAR_MM + 300);
    /* A snapshot without somebody says that it left. */
    first.out = writer_over(first.bytes, sizeof first.bytes);
    say(&first, true);
    assert_null(ghost_at(c, 0, who));
}

/* Of another registration, of a gate, of nobody's topic, and bytes that are none. */
static void
test_what_is_not_for_us(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5);
    uint64_t who = one.player + 1000;
    cluster_put(c, 0, &one, near_corner(1000, 1000));
    cluster_run(c, 2500);
    struct words s = words_of(c, 1);
    c->homes[1].epoch = 99;
    put_owned(&s, who, 4);
    put_motion(&s, who, 100);
    say(&s, false);
    c->homes[1].epoch = 12;
    assert_null(ghost_at(c, 0, who));
    put_owned(&s, one.player, 1); /* one of ours, and no claim of theirs */
    put_motion(&s, one.player, 100);
    say(&s, false);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
    uint64_t malformed = stats_of(c, 0)->malformed;
    put_owned(&s, who, 4);
    s.out.at -= 3;
    say(&s, false);
    assert_int_equal(stats_of(c, 0)->malformed, malformed + 1);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
}

/* Somebody else tells of one of ours, with a higher epoch: the document is asked at once. */
static void
test_a_claim_is_seen_by_what_it_tells(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5);
    struct link_self last;
    cluster_put(c, 0, &one, near_corner(1000, 1000));
    cluster_run(c, 2500);
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                  .commit_us_max = 2000,
                                                                  .hint_lost_ppm = 1000000});
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = cluster_login(&one, 77, ENTER_DECIDED)};
    cluster_hear(c, 1, &m);
    cluster_run(c, 500);
    struct words s = words_of(c, 1);
    put_owned(&s, one.player, one.session_epoch + 1);
    say(&s, false);
    cluster_run(c, 300);
    assert_null(avatar_find(c->homes[0].world, one.player));
    assert_int_equal(home_selves(&c->homes[0], one.player, SELF_END, &last), 1);
}

/* An acknowledgement that does not fit is followed by the whole set. */
static void
test_a_lost_subscription_is_repaired(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    c->homes[0].cut[1] = true; /* what it says is lost */
    meet(c, &one, &other);
    assert_int_equal(stats_of(c, 0)->ghosts, 0);
    c->homes[0].cut[1] = false;
    cluster_run(c, 4000);
    assert_int_equal(stats_of(c, 0)->ghosts, 1);
    assert_in_range(stats_of(c, 0)->ghosts_repairs, 1, 3);
    uint64_t repairs = stats_of(c, 0)->ghosts_repairs;
    cluster_run(c, 10000);
    assert_int_equal(stats_of(c, 0)->ghosts_repairs, repairs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_stands_near_is_a_ghost, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_no_more_blocks_than_reach, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_it_moves_and_leaves, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_ghosts_of_the_dead_are_reaped, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_link_that_breaks, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_the_highest_epoch_wins, cluster_open_three,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_what_is_not_for_us, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_a_claim_is_seen_by_what_it_tells, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_lost_subscription_is_repaired, cluster_open,
                                        cluster_close),
    };
    return cmocka_run_group_tests_name("ghosts", tests, NULL, NULL);
}
