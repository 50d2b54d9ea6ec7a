/* The port through which the nodes of a cluster speak: lines, which are ordered streams of bytes
 * between two nodes. os/lines.h makes them of TCP sockets, sim/lines.h of virtual time with faults.
 * A line is a small index given by the implementor; it is the caller's until close() or the
 * call-back closed(). Nothing blocks; every call-back comes on the thread that owns the env, never
 * out of a call of the port.
 */
#ifndef SEOM_ENV_TRANSPORT_H
#define SEOM_ENV_TRANSPORT_H

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define LINES_MAX        512 /* of one node */
#define LINE_ADDRESS_MAX 64  /* bytes of "host:port" with the 0 */

struct env_transport {
    void *ctx;
    /* Begins to connect; dialled() or closed() follows. ERR_FULL: no line left; ERR_FORMAT: that is
     * no address. */
    enum err (*dial)(void *ctx, const char *address, uint32_t *line) MUST_USE;
    /* One gathered send; *taken bytes went, the rest is still the caller's. ERR_CLOSED: the line is
     * broken, closed() follows. */
    enum err (*send)(void *ctx, uint32_t line, const struct slice *pieces, uint32_t count,
                     size_t *taken) MUST_USE;
    void (*want_writable)(void *ctx, uint32_t line, bool on); /* writable() once there is room */
    void (*close)(void *ctx, uint32_t line);                  /* at once, without closed() */
};

struct transport_events {
    void *ctx;
    void (*dialled)(void *ctx, uint32_t line);  /* connected, as was asked for */
    void (*accepted)(void *ctx, uint32_t line); /* somebody else connected to us */
    void (*received)(void *ctx, uint32_t line, const uint8_t *bytes, size_t n);
    void (*writable)(void *ctx, uint32_t line);
    /* refused: nobody listens there, which says more than silence. */
    void (*closed)(void *ctx, uint32_t line, bool refused);
};

#endif
