#include "rules/rules_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
begin_person(struct grounds *g, uint32_t who)
{
    struct grounds_person *person = &g->people[who];
    person->id = (uint64_t)DESK_WORLD << IDS_COUNTER_BITS | (who + 1);
    Seom__PlayerDocument document = SEOM__PLAYER_DOCUMENT__INIT;
    document.session_epoch = 1;
    uint8_t bytes[64];
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, person->id);
    desk_put(g->desk, key.text, bytes, seom__player_document__pack(&document, bytes));
}

struct grounds *
grounds_alloc(uint64_t seed, enum society_mutant mutant)
{
    struct grounds *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->desk = desk_alloc(seed);
    ids_init(&g->ids, &g->desk->store, DESK_WORLD, "thing");
    ids_prepare(&g->ids);
    desk_settle(g->desk);
    g->society = sample_society;
    g->society.first_coins = GROUNDS_COINS;
    g->society.mutant = mutant;
    struct commands_options options = {
        .world = DESK_WORLD, .ctx = &g->society, .finish = ledger_finish};
    g->commands = commands_alloc(&options, &g->desk->store, &g->ids);
    for (uint32_t who = 0; who < GROUNDS_PEOPLE; who++) {
        begin_person(g, who);
    }
    return g;
}

void
grounds_free(struct grounds *g)
{
    commands_free(&g->commands);
    desk_free(g->desk);
    free(g);
}

int64_t
grounds_now_ms(const struct grounds *g)
{
    return env_world_ms(&g->desk->env);
}

void
grounds_pass_until(struct grounds *g, int64_t at_ms)
{
    assert_true(at_ms >= grounds_now_ms(g));
    events_run(&g->desk->schedule, at_ms * 1000);
    assert_int_equal(grounds_now_ms(g), at_ms);
}

void
grounds_settle(struct grounds *g)
{
    for (uint32_t rounds = 0; commands_under_way(g->commands) > 0; rounds++) {
        assert_true(rounds < 100000);
        int64_t next_us = commands_turn(g->commands);
        if (memory_store_under_way(g->desk->memory) > 0) {
            assert_true(events_step(&g->desk->schedule));
        } else if (next_us != INT64_MAX) {
            events_run(&g->desk->schedule, next_us);
        }
    }
    desk_settle(g->desk);
}

/* ---- asking ---- */

static void
on_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct grounds *g = ctx;
    struct grounds_person *person = &g->people[n];
    assert_int_equal(person->code, GROUNDS_PENDING);
    person->code = result->code;
    person->seq += result->code != SEOM__CODE__RETRY_AFTER;
    person->made = person->mail = person->coins = 0;
    seom__stack__init(&person->gained);
    if (result->body.bytes == 0) {
        return;
    }
    scratch_init(&g->scratch);
    Seom__DeedResult *told =
        seom__deed_result__unpack(&g->scratch.allocator, result->body.bytes, result->body.at);
    assert_non_null(told);
    person->made = told->id;
    person->mail = told->mail;
    person->coins = told->coins_gained;
    if (told->n_gained > 0) {
        person->gained = *told->gained[0];
    }
}

static struct deed_actor
actor_at(struct place at)
{
    return (struct deed_actor){.world_seed = GROUNDS_SEED,
                               .island = GROUNDS_ISLAND,
                               .island_columns = GROUNDS_COLUMNS,
                               .at = at,
                               .reach_mm = sample_game.reach_mm(0)};
}

void
grounds_ask_body(struct grounds *g, uint32_t who, struct slice body)
{
    struct grounds_person *person = &g->people[who];
    assert_true(body.bytes <= sizeof person->body);
    if (body.bytes > 0 && body.at != person->body) {
        memcpy(person->body, body.at, body.bytes);
    }
    person->body_bytes = body.bytes;
    struct command command = {.actor = actor_at(person->at),
                              .seq = person->seq + 1,
                              .body = body,
                              .kind = sample_game.deed(body)};
    command.actor.player = person->id;
    command.actor.session_epoch = 1;
    if (command.kind == NULL) { /* the home answers, and the sequence goes on */
        person->code = SEOM__CODE__MALFORMED;
        return;
    }
    person->code = GROUNDS_PENDING;
    assert_int_equal(commands_run(g->commands, &command, on_done, g, who), OK);
}

void
grounds_ask_again(struct grounds *g, uint32_t who)
{
    struct grounds_person *person = &g->people[who];
    assert_int_equal(person->code, SEOM__CODE__RETRY_AFTER);
    grounds_ask_body(g, who, (struct slice){.at = person->body, .bytes = person->body_bytes});
}

void
grounds_ask(struct grounds *g, uint32_t who, Seom__Deed__WhatCase what, void *message)
{
    uint8_t body[DEED_BODY_MAX];
    Seom__Deed deed = SEOM__DEED__INIT;
    deed.what_case = what;
    deed.pick = message; /* all members are pointers to messages */
    assert_true(seom__deed__get_packed_size(&deed) <= sizeof body);
    size_t bytes = seom__deed__pack(&deed, body);
    grounds_ask_body(g, who, (struct slice){.at = body, .bytes = bytes});
}

