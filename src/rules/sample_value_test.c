#include "base/rand.h"
#include "rules/rules_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS   120
#define SPOTS    3
#define KNOWN    4 /* of a kind that people remember to have seen */
#define HARVESTS 1024
#define GREEDY   3 /* who has a full bag and picks */

enum known_kind { KNOWN_DROPS, KNOWN_CHESTS, KNOWN_MAILS, KNOWN_KINDS };

struct known {
    uint64_t id;
    struct place at;
};

struct harvest {
    uint64_t tree;
    int64_t until_ms;
};

/* A few people who all do at once, again and again, whatever comes to their minds, near two trees
 * and a corner where four chunks meet, over a store that errs. */
struct fair {
    struct grounds *g;
    struct rand rand;
    struct grounds_tree trees[2];
    struct place spots[SPOTS];
    struct known known[KNOWN_KINDS][KNOWN];
    struct harvest picking[GROUNDS_PEOPLE]; /* tree 0: something else */
    struct harvest harvests[HARVESTS];
    uint32_t harvests_count, twice; /* twice: harvests that were had by two */
    uint32_t done[SEOM__DEED__WHAT_CLAIM + 1], refused, retried;
};

/* A small number, or one that only somebody with a client of his own would ask for. */
static uint32_t
some_number(struct fair *f, uint32_t limit)
{
    static const uint32_t extremes[] = {0, 99, 100, UINT16_MAX, 1U << 31, UINT32_MAX};
    return rand_below(&f->rand, 12) != 0 ? rand_below(&f->rand, limit)
                                         : extremes[rand_below(&f->rand, 6)];
}

/* Something seen, now and then something made up; mostly one goes there first. */
static uint64_t
known_thing(struct fair *f, uint32_t who, enum known_kind kind)
{
    const uint64_t made_up[] = {rand_next(&f->rand), f->g->people[0].id, f->trees[0].entity,
                                UINT64_MAX};
    const struct known *known = &f->known[kind][rand_below(&f->rand, KNOWN)];
    if (rand_below(&f->rand, 12) == 0) {
        return made_up[rand_below(&f->rand, 4)];
    }
    if (known->id != 0 && rand_below(&f->rand, 4) != 0) {
        f->g->people[who].at = known->at;
    }
    return known->id;
}

static void
remember_thing(struct fair *f, uint32_t who, enum known_kind kind, uint64_t id)
{
    if (id != 0) {
        f->known[kind][rand_below(&f->rand, KNOWN)] =
            (struct known){.id = id, .at = f->g->people[who].at};
    }
}

static void
ask_pick(struct fair *f, uint32_t who)
{
    const struct grounds_tree *tree = &f->trees[rand_below(&f->rand, 2)];
    Seom__Pick pick = SEOM__PICK__INIT;
    pick.entity = tree->entity;
    f->g->people[who].at = tree->place;
    f->picking[who] =
        (struct harvest){.tree = tree->entity, .until_ms = grounds_form(f->g, tree).next_ms};
    grounds_ask(f->g, who, SEOM__DEED__WHAT_PICK, &pick);
}

/* Deeds that name a slot and a count are alike enough to be asked for as one. */
static void
ask_slot(struct fair *f, uint32_t who, Seom__Deed__WhatCase what)
{
    Seom__Drop m = SEOM__DROP__INIT; /* eat and build read the slot alone */
    m.slot = some_number(f, 5);
    if (what == SEOM__DEED__WHAT_BUILD && grounds_has(f->g, who, GOODS_CHEST) > 0) {
        m.slot = grounds_slot(f->g, who, GOODS_CHEST);
    }
    m.count = some_number(f, 5);
    uint8_t body[32];
    Seom__Deed deed = SEOM__DEED__INIT;
    deed.what_case = SEOM__DEED__WHAT_DROP;
    deed.drop = &m;
    size_t bytes = seom__deed__pack(&deed, body);
    body[0] = (uint8_t)((uint32_t)what << 3 | 2);
    grounds_ask_body(f->g, who, (struct slice){.at = body, .bytes = bytes});
}

