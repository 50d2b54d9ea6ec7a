/* The book at gates, which have no directory: each home tells its own, whole, when a link comes up,
 * when it has changed, and now and then, together with the gates that it is linked with. A gate
 * keeps what any home lists that it is linked with; a home that goes takes nothing away, only the
 * next word of one that is there does. A node that is dead here may be listed again by somebody who
 * sees it: then it is dialled, and either learns that it is dead or shows that it is not.
 */
#include "base/check.h"
#include "fabric/mesh_inside.h"

/* Homes tell */

static bool
put_node(struct mesh *mesh, struct writer *w, const struct node *node)
{
    if (mesh_is_dead(mesh, node->epoch) || writer_left(w) < MESH_NODE_BYTES_MAX) {
        return false;
    }
    mesh_node_write(w, node);
    return true;
}

static size_t
compose(struct mesh *mesh)
{
    const struct book *book = mesh_book(mesh);
    struct writer w = writer_over(mesh->scratch, sizeof mesh->scratch);
    uint16_t count = 1;
    write_u16(&w, 0);
    mesh_node_write(&w, &mesh->self);
    for (uint32_t i = 0; i < book->count; i++) {
        const struct node *node = &book->nodes[i];
        uint32_t p = mesh_peer_find(mesh, node->epoch);
        bool is_up = p != NO_PEER && mesh->peers[p].state == PEER_UP;
        if (node->epoch != mesh->self.epoch && !is_up) {
            count += put_node(mesh, &w, node);
        }
    }
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (mesh->peers[p].state == PEER_UP) {
            count += put_node(mesh, &w, &mesh->peers[p].node);
        }
    }
    CHECK(writer_ok(&w));
    struct writer head = writer_over(mesh->scratch, 2);
    write_u16(&head, count);
    return writer_used(&w);
}

void
mesh_book_tell(struct mesh *mesh, uint32_t p)
{
    CHECK(mesh->peers[p].state == PEER_UP && mesh->self.role == NODE_HOME);
    mesh_say(mesh, mesh->peers[p].line, MESH_FRAME_BOOK, mesh->scratch, compose(mesh));
}

void
mesh_book_turn(struct mesh *mesh, int64_t now_us)
{
    if (mesh->self.role != NODE_HOME) {
        return;
    }
    int64_t due_us = mesh->book_told_us + (mesh->book_stale ? BOOK_PAUSE_US : BOOK_HEAL_US);
    if (now_us < due_us) {
        mesh_due(mesh, due_us);
        return;
    }
    mesh->book_stale = false;
    mesh->book_told_us = now_us;
    mesh_due(mesh, now_us + BOOK_HEAL_US);
    size_t n = compose(mesh);
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        const struct mesh_peer *peer = &mesh->peers[p];
        if (peer->state == PEER_UP && peer->node.role == NODE_GATE) {
            mesh_say(mesh, peer->line, MESH_FRAME_BOOK, mesh->scratch, n);
        }
    }
}

/* Gates hear */

static void
unlist(struct mesh *mesh, uint32_t i)
{
    book_remove(mesh->own_book, mesh->listings[i].epoch);
    mesh->listings[i] = mesh->listings[--mesh->listings_count];
}

/* Where it is listed; listings_count: it is not. */
static uint32_t
listing_of(const struct mesh *mesh, uint64_t epoch)
{
    uint32_t at = 0;
    while (at < mesh->listings_count && mesh->listings[at].epoch != epoch) {
        at++;
    }
    return at;
}

/* Each node of the own book has one listing. An epoch names one node: who gives it to two in one
 * book lies; of two homes that differ the first one is believed, as nobody knows which is wrong. */
static enum err
list(struct mesh *mesh, uint32_t from, const struct node *node)
{
    const struct node *there =
        book_find_identity(mesh->own_book, node->shard, node->role, node->index);
    const struct node *named = book_find(mesh->own_book, node->epoch);
    if (named != there && named != NULL) {
        const struct mesh_listing *listing = &mesh->listings[listing_of(mesh, node->epoch)];
        return mesh_set_has(&listing->by, from) ? ERR_FORMAT : OK;
    }
    bool is_older = there != NULL && node->role != NODE_GATE && there->epoch > node->epoch;
    uint64_t listed = there != NULL ? there->epoch : node->epoch;
    if (is_older || book_put(mesh->own_book, node) != OK) {
        return OK;
    }
    uint32_t at = listing_of(mesh, listed);
    if (at == mesh->listings_count || listed != node->epoch) {
        CHECK(at < BOOK_NODES_MAX);
        mesh->listings_count += at == mesh->listings_count;
        mesh->listings[at] = (struct mesh_listing){.epoch = node->epoch};
    }
    mesh_set_put(&mesh->listings[at].by, from, true);
    return OK;
}

/* No home that is there lists it. */
static bool
is_unlisted(const struct mesh *mesh, const struct mesh_listing *listing)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (mesh_set_has(&listing->by, p) && mesh->peers[p].state == PEER_UP) {
            return false;
        }
    }
    return true;
}

enum err
mesh_book_heard(struct mesh *mesh, uint32_t from, struct slice body)
{
    bool is_gate = mesh->self.role == NODE_GATE && mesh->own_book != NULL;
    if (!is_gate || mesh->peers[from].node.role != NODE_HOME) {
        return ERR_FORMAT;
    }
    struct reader r = reader_over(body.at, body.bytes);
    uint64_t revision = mesh->own_book->revision;
    uint32_t count = read_u16(&r);
    for (uint32_t i = 0; i < mesh->listings_count; i++) {
        mesh_set_put(&mesh->listings[i].by, from, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct node node;
        if (mesh_node_read(&r, &node) != OK || list(mesh, from, &node) != OK) {
            return ERR_FORMAT;
        }
    }
    for (uint32_t i = mesh->listings_count; i-- > 0;) {
        if (is_unlisted(mesh, &mesh->listings[i])) {
            unlist(mesh, i);
        }
    }
    if (mesh->own_book->revision != revision) {
        mesh_due(mesh, 0);
        mesh->options.events.book_changed(mesh->options.events.ctx);
    }
    return OK;
}

void
mesh_book_strike(struct mesh *mesh, uint64_t epoch)
{
    for (uint32_t i = 0; mesh->own_book != NULL && i < mesh->listings_count; i++) {
        if (mesh->listings[i].epoch == epoch) {
            unlist(mesh, i);
            mesh_due(mesh, 0);
            mesh->options.events.book_changed(mesh->options.events.ctx);
            return;
        }
    }
}
