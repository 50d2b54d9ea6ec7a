/* Who is dead. A suspicion is our own: the link broke or was silent, and a dial to the node failed
 * since. Then all peers are asked whether they see it, each of which answers at once or tries it
 * first (a beat over its own link); one that does acquits. When nobody does, it is dead if nobody
 * listens at its address, if it does not stand in the book any more, or if we and those who
 * answered are at least as many as those who did not or whom we do not see: a few who were cut off
 * from the many do not bury the many. Whoever is alone with the accused waits for three beats of
 * silence, whatever broke.
 *
 * A verdict is told to all. Whoever hears of one tries the node himself, over his link or by
 * dialling, and believes the verdict when that fails, or when a second node says so while he has no
 * link. Nobody believes a word about himself but a refused hello, and that only when at least as
 * many nodes refuse him as are linked with him. If fewer do, and go on for seconds, he disputes it,
 * and they take their verdict back: they are the ones who were cut off.
 */
#include "base/check.h"
#include "fabric/mesh_inside.h"

/* Tombstones */

void
mesh_bury(struct mesh *mesh, uint64_t epoch)
{
    if (mesh_is_dead(mesh, epoch)) {
        return;
    }
    uint32_t place = mesh->buried % TOMBSTONES_MAX;
    bool holds =
        mesh->buried >= TOMBSTONES_MAX && map_get(&mesh->tombstones, mesh->graves[place]) == place;
    if (holds) { /* who was dug out and buried again lies elsewhere */
        map_remove(&mesh->tombstones, mesh->graves[place]);
    }
    mesh->graves[place] = epoch;
    mesh->buried++;
    enum err error = map_put(&mesh->tombstones, epoch, place);
    CHECK(error == OK);
}

static void
say_epoch(struct mesh *mesh, enum mesh_frame kind, uint64_t epoch, uint32_t except_peer)
{
    uint8_t body[MESH_HELLO_MAX];
    mesh_say_all(mesh, kind, body, mesh_epoch_write(epoch, body), except_peer);
}

void
mesh_declare_dead(struct mesh *mesh, uint32_t p, const char *why)
{
    struct mesh_peer *peer = &mesh->peers[p];
    struct node node = peer->node;
    bool was_up = peer->state == PEER_UP;
    CHECK(!peer->dead && peer->state != PEER_FREE && node.role != NODE_GATE);
    env_log(&mesh->env, LOG_WARN, "mesh.dead", "%s, epoch %llu: %s", node.name,
            (unsigned long long)node.epoch, why);
    env_trace(&mesh->env, "mesh.dead", p, node.epoch);
    mesh_bury(mesh, node.epoch);
    mesh->stats.deaths++;
    mesh->book_stale = true;
    if (peer->line != NO_LINE) {
        mesh_line_close(mesh, peer->line);
        peer->line = NO_LINE;
    }
    mesh_answer_askers(mesh, p, false);
    if (was_up) {
        mesh->stats.peers--;
        mesh->stats.downs++;
        mesh->counts[peer->count].breaks++;
        mesh_set_put(&mesh->unsent, p, false);
    }
    if (peer->state != PEER_IDLE) {
        mesh_peer_move(peer, PEER_IDLE);
    }
    /* While it stands in the book it is dialled now and then: whoever lives there must hear it. */
    peer->dead = true;
    peer->dial_at_us = mesh_now(mesh) + DEAD_DIAL_US;
    mesh_due(mesh, 0);
    say_epoch(mesh, MESH_FRAME_DEAD, node.epoch, NO_PEER);
    mesh_book_strike(mesh, node.epoch);
    if (was_up) {
        mesh_forget_witness(mesh, p);
        mesh->options.events.down(mesh->options.events.ctx, p, &node, true);
    } else {
        mesh->options.events.died(mesh->options.events.ctx, &node);
    }
}

/* Our own enquiry */

static void
verdict(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    uint32_t seeing = 1, unseen = 0;
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        const struct mesh_peer *other = &mesh->peers[i];
        bool answered = mesh_set_has(&peer->witnesses, i);
        bool counts =
            other->state != PEER_FREE && !other->dead && (other->in_book || other->was_up);
        seeing += answered;
        unseen += counts && !answered;
    }
    int64_t now_us = mesh_now(mesh);
    bool is_long = now_us - peer->heard_us >= SILENCE_US;
    peer->enquiry_again_us = now_us + ENQUIRY_PAUSE_US;
    if (peer->refused || !peer->in_book || (seeing >= unseen && (seeing > 1 || is_long))) {
        mesh_declare_dead(mesh, p,
                          peer->refused ? "nobody listens there any more" : "nobody sees it");
        return;
    }
    env_log(&mesh->env, LOG_WARN, "mesh.minority",
            "%s is silent, but only %u nodes of %u are with us: no verdict", peer->node.name,
            seeing, seeing + unseen);
    mesh_peer_move(peer, PEER_IDLE);
    mesh_due(mesh, peer->dial_at_us);
}

