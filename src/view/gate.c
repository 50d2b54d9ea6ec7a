/* Connections: bytes in, frames out, deadlines, and the one way in which a connection ends.
 *
 *   FREE -> HELLO -> ENTERING -> PLAYING <-> RESUMING
 *               \       ^  \       |         /
 *                \      |   v      v        /
 *                 \     +--- LOBBY <-------+
 *                  \--> SPECTATOR
 *
 * HELLO: connected, at most 5 s and 1 KiB a frame. RESUMING: its home is gone, another one is
 * looked for (enter.c), of which the client notices a pause at most. LOBBY: the session is over, as
 * what is kept of its player cannot be had; the connection stays and may say Hello again. From each
 * state back to FREE, by conn_close() or gate_closed().
 */
#include "view/gate.h"

#include "base/check.h"
#include "view/state.h"
#include <stdlib.h>
#include <string.h>

#define ENTERING_MAX_US 10000000
#define SWEEP_US        1000000
#define SLICES_MAX      16384
#define IN_LARGE_MAX    256
#define OUT_BUFFERS_MAX 4096
#define CROWDS_MAX      4096
#define COMMANDS_MAX    16384
#define GOODBYES_S      2000 /* connections that other gates receive in a second */
#define GOODBYES_MS_MIN 5000
#define IDLE_TURN_US    1000000
#define CLOSE_NORMAL    1000 /* of RFC 6455 7.4.1 */

static const struct bucket_rate message_rate = {.per_s = MESSAGES_PER_S, .burst = MESSAGES_BURST};
static const struct bucket_rate byte_rate = {.per_s = BYTES_PER_S, .burst = BYTES_BURST};

/* Which moves a state allows: a bit per next state. */
static const uint8_t conn_moves[CONN_STATES] = {
    [CONN_FREE] = 1 << CONN_HELLO,
    [CONN_HELLO] = 1 << CONN_ENTERING | 1 << CONN_SPECTATOR | 1 << CONN_FREE,
    [CONN_ENTERING] = 1 << CONN_PLAYING | 1 << CONN_LOBBY | 1 << CONN_FREE,
    [CONN_PLAYING] = 1 << CONN_RESUMING | 1 << CONN_LOBBY | 1 << CONN_FREE,
    [CONN_RESUMING] = 1 << CONN_PLAYING | 1 << CONN_LOBBY | 1 << CONN_FREE,
    [CONN_LOBBY] = 1 << CONN_ENTERING | 1 << CONN_SPECTATOR | 1 << CONN_FREE,
    [CONN_SPECTATOR] = 1 << CONN_FREE,
};

void
conn_move_state(struct gate *g, uint32_t conn, enum conn_state to)
{
    enum conn_state from = g->hot[conn].state;
    CHECK(conn_moves[from] >> to & 1);
    g->entering += to == CONN_ENTERING;
    g->entering -= from == CONN_ENTERING;
    g->stats.players += conn_plays(to);
    g->stats.players -= conn_plays(from);
    g->stats.resuming += to == CONN_RESUMING;
    g->stats.resuming -= from == CONN_RESUMING;
    g->stats.spectators += to == CONN_SPECTATOR;
    g->stats.spectators -= from == CONN_SPECTATOR;
    g->stats.lobby += to == CONN_LOBBY;
    g->stats.lobby -= from == CONN_LOBBY;
    g->stats.lobbied += to == CONN_LOBBY;
    g->hot[conn].state = (uint8_t)to;
}

