/* The reader thread: answers all gets that wait from one snapshot, which it lets go of as soon as
 * they are answered, and never waits for an fsync of the writer.
 */
#include "base/check.h"
#include "os/lmdb_inside.h"
#include <string.h>

static void
reading_begin(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->map_lock);
    int code = store->reading == NULL
                   ? mdb_txn_begin(store->file.env, NULL, MDB_RDONLY, &store->reading)
                   : mdb_txn_renew(store->reading);
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
        enum err error =
            lmdb_document_read(store->reading, store->file.documents, key, &doc, &code);
        if (error == ERR_IO)
            lmdb_store_fail(store, "reading", code);
        else if (error == ERR_FORMAT)
            lmdb_report_corrupt(store, key);
        else
            answer.result = STORE_OK;
    }
    if (answer.result == STORE_OK) {
        answer.version = doc.version;
        answer.exists = doc.exists;
        answer.bytes = (uint32_t)doc.value.bytes;
    }
    return lmdb_answer_send(store, &answer, doc.value.at, lmdb_answers_reserve(store)) != ERR_FULL;
}

void *
lmdb_reader_main(void *argument)
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
