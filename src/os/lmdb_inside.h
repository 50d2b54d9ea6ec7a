/* The inside of the embedded store, shared by its three threads: lmdb_store.c (the port, on the
 * env's thread), lmdb_writer.c, lmdb_reader.c. The comments at the members of struct lmdb_store
 * tell whose they are.
 */
#ifndef SEOM_OS_LMDB_INSIDE_H
#define SEOM_OS_LMDB_INSIDE_H

#include "base/map.h"
#include "os/lmdb_file.h"
#include "os/lmdb_store.h"
#include "os/swap_queue.h"
#include <pthread.h>
#include <stdatomic.h>

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

/* In front of a key and a prefix: a get has no limit and no prefix; the key of a scan is where it
 * goes on. */
struct read_head {
    uint64_t token;
    uint32_t limit;
    uint8_t key_bytes, prefix_bytes;
};

#define READ_BYTES_MAX (sizeof(struct read_head) + 2 * STORE_KEY_MAX)

/* In front of each key and value in the answer to a scan. */
struct found_head {
    uint64_t version;
    uint32_t value_bytes;
    uint8_t key_bytes;
};

enum answer_kind { ANSWER_GOT, ANSWER_COMMITTED, ANSWER_SCANNED, ANSWER_CHANGED, ANSWER_REPORT };

struct answer_head {
    enum answer_kind kind;
    enum store_result result;
    uint64_t token, version;
    uint32_t bytes; /* of the value, the key, what was found or the report's text: they follow */
    bool exists;
    enum log_level level;
};

struct lmdb_store {
    /* Set at open, then read by all threads. */
    struct lmdb_store_options options;
    int lock_fd, event_fd;
    pthread_t writer, reader;
    /* Shared, each with its lock inside. */
    struct swap_queue commits, reads, answers;
    pthread_mutex_t map_lock; /* held by the reader while a transaction is open, by the writer while
                                 the map moves */
    pthread_mutex_t writing_lock; /* held by the writer while a transaction is open; the reader
                                     takes it when it finds that another process moved the map */
    pthread_mutex_t stats_lock;
    struct lmdb_store_stats stats;
    struct map damaged; /* hashes of keys that were reported, under stats_lock */
    pthread_mutex_t watch_lock;
    struct map watched;   /* hashes of keys: a hint may be needless; under watch_lock */
    atomic_bool watching; /* something is watched: spares the writer the lock */
    atomic_bool failed;
    /* The writer's; map_bytes of the file changes under map_lock. */
    struct lmdb_file file;
    struct answer_head *outcomes; /* owned; calls_max: of the commits in the group at hand */
    bool growth_failed;           /* said so already */
    bool filling_told;
    /* The reader's. */
    MDB_txn *reading;
    /* The env's thread. */
    struct store_done done;
    uint32_t under_way;
    uint64_t refused;
    bool delivering;
};

/* ---- from any thread (lmdb_store.c) ---- */

/* spare: room that must stay for commits' answers, which may never be refused. */
enum err lmdb_answer_send(struct lmdb_store *store, const struct answer_head *head,
                          const struct slice *pieces, uint32_t count, size_t spare);
/* Of a whole group of commits, so that the env's thread hears of all of them at once. */
void lmdb_outcomes_send(struct lmdb_store *store, uint32_t commits);
size_t lmdb_answers_reserve(const struct lmdb_store *store);
/* A line for the log, told on the env's thread; dropped when there is no room for it. */
void lmdb_report(struct lmdb_store *store, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counted each time, told once for each key. */
void lmdb_report_corrupt(struct lmdb_store *store, struct slice key);
/* Readers that were killed would pin their pages for ever, and the file would grow. */
void lmdb_readers_check(struct lmdb_store *store);
bool lmdb_is_watched(struct lmdb_store *store, struct slice key);
/* After a failed write nobody knows what lies on the disk, so nothing is believed until a restart
 * has read it. */
void lmdb_store_fail(struct lmdb_store *store, const char *what, int code);
/* What stands under the key now: OK (version 0 when nothing), ERR_FORMAT when damaged, ERR_IO with
 * *code. */
enum err lmdb_document_read(MDB_txn *txn, MDB_dbi documents, struct slice key,
                            struct store_doc *doc, int *code);

/* ---- the threads; their argument is the store ---- */

void *lmdb_writer_main(void *argument); /* ends when commits is closed and empty */
void *lmdb_reader_main(void *argument); /* ends when reads is closed and empty */

#endif
