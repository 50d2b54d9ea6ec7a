#include "base/check.h"
#include "fabric/mesh_inside.h"
#include <string.h>

#define NEVER INT64_MAX

bool
mesh_nodes_link(const struct node *a, const struct node *b)
{
    if (a->role == NODE_RELAY && b->role == NODE_RELAY) {
        return true; /* relays are what shards have in common */
    }
    return a->shard == b->shard && (a->role == NODE_HOME || b->role == NODE_HOME);
}

bool
mesh_peer_is_ours(const struct mesh *mesh, const struct node *node)
{
    const struct node *self = &mesh->self;
    if (self->role == NODE_GATE || node->role == NODE_GATE) {
        return self->role == NODE_GATE;
    }
    if (self->role != node->role) {
        return self->role < node->role;
    }
    return self->shard != node->shard ? self->shard < node->shard : self->index < node->index;
}

void
mesh_peer_move(struct mesh_peer *peer, enum peer_state to)
{
    static const uint8_t moves[PEER_STATES] = {
        [PEER_FREE] = 1 << PEER_IDLE,
        [PEER_IDLE] = 1 << PEER_DIALLING | 1 << PEER_ASKING | 1 << PEER_UP | 1 << PEER_FREE,
        [PEER_DIALLING] = 1 << PEER_IDLE | 1 << PEER_ASKING | 1 << PEER_UP | 1 << PEER_FREE,
        [PEER_ASKING] = 1 << PEER_IDLE | 1 << PEER_UP | 1 << PEER_FREE,
        [PEER_UP] = 1 << PEER_IDLE | 1 << PEER_FREE,
    };
    CHECK((moves[peer->state] >> to & 1) != 0);
    peer->state = to;
}

/* Full jitter between the shortest pause and one that doubles with each failure. */
int64_t
mesh_backoff_us(struct mesh *mesh, uint32_t failures)
{
    int64_t most_us = BACKOFF_MAX_US;
    if (failures < 6 && BACKOFF_MIN_US << failures < BACKOFF_MAX_US) {
        most_us = (int64_t)BACKOFF_MIN_US << failures;
    }
    uint64_t span = (uint64_t)(most_us - BACKOFF_MIN_US) + BACKOFF_MIN_US / 4;
    return BACKOFF_MIN_US + (int64_t)(env_random(&mesh->env) % span);
}

static void
dial_at(struct mesh *mesh, struct mesh_peer *peer, int64_t at_us)
{
    peer->dial_at_us = at_us;
    mesh_due(mesh, at_us);
}

/* The table */

uint32_t
mesh_peer_find(const struct mesh *mesh, uint64_t epoch)
{
    for (uint32_t p = 0; p < PEERS_MAX && epoch != 0; p++) {
        if (mesh->epochs[p] == epoch) {
            CHECK(mesh->peers[p].state != PEER_FREE);
            return p;
        }
    }
    return NO_PEER;
}

uint32_t
mesh_peer_add(struct mesh *mesh, const struct node *node)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct mesh_peer *peer = &mesh->peers[p];
        if (peer->state == PEER_FREE) {
            *peer = (struct mesh_peer){.node = *node,
                                       .line = NO_LINE,
                                       .count = mesh_count_of(mesh, node),
                                       .dial_at_us = NEVER};
            mesh_peer_move(peer, PEER_IDLE);
            mesh->epochs[p] = node->epoch;
            if (mesh_peer_is_ours(mesh, node)) {
                dial_at(mesh, peer, 0);
            }
            return p;
        }
    }
    env_log(&mesh->env, LOG_ERROR, "mesh.full", "no room for %s: there are %u peers", node->name,
            PEERS_MAX);
    return NO_PEER;
}

void
mesh_peer_free(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    if (peer->state == PEER_UP) {
        CHECK(mesh->stats.peers > 0);
        mesh->stats.peers--;
    }
    mesh_peer_move(peer, PEER_FREE);
    mesh->epochs[p] = 0;
    mesh_set_put(&mesh->unsent, p, false);
}

/* Up and down */

