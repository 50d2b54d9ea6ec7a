/* A bounded queue between threads in two buffers: senders append to the one that is filling, the
 * taker takes that one whole and leaves the other, empty, in its place. So whoever takes gets
 * everything that waits at once (which is what group commit wants), and the lock is held for a
 * memcpy. Items are opaque bytes, in order.
 *
 * Any number of senders, one taker. Memory: twice the capacity, reserved at init and touched as far
 * as it was ever filled.
 */
#ifndef SEOM_OS_SWAP_QUEUE_H
#define SEOM_OS_SWAP_QUEUE_H

#include "base/bytes.h"
#include "base/err.h"
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct swap_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    uint8_t *filling, *taken; /* owned; capacity bytes each */
    size_t capacity, used;
    struct timespec held_until; /* while held */
    bool held, closed;
};

enum err swap_queue_init(struct swap_queue *q, size_t capacity);
void swap_queue_fini(struct swap_queue *q);
/* Appends the pieces as one item and leaves at least `spare` bytes of room behind it. ERR_FULL: not
 * now; ERR_CLOSED. *was_empty, when given: nothing was waiting before, so the taker may need
 * waking. */
enum err swap_queue_send(struct swap_queue *q, const struct slice *pieces, uint32_t count,
                         size_t spare, bool *was_empty);
/* From now on swap_queue_take_wait() waits until the queue is let go, but not longer than
 * at_most_us, so that what a sender has to say together is taken together. */
void swap_queue_hold(struct swap_queue *q, uint64_t at_most_us);
void swap_queue_let_go(struct swap_queue *q);
/* Everything that waits; valid until the next take. Waits for something; false: closed and empty.
 */
bool swap_queue_take_wait(struct swap_queue *q, struct slice *taken);
bool swap_queue_take(struct swap_queue *q, struct slice *taken); /* false: empty */
void swap_queue_wait_drained(struct swap_queue *q); /* until somebody took, or closed */
void swap_queue_close(struct swap_queue *q);        /* what waits can still be taken */

#endif
