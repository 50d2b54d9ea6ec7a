#include "base/check.h"
#include "fabric/mesh_inside.h"
#include <string.h>

#define AHEAD_MAX 8 /* messages: as many misses as a core has under way at a time */

/* The moves of a line. */
static void
line_move(struct mesh_line *line, enum line_state to)
{
    static const uint8_t moves[LINE_STATES] = {
        [LINE_NONE] = 1 << LINE_DIALLING | 1 << LINE_GREETING,
        [LINE_DIALLING] = 1 << LINE_GREETING | 1 << LINE_NONE,
        [LINE_GREETING] = 1 << LINE_UP | 1 << LINE_CLOSING | 1 << LINE_NONE,
        [LINE_UP] = 1 << LINE_CLOSING | 1 << LINE_NONE,
        [LINE_CLOSING] = 1 << LINE_NONE,
    };
    CHECK((moves[line->state] >> to & 1) != 0);
    line->state = to;
}

static void
line_open(struct mesh *mesh, uint32_t n, enum line_state state, int64_t deadline_us)
{
    struct mesh_line *line = &mesh->lines[n];
    CHECK(line->state == LINE_NONE && lane_is_empty(&line->lane));
    *line = (struct mesh_line){.peer = NO_PEER, .rx = POOL_NONE, .deadline_us = deadline_us};
    line_move(line, state);
    mesh_due(mesh, deadline_us);
}

/* What there is to give back when a line is no more. */
static void
line_forget(struct mesh *mesh, uint32_t n)
{
    struct mesh_line *line = &mesh->lines[n];
    if (line->accepted && line->state == LINE_GREETING) {
        CHECK(mesh->half_open > 0);
        mesh->half_open--;
    }
    if (line->rx != POOL_NONE) {
        pool_give(&mesh->buffers, line->rx);
        line->rx = POOL_NONE;
    }
    lane_clear(&line->lane, &mesh->blocks);
    line_move(line, LINE_NONE);
}

void
mesh_line_close(struct mesh *mesh, uint32_t n)
{
    line_forget(mesh, n);
    mesh->transport.close(mesh->transport.ctx, n);
}

void
mesh_line_end(struct mesh *mesh, uint32_t n)
{
    struct mesh_line *line = &mesh->lines[n];
    if (line->accepted && line->state == LINE_GREETING) {
        mesh->half_open--;
    }
    line_move(line, LINE_CLOSING);
    line->peer = NO_PEER;
    line->deadline_us = mesh_now(mesh) + CLOSE_DEADLINE_US;
    mesh_due(mesh, line->deadline_us);
    mesh_line_flush(mesh, n);
}

enum err
mesh_line_dial(struct mesh *mesh, const char *address, bool probe, uint32_t *n)
{
    enum err error = mesh->transport.dial(mesh->transport.ctx, address, n);
    if (error != OK) {
        return error;
    }
    CHECK(*n < LINES_MAX);
    line_open(mesh, *n, LINE_DIALLING, mesh_now(mesh) + DIAL_DEADLINE_US);
    mesh->lines[*n].probe = probe;
    return OK;
}

/* Who dialled is told what became of it. Somebody else who answers there says as much as nobody. */
static void
dial_ended(struct mesh *mesh, const struct mesh_line *line, enum dial_end end)
{
    if (line->seed) {
        for (uint32_t i = 0; i < mesh->options.seeds_count; i++) {
            struct mesh_seed *seed = &mesh->seeds[i];
            if (seed->line != NO_LINE && &mesh->lines[seed->line] == line) {
                seed->line = NO_LINE;
                seed->dial_at_us = mesh_now(mesh) + mesh_backoff_us(mesh, seed->failures++);
                mesh_due(mesh, seed->dial_at_us);
            }
        }
    } else if (line->peer != NO_PEER && line->epoch == mesh->peers[line->peer].node.epoch) {
        mesh_dial_answered(mesh, line->peer);
    } else if (line->peer != NO_PEER) {
        mesh_dial_failed(mesh, line->peer, line->epoch != 0 ? DIAL_REFUSED : end);
    }
}

