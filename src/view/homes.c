/* The homes that this gate knows. While its link is up a home is a peer; what it published, and the
 * sessions that wait for it, know it by its slot, which outlives the link:
 *
 *            UP <---> DOWN
 *           ^  \     /    \
 *          /    v   v      v
 *      FREE      DEAD ---> FREE
 *
 * Whose link broke is usually back after one dial. If it is not back when a dial would have been
 * answered, the sessions of this gate do not wait for it any longer: if it lives and is only cut
 * off from here, their claims elsewhere tell it so. What it told stays longer.
 *
 * The people of a home that is gone stay for a while, standing still or walking to their motions'
 * ends, so that whoever goes on elsewhere does not flicker. Then they are reaped and the slot is
 * free.
 */
#include "base/check.h"
#include "view/state.h"
#include <string.h>

#define DEAD_KEEP_US 2000000
#define DOWN_KEEP_US 5000000
#define DOWN_WAIT_US 600000 /* above what the mesh waits for a hello (fabric/mesh_inside.h) */
#define KEPT_MAX     32     /* that are gone; of more the oldest is reaped before its time */

static const uint8_t home_moves[HOME_STATES] = {
    [HOME_FREE] = 1 << HOME_UP,
    [HOME_UP] = 1 << HOME_DOWN | 1 << HOME_DEAD,
    [HOME_DOWN] = 1 << HOME_UP | 1 << HOME_DEAD | 1 << HOME_FREE,
    [HOME_DEAD] = 1 << HOME_FREE,
};

static void
move_state(struct gate *g, uint8_t slot, enum home_state to)
{
    struct gate_home *h = &g->homes[slot];
    CHECK(home_moves[h->state] >> to & 1);
    g->stats.homes += to == HOME_UP;
    g->stats.homes -= h->state == HOME_UP;
    g->stats.homes_down += to == HOME_DOWN || to == HOME_DEAD;
    g->stats.homes_down -= h->state == HOME_DOWN || h->state == HOME_DEAD;
    h->state = to;
}

enum err
gate_tell(struct gate *g, uint8_t slot, const struct link_message *m)
{
    if (slot == HOME_NONE || g->homes[slot].state != HOME_UP) {
        return ERR_CLOSED;
    }
    uint8_t head[LINK_HEAD_MAX];
    struct slice pieces[2] = {{.at = head, .bytes = link_head(m, head)}, link_tail(m)};
    return g->env->links.send(g->env->links.ctx, g->homes[slot].peer, pieces, 2);
}

static uint8_t
slot_of_node(const struct gate *g, uint64_t node)
{
    for (uint8_t slot = 0; slot < g->homes_high; slot++) {
        if (g->homes[slot].state != HOME_FREE && g->homes[slot].node == node) {
            return slot;
        }
    }
    return HOME_NONE;
}

uint8_t
gate_home_of(const struct gate *g, uint64_t node)
{
    uint8_t slot = slot_of_node(g, node);
    return slot != HOME_NONE && g->homes[slot].state == HOME_UP ? slot : HOME_NONE;
}

static bool
takes_in(const struct gate_home *h)
{
    return h->state == HOME_UP && !h->draining;
}

uint8_t
gate_home_choose(const struct gate *g, uint8_t but)
{
    uint8_t able[HOMES_MAX];
    uint32_t count = 0;
    for (uint8_t slot = 0; slot < g->homes_high; slot++) {
        if (takes_in(&g->homes[slot]) && slot != but) {
            able[count++] = slot;
        }
    }
    if (count == 0) {
        return but != HOME_NONE && takes_in(&g->homes[but]) ? but : HOME_NONE;
    }
    const uint64_t drawn = env_random(g->env);
    uint8_t one = able[(uint32_t)drawn % count], other = able[(drawn >> 32) % count];
    const struct gate_home *a = &g->homes[one], *b = &g->homes[other];
    return (uint64_t)a->players + a->sent <= (uint64_t)b->players + b->sent ? one : other;
}

/* Everything of it is gone: people, and sessions that hoped for it. Where gate_homes_turn() has not
 * reaped its people yet, it takes one pass over all entities.
 */
static void
forget(struct gate *g, uint8_t slot)
{
    struct gate_home *h = &g->homes[slot];
    while (!replica_reap(g, slot, &h->reap_at)) {
    }
    enter_home_given_up(g, slot);
    move_state(g, slot, HOME_FREE);
    *h = (struct gate_home){.state = HOME_FREE, .open_topic = POOL_NONE};
}

/* HOME_NONE: all are up. */
static uint8_t
oldest_gone(const struct gate *g)
{
    uint8_t oldest = HOME_NONE;
    for (uint8_t slot = 0; slot < g->homes_high; slot++) {
        const struct gate_home *h = &g->homes[slot];
        if ((h->state == HOME_DOWN || h->state == HOME_DEAD) &&
            (oldest == HOME_NONE || h->forget_us < g->homes[oldest].forget_us)) {
            oldest = slot;
        }
    }
    return oldest;
}

