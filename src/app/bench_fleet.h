/* A whole cluster and its bots, for benches: everything as `seom cluster up` starts it (homes,
 * gates, PostgreSQL, etcd, one process each), on plain islands where everybody stands where its way
 * begins, and bots in processes of at most FLEET_HERD_MAX connections. Bots that share an island
 * share a process, so that what one sees can be held against where the others are.
 *
 * bench_fleet.c conducts, bench_fleet_store.c writes and reads documents, bench_fleet_herd.c is a
 * process of bots. Owned by the command that runs a bench, on the main thread, which must be the
 * only one; ends with it. Limits: FLEET_PLAYERS_MAX, CLUSTER_NODES_MAX nodes.
 */
#ifndef SEOM_APP_BENCH_FLEET_H
#define SEOM_APP_BENCH_FLEET_H

#include "app/bench_scratch.h"
#include "bots/herd.h"
#include "os/log.h"
#include "os/process.h"
#include <jansson.h>
#include <stdatomic.h>

#define FLEET_HERD_MAX    (30 * PLAN_PEOPLE) /* 17,100 of 20,000 descriptors */
#define FLEET_HERDS_MAX   8
#define FLEET_PLAYERS_MAX (FLEET_HERDS_MAX * FLEET_HERD_MAX)
#define FLEET_WHY_MAX     512
#define FLEET_PROBE_MS    200
#define FLEET_WORLD       1
#define FLEET_NODES_MAX   72

struct fleet_options {
    uint32_t players, homes, gates;
    uint32_t warm_s;
    uint32_t probers; /* of all players, drawn */
    uint32_t seed;
    enum profile profile;
    const char *data; /* NULL: a directory that is removed afterwards */
};

/* What is known of a prober. Written by its herd. */
struct fleet_probe {
    uint64_t player;    /* 0: this bot is none */
    uint64_t home;      /* node_epoch, when fleet_homes() was asked */
    uint32_t gate;      /* of the last answer before something died */
    int64_t before_us;  /* when that came; 0: none did */
    int64_t again_us;   /* the first answer to what was asked after that; 0: none yet */
    int64_t silence_us; /* the longest time between two answers while nothing had died yet */
};

struct fleet_herd {
    uint32_t first, count; /* of the players */
    pid_t pid;
    _Atomic bool measures;
    struct herd_second second; /* the last one told; a glance, not exact */
    struct herd_result result; /* once it has ended */
};

/* In memory that all processes of a bench share. */
struct fleet_shared {
    struct fleet_options options;
    char data[SCRATCH_PATH_MAX];
    char store[1024];
    struct herd_gate gates[HERD_GATES_MAX];
    uint32_t gates_count;
    struct fleet_herd herds[FLEET_HERDS_MAX];
    uint32_t herds_count;
    _Atomic bool stop;         /* the herds leave */
    _Atomic int64_t killed_us; /* mono; 0: nothing has died yet */
    char why[FLEET_WHY_MAX];
    struct fleet_probe probes[FLEET_PLAYERS_MAX];
    uint8_t tickets[FLEET_PLAYERS_MAX][TICKET_BYTES];
};

/* CPU time that processes have used until now, by what they are, and how busy the machine was. */
struct fleet_cpu {
    int64_t mono_us, homes_us, gates_us, store_us, etcd_us, bots_us;
    struct process_machine machine;
};

struct fleet {
    struct fleet_shared *shared;
    pid_t keeper;
    char base[SCRATCH_PATH_MAX]; /* removed in the end; "": nothing is */
};

/* Starts the cluster, then writes everybody into its store. On failure why is told on stderr and
 * fleet_close() is still to be called. */
enum err fleet_open(struct fleet *f, const struct fleet_options *options) MUST_USE;
void fleet_close(struct fleet *f);
/* Connects everybody and waits until all herds measure. */
enum err fleet_play(struct fleet *f) MUST_USE;
/* Lets `us` pass, with a line on stderr each second. ERR_CLOSED: interrupted; ERR_IO: a process
 * that must live has ended. enough: asked ten times a second, true ends it; may be NULL. */
enum err fleet_wait(struct fleet *f, int64_t us, bool (*enough)(void *ctx), void *ctx) MUST_USE;
/* The bots leave; their results are there. */
enum err fleet_leave(struct fleet *f) MUST_USE;

/* All nodes and engines, as the keeper lists them; NULL: it does not answer. The caller's. */
json_t *fleet_list(const struct fleet *f);
/* What a node answers to a command; NULL likewise. */
json_t *fleet_ask(const struct fleet *f, const char *node, const char *command);
/* How long ticks of homes have taken since they began; except: the name of one that is left out,
 * or NULL. */
enum err fleet_ticks(const struct fleet *f, const char *except, struct hist *out) MUST_USE;
/* What the second knows and the first did not. */
void fleet_ticks_between(const struct hist *from, const struct hist *to, struct hist *out);
/* At which homes the probers are, by their documents. */
enum err fleet_homes(struct fleet *f) MUST_USE;
enum err fleet_cpu(const struct fleet *f, struct fleet_cpu *out) MUST_USE;

/* What the gates have sent to players and read from them, each until a moment of its own. */
struct fleet_traffic {
    uint32_t gates;

    struct {
        double up_s, sends, receives, bytes;
    } of[HERD_GATES_MAX];
};

enum err fleet_traffic(const struct fleet *f, struct fleet_traffic *out) MUST_USE;

/* For bench_fleet*.c: each is a process. Returns its exit code. */
int fleet_seed(void *shared);
int fleet_look(void *shared);

struct fleet_herding {
    struct fleet_shared *shared;
    uint32_t number; /* of the herd */
};

int fleet_herd(void *herding);
void fleet_plan(const struct fleet_shared *shared, uint32_t herd, struct plan_options *out);
uint32_t fleet_islands_of_herd(const struct fleet_shared *shared);

#endif
