#include "sim/net.h"

#include "base/check.h"
#include "base/rand.h"
#include "sim/stream.h"
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX 1400 /* bytes of one delivery, as a network would cut a stream */
#define NO_CONN   UINT32_MAX

/* One direction of a connection: bytes that were sent and have not arrived. */
struct way {
    struct stream bytes;
    int64_t due_us; /* of the last delivery that was planned: order is kept */
    bool planned;
};

struct line {
    struct sim_net *net;
    uint32_t person, gate, conn; /* conn: the gate's index */
    uint32_t generation;
    bool open, at_gate; /* the gate was told */
    bool wants_writable, end_after_arrival;
    int64_t stalled_until_us;
    struct way to_gate, to_person;
};

/* A gate's connections: index -> person. */
struct gate_side {
    struct sim_net *net;
    uint32_t number;
    uint32_t *persons; /* owned; NO_CONN = free */
};

struct peer {
    struct sim_net *net;
    uint32_t number;
};

/* A link is a queue of messages, each with its head {u32 bytes}. */
struct link {
    struct stream queue;
    bool planned;
};

struct sim_net {
    struct sim_net_options options;
    struct sim_net_stats stats;
    struct line *lines;
    struct gate_side gates[SIM_PEERS_MAX];
    struct peer peers[SIM_PEERS_MAX];
    struct link links[SIM_PEERS_MAX][SIM_PEERS_MAX];
    int64_t clogged_until_us[SIM_DIRECTIONS];
    uint32_t crashes;
    uint64_t hash;
};

static int64_t
now(const struct sim_net *net)
{
    return net->options.schedule.now_us(net->options.schedule.ctx);
}

static uint32_t
between(struct sim_net *net, uint32_t min, uint32_t max)
{
    uint64_t r = net->options.schedule.random(net->options.schedule.ctx);
    return min + (uint32_t)(r % (max - min + 1));
}

static void
fold(struct sim_net *net, uint64_t what, const uint8_t *bytes, size_t n)
{
    uint64_t h = rand_mix(net->hash, what ^ (uint64_t)now(net) << 8);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, n - i < 8 ? n - i : 8);
        h = rand_mix(h, word);
    }
    net->hash = h;
}

static void
way_clear(struct way *way)
{
    stream_clear(&way->bytes);
    way->planned = false;
}

static uint64_t
tag(const struct line *line)
{
    return (uint64_t)line->generation;
}

static void plan_to_person(struct line *line);
static void plan_to_gate(struct line *line);

static int64_t
next_due(struct sim_net *net, const struct way *way)
{
    int64_t due = now(net) + between(net, net->options.delay_us_min, net->options.delay_us_max);
    return due > way->due_us ? due : way->due_us;
}

static void
deliver_to_person(void *arg, uint64_t n)
{
    struct line *line = arg;
    struct sim_net *net = line->net;
    if (n != tag(line) || !line->open) {
        return;
    }
    line->to_person.planned = false;
    if (line->stalled_until_us > now(net)) {
        line->to_person.due_us = line->stalled_until_us;
        plan_to_person(line);
        return;
    }
    size_t left = stream_left(&line->to_person.bytes),
           part = left < PIECE_MAX ? left : between(net, 1, PIECE_MAX);
    uint8_t piece[PIECE_MAX];
    stream_take(&line->to_person.bytes, piece, part);
    net->stats.deliveries++;
    net->stats.bytes += part;
    fold(net, line->person, piece, part);
    uint32_t generation = line->generation;
    net->options.events.arrived(net->options.events.ctx, line->person, piece, part);
    if (!line->open || line->generation != generation) {
        return;
    }
    if (line->wants_writable &&
        stream_left(&line->to_person.bytes) < net->options.socket_bytes / 2) {
        net->options.events.writable(net->options.events.ctx, line->gate, line->conn);
    }
    if (!line->open || line->generation != generation) {
        return;
    }
    if (stream_left(&line->to_person.bytes) > 0) {
        plan_to_person(line);
    } else if (line->end_after_arrival) {
        line->open = false;
        net->options.events.broke(net->options.events.ctx, line->person);
    }
}

