#include "rules/rules_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FINE      SEOM__CODE__FINE
#define MALFORMED SEOM__CODE__MALFORMED
#define NOT_FOUND SEOM__CODE__NOT_FOUND
#define REFUSED   SEOM__CODE__REFUSED
#define TOO_FAR   SEOM__CODE__TOO_FAR
#define NO_ROOM   SEOM__CODE__NO_ROOM

enum { ANN, BEN, CAT };

/* In the middle of a chunk, and beside it in the next one to the east and north. */
static const struct place meadow = {.x_mm = 3 * CHUNK_MM + 15000, .y_mm = 5 * CHUNK_MM + 15000};
static const struct place corner = {.x_mm = 4 * CHUNK_MM - 1000, .y_mm = 6 * CHUNK_MM - 1000};
static const struct place beyond = {.x_mm = 4 * CHUNK_MM + 500, .y_mm = 6 * CHUNK_MM + 500};

static int
setup(void **state)
{
    struct grounds *g = grounds_alloc(11, SOCIETY_MUTANT_NONE);
    for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
        g->people[who].at = meadow;
    }
    *state = g;
    return 0;
}

static int
teardown(void **state)
{
    grounds_free(*state);
    return 0;
}

static uint64_t
meadow_chunk(void)
{
    return chunk_id(GROUNDS_ISLAND, 3, 5);
}

/* The newest line of somebody's ledger. */
static const Seom__Entry *
last_line(struct grounds *g, uint32_t who)
{
    const Seom__PlayerDocument *player = grounds_player(g, who);
    assert_true(player->n_ledger > 0);
    return player->ledger[player->n_ledger - 1];
}

/* ---- gathering ---- */

static uint32_t
stage_seen(struct grounds *g, const struct grounds_tree *tree, int64_t *next_ms)
{
    struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
    int64_t changes_ms;
    uint32_t count =
        sample_game.things(tree->chunk_seed, chunk_cx(tree->chunk), chunk_cy(tree->chunk),
                           grounds_chunk(g, tree->chunk), grounds_now_ms(g), things,
                           GAME_THINGS_PER_CHUNK_MAX, &changes_ms);
    assert_true(tree->number < count && things[tree->number].kind == SAMPLE_TREE);
    struct reader r = reader_over(things[tree->number].attributes, SAMPLE_PLANT_ATTRIBUTES);
    uint32_t stage = read_u8(&r);
    *next_ms = read_i64(&r);
    return stage;
}

static void
test_pick(void **state)
{
    struct grounds *g = *state;
    struct grounds_tree tree = grounds_tree(0);
    int64_t next_ms, bare_until_ms;
    g->people[ANN].at = g->people[BEN].at = tree.place;
    grounds_until_stage(g, &tree, STAGE_FRUIT);
    assert_int_equal(stage_seen(g, &tree, &next_ms), STAGE_FRUIT);
    assert_int_equal(grounds_pick(g, ANN, tree.entity), FINE);
    assert_int_equal(g->people[ANN].gained.kind, GOODS_FRUIT);
    assert_int_equal(g->people[ANN].gained.count, SAMPLE_FRUIT_PER_TREE);
    assert_int_equal(g->people[ANN].mail, 0);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), SAMPLE_FRUIT_PER_TREE);
    assert_int_equal(last_line(g, ANN)->reason, REASON_PICKED);
    assert_int_equal(last_line(g, ANN)->from, SEOM__ACCOUNT_KIND__ACCOUNT_WORLD);
    assert_int_equal(stage_seen(g, &tree, &bare_until_ms), STAGE_BARE);
    assert_true(bare_until_ms > next_ms);
    assert_int_equal(grounds_pick(g, ANN, tree.entity), NOT_FOUND);
    assert_int_equal(grounds_pick(g, BEN, tree.entity), NOT_FOUND);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 0);
    /* What is seen goes on as if the fruit had fallen, and next year it bears, though nobody ran a
     * job. */
    int64_t now_ms;
    grounds_pass_until(g, next_ms);
    assert_int_equal(stage_seen(g, &tree, &now_ms), STAGE_BARE);
    assert_int_equal(now_ms, bare_until_ms);
    grounds_until_stage(g, &tree, STAGE_FRUIT);
    assert_int_equal(grounds_pick(g, BEN, tree.entity), FINE);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), SAMPLE_FRUIT_PER_TREE);
}

