/* The smallest struct sim_schedule: an event heap with a clock and a seed, for unit tests of engine
 * models and of the logic above them. The simulator has its own. One thread; grows as needed.
 */
#ifndef SEOM_SIM_TEST_SCHEDULE_H
#define SEOM_SIM_TEST_SCHEDULE_H

#include "base/rand.h"
#include "env/env.h"
#include "sim/schedule.h"
#include <stdbool.h>
#include <stddef.h>

struct test_event {
    int64_t due_us;
    uint64_t order; /* of asking: decides between equal times */
    void (*fn)(void *arg, uint64_t n);
    void *arg;
    uint64_t n;
};

struct test_schedule {
    int64_t now_us;
    uint64_t asked;
    struct rand rand;
    struct test_event *heap; /* owned */
    size_t count, capacity;
};

void test_schedule_init(struct test_schedule *s, uint64_t seed);
void test_schedule_fini(struct test_schedule *s);
struct sim_schedule test_schedule_port(struct test_schedule *s);
struct env_clock test_schedule_clock(struct test_schedule *s); /* world time = virtual time in ms */
bool test_schedule_step(struct test_schedule *s); /* runs the next event; false: there is none */
void test_schedule_run(struct test_schedule *s,
                       int64_t until_us); /* runs what is due until then; now = then */

#endif