void
mesh_suspect(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    int64_t now_us = mesh_now(mesh);
    CHECK(peer->state == PEER_IDLE && !peer->dead);
    if (peer->reporter != 0) {
        mesh_declare_dead(mesh, p, "others have said so, and it does not answer");
        return;
    }
    if (now_us < peer->enquiry_again_us) {
        return;
    }
    mesh_peer_move(peer, PEER_ASKING);
    mesh->stats.suspicions++;
    peer->enquiry_until_us = now_us + ENQUIRY_US;
    mesh_due(mesh, peer->enquiry_until_us);
    peer->awaited = peer->witnesses = (struct mesh_set){.bits = {0}};
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        mesh_set_put(&peer->awaited, i, mesh->peers[i].state == PEER_UP);
    }
    say_epoch(mesh, MESH_FRAME_ASK, peer->node.epoch, NO_PEER);
    if (mesh_set_is_empty(&peer->awaited)) {
        verdict(mesh, p);
    }
}

void
mesh_acquit(struct mesh *mesh, uint32_t p)
{
    struct mesh_peer *peer = &mesh->peers[p];
    peer->enquiry_again_us = mesh_now(mesh) + ENQUIRY_PAUSE_US;
    peer->reporter = 0;
    mesh->stats.disputed++;
    mesh_peer_move(peer, PEER_IDLE);
    mesh_due(mesh, peer->dial_at_us);
}

/* said: he does not see it; else he cannot say, or his link broke. */
static void
heard_witness(struct mesh *mesh, uint32_t p, uint32_t witness, bool said)
{
    struct mesh_peer *peer = &mesh->peers[p];
    mesh_set_put(&peer->awaited, witness, false);
    mesh_set_put(&peer->witnesses, witness, said);
    if (peer->state == PEER_ASKING && mesh_set_is_empty(&peer->awaited)) {
        verdict(mesh, p);
    }
}

void
mesh_seen(struct mesh *mesh, uint32_t from, const struct mesh_seen *seen)
{
    uint32_t p = mesh_peer_find(mesh, seen->epoch);
    if (p == NO_PEER || mesh->peers[p].state != PEER_ASKING ||
        !mesh_set_has(&mesh->peers[p].awaited, from)) {
        return; /* too late */
    }
    if (seen->sight == SIGHT_YES) {
        mesh_acquit(mesh, p);
    } else {
        heard_witness(mesh, p, from, seen->sight == SIGHT_NO);
    }
}

void
mesh_forget_witness(struct mesh *mesh, uint32_t witness)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        mesh_set_put(&mesh->peers[p].askers, witness, false);
        if (mesh->peers[p].state == PEER_ASKING) {
            heard_witness(mesh, p, witness, false);
        }
    }
}

/* What others ask and tell */

static void
say_seen(struct mesh *mesh, uint32_t asker, uint64_t epoch, enum mesh_sight sight)
{
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_seen_write(&(struct mesh_seen){.epoch = epoch, .sight = sight}, body);
    mesh_say(mesh, mesh->peers[asker].line, MESH_FRAME_SEEN, body, n);
}

/* Of somebody who does not answer now. */
static enum mesh_sight
missing(const struct mesh_peer *peer)
{
    return peer->was_up || peer->refused || peer->dead ? SIGHT_NO : SIGHT_NOT_MET;
}

void
mesh_answer_askers(struct mesh *mesh, uint32_t p, bool alive)
{
    struct mesh_peer *peer = &mesh->peers[p];
    if (mesh_set_is_empty(&peer->askers)) {
        return;
    }
    for (uint32_t asker = 0; asker < PEERS_MAX; asker++) {
        if (mesh_set_has(&peer->askers, asker) && mesh->peers[asker].state == PEER_UP) {
            say_seen(mesh, asker, peer->node.epoch, alive ? SIGHT_YES : missing(peer));
        }
    }
    peer->askers = (struct mesh_set){.bits = {0}};
}