/* The line is closed by us, and whoever waits for it hears of it. */
static void
line_drop(struct mesh *mesh, uint32_t n, enum dial_end end)
{
    struct mesh_line line = mesh->lines[n];
    line.lane = (struct lane){.queue = {.first = NULL}};
    if (line.seed) {
        dial_ended(mesh, &mesh->lines[n], end);
        mesh_line_close(mesh, n);
        return;
    }
    mesh_line_close(mesh, n);
    if (line.state == LINE_UP) {
        mesh_peer_broke(mesh, line.peer, false);
    } else {
        dial_ended(mesh, &line, end);
    }
}

static void
malformed(struct mesh *mesh, uint32_t n, const char *what)
{
    const struct mesh_line *line = &mesh->lines[n];
    mesh->stats.malformed++;
    env_log(&mesh->env, LOG_WARN, "mesh.malformed", "%s: %s; the link is closed",
            line->epoch != 0 ? mesh->hellos[n].name : "somebody", what);
    line_drop(mesh, n, DIAL_BROKE);
}

/* Greeting */

static size_t
own_hello(struct mesh *mesh, bool probe, uint8_t out[MESH_HELLO_MAX])
{
    return mesh_hello_write(&(struct mesh_hello){.world = mesh->options.world,
                                                 .probe = probe,
                                                 .schema = mesh->options.schema,
                                                 .world_ms = env_world_ms(&mesh->env),
                                                 .node = mesh->self},
                            out);
}

static void
say_hello(struct mesh *mesh, uint32_t n)
{
    uint8_t body[MESH_HELLO_MAX];
    mesh_say(mesh, n, MESH_FRAME_HELLO, body, own_hello(mesh, mesh->lines[n].probe, body));
}

static void
on_dialled(void *ctx, uint32_t n)
{
    struct mesh *mesh = ctx;
    CHECK(n < LINES_MAX);
    line_move(&mesh->lines[n], LINE_GREETING);
    say_hello(mesh, n);
}

static void
refuse(struct mesh *mesh, uint32_t n, enum mesh_refusal why)
{
    uint8_t body = (uint8_t)why;
    mesh_say(mesh, n, MESH_FRAME_REFUSE, &body, 1);
    mesh->stats.refused_hellos++;
    mesh_line_end(mesh, n);
}

static void
on_accepted(void *ctx, uint32_t n)
{
    struct mesh *mesh = ctx;
    CHECK(n < LINES_MAX);
    int64_t now_us = mesh_now(mesh);
    if (mesh->is_leaving) {
        mesh->transport.close(mesh->transport.ctx, n);
        return;
    }
    line_open(mesh, n, LINE_GREETING, now_us + ACCEPT_DEADLINE_US);
    mesh->lines[n].accepted = true;
    mesh->half_open++;
    /* Even whoever comes too fast is told that we live: his dial may be the test of that. */
    say_hello(mesh, n);
    struct bucket_rate rate = {HANDSHAKES_PER_S, HANDSHAKES_BURST};
    if (mesh->half_open > HALF_OPEN_MAX || !bucket_take(&mesh->handshakes, rate, now_us, 1)) {
        mesh->stats.dropped_hellos++;
        refuse(mesh, n, REFUSE_BUSY);
    }
}

/* Others under the same identity: an older registration is over. */
static enum mesh_refusal
judge_identity(struct mesh *mesh, const struct node *node)
{
    for (uint32_t p = 0; p < PEERS_MAX && node->role != NODE_GATE; p++) {
        struct mesh_peer *peer = &mesh->peers[p];
        bool is_same = peer->state != PEER_FREE && peer->node.role == node->role &&
                       peer->node.shard == node->shard && peer->node.index == node->index;
        if (is_same && peer->node.epoch > node->epoch) {
            return REFUSE_REPLACED;
        }
        if (is_same && peer->node.epoch < node->epoch && !peer->dead) {
            mesh_declare_dead(mesh, p, "it has registered anew");
        }
    }
    return REFUSE_NONE;
}

