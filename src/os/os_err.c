#include "os/os_err.h"
#include <errno.h>

enum err
os_err(int error_number)
{
    switch (error_number) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EAGAIN: return ERR_FULL;
    case EADDRINUSE:
    case EEXIST: return ERR_EXISTS;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EADDRNOTAVAIL:
    case ENODEV:
    case ESRCH:
    case ENOENT: return ERR_NOT_FOUND;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN: return ERR_CLOSED;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOSYS: return ERR_UNAVAILABLE;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case EINVAL:
    case EAFNOSUPPORT: return ERR_RANGE;
    default: return ERR_IO;
    }
}
