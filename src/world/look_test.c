#include "world/cluster_fixture.h"

static void
look(struct cluster *c, const struct link_home *who, uint32_t number, uint64_t entity)
{
    cluster_input(c, 0, who,
                  (struct link_input){.kind = INPUT_LOOK, .number = number, .entity = entity});
}

/* code UINT8_MAX: no answer yet. */
static struct link_self
answer_of(const struct cluster *c, const struct link_home *who, uint32_t number)
{
    struct link_self last = {0};
    home_selves(&c->homes[0], who->player, SELF_ANSWER, &last);
    if (last.number != number) {
        last.code = UINT8_MAX;
    }
    return last;
}

static void
meet(struct cluster *c, struct link_home *one, struct link_home *other)
{
    *one = cluster_enter(c, 0, 5);
    *other = cluster_enter(c, 1, 6);
    cluster_put(c, 0, one, (struct place){100000, 100000});
    cluster_put(c, 1, other, (struct place){101000, 100000});
    struct avatar *a = avatar_find(c->homes[1].world, other->player);
    a->mover.look = LOOK_RIDER;
    memcpy(a->name, "Mina", 5);
    cluster_run(c, 2500);
}

static void
check_fine(const struct cluster *c, const struct link_home *who, uint32_t number,
           const struct link_home *seen)
{
    struct link_self said = answer_of(c, who, number);
    assert_int_equal(said.code, SEOM__CODE__FINE);
    assert_int_equal(said.entity, seen->player);
    assert_int_equal(said.look, LOOK_RIDER);
    assert_int_equal(said.bytes.bytes, 4);
    assert_memory_equal(said.bytes.at, "Mina", 4);
}

static void
test_a_ghost_is_asked_for_at_its_home(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    memory_store_set_away(c->store, true); /* it is not asked */
    look(c, &one, 1, other.player);
    cluster_run(c, 20);
    check_fine(c, &one, 1, &other);
    assert_int_equal(world_stats(c->homes[1].world)->looks_served, 1);
}

/* Seen from far away it is no ghost; the document says where to ask. */
static void
test_who_is_no_ghost_is_found(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    cluster_put(c, 0, &one, (struct place){400000, 400000});
    cluster_run(c, 13000);
    assert_null(ghost_find(c->homes[0].world, other.player));
    look(c, &one, 2, other.player);
    cluster_run(c, 100);
    check_fine(c, &one, 2, &other);
}

static void
test_nobody_is_not_found(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    look(c, &one, 3, other.player + 77);
    cluster_run(c, 100);
    assert_int_equal(answer_of(c, &one, 3).code, SEOM__CODE__NOT_FOUND);
    look(c, &one, 4, game_thing_entity(1, SCENE_ISLAND, 5, 0));
    cluster_run(c, 5);
    assert_int_equal(answer_of(c, &one, 4).code, SEOM__CODE__NOT_FOUND);
    assert_int_equal(world_stats(c->homes[0].world)->looks_elsewhere, 1);
    /* Who has left is nowhere. */
    cluster_input(c, 1, &other, (struct link_input){.kind = INPUT_LEFT});
    cluster_run(c, 100);
    look(c, &one, 5, other.player);
    cluster_run(c, 100);
    assert_int_equal(answer_of(c, &one, 5).code, SEOM__CODE__NOT_FOUND);
}

static void
test_late_means_later(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    meet(c, &one, &other);
    home_pause(c, 1, 2000);
    look(c, &one, 6, other.player);
    cluster_run(c, 400);
    assert_int_equal(answer_of(c, &one, 6).code, UINT8_MAX);
    cluster_run(c, 200);
    assert_int_equal(answer_of(c, &one, 6).code, SEOM__CODE__RETRY_AFTER);
    cluster_run(c, 3000);
    look(c, &one, 7, other.player);
    cluster_run(c, 100);
    check_fine(c, &one, 7, &other);
    home_cut(c, 1, false);
    look(c, &one, 8, other.player);
    cluster_run(c, 100);
    assert_int_equal(answer_of(c, &one, 8).code, SEOM__CODE__RETRY_AFTER);
    assert_int_equal(c->homes[0].world->looks.used, 0);
}

/* Whoever asked is another session by then. */
static void
test_the_session_is_over(void **state)
{
    struct cluster *c = *state;
    struct link_home one, other;
    struct link_self last;
    meet(c, &one, &other);
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = cluster_login(&one, 77, ENTER_DECIDED)};
    home_pause(c, 1, 300);
    look(c, &one, 9, other.player);
    cluster_hear(c, 0, &m);
    cluster_run(c, 2000);
    assert_int_equal(avatar_find(c->homes[0].world, one.player)->session_epoch,
                     one.session_epoch + 1);
    assert_int_equal(home_selves(&c->homes[0], one.player, SELF_ANSWER, &last), 0);
    one.session_epoch++;
    home_pause(c, 1, 300);
    look(c, &one, 9, other.player);
    cluster_input(c, 0, &one, (struct link_input){.kind = INPUT_LEFT});
    cluster_run(c, 2000);
    assert_int_equal(home_selves(&c->homes[0], one.player, SELF_ANSWER, &last), 0);
    assert_int_equal(c->homes[0].world->looks.used, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_ghost_is_asked_for_at_its_home, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_who_is_no_ghost_is_found, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_nobody_is_not_found, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_late_means_later, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_the_session_is_over, cluster_open, cluster_close),
    };
    return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
