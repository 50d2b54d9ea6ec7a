/* The /metrics of several nodes as one page: the text format wants the lines of a family together,
 * under one HELP and one TYPE. Samples carry the label of their node, so nothing is added up. A
 * value of its own, one thread. Limit: METRICS_MERGE_FAMILIES_MAX families, those beyond are left
 * out.
 */
#ifndef SEOM_APP_METRICS_MERGE_H
#define SEOM_APP_METRICS_MERGE_H

#define METRICS_MERGE_FAMILIES_MAX 512

struct metrics_merge;

struct metrics_merge *metrics_merge_alloc(void);
void metrics_merge_free(struct metrics_merge **merge);
/* A page in which families stand one after the other, each begun by its HELP or TYPE. */
void metrics_merge_add(struct metrics_merge *merge, const char *text);
/* From malloc(), the caller's. */
char *metrics_merge_text(const struct metrics_merge *merge);

#endif
