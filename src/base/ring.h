/* A bounded ring of messages between exactly one writing and one reading thread. Messages are
 * opaque bytes, whole or not at all, in order. Capacity is a power of two and bounds bytes, headers
 * included. The reader sees each message as one contiguous piece (a message never wraps). Waking
 * the other side is the business of whoever owns the threads: ring_publish tells whether the reader
 * may be asleep.
 */
#ifndef SEOM_BASE_RING_H
#define SEOM_BASE_RING_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct ring; /* cursors of both sides on cache lines of their own */

struct ring *ring_alloc(uint32_t capacity_bytes);
void ring_free(struct ring **ring);
/* Gathers the pieces into one message. ERR_FULL: nothing was written (counted). ERR_TOO_LARGE:
 * never fits (more than half the capacity). A message becomes visible to the reader at
 * ring_publish, so a loop turn wakes the reader once. */
enum err ring_send(struct ring *ring, const struct slice *pieces, uint32_t count);
bool ring_publish(struct ring *ring); /* true: the reader said it would sleep, wake it */
/* The next message, NULL when empty. It stays valid until ring_consume. */
const uint8_t *ring_peek(struct ring *ring, uint32_t *bytes);
void ring_consume(struct ring *ring);
bool ring_sleep(struct ring *ring); /* reader: about to wait; false: do not, there is something */
void ring_awake(struct ring *ring); /* reader: done waiting */
uint32_t ring_depth_bytes(const struct ring *ring); /* either side; a moment's value */
uint64_t ring_full_count(const struct ring *ring);

#endif
