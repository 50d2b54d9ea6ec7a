#include "app/island_files.h"
#include "base/check.h"
#include "os/files.h"
#include "world/archipelago.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
what_to_do(enum err error)
{
    switch ((int)error) {
    case ERR_SHORT: return "the file is cut; make it again with `seom islands import`";
    case ERR_FORMAT: return "damaged, or not an island; make it again with `seom islands import`";
    case ERR_NEWER: return "written by a later version of seom; update this one";
    default: return err_text(error);
    }
}

static enum err
open_one(const char *path, struct island_files *files, char *why, size_t why_bytes)
{
    struct island_entry *entry = &files->entries[files->count];

    enum err error = file_map(path, &entry->bytes);
    if (error == OK) {
        error = island_open(entry->bytes, &entry->island);
        if (error != OK) {
            file_unmap(&entry->bytes);
        }
    }
    if (error != OK) {
        snprintf(why, why_bytes, "%s: %s", path, what_to_do(error));
        return error;
    }
    files->count++;
    return OK;
}

static int
compare_ids(const void *a, const void *b)
{
    const struct island_entry *p = a, *q = b;
    uint32_t p_id = island_id(p->island), q_id = island_id(q->island);
    return (p_id > q_id) - (p_id < q_id);
}

static enum err
open_all(const char *directory, const struct file_list *list, struct island_files *out, char *why,
         size_t why_bytes)
{
    for (uint32_t n = 0; n < list->count; n++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s/%s", directory, list->names[n]);
        if (length < 0 || (size_t)length >= sizeof path) {
            snprintf(why, why_bytes, "%s: the path is too long", directory);
            return ERR_TOO_LARGE;
        }
        enum err error = open_one(path, out, why, why_bytes);
        if (error != OK) {
            return error;
        }
    }
    if (out->count > 0) {
        qsort(out->entries, out->count, sizeof *out->entries, compare_ids);
    }
    for (uint32_t n = 1; n < out->count; n++) {
        uint32_t id = island_id(out->entries[n].island);
        if (id == island_id(out->entries[n - 1].island)) {
            snprintf(why, why_bytes, "%s: two files hold island %u; remove one", directory, id);
            return ERR_EXISTS;
        }
    }
    return OK;
}

static struct island_entry *
room_for(uint32_t count)
{
    struct island_entry *entries = calloc(count > 0 ? count : 1, sizeof *entries);
    CHECK(entries);
    return entries;
}

enum err
island_files_open(const char *path, struct island_files *out, char *why, size_t why_bytes)
{
    struct file_list list;

    *out = (struct island_files){0};
    enum err error = file_list(path, ISLAND_FILES_SUFFIX, &list);
    if (error == ERR_IO) { /* not a directory */
        out->entries = room_for(1);
        error = open_one(path, out, why, why_bytes);
    } else if (error != OK) {
        snprintf(why, why_bytes, "%s: %s", path, err_text(error));
    } else if (list.count > ARCHIPELAGO_ISLANDS_MAX) {
        snprintf(why, why_bytes, "%s: more than %d islands", path, ARCHIPELAGO_ISLANDS_MAX);
        error = ERR_FULL;
        file_list_free(&list);
    } else {
        out->entries = room_for(list.count);
        error = open_all(path, &list, out, why, why_bytes);
        file_list_free(&list);
    }
    if (error != OK) {
        island_files_close(out);
    }
    return error;
}

void
island_files_close(struct island_files *files)
{
    for (uint32_t n = 0; n < files->count; n++) {
        island_close(&files->entries[n].island);
        file_unmap(&files->entries[n].bytes);
    }
    free(files->entries);
    *files = (struct island_files){0};
}

const struct island_entry *
island_files_find(const struct island_files *files, uint32_t id)
{
    for (uint32_t n = 0; n < files->count; n++) {
        if (island_id(files->entries[n].island) == id) {
            return &files->entries[n];
        }
    }
    return NULL;
}

void
island_file_path(char *out, size_t out_bytes, const char *directory, uint32_t id)
{
    int length = snprintf(out, out_bytes, "%s/%u" ISLAND_FILES_SUFFIX, directory, id);
    CHECK(length > 0 && (size_t)length < out_bytes);
}