static enum mesh_refusal
judge(struct mesh *mesh, const struct mesh_hello *hello)
{
    const struct node *self = &mesh->self, *node = &hello->node;
    if (node->protocol_min > self->protocol_max || node->protocol_max < self->protocol_min) {
        return REFUSE_PROTOCOL;
    }
    if (hello->world != mesh->options.world) {
        return REFUSE_WORLD;
    }
    bool is_us = node->role == self->role && node->shard == self->shard &&
                 node->index == self->index && node->role != NODE_GATE;
    if (node->epoch == self->epoch || is_us) {
        return REFUSE_IDENTITY;
    }
    if (!mesh_nodes_link(self, node)) {
        return node->shard != self->shard ? REFUSE_SHARD : REFUSE_ROLE;
    }
    return mesh_is_dead(mesh, node->epoch) ? REFUSE_DEAD : judge_identity(mesh, node);
}

/* A seed has told who it is: now it is a peer like others. */
static bool
adopt_seed(struct mesh *mesh, uint32_t n)
{
    struct mesh_line *line = &mesh->lines[n];
    uint32_t p = mesh_peer_find(mesh, line->epoch);
    p = p != NO_PEER ? p : mesh_peer_add(mesh, &mesh->hellos[n]);
    if (p != NO_PEER && mesh->peers[p].state == PEER_ASKING) {
        mesh_acquit(mesh, p);
    }
    if (p == NO_PEER || mesh->peers[p].state != PEER_IDLE) {
        return false; /* no room, or there is a line */
    }
    dial_ended(mesh, line, DIAL_BROKE);
    line->seed = false;
    line->peer = p;
    mesh->peers[p].line = n;
    mesh_peer_move(&mesh->peers[p], PEER_DIALLING);
    return true;
}

/* Somebody asks whether we live, as the link broke for him. Then it is broken, unless it came up
 * after he asked. He is told WELCOME like others, since a refusal is something that he must hear
 * of. */
static void
probed(struct mesh *mesh, uint64_t epoch)
{
    uint32_t p = mesh_peer_find(mesh, epoch);
    if (p == NO_PEER) {
        return;
    }
    struct mesh_peer *peer = &mesh->peers[p];
    if (peer->state == PEER_UP && mesh_now(mesh) - peer->up_at_us > ACCEPT_DEADLINE_US) {
        mesh_line_close(mesh, peer->line);
        mesh_peer_broke(mesh, p, true);
    } else if (peer->state == PEER_IDLE && mesh_peer_is_ours(mesh, &peer->node)) {
        peer->dial_at_us = 0;
        mesh_due(mesh, 0);
    }
}

static void
hello_is_fine(struct mesh *mesh, uint32_t n, bool they_probe)
{
    struct mesh_line *line = &mesh->lines[n];
    bool is_other = line->peer != NO_PEER && mesh->peers[line->peer].node.epoch != line->epoch;
    if (is_other || (line->seed && !adopt_seed(mesh, n))) {
        line_drop(mesh, n, DIAL_BROKE);
        return;
    }
    if (they_probe) {
        probed(mesh, line->epoch);
    }
    line->judged = !they_probe && !line->probe;
    if (!line->probe) {
        mesh_say(mesh, n, MESH_FRAME_WELCOME, NULL, 0);
    }
}

