/* The file of the embedded store: opening it with its checks, making it grow, and the form of a
 * record in it. Used by lmdb_store.c (the engine) and lmdb_scan.c (tools), by nobody else.
 *
 * Recipe for changing the form of a record or of the file: raise LMDB_STORE_FORMAT, teach
 * lmdb_file_open() to read the one before, and convert when a document is written anew; a newer
 * format is refused plainly.
 */
#ifndef SEOM_OS_LMDB_FILE_H
#define SEOM_OS_LMDB_FILE_H

#include "env/env.h"
#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Record: version u64, checksum u64, flags u8, then the value. Checksum: xxHash64 of the value,
 * seeded by xxHash64 of {version, flags, key}; so a record under a wrong key does not fit either.
 */
#define RECORD_HEAD_BYTES   17
#define RECORD_FLAG_DELETED 1U

struct record_head {
    uint64_t version;
    uint8_t flags;
};

void lmdb_record_write(uint8_t *at, struct slice key, struct record_head head, struct slice value);
/* false: damaged. */
bool lmdb_record_read(MDB_val record, struct slice key, struct store_doc *out);

struct lmdb_file {
    MDB_env *env; /* owned */
    MDB_dbi documents;
    uint64_t map_bytes;
};

/* Fails with a text in why, and then owns nothing. Writable: makes the file when needed, and
 * preallocates it. */
enum err lmdb_file_open(struct lmdb_file *file, const char *directory, uint64_t map_bytes,
                        bool writable, char *why, size_t why_bytes);
void lmdb_file_close(struct lmdb_file *file);
/* Grows file and map. No transaction may be open in this process. ERR_UNAVAILABLE: no room on the
 * disk. */
enum err lmdb_file_grow(struct lmdb_file *file, uint64_t map_bytes);
/* For tools: a running server may have made the map larger meanwhile. */
int lmdb_begin_reading(MDB_env *env, MDB_txn **txn);
uint64_t lmdb_file_used_bytes(const struct lmdb_file *file); /* high-water mark of pages */
bool lmdb_is_document(MDB_val key); /* and not a record of the file's own */

#endif
