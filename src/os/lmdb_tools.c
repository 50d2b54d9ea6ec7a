#include "os/lmdb_tools.h"
#include "base/check.h"
#include "os/data_lock.h"
#include "os/lmdb_inside.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct slice
text_slice(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* One snapshot from its beginning to its end. */
static int
snapshot_walk(struct lmdb_file *file, const char *prefix, const struct lmdb_walk *walk)
{
    MDB_txn *txn;
    int code = lmdb_begin_reading(file, &txn);
    if (code != MDB_SUCCESS)
        return code;
    code = lmdb_walk(txn, file->documents, text_slice(prefix), (struct slice){0}, walk);
    mdb_txn_abort(txn);
    return code;
}

/* ---- scans ---- */

struct scan {
    lmdb_scan_each *each;
    void *ctx;
    uint64_t *corrupt;
    bool all; /* what was deleted too */
};

static bool
scan_each(void *ctx, struct slice key, const struct store_doc *doc)
{
    const struct scan *s = ctx;
    return (!doc->exists && !s->all) || s->each(s->ctx, key, doc);
}

static void
scan_damaged(void *ctx, struct slice key)
{
    (void)key;
    const struct scan *s = ctx;
    (*s->corrupt)++;
}

static enum err
open_for_tool(struct lmdb_file *file, const char *directory, char *why)
{
    char path[PATH_MAX];
    if (data_lock_is_ours(directory)) {
        snprintf(why, LMDB_STORE_WHY_MAX, "this process has the store in %s open already",
                 directory);
        return ERR_DENIED;
    }
    enum err error = lmdb_file_path(directory, path, why, LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    return lmdb_file_open(file, path, 0, LMDB_FILE_READER, why, LMDB_STORE_WHY_MAX);
}

static enum err
open_copy(struct lmdb_file *file, const char *path, char *why)
{
    return lmdb_file_open(file, path, 0, LMDB_FILE_COPY, why, LMDB_STORE_WHY_MAX);
}

/* Takes the file over and closes it. */
static enum err
file_scan(struct lmdb_file *file, const char *where, const char *prefix, const struct scan *s,
          char *why)
{
    *s->corrupt = 0;
    struct lmdb_walk walk = {
        .ctx = (void *)(uintptr_t)s, .each = scan_each, .damaged = scan_damaged};
    int code = snapshot_walk(file, prefix, &walk);
    lmdb_file_close(file);
    if (code == MDB_SUCCESS)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "cannot read the store in %s: %s", where, mdb_strerror(code));
    return ERR_IO;
}

enum err
lmdb_scan(const char *directory, const char *prefix, lmdb_scan_each *each, void *ctx,
          uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct scan s = {.each = each, .ctx = ctx, .corrupt = corrupt};
    *corrupt = 0;
    enum err error = open_for_tool(&file, directory, why);
    return error == OK ? file_scan(&file, directory, prefix, &s, why) : error;
}

enum err
lmdb_scan_all(const char *directory, const char *prefix, lmdb_scan_each *each, void *ctx,
              uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct scan s = {.each = each, .ctx = ctx, .corrupt = corrupt, .all = true};
    *corrupt = 0;
    enum err error = open_for_tool(&file, directory, why);
    return error == OK ? file_scan(&file, directory, prefix, &s, why) : error;
}

enum err
lmdb_scan_copy_all(const char *path, const char *prefix, lmdb_scan_each *each, void *ctx,
                   uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct scan s = {.each = each, .ctx = ctx, .corrupt = corrupt, .all = true};
    *corrupt = 0;
    enum err error = open_copy(&file, path, why);
    return error == OK ? file_scan(&file, path, prefix, &s, why) : error;
}

enum err
lmdb_scan_copy(const char *path, const char *prefix, lmdb_scan_each *each, void *ctx,
               uint64_t *corrupt, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct scan s = {.each = each, .ctx = ctx, .corrupt = corrupt};
    *corrupt = 0;
    enum err error = open_copy(&file, path, why);
    return error == OK ? file_scan(&file, path, prefix, &s, why) : error;
}

enum err
lmdb_store_scan(struct lmdb_store *store, const char *prefix, lmdb_scan_each *each, void *ctx,
                uint64_t *corrupt)
{
    *corrupt = 0;
    if (atomic_load(&store->failed))
        return ERR_UNAVAILABLE;
    struct scan s = {.each = each, .ctx = ctx, .corrupt = corrupt};
    struct lmdb_walk walk = {.ctx = &s, .each = scan_each, .damaged = scan_damaged};
    pthread_mutex_lock(&store->map_lock);     /* the map stays where it is meanwhile ... */
    pthread_mutex_lock(&store->writing_lock); /* ... unless another process made it larger */
    int code = snapshot_walk(&store->file, prefix, &walk);
    pthread_mutex_unlock(&store->writing_lock);
    pthread_mutex_unlock(&store->map_lock);
    pthread_mutex_lock(&store->stats_lock);
    store->stats.scans++;
    pthread_mutex_unlock(&store->stats_lock);
    return code == MDB_SUCCESS ? OK : ERR_IO;
}

/* ---- verifying ---- */

struct verifying {
    struct lmdb_verified *out;
    lmdb_verify_damaged *damaged;
    void *ctx;
};

static bool
verify_each(void *ctx, struct slice key, const struct store_doc *doc)
{
    const struct verifying *v = ctx;
    *(doc->exists ? &v->out->documents : &v->out->deleted) += 1;
    v->out->bytes += key.bytes + doc->value.bytes;
    return true;
}

static void
verify_damaged(void *ctx, struct slice key)
{
    const struct verifying *v = ctx;
    v->out->damaged++;
    if (v->damaged != NULL)
        v->damaged(v->ctx, key);
}

/* Takes the file over and closes it. */
static enum err
file_verify(struct lmdb_file *file, const char *where, struct verifying *v, char *why)
{
    struct lmdb_walk walk = {.ctx = v, .each = verify_each, .damaged = verify_damaged};
    int code = snapshot_walk(file, "", &walk);
    v->out->used_bytes = lmdb_file_used_bytes(file);
    lmdb_file_close(file);
    if (code != MDB_SUCCESS) {
        snprintf(why, LMDB_STORE_WHY_MAX, "%s cannot be read to its end: %s", where,
                 mdb_strerror(code));
        return ERR_IO;
    }
    if (v->out->damaged == 0)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "%s: %llu documents do not fit their checksums", where,
             (unsigned long long)v->out->damaged);
    return ERR_FORMAT;
}