enum err
gate_alloc(const struct gate_options *options, const struct env *env, struct gate **out)
{
    struct gate *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return ERR_FULL;
    }
    g->options = *options;
    g->env = env;
    g->conns = calloc(options->conns_max, sizeof *g->conns);
    g->hot = calloc(options->conns_max, sizeof *g->hot);
    g->book = malloc(BOOK_BYTES);
    chart_init(&g->chart);
    lines_init(g);
    g->slices = calloc(SLICES_MAX, sizeof *g->slices);
    g->sorting = calloc(options->entities_max, sizeof *g->sorting);
    g->farewells = calloc(options->conns_max, sizeof *g->farewells);
    CHECK(g->conns != NULL && g->hot != NULL && g->book != NULL && g->slices != NULL &&
          g->sorting != NULL && g->farewells != NULL);
    g->slices_max = SLICES_MAX;
    pool_init(&g->in_small, IN_SMALL_BYTES, options->conns_max, 64);
    pool_init(&g->in_large, IN_LARGE_BYTES, IN_LARGE_MAX, 4);
    pool_init(&g->out, OUT_BUFFER_BYTES, OUT_BUFFERS_MAX, 4);
    pool_init(&g->seen_pool, sizeof(struct seen) * SEEN_MAX, options->conns_max, 64);
    pool_init(&g->spectator_pool, sizeof(struct seen) * GATE_SPECTATOR_CHUNKS, options->conns_max,
              16);
    map_init(&g->conn_by_player, options->conns_max, 0);
    pool_init(&g->commands, sizeof(struct kept_command),
              options->conns_max < COMMANDS_MAX ? options->conns_max : COMMANDS_MAX, 16);
    memset(g->home_by_peer, HOME_NONE, sizeof g->home_by_peer);
    pool_init(&g->topics, sizeof(struct seen_topic), options->topics_max, 64);
    pool_init(&g->chunks, sizeof(struct seen_chunk), options->chunks_max, 256);
    pool_init(&g->entities, sizeof(struct seen_entity), options->entities_max, 256);
    pool_init(&g->news_pages, sizeof(struct news_page), options->chunks_max + options->entities_max,
              64);
    pool_init(&g->watcher_blocks, sizeof(struct watcher_block),
              options->conns_max * GATE_SPECTATOR_CHUNKS, 256);
    pool_init(&g->crowds, sizeof(struct crowd), CROWDS_MAX, 4);
    map_init(&g->topic_by_id, options->topics_max, 0);
    map_init(&g->entity_by_id, options->entities_max, 0);
    g->first_news = g->first_logging = g->first_changed[0] = g->first_changed[1] = POOL_NONE;
    g->subscribe_epoch = (uint32_t)(options->subscribe_epoch_seed | 1);
    g->book_tick = -1;
    g->slot = env_mono_us(env) / GATE_SLOT_US;
    g->second = env_mono_us(env) / SWEEP_US;
    *out = g;
    return OK;
}

void
gate_free(struct gate **gate)
{
    struct gate *g = *gate;
    struct pool *pools[] = {&g->in_small,       &g->in_large,       &g->out,    &g->seen_pool,
                            &g->spectator_pool, &g->topics,         &g->chunks, &g->entities,
                            &g->news_pages,     &g->watcher_blocks, &g->crowds, &g->commands};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        pool_fini(pools[i]);
    }
    chart_fini(&g->chart);
    lines_fini(g);
    map_fini(&g->conn_by_player);
    map_fini(&g->topic_by_id);
    map_fini(&g->entity_by_id);
    free(g->conns);
    free(g->hot);
    free(g->book);
    free(g->slices);
    free(g->sorting);
    free(g->farewells);
    free(g);
    *gate = NULL;
}

uint64_t
conn_handle(const struct gate *g, uint32_t conn)
{
    return (uint64_t)g->conns[conn].generation << 32 | conn;
}

static void
give_in_buffer(struct gate *g, struct conn *c)
{
    if (c->in_buffer != POOL_NONE) {
        pool_give(c->in_large ? &g->in_large : &g->in_small, c->in_buffer);
        c->in_buffer = POOL_NONE;
        c->in_used = 0;
        c->in_large = false;
    }
}

static void
give_out_buffer(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (c->out_buffer != POOL_NONE) {
        pool_give(&g->out, c->out_buffer);
        c->out_buffer = POOL_NONE;
        c->out_from = c->out_used = 0;
        g->hot[conn].out_pending = false;
        g->stats.out_buffers--;
    }
}

void
conn_forget_session(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    struct conn_hot *hot = &g->hot[conn];
    interest_clear(g, conn);
    if (c->player != 0 && map_get(&g->conn_by_player, c->player) == conn) {
        map_remove(&g->conn_by_player, c->player);
    }
    session_forget(g, conn);
    c->self_pending = c->island_pending = c->lacks = c->near_valid = false;
    c->player = c->entity = c->session_epoch = 0;
    c->home = HOME_NONE;
    c->forget_count = 0;
    hot->dirty = 0;
    hot->urgent = hot->crowd = false;
}

