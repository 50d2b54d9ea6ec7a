#include "watch/metrics.h"
#include "base/check.h"
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum value_type { VALUE_COUNTER, VALUE_GAUGE };

enum value_label {
    LABEL_NONE,
    LABEL_CAUSE,
    LABEL_RING,
    LABEL_ROLE,
    LABEL_CODE,
    LABEL_CLASS,
    LABEL_BUILD
};

struct value_row {
    const char *name, *doc;
    enum value_type type;
    enum value_label label;
    uint32_t first, series;
};

struct label_row {
    const char *name, *doc;
};

#define VALUE_ROW(id, type_, name_, label_, series_, doc_) \
    {.name = "seom_" name_,                                \
     .doc = (doc_),                                        \
     .type = VALUE_##type_,                                \
     .label = LABEL_##label_,                              \
     .first = METRIC_##id,                                 \
     .series = (series_)},
static const struct value_row value_rows[] = {METRIC_VALUES(VALUE_ROW)};
#define VALUE_ROWS (sizeof value_rows / sizeof value_rows[0])

#define HISTOGRAM_ROW(id, name_, doc_) [METRIC_##id] = {.name = "seom_" name_, .doc = (doc_)},
static const struct label_row histogram_rows[] = {METRIC_HISTOGRAMS(HISTOGRAM_ROW)};

#define LABEL_ROW(number, name_, doc_) [number] = {.name = #name_, .doc = (doc_)},
static const struct label_row cause_rows[] = {METRIC_CAUSES(LABEL_ROW)};
static const struct label_row ring_rows[] = {METRIC_RINGS(LABEL_ROW)};
static const struct label_row role_rows[] = {METRIC_ROLES(LABEL_ROW)};
static const struct label_row class_rows[] = {METRIC_CLASSES(LABEL_ROW)};

/* Upper edges of the buckets that are told. struct hist counts finer; what shares a bucket of it
 * with an edge is told in the next one, so a figure at an edge is at most 1/16 off. */
static const struct {
    uint64_t us;
    const char *seconds;
} edges[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},
    {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"}, {10000000, "10"},
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct writer *w, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(bytes >= 0 && (size_t)bytes < sizeof line);
    write_bytes(w, line, (size_t)bytes);
}

#define ESCAPED_MAX ((size_t)2 * METRICS_LABEL_MAX)
#define LABELS_MAX  (3 * (ESCAPED_MAX + 16))

/* Label values are any text: a backslash, a quote and a line end are escaped. */
static size_t
escape(const char *text, char *out)
{
    char *at = out;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"' || *c == '\n')
            *at++ = '\\';
        *at++ = *c == '\n' ? 'n' : *c;
    }
    *at = '\0';
    return (size_t)(at - out);
}

static void
common_labels(const struct metrics *m, char out[LABELS_MAX])
{
    char world[ESCAPED_MAX];
    char node[ESCAPED_MAX];
    char host[ESCAPED_MAX];
    escape(m->world, world);
    escape(m->node, node);
    escape(m->host, host);
    snprintf(out, LABELS_MAX, "world=\"%s\",node=\"%s\",host=\"%s\"", world, node, host);
}

static void
put_value(struct writer *w, const struct metrics *m, const struct value_row *row, uint32_t n,
          const char *labels)
{
    double value = m->values[row->first + n];
    switch (row->label) {
    case LABEL_NONE: put(w, "%s{%s} %.15g\n", row->name, labels, value); return;
    case LABEL_CAUSE:
        put(w, "%s{%s,cause=\"%s\"} %.15g\n", row->name, labels, cause_rows[n].name, value);
        return;
    case LABEL_RING:
        put(w, "%s{%s,ring=\"%s\"} %.15g\n", row->name, labels, ring_rows[n].name, value);
        return;
    case LABEL_ROLE:
        put(w, "%s{%s,role=\"%s\"} %.15g\n", row->name, labels, role_rows[n].name, value);
        return;
    case LABEL_CODE:
        put(w, "%s{%s,code=\"%s\"} %.15g\n", row->name, labels, code_name(n), value);
        return;
    case LABEL_CLASS:
        put(w, "%s{%s,class=\"%s\"} %.15g\n", row->name, labels, class_rows[n].name, value);
        return;
    case LABEL_BUILD: {
        char version[ESCAPED_MAX];
        char revision[ESCAPED_MAX];
        escape(m->version, version);
        escape(m->revision, revision);
        put(w, "%s{%s,version=\"%s\",revision=\"%s\"} 1\n", row->name, labels, version, revision);
        return;
    }
    }
}

