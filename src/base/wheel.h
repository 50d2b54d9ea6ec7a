/* Timer wheel of intrusive entries at 100 ms steps (the tick): O(1) to set, move and cancel.
 * Entries live in their owners (embedded); the wheel links them. Times beyond one turn wait for the
 * right round. One thread.
 */
#ifndef SEOM_BASE_WHEEL_H
#define SEOM_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS 1024 /* x 100 ms = 102 s a turn */

struct wheel_entry {
    struct wheel_entry *next, **link; /* link NULL = not set */
    int64_t due_tick;
};

struct wheel {
    struct wheel_entry *slots[WHEEL_SLOTS];
    int64_t tick; /* everything due before it was taken; what is due at it is being taken */
    uint32_t count;
};

void wheel_init(struct wheel *w, int64_t tick);
void wheel_set(struct wheel *w, struct wheel_entry *e,
               int64_t due_tick); /* moves it when set; a past tick is due at the next */
void wheel_cancel(struct wheel *w, struct wheel_entry *e); /* fine when not set */
bool wheel_is_set(const struct wheel_entry *e);
/* Takes one entry due at or before tick, unset; NULL when none is left (then the wheel stands at
 * tick). */
struct wheel_entry *wheel_take(struct wheel *w, int64_t tick);

#endif
