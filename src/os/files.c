#include "os/files.h"
#include "base/check.h"
#include "os/os_err.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Closes and says what went wrong before, or at closing. */
static enum err
close_after(int file, enum err error)
{
    if (close(file) != 0 && error == OK) {
        return os_err(errno);
    }
    return error;
}

/* Opens a regular file and tells its size. */
static enum err
open_regular(const char *path, int *file, size_t *bytes)
{
    struct stat status;

    *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
    if (*file < 0) {
        return os_err(errno);
    }
    if (fstat(*file, &status) != 0) {
        return close_after(*file, os_err(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return close_after(*file, ERR_FORMAT);
    }
    *bytes = (size_t)status.st_size;
    return OK;
}

/* Reads up to bytes; *got says how many there were. */
static enum err
read_up_to(int file, uint8_t *at, size_t bytes, size_t *got)
{
    for (*got = 0; *got < bytes;) {
        ssize_t n = read(file, at + *got, bytes - *got);
        if (n == 0) {
            return OK;
        }
        if (n < 0 && errno != EINTR) {
            return os_err(errno);
        }
        *got += n > 0 ? (size_t)n : 0;
    }
    return OK;
}

enum err
file_read(const char *path, size_t bytes_max, struct slice *out)
{
    int file = -1;
    size_t bytes = 0, got = 0;

    enum err error = open_regular(path, &file, &bytes);
    if (error != OK) {
        return error;
    }
    if (bytes > bytes_max) {
        return close_after(file, ERR_TOO_LARGE);
    }
    uint8_t *at = malloc(bytes + 1);
    CHECK(at);
    error = close_after(file, read_up_to(file, at, bytes, &got));
    if (error != OK) {
        free(at);
        return error;
    }
    at[got] = 0;
    *out = (struct slice){.at = at, .bytes = got};
    return OK;
}

enum err
file_map(const char *path, struct slice *out)
{
    int file = -1;
    size_t bytes = 0;

    *out = (struct slice){0};
    enum err error = open_regular(path, &file, &bytes);
    if (error != OK || bytes == 0) { /* nothing cannot be mapped */
        return error != OK ? error : close_after(file, OK);
    }
    void *at = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    error = close_after(file, at == MAP_FAILED ? os_err(errno) : OK);
    if (error == OK) {
        *out = (struct slice){.at = at, .bytes = bytes};
    }
    return error;
}

void
file_unmap(struct slice *bytes)
{
    if (bytes->at) {
        int failed = munmap((void *)(uintptr_t)bytes->at, bytes->bytes);
        CHECK(!failed);
    }
    *bytes = (struct slice){0};
}

static enum err
write_all(int file, struct slice bytes)
{
    while (bytes.bytes > 0) {
        ssize_t n = write(file, bytes.at, bytes.bytes);
        if (n < 0 && errno != EINTR) {
            return os_err(errno);
        }
        if (n > 0) {
            bytes = (struct slice){.at = bytes.at + n, .bytes = bytes.bytes - (size_t)n};
        }
    }
    return OK;
}

/* The name in the directory becomes durable with the directory. */
static enum err
sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;

    snprintf(directory, sizeof directory, "%.*s", slash ? (int)bytes : 1, slash ? path : ".");
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return os_err(errno);
    }
    return close_after(file, fsync(file) != 0 ? os_err(errno) : OK);
}

static enum err
replace(const char *path, struct slice bytes, mode_t mode)
{
    char beside[PATH_MAX];

    int length = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        return ERR_TOO_LARGE;
    }
    int file = mkostemp(beside, O_CLOEXEC);
    if (file < 0) {
        return os_err(errno);
    }
    enum err error = write_all(file, bytes);
    if (error == OK && (fchmod(file, mode) != 0 || fsync(file) != 0)) {
        error = os_err(errno);
    }
    error = close_after(file, error);
    if (error == OK && rename(beside, path) != 0) {
        error = os_err(errno);
    }
    if (error != OK) {
        (void)unlink(beside);
        return error;
    }
    return sync_directory_of(path);
}

enum err
file_replace(const char *path, struct slice bytes)
{
    return replace(path, bytes, 0644);
}

enum err
file_replace_private(const char *path, struct slice bytes)
{
    return replace(path, bytes, 0600);
}

static bool
ends_with(const char *name, const char *suffix)
{
    size_t name_bytes = strlen(name), suffix_bytes = strlen(suffix);
    return name_bytes >= suffix_bytes && strcmp(name + name_bytes - suffix_bytes, suffix) == 0;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the name when it is one of a regular file (or of a link to one) with that suffix. */
static enum err
list_entry(int directory, const char *name, const char *suffix, struct file_list *list)
{
    struct stat status;

    if (!ends_with(name, suffix) || fstatat(directory, name, &status, 0) != 0 ||
        !S_ISREG(status.st_mode)) {
        return OK;
    }
    if (list->count == FILES_LISTED_MAX) {
        return ERR_FULL;
    }
    if ((list->count & (list->count - 1)) == 0) { /* room doubles at powers of two */
        list->names =
            reallocarray(list->names, list->count > 0 ? list->count * 2 : 1, sizeof *list->names);
        CHECK(list->names);
    }
    list->names[list->count] = strdup(name);
    CHECK(list->names[list->count]);
    list->count++;
    return OK;
}

enum err
file_list(const char *directory, const char *suffix, struct file_list *out)
{
    enum err error = OK;

    *out = (struct file_list){0};
    DIR *open_directory = opendir(directory);
    if (!open_directory) {
        return os_err(errno);
    }
    while (error == OK) {
        errno = 0;
        const struct dirent *entry = readdir(open_directory);
        if (!entry) {
            error = errno != 0 ? os_err(errno) : OK;
            break;
        }
        error = list_entry(dirfd(open_directory), entry->d_name, suffix, out);
    }
    (void)closedir(open_directory);
    if (error != OK) {
        file_list_free(out);
        return error;
    }
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    }
    return OK;
}

void
file_list_free(struct file_list *list)
{
    for (uint32_t n = 0; n < list->count; n++) {
        free(list->names[n]);
    }
    free(list->names);
    *list = (struct file_list){0};
}

enum err
directory_make(const char *path)
{
    struct stat status;

    if (mkdir(path, 0755) == 0) {
        return OK;
    }
    int error_number = errno;
    if (error_number == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return OK;
    }
    return os_err(error_number);
}

enum err
directory_make_temporary(const char *parent, const char *name, char *path, size_t path_bytes)
{
    CHECK(name[0] != '\0' && strchr(name, '/') == NULL);
    if (parent == NULL) {
        const char *told = getenv("TMPDIR");
        parent = told != NULL && told[0] != '\0' ? told : "/tmp";
    }
    int bytes = snprintf(path, path_bytes, "%s/seom-%s-XXXXXX", parent, name);
    CHECK(bytes > 0);
    if ((size_t)bytes >= path_bytes) {
        return ERR_TOO_LARGE;
    }
    return mkdtemp(path) != NULL ? OK : os_err(errno);
}
