/* The inside of a run of the commit model, shared by its files: commit_model.c builds it and lets
 * faults fall, commit_knobs.c draws how many, commit_node.c is a node, commit_person.c a player who
 * gives the commands that commit_ways.c makes up; commit_truth.c follows what the engine holds,
 * commit_books.c reads documents of value, commit_check.c and commit_rest.c say what must hold.
 */
#ifndef SEOM_PROOF_COMMIT_STATE_H
#define SEOM_PROOF_COMMIT_STATE_H

#include "base/map.h"
#include "base/pool.h"
#include "proof/commit_check.h"
#include "proof/commit_model.h"
#include "proof/commit_truth.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "store/ids.h"
#include "store/player.h"
#include "world/game.h"

#define COMMIT_WORLD       1
#define COMMIT_ISLAND      1
#define COMMIT_COLUMNS     64
#define COMMIT_NODES_MAX   4
#define COMMIT_PERSONS_MAX 8
#define COMMIT_TREES_MAX   8
#define COMMIT_SEQ_MAX     4096
#define COMMIT_SEQ_JUMPED  (COMMIT_SEQ_MAX - 1) /* what liars send out of order */
#define COMMIT_BODY_MAX    160                  /* bytes of a command here */
#define COMMIT_SEEN_MAX    6

/* What people do. */
enum commit_way {
    WAY_PICK,
    WAY_EAT,
    WAY_CRAFT,
    WAY_SELL,
    WAY_BUY,
    WAY_DROP,
    WAY_TAKE,
    WAY_BUILD,
    WAY_PUT_IN,
    WAY_TAKE_OUT,
    WAY_SPLIT,
    WAY_OFFER,
    WAY_CHANGE,
    WAY_ACCEPT,
    WAY_WITHDRAW,
    WAY_SEND,
    WAY_CLAIM,
    COMMIT_WAYS
};

/* Probabilities in parts of a million. */
struct commit_knobs {
    bool direct;     /* the engine takes whole commits; no committer */
    uint32_t groups; /* the engine takes commits of one of so many groups; 0: of one key */
    uint32_t nodes, persons, trees;
    uint32_t world_speed; /* world ms that pass in a ms */
    uint32_t deadline_ms, janitor_ms, backoff_us, doubt_ms;
    int32_t offset_us_max; /* of a node's clock, before the others' */
    struct memory_store_knobs engine;
    uint32_t crash_ppm, stall_ppm, stall_us_max; /* per node and 10 ms */
    uint32_t down_us_max;
    uint32_t cut_ppm;               /* of its line to the engine */
    uint32_t away_ppm, away_us_max; /* of the engine, per 10 ms */
    uint32_t rollback_ppm;          /* of the mutant, per 10 ms */
    uint32_t reply_lost_ppm, request_lost_ppm;
    uint32_t copies_max, late_us_max; /* of a command; how late a copy may be */
    uint32_t delay_us_max, resend_us, think_us_max;
    uint32_t claim_ppm, job_ppm, lie_ppm; /* per command */
    uint32_t ways[COMMIT_WAYS];           /* weights */
    uint32_t first_coins;
    uint32_t stack_max; /* smaller than the game's, so that bags are full; 0: the game's */
    int64_t faults_us;
};

struct commit_model;

struct commit_node {
    struct commit_model *model;
    uint32_t index;
    bool up;
    uint64_t epoch;
    int64_t offset_us; /* of its world clock */
    int64_t stalled_until_us;
    int64_t planned_us; /* of its turn; INT64_MAX: none */
    uint64_t generation;
    struct rand rand;
    struct env env;        /* the door of commands and players; its store is the committer's */
    struct env engine_env; /* the committer's own door */
    struct store store;
    struct store_done done; /* of committer or store: the engine's answers go on to it */
    struct memory_connection *connection;
    struct committer *committer; /* NULL: direct */
    struct commands *commands;
    struct ids ids;
    struct players players;
};

