#include "fabric/mesh.h"
#include "base/check.h"
#include "fabric/mesh_inside.h"
#include "wire/link.h"
#include <stdlib.h>
#include <string.h>

#define KIND_REQUESTS 64 /* and above: messages of fabric/requests.h */
#define LATE_US       500000
#define INPUT_KIND_AT 25 /* in a message of wire/link.h: behind kind, player, epoch, sent_us */
#define SELF_KIND_AT  17 /* behind kind, player, epoch */

void
mesh_due(struct mesh *mesh, int64_t at_us)
{
    mesh->next_us = at_us < mesh->next_us ? at_us : mesh->next_us;
}

/* Life */

static uint32_t
blocks_limit(const struct mesh_options *options)
{
    uint32_t of_peer = (options->data_bytes + options->control_bytes) / LANE_BLOCK_BYTES + 8;
    return PEERS_MAX * of_peer + LINES_MAX * 2;
}

static bool
is_served(const struct mesh_options *options)
{
    const struct mesh_events *e = &options->events;
    return e->up != NULL && e->down != NULL && e->died != NULL && e->message != NULL &&
           e->dead_self != NULL && (e->book_changed != NULL || options->book != NULL);
}

enum err
mesh_alloc(const struct mesh_options *options, const struct env *env,
           const struct env_transport *transport, struct mesh **out)
{
    CHECK(options->self.role < NODE_ROLES && is_served(options));
    if (options->self.epoch == 0 || options->seeds_count > SEEDS_MAX) {
        return ERR_RANGE;
    }
    struct mesh *mesh = calloc(1, sizeof *mesh);
    if (mesh == NULL) {
        return ERR_FULL;
    }
    mesh->env = *env;
    mesh->transport = *transport;
    mesh->options = *options;
    mesh->self = options->self;
    if (options->data_bytes == 0) {
        mesh->options.data_bytes = MESH_DATA_BYTES;
    }
    if (options->control_bytes == 0) {
        mesh->options.control_bytes = MESH_CONTROL_BYTES;
    }
    lane_blocks_init(&mesh->blocks, blocks_limit(&mesh->options));
    pool_init(&mesh->buffers, MESH_FRAME_MAX, LINES_MAX, 1);
    map_init(&mesh->tombstones, TOMBSTONES_MAX + 1, env_random(env));
    bucket_init(&mesh->handshakes, (struct bucket_rate){HANDSHAKES_PER_S, HANDSHAKES_BURST},
                mesh_now(mesh));
    for (uint32_t i = 0; i < SEEDS_MAX; i++) {
        mesh->seeds[i].line = NO_LINE;
    }
    if (options->book == NULL) {
        mesh->own_book = calloc(1, sizeof *mesh->own_book);
        CHECK(mesh->own_book != NULL);
    }
    mesh->book_revision = UINT64_MAX;
    *out = mesh;
    return OK;
}

void
mesh_free(struct mesh **pointer)
{
    struct mesh *mesh = *pointer;
    if (mesh == NULL) {
        return;
    }
    for (uint32_t line = 0; line < LINES_MAX; line++) {
        lane_clear(&mesh->lines[line].lane, &mesh->blocks);
    }
    lane_blocks_fini(&mesh->blocks);
    pool_fini(&mesh->buffers);
    map_fini(&mesh->tombstones);
    free(mesh->own_book);
    free(mesh);
    *pointer = NULL;
}

/* Sending */

enum mesh_lane
mesh_lane(struct slice head)
{
    CHECK(head.bytes > 0);
    if (head.at[0] >= KIND_REQUESTS) {
        return MESH_LANE_REQUEST;
    }
    bool is_data =
        head.at[0] == LINK_BATCH || head.at[0] == LINK_DENSITY || head.at[0] == LINK_SAID;
    if (head.at[0] == LINK_INPUT && head.bytes > INPUT_KIND_AT) {
        uint8_t kind = head.at[INPUT_KIND_AT];
        is_data =
            kind == INPUT_MOVE || kind == INPUT_SAY || kind == INPUT_LOOK || kind == INPUT_SHOW;
    } else if (head.at[0] == LINK_SELF && head.bytes > SELF_KIND_AT) {
        uint8_t kind = head.at[SELF_KIND_AT];
        is_data = kind == SELF_MOTION || kind == SELF_ANSWER || kind == SELF_SHOWN;
    }
    return is_data ? MESH_LANE_DATA : MESH_LANE_CONTROL;
}

