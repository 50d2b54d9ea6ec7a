/* The document player/<id>: what a player is and has. It is of value: written through by commits
 * and acknowledged when it is durable. It also says who is home to the player: session_epoch,
 * raised by one with every claim; the highest wins. With a claim goes where that home keeps the
 * player's place (place.h), and where the player stood.
 *
 * An operation is a state machine in a slot of a bounded pool: read, write, and after an UNKNOWN
 * read again; each writes a nonce of its own, by which it knows its own write again. Unknown fields
 * (of newer versions) survive rewriting. Logic room, one thread.
 */
#ifndef SEOM_STORE_PLAYER_H
#define SEOM_STORE_PLAYER_H

#include "base/err.h"
#include "base/pool.h"
#include "store/place.h"
#include "store/store.h"
#include <stdint.h>

#define PLAYER_NAME_MAX   64  /* bytes of UTF-8 */
#define PLAYER_RESULT_MAX 256 /* bytes of the last command's result */

/* What a home writes of itself when it claims. */
struct player_home {
    uint64_t node;          /* 0: nobody is home */
    struct place_slot slot; /* page 0: none, or the place is kept as in older worlds */
    struct stand stood;     /* island 0: not known */
    uint64_t claimant;      /* for whom it was claimed: by it a gate's claim whose answer was lost
                               is known from somebody else's */
};

struct player {
    uint64_t id;
    uint64_t version; /* of the document */
    char name[PLAYER_NAME_MAX + 1];
    int64_t created_ms; /* world time */
    uint64_t session_epoch;
    struct player_home home; /* who claimed last */
    uint64_t last_seq, last_hash;
    uint32_t last_result_bytes;
    uint8_t last_result[PLAYER_RESULT_MAX];
};

/* OK: player is set (borrowed until the call-back returns). Else it is NULL: ERR_NOT_FOUND (load,
 * claim), ERR_EXISTS (create), ERR_CONFLICT: changed under us too often; ERR_UNAVAILABLE: the store
 * is away, nothing was written; ERR_UNKNOWN: the same, but it may have been, which a later claim
 * puts right; ERR_FORMAT: the document is none of ours. */
typedef void player_done(void *ctx, uint64_t n, enum err result, const struct player *player);
/* Asked with the document as it stands, each time before a claim is written (when somebody else was
 * faster, again); fills in what of the home is to be written. false: nothing is written, the claim
 * ends with ERR_DENIED. */
typedef bool player_choice(void *ctx, uint64_t n, const struct player *player,
                           struct player_home *home);

struct players {
    struct store *store; /* borrowed */
    uint16_t world;
    struct pool operations; /* struct operation of player.c */
    uint64_t loads, creates, claims, leaves, resolved, conflicts,
        failures; /* resolved: UNKNOWN cleared up by reading */
};

void players_init(struct players *players, struct store *store, uint16_t world,
                  uint32_t operations_max);
void players_fini(struct players *players);

/* ERR_FULL: too many under way, no call-back will come. Otherwise exactly one comes, never before
 * these return. */
enum err player_load(struct players *players, uint64_t id, player_done *done, void *ctx,
                     uint64_t n);
/* A new player with this home, and session_epoch 1. name: at most PLAYER_NAME_MAX bytes, else
 * ERR_TOO_LARGE. */
enum err player_create(struct players *players, uint64_t id, struct slice name,
                       const struct player_home *home, player_done *done, void *ctx, uint64_t n);
/* node becomes home: session_epoch + 1. choice NULL: whoever is home now, and where the place is
 * kept stays as it is. */
enum err player_claim(struct players *players, uint64_t id, uint64_t node, player_choice *choice,
                      player_done *done, void *ctx, uint64_t n);
/* Nobody is home any more, and the document alone says where the player stood; claimant stays whose
 * session it was. ERR_DENIED: that session is over already. */
enum err player_leave(struct players *players, uint64_t id, uint64_t session_epoch,
                      const struct stand *stood, player_done *done, void *ctx, uint64_t n);
uint32_t players_under_way(const struct players *players);
enum err player_decode(uint64_t id, const struct store_doc *doc,
                       struct player *out); /* also for tools */

#endif
