#include "wire/sha1.h"
#include <string.h>

#define BLOCK_BYTES 64

static uint32_t
rotate(uint32_t v, unsigned bits)
{
    return v << bits | v >> (32 - bits);
}

static uint32_t
load_big_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void
mix_block(uint32_t h[5], const uint8_t block[BLOCK_BYTES])
{
    uint32_t w[80];
    for (unsigned t = 0; t < 80; t++) {
        w[t] = t < 16 ? load_big_u32(block + (size_t)4 * t)
                      : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned t = 0; t < 80; t++) {
        uint32_t f, k;
        if (t < 20) {
            f = (b & c) | (~b & d), k = 0x5a827999;
        } else if (t < 40) {
            f = b ^ c ^ d, k = 0x6ed9eba1;
        } else if (t < 60) {
            f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d, k = 0xca62c1d6;
        }
        uint32_t next = rotate(a, 5) + f + e + k + w[t];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void
sha1(struct slice message, uint8_t out[SHA1_BYTES])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t whole = message.bytes - message.bytes % BLOCK_BYTES, rest = message.bytes - whole;
    for (size_t i = 0; i < whole; i += BLOCK_BYTES) {
        mix_block(h, message.at + i);
    }
    /* The rest, a one bit, zeroes, and the length in bits as 64 bit big-endian at the end of a
     * block. */
    uint8_t tail[2 * BLOCK_BYTES] = {0};
    size_t tail_bytes = rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : sizeof tail;
    if (rest > 0) {
        memcpy(tail, message.at + whole, rest);
    }
    tail[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++) {
        tail[tail_bytes - 1 - i] = (uint8_t)((uint64_t)message.bytes * 8 >> 8 * i);
    }
    for (size_t i = 0; i < tail_bytes; i += BLOCK_BYTES) {
        mix_block(h, tail + i);
    }
    for (unsigned i = 0; i < SHA1_BYTES; i++) {
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    }
}
