#include "os/lmdb_store.h"
#include "base/check.h"
#include "env/store_limits.h"
#include "os/data_lock.h"
#include "os/lmdb_file.h"
#include "os/swap_queue.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Documents in one transaction: far below the pages that LMDB can hold dirty (131,071), whatever
 * their size. */
#define GROUP_DOCUMENTS_MAX 8192
#define GROW_AT_PERCENT     70
#define GROW_STEP_MAX       (1ULL << 30)
#define REPORT_MAX          256
/* Answers that may wait: all commits' answers always fit, and this much for the values of gets
 * beside them. */
#define ANSWER_VALUES_BYTES (8U << 20)

/* What lies in the queues, each in front of its bytes; copied in and out, so alignment does not
 * matter. */
struct commit_head {
    uint64_t token;
    uint32_t count;
};

struct write_head {
    uint64_t expected_version;
    uint32_t value_bytes;
    uint8_t op, key_bytes;
};

struct get_head {
    uint64_t token;
    uint8_t key_bytes, key[STORE_KEY_MAX];
};

enum answer_kind { ANSWER_GOT, ANSWER_COMMITTED, ANSWER_REPORT };

struct answer_head {
    enum answer_kind kind;
    enum store_result result;
    uint64_t token, version;
    uint32_t bytes; /* of the value or the report's text, which follow */
    bool exists;
    enum log_level level;
};

struct lmdb_store {
    /* Set at open, then read by all threads. */
    struct lmdb_store_options options;
    int lock_fd, event_fd;
    pthread_t writer, reader;
    /* Shared, each with its lock inside. */
    struct swap_queue commits, gets, answers;
    pthread_mutex_t map_lock; /* held by the reader while a transaction is open, by the writer while
                                 the map moves */
    pthread_mutex_t stats_lock;
    struct lmdb_store_stats stats;
    atomic_bool failed;
    /* The writer's; map_bytes of the file changes under map_lock. */
    struct lmdb_file file;
    enum store_result *results; /* owned; calls_max: of the commits in the group at hand */
    bool growth_failed;         /* said so already */
    /* The reader's. */
    MDB_txn *reading;
    /* The env's thread. */
    struct store_done done;
    uint32_t under_way;
    uint64_t refused;
    bool delivering;
};

static uint64_t
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- answers, from any thread ---- */

static void
answers_wake(struct lmdb_store *store)
{
    uint64_t one = 1;
    ssize_t n = write(store->event_fd, &one, sizeof one);
    CHECK(n == sizeof one || errno == EAGAIN);
}

/* spare: room that must stay for commits' answers, which may never be refused. */
static enum err
answer_send(struct lmdb_store *store, const struct answer_head *head, const uint8_t *bytes,
            size_t spare)
{
    struct slice pieces[] = {{(const uint8_t *)head, sizeof *head}, {bytes, head->bytes}};
    bool was_empty = false;
    enum err error = swap_queue_send(&store->answers, pieces, 2, spare, &was_empty);
    if (error == OK && was_empty)
        answers_wake(store);
    return error;
}

static size_t
answers_reserve(const struct lmdb_store *store)
{
    return (size_t)store->options.calls_max * sizeof(struct answer_head);
}

