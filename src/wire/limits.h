/* The numbers of the player port, in one place. docs/protocol.md tells them to people who write
 * clients, Welcome tells those that a client must keep.
 */
#ifndef SEOM_WIRE_LIMITS_H
#define SEOM_WIRE_LIMITS_H

#include <stdint.h>

#define PROTOCOL_MIN 1
#define PROTOCOL_MAX 1

#define HELLO_DEADLINE_MS \
    5000 /* from connecting to a whole Hello, the WebSocket handshake included */
#define SILENCE_MAX_MS \
    15000 /* without a whole frame from the client, or without room in its socket */
#define MESSAGES_PER_S        30
#define MESSAGES_BURST        60
#define BYTES_PER_S           32768
#define BYTES_BURST           65536 /* one frame of the largest size must fit */
#define BEFORE_HELLO_BYTES    4096  /* memory of a connection before its hello */
#define CLIENT_NAME_BYTES_MAX 64
#define TICKET_BYTES_MAX      64 /* of any format, now and later */
#define COMMAND_BYTES_MAX     2048
#define RESULT_BYTES_MAX      256
#define SHOWN_BYTES_MAX       8192 /* of a view: the largest is a full inbox with its names */
#define NAME_BYTES_MAX        64
#define GATES_MAX             8
#define GATE_BYTES_MAX        64
#define SPEEDS_MAX            16
#define CHANNEL_WORLD         1 /* of Say: the whole world hears it; 0: whoever is near */
#define WORLD_MS_MAX          ((INT64_C(1) << 53) - 1) /* a browser's numbers are whole up to here */

#endif