static void
on_hello(struct mesh *mesh, uint32_t n, struct slice body)
{
    struct mesh_line *line = &mesh->lines[n];
    struct mesh_hello hello;
    if (line->epoch != 0 || mesh_hello_read(body, &hello) != OK) {
        malformed(mesh, n, "no hello");
        return;
    }
    line->epoch = hello.node.epoch;
    line->offset_ms = hello.world_ms - env_world_ms(&mesh->env);
    mesh->hellos[n] = hello.node;
    enum mesh_refusal why = mesh->is_dead ? REFUSE_BUSY : judge(mesh, &hello);
    if (line->state != LINE_GREETING) {
        return; /* it was our dial to one whom this hello declared dead */
    }
    if (why == REFUSE_NONE) {
        hello_is_fine(mesh, n, hello.probe);
        return;
    }
    env_log(&mesh->env, LOG_WARN, "mesh.refuse",
            "%s of shard %u, epoch %llu, version %s, schema %016llx: %s", hello.node.name,
            hello.node.shard, (unsigned long long)hello.node.epoch, hello.node.version,
            (unsigned long long)hello.schema, mesh_refusal_text((uint8_t)why));
    if (!line->accepted) {
        dial_ended(mesh, line, DIAL_REFUSED);
    }
    refuse(mesh, n, why);
}

static void
on_welcome(struct mesh *mesh, uint32_t n)
{
    struct mesh_line *line = &mesh->lines[n];
    if (line->probe && line->epoch != 0) {
        line_drop(mesh, n, DIAL_BROKE); /* it lives, and has nothing against us */
        return;
    }
    if (!line->judged) {
        malformed(mesh, n, "a welcome without a hello");
        return;
    }
    uint32_t p = line->peer != NO_PEER ? line->peer : mesh_peer_find(mesh, line->epoch);
    bool is_dead = mesh_is_dead(mesh, line->epoch);
    p = p != NO_PEER || is_dead ? p : mesh_peer_add(mesh, &mesh->hellos[n]);
    if (p == NO_PEER || is_dead) {
        refuse(mesh, n, is_dead ? REFUSE_DEAD : REFUSE_FULL);
        return;
    }
    if (line->accepted) {
        mesh->half_open--;
    }
    line->welcomed = true;
    line->peer = p;
    line_move(line, LINE_UP);
    mesh->stats.handshakes++;
    mesh_peer_up(mesh, p, n);
}

static void
on_refuse(struct mesh *mesh, uint32_t n, struct slice body)
{
    const struct mesh_line *line = &mesh->lines[n];
    if (line->epoch == 0 || body.bytes < 1) {
        malformed(mesh, n, "a refusal without a hello");
        return;
    }
    uint8_t why = body.at[0];
    struct node refuser = mesh->hellos[n];
    env_log(&mesh->env, why == REFUSE_BUSY ? LOG_INFO : LOG_WARN, "mesh.refused",
            "%s refuses %s: %s", mesh->hellos[n].name, mesh->self.name, mesh_refusal_text(why));
    bool as_dead = (why == REFUSE_DEAD || why == REFUSE_REPLACED) && !mesh->is_leaving;
    if (as_dead && mesh_refused_as_dead(mesh, &refuser)) {
        mesh_say(mesh, n, MESH_FRAME_DISPUTE, NULL, 0);
    }
    /* Whom we refuse may have something to say to that, also when he refuses us. */
    if (line->state != LINE_CLOSING) {
        line_drop(mesh, n, DIAL_BROKE);
    }
}

/* Frames */

static void
frame_of_greeting(struct mesh *mesh, uint32_t n, uint8_t kind, struct slice body)
{
    switch (kind) {
    case MESH_FRAME_HELLO: on_hello(mesh, n, body); break;
    case MESH_FRAME_WELCOME: on_welcome(mesh, n); break;
    case MESH_FRAME_REFUSE: on_refuse(mesh, n, body); break;
    default: malformed(mesh, n, "no hello first");
    }
}

static void
on_bye(struct mesh *mesh, uint32_t p)
{
    env_log(&mesh->env, LOG_INFO, "mesh.bye", "%s leaves", mesh->peers[p].node.name);
    mesh_peer_left(mesh, p);
}