/* Everything a connection held is given back; the socket is somebody else's. */
static void
release(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    bool spectator = g->hot[conn].state == CONN_SPECTATOR;
    conn_forget_session(g, conn);
    give_in_buffer(g, c);
    give_out_buffer(g, conn);
    conn_move_state(g, conn, CONN_FREE);
    if (spectator && g->stats.spectators == 0) {
        interest_density(g, false);
    }
    g->stats.connections--;
    g->stats.closed++;
    uint32_t generation = c->generation;
    *c = (struct conn){.generation = generation};
    g->hot[conn] = (struct conn_hot){.state = CONN_FREE};
}

void
gate_opened(struct gate *g, uint32_t conn)
{
    CHECK(conn < g->options.conns_max && g->hot[conn].state == CONN_FREE);
    struct conn *c = &g->conns[conn];
    int64_t now_us = env_mono_us(g->env);
    *c = (struct conn){.generation = c->generation + 1,
                       .opened_us = now_us,
                       .in_buffer = POOL_NONE,
                       .out_buffer = POOL_NONE,
                       .home = HOME_NONE,
                       .way = {.asked = HOME_NONE, .refused = HOME_NONE},
                       .command = POOL_NONE,
                       .budget_us = now_us,
                       .budget_bytes = GATE_BUDGET_BURST};
    framing_init(&c->framing);
    bucket_init(&c->messages, message_rate, now_us);
    bucket_init(&c->bytes, byte_rate, now_us);
    g->hot[conn] = (struct conn_hot){.heard_s = (uint32_t)(now_us / 1000000)};
    conn_move_state(g, conn, CONN_HELLO);
    g->conns_high = conn + 1 > g->conns_high ? conn + 1 : g->conns_high;
    g->stats.opened++;
    g->stats.connections++;
}

/* Keeps what the socket did not take; *pieces are skipped by `taken` bytes. */
static enum err
keep_rest(struct gate *g, uint32_t conn, const struct slice *pieces, uint32_t count, size_t taken)
{
    struct conn *c = &g->conns[conn];
    if (c->out_buffer == POOL_NONE) {
        if (pool_take(&g->out, &c->out_buffer) != OK) {
            c->out_buffer = POOL_NONE;
            g->stats.limits_reached++;
            return ERR_FULL;
        }
        g->stats.out_buffers++;
        g->hot[conn].out_pending = true;
        c->stuck_us = env_mono_us(g->env);
        g->env->conns.want_writable(g->env->conns.ctx, conn, true);
    }
    uint8_t *out = pool_at(&g->out, c->out_buffer);
    for (uint32_t i = 0; i < count; i++) {
        size_t skip = taken < pieces[i].bytes ? taken : pieces[i].bytes,
               rest = pieces[i].bytes - skip;
        taken -= skip;
        if (rest > OUT_BUFFER_BYTES - c->out_used) {
            return ERR_FULL;
        }
        memcpy(out + c->out_used, pieces[i].at + skip, rest);
        c->out_used += (uint32_t)rest;
    }
    return OK;
}

enum err
conn_send(struct gate *g, uint32_t conn, struct slice *pieces, uint32_t count, size_t bytes)
{
    size_t taken = 0;
    if (!g->hot[conn].out_pending) {
        enum err e = g->env->conns.send(g->env->conns.ctx, conn, pieces, count, &taken);
        if (e != OK) {
            return e;
        }
    }
    return taken == bytes ? OK : keep_rest(g, conn, pieces, count, taken);
}

static enum err
write_message(struct gate *g, uint32_t conn, const Seom__ServerMessage *m)
{
    uint8_t frame[SHOWN_BYTES_MAX + 1024], head[FRAME_HEAD_MAX];
    size_t bytes = message_write_server(m, frame, sizeof frame);
    CHECK(bytes > 0);
    size_t head_bytes = frame_head(g->conns[conn].framing.kind, bytes, head);
    struct slice pieces[2] = {{.at = head, .bytes = head_bytes}, {.at = frame, .bytes = bytes}};
    return conn_send(g, conn, pieces, 2, head_bytes + bytes);
}

