/* Bytes with a length, and a reader and a writer over them. All integers are little-endian.
 * A reader that ran past its end answers zeroes and remembers it: read a whole structure, then ask
 * reader_ok() once. A writer that ran out of room writes nothing more and remembers that likewise.
 */
#ifndef SEOM_BASE_BYTES_H
#define SEOM_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *at; /* borrowed */
    size_t bytes;
};

struct reader {
    const uint8_t *at, *end; /* borrowed */
    bool failed;
};

struct writer {
    uint8_t *start, *at, *end; /* borrowed */
    bool failed;
};

struct reader reader_over(const void *at, size_t bytes);
bool reader_ok(const struct reader *r); /* nothing was read past the end */
size_t reader_left(const struct reader *r);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
int16_t read_i16(struct reader *r);
int32_t read_i32(struct reader *r);
int64_t read_i64(struct reader *r);
uint64_t read_varint(struct reader *r); /* LEB128, at most 10 bytes; overlong fails */
struct slice read_bytes(struct reader *r, size_t bytes); /* points into the reader's bytes */

struct writer writer_over(void *at, size_t bytes);
bool writer_ok(const struct writer *w);
size_t writer_used(const struct writer *w);
size_t writer_left(const struct writer *w);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_i16(struct writer *w, int16_t v);
void write_i32(struct writer *w, int32_t v);
void write_i64(struct writer *w, int64_t v);
void write_varint(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, const void *at, size_t bytes);

#endif