/* What does not fit below the mark of a lane is refused, or costs the peer its link. */
static enum err
send_beyond_mark(struct mesh *mesh, struct mesh_peer *peer, enum mesh_lane lane)
{
    mesh->counts[peer->count].refused[lane]++;
    if (lane != MESH_LANE_CONTROL) {
        mesh->stats.full++;
        return ERR_FULL;
    }
    peer->is_cut = true;
    mesh_due(mesh, 0);
    return ERR_CLOSED;
}

static enum err
links_send(void *ctx, uint32_t p, const struct slice *pieces, uint32_t count)
{
    struct mesh *mesh = ctx;
    struct mesh_peer *peer = p < PEERS_MAX ? &mesh->peers[p] : NULL;
    if (peer == NULL || peer->state != PEER_UP || peer->is_cut) {
        return ERR_CLOSED;
    }
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += pieces[i].bytes;
    }
    CHECK(bytes > 0);
    if (bytes > MESH_MESSAGE_MAX) {
        return ERR_TOO_LARGE;
    }
    enum mesh_lane lane = mesh_lane(pieces[0]);
    bool is_data = lane == MESH_LANE_DATA;
    struct lane *out = &mesh->lines[peer->line].lane;
    size_t waits = out->waiting[is_data ? LANE_DATA : LANE_CONTROL] + bytes + LANE_HEAD_BYTES;
    if (!is_data && mesh->options.mutant == MESH_MUTANT_DROP_CONTROL &&
        waits > MUTANT_CONTROL_BYTES) {
        return OK;
    }
    size_t mark = is_data                     ? mesh->options.data_bytes
                  : lane == MESH_LANE_REQUEST ? mesh->options.control_bytes / 2
                                              : mesh->options.control_bytes;
    if (waits > mark ||
        lane_put(out, &mesh->blocks, is_data ? LANE_DATA : LANE_CONTROL,
                 is_data ? MESH_FRAME_DATA : MESH_FRAME_CONTROL, pieces, count) != OK) {
        return send_beyond_mark(mesh, peer, lane);
    }
    mesh->stats.messages_out++;
    mesh_set_put(&mesh->unsent, p, true);
    return OK;
}

struct env_links
mesh_links(struct mesh *mesh)
{
    return (struct env_links){.ctx = mesh, .send = links_send};
}

void
mesh_say(struct mesh *mesh, uint32_t n, enum mesh_frame kind, const void *body, size_t bytes)
{
    struct mesh_line *line = &mesh->lines[n];
    struct slice piece = {body, bytes};
    CHECK(line->state != LINE_NONE && line->state != LINE_DIALLING);
    bool keeps_order = kind == MESH_FRAME_BOOK || kind == MESH_FRAME_BYE;
    enum lane_class class = line->state == LINE_UP && !keeps_order ? LANE_URGENT : LANE_CONTROL;
    /* A peer that leaves so many beats unread is silent before long. */
    if (lane_put(&line->lane, &mesh->blocks, class, (uint8_t)kind, &piece, bytes > 0) != OK) {
        return;
    }
    if (line->state == LINE_UP) {
        mesh_set_put(&mesh->unsent, line->peer, true);
    } else {
        mesh_line_flush(mesh, n);
    }
}

void
mesh_say_all(struct mesh *mesh, enum mesh_frame kind, const void *body, size_t n,
             uint32_t except_peer)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (mesh->peers[p].state == PEER_UP && p != except_peer) {
            mesh_say(mesh, mesh->peers[p].line, kind, body, n);
        }
    }
}