__attribute__((format(printf, 3, 4))) static void
report(struct lmdb_store *store, enum log_level level, const char *format, ...)
{
    char text[REPORT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(n >= 0);
    struct answer_head head = {
        .kind = ANSWER_REPORT, .level = level, .bytes = (uint32_t)strlen(text)};
    /* A report that finds no room is dropped: the counters still tell. */
    if (answer_send(store, &head, (const uint8_t *)text, answers_reserve(store)) != OK)
        return;
}

static void
report_corrupt(struct lmdb_store *store, struct slice key)
{
    pthread_mutex_lock(&store->stats_lock);
    store->stats.corrupt++;
    pthread_mutex_unlock(&store->stats_lock);
    report(store, LOG_ERROR, "document %.*s is damaged (checksum): it is answered UNAVAILABLE",
           (int)key.bytes, (const char *)key.at);
}

/* After a failed write nobody knows what lies on the disk, so nothing is believed until a restart
 * has read it. */
static void
store_fail(struct lmdb_store *store, const char *what, int code)
{
    atomic_store(&store->failed, true);
    report(store, LOG_ERROR, "%s failed: %s; the store is UNAVAILABLE until a restart", what,
           mdb_strerror(code));
}

/* ---- the writer thread ---- */

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
group_cut(struct slice taken)
{
    struct reader r = reader_over(taken.at, taken.bytes);
    struct group group = {.bytes = {taken.at, 0}};
    while (reader_left(&r) > 0) {
        struct commit_head head = commit_read(&r);
        if (group.commits > 0 && group.documents + head.count > GROUP_DOCUMENTS_MAX)
            break;
        for (uint32_t i = 0; i < head.count; i++)
            (void)write_read(&r);
        CHECK(reader_ok(&r));
        group.commits++;
        group.documents += head.count;
        group.bytes.bytes = taken.bytes - reader_left(&r);
    }
    return group;
}

/* What stands under the key now: OK (version 0 when nothing), ERR_FORMAT when damaged, ERR_IO with
 * *code. */
static enum err
document_read(MDB_txn *txn, MDB_dbi documents, struct slice key, struct store_doc *doc, int *code)
{
    MDB_val name = {.mv_size = key.bytes, .mv_data = (void *)(uintptr_t)key.at};
    MDB_val record;
    *doc = (struct store_doc){0};
    *code = mdb_get(txn, documents, &name, &record);
    if (*code == MDB_NOTFOUND)
        return OK;
    if (*code != MDB_SUCCESS)
        return ERR_IO;
    return lmdb_record_read(record, key, doc) ? OK : ERR_FORMAT;
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
        enum err error = document_read(txn, store->file.documents, write.key, &doc, &code);
        if (error == ERR_IO)
            return code;
        if (error == ERR_FORMAT) {
            report_corrupt(store, write.key);
            *result = STORE_UNAVAILABLE;
            break;
        }
        if (write.expected_version != STORE_ANY_VERSION && write.expected_version != doc.version)
            *result = STORE_CONFLICT;
    }
    return MDB_SUCCESS;
}

