#include "rules/sample_deeds.h"
#include "rules/grove.h"
#include "rules/sample.h"
#include "rules/sample_kinds.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "society/deeds.h"
#include "society/mail.h"

/* What the first and last lines of most deeds have in common. */
static struct purse
own_bag(struct deed *deed)
{
    return purse_of_player(deed, deed_player(deed), deed_actor(deed)->player);
}

static bool
bag_has(const struct purse *bag, uint32_t slot, uint32_t goods)
{
    return slot < bag->holds->n_slots && bag->holds->slots[slot]->kind == goods;
}

/* Tells what was gained, if the deed was done. */
static uint32_t
answer_gained(struct deed *deed, uint32_t code, Seom__Stack *what, uint64_t id)
{
    if (code == SEOM__CODE__FINE) {
        Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
        result.id = id;
        result.gained = &what;
        result.n_gained = what != NULL;
        deed_answer(deed, &result);
    }
    return code;
}

/* ---- gathering ---- */

struct orchard {
    uint64_t chunk;
    uint32_t number; /* of the tree in it */
    struct sample_tree tree;
};

/* The tree that an id names, on the island on which the actor stands. */
static bool
tree_find(const struct deed *deed, uint64_t entity, struct orchard *out)
{
    const struct deed_actor *actor = deed_actor(deed);
    uint16_t world;
    uint32_t island, index, columns = actor->island_columns;

    if (!game_thing_parse(entity, &world, &island, &index, &out->number) ||
        world != deed_world(deed) || island != actor->island || columns == 0 ||
        index / columns > UINT16_MAX || index % columns > UINT16_MAX) {
        return false;
    }
    uint16_t cx = (uint16_t)(index % columns), cy = (uint16_t)(index / columns);
    uint64_t seed = game_chunk_seed(actor->world_seed, island, index);
    out->chunk = chunk_id(island, cx, cy);
    return sample_tree(seed, cx, cy, out->number, deed_now_ms(deed), &out->tree);
}

static uint32_t
decide_pick(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_PICK);
    struct orchard at;
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    if (!tree_find(deed, asked->pick->entity, &at)) {
        return SEOM__CODE__NOT_FOUND;
    }
    if (!actor_reaches(deed_actor(deed), at.tree.place)) {
        return SEOM__CODE__TOO_FAR;
    }
    if (at.tree.stage != STAGE_FRUIT) {
        return SEOM__CODE__REFUSED;
    }
    Seom__ChunkDocument *chunk = chunk_open(deed, at.chunk);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    if (!grove_bears(chunk, at.number, at.tree.next_ms)) {
        return SEOM__CODE__NOT_FOUND;
    }
    struct purse bag = own_bag(deed), world = purse_world();
    if (bag.holds == NULL || !grove_pick(deed, chunk, at.number, at.tree.next_ms)) {
        return DEED_MORE;
    }
    deed_put(deed, chunk);
    Seom__Stack fruit = SEOM__STACK__INIT, *gained = &fruit;
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    fruit.kind = GOODS_FRUIT;
    fruit.count = SAMPLE_FRUIT_PER_TREE;
    uint32_t code = mail_move_or_send(deed, &world, &bag, &fruit, REASON_PICKED, &result.mail);
    if (code == SEOM__CODE__FINE) {
        result.gained = &gained;
        result.n_gained = result.mail == 0;
        deed_answer(deed, &result);
    }
    return code;
}

static uint32_t
decide_eat(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_EAT);
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    struct purse bag = own_bag(deed), world = purse_world();
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    if (!bag_has(&bag, asked->eat->slot, GOODS_FRUIT)) {
        return SEOM__CODE__REFUSED;
    }
    Seom__Stack eaten;
    return purse_move_slot(deed, &bag, asked->eat->slot, 1, &world, REASON_EATEN, &eaten);
}

