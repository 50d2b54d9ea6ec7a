#include "os/dial.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LAST_BYTES 250u /* 127.0.x.1 to 127.0.x.250 */

static bool
is_loopback(const struct sockaddr *to)
{
    return to->sa_family == AF_INET &&
           ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr) >> 24 == 127;
}

/* Sets where the connection comes from: 127.0.1.1, 127.0.1.2, ... */
static int
source_bind(int fd, uint32_t number)
{
    uint32_t nth = number / DIAL_PER_ADDRESS;
    uint32_t x = 1 + nth / LAST_BYTES % 255, y = 1 + nth % LAST_BYTES;
    const struct sockaddr_in source = {.sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(127U << 24 | x << 8 | y)};
    int yes = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) < 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&source, sizeof(source));
}

enum err
dial_start(const struct sockaddr *to, socklen_t to_bytes, uint32_t number, int *fd)
{
    int s = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return os_err(errno);
    int yes = 1;
    if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
        (is_loopback(to) && source_bind(s, number) < 0) ||
        (connect(s, to, to_bytes) < 0 && errno != EINPROGRESS)) {
        /* No source port left is, for us, just another thing that ran out. */
        enum err error = errno == EADDRNOTAVAIL ? ERR_FULL : os_err(errno);
        close(s);
        return error;
    }
    *fd = s;
    return OK;
}

enum err
dial_result(int fd)
{
    int error;
    socklen_t bytes = sizeof(error);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0);
    return error == 0 ? OK : os_err(error);
}
