/* Counts outlive peers: a node that comes back under a new epoch is a new peer, but whoever draws
 * the bytes of home-2 wants one line. */
#include "base/check.h"
#include "fabric/mesh_inside.h"

static bool
is_of(const struct mesh_count *count, const struct node *node)
{
    return count->used && count->role == node->role && count->shard == node->shard &&
           count->index == node->index;
}

static bool
has_peer(const struct mesh *mesh, uint32_t place)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (mesh->peers[p].state != PEER_FREE && mesh->peers[p].count == place) {
            return true;
        }
    }
    return false;
}

/* Called for a peer that is not in the table yet: there are as many places as peers, so one has
 * none. */
uint32_t
mesh_count_of(struct mesh *mesh, const struct node *node)
{
    uint32_t place = PEERS_MAX;
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        if (is_of(&mesh->counts[i], node)) {
            return i;
        }
        if (place == PEERS_MAX && !mesh->counts[i].used) {
            place = i;
        }
    }
    for (uint32_t i = 0; i < PEERS_MAX && place == PEERS_MAX; i++) {
        place = has_peer(mesh, i) ? place : i;
    }
    CHECK(place < PEERS_MAX);
    mesh->counts[place] = (struct mesh_count){
        .used = true, .role = node->role, .shard = node->shard, .index = node->index};
    return place;
}

static enum mesh_link_state
state_of(const struct mesh_peer *peer)
{
    switch (peer->state) {
    case PEER_UP: return MESH_LINK_UP;
    case PEER_DIALLING: return peer->dead ? MESH_LINK_DEAD : MESH_LINK_DIALLING;
    case PEER_ASKING: return MESH_LINK_ASKING;
    case PEER_FREE:
    case PEER_IDLE:
    case PEER_STATES: break;
    }
    return peer->dead ? MESH_LINK_DEAD : MESH_LINK_DOWN;
}

const char *
mesh_link_state_name(enum mesh_link_state state)
{
    static const char *const names[MESH_LINK_STATES] = {[MESH_LINK_DOWN] = "down",
                                                        [MESH_LINK_DIALLING] = "dialling",
                                                        [MESH_LINK_ASKING] = "asking",
                                                        [MESH_LINK_DEAD] = "dead",
                                                        [MESH_LINK_UP] = "up"};
    CHECK(state < MESH_LINK_STATES);
    return names[state];
}

/* Of the registrations of one node the one that says most: an older one may still be dying. */
static const struct mesh_peer *
peer_of(const struct mesh *mesh, uint32_t place)
{
    const struct mesh_peer *best = NULL;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        const struct mesh_peer *peer = &mesh->peers[p];
        if (peer->state == PEER_FREE || peer->count != place) {
            continue;
        }
        bool later =
            best != NULL && state_of(peer) == state_of(best) && peer->node.epoch > best->node.epoch;
        bool alive = best != NULL && best->dead && !peer->dead;
        if (best == NULL || later || alive || peer->state == PEER_UP) {
            best = peer;
        }
    }
    return best;
}

bool
mesh_next_link(const struct mesh *mesh, uint32_t *cursor, struct mesh_link *out)
{
    while (*cursor < PEERS_MAX) {
        const struct mesh_count *count = &mesh->counts[*cursor];
        const struct mesh_peer *peer = peer_of(mesh, (*cursor)++);
        if (peer == NULL) {
            continue;
        }
        *out = (struct mesh_link){.state = state_of(peer),
                                  .round_trip_us = count->round_trip_us,
                                  .bytes_out = count->bytes_out,
                                  .bytes_in = count->bytes_in,
                                  .ups = count->ups,
                                  .breaks = count->breaks,
                                  .beats_missed = count->beats_missed};
        node_name(count->role, count->shard, count->index, out->name);
        for (enum mesh_lane lane = MESH_LANE_CONTROL; lane < MESH_LANES; lane++) {
            out->refused[lane] = count->refused[lane];
        }
        if (peer->state == PEER_UP) {
            const struct mesh_line *line = &mesh->lines[peer->line];
            out->control_bytes = line->lane.waiting[LANE_CONTROL] + line->lane.waiting[LANE_URGENT];
            out->data_bytes = line->lane.waiting[LANE_DATA];
            out->backlog_us =
                line->backlog_since_us != 0 ? mesh_now(mesh) - line->backlog_since_us : 0;
        }
        return true;
    }
    return false;
}
