/* The file of the embedded store: opening it with its checks, making it grow, and the form of a
 * record in it. Used by the engine (lmdb_store.c) and by lmdb_tools.c, by nobody else.
 *
 * Recipe for changing the form of a record or of the file: raise LMDB_STORE_FORMAT, teach
 * lmdb_file_open() to read the one before, and convert when a document is written anew; a newer
 * format is refused plainly.
 */
#ifndef SEOM_OS_LMDB_FILE_H
#define SEOM_OS_LMDB_FILE_H

#include "env/env.h"
#include <limits.h>
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

/* OWNER: makes the file when needed and preallocates it. GUEST: writes beside the owner, in the
 * file as it is. READER: beside both. COPY: reads a file that nobody writes, and leaves nothing
 * behind. */
enum lmdb_file_use { LMDB_FILE_OWNER, LMDB_FILE_GUEST, LMDB_FILE_READER, LMDB_FILE_COPY };

/* Fails with a text in why, and then owns nothing. map_bytes: of the owner. */
enum err lmdb_file_open(struct lmdb_file *file, const char *path, uint64_t map_bytes,
                        enum lmdb_file_use use, char *why, size_t why_bytes);
/* <directory>/store.mdb. ERR_RANGE: too long. */
enum err lmdb_file_path(const char *directory, char path[PATH_MAX], char *why, size_t why_bytes);
void lmdb_file_close(struct lmdb_file *file);
/* Grows file and map. No transaction may be open in this process. ERR_UNAVAILABLE: no room on the
 * disk. */
enum err lmdb_file_grow(struct lmdb_file *file, uint64_t map_bytes);
/* Another process made the map larger: takes that over. No transaction may be open. */
int lmdb_file_adopt(struct lmdb_file *file);
/* Adopts by itself. */
int lmdb_begin_reading(struct lmdb_file *file, MDB_txn **txn);

/* Calls for each record whose key begins with prefix and stands behind `after`, in their order,
 * deleted ones too; each returns false to stop. damaged: the checksum does not fit. */
struct lmdb_walk {
    void *ctx;
    bool (*each)(void *ctx, struct slice key, const struct store_doc *doc);
    void (*damaged)(void *ctx, struct slice key);
};

int lmdb_walk(MDB_txn *txn, MDB_dbi documents, struct slice prefix, struct slice after,
              const struct lmdb_walk *walk);
int lmdb_file_sync_name(const char *path); /* the entry in its directory; 0 or an errno */
uint64_t lmdb_file_used_bytes(const struct lmdb_file *file); /* high-water mark of pages */
bool lmdb_is_document(MDB_val key); /* and not a record of the file's own */

#endif
