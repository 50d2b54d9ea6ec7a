/* Little-endian numbers at a place in memory, and room in a writer by the piece: for the codecs of
 * this room, where a record is written with one look at the writer's end instead of one per field.
 * Pure, inline, no state.
 */
#ifndef SEOM_WIRE_LITTLE_H
#define SEOM_WIRE_LITTLE_H

#include "base/bytes.h"
#include <stddef.h>
#include <stdint.h>

static inline uint16_t
load_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (uint16_t)at[1] << 8);
}

static inline uint32_t
load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t
load_u64(const uint8_t *at)
{
    return (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

static inline void
store_u16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

static inline void
store_u32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
    at[2] = (uint8_t)(v >> 16);
    at[3] = (uint8_t)(v >> 24);
}

static inline void
store_u64(uint8_t *at, uint64_t v)
{
    store_u32(at, (uint32_t)v);
    store_u32(at + 4, (uint32_t)(v >> 32));
}

/* Room for a whole piece, or NULL and a writer that remembers it. */
static inline uint8_t *
writer_room(struct writer *w, size_t bytes)
{
    if (w->failed || (size_t)(w->end - w->at) < bytes) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->at;
    w->at += bytes;
    return at;
}

/* LEB128: least significant seven bits first. Returns the bytes written, 1 .. 10. */
static inline size_t
store_varint(uint8_t at[10], uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        at[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (uint8_t)v;
    return n;
}

/* Returns the bytes read, 0 when there is no whole varint before end or it does not fit 64 bits. */
static inline size_t
load_varint(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t n = 0; n < 10 && at + n < end; n++) {
        v |= (uint64_t)(at[n] & 0x7f) << (7 * n);
        if (at[n] < 0x80) {
            if (n == 9 && at[n] > 1) {
                return 0;
            }
            *out = v;
            return n + 1;
        }
    }
    return 0;
}

#endif
