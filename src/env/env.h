/* The one door to the outside. Logic rooms reach time, randomness, sending and storage only through
 * the ports of struct env; os/ implements them on Linux, sim/ on virtual time with one seed. A port
 * that a role does not need is NULL. Everything here is called on the thread that owns the env;
 * nothing blocks.
 */
#ifndef SEOM_ENV_ENV_H
#define SEOM_ENV_ENV_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/trace.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Time and chance. */
struct env_clock {
    void *ctx;
    int64_t (*mono_us)(void *ctx);  /* monotonic, for deadlines and costs */
    int64_t (*world_ms)(void *ctx); /* since the world's birth; slewed, never backwards */
    uint64_t (*random)(void *ctx);
};

/* Client connections of a gate. conn is a small index given by the implementor at gate_opened() and
 * free again after close() or gate_closed(). */
struct env_conns {
    void *ctx;
    /* One gathered send of all pieces. *taken says how many bytes the kernel took (0 when not
     * writable). ERR_CLOSED: the connection is dead, gate_closed() follows. */
    enum err (*send)(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count,
                     size_t *taken) MUST_USE;
    void (*want_writable)(void *ctx, uint32_t conn,
                          bool on);          /* gate_writable() once there is room */
    void (*close)(void *ctx, uint32_t conn); /* at once; gate_closed() is not called */
};

/* Serialisable messages to a peer: over a ring in one process, over a link in a cluster. */
struct env_links {
    void *ctx;
    enum err (*send)(void *ctx, uint32_t peer, const struct slice *pieces,
                     uint32_t count) MUST_USE; /* ERR_FULL: nothing was queued; ERR_CLOSED:
                                                  that peer is not there (now) */
};

#define STORE_KEY_MAX          64
#define STORE_VALUE_MAX        16384      /* what users may rely on */
#define STORE_VALUE_ENGINE_MAX 34816      /* two of them and what stands around them */
#define STORE_COMMIT_MAX       1024       /* documents in one commit */
#define STORE_COMMIT_BYTES_MAX (4U << 20) /* keys and values of one commit together */
#define STORE_SCAN_MAX         64         /* documents in one answer to a scan */
#define STORE_WATCHES_MAX      65536      /* watched keys of one engine */

/* Documents. Versions are never reused and grow per document, also across deletes: each put and
 * each delete raises the version by exactly one; 0 = was never there. A commit happens as a whole
 * or not at all. Commits that are under way at the same time take effect in any order; what was
 * answered STORE_OK is durable and is seen by every get after it.
 *
 * STORE_FORGET removes a document together with its version, so that afterwards it was never there.
 * Only for documents whose keys are never used twice, like the records of commits: a late duplicate
 * of such a document's first write brings it back. */
enum store_op { STORE_PUT, STORE_DELETE, STORE_CHECK, STORE_FORGET };

/* Any version will do: only for documents with one writer, which feel pages are. */
#define STORE_ANY_VERSION UINT64_MAX

struct store_write {
    struct slice key; /* <world>/<class>/<id>, printable ASCII, 1..STORE_KEY_MAX bytes */
    uint64_t
        expected_version; /* 0 = must not be there; after a delete: the version the delete left */
    enum store_op op;
    struct slice value; /* STORE_PUT only, at most value_max bytes */
};

enum store_result { STORE_OK, STORE_CONFLICT, STORE_UNKNOWN, STORE_UNAVAILABLE };

struct store_doc {
    uint64_t version;   /* 0 = was never there */
    bool exists;        /* false with version > 0: deleted */
    struct slice value; /* borrowed until the call-back returns */
};

struct store_found {
    struct slice key; /* borrowed, like the value, until the call-back returns */
    struct store_doc doc;
};

/* Answers come back on the env's thread through the call-back, exactly once per accepted call. An
 * engine answers STORE_OK, STORE_CONFLICT or STORE_UNAVAILABLE only when nothing of the call can
 * still take effect; after STORE_UNKNOWN, or the asker's death, it may do so later, even twice. So
 * whoever implements the port never sends a commit again by himself. */
struct store_done {
    void *ctx;
    void (*got)(void *ctx, uint64_t token, enum store_result result,
                const struct store_doc *doc); /* doc NULL unless STORE_OK */
    void (*committed)(void *ctx, uint64_t token, enum store_result result);
    void (*scanned)(void *ctx, uint64_t token, enum store_result result,
                    const struct store_found *found, uint32_t count);
    /* A watched document may have changed: a hint, which can be missing, late or needless. */
    void (*changed)(void *ctx, struct slice key);
};

struct env_store {
    void *ctx;
    uint32_t value_max;  /* bytes of a value, at least STORE_VALUE_MAX */
    uint32_t commit_max; /* documents in a commit, up to STORE_COMMIT_MAX; 1: one key at a time */
    /* Both copy what they are given. ERR_FULL: too many under way, nothing was accepted. */
    enum err (*get)(void *ctx, uint64_t token, struct slice key) MUST_USE;
    enum err (*commit)(void *ctx, uint64_t token, const struct store_write *writes,
                       uint32_t count) MUST_USE;
    /* Those that exist of the keys that begin with prefix (empty: of all) and stand behind `after`
     * (empty: from the first), in the order of their bytes, at most limit of 1..STORE_SCAN_MAX;
     * fewer than limit: there are no more. For tools and for recovery, never for play. */
    enum err (*scan)(void *ctx, uint64_t token, struct slice prefix, struct slice after,
                     uint32_t limit) MUST_USE;
    /* ERR_FULL: STORE_WATCHES_MAX are watched; nothing may depend on hints. */
    enum err (*watch)(void *ctx, struct slice key, bool on) MUST_USE;
    /* Documents of one group can be committed together at the price of one; NULL: all can. Whoever
     * writes many documents that need not change at once sorts them by it. */
    uint32_t (*group)(void *ctx, struct slice key);
};

struct env {
    struct env_clock clock;
    struct env_conns conns;
    struct env_links links;
    struct env_store store;
    void *log_ctx;
    void (*log)(void *ctx, enum log_level level, const char *event,
                const char *text); /* may be NULL */
    struct trace *trace;           /* borrowed; may be NULL */
};

int64_t env_mono_us(const struct env *env);
int64_t env_world_ms(const struct env *env);
uint64_t env_random(const struct env *env);
/* event is static text "room.what"; never put text of a player into format's arguments. */
void env_log(const struct env *env, enum log_level level, const char *event, const char *format,
             ...) __attribute__((format(printf, 4, 5)));
void env_trace(const struct env *env, const char *what, uint64_t a, uint64_t b);

#endif
