#include "fabric/lane.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

struct lane_block {
    struct lane_block *next;
    uint32_t used;
    uint8_t bytes[LANE_BLOCK_BYTES];
};

void
lane_blocks_init(struct lane_blocks *blocks, uint32_t limit)
{
    CHECK(limit > 0);
    *blocks = (struct lane_blocks){.limit = limit};
}

void
lane_blocks_fini(struct lane_blocks *blocks)
{
    CHECK(blocks->idle == blocks->made);
    while (blocks->free != NULL) {
        struct lane_block *block = blocks->free;
        blocks->free = block->next;
        free(block);
    }
    *blocks = (struct lane_blocks){.limit = 0};
}

static struct lane_block *
block_take(struct lane_blocks *blocks)
{
    struct lane_block *block = blocks->free;
    if (block == NULL) {
        CHECK(blocks->made < blocks->limit); /* lane_put() asked before */
        block = malloc(sizeof *block);
        CHECK(block != NULL);
        blocks->made++;
    } else {
        blocks->free = block->next;
        blocks->idle--;
    }
    block->next = NULL;
    block->used = 0;
    return block;
}

static void
block_give(struct lane_blocks *blocks, struct lane_block *block)
{
    block->next = blocks->free;
    blocks->free = block;
    blocks->idle++;
}

static void
queue_grow(struct lane_queue *queue, struct lane_blocks *blocks)
{
    struct lane_block *block = block_take(blocks);
    if (queue->last == NULL) {
        queue->first = block;
    } else {
        queue->last->next = block;
    }
    queue->last = block;
}

static void
queue_put(struct lane_queue *queue, struct lane_blocks *blocks, const uint8_t *at, size_t n)
{
    while (n > 0) {
        if (queue->last == NULL || queue->last->used == LANE_BLOCK_BYTES) {
            queue_grow(queue, blocks);
        }
        struct lane_block *block = queue->last;
        size_t room = LANE_BLOCK_BYTES - block->used, part = n < room ? n : room;
        memcpy(block->bytes + block->used, at, part);
        block->used += (uint32_t)part;
        queue->bytes += part;
        at += part;
        n -= part;
    }
}

/* The head of a frame never lies across two blocks: it is read again when it goes. */
static void
queue_put_head(struct lane_queue *queue, struct lane_blocks *blocks, size_t body, uint8_t kind)
{
    uint8_t head[LANE_HEAD_BYTES];
    struct writer w = writer_over(head, sizeof head);
    write_u32(&w, (uint32_t)body + 1);
    write_u8(&w, kind);
    if (queue->last != NULL && LANE_BLOCK_BYTES - queue->last->used < LANE_HEAD_BYTES) {
        queue_grow(queue, blocks);
    }
    queue_put(queue, blocks, head, sizeof head);
}

enum err
lane_put(struct lane *lane, struct lane_blocks *blocks, enum lane_class class, uint8_t kind,
         const struct slice *pieces, uint32_t count)
{
    size_t body = 0;
    for (uint32_t i = 0; i < count; i++) {
        body += pieces[i].bytes;
    }
    CHECK(kind > 0 && body < UINT32_MAX - LANE_HEAD_BYTES);
    CHECK((class == LANE_DATA) == ((kind & LANE_DATA_BIT) != 0));
    /* One more for a head that does not fit, one for what is left over of the last block. */
    size_t need = (body + LANE_HEAD_BYTES) / LANE_BLOCK_BYTES + 2;
    bool urgent = class == LANE_URGENT;
    size_t bytes = body + LANE_HEAD_BYTES;
    if (need > blocks->limit - blocks->made + blocks->idle ||
        (urgent && lane->waiting[LANE_URGENT] + bytes > LANE_URGENT_MAX)) {
        return ERR_FULL;
    }
    struct lane_queue *queue = urgent ? &lane->urgent : &lane->queue;
    queue_put_head(queue, blocks, body, kind);
    for (uint32_t i = 0; i < count; i++) {
        queue_put(queue, blocks, pieces[i].at, pieces[i].bytes);
    }
    lane->waiting[class] += bytes;
    return OK;
}