void
mesh_line_flush(struct mesh *mesh, uint32_t n)
{
    struct mesh_line *line = &mesh->lines[n];
    while (!line->waits_writable && !lane_is_empty(&line->lane)) {
        struct slice pieces[GATHER_MAX];
        uint32_t count = lane_gather(&line->lane, pieces, GATHER_MAX);
        size_t bytes = 0, taken = 0;
        for (uint32_t i = 0; i < count; i++) {
            bytes += pieces[i].bytes;
        }
        mesh->stats.sends++;
        if (mesh->transport.send(mesh->transport.ctx, n, pieces, count, &taken) != OK) {
            return; /* closed() follows */
        }
        CHECK(taken <= bytes);
        mesh->stats.bytes_out += taken;
        if (line->state == LINE_UP) {
            mesh_count_at(mesh, line->peer)->bytes_out += taken;
        }
        lane_took(&line->lane, &mesh->blocks, taken);
        if (taken < bytes) {
            line->waits_writable = true;
            if (line->backlog_since_us == 0) {
                line->backlog_since_us = mesh_now(mesh);
            }
            mesh->transport.want_writable(mesh->transport.ctx, n, true);
        } else if (lane_is_empty(&line->lane)) {
            line->backlog_since_us = 0;
        }
    }
}

void
mesh_flush(struct mesh *mesh)
{
    for (uint32_t word = 0; word < PEERS_MAX / 64; word++) {
        uint64_t bits = mesh->unsent.bits[word];
        mesh->unsent.bits[word] = 0;
        for (; bits != 0; bits &= bits - 1) {
            uint32_t p = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (mesh->peers[p].state == PEER_UP) {
                mesh_line_flush(mesh, mesh->peers[p].line);
            }
        }
    }
}

/* The turn */

/* This process was stopped, or very slow: that nobody was heard meanwhile says nothing of them. */
static void
overslept(struct mesh *mesh, int64_t late_us)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct mesh_peer *peer = &mesh->peers[p];
        peer->heard_us += late_us;
        peer->enquiry_until_us += late_us;
        peer->seen_at_us += late_us;
        peer->accused_until_us += peer->accused_until_us != 0 ? late_us : 0;
        peer->unanswered_us += peer->unanswered_us != 0 ? late_us : 0;
    }
    for (uint32_t line = 0; line < LINES_MAX; line++) {
        mesh->lines[line].deadline_us += late_us;
    }
}

/* All that was said under the old name is over. */
static void
drop_all(struct mesh *mesh)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct mesh_peer *peer = &mesh->peers[p];
        if (peer->state == PEER_UP) {
            mesh_line_close(mesh, peer->line);
            mesh_peer_broke(mesh, p, false);
        } else if (peer->state == PEER_DIALLING || peer->state == PEER_ASKING) {
            peer->line = NO_LINE; /* closed below */
            mesh_peer_move(peer, PEER_IDLE);
        }
    }
    for (uint32_t line = 0; line < LINES_MAX; line++) {
        if (mesh->lines[line].state != LINE_NONE) {
            mesh_line_close(mesh, line);
        }
    }
    for (uint32_t i = 0; i < SEEDS_MAX; i++) {
        mesh->seeds[i].line = NO_LINE;
    }
}

/* A new name begins anew, also in what this process thinks of others. */
static void
take_new_name(struct mesh *mesh)
{
    drop_all(mesh);
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        mesh->peers[p].dead = false;
        mesh->peers[p].buried_us_since = 0;
    }
    map_fini(&mesh->tombstones);
    map_init(&mesh->tombstones, TOMBSTONES_MAX + 1, env_random(&mesh->env));
    mesh->buried = 0;
    mesh->is_dead = mesh->dead_untold = false;
    mesh->book_revision = UINT64_MAX;
}

static void
take_self(struct mesh *mesh)
{
    bool is_new = mesh->self.epoch != mesh->options.self.epoch;
    mesh->self_changed = false;
    mesh->self = mesh->options.self;
    mesh->book_stale = true;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        mesh->peers[p].beat_at_us = 0;
    }
    if (is_new) {
        take_new_name(mesh);
    }
}

static void
tell_dead_self(struct mesh *mesh)
{
    mesh->dead_untold = false;
    drop_all(mesh);
    env_log(&mesh->env, LOG_WARN, "mesh.dead_self", "%s: the others have declared epoch %llu dead",
            mesh->self.name, (unsigned long long)mesh->self.epoch);
    mesh->options.events.dead_self(mesh->options.events.ctx);
}

