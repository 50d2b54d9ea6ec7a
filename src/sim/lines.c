/* A line is a pair of ends and a pair of ways, one for each direction. A way carries, in order: the
 * opening (a dial on the way there, its answer on the way back), bytes, and the end. It has at most
 * one delivery planned; a delivery that finds its way cut or its receiver paused is dropped, and
 * planned anew when that is over (lines_resume). What an end is told apart from deliveries
 * (writable, a break found locally) is an event of its own (end_told). */
#include "sim/lines.h"
#include "base/check.h"
#include "base/rand.h"
#include "sim/stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX       (256U << 10) /* bytes of one delivery */
#define NO_LINE         UINT32_MAX
#define ACCEPT_AGAIN_US 100000 /* a node without a free line looks again */

/* Life of an end, as its process sees it. */
enum end_state {
    END_NONE,     /* not told of it yet, or it is over */
    END_DIALLING, /* asked for, not answered */
    END_OPEN,
    END_STATES
};

static const bool end_moves[END_STATES][END_STATES] = {
    [END_NONE] = {[END_DIALLING] = true, [END_OPEN] = true},
    [END_DIALLING] = {[END_OPEN] = true, [END_NONE] = true},
    [END_OPEN] = {[END_NONE] = true},
};

struct end {
    enum end_state state;
    uint32_t node;
    uint32_t number; /* the line's index at its node */
    bool wants_writable, refused;
    bool broken; /* closed() is due */
    bool told_planned;
};

struct way {
    struct stream bytes; /* in flight */
    int64_t due_us;      /* of the last delivery: order is kept */
    bool opening, ending;
    bool reached; /* the opening reached the receiver's kernel */
    bool planned;
    bool stalled;   /* a delivery found no way through */
    uint32_t stall; /* which time of waiting this is */
};

/* ends[0] dialled; ways[i] leads from ends[i] to the other. */
struct line {
    struct sim_lines *lines;
    uint32_t index, generation, next_free;
    bool used;
    struct end ends[2];
    struct way ways[2];
};

struct sim_node {
    struct sim_lines *lines;
    uint32_t number;
    bool up, paused, host_dead;
    struct transport_events events;
    uint32_t free_from;         /* no free line below */
    struct line *at[LINES_MAX]; /* by the node's own numbers */
    uint8_t side[LINES_MAX];    /* which end of it is ours */
};

struct sim_lines {
    struct sim_lines_options options;
    struct sim_lines_stats stats;
    struct sim_node *nodes;    /* owned */
    bool *cut;                 /* owned; [from * nodes_max + to] */
    int64_t *clogged_until_us; /* owned; likewise */
    struct line **all;         /* owned */
    uint32_t made, room, free_head;
    uint64_t hash;
    uint8_t piece[PIECE_MAX];
};

static int64_t
now(const struct sim_lines *lines)
{
    return lines->options.schedule.now_us(lines->options.schedule.ctx);
}

static uint32_t
between(struct sim_lines *lines, uint32_t min, uint32_t max)
{
    uint64_t r = lines->options.schedule.random(lines->options.schedule.ctx);
    return min + (uint32_t)(r % ((uint64_t)max - min + 1));
}

static void
at(struct sim_lines *lines, int64_t due_us, void (*fn)(void *, uint64_t), struct line *line,
   uint32_t side, uint32_t extra)
{
    uint64_t n = (uint64_t)line->generation << 32 | (uint64_t)extra << 1 | side;
    lines->options.schedule.at(lines->options.schedule.ctx, due_us, fn, line, n);
}

/* False: the event is of a line that is over. */
static bool
is_current(const struct line *line, uint64_t n)
{
    return line->used && line->generation == (uint32_t)(n >> 32);
}

static void
fold(struct sim_lines *lines, const struct end *end, uint32_t what, const uint8_t *bytes, size_t n)
{
    uint64_t h = rand_mix(lines->hash, (uint64_t)now(lines));
    h = rand_mix(h, (uint64_t)end->node << 32 | (uint64_t)end->number << 8 | what);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, n - i < 8 ? n - i : 8);
        h = rand_mix(h, word);
    }
    lines->hash = h;
}

static bool *
cut_of(struct sim_lines *lines, uint32_t from, uint32_t to)
{
    CHECK(from < lines->options.nodes_max && to < lines->options.nodes_max);
    return &lines->cut[from * lines->options.nodes_max + to];
}

