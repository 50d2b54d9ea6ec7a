/* Committers over one engine model, with a fault at a chosen call of the first one. For tests
 * of the committer only; on virtual time. */
#ifndef SEOM_STORE_COMMITTER_FIXTURE_H
#define SEOM_STORE_COMMITTER_FIXTURE_H

#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/committer.h"

#define FIXTURE_WORLD   1
#define FIXTURE_NODES   2
#define FIXTURE_ANSWERS 256

/* What becomes of one write in the engine. */
enum fault {
    FAULT_NONE,
    FAULT_UNKNOWN_DONE,
    FAULT_UNKNOWN_LOST,
    FAULT_UNKNOWN_LATE,  /* takes effect 30 ms later */
    FAULT_UNKNOWN_TWICE, /* at once, and again 30 ms later */
    FAULT_UNAVAILABLE,
    FAULT_HELD,         /* takes effect; UNKNOWN comes when the test releases it */
    FAULT_HELD_LOST,    /* the same, without effect */
    FAULT_CRASH_BEFORE, /* the node dies with the write unsent */
    FAULT_CRASH_AFTER,  /* the node dies with the write done */
    FAULTS
};

struct answer {
    uint32_t times;
    enum store_result result;
    uint64_t version;
    bool exists;
    char value[32];
};

struct fixture;

struct fixture_node {
    struct fixture *fixture;
    struct committer *committer; /* NULL: dead */
    struct memory_connection *connection;
    struct env_store inner, port; /* the engine's and the committer's */
    struct store_done done;       /* the committer's, for the engine */
    uint32_t writes, gets;        /* sent to the engine */
    enum fault fault;
    uint32_t fault_at;     /* which write, from 1 */
    uint32_t get_fault_at; /* which get is UNAVAILABLE */
    uint64_t fault_token;
    bool held, dying;
};

struct late_write {
    struct fixture_node *node;
    struct key key;
    uint8_t value[256];
    struct store_write write;
};

struct fixture {
    struct events schedule;
    struct env env;
    struct memory_store *memory;
    struct fixture_node nodes[FIXTURE_NODES];
    struct committer_options options;
    uint64_t epochs, tokens;
    struct answer answers[FIXTURE_ANSWERS];
    struct late_write late;
    struct store_found found[STORE_SCAN_MAX]; /* of the last scan; keys only */
    struct key found_keys[STORE_SCAN_MAX];
    uint32_t found_count, scans, hints;
};

struct fixture *fixture_alloc(void); /* node 0 lives */
void fixture_free(struct fixture *f);
void fixture_start(struct fixture *f, uint32_t node);
void fixture_kill(struct fixture *f, uint32_t node);
void fixture_release(struct fixture *f, uint32_t node);
/* Until this is answered, at most a minute. */
const struct answer *fixture_await(struct fixture *f, uint64_t token);
void fixture_run_ms(struct fixture *f, int64_t ms);

uint64_t fixture_get_send(struct fixture *f, uint32_t node, const char *key);
const struct answer *fixture_get(struct fixture *f, uint32_t node, const char *key);
uint64_t fixture_commit_send(struct fixture *f, uint32_t node, const struct store_write *writes,
                             uint32_t count);
enum store_result fixture_commit(struct fixture *f, uint32_t node, const struct store_write *writes,
                                 uint32_t count);
struct store_write fixture_put(const char *key, uint64_t version, const char *value);
struct store_write fixture_op(const char *key, uint64_t version, enum store_op op);

/* Straight into the engine, behind everybody's back. */
void fixture_raw_put(struct fixture *f, struct slice key, const void *value, size_t bytes);
void fixture_raw_pend(struct fixture *f, const char *key, struct txid id, const char *value);
void fixture_raw_record(struct fixture *f, struct txid id, enum record_state state,
                        int64_t deadline_ms, const char *key);
struct store_doc fixture_raw(struct fixture *f, const char *key);
struct committer_view fixture_view(struct fixture *f, const char *key);
uint32_t fixture_records(
    struct fixture *f); /* of the first 64 nonces of each epoch that there are */

#endif
