/* What kinds of things a game has, and the rules of value that the deeds of one world share. A game
 * gives the table; deeds reach it through deed_ctx(). Constant; any thread.
 */
#ifndef SEOM_SOCIETY_KINDS_H
#define SEOM_SOCIETY_KINDS_H

#include "base/check.h"
#include "store/deed.h"
#include <stdbool.h>
#include <stdint.h>

#define KINDS_MAX        256
#define BAG_SLOTS_MAX    24
#define CHEST_SLOTS_MAX  40
#define MAIL_SLOTS_MAX   8
#define TRADE_SLOTS_MAX  8
#define COINS_MAX        1000000000000 /* of one holder; far from overflow */
#define INBOX_MAX        64            /* notices; the last ones only for what finds no room */
#define INBOX_ASKED_MAX  48            /* beyond it nobody can send or offer something */
#define INBOX_FROM_ONE   16            /* of one sender, so that nobody can fill another's inbox */
#define TRADES_OPEN_MAX  8             /* own offers */
#define MAIL_TEXT_MAX    200           /* bytes of UTF-8 */
#define MAIL_DAYS        30            /* then what is in it is lost to the world, by the ledger */
#define CHUNK_THINGS_MAX 48            /* that lie or stand in one chunk */

struct kind {
    const char *name;   /* NULL: no such kind */
    uint32_t stack_max; /* 1: single things, each with an id of its own */
};

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum society_mutant {
    SOCIETY_MUTANT_NONE,
    SOCIETY_MUTANT_SPLIT_OVERFLOW, /* counts are added without a check */
    SOCIETY_MUTANT_CLAIM_KEEPS,    /* a claimed mail leaves no tombstone: it stays as it was */
    SOCIETY_MUTANT_OFFER_CHANGED,  /* the hash of an offer is not compared */
    SOCIETY_MUTANT_REGROW_TWICE,   /* a regrow job gives fruit each time it runs */
    SOCIETY_MUTANT_OVERFLOW_APART  /* overflow mail is written in a commit of its own */
};

struct society {
    const struct kind *kinds; /* borrowed; kinds[0] is no kind (coins) */
    uint32_t kinds_count;
    uint64_t first_coins; /* of a new bag, minted */
    enum society_mutant mutant;
};

static inline const struct society *
society_of(const struct deed *deed)
{
    const struct society *society = deed_ctx(deed);
    CHECK(society != NULL);
    return society;
}

/* NULL: no such kind. */
static inline const struct kind *
kind_find(const struct society *society, uint32_t kind)
{
    return kind > 0 && kind < society->kinds_count && society->kinds[kind].name != NULL
               ? &society->kinds[kind]
               : NULL;
}

static inline bool
kind_is_single(const struct kind *kind)
{
    return kind->stack_max == 1;
}

#endif
