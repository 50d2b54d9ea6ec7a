/* Guest ticket: {format u8 = 1, world u16, player u64, issued_s u32, MAC 16 bytes}, 31 bytes. The
 * MAC is keyed BLAKE2b (libsodium crypto_generichash) with the 32-byte key of the data directory,
 * so the same people return after a restart, and nobody can make a ticket for somebody else.
 */
#ifndef SEOM_WIRE_TICKET_H
#define SEOM_WIRE_TICKET_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdint.h>

#define TICKET_BYTES     31
#define TICKET_KEY_BYTES 32

struct ticket {
    uint16_t world;
    uint64_t player;
    uint32_t issued_s; /* world time / 1000 */
};

void ticket_write(const struct ticket *t, const uint8_t key[TICKET_KEY_BYTES],
                  uint8_t out[TICKET_BYTES]);
/* ERR_FORMAT: not a ticket; ERR_DENIED: the MAC does not fit (compared in constant time). */
enum err ticket_read(struct slice bytes, const uint8_t key[TICKET_KEY_BYTES],
                     struct ticket *out) MUST_USE;

#endif
