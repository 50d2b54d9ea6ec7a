/* The counter of the store: whoever wants a document asks here with a call-back of his own, and one
 * struct store turns the port's tokens back into those call-backs. It counts, measures and limits
 * what is under way.
 *
 * Logic room, one thread. Owned by whoever owns the env. Order of building: store_init, then the
 * engine, connected with store_done(), whose port goes into env->store; nothing may be asked before
 * that.
 */
#ifndef SEOM_STORE_STORE_H
#define SEOM_STORE_STORE_H

#include "base/err.h"
#include "base/hist.h"
#include "base/pool.h"
#include "env/env.h"
#include <stdint.h>

/* n is handed through from the call. doc: NULL unless STORE_OK; its value is borrowed until the
 * call-back returns. Write a switch without default: the compiler then insists on an answer to each
 * result. */
typedef void store_got(void *ctx, uint64_t n, enum store_result result,
                       const struct store_doc *doc);
typedef void store_committed(void *ctx, uint64_t n, enum store_result result);

struct store_stats {
    uint64_t gets, commits, documents;       /* asked */
    uint64_t results[STORE_UNAVAILABLE + 1]; /* of commits */
    uint64_t gets_failed;                    /* gets that were not STORE_OK */
    uint64_t refused;                        /* ERR_FULL at the door */
    struct hist get_us, commit_us;           /* from asking to the answer */
};

struct store {
    const struct env *env; /* borrowed */
    struct pool calls; /* what is under way, struct call of store.c; a token is a handle of it */
    struct store_stats stats;
};

void store_init(struct store *store, const struct env *env, uint32_t calls_max);
void store_fini(struct store *store); /* answers that come later are a bug of the owner: close the
                                         engine first */
struct store_done store_done(struct store *store);

/* Exactly one call-back for each call that answered OK, never before it returned. Keys and values
 * are copied. ERR_FULL: too many under way; other errors as store_limits.h tells them. */
enum err store_get(struct store *store, struct slice key, store_got *got, void *ctx, uint64_t n);
enum err store_commit(struct store *store, const struct store_write *writes, uint32_t count,
                      store_committed *committed, void *ctx, uint64_t n);
uint32_t store_under_way(const struct store *store);
const char *store_result_name(enum store_result result); /* static */

#endif
