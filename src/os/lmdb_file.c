#include "os/lmdb_file.h"
#include "base/check.h"
#include "os/lmdb_store.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* The file's own record: a key that no document can have. */
#define FORMAT_KEY "\001format"

static uint64_t
record_checksum(struct slice key, struct record_head head, struct slice value)
{
    uint8_t identity[9 + STORE_KEY_MAX];
    CHECK(key.bytes <= STORE_KEY_MAX);
    struct writer w = writer_over(identity, sizeof identity);
    write_u64(&w, head.version);
    write_u8(&w, head.flags);
    write_bytes(&w, key.at, key.bytes);
    return XXH64(value.at, value.bytes, XXH64(identity, writer_used(&w), 0));
}

void
lmdb_record_write(uint8_t *at, struct slice key, struct record_head head, struct slice value)
{
    CHECK(head.version > 0 && value.bytes <= STORE_VALUE_ENGINE_MAX);
    struct writer w = writer_over(at, RECORD_HEAD_BYTES + value.bytes);
    write_u64(&w, head.version);
    write_u64(&w, record_checksum(key, head, value));
    write_u8(&w, head.flags);
    if (value.bytes > 0)
        write_bytes(&w, value.at, value.bytes);
    CHECK(writer_ok(&w));
}

bool
lmdb_record_read(MDB_val record, struct slice key, struct store_doc *out)
{
    if (record.mv_size < RECORD_HEAD_BYTES || key.bytes > STORE_KEY_MAX)
        return false;
    struct reader r = reader_over(record.mv_data, record.mv_size);
    struct record_head head = {.version = read_u64(&r)};
    uint64_t checksum = read_u64(&r);
    head.flags = read_u8(&r);
    struct slice value = read_bytes(&r, reader_left(&r));
    if (checksum != record_checksum(key, head, value))
        return false;
    bool deleted = (head.flags & RECORD_FLAG_DELETED) != 0;
    *out = (struct store_doc){.version = head.version, .exists = !deleted, .value = value};
    return head.version > 0;
}

bool
lmdb_is_document(MDB_val key)
{
    return key.mv_size > 0 && key.mv_size <= STORE_KEY_MAX &&
           ((const uint8_t *)key.mv_data)[0] > ' ';
}

