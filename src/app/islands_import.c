/* `seom islands import`: a coast of rings becomes a directory of island files. An import over an
 * earlier one keeps the ids of the islands that are still there; what is no longer in the coast
 * keeps its file, as people may stand on it.
 */
#include "app/commands.h"
#include "app/island_files.h"
#include "app/output.h"
#include "base/check.h"
#include "os/files.h"
#include "world/coast.h"
#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSV_BYTES_MAX (UINT32_C(1) << 29)
#define PATH_ROOM     64 /* for "/<id>.island" behind the directory */

/* Ids are never given out twice, also not when an island's file was removed: this file remembers
 * the next one. */
#define NEXT_ID_FILE "next_id"

struct options {
    const char *csv, *out;
    bool force;
};

/* What became of an island of the coast. */
enum fate { FATE_NEW, FATE_SAME, FATE_CHANGED, FATE_REFUSED, FATE_COUNT };

static const char *const fate_names[FATE_COUNT] = {"new", "unchanged", "changed", "refused"};

struct import {
    const struct options *options;
    struct island_files before;
    struct coast coast;
    enum fate *fates; /* owned; of coast.islands */
    uint32_t counts[FATE_COUNT];
    uint64_t file_bytes, tiles;
    double area_m2;
};

static enum err
read_next_id(const char *directory, uint32_t *next_id)
{
    char path[PATH_MAX + PATH_ROOM], *end;
    struct slice text;

    *next_id = 1;
    snprintf(path, sizeof path, "%s/" NEXT_ID_FILE, directory);
    enum err error = file_read(path, 32, &text);
    if (error == ERR_NOT_FOUND) {
        return OK;
    }
    if (error != OK) {
        return error;
    }
    unsigned long long id = strtoull((const char *)text.at, &end, 10);
    bool fine = text.bytes > 0 && *end == '\n' && id > 0 && id < UINT32_MAX;
    free((void *)(uintptr_t)text.at);
    *next_id = fine ? (uint32_t)id : 1;
    return fine ? OK : ERR_FORMAT;
}

static enum err
write_next_id(const char *directory, uint32_t next_id)
{
    char path[PATH_MAX + PATH_ROOM], text[32];

    snprintf(path, sizeof path, "%s/" NEXT_ID_FILE, directory);
    int bytes = snprintf(text, sizeof text, "%u\n", next_id);
    return file_replace(path, (struct slice){.at = (const uint8_t *)text, .bytes = (size_t)bytes});
}

static void
tell_progress(void *ctx, uint32_t done, uint32_t count)
{
    (void)ctx;
    if (done == count || done % 200 == 0) {
        output_progress("%u of %u islands", done, count);
    }
}

/* Reads the coast in the light of what the directory holds. */
static enum err
make_islands(struct import *i, char *why, size_t why_bytes)
{
    struct slice csv;
    uint32_t next_id;

    enum err error = file_read(i->options->csv, CSV_BYTES_MAX, &csv);
    if (error != OK) {
        snprintf(why, why_bytes, "%s: %s", i->options->csv, err_text(error));
        return error;
    }
    error = read_next_id(i->options->out, &next_id);
    if (error != OK) {
        snprintf(why, why_bytes, "%s/" NEXT_ID_FILE ": %s; it should hold the next free id",
                 i->options->out, err_text(error));
        free((void *)(uintptr_t)csv.at);
        return error;
    }
    struct coast_known *known = calloc(i->before.count + 1, sizeof *known);
    CHECK(known);
    for (uint32_t n = 0; n < i->before.count; n++) {
        known[n] = coast_known_of(i->before.entries[n].island);
    }
    const struct coast_source source = {.csv = csv,
                                        .known = known,
                                        .known_count = i->before.count,
                                        .next_id = next_id,
                                        .progress = tell_progress};
    coast_import(&source, &i->coast);
    free(known);
    free((void *)(uintptr_t)csv.at);
    return OK;
}

static enum fate
fate_of(const struct import *i, const struct coast_island *made)
{
    const struct island_entry *before = island_files_find(&i->before, made->id);
    if (!before) {
        return FATE_NEW;
    }
    if (before->bytes.bytes == made->file.bytes &&
        memcmp(before->bytes.at, made->file.at, made->file.bytes) == 0) {
        return FATE_SAME;
    }
    return i->options->force ? FATE_CHANGED : FATE_REFUSED;
}