int64_t
mesh_turn(struct mesh *mesh)
{
    int64_t now_us = mesh_now(mesh);
    if (mesh->planned_us > 0 && now_us - mesh->planned_us > LATE_US) {
        overslept(mesh, now_us - mesh->planned_us);
    }
    if (now_us < mesh->next_us) {
        mesh->planned_us = mesh->next_us;
        return mesh->next_us;
    }
    mesh->next_us = now_us + MESH_BEAT_US;
    mesh_lines_turn(mesh, now_us);
    if (!mesh->is_leaving) {
        if (mesh->self_changed) {
            take_self(mesh);
        }
        mesh_peers_book(mesh);
        mesh_peers_turn(mesh, now_us);
        mesh_death_turn(mesh, now_us);
        mesh_book_turn(mesh, now_us);
    }
    if (mesh->dead_untold) {
        tell_dead_self(mesh);
    }
    mesh->planned_us = mesh->next_us > now_us ? mesh->next_us : now_us + 1;
    return mesh->planned_us;
}

/* What is asked and told */

void
mesh_book_changed(struct mesh *mesh)
{
    mesh_due(mesh, 0);
}

void
mesh_self(struct mesh *mesh, const struct node *self)
{
    CHECK(self->epoch != 0 && self->role == mesh->self.role);
    mesh->options.self = *self;
    mesh->self_changed = true;
    mesh_due(mesh, 0);
}

const struct book *
mesh_book(const struct mesh *mesh)
{
    return mesh->own_book != NULL ? mesh->own_book : mesh->options.book;
}

void
mesh_tell_load(struct mesh *mesh, uint32_t players)
{
    mesh->load = players;
}

static const struct mesh_peer *
peer_up(const struct mesh *mesh, uint32_t p)
{
    bool is_up = p < PEERS_MAX && mesh->peers[p].state == PEER_UP;
    return is_up ? &mesh->peers[p] : NULL;
}

uint32_t
mesh_peer_load(const struct mesh *mesh, uint32_t p)
{
    const struct mesh_peer *peer = peer_up(mesh, p);
    return peer != NULL ? peer->load : 0;
}

int64_t
mesh_peer_offset_ms(const struct mesh *mesh, uint32_t p)
{
    const struct mesh_peer *peer = peer_up(mesh, p);
    return peer != NULL ? peer->offset_ms : 0;
}

const struct node *
mesh_peer(const struct mesh *mesh, uint32_t p)
{
    const struct mesh_peer *peer = peer_up(mesh, p);
    return peer != NULL ? &peer->node : NULL;
}

uint32_t
mesh_peer_of(const struct mesh *mesh, uint64_t epoch)
{
    uint32_t p = mesh_peer_find(mesh, epoch);
    return p != NO_PEER && mesh->peers[p].state == PEER_UP ? p : PEERS_MAX;
}

bool
mesh_is_dead(const struct mesh *mesh, uint64_t epoch)
{
    uint32_t p = mesh_peer_find(mesh, epoch); /* its tombstone may have given way to newer ones */
    return (p != NO_PEER && mesh->peers[p].dead) || map_get(&mesh->tombstones, epoch) != MAP_NONE;
}

void
mesh_leave(struct mesh *mesh)
{
    mesh->is_leaving = true;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        uint32_t line = mesh->peers[p].line;
        if (mesh->peers[p].state == PEER_UP) {
            mesh_say(mesh, line, MESH_FRAME_BYE, NULL, 0);
            mesh_peer_free(mesh, p);
            mesh_line_end(mesh, line);
        } else if (mesh->peers[p].state != PEER_FREE) {
            mesh_peer_free(mesh, p);
        }
    }
    for (uint32_t line = 0; line < LINES_MAX; line++) {
        enum line_state state = mesh->lines[line].state;
        if (state != LINE_NONE && state != LINE_CLOSING) {
            mesh_line_close(mesh, line);
        }
    }
}

bool
mesh_has_left(const struct mesh *mesh)
{
    for (uint32_t line = 0; line < LINES_MAX; line++) {
        if (mesh->lines[line].state == LINE_CLOSING) {
            return false;
        }
    }
    return mesh->is_leaving;
}

const struct mesh_stats *
mesh_stats(const struct mesh *mesh)
{
    return &mesh->stats;
}
