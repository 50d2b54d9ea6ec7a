/* The writer thread: takes all commits that wait, tries them in order inside one transaction, and
 * answers them when its one fsync is through. A commit that does not fit its versions is a conflict
 * and touches nothing; the others in its group go on.
 */
#include "base/check.h"
#include "os/lmdb_inside.h"
#include <string.h>
#include <time.h>

/* Documents in one transaction: far below the pages that LMDB can hold dirty (131,071), whatever
 * their size. */
#define GROUP_DOCUMENTS_MAX 8192
#define GROW_AT_PERCENT     70
#define WARN_AT_PERCENT     70 /* of the limit */
#define GROW_STEP_MAX       (1ULL << 30)
#define HOLD_DIVISOR        4 /* of the time that the last group took */

static uint64_t
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct group {
    struct slice bytes; /* whole commits */
    uint32_t commits, documents;
    uint32_t documents_written; /* by commits that are STORE_OK */
};

static struct commit_head
commit_read(struct reader *r)
{
    struct commit_head head;
    memcpy(&head, read_bytes(r, sizeof head).at, sizeof head);
    return head;
}

static struct store_write
write_read(struct reader *r)
{
    struct write_head head;
    memcpy(&head, read_bytes(r, sizeof head).at, sizeof head);
    struct store_write write = {.expected_version = head.expected_version,
                                .op = (enum store_op)head.op};
    write.key = read_bytes(r, head.key_bytes);
    write.value = read_bytes(r, head.value_bytes);
    return write;
}

/* The first commits of what was taken, as many as one transaction bears. */
static struct group
group_cut(struct lmdb_store *store, struct slice taken)
{
    struct reader r = reader_over(taken.at, taken.bytes);
    struct group group = {.bytes = {taken.at, 0}};
    while (reader_left(&r) > 0) {
        struct commit_head head = commit_read(&r);
        if (group.commits > 0 && group.documents + head.count > GROUP_DOCUMENTS_MAX)
            break;
        for (uint32_t i = 0; i < head.count; i++)
            (void)write_read(&r);
        CHECK(reader_ok(&r) && group.commits < store->options.calls_max);
        store->outcomes[group.commits++] =
            (struct answer_head){.kind = ANSWER_COMMITTED, .token = head.token};
        group.documents += head.count;
        group.bytes.bytes = taken.bytes - reader_left(&r);
    }
    return group;
}

/* Would every write of the commit find the version that it expects? Changes nothing. */
static int
commit_try(struct lmdb_store *store, MDB_txn *txn, struct reader r, uint32_t count,
           enum store_result *result)
{
    *result = STORE_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct store_write write = write_read(&r);
        struct store_doc doc;
        int code;
        enum err error = lmdb_document_read(txn, store->file.documents, write.key, &doc, &code);
        if (error == ERR_IO)
            return code;
        if (error == ERR_FORMAT) {
            lmdb_report_corrupt(store, write.key);
            *result = STORE_UNAVAILABLE;
            break;
        }
        if (write.expected_version != STORE_ANY_VERSION && write.expected_version != doc.version)
            *result = STORE_CONFLICT;
    }
    return MDB_SUCCESS;
}

static int
document_forget(struct lmdb_store *store, MDB_txn *txn, const struct store_write *write)
{
    MDB_val key = {.mv_size = write->key.bytes, .mv_data = (void *)(uintptr_t)write->key.at};
    int code = mdb_del(txn, store->file.documents, &key, NULL);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int
document_write(struct lmdb_store *store, MDB_txn *txn, const struct store_write *write)
{
    uint64_t version = write->expected_version;
    if (version == STORE_ANY_VERSION) {
        struct store_doc doc;
        int code;
        if (lmdb_document_read(txn, store->file.documents, write->key, &doc, &code) == ERR_IO)
            return code;
        version = doc.version;
    }
    struct record_head head = {version + 1, write->op == STORE_DELETE ? RECORD_FLAG_DELETED : 0};
    MDB_val key = {.mv_size = write->key.bytes, .mv_data = (void *)(uintptr_t)write->key.at};
    MDB_val record = {.mv_size = RECORD_HEAD_BYTES + write->value.bytes};
    int code = mdb_put(txn, store->file.documents, &key, &record, MDB_RESERVE);
    if (code == MDB_SUCCESS)
        lmdb_record_write(record.mv_data, write->key, head, write->value);
    return code;
}

static int
commit_apply(struct lmdb_store *store, MDB_txn *txn, struct reader r, uint32_t count,
             uint32_t *written)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_write write = write_read(&r);
        if (write.op == STORE_CHECK)
            continue;
        int code = write.op == STORE_FORGET ? document_forget(store, txn, &write)
                                            : document_write(store, txn, &write);
        if (code != MDB_SUCCESS)
            return code;
        (*written)++;
    }
    return MDB_SUCCESS;
}

