/* The inside of a run, shared by the files of this room: model.c builds and turns the machines,
 * person.c says what people do, check.c what must hold.
 */
#ifndef SEOM_PROOF_STATE_H
#define SEOM_PROOF_STATE_H

#include "base/map.h"
#include "client/client.h"
#include "proof/model.h"
#include "sim/events.h"
#include "sim/memory_store.h"
#include "sim/net.h"
#include "world/archipelago.h"
#include "world/island_make.h"

#define PERSONS_MAX   160
#define GATES_MAX_SIM 2
#define SAMPLE_US     50000

enum person_kind {
    PERSON_WALKER,
    PERSON_RIDER,
    PERSON_LIAR,
    PERSON_GARBAGE,
    PERSON_SLOW,
    PERSON_TWIN,
    PERSON_SPECTATOR,
    PERSON_KINDS
};

struct person {
    struct model *model;
    uint32_t index;
    enum person_kind kind;
    struct seom_client *client; /* owned */
    uint32_t gate;              /* tries the next one after a break */
    uint32_t twin;              /* whose ticket it uses; itself for everybody else */
    int64_t acts_us;            /* next change of motion */
    int64_t stalled_until_us;
    int64_t healthy_us; /* undisturbed since */
    uint32_t ended_code;
    int64_t own_bad_us; /* the client has stood elsewhere than the truth since; 0 = it does not */
    uint64_t session_entity;
};

/* A player as the truth had it at the last sample. */
struct truth {
    bool present, lingering;
    uint32_t island;
    uint8_t look;
    uint64_t epoch;
    struct motion motion;
    struct place at;
    int32_t cx, cy;
    int64_t motion_changed_us, chunk_changed_us, came_us, left_us;
    bool is_told;       /* the last motion that the home told a gate, */
    struct motion told; /* from which the speed is checked */
    uint8_t told_look;
    int64_t credit_um;
    bool in_crowd;
    bool remembered; /* where it stood when the process died: */
    struct place crashed_at;
    bool welcomed;     /* some client has heard that it is this player */
    int64_t absent_us; /* so long nobody has been connected as this player, clogs not counted */
};

/* What person a knows of player b. */
struct pair {
    int64_t unseen_us, differs_us, ghost_us; /* since when; 0 = not */
    int64_t apart_us;                        /* last time they were not within 5 x 5 */
};

struct ticker {
    int64_t planned_us;
    uint64_t generation;
};

struct knobs {
    uint32_t persons, gates, link_bytes, socket_bytes;
    uint32_t delay_us_max, link_delay_us_max;
    uint32_t break_ppm, stall_ppm, leave_ppm; /* per person and 100 ms */
    uint32_t clog_ppm[SIM_DIRECTIONS];        /* per 50 ms */
    bool crowd, restarts, store_faults;
};

struct model {
    struct proof_options options;
    struct proof_result *result;
    struct knobs knobs;
    struct events events;
    struct rand rand;
    struct sim_net *net;
    struct memory_store *store;
    struct archipelago islands;
    struct island_file files[2];
    struct place meet; /* the corner of the chunk of the harbour: where people go */
    struct env_links home_links;
    struct env world_env, gate_envs[GATES_MAX_SIM];
    struct world *world;
    struct gate *gates[GATES_MAX_SIM];
    struct ticker world_ticker, gate_tickers[GATES_MAX_SIM];
    struct person persons[PERSONS_MAX];
    struct map player_slot; /* player id -> truth */
    struct truth truths[PERSONS_MAX * 4];
    uint64_t truth_player[PERSONS_MAX * 4];
    uint32_t truth_count;
    struct pair (*pairs)[PERSONS_MAX * 4]; /* owned: [person][player] */
    int64_t faults_end_us, end_us, sampled_us;
    int64_t
        moves_late_us;    /* what was clogged on its way to the home is walked to its end by then */
    int64_t disturbed_us; /* links clogged or full, a restart: everybody counts anew from here */
    uint64_t links_full;
    int64_t links_full_us; /* 0 = never */
    uint32_t node_epoch;
    bool over;
    uint64_t hash;
};

int64_t model_now_us(const struct model *m);
int64_t model_world_ms(const struct model *m);
uint32_t model_below(struct model *m, uint32_t limit);
bool model_faults(const struct model *m); /* still in the first phase */
void model_wrong(struct model *m, enum proof_verdict verdict, enum proof_property property,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
void model_exercised(struct model *m, enum proof_property property);

void person_init(struct model *m, uint32_t index, enum person_kind kind);
void person_fini(struct person *p);
void person_start(struct person *p, int64_t at_us);
void person_flush(struct person *p);
void person_broke(struct person *p);

uint32_t check_slot(struct model *m,
                    uint64_t player); /* the truth's slot of a player, made when new */
/* Every motion that the home tells, in the order in which it decided. */
void check_motion(struct model *m, uint64_t player, const struct motion *motion, uint8_t look);
void check_links(struct model *m); /* notices that a full link refused something */
void check_sample(struct model *m);
void check_restart(struct model *m, uint32_t slot, struct place now_at);
void check_recovered(struct model *m);
void check_gone(struct person *viewer, uint64_t entity);
void check_remember_crash(struct model *m);

#endif