static void
on_job_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct grounds *g = ctx;
    (void)n;
    g->jobs--;
    g->job_code = result->code;
}

void
grounds_job(struct grounds *g, struct place at, struct slice body)
{
    struct deed_actor actor = actor_at(at);
    g->jobs++;
    assert_int_equal(commands_job(g->commands, &actor, sample_game.regrow, body, on_job_done, g, 0),
                     OK);
}

static uint32_t
settled(struct grounds *g, uint32_t who)
{
    grounds_settle(g);
    assert_int_not_equal(g->people[who].code, GROUNDS_PENDING);
    return g->people[who].code;
}

uint32_t
grounds_pick(struct grounds *g, uint32_t who, uint64_t entity)
{
    Seom__Pick m = SEOM__PICK__INIT;
    m.entity = entity;
    grounds_ask(g, who, SEOM__DEED__WHAT_PICK, &m);
    return settled(g, who);
}

uint32_t
grounds_drop(struct grounds *g, uint32_t who, uint32_t slot, uint32_t count)
{
    Seom__Drop m = SEOM__DROP__INIT;
    m.slot = slot;
    m.count = count;
    grounds_ask(g, who, SEOM__DEED__WHAT_DROP, &m);
    return settled(g, who);
}

uint32_t
grounds_take(struct grounds *g, uint32_t who, uint64_t entity)
{
    Seom__Take m = SEOM__TAKE__INIT;
    m.entity = entity;
    grounds_ask(g, who, SEOM__DEED__WHAT_TAKE, &m);
    return settled(g, who);
}

uint32_t
grounds_eat(struct grounds *g, uint32_t who, uint32_t slot)
{
    Seom__Eat m = SEOM__EAT__INIT;
    m.slot = slot;
    grounds_ask(g, who, SEOM__DEED__WHAT_EAT, &m);
    return settled(g, who);
}

uint32_t
grounds_craft(struct grounds *g, uint32_t who, uint32_t kind)
{
    Seom__Craft m = SEOM__CRAFT__INIT;
    m.kind = kind;
    grounds_ask(g, who, SEOM__DEED__WHAT_CRAFT, &m);
    return settled(g, who);
}

uint32_t
grounds_sell(struct grounds *g, uint32_t who, uint32_t slot, uint32_t count)
{
    Seom__Sell m = SEOM__SELL__INIT;
    m.slot = slot;
    m.count = count;
    grounds_ask(g, who, SEOM__DEED__WHAT_SELL, &m);
    return settled(g, who);
}

uint32_t
grounds_buy(struct grounds *g, uint32_t who, uint32_t kind, uint32_t count)
{
    Seom__Buy m = SEOM__BUY__INIT;
    m.kind = kind;
    m.count = count;
    grounds_ask(g, who, SEOM__DEED__WHAT_BUY, &m);
    return settled(g, who);
}

uint32_t
grounds_build(struct grounds *g, uint32_t who, uint32_t slot)
{
    Seom__Build m = SEOM__BUILD__INIT;
    m.slot = slot;
    grounds_ask(g, who, SEOM__DEED__WHAT_BUILD, &m);
    return settled(g, who);
}

uint32_t
grounds_put_in(struct grounds *g, uint32_t who, uint64_t chest, uint32_t slot, uint32_t count)
{
    Seom__PutIn m = SEOM__PUT_IN__INIT;
    m.chest = chest;
    m.slot = slot;
    m.count = count;
    grounds_ask(g, who, SEOM__DEED__WHAT_PUT_IN, &m);
    return settled(g, who);
}

uint32_t
grounds_take_out(struct grounds *g, uint32_t who, uint64_t chest, uint32_t slot, uint32_t count)
{
    Seom__TakeOut m = SEOM__TAKE_OUT__INIT;
    m.chest = chest;
    m.slot = slot;
    m.count = count;
    grounds_ask(g, who, SEOM__DEED__WHAT_TAKE_OUT, &m);
    return settled(g, who);
}

uint32_t
grounds_regrow(struct grounds *g, struct place at, int64_t upto_ms)
{
    uint8_t bytes[8];
    struct writer w = writer_over(bytes, sizeof bytes);
    write_i64(&w, upto_ms);
    grounds_job(g, at, (struct slice){.at = bytes, .bytes = upto_ms == 0 ? 0 : writer_used(&w)});
    grounds_settle(g);
    assert_int_equal(g->jobs, 0);
    return g->job_code;
}

/* ---- looking ---- */

struct store_doc
grounds_bytes(const struct grounds *g, const char *class, uint64_t id)
{
    struct key key = key_make(DESK_WORLD, class, id);
    return desk_look(g->desk, key.text);
}