static uint32_t
decide_craft(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_CRAFT);
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    struct sample_recipe recipe = sample_recipe(asked->craft->kind);
    if (recipe.fruit == 0) {
        return SEOM__CODE__MALFORMED;
    }
    struct purse bag = own_bag(deed), world = purse_world();
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    Seom__Stack fruit = SEOM__STACK__INIT, made = SEOM__STACK__INIT;
    fruit.kind = GOODS_FRUIT;
    fruit.count = recipe.fruit;
    made.kind = asked->craft->kind;
    made.count = 1;
    uint32_t code = purse_move(deed, &bag, &world, &fruit, REASON_USED_UP);
    if (code == SEOM__CODE__FINE && recipe.coins > 0) {
        code = purse_move_coins(deed, &bag, &world, recipe.coins, REASON_USED_UP);
    }
    if (code == SEOM__CODE__FINE) {
        code = purse_move(deed, &world, &bag, &made, REASON_CRAFTED);
    }
    return answer_gained(deed, code, &made, made.uid);
}

/* ---- the market ---- */

static uint32_t
decide_sell(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_SELL);
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    struct purse bag = own_bag(deed), world = purse_world();
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    Seom__Stack sold;
    uint32_t code = purse_move_slot(deed, &bag, asked->sell->slot, asked->sell->count, &world,
                                    REASON_SOLD, &sold);
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    uint64_t price = sample_price(sold.kind).sells;
    if (price == 0) {
        return SEOM__CODE__REFUSED;
    }
    Seom__DeedResult result = SEOM__DEED_RESULT__INIT;
    result.coins_gained = price * sold.count;
    code = purse_move_coins(deed, &world, &bag, result.coins_gained, REASON_SOLD);
    if (code == SEOM__CODE__FINE) {
        deed_answer(deed, &result);
    }
    return code;
}

static uint32_t
decide_buy(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_BUY);
    if (asked == NULL || asked->buy->count == 0) {
        return SEOM__CODE__MALFORMED;
    }
    uint64_t price = sample_price(asked->buy->kind).buys;
    if (price == 0) {
        return SEOM__CODE__REFUSED;
    }
    struct purse bag = own_bag(deed), world = purse_world();
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    Seom__Stack bought = SEOM__STACK__INIT;
    bought.kind = asked->buy->kind;
    bought.count = asked->buy->count;
    uint32_t code = purse_move_coins(deed, &bag, &world, price * bought.count, REASON_BOUGHT);
    if (code == SEOM__CODE__FINE) {
        code = purse_move(deed, &world, &bag, &bought, REASON_BOUGHT);
    }
    return answer_gained(deed, code, &bought, 0);
}

/* ---- on the ground ---- */

/* Lays count of a slot where the actor stands, as a thing of its own. A single thing lies under its
 * own id, so that it is the same one wherever it goes. */
static uint32_t
lay_down(struct deed *deed, const struct purse *bag, uint32_t slot, uint32_t count,
         enum sample_kind kind, enum reason reason, uint64_t *id, uint64_t *where)
{
    const struct deed_actor *actor = deed_actor(deed);
    if (!chunk_of_place(actor->island, actor->at, where)) {
        return SEOM__CODE__REFUSED;
    }
    Seom__ChunkDocument *chunk = chunk_open(deed, *where);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    if (chunk_is_full(chunk)) {
        return SEOM__CODE__NO_ROOM;
    }
    Seom__ChunkThing *thing = chunk_add(deed, chunk, kind, actor->at);
    if (thing == NULL) {
        return DEED_MORE;
    }
    struct purse ground = chunk_purse(*where, chunk, thing);
    Seom__Stack what;
    uint32_t code = purse_move_slot(deed, bag, slot, count, &ground, reason, &what);
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    thing->id = what.uid != 0 ? what.uid : deed_id(deed);
    *id = thing->id;
    return thing->id != 0 ? SEOM__CODE__FINE : DEED_MORE;
}

