#include "app/output.h"
#include "base/check.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct output_table {
    struct output_column columns[OUTPUT_COLUMNS_MAX];
    uint32_t column_count;
    char **cells; /* owned, each owned */
    uint32_t count, room;
    uint32_t left_out;
};

void
output_progress(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

struct output_table *
output_table_alloc(const struct output_column *columns, uint32_t count)
{
    CHECK(count > 0 && count <= OUTPUT_COLUMNS_MAX);
    struct output_table *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    memcpy(t->columns, columns, count * sizeof columns[0]);
    t->column_count = count;
    return t;
}

void
output_table_cell(struct output_table *table, const char *format, ...)
{
    /* The limit counts whole rows, so that leaving out never shifts the cells that follow. */
    if (table->count >= OUTPUT_CELLS_MAX / table->column_count * table->column_count) {
        table->left_out++;
        return;
    }
    if (table->count == table->room) {
        table->room = table->room == 0 ? 64 : table->room * 2;
        table->cells = realloc(table->cells, table->room * sizeof table->cells[0]);
        CHECK(table->cells != NULL);
    }
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&table->cells[table->count], format, arguments);
    va_end(arguments);
    CHECK(bytes >= 0);
    table->count++;
}

/* Columns on a terminal: one a letter, two a Hangul syllable (U+AC00 .. U+D7FF: first bytes EA ..
 * ED). */
static int
text_width(const char *text)
{
    int width = 0;
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if ((byte & 0xC0) != 0x80)
            width += byte >= 0xEA && byte <= 0xED ? 2 : 1;
    }
    return width;
}

static void
row_print(const struct output_table *t, const int *widths, const char *const *cells, FILE *to)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const char *gap = i == 0 ? "" : "  ";
        int pad = widths[i] - text_width(cells[i]);
        bool last = i + 1 == t->column_count;
        if (t->columns[i].right)
            fprintf(to, "%s%*s%s", gap, pad, "", cells[i]);
        else
            fprintf(to, "%s%s%*s", gap, cells[i], last ? 0 : pad, "");
    }
    fputc('\n', to);
}

void
output_table_print(const struct output_table *table, FILE *to)
{
    CHECK(table->count % table->column_count == 0);
    int widths[OUTPUT_COLUMNS_MAX] = {0};
    const char *heads[OUTPUT_COLUMNS_MAX];
    for (uint32_t i = 0; i < table->column_count; i++) {
        heads[i] = table->columns[i].head;
        widths[i] = text_width(heads[i]);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        int width = text_width(table->cells[i]);
        if (width > widths[i % table->column_count])
            widths[i % table->column_count] = width;
    }
    row_print(table, widths, heads, to);
    for (uint32_t i = 0; i < table->count; i += table->column_count)
        row_print(table, widths, (const char *const *)&table->cells[i], to);
    if (table->left_out > 0)
        fprintf(to, "(%u more rows)\n", table->left_out / table->column_count);
}

void
output_table_free(struct output_table **table)
{
    CHECK(table != NULL && *table != NULL);
    for (uint32_t i = 0; i < (*table)->count; i++)
        free((*table)->cells[i]);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

int
output_result(json_t **object)
{
    CHECK(object != NULL && json_is_object(*object));
    fflush(stderr);
    int failed = json_dumpf(*object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(*object);
    *object = NULL;
    fputc('\n', stdout);
    return failed != 0 || fflush(stdout) != 0 ? 1 : 0;
}
