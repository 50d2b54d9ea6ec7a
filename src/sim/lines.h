/* The lines between the nodes of a simulated cluster (env/transport.h), on virtual time and with
 * the faults that TCP between processes has: delay, pieces cut anywhere, a process killed, a host
 * that dies without a word, a process that is stopped (its kernel still accepts, and bytes pile up
 * to the bound), partitions of either direction, lines that clog for a while or just break.
 *
 * A node is a number; its address is sim_lines_address() and stays the same when it starts again.
 * A direction that is cut delivers nothing until it heals; what waits too long in one (stall_us)
 * breaks its line, and each side hears of it in its own time. A dead host never breaks a line by
 * itself, as with TCP it takes a quarter of an hour: that is for heart-beats to find out.
 *
 * Call-backs come from events of the schedule only, never to a node that is paused or down. One
 * thread. Memory grows with what is in flight: line_bytes for each direction of LINES_MAX lines a
 * node.
 */
#ifndef SEOM_SIM_LINES_H
#define SEOM_SIM_LINES_H

#include "env/transport.h"
#include "sim/schedule.h"

#define SIM_NODES_MAX 256

struct sim_lines;

struct sim_lines_options {
    struct sim_schedule schedule;
    uint32_t nodes_max;                  /* at most SIM_NODES_MAX */
    uint32_t line_bytes;                 /* in flight in one direction before send() takes less */
    uint32_t delay_us_min, delay_us_max; /* of each delivery */
    uint32_t stall_us_min, stall_us_max; /* in a cut direction, before the line breaks */
};

struct sim_lines_stats {
    uint64_t dials, refused, deliveries, bytes, not_writable;
    uint64_t breaks;             /* lines that ended for another reason than close() */
    uint64_t stalls;             /* of which: cut for too long */
    uint32_t open;               /* now, counting each once */
    size_t in_flight_bytes_high; /* of one direction */
};

struct sim_lines *sim_lines_alloc(const struct sim_lines_options *options);
void sim_lines_free(struct sim_lines **pointer);

/* What others dial. */
void sim_lines_address(uint32_t node, char out[LINE_ADDRESS_MAX]);
/* Usable while the node is up. */
struct env_transport sim_lines_port(struct sim_lines *lines, uint32_t node);

/* A process begins to listen and to dial; it was not up. */
void sim_lines_start(struct sim_lines *lines, uint32_t node, const struct transport_events *events);

enum sim_death {
    SIM_KILLED,   /* the kernel closes its lines and refuses dials */
    SIM_HOST_DEAD /* nobody answers any more, until it starts again */
};

/* The process is gone, paused or not, and hears of nothing any more. */
void sim_lines_crash(struct sim_lines *lines, uint32_t node, enum sim_death death);
bool sim_lines_is_up(const struct sim_lines *lines, uint32_t node);
/* SIGSTOP and SIGCONT. Whoever runs the node must not call its port meanwhile. */
void sim_lines_pause(struct sim_lines *lines, uint32_t node, bool on);
/* A partition of one direction; on both for a whole one. */
void sim_lines_cut(struct sim_lines *lines, uint32_t from, uint32_t to, bool on);
/* Nothing from one to the other until then (mono us), but nothing breaks either. */
void sim_lines_clog(struct sim_lines *lines, uint32_t from, uint32_t to, int64_t until_us);
/* All lines between two nodes break, what is in flight is lost. Returns how many. */
uint32_t sim_lines_break(struct sim_lines *lines, uint32_t a, uint32_t b);

const struct sim_lines_stats *sim_lines_stats(const struct sim_lines *lines);
/* Folds everything that was delivered into one number: equal for equal histories. */
uint64_t sim_lines_hash(const struct sim_lines *lines);

#endif