static void
test_pick_refused(void **state)
{
    struct grounds *g = *state;
    struct grounds_tree tree = grounds_tree(0);
    uint16_t world;
    uint32_t island, index, number;
    assert_true(game_thing_parse(tree.entity, &world, &island, &index, &number));
    g->people[ANN].at = tree.place;

    static const enum sample_stage unripe[] = {STAGE_BARE, STAGE_BUD, STAGE_FLOWER};

    for (uint32_t i = 0; i < sizeof unripe / sizeof unripe[0]; i++) {
        grounds_until_stage(g, &tree, unripe[i]);
        assert_int_equal(grounds_pick(g, ANN, tree.entity), REFUSED);
    }
    grounds_until_stage(g, &tree, STAGE_FRUIT);
    const uint64_t no_trees[] = {
        0,
        UINT64_MAX,
        g->people[ANN].id,
        game_thing_entity(DESK_WORLD + 1, island, index, number),
        game_thing_entity(DESK_WORLD, island, index, GAME_CLOSED_FORMS_MAX - 1),
        game_thing_entity(DESK_WORLD, island, (1U << GAME_THING_CHUNK_BITS) - 1, number),
    };
    for (uint32_t i = 0; i < sizeof no_trees / sizeof no_trees[0]; i++) {
        assert_int_equal(grounds_pick(g, ANN, no_trees[i]), NOT_FOUND);
    }
    for (uint32_t other = 0; other < 40; other++) { /* a tree in the same place, maybe, elsewhere */
        uint64_t entity = game_thing_entity(DESK_WORLD, other, index, number);
        if (other != island) {
            assert_int_equal(grounds_pick(g, ANN, entity), NOT_FOUND);
        }
    }
    int32_t reach_mm = sample_game.reach_mm(0);
    g->people[ANN].at.x_mm = tree.place.x_mm + reach_mm + 1;
    assert_int_equal(grounds_pick(g, ANN, tree.entity), TOO_FAR);
    g->people[ANN].at = (struct place){.x_mm = tree.place.x_mm - reach_mm * 4 / 5,
                                       .y_mm = tree.place.y_mm + reach_mm * 4 / 5};
    assert_int_equal(grounds_pick(g, ANN, tree.entity), TOO_FAR);
    g->people[ANN].at = (struct place){.x_mm = INT32_MIN, .y_mm = INT32_MAX};
    assert_int_equal(grounds_pick(g, ANN, tree.entity), TOO_FAR);
    assert_null(grounds_chunk(g, tree.chunk));
    g->people[ANN].at = (struct place){.x_mm = tree.place.x_mm, .y_mm = tree.place.y_mm - reach_mm};
    assert_int_equal(grounds_pick(g, ANN, tree.entity), FINE);
}

static void
test_animals_bear_no_fruit(void **state)
{
    struct grounds *g = *state;
    uint32_t animals = 0;
    for (uint32_t index = 0; index < GROUNDS_COLUMNS * 5; index++) {
        uint16_t cx = (uint16_t)(index % GROUNDS_COLUMNS), cy = (uint16_t)(index / GROUNDS_COLUMNS);
        struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
        int64_t changes_ms;
        uint32_t count =
            sample_game.things(game_chunk_seed(GROUNDS_SEED, GROUNDS_ISLAND, index), cx, cy, NULL,
                               grounds_now_ms(g), things, GAME_THINGS_PER_CHUNK_MAX, &changes_ms);
        for (uint32_t n = 0; n < count; n++) {
            if (things[n].kind == SAMPLE_ANIMAL) {
                g->people[ANN].at = things[n].place;
                uint64_t entity = game_thing_entity(DESK_WORLD, GROUNDS_ISLAND, index, n);
                assert_int_equal(grounds_pick(g, ANN, entity), NOT_FOUND);
                animals++;
            }
        }
    }
    assert_true(animals > 10);
}

static void
fill_bag(struct grounds *g, uint32_t who)
{
    for (uint32_t slot = 0; slot < BAG_SLOTS_MAX; slot++) {
        assert_int_equal(grounds_buy(g, who, GOODS_FRUIT, 99), FINE);
    }
}

