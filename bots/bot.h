/* One bot: a client and its way. Sans-I/O like the client, so that tests and the simulator drive it
 * without sockets: give it bytes, call bot_turn() when it is due, send what there is. Owns
 * its client; borrows the flock, what all bots of one herd share. One thread.
 */
#ifndef SEOM_BOTS_BOT_H
#define SEOM_BOTS_BOT_H

#include "bots/plan.h"
#include "bots/prober.h"
#include "bots/trader.h"
#include "client/client.h"

/* A motion goes on for so long after the next one should have come, so that a late frame does not
 * stop the avatar. */
#define BOT_SLACK_MS 1000

/* Shared by the bots of a herd, which owns it. */
struct flock {
    struct plan plan;
    int64_t clock_us;      /* world us - mono us, the best that any client knows; INT64_MAX: none */
    int64_t round_trip_us; /* of that sample */
    int64_t clock_taken_us;
    struct place gather;    /* where a crowd meets on an island that is no square of ours */
    uint32_t gather_island; /* 0: nobody has come yet */
    uint64_t moves;         /* sent by all */
    uint64_t misplaced;     /* bots that did not begin where the plan has them (square islands) */
    struct trades trades;   /* of PROFILE_TRADE */
};

struct observer; /* bots/observer.h */

struct bot {
    struct flock *flock;        /* borrowed */
    struct seom_client *client; /* owned */
    struct observer *observer;  /* borrowed; NULL: this bot only counts */
    struct trader *trader;      /* owned; NULL: walks a way */
    struct prober *prober;      /* borrowed; NULL: asks nothing; not with a trader */
    struct way way;
    struct rand chance;
    int64_t now_us;  /* of the call that is under way */
    int64_t leg_us;  /* mono time of the next leg; INT64_MAX while not playing */
    int64_t turn_us; /* of the client's next turn */
    int64_t welcomed_us;
    uint32_t number;
    uint32_t end_code;   /* of the last line; 0: it just broke */
    int64_t answered_us; /* when the prober's last answered question was asked; 0: none since it
                          * was looked at */
    bool has_way;
};

void flock_init(struct flock *f, const struct plan_options *options);
int64_t flock_world_us(const struct flock *f, int64_t mono_us); /* 0 before anybody was welcomed */

/* ticket: borrowed, may be empty. */
enum err bot_open(struct bot *b, struct flock *flock, uint32_t number, struct slice ticket,
                  struct observer *observer) MUST_USE;
void bot_close(struct bot *b);
/* Bytes that came; errors as of seom_client_input(). */
enum err bot_input(struct bot *b, const uint8_t *bytes, size_t n, int64_t mono_us) MUST_USE;
/* Walks, keeps the line alive; there may be output. Returns when it wants to be called again. */
int64_t bot_turn(struct bot *b, int64_t mono_us);

#endif