void
conn_send_message(struct gate *g, uint32_t conn, const Seom__ServerMessage *m)
{
    if (write_message(g, conn, m) == ERR_FULL) {
        conn_close(g, conn, SEOM__CODE__TOO_SLOW, 0);
    }
}

/* A full buffer costs the client its good-bye, and a dead line needs none. Over WebSocket a close
 * frame follows, always the normal one: the reason stands in the good-bye. */
static void
say_goodbye(struct gate *g, uint32_t conn, Seom__Goodbye *goodbye)
{
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_GOODBYE;
    m.goodbye = goodbye;
    enum err e = write_message(g, conn, &m);
    uint8_t close[FRAME_HEAD_MAX];
    size_t close_bytes = frame_close(g->conns[conn].framing.kind, CLOSE_NORMAL, close);
    if (e == OK && close_bytes > 0) {
        struct slice piece = {.at = close, .bytes = close_bytes};
        e = conn_send(g, conn, &piece, 1, close_bytes);
    }
    if (e != OK) {
        env_trace(g->env, "gate.goodbye_lost", conn, (uint64_t)goodbye->code);
    }
}

static void
close_with(struct gate *g, uint32_t conn, Seom__Goodbye *goodbye)
{
    uint32_t code = (uint32_t)goodbye->code;
    CHECK(code < GATE_CODES && g->hot[conn].state != CONN_FREE);
    g->stats.closed_by_code[code]++;
    enum frame_kind kind = g->conns[conn].framing.kind;
    bool closing = g->conns[conn].framing.closing; /* nothing may follow our close frame */
    if ((kind == FRAME_TCP || kind == FRAME_WEBSOCKET) && !closing) {
        say_goodbye(g, conn, goodbye);
    }
    session_ended(g, conn, code == SEOM__CODE__LEFT ? INPUT_LEFT : INPUT_GONE);
    release(g, conn);
    g->env->conns.close(g->env->conns.ctx, conn);
}

void
conn_close(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms)
{
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    char *gates[GATES_MAX];
    goodbye.code = (Seom__Code)code;
    goodbye.retry_after_ms = retry_after_ms;
    goodbye.gates = gates;
    goodbye.n_gates = gate_list(g, gates);
    close_with(g, conn, &goodbye);
}

/* The gates of another shard, from a random one on. */
static uint32_t
list_others(const struct gate *g, struct slice addresses, char texts[][GATE_BYTES_MAX + 1],
            char *out[GATES_MAX])
{
    uint32_t count = 0;
    const uint8_t *at = addresses.at, *end = addresses.at + addresses.bytes;
    while (at < end && count < GATES_MAX) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((stop != NULL ? stop : end) - at);
        if (bytes > 0 && bytes <= GATE_BYTES_MAX) {
            memcpy(texts[count], at, bytes);
            texts[count++][bytes] = '\0';
        }
        at += bytes + 1;
    }
    uint32_t first = count > 0 ? (uint32_t)(env_random(g->env) % count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = texts[(first + i) % count];
    }
    return count;
}

void
conn_lead(struct gate *g, uint32_t conn, struct slice addresses)
{
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    char texts[GATES_MAX][GATE_BYTES_MAX + 1], *gates[GATES_MAX];
    goodbye.code = SEOM__CODE__RETRY_AFTER;
    goodbye.gates = gates;
    goodbye.n_gates = list_others(g, addresses, texts, gates);
    g->stats.led++;
    close_with(g, conn, &goodbye);
}

void
gate_closed(struct gate *g, uint32_t conn)
{
    CHECK(g->hot[conn].state != CONN_FREE);
    session_ended(g, conn, INPUT_GONE);
    release(g, conn);
}

/* Frames at the start of bytes[0..n). Returns how many bytes are done with; the connection may be
 * gone afterwards. */
