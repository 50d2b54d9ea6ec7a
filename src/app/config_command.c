/* `seom config`: what a node would run with and where each value comes from; and the reference
 * pages that are made from tables. */
#include "app/commands.h"
#include "app/config.h"
#include "app/config_table.h"
#include "app/output.h"
#include "base/check.h"
#include "watch/metrics.h"
#include <stdlib.h>

enum { OPTION_REFERENCE = 1, OPTION_METRICS };

struct config_request {
    struct config_input input;
    bool reference, metrics;
};

static error_t
request_parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    struct config_request *request = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &request->input; return 0;
    case OPTION_REFERENCE: request->reference = true; return 0;
    case OPTION_METRICS: request->metrics = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* How a row is described in the table of the page: its type with its range. */
static void
reference_type(const struct config_row *row, FILE *out)
{
    switch (row->type) {
    case TYPE_TEXT: fprintf(out, "text"); break;
    case TYPE_NUMBER: fprintf(out, "%lld to %lld", (long long)row->min, (long long)row->max); break;
    case TYPE_FLAG: fprintf(out, "true or false"); break;
    case TYPE_ADDRESS: fprintf(out, "ADDR:PORT"); break;
    case TYPE_CHOICE:
        for (const char *c = row->words; *c != '\0'; c++)
            *c == '|' ? fputs(", ", out) : fputc(*c, out);
        break;
    }
}

static int
print_reference(FILE *out)
{
    fprintf(out,
            "# Configuration\n\n"
            "<!-- Written by `seom config --reference` from the table in src/app/config.h. -->\n\n"
            "Command line stands over environment over file over default. The file is `--config "
            "FILE`, or `seom.yaml` in the\ndata directory when it is there; it is one YAML mapping "
            "of the keys below. An unknown key, a value that is none or\none outside its range is "
            "an error that names the key; the exit code is 2.\n\n"
            "A command takes the options of its own settings and refuses those of others, naming "
            "whose they are. File and\nenvironment may be shared by several commands: there, what "
            "is of another command is passed over. `seom config` takes\nthe options of all of them "
            "and prints what they would run with and where each value comes from.\n\n"
            "| key | value | default | of `seom` ... | command line | environment | meaning |\n"
            "|---|---|---|---|---|---|---|\n");
    for (int key = 0; key < CONFIG_COUNT; key++) {
        const struct config_row *row = &config_rows[key];
        fprintf(out, "| `%s` | ", row->key);
        reference_type(row, out);
        char whose[CONFIG_OF_MAX];
        config_of_text(row->of, whose);
        fprintf(out, " | %s%s%s | %s | `--%s%s%s` | `%s` | %s |\n",
                row->fallback[0] != '\0' ? "`" : "", row->fallback,
                row->fallback[0] != '\0' ? "`" : "", whose, row->option,
                row->argument != NULL ? " " : "", row->argument != NULL ? row->argument : "",
                row->environment, row->doc);
    }
    return fflush(out) == 0 ? 0 : 1;
}

static int
print_metrics(FILE *out)
{
    char *page = malloc(METRICS_TEXT_MAX);
    CHECK(page != NULL);
    struct writer w = writer_over(page, METRICS_TEXT_MAX);
    metrics_reference(&w);
    CHECK(writer_ok(&w));
    size_t bytes = writer_used(&w);
    bool fine = fwrite(page, 1, bytes, out) == bytes && fflush(out) == 0;
    free(page);
    return fine ? 0 : 1;
}

/* Numbers and truths as such, everything else as text. */
static json_t *
value_json(const struct config *config, enum config_key key, const char *text)
{
    const struct config_row *row = &config_rows[key];
    const void *value = (const char *)config + row->offset;
    if (row->type == TYPE_NUMBER)
        return json_integer(*(const int64_t *)value);
    if (row->type == TYPE_FLAG)
        return json_boolean(*(const bool *)value);
    return json_string(text);
}

static int
print_effective(const struct config *config)
{
    static const struct output_column columns[] = {
        {.head = "key"}, {.head = "value"}, {.head = "origin"}};
    struct output_table *table = output_table_alloc(columns, 3);
    json_t *values = json_object();
    for (int key = 0; key < CONFIG_COUNT; key++) {
        char text[CONFIG_TEXT_MAX];
        config_value_text(config, (enum config_key)key, text);
        const char *name = config_key_name((enum config_key)key);
        const char *origin = config_origin_name(config->origins[key]);
        output_table_cell(table, "%s", name);
        output_table_cell(table, "%s", text);
        output_table_cell(table, "%s", origin);
        json_t *value = json_pack("{s:o, s:s}", "value",
                                  value_json(config, (enum config_key)key, text), "origin", origin);
        CHECK(json_object_set_new(values, name, value) == 0);
    }
    output_table_print(table, stderr);
    output_table_free(&table);
    json_t *object = json_pack("{s:s, s:o}", "file", config->file, "config", values);
    CHECK(object != NULL);
    return output_result(&object);
}

int
config_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {.name = "reference", .key = OPTION_REFERENCE, .doc = "print docs/config.md"},
        {.name = "metrics", .key = OPTION_METRICS, .doc = "print docs/metrics.md"},
        {0},
    };
    static const struct argp_child children[] = {
        {.argp = &config_argp_all, .header = "The configuration, of all commands:", .group = 1},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = request_parse,
        .doc = "Print the effective configuration and where each value comes from.",
        .children = children,
    };
    struct config_request *request = calloc(1, sizeof *request);
    CHECK(request != NULL);
    argp_parse(&argp, argc, argv, 0, NULL, request);
    int code = request->reference ? print_reference(stdout)
               : request->metrics ? print_metrics(stdout)
                                  : print_effective(&request->input.config);
    free(request);
    return code;
}