static int64_t *
clog_of(struct sim_lines *lines, uint32_t from, uint32_t to)
{
    CHECK(from < lines->options.nodes_max && to < lines->options.nodes_max);
    return &lines->clogged_until_us[from * lines->options.nodes_max + to];
}

/* Ways */

static bool
way_has_something(const struct way *way)
{
    return way->opening || way->ending || stream_left(&way->bytes) > 0;
}

static void
way_clear(struct way *way)
{
    stream_clear(&way->bytes);
    way->opening = way->ending = false;
    way->stalled = false;
}

static void way_deliver(void *arg, uint64_t n);

static void
way_plan(struct line *line, uint32_t side)
{
    struct sim_lines *lines = line->lines;
    struct way *way = &line->ways[side];
    if (way->planned || !way_has_something(way))
        return;
    int64_t due_us =
        now(lines) + between(lines, lines->options.delay_us_min, lines->options.delay_us_max);
    way->due_us = due_us > way->due_us ? due_us : way->due_us;
    way->planned = true;
    at(lines, way->due_us, way_deliver, line, side, 0);
}

/* Ends */

static void
end_move(struct end *end, enum end_state to)
{
    CHECK(end_moves[end->state][to]);
    end->state = to;
}

static bool
number_take(struct sim_node *node, struct line *line, uint32_t side)
{
    for (uint32_t i = node->free_from; i < LINES_MAX; i++)
        if (node->at[i] == NULL) {
            node->free_from = i + 1;
            node->at[i] = line;
            node->side[i] = (uint8_t)side;
            line->ends[side].number = i;
            return true;
        }
    node->free_from = LINES_MAX;
    return false;
}

static struct sim_node *
node_of(const struct line *line, uint32_t side)
{
    return &line->lines->nodes[line->ends[side].node];
}

static void
number_give(struct line *line, uint32_t side)
{
    struct sim_node *node = node_of(line, side);
    uint32_t number = line->ends[side].number;
    CHECK(node->at[number] == line);
    node->at[number] = NULL;
    if (number < node->free_from)
        node->free_from = number;
}

/* The other end still has something to hear, or will have. */
static bool
line_is_needed(const struct line *line)
{
    for (uint32_t side = 0; side < 2; side++)
        if (line->ends[side].state != END_NONE)
            return true;
    /* Dialled and closed again before the other process saw it: it accepts, and hears the end. */
    const struct way *there = &line->ways[0];
    return there->opening && there->reached && line->lines->nodes[line->ends[1].node].up;
}

static void
line_release_if_over(struct line *line)
{
    struct sim_lines *lines = line->lines;
    if (!line->used || line_is_needed(line))
        return;
    line->used = false;
    line->generation++;
    line->next_free = lines->free_head;
    lines->free_head = line->index;
    CHECK(lines->stats.open > 0);
    lines->stats.open--;
}

static bool
end_has_room(const struct line *line, uint32_t side)
{
    return stream_left(&line->ways[side].bytes) < line->lines->options.line_bytes / 2 + 1;
}

/* closed() at this end; the line is over for it. */
static void
end_closed(struct line *line, uint32_t side)
{
    struct sim_node *node = node_of(line, side);
    struct end *end = &line->ends[side];
    uint32_t number = end->number;
    end_move(end, END_NONE);
    way_clear(&line->ways[side]);
    fold(line->lines, end, end->refused ? 'r' : 'c', NULL, 0);
    node->events.closed(node->events.ctx, number, end->refused);
    number_give(line, side);
    line_release_if_over(line);
}

/* Tells an end what it does not learn by a delivery. */
static void
end_told(void *arg, uint64_t n)
{
    struct line *line = arg;
    if (!is_current(line, n))
        return;
    uint32_t side = n & 1;
    struct end *end = &line->ends[side];
    struct sim_node *node = node_of(line, side);
    end->told_planned = false;
    if (end->state == END_NONE || node->paused)
        return;
    if (end->broken) {
        end_closed(line, side);
    } else if (end->wants_writable && end->state == END_OPEN && end_has_room(line, side)) {
        fold(line->lines, end, 'w', NULL, 0);
        node->events.writable(node->events.ctx, end->number);
    }
}