void
mesh_asked(struct mesh *mesh, uint32_t asker, uint64_t epoch)
{
    uint32_t p = mesh_peer_find(mesh, epoch);
    if (epoch == mesh->self.epoch || p == asker) {
        say_seen(mesh, asker, epoch, SIGHT_YES);
        return;
    }
    if (p == NO_PEER) {
        say_seen(mesh, asker, epoch, mesh_is_dead(mesh, epoch) ? SIGHT_NO : SIGHT_NOT_MET);
        return;
    }
    struct mesh_peer *peer = &mesh->peers[p];
    if (peer->state != PEER_UP && peer->state != PEER_DIALLING) {
        say_seen(mesh, asker, epoch, missing(peer));
        return;
    }
    if (mesh_set_is_empty(&peer->askers)) {
        peer->seen_at_us = mesh_now(mesh) + SEEN_US;
        mesh_due(mesh, peer->seen_at_us);
        if (peer->state == PEER_UP) {
            mesh_ping(mesh, p);
        }
    }
    mesh_set_put(&peer->askers, asker, true);
}

void
mesh_obituary(struct mesh *mesh, uint32_t from, uint64_t epoch)
{
    uint32_t p = mesh_peer_find(mesh, epoch);
    uint64_t reporter = mesh->peers[from].node.epoch;
    if (epoch == mesh->self.epoch || p == from) {
        mesh->stats.disputed++;
        return;
    }
    if (p == NO_PEER || mesh->peers[p].dead || mesh->peers[p].node.role == NODE_GATE) {
        return; /* nobody whom we would bury */
    }
    struct mesh_peer *peer = &mesh->peers[p];
    if (peer->state == PEER_UP) {
        peer->reporter = reporter;
        peer->accused_until_us = mesh_now(mesh) + ENQUIRY_US;
        mesh_due(mesh, peer->accused_until_us);
        mesh_ping(mesh, p);
        return;
    }
    bool is_second = peer->reporter != 0 && peer->reporter != reporter;
    if (is_second || peer->failures > 0) {
        mesh_declare_dead(mesh, p, "others have said so, and there is no link with it");
        return;
    }
    peer->reporter = reporter;
    peer->dial_at_us = 0;
    mesh_due(mesh, 0);
}

bool
mesh_refused_as_dead(struct mesh *mesh, const struct node *refuser)
{
    if (mesh->is_dead) {
        return false;
    }
    int64_t now_us = mesh_now(mesh);
    uint32_t p = mesh_peer_find(mesh, refuser->epoch);
    p = p != NO_PEER ? p : mesh_peer_add(mesh, refuser);
    uint32_t refusers = p == NO_PEER, others = 0;
    if (p != NO_PEER) {
        struct mesh_peer *peer = &mesh->peers[p];
        peer->refusals++;
        peer->buried_us_since = peer->buried_us_since != 0 ? peer->buried_us_since : now_us;
        peer->forget_at_us = now_us + GATE_REMEMBERED_US;
    }
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        const struct mesh_peer *peer = &mesh->peers[i];
        others += peer->state == PEER_UP;
        refusers +=
            peer->state != PEER_UP && peer->state != PEER_FREE && peer->buried_us_since != 0;
    }
    if (refusers >= others) {
        mesh->is_dead = mesh->dead_untold = true;
        mesh_due(mesh, 0);
        return false;
    }
    /* Whoever was stopped takes links for whole for a moment that others have closed long since. */
    return p != NO_PEER && now_us - mesh->peers[p].buried_us_since >= DISPUTE_US;
}

void
mesh_disputed(struct mesh *mesh, const struct node *node)
{
    uint32_t p = mesh_peer_find(mesh, node->epoch);
    mesh->stats.disputed++;
    if (!mesh_is_dead(mesh, node->epoch)) {
        return; /* refused for another reason */
    }
    env_log(&mesh->env, LOG_WARN, "mesh.wrong", "%s lives: more nodes see it than not", node->name);
    map_remove(&mesh->tombstones, node->epoch);
    mesh->book_stale = true;
    mesh_due(mesh, 0);
    if (p != NO_PEER) {
        mesh->peers[p].dead = false;
        mesh->peers[p].reporter = 0;
        mesh->peers[p].dial_at_us = 0;
    }
}

/* The turn */

void
mesh_death_turn(struct mesh *mesh, int64_t now_us)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct mesh_peer *peer = &mesh->peers[p];
        if (peer->state == PEER_ASKING) {
            mesh_due(mesh, peer->enquiry_until_us);
            if (now_us >= peer->enquiry_until_us) {
                verdict(mesh, p);
            }
        } else if (peer->state == PEER_UP && peer->accused_until_us != 0) {
            mesh_due(mesh, peer->accused_until_us);
            if (now_us >= peer->accused_until_us) {
                mesh_declare_dead(mesh, p, "others have said so, and it does not answer");
            }
        }
        if (peer->state != PEER_FREE && !mesh_set_is_empty(&peer->askers)) {
            mesh_due(mesh, peer->seen_at_us);
            if (now_us >= peer->seen_at_us) {
                mesh_answer_askers(mesh, p, false);
            }
        }
    }
}
