/* `seom islands show`: what is in island files. A table of all, or one island with its picture. */
#include "app/commands.h"
#include "app/island_files.h"
#include "app/island_picture.h"
#include "app/output.h"
#include "base/check.h"
#include "world/coast.h"
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* The picture fits a terminal of the usual size when nobody knows the size. */
#define COLUMNS_DEFAULT 79
#define COLUMNS_MAX     160
#define LINES_DEFAULT   20
#define LINES_MAX       60
#define LINES_AROUND    5 /* table and legend */

struct options {
    const char *path;
    uint32_t id; /* 0 = all */
    bool map;
};

static void
print_picture(const struct island_entry *entries, uint32_t count)
{
    struct winsize size = {0};
    uint32_t columns = COLUMNS_DEFAULT, lines = LINES_DEFAULT;

    if (ioctl(fileno(stderr), TIOCGWINSZ, &size) == 0 && size.ws_col > 10 &&
        size.ws_row > 2 * LINES_AROUND) {
        columns = size.ws_col <= COLUMNS_MAX ? size.ws_col - 1U : COLUMNS_MAX;
        lines = size.ws_row <= LINES_MAX ? size.ws_row - LINES_AROUND : LINES_MAX;
    }
    island_picture(entries, count, columns, lines, stderr);
}

static json_t *
island_object(const struct island_entry *entry)
{
    const struct island *island = entry->island;
    struct place anchor = island_anchor_m(island), harbour = island_harbour(island);

    return json_pack(
        "{s:I, s:s, s:f, s:I, s:i, s:i, s:I, s:i, s:i, s:[i,i], s:I, s:I}", "id",
        (json_int_t)island_id(island), "name", island_name(island), "area_km2",
        coast_known_of(island).area_m2 / 1e6, "tiles", (json_int_t)island_land_tiles(island),
        "columns", (int)island_columns(island), "rows", (int)island_rows(island), "land_chunks",
        (json_int_t)island_land_chunks(island), "x_m", anchor.x_mm, "y_m", anchor.y_mm, "harbour",
        harbour.x_mm, harbour.y_mm, "file_bytes", (json_int_t)entry->bytes.bytes, "memory_bytes",
        (json_int_t)island_memory_bytes(island));
}

static void
print_table(const struct island_entry *entries, uint32_t count)
{
    static const struct output_column columns[] = {
        {"id", true},  {"name", false}, {"km2", true},       {"tiles", true}, {"chunks", true},
        {"x m", true}, {"y m", true},   {"harbour m", true}, {"bytes", true}, {"opened", true},
    };
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof *columns);

    for (uint32_t n = 0; n < count; n++) {
        const struct island *island = entries[n].island;
        struct place anchor = island_anchor_m(island), harbour = island_harbour(island);
        output_table_cell(table, "%u", island_id(island));
        output_table_cell(table, "%s", island_name(island));
        output_table_cell(table, "%.4f", coast_known_of(island).area_m2 / 1e6);
        output_table_cell(table, "%llu", (unsigned long long)island_land_tiles(island));
        output_table_cell(table, "%u", island_land_chunks(island));
        output_table_cell(table, "%d", anchor.x_mm); /* metres, island.h says */
        output_table_cell(table, "%d", anchor.y_mm);
        output_table_cell(table, "%d,%d", harbour.x_mm / 1000, harbour.y_mm / 1000);
        output_table_cell(table, "%zu", entries[n].bytes.bytes);
        output_table_cell(table, "%llu", (unsigned long long)island_memory_bytes(island));
    }
    output_table_print(table, stderr);
    output_table_free(&table);
}

static int
print_one(const struct island_entry *entry)
{
    const struct island *island = entry->island;

    print_table(entry, 1);
    print_picture(entry, 1);
    output_progress("@ harbour; %.2f km from west to east",
                    island_columns(island) * (CHUNK_MM / 1e6));
    json_t *object = island_object(entry);
    return output_result(&object);
}

static int
print_all(const struct island_files *files, bool map)
{
    uint64_t tiles = 0, bytes = 0;
    double area_m2 = 0;
    json_t *islands = json_array();

    CHECK(files->entries);
    for (uint32_t n = 0; n < files->count; n++) {
        tiles += island_land_tiles(files->entries[n].island);
        bytes += files->entries[n].bytes.bytes;
        area_m2 += coast_known_of(files->entries[n].island).area_m2;
        json_array_append_new(islands, island_object(&files->entries[n]));
    }
    print_table(files->entries, files->count);
    if (map && files->count > 0) {
        print_picture(files->entries, files->count);
    }
    output_progress("%u islands, %.2f km2 of land, %llu bytes", files->count, area_m2 / 1e6,
                    (unsigned long long)bytes);
    json_t *object =
        json_pack("{s:o, s:f, s:I, s:I}", "islands", islands, "area_km2", area_m2 / 1e6, "tiles",
                  (json_int_t)tiles, "files_bytes", (json_int_t)bytes);
    return output_result(&object);
}

static error_t
parse_option(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    char *end;

    switch (key) {
    case 'i': {
        unsigned long id = strtoul(argument, &end, 10);
        if (*argument < '0' || *argument > '9' || *end != 0 || id == 0 || id > UINT32_MAX) {
            argp_error(state, "--id: '%s' is not the id of an island", argument);
        }
        options->id = (uint32_t)id;
        return 0;
    }
    case 'm': options->map = true; return 0;
    case ARGP_KEY_ARG:
        if (options->path) {
            argp_error(state, "one directory or file at a time: '%s' is too many", argument);
        }
        options->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->path) {
            argp_error(state, "which directory or file?");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int
show(const struct options *options, const struct island_files *files, const char *name)
{
    const struct island_entry *one = files->count == 1 ? &files->entries[0] : NULL;

    if (options->id > 0) {
        one = island_files_find(files, options->id);
        if (!one) {
            fprintf(stderr, "%s: %s: no island %u\n", name, options->path, options->id);
            return 1;
        }
    }
    return one ? print_one(one) : print_all(files, options->map);
}

int
islands_show_command(int argc, char **argv)
{
    static const struct argp_option argp_options[] = {
        {"id", 'i', "N", 0, "only this island, with its picture", 0},
        {"map", 'm', NULL, 0, "draw the sea chart of all islands", 0},
        {0}};
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse_option,
        .args_doc = "DIR|FILE",
        .doc = "Show the islands of a directory, or one of them with a picture of its land.",
    };
    struct options options = {0};
    struct island_files files;
    char why[ISLAND_FILES_WHY_MAX];

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    if (island_files_open(options.path, &files, why, sizeof why) != OK) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 1;
    }
    int code = show(&options, &files, argv[0]);
    island_files_close(&files);
    return code;
}
