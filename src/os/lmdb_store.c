#include "os/lmdb_store.h"
#include "base/check.h"
#include "env/store_limits.h"
#include "os/data_lock.h"
#include "os/lmdb_inside.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xxhash.h>

#define REPORT_MAX 256
/* Answers that may wait: all commits' answers always fit, and this much for the values of gets
 * beside them. */
#define ANSWER_VALUES_BYTES (8U << 20)
#define ANSWER_PIECES_MAX   (3 * STORE_SCAN_MAX)
#define DAMAGED_MAX         4096 /* keys that are remembered as told */

_Static_assert(STORE_SCAN_MAX *(sizeof(struct found_head) + STORE_KEY_MAX +
                                STORE_VALUE_ENGINE_MAX) <= ANSWER_VALUES_BYTES,
               "the answer to a scan always fits in the end");

/* ---- answers, from any thread ---- */

static void
answers_wake(struct lmdb_store *store)
{
    uint64_t one = 1;
    ssize_t n = write(store->event_fd, &one, sizeof one);
    CHECK(n == sizeof one || errno == EAGAIN);
}

enum err
lmdb_answer_send(struct lmdb_store *store, const struct answer_head *head,
                 const struct slice *pieces, uint32_t count, size_t spare)
{
    struct slice all[1 + ANSWER_PIECES_MAX];
    CHECK(count <= ANSWER_PIECES_MAX);
    all[0] = (struct slice){(const uint8_t *)head, sizeof *head};
    for (uint32_t i = 0; i < count; i++)
        all[1 + i] = pieces[i];
    bool was_empty = false;
    enum err error = swap_queue_send(&store->answers, all, 1 + count, spare, &was_empty);
    if (error == OK && was_empty)
        answers_wake(store);
    return error;
}

void
lmdb_outcomes_send(struct lmdb_store *store, uint32_t commits)
{
    CHECK(commits > 0 && commits <= store->options.calls_max);
    struct slice all = {(const uint8_t *)store->outcomes, commits * sizeof store->outcomes[0]};
    bool was_empty = false;
    enum err error = swap_queue_send(&store->answers, &all, 1, 0, &was_empty);
    CHECK(error == OK || error == ERR_CLOSED);
    if (error == OK && was_empty)
        answers_wake(store);
}

size_t
lmdb_answers_reserve(const struct lmdb_store *store)
{
    return (size_t)store->options.calls_max * sizeof(struct answer_head);
}

void
lmdb_report(struct lmdb_store *store, enum log_level level, const char *format, ...)
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
    struct slice piece = {(const uint8_t *)text, head.bytes};
    if (lmdb_answer_send(store, &head, &piece, 1, lmdb_answers_reserve(store)) != OK)
        return;
}

static uint64_t
key_hash(struct slice key)
{
    uint64_t hash = XXH64(key.at, key.bytes, 0);
    return hash == 0 ? 1 : hash; /* 0 is no key of a map */
}

void
lmdb_report_corrupt(struct lmdb_store *store, struct slice key)
{
    pthread_mutex_lock(&store->stats_lock);
    store->stats.corrupt++;
    bool told = map_get(&store->damaged, key_hash(key)) != MAP_NONE ||
                map_put(&store->damaged, key_hash(key), 0) != OK;
    pthread_mutex_unlock(&store->stats_lock);
    if (!told)
        lmdb_report(store, LOG_ERROR,
                    "document %.*s is damaged (checksum): it is answered UNAVAILABLE",
                    (int)key.bytes, (const char *)key.at);
}

bool
lmdb_is_watched(struct lmdb_store *store, struct slice key)
{
    pthread_mutex_lock(&store->watch_lock);
    bool watched = map_get(&store->watched, key_hash(key)) != MAP_NONE;
    pthread_mutex_unlock(&store->watch_lock);
    return watched;
}

void
lmdb_readers_check(struct lmdb_store *store)
{
    int dead = 0;
    if (mdb_reader_check(store->file.env, &dead) == MDB_SUCCESS && dead > 0)
        lmdb_report(store, LOG_INFO, "%d dead readers were cleared away", dead);
}

void
lmdb_store_fail(struct lmdb_store *store, const char *what, int code)
{
    atomic_store(&store->failed, true);
    lmdb_report(store, LOG_ERROR, "%s failed: %s; the store is UNAVAILABLE until a restart", what,
                mdb_strerror(code));
}

enum err
lmdb_document_read(MDB_txn *txn, MDB_dbi documents, struct slice key, struct store_doc *doc,
                   int *code)
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

static void
read_send(struct lmdb_store *store, uint64_t token, struct slice key, struct slice prefix,
          uint32_t limit)
{
    struct read_head head = {.token = token,
                             .limit = limit,
                             .key_bytes = (uint8_t)key.bytes,
                             .prefix_bytes = (uint8_t)prefix.bytes};
    struct slice pieces[] = {{(const uint8_t *)&head, sizeof head}, key, prefix};
    enum err error = swap_queue_send(&store->reads, pieces, 3, 0, NULL);
    CHECK(error == OK); /* the queue holds calls_max of them */
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct lmdb_store *store = ctx;
    enum err error = store_key_check(key);
    if (error == OK)
        error = call_take(store);
    if (error == OK)
        read_send(store, token, key, (struct slice){0}, 0);
    return error;
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
    enum err error = store_commit_check(writes, count, STORE_VALUE_ENGINE_MAX, STORE_COMMIT_MAX);
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

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct lmdb_store *store = ctx;
    CHECK(store->done.scanned != NULL);
    enum err error = store_scan_check(prefix, after, limit);
    if (error == OK)
        error = call_take(store);
    if (error == OK)
        read_send(store, token, after, prefix, limit);
    return error;
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    struct lmdb_store *store = ctx;
    enum err error = store_key_check(key);
    if (error != OK)
        return error;
    pthread_mutex_lock(&store->watch_lock);
    if (on)
        error = map_put(&store->watched, key_hash(key), 0);
    else
        (void)map_remove(&store->watched, key_hash(key));
    atomic_store(&store->watching, store->watched.count > 0);
    pthread_mutex_unlock(&store->watch_lock);
    return error;
}

