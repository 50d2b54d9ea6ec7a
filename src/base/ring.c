/* Cursors count bytes for ever and are cut to the capacity where they are used. Each message is a
 * header of UNIT bytes that holds its length and then its bytes, padded to UNIT. Where a message
 * would wrap, a header that says SKIP fills the ring to its end and the message starts at the
 * beginning. A SKIP is never published without the message behind it. */
#include "base/ring.h"
#include "base/check.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u
#define UNIT       8u
#define SKIP       UINT32_MAX

struct ring {
    uint32_t capacity; /* these two never change */
    uint8_t *data;     /* owned */

    /* The writer's line. */
    _Alignas(CACHE_LINE) _Atomic uint64_t published; /* the reader may read up to here */
    uint64_t written;                                /* sent, perhaps not yet published */
    uint64_t
        consumed_seen; /* a past value of consumed: asked again only when the ring looks full */
    _Atomic uint64_t full_count;

    /* The reader's line. */
    _Alignas(CACHE_LINE) _Atomic uint64_t consumed; /* the writer may write up to here + capacity */
    uint64_t published_seen;                        /* likewise */

    /* Both touch it, but only when a reader goes to sleep and at each publish. */
    _Alignas(CACHE_LINE) _Atomic bool sleeping;
};

struct ring *
ring_alloc(uint32_t capacity_bytes)
{
    CHECK(capacity_bytes >= 4 * UNIT && (capacity_bytes & (capacity_bytes - 1)) == 0);
    struct ring *ring = aligned_alloc(CACHE_LINE, sizeof(*ring));
    CHECK(ring);
    memset(ring, 0, sizeof(*ring));
    ring->capacity = capacity_bytes;
    ring->data = malloc(capacity_bytes);
    CHECK(ring->data);
    return ring;
}

void
ring_free(struct ring **ring)
{
    if (*ring)
        free((*ring)->data);
    free(*ring);
    *ring = NULL;
}

static uint64_t
message_room(uint64_t bytes)
{
    return UNIT + (bytes + UNIT - 1) / UNIT * UNIT;
}

static uint8_t *
ring_at(const struct ring *ring, uint64_t cursor)
{
    return ring->data + (cursor & (ring->capacity - 1));
}

static void
header_write(struct ring *ring, uint64_t cursor, uint32_t bytes)
{
    memcpy(ring_at(ring, cursor), &bytes, sizeof(bytes));
}

static uint32_t
header_read(const struct ring *ring, uint64_t cursor)
{
    uint32_t bytes;
    memcpy(&bytes, ring_at(ring, cursor), sizeof(bytes));
    return bytes;
}

static uint64_t
bytes_to_end(const struct ring *ring, uint64_t cursor)
{
    return ring->capacity - (cursor & (ring->capacity - 1));
}

static bool
has_room(struct ring *ring, uint64_t room)
{
    if (ring->written + room - ring->consumed_seen <= ring->capacity)
        return true;
    ring->consumed_seen = atomic_load_explicit(&ring->consumed, memory_order_acquire);
    return ring->written + room - ring->consumed_seen <= ring->capacity;
}

enum err
ring_send(struct ring *ring, const struct slice *pieces, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    uint64_t room = message_room(bytes);
    /* A longer one could meet a cursor from which it fits neither before the end nor after it. */
    if (room > ring->capacity / 2)
        return ERR_TOO_LARGE;

    uint64_t to_end = bytes_to_end(ring, ring->written);
    uint64_t skip = to_end < room ? to_end : 0;
    if (!has_room(ring, skip + room)) {
        atomic_fetch_add_explicit(&ring->full_count, 1, memory_order_relaxed);
        return ERR_FULL;
    }
    if (skip > 0)
        header_write(ring, ring->written, SKIP);
    uint64_t start = ring->written + skip;
    header_write(ring, start, (uint32_t)bytes);
    uint8_t *to = ring_at(ring, start + UNIT);
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].bytes > 0)
            memcpy(to, pieces[i].at, pieces[i].bytes);
        to += pieces[i].bytes;
    }
    ring->written = start + room;
    return OK;
}

bool
ring_publish(struct ring *ring)
{
    if (ring->written == atomic_load_explicit(&ring->published, memory_order_relaxed))
        return false;
    /* Sequentially consistent, as in ring_sleep: either the reader sees what is published here, or
     * we see that it sleeps. */
    atomic_store(&ring->published, ring->written);
    return atomic_load(&ring->sleeping) && atomic_exchange(&ring->sleeping, false);
}

/* Own cursor, read without ordering: nobody else writes it. */
static uint64_t
consumed_own(const struct ring *ring)
{
    return atomic_load_explicit(&ring->consumed, memory_order_relaxed);
}

/* Where the next message starts; there is one. */
static uint64_t
message_start(const struct ring *ring, uint64_t consumed)
{
    if (header_read(ring, consumed) == SKIP)
        consumed += bytes_to_end(ring, consumed);
    return consumed;
}

const uint8_t *
ring_peek(struct ring *ring, uint32_t *bytes)
{
    uint64_t consumed = consumed_own(ring);
    if (ring->published_seen == consumed)
        ring->published_seen = atomic_load_explicit(&ring->published, memory_order_acquire);
    if (ring->published_seen == consumed)
        return NULL;
    uint64_t start = message_start(ring, consumed);
    *bytes = header_read(ring, start);
    CHECK(start + message_room(*bytes) <= ring->published_seen);
    return ring_at(ring, start + UNIT);
}

void
ring_consume(struct ring *ring)
{
    uint64_t consumed = consumed_own(ring);
    CHECK(consumed != ring->published_seen); /* peeked before */
    uint64_t start = message_start(ring, consumed);
    uint64_t next = start + message_room(header_read(ring, start));
    atomic_store_explicit(&ring->consumed, next, memory_order_release);
}

bool
ring_sleep(struct ring *ring)
{
    atomic_store(&ring->sleeping, true);
    if (atomic_load(&ring->published) == consumed_own(ring))
        return true;
    atomic_store(&ring->sleeping, false);
    return false;
}

void
ring_awake(struct ring *ring)
{
    atomic_store_explicit(&ring->sleeping, false, memory_order_relaxed);
}

uint32_t
ring_depth_bytes(const struct ring *ring)
{
    /* consumed first: it never passes published, so the difference cannot turn negative. */
    uint64_t consumed = atomic_load_explicit(&ring->consumed, memory_order_acquire);
    uint64_t published = atomic_load_explicit(&ring->published, memory_order_acquire);
    uint64_t depth = published - consumed;
    return depth < ring->capacity ? (uint32_t)depth : ring->capacity;
}

uint64_t
ring_full_count(const struct ring *ring)
{
    return atomic_load_explicit(&ring->full_count, memory_order_relaxed);
}
