/* Framing on the player port: TCP (u32 length, then the frame) and WebSocket (RFC 6455, binary
 * messages) on one port, told apart by the first four bytes ("GET "). A frame's first byte is its
 * format: 0 = a protobuf message (ClientMessage one way, ServerMessage the other), 1 = a batch of
 * format 1 (server to client only). Pure: bytes in, frames out; sockets are somebody else's.
 */
#ifndef SEOM_WIRE_FRAME_H
#define SEOM_WIRE_FRAME_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define FRAME_FORMAT_MESSAGE   0
#define FRAME_FORMAT_BATCH     1
#define FRAME_BEFORE_HELLO_MAX 1024 /* bytes of a frame */
#define FRAME_AFTER_HELLO_MAX  65536
#define FRAME_HEAD_MAX         16   /* room that frame_head() needs */
#define FRAME_HANDSHAKE_MAX    2048 /* bytes of a WebSocket handshake */
#define FRAME_REPLY_MAX        256

enum frame_kind { FRAME_UNDECIDED, FRAME_TCP, FRAME_WEBSOCKET_HANDSHAKE, FRAME_WEBSOCKET };

/* State of one direction of one connection; embedded in its owner; holds no memory of its own:
 * fragments of a WebSocket message are put together where they lie, at the start of the owner's
 * bytes. */
struct framing {
    enum frame_kind kind;
    uint32_t frame_max; /* FRAME_BEFORE_HELLO_MAX until the owner raises it */
    bool closing;       /* a close frame came */
    bool fragmented;    /* the bytes begin with `gap` spent, then `held` unmasked ones */
    uint32_t gap, held;
};

/* What the decoder found at the start of the bytes. */
enum framing_event {
    FRAMING_NEED_MORE, /* nothing whole yet; *used = 0 */
    FRAMING_FRAME,     /* *frame = one whole frame (unmasked in place) */
    FRAMING_REPLY,  /* *frame = bytes that must be sent back verbatim (handshake answer, pong): in
                       reply buffer; may be none (a pong of the peer) */
    FRAMING_CLOSED, /* the peer said good-bye properly; *frame = the close frame to send back */
    FRAMING_BAD,    /* malformed */
    FRAMING_TOO_LARGE, /* a frame or the handshake is larger than allowed */
};

void framing_init(struct framing *f);
/* Looks at bytes[0..n): one event, *used bytes of input are done with (always > 0 unless NEED_MORE,
 * BAD, TOO_LARGE). After NEED_MORE come again with the same bytes and more behind them. A frame is
 * complete or refused within frame_max + FRAME_HEAD_MAX bytes, a handshake within
 * FRAME_HANDSHAKE_MAX: a buffer of that size suffices. A fragmented WebSocket message counts with
 * all heads and control frames in between. */
enum framing_event framing_next(struct framing *f, uint8_t *bytes, size_t n, size_t *used,
                                struct slice *frame, uint8_t reply[FRAME_REPLY_MAX]);
/* Head for a frame of frame_bytes bytes from server to client; written to out, returns its size. */
size_t frame_head(enum frame_kind kind, size_t frame_bytes, uint8_t out[FRAME_HEAD_MAX]);
/* The WebSocket close frame with a status of RFC 6455 7.4; 0 bytes on TCP, which has none. */
size_t frame_close(enum frame_kind kind, uint16_t status, uint8_t out[FRAME_HEAD_MAX]);

/* Client side of the WebSocket handshake is the browser's; the C client speaks TCP framing. */

#endif