static void
end_plan_told(struct line *line, uint32_t side, uint32_t after_us)
{
    struct end *end = &line->ends[side];
    if (end->told_planned || end->state == END_NONE)
        return;
    if (!end->broken && !(end->wants_writable && end_has_room(line, side)))
        return;
    end->told_planned = true;
    at(line->lines, now(line->lines) + after_us, end_told, line, side, 0);
}

/* Both ends find it broken, each in its own time. */
static void
line_break(struct line *line, uint32_t within_us)
{
    struct sim_lines *lines = line->lines;
    lines->stats.breaks++;
    for (uint32_t side = 0; side < 2; side++) {
        way_clear(&line->ways[side]);
        line->ends[side].broken = true;
        end_plan_told(line, side, between(lines, 1, within_us > 1 ? within_us : 1));
    }
    line_release_if_over(line);
}

/* Deliveries */

static void
way_stalled(void *arg, uint64_t n)
{
    struct line *line = arg;
    if (!is_current(line, n))
        return;
    const struct way *way = &line->ways[n & 1];
    if (!way->stalled || way->stall != (uint32_t)n >> 1)
        return;
    const struct sim_lines_options *o = &line->lines->options;
    line->lines->stats.stalls++;
    line_break(line, o->stall_us_max - o->stall_us_min);
}

/* What waits in a cut way waits for a while only. */
static void
stall_begin(struct line *line, uint32_t side)
{
    struct sim_lines *lines = line->lines;
    struct way *way = &line->ways[side];
    if (way->stalled)
        return;
    way->stalled = true;
    way->stall = (way->stall + 1) & 0x7fffffff;
    int64_t due_us =
        now(lines) + between(lines, lines->options.stall_us_min, lines->options.stall_us_max);
    at(lines, due_us, way_stalled, line, side, way->stall);
}

/* A dial reached the kernel of a node; true: the process may take it now. */
static bool
dial_reaches(struct line *line)
{
    struct sim_node *node = node_of(line, 1);
    struct way *there = &line->ways[0], *back = &line->ways[1];
    if (there->reached)
        return true;
    if (!node->up) {
        there->opening = false;
        line->ends[0].refused = true;
        back->ending = true;
        line->lines->stats.refused++;
    } else {
        there->reached = back->opening = true;
    }
    way_plan(line, 1);
    return there->reached;
}

static void
deliver_dial(struct line *line)
{
    struct sim_lines *lines = line->lines;
    struct sim_node *node = node_of(line, 1);
    struct end *end = &line->ends[1];
    struct way *there = &line->ways[0];
    /* A handshake needs both directions. */
    if (!there->reached && *cut_of(lines, end->node, line->ends[0].node)) {
        stall_begin(line, 0);
        return;
    }
    if (!dial_reaches(line) || node->paused)
        return;
    if (!number_take(node, line, 1)) {
        there->due_us = now(lines) + ACCEPT_AGAIN_US;
        way_plan(line, 0);
        return;
    }
    there->opening = false;
    end_move(end, END_OPEN);
    fold(lines, end, 'a', NULL, 0);
    node->events.accepted(node->events.ctx, end->number);
}

static void
deliver_answer(struct line *line)
{
    struct sim_node *node = node_of(line, 0);
    line->ways[1].opening = false;
    end_move(&line->ends[0], END_OPEN);
    fold(line->lines, &line->ends[0], 'd', NULL, 0);
    node->events.dialled(node->events.ctx, line->ends[0].number);
}

static void
deliver_bytes(struct line *line, uint32_t side)
{
    struct sim_lines *lines = line->lines;
    struct way *way = &line->ways[side];
    struct sim_node *node = node_of(line, 1 - side);
    uint32_t left =
        (uint32_t)(stream_left(&way->bytes) < PIECE_MAX ? stream_left(&way->bytes) : PIECE_MAX);
    uint32_t part = between(lines, 0, 1) == 0 ? left : between(lines, 1, left);
    /* Whoever is called may end the line, and its next owner write over the way. */
    stream_take(&way->bytes, lines->piece, part);
    lines->stats.deliveries++;
    lines->stats.bytes += part;
    const struct end *end = &line->ends[1 - side];
    fold(lines, end, 'b', lines->piece, part);
    node->events.received(node->events.ctx, end->number, lines->piece, part);
}