static const void *
look(struct grounds *g, const char *class, uint64_t id, const ProtobufCMessageDescriptor *type)
{
    struct store_doc doc = grounds_bytes(g, class, id);
    if (!doc.exists) {
        return NULL;
    }
    scratch_init(&g->scratch);
    void *message =
        protobuf_c_message_unpack(type, &g->scratch.allocator, doc.value.bytes, doc.value.at);
    assert_non_null(message);
    return message;
}

const Seom__ChunkDocument *
grounds_chunk(struct grounds *g, uint64_t chunk)
{
    return look(g, KEY_CLASS_CHUNK, chunk, &seom__chunk_document__descriptor);
}

const Seom__ChestDocument *
grounds_chest(struct grounds *g, uint64_t chest)
{
    return look(g, KEY_CLASS_CHEST, chest, &seom__chest_document__descriptor);
}

const Seom__PlayerDocument *
grounds_player(struct grounds *g, uint32_t who)
{
    return look(g, KEY_CLASS_PLAYER, g->people[who].id, &seom__player_document__descriptor);
}

uint32_t
grounds_has(struct grounds *g, uint32_t who, uint32_t kind)
{
    const Seom__Holdings *bag = grounds_player(g, who)->bag;
    uint32_t count = 0;
    for (size_t i = 0; bag != NULL && i < bag->n_slots; i++) {
        count += bag->slots[i]->kind == kind ? bag->slots[i]->count : 0;
    }
    return count;
}

uint32_t
grounds_slot(struct grounds *g, uint32_t who, uint32_t kind)
{
    const Seom__Holdings *bag = grounds_player(g, who)->bag;
    uint32_t slot = 0;
    while (bag != NULL && slot < bag->n_slots && bag->slots[slot]->kind != kind) {
        slot++;
    }
    assert_true(bag != NULL && slot < bag->n_slots);
    return slot;
}

uint64_t
grounds_coins(struct grounds *g, uint32_t who)
{
    const Seom__Holdings *bag = grounds_player(g, who)->bag;
    return bag != NULL ? bag->coins : 0;
}

struct walk {
    struct audit *audit;
    struct key last;
    bool more;
};

static void
on_scanned(void *ctx, uint64_t n, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct walk *walk = ctx;
    (void)n;
    assert_int_equal(result, STORE_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct key_parts parts;
        assert_int_equal(key_parse(found[i].key, &parts), OK);
        assert_int_equal(audit_read(walk->audit, &parts, found[i].doc.value), OK);
        memcpy(walk->last.text, found[i].key.at, found[i].key.bytes);
        walk->last.bytes = (uint8_t)found[i].key.bytes;
    }
    walk->more = count == STORE_SCAN_MAX;
}

static void
on_found(void *ctx, const char *what)
{
    (void)ctx;
    print_message("audit: %s\n", what);
}

struct audit_result
grounds_audit(struct grounds *g)
{
    struct walk walk = {.audit = audit_alloc(0), .more = true};
    while (walk.more) {
        struct slice after = {.at = (const uint8_t *)walk.last.text, .bytes = walk.last.bytes};
        assert_int_equal(store_scan(&g->desk->store, ROLE_TOOL, (struct slice){0}, after,
                                    STORE_SCAN_MAX, on_scanned, &walk, 0),
                         OK);
        desk_settle(g->desk);
    }
    struct audit_result result = audit_end(walk.audit, 8, on_found, NULL);
    audit_free(&walk.audit);
    return result;
}

/* ---- trees ---- */

struct grounds_tree
grounds_tree(uint32_t n)
{
    for (uint32_t index = 0; index < GROUNDS_COLUMNS * GROUNDS_COLUMNS; index++) {
        uint16_t cx = (uint16_t)(index % GROUNDS_COLUMNS), cy = (uint16_t)(index / GROUNDS_COLUMNS);
        uint64_t seed = game_chunk_seed(GROUNDS_SEED, GROUNDS_ISLAND, index);
        for (uint32_t number = 0; number < SAMPLE_THINGS_MAX; number++) {
            struct sample_tree form;
            if (!sample_tree(seed, cx, cy, number, 0, &form) || n-- > 0) {
                continue;
            }
            return (struct grounds_tree){
                .entity = game_thing_entity(DESK_WORLD, GROUNDS_ISLAND, index, number),
                .chunk = chunk_id(GROUNDS_ISLAND, cx, cy),
                .chunk_seed = seed,
                .number = number,
                .place = form.place};
        }
    }
    fail_msg("the island has fewer trees");
    return (struct grounds_tree){0};
}

struct sample_tree
grounds_form(const struct grounds *g, const struct grounds_tree *tree)
{
    struct sample_tree form;
    assert_true(sample_tree(tree->chunk_seed, chunk_cx(tree->chunk), chunk_cy(tree->chunk),
                            tree->number, grounds_now_ms(g), &form));
    return form;
}

void
grounds_until_stage(struct grounds *g, const struct grounds_tree *tree, enum sample_stage stage)
{
    do {
        grounds_pass_until(g, grounds_form(g, tree).next_ms);
    } while (grounds_form(g, tree).stage != stage);
}
