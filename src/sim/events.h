/* Virtual time: a heap of events with a clock and a seed. The simulator runs on it, and so do the
 * unit tests of whatever asks for time. Equal times go in the order of asking, so a history follows
 * from its seed alone. One thread; grows as needed.
 */
#ifndef SEOM_SIM_EVENTS_H
#define SEOM_SIM_EVENTS_H

#include "base/rand.h"
#include "env/env.h"
#include "sim/schedule.h"
#include <stdbool.h>
#include <stddef.h>

struct event {
    int64_t due_us;
    uint64_t order; /* of asking: decides between equal times */
    void (*fn)(void *arg, uint64_t n);
    void *arg;
    uint64_t n;
};

struct events {
    int64_t now_us;
    uint64_t asked;
    struct rand rand;
    struct event *heap; /* owned */
    size_t count, capacity;
};

void events_init(struct events *s, uint64_t seed);
void events_fini(struct events *s);
struct sim_schedule events_port(struct events *s);
struct env_clock events_clock(struct events *s);     /* world time = virtual time in ms */
bool events_step(struct events *s);                  /* runs the next event; false: there is none */
void events_run(struct events *s, int64_t until_us); /* runs what is due until then; now = then */

#endif