/* Bytes for a process that is gone are answered by a reset. */
static void
deliver_to_nobody(struct line *line, uint32_t side)
{
    way_clear(&line->ways[side]);
    line->ways[1 - side].ending = true;
    way_plan(line, 1 - side);
    line_release_if_over(line);
}

static bool
way_is_free(struct line *line, uint32_t side)
{
    struct sim_lines *lines = line->lines;
    struct way *way = &line->ways[side];
    uint32_t from = line->ends[side].node, to = line->ends[1 - side].node;
    if (*cut_of(lines, from, to) || (way->opening && lines->nodes[to].host_dead)) {
        stall_begin(line, side);
        return false;
    }
    way->stalled = false;
    int64_t clogged_until_us = *clog_of(lines, from, to);
    if (clogged_until_us > now(lines)) {
        way->due_us = clogged_until_us;
        way_plan(line, side);
        return false;
    }
    return !lines->nodes[to].host_dead;
}

static void
way_deliver(void *arg, uint64_t n)
{
    struct line *line = arg;
    if (!is_current(line, n))
        return;
    uint32_t side = n & 1;
    struct way *way = &line->ways[side];
    const struct end *receiver = &line->ends[1 - side];
    way->planned = false;
    if (!way_has_something(way) || !way_is_free(line, side))
        return;
    bool is_dial = way->opening && side == 0;
    if (!is_dial && receiver->state == END_NONE) {
        deliver_to_nobody(line, side);
        return;
    }
    if (is_dial)
        deliver_dial(line);
    else if (node_of(line, 1 - side)->paused)
        return;
    else if (way->opening)
        deliver_answer(line);
    else if (stream_left(&way->bytes) > 0)
        deliver_bytes(line, side);
    else
        end_closed(line, 1 - side);
    if (!is_current(line, n))
        return;
    end_plan_told(line, side, 1);
    /* A dial that waits for its process is planned by whatever it waits for. */
    if (!(way->opening && side == 0))
        way_plan(line, side);
}

/* Something was lifted: whatever waited for it goes on. */
static void
lines_resume(struct sim_lines *lines)
{
    for (uint32_t i = 0; i < lines->made; i++) {
        struct line *line = lines->all[i];
        for (uint32_t side = 0; line->used && side < 2; side++) {
            way_plan(line, side);
            end_plan_told(line, side, 1);
        }
    }
}

/* Port env_transport */

static struct line *
line_of(const struct sim_node *node, uint32_t number, uint32_t *side)
{
    CHECK(node->up && !node->paused);
    CHECK(number < LINES_MAX && node->at[number] != NULL);
    struct line *line = node->at[number];
    *side = node->side[number];
    CHECK(line->used && line->ends[*side].state != END_NONE);
    return line;
}

/* "node-<number>:1"; false: that is none of ours. */
static bool
address_read(const struct sim_lines *lines, const char *address, uint32_t *node)
{
    char *end;
    if (strncmp(address, "node-", 5) != 0)
        return false;
    unsigned long number = strtoul(address + 5, &end, 10);
    if (end == address + 5 || strcmp(end, ":1") != 0 || number >= lines->options.nodes_max)
        return false;
    *node = (uint32_t)number;
    return true;
}

static struct line *
line_make(struct sim_lines *lines)
{
    if (lines->free_head != NO_LINE) {
        struct line *line = lines->all[lines->free_head];
        lines->free_head = line->next_free;
        return line;
    }
    if (lines->made == lines->room) {
        lines->room = lines->room == 0 ? 64 : lines->room * 2;
        lines->all = realloc(lines->all, lines->room * sizeof(struct line *));
        CHECK(lines->all != NULL);
    }
    struct line *line = calloc(1, sizeof *line);
    CHECK(line != NULL);
    line->lines = lines;
    line->index = lines->made;
    lines->all[lines->made++] = line;
    return line;
}