static void
ask_chest(struct fair *f, uint32_t who, Seom__Deed__WhatCase what)
{
    Seom__PutIn in = SEOM__PUT_IN__INIT;
    in.chest = known_thing(f, who, KNOWN_CHESTS);
    in.slot = some_number(f, 4);
    in.count = some_number(f, 5);
    if (what == SEOM__DEED__WHAT_PUT_IN) {
        grounds_ask(f->g, who, what, &in);
        return;
    }
    Seom__TakeOut out = SEOM__TAKE_OUT__INIT;
    out.chest = in.chest;
    out.slot = in.slot;
    out.count = in.count;
    grounds_ask(f->g, who, what, &out);
}

static void
ask_goods(struct fair *f, uint32_t who, Seom__Deed__WhatCase what)
{
    Seom__Craft craft = SEOM__CRAFT__INIT;
    Seom__Buy buy = SEOM__BUY__INIT;
    craft.kind = some_number(f, GOODS_COUNT + 1);
    buy.kind = GOODS_FRUIT;
    buy.count = some_number(f, 500);
    grounds_ask(f->g, who, what, what == SEOM__DEED__WHAT_BUY ? (void *)&buy : (void *)&craft);
}

static void
ask_anything(struct fair *f, uint32_t who)
{
    Seom__Take take = SEOM__TAKE__INIT;
    Seom__Claim claim = SEOM__CLAIM__INIT;
    Seom__Deed__WhatCase what = 1 + rand_below(&f->rand, SEOM__DEED__WHAT_TAKE_OUT + 1);

    if (who == GREEDY && rand_below(&f->rand, 4) != 0) {
        what = SEOM__DEED__WHAT_PICK;
    }
    f->picking[who] = (struct harvest){0};
    f->g->people[who].at = f->spots[rand_below(&f->rand, SPOTS)];
    switch ((uint32_t)what) {
    case SEOM__DEED__WHAT_PICK: ask_pick(f, who); break;
    case SEOM__DEED__WHAT_DROP:
    case SEOM__DEED__WHAT_EAT:
    case SEOM__DEED__WHAT_SELL:
    case SEOM__DEED__WHAT_BUILD: ask_slot(f, who, what); break;
    case SEOM__DEED__WHAT_TAKE:
        take.entity =
            known_thing(f, who, rand_below(&f->rand, 8) == 0 ? KNOWN_CHESTS : KNOWN_DROPS);
        grounds_ask(f->g, who, what, &take);
        break;
    case SEOM__DEED__WHAT_CRAFT:
    case SEOM__DEED__WHAT_BUY: ask_goods(f, who, what); break;
    case SEOM__DEED__WHAT_PUT_IN:
    case SEOM__DEED__WHAT_TAKE_OUT: ask_chest(f, who, what); break;
    default:
        claim.mail = known_thing(f, who, KNOWN_MAILS);
        grounds_ask(f->g, who, SEOM__DEED__WHAT_CLAIM, &claim);
        break;
    }
}

static void
note_harvest(struct fair *f, struct harvest harvest)
{
    for (uint32_t i = 0; i < f->harvests_count; i++) {
        f->twice +=
            f->harvests[i].tree == harvest.tree && f->harvests[i].until_ms == harvest.until_ms;
    }
    assert_true(f->harvests_count < HARVESTS);
    f->harvests[f->harvests_count++] = harvest;
}

static void
hear_answer(struct fair *f, uint32_t who)
{
    const struct grounds_person *person = &f->g->people[who];
    f->refused += person->code != SEOM__CODE__FINE && person->code != SEOM__CODE__RETRY_AFTER;
    f->retried += person->code == SEOM__CODE__RETRY_AFTER;
    if (person->code != SEOM__CODE__FINE) {
        return;
    }
    struct reader r = reader_over(person->body, person->body_bytes);
    uint64_t what = read_varint(&r) >> 3;
    f->done[what]++;
    if (what != SEOM__DEED__WHAT_CRAFT) {
        remember_thing(f, who, what == SEOM__DEED__WHAT_BUILD ? KNOWN_CHESTS : KNOWN_DROPS,
                       person->made);
    }
    remember_thing(f, who, KNOWN_MAILS, person->mail);
    if (f->picking[who].tree != 0) {
        note_harvest(f, f->picking[who]);
    }
}