static void
test_pick_with_full_bag(void **state)
{
    struct grounds *g = *state;
    struct grounds_tree tree = grounds_tree(0);
    g->people[ANN].at = tree.place;
    fill_bag(g, ANN);
    grounds_until_stage(g, &tree, STAGE_FRUIT);
    assert_int_equal(grounds_pick(g, ANN, tree.entity), FINE);
    assert_int_not_equal(g->people[ANN].mail, 0);
    assert_int_equal(g->people[ANN].gained.kind, 0);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 99 * BAG_SLOTS_MAX);
    Seom__Claim claim = SEOM__CLAIM__INIT;
    claim.mail = g->people[ANN].mail;
    assert_int_equal(grounds_eat(g, ANN, 0), FINE);
    assert_int_equal(grounds_eat(g, ANN, 0), FINE);
    assert_int_equal(grounds_eat(g, ANN, 0), FINE);
    grounds_ask(g, ANN, SEOM__DEED__WHAT_CLAIM, &claim);
    grounds_settle(g);
    assert_int_equal(g->people[ANN].code, FINE);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 99 * BAG_SLOTS_MAX);
}

static void
test_eat(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_eat(g, ANN, 0), REFUSED);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 5), FINE);
    assert_int_equal(grounds_eat(g, ANN, 0), FINE);
    assert_int_equal(last_line(g, ANN)->reason, REASON_EATEN);
    assert_int_equal(last_line(g, ANN)->to, SEOM__ACCOUNT_KIND__ACCOUNT_WORLD);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 4);
    assert_int_equal(grounds_eat(g, ANN, 1), REFUSED);
    assert_int_equal(grounds_eat(g, ANN, UINT32_MAX), REFUSED);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHARM), FINE);
    assert_int_equal(grounds_eat(g, ANN, grounds_slot(g, ANN, GOODS_CHARM)), REFUSED);
    assert_int_equal(grounds_has(g, ANN, GOODS_CHARM), 1);
}

static void
test_craft(void **state)
{
    struct grounds *g = *state;
    static const uint32_t unmade[] = {GOODS_NONE, GOODS_FRUIT, GOODS_COUNT, UINT32_MAX};
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 3 + 5 + 2), FINE);
    for (uint32_t i = 0; i < sizeof unmade / sizeof unmade[0]; i++) {
        assert_int_equal(grounds_craft(g, ANN, unmade[i]), MALFORMED);
    }
    uint64_t coins = grounds_coins(g, ANN);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHARM), FINE);
    uint64_t charm = g->people[ANN].made;
    assert_int_not_equal(charm, 0);
    assert_int_equal(g->people[ANN].gained.uid, charm);
    assert_int_equal(grounds_coins(g, ANN), coins);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), FINE);
    assert_int_not_equal(g->people[ANN].made, charm);
    assert_int_equal(grounds_coins(g, ANN), coins - 20);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 2);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHARM), REFUSED);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 2);
    assert_int_equal(grounds_has(g, ANN, GOODS_CHARM) + grounds_has(g, ANN, GOODS_CHEST), 2);
}

/* Refused half-way, a deed has no effect at all: neither the fruit nor the coins are gone. */
static void
test_craft_without_coins_or_room(void **state)
{
    struct grounds *g = *state;
    g->society.first_coins = 5 * 5 + 19;
    assert_int_equal(grounds_buy(g, BEN, GOODS_FRUIT, 5), FINE);
    assert_int_equal(grounds_craft(g, BEN, GOODS_CHEST), REFUSED);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 5);
    assert_int_equal(grounds_coins(g, BEN), 19);
    g->society.first_coins = GROUNDS_COINS;
    fill_bag(g, ANN);
    uint64_t coins = grounds_coins(g, ANN);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), NO_ROOM);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 99 * BAG_SLOTS_MAX);
    assert_int_equal(grounds_coins(g, ANN), coins);
}

/* ---- the market ---- */

static void
test_market(void **state)
{
    struct grounds *g = *state;
    static const uint32_t not_sold[] = {GOODS_NONE, GOODS_CHARM, GOODS_CHEST, GOODS_COUNT,
                                        UINT32_MAX};
    for (uint32_t i = 0; i < sizeof not_sold / sizeof not_sold[0]; i++) {
        assert_int_equal(grounds_buy(g, ANN, not_sold[i], 1), REFUSED);
    }
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 0), MALFORMED);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, UINT32_MAX), REFUSED);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 99 * BAG_SLOTS_MAX + 1), NO_ROOM);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 8), FINE);
    assert_int_equal(grounds_coins(g, ANN), GROUNDS_COINS - 8 * 5);
    assert_int_equal(g->people[ANN].gained.count, 8);
    assert_int_equal(grounds_sell(g, ANN, 0, 0), MALFORMED);
    assert_int_equal(grounds_sell(g, ANN, 0, 9), REFUSED);
    assert_int_equal(grounds_sell(g, ANN, 1, 1), REFUSED);
    assert_int_equal(grounds_sell(g, ANN, 0, 2), FINE);
    assert_int_equal(g->people[ANN].coins, 4);
    assert_int_equal(grounds_coins(g, ANN), GROUNDS_COINS - 8 * 5 + 4);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHARM), FINE);
    assert_int_equal(grounds_sell(g, ANN, grounds_slot(g, ANN, GOODS_CHARM), 1), FINE);
    assert_int_equal(g->people[ANN].coins, 12);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 5), FINE);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), FINE);
    assert_int_equal(grounds_sell(g, ANN, grounds_slot(g, ANN, GOODS_CHEST), 1), REFUSED);
    assert_int_equal(grounds_has(g, ANN, GOODS_CHEST), 1);
}

