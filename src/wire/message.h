/* The cold messages of proto/seom.proto: a thin, safe layer over protobuf-c for gate and client. A
 * frame is decoded into an arena of fixed size that the caller owns (usually on its stack); what
 * needs more is refused whole. No malloc, no state. What a reader hands out has been checked: every
 * string is UTF-8, every number within the range that the schema's comments name, every sub-message
 * that must be there is there.
 */
#ifndef SEOM_WIRE_MESSAGE_H
#define SEOM_WIRE_MESSAGE_H

#include "base/bytes.h"
#include "base/err.h"
#include "seom.pb-c.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_ARENA_BYTES 12288

/* Holds one decoded message at a time; decoding starts it anew, so it needs no initialisation. */
struct message_arena {
    size_t used;
    bool exhausted;
    _Alignas(max_align_t) uint8_t bytes[MESSAGE_ARENA_BYTES];
};

/* frame: with its leading format byte 0. *out lives in the arena and points nowhere else.
 * ERR_FORMAT: no such message; ERR_RANGE: a number, or a string's length, outside its range;
 * ERR_TOO_LARGE: needs more than the arena; ERR_NOT_FOUND: well formed, but of no kind that is
 * known here (a newer one, or none). */
enum err message_read_client(struct slice frame, struct message_arena *arena,
                             const Seom__ClientMessage **out) MUST_USE;
enum err message_read_server(struct slice frame, struct message_arena *arena,
                             const Seom__ServerMessage **out) MUST_USE;

/* The frame, format byte included; returns its length, 0 when it has more than max bytes. */
size_t message_write_client(const Seom__ClientMessage *message, uint8_t *out, size_t max);
size_t message_write_server(const Seom__ServerMessage *message, uint8_t *out, size_t max);

struct message_move {
    uint32_t move_no;
    uint8_t look;
    struct motion motion;
};

#define MESSAGE_MOVE_BYTES_MAX 64

/* The hot one. Recognises a ClientMessage{move} in the order in which every protobuf library writes
 * it, and says what message_read_client() and message_move_of() would say; anything else, also a
 * move out of range, is ERR_NOT_FOUND and goes the slow way. */
enum err message_read_move(struct slice frame, struct message_move *out) MUST_USE;
size_t message_write_move(const struct message_move *move, uint8_t *out,
                          size_t max); /* as message_write_client */
struct message_move message_move_of(
    const Seom__Move *move); /* of a message that message_read_client() handed out */

struct motion message_motion_of(const Seom__Motion *motion); /* likewise; also of a Welcome */
void message_motion_set(Seom__Motion *out, const struct motion *motion); /* initialises *out */

/* protobuf-c's strings are not const, though packing only reads them. */
static inline char *
message_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

#endif
