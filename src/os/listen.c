#include "os/listen.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define FREE_PORT_FIRST 20000u
#define FREE_PORT_COUNT 10000u

static void
option_set(int fd, int level, int name, int value)
{
    CHECK(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

/* One bound socket; listens when told to. */
static enum err
socket_bind(const struct sockaddr *address, socklen_t address_bytes, bool shared, int *out)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return os_err(errno);
    option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* not held up by closed connections of before */
    if (shared)
        option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    option_set(fd, SOL_SOCKET, SO_SNDBUF, LISTEN_SEND_BUFFER_BYTES / 2); /* the kernel doubles it */
    option_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, LISTEN_NOT_SENT_LOW_BYTES);
    if (bind(fd, address, address_bytes) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        enum err error = os_err(errno);
        close(fd);
        return error;
    }
    *out = fd;
    return OK;
}

/* On a port that is not 0. */
static enum err
port_open(const struct sockaddr *address, socklen_t address_bytes, uint32_t count, int *fds)
{
    if (count == 1)
        return socket_bind(address, address_bytes, false, &fds[0]);
    /* With SO_REUSEPORT another process of ours could join unnoticed and take half of the players:
     * a socket without it finds out first. */
    int probe;
    enum err error = socket_bind(address, address_bytes, false, &probe);
    if (error != OK)
        return error;
    close(probe);
    for (uint32_t i = 0; i < count; i++) {
        error = socket_bind(address, address_bytes, true, &fds[i]);
        if (error != OK) {
            while (i > 0)
                close(fds[--i]);
            return error;
        }
    }
    return OK;
}

static in_port_t *
port_of(struct sockaddr_storage *address)
{
    CHECK(address->ss_family == AF_INET || address->ss_family == AF_INET6);
    return address->ss_family == AF_INET ? &((struct sockaddr_in *)address)->sin_port
                                         : &((struct sockaddr_in6 *)address)->sin6_port;
}

enum err
listen_open(const struct sockaddr *address, socklen_t address_bytes, uint32_t count, int *fds)
{
    CHECK(count > 0);
    struct sockaddr_storage there = {0};
    CHECK(address_bytes <= sizeof(there));
    memcpy(&there, address, address_bytes);
    const struct sockaddr *asked = (const struct sockaddr *)&there;
    if (*port_of(&there) != 0)
        return port_open(asked, address_bytes, count, fds);
    /* Processes begin their search at different places. */
    uint32_t first = (uint32_t)getpid() * 61 % FREE_PORT_COUNT;
    enum err error = ERR_EXISTS;
    for (uint32_t i = 0; i < FREE_PORT_COUNT && error == ERR_EXISTS; i++) {
        *port_of(&there) = htons((uint16_t)(FREE_PORT_FIRST + (first + i) % FREE_PORT_COUNT));
        error = port_open(asked, address_bytes, count, fds);
    }
    return error;
}

uint16_t
listen_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    return ntohs(*port_of(&address));
}

enum err
listen_loopback(int *fd, uint16_t *port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    enum err error = listen_open((const struct sockaddr *)&address, sizeof(address), 1, fd);
    if (error == OK)
        *port = listen_port(*fd);
    return error;
}
