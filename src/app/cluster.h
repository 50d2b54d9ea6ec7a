/* A cluster on this machine, as `seom cluster up` keeps it: engines, homes, gates and bots, every
 * one a process of its own. <data>/cluster.sock takes commands (cluster_control.c), cluster.json,
 * which only its owner reads, says what there is, also for the next start, logs/NAME.log what each
 * said. For cluster*.c only.
 *
 * Thread: main, which the processes die with; but for struct cluster_page, which the HTTP thread
 * reads under its lock. Limit: SUPERVISE_MEMBERS_MAX processes.
 */
#ifndef SEOM_APP_CLUSTER_H
#define SEOM_APP_CLUSTER_H

#include "app/config.h"
#include "app/control.h"
#include "app/control_client.h"
#include "app/engines.h"
#include "app/sea.h"
#include "app/supervise.h"
#include "os/signals.h"
#include "watch/http.h"
#include <pthread.h>

#define CLUSTER_WHY_MAX     1024
#define CLUSTER_WAITS_MAX   128
#define CLUSTER_PATH_MAX    512
#define CLUSTER_SOCKET      "cluster.sock"
#define CLUSTER_NODES_MAX   64
#define CLUSTER_BOTS_EACH   10000   /* of one process of bots */
#define CLUSTER_STATUS_US   1000000 /* between two questions to a node */
#define CLUSTER_IDLE_US     5000000 /* the same for figures, while nobody reads them */
#define CLUSTER_SILENT_US   2500000 /* without an answer so long: said so */
#define CLUSTER_OWN_PROGRAM "/proc/self/exe"
#define CLUSTER_PEOPLE_MAX  5000 /* of one home, on the map */

/* In the order of starting; they end in the opposite order. */
enum cluster_kind {
    CLUSTER_POSTGRES,
    CLUSTER_ETCD,
    CLUSTER_HOME,
    CLUSTER_RELAY,
    CLUSTER_GATE,
    CLUSTER_BOTS,
    CLUSTER_KINDS
};

/* What a node is asked, once a second each; figures more seldom while nobody reads them, as they
 * are long, and people only while somebody looks at them. */
enum cluster_question { ASK_STATUS, ASK_METRICS, ASK_PEOPLE, CLUSTER_QUESTIONS };

struct cluster_member {
    enum cluster_kind kind;
    uint16_t shard, index;              /* of nodes; index also of bots */
    uint16_t port;                      /* gates: of players; others: of their links */
    char program[LAUNCH_PATH_MAX];      /* what it is started from; "": as whoever keeps it */
    char program_next[LAUNCH_PATH_MAX]; /* of its heir */
    char said[SUPERVISE_TEXT_MAX];      /* what was last told about it */
    pid_t pid;                          /* whose client and status these are */
    struct control_client *client;      /* owned; of nodes; NULL: not connected */
    json_t *status;                     /* owned; the last answer; NULL: none yet */
    json_t *people;                     /* owned; homes: as last told, also when they are gone */
    json_t *metrics;                    /* owned; a string */
    enum cluster_question asks;
    int64_t asked_us[CLUSTER_QUESTIONS]; /* 0: not yet */
    int64_t answered_us, people_us;
};

/* What the HTTP thread hands out. */
struct cluster_page {
    pthread_mutex_t lock;
    char *nodes, *people, *status, *metrics, *config; /* owned; NULL: not yet */
    bool people_wanted, metrics_wanted;
    int64_t people_wanted_us, metrics_wanted_us;
};

enum cluster_phase { CLUSTER_STARTING, CLUSTER_RUNNING, CLUSTER_STOPPING };

struct cluster {
    struct config_input input;
    uint32_t homes, gates; /* of each shard; asked for; 0: as the last time */
    uint32_t shards;
    bool detach;
    char data[CLUSTER_PATH_MAX], logs[CLUSTER_PATH_MAX]; /* absolute */
    int lock;
    json_t *saved; /* owned; cluster.json as it was; NULL: there was none */
    struct engines engines;
    bool own_postgres, own_etcd;
    char store[CONFIG_TEXT_MAX], directory[CONFIG_TEXT_MAX]; /* as homes take them */
    struct loop *loop;
    struct signals signals;
    struct supervisor *supervisor;
    struct control *control;
    struct http *http;
    struct sea sea;
    char *islands; /* owned */
    size_t islands_bytes;
    enum cluster_phase phase;
    bool was_up, told_limit;
    int64_t started_us, told_us, page_us, all_serve_us; /* all_serve: at first; 0: not yet */
    uint32_t members_count;
    struct cluster_member members[SUPERVISE_MEMBERS_MAX];
    struct cluster_page page;
    int64_t metrics_us; /* when the page of figures was made */
    bool changed;       /* cluster.json is to be written */
    int up_fd;          /* who waits for a detached cluster; -1: nobody */
};

/* ---- cluster_plan.c: which members there are ---- */

const char *cluster_kind_name(enum cluster_kind kind); /* "home" */
bool cluster_kind_is_node(enum cluster_kind kind);
/* All of them, from the command line and from cluster.json of the last time. */
enum err cluster_plan(struct cluster *c, char why[CLUSTER_WHY_MAX]) MUST_USE;
/* One more; *member is its number. index 0: the next. ERR_FULL, ERR_EXISTS. */
enum err cluster_add(struct cluster *c, enum cluster_kind kind, uint16_t shard, uint16_t index,
                     uint16_t port, uint32_t *member) MUST_USE;
void cluster_address(const struct cluster *c, const struct cluster_member *m,
                     char out[ADDRESS_TEXT_MAX]); /* of a node: links or players */
enum err cluster_save(struct cluster *c) MUST_USE;

/* ---- cluster_members.c: how they are started, and what they tell ---- */

extern const struct supervise_events cluster_events; /* ctx is to be set */
void cluster_ask_members(struct cluster *c, int64_t now_us);
void cluster_forget_members(struct cluster *c);
/* What a node does, in a word or two: "serving", "silent", "dies at once". */
const char *cluster_member_state(const struct cluster *c, uint32_t member, int64_t now_us);
/* What a member that is about to serve waits for, for people; "": nothing that one knows of. */
void cluster_member_waits(const struct cluster *c, uint32_t member, char out[CLUSTER_WAITS_MAX]);
/* Links that a node should have: with everybody who is up and whom the rule of links names. */
uint32_t cluster_links_expected(const struct cluster *c, uint32_t member);
uint32_t cluster_links(const struct cluster *c, uint32_t member); /* that it last told of */
/* What tools and page are told about all of them. */
json_t *cluster_list(const struct cluster *c, int64_t now_us);

/* ---- cluster_control.c, cluster_page.c ---- */

extern const struct control_command cluster_commands[];
enum err cluster_page_open(struct cluster *c, char why[CLUSTER_WHY_MAX]) MUST_USE;
void cluster_page_close(struct cluster *c);
void cluster_page_write(struct cluster *c, int64_t now_us);

#endif
