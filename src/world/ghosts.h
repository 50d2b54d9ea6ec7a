/* Ghosts: people of other homes who stand near our own. Where the game declares reach, this home
 * subscribes, as a spectator does, at every other home to the blocks that its avatars stand in or
 * reach into, and keeps what is told there of people: who, where, whose. A ghost is a copy that
 * decides nothing.
 *
 * Its publisher is the node that told of it: another takes its place only with a higher
 * session_epoch, or when the first is gone; what anybody else says of it is old. A ghost that left
 * stays GHOST_LEFT_MS, as whoever crosses a border, or moves home, is told of again at once; with
 * the death of its publisher it leaves.
 *
 * Subscriptions are state: per peer a version, the digest that its acknowledgement must fit, and in
 * each topic whether it was told; what does not fit is told whole.
 *
 * Inside of struct world, for this room only. Limits: ghosts_max, topics_max.
 */
#ifndef SEOM_WORLD_GHOSTS_H
#define SEOM_WORLD_GHOSTS_H

#include "base/map.h"
#include "base/pool.h"
#include "wire/link.h"
#include "world/peer_set.h"

#define GHOST_LEFT_MS 1000
#define GHOST_UNHEARD_MS                                                    \
    4000 /* longer, while a link is down whose node is not known to be dead \
          */
#define GHOSTS_TURN_MS 1000
#define GHOSTS_KEEP_MS 10000 /* a block stays subscribed so long after the last avatar near it */

struct world;

struct ghost {
    uint64_t entity, owner_epoch;
    uint64_t node; /* node_epoch of the publisher */
    bool placed;   /* a motion came; until then only whose it is is known */
    uint8_t look;
    int64_t left_ms; /* when it left; 0: it is there */
    struct motion motion;
    uint32_t topic;
    uint32_t next, previous; /* of its topic */
};

struct ghost_topic {
    topic_id id;
    int64_t wanted_ms;    /* when an avatar of ours was near it last */
    struct peer_set told; /* the homes at which it is subscribed */
    uint32_t first;       /* ghost */
};

struct ghost_peer {
    bool introduced; /* version and digest are what it was told */
    uint32_t epoch, version;
    uint64_t digest;
    int64_t asked_ms; /* when it was told something that is not acknowledged; 0: all is */
};

struct ghosts {
    struct pool pool, topics;
    struct map by_entity, topic_by_id;
    struct ghost_peer peers[PEERS_MAX];
    bool changed; /* some peer does not know what is wanted */
    uint32_t epoch;
    int64_t turned_ms;
};

void ghosts_init(struct world *w, uint32_t ghosts_max, uint32_t topics_max);
void ghosts_fini(struct world *w);
void ghosts_turn(struct world *w, int64_t now_ms); /* each tick */
void ghosts_peer_up(struct world *w, uint32_t peer);
void ghosts_peer_down(struct world *w, uint32_t peer);
void ghosts_node_died(struct world *w, uint64_t node);
void ghosts_batch(struct world *w, uint32_t peer, const struct link_batch *batch);
void ghosts_subscribed(struct world *w, uint32_t peer, const struct link_subscribed *ack);
const struct ghost *ghost_find(const struct world *w, uint64_t entity); /* NULL: none is there */

#endif
