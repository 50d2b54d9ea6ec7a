#include "app/nodes_table.h"
#include "app/cluster_ask.h"
#include "app/output.h"
#include "fabric/mesh.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX PEERS_MAX /* of one node */

static const char *const kinds[] = {"nodes", "engines", "bots"};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void
cell_empty(struct output_table *table)
{
    output_table_cell(table, "%s", "");
}

static void
cell_number(struct output_table *table, bool known, const json_t *row, const char *key)
{
    if (known)
        output_table_cell(table, "%lld", (long long)cluster_number(row, key));
    else
        cell_empty(table);
}

/* Microseconds as milliseconds, bytes as kilobytes. */
static void
cell_thousandth(struct output_table *table, const json_t *row, const char *key, int digits)
{
    const json_t *value = json_object_get(row, key);
    if (value != NULL)
        output_table_cell(table, "%.*f", digits, (double)json_integer_value(value) / 1e3);
    else
        cell_empty(table);
}

static bool
is_in_state(const json_t *row, const char *state)
{
    return strcmp(cluster_text(row, "state"), state) == 0;
}

/* ---- nodes ---- */

/* What waits to be sent over all of its links. */
static void
cell_unsent(struct output_table *table, const json_t *row)
{
    const json_t *links = json_object_get(row, "link_list"), *link;
    json_int_t bytes = 0;
    size_t i;
    if (links == NULL) { /* an engine, or of an older version */
        cell_empty(table);
        return;
    }
    json_array_foreach(links, i, link)
    {
        bytes += cluster_number(link, "unsent_bytes");
    }
    output_table_cell(table, "%.1f", (double)bytes / 1e3);
}

static void
print_row(struct output_table *table, const json_t *row)
{
    bool node = json_object_get(row, "shard") != NULL;
    bool told = json_object_get(row, "epoch") != NULL;
    bool gate = strcmp(cluster_text(row, "role"), "gate") == 0; /* whose epoch is drawn */
    bool closed = is_in_state(row, "serving") && json_is_true(json_object_get(row, "draining"));
    const char *play = cluster_text(row, "play");
    output_table_cell(table, "%s", cluster_text(row, "name"));
    output_table_cell(table, "%s", cluster_text(row, "role"));
    cell_number(table, node, row, "shard");
    cell_number(table, cluster_number(row, "pid") != 0, row, "pid");
    output_table_cell(table, "%s%s", cluster_text(row, "state"), closed ? ", closed" : "");
    cell_number(table, json_object_get(row, "players") != NULL, row, "players");
    if (told)
        output_table_cell(table, "%lld/%lld", (long long)cluster_number(row, "links"),
                          (long long)cluster_number(row, "links_expected"));
    else
        cell_empty(table);
    cell_unsent(table, row);
    cell_thousandth(table, row, "queue_wait_p99_us", 1);
    cell_number(table, true, row, "restarts");
    cell_number(table, told && !gate && cluster_number(row, "epoch") != 0, row, "epoch");
    output_table_cell(table, "%s", *play != 0 ? play : cluster_text(row, "address"));
    output_table_cell(table, "%s", cluster_text(row, "version"));
}

/* ---- what is not as it should be ---- */

static void
note_state(const json_t *list, const json_t *row, FILE *to)
{
    const char *name = cluster_text(row, "name"), *state = cluster_text(row, "state"),
               *waits = cluster_text(row, "waits"), *said = cluster_text(row, "said");
    double for_s = json_number_value(json_object_get(row, "for_s"));
    if (is_in_state(row, "serving") || is_in_state(row, "up"))
        return;
    if (is_in_state(row, "ended")) {
        fprintf(to, "  %s has ended and is left so: `seom node start %s` starts it\n", name, name);
        return;
    }
    if (is_in_state(row, "dies at once")) {
        fprintf(to, "  %s\n", said);
        return;
    }
    fprintf(to, "  %s: %s (%.0f s)", name, state, for_s);
    if (waits[0] != 0)
        fprintf(to, "; it waits for %s", waits);
    else if (is_in_state(row, "silent"))
        fprintf(to, "; it does not answer, see %s/logs/%s.log", cluster_text(list, "data"), name);
    fputc('\n', to);
}

