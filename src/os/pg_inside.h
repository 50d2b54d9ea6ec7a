/* The inside of the PostgreSQL engine, for the pg_*.c files: pg_store.c (the port, queues and
 * deadlines), pg_line.c (one connection: what is sent and what comes back), pg_group.c (which calls
 * go out together, and in what form), pg_hints.c, pg_dial.c (the thread that makes connections) and
 * pg_session.c (what a connection needs before it is of use). All of it belongs to the env's
 * thread, except for struct pg_dialler, which both threads use under its lock.
 */
#ifndef SEOM_OS_PG_INSIDE_H
#define SEOM_OS_PG_INSIDE_H

#include "base/map.h"
#include "base/pool.h"
#include "os/pg_store.h"
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#define PG_GROUP_CALLS_MAX 1024
#define PG_GROUP_DOCS_MAX  1024 /* a commit of as many as it may have goes alone */
#define PG_GETS_MAX        128  /* in a group: what they answer lies in memory until it is told */
#define PG_PARAMETERS_MAX  9
#define PG_DEPTH_MAX       4   /* groups on their way in one connection */
#define PG_HINTS_MAX       480 /* in one message: 16 characters each, less than 8000 */
#define PG_LINE_READING    0   /* the connection for gets, scans and hints */

#define PG_STATEMENT_COMMIT "seom_commit"
#define PG_STATEMENT_GET    "seom_get"
#define PG_STATEMENT_SCAN   "seom_scan"
#define PG_STATEMENT_HINT   "seom_hint"
#define PG_CHANNEL          "seom"

/* ---- calls ---- */

enum pg_call_kind { PG_CALL_GET, PG_CALL_SCAN, PG_CALL_COMMIT };

/* A call under way, in one piece of memory with the keys and values it speaks of. */
struct pg_call {
    struct pg_call *next;
    uint64_t token;
    int64_t asked_us;
    enum pg_call_kind kind;
    enum store_result result;
    int row;        /* of the answer to a get; negative: no such document */
    uint32_t limit; /* of a scan */
    uint32_t count;
    size_t bytes;                /* counted as queued */
    struct store_write writes[]; /* a get: its key; a scan: prefix and place to go on from */
};

struct pg_queue {
    struct pg_call *first, **last;
};

/* ---- groups and lines ---- */

enum pg_group_kind { PG_GROUP_GETS, PG_GROUP_SCAN, PG_GROUP_COMMITS, PG_GROUP_HINTS };

/* Calls that went out together, as one statement and one transaction. */
struct pg_group {
    enum pg_group_kind kind;
    uint32_t count;
    struct pg_call *calls[PG_GROUP_CALLS_MAX]; /* owned; those of hints: none */
    int64_t sent_us, due_us;
    PGresult *result; /* owned; believed only when the server says that the transaction is over */
};

/* A connection, or the place for one. */
struct pg_line {
    struct pg_store *store;
    uint32_t index;
    PGconn *pg; /* owned; NULL: it is being made */
    int fd;
    bool wants_writable;
    bool doubtful; /* the server warned: what it says of a commit may not be true of a standby */
    uint32_t depth;
    uint32_t first, count; /* of its groups, a ring */
    struct pg_group groups[PG_DEPTH_MAX];
};

/* ---- the thread that makes connections ---- */

struct pg_dialler {
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool wanted[PG_CONNECTIONS_MAX];
    PGconn *made[PG_CONNECTIONS_MAX]; /* owned, until the env's thread takes them */
    uint64_t connects, failures;
    enum err error;              /* of the last attempt */
    char why[PG_STORE_WHY_MAX];  /* it failed */
    char note[PG_STORE_WHY_MAX]; /* of the last session made, for people; empty: nothing */
    /* Not under the lock. */
    atomic_bool stopping;
    int wake_fd;
    const struct pg_store_options *options; /* borrowed */
    int event_fd;                           /* borrowed: tells the env's thread */
};

/* ---- bytes of parameters ---- */

/* Grows up to what the largest group needs, and never shrinks. */
struct pg_bytes {
    uint8_t *at; /* owned */
    size_t used, room;
};

enum { PG_COMMITS, PG_KEYS, PG_VERSIONS, PG_OPS, PG_VALUES, PG_ARRAYS };

#define PG_SEEN_SLOTS 4096 /* at most a quarter full, so a search is short */

/* Keys that are in the group at hand, by their hashes. */
struct pg_seen {
    uint64_t hashes[PG_SEEN_SLOTS];
    uint32_t group[PG_SEEN_SLOTS]; /* in which it was set */
    uint32_t now;
};

