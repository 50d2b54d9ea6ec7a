/* Peers: the gates and homes at the other ends of our links, and which home somebody goes to.
 */
#include "base/check.h"
#include "fabric/placement.h"
#include "world/state.h"

_Static_assert(PLACEMENT_HOMES_MAX >= PEERS_MAX, "every peer can be a home");

void
world_peer_up(struct world *w, uint32_t peer, const struct node *node)
{
    CHECK(peer < PEERS_MAX && !w->peers[peer].up);
    w->peers[peer] = (struct peer){.up = true, .draining = node->draining, .node = *node};
    w->peers[peer].joined_ms = node->role == NODE_HOME ? env_world_ms(w->env) : 0;
    w->peers_end = peer >= w->peers_end ? peer + 1 : w->peers_end;
    forward_peer_up(w, peer);
    ghosts_peer_up(w, peer);
}

void
world_peer_down(struct world *w, uint32_t peer, bool dead)
{
    CHECK(peer < PEERS_MAX && w->peers[peer].up);
    uint64_t epoch = w->peers[peer].node.epoch;
    env_trace(w->env, "world.peer_down", epoch, dead);
    topic_peer_down(w, peer);
    home_peer_down(w, peer);
    ghosts_peer_down(w, peer);
    forward_peer_down(w, peer);
    w->peers[peer] = (struct peer){0};
    while (w->peers_end > 0 && !w->peers[w->peers_end - 1].up) {
        w->peers_end--;
    }
    if (dead) {
        world_node_died(w, epoch);
    }
}

void
world_peer_load(struct world *w, uint32_t peer, bool draining, uint32_t players)
{
    CHECK(peer < PEERS_MAX && w->peers[peer].up);
    w->peers[peer].draining = draining;
    w->peers[peer].players = players;
}

void
world_node_died(struct world *w, uint64_t node_epoch)
{
    ghosts_node_died(w, node_epoch);
    steward_node_died(w, node_epoch);
}

void
world_book_changed(struct world *w)
{
    steward_book_changed(w);
}

/* The homes of our links and ourselves, in peers[count] the peer of each; PEER_NONE: us. */
static uint32_t
list_homes(const struct world *w, struct placement_home homes[PLACEMENT_HOMES_MAX],
           uint32_t peers[PLACEMENT_HOMES_MAX])
{
    uint32_t count = 0;
    bool others = false;
    homes[count] = (struct placement_home){
        .node = w->options.node_epoch, .players = w->stats.players + w->entering.used - w->given};
    peers[count++] = PEER_NONE;
    for (uint32_t i = 0; i < w->peers_end && count < PLACEMENT_HOMES_MAX; i++) {
        const struct peer *p = &w->peers[i];
        if (p->up && p->node.role == NODE_HOME) {
            homes[count] = (struct placement_home){
                .node = p->node.epoch, .players = p->players, .draining = p->draining};
            others = others || !p->draining;
            peers[count++] = i;
        }
    }
    homes[0].draining = w->draining || (w->closed && others);
    return count;
}

uint32_t
peers_surplus(const struct world *w)
{
    struct placement_home homes[PLACEMENT_HOMES_MAX];
    uint32_t peers[PLACEMENT_HOMES_MAX];
    uint32_t count = list_homes(w, homes, peers);
    uint32_t full = placement_full_at(homes, count);
    return count > 1 && homes[0].players > full ? homes[0].players - full : 0;
}

uint64_t
peers_choose(const struct world *w, const struct stand *stand)
{
    struct placement_home homes[PLACEMENT_HOMES_MAX];
    uint32_t peers[PLACEMENT_HOMES_MAX];
    uint32_t count = list_homes(w, homes, peers);
    struct place at = motion_at(&stand->motion, env_world_ms(w->env));
    uint32_t chosen = placement_choose(homes, count, placement_region(stand->island, at),
                                       w->options.nodes_per_chunk);
    return chosen == PLACEMENT_NONE ? 0 : homes[chosen].node;
}

void
peers_sent(struct world *w, uint64_t node)
{
    for (uint32_t i = 0; i < w->peers_end; i++) {
        struct peer *p = &w->peers[i];
        p->players += p->up && p->node.epoch == node;
    }
}

bool
peers_are_younger(const struct world *w)
{
    for (uint32_t i = 0; i < w->peers_end; i++) {
        const struct peer *p = &w->peers[i];
        if (p->up && p->node.role == NODE_HOME && p->node.epoch < w->options.node_epoch) {
            return false;
        }
    }
    return true;
}

bool
peers_joined(const struct world *w, uint64_t node, int64_t joined_ms)
{
    for (uint32_t i = 0; i < w->peers_end; i++) {
        const struct peer *p = &w->peers[i];
        if (p->up && p->joined_ms != 0 && p->joined_ms <= joined_ms &&
            (node == 0 || p->node.epoch == node)) {
            return true;
        }
    }
    return false;
}

void
peers_settle(struct world *w, int64_t joined_ms)
{
    for (uint32_t i = 0; i < w->peers_end; i++) {
        struct peer *p = &w->peers[i];
        p->joined_ms = p->joined_ms <= joined_ms ? 0 : p->joined_ms;
    }
}