uint64_t
lmdb_file_used_bytes(const struct lmdb_file *file)
{
    MDB_envinfo info;
    MDB_stat stat;
    CHECK(mdb_env_info(file->env, &info) == MDB_SUCCESS);
    CHECK(mdb_env_stat(file->env, &stat) == MDB_SUCCESS);
    return (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

/* Reserves the blocks, so that a full disk shows here and not in the middle of a commit. A file
 * system that cannot do that is used as it is. */
static enum err
file_preallocate(MDB_env *env, uint64_t bytes)
{
    mdb_filehandle_t fd;
    CHECK(mdb_env_get_fd(env, &fd) == MDB_SUCCESS);
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return OK;
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_UNAVAILABLE : ERR_IO;
}

enum err
lmdb_file_grow(struct lmdb_file *file, uint64_t map_bytes)
{
    CHECK(map_bytes > file->map_bytes);
    enum err error = file_preallocate(file->env, map_bytes);
    if (error != OK)
        return error;
    if (mdb_env_set_mapsize(file->env, map_bytes) != MDB_SUCCESS)
        return ERR_IO;
    file->map_bytes = map_bytes;
    return OK;
}

static bool
is_empty(MDB_txn *txn, MDB_dbi documents)
{
    MDB_stat stat;
    CHECK(mdb_stat(txn, documents, &stat) == MDB_SUCCESS);
    return stat.ms_entries == 0;
}

/* Reads the format; a new file gets ours. */
static enum err
format_check(MDB_txn *txn, MDB_dbi documents, bool writable, const char *path, char *why,
             size_t why_bytes)
{
    MDB_val key = {.mv_size = strlen(FORMAT_KEY), .mv_data = (void *)(uintptr_t)FORMAT_KEY};
    MDB_val value;
    int code = mdb_get(txn, documents, &key, &value);
    if (code == MDB_NOTFOUND && is_empty(txn, documents)) {
        if (!writable)
            return OK; /* nothing was ever written: nothing to read */
        uint8_t ours[4];
        struct writer w = writer_over(ours, sizeof ours);
        write_u32(&w, LMDB_STORE_FORMAT);
        value = (MDB_val){.mv_size = sizeof ours, .mv_data = ours};
        code = mdb_put(txn, documents, &key, &value, 0);
        if (code == MDB_SUCCESS)
            return OK;
        snprintf(why, why_bytes, "%s: cannot write: %s", path, mdb_strerror(code));
        return ERR_IO;
    }
    if (code != MDB_SUCCESS || value.mv_size != 4) {
        snprintf(why, why_bytes, "%s is not a store of seom", path);
        return ERR_FORMAT;
    }
    struct reader r = reader_over(value.mv_data, value.mv_size);
    uint32_t format = read_u32(&r);
    if (format <= LMDB_STORE_FORMAT)
        return OK;
    snprintf(why, why_bytes,
             "%s has data format %u and this seom understands up to %u: it was written by a newer "
             "version; use that one",
             path, format, (unsigned)LMDB_STORE_FORMAT);
    return ERR_NEWER;
}

int
lmdb_file_adopt(struct lmdb_file *file)
{
    int code = mdb_env_set_mapsize(file->env, 0);
    MDB_envinfo info;
    CHECK(mdb_env_info(file->env, &info) == MDB_SUCCESS);
    file->map_bytes = info.me_mapsize;
    return code;
}

int
lmdb_begin_reading(struct lmdb_file *file, MDB_txn **txn)
{
    int code = mdb_txn_begin(file->env, NULL, MDB_RDONLY, txn);
    if (code == MDB_MAP_RESIZED && lmdb_file_adopt(file) == MDB_SUCCESS)
        code = mdb_txn_begin(file->env, NULL, MDB_RDONLY, txn);
    return code;
}

static bool
has_prefix(MDB_val key, struct slice prefix)
{
    return key.mv_size >= prefix.bytes &&
           (prefix.bytes == 0 || memcmp(key.mv_data, prefix.at, prefix.bytes) == 0);
}

/* Onto the first record that is wanted. */
static int
walk_begin(MDB_cursor *cursor, struct slice prefix, struct slice after, MDB_val *key,
           MDB_val *record)
{
    size_t both = prefix.bytes < after.bytes ? prefix.bytes : after.bytes;
    int order = both == 0 ? 0 : memcmp(prefix.at, after.at, both);
    bool behind = after.bytes > 0 && (order < 0 || (order == 0 && after.bytes >= prefix.bytes));
    struct slice from = behind ? after : prefix;
    *key = (MDB_val){.mv_size = from.bytes, .mv_data = (void *)(uintptr_t)from.at};
    int code = mdb_cursor_get(cursor, key, record, from.bytes == 0 ? MDB_FIRST : MDB_SET_RANGE);
    if (behind && code == MDB_SUCCESS && key->mv_size == after.bytes &&
        memcmp(key->mv_data, after.at, after.bytes) == 0)
        code = mdb_cursor_get(cursor, key, record, MDB_NEXT);
    return code;
}

int
lmdb_walk(MDB_txn *txn, MDB_dbi documents, struct slice prefix, struct slice after,
          const struct lmdb_walk *walk)
{
    MDB_cursor *cursor;
    MDB_val key, record;
    int code = mdb_cursor_open(txn, documents, &cursor);
    if (code != MDB_SUCCESS)
        return code;
    code = walk_begin(cursor, prefix, after, &key, &record);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &key, &record, MDB_NEXT)) {
        struct slice name = {key.mv_data, key.mv_size};
        struct store_doc doc;
        if (key.mv_size == strlen(FORMAT_KEY) && memcmp(key.mv_data, FORMAT_KEY, key.mv_size) == 0)
            continue;
        if (!has_prefix(key, prefix))
            break;
        if (!lmdb_is_document(key) || !lmdb_record_read(record, name, &doc))
            walk->damaged(walk->ctx, name);
        else if (!walk->each(walk->ctx, name, &doc))
            break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static enum err
documents_open(struct lmdb_file *file, bool writable, const char *path, char *why, size_t why_bytes)
{
    MDB_txn *txn;
    int code = writable ? mdb_txn_begin(file->env, NULL, 0, &txn) : lmdb_begin_reading(file, &txn);
    if (code == MDB_SUCCESS) {
        code = mdb_dbi_open(txn, NULL, 0, &file->documents);
        if (code != MDB_SUCCESS)
            mdb_txn_abort(txn);
    }
    if (code != MDB_SUCCESS) {
        snprintf(why, why_bytes, "%s: %s", path, mdb_strerror(code));
        return ERR_IO;
    }
    enum err error = format_check(txn, file->documents, writable, path, why, why_bytes);
    if (error != OK) {
        mdb_txn_abort(txn);
        return error;
    }
    code = mdb_txn_commit(txn);
    if (code == MDB_SUCCESS)
        return OK;
    snprintf(why, why_bytes, "%s: cannot write: %s", path, mdb_strerror(code));
    return ERR_IO;
}

/* A new file survives a power cut only when its directory's entry does. */
int
lmdb_file_sync_name(const char *path)
{
    char directory[PATH_MAX];
    const char *name = strrchr(path, '/');
    size_t bytes = name == NULL ? 0 : (size_t)(name - path);
    snprintf(directory, sizeof directory, "%.*s", (int)bytes, path);
    if (bytes == 0)
        snprintf(directory, sizeof directory, name == NULL ? "." : "/");
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

/* Pages that are in use lie behind the end of the file: reading them would be the end of us. */
static bool
is_cut_short(MDB_env *env, uint64_t file_bytes)
{
    MDB_envinfo info;
    MDB_stat stat;
    CHECK(mdb_env_info(env, &info) == MDB_SUCCESS && mdb_env_stat(env, &stat) == MDB_SUCCESS);
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize > file_bytes;
}

static enum err
environment_open(struct lmdb_file *file, const char *path, enum lmdb_file_use use, char *why,
                 size_t why_bytes)
{
    struct stat status = {0};
    bool there = stat(path, &status) == 0;
    bool owner = use == LMDB_FILE_OWNER;
    if (there && owner && status.st_size == 0) {
        snprintf(why, why_bytes,
                 "%s is empty: restore it from a backup, or remove it if nobody has lived here",
                 path);
        return ERR_FORMAT;
    }
    if (there && status.st_size > 0) {
        if ((uint64_t)status.st_size > file->map_bytes)
            file->map_bytes = (uint64_t)status.st_size;
    } else if (!owner) {
        snprintf(why, why_bytes, "there is no store at %s", path);
        return ERR_NOT_FOUND;
    }
    int code = mdb_env_create(&file->env);
    if (code == MDB_SUCCESS && file->map_bytes > 0)
        code = mdb_env_set_mapsize(file->env, file->map_bytes);
    static const unsigned flags_of[] = {[LMDB_FILE_OWNER] = 0,
                                        [LMDB_FILE_GUEST] = 0,
                                        [LMDB_FILE_READER] = MDB_RDONLY,
                                        [LMDB_FILE_COPY] = MDB_RDONLY | MDB_NOLOCK};
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | flags_of[use];
    if (code == MDB_SUCCESS)
        code = mdb_env_open(file->env, path, flags, 0600);
    if (code == MDB_SUCCESS && there && is_cut_short(file->env, (uint64_t)status.st_size)) {
        snprintf(why, why_bytes, "%s is cut short: restore it from a backup", path);
        return ERR_FORMAT;
    }
    if (code == MDB_SUCCESS)
        return OK;
    bool foreign = code == MDB_INVALID || code == MDB_VERSION_MISMATCH;
    snprintf(why, why_bytes,
             foreign ? "%s is not a store of seom (%s): restore it from a backup"
                     : "cannot open %s: %s",
             path, mdb_strerror(code));
    return foreign ? ERR_FORMAT : ERR_IO;
}

enum err
lmdb_file_path(const char *directory, char path[PATH_MAX], char *why, size_t why_bytes)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/store.mdb", directory) < PATH_MAX)
        return OK;
    snprintf(why, why_bytes, "the path of the data directory is too long");
    return ERR_RANGE;
}

enum err
lmdb_file_open(struct lmdb_file *file, const char *path, uint64_t map_bytes, enum lmdb_file_use use,
               char *why, size_t why_bytes)
{
    *file = (struct lmdb_file){.map_bytes = use == LMDB_FILE_OWNER ? map_bytes : 0};
    bool owner = use == LMDB_FILE_OWNER;
    bool writable = owner || use == LMDB_FILE_GUEST;
    enum err error = environment_open(file, path, use, why, why_bytes);
    if (error == OK && owner && (error = file_preallocate(file->env, file->map_bytes)) != OK)
        snprintf(why, why_bytes, "cannot reserve %llu MiB for %s: %s",
                 (unsigned long long)(file->map_bytes >> 20), path, strerror(errno));
    if (error == OK)
        error = documents_open(file, writable, path, why, why_bytes);
    int code = error == OK && owner ? lmdb_file_sync_name(path) : 0;
    if (code != 0) {
        snprintf(why, why_bytes, "cannot sync the directory of %s: %s", path, strerror(code));
        error = ERR_IO;
    }
    if (error != OK && file->env != NULL)
        lmdb_file_close(file);
    return error;
}

void
lmdb_file_close(struct lmdb_file *file)
{
    CHECK(file->env != NULL);
    mdb_env_close(file->env);
    *file = (struct lmdb_file){0};
}
