/* LMDB called directly, in its own file in the same directory: default sync mode, file and map as
 * large as the store's, one thread. Its records have a header of the store's size, in front the
 * version that each write checks; there is no checksum, no queue and no other thread. */
#include "app/bench_scratch.h"
#include "app/bench_store.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 17 /* version, and what a checksum and flags would take */
#define FILL_GROUP 4096

struct bench_raw {
    MDB_env *env; /* owned */
    MDB_dbi dbi;
    struct bench_documents *documents; /* borrowed */
    uint32_t picked[BENCH_FOLD];
};

static int
record_put(struct bench_raw *raw, MDB_txn *txn, uint32_t document)
{
    struct key key = bench_document_key(document);
    MDB_val name = {.mv_size = key.bytes, .mv_data = key.text};
    MDB_val record;
    uint64_t expected = bench_documents_version(raw->documents, document), version = 0;
    int code = mdb_get(txn, raw->dbi, &name, &record);
    if (code == MDB_SUCCESS) {
        memcpy(&version, record.mv_data, sizeof version);
    } else if (code != MDB_NOTFOUND) {
        return code;
    }
    if (version != expected) {
        return MDB_CORRUPTED;
    }
    version++;
    uint8_t value[BENCH_VALUE_MAX];
    size_t bytes = bench_document_value(raw->documents, document, version, value);
    record = (MDB_val){.mv_size = HEAD_BYTES + bytes};
    code = mdb_put(txn, raw->dbi, &name, &record, MDB_RESERVE);
    if (code == MDB_SUCCESS) {
        uint8_t *at = record.mv_data;
        memset(at, 0, HEAD_BYTES);
        memcpy(at, &version, sizeof version);
        memcpy(at + HEAD_BYTES, value, bytes);
    }
    return code;
}

static enum err
raw_fail(int code)
{
    output_progress("raw LMDB: %s", mdb_strerror(code));
    return ERR_IO;
}

/* So many random documents in one transaction. */
static enum err
raw_transaction(void *ctx, uint32_t count)
{
    struct bench_raw *raw = ctx;
    CHECK(count <= BENCH_FOLD);
    MDB_txn *txn;
    int code = mdb_txn_begin(raw->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return raw_fail(code);
    }
    for (uint32_t i = 0; i < count && code == MDB_SUCCESS; i++) {
        raw->picked[i] = bench_documents_pick(raw->documents, raw->documents->count);
        code = record_put(raw, txn, raw->picked[i]);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return raw_fail(code);
    }
    code = mdb_txn_commit(txn);
    if (code != MDB_SUCCESS) {
        return raw_fail(code);
    }
    for (uint32_t i = 0; i < count; i++) {
        bench_documents_settle(raw->documents, raw->picked[i], true);
    }
    return OK;
}

enum err
bench_transactions(enum err (*transaction)(void *ctx, uint32_t count), void *ctx,
                   uint32_t in_flight, int64_t us, struct bench_round *out)
{
    CHECK(in_flight > 0);
    *out = (struct bench_round){0};
    bench_core_take(BENCH_CORE_WRITING);
    int64_t from_us = process_mono_us(), cpu_us = process_cpu_us(), now_us = from_us;
    while (now_us < from_us + us) {
        enum err error = scratch_stopped() ? ERR_CLOSED : transaction(ctx, in_flight);
        if (error != OK) {
            return error;
        }
        int64_t begun_us = now_us;
        now_us = process_mono_us();
        hist_add(&out->latency_us, (uint64_t)(now_us - begun_us));
        out->commits += in_flight;
        out->groups++;
    }
    out->us = now_us - from_us;
    out->cpu_us = process_cpu_us() - cpu_us;
    return OK;
}

static enum err
raw_round(void *ctx, uint32_t in_flight, int64_t us, struct bench_round *out)
{
    return bench_transactions(raw_transaction, ctx, in_flight, us, out);
}

static enum err
raw_fill(struct bench_raw *raw)
{
    MDB_txn *txn = NULL;
    int code = MDB_SUCCESS;
    for (uint32_t d = 0; d < raw->documents->count && code == MDB_SUCCESS; d++) {
        if (txn == NULL) {
            code = mdb_txn_begin(raw->env, NULL, 0, &txn);
        }
        code = code == MDB_SUCCESS ? record_put(raw, txn, d) : code;
        bench_documents_settle(raw->documents, d, true);
        if (code == MDB_SUCCESS && (d + 1) % FILL_GROUP == 0) {
            code = mdb_txn_commit(txn);
            txn = NULL;
        }
    }
    if (code == MDB_SUCCESS && txn != NULL) {
        code = mdb_txn_commit(txn);
    } else if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    return code == MDB_SUCCESS ? OK : raw_fail(code);
}

static int
environment_open(struct bench_raw *raw, const char *path)
{
    MDB_txn *txn;
    mdb_filehandle_t fd;
    int code = mdb_env_create(&raw->env);
    code = code != MDB_SUCCESS ? code : mdb_env_set_mapsize(raw->env, BENCH_STORE_MAP_BYTES);
    code =
        code != MDB_SUCCESS ? code : mdb_env_open(raw->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    code = code != MDB_SUCCESS ? code : mdb_env_get_fd(raw->env, &fd);
    if (code == MDB_SUCCESS) {
        /* As the store does; a file system that cannot do it spares both the same. */
        (void)fallocate(fd, 0, 0, (off_t)BENCH_STORE_MAP_BYTES);
        code = mdb_txn_begin(raw->env, NULL, 0, &txn);
    }
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &raw->dbi);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

enum err
bench_raw_open(const char *directory, struct bench_documents *documents, struct bench_raw **out)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/raw.mdb", directory) >= sizeof path) {
        return ERR_RANGE;
    }
    struct bench_raw *raw = calloc(1, sizeof *raw);
    CHECK(raw != NULL);
    raw->documents = documents;
    int code = environment_open(raw, path);
    enum err error = code == MDB_SUCCESS ? raw_fill(raw) : raw_fail(code);
    if (error != OK) {
        bench_raw_close(&raw);
        return error;
    }
    *out = raw;
    return OK;
}

void
bench_raw_close(struct bench_raw **raw)
{
    if ((*raw)->env != NULL) {
        mdb_env_close((*raw)->env);
    }
    free(*raw);
    *raw = NULL;
}

struct bench_side
bench_raw_side(struct bench_raw *raw)
{
    return (struct bench_side){.ctx = raw, .round = raw_round};
}

enum err
bench_raw_fold(struct bench_raw *raw, int64_t us, double *per_s)
{
    struct bench_round round;
    enum err error = bench_transactions(raw_transaction, raw, BENCH_FOLD, us, &round);
    *per_s = error == OK ? (double)round.commits * 1e6 / (double)round.us : 0;
    return error;
}
