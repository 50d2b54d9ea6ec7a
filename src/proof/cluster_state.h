/* The inside of a run of a cluster, shared by the files named cluster_*: cluster_model.c builds it
 * and draws the faults, cluster_node.c is the glue that makes a process of the objects (as
 * app/home_node.c, gate_node.c and relay_node.c do), cluster_person.c says what people do,
 * cluster_effect.c follows the store, cluster_check.c says what must hold, cluster_lines.c what
 * must hold of what is told to the whole world.
 */
#ifndef SEOM_PROOF_CLUSTER_STATE_H
#define SEOM_PROOF_CLUSTER_STATE_H

#include "base/map.h"
#include "client/client.h"
#include "fabric/home_shards.h"
#include "fabric/relay.h"
#include "proof/cluster_model.h"
#include "sim/events.h"
#include "sim/lines.h"
#include "sim/memory_directory.h"
#include "sim/memory_store.h"
#include "sim/net.h"
#include "store/keys.h"
#include "world/archipelago.h"
#include "world/island_make.h"

#define CLUSTER_WORLD       1
#define CLUSTER_NODES_MAX   112
#define CLUSTER_PERSONS_MAX 96
#define CLUSTER_SEEN_MAX    4096 /* players and blocks whose documents are followed */
#define CLUSTER_SHARDS_MAX  2    /* and so many islands */
#define CLUSTER_NAMES_MAX   4096 /* epochs that were given to homes */
#define CLUSTER_LINES_MAX   512
#define CLUSTER_NOTES_KNOWN 512 /* to each home, as heard last */

enum cluster_life { LIFE_DOWN, LIFE_CLAIMING, LIFE_RUNS, LIFE_DRAINS, LIFE_LEAVES, LIFE_STATES };

struct cluster_node {
    struct cluster_model *model;
    uint32_t number; /* in lines */
    uint32_t gate;   /* in net; of gates */
    enum cluster_life life;
    bool paused;
    bool taken_for_dead; /* it heard so, and has no new epoch yet */
    int64_t planned_us, went_on_us;
    int64_t rested_us;   /* when it waited for no answer, last */
    uint64_t generation; /* of the plan: older events are dropped */
    uint64_t installation;
    struct node self;
    char seeds[3][LINE_ADDRESS_MAX];
    const char *seed_list[3];
    struct env env;
    struct env_transport transport;
    struct mesh *mesh;
    struct requests *requests;
    struct directory *directory;
    struct memory_directory_client *client;
    struct memory_connection *connection;
    struct world *world;
    struct home_shards shards;
    struct gate *gate_object;
    const char *play[1]; /* its own address, of gates */
    struct relay relay;
    uint64_t
        notes[CLUSTER_NOTES_KNOWN]; /* a ring of the ids of lines and words of mail, of homes */
    uint32_t notes_count;
};

struct cluster_person {
    struct cluster_model *model;
    uint32_t index, gate;
    uint32_t first, tries; /* as in client/posix.c: whom it knows without being told, and since when
                              it tries */
    uint32_t island;       /* its wish */
    struct seom_client *client; /* owned */
    int64_t acts_us, commands_us;
    int64_t welcome_us;
    uint16_t welcomes;
    bool goes;      /* to the other island, as somebody new */
    uint64_t mails; /* the player whom the command under way sends a mail */
    int64_t mails_us;
    int64_t mail_us, mail_told_us; /* the last mail to this one was asked for, was told of */
    int64_t line_lost_us;          /* it broke then, by no fault of homes */
    bool plays;                    /* since its Welcome */
    uint32_t results;
};

/* Something said to the whole world; its text is its number. */
struct cluster_line {
    uint64_t player;
    uint32_t person;
    int64_t said_us;
    uint16_t heard[CLUSTER_PERSONS_MAX]; /* since which of its welcomes each heard it; 0: not */
};

/* An epoch that was given to a home. */
struct cluster_name {
    uint64_t epoch;
    uint16_t shard;
};

/* What the documents have said of a player or a block. */
struct cluster_claim {
    uint64_t id, epoch, node;
};

struct cluster_knobs {
    uint32_t shards, homes, gates, relays, persons;
    uint32_t delay_us_max, line_delay_us_max, line_bytes;
    uint32_t kill_ppm, gate_kill_ppm, pause_ppm, cut_ppm, clog_ppm, break_ppm,
        drain_ppm; /* per s */
    uint32_t directory_ppm, lease_ppm, compact_ppm, store_ppm;
    uint32_t relay_kill_ppm, deaf_ppm;
    uint32_t person_ppm; /* its line breaks, per s */
    uint32_t go_ppm;     /* it goes to the other island, per s */
    bool mixed, store_faults, crowd;
    uint32_t nodes_per_chunk;
};

