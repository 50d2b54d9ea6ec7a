/* For tests of this room: the sample game's deeds as players ask for them, through the executor and
 * over the memory store on virtual time: a few people on one island who stand where a test puts
 * them. One test thread.
 */
#ifndef SEOM_RULES_RULES_FIXTURE_H
#define SEOM_RULES_RULES_FIXTURE_H

#include "rules/sample.h"
#include "rules/sample_deeds.h"
#include "rules/sample_kinds.h"
#include "seom.pb-c.h"
#include "society/audit.h"
#include "society/chunk.h"
#include "store/commands.h"
#include "store/desk.h"
#include "store/scratch.h"

#define GROUNDS_PEOPLE  4
#define GROUNDS_ISLAND  3
#define GROUNDS_COLUMNS 20
#define GROUNDS_SEED    7
#define GROUNDS_COINS   20000 /* everybody's first: enough for a full bag of fruit */
#define GROUNDS_PENDING UINT32_MAX

struct grounds_person {
    uint64_t id, seq; /* seq: of the last command that was answered for good */
    struct place at;
    uint8_t body[DEED_BODY_MAX]; /* of the last command */
    size_t body_bytes;
    uint32_t code; /* of the last command; GROUNDS_PENDING: not answered yet */
    /* Of its answer: */
    uint64_t made, mail, coins;
    Seom__Stack gained; /* the first line; kind 0: none */
};

struct grounds {
    struct desk *desk;
    struct ids ids;
    struct society society;
    struct commands *commands;
    struct grounds_person people[GROUNDS_PEOPLE];
    uint32_t jobs; /* that were asked for and not answered yet */
    uint32_t job_code;
    struct scratch scratch; /* of the document looked at last */
};

/* A tree of the island. */
struct grounds_tree {
    uint64_t entity, chunk, chunk_seed;
    uint32_t number;
    struct place place;
};

struct grounds *grounds_alloc(uint64_t seed, enum society_mutant mutant);
void grounds_free(struct grounds *g);

int64_t grounds_now_ms(const struct grounds *g);
void grounds_pass_until(struct grounds *g, int64_t at_ms);
void grounds_settle(struct grounds *g); /* until everything is answered */

/* Asks for a deed, whose message is that of what; the answer is in the person. */
void grounds_ask(struct grounds *g, uint32_t who, Seom__Deed__WhatCase what, void *message);
void grounds_ask_body(struct grounds *g, uint32_t who, struct slice body);
void grounds_ask_again(struct grounds *g, uint32_t who); /* the same, after RETRY_AFTER */
void grounds_job(struct grounds *g, struct place at, struct slice body);

/* These settle and answer the code. */
uint32_t grounds_pick(struct grounds *g, uint32_t who, uint64_t entity);
uint32_t grounds_drop(struct grounds *g, uint32_t who, uint32_t slot, uint32_t count);
uint32_t grounds_take(struct grounds *g, uint32_t who, uint64_t entity);
uint32_t grounds_eat(struct grounds *g, uint32_t who, uint32_t slot);
uint32_t grounds_craft(struct grounds *g, uint32_t who, uint32_t kind);
uint32_t grounds_sell(struct grounds *g, uint32_t who, uint32_t slot, uint32_t count);
uint32_t grounds_buy(struct grounds *g, uint32_t who, uint32_t kind, uint32_t count);
uint32_t grounds_build(struct grounds *g, uint32_t who, uint32_t slot);
uint32_t grounds_put_in(struct grounds *g, uint32_t who, uint64_t chest, uint32_t slot,
                        uint32_t count);
uint32_t grounds_take_out(struct grounds *g, uint32_t who, uint64_t chest, uint32_t slot,
                          uint32_t count);
/* Up to a time; 0: up to now, with an empty body. */
uint32_t grounds_regrow(struct grounds *g, struct place at, int64_t upto_ms);

/* Documents as they stand in the store, until the next look. NULL: there is none. */
const Seom__ChunkDocument *grounds_chunk(struct grounds *g, uint64_t chunk);
const Seom__ChestDocument *grounds_chest(struct grounds *g, uint64_t chest);
const Seom__PlayerDocument *grounds_player(struct grounds *g, uint32_t who);
struct store_doc grounds_bytes(const struct grounds *g, const char *class, uint64_t id);
uint32_t grounds_has(struct grounds *g, uint32_t who, uint32_t kind);  /* so many */
uint32_t grounds_slot(struct grounds *g, uint32_t who, uint32_t kind); /* the first with it */
uint64_t grounds_coins(struct grounds *g, uint32_t who);

/* Of all documents; what it finds is printed. */
struct audit_result grounds_audit(struct grounds *g);

/* The n-th tree of the island. */
struct grounds_tree grounds_tree(uint32_t n);
/* As its closed form says. */
struct sample_tree grounds_form(const struct grounds *g, const struct grounds_tree *tree);
/* Time passes until a stage of it has just begun. */
void grounds_until_stage(struct grounds *g, const struct grounds_tree *tree,
                         enum sample_stage stage);

#endif
