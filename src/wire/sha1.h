/* SHA-1 (FIPS 180-4), for the WebSocket handshake alone, where RFC 6455 asks for it; it protects
 * nothing. Pure. */
#ifndef SEOM_WIRE_SHA1_H
#define SEOM_WIRE_SHA1_H

#include "base/bytes.h"

#define SHA1_BYTES 20

void sha1(struct slice message, uint8_t out[SHA1_BYTES]);

#endif
