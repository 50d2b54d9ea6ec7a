#include "app/roll_plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct roll_plan plan;
    char why[ROLL_WHY_MAX];
    json_t *list;
};

static int
bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->list = json_pack("{s:i, s:[]}", "players_max", 4000, "nodes");
    *state = b;
    return 0;
}

static int
bench_close(void **state)
{
    struct bench *b = *state;
    json_decref(b->list);
    free(b);
    return 0;
}

static void
add(struct bench *b, const char *role, int shard, int index, int players, const char *node_state)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%d-%d", role, shard, index);
    json_array_append_new(json_object_get(b->list, "nodes"),
                          json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "name", name, "role", role,
                                    "shard", shard, "players", players, "state", node_state, "play",
                                    strcmp(role, "gate") == 0 ? "127.0.0.1:7777" : ""));
}

/* The names of a half, with blanks. */
static const char *
names(const struct roll_half *half)
{
    static char text[1024];
    text[0] = 0;
    for (uint32_t i = 0; i < half->count; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, half->nodes[i].name);
    }
    return text;
}

static void
each_node_is_in_one_half(void **state)
{
    struct bench *b = *state;
    for (int i = 1; i <= 3; i++)
        add(b, "home", 1, i, 10, "serving");
    add(b, "gate", 1, 1, 30, "serving");
    add(b, "gate", 1, 2, 0, "serving");
    add(b, "home", 2, 1, 0, "serving");
    add(b, "home", 2, 2, 7, "serving");
    add(b, "relay", 2, 1, 0, "serving");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), OK);
    assert_int_equal(b->plan.count, 2);
    assert_string_equal(names(&b->plan.shards[0].halves[0]), "home-1-1 gate-1-1");
    assert_string_equal(names(&b->plan.shards[0].halves[1]), "home-1-2 home-1-3 gate-1-2");
    assert_string_equal(names(&b->plan.shards[1].halves[0]), "home-2-1");
    assert_string_equal(names(&b->plan.shards[1].halves[1]), "home-2-2 relay-2-1");
    assert_int_equal(b->plan.shards[0].players, 30); /* of homes: gates count them once more */
    assert_string_equal(b->plan.shards[0].halves[1].room,
                        "30 players on 3 homes of 4,000: 30 <= 4,000 x 1");
    assert_string_equal(b->plan.shards[0].halves[0].nodes[1].play, "127.0.0.1:7777");
    assert_int_equal(roll_plan_make(b->list, 2, &b->plan, b->why), OK);
    assert_int_equal(b->plan.count, 1);
    assert_int_equal(b->plan.shards[0].shard, 2);
    assert_int_equal(roll_plan_make(b->list, 3, &b->plan, b->why), ERR_NOT_FOUND);
}

static void
without_room_it_refuses_and_says_why(void **state)
{
    struct bench *b = *state;
    add(b, "home", 1, 1, 2000, "serving");
    add(b, "home", 1, 2, 2000, "serving");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), OK); /* just */
    add(b, "home", 1, 3, 1, "serving");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), ERR_FULL);
    assert_non_null(strstr(b->why, "4,001 players on 3 homes of 4,000: 4,001 > 4,000 x 1"));
    add(b, "home", 1, 4, 0, "serving");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), OK);
}

static void
the_only_home_of_a_shard_stays(void **state)
{
    struct bench *b = *state;
    add(b, "home", 1, 1, 0, "serving");
    add(b, "gate", 1, 1, 0, "serving");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), ERR_FULL);
    assert_non_null(strstr(b->why, "home-1-1 is the only home of shard 1"));
}

static void
who_is_not_well_is_looked_after_first(void **state)
{
    struct bench *b = *state;
    add(b, "home", 1, 1, 0, "serving");
    add(b, "home", 1, 2, 0, "serving");
    add(b, "home", 2, 1, 0, "silent");
    assert_int_equal(roll_plan_make(b->list, 0, &b->plan, b->why), ERR_UNAVAILABLE);
    assert_non_null(strstr(b->why, "home-2-1 is \"silent\""));
    assert_int_equal(roll_plan_make(b->list, 1, &b->plan, b->why), OK);
}

static void
numbers_are_told_in_thousands(void **state)
{
    char text[32];
    (void)state;
    assert_string_equal(roll_number(0, text), "0");
    assert_string_equal(roll_number(999, text), "999");
    assert_string_equal(roll_number(7000, text), "7,000");
    assert_string_equal(roll_number(1234567, text), "1,234,567");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(each_node_is_in_one_half),       TEST(without_room_it_refuses_and_says_why),
        TEST(the_only_home_of_a_shard_stays), TEST(who_is_not_well_is_looked_after_first),
        TEST(numbers_are_told_in_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