static enum err
frame_of_mesh(struct mesh *mesh, uint32_t p, uint8_t kind, struct slice body)
{
    struct mesh_beat beat;
    struct mesh_seen seen;
    uint64_t epoch = 0;
    enum err error = ERR_FORMAT;
    switch (kind) {
    case MESH_FRAME_BEAT:
    case MESH_FRAME_ANSWER:
        if ((error = mesh_beat_read(body, &beat)) == OK) {
            mesh_beat(mesh, p, &beat, kind == MESH_FRAME_ANSWER);
        }
        break;
    case MESH_FRAME_SEEN:
        if ((error = mesh_seen_read(body, &seen)) == OK) {
            mesh_seen(mesh, p, &seen);
        }
        break;
    case MESH_FRAME_ASK:
        if ((error = mesh_epoch_read(body, &epoch)) == OK) {
            mesh_asked(mesh, p, epoch);
        }
        break;
    case MESH_FRAME_DEAD:
        if ((error = mesh_epoch_read(body, &epoch)) == OK) {
            mesh_obituary(mesh, p, epoch);
        }
        break;
    case MESH_FRAME_BOOK: error = mesh_book_heard(mesh, p, body); break;
    case MESH_FRAME_BYE:
        on_bye(mesh, p);
        error = OK;
        break;
    default: break;
    }
    return error;
}

static void
frame(struct mesh *mesh, uint32_t n, const uint8_t *bytes, size_t size)
{
    struct mesh_line *line = &mesh->lines[n];
    uint8_t kind = bytes[LANE_HEAD_BYTES - 1];
    struct slice body = {bytes + LANE_HEAD_BYTES, size - LANE_HEAD_BYTES};
    if (line->state == LINE_CLOSING) {
        if (kind == MESH_FRAME_REFUSE) {
            on_refuse(mesh, n, body);
        } else if (kind == MESH_FRAME_DISPUTE && line->epoch != 0) {
            mesh_disputed(mesh, &mesh->hellos[n]);
        }
    } else if (line->state == LINE_GREETING) {
        frame_of_greeting(mesh, n, kind, body);
    } else if (kind == MESH_FRAME_CONTROL || kind == MESH_FRAME_DATA) {
        if (body.bytes == 0) {
            malformed(mesh, n, "an empty message");
            return;
        }
        mesh->stats.messages_in++;
        mesh->options.events.message(mesh->options.events.ctx, line->peer, body.at, body.bytes);
    } else if (frame_of_mesh(mesh, line->peer, kind, body) != OK) {
        malformed(mesh, n, "a frame that is none");
    }
}

/* Bytes */

/* Of the whole frame; 0: nobody may say that. */
static size_t
frame_size(const struct mesh_line *line, const uint8_t *head)
{
    struct reader r = reader_over(head, LANE_HEAD_BYTES - 1);
    size_t bytes = read_u32(&r);
    size_t most = 1 + (line->state == LINE_GREETING ? MESH_HELLO_MAX : MESH_BODY_MAX);
    return bytes >= 1 && bytes <= most ? bytes + LANE_HEAD_BYTES - 1 : 0;
}

static bool
line_listens(const struct mesh_line *line)
{
    return line->state != LINE_NONE && line->state != LINE_DIALLING;
}

/* Fills the frame that was begun; returns how many bytes it took. */
static size_t
fill(struct mesh *mesh, uint32_t n, const uint8_t *bytes, size_t count)
{
    struct mesh_line *line = &mesh->lines[n];
    if (line->rx == POOL_NONE) {
        enum err error = pool_take(&mesh->buffers, &line->rx);
        CHECK(error == OK); /* there is one for each line */
    }
    uint8_t *buffer = pool_at(&mesh->buffers, line->rx);
    size_t wanted = LANE_HEAD_BYTES;
    if (line->rx_used >= LANE_HEAD_BYTES) {
        wanted = frame_size(line, buffer);
    }
    size_t part = wanted - line->rx_used < count ? wanted - line->rx_used : count;
    memcpy(buffer + line->rx_used, bytes, part);
    line->rx_used += (uint32_t)part;
    if (line->rx_used < LANE_HEAD_BYTES) {
        return part;
    }
    wanted = frame_size(line, buffer);
    if (wanted == 0) {
        malformed(mesh, n, "a frame of no possible length");
    } else if (line->rx_used == wanted) {
        line->rx_used = 0;
        frame(mesh, n, buffer, wanted);
    }
    return part;
}

