/* A purse: somebody's holdings while a deed works on them, with the account they are kept under.
 * purse_move() is the only way value goes anywhere: it takes from one purse, puts into another and
 * writes the ledger's line, or refuses and leaves all as it was. All arithmetic is checked. The
 * world's purse has no holdings: what comes from it is minted, what goes to it is consumed.
 *
 * Pure functions within a deed; memory is the attempt's.
 */
#ifndef SEOM_SOCIETY_PURSE_H
#define SEOM_SOCIETY_PURSE_H

#include "society/kinds.h"
#include "society/ledger.h"

struct purse {
    struct account account;
    Seom__Holdings *holds; /* NULL: the world */
    uint32_t slots_max;
    const void *document; /* the message of deed_open() it stands in: is written when something
                             moves. NULL: left to whoever made the purse */
};

static inline struct purse
purse_world(void)
{
    return (struct purse){.account = {.kind = SEOM__ACCOUNT_KIND__ACCOUNT_WORLD}};
}

/* The bag in a player's document, the initiator's or another's; made with first coins where there
 * is none yet, ledgered. holds NULL: return DEED_MORE. */
struct purse purse_of_player(struct deed *deed, Seom__PlayerDocument *player, uint64_t id);

/* Any other: *holds is a field of document (may be NULL, see above), made empty where there is
 * none. holds NULL: return DEED_MORE. */
struct purse purse_over(struct deed *deed, Seom__AccountKind kind, uint64_t id,
                        Seom__Holdings **holds, uint32_t slots_max, const void *document);

/* FINE; REFUSED: not there; NO_ROOM: for all of it, or coins beyond COINS_MAX; MALFORMED: no such
 * kind, count 0; DEED_MORE. Not FINE: nothing was changed. what: of a stacking kind {kind, count},
 * of a single thing {kind, 1, uid}; uid 0: a fresh one when it comes from the world, else any of
 * that kind; which one is written into what. From a purse with holdings any slots that have it. */
uint32_t purse_move(struct deed *deed, const struct purse *from, const struct purse *to,
                    Seom__Stack *what, enum reason reason);
/* The same out of one slot of from; *what tells what went. */
uint32_t purse_move_slot(struct deed *deed, const struct purse *from, uint32_t slot, uint32_t count,
                         const struct purse *to, enum reason reason, Seom__Stack *what);
uint32_t purse_move_coins(struct deed *deed, const struct purse *from, const struct purse *to,
                          uint64_t coins, enum reason reason);
/* All that is in from. Not FINE half-way: what went before has gone, by the ledger, so the deed
 * refuses too or keeps from's document. */
uint32_t purse_move_all(struct deed *deed, const struct purse *from, const struct purse *to,
                        enum reason reason);
/* Within one purse, to an empty slot or one of the same kind; no line. */
uint32_t purse_split(struct deed *deed, const struct purse *purse, uint32_t from, uint32_t to,
                     uint32_t count);
bool purse_has_room(const struct deed *deed, const struct purse *purse, const Seom__Stack *what);
bool purse_has_coins_room(const struct purse *purse, uint64_t coins);
bool purse_is_empty(const struct purse *purse);

#endif