/* One document of the group at hand. */
struct pg_write {
    const struct store_write *write;
    int32_t commit; /* its call in the group */
};

/* ---- hints ---- */

struct pg_watched {
    uint8_t key[STORE_KEY_MAX];
    uint8_t key_bytes;
};

struct pg_hints {
    struct map by_hash; /* of watched keys: index into watched */
    struct pool watched;
    uint64_t waiting[PG_HINTS_MAX]; /* hashes of what was changed here, for the other nodes */
    uint32_t count;
    int64_t since_us; /* the first of them waits */
};

/* ---- the store ---- */

struct pg_store {
    struct pg_store_options options;
    char *address; /* owned */
    struct store_done done;
    struct pg_queue reads, commits;
    uint32_t under_way;
    size_t queued_bytes;
    uint32_t answered;     /* since the last delivery began */
    struct pg_line *lines; /* owned; options.connections */
    struct pg_dialler dialler;
    bool away;      /* the last attempt to connect failed */
    bool note_told; /* the dialler's */
    int epoll_fd, event_fd, timer_fd;
    bool woken;       /* event_fd is set: what waits goes out at the next delivery */
    int64_t timer_us; /* when the timer goes off; INT64_MAX: it does not */
    bool delivering;
    struct pg_bytes arrays[PG_ARRAYS];
    struct pg_write writes[PG_GROUP_DOCS_MAX];
    struct pg_seen seen;
    struct pg_hints hints;
    struct pg_store_stats stats;
};

/* pg_store.c */
void pg_report(struct pg_store *store, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* group: whose result holds what a get or a scan found; NULL: nothing. The call stays the caller's.
 */
void pg_call_answer(struct pg_store *store, const struct pg_call *call, enum store_result result,
                    const struct pg_group *group);

/* pg_queue, in pg_group.c */
void pg_queue_init(struct pg_queue *queue);
void pg_queue_add(struct pg_queue *queue, struct pg_call *call);
struct pg_call *pg_queue_take(struct pg_queue *queue); /* NULL: empty */

/* pg_group.c. Each takes what goes together out of the queue, oldest first, and fills the
 * parameters; false: nothing waits. */
struct pg_parameters {
    const char *statement;
    int count;
    const char *values[PG_PARAMETERS_MAX];
    int lengths[PG_PARAMETERS_MAX];
    uint8_t numbers[4][4];
};

bool pg_group_of_commits(struct pg_store *store, struct pg_group *group,
                         struct pg_parameters *parameters);
bool pg_group_of_reads(struct pg_store *store, struct pg_group *group,
                       struct pg_parameters *parameters);
uint64_t pg_key_hash(struct slice key);

/* pg_line.c */
void pg_line_adopt(struct pg_line *line, PGconn *pg);
bool pg_line_has_room(const struct pg_line *line);
/* The group after the last one, to be filled and sent. */
struct pg_group *pg_line_next(struct pg_line *line);
void pg_line_send(struct pg_line *line, const struct pg_parameters *parameters, int64_t now_us);
void pg_line_ready(struct pg_line *line, uint32_t events);
/* Answers what was on its way in it, closes it and asks for another one. */
void pg_line_lose(struct pg_line *line, const char *why);

/* pg_hints.c */
void pg_hints_init(struct pg_hints *hints);
void pg_hints_fini(struct pg_hints *hints);
enum err pg_watch(struct pg_store *store, struct slice key, bool on);
/* A commit of ours took effect. */
void pg_hints_add(struct pg_store *store, const struct pg_call *commit);
/* What other nodes told. */
void pg_hints_hear(struct pg_store *store, const char *text);
int64_t pg_hints_due_us(const struct pg_store *store);
void pg_hints_send(struct pg_store *store, int64_t now_us);

/* pg_dial.c */
enum err pg_dialler_start(struct pg_dialler *dialler);
void pg_dialler_stop(struct pg_dialler *dialler);
void pg_dialler_want(struct pg_dialler *dialler, uint32_t line);

/* pg_session.c: connects and makes a session of it, blocking. note: something a person should
 * know, may be empty. stopping: may be NULL. */
enum err pg_session_open(const char *address, bool for_reading, uint32_t deadline_ms,
                         const atomic_bool *stopping, PGconn **out, char why[PG_STORE_WHY_MAX],
                         char note[PG_STORE_WHY_MAX]) MUST_USE;

#endif
