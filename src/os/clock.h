/* World time: milliseconds since the world's birth. At start it is what the wall clock says, but
 * never less than the floor (the last value the store kept). From then on it runs on the steady
 * clock and is slewed towards the wall clock: once a second the rate is set so that the distance
 * would be gone in CLOCK_CATCH_UP_S, but never by more than CLOCK_SLEW_PPM (what NTP uses, too). It
 * is never stepped and never runs backwards: whoever sets the wall clock by an hour sees that hour
 * in clock_behind_ms() for weeks, or restarts. A suspended machine is a world that was down
 * meanwhile: afterwards it is as late as it is.
 *
 * struct clock is shared by all threads of a process (a lock inside, once per thread and turn);
 * struct thread_clock is what one thread sees: world time stands still within a turn of its loop.
 */
#ifndef SEOM_OS_CLOCK_H
#define SEOM_OS_CLOCK_H

#include "base/err.h"
#include "base/rand.h"
#include "env/env.h"
#include "os/time_source.h"
#include <pthread.h>
#include <stdint.h>

#define CLOCK_SLEW_PPM   500
#define CLOCK_CATCH_UP_S 16
#define CLOCK_ADJUST_US  1000000

struct clock {
    pthread_mutex_t lock;
    struct time_source source;
    int64_t birth_us; /* wall time */
    /* World time = world_us + what the steady clock went since steady_us x (1 + rate). */
    int64_t world_us, steady_us, rate_ppm;
};

/* birth_ms: wall time since 1970; floor_ms: world time. */
void clock_init(struct clock *c, struct time_source source, int64_t birth_ms, int64_t floor_ms);
void clock_fini(struct clock *c);
int64_t clock_world_ms(struct clock *c);
/* Wall clock - birth - world time: how far world time is behind (negative: ahead). Beyond 100 ms a
 * node raises an alarm and takes no homes. */
int64_t clock_behind_ms(struct clock *c);

struct thread_clock {
    struct clock *clock; /* borrowed */
    int64_t world_ms;    /* of this turn */
    struct rand rand;
};

/* The random numbers are seeded by the kernel (getrandom). */
void thread_clock_init(struct thread_clock *t, struct clock *clock);
void thread_clock_turn(struct thread_clock *t); /* call at the beginning of each loop turn */
/* mono_us is read anew each time it is asked for, as it also measures costs; world_ms is this
 * turn's. */
struct env_clock thread_clock_port(struct thread_clock *t);

#endif
