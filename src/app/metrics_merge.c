#include "app/metrics_merge.h"
#include "base/check.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 96

struct family {
    char name[NAME_MAX_BYTES];
    size_t name_bytes;
    FILE *out;
    char *text; /* owned; of out */
    size_t bytes;
    uint32_t told; /* by which page the lines that begin with # were told */
};

struct metrics_merge {
    uint32_t count, pages;
    uint32_t found; /* the last one that was looked for */
    struct family families[METRICS_MERGE_FAMILIES_MAX];
};

struct metrics_merge *
metrics_merge_alloc(void)
{
    struct metrics_merge *merge = calloc(1, sizeof *merge);
    CHECK(merge != NULL);
    return merge;
}

void
metrics_merge_free(struct metrics_merge **merge)
{
    struct metrics_merge *gone = *merge;
    for (uint32_t i = 0; i < gone->count; i++) {
        fclose(gone->families[i].out);
        free(gone->families[i].text);
    }
    free(gone);
    *merge = NULL;
}

/* Pages of one program have their families in one order: it is mostly the last one, by its second
 * line, or the next. */
static struct family *
family_find(struct metrics_merge *merge, const char *name, size_t bytes)
{
    for (uint32_t i = 0; i < merge->count; i++) {
        uint32_t at = (merge->found + i) % merge->count;
        struct family *f = &merge->families[at];
        if (f->name_bytes == bytes && memcmp(f->name, name, bytes) == 0) {
            merge->found = at;
            return f;
        }
    }
    return NULL;
}

/* NULL: no room for another. */
static struct family *
family_of(struct metrics_merge *merge, const char *name, size_t bytes)
{
    struct family *f = family_find(merge, name, bytes);
    if (f != NULL)
        return f;
    if (merge->count == METRICS_MERGE_FAMILIES_MAX || bytes >= NAME_MAX_BYTES)
        return NULL;
    merge->found = merge->count;
    f = &merge->families[merge->count++];
    memcpy(f->name, name, bytes);
    f->name_bytes = bytes;
    f->told = merge->pages;
    f->out = open_memstream(&f->text, &f->bytes);
    CHECK(f->out != NULL);
    return f;
}

void
metrics_merge_add(struct metrics_merge *merge, const char *text)
{
    struct family *family = NULL;
    merge->pages++;
    for (const char *line = text; *line != 0;) {
        size_t bytes = strcspn(line, "\n");
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            family = family_of(merge, line + 7, strcspn(line + 7, " \n"));
        /* What the family is was said by the first page that had it. */
        if (family != NULL && (line[0] != '#' || family->told == merge->pages))
            CHECK(fwrite(line, 1, bytes, family->out) == bytes && fputc('\n', family->out) == '\n');
        line += bytes + (line[bytes] == '\n');
    }
}

char *
metrics_merge_text(const struct metrics_merge *merge)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    CHECK(out != NULL);
    for (uint32_t i = 0; i < merge->count; i++) {
        CHECK(fflush(merge->families[i].out) == 0);
        fputs(merge->families[i].text, out);
    }
    CHECK(fclose(out) == 0 && text != NULL);
    return text;
}