struct cluster_model {
    struct cluster_options options;
    struct cluster_result *result;
    struct cluster_knobs knobs;
    struct events events;
    struct rand rand;
    struct sim_net *net;
    struct sim_lines *lines;
    struct memory_directory *directory;
    struct memory_store *store;
    struct archipelago islands;
    struct island_file files[CLUSTER_SHARDS_MAX]; /* of islands 1.. */
    struct place meet;                            /* on each */
    uint16_t shard_of[CLUSTER_SHARDS_MAX + 1];    /* of an island */
    struct memory_directory_client *table_writer; /* who wrote the table of islands; NULL: nobody */
    struct cluster_node nodes[CLUSTER_NODES_MAX]; /* homes, gates, relays */
    uint32_t count;
    struct cluster_person persons[CLUSTER_PERSONS_MAX];
    struct map claim_by_id; /* players and topics: the ids cannot be equal */
    struct cluster_claim claims[CLUSTER_SEEN_MAX];
    uint32_t claims_count;
    struct cluster_name names[CLUSTER_NAMES_MAX];
    uint32_t names_count;
    struct cluster_line said[CLUSTER_LINES_MAX];
    uint32_t said_count;
    int64_t faults_end_us, quiet_us, end_us;
    int64_t directory_back_us, store_back_us;
    bool over;
};

int64_t cluster_now_us(const struct cluster_model *m);
uint32_t cluster_below(struct cluster_model *m, uint32_t limit);
bool cluster_chance(struct cluster_model *m, uint32_t ppm);
void cluster_at(struct cluster_model *m, int64_t at_us, void (*fn)(void *, uint64_t), void *arg,
                uint64_t n);
void cluster_wrong(struct cluster_model *m, enum proof_verdict verdict,
                   enum cluster_property property, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void cluster_exercised(struct cluster_model *m, enum cluster_property property);
void cluster_sometimes(struct cluster_model *m, enum cluster_sometimes what);
void cluster_trace(const struct cluster_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* cluster_node.c */
void cluster_node_init(struct cluster_model *m, uint32_t number, enum node_role role,
                       uint32_t index);
void cluster_node_start(struct cluster_node *n);
void cluster_node_kill(struct cluster_node *n, enum sim_death death);
void cluster_node_pause(struct cluster_node *n, int64_t until_us);
void cluster_node_drain(struct cluster_node *n);
void cluster_node_soon(struct cluster_node *n); /* something came for it */
bool cluster_node_is_home(const struct cluster_node *n);
bool cluster_node_is_gate(const struct cluster_node *n);
bool cluster_node_is_relay(const struct cluster_node *n);
/* Up, and neither draining nor leaving. */
bool cluster_node_serves(const struct cluster_node *n);
struct cluster_node *cluster_gate(struct cluster_model *m, uint32_t gate);
/* Whose address clients know it by; NULL: nobody's. */
struct cluster_node *cluster_gate_at(struct cluster_model *m, const char *address);

/* cluster_person.c */
void cluster_person_init(struct cluster_model *m, uint32_t index);
void cluster_person_fini(struct cluster_person *p);
uint32_t cluster_person_next_gate(const struct cluster_person *p); /* where it tries next */
void cluster_person_cut(struct cluster_person *p); /* its line breaks, for both sides */
void cluster_person_flush(struct cluster_person *p);
void cluster_person_connected(struct cluster_person *p);
void cluster_person_arrived(struct cluster_person *p, const uint8_t *bytes, size_t n);
void cluster_person_broke(struct cluster_person *p);
/* Says good-bye, to come back as somebody new who wishes for the other island. */
void cluster_person_go(struct cluster_person *p);

/* cluster_effect.c */
void cluster_effect(void *ctx, struct slice key, const struct store_doc *before,
                    const struct store_doc *after);
/* Whether a place on that page is newer than what the document of its player says, which names it.
 */
bool cluster_page_is_needed(const struct cluster_model *m, uint64_t page,
                            const struct store_doc *doc);
/* The claim that stands for a player or a block; NULL: nobody ever claimed it. */
const struct cluster_claim *cluster_claim_of(const struct cluster_model *m, uint64_t id);
void cluster_named(struct cluster_model *m, uint64_t epoch, uint16_t shard);

/* cluster_lines.c */
void cluster_lines_begin(struct cluster_model *m); /* what is to be said at the end */
void cluster_line_say(struct cluster_person *p);
void cluster_line_heard(struct cluster_person *p, uint32_t channel, uint64_t player,
                        struct slice text);
/* A home heard it of a relay. */
void cluster_note_heard(struct cluster_node *n, const struct note *note);
/* The result of a command came; somebody else changed the inbox, or it was shown. */
void cluster_mail_result(struct cluster_person *p, bool fine);
void cluster_mail_told(struct cluster_person *p);
void cluster_lines_check(struct cluster_model *m); /* at the end */

/* cluster_check.c */
void cluster_check_sample(struct cluster_model *m);
void cluster_check_end(struct cluster_model *m);

#endif
