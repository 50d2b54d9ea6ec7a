#include "app/sea.h"

#include "base/check.h"
#include "world/coast.h"
#include "worlds/shipped_coast.h"
#include <stdio.h>
#include <stdlib.h>

static enum err
take(struct sea *sea, struct island_file *file)
{
    struct island_file *more = realloc(sea->files, (sea->file_count + 1) * sizeof *more);
    CHECK(more != NULL);
    sea->files = more;
    sea->files[sea->file_count++] = *file;
    *file = (struct island_file){0};
    return archipelago_add(&sea->islands, island_file_slice(&sea->files[sea->file_count - 1]));
}

static enum err
shipped(struct sea *out)
{
    struct coast_source source = {.csv = shipped_coast};
    struct coast coast;
    coast_import(&source, &coast);
    CHECK(coast.fault_count == 0 && coast.count > 0);
    for (uint32_t i = 0; i < coast.count; i++) {
        CHECK(take(out, &coast.islands[i].file) == OK);
    }
    coast_fini(&coast);
    return OK;
}

static enum err
of_directory(const char *directory, struct sea *out, char *why, size_t why_bytes)
{
    enum err error = island_files_open(directory, &out->mapped, why, why_bytes);
    if (error == OK && out->mapped.count == 0) {
        snprintf(why, why_bytes, "%s: no islands; make some with `seom islands import`", directory);
        error = ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; error == OK && i < out->mapped.count; i++) {
        error = archipelago_add(&out->islands, out->mapped.entries[i].bytes);
        if (error != OK) {
            snprintf(why, why_bytes, "%s: island %u: %s", directory,
                     island_id(out->mapped.entries[i].island), err_text(error));
        }
    }
    if (error != OK) {
        sea_free(out);
    }
    return error;
}

enum err
sea_load(const char *directory, struct sea *out, char *why, size_t why_bytes)
{
    *out = (struct sea){0};
    archipelago_init(&out->islands);
    if (directory[0] == 0) {
        return shipped(out);
    }
    return of_directory(directory, out, why, why_bytes);
}

enum err
sea_plain(uint32_t count, int32_t side_mm, struct sea *out)
{
    *out = (struct sea){0};
    archipelago_init(&out->islands);
    for (uint32_t i = 0; i < count; i++) {
        struct island_file file;
        enum err e = island_make_plain(i + 1, side_mm, &file);
        e = e == OK ? take(out, &file) : e;
        if (e != OK) {
            sea_free(out);
            return e;
        }
    }
    return OK;
}

void
sea_free(struct sea *sea)
{
    archipelago_fini(&sea->islands);
    island_files_close(&sea->mapped);
    for (uint32_t i = 0; i < sea->file_count; i++) {
        island_file_free(&sea->files[i]);
    }
    free(sea->files);
    *sea = (struct sea){0};
}