static size_t
take_frames(struct gate *g, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct conn *c = &g->conns[conn];
    uint32_t generation = c->generation;
    size_t at = 0;
    while (at < n) {
        size_t used = 0;
        struct slice frame = {0};
        uint8_t reply[256];
        enum framing_event event =
            framing_next(&c->framing, bytes + at, n - at, &used, &frame, reply);
        at += used;
        switch (event) {
        case FRAMING_NEED_MORE: return at;
        case FRAMING_FRAME:
            g->stats.frames_in++;
            g->hot[conn].heard_s = (uint32_t)(env_mono_us(g->env) / 1000000);
            if (!bucket_take(&c->messages, message_rate, env_mono_us(g->env), 1)) {
                conn_close(g, conn, SEOM__CODE__TOO_FAST, 0);
            } else {
                session_frame(g, conn, frame);
            }
            break;
        case FRAMING_REPLY:
            if (conn_send(g, conn, &frame, 1, frame.bytes) == ERR_FULL) {
                conn_close(g, conn, SEOM__CODE__TOO_SLOW, 0);
            }
            break;
        case FRAMING_CLOSED:
            if (conn_send(g, conn, &frame, 1, frame.bytes) != OK) {
                env_trace(g->env, "gate.goodbye_lost", conn, SEOM__CODE__LEFT);
            }
            conn_close(g, conn, SEOM__CODE__LEFT, 0);
            break;
        case FRAMING_BAD: conn_close(g, conn, SEOM__CODE__MALFORMED, 0); break;
        case FRAMING_TOO_LARGE: conn_close(g, conn, SEOM__CODE__TOO_LARGE, 0); break;
        }
        if (g->hot[conn].state == CONN_FREE || c->generation != generation) {
            return n;
        }
    }
    return at;
}

/* Room for half-received bytes: small before hello and for nearly everything, large only for what
 * needs it. */
static uint8_t *
need_in_buffer(struct gate *g, uint32_t conn, size_t bytes)
{
    struct conn *c = &g->conns[conn];
    if (c->in_buffer == POOL_NONE && bytes <= IN_SMALL_BYTES) {
        return pool_take(&g->in_small, &c->in_buffer) == OK ? pool_at(&g->in_small, c->in_buffer)
                                                            : NULL;
    }
    if (c->in_buffer != POOL_NONE && (c->in_large || bytes <= IN_SMALL_BYTES)) {
        return bytes <= (c->in_large ? IN_LARGE_BYTES : IN_SMALL_BYTES)
                   ? pool_at(c->in_large ? &g->in_large : &g->in_small, c->in_buffer)
                   : NULL;
    }
    uint32_t large, state = g->hot[conn].state;
    if (state == CONN_HELLO || bytes > IN_LARGE_BYTES || pool_take(&g->in_large, &large) != OK) {
        return NULL;
    }
    uint8_t *out = pool_at(&g->in_large, large);
    if (c->in_buffer != POOL_NONE) {
        memcpy(out, pool_at(&g->in_small, c->in_buffer), c->in_used);
        pool_give(&g->in_small, c->in_buffer);
    }
    c->in_buffer = large;
    c->in_large = true;
    return out;
}

/* Appends to what is half-received and takes the frames that became whole. */
static void
take_with_buffer(struct gate *g, uint32_t conn, const uint8_t *bytes, size_t n)
{
    struct conn *c = &g->conns[conn];
    uint32_t generation = c->generation;
    while (n > 0) {
        size_t room = c->in_large ? IN_LARGE_BYTES : IN_SMALL_BYTES;
        size_t part = c->in_buffer != POOL_NONE && c->in_used < room && n > room - c->in_used
                          ? room - c->in_used
                          : n;
        uint8_t *buffer = need_in_buffer(g, conn, c->in_used + part);
        if (buffer == NULL) {
            conn_close(g, conn, SEOM__CODE__TOO_LARGE, 0);
            return;
        }
        memcpy(buffer + c->in_used, bytes, part);
        c->in_used += (uint32_t)part;
        bytes += part;
        n -= part;
        size_t used = take_frames(g, conn, buffer, c->in_used);
        if (g->hot[conn].state == CONN_FREE || c->generation != generation) {
            return;
        }
        memmove(buffer, buffer + used, c->in_used - used);
        c->in_used -= (uint32_t)used;
    }
    if (c->in_used == 0) {
        give_in_buffer(g, c);
    }
}

