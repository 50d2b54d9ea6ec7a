/* Forwarded commands: one on what lies or stands around its player is run where the steward of that
 * block is, so that those who want the same thing are put in order by one executor and do not race
 * each other in the store. It is a courtesy, nothing is safe by it: whoever runs a command writes
 * (player, seq) into the player's document with its effect, so when the steward refuses, is not
 * there or does not answer in time, the player's own home runs it too, and finds there what became
 * of it.
 *
 * Inside of struct world, for this room only. Limits: one for each player, FORWARD_US each.
 */
#ifndef SEOM_WORLD_FORWARD_H
#define SEOM_WORLD_FORWARD_H

#include "base/map.h"
#include "base/pool.h"
#include "fabric/mesh.h"
#include "store/commands.h"
#include "wire/limits.h"

#define FORWARD_US      2000000 /* then it is run at home */
#define FORWARD_LATE_US 1000000 /* so long nothing is asked of who was late */

struct world;

struct forward {
    struct command command; /* its body is below */
    uint32_t peer;
    uint8_t body[COMMAND_BYTES_MAX];
};

struct forwards {
    struct pool pool;
    struct map by_player;
    uint64_t homes[PEERS_MAX]; /* node_epoch of those that are up; 0: no home */
    int64_t late_until_us[PEERS_MAX];
};

void forwards_init(struct world *w, uint32_t players_max);
void forwards_fini(struct world *w);
void forward_peer_up(struct world *w, uint32_t peer);
void forward_peer_down(struct world *w, uint32_t peer);
/* PEER_NONE: no link. */
uint32_t forward_peer_of(const struct world *w, uint64_t node_epoch);
bool forward_is_under_way(const struct world *w, uint64_t player);
/* true: the steward has been asked, and value_done() follows. */
bool forward_begin(struct world *w, const struct command *command, uint8_t look);

#endif
