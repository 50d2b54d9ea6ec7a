/* The audit: reads all documents once, in any order, and compares what is held with what the ledger
 * says, account by account and kind by kind, and thing by thing for single things, so that nothing
 * can be lost here and doubled there without being seen. Where the ledger itself has gaps or says
 * something twice, that is a finding too, and so is value that nobody can reach: a mail of which no
 * inbox tells, a chest that stands nowhere. Used by `seom audit`, by the simulator at the end of a
 * run and by the torture tests.
 *
 * Knows no game: a kind is a number, coins are kind 0, a thing with a uid is single. Accounts are
 * called as the keys of their documents; the ground is called by its chunk. Two rules it learns
 * from the documents themselves: where one thing that stands under its own uid has an inside, a
 * document chest/<uid>, all that stand there as the same kind of thing in a chunk have one (told of
 * the first 64 such kinds); and in a world where anybody was given first coins, everybody was who
 * has a bag.
 *
 * Pure; one thread. Memory: 72 bytes for each player, 56 for each single thing that there is, 32
 * for each mail and each open offer, 24 for each 64 neighbouring uids one of which was used up, 24
 * for each kind of an account that the lines in its own document do not explain; times up to 4
 * while a table grows; and 256 KiB.
 */
#ifndef SEOM_SOCIETY_AUDIT_H
#define SEOM_SOCIETY_AUDIT_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/keys.h"
#include <stdbool.h>
#include <stdint.h>

struct audit;

struct audit_result {
    uint64_t documents;              /* of value that were read */
    uint64_t unreadable;             /* that could not be */
    uint64_t minted, held, consumed; /* things, all kinds together */
    uint64_t coins_minted, coins_held, coins_consumed;
    uint64_t doubled, lost; /* things and coins held above / below what the ledger says; a uid in
                               two places is doubled */
    uint64_t faults;        /* documents and lines that cannot be right, whatever the sums say */
    uint64_t findings;      /* all, also those that were not told */
    uint64_t commands;      /* that were done or refused: the sum of last_seq */
    bool balanced;          /* no findings */
};

/* One finding. what: in words, valid until the call-back returns. */
typedef void audit_found(void *ctx, const char *what);

/* accounts_max limits each of: kinds of an account, single things, players, mails with offers, and
 * neighbourhoods of used up uids. 0 = 50 million. */
struct audit *audit_alloc(uint64_t accounts_max);
void audit_free(struct audit **audit);
/* Any document of the store; those of no value are passed over. ERR_FULL: accounts_max or no
 * memory; the audit is over. */
enum err audit_read(struct audit *audit, const struct key_parts *key, struct slice value) MUST_USE;
/* After the last one; tells up to findings_max findings. found may be NULL when that is 0. */
struct audit_result audit_end(struct audit *audit, uint32_t findings_max, audit_found *found,
                              void *ctx);

#endif