void
gate_received(struct gate *g, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct conn *c = &g->conns[conn];
    CHECK(g->hot[conn].state != CONN_FREE);
    g->stats.input_bytes += n;
    if (!bucket_take(&c->bytes, byte_rate, env_mono_us(g->env), (uint32_t)n)) {
        conn_close(g, conn, SEOM__CODE__TOO_FAST, 0);
        return;
    }
    uint32_t generation = c->generation;
    size_t used = c->in_buffer == POOL_NONE ? take_frames(g, conn, bytes, n) : 0;
    if (used < n && g->hot[conn].state != CONN_FREE && c->generation == generation) {
        take_with_buffer(g, conn, bytes + used, n - used);
    }
}

void
gate_writable(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (c->out_buffer == POOL_NONE) {
        g->env->conns.want_writable(g->env->conns.ctx, conn, false);
        return;
    }
    size_t taken = 0;
    struct slice rest = {.at = (const uint8_t *)pool_at(&g->out, c->out_buffer) + c->out_from,
                         .bytes = c->out_used - c->out_from};
    if (g->env->conns.send(g->env->conns.ctx, conn, &rest, 1, &taken) != OK) {
        return; /* gate_closed() follows */
    }
    if (taken > 0) {
        c->stuck_us = env_mono_us(g->env);
        c->out_from += (uint32_t)taken;
    }
    if (c->out_from == c->out_used) {
        give_out_buffer(g, conn);
        g->env->conns.want_writable(g->env->conns.ctx, conn, false);
    }
}

void
gate_message(struct gate *g, uint32_t peer, const uint8_t *bytes, size_t n)
{
    uint8_t home = peer < PEERS_MAX ? g->home_by_peer[peer] : HOME_NONE;
    struct link_message m;
    if (home == HOME_NONE || link_read(bytes, n, &m) != OK) {
        g->stats.records_bad++;
        return;
    }
    uint32_t open = g->homes[home].open_topic;
    if (open != POOL_NONE &&
        (m.kind != LINK_BATCH ||
         m.as.batch.topic != ((const struct seen_topic *)pool_at(&g->topics, open))->id)) {
        replica_snapshot_end(g, home);
    }
    switch (m.kind) {
    case LINK_HOME: enter_home(g, home, &m.as.home); break;
    case LINK_GO: enter_go(g, home, &m.as.go); break;
    case LINK_SELF: session_self(g, home, &m.as.self); break;
    case LINK_SUBSCRIBED: subscribe_heard(g, home, &m.as.subscribed); break;
    case LINK_BATCH: replica_batch(g, home, &m.as.batch); break;
    case LINK_DENSITY: chart_density(g, home, &m.as.density); break;
    case LINK_SAID: lines_said(g, &m.as.said); break;
    case LINK_ENTER:
    case LINK_INPUT:
    case LINK_SUBSCRIBE: g->stats.records_bad++; break;
    }
}

void
gate_set_gates(struct gate *g, const char *const *addresses, uint32_t count)
{
    g->gate_texts_count = 0;
    for (uint32_t i = 0; i < count && g->gate_texts_count < GATES_MAX; i++) {
        size_t bytes = strlen(addresses[i]);
        if (bytes <= GATE_BYTES_MAX) {
            memcpy(g->gate_texts[g->gate_texts_count++], addresses[i], bytes + 1);
        }
    }
}

/* From a random one on, so that not all clients of a gate that goes come to the same one. */
uint32_t
gate_list(const struct gate *g, char *out[GATES_MAX])
{
    uint32_t others = g->gate_texts_count, count = 0;
    uint32_t first = others > 1 ? (uint32_t)(env_random(g->env) % others) : 0;
    for (; count < others; count++) {
        out[count] = (char *)(uintptr_t)g->gate_texts[(first + count) % others];
    }
    for (uint32_t i = 0; i < g->options.gates_count && count < GATES_MAX; i++) {
        out[count++] = (char *)(uintptr_t)g->options.gates[i];
    }
    return count;
}

