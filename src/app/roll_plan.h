/* What a rolling update does, from the list of a cluster's nodes: the nodes of each shard in two
 * halves, of which one always stays, and whether it has room for everybody. A plain value, no
 * thread; as many shards and nodes as the limits below.
 */
#ifndef SEOM_APP_ROLL_PLAN_H
#define SEOM_APP_ROLL_PLAN_H

#include "app/launch.h"
#include "app/supervise.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ROLL_SHARDS_MAX 16
#define ROLL_NODES_MAX  64 /* of one half of a shard */
#define ROLL_HALVES     2
#define ROLL_WHY_MAX    1024

enum roll_role { ROLL_HOME, ROLL_GATE, ROLL_RELAY, ROLL_ROLES };

struct roll_node {
    char name[SUPERVISE_NAME_MAX];
    char play[64]; /* gates: where players connect */
    enum roll_role role;
};

struct roll_half {
    struct roll_node nodes[ROLL_NODES_MAX]; /* homes, gates, relays */
    uint32_t count, homes, gates;
    char room[256]; /* the arithmetic, as a sentence */
};

struct roll_shard {
    uint16_t shard;
    uint32_t of_role[ROLL_ROLES]; /* nodes */
    int64_t players, capacity;    /* capacity: of one home */
    struct roll_half halves[ROLL_HALVES];
};

struct roll_plan {
    uint32_t count;
    struct roll_shard shards[ROLL_SHARDS_MAX];
};

/* shard 0: all of them. ERR_NOT_FOUND: no such shard; ERR_UNAVAILABLE: a node does not serve, and
 * is to be looked after first; ERR_FULL: the half that stays has no room for everybody, or there is
 * none, or the cluster is larger than a plan. why tells which, with the arithmetic. */
enum err roll_plan_make(const json_t *list, uint16_t shard, struct roll_plan *out,
                        char why[ROLL_WHY_MAX]) MUST_USE;
/* 1234567 as "1,234,567". */
const char *roll_number(int64_t value, char out[32]);

#endif
