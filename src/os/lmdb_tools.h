/* The embedded store for tools: whole scans, verifying, copies; beside a server that runs, which is
 * not disturbed: each holds one read transaction from its beginning to its end and sees the store
 * as it stood then. What the server frees meanwhile is not used again before that end, so the file
 * may grow; nothing else waits. Whoever wants to write beside a server opens the store with
 * lmdb_store_options.beside.
 *
 * Never while playing. ERR_DENIED, each: this very process has the store open (LMDB bears one
 * opening per process: closing the second one would drop the locks of the first). The functions
 * _copy read a file that nobody writes, as lmdb_copy() made it, and leave nothing beside it.
 */
#ifndef SEOM_OS_LMDB_TOOLS_H
#define SEOM_OS_LMDB_TOOLS_H

#include "os/lmdb_store.h"

/* Of a data directory. See lmdb_store_scan(). */
enum err lmdb_scan(const char *directory, const char *prefix, lmdb_scan_each *each, void *ctx,
                   uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX]) MUST_USE;
enum err lmdb_scan_copy(const char *path, const char *prefix, lmdb_scan_each *each, void *ctx,
                        uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX]) MUST_USE;

/* The same with the graves of what was deleted: exists is false, the version theirs. */
enum err lmdb_scan_all(const char *directory, const char *prefix, lmdb_scan_each *each, void *ctx,
                       uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX]) MUST_USE;
enum err lmdb_scan_copy_all(const char *path, const char *prefix, lmdb_scan_each *each, void *ctx,
                            uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX]) MUST_USE;

struct lmdb_verified {
    uint64_t documents, deleted, damaged;
    uint64_t bytes;      /* of keys and values */
    uint64_t used_bytes; /* of the file: high-water mark of pages */
};

typedef void lmdb_verify_damaged(void *ctx, struct slice key); /* key: may hold any bytes */

/* Reads everything. ERR_FORMAT: checksums that do not fit, each told to `damaged` (may be NULL), or
 * no store of ours; ERR_IO: LMDB's own pages are damaged; *out: as far as it came. */
enum err lmdb_verify(const char *directory, lmdb_verify_damaged *damaged, void *ctx,
                     struct lmdb_verified *out, char why[LMDB_STORE_WHY_MAX]) MUST_USE;
enum err lmdb_verify_copy(const char *path, lmdb_verify_damaged *damaged, void *ctx,
                          struct lmdb_verified *out, char why[LMDB_STORE_WHY_MAX]) MUST_USE;

/* A consistent copy without free pages, durable when it answers OK; as store.mdb in an empty data
 * directory it is a store. ERR_EXISTS: path is there already. A failed one is taken away again. */
enum err lmdb_copy(const char *directory, const char *path, char why[LMDB_STORE_WHY_MAX]) MUST_USE;

#endif