static void
plan_to_person(struct line *line)
{
    struct sim_net *net = line->net;
    if (!line->to_person.planned) {
        line->to_person.planned = true;
        line->to_person.due_us = next_due(net, &line->to_person);
        net->options.schedule.at(net->options.schedule.ctx, line->to_person.due_us,
                                 deliver_to_person, line, tag(line));
    }
}

static void
deliver_to_gate(void *arg, uint64_t n)
{
    struct line *line = arg;
    struct sim_net *net = line->net;
    if (n != tag(line) || !line->open || !line->at_gate) {
        return;
    }
    line->to_gate.planned = false;
    size_t left = stream_left(&line->to_gate.bytes),
           part = left < PIECE_MAX ? left : between(net, 1, PIECE_MAX);
    uint8_t piece[PIECE_MAX];
    stream_take(&line->to_gate.bytes, piece, part);
    net->stats.deliveries++;
    net->stats.bytes += part;
    fold(net, line->person | UINT64_C(1) << 32, piece, part);
    uint32_t generation = line->generation;
    net->options.events.received(net->options.events.ctx, line->gate, line->conn, piece, part);
    if (line->open && line->at_gate && line->generation == generation &&
        stream_left(&line->to_gate.bytes) > 0) {
        plan_to_gate(line);
    }
}

static void
plan_to_gate(struct line *line)
{
    struct sim_net *net = line->net;
    if (!line->to_gate.planned) {
        line->to_gate.planned = true;
        line->to_gate.due_us = next_due(net, &line->to_gate);
        net->options.schedule.at(net->options.schedule.ctx, line->to_gate.due_us, deliver_to_gate,
                                 line, tag(line));
    }
}

static void
arrive_at_gate(void *arg, uint64_t n)
{
    struct line *line = arg;
    struct sim_net *net = line->net;
    if (n != tag(line) || !line->open) {
        return;
    }
    struct gate_side *gate = &net->gates[line->gate];
    for (line->conn = 0; gate->persons[line->conn] != NO_CONN; line->conn++) {
        CHECK(line->conn + 1 < net->options.persons_max);
    }
    gate->persons[line->conn] = line->person;
    line->at_gate = true;
    fold(net, line->person | UINT64_C(2) << 32, NULL, 0);
    net->options.events.opened(net->options.events.ctx, line->gate, line->conn);
    net->options.events.connected(net->options.events.ctx, line->person);
}

void
sim_net_connect(struct sim_net *net, uint32_t person, uint32_t gate)
{
    struct line *line = &net->lines[person];
    CHECK(!line->open && gate < SIM_HOME);
    line->generation++;
    line->gate = gate;
    line->open = true;
    line->at_gate = line->wants_writable = line->end_after_arrival = false;
    line->stalled_until_us = 0;
    way_clear(&line->to_gate);
    way_clear(&line->to_person);
    line->to_gate.due_us = line->to_person.due_us = now(net);
    net->options.schedule.at(net->options.schedule.ctx, next_due(net, &line->to_gate),
                             arrive_at_gate, line, tag(line));
}

bool
sim_net_send(struct sim_net *net, uint32_t person, const uint8_t *bytes, size_t n)
{
    struct line *line = &net->lines[person];
    if (!line->open || !line->at_gate) {
        return false;
    }
    stream_put(&line->to_gate.bytes, bytes, n);
    if (n > 0) {
        plan_to_gate(line);
    }
    return true;
}

static void
leave_gate(struct line *line)
{
    line->net->gates[line->gate].persons[line->conn] = NO_CONN;
    line->at_gate = false;
}

void
sim_net_break(struct sim_net *net, uint32_t person, bool quiet)
{
    struct line *line = &net->lines[person];
    if (!line->open) {
        return;
    }
    net->stats.breaks++;
    line->open = false;
    line->generation++;
    fold(net, person | UINT64_C(3) << 32, NULL, 0);
    if (line->at_gate) {
        uint32_t conn = line->conn;
        leave_gate(line);
        net->options.events.gate_closed(net->options.events.ctx, line->gate, conn);
    }
    if (!quiet) {
        net->options.events.broke(net->options.events.ctx, person);
    }
}

