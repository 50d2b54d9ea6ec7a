/* The parts of `seom bench store`, which asks how near the store comes to what the disk and the
 * engine below it can do. bench_store.c is the command line and conducts, bench_store_report.c
 * prints; this header is for the bench_store*.c files only.
 *
 * Four sides make durable commits, in turn and in short rounds, so that whatever else the machine
 * does meets all of them: the store as the server uses it (bench_store_load.c), LMDB called
 * directly (bench_store_raw.c), a bare append with fdatasync, and SQLite (bench_store_beside.c).
 * A commit changes one existing document, taken at random, and checks its version first. All sides
 * write the same documents. With N in flight the store has N commits under way at any time, whose
 * groups form as they do; the other sides make transactions of exactly N, which is the best that
 * any grouping of N could come to.
 *
 * One core is not as fast as the other (interrupts, what else runs there), so the writer of the
 * store and whoever makes transactions on the other sides stay on core 0, and whoever asks the
 * store on core 1.
 *
 * Used on the main thread, one side at a time. Memory and files are of fixed size except for the
 * storm and the recovery, which write as much as they are asked for.
 */
#ifndef SEOM_APP_BENCH_STORE_H
#define SEOM_APP_BENCH_STORE_H

#include "app/bench_store_documents.h"
#include "app/bench_store_figures.h"
#include "env/env.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define BENCH_STORE_IN_FLIGHT_MAX 512
#define BENCH_STORE_COUNT         100000                /* documents */
#define BENCH_STORE_MAP_BYTES     (UINT64_C(256) << 20) /* so that no map grows in a round */
#define BENCH_FOLD                16384 /* documents that a journal would fold into LMDB at once */
#define BENCH_CORE_WRITING        0
#define BENCH_CORE_ASKING         1
#define BENCH_STORE_PLAYERS       19000

/* What can make commits. A round ends at the first commit after us; ERR_CLOSED: interrupted. */
struct bench_side {
    void *ctx;
    enum err (*round)(void *ctx, uint32_t in_flight, int64_t us, struct bench_round *out);
};

/* Where there are two cores; the threads that are started from now on stay there as well. */
void bench_core_take(uint32_t core);

/* ---- bench_store_load.c: the store ---- */

struct bench_load;

/* The documents are borrowed. Failures are told on stderr. */
enum err bench_load_open(const char *directory, struct bench_documents *documents,
                         struct bench_load **out) MUST_USE;
void bench_load_close(struct bench_load **load);
enum err bench_load_fill(struct bench_load *load) MUST_USE; /* every document once */
struct bench_side bench_load_side(struct bench_load *load);
enum err bench_load_reads(struct bench_load *load, int64_t us, double *per_s) MUST_USE;
/* Everybody settles at once: each of 19,000 players writes his document and a new one, again and
 * again, 512 under way. */
enum err bench_load_storm(struct bench_load *load, uint32_t seconds,
                          struct bench_storm *out) MUST_USE;
/* The places of 19,000 players who all moved, saved again and again. */
enum err bench_load_places(struct bench_load *load, int64_t us, double *us_per_player_s) MUST_USE;
/* What is stored: its version; 0 when it is not there or has a value of another. */
enum err bench_load_look(struct bench_load *load, uint32_t document, uint64_t *version) MUST_USE;
/* One commit of a document of its own, waited for. */
enum err bench_load_touch(struct bench_load *load) MUST_USE;
uint64_t bench_load_bytes(struct bench_load *load); /* of pages that the store has used */

/* ---- bench_store_raw.c: LMDB and nothing else ---- */

struct bench_raw;

enum err bench_raw_open(const char *directory, struct bench_documents *documents,
                        struct bench_raw **out) MUST_USE;
void bench_raw_close(struct bench_raw **raw);
struct bench_side bench_raw_side(struct bench_raw *raw);
/* Documents a second in transactions of BENCH_FOLD. */
enum err bench_raw_fold(struct bench_raw *raw, int64_t us, double *per_s) MUST_USE;
/* A round for sides that have nothing under way between their transactions of in_flight commits. */
enum err bench_transactions(enum err (*transaction)(void *ctx, uint32_t count), void *ctx,
                            uint32_t in_flight, int64_t us, struct bench_round *out) MUST_USE;

/* ---- bench_store_beside.c: what stands beside, for comparison ---- */

struct bench_append;

enum err bench_append_open(const char *directory, struct bench_documents *documents,
                           struct bench_append **out) MUST_USE;
void bench_append_close(struct bench_append **append);
struct bench_side bench_append_side(struct bench_append *append);

struct bench_sqlite;

/* ERR_NOT_FOUND: the sqlite3 tool is not installed. */
enum err bench_sqlite_open(const char *directory, struct bench_documents *documents,
                           struct bench_sqlite **out) MUST_USE;
void bench_sqlite_close(struct bench_sqlite **sqlite);
struct bench_side bench_sqlite_side(struct bench_sqlite *sqlite);

/* ---- bench_store_recover.c: killed in the middle ---- */

struct bench_recovery {
    uint64_t store_bytes;
    uint32_t documents;
    double fill_s;
    int64_t open_us, first_commit_us; /* both from the same beginning */
    uint32_t checked, lost; /* acknowledged documents; lost: older than that, or damaged */
    uint32_t newer;         /* written, though nobody was told */
};

/* Fills a store in a child process, kills it (SIGKILL) while it writes, and opens what is left with
 * a cold page cache. Call it while there is one thread. */
enum err bench_recover(const char *directory, uint64_t bytes, struct bench_recovery *out) MUST_USE;

/* ---- bench_store_pg.c: the engine of a cluster ---- */

/* Commits and gets with 1, 8, 64 and 512 in flight, and pages of places, over an empty store on a
 * PostgreSQL server, which is empty again afterwards. server: the process whose CPU time, with that
 * of its children, is the server's; 0: it is not asked for. The exit code. */
int bench_postgres(const char *address, uint32_t seconds, pid_t server);

/* ---- bench_store_report.c: table and JSON ---- */

enum { SIDE_STORE, SIDE_RAW, SIDE_APPEND, SIDE_SQLITE };

_Static_assert(SIDE_SQLITE + 1 == BENCH_SIDES, "the sides");

struct bench_store_result {
    const char *file_system; /* static */
    bool on_disk;
    bool with_sqlite, with_recovery;
    struct bench_tally sides[BENCH_SIDES][BENCH_LEVELS];
    double fold_per_s, reads_per_s, place_us_per_player_s;
    struct bench_storm storm;
    struct bench_recovery recovery;
};

void bench_store_print(const struct bench_store_result *result);
json_t *bench_store_json(const struct bench_store_result *result);

#endif
