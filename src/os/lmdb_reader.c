/* The reader thread: answers all gets and scans that wait from one snapshot, which it lets go of as
 * soon as they are answered, and never waits for an fsync of the writer.
 */
#include "base/check.h"
#include "os/lmdb_inside.h"
#include <string.h>

/* Another process made the map larger. The map lock is held, so nobody else moves it; no
 * transaction may be open meanwhile, the writer's neither. */
static int
map_adopt(struct lmdb_store *store)
{
    if (store->reading != NULL)
        mdb_txn_abort(store->reading);
    store->reading = NULL;
    pthread_mutex_lock(&store->writing_lock);
    int code = lmdb_file_adopt(&store->file);
    pthread_mutex_unlock(&store->writing_lock);
    return code;
}

static int
snapshot_take(struct lmdb_store *store)
{
    return store->reading == NULL
               ? mdb_txn_begin(store->file.env, NULL, MDB_RDONLY, &store->reading)
               : mdb_txn_renew(store->reading);
}

static void
reading_begin(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->map_lock);
    int code = snapshot_take(store);
    if (code == MDB_MAP_RESIZED && (code = map_adopt(store)) == MDB_SUCCESS)
        code = snapshot_take(store);
    if (code != MDB_SUCCESS)
        lmdb_store_fail(store, "reading", code);
}

static void
reading_end(struct lmdb_store *store)
{
    if (store->reading != NULL)
        mdb_txn_reset(store->reading);
    pthread_mutex_unlock(&store->map_lock);
}

struct request {
    struct read_head head;
    struct slice key, prefix;
};

static struct request
request_read(struct reader *r)
{
    struct request request;
    memcpy(&request.head, read_bytes(r, sizeof request.head).at, sizeof request.head);
    request.key = read_bytes(r, request.head.key_bytes);
    request.prefix = read_bytes(r, request.head.prefix_bytes);
    CHECK(reader_ok(r));
    return request;
}

static enum err
get_answer(struct lmdb_store *store, const struct request *request)
{
    struct answer_head answer = {
        .kind = ANSWER_GOT, .result = STORE_UNAVAILABLE, .token = request->head.token};
    struct store_doc doc = {0};
    if (!atomic_load(&store->failed)) {
        int code;
        enum err error =
            lmdb_document_read(store->reading, store->file.documents, request->key, &doc, &code);
        if (error == ERR_IO)
            lmdb_store_fail(store, "reading", code);
        else if (error == ERR_FORMAT)
            lmdb_report_corrupt(store, request->key);
        else
            answer.result = STORE_OK;
    }
    if (answer.result == STORE_OK) {
        answer.version = doc.version;
        answer.exists = doc.exists;
        answer.bytes = (uint32_t)doc.value.bytes;
    }
    return lmdb_answer_send(store, &answer, &doc.value, 1, lmdb_answers_reserve(store));
}

/* What a scan found; keys and values lie in the map as long as the snapshot is held. */
struct finding {
    struct lmdb_store *store;
    uint32_t limit, count;
    struct found_head heads[STORE_SCAN_MAX];
    struct slice pieces[3 * STORE_SCAN_MAX];
};

static bool
found_one(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct finding *f = ctx;
    if (!doc->exists)
        return true;
    struct found_head *head = &f->heads[f->count];
    *head = (struct found_head){.version = doc->version,
                                .value_bytes = (uint32_t)doc->value.bytes,
                                .key_bytes = (uint8_t)key.bytes};
    struct slice *pieces = &f->pieces[3 * f->count];
    pieces[0] = (struct slice){(const uint8_t *)head, sizeof *head};
    pieces[1] = key;
    pieces[2] = doc->value;
    return ++f->count < f->limit;
}

static void
found_damaged(void *ctx, struct slice key)
{
    lmdb_report_corrupt(((struct finding *)ctx)->store, key);
}

static enum err
scan_answer(struct lmdb_store *store, const struct request *request)
{
    struct answer_head answer = {
        .kind = ANSWER_SCANNED, .result = STORE_UNAVAILABLE, .token = request->head.token};
    struct finding f = {.store = store, .limit = request->head.limit};
    CHECK(f.limit > 0 && f.limit <= STORE_SCAN_MAX);
    if (!atomic_load(&store->failed)) {
        struct lmdb_walk walk = {.ctx = &f, .each = found_one, .damaged = found_damaged};
        int code =
            lmdb_walk(store->reading, store->file.documents, request->prefix, request->key, &walk);
        if (code == MDB_SUCCESS)
            answer.result = STORE_OK;
        else
            lmdb_store_fail(store, "reading", code);
    }
    if (answer.result != STORE_OK)
        f.count = 0;
    for (uint32_t i = 0; i < 3 * f.count; i++)
        answer.bytes += (uint32_t)f.pieces[i].bytes;
    return lmdb_answer_send(store, &answer, f.pieces, 3 * f.count, lmdb_answers_reserve(store));
}

/* false: no room for the answer now. */
static bool
request_answer(struct lmdb_store *store, const struct request *request)
{
    enum err error =
        request->head.limit == 0 ? get_answer(store, request) : scan_answer(store, request);
    return error != ERR_FULL;
}

static void
reads_count(struct lmdb_store *store, uint64_t gets, uint64_t scans)
{
    pthread_mutex_lock(&store->stats_lock);
    store->stats.gets += gets;
    store->stats.scans += scans;
    pthread_mutex_unlock(&store->stats_lock);
}

void *
lmdb_reader_main(void *argument)
{
    struct lmdb_store *store = argument;
    struct slice taken;
    while (swap_queue_take_wait(&store->reads, &taken)) {
        struct reader r = reader_over(taken.at, taken.bytes);
        uint64_t gets = 0, scans = 0;
        reading_begin(store);
        while (reader_left(&r) > 0) {
            struct request request = request_read(&r);
            while (!request_answer(store, &request)) {
                reading_end(store); /* no snapshot is kept while waiting for the env's thread */
                swap_queue_wait_drained(&store->answers);
                reading_begin(store);
            }
            *(request.head.limit == 0 ? &gets : &scans) += 1;
        }
        reading_end(store);
        reads_count(store, gets, scans);
    }
    return NULL;
}