static int
document_write(struct lmdb_store *store, MDB_txn *txn, const struct store_write *write)
{
    uint64_t version = write->expected_version;
    if (version == STORE_ANY_VERSION) {
        struct store_doc doc;
        int code;
        if (document_read(txn, store->file.documents, write->key, &doc, &code) == ERR_IO)
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
commit_apply(struct lmdb_store *store, MDB_txn *txn, struct reader r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_write write = write_read(&r);
        if (write.op == STORE_CHECK)
            continue;
        int code = document_write(store, txn, &write);
        if (code != MDB_SUCCESS)
            return code;
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
        int code = commit_try(store, txn, r, head.count, &store->results[i]);
        if (code == MDB_SUCCESS && store->results[i] == STORE_OK) {
            code = commit_apply(store, txn, r, head.count);
            group->documents_written += head.count;
        }
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

static bool
map_grow(struct lmdb_store *store)
{
    uint64_t map = store->file.map_bytes;
    uint64_t larger = map + (map < GROW_STEP_MAX ? map : GROW_STEP_MAX);
    enum err error = ERR_UNAVAILABLE;
    if (larger <= store->options.map_bytes_limit) {
        pthread_mutex_lock(&store->map_lock);
        error = lmdb_file_grow(&store->file, larger);
        pthread_mutex_unlock(&store->map_lock);
    }
    if (error == OK) {
        report(store, LOG_INFO, "the map grew to %llu MiB", (unsigned long long)(larger >> 20));
        store->growth_failed = false;
        return true;
    }
    if (!store->growth_failed)
        report(store, LOG_WARN,
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
        store->results[i] = result;
}

static void
group_write(struct lmdb_store *store, struct group *group)
{
    bool uncertain;
    int code = group_write_once(store, group, &uncertain);
    while (code == MDB_MAP_FULL && map_grow(store))
        code = group_write_once(store, group, &uncertain);
    if (code == MDB_SUCCESS)
        return;
    group->documents_written = 0;
    results_set(store, group->commits, uncertain ? STORE_UNKNOWN : STORE_UNAVAILABLE);
    if (code != MDB_MAP_FULL)
        store_fail(store, uncertain ? "writing a group of commits" : "a transaction", code);
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
        stats->conflicts += store->results[i] == STORE_CONFLICT;
        stats->unknown += store->results[i] == STORE_UNKNOWN;
        stats->unavailable += store->results[i] == STORE_UNAVAILABLE;
    }
    hist_add(&stats->group_us, took_us);
    hist_add(&stats->group_commits, group->commits);
    stats->map_bytes = store->file.map_bytes;
    stats->used_bytes = lmdb_file_used_bytes(&store->file);
    pthread_mutex_unlock(&store->stats_lock);
}

static void
group_answer(struct lmdb_store *store, const struct group *group)
{
    struct reader r = reader_over(group->bytes.at, group->bytes.bytes);
    for (uint32_t i = 0; i < group->commits; i++) {
        struct commit_head head = commit_read(&r);
        for (uint32_t w = 0; w < head.count; w++)
            (void)write_read(&r);
        struct answer_head answer = {
            .kind = ANSWER_COMMITTED, .result = store->results[i], .token = head.token};
        enum err error = answer_send(store, &answer, NULL, 0);
        CHECK(error == OK || error == ERR_CLOSED);
    }
}

static void *
writer_main(void *argument)
{
    struct lmdb_store *store = argument;
    struct slice taken;
    while (swap_queue_take_wait(&store->commits, &taken)) {
        while (taken.bytes > 0) {
            struct group group = group_cut(taken);
            uint64_t start_us = now_us();
            if (atomic_load(&store->failed))
                results_set(store, group.commits, STORE_UNAVAILABLE);
            else
                group_write(store, &group);
            group_count(store, &group, now_us() - start_us);
            group_answer(store, &group);
            taken.at += group.bytes.bytes;
            taken.bytes -= group.bytes.bytes;
        }
        if (!atomic_load(&store->failed) &&
            lmdb_file_used_bytes(&store->file) * 100 > store->file.map_bytes * GROW_AT_PERCENT)
            (void)map_grow(store);
    }
    return NULL;
}

/* ---- the reader thread ---- */

static void
reading_begin(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->map_lock);
    int code = store->reading == NULL
                   ? mdb_txn_begin(store->file.env, NULL, MDB_RDONLY, &store->reading)
                   : mdb_txn_renew(store->reading);
    if (code != MDB_SUCCESS)
        store_fail(store, "reading", code);
}

static void
reading_end(struct lmdb_store *store)
{
    if (store->reading != NULL)
        mdb_txn_reset(store->reading);
    pthread_mutex_unlock(&store->map_lock);
}

/* false: no room for the answer now. */
static bool
get_answer(struct lmdb_store *store, const struct get_head *get)
{
    struct slice key = {get->key, get->key_bytes};
    struct answer_head answer = {
        .kind = ANSWER_GOT, .result = STORE_UNAVAILABLE, .token = get->token};
    struct store_doc doc = {0};
    if (!atomic_load(&store->failed)) {
        int code;
        enum err error = document_read(store->reading, store->file.documents, key, &doc, &code);
        if (error == ERR_IO)
            store_fail(store, "reading", code);
        else if (error == ERR_FORMAT)
            report_corrupt(store, key);
        else
            answer.result = STORE_OK;
    }
    if (answer.result == STORE_OK) {
        answer.version = doc.version;
        answer.exists = doc.exists;
        answer.bytes = (uint32_t)doc.value.bytes;
    }
    return answer_send(store, &answer, doc.value.at, answers_reserve(store)) != ERR_FULL;
}

static void *
reader_main(void *argument)
{
    struct lmdb_store *store = argument;
    struct slice taken;
    while (swap_queue_take_wait(&store->gets, &taken)) {
        uint64_t gets = taken.bytes / sizeof(struct get_head);
        CHECK(gets * sizeof(struct get_head) == taken.bytes);
        reading_begin(store);
        for (uint64_t i = 0; i < gets; i++) {
            struct get_head get;
            memcpy(&get, taken.at + i * sizeof get, sizeof get);
            while (!get_answer(store, &get)) {
                reading_end(store); /* no snapshot is kept while waiting for the env's thread */
                swap_queue_wait_drained(&store->answers);
                reading_begin(store);
            }
        }
        reading_end(store);
        pthread_mutex_lock(&store->stats_lock);
        store->stats.gets += gets;
        pthread_mutex_unlock(&store->stats_lock);
    }
    return NULL;
}

/* ---- the port, on the env's thread ---- */

static enum err
call_take(struct lmdb_store *store)
{
    CHECK(store->under_way <= store->options.calls_max);
    if (store->under_way == store->options.calls_max) {
        store->refused++;
        return ERR_FULL;
    }
    store->under_way++;
    return OK;
}

static enum err
call_refuse(struct lmdb_store *store)
{
    store->under_way--;
    store->refused++;
    return ERR_FULL;
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct lmdb_store *store = ctx;
    enum err error = store_key_check(key);
    if (error == OK)
        error = call_take(store);
    if (error != OK)
        return error;
    struct get_head head = {.token = token, .key_bytes = (uint8_t)key.bytes};
    memcpy(head.key, key.at, key.bytes);
    struct slice piece = {(const uint8_t *)&head, sizeof head};
    /* The queue holds calls_max of them. */
    error = swap_queue_send(&store->gets, &piece, 1, 0, NULL);
    CHECK(error == OK);
    return OK;
}

static size_t
commit_bytes(const struct store_write *writes, uint32_t count)
{
    size_t bytes = sizeof(struct commit_head) + count * sizeof(struct write_head);
    for (uint32_t i = 0; i < count; i++)
        bytes += writes[i].key.bytes + writes[i].value.bytes;
    return bytes;
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct lmdb_store *store = ctx;
    enum err error = store_commit_check(writes, count);
    if (error == OK)
        error = call_take(store);
    if (error != OK)
        return error;
    /* One piece for the commit's head, three for each of its writes. */
    struct commit_head head = {token, count};
    struct write_head heads[STORE_COMMIT_MAX];
    struct slice pieces[1 + 3 * STORE_COMMIT_MAX];
    uint32_t used = 0;
    pieces[used++] = (struct slice){(const uint8_t *)&head, sizeof head};
    for (uint32_t i = 0; i < count; i++) {
        heads[i] = (struct write_head){.expected_version = writes[i].expected_version,
                                       .value_bytes = (uint32_t)writes[i].value.bytes,
                                       .op = (uint8_t)writes[i].op,
                                       .key_bytes = (uint8_t)writes[i].key.bytes};
        pieces[used++] = (struct slice){(const uint8_t *)&heads[i], sizeof heads[i]};
        pieces[used++] = writes[i].key;
        pieces[used++] = writes[i].value;
    }
    CHECK(commit_bytes(writes, count) <= store->options.queue_bytes);
    error = swap_queue_send(&store->commits, pieces, used, 0, NULL);
    return error == OK ? OK : call_refuse(store);
}

struct env_store
lmdb_store_port(struct lmdb_store *store, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL);
    store->done = done;
    return (struct env_store){.ctx = store, .get = port_get, .commit = port_commit};
}

int
lmdb_store_fd(const struct lmdb_store *store)
{
    CHECK(store->event_fd >= 0);
    return store->event_fd;
}

uint32_t
lmdb_store_under_way(const struct lmdb_store *store)
{
    return store->under_way;
}

/* 1 when it was an answer to a call. */
static uint32_t
answer_deliver(struct lmdb_store *store, const struct answer_head *head, struct slice bytes)
{
    struct store_doc doc = {.version = head->version, .exists = head->exists, .value = bytes};
    switch (head->kind) {
    case ANSWER_GOT:
        store->under_way--;
        store->done.got(store->done.ctx, head->token, head->result,
                        head->result == STORE_OK ? &doc : NULL);
        return 1;
    case ANSWER_COMMITTED:
        store->under_way--;
        store->done.committed(store->done.ctx, head->token, head->result);
        return 1;
    case ANSWER_REPORT:
        if (store->options.log != NULL) {
            char text[REPORT_MAX];
            snprintf(text, sizeof text, "%.*s", (int)bytes.bytes, (const char *)bytes.at);
            store->options.log(store->options.log_ctx, head->level, "store.engine", text);
        }
        return 0;
    }
    check_failed(__FILE__, __LINE__, __func__, "an answer of a kind that there is");
}

uint32_t
lmdb_store_deliver(struct lmdb_store *store)
{
    CHECK(!store->delivering);
    uint64_t wakes;
    ssize_t n = read(store->event_fd, &wakes, sizeof wakes);
    CHECK(n == sizeof wakes || errno == EAGAIN);
    struct slice taken;
    if (!swap_queue_take(&store->answers, &taken))
        return 0;
    store->delivering = true;
    uint32_t answers = 0;
    struct reader r = reader_over(taken.at, taken.bytes);
    while (reader_left(&r) > 0) {
        struct answer_head head;
        memcpy(&head, read_bytes(&r, sizeof head).at, sizeof head);
        answers += answer_deliver(store, &head, read_bytes(&r, head.bytes));
        CHECK(reader_ok(&r));
    }
    store->delivering = false;
    return answers;
}

void
lmdb_store_stats(struct lmdb_store *store, struct lmdb_store_stats *out)
{
    pthread_mutex_lock(&store->stats_lock);
    *out = store->stats;
    pthread_mutex_unlock(&store->stats_lock);
    out->refused = store->refused;
    out->failed = atomic_load(&store->failed);
}

/* ---- opening and closing ---- */

static struct lmdb_store_options
options_complete(struct lmdb_store_options options)
{
    options.calls_max = options.calls_max ? options.calls_max : LMDB_CALLS_DEFAULT;
    options.queue_bytes = options.queue_bytes ? options.queue_bytes : LMDB_QUEUE_DEFAULT;
    options.map_bytes = options.map_bytes ? options.map_bytes : LMDB_MAP_DEFAULT;
    options.map_bytes_limit =
        options.map_bytes_limit ? options.map_bytes_limit : LMDB_MAP_LIMIT_DEFAULT;
    return options;
}

static enum err
options_check(const struct lmdb_store_options *options, char *why)
{
    size_t largest = STORE_COMMIT_BYTES_MAX + sizeof(struct commit_head) +
                     STORE_COMMIT_MAX * sizeof(struct write_head);
    if (options->directory != NULL && options->directory[0] != '\0' &&
        options->queue_bytes >= largest && options->map_bytes % 4096 == 0 &&
        options->map_bytes_limit >= options->map_bytes)
        return OK;
    snprintf(why, LMDB_STORE_WHY_MAX, "the options of the store do not fit together");
    return ERR_RANGE;
}

static enum err
queues_init(struct lmdb_store *store)
{
    const struct lmdb_store_options *options = &store->options;
    enum err error = swap_queue_init(&store->commits, options->queue_bytes);
    if (error == OK)
        error = swap_queue_init(&store->gets, options->calls_max * sizeof(struct get_head));
    if (error == OK)
        error = swap_queue_init(&store->answers, answers_reserve(store) + ANSWER_VALUES_BYTES);
    return error;
}

/* Gives back whatever open had got so far. */
static void
store_free(struct lmdb_store *store)
{
    struct swap_queue *queues[] = {&store->commits, &store->gets, &store->answers};
    for (size_t i = 0; i < 3; i++)
        if (queues[i]->filling != NULL)
            swap_queue_fini(queues[i]);
    if (store->file.env != NULL)
        lmdb_file_close(&store->file);
    if (store->event_fd >= 0)
        close(store->event_fd);
    if (store->lock_fd >= 0)
        data_lock_release(store->lock_fd);
    pthread_mutex_destroy(&store->map_lock);
    pthread_mutex_destroy(&store->stats_lock);
    free(store->results);
    free(store);
}

static enum err
store_prepare(struct lmdb_store *store, char *why)
{
    const struct lmdb_store_options *options = &store->options;
    enum err error = data_lock_take(options->directory, &store->lock_fd, why, LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    error = lmdb_file_open(&store->file, options->directory, options->map_bytes, true, why,
                           LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    int dead = 0; /* readers that were killed would pin their pages for ever */
    if (mdb_reader_check(store->file.env, &dead) == MDB_SUCCESS && dead > 0)
        report(store, LOG_INFO, "%d dead readers were cleared away", dead);
    store->stats.map_bytes = store->file.map_bytes;
    store->stats.used_bytes = lmdb_file_used_bytes(&store->file);
    return OK;
}

enum err
lmdb_store_open(const struct lmdb_store_options *options, struct lmdb_store **out,
                char why[LMDB_STORE_WHY_MAX])
{
    struct lmdb_store_options complete = options_complete(*options);
    enum err error = options_check(&complete, why);
    if (error != OK)
        return error;
    struct lmdb_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL);
    store->options = complete;
    store->lock_fd = -1;
    store->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    store->results = calloc(complete.calls_max, sizeof *store->results);
    CHECK(pthread_mutex_init(&store->map_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&store->stats_lock, NULL) == 0);
    if (store->event_fd < 0 || store->results == NULL || queues_init(store) != OK) {
        snprintf(why, LMDB_STORE_WHY_MAX, "the store finds no memory or descriptor: %s",
                 strerror(errno));
        error = ERR_IO;
    } else {
        error = store_prepare(store, why);
    }
    if (error != OK) {
        store_free(store);
        return error;
    }
    CHECK(pthread_create(&store->writer, NULL, writer_main, store) == 0);
    CHECK(pthread_create(&store->reader, NULL, reader_main, store) == 0);
    *out = store;
    return OK;
}

void
lmdb_store_close(struct lmdb_store **store)
{
    struct lmdb_store *s = *store;
    CHECK(s != NULL && !s->delivering);
    swap_queue_close(&s->commits); /* the writer still writes what waits */
    swap_queue_close(&s->gets);
    swap_queue_close(&s->answers); /* nobody reads them any more */
    pthread_join(s->writer, NULL);
    pthread_join(s->reader, NULL);
    if (s->reading != NULL)
        mdb_txn_abort(s->reading);
    store_free(s);
    *store = NULL;
}