static enum err
port_dial(void *ctx, const char *address, uint32_t *number)
{
    struct sim_node *node = ctx;
    struct sim_lines *lines = node->lines;
    CHECK(node->up && !node->paused);
    uint32_t to;
    if (!address_read(lines, address, &to))
        return ERR_FORMAT;
    struct line *line = line_make(lines);
    if (!number_take(node, line, 0)) {
        line->next_free = lines->free_head;
        lines->free_head = line->index;
        return ERR_FULL;
    }
    line->used = true;
    for (uint32_t side = 0; side < 2; side++) {
        struct way *way = &line->ways[side];
        stream_clear(&way->bytes);
        *way = (struct way){.bytes = way->bytes, .due_us = now(lines)};
    }
    line->ends[0] = (struct end){.node = node->number, .number = line->ends[0].number};
    line->ends[1] = (struct end){.node = to};
    end_move(&line->ends[0], END_DIALLING);
    line->ways[0].opening = true;
    lines->stats.dials++;
    lines->stats.open++;
    way_plan(line, 0);
    *number = line->ends[0].number;
    return OK;
}

static enum err
port_send(void *ctx, uint32_t number, const struct slice *pieces, uint32_t count, size_t *taken)
{
    uint32_t side;
    struct line *line = line_of(ctx, number, &side);
    struct sim_lines *lines = line->lines;
    struct way *way = &line->ways[side];
    *taken = 0;
    if (line->ends[side].broken)
        return ERR_CLOSED;
    if (line->ends[side].state == END_DIALLING)
        return OK;
    for (uint32_t i = 0; i < count; i++) {
        size_t room = lines->options.line_bytes - stream_left(&way->bytes);
        size_t part = pieces[i].bytes < room ? pieces[i].bytes : room;
        stream_put(&way->bytes, pieces[i].at, part);
        *taken += part;
        if (part < pieces[i].bytes) {
            lines->stats.not_writable++;
            break;
        }
    }
    if (stream_left(&way->bytes) > lines->stats.in_flight_bytes_high)
        lines->stats.in_flight_bytes_high = stream_left(&way->bytes);
    way_plan(line, side);
    return OK;
}

static void
port_want_writable(void *ctx, uint32_t number, bool on)
{
    uint32_t side;
    struct line *line = line_of(ctx, number, &side);
    line->ends[side].wants_writable = on;
    end_plan_told(line, side, 1);
}

/* What was sent before still arrives; what comes the other way does not. */
static void
port_close(void *ctx, uint32_t number)
{
    uint32_t side;
    struct line *line = line_of(ctx, number, &side);
    fold(line->lines, &line->ends[side], 'x', NULL, 0);
    number_give(line, side);
    end_move(&line->ends[side], END_NONE);
    way_clear(&line->ways[1 - side]);
    if (!line->ends[side].broken) {
        line->ways[side].ending = true;
        way_plan(line, side);
    }
    line_release_if_over(line);
}

struct env_transport
sim_lines_port(struct sim_lines *lines, uint32_t node)
{
    CHECK(node < lines->options.nodes_max);
    return (struct env_transport){.ctx = &lines->nodes[node],
                                  .dial = port_dial,
                                  .send = port_send,
                                  .want_writable = port_want_writable,
                                  .close = port_close};
}

/* Life and faults of nodes */

void
sim_lines_address(uint32_t node, char out[LINE_ADDRESS_MAX])
{
    snprintf(out, LINE_ADDRESS_MAX, "node-%u:1", node);
}

void
sim_lines_start(struct sim_lines *lines, uint32_t node, const struct transport_events *events)
{
    CHECK(node < lines->options.nodes_max && !lines->nodes[node].up);
    CHECK(events->dialled && events->accepted && events->received && events->writable &&
          events->closed);
    struct sim_node *n = &lines->nodes[node];
    n->up = true;
    n->host_dead = n->paused = false;
    n->events = *events;
    lines_resume(lines);
}

/* One end of a line whose process, or host, died. */
static void
end_crash(struct line *line, uint32_t side, enum sim_death death)
{
    struct sim_lines *lines = line->lines;
    struct end *end = &line->ends[side];
    struct way *in = &line->ways[1 - side], *out = &line->ways[side];
    bool waits_for_accept = side == 1 && in->opening && in->reached;
    if (end->state == END_NONE && !waits_for_accept)
        return;
    if (end->state != END_NONE) {
        number_give(line, side);
        end_move(end, END_NONE);
    }
    if (death == SIM_HOST_DEAD) {
        /* Nothing comes back. A dial goes on knocking, bytes wait for the host to start again. */
        in->opening = side == 1 && line->ends[0].state == END_DIALLING;
        in->reached = false;
        way_clear(out);
    } else {
        way_clear(in);
        if (between(lines, 0, 1) == 0)
            way_clear(out);
        out->ending = true;
        way_plan(line, side);
    }
    lines->stats.breaks++;
    line_release_if_over(line);
}