static uint32_t
decide_drop(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_DROP);
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    struct purse bag = own_bag(deed);
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    uint64_t id = 0, where;
    uint32_t code = lay_down(deed, &bag, asked->drop->slot, asked->drop->count, SAMPLE_DROP,
                             REASON_DROPPED, &id, &where);
    return answer_gained(deed, code, NULL, id);
}

#define NEAR_CHUNKS_MAX 4

/* The chunks that the actor reaches into, his own first: at most four, as a reach is less than a
 * chunk. */
static uint32_t
chunks_within_reach(const struct deed_actor *actor, uint64_t chunks[NEAR_CHUNKS_MAX])
{
    static const int8_t corners[5][2] = {{0, 0}, {-1, -1}, {1, -1}, {-1, 1}, {1, 1}};
    CHECK(actor->reach_mm >= 0 && actor->reach_mm < CHUNK_MM);
    uint32_t count = 0;

    for (uint32_t c = 0; c < 5; c++) {
        struct place at;
        uint64_t chunk;
        if (__builtin_add_overflow(actor->at.x_mm, corners[c][0] * actor->reach_mm, &at.x_mm) ||
            __builtin_add_overflow(actor->at.y_mm, corners[c][1] * actor->reach_mm, &at.y_mm) ||
            !chunk_of_place(actor->island, at, &chunk)) {
            continue;
        }
        bool known = false;
        for (uint32_t i = 0; i < count; i++) {
            known |= chunks[i] == chunk;
        }
        if (!known) {
            CHECK(count < NEAR_CHUNKS_MAX);
            chunks[count++] = chunk;
        }
    }
    return count;
}

struct found {
    uint64_t where;
    Seom__ChunkDocument *chunk;
    Seom__ChunkThing *thing;
};

static uint32_t
find_near(struct deed *deed, uint64_t id, struct found *out)
{
    uint64_t chunks[NEAR_CHUNKS_MAX];
    uint32_t count = chunks_within_reach(deed_actor(deed), chunks);

    for (uint32_t i = 0; i < count; i++) {
        Seom__ChunkDocument *chunk = chunk_open(deed, chunks[i]);
        if (chunk == NULL) {
            return DEED_MORE;
        }
        Seom__ChunkThing *thing = chunk_find(chunk, id);
        if (thing != NULL) {
            *out = (struct found){.where = chunks[i], .chunk = chunk, .thing = thing};
            return actor_reaches(deed_actor(deed), chunk_place_of(thing)) ? SEOM__CODE__FINE
                                                                          : SEOM__CODE__TOO_FAR;
        }
    }
    return SEOM__CODE__NOT_FOUND;
}

static Seom__ChestDocument *
chest_open(struct deed *deed, uint64_t id)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_CHEST, id);
    return deed_open(deed, &key, &seom__chest_document__descriptor);
}

static struct purse
chest_purse(uint64_t id, const Seom__ChestDocument *chest)
{
    return (struct purse){.account = {.kind = SEOM__ACCOUNT_KIND__ACCOUNT_CHEST, .id = id},
                          .holds = chest->holds,
                          .slots_max = CHEST_SLOTS_MAX,
                          .document = chest};
}

/* A chest that stands is taken up by its builder, once nothing is in it. */
static uint32_t
chest_take_up(struct deed *deed, uint64_t id)
{
    Seom__ChestDocument *chest = chest_open(deed, id);
    if (chest == NULL) {
        return DEED_MORE;
    }
    if (!deed_exists(deed, chest)) {
        return SEOM__CODE__FINE;
    }
    struct purse inside = chest_purse(id, chest);
    if (chest->owner != deed_actor(deed)->player ||
        (inside.holds != NULL && !purse_is_empty(&inside))) {
        return SEOM__CODE__REFUSED;
    }
    deed_delete(deed, chest);
    return SEOM__CODE__FINE;
}

