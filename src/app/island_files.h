/* The island files of a directory, mapped and opened: for commands and for the start of a world.
 * Owned by whoever opened them; read-only. At most ARCHIPELAGO_ISLANDS_MAX files.
 */
#ifndef SEOM_APP_ISLAND_FILES_H
#define SEOM_APP_ISLAND_FILES_H

#include "base/bytes.h"
#include "base/err.h"
#include "world/island.h"
#include <stddef.h>
#include <stdint.h>

#define ISLAND_FILES_SUFFIX  ".island"
#define ISLAND_FILES_WHY_MAX 512

struct island_entry {
    struct slice bytes; /* mapped */
    struct island *island;
};

struct island_files {
    struct island_entry *entries; /* owned; by growing id */
    uint32_t count;
};

/* Opens all *.island of a directory, or one file. On failure nothing is open and why names the file
 * and what to do. */
enum err island_files_open(const char *path, struct island_files *out, char *why,
                           size_t why_bytes) MUST_USE;
void island_files_close(struct island_files *files);

const struct island_entry *island_files_find(const struct island_files *files,
                                             uint32_t id); /* NULL: not there */

/* The file of an island in a directory; CHECKs that it fits. */
void island_file_path(char *out, size_t out_bytes, const char *directory, uint32_t id);

#endif
