/* The directory of a cluster, as a port: a small ordered table of keys and values with one counter
 * of changes (the revision), where an entry can be tied to a lease and goes when the lease does.
 * Implemented in one process (fabric/local_directory.h), by etcd (os/etcd_directory.h) and by the
 * simulator's model (sim/memory_directory.h). Only metadata: who is there, and tables that change
 * once a month.
 *
 * What may be relied on: list and put are strictly in order, a put happens as a whole or not at all
 * and only when what it expects is there, revisions never come twice. What may not: a watch can
 * miss changes and a lease can end while its holder keeps it (or stay long after it died). So both
 * are hints; whoever needs to know lists again.
 *
 * Everything is called on the thread that owns the port; nothing blocks; answers never come from
 * within the call that asked. Every accepted call is answered exactly once, DIRECTORY_CALL_MS later
 * at the latest.
 */
#ifndef SEOM_ENV_DIRECTORY_H
#define SEOM_ENV_DIRECTORY_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define DIRECTORY_KEY_MAX     128
#define DIRECTORY_VALUE_MAX   16384
#define DIRECTORY_ENTRIES_MAX 2048
#define DIRECTORY_LIST_BYTES  (1U << 20) /* keys and values of one list together */
#define DIRECTORY_CALL_MS     5000

enum directory_result {
    DIRECTORY_OK,
    DIRECTORY_CONFLICT,   /* something else is there than was expected; nothing happened */
    DIRECTORY_GONE,       /* there is no such lease; nothing happened */
    DIRECTORY_UNKNOWN,    /* may have happened, or happen later: list to know */
    DIRECTORY_UNAVAILABLE /* nothing happened */
};

struct directory_entry {
    struct slice key;
    struct slice value;       /* empty for a removed one */
    uint64_t create_revision; /* of the put since which it is there; 0: removed */
    uint64_t revision;        /* of the last change */
    uint64_t lease;           /* 0: none */
};

/* Puts (or removes) one key if its last change has the expected revision. */
struct directory_change {
    struct slice key;
    struct slice value;
    uint64_t expected; /* 0: must not be there */
    uint64_t lease;    /* 0: none; unknown lease: DIRECTORY_GONE */
    bool remove;       /* value and lease are not used */
};

/* Why a watch ended; the owner lists again and watches anew from there. */
enum directory_end {
    DIRECTORY_END_CLOSED,   /* the connection broke, or the directory is away */
    DIRECTORY_END_COMPACTED /* what happened since `from` is forgotten */
};

/* Entries and slices are borrowed until the call-back returns. */
struct directory_done {
    void *ctx;
    /* All entries under the prefix as they stood at one revision, in order of their keys; count 0
     * and revision 0 unless DIRECTORY_OK. */
    void (*listed)(void *ctx, uint64_t token, enum directory_result result, uint64_t revision,
                   const struct directory_entry *entries, uint32_t count);
    void (*changed)(void *ctx, uint64_t token, enum directory_result result,
                    uint64_t revision); /* of this change; 0 unless DIRECTORY_OK */
    void (*granted)(void *ctx, uint64_t token, enum directory_result result, uint64_t lease);
    /* kept: DIRECTORY_GONE when the lease is. For revoke: DIRECTORY_OK, its entries are gone. */
    void (*kept)(void *ctx, uint64_t token, enum directory_result result);
    /* Changes of one revision or several, in order. Hints: none for what was missed. */
    void (*seen)(void *ctx, uint64_t revision, const struct directory_entry *entries,
                 uint32_t count);
    void (*watch_ended)(void *ctx, enum directory_end why); /* not after unwatch */
};

struct env_directory {
    void *ctx;
    /* ERR_FULL: too many under way, nothing was accepted. Keys and values are copied. */
    enum err (*list)(void *ctx, uint64_t token, struct slice prefix) MUST_USE;
    enum err (*change)(void *ctx, uint64_t token, const struct directory_change *change) MUST_USE;
    enum err (*grant)(void *ctx, uint64_t token, uint32_t ttl_s) MUST_USE;
    enum err (*keep)(void *ctx, uint64_t token, uint64_t lease) MUST_USE;
    enum err (*revoke)(void *ctx, uint64_t token, uint64_t lease) MUST_USE;
    /* Changes under the prefix from this revision on. A port has at most one watch: a new one takes
     * the place of the old. */
    enum err (*watch)(void *ctx, struct slice prefix, uint64_t from) MUST_USE;
    void (*unwatch)(void *ctx);
};

#endif
