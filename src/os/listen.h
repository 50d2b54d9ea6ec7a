/* Listening TCP sockets, with the options that accepted connections inherit from them: no Nagle,
 * SO_SNDBUF 64 KiB, TCP_NOTSENT_LOWAT 16 KiB. So a connection costs a bounded amount of kernel
 * memory, and what its peer does not read stays with us, where newer can replace it.
 *
 * Port 0 takes a free one between 20000 and 30000, below those the kernel uses for outgoing
 * connections. Called at start; no state.
 */
#ifndef SEOM_OS_LISTEN_H
#define SEOM_OS_LISTEN_H

#include "base/err.h"
#include <stdint.h>
#include <sys/socket.h>

#define LISTEN_BACKLOG            4096
#define LISTEN_SEND_BUFFER_BYTES  (64 * 1024)
#define LISTEN_NOT_SENT_LOW_BYTES (16 * 1024)

/* Opens count non-blocking sockets on one address, for as many threads: the kernel spreads new
 * connections over them by a hash (SO_REUSEPORT), so no thread hands sockets to another.
 * ERR_EXISTS: somebody listens there (also when it is another of our own processes), ERR_DENIED,
 * ERR_NOT_FOUND: not an address of this machine, ERR_FULL: no descriptor left. */
enum err listen_open(const struct sockaddr *address, socklen_t address_bytes, uint32_t count,
                     int *fds) MUST_USE;
uint16_t listen_port(int fd);
/* For tests and benches: 127.0.0.1 and a free port. */
enum err listen_loopback(int *fd, uint16_t *port) MUST_USE;

#endif
