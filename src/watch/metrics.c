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
    LABEL_STATE,
    LABEL_LANE,
    LABEL_END,
    LABEL_SERVICE,
    LABEL_NOTE,
    LABEL_COMMIT,
    LABEL_SETTLED,
    LABEL_BUILD,
    LABELS
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

#define LINK_ROW(id, type_, name_, label_, series_, doc_) \
    {.name = "seom_" name_,                               \
     .doc = (doc_),                                       \
     .type = VALUE_##type_,                               \
     .label = LABEL_##label_,                             \
     .first = LINK_METRIC_##id,                           \
     .series = (series_)},
static const struct value_row link_rows[] = {METRIC_LINK_VALUES(LINK_ROW)};
#define LINK_ROWS (sizeof link_rows / sizeof link_rows[0])

#define HISTOGRAM_ROW(id, name_, doc_) [METRIC_##id] = {.name = "seom_" name_, .doc = (doc_)},
static const struct label_row histogram_rows[] = {METRIC_HISTOGRAMS(HISTOGRAM_ROW)};

#define LABEL_ROW(number, name_, doc_) [number] = {.name = #name_, .doc = (doc_)},
static const struct label_row cause_rows[] = {METRIC_CAUSES(LABEL_ROW)};
static const struct label_row ring_rows[] = {METRIC_RINGS(LABEL_ROW)};
static const struct label_row role_rows[] = {METRIC_ROLES(LABEL_ROW)};
static const struct label_row class_rows[] = {METRIC_CLASSES(LABEL_ROW)};
static const struct label_row state_rows[] = {METRIC_LINK_STATES(LABEL_ROW)};
static const struct label_row lane_rows[] = {METRIC_LANES(LABEL_ROW)};
static const struct label_row end_rows[] = {METRIC_ENDS(LABEL_ROW)};
static const struct label_row service_rows[] = {METRIC_SERVICES(LABEL_ROW)};
static const struct label_row note_rows[] = {METRIC_NOTES(LABEL_ROW)};
static const struct label_row commit_rows[] = {METRIC_COMMITS(LABEL_ROW)};
static const struct label_row settled_rows[] = {METRIC_SETTLED(LABEL_ROW)};

/* Labels with values of their own; rows NULL: codes, whose names are the protocol's. */
static const struct {
    const char *name, *title;
    const struct label_row *rows;
    size_t count;
} labels_of[LABELS] = {

#define LABEL_OF(name_, title_, rows_)                       \
    {                                                        \
        .name = (name_), .title = (title_), .rows = (rows_), \
        .count = sizeof(rows_) / sizeof(rows_)[0]            \
    }
    [LABEL_CAUSE] = LABEL_OF("cause", "Causes of `seom_drops_total`", cause_rows),
    [LABEL_RING] = LABEL_OF("ring", "Rings", ring_rows),
    [LABEL_ROLE] = LABEL_OF("role", "Roles of `seom_store_scan_total`", role_rows),
    [LABEL_CODE] = {.name = "code"},
    [LABEL_CLASS] = LABEL_OF("class", "Classes of `seom_switches_closed`", class_rows),
    [LABEL_STATE] = LABEL_OF("state", "States of `seom_links`", state_rows),
    [LABEL_LANE] = LABEL_OF("lane", "Lanes of a link", lane_rows),
    [LABEL_END] = LABEL_OF("end", "Ends of `seom_requests_ended_total`", end_rows),
    [LABEL_SERVICE] = LABEL_OF("end", "Ends of `seom_requests_served_total`", service_rows),
    [LABEL_NOTE] = LABEL_OF("kind", "Kinds of notes", note_rows),
    [LABEL_COMMIT] = LABEL_OF("end", "Ends of `seom_committer_ended_total`", commit_rows),
    [LABEL_SETTLED] = LABEL_OF("how", "Ways of `seom_committer_settled_total`", settled_rows),
#undef LABEL_OF
};

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
put_value(struct writer *w, const struct value_row *row, double value, uint32_t n,
          const char *labels)
{
    const char *name = labels_of[row->label].name;
    const struct label_row *rows = labels_of[row->label].rows;
    if (name == NULL)
        put(w, "%s{%s} %.15g\n", row->name, labels, value);
    else
        put(w, "%s{%s,%s=\"%s\"} %.15g\n", row->name, labels, name,
            rows != NULL ? rows[n].name : code_name(n), value);
}