/* Nobody gets rich on the market alone. */
static void
test_prices(void **state)
{
    (void)state;
    uint64_t fruit = sample_price(GOODS_FRUIT).buys;
    for (uint32_t goods = 0; goods < GOODS_COUNT; goods++) {
        struct sample_price price = sample_price(goods);
        struct sample_recipe recipe = sample_recipe(goods);
        assert_true(price.buys == 0 || price.sells < price.buys);
        assert_true(recipe.fruit == 0 || price.sells < recipe.fruit * fruit + recipe.coins);
        assert_true(recipe.fruit == 0 || kind_find(&sample_society, goods) != NULL);
    }
    assert_int_equal(sample_price(UINT32_MAX).sells, 0);
    assert_int_equal(sample_recipe(UINT32_MAX).fruit, 0);
}

/* ---- on the ground ---- */

static void
test_drop_and_take(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_drop(g, ANN, 0, 1), REFUSED);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 10), FINE);
    assert_int_equal(grounds_drop(g, ANN, 0, 0), MALFORMED);
    assert_int_equal(grounds_drop(g, ANN, 0, 11), REFUSED);
    assert_null(grounds_chunk(g, meadow_chunk()));
    assert_int_equal(grounds_drop(g, ANN, 0, 4), FINE);
    uint64_t entity = g->people[ANN].made;
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 6);
    assert_int_equal(last_line(g, ANN)->reason, REASON_DROPPED);
    assert_int_equal(last_line(g, ANN)->to_id, meadow_chunk());
    const Seom__ChunkDocument *chunk = grounds_chunk(g, meadow_chunk());
    assert_int_equal(chunk->n_things, 1);
    assert_int_equal(chunk->things[0]->id, entity);
    assert_int_equal(chunk->things[0]->kind, SAMPLE_DROP);
    assert_int_equal(chunk->things[0]->x_mm, meadow.x_mm);
    assert_int_equal(chunk->things[0]->y_mm, meadow.y_mm);
    /* Others see it, and the first takes it. */
    g->people[BEN].at.x_mm += sample_game.reach_mm(0) + 1;
    assert_int_equal(grounds_take(g, BEN, entity), TOO_FAR);
    g->people[BEN].at.x_mm -= 1;
    assert_int_equal(grounds_take(g, BEN, entity + 1), NOT_FOUND);
    assert_int_equal(grounds_take(g, BEN, entity), FINE);
    assert_int_equal(g->people[BEN].gained.count, 4);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 4);
    assert_int_equal(grounds_chunk(g, meadow_chunk())->n_things, 0);
    assert_int_equal(grounds_take(g, CAT, entity), NOT_FOUND);
    assert_int_equal(grounds_take(g, ANN, 0), NOT_FOUND);
}

