#include "base/check.h"
#include "os/data_lock.h"
#include "os/lmdb_inside.h"
#include <stdio.h>
#include <string.h>

static bool
has_prefix(MDB_val key, struct slice prefix)
{
    return key.mv_size >= prefix.bytes && memcmp(key.mv_data, prefix.at, prefix.bytes) == 0;
}

static int
walk(MDB_cursor *cursor, struct slice prefix, lmdb_scan_each *each, void *ctx, uint64_t *corrupt)
{
    CHECK(prefix.bytes > 0 && prefix.bytes <= STORE_KEY_MAX);
    MDB_val key = {.mv_size = prefix.bytes, .mv_data = (void *)(uintptr_t)prefix.at};
    MDB_val record;
    int code = mdb_cursor_get(cursor, &key, &record, MDB_SET_RANGE);
    for (; code == MDB_SUCCESS && has_prefix(key, prefix);
         code = mdb_cursor_get(cursor, &key, &record, MDB_NEXT)) {
        struct slice name = {key.mv_data, key.mv_size};
        struct store_doc doc;
        if (!lmdb_is_document(key) || !lmdb_record_read(record, name, &doc))
            (*corrupt)++;
        else if (doc.exists && !each(ctx, name, &doc))
            break;
    }
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int
scan(const struct lmdb_file *file, const char *prefix, lmdb_scan_each *each, void *ctx,
     uint64_t *corrupt)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int code = lmdb_begin_reading(file->env, &txn);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_cursor_open(txn, file->documents, &cursor);
    if (code == MDB_SUCCESS) {
        code = walk(cursor, (struct slice){(const uint8_t *)prefix, strlen(prefix)}, each, ctx,
                    corrupt);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return code;
}

enum err
lmdb_scan(const char *directory, const char *prefix, lmdb_scan_each *each, void *ctx,
          uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX])
{
    *corrupt = 0;
    if (data_lock_is_ours(directory)) {
        snprintf(why, LMDB_STORE_WHY_MAX, "this process has the store in %s open already",
                 directory);
        return ERR_DENIED;
    }
    struct lmdb_file file;
    enum err error = lmdb_file_open(&file, directory, 0, false, why, LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    int code = scan(&file, prefix, each, ctx, corrupt);
    lmdb_file_close(&file);
    if (code == MDB_SUCCESS)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "cannot read the store in %s: %s", directory,
             mdb_strerror(code));
    return ERR_IO;
}

enum err
lmdb_store_scan(struct lmdb_store *store, const char *prefix, lmdb_scan_each *each, void *ctx,
                uint64_t *corrupt)
{
    *corrupt = 0;
    if (atomic_load(&store->failed))
        return ERR_UNAVAILABLE;
    pthread_mutex_lock(&store->map_lock); /* the map stays where it is meanwhile */
    int code = scan(&store->file, prefix, each, ctx, corrupt);
    pthread_mutex_unlock(&store->map_lock);
    pthread_mutex_lock(&store->stats_lock);
    store->stats.scans++;
    pthread_mutex_unlock(&store->stats_lock);
    return code == MDB_SUCCESS ? OK : ERR_IO;
}
