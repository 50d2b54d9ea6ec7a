#include "app/output.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *
printed(const struct output_table *table)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    assert_non_null(to);
    output_table_print(table, to);
    fclose(to);
    return text;
}

static void
columns_are_aligned(void **state)
{
    (void)state;
    static const struct output_column columns[] = {
        {.head = "name"}, {.head = "n", .right = true}, {.head = "x"}};
    struct output_table *table = output_table_alloc(columns, 3);
    output_table_cell(table, "섬");
    output_table_cell(table, "%d", 7);
    output_table_cell(table, "end");
    output_table_cell(table, "%s", "Jindo-do");
    output_table_cell(table, "%d", 1234);
    output_table_cell(table, "%s", "");
    char *text = printed(table);
    assert_string_equal(text, "name         n  x\n"
                              "섬           7  end\n"
                              "Jindo-do  1234  \n");
    free(text);
    output_table_free(&table);
    assert_null(table);
}

static void
what_goes_beyond_the_limit_is_said(void **state)
{
    (void)state;
    static const struct output_column columns[] = {{.head = "a"}, {.head = "b"}, {.head = "c"}};
    struct output_table *table = output_table_alloc(columns, 3);
    uint32_t rows = OUTPUT_CELLS_MAX / 3 + 10;
    for (uint32_t i = 0; i < rows * 3; i++)
        output_table_cell(table, "%u", i % 3);
    char *text = printed(table);
    assert_non_null(strstr(text, "(10 more rows)\n"));
    assert_null(strstr(text, "1  2  0"));
    free(text);
    output_table_free(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(what_goes_beyond_the_limit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
