#include "os/data_lock.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static long
owner_read(int fd)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static enum err
owner_write(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return ERR_IO;
    return OK;
}

enum err
data_lock_take(const char *directory, int *lock_fd, char *why, size_t why_bytes)
{
    CHECK(directory != NULL && why_bytes > 0);
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_bytes, "cannot make the data directory %s: %s", directory,
                 strerror(errno));
        return ERR_IO;
    }
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/lock", directory) >= sizeof path) {
        snprintf(why, why_bytes, "the path of the data directory is too long");
        return ERR_RANGE;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool taken = errno == EWOULDBLOCK;
        if (taken)
            snprintf(why, why_bytes,
                     "the data directory %s is in use by process %ld: stop it first, or choose "
                     "another directory",
                     directory, owner_read(fd));
        else
            snprintf(why, why_bytes, "cannot lock %s: %s", path, strerror(errno));
        close(fd);
        return taken ? ERR_DENIED : ERR_IO;
    }
    if (owner_write(fd) != OK) {
        snprintf(why, why_bytes, "cannot write %s: %s", path, strerror(errno));
        close(fd);
        return ERR_IO;
    }
    *lock_fd = fd;
    return OK;
}

void
data_lock_release(int lock_fd)
{
    CHECK(lock_fd >= 0);
    close(lock_fd); /* the file stays: taking it away would let two processes lock two files */
}

enum err
data_claim_take(const char *directory, int *claim_fd)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return os_err(errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum err error = errno == EWOULDBLOCK ? ERR_EXISTS : os_err(errno);
        close(fd);
        return error;
    }
    *claim_fd = fd;
    return OK;
}

void
data_claim_release(int claim_fd)
{
    CHECK(claim_fd >= 0);
    close(claim_fd);
}

bool
data_lock_is_ours(const char *directory)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/lock", directory) >= sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* Only who finds his own number there tries the lock: nobody else's start is disturbed by it.
     */
    bool ours = owner_read(fd) == (long)getpid() && flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return ours;
}
