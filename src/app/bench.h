/* One run of a whole world for a bench: a server in a process of its own on core 0, bots in another
 * on core 1, and between them nothing but loopback. The islands are bare land (squares of
 * PLAN_SIDE_MM, the game "empty"), and everybody stands where its way begins before the server
 * starts. Afterwards the bare loop (limit.h) is measured with the same connections, sizes and
 * rates.
 *
 * bench.c conducts, bench_seed.c writes the store, bench_server.c and bench_herd.c are the two
 * processes, bench_world.c is the command line. Blocks the calling thread, which must be the only
 * one; leaves nothing behind in $TMPDIR. Limit: BENCH_PLAYERS_MAX.
 */
#ifndef SEOM_APP_BENCH_H
#define SEOM_APP_BENCH_H

#include "app/bench_scratch.h"
#include "app/limit.h"
#include "base/hist.h"
#include "bots/herd.h"
#include <stdatomic.h>

#define BENCH_PLAYERS_MAX 19500 /* of 20,000 descriptors */
#define BENCH_WHY_MAX     512
#define BENCH_WORLD_ID    1

struct bench_options {
    uint32_t players, seconds, warm_s;
    uint32_t observers; /* UINT32_MAX: HERD_OBSERVERS */
    enum profile profile;
    uint32_t per_island;     /* 0: PLAN_PEOPLE */
    const char *tracks_path; /* NULL: made-up people */
    uint32_t seed;
    bool without_limit; /* the bare loop is left out */
};

/* What the server counts, at one moment. */
struct bench_count {
    int64_t mono_us, cpu_us;  /* of its process */
    int64_t gates_us;         /* mono time of the rest, which its gates count */
    uint64_t sends, receives; /* system calls on players' sockets that moved bytes */
    uint64_t send_bytes;
    uint64_t feeds, feed_pieces; /* gathered sends of news, and the pieces in them */
};

struct bench_result {
    struct herd_result herd;
    struct bench_count from, to; /* first and last while measuring */
    uint64_t rss_from, rss_to;   /* before the first connection, at the end */
    struct hist tick_us, queue_wait_us;
    struct limit_result limit;
};

/* Shared by the processes of one run, in anonymous shared memory. Each part has one writer at a
 * time. */
struct bench_shared {
    struct bench_options options;
    char data[SCRATCH_PATH_MAX]; /* directory of the store */
    _Atomic uint32_t port;       /* 0: the server is not ready yet */
    _Atomic bool measuring;      /* set by the herd; the server counts meanwhile */
    enum err error;              /* of whichever process failed, with why */
    char why[BENCH_WHY_MAX];
    struct bench_result result;
    uint8_t tickets[][TICKET_BYTES]; /* of options.players */
};

/* ERR_CLOSED: SIGINT or SIGTERM ended it. why: for people. */
enum err bench_run(const struct bench_options *options, struct bench_result *out,
                   char why[BENCH_WHY_MAX]) MUST_USE;

/* The processes: each takes struct bench_shared and returns an exit code. For bench.c only. */
int bench_seed(void *shared);
int bench_server(void *shared);
int bench_herd(void *shared);
/* Fills shared->error and why, and returns the exit code 1. */
int bench_fail(struct bench_shared *shared, enum err error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The people of a recording, or made-up ones. false: the file cannot be read; bench_fail() was
 * told. The tracks belong to the caller and must outlive the plan. */
bool bench_plan(struct bench_shared *shared, struct tracks **tracks,
                struct plan_options *out) MUST_USE;

#endif
