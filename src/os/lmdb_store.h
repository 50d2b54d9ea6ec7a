/* The embedded store: LMDB behind the store port (env/env.h). One writer thread takes everything
 * that is queued when a transaction begins into that transaction (group commit: one fsync for all
 * of them, default sync mode); one reader thread answers gets meanwhile. Answers wait in a bounded
 * queue and come back on the env's thread, which watches lmdb_store_fd() and calls
 * lmdb_store_deliver().
 *
 * Another process may write the same file beside this one (.beside): what it wrote is seen by the
 * next get and by the next commit's look at versions; hints tell of this process' commits only.
 *
 * Every value lies behind a header {version u64, checksum u64, flags u8}; the checksum (xxHash64)
 * covers key, version, flags and value. A document that does not fit its checksum is reported and
 * answered STORE_UNAVAILABLE, for reading and for writing; all others go on. A delete leaves a
 * tombstone, so that versions grow also across deletes.
 *
 * Failure. 70 % of the limit used: told once. Map full: the map grows and the group is tried again;
 * the file is preallocated, so a full disk shows when the map should grow, and not in the middle of
 * a write: then that group is STORE_UNAVAILABLE and has not happened, and the next group tries
 * again. A failed write or fsync: that group is STORE_UNKNOWN, is never tried again, and from then
 * on the store answers STORE_UNAVAILABLE to everything, reading included (what the page cache shows
 * is no longer what a restart would find), until the process starts anew.
 *
 * Owned by app/; all functions are called on the env's thread. Limits: calls_max calls under way,
 * queue_bytes of commits waiting, STORE_WATCHES_MAX keys watched. Files: <directory>/store.mdb,
 * store.mdb-lock, and lock, which keeps a second server away.
 */
#ifndef SEOM_OS_LMDB_STORE_H
#define SEOM_OS_LMDB_STORE_H

#include "base/err.h"
#include "base/hist.h"
#include "env/env.h"
#include <stdbool.h>
#include <stdint.h>

#define LMDB_STORE_FORMAT      1
#define LMDB_STORE_WHY_MAX     512
#define LMDB_CALLS_DEFAULT     8192
#define LMDB_QUEUE_DEFAULT     (16U << 20)
#define LMDB_MAP_DEFAULT       (64ULL << 20)
#define LMDB_MAP_LIMIT_DEFAULT (64ULL << 30)

struct lmdb_store;

/* 0 = the default above. */
struct lmdb_store_options {
    const char *directory; /* the data directory, made when it is not there (its parent must be) */
    uint32_t calls_max;
    uint32_t queue_bytes;     /* at least STORE_COMMIT_BYTES_MAX + 128 KiB; the default is 16 MiB */
    uint64_t map_bytes;       /* at the first start; grows by itself */
    uint64_t map_bytes_limit; /* not beyond this: a full map is STORE_UNAVAILABLE then */
    bool beside;   /* a tool that writes while a server may run: takes no lock, makes and grows no
                      file */
    void *log_ctx; /* call-back as in struct env, called from lmdb_store_deliver(); may be NULL */
    void (*log)(void *ctx, enum log_level level, const char *event, const char *text);
};

struct lmdb_store_stats {
    uint64_t gets, commits, documents,
        conflicts;                  /* answered; documents: written by commits that were OK */
    uint64_t groups;                /* transactions, each one fsync */
    uint64_t unknown, unavailable;  /* commits answered so */
    uint64_t corrupt;               /* times a checksum did not fit */
    uint64_t refused;               /* ERR_FULL at the door */
    uint64_t scans;                 /* by the port and lmdb_store_scan() */
    uint64_t hints;                 /* told */
    uint64_t map_bytes, used_bytes; /* used: high-water mark of pages */
    bool filling;                   /* 70 % of what it may take, or it cannot grow */
    bool failed;                    /* a write or fsync failed: everything is STORE_UNAVAILABLE */
    struct hist group_us;           /* from the beginning of a transaction to its fsync */
    struct hist group_commits;      /* commits in a group */
};

/* Opens or makes the store. On failure `why` tells a person what is wrong and which path:
 * ERR_DENIED: another process has this data directory (its pid is named); ERR_NEWER: written by a
 * newer seom; ERR_FORMAT: not a store of ours; ERR_IO, ERR_RANGE (options). */
enum err lmdb_store_open(const struct lmdb_store_options *options, struct lmdb_store **out,
                         char why[LMDB_STORE_WHY_MAX]);
/* Writes out everything that was accepted, then closes. Answers not yet delivered are dropped.
 * Nulls the pointer. */
void lmdb_store_close(struct lmdb_store **store);

/* The port; answers go to `done` from now on. */
struct env_store lmdb_store_port(struct lmdb_store *store, struct store_done done);
int lmdb_store_fd(const struct lmdb_store *store); /* readable when there is something to deliver */
uint32_t lmdb_store_deliver(
    struct lmdb_store *store); /* calls back for everything that is ready; how many answers */
uint32_t lmdb_store_under_way(const struct lmdb_store *store); /* accepted and not yet answered */
void lmdb_store_stats(struct lmdb_store *store, struct lmdb_store_stats *out);

/* For the start, never while playing, as it blocks the env's thread: calls `each` for every
 * document that is there and whose key begins with prefix (empty: all), in the order of keys, from
 * one consistent snapshot. each returns false to stop; key and doc are borrowed until it returns.
 * *corrupt counts those left out because their checksum does not fit. Other processes:
 * lmdb_tools.h.
 */
typedef bool lmdb_scan_each(void *ctx, struct slice key, const struct store_doc *doc);

enum err lmdb_store_scan(struct lmdb_store *store, const char *prefix, lmdb_scan_each *each,
                         void *ctx, uint64_t *corrupt);

#endif