/* What many drop, and the steward shows. */
static void
test_things_of_a_chunk(void **state)
{
    struct grounds *g = *state;
    struct game_thing things[GAME_THINGS_PER_CHUNK_MAX], bare[GAME_THINGS_PER_CHUNK_MAX];
    int64_t changes_ms, bare_changes_ms;
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 20), FINE);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), FINE);
    assert_int_equal(grounds_drop(g, ANN, 0, 7), FINE);
    uint64_t fruit = g->people[ANN].made;
    assert_int_equal(grounds_build(g, ANN, grounds_slot(g, ANN, GOODS_CHEST)), FINE);
    uint64_t chest = g->people[ANN].made, seed = 0;
    while (sample_game.things(seed, 3, 5, NULL, 9, bare, GAME_THINGS_PER_CHUNK_MAX,
                              &bare_changes_ms) != SAMPLE_THINGS_MAX) {
        seed++;
    }
    const Seom__ChunkDocument *chunk = grounds_chunk(g, meadow_chunk());
    assert_int_equal(
        sample_game.things(seed, 3, 5, chunk, 9, things, GAME_THINGS_PER_CHUNK_MAX, &changes_ms),
        SAMPLE_THINGS_MAX + 2);
    assert_int_equal(changes_ms, bare_changes_ms);
    for (uint32_t n = 0; n < SAMPLE_THINGS_MAX; n++) {
        assert_int_equal(things[n].entity, 0);
        assert_int_equal(things[n].kind, bare[n].kind);
    }
    static const uint8_t seven_fruit[SAMPLE_GOODS_ATTRIBUTES] = {GOODS_FRUIT, 7, 0, 0, 0};
    static const uint8_t one_chest[SAMPLE_GOODS_ATTRIBUTES] = {GOODS_CHEST, 1, 0, 0, 0};
    const struct game_thing *drop = &things[SAMPLE_THINGS_MAX], *box = drop + 1;
    assert_int_equal(drop->entity, fruit);
    assert_int_equal(drop->kind, SAMPLE_DROP);
    assert_int_equal(drop->attributes_bytes, SAMPLE_GOODS_ATTRIBUTES);
    assert_memory_equal(drop->attributes, seven_fruit, SAMPLE_GOODS_ATTRIBUTES);
    assert_int_equal(box->entity, chest);
    assert_int_equal(box->kind, SAMPLE_CHEST);
    assert_memory_equal(box->attributes, one_chest, SAMPLE_GOODS_ATTRIBUTES);
    assert_false(box->moves);
    assert_int_equal(
        sample_game.things(seed, 3, 5, chunk, 9, things, SAMPLE_THINGS_MAX + 1, &changes_ms),
        SAMPLE_THINGS_MAX + 1);
}

static void
test_single_things_stay_themselves(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 6), FINE);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHARM), FINE);
    uint64_t charm = g->people[ANN].made;
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t giver = round % 2, taker = 1 - giver;
        uint32_t slot = grounds_slot(g, giver, GOODS_CHARM);
        assert_int_equal(grounds_drop(g, giver, slot, 2), REFUSED);
        assert_int_equal(grounds_drop(g, giver, slot, 1), FINE);
        assert_int_equal(g->people[giver].made, charm);
        assert_int_equal(grounds_take(g, taker, charm), FINE);
        assert_int_equal(g->people[taker].gained.uid, charm);
        assert_int_equal(grounds_has(g, giver, GOODS_CHARM), 0);
        assert_int_equal(grounds_has(g, taker, GOODS_CHARM), 1);
    }
}

static void
test_take_across_chunks(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 2), FINE);
    g->people[ANN].at = beyond;
    assert_int_equal(grounds_drop(g, ANN, 0, 1), FINE);
    assert_int_equal(grounds_chunk(g, chunk_id(GROUNDS_ISLAND, 4, 6))->n_things, 1);
    g->people[BEN].at = corner;
    assert_int_equal(grounds_take(g, BEN, g->people[ANN].made), FINE);
    /* At the island's corner there is nothing to the south-west, and beyond it no chunk at all. */
    g->people[ANN].at = g->people[BEN].at = (struct place){0};
    assert_int_equal(grounds_drop(g, ANN, 0, 1), FINE);
    assert_int_equal(grounds_take(g, BEN, g->people[ANN].made), FINE);
    g->people[BEN].at = (struct place){.x_mm = -1, .y_mm = 5};
    assert_int_equal(grounds_drop(g, BEN, 0, 1), REFUSED);
    g->people[BEN].at = (struct place){.x_mm = INT32_MAX, .y_mm = INT32_MAX};
    assert_int_equal(grounds_take(g, BEN, g->people[ANN].made), NOT_FOUND);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 2);
}

static void
test_no_room_to_take(void **state)
{
    struct grounds *g = *state;
    fill_bag(g, ANN);
    assert_int_equal(grounds_buy(g, BEN, GOODS_FRUIT, 1), FINE);
    assert_int_equal(grounds_drop(g, BEN, 0, 1), FINE);
    assert_int_equal(grounds_take(g, ANN, g->people[BEN].made), NO_ROOM);
    assert_int_equal(grounds_chunk(g, meadow_chunk())->n_things, 1);
    assert_int_equal(grounds_take(g, BEN, g->people[BEN].made), FINE);
}

