/* Whole files, for start-up and tools: reading, mapping, replacing, listing. Everything here blocks
 * on the disk, so no thread that runs a loop calls it after start. Errors are those of os_err();
 * the message for people is the caller's.
 */
#ifndef SEOM_OS_FILES_H
#define SEOM_OS_FILES_H

#include "base/bytes.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define FILES_LISTED_MAX 65536

/* Reads the whole file, at most bytes_max bytes (ERR_TOO_LARGE). A NUL that is not counted follows
 * them. out->at is from malloc() and belongs to the caller. */
enum err file_read(const char *path, size_t bytes_max, struct slice *out) MUST_USE;

/* Maps the whole file read-only; file_unmap() ends it. Its pages are the kernel's cache: many
 * processes share them. */
enum err file_map(const char *path, struct slice *out) MUST_USE;
void file_unmap(struct slice *bytes);

/* Puts a file in place whole or not at all: written beside it, synced, renamed, the directory
 * synced. On failure the old file, if any, still stands. */
enum err file_replace(const char *path, struct slice bytes) MUST_USE;
/* The same for what nobody else may read. */
enum err file_replace_private(const char *path, struct slice bytes) MUST_USE;

/* Names (without the directory) of its regular files that end with suffix, sorted. ERR_FULL: more
 * than FILES_LISTED_MAX. The caller frees the list with file_list_free(). */
struct file_list {
    char **names; /* owned */
    uint32_t count;
};
enum err file_list(const char *directory, const char *suffix, struct file_list *out) MUST_USE;
void file_list_free(struct file_list *list);

/* Makes a directory; fine when it is there already. Its parent must be there. */
enum err directory_make(const char *path) MUST_USE;
/* A new one, seom-<name>-<six letters>, that only its owner may enter, below parent; NULL: below
 * $TMPDIR, or else /tmp. ERR_TOO_LARGE: the path, with the 0, is longer than path_bytes. */
enum err directory_make_temporary(const char *parent, const char *name, char *path,
                                  size_t path_bytes) MUST_USE;

#endif
