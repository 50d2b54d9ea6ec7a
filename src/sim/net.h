/* The network of the simulator: connections between clients and gates, as two streams of bytes
 * each, with delay, lost connections and readers that stall; and links between gates and home, as
 * bounded queues of messages with delay. All on virtual time: every delivery is an event of the
 * schedule. It implements the ports env_conns and env_links.
 *
 * One thread. Streams keep their order; pieces are cut at random, as TCP cuts them. Memory grows
 * with what is in flight, which the limits bound.
 */
#ifndef SEOM_SIM_NET_H
#define SEOM_SIM_NET_H

#include "env/env.h"
#include "sim/schedule.h"
#include <stdbool.h>
#include <stdint.h>

#define SIM_PEERS_MAX 48

struct sim_net;

/* What the world outside is told; called from events. */
struct sim_net_events {
    void *ctx;
    /* At the gate. */
    void (*opened)(void *ctx, uint32_t gate, uint32_t conn);
    void (*received)(void *ctx, uint32_t gate, uint32_t conn, uint8_t *bytes, size_t n);
    void (*writable)(void *ctx, uint32_t gate, uint32_t conn);
    void (*gate_closed)(void *ctx, uint32_t gate, uint32_t conn);
    /* At the client. */
    void (*connected)(void *ctx, uint32_t person);
    void (*arrived)(void *ctx, uint32_t person, const uint8_t *bytes, size_t n);
    void (*broke)(void *ctx, uint32_t person);
    /* A message of a link, at its receiver. */
    void (*message)(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t n);
};

struct sim_net_options {
    struct sim_schedule schedule;
    struct sim_net_events events;
    uint32_t persons_max;
    uint32_t socket_bytes;               /* in flight to a client before it is not writable */
    uint32_t link_bytes;                 /* capacity of a link in each direction */
    uint32_t delay_us_min, delay_us_max; /* of each delivery between client and gate */
    uint32_t link_delay_us_min, link_delay_us_max; /* of each delivery between gate and home */
};

struct sim_net_stats {
    uint64_t deliveries, bytes, breaks, links_full, not_writable;
    uint32_t link_bytes_high;
};

struct sim_net *sim_net_alloc(const struct sim_net_options *options);
void sim_net_free(struct sim_net **pointer);

/* A person has at most one connection. */
void sim_net_connect(struct sim_net *net, uint32_t person, uint32_t gate);
/* Bytes from the person; false: there is no connection. */
bool sim_net_send(struct sim_net *net, uint32_t person, const uint8_t *bytes, size_t n);
/* The line breaks now, for both sides; fine when there is none. quiet: the person is not told. */
void sim_net_break(struct sim_net *net, uint32_t person, bool quiet);
/* The person does not read until then (mono us). */
void sim_net_stall(struct sim_net *net, uint32_t person, int64_t until_us);
bool sim_net_is_open(const struct sim_net *net, uint32_t person); /* connected or on the way */
bool sim_net_is_connected(const struct sim_net *net, uint32_t person);

/* All links of one direction deliver nothing until then; the other direction goes on. */
enum sim_direction { SIM_TO_GATES, SIM_TO_HOME, SIM_DIRECTIONS };

void sim_net_clog(struct sim_net *net, enum sim_direction direction, int64_t until_us);
int64_t sim_net_clogged_until_us(const struct sim_net *net, enum sim_direction direction);
/* Everything breaks: the server's process died. Messages in flight on links are lost. */
void sim_net_crash(struct sim_net *net);

/* Ports of one gate, and of the home as a peer of the gates. Peers are numbered: the home is
 * SIM_HOME. */
#define SIM_HOME (SIM_PEERS_MAX - 1)
struct env_conns sim_net_conns(struct sim_net *net, uint32_t gate);
struct env_links sim_net_links(struct sim_net *net, uint32_t peer);

const struct sim_net_stats *sim_net_stats(const struct sim_net *net);
/* Folds everything that was delivered into one number: equal for equal histories. */
uint64_t sim_net_hash(const struct sim_net *net);

#endif
