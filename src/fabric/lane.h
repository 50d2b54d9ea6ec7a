/* What waits to be sent on one line: whole frames in the order of asking, in blocks of a pool that
 * all lanes of a mesh share. Control and data stand in one queue, each counted for itself, because
 * what a message says may rest on one before it (the snapshot of a topic on SUBSCRIBED, SELF on
 * HOME); a data message that finds no room was never queued, so order holds for what is there. What
 * is urgent (beats, questions whether somebody lives) rests on nothing and goes ahead of the queue,
 * at the next end of a frame.
 *
 * A frame on the wire is {u32 bytes of what follows, u8 kind, body}, little-endian. The top bit of
 * the kind says that it is data.
 * One thread, owned by the mesh.
 */
#ifndef SEOM_FABRIC_LANE_H
#define SEOM_FABRIC_LANE_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define LANE_BLOCK_BYTES (16U << 10)
#define LANE_HEAD_BYTES  5           /* of a frame */
#define LANE_DATA_BIT    0x80        /* of a kind */
#define LANE_URGENT_MAX  (64U << 10) /* bytes */

enum lane_class { LANE_CONTROL, LANE_DATA, LANE_URGENT, LANE_CLASSES };

struct lane_block;

struct lane_blocks {
    struct lane_block *free; /* owned, like all that lanes hold */
    uint32_t made, limit, idle;
};

struct lane_queue {
    struct lane_block *first, *last;
    uint32_t from;  /* taken of the first block */
    uint32_t left;  /* of the frame that was begun */
    uint32_t begun; /* its whole size */
    bool begun_data;
    size_t bytes;
};

struct lane {
    struct lane_queue queue, urgent;
    size_t waiting[LANE_CLASSES]; /* bytes of frames that are not wholly sent, heads included */
};

void lane_blocks_init(struct lane_blocks *blocks, uint32_t limit);
void lane_blocks_fini(struct lane_blocks *blocks); /* CHECKs that all came back */

/* Appends one frame of that kind. ERR_FULL: no block is left or too much is urgent; nothing was
 * queued. */
enum err lane_put(struct lane *lane, struct lane_blocks *blocks, enum lane_class class,
                  uint8_t kind, const struct slice *pieces, uint32_t count) MUST_USE;
/* The bytes to send next, at most max pieces. */
uint32_t lane_gather(const struct lane *lane, struct slice *pieces, uint32_t max);
/* The first n of what lane_gather() told were sent. */
void lane_took(struct lane *lane, struct lane_blocks *blocks, size_t n);
void lane_clear(struct lane *lane, struct lane_blocks *blocks);

static inline bool
lane_is_empty(const struct lane *lane)
{
    return lane->queue.bytes == 0 && lane->urgent.bytes == 0;
}

#endif