static uint32_t
decide_take(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_TAKE);
    struct found at;
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    uint32_t code = find_near(deed, asked->take->entity, &at);
    if (code == SEOM__CODE__FINE && at.thing->kind == SAMPLE_CHEST) {
        code = chest_take_up(deed, at.thing->id);
    }
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    struct purse bag = own_bag(deed), ground = chunk_purse(at.where, at.chunk, at.thing);
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    if (ground.holds == NULL || ground.holds->n_slots != 1) {
        return SEOM__CODE__NOT_FOUND;
    }
    Seom__Stack taken;
    code = purse_move_slot(deed, &ground, 0, ground.holds->slots[0]->count, &bag, REASON_TAKEN,
                           &taken);
    if (code == SEOM__CODE__FINE) {
        chunk_remove(at.chunk, at.thing);
    }
    return answer_gained(deed, code, &taken, 0);
}

/* ---- chests ---- */

static uint32_t
decide_build(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_BUILD);
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    struct purse bag = own_bag(deed);
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    if (!bag_has(&bag, asked->build->slot, GOODS_CHEST)) {
        return SEOM__CODE__REFUSED;
    }
    uint64_t id = 0, where;
    uint32_t code =
        lay_down(deed, &bag, asked->build->slot, 1, SAMPLE_CHEST, REASON_BUILT, &id, &where);
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    Seom__ChestDocument *chest = chest_open(deed, id);
    if (chest == NULL) {
        return DEED_MORE;
    }
    chest->owner = deed_actor(deed)->player;
    chest->chunk = where;
    deed_put(deed, chest);
    return answer_gained(deed, SEOM__CODE__FINE, NULL, id);
}

/* The inside of a chest that stands within reach. Its own document tells in which chunk; that it
 * stands there, and where, the chunk's document tells. */
static uint32_t
chest_within_reach(struct deed *deed, uint64_t id, struct purse *out)
{
    const struct deed_actor *actor = deed_actor(deed);
    Seom__ChestDocument *chest = chest_open(deed, id);
    if (chest == NULL) {
        return DEED_MORE;
    }
    if (!deed_exists(deed, chest)) {
        return SEOM__CODE__NOT_FOUND;
    }
    if (chunk_island(chest->chunk) != actor->island) {
        return SEOM__CODE__TOO_FAR;
    }
    const Seom__ChunkDocument *chunk = chunk_open(deed, chest->chunk);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    const Seom__ChunkThing *thing = chunk_find(chunk, id);
    if (thing == NULL || thing->kind != SAMPLE_CHEST) {
        return SEOM__CODE__NOT_FOUND;
    }
    if (!actor_reaches(actor, chunk_place_of(thing))) {
        return SEOM__CODE__TOO_FAR;
    }
    if (chest->holds == NULL) {
        chest->holds = deed_alloc(deed, sizeof *chest->holds);
        if (chest->holds == NULL) {
            return DEED_MORE;
        }
        seom__holdings__init(chest->holds);
    }
    *out = chest_purse(id, chest);
    return SEOM__CODE__FINE;
}

static uint32_t
decide_put_in(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_PUT_IN);
    struct purse inside;
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    uint32_t code = chest_within_reach(deed, asked->put_in->chest, &inside);
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    struct purse bag = own_bag(deed);
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    Seom__Stack put;
    return purse_move_slot(deed, &bag, asked->put_in->slot, asked->put_in->count, &inside,
                           REASON_STORED, &put);
}

static uint32_t
decide_take_out(struct deed *deed)
{
    const Seom__Deed *asked = deed_asked(deed, SEOM__DEED__WHAT_TAKE_OUT);
    struct purse inside;
    if (asked == NULL) {
        return SEOM__CODE__MALFORMED;
    }
    uint32_t code = chest_within_reach(deed, asked->take_out->chest, &inside);
    if (code != SEOM__CODE__FINE) {
        return code;
    }
    struct purse bag = own_bag(deed);
    if (bag.holds == NULL) {
        return DEED_MORE;
    }
    Seom__Stack taken;
    code = purse_move_slot(deed, &inside, asked->take_out->slot, asked->take_out->count, &bag,
                           REASON_FETCHED, &taken);
    return answer_gained(deed, code, &taken, 0);
}