enum err
lmdb_verify(const char *directory, lmdb_verify_damaged *damaged, void *ctx,
            struct lmdb_verified *out, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct verifying v = {.out = out, .damaged = damaged, .ctx = ctx};
    *out = (struct lmdb_verified){0};
    enum err error = open_for_tool(&file, directory, why);
    return error == OK ? file_verify(&file, directory, &v, why) : error;
}

enum err
lmdb_verify_copy(const char *path, lmdb_verify_damaged *damaged, void *ctx,
                 struct lmdb_verified *out, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    struct verifying v = {.out = out, .damaged = damaged, .ctx = ctx};
    *out = (struct lmdb_verified){0};
    enum err error = open_copy(&file, path, why);
    return error == OK ? file_verify(&file, path, &v, why) : error;
}

/* ---- copying ---- */

static int
copy_write(struct lmdb_file *file, int fd)
{
    int code = mdb_env_copyfd2(file->env, fd, MDB_CP_COMPACT);
    if (code == MDB_MAP_RESIZED && lmdb_file_adopt(file) == MDB_SUCCESS)
        code = mdb_env_copyfd2(file->env, fd, MDB_CP_COMPACT);
    if (code == MDB_SUCCESS && fsync(fd) != 0)
        code = errno;
    return code;
}

enum err
lmdb_copy(const char *directory, const char *path, char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_file file;
    enum err error = open_for_tool(&file, directory, why);
    if (error != OK)
        return error;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error = errno == EEXIST ? ERR_EXISTS : ERR_IO;
        snprintf(why, LMDB_STORE_WHY_MAX, "cannot make %s: %s", path, strerror(errno));
        lmdb_file_close(&file);
        return error;
    }
    int code = copy_write(&file, fd);
    lmdb_file_close(&file);
    if (close(fd) != 0 && code == MDB_SUCCESS)
        code = errno;
    if (code == MDB_SUCCESS && (code = lmdb_file_sync_name(path)) == MDB_SUCCESS)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "cannot copy the store in %s to %s: %s", directory, path,
             mdb_strerror(code));
    unlink(path);
    return ERR_IO;
}