static void
put_build(struct writer *w, const struct metrics *m, const struct value_row *row,
          const char *labels)
{
    char version[ESCAPED_MAX];
    char revision[ESCAPED_MAX];
    escape(m->version, version);
    escape(m->revision, revision);
    put(w, "%s{%s,version=\"%s\",revision=\"%s\"} 1\n", row->name, labels, version, revision);
}

static void
put_head(struct writer *w, const struct value_row *row)
{
    put(w, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->doc, row->name,
        row->type == VALUE_COUNTER ? "counter" : "gauge");
}

/* A family of every link. */
static void
put_links(struct writer *w, const struct metrics *m, const struct value_row *row,
          const char *labels)
{
    put_head(w, row);
    for (uint32_t i = 0; i < m->links_count; i++) {
        const struct metrics_link *link = &m->links[i];
        char peer[ESCAPED_MAX], all[LABELS_MAX + ESCAPED_MAX + 16];
        escape(link->peer, peer);
        snprintf(all, sizeof all, "%s,peer=\"%s\"", labels, peer);
        for (uint32_t n = 0; n < row->series; n++)
            put_value(w, row, link->values[row->first + n], n, all);
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
    CHECK(m != NULL && w != NULL && m->links_count <= METRICS_LINKS_MAX);
    char labels[LABELS_MAX];
    common_labels(m, labels);
    for (size_t i = 0; i < VALUE_ROWS; i++) {
        const struct value_row *row = &value_rows[i];
        put_head(w, row);
        for (uint32_t n = 0; n < row->series; n++) {
            if (row->label == LABEL_BUILD)
                put_build(w, m, row, labels);
            else
                put_value(w, row, m->values[row->first + n], n, labels);
        }
    }
    for (size_t i = 0; i < LINK_ROWS; i++)
        put_links(w, m, &link_rows[i], labels);
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

static void
put_reference_row(struct writer *w, const struct value_row *row, const char *before)
{
    char labels[64] = "";
    const char *name =
        row->label == LABEL_BUILD ? "version`, `revision" : labels_of[row->label].name;
    if (name != NULL)
        snprintf(labels, sizeof labels, "%s`%s`", before[0] != '\0' ? ", " : "", name);
    put(w, "| `%s` | %s | %s%s | %s |\n", row->name,
        row->type == VALUE_COUNTER ? "counter" : "gauge", before, labels, row->doc);
}

void
metrics_reference(struct writer *w)
{
    put(w,
        "# Metrics\n\n"
        "<!-- Written by `seom config --metrics` from the table in src/watch/metrics.h. -->\n\n"
        "`GET /metrics` on the HTTP port answers in the text format of Prometheus. Everything "
        "carries the labels `world`,\n`node` and `host`; figures are those of the last second. "
        "Two of them tell whether a node has room:\n`seom_logic_queue_wait_seconds` (CPU) and "
        "`seom_send_queue_bytes` (network). A cluster answers for all its nodes; what\nstands "
        "behind `seom_links` is told by nodes of a cluster alone and is 0 elsewhere, and what "
        "has the label `peer`\nthere is of each link with another node, at most %d.\n\n"
        "| name | type | labels | meaning |\n|---|---|---|---|\n",
        METRICS_LINKS_MAX);
    for (size_t i = 0; i < VALUE_ROWS; i++)
        put_reference_row(w, &value_rows[i], "");
    for (size_t i = 0; i < LINK_ROWS; i++)
        put_reference_row(w, &link_rows[i], "`peer`");
    for (size_t i = 0; i < METRIC_HISTOGRAM_COUNT; i++)
        put(w, "| `%s` | histogram | | %s |\n", histogram_rows[i].name, histogram_rows[i].doc);
    for (size_t label = 0; label < LABELS; label++)
        if (labels_of[label].rows != NULL)
            put_label_table(w, labels_of[label].title, labels_of[label].rows,
                            labels_of[label].count);
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