void
mesh_peer_up(struct mesh *mesh, uint32_t p, uint32_t line)
{
    struct mesh_peer *peer = &mesh->peers[p];
    int64_t now_us = mesh_now(mesh);
    /* Whoever makes the link makes a new one when the old one broke for him. */
    if (peer->state == PEER_UP) {
        mesh_line_close(mesh, peer->line);
        mesh_peer_broke(mesh, p, false);
    } else if (peer->line != NO_LINE && peer->line != line) {
        mesh_line_close(mesh, peer->line);
    }
    CHECK(!peer->dead);
    bool in_book = peer->in_book;
    uint32_t breaks = peer->breaks, count = peer->count;
    mesh->counts[count].ups++;
    mesh_peer_move(peer, PEER_UP);
    *peer = (struct mesh_peer){.state = PEER_UP,
                               .node = mesh->hellos[line],
                               .line = line,
                               .count = count,
                               .in_book = in_book,
                               .was_up = true,
                               .breaks = breaks,
                               .dial_at_us = NEVER,
                               .up_at_us = now_us,
                               .heard_us = now_us,
                               .beat_at_us = now_us,
                               .offset_ms = mesh->lines[line].offset_ms,
                               .askers = peer->askers,
                               .seen_at_us = peer->seen_at_us};
    mesh_due(mesh, now_us);
    mesh->stats.peers++;
    env_log(&mesh->env, LOG_INFO, "mesh.up", "%s, epoch %llu, version %s", peer->node.name,
            (unsigned long long)peer->node.epoch, peer->node.version);
    env_trace(&mesh->env, "mesh.up", p, peer->node.epoch);
    mesh_answer_askers(mesh, p, true);
    if (peer->node.role == NODE_GATE && mesh->self.role == NODE_HOME) {
        mesh_book_tell(mesh, p);
        mesh->book_stale = true;
    }
    mesh->options.events.up(mesh->options.events.ctx, p, &peer->node);
}

void
mesh_peer_broke(struct mesh *mesh, uint32_t p, bool soon)
{
    struct mesh_peer *peer = &mesh->peers[p];
    struct node node = peer->node;
    int64_t now_us = mesh_now(mesh);
    CHECK(peer->state == PEER_UP && mesh->stats.peers > 0);
    mesh->stats.peers--;
    mesh->stats.downs++;
    mesh->counts[peer->count].breaks++;
    mesh_peer_move(peer, PEER_IDLE);
    peer->line = NO_LINE;
    peer->is_cut = false;
    peer->accused_until_us = 0;
    peer->breaks = now_us - peer->up_at_us < STEADY_US ? peer->breaks + 1 : 1;
    mesh_set_put(&mesh->unsent, p, false);
    if (node.role == NODE_GATE) {
        peer->forget_at_us = now_us + GATE_REMEMBERED_US;
        mesh_due(mesh, peer->forget_at_us);
        mesh->book_stale = true;
    } else {
        /* Links that break again and again are no test of death any more. */
        bool at_once = soon && peer->breaks <= 2;
        dial_at(mesh, peer, at_once ? 0 : now_us + mesh_backoff_us(mesh, peer->breaks));
    }
    mesh_forget_witness(mesh, p);
    env_trace(&mesh->env, "mesh.down", p, node.epoch);
    env_log(&mesh->env, LOG_INFO, "mesh.down", "%s, epoch %llu", node.name,
            (unsigned long long)node.epoch);
    mesh->options.events.down(mesh->options.events.ctx, p, &node, false);
}

void
mesh_peer_left(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    struct node node = peer->node;
    mesh_bury(mesh, node.epoch);
    mesh->stats.downs++;
    mesh_line_close(mesh, peer->line);
    mesh_answer_askers(mesh, p, false);
    mesh_peer_free(mesh, p);
    mesh_forget_witness(mesh, p);
    mesh_book_strike(mesh, node.epoch);
    mesh->book_stale = true;
    mesh->options.events.down(mesh->options.events.ctx, p, &node, true);
}

/* Dials */

void
mesh_dial_failed(struct mesh *mesh, uint32_t p, enum dial_end end)
{
    struct mesh_peer *peer = &mesh->peers[p];
    int64_t now_us = mesh_now(mesh);
    peer->line = NO_LINE;
    peer->failures++;
    peer->refused = end == DIAL_REFUSED;
    mesh_peer_move(peer, PEER_IDLE);
    dial_at(mesh, peer,
            now_us + (peer->dead ? DEAD_DIAL_US : mesh_backoff_us(mesh, peer->failures)));
    mesh_answer_askers(mesh, p, false);
    /* Somebody whom we never met may be about to listen, or silent for us alone. */
    bool counts = peer->was_up || peer->reporter != 0;
    if (!peer->dead && end != DIAL_BROKE && counts) {
        mesh_suspect(mesh, p);
    }
}

void
mesh_dial_answered(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    peer->line = NO_LINE;
    peer->failures = 0;
    peer->reporter = 0;
    mesh_peer_move(peer, PEER_IDLE);
    mesh_answer_askers(mesh, p, true);
    /* Whoever makes the link has heard of us and dials now; we look again later. */
    dial_at(mesh, peer,
            mesh_now(mesh) + (peer->dead ? DEAD_DIAL_US : MESH_BEAT_US) +
                mesh_backoff_us(mesh, 3 + peer->refusals));
}

