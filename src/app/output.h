/* The house rule for what commands print: progress and a table for people on stderr, one JSON
 * object as the last line of stdout. Used on the main thread of a command. A table holds at most
 * OUTPUT_CELLS_MAX cells.
 */
#ifndef SEOM_APP_OUTPUT_H
#define SEOM_APP_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OUTPUT_COLUMNS_MAX 16
#define OUTPUT_CELLS_MAX   65536

/* One line of progress on stderr. */
void output_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct output_column {
    const char *head; /* borrowed as long as the table lives */
    bool right;       /* figures stand at the right edge */
};

struct output_table;

struct output_table *output_table_alloc(const struct output_column *columns, uint32_t count);
/* The next cell of the current row, row by row from left to right. What goes beyond the limit is
 * left out, and output_table_print() says so. */
void output_table_cell(struct output_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void output_table_print(const struct output_table *table,
                        FILE *to); /* CHECKs that the last row is whole */
void output_table_free(struct output_table **table);

/* Prints the object as one line on stdout and gives it back to jansson. Returns the exit code of a
 * command that went well: 0, or 1 when stdout could not be written. */
int output_result(json_t **object);

#endif
