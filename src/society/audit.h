/* The audit: reads all documents once, in any order, and compares what is held with what the ledger
 * says, account by account and kind by kind, so that nothing can be lost here and doubled there
 * without being seen. Used by `seom audit`, by the simulator at the end of a run and by the torture
 * tests.
 *
 * Pure; one thread; memory grows with the number of accounts, up to the limit given.
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
    uint64_t commands;      /* that were done or refused: the sum of last_seq */
    bool balanced;
};

/* One finding. what: in words, static storage until the next call. */
typedef void audit_found(void *ctx, const char *what);

struct audit *audit_alloc(uint64_t accounts_max); /* 0 = 50 million */
void audit_free(struct audit **audit);
/* Any document of the store; those of no value are passed over. ERR_FULL: accounts_max. */
enum err audit_read(struct audit *audit, const struct key_parts *key, struct slice value) MUST_USE;
/* After the last one; tells up to findings_max findings. */
struct audit_result audit_end(struct audit *audit, uint32_t findings_max, audit_found *found,
                              void *ctx);

#endif