/* Whoever lives at its address now is linked with us under the same identity. */
static bool
is_replaced(const struct mesh *mesh, const struct mesh_peer *peer)
{
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        const struct mesh_peer *other = &mesh->peers[i];
        if (other->state == PEER_UP && other->node.role == peer->node.role &&
            other->node.shard == peer->node.shard && other->node.index == peer->node.index) {
            return true;
        }
    }
    return false;
}

static void
dial(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    if (peer->dead && is_replaced(mesh, peer)) {
        dial_at(mesh, peer, mesh_now(mesh) + DEAD_DIAL_US); /* a probe would break that link */
        return;
    }
    bool probe = !mesh_peer_is_ours(mesh, &peer->node);
    uint32_t line = NO_LINE;
    enum err error = mesh_line_dial(mesh, peer->node.address, probe, &line);
    if (error != OK) {
        env_log(&mesh->env, LOG_WARN, "mesh.dial", "%s at %s: %s", peer->node.name,
                peer->node.address, err_text(error));
        dial_at(mesh, peer, mesh_now(mesh) + BACKOFF_MAX_US);
        return;
    }
    mesh->lines[line].peer = p;
    mesh->stats.redials += peer->was_up;
    peer->line = line;
    mesh_peer_move(peer, PEER_DIALLING);
}

static void
seeds_turn(struct mesh *mesh, int64_t now_us)
{
    for (uint32_t i = 0; i < mesh->options.seeds_count && mesh->stats.peers == 0; i++) {
        struct mesh_seed *seed = &mesh->seeds[i];
        if (seed->line != NO_LINE) {
            continue;
        }
        if (now_us >= seed->dial_at_us) {
            seed->dial_at_us = now_us + BACKOFF_MAX_US;
            if (mesh_line_dial(mesh, mesh->options.seeds[i], false, &seed->line) == OK) {
                mesh->lines[seed->line].seed = true;
                continue;
            }
            seed->line = NO_LINE;
        }
        mesh_due(mesh, seed->dial_at_us);
    }
}

/* Beats */

void
mesh_ping(struct mesh *mesh, uint32_t p)
{
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_beat_write(&(struct mesh_beat){.sent_us = mesh_now(mesh),
                                                   .world_ms = env_world_ms(&mesh->env),
                                                   .load = mesh->load,
                                                   .draining = mesh->self.draining},
                               body);
    mesh_say(mesh, mesh->peers[p].line, MESH_FRAME_BEAT, body, n);
}

/* A trip of bytes says when the other's clock showed what it told, to half of its length; so short
 * trips count. What is best grows old, as clocks move. */
static void
measure(struct mesh *mesh, struct mesh_peer *peer, const struct mesh_beat *beat)
{
    int64_t now_us = mesh_now(mesh);
    if (beat->sent_us > now_us || beat->sent_us < now_us - SILENCE_US) {
        return; /* not of this link, or a liar's */
    }
    int64_t trip_us = now_us - beat->sent_us;
    mesh->counts[peer->count].round_trip_us = trip_us;
    peer->unanswered_us = 0;
    hist_add(&mesh->stats.round_trip_us, (uint64_t)trip_us);
    peer->best_trip_us += peer->best_trip_us / 8 + 50;
    if (trip_us > peer->best_trip_us && peer->best_trip_us > 50) {
        return;
    }
    peer->best_trip_us = trip_us;
    peer->offset_ms = beat->world_ms - (env_world_ms(&mesh->env) - trip_us / 2000);
    bool is_apart = peer->offset_ms > OFFSET_ALARM_MS || peer->offset_ms < -OFFSET_ALARM_MS;
    if (is_apart && !peer->is_apart) {
        mesh->stats.clocks_apart++;
        env_log(&mesh->env, LOG_ERROR, "mesh.clock",
                "the world time of %s is %lld ms from ours: set the clocks of the hosts",
                peer->node.name, (long long)peer->offset_ms);
    }
    peer->is_apart = is_apart;
}

void
mesh_beat(struct mesh *mesh, uint32_t p, const struct mesh_beat *beat, bool answer)
{
    struct mesh_peer *peer = &mesh->peers[p];
    peer->load = beat->load;
    if (peer->node.draining != beat->draining) {
        peer->node.draining = beat->draining;
        mesh->book_stale = true;
    }
    if (answer) {
        measure(mesh, peer, beat);
        return;
    }
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_beat_write(&(struct mesh_beat){.sent_us = beat->sent_us,
                                                   .world_ms = env_world_ms(&mesh->env),
                                                   .load = mesh->load,
                                                   .draining = mesh->self.draining},
                               body);
    mesh_say(mesh, peer->line, MESH_FRAME_ANSWER, body, n);
}

void
mesh_peer_heard(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    peer->heard_us = mesh_now(mesh);
    if (peer->accused_until_us != 0) {
        peer->accused_until_us = 0;
        peer->reporter = 0;
        mesh->stats.disputed++;
    }
    mesh_answer_askers(mesh, p, true);
}

