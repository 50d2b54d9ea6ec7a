#include "fabric/mesh_alone.h"
#include "base/check.h"
#include "base/rand.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ports */

static int64_t
mono_us(void *ctx)
{
    return ((struct alone *)ctx)->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return ((struct alone *)ctx)->now_us / 1000;
}

static uint64_t
draw(void *ctx)
{
    struct alone *alone = ctx;
    return rand_mix(++alone->drawn, 9);
}

static struct alone_line *
line_of(struct alone *alone, uint32_t n)
{
    CHECK(n < ALONE_LINES && alone->lines[n].open);
    return &alone->lines[n];
}

static uint32_t
line_take(struct alone *alone)
{
    for (uint32_t n = 0; n < ALONE_LINES; n++) {
        struct alone_line *line = &alone->lines[n];
        if (!line->open) {
            uint8_t *frame = line->frame != NULL ? line->frame : malloc(MESH_FRAME_MAX);
            CHECK(frame != NULL);
            *line = (struct alone_line){.open = true, .room = SIZE_MAX, .frame = frame};
            return n;
        }
    }
    return LINES_MAX;
}

static enum err
port_dial(void *ctx, const char *address, uint32_t *line)
{
    struct alone *alone = ctx;
    uint32_t n = line_take(alone);
    if (n == LINES_MAX) {
        return ERR_FULL;
    }
    alone->dials++;
    alone->lines[n].dialled = true;
    snprintf(alone->lines[n].address, LINE_ADDRESS_MAX, "%s", address);
    *line = n;
    return OK;
}

/* Whatever the mesh says is a whole frame of a known kind and of a possible length. */
static void
take_byte(struct alone_line *line, uint8_t byte)
{
    CHECK(line->frame_used < MESH_FRAME_MAX);
    line->frame[line->frame_used++] = byte;
    if (line->frame_used < LANE_HEAD_BYTES) {
        return;
    }
    struct reader r = reader_over(line->frame, line->frame_used);
    size_t size = read_u32(&r) + (size_t)(LANE_HEAD_BYTES - 1);
    uint8_t kind = read_u8(&r) & (uint8_t)~LANE_DATA_BIT;
    CHECK(size >= LANE_HEAD_BYTES && size <= MESH_FRAME_MAX);
    CHECK(kind >= MESH_FRAME_HELLO && kind < 16);
    if (line->frame_used == size) {
        line->said[kind]++;
        line->refusal = kind == MESH_FRAME_REFUSE ? line->frame[LANE_HEAD_BYTES] : line->refusal;
        line->frame_used = 0;
    }
}

static enum err
port_send(void *ctx, uint32_t n, const struct slice *pieces, uint32_t count, size_t *taken)
{
    struct alone_line *line = line_of(ctx, n);
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(pieces[i].bytes > 0);
        size_t part = pieces[i].bytes < line->room ? pieces[i].bytes : line->room;
        for (size_t k = 0; k < part; k++) {
            take_byte(line, pieces[i].at[k]);
        }
        line->room -= line->room == SIZE_MAX ? 0 : part;
        *taken += part;
    }
    return OK;
}

static void
port_want_writable(void *ctx, uint32_t n, bool on)
{
    line_of(ctx, n)->wants_writable = on;
}

static void
port_close(void *ctx, uint32_t n)
{
    line_of(ctx, n)->open = false;
    ((struct alone *)ctx)->closes++;
}

/* Events */

static void
on_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct alone *alone = ctx;
    CHECK(!alone->up[peer] && !mesh_is_dead(alone->mesh, node->epoch));
    alone->up[peer] = true;
    alone->ups++;
}

static void
on_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct alone *alone = ctx;
    CHECK(alone->up[peer] && dead == mesh_is_dead(alone->mesh, node->epoch));
    alone->up[peer] = false;
    alone->downs++;
}

static void
on_died(void *ctx, const struct node *node)
{
    struct alone *alone = ctx;
    CHECK(mesh_is_dead(alone->mesh, node->epoch));
    alone->died++;
}

static void
on_message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct alone *alone = ctx;
    CHECK(alone->up[peer] && bytes != NULL && n > 0 && n <= MESH_MESSAGE_MAX);
    alone->messages++;
}

/* The steps come in order, and all of a message's before it. */
static void
on_ahead(void *ctx, uint32_t step, const uint8_t *bytes, size_t n)
{
    struct alone *alone = ctx;
    CHECK(step < MESH_AHEAD_STEPS && bytes != NULL && n > 0);
    CHECK(step == 0 || alone->announced[step] < alone->announced[step - 1]);

    alone->announced[step]++;
}

static void
on_dead_self(void *ctx)
{
    struct alone *alone = ctx;
    alone->dead_selfs++;
    if (alone->renames) {
        alone->self.epoch++;
        mesh_self(alone->mesh, &alone->self);
    }
}