/* A command as it was sent, kept for ever: a late copy may still come. */
struct sent {
    uint8_t body[COMMIT_BODY_MAX], other[COMMIT_BODY_MAX]; /* other: what a liar sends instead */
    uint16_t body_bytes, other_bytes;
    const struct deed_kind *kind, *other_kind;
    struct place at;
    uint64_t epoch_max; /* of the sessions in whose name a node was asked */
    uint64_t entity;    /* pick: the tree */
    uint64_t trade;     /* accept: which one, */
    uint64_t seen;      /* and what the player had seen of it */
};

/* An offer as somebody was shown it. */
struct seen {
    uint64_t trade, hash, digest;
};

struct commit_person {
    struct commit_model *model;
    uint32_t index;
    uint64_t id;
    uint64_t epoch; /* that it knows of */
    bool busy;      /* a command is under way */
    uint64_t seq;   /* of it, or of the last one */
    uint64_t generation;
    int64_t asked_us;
    uint32_t resends;
    struct sent *sent; /* owned: [seq], COMMIT_SEQ_MAX */
    struct seen seen[COMMIT_SEEN_MAX];
    uint32_t seen_at;
    bool stale; /* was told that another session is newer */
};

struct tree {
    uint64_t entity;
    uint16_t cx, cy;
    struct place at;
};

struct commit_model {
    struct commit_options options;
    struct commit_result *result;
    struct commit_knobs knobs;
    struct events events;
    struct rand rand; /* of faults and people; events.rand is the engine's */
    struct memory_store *engine;
    struct society society; /* of the game, with the mutant and the knobs */
    struct kind kinds[KINDS_MAX];
    struct commit_node nodes[COMMIT_NODES_MAX];
    struct commit_person persons[COMMIT_PERSONS_MAX];
    struct tree trees[COMMIT_TREES_MAX];
    uint32_t tree_count;
    struct truth truth;
    struct check check;
    uint64_t node_epochs;
    int64_t birth_ms; /* world time when the run begins */
    int64_t last_fault_us;
    bool faults, over;
    uint64_t hash;
};

int64_t commit_now_us(const struct commit_model *m);
uint32_t commit_below(struct commit_model *m, uint32_t limit);
bool commit_chance(struct commit_model *m, uint32_t ppm);
void commit_at(struct commit_model *m, int64_t due_us, void (*fn)(void *, uint64_t), void *arg,
               uint64_t n);
/* The first one counts. */
void commit_wrong(struct commit_model *m, enum proof_verdict verdict, enum commit_property property,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void commit_trace(const struct commit_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void commit_fold(struct commit_model *m, uint64_t what);

static inline void
commit_looked(struct commit_model *m, enum commit_property property)
{
    m->result->exercised[property]++;
}

static inline void
commit_sometimes(struct commit_model *m, enum commit_sometimes branch)
{
    m->result->sometimes[branch]++;
}

/* Until when the fruit hangs that this tree bears then; 0: none, or no tree. */
int64_t commit_fruit_until_ms(const struct commit_model *m, uint64_t tree, int64_t at_ms);

void commit_draw_knobs(struct commit_model *m);

void node_init(struct commit_model *m, uint32_t index);
void node_start(struct commit_node *node);
void node_crash(struct commit_node *node);
void node_stall(struct commit_node *node, int64_t us);
void node_cut(struct commit_node *node);
bool node_is_idle(const struct commit_node *node);
/* Something came for it: it turns soon. */
void node_wake(struct commit_node *node);
/* What it went through, into the run's counters; before it ends. */
void node_add_stats(struct commit_node *node);
int64_t node_world_ms(const struct commit_node *node);

/* Joins the world through node 0; thinks of commands from then on. */
void commit_person_init(struct commit_model *m, uint32_t index);
void commit_person_fini(struct commit_person *p);
void commit_person_begin(struct commit_person *p);
/* Makes up the next command out of what stands in the documents. */
void ways_choose(struct commit_person *p, struct sent *out);

#endif