/* The turn */

static bool
is_in_reach(const struct mesh *mesh, const struct node *node)
{
    bool is_us = node->role == mesh->self.role && node->shard == mesh->self.shard &&
                 node->index == mesh->self.index;
    return !is_us && node->role != NODE_GATE && mesh_nodes_link(&mesh->self, node);
}

static void
take_entry(struct mesh *mesh, const struct node *node)
{
    uint32_t p = mesh_peer_find(mesh, node->epoch);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct mesh_peer *old = &mesh->peers[i];
        if (old->state != PEER_FREE && old->state != PEER_UP && !old->dead &&
            old->node.role == node->role && old->node.shard == node->shard &&
            old->node.index == node->index && old->node.epoch < node->epoch) {
            mesh_declare_dead(mesh, i, "another process has registered under its identity");
        }
    }
    p = p != NO_PEER ? p : mesh_peer_add(mesh, node);
    if (p == NO_PEER) {
        return;
    }
    struct mesh_peer *peer = &mesh->peers[p];
    bool draining = peer->state == PEER_UP ? peer->node.draining : node->draining;
    peer->node = *node;
    peer->node.draining = draining;
    peer->in_book = true;
    peer->dead = mesh_is_dead(mesh, node->epoch);
}

void
mesh_peers_book(struct mesh *mesh)
{
    const struct book *book = mesh_book(mesh);
    if (book->revision == mesh->book_revision) {
        return;
    }
    mesh->book_revision = book->revision;
    mesh->book_stale = true;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        mesh->peers[p].in_book = false;
    }
    for (uint32_t i = 0; i < book->count; i++) {
        if (is_in_reach(mesh, &book->nodes[i])) {
            take_entry(mesh, &book->nodes[i]);
        }
    }
}

/* Nobody needs to know of it any more. */
static bool
is_over(const struct mesh_peer *peer, int64_t now_us)
{
    bool is_needed =
        peer->node.role != NODE_GATE && (peer->in_book || (peer->was_up && !peer->dead));
    return !is_needed && now_us >= peer->forget_at_us;
}

static void
idle_turn(struct mesh *mesh, uint32_t p, int64_t now_us)
{
    struct mesh_peer *peer = &mesh->peers[p];
    if (is_over(peer, now_us)) {
        mesh_peer_free(mesh, p);
        return;
    }
    if (peer->forget_at_us > now_us) {
        mesh_due(mesh, peer->forget_at_us);
    }
    if (peer->node.role == NODE_GATE) {
        return;
    }
    if (now_us < peer->dial_at_us || mesh->is_dead) {
        mesh_due(mesh, peer->dial_at_us > now_us ? peer->dial_at_us : NEVER);
    } else {
        dial(mesh, p);
    }
}

static void
up_turn(struct mesh *mesh, uint32_t p, int64_t now_us)
{
    struct mesh_peer *peer = &mesh->peers[p];
    bool is_silent = now_us - peer->heard_us >= SILENCE_US;
    if (peer->is_cut) {
        mesh->stats.cut++;
        env_log(&mesh->env, LOG_WARN, "mesh.cut", "%s does not take what it must hear of",
                peer->node.name);
    } else if (is_silent) {
        env_log(&mesh->env, LOG_WARN, "mesh.silent", "%s has missed %u beats", peer->node.name,
                (unsigned)((now_us - peer->heard_us) / MESH_BEAT_US));
    }
    if (peer->unanswered_us != 0 && (is_silent || now_us - peer->unanswered_us >= MESH_BEAT_US)) {
        mesh->counts[peer->count].beats_missed++;
        peer->unanswered_us = 0;
    }
    if (peer->is_cut || is_silent) {
        mesh_line_close(mesh, peer->line);
        mesh_peer_broke(mesh, p, is_silent);
        return;
    }
    if (now_us >= peer->beat_at_us) {
        mesh_ping(mesh, p);
        peer->beat_at_us = now_us + MESH_BEAT_US;
        peer->unanswered_us = peer->unanswered_us != 0 ? peer->unanswered_us : now_us;
    }
    mesh_due(mesh, peer->beat_at_us);
    mesh_due(mesh, peer->heard_us + SILENCE_US);
}

void
mesh_peers_turn(struct mesh *mesh, int64_t now_us)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        switch (mesh->peers[p].state) {
        case PEER_IDLE: idle_turn(mesh, p, now_us); break;
        case PEER_UP: up_turn(mesh, p, now_us); break;
        case PEER_FREE:
        case PEER_DIALLING:
        case PEER_ASKING:
        case PEER_STATES: break;
        }
    }
    if (mesh->options.seeds_count > 0 && !mesh->is_dead) {
        seeds_turn(mesh, now_us);
    }
}
