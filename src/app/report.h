/* What the reports of benches and bots are made of: a table of two columns, what and figure, for
 * people, and a distribution as a row of it and as JSON. On the main thread.
 */
#ifndef SEOM_APP_REPORT_H
#define SEOM_APP_REPORT_H

#include "app/output.h"
#include "base/hist.h"
#include "bots/observer.h"

struct output_table *report_alloc(void);
void report_row(struct output_table *table, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Median, p99 and maximum in a unit of so many of those that were counted. */
void report_hist(struct output_table *table, const char *what, const struct hist *h, double unit);
void report_end(struct output_table **table); /* printed on stderr, given back */
/* A line for each invariant that was broken (bots/observer.h). */
void report_broken(const struct measures *measures);
/* {"p50", "p99", "max"} */
json_t *report_hist_json(const struct hist *h, double unit);

#endif
