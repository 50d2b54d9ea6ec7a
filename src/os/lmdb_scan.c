#include "base/check.h"
#include "os/lmdb_file.h"
#include "os/lmdb_store.h"
#include <stdio.h>
#include <string.h>

typedef bool scan_each(void *ctx, struct slice key, const struct store_doc *doc);

static bool
has_prefix(MDB_val key, struct slice prefix)
{
    return key.mv_size >= prefix.bytes && memcmp(key.mv_data, prefix.at, prefix.bytes) == 0;
}

static int
walk(MDB_cursor *cursor, struct slice prefix, scan_each *each, void *ctx, uint64_t *corrupt)
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

enum err
lmdb_scan(const char *directory, const char *prefix, scan_each *each, void *ctx, uint64_t *corrupt,
          char why[LMDB_STORE_WHY_MAX])
{
    *corrupt = 0;
    struct lmdb_file file;
    enum err error = lmdb_file_open(&file, directory, 0, false, why, LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    int code = lmdb_begin_reading(file.env, &txn);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_open(txn, file.documents, &cursor);
    if (code == MDB_SUCCESS)
        code = walk(cursor, (struct slice){(const uint8_t *)prefix, strlen(prefix)}, each, ctx,
                    corrupt);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    if (txn != NULL)
        mdb_txn_abort(txn);
    lmdb_file_close(&file);
    if (code == MDB_SUCCESS)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "cannot read the store in %s: %s", directory,
             mdb_strerror(code));
    return ERR_IO;
}