static void
on_book(void *ctx)
{
    struct alone *alone = ctx;
    CHECK(mesh_book(alone->mesh)->count <= BOOK_NODES_MAX);
}

/* Life */

struct node
alone_node(enum node_role role, uint16_t index, uint64_t epoch)
{
    struct node node = {
        .epoch = epoch, .role = role, .index = index, .protocol_min = 1, .protocol_max = 1};
    snprintf(node.name, sizeof node.name, "%s-%u", node_role_name(role), index);
    snprintf(node.address, sizeof node.address, "there:%u", index);
    return node;
}

void
alone_open(struct alone *alone, enum node_role role)
{
    *alone = (struct alone){.now_us = 1000000, .self = alone_node(role, 5, 1000)};
    alone->env = (struct env){.clock = {alone, mono_us, world_ms, draw}};
    static const char *const seeds[] = {"seed:1"};
    struct mesh_options options = {
        .self = alone->self,
        .world = 7,
        .book = role == NODE_GATE ? NULL : &alone->book,
        .seeds = seeds,
        .seeds_count = role == NODE_GATE,
        .events = {alone, on_up, on_down, on_died, on_message, on_dead_self, on_book, on_ahead},
    };
    struct env_transport port = {alone, port_dial, port_send, port_want_writable, port_close};
    enum err error = mesh_alloc(&options, &alone->env, &port, &alone->mesh);
    CHECK(error == OK);
}

void
alone_close(struct alone *alone)
{
    mesh_free(&alone->mesh);
    for (uint32_t n = 0; n < ALONE_LINES; n++) {
        free(alone->lines[n].frame);
    }
}

void
alone_list(struct alone *alone, const struct node *node)
{
    if (book_put(&alone->book, node) == OK) {
        mesh_book_changed(alone->mesh);
    }
}

/* What strangers do */

uint32_t
alone_accept(struct alone *alone)
{
    uint32_t n = line_take(alone);
    if (n != LINES_MAX) {
        struct transport_events e = mesh_transport_events(alone->mesh);
        e.accepted(e.ctx, n);
    }
    return n;
}

void
alone_dialled(struct alone *alone, uint32_t n)
{
    struct transport_events e = mesh_transport_events(alone->mesh);
    if (line_of(alone, n)->dialled && !alone->lines[n].told) {
        alone->lines[n].told = true;
        e.dialled(e.ctx, n);
    }
}

void
alone_break(struct alone *alone, uint32_t n, bool refused)
{
    struct transport_events e = mesh_transport_events(alone->mesh);
    bool waits = line_of(alone, n)->dialled && !alone->lines[n].told;
    alone->lines[n].open = false;
    e.closed(e.ctx, n, refused && waits);
}

void
alone_bytes(struct alone *alone, uint32_t n, const uint8_t *bytes, size_t count)
{
    struct transport_events e = mesh_transport_events(alone->mesh);
    bool waits = line_of(alone, n)->dialled && !alone->lines[n].told;
    if (!waits && count > 0) {
        e.received(e.ctx, n, bytes, count);
    }
}

void
alone_frame(struct alone *alone, uint32_t n, uint8_t kind, const void *body, size_t count)
{
    static uint8_t frame[MESH_FRAME_MAX];
    struct writer w = writer_over(frame, sizeof frame);
    write_u32(&w, (uint32_t)count + 1);
    write_u8(&w, kind);
    write_bytes(&w, body, count);
    CHECK(writer_ok(&w));
    alone_bytes(alone, n, frame, writer_used(&w));
}

void
alone_hello(struct alone *alone, uint32_t n, const struct node *node)
{
    uint8_t body[MESH_HELLO_MAX];
    size_t bytes = mesh_hello_write(
        &(struct mesh_hello){.world = 7, .world_ms = world_ms(alone), .node = *node}, body);
    alone_frame(alone, n, MESH_FRAME_HELLO, body, bytes);
}

uint32_t
alone_link(struct alone *alone, const struct node *node)
{
    uint32_t n = alone_accept(alone);
    alone_hello(alone, n, node);
    if (alone->lines[n].open) {
        alone_frame(alone, n, MESH_FRAME_WELCOME, NULL, 0);
    }
    return n;
}

void
alone_writable(struct alone *alone, uint32_t n, size_t room)
{
    struct transport_events e = mesh_transport_events(alone->mesh);
    line_of(alone, n)->room = room;
    if (room > 0 && alone->lines[n].wants_writable) {
        e.writable(e.ctx, n);
    }
}

void
alone_run(struct alone *alone, int64_t us)
{
    int64_t end_us = alone->now_us + us;
    for (;;) {
        int64_t next_us = mesh_turn(alone->mesh);
        mesh_flush(alone->mesh);
        CHECK(next_us > alone->now_us);
        if (next_us >= end_us) {
            break;
        }
        alone->now_us = next_us;
    }
    alone->now_us = end_us;
}