static void
test_full_chunk(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, CHUNK_THINGS_MAX + 6), FINE);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), FINE);
    for (uint32_t n = 0; n < CHUNK_THINGS_MAX; n++) {
        assert_int_equal(grounds_drop(g, ANN, 0, 1), FINE);
    }
    uint64_t last = g->people[ANN].made;
    assert_int_equal(grounds_drop(g, ANN, 0, 1), NO_ROOM);
    assert_int_equal(grounds_build(g, ANN, grounds_slot(g, ANN, GOODS_CHEST)), NO_ROOM);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 1);
    assert_int_equal(grounds_take(g, BEN, last), FINE);
    assert_int_equal(grounds_drop(g, ANN, 0, 1), FINE);
    assert_int_equal(grounds_chunk(g, meadow_chunk())->n_things, CHUNK_THINGS_MAX);
    assert_true(grounds_bytes(g, KEY_CLASS_CHUNK, meadow_chunk()).value.bytes <
                STORE_VALUE_MAX / 2);
}

/* ---- chests ---- */

static uint64_t
build_chest(struct grounds *g, uint32_t who)
{
    assert_int_equal(grounds_buy(g, who, GOODS_FRUIT, 5), FINE);
    assert_int_equal(grounds_craft(g, who, GOODS_CHEST), FINE);
    uint64_t uid = g->people[who].made;
    assert_int_equal(grounds_build(g, who, grounds_slot(g, who, GOODS_CHEST)), FINE);
    assert_int_equal(g->people[who].made, uid);
    return uid;
}

static void
test_build(void **state)
{
    struct grounds *g = *state;
    assert_int_equal(grounds_build(g, ANN, 0), REFUSED);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 1), FINE);
    assert_int_equal(grounds_build(g, ANN, 0), REFUSED);
    assert_int_equal(grounds_build(g, ANN, UINT32_MAX), REFUSED);
    uint64_t uid = build_chest(g, ANN);
    assert_int_equal(last_line(g, ANN)->reason, REASON_BUILT);
    const Seom__ChunkThing *thing = grounds_chunk(g, meadow_chunk())->things[0];
    assert_int_equal(thing->id, uid);
    assert_int_equal(thing->kind, SAMPLE_CHEST);
    assert_int_equal(thing->holds->slots[0]->uid, uid);
    const Seom__ChestDocument *chest = grounds_chest(g, uid);
    assert_int_equal(chest->owner, g->people[ANN].id);
    assert_int_equal(chest->chunk, meadow_chunk());
    /* One that was only laid down is no place to put things in. */
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 5), FINE);
    assert_int_equal(grounds_craft(g, ANN, GOODS_CHEST), FINE);
    assert_int_equal(grounds_drop(g, ANN, grounds_slot(g, ANN, GOODS_CHEST), 1), FINE);
    assert_int_equal(grounds_put_in(g, ANN, g->people[ANN].made, 0, 1), NOT_FOUND);
}

static void
test_chest(void **state)
{
    struct grounds *g = *state;
    uint64_t uid = build_chest(g, ANN);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 10), FINE);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 0), MALFORMED);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 11), REFUSED);
    assert_int_equal(grounds_put_in(g, ANN, uid, 7, 1), REFUSED);
    assert_int_equal(grounds_put_in(g, ANN, uid + 1, 0, 1), NOT_FOUND);
    assert_int_equal(grounds_put_in(g, ANN, 0, 0, 1), NOT_FOUND);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 6), FINE);
    assert_int_equal(last_line(g, ANN)->reason, REASON_STORED);
    assert_int_equal(last_line(g, ANN)->to_id, uid);
    assert_int_equal(grounds_has(g, ANN, GOODS_FRUIT), 4);
    assert_int_equal(grounds_chest(g, uid)->holds->slots[0]->count, 6);
    /* Everybody near it may take, nobody who is far. */
    g->people[BEN].at.y_mm -= sample_game.reach_mm(0) + 1;
    assert_int_equal(grounds_take_out(g, BEN, uid, 0, 1), TOO_FAR);
    assert_int_equal(grounds_put_in(g, BEN, uid, 0, 1), TOO_FAR);
    g->people[BEN].at = meadow;
    assert_int_equal(grounds_take_out(g, BEN, uid, 0, 0), MALFORMED);
    assert_int_equal(grounds_take_out(g, BEN, uid, 0, 7), REFUSED);
    assert_int_equal(grounds_take_out(g, BEN, uid, 1, 1), REFUSED);
    assert_int_equal(grounds_take_out(g, BEN, uid, 0, 2), FINE);
    assert_int_equal(g->people[BEN].gained.count, 2);
    assert_int_equal(last_line(g, BEN)->reason, REASON_FETCHED);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 2);
    assert_int_equal(grounds_chest(g, uid)->holds->slots[0]->count, 4);
}

