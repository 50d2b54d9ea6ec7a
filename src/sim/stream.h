/* A queue of bytes that grows as needed: what is in flight in one direction of a simulated
 * connection. Owned by it; one thread. Whoever puts bounds it.
 */
#ifndef SEOM_SIM_STREAM_H
#define SEOM_SIM_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream {
    uint8_t *bytes; /* owned; of them from..used wait */
    size_t from, used, room;
};

void stream_put(struct stream *s, const uint8_t *bytes, size_t n);
void stream_take(struct stream *s, uint8_t *out, size_t n); /* at most what is left */
size_t stream_left(const struct stream *s);
void stream_clear(struct stream *s); /* keeps the memory */
void stream_fini(struct stream *s);

#endif
