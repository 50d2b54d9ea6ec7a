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
/* In the order of keys; fewer than were asked for: there are no more. found is borrowed. */
typedef void store_scanned(void *ctx, uint64_t n, enum store_result result,
                           const struct store_found *found, uint32_t count);
/* Somebody may have changed this document: a hint, which can be missing, late or needless. */
typedef void store_hint(void *ctx, struct slice key);

/* Who scans. Play never does: it knows the keys of what it needs, and its count must stay 0. */
enum store_role { ROLE_PLAY, ROLE_RECOVERY, ROLE_TOOL };

#define STORE_ROLES (ROLE_TOOL + 1)

struct store_stats {
    uint64_t gets, commits, documents;       /* asked */
    uint64_t results[STORE_UNAVAILABLE + 1]; /* of commits */
    uint64_t gets_failed;                    /* gets that were not STORE_OK */
    uint64_t refused;                        /* ERR_FULL at the door */
    uint64_t scans[STORE_ROLES];             /* asked, by who asks */
    uint64_t hints;                          /* heard */
    struct hist get_us, commit_us;           /* from asking to the answer */
};

struct store {
    const struct env *env; /* borrowed */
    struct pool calls; /* what is under way, struct call of store.c; a token is a handle of it */
    struct store_stats stats;
    store_hint *hint; /* may be NULL */
    void *hint_ctx;
};

void store_init(struct store *store, const struct env *env, uint32_t calls_max);
void store_fini(struct store *store); /* answers that come later are a bug of the owner: close the
                                         engine first */
struct store_done store_done(struct store *store);

/* Exactly one call-back for each call that answered OK, never before it returned. Keys and values
 * are copied. ERR_FULL: too many under way; other errors as store_limits.h tells them; values have
 * at most STORE_VALUE_MAX bytes, whatever the engine could bear. */
enum err store_get(struct store *store, struct slice key, store_got *got, void *ctx,
                   uint64_t n) MUST_USE;
enum err store_commit(struct store *store, const struct store_write *writes, uint32_t count,
                      store_committed *committed, void *ctx, uint64_t n) MUST_USE;
/* See env.h. The next page begins after the last key of this one. */
enum err store_scan(struct store *store, enum store_role role, struct slice prefix,
                    struct slice after, uint32_t limit, store_scanned *scanned, void *ctx,
                    uint64_t n) MUST_USE;
/* Hints about the key from now on, or no more; to the one call-back of store_set_hints(). ERR_FULL:
 * too many are watched. */
enum err store_watch(struct store *store, struct slice key, bool on) MUST_USE;
void store_set_hints(struct store *store, store_hint *hint, void *ctx);
uint32_t store_under_way(const struct store *store);
const char *store_result_name(enum store_result result); /* static */

#endif