void
sim_lines_crash(struct sim_lines *lines, uint32_t node, enum sim_death death)
{
    CHECK(node < lines->options.nodes_max && lines->nodes[node].up);
    struct sim_node *n = &lines->nodes[node];
    n->up = n->paused = false;
    n->host_dead = death == SIM_HOST_DEAD;
    lines->hash = rand_mix(lines->hash, (uint64_t)node << 8 | 'k');
    for (uint32_t i = 0; i < lines->made; i++)
        for (uint32_t side = 0; lines->all[i]->used && side < 2; side++)
            if (lines->all[i]->ends[side].node == node)
                end_crash(lines->all[i], side, death);
    /* Dials that knock at a host that just died. */
    lines_resume(lines);
}

bool
sim_lines_is_up(const struct sim_lines *lines, uint32_t node)
{
    CHECK(node < lines->options.nodes_max);
    return lines->nodes[node].up;
}

void
sim_lines_pause(struct sim_lines *lines, uint32_t node, bool on)
{
    CHECK(node < lines->options.nodes_max && lines->nodes[node].up);
    lines->nodes[node].paused = on;
    if (!on)
        lines_resume(lines);
}

void
sim_lines_cut(struct sim_lines *lines, uint32_t from, uint32_t to, bool on)
{
    *cut_of(lines, from, to) = on;
    if (!on)
        lines_resume(lines);
}

void
sim_lines_clog(struct sim_lines *lines, uint32_t from, uint32_t to, int64_t until_us)
{
    *clog_of(lines, from, to) = until_us;
}

uint32_t
sim_lines_break(struct sim_lines *lines, uint32_t a, uint32_t b)
{
    uint32_t broken = 0;
    for (uint32_t i = 0; i < lines->made; i++) {
        struct line *line = lines->all[i];
        uint32_t from = line->ends[0].node, to = line->ends[1].node;
        if (!line->used || !((from == a && to == b) || (from == b && to == a)))
            continue;
        line_break(line, lines->options.delay_us_max);
        broken++;
    }
    return broken;
}

/* Life of the whole */

struct sim_lines *
sim_lines_alloc(const struct sim_lines_options *options)
{
    CHECK(options->nodes_max > 0 && options->nodes_max <= SIM_NODES_MAX);
    CHECK(options->line_bytes > 0 && options->delay_us_min <= options->delay_us_max);
    CHECK(options->stall_us_min <= options->stall_us_max);
    size_t nodes = options->nodes_max;
    struct sim_lines *lines = calloc(1, sizeof *lines);
    CHECK(lines != NULL);
    lines->options = *options;
    lines->free_head = NO_LINE;
    lines->nodes = calloc(nodes, sizeof *lines->nodes);
    lines->cut = calloc(nodes * nodes, sizeof *lines->cut);
    lines->clogged_until_us = calloc(nodes * nodes, sizeof *lines->clogged_until_us);
    CHECK(lines->nodes != NULL && lines->cut != NULL && lines->clogged_until_us != NULL);
    for (uint32_t i = 0; i < options->nodes_max; i++) {
        lines->nodes[i].lines = lines;
        lines->nodes[i].number = i;
    }
    return lines;
}

void
sim_lines_free(struct sim_lines **pointer)
{
    struct sim_lines *lines = *pointer;
    if (lines == NULL)
        return;
    for (uint32_t i = 0; i < lines->made; i++) {
        stream_fini(&lines->all[i]->ways[0].bytes);
        stream_fini(&lines->all[i]->ways[1].bytes);
        free(lines->all[i]);
    }
    free(lines->all);
    free(lines->clogged_until_us);
    free(lines->cut);
    free(lines->nodes);
    free(lines);
    *pointer = NULL;
}

const struct sim_lines_stats *
sim_lines_stats(const struct sim_lines *lines)
{
    return &lines->stats;
}

uint64_t
sim_lines_hash(const struct sim_lines *lines)
{
    return lines->hash;
}
