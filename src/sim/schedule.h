/* How a part of the simulator asks for virtual time: a small table that the simulator fills, so
 * that engine models can be tried with any event heap. Everything runs on the one thread of the
 * simulator.
 */
#ifndef SEOM_SIM_SCHEDULE_H
#define SEOM_SIM_SCHEDULE_H

#include <stdint.h>

struct sim_schedule {
    void *ctx;
    /* Calls fn(arg, n) at due_us, in order of due_us and, for equal ones, in the order of asking.
     * Nothing is ever cancelled: whoever asks carries a generation in n and drops what came too
     * late. */
    void (*at)(void *ctx, int64_t due_us, void (*fn)(void *arg, uint64_t n), void *arg, uint64_t n);
    int64_t (*now_us)(void *ctx);
    uint64_t (*random)(void *ctx);
};

#endif