void
sim_net_stall(struct sim_net *net, uint32_t person, int64_t until_us)
{
    net->lines[person].stalled_until_us = until_us;
}

bool
sim_net_is_connected(const struct sim_net *net, uint32_t person)
{
    return net->lines[person].open && net->lines[person].at_gate;
}

bool
sim_net_is_open(const struct sim_net *net, uint32_t person)
{
    return net->lines[person].open;
}

int64_t
sim_net_clogged_until_us(const struct sim_net *net, enum sim_direction direction)
{
    return net->clogged_until_us[direction];
}

void
sim_net_clog(struct sim_net *net, enum sim_direction direction, int64_t until_us)
{
    net->clogged_until_us[direction] = until_us;
}

void
sim_net_crash(struct sim_net *net)
{
    net->crashes++;
    for (uint32_t a = 0; a < SIM_PEERS_MAX; a++) {
        for (uint32_t b = 0; b < SIM_PEERS_MAX; b++) {
            stream_clear(&net->links[a][b].queue);
            net->links[a][b].planned = false;
        }
    }
    for (uint32_t i = 0; i < net->options.persons_max; i++) {
        struct line *line = &net->lines[i];
        if (!line->open) {
            continue;
        }
        line->open = false;
        line->generation++;
        if (line->at_gate) {
            leave_gate(line);
        }
        net->options.events.broke(net->options.events.ctx, i);
    }
}

/* Port env_conns */

static struct line *
line_of(struct gate_side *gate, uint32_t conn)
{
    CHECK(conn < gate->net->options.persons_max && gate->persons[conn] != NO_CONN);
    return &gate->net->lines[gate->persons[conn]];
}

static enum err
port_send(void *ctx, uint32_t conn, const struct slice *pieces, uint32_t count, size_t *taken)
{
    struct line *line = line_of(ctx, conn);
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t room = line->net->options.socket_bytes - stream_left(&line->to_person.bytes);
        size_t part = pieces[i].bytes < room ? pieces[i].bytes : room;
        stream_put(&line->to_person.bytes, pieces[i].at, part);
        *taken += part;
        if (part < pieces[i].bytes) {
            line->net->stats.not_writable++;
            break;
        }
    }
    if (stream_left(&line->to_person.bytes) > 0) {
        plan_to_person(line);
    }
    return OK;
}

static void
port_want_writable(void *ctx, uint32_t conn, bool on)
{
    line_of(ctx, conn)->wants_writable = on;
}

/* What was sent before still arrives, then the line ends. */
static void
port_close(void *ctx, uint32_t conn)
{
    struct line *line = line_of(ctx, conn);
    leave_gate(line);
    line->wants_writable = false;
    line->end_after_arrival = true;
    plan_to_person(line);
}

struct env_conns
sim_net_conns(struct sim_net *net, uint32_t gate)
{
    return (struct env_conns){.ctx = &net->gates[gate],
                              .send = port_send,
                              .want_writable = port_want_writable,
                              .close = port_close};
}

/* Port env_links */

static void plan_link(struct sim_net *net, uint32_t from, uint32_t to);

/* Takes one message out of a link and hands it over; returns the bytes it took up there. */
static size_t
deliver_message(struct sim_net *net, uint32_t from, uint32_t to)
{
    struct stream *queue = &net->links[from][to].queue;
    uint32_t bytes;
    stream_take(queue, (uint8_t *)&bytes, sizeof bytes);
    uint8_t *message = malloc(bytes);
    CHECK(message != NULL);
    stream_take(queue, message, bytes);
    net->stats.deliveries++;
    fold(net, (uint64_t)from << 40 | (uint64_t)to << 48, message, 1);
    net->options.events.message(net->options.events.ctx, from, to, message, bytes);
    free(message);
    return sizeof bytes + bytes;
}

static enum sim_direction
direction_of(uint32_t to)
{
    return to == SIM_HOME ? SIM_TO_HOME : SIM_TO_GATES;
}