/* The ids are noted before the first file that uses one. */
static enum err
write_islands(struct import *i, char *why, size_t why_bytes)
{
    enum err error = write_next_id(i->options->out, i->coast.next_id);

    if (error != OK) {
        snprintf(why, why_bytes, "%s: %s", i->options->out, err_text(error));
        return error;
    }
    i->fates = calloc(i->coast.count + 1, sizeof *i->fates);
    CHECK(i->fates);
    for (uint32_t n = 0; n < i->coast.count; n++) {
        const struct coast_island *made = &i->coast.islands[n];
        char path[PATH_MAX + PATH_ROOM];
        i->fates[n] = fate_of(i, made);
        i->counts[i->fates[n]]++;
        if (i->fates[n] == FATE_REFUSED) {
            continue;
        }
        island_file_path(path, sizeof path, i->options->out, made->id);
        if (i->fates[n] != FATE_SAME) {
            error = file_replace(path, island_file_slice(&made->file));
            if (error != OK) {
                snprintf(why, why_bytes, "%s: %s", path, err_text(error));
                return error;
            }
        }
        i->area_m2 += made->area_m2;
        i->tiles += made->land_tiles;
        i->file_bytes += made->file.bytes;
    }
    return OK;
}

static void
print_table(const struct import *i)
{
    static const struct output_column columns[] = {
        {"id", true},    {"in file", true}, {"row", true}, {"km2", true},
        {"tiles", true}, {"bytes", true},   {"", false}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof *columns);

    for (uint32_t n = 0; n < i->coast.count; n++) {
        const struct coast_island *made = &i->coast.islands[n];
        output_table_cell(table, "%u", made->id);
        output_table_cell(table, "%u", made->number);
        output_table_cell(table, "%u", made->row);
        output_table_cell(table, "%.4f", made->area_m2 / 1e6);
        output_table_cell(table, "%llu", (unsigned long long)made->land_tiles);
        output_table_cell(table, "%zu", made->file.bytes);
        output_table_cell(table, "%s", fate_names[i->fates[n]]);
    }
    output_table_print(table, stderr);
    output_table_free(&table);
}

static void
print_faults(const struct import *i)
{
    const struct coast *coast = &i->coast;

    for (uint32_t n = 0; n < coast->fault_count && n < COAST_FAULTS_KEPT; n++) {
        output_progress("%s:%u: %s", i->options->csv, coast->faults[n].row, coast->faults[n].text);
    }
    if (coast->fault_count > COAST_FAULTS_KEPT) {
        output_progress("... and %u more", coast->fault_count - COAST_FAULTS_KEPT);
    }
    if (i->counts[FATE_REFUSED] > 0) {
        output_progress("%u islands are there already with other land, and somebody may stand on "
                        "it: they were left as "
                        "they are; --force changes them",
                        i->counts[FATE_REFUSED]);
    }
}

static int
print_result(const struct import *i)
{
    uint32_t refused = i->coast.refused_count + i->counts[FATE_REFUSED];
    uint32_t islands = i->coast.count - i->counts[FATE_REFUSED];

    print_table(i);
    print_faults(i);
    output_progress("%u islands, %.2f km2 of land, in %s", islands, i->area_m2 / 1e6,
                    i->options->out);
    json_t *object = json_pack(
        "{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "islands", (json_int_t)islands, "area_km2",
        i->area_m2 / 1e6, "tiles", (json_int_t)i->tiles, "files_bytes", (json_int_t)i->file_bytes,
        "refused", (json_int_t)refused, "faults", (json_int_t)i->coast.fault_count, "new",
        (json_int_t)i->counts[FATE_NEW], "changed", (json_int_t)i->counts[FATE_CHANGED]);
    int code = output_result(&object);
    return refused > 0 || i->coast.fault_count > 0 ? 1 : code;
}

static error_t
parse_option(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'o': options->out = argument; return 0;
    case 'f': options->force = true; return 0;
    case ARGP_KEY_ARG:
        if (options->csv) {
            argp_error(state, "one coast at a time: '%s' is too many", argument);
        }
        options->csv = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->csv || !options->out) {
            argp_error(state, "%s", options->csv ? "--out DIR is missing" : "which CSV file?");
        } else if (strlen(options->out) >= PATH_MAX) {
            argp_error(state, "--out is too long");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int
islands_import_command(int argc, char **argv)
{
    static const struct argp_option argp_options[] = {
        {"out", 'o', "DIR", 0, "directory of the island files; made when it is not there", 0},
        {"force", 'f', NULL, 0, "also change the land of islands that are there already", 0},
        {0}};
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse_option,
        .args_doc = "CSV",
        .doc = "Make island files out of coast rings (island,seq,x_m,y_m in metres).\v"
               "Exit code 1 when something was refused; the others are written all the same.",
    };
    struct options options = {0};
    struct import import = {.options = &options};
    char why[ISLAND_FILES_WHY_MAX + PATH_MAX];

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    int code = 1;
    enum err error = directory_make(options.out);
    if (error != OK) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], options.out, err_text(error));
        return code;
    }
    error = island_files_open(options.out, &import.before, why, sizeof why);
    if (error == OK) {
        error = make_islands(&import, why, sizeof why);
    }
    if (error == OK) {
        error = write_islands(&import, why, sizeof why);
    }
    if (error == OK) {
        code = print_result(&import);
    } else {
        fprintf(stderr, "%s: %s\n", argv[0], why);
    }
    free(import.fates);
    coast_fini(&import.coast);
    island_files_close(&import.before);
    return code;
}
