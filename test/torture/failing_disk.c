/* Preloaded under a server: while the file $FAILING_DISK is there, nothing can be made durable;
 * with $LYING_DISK nothing is, and the disk says that all is well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int
lies(void)
{
    return getenv("LYING_DISK") != NULL;
}

static int
fails(void)
{
    const char *path = getenv("FAILING_DISK");
    if (path == NULL || access(path, F_OK) != 0)
        return 0;
    errno = EIO;
    return 1;
}

int
fsync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return fails() ? -1 : lies() ? 0 : real(fd);
}

int
fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return fails() ? -1 : lies() ? 0 : real(fd);
}

int
msync(void *at, size_t bytes, int flags)
{
    static int (*real)(void *, size_t, int);
    if (real == NULL)
        real = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
    return fails() ? -1 : lies() ? 0 : real(at, bytes, flags);
}