struct env_store
lmdb_store_port(struct lmdb_store *store, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL);
    store->done = done;
    return (struct env_store){.ctx = store,
                              .value_max = STORE_VALUE_ENGINE_MAX,
                              .commit_max = STORE_COMMIT_MAX,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch};
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

static void
scanned_deliver(struct lmdb_store *store, const struct answer_head *head, struct slice bytes)
{
    struct store_found found[STORE_SCAN_MAX];
    uint32_t count = 0;
    struct reader r = reader_over(bytes.at, bytes.bytes);
    while (reader_left(&r) > 0) {
        struct found_head one;
        CHECK(count < STORE_SCAN_MAX);
        memcpy(&one, read_bytes(&r, sizeof one).at, sizeof one);
        found[count].key = read_bytes(&r, one.key_bytes);
        found[count].doc = (struct store_doc){
            .version = one.version, .exists = true, .value = read_bytes(&r, one.value_bytes)};
        count++;
    }
    CHECK(reader_ok(&r));
    store->done.scanned(store->done.ctx, head->token, head->result, found, count);
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
    case ANSWER_SCANNED:
        store->under_way--;
        scanned_deliver(store, head, bytes);
        return 1;
    case ANSWER_CHANGED:
        if (store->done.changed != NULL)
            store->done.changed(store->done.ctx, bytes);
        return 0;
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
    swap_queue_let_go(&store->commits); /* the writer holds it until its answers are heard */
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
        error = swap_queue_init(&store->reads, options->calls_max * READ_BYTES_MAX);
    if (error == OK)
        error = swap_queue_init(&store->answers, lmdb_answers_reserve(store) + ANSWER_VALUES_BYTES);
    return error;
}

/* Gives back whatever open had got so far. */
static void
store_free(struct lmdb_store *store)
{
    struct swap_queue *queues[] = {&store->commits, &store->reads, &store->answers};
    for (size_t i = 0; i < 3; i++)
        if (queues[i]->filling != NULL)
            swap_queue_fini(queues[i]);
    if (store->file.env != NULL)
        lmdb_file_close(&store->file);
    if (store->event_fd >= 0)
        close(store->event_fd);
    if (store->lock_fd >= 0)
        data_lock_release(store->lock_fd);
    pthread_mutex_t *locks[] = {&store->map_lock, &store->writing_lock, &store->stats_lock,
                                &store->watch_lock};
    for (size_t i = 0; i < 4; i++)
        pthread_mutex_destroy(locks[i]);
    map_fini(&store->damaged);
    map_fini(&store->watched);
    free(store->outcomes);
    free(store);
}

static enum err
store_prepare(struct lmdb_store *store, char *why)
{
    const struct lmdb_store_options *options = &store->options;
    char path[PATH_MAX];
    enum err error = lmdb_file_path(options->directory, path, why, LMDB_STORE_WHY_MAX);
    if (error == OK && options->beside && data_lock_is_ours(options->directory)) {
        snprintf(why, LMDB_STORE_WHY_MAX, "this process has the store in %s open already",
                 options->directory);
        error = ERR_DENIED;
    }
    if (error == OK && !options->beside)
        error = data_lock_take(options->directory, &store->lock_fd, why, LMDB_STORE_WHY_MAX);
    if (error == OK)
        error = lmdb_file_open(&store->file, path, options->map_bytes,
                               options->beside ? LMDB_FILE_GUEST : LMDB_FILE_OWNER, why,
                               LMDB_STORE_WHY_MAX);
    if (error != OK)
        return error;
    lmdb_readers_check(store);
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
    store->outcomes = calloc(complete.calls_max, sizeof *store->outcomes);
    pthread_mutex_t *locks[] = {&store->map_lock, &store->writing_lock, &store->stats_lock,
                                &store->watch_lock};
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_mutex_init(locks[i], NULL) == 0);
    map_init(&store->damaged, DAMAGED_MAX, 0);
    map_init(&store->watched, STORE_WATCHES_MAX, 0);
    if (store->event_fd < 0 || store->outcomes == NULL || queues_init(store) != OK) {
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
    CHECK(pthread_create(&store->writer, NULL, lmdb_writer_main, store) == 0);
    CHECK(pthread_create(&store->reader, NULL, lmdb_reader_main, store) == 0);
    *out = store;
    return OK;
}

void
lmdb_store_close(struct lmdb_store **store)
{
    struct lmdb_store *s = *store;
    CHECK(s != NULL && !s->delivering);
    swap_queue_close(&s->commits); /* the writer still writes what waits */
    swap_queue_close(&s->reads);
    swap_queue_close(&s->answers); /* nobody reads them any more */
    pthread_join(s->writer, NULL);
    pthread_join(s->reader, NULL);
    if (s->reading != NULL)
        mdb_txn_abort(s->reading);
    store_free(s);
    *store = NULL;
}