static void
note_links(const json_t *row, FILE *to)
{
    const json_t *link;
    size_t i;
    bool any = false;
    json_array_foreach(json_object_get(row, "link_list"), i, link)
    {
        if (is_in_state(link, "up"))
            continue;
        if (!any)
            fprintf(to, "  %s has no link with ", cluster_text(row, "name"));
        fprintf(to, "%s%s (%s)", any ? ", " : "", cluster_text(link, "peer"),
                cluster_text(link, "state"));
        any = true;
    }
    if (any)
        fputc('\n', to);
}

static void
note_engines(const json_t *row, FILE *to)
{
    double away_s = json_number_value(json_object_get(row, "directory_away_s"));
    if (!is_in_state(row, "serving"))
        return; /* it says what it waits for */
    if (json_is_true(json_object_get(row, "store_away")))
        fprintf(to, "  %s cannot reach the store: commands of value and logins wait\n",
                cluster_text(row, "name"));
    if (away_s > 0)
        fprintf(to, "  %s has no answer of the directory for %.0f s: only new nodes wait for it\n",
                cluster_text(row, "name"), away_s);
}

void
nodes_table_print(const json_t *list, FILE *to)
{
    static const struct output_column columns[] = {
        {"node", false},       {"role", false},    {"shard", true}, {"pid", true},
        {"state", false},      {"players", true},  {"links", true}, {"unsent KB", true},
        {"wait p99 ms", true}, {"restarts", true}, {"epoch", true}, {"at", false},
        {"version", false}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    const json_t *row;
    for (size_t k = 0; k < KINDS; k++) {
        json_array_foreach(json_object_get(list, kinds[k]), i, row)
        {
            print_row(table, row);
        }
    }
    output_table_print(table, to);
    output_table_free(&table);
    for (size_t k = 0; k < KINDS; k++) {
        json_array_foreach(json_object_get(list, kinds[k]), i, row)
        {
            note_state(list, row, to);
            note_links(row, to);
            note_engines(row, to);
        }
    }
}

/* ---- links ---- */

static void
print_link(struct output_table *table, const json_t *row, const json_t *link)
{
    output_table_cell(table, "%s", cluster_text(row, "name"));
    output_table_cell(table, "%s", cluster_text(link, "peer"));
    output_table_cell(table, "%s", cluster_text(link, "state"));
    cell_thousandth(table, link, "round_trip_us", 2);
    cell_thousandth(table, link, "unsent_bytes", 1);
    cell_thousandth(table, link, "backlog_us", 1);
    cell_thousandth(table, link, "bytes_out", 1);
    cell_thousandth(table, link, "bytes_in", 1);
    cell_number(table, true, link, "breaks");
    cell_number(table, true, link, "beats_missed");
    cell_number(table, true, link, "refused");
}

static int
compare_peers(const void *a, const void *b)
{
    const json_t *const *p = a, *const *q = b;
    return strcmp(cluster_text(*p, "peer"), cluster_text(*q, "peer"));
}

/* By the name of the other end. */
static void
print_links_of(struct output_table *table, const json_t *row)
{
    const json_t *links = json_object_get(row, "link_list"), *sorted[LINKS_MAX], *link;
    size_t count = 0, i;
    json_array_foreach(links, i, link)
    {
        if (count < LINKS_MAX)
            sorted[count++] = link;
    }
    qsort(sorted, count, sizeof sorted[0], compare_peers);
    for (i = 0; i < count; i++)
        print_link(table, row, sorted[i]);
}

void
nodes_table_print_links(const json_t *list, FILE *to)
{
    static const struct output_column columns[] = {
        {"node", false},     {"linked with", false},  {"state", false},  {"trip ms", true},
        {"unsent KB", true}, {"unsent for ms", true}, {"sent KB", true}, {"received KB", true},
        {"breaks", true},    {"beats missed", true},  {"refused", true}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        print_links_of(table, row);
    }
    output_table_print(table, to);
    output_table_free(&table);
}