/* Who missed a deadline. Runs once a second over everybody. */
static void
sweep(struct gate *g, int64_t now_us)
{
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    for (uint32_t i = 0; i < g->conns_high; i++) {
        const struct conn_hot *hot = &g->hot[i];
        if (hot->state == CONN_FREE) {
            continue;
        }
        const struct conn *c = &g->conns[i];
        int64_t age_us = now_us - c->opened_us;
        bool slow_hello = hot->state == CONN_HELLO && age_us >= HELLO_DEADLINE_MS * INT64_C(1000);
        bool stuck = hot->out_pending && now_us - c->stuck_us >= SILENCE_MAX_MS * INT64_C(1000);
        if (slow_hello || stuck) {
            conn_close(g, i, SEOM__CODE__TOO_SLOW, 0);
        } else if (hot->state == CONN_ENTERING && now_us - c->way.since_us >= ENTERING_MAX_US) {
            enter_turn_away(g, i, SEOM__CODE__RETRY_AFTER, 2000);
        } else if (now_s - hot->heard_s > SILENCE_MAX_MS / 1000) {
            conn_close(g, i, SEOM__CODE__SILENT, 0);
        }
    }
    while (g->conns_high > 0 && g->hot[g->conns_high - 1].state == CONN_FREE) {
        g->conns_high--;
    }
}

int64_t
gate_turn(struct gate *g)
{
    int64_t now_us = env_mono_us(g->env), slot = now_us / GATE_SLOT_US;
    gate_homes_end_snapshots(g);
    replica_mark(g);
    if (slot != g->slot) {
        /* A late gate serves every client once, not once per slot it missed. */
        int64_t from = slot - g->slot > GATE_SLOTS ? slot - GATE_SLOTS : g->slot;
        for (int64_t s = from + 1; s <= slot; s++) {
            enter_slot(g, (uint32_t)(s % GATE_SLOTS));
            feed_slot(g, (uint32_t)(s % GATE_SLOTS));
            lines_slot(g, (uint32_t)(s % GATE_SLOTS));
        }
        g->slot = slot;
    }
    if (now_us / SWEEP_US != g->second) {
        g->second = now_us / SWEEP_US;
        replica_trim(g, now_us); /* not more often: it visits every chunk with news */
        sweep(g, now_us);
        interest_spectators(g);
        interest_retry(g);
        chart_turn(g);
    }
    gate_homes_turn(g);
    session_owed(g);
    subscribe_turn(g);
    bool idle = g->stats.connections == 0 && g->farewells_owed == 0 && g->stats.homes_down == 0 &&
                g->first_changed[0] == POOL_NONE && g->first_changed[1] == POOL_NONE;
    return idle ? now_us + IDLE_TURN_US : (slot + 1) * GATE_SLOT_US;
}

/* Over how long those whom a gate sends away are to come back: as others can receive them. */
static uint32_t
goodbyes_ms(const struct gate *g)
{
    if (!g->options.spread_goodbyes || g->gate_texts_count == 0) {
        return 0;
    }
    uint32_t all_ms = (uint32_t)(g->stats.connections * UINT64_C(1000) / GOODBYES_S);
    return all_ms > GOODBYES_MS_MIN ? all_ms : GOODBYES_MS_MIN;
}

void
gate_stop(struct gate *g, uint32_t code, uint32_t retry_after_ms)
{
    uint32_t spread_ms = goodbyes_ms(g);
    for (uint32_t i = 0; i < g->conns_high; i++) {
        if (g->hot[i].state != CONN_FREE) {
            uint32_t more_ms = spread_ms > 0 ? (uint32_t)(env_random(g->env) % spread_ms) : 0;
            uint32_t wait_ms =
                retry_after_ms < UINT32_MAX - more_ms ? retry_after_ms + more_ms : UINT32_MAX;
            conn_close(g, i, code, wait_ms);
        }
    }
}

const struct gate_stats *
gate_stats(const struct gate *g)
{
    return &g->stats;
}

uint32_t
gate_out_bytes_max(const struct gate *g)
{
    uint32_t max = 0;
    for (uint32_t i = 0; i < g->conns_high; i++) {
        uint32_t waiting = g->conns[i].out_used - g->conns[i].out_from;
        max = waiting > max ? waiting : max;
    }
    return max;
}

uint64_t
gate_digest(const struct gate *g, bool wakes)
{
    return g->digest[wakes];
}
