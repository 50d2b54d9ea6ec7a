/* One thread = one loop: waits for descriptors and calls back for those that are ready. The loop
 * keeps no timers: whoever turns it computes from its own deadlines how long the turn may wait, so
 * a loop with nothing to do sleeps without end. Each turn handles at most LOOP_BATCH descriptors
 * and returns, so that the owner's other work (rings, ticks) gets its share. Where thousands are
 * ready at a time, each waits for several turns; what must not wait is watched as `first`.
 *
 * Owned by its thread; only loop_wake() may be called from others.
 */
#ifndef SEOM_OS_LOOP_H
#define SEOM_OS_LOOP_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH     256
#define LOOP_FIRST     64 /* of those that come first; the rest of them comes with the next turn */
#define LOOP_FOREVER   INT64_MAX
#define LOOP_PACE_WORK 16

struct loop;

/* Embedded in whatever owns the descriptor; must stay where it is while it is registered. */
struct loop_watch {
    void (*ready)(void *ctx, uint32_t events); /* events: EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
    void *ctx;
    /* Called back in every turn, however many others are ready; perhaps once without anything to
     * read. */
    bool first;
};

/* ERR_FULL: no descriptor left. ERR_UNAVAILABLE: a kernel without epoll_pwait2 (Linux 5.11). */
enum err loop_open(struct loop **out) MUST_USE;
void loop_close(struct loop **loop); /* registered descriptors stay open */

/* events as in epoll(7), level-triggered unless EPOLLET is among them. ERR_FULL: the kernel's limit
 * of watches. */
enum err loop_add(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch) MUST_USE;
/* Also re-arms: what is ready now is reported (again) at the next turn. */
void loop_change(struct loop *loop, int fd, uint32_t events, struct loop_watch *watch);
/* Afterwards the watch is never called again, not even for what this turn has already fetched. Call
 * it before close(fd). */
void loop_remove(struct loop *loop, int fd, struct loop_watch *watch);

/* Waits at most wait_us (0 only looks, LOOP_FOREVER until something happens) and calls back for
 * what is ready. Returns how many call-backs there were: 0 after a time-out, a signal, or
 * loop_wake() alone. */
uint32_t loop_turn(struct loop *loop, int64_t wait_us);
/* From any thread: the turn that is waiting, or else the next one, returns at once. */
void loop_wake(struct loop *loop);

/* Turns that find something begin at least a gap after one another; 0, 0 = no gap (default). A
 * thread that reads thousands of small messages a second then pays for one wake-up per gap instead
 * of one per message; what comes waits at most one gap longer. An idle loop answers the first
 * message at once. The gap is LOOP_PACE_WORK times what a turn has lately worked, within the
 * bounds: so few messages wait shortly, and waking costs a busy loop at most a few percent of a
 * core. */
void loop_pace(struct loop *loop, uint32_t least_us, uint32_t most_us);

struct loop_stats {
    uint64_t turns, events;
};

struct loop_stats loop_stats(const struct loop *loop); /* on the loop's thread */

#endif
