/* The ledger: each line says that something went from one account to another, so nothing appears or
 * vanishes without one. Lines stand in the document of the player whose command wrote them and are
 * written in the same commit as what they tell; when there are LEDGER_TAIL_MAX, they move into a
 * page of their own, ledger/<player>-<n>, which never changes again.
 *
 * Pure functions within a deed.
 */
#ifndef SEOM_SOCIETY_LEDGER_H
#define SEOM_SOCIETY_LEDGER_H

#include "store/deed.h"

#define KEY_CLASS_LEDGER "ledger"
#define LEDGER_TAIL_MAX  16 /* lines in the player's document before they move */
#define LEDGER_PAGES_MAX (1U << 28)

/* Why. Numbers stand in documents: only ever added. */
#define REASONS(X)                                                       \
    X(NONE, 0, "nothing moved") /* the line only tells of the command */ \
    X(BIRTH, 1, "first coins")  /* world -> player */                    \
    X(PICKED, 2, "picked")      /* world -> player */                    \
    X(EATEN, 3, "eaten")        /* player -> world */                    \
    X(CRAFTED, 4, "crafted")    /* world -> player */                    \
    X(USED_UP, 5, "used up")    /* player -> world, for a craft */       \
    X(SOLD, 6, "sold")          /* both ways with the market */          \
    X(BOUGHT, 7, "bought")                                               \
    X(DROPPED, 8, "dropped") /* player -> ground */                      \
    X(TAKEN, 9, "taken")     /* ground -> player */                      \
    X(STORED, 10, "put into a chest")                                    \
    X(FETCHED, 11, "taken out of a chest")                               \
    X(OFFERED, 12, "offered") /* player -> trade */                      \
    X(TRADED, 13, "traded")                                              \
    X(WITHDRAWN, 14, "withdrawn")      /* trade -> player */             \
    X(SENT, 15, "sent")                /* player -> mail */              \
    X(CLAIMED, 16, "claimed")          /* mail -> player */              \
    X(OVERFLOW, 17, "no room, mailed") /* anywhere -> mail */            \
    X(EXPIRED, 18, "expired")          /* mail -> world */               \
    X(OPERATOR, 19, "by the operator")                                   \
    X(BUILT, 20, "built") /* player -> ground */

#define REASON_ENUM(id, n, text) REASON_##id = n,

enum reason { REASONS(REASON_ENUM) REASON_COUNT };

#undef REASON_ENUM

const char *reason_text(uint32_t reason); /* static; "?" when unknown */

struct account {
    Seom__AccountKind kind;
    uint64_t id; /* player, chest's uid, chunk's id, mail, trade; the world: 0 */
};

/* A line in the initiator's ledger. kind 0: coins. false: no memory, return DEED_MORE. */
bool ledger_write(struct deed *deed, enum reason reason, struct account from, struct account to,
                  const Seom__Stack *what, uint64_t coins);
/* After a deed that said FINE: a line even where nothing moved, so that each command that was done
 * can be found again; and moves the tail into a page when it is long. For
 * commands_options.finish. */
uint32_t ledger_finish(struct deed *deed);
struct key ledger_key(uint16_t world, uint64_t player, uint32_t page);
/* player and page out of a key's name. ERR_FORMAT. */
enum err ledger_key_parse(struct slice name, uint64_t *player, uint32_t *page);

#endif
