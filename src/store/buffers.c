#include "store/buffers.h"
#include "base/check.h"

/* The largest holds 64 documents of 16 KiB with their keys. For each size also how many times fewer
 * of it there are than of the smallest, and how many make a block. */
static const struct size {
    uint32_t bytes, fewer, block;
} sizes[BUFFERS_SIZES] = {
    {512, 1, 64}, {2048, 1, 16}, {8192, 4, 8}, {20480, 8, 4}, {131072, 64, 1}, {1310720, 512, 1},
};

void
buffers_init(struct buffers *buffers, uint32_t pieces_max)
{
    CHECK(pieces_max > 0);
    for (uint32_t i = 0; i < BUFFERS_SIZES; i++) {
        uint32_t limit = pieces_max / sizes[i].fewer;
        pool_init(&buffers->pools[i], sizes[i].bytes, limit > 4 ? limit : 4, sizes[i].block);
    }
}

void
buffers_fini(struct buffers *buffers)
{
    for (uint32_t i = 0; i < BUFFERS_SIZES; i++)
        pool_fini(&buffers->pools[i]);
}

enum err
buffers_take(struct buffers *buffers, size_t bytes, struct buffer *out)
{
    *out = (struct buffer){0};
    if (bytes > sizes[BUFFERS_SIZES - 1].bytes)
        return ERR_TOO_LARGE;
    for (uint8_t i = 0; i < BUFFERS_SIZES; i++) {
        uint32_t index;
        if (bytes > sizes[i].bytes || pool_take(&buffers->pools[i], &index) != OK)
            continue;
        *out = (struct buffer){pool_at(&buffers->pools[i], index), index, i};
        return OK;
    }
    return ERR_FULL;
}

void
buffers_give(struct buffers *buffers, struct buffer *buffer)
{
    if (buffer->at == NULL)
        return;
    CHECK(buffer->size < BUFFERS_SIZES);
    pool_give(&buffers->pools[buffer->size], buffer->index);
    *buffer = (struct buffer){0};
}
