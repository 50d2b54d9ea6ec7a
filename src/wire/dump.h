/* A dump: the bytes of one connection on the player port (TCP framing) as they went over the line,
 * with times; and its text, one line per message and record, in a form that other programs print
 * too (docs/protocol.md, "Dumps").
 *
 * A dump is a row of pieces: {direction u8, mono_us u64, length u32, bytes}, little-endian. The
 * bytes of one direction are a stream: a frame may begin in one piece and end in a later one. Pure;
 * whoever records it writes the file.
 */
#ifndef SEOM_WIRE_DUMP_H
#define SEOM_WIRE_DUMP_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/frame.h"
#include <stdint.h>

#define DUMP_HEAD_BYTES 13
#define DUMP_LINE_MAX   4096 /* bytes of a line, what is longer is cut */

enum dump_direction { DUMP_TO_SERVER = 0, DUMP_TO_CLIENT = 1 };

/* A piece's head, when the bytes are written by somebody else; at most UINT32_MAX bytes. */
void dump_head(enum dump_direction direction, int64_t mono_us, size_t bytes,
               uint8_t out[DUMP_HEAD_BYTES]);
void dump_append(struct writer *w, enum dump_direction direction, int64_t mono_us,
                 struct slice bytes);

/* Where the bytes of frames that are not whole yet wait; about 128 KiB, given by the caller,
 * initialised by dump_text(). */
struct dump_work {
    struct {
        struct framing framing;
        bool over; /* nothing more is read from this direction */
        size_t bytes;
        uint8_t held[FRAME_AFTER_HELLO_MAX + FRAME_HEAD_MAX];
    } ways[2];

    int64_t world_ms, world_at_us; /* the last world time that the server told, and when */
};

/* The whole dump as text; put gets each line without its end. What is malformed within the stream
 * is a line; ERR_FORMAT or ERR_SHORT only when the dump itself is. */
enum err dump_text(struct slice dump, struct dump_work *work,
                   void (*put)(void *ctx, const char *line), void *ctx) MUST_USE;

#endif