static void
put_histogram(struct writer *w, const struct hist *h, const char *name, const char *labels)
{
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        put(w, "%s_bucket{%s,le=\"%s\"} %llu\n", name, labels, edges[i].seconds,
            (unsigned long long)hist_count_up_to(h, edges[i].us));
    put(w, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, (unsigned long long)h->count);
    put(w, "%s_sum{%s} %.15g\n", name, labels, (double)h->sum / 1e6);
    put(w, "%s_count{%s} %llu\n", name, labels, (unsigned long long)h->count);
}

void
metrics_text(const struct metrics *m, struct writer *w)
{
    CHECK(m != NULL && w != NULL);
    char labels[LABELS_MAX];
    common_labels(m, labels);
    for (size_t i = 0; i < VALUE_ROWS; i++) {
        const struct value_row *row = &value_rows[i];
        put(w, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->doc, row->name,
            row->type == VALUE_COUNTER ? "counter" : "gauge");
        for (uint32_t n = 0; n < row->series; n++)
            put_value(w, m, row, n, labels);
    }
    for (size_t i = 0; i < METRIC_HISTOGRAM_COUNT; i++) {
        const struct label_row *row = &histogram_rows[i];
        put(w, "# HELP %s %s\n# TYPE %s histogram\n", row->name, row->doc, row->name);
        put_histogram(w, &m->histograms_us[i], row->name, labels);
    }
}

static void
put_label_table(struct writer *w, const char *title, const struct label_row *rows, size_t count)
{
    put(w, "\n## %s\n\n| value | meaning |\n|---|---|\n", title);
    for (size_t i = 0; i < count; i++)
        put(w, "| `%s` | %s |\n", rows[i].name, rows[i].doc);
}

void
metrics_reference(struct writer *w)
{
    static const char *const labels[] = {[LABEL_NONE] = "",
                                         [LABEL_CAUSE] = "`cause`",
                                         [LABEL_RING] = "`ring`",
                                         [LABEL_ROLE] = "`role`",
                                         [LABEL_CODE] = "`code`",
                                         [LABEL_CLASS] = "`class`",
                                         [LABEL_BUILD] = "`version`, `revision`"};
    put(w, "# Metrics\n\n"
           "<!-- Written by `seom config --metrics` from the table in src/watch/metrics.h. -->\n\n"
           "`GET /metrics` on the HTTP port answers in the text format of Prometheus. Everything "
           "carries the labels `world`,\n`node` and `host`; figures are those of the last second. "
           "Two of them tell whether a node has room:\n`seom_logic_queue_wait_seconds` (CPU) and "
           "`seom_send_queue_bytes` (network).\n\n"
           "| name | type | labels | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < VALUE_ROWS; i++)
        put(w, "| `%s` | %s | %s | %s |\n", value_rows[i].name,
            value_rows[i].type == VALUE_COUNTER ? "counter" : "gauge", labels[value_rows[i].label],
            value_rows[i].doc);
    for (size_t i = 0; i < METRIC_HISTOGRAM_COUNT; i++)
        put(w, "| `%s` | histogram | | %s |\n", histogram_rows[i].name, histogram_rows[i].doc);
    put_label_table(w, "Causes of `seom_drops_total`", cause_rows, METRIC_CAUSE_COUNT);
    put_label_table(w, "Rings", ring_rows, METRIC_RING_COUNT);
    put_label_table(w, "Roles of `seom_store_scan_total`", role_rows, METRIC_ROLE_COUNT);
    put_label_table(w, "Classes of `seom_switches_closed`", class_rows, METRIC_CLASS_COUNT);
    put(w, "\nCodes of `seom_commands_total` are those of the player protocol (protocol.md, part "
           "5).\n");
}

void
status_json(const struct status *s, struct writer *w)
{
    CHECK(s != NULL && w != NULL);
    json_t *object = json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:I, s:I, s:i, s:s, s:s, s:s, s:s}", "players",
        (int)s->players, "lingering", (int)s->lingering, "bots", (int)s->bots, "spectators",
        (int)s->spectators, "awake_chunks", (int)s->awake_chunks, "islands", (int)s->islands,
        "tick_ms_p99", s->tick_ms_p99, "uptime_s", (json_int_t)s->uptime_s, "world_ms",
        (json_int_t)s->world_ms, "world", (int)s->world, "node", s->node, "host", s->host,
        "version", s->version, "play", s->play);
    CHECK(object != NULL);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    CHECK(text != NULL);
    write_bytes(w, text, strlen(text));
    free(text);
    json_decref(object);
}
