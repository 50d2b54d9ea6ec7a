/* Memory for one document while it is read or written: protobuf-c's allocator over a fixed buffer
 * that is forgotten as a whole. A document that needs more than the buffer is refused, it never
 * takes memory from elsewhere. Not kept beyond a call.
 */
#ifndef SEOM_STORE_SCRATCH_H
#define SEOM_STORE_SCRATCH_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define SCRATCH_BYTES 65536 /* four times the largest document */

struct scratch {
    ProtobufCAllocator allocator; /* give this to protobuf-c */
    size_t used;
    _Alignas(max_align_t) uint8_t bytes[SCRATCH_BYTES];
};

void scratch_init(
    struct scratch *scratch); /* also forgets everything; the struct must not be moved afterwards */

#endif
