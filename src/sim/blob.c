#include "sim/blob.h"
#include "base/check.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#    define SINGLE_MALLOCS 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define SINGLE_MALLOCS 1
#    endif
#endif
#ifndef SINGLE_MALLOCS
#    define SINGLE_MALLOCS 0
#endif

/* In front of the blobs of a chunk, and as aligned as they must be. */
union chunk_head {
    void *next;
    max_align_t aligned;
};

void
blobs_init(struct blobs *blobs)
{
    *blobs = (struct blobs){0};
}

void
blobs_fini(struct blobs *blobs)
{
    CHECK(blobs->held == 0);
    while (blobs->chunks != NULL) {
        union chunk_head *chunk = blobs->chunks;
        blobs->chunks = chunk->next;
        free(chunk);
    }
}

static size_t
class_bytes(uint32_t size_class)
{
    return (size_t)64 << size_class;
}

static uint32_t
class_of(size_t bytes)
{
    uint32_t size_class = 0;
    while (class_bytes(size_class) < bytes)
        size_class++;
    CHECK(size_class < BLOB_CLASSES);
    return size_class;
}

static void *
cut_from_chunk(struct blobs *blobs, size_t bytes)
{
    if (blobs->rest_bytes < bytes) {
        union chunk_head *chunk = malloc(BLOB_CHUNK_BYTES);
        CHECK(chunk != NULL);
        chunk->next = blobs->chunks;
        blobs->chunks = chunk;
        blobs->rest = (uint8_t *)(chunk + 1);
        blobs->rest_bytes = BLOB_CHUNK_BYTES - sizeof *chunk;
    }
    CHECK(bytes <= blobs->rest_bytes);
    void *piece = blobs->rest;
    blobs->rest += bytes;
    blobs->rest_bytes -= bytes;
    return piece;
}

struct blob *
blob_make(struct blobs *blobs, size_t bytes)
{
    CHECK(bytes > 0 && bytes <= BLOB_BYTES_MAX);
    uint32_t size_class = class_of(sizeof(struct blob) + bytes);
    struct blob *blob = blobs->free[size_class];
    if (SINGLE_MALLOCS) {
        blob = malloc(sizeof *blob + bytes);
        CHECK(blob != NULL);
    } else if (blob != NULL) {
        blobs->free[size_class] = blob->next;
    } else {
        blob = cut_from_chunk(blobs, class_bytes(size_class));
    }
    blob->references = 1;
    blob->bytes = (uint32_t)bytes;
    blob->size_class = size_class;
    blobs->held++;
    return blob;
}

struct blob *
blob_copy(struct blobs *blobs, struct slice bytes)
{
    if (bytes.bytes == 0)
        return NULL;
    struct blob *blob = blob_make(blobs, bytes.bytes);
    memcpy(blob->at, bytes.at, bytes.bytes);
    return blob;
}

struct blob *
blob_hold(struct blob *blob)
{
    if (blob != NULL) {
        CHECK(blob->references > 0);
        blob->references++;
    }
    return blob;
}

void
blob_release(struct blobs *blobs, struct blob **blob)
{
    struct blob *b = *blob;
    *blob = NULL;
    if (b == NULL)
        return;
    CHECK(b->references > 0 && blobs->held > 0);
    if (--b->references > 0)
        return;
    blobs->held--;
    if (SINGLE_MALLOCS) {
        free(b);
        return;
    }
    b->next = blobs->free[b->size_class];
    blobs->free[b->size_class] = b;
}

struct slice
blob_slice(const struct blob *blob)
{
    return blob == NULL ? (struct slice){0} : (struct slice){blob->at, blob->bytes};
}