static void
test_chest_on_another_island(void **state)
{
    struct grounds *g = *state;
    uint64_t uid = build_chest(g, ANN);
    uint8_t bytes[256];
    Seom__ChestDocument chest = SEOM__CHEST_DOCUMENT__INIT;
    chest.owner = g->people[ANN].id;
    chest.chunk = chunk_id(GROUNDS_ISLAND + 1, 3, 5);
    struct key key = key_make(DESK_WORLD, KEY_CLASS_CHEST, uid);
    desk_put(g->desk, key.text, bytes, seom__chest_document__pack(&chest, bytes));
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 1), FINE);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 1), TOO_FAR);
}

static void
forge_chunk(struct grounds *g, Seom__ChunkThing *thing)
{
    uint8_t bytes[512];
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    chunk.things = &thing;
    chunk.n_things = 1;
    struct key key = chunk_key(DESK_WORLD, meadow_chunk());
    desk_put(g->desk, key.text, bytes, seom__chunk_document__pack(&chunk, bytes));
}

/* What no deed can have written is refused like anything else. */
static void
test_forged_documents(void **state)
{
    struct grounds *g = *state;
    Seom__Stack stack = SEOM__STACK__INIT, *slots[2] = {&stack, &stack};
    Seom__Holdings holds = SEOM__HOLDINGS__INIT;
    Seom__ChunkThing thing = SEOM__CHUNK_THING__INIT;
    uint64_t uid = build_chest(g, ANN);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 1), FINE);
    thing.id = uid;
    thing.x_mm = meadow.x_mm;
    thing.y_mm = meadow.y_mm;
    thing.kind = SAMPLE_DROP; /* its chest says that it stands */
    forge_chunk(g, &thing);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 1), NOT_FOUND);
    assert_int_equal(grounds_take(g, ANN, uid), NOT_FOUND); /* holds nothing at all */
    thing.holds = &holds;
    forge_chunk(g, &thing);
    assert_int_equal(grounds_take(g, ANN, uid), NOT_FOUND);
    holds.slots = slots;
    holds.n_slots = 2;
    forge_chunk(g, &thing);
    assert_int_equal(grounds_take(g, ANN, uid), NOT_FOUND);
    holds.n_slots = 1; /* an empty slot, an unknown kind, two of a single thing */
    forge_chunk(g, &thing);
    assert_int_not_equal(grounds_take(g, ANN, uid), FINE);
    stack.kind = GOODS_COUNT;
    stack.count = 1;
    forge_chunk(g, &thing);
    assert_int_not_equal(grounds_take(g, ANN, uid), FINE);
    stack.kind = GOODS_CHARM;
    stack.count = 2;
    stack.uid = 77;
    forge_chunk(g, &thing);
    assert_int_not_equal(grounds_take(g, ANN, uid), FINE);
    assert_int_equal(grounds_has(g, ANN, GOODS_CHARM), 0);
}

static void
test_chest_with_room_for_no_more(void **state)
{
    struct grounds *g = *state;
    uint64_t uid = build_chest(g, ANN);
    g->society.first_coins = 50000;
    for (uint32_t n = 0; n < CHEST_SLOTS_MAX; n++) {
        uint32_t who = n % 2 == 0 ? BEN : CAT;
        assert_int_equal(grounds_buy(g, who, GOODS_FRUIT, 99), FINE);
        assert_int_equal(grounds_put_in(g, who, uid, 0, 99), FINE);
    }
    assert_int_equal(grounds_buy(g, BEN, GOODS_FRUIT, 1), FINE);
    assert_int_equal(grounds_put_in(g, BEN, uid, 0, 1), NO_ROOM);
    fill_bag(g, ANN);
    assert_int_equal(grounds_take_out(g, ANN, uid, 0, 1), NO_ROOM);
    assert_int_equal(grounds_take_out(g, BEN, uid, CHEST_SLOTS_MAX - 1, 99), FINE);
}