static int
group_apply(struct lmdb_store *store, MDB_txn *txn, struct group *group)
{
    struct reader r = reader_over(group->bytes.at, group->bytes.bytes);
    group->documents_written = 0;
    for (uint32_t i = 0; i < group->commits; i++) {
        struct commit_head head = commit_read(&r);
        int code = commit_try(store, txn, r, head.count, &store->outcomes[i].result);
        if (code == MDB_SUCCESS && store->outcomes[i].result == STORE_OK)
            code = commit_apply(store, txn, r, head.count, &group->documents_written);
        if (code != MDB_SUCCESS)
            return code;
        for (uint32_t w = 0; w < head.count; w++)
            (void)write_read(&r);
    }
    return MDB_SUCCESS;
}

/* One transaction. *uncertain: it failed at a moment when it may lie on the disk nevertheless. */
static int
group_write_once(struct lmdb_store *store, struct group *group, bool *uncertain)
{
    MDB_txn *txn;
    *uncertain = false;
    int code = mdb_txn_begin(store->file.env, NULL, 0, &txn);
    if (code != MDB_SUCCESS)
        return code;
    code = group_apply(store, txn, group);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    code = mdb_txn_commit(txn);
    /* These two come from LMDB's own book-keeping, before the first byte is written. */
    *uncertain = code != MDB_SUCCESS && code != MDB_MAP_FULL && code != MDB_TXN_FULL;
    return code;
}

/* Another process, which wrote beside this one or which owns the file, made the map larger. */
static bool
map_adopt(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->map_lock);
    int code = lmdb_file_adopt(&store->file);
    pthread_mutex_unlock(&store->map_lock);
    return code == MDB_SUCCESS;
}

static bool
map_grow(struct lmdb_store *store)
{
    uint64_t map = store->file.map_bytes;
    if (store->options.beside) /* it is the owner's: he may have made it larger since */
        return map_adopt(store) && store->file.map_bytes > map;
    lmdb_readers_check(store);
    uint64_t larger = map + (map < GROW_STEP_MAX ? map : GROW_STEP_MAX);
    enum err error = ERR_UNAVAILABLE;
    if (larger <= store->options.map_bytes_limit) {
        pthread_mutex_lock(&store->map_lock);
        error = lmdb_file_grow(&store->file, larger);
        pthread_mutex_unlock(&store->map_lock);
    }
    if (error == OK) {
        lmdb_report(store, LOG_INFO, "the map grew to %llu MiB",
                    (unsigned long long)(larger >> 20));
        store->growth_failed = false;
        return true;
    }
    if (!store->growth_failed)
        lmdb_report(store, LOG_WARN,
                    "the map of %llu MiB is filling up and cannot grow: disk or limit reached",
                    (unsigned long long)(map >> 20));
    store->growth_failed = true;
    return false;
}

static void
results_set(struct lmdb_store *store, uint32_t commits, enum store_result result)
{
    CHECK(commits <= store->options.calls_max);
    for (uint32_t i = 0; i < commits; i++)
        store->outcomes[i].result = result;
}

static void
group_write(struct lmdb_store *store, struct group *group)
{
    bool uncertain;
    int code;
    do {
        pthread_mutex_lock(&store->writing_lock);
        code = group_write_once(store, group, &uncertain);
        pthread_mutex_unlock(&store->writing_lock);
    } while ((code == MDB_MAP_FULL && map_grow(store)) ||
             (code == MDB_MAP_RESIZED && map_adopt(store)));
    if (code == MDB_SUCCESS)
        return;
    group->documents_written = 0;
    results_set(store, group->commits, uncertain ? STORE_UNKNOWN : STORE_UNAVAILABLE);
    if (code != MDB_MAP_FULL)
        lmdb_store_fail(store, uncertain ? "writing a group of commits" : "a transaction", code);
}

