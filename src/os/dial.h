/* Outgoing TCP connections that do not block, many thousands from one machine. To a loopback
 * address they come from 127.0.x.y, DIAL_PER_ADDRESS from each (a source address has 28,000 ports,
 * and looking for a free one gets slow long before they run out); the port is chosen at connect
 * (IP_BIND_ADDRESS_NO_PORT). No state, any thread.
 */
#ifndef SEOM_OS_DIAL_H
#define SEOM_OS_DIAL_H

#include "base/err.h"
#include <stdint.h>
#include <sys/socket.h>

#define DIAL_PER_ADDRESS 4000

/* Begins to connect; number says which of the caller's connections this is (0, 1, 2, ...) and so
 * its source address. TCP_NODELAY is set. OK: *fd is the caller's and becomes writable once it is
 * connected or has failed: then ask dial_result(). ERR_FULL: no descriptor or no port left. */
enum err dial_start(const struct sockaddr *to, socklen_t to_bytes, uint32_t number,
                    int *fd) MUST_USE;
/* OK: connected. ERR_UNAVAILABLE: refused; other errors likewise leave fd to be closed. */
enum err dial_result(int fd) MUST_USE;

#endif
