/* Several nodes with their directories on one model of etcd and virtual time. For tests. */
#ifndef SEOM_FABRIC_DIRECTORY_FLEET_H
#define SEOM_FABRIC_DIRECTORY_FLEET_H

#include "fabric/directory.h"
#include "sim/events.h"
#include "sim/memory_directory.h"

#define FLEET_NODES_MAX 8
#define FLEET_WORLD     1
#define FLEET_EPOCHS    4096

/* One process at a time. */
struct fleet_node {
    struct fleet *fleet;
    struct directory *directory; /* owned; NULL: not running */
    struct memory_directory_client *client;
    struct node node;
    uint64_t installation;
    bool refused, left, rejoined;
    char why[DIRECTORY_WHY_MAX];
    uint64_t epoch; /* as last told */
    uint32_t claimed, lost, book_changes, table_changes, puts;
    enum directory_result put;
};

struct fleet {
    struct events events;
    struct memory_directory *model; /* owned */
    struct env env;
    enum directory_mutant mutant;
    struct fleet_node nodes[FLEET_NODES_MAX];
    uint64_t epochs[FLEET_EPOCHS]; /* every one that was ever claimed */
    uint32_t epochs_count;
    uint32_t epochs_twice;   /* claimed by two */
    uint32_t epochs_changed; /* of a process that neither rejoined nor was restarted */
    uint32_t history_missed; /* refusals as the directory had lost its history */
};

struct fleet *fleet_alloc(uint64_t seed, enum directory_mutant mutant);
void fleet_free(struct fleet **fleet);
/* home-<index>, of that installation. */
struct fleet_node *fleet_start(struct fleet *fleet, uint32_t slot, uint16_t index,
                               uint64_t installation);
void fleet_kill(struct fleet *fleet, uint32_t slot); /* as kill -9 */
void fleet_run_ms(struct fleet *fleet, int64_t ms);
int64_t fleet_now_ms(const struct fleet *fleet);
/* Everybody's book tells of all that are registered, of nobody else, and the same as the truth. */
bool fleet_agrees(const struct fleet *fleet);

#endif