static void
group_count(struct lmdb_store *store, const struct group *group, uint64_t took_us)
{
    pthread_mutex_lock(&store->stats_lock);
    struct lmdb_store_stats *stats = &store->stats;
    stats->commits += group->commits;
    stats->documents += group->documents_written;
    stats->groups++;
    for (uint32_t i = 0; i < group->commits; i++) {
        stats->conflicts += store->outcomes[i].result == STORE_CONFLICT;
        stats->unknown += store->outcomes[i].result == STORE_UNKNOWN;
        stats->unavailable += store->outcomes[i].result == STORE_UNAVAILABLE;
    }
    hist_add(&stats->group_us, took_us);
    hist_add(&stats->group_commits, group->commits);
    stats->map_bytes = store->file.map_bytes;
    stats->used_bytes = lmdb_file_used_bytes(&store->file);
    stats->filling = store->filling_told || store->growth_failed;
    pthread_mutex_unlock(&store->stats_lock);
}

/* Hints about what this group changed: dropped when there is no room for them. */
static void
group_hint(struct lmdb_store *store, const struct group *group)
{
    if (!atomic_load(&store->watching))
        return;
    uint64_t hints = 0;
    struct reader r = reader_over(group->bytes.at, group->bytes.bytes);
    for (uint32_t i = 0; i < group->commits; i++) {
        struct commit_head head = commit_read(&r);
        for (uint32_t w = 0; w < head.count; w++) {
            struct store_write write = write_read(&r);
            if (store->outcomes[i].result != STORE_OK || write.op == STORE_CHECK ||
                !lmdb_is_watched(store, write.key))
                continue;
            struct answer_head answer = {.kind = ANSWER_CHANGED,
                                         .bytes = (uint32_t)write.key.bytes};
            hints +=
                lmdb_answer_send(store, &answer, &write.key, 1, lmdb_answers_reserve(store)) == OK;
        }
    }
    pthread_mutex_lock(&store->stats_lock);
    store->stats.hints += hints;
    pthread_mutex_unlock(&store->stats_lock);
}

/* Said once: space that was used is used again, but a file never shrinks. */
static void
filling_tell(struct lmdb_store *store)
{
    uint64_t used = lmdb_file_used_bytes(&store->file), limit = store->options.map_bytes_limit;
    if (store->filling_told || used < limit / 100 * WARN_AT_PERCENT)
        return;
    store->filling_told = true;
    lmdb_report(store, LOG_WARN,
                "%llu MiB of the %llu MiB that the store may take are used; when it is full, "
                "nothing can be saved",
                (unsigned long long)(used >> 20), (unsigned long long)(limit >> 20));
}

/* Who is answered often has the next commit at hand. So what waits is held until the answers are
 * delivered, or there would be two lots of commits for ever, each waiting for the other's fsync;
 * but not for longer than is small beside a group. */
static void
group_answer(struct lmdb_store *store, const struct group *group, uint64_t took_us)
{
    swap_queue_hold(&store->commits, took_us / HOLD_DIVISOR);
    lmdb_outcomes_send(store, group->commits);
}

void *
lmdb_writer_main(void *argument)
{
    struct lmdb_store *store = argument;
    struct slice taken;
    while (swap_queue_take_wait(&store->commits, &taken)) {
        while (taken.bytes > 0) {
            struct group group = group_cut(store, taken);
            uint64_t start_us = now_us();
            if (atomic_load(&store->failed))
                results_set(store, group.commits, STORE_UNAVAILABLE);
            else
                group_write(store, &group);
            filling_tell(store);
            uint64_t took_us = now_us() - start_us;
            group_count(store, &group, took_us);
            group_answer(store, &group, took_us);
            group_hint(store, &group);
            taken.at += group.bytes.bytes;
            taken.bytes -= group.bytes.bytes;
        }
        if (!atomic_load(&store->failed) && !store->options.beside &&
            lmdb_file_used_bytes(&store->file) * 100 > store->file.map_bytes * GROW_AT_PERCENT)
            (void)map_grow(store);
    }
    return NULL;
}