/* ---- regrowing ---- */

static uint32_t
decide_regrow(struct deed *deed)
{
    const struct deed_actor *actor = deed_actor(deed);
    struct slice body = deed_body(deed);
    struct reader r = reader_over(body.at, body.bytes);
    int64_t now_ms = deed_now_ms(deed);
    int64_t upto_ms = body.bytes == 0 ? now_ms : read_i64(&r);
    uint64_t where;

    if (!reader_ok(&r) || reader_left(&r) != 0 ||
        !chunk_of_place(actor->island, actor->at, &where)) {
        return SEOM__CODE__MALFORMED;
    }
    Seom__ChunkDocument *chunk = chunk_open(deed, where);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    if (society_of(deed)->mutant == SOCIETY_MUTANT_REGROW_TWICE) {
        chunk->n_picked = 0; /* forgets each harvest, also of what hangs still */
        deed_put(deed, chunk);
    } else if (grove_regrow(chunk, upto_ms < now_ms ? upto_ms : now_ms)) {
        deed_put(deed, chunk);
    }
    return SEOM__CODE__FINE;
}

const struct deed_kind sample_regrow = {
    .name = "regrow", .class = DEED_GATHER, .decide = decide_regrow};

/* ---- what a command asks for ---- */

static const struct deed_kind deeds[] = {
    [SEOM__DEED__WHAT_PICK] = {.name = "pick",
                               .class = DEED_GATHER,
                               .decide = decide_pick,
                               .around = true},
    [SEOM__DEED__WHAT_DROP] = {.name = "drop",
                               .class = DEED_ARRANGE,
                               .decide = decide_drop,
                               .around = true},
    [SEOM__DEED__WHAT_TAKE] = {.name = "take",
                               .class = DEED_TAKE,
                               .decide = decide_take,
                               .around = true},
    [SEOM__DEED__WHAT_EAT] = {.name = "eat", .class = DEED_GATHER, .decide = decide_eat},
    [SEOM__DEED__WHAT_CRAFT] = {.name = "craft", .class = DEED_GATHER, .decide = decide_craft},
    [SEOM__DEED__WHAT_SELL] = {.name = "sell", .class = DEED_GATHER, .decide = decide_sell},
    [SEOM__DEED__WHAT_BUY] = {.name = "buy", .class = DEED_GATHER, .decide = decide_buy},
    [SEOM__DEED__WHAT_BUILD] = {.name = "build",
                                .class = DEED_ARRANGE,
                                .decide = decide_build,
                                .around = true},
    [SEOM__DEED__WHAT_PUT_IN] = {.name = "put in",
                                 .class = DEED_ARRANGE,
                                 .decide = decide_put_in,
                                 .around = true},
    [SEOM__DEED__WHAT_TAKE_OUT] = {.name = "take out",
                                   .class = DEED_ARRANGE,
                                   .decide = decide_take_out,
                                   .around = true},
};

/* The one field that a body consists of says which deed it is; the deed itself reads the rest. */
const struct deed_kind *
sample_deed(struct slice body)
{
    struct reader r = reader_over(body.at, body.bytes);
    uint64_t tag = read_varint(&r), bytes = read_varint(&r);
    if (bytes > reader_left(&r)) {
        return NULL;
    }
    read_bytes(&r, bytes);
    if (!reader_ok(&r) || reader_left(&r) != 0 || (tag & 7) != 2 /* bytes with a length */) {
        return NULL;
    }
    uint64_t field = tag >> 3;
    if (field < sizeof deeds / sizeof deeds[0] && deeds[field].decide != NULL) {
        return &deeds[field];
    }
    return field <= SEOM__DEED__WHAT_CLAIM ? society_deed((Seom__Deed__WhatCase)field) : NULL;
}
