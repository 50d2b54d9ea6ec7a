/* Bytes that do not change any more, with a count of who holds them: what was sent to the
 * simulator's engine becomes a document's value, and an answer under way, without being copied
 * again. They come from free lists by size, so that a long history asks malloc for nothing; under
 * the address sanitizer each is a malloc of its own.
 *
 * One thread. A struct blobs must outlive its blobs; memory never shrinks before blobs_fini().
 */
#ifndef SEOM_SIM_BLOB_H
#define SEOM_SIM_BLOB_H

#include "base/bytes.h"
#include <stddef.h>
#include <stdint.h>

#define BLOB_CLASSES     12 /* powers of two from 64 bytes on */
#define BLOB_BYTES_MAX   ((64U << (BLOB_CLASSES - 1)) - sizeof(struct blob))
#define BLOB_CHUNK_BYTES (256U << 10)

struct blob {
    union {
        struct blob *next;   /* while it is free */
        uint64_t references; /* while it is held */
    };

    uint32_t bytes, size_class;
    uint8_t at[];
};

struct blobs {
    struct blob *free[BLOB_CLASSES];
    void *chunks; /* owned; each begins with a pointer to the next */
    uint8_t *rest;
    size_t rest_bytes; /* of the newest chunk, not given out yet */
    uint64_t held;
};

void blobs_init(struct blobs *blobs);
void blobs_fini(struct blobs *blobs); /* CHECKs that nothing is held */
/* Held once. Its bytes are not set. */
struct blob *blob_make(struct blobs *blobs, size_t bytes);
struct blob *blob_copy(struct blobs *blobs, struct slice bytes); /* NULL for none */
struct blob *blob_hold(struct blob *blob);                       /* NULL stays NULL */
void blob_release(struct blobs *blobs, struct blob **blob);      /* nulls it; NULL is fine */
struct slice blob_slice(const struct blob *blob);                /* of NULL: empty */

#endif
