/* The islands of a world in memory: the shipped ones, those of a directory, or plain squares for
 * benches. Made at start by the command that runs a world, read-only afterwards; any thread may
 * read.
 */
#ifndef SEOM_APP_SEA_H
#define SEOM_APP_SEA_H

#include "app/island_files.h"
#include "world/archipelago.h"
#include "world/island_make.h"

struct sea {
    struct archipelago islands;
    struct island_file *files; /* owned: the bytes the islands lie in */
    uint32_t file_count;
    struct island_files mapped; /* of a directory; the islands lie in its bytes, too */
};

/* directory "": the shipped islands. What is wrong stands in why, with the file's name. */
enum err sea_load(const char *directory, struct sea *out, char *why, size_t why_bytes) MUST_USE;
enum err sea_plain(uint32_t count, int32_t side_mm, struct sea *out) MUST_USE;
void sea_free(struct sea *sea);

#endif
