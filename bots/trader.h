/* A trader: a bot that does nothing but things of value, all that the sample game and the society
 * know: picks fruit, buys, sells, eats, crafts, splits, drops and takes up, fills chests, trades
 * and writes mail, and now and then something that must be refused. Each answer is written down, so
 * that an audit can be asked whether everything that was acknowledged happened, and nothing that
 * was refused.
 *
 * Sans-I/O, part of a bot, one thread. Traders of one herd share a struct trades, which the herd
 * owns: whom to trade with, the file of answers, the figures.
 */
#ifndef SEOM_BOTS_TRADER_H
#define SEOM_BOTS_TRADER_H

#include "base/hist.h"
#include "base/rand.h"
#include "client/client.h"
#include <stdio.h>

#define TRADER_SLOTS_MAX   24
#define TRADER_NOTICES_MAX 64
#define TRADER_PEERS_MAX   4096
#define TRADER_REPLICA_MAX 192
#define TRADER_WAYS        20 /* kinds of commands that a trader knows */

struct trades {
    FILE *answers;     /* borrowed; a line "player seq code" for each; NULL: none */
    uint32_t think_ms; /* between an answer and the next command, on average; 0: at once */
    uint64_t peers[TRADER_PEERS_MAX]; /* players that were welcomed, in a ring */
    uint32_t peers_count;
    uint64_t done, refused;
    uint64_t done_by_way[TRADER_WAYS];
    uint64_t shows_lost;   /* views that never came: requests may be lost */
    struct hist answer_us; /* from asking to the answer, outages too */
};

struct trader_slot {
    uint32_t kind, count;
    uint64_t uid;
};

struct trader_notice {
    uint32_t kind;
    uint64_t id, from;
};

enum trader_wait { WAIT_NOTHING, WAIT_VIEW, WAIT_RESULT };

struct trader {
    struct trades *trades;      /* borrowed */
    struct seom_client *client; /* borrowed */
    struct rand chance;
    enum trader_wait wait;
    uint32_t number, what; /* of the view that was asked for */
    uint32_t way;          /* of the command under way */
    int64_t asked_us, due_us;
    bool bag_old, inbox_old;
    uint64_t coins;
    struct trader_slot slots[TRADER_SLOTS_MAX];
    uint32_t slots_count;
    struct trader_notice notices[TRADER_NOTICES_MAX];
    uint32_t notices_count;
    uint64_t trades_open[8];
    uint32_t trades_open_count;
    uint64_t offer, offer_hash; /* that was looked at last; 0: none */
    uint64_t dropped, chest;    /* what this trader laid down and built; 0: nothing */
    uint64_t tree;              /* on the way to */
};

void trader_init(struct trader *t, struct trades *trades, struct seom_client *client,
                 uint64_t seed);
void trader_welcome(struct trader *t, int64_t mono_us);
void trader_shown(struct trader *t, uint32_t number, struct slice view, int64_t mono_us);
void trader_answer(struct trader *t, uint32_t number, int64_t mono_us); /* a refusal to show */
void trader_changed(struct trader *t, uint32_t what);
void trader_result(struct trader *t, uint64_t seq, uint32_t code, struct slice body,
                   int64_t mono_us);
/* Does what is due; returns when it wants to be called again. */
int64_t trader_turn(struct trader *t, int64_t mono_us, int64_t world_ms);
const char *trader_way_name(uint32_t way); /* NULL behind the last one */

#endif
