/* One gate thread: a loop with its sockets, its rings to the logic thread and its struct gate.
 * Started and ended by server.c; between, others only read the figures it leaves once a second.
 */
#ifndef SEOM_APP_GATE_THREAD_H
#define SEOM_APP_GATE_THREAD_H

#include "os/clock.h"
#include "os/conns.h"
#include "os/log.h"
#include "os/rings.h"
#include "view/gate.h"

struct gate_thread;

struct gate_thread_options {
    uint32_t number;
    int listener;        /* taken over */
    struct clock *clock; /* borrowed, as everything below */
    struct log *log;
    struct rings *logic; /* the logic thread's; this gate is its peer `number` */
    uint32_t ring_bytes;
    uint64_t home_epoch;      /* node_epoch of the logic thread's world */
    struct gate_options gate; /* conns_max 0: as many as descriptors allow */
    int core;                 /* -1: wherever the kernel likes */
};

struct gate_figures {
    int64_t taken_us; /* mono time of all that follows; 0: nothing was left yet */
    struct gate_stats gate;
    struct conns_stats conns;
    struct rings_stats rings; /* this gate's side */
    struct hist queue_bytes;  /* kernel send queues, of the last sample */
    uint32_t connections;
    int64_t cpu_us;
};

enum err gate_thread_start(const struct gate_thread_options *options,
                           struct gate_thread **out) MUST_USE;
/* Says good-bye to whoever is still there and waits for the thread's end. */
void gate_thread_stop(struct gate_thread **thread, uint32_t code, uint32_t retry_after_ms);
void gate_thread_figures(struct gate_thread *thread, struct gate_figures *out);

#endif
