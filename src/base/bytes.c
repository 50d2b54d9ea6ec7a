#include "base/bytes.h"
#include "base/check.h"
#include <string.h>

struct reader
reader_over(const void *at, size_t bytes)
{
    CHECK(at || bytes == 0);
    const uint8_t *start = at;
    return (struct reader){.at = start, .end = start ? start + bytes : start};
}

bool
reader_ok(const struct reader *r)
{
    return !r->failed;
}

size_t
reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next bytes, or NULL. A failed reader stands at its end, so nothing more succeeds by accident.
 */
static const uint8_t *
reader_step(struct reader *r, size_t bytes)
{
    if (r->failed || reader_left(r) < bytes) {
        r->failed = true;
        r->at = r->end;
        return NULL;
    }
    const uint8_t *at = r->at;
    if (bytes > 0)
        r->at += bytes;
    return at;
}

static uint64_t
read_little(struct reader *r, unsigned bytes)
{
    const uint8_t *at = reader_step(r, bytes);
    uint64_t v = 0;
    for (unsigned i = 0; at && i < bytes; i++)
        v |= (uint64_t)at[i] << (8 * i);
    return v;
}

uint8_t
read_u8(struct reader *r)
{
    return (uint8_t)read_little(r, 1);
}

uint16_t
read_u16(struct reader *r)
{
    return (uint16_t)read_little(r, 2);
}

uint32_t
read_u32(struct reader *r)
{
    return (uint32_t)read_little(r, 4);
}

uint64_t
read_u64(struct reader *r)
{
    return read_little(r, 8);
}

int16_t
read_i16(struct reader *r)
{
    return (int16_t)read_u16(r);
}

int32_t
read_i32(struct reader *r)
{
    return (int32_t)read_u32(r);
}

int64_t
read_i64(struct reader *r)
{
    return (int64_t)read_u64(r);
}

uint64_t
read_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *at = reader_step(r, 1);
        if (!at)
            return 0;
        /* The tenth byte holds only bit 63; a last byte of zero adds nothing: one value has one
         * form. */
        bool overlong = (shift == 63 && *at > 1) || (shift > 0 && *at == 0);
        if (overlong)
            break;
        v |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at & 0x80))
            return v;
    }
    r->failed = true;
    r->at = r->end;
    return 0;
}

struct slice
read_bytes(struct reader *r, size_t bytes)
{
    const uint8_t *at = reader_step(r, bytes);
    return (struct slice){.at = at, .bytes = at ? bytes : 0};
}

struct writer
writer_over(void *at, size_t bytes)
{
    CHECK(at || bytes == 0);
    uint8_t *start = at;
    return (struct writer){.start = start, .at = start, .end = start ? start + bytes : start};
}

bool
writer_ok(const struct writer *w)
{
    return !w->failed;
}

size_t
writer_used(const struct writer *w)
{
    return (size_t)(w->at - w->start);
}

size_t
writer_left(const struct writer *w)
{
    return w->failed ? 0 : (size_t)(w->end - w->at);
}

/* Room for so many bytes, or NULL. After the first refusal nothing smaller slips in behind. */
static uint8_t *
writer_step(struct writer *w, size_t bytes)
{
    if (w->failed || (size_t)(w->end - w->at) < bytes) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->at;
    if (bytes > 0)
        w->at += bytes;
    return at;
}

static void
write_little(struct writer *w, uint64_t v, unsigned bytes)
{
    uint8_t *at = writer_step(w, bytes);
    for (unsigned i = 0; at && i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

void
write_u8(struct writer *w, uint8_t v)
{
    write_little(w, v, 1);
}

void
write_u16(struct writer *w, uint16_t v)
{
    write_little(w, v, 2);
}

void
write_u32(struct writer *w, uint32_t v)
{
    write_little(w, v, 4);
}

void
write_u64(struct writer *w, uint64_t v)
{
    write_little(w, v, 8);
}

void
write_i16(struct writer *w, int16_t v)
{
    write_little(w, (uint16_t)v, 2);
}

void
write_i32(struct writer *w, int32_t v)
{
    write_little(w, (uint32_t)v, 4);
}

void
write_i64(struct writer *w, int64_t v)
{
    write_little(w, (uint64_t)v, 8);
}

void
write_varint(struct writer *w, uint64_t v)
{
    uint8_t form[10];
    size_t bytes = 0;
    for (; v >= 0x80; v >>= 7)
        form[bytes++] = (uint8_t)(v | 0x80);
    form[bytes++] = (uint8_t)v;
    write_bytes(w, form, bytes);
}

void
write_bytes(struct writer *w, const void *at, size_t bytes)
{
    uint8_t *to = writer_step(w, bytes);
    if (to && bytes > 0)
        memcpy(to, at, bytes);
}