/* Behind the first skip bytes, at most limit of them. */
static uint32_t
queue_gather(const struct lane_queue *queue, size_t skip, size_t limit, struct slice *pieces,
             uint32_t max)
{
    uint32_t count = 0, from = queue->from;
    for (const struct lane_block *b = queue->first; b != NULL && count < max && limit > 0;
         b = b->next) {
        size_t part = b->used - from, past = part < skip ? part : skip;
        skip -= past;
        size_t told = part - past < limit ? part - past : limit;
        if (told > 0) {
            pieces[count++] = (struct slice){b->bytes + from + past, told};
        }
        limit -= told;
        from = 0;
    }
    return count;
}

uint32_t
lane_gather(const struct lane *lane, struct slice *pieces, uint32_t max)
{
    if (lane->urgent.bytes == 0) {
        return queue_gather(&lane->queue, 0, SIZE_MAX, pieces, max);
    }
    /* A frame that was begun ends first. */
    uint32_t count = queue_gather(&lane->queue, 0, lane->queue.left, pieces, max);
    count += queue_gather(&lane->urgent, 0, SIZE_MAX, pieces + count, max - count);
    return count +
           queue_gather(&lane->queue, lane->queue.left, SIZE_MAX, pieces + count, max - count);
}

static void
queue_drop_block(struct lane_queue *queue, struct lane_blocks *blocks)
{
    struct lane_block *block = queue->first;
    queue->first = block->next;
    queue->from = 0;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    block_give(blocks, block);
}

static void
frame_begin(struct lane_queue *queue)
{
    struct reader r = reader_over(queue->first->bytes + queue->from, LANE_HEAD_BYTES);
    queue->begun = read_u32(&r) + (LANE_HEAD_BYTES - 1);
    queue->begun_data = (read_u8(&r) & LANE_DATA_BIT) != 0;
    queue->left = queue->begun;
    CHECK(queue->left >= LANE_HEAD_BYTES && queue->left <= queue->bytes);
}

static void
queue_took(struct lane *lane, struct lane_queue *queue, struct lane_blocks *blocks, size_t n)
{
    CHECK(n <= queue->bytes);
    while (n > 0) {
        if (queue->from == queue->first->used) {
            queue_drop_block(queue, blocks);
        }
        if (queue->left == 0) {
            frame_begin(queue);
        }
        size_t part = queue->first->used - queue->from;
        part = part < n ? part : n;
        part = part < queue->left ? part : queue->left;
        queue->from += (uint32_t)part;
        queue->left -= (uint32_t)part;
        queue->bytes -= part;
        n -= part;
        if (queue->left == 0) {
            enum lane_class class = queue == &lane->urgent ? LANE_URGENT
                                    : queue->begun_data    ? LANE_DATA
                                                           : LANE_CONTROL;
            CHECK(lane->waiting[class] >= queue->begun);
            lane->waiting[class] -= queue->begun;
        }
    }
    if (queue->bytes == 0 && queue->first != NULL) {
        queue_drop_block(queue, blocks);
    }
}

void
lane_took(struct lane *lane, struct lane_blocks *blocks, size_t n)
{
    size_t first = lane->urgent.bytes == 0 ? 0 : lane->queue.left;
    first = first < n ? first : n;
    queue_took(lane, &lane->queue, blocks, first);
    n -= first;
    size_t second = lane->urgent.bytes < n ? lane->urgent.bytes : n;
    queue_took(lane, &lane->urgent, blocks, second);
    queue_took(lane, &lane->queue, blocks, n - second);
}

void
lane_clear(struct lane *lane, struct lane_blocks *blocks)
{
    while (lane->queue.first != NULL) {
        queue_drop_block(&lane->queue, blocks);
    }
    while (lane->urgent.first != NULL) {
        queue_drop_block(&lane->urgent, blocks);
    }
    *lane = (struct lane){.queue = {.first = NULL}};
}