static void
deliver_link(void *arg, uint64_t n)
{
    struct sim_net *net = arg;
    uint32_t from = (uint32_t)(n >> 8 & 0xff), to = (uint32_t)(n & 0xff);
    struct link *link = &net->links[from][to];
    if (n >> 16 != net->crashes || !link->planned) {
        return;
    }
    link->planned = false;
    if (net->clogged_until_us[direction_of(to)] > now(net)) {
        plan_link(net, from, to);
        return;
    }
    /* All that waits now; what these messages cause on the same link is for the next delivery. */
    for (size_t left = stream_left(&link->queue); left > 0 && n >> 16 == net->crashes;) {
        left -= deliver_message(net, from, to);
    }
    if (stream_left(&link->queue) > 0) {
        plan_link(net, from, to);
    }
}

static void
plan_link(struct sim_net *net, uint32_t from, uint32_t to)
{
    struct link *link = &net->links[from][to];
    if (!link->planned) {
        link->planned = true;
        int64_t due =
            now(net) + between(net, net->options.link_delay_us_min, net->options.link_delay_us_max);
        int64_t clogged_us = net->clogged_until_us[direction_of(to)];
        due = due > clogged_us ? due : clogged_us;
        net->options.schedule.at(net->options.schedule.ctx, due, deliver_link, net,
                                 (uint64_t)net->crashes << 16 | (uint64_t)from << 8 | to);
    }
}

static enum err
port_link_send(void *ctx, uint32_t to, const struct slice *pieces, uint32_t count)
{
    struct peer *peer = ctx;
    struct sim_net *net = peer->net;
    struct link *link = &net->links[peer->number][to];
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += (uint32_t)pieces[i].bytes;
    }
    if (stream_left(&link->queue) + bytes + sizeof bytes > net->options.link_bytes) {
        net->stats.links_full++;
        return ERR_FULL;
    }
    stream_put(&link->queue, (const uint8_t *)&bytes, sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
        stream_put(&link->queue, pieces[i].at, pieces[i].bytes);
    }
    if (stream_left(&link->queue) > net->stats.link_bytes_high) {
        net->stats.link_bytes_high = (uint32_t)stream_left(&link->queue);
    }
    plan_link(net, peer->number, to);
    return OK;
}

struct env_links
sim_net_links(struct sim_net *net, uint32_t peer)
{
    return (struct env_links){.ctx = &net->peers[peer], .send = port_link_send};
}

struct sim_net *
sim_net_alloc(const struct sim_net_options *options)
{
    struct sim_net *net = calloc(1, sizeof *net);
    CHECK(net != NULL);
    net->options = *options;
    net->lines = calloc(options->persons_max, sizeof *net->lines);
    CHECK(net->lines != NULL);
    for (uint32_t i = 0; i < options->persons_max; i++) {
        net->lines[i] = (struct line){.net = net, .person = i};
    }
    for (uint32_t i = 0; i < SIM_PEERS_MAX; i++) {
        net->peers[i] = (struct peer){.net = net, .number = i};
        net->gates[i] =
            (struct gate_side){.net = net, .number = i, .persons = calloc(options->persons_max, 4)};
        CHECK(net->gates[i].persons != NULL);
        memset(net->gates[i].persons, 0xff, (size_t)options->persons_max * 4);
    }
    return net;
}

void
sim_net_free(struct sim_net **pointer)
{
    struct sim_net *net = *pointer;
    for (uint32_t i = 0; i < net->options.persons_max; i++) {
        stream_fini(&net->lines[i].to_gate.bytes);
        stream_fini(&net->lines[i].to_person.bytes);
    }
    for (uint32_t a = 0; a < SIM_PEERS_MAX; a++) {
        for (uint32_t b = 0; b < SIM_PEERS_MAX; b++) {
            stream_fini(&net->links[a][b].queue);
        }
        free(net->gates[a].persons);
    }
    free(net->lines);
    free(net);
    *pointer = NULL;
}

const struct sim_net_stats *
sim_net_stats(const struct sim_net *net)
{
    return &net->stats;
}

uint64_t
sim_net_hash(const struct sim_net *net)
{
    return net->hash;
}
