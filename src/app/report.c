#include "app/report.h"
#include "base/check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FIGURE_MAX 192

struct output_table *
report_alloc(void)
{
    static const struct output_column columns[] = {{.head = "what"}, {.head = "figure"}};
    return output_table_alloc(columns, sizeof columns / sizeof columns[0]);
}

void
report_row(struct output_table *table, const char *what, const char *format, ...)
{
    char figure[FIGURE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(figure, sizeof figure, format, arguments);
    va_end(arguments);
    CHECK(bytes >= 0 && (size_t)bytes < sizeof figure);
    output_table_cell(table, "%s", what);
    output_table_cell(table, "%s", figure);
}

void
report_hist(struct output_table *table, const char *what, const struct hist *h, double unit)
{
    CHECK(unit > 0);
    report_row(table, what, "p50 %.4g, p99 %.4g, max %.4g (%" PRIu64 ")",
               (double)hist_quantile(h, 0.5) / unit, (double)hist_quantile(h, 0.99) / unit,
               (double)h->max / unit, h->count);
}

void
report_end(struct output_table **table)
{
    output_table_print(*table, stderr);
    output_table_free(table);
}

void
report_broken(const struct measures *measures)
{
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        if (measures->broken[i] > 0) {
            output_progress("note: %" PRIu64 " of %" PRIu64 " broken: %s", measures->broken[i],
                            measures->checked[i], invariant_doc((enum invariant)i));
        }
    }
}

json_t *
report_hist_json(const struct hist *h, double unit)
{
    json_t *j = json_pack("{s:f, s:f, s:f}", "p50", (double)hist_quantile(h, 0.5) / unit, "p99",
                          (double)hist_quantile(h, 0.99) / unit, "max", (double)h->max / unit);
    CHECK(j != NULL);
    return j;
}
