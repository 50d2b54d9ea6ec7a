/* Memory for copies of calls: pieces of six sizes from pools that grow by blocks up to a limit and
 * never shrink. A piece that does not fit its size's pool any more comes from the next larger one.
 * One thread.
 */
#ifndef SEOM_STORE_BUFFERS_H
#define SEOM_STORE_BUFFERS_H

#include "base/err.h"
#include "base/pool.h"
#include <stddef.h>
#include <stdint.h>

#define BUFFERS_SIZES 6

struct buffers {
    struct pool pools[BUFFERS_SIZES];
};

struct buffer {
    void *at;       /* owned; NULL: none */
    uint32_t index; /* in its pool */
    uint8_t size;   /* which pool */
};

/* pieces_max: of the smallest size; of each larger one fewer. */
void buffers_init(struct buffers *buffers, uint32_t pieces_max);
void buffers_fini(struct buffers *buffers);
/* Aligned for anything. ERR_FULL; ERR_TOO_LARGE: larger than the largest size. */
enum err buffers_take(struct buffers *buffers, size_t bytes, struct buffer *out);
void buffers_give(struct buffers *buffers, struct buffer *buffer); /* fine with none */

#endif