static void
play_round(struct fair *f)
{
    if (rand_below(&f->rand, 3) == 0) {
        grounds_pass_until(f->g, grounds_now_ms(f->g) + rand_below(&f->rand, 60000));
    }
    for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
        if (f->g->people[who].code == SEOM__CODE__RETRY_AFTER) {
            grounds_ask_again(f->g, who);
        } else {
            ask_anything(f, who);
        }
    }
    for (uint32_t jobs = rand_below(&f->rand, 3); jobs > 0; jobs--) {
        grounds_job(f->g, f->trees[jobs - 1].place, (struct slice){0});
    }
    grounds_settle(f->g);
    assert_int_equal(f->g->jobs, 0);
    for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
        assert_int_not_equal(f->g->people[who].code, GROUNDS_PENDING);
        hear_answer(f, who);
    }
}

static void
fair_play(struct fair *f, uint64_t seed, enum society_mutant mutant)
{
    memset(f, 0, sizeof *f);
    rand_seed(&f->rand, seed);
    f->g = grounds_alloc(seed, mutant);
    f->trees[0] = grounds_tree((uint32_t)(2 * seed % 40));
    f->trees[1] = grounds_tree((uint32_t)(2 * seed % 40 + 1));
    f->spots[0] = f->trees[0].place;
    f->spots[1] = f->trees[1].place;
    f->spots[2] = (struct place){.x_mm = 2 * CHUNK_MM + (int32_t)rand_below(&f->rand, 4000) - 2000,
                                 .y_mm = 2 * CHUNK_MM + (int32_t)rand_below(&f->rand, 4000) - 2000};
    for (uint32_t slot = 0; slot < BAG_SLOTS_MAX; slot++) {
        grounds_buy(f->g, GREEDY, GOODS_FRUIT, 99);
    }
    if (rand_below(&f->rand, 4) != 0) {
        desk_faults(f->g->desk, 20000, 20000, 20000, 20000);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        play_round(f);
    }
    desk_faults(f->g->desk, 0, 0, 0, 0);
    for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
        while (f->g->people[who].code == SEOM__CODE__RETRY_AFTER) {
            grounds_ask_again(f->g, who);
            grounds_settle(f->g);
            hear_answer(f, who);
        }
    }
}

/* Whatever people do, and whatever the store does: all that was made is held or was used up, once,
 * and no harvest was had by two. */
static void
test_nothing_lost_nothing_doubled(void **state)
{
    (void)state;
    uint32_t done[SEOM__DEED__WHAT_CLAIM + 1] = {0}, refused = 0, retried = 0;
    uint64_t commands = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        static struct fair fair;
        fair_play(&fair, seed, SOCIETY_MUTANT_NONE);
        struct audit_result audit = grounds_audit(fair.g);
        assert_true(audit.balanced);
        assert_true(audit.minted > 0 && audit.minted == audit.held + audit.consumed);
        assert_int_equal(audit.coins_minted, audit.coins_held + audit.coins_consumed);
        uint64_t answered = 0;
        for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
            answered += fair.g->people[who].seq;
        }
        assert_int_equal(audit.commands, answered);
        assert_int_equal(fair.twice, 0);
        for (uint32_t what = 0; what <= SEOM__DEED__WHAT_CLAIM; what++) {
            done[what] += fair.done[what];
        }
        refused += fair.refused;
        retried += fair.retried;
        commands += audit.commands;
        grounds_free(fair.g);
    }
    for (uint32_t what = 1; what <= SEOM__DEED__WHAT_TAKE_OUT; what++) {
        assert_true(done[what] > 40);
    }
    assert_true(done[SEOM__DEED__WHAT_CLAIM] > 10 && commands > 40000);
    assert_true(refused > 10000 && retried > 500);
}

/* The job that gives fruit each time it runs is found: the audit cannot see it, as what it gives is
 * minted by the book; that a harvest was had twice tells it. */
static void
test_mutant_is_found(void **state)
{
    (void)state;
    uint32_t twice = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        static struct fair fair;
        fair_play(&fair, seed, SOCIETY_MUTANT_REGROW_TWICE);
        assert_true(grounds_audit(fair.g).balanced);
        twice += fair.twice;
        grounds_free(fair.g);
    }
    assert_true(twice > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_lost_nothing_doubled),
        cmocka_unit_test(test_mutant_is_found),
    };
    return cmocka_run_group_tests_name("sample_value", tests, NULL, NULL);
}