/* There are more slots than peers, so one of them is free or belongs to a home that is gone. */
static uint8_t
take_slot(struct gate *g)
{
    for (uint8_t slot = 0; slot < HOMES_MAX; slot++) {
        if (g->homes[slot].state == HOME_FREE) {
            g->homes_high = slot < g->homes_high ? g->homes_high : slot + 1;
            return slot;
        }
    }
    uint8_t oldest = oldest_gone(g);
    CHECK(oldest != HOME_NONE);
    forget(g, oldest);
    return oldest;
}

void
gate_home_up(struct gate *g, uint32_t peer, uint64_t node)
{
    CHECK(peer < PEERS_MAX && node != 0);
    if (g->home_by_peer[peer] != HOME_NONE) {
        gate_home_down(g, peer, false);
    }
    uint8_t slot = slot_of_node(g, node);
    if (slot != HOME_NONE && g->homes[slot].state == HOME_UP) {
        gate_home_down(g, g->homes[slot].peer, false);
    } else if (slot != HOME_NONE && g->homes[slot].state == HOME_DEAD) {
        forget(g, slot);
        slot = HOME_NONE;
    }
    slot = slot != HOME_NONE ? slot : take_slot(g);
    struct gate_home *h = &g->homes[slot];
    move_state(g, slot, HOME_UP);
    h->peer = peer;
    h->node = node;
    h->draining = h->given_up = false;
    h->players = h->sent = h->reap_at = 0;
    h->open_topic = POOL_NONE;
    memset(h->sets, 0, sizeof h->sets);
    g->home_by_peer[peer] = slot;
    enter_home_up(g, slot);
}

static void
died(struct gate *g, uint8_t slot)
{
    struct gate_home *h = &g->homes[slot];
    int64_t forget_us = env_mono_us(g->env) + DEAD_KEEP_US;
    bool sooner = h->state == HOME_DOWN && h->forget_us < forget_us;
    move_state(g, slot, HOME_DEAD);
    h->forget_us = sooner ? h->forget_us : forget_us;
    enter_home_down(g, slot, true);
}

void
gate_home_down(struct gate *g, uint32_t peer, bool dead)
{
    CHECK(peer < PEERS_MAX);
    uint8_t slot = g->home_by_peer[peer];
    if (slot == HOME_NONE) {
        return;
    }
    g->home_by_peer[peer] = HOME_NONE;
    g->homes[slot].open_topic = POOL_NONE; /* never to be told to its end */
    session_home_down(g, slot);
    if (dead) {
        died(g, slot);
        return;
    }
    move_state(g, slot, HOME_DOWN);
    g->homes[slot].forget_us = env_mono_us(g->env) + DOWN_KEEP_US;
    enter_home_down(g, slot, false);
}

void
gate_home_died(struct gate *g, uint64_t node)
{
    uint8_t slot = slot_of_node(g, node);
    if (slot != HOME_NONE && g->homes[slot].state == HOME_UP) {
        gate_home_down(g, g->homes[slot].peer, true);
    } else if (slot != HOME_NONE && g->homes[slot].state == HOME_DOWN) {
        died(g, slot);
    }
}

void
gate_home_state(struct gate *g, uint32_t peer, bool draining, uint32_t players)
{
    CHECK(peer < PEERS_MAX);
    if (g->home_by_peer[peer] != HOME_NONE) {
        struct gate_home *h = &g->homes[g->home_by_peer[peer]];
        h->draining = draining;
        h->players = players;
        h->sent = 0;
    }
}

void
gate_homes_end_snapshots(struct gate *g)
{
    for (uint8_t slot = 0; slot < g->homes_high; slot++) {
        if (g->homes[slot].open_topic != POOL_NONE) {
            replica_snapshot_end(g, slot);
        }
    }
}

/* A part of what is to be reaped, so that no turn takes long. Of many that are gone the oldest does
 * not stay its time, so that there is a free slot for whoever comes.
 */
void
gate_homes_turn(struct gate *g)
{
    int64_t now_us = env_mono_us(g->env);
    uint8_t hurries = g->stats.homes_down > KEPT_MAX ? oldest_gone(g) : HOME_NONE;
    for (uint8_t slot = 0; slot < g->homes_high && g->stats.homes_down > 0; slot++) {
        struct gate_home *h = &g->homes[slot];
        if (h->state == HOME_DOWN && !h->given_up &&
            now_us >= h->forget_us - DOWN_KEEP_US + DOWN_WAIT_US) {
            h->given_up = true;
            enter_home_given_up(g, slot);
        }
        bool is_due = now_us >= h->forget_us || slot == hurries;
        if ((h->state == HOME_DOWN || h->state == HOME_DEAD) && is_due &&
            replica_reap(g, slot, &h->reap_at)) {
            forget(g, slot);
        }
    }
}