/* Announces the whole messages at the start of what came; returns up to where. */
static const uint8_t *
look_ahead(struct mesh *mesh, const struct mesh_line *line, const uint8_t *bytes, size_t count)
{
    const struct mesh_events *events = &mesh->options.events;
    struct slice messages[AHEAD_MAX];
    uint32_t found = 0;
    size_t size;
    while (found < AHEAD_MAX && count >= LANE_HEAD_BYTES &&
           (size = frame_size(line, bytes)) > LANE_HEAD_BYTES && size <= count) {
        messages[found++] = (struct slice){bytes + LANE_HEAD_BYTES, size - LANE_HEAD_BYTES};
        bytes += size;
        count -= size;
    }
    for (uint32_t step = 0; found > 1 && step < MESH_AHEAD_STEPS; step++) {
        for (uint32_t i = 0; i < found; i++) {
            events->ahead(events->ctx, step, messages[i].at, messages[i].bytes);
        }
    }
    return bytes;
}

static void
on_received(void *ctx, uint32_t n, const uint8_t *bytes, size_t count)
{
    struct mesh *mesh = ctx;
    CHECK(n < LINES_MAX);
    struct mesh_line *line = &mesh->lines[n];
    mesh->stats.bytes_in += count;
    if (line->state == LINE_UP) {
        mesh_count_at(mesh, line->peer)->bytes_in += count;
        mesh_peer_heard(mesh, line->peer);
    }
    const uint8_t *announced = bytes;
    while (count > 0 && line_listens(line)) {
        bool looks = line->state == LINE_UP && mesh->options.events.ahead != NULL;
        if (looks && bytes >= announced && line->rx_used == 0) {
            announced = look_ahead(mesh, line, bytes, count);
        }
        size_t size = count >= LANE_HEAD_BYTES ? frame_size(line, bytes) : 0;
        if (line->rx_used > 0 || size == 0 || size > count) {
            size = fill(mesh, n, bytes, count);
        } else {
            frame(mesh, n, bytes, size);
        }
        bytes += size;
        count -= size;
    }
}

static void
on_writable(void *ctx, uint32_t n)
{
    struct mesh *mesh = ctx;
    struct mesh_line *line = &mesh->lines[n];
    CHECK(n < LINES_MAX && line->state != LINE_NONE);
    line->waits_writable = false;
    mesh->transport.want_writable(mesh->transport.ctx, n, false);
    mesh_line_flush(mesh, n);
}

static void
on_closed(void *ctx, uint32_t n, bool refused)
{
    struct mesh *mesh = ctx;
    CHECK(n < LINES_MAX);
    struct mesh_line was = mesh->lines[n];
    if (was.seed) {
        dial_ended(mesh, &mesh->lines[n], DIAL_BROKE);
    }
    line_forget(mesh, n);
    if (was.state == LINE_UP) {
        mesh_peer_broke(mesh, was.peer, true);
    } else if (was.state != LINE_CLOSING && !was.seed) {
        dial_ended(mesh, &was, refused ? DIAL_REFUSED : DIAL_BROKE);
    }
}

struct transport_events
mesh_transport_events(struct mesh *mesh)
{
    return (struct transport_events){.ctx = mesh,
                                     .dialled = on_dialled,
                                     .accepted = on_accepted,
                                     .received = on_received,
                                     .writable = on_writable,
                                     .closed = on_closed};
}

void
mesh_lines_turn(struct mesh *mesh, int64_t now_us)
{
    for (uint32_t n = 0; n < LINES_MAX; n++) {
        const struct mesh_line *line = &mesh->lines[n];
        if (line->state == LINE_NONE || line->state == LINE_UP) {
            continue;
        }
        if (now_us < line->deadline_us) {
            mesh_due(mesh, line->deadline_us);
        } else {
            line_drop(mesh, n, DIAL_SILENT);
        }
    }
}