static void
test_chest_is_taken_up(void **state)
{
    struct grounds *g = *state;
    uint64_t uid = build_chest(g, ANN);
    assert_int_equal(grounds_buy(g, ANN, GOODS_FRUIT, 1), FINE);
    assert_int_equal(grounds_take(g, BEN, uid), REFUSED);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 1), FINE);
    assert_int_equal(grounds_take(g, ANN, uid), REFUSED);
    assert_int_equal(grounds_take_out(g, ANN, uid, 0, 1), FINE);
    assert_int_equal(grounds_take(g, ANN, uid), FINE);
    assert_int_equal(g->people[ANN].gained.uid, uid);
    assert_null(grounds_chest(g, uid));
    assert_int_equal(grounds_chunk(g, meadow_chunk())->n_things, 0);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 1), NOT_FOUND);
    /* Given away and set up anew, it is another's. */
    assert_int_equal(grounds_drop(g, ANN, grounds_slot(g, ANN, GOODS_CHEST), 1), FINE);
    assert_int_equal(grounds_take(g, BEN, uid), FINE);
    assert_int_equal(grounds_build(g, BEN, 0), FINE);
    assert_int_equal(grounds_chest(g, uid)->owner, g->people[BEN].id);
    assert_int_equal(grounds_put_in(g, ANN, uid, 0, 1), FINE);
}

/* ---- what bodies ask for ---- */

static void
test_bodies(void **state)
{
    struct grounds *g = *state;

    static const struct {
        Seom__Deed__WhatCase what;
        const char *name;
        enum deed_class class;
    } known[] = {
        {SEOM__DEED__WHAT_PICK, "pick", DEED_GATHER},
        {SEOM__DEED__WHAT_DROP, "drop", DEED_ARRANGE},
        {SEOM__DEED__WHAT_TAKE, "take", DEED_TAKE},
        {SEOM__DEED__WHAT_EAT, "eat", DEED_GATHER},
        {SEOM__DEED__WHAT_CRAFT, "craft", DEED_GATHER},
        {SEOM__DEED__WHAT_SELL, "sell", DEED_GATHER},
        {SEOM__DEED__WHAT_BUY, "buy", DEED_GATHER},
        {SEOM__DEED__WHAT_BUILD, "build", DEED_ARRANGE},
        {SEOM__DEED__WHAT_PUT_IN, "put in", DEED_ARRANGE},
        {SEOM__DEED__WHAT_TAKE_OUT, "take out", DEED_ARRANGE},
    };

    for (uint32_t field = 0; field < 70; field++) {
        uint8_t body[3] = {0};
        struct writer w = writer_over(body, sizeof body);
        write_varint(&w, field << 3 | 2);
        write_varint(&w, 0);
        const struct deed_kind *kind =
            sample_game.deed((struct slice){.at = body, .bytes = writer_used(&w)});
        bool society = field >= SEOM__DEED__WHAT_SPLIT && field <= SEOM__DEED__WHAT_CLAIM;
        bool ours = field >= 1 && field <= sizeof known / sizeof known[0];
        assert_int_equal(kind != NULL, society || ours);
        if (ours) {
            assert_int_equal(known[field - 1].what, field);
            assert_string_equal(kind->name, known[field - 1].name);
            assert_int_equal(kind->class, known[field - 1].class);
        }
    }

    static const struct {
        uint8_t bytes[6];
        uint8_t count;
    } malformed[] = {
        {{0}, 0},                                  /* nothing */
        {{0x0a}, 1},                               /* no length */
        {{0x0a, 2, 8}, 3},                         /* too short */
        {{0x0a, 0, 0}, 3},                         /* too long */
        {{0x0a, 0, 0x12, 0}, 4},                   /* two deeds */
        {{0x08, 1}, 2},                            /* a number */
        {{0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f}, 6}, /* a length beyond all bytes */
        {{0x0a, 2, 0x08, 0xff}, 4},                /* a number without end inside */
        {{0x0a, 2, 0x0a, 9}, 4},                   /* bytes without end inside */
        {{0x8a, 0x80, 0x80, 0x80, 0x80, 0x80}, 6}, /* a tag without end */
    };

    for (uint32_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        grounds_ask_body(g, ANN,
                         (struct slice){.at = malformed[i].bytes, .bytes = malformed[i].count});
        grounds_settle(g);
        assert_int_equal(g->people[ANN].code, MALFORMED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pick, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pick_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_animals_bear_no_fruit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pick_with_full_bag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_craft, setup, teardown),
        cmocka_unit_test_setup_teardown(test_craft_without_coins_or_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_market, setup, teardown),
        cmocka_unit_test(test_prices),
        cmocka_unit_test_setup_teardown(test_drop_and_take, setup, teardown),
        cmocka_unit_test_setup_teardown(test_things_of_a_chunk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_things_stay_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_take_across_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_to_take, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_chunk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_build, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chest_on_another_island, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forged_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chest_with_room_for_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chest_is_taken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
    };
    return cmocka_run_group_tests_name("sample_deeds", tests, NULL, NULL);
}
