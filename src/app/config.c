#include "app/config.h"
#include "app/config_table.h"
#include "base/check.h"
#include "rules/registry.h"
#include "wire/text.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANY               .words = NULL
#define BETWEEN(low, top) .min = (low), .max = (top)
#define ONE_OF(list)      .words = (list)
#define CONFIG_ROW(type_, key_, of_, default_, range_, environment_, option_, argument_, doc_) \
    [CONFIG_##key_] = {.key = #key_,                                                           \
                       .type = TYPE_##type_,                                                   \
                       .of = (of_),                                                            \
                       .fallback = (default_),                                                 \
                       .environment = (environment_),                                          \
                       .option = (option_),                                                    \
                       .argument = (argument_),                                                \
                       .doc = (doc_),                                                          \
                       .offset = offsetof(struct config, key_),                                \
                       range_},
const struct config_row config_rows[CONFIG_COUNT] = {CONFIG_TABLE(CONFIG_ROW)};

/* Where something wrong is told: one line, the first one stays. */
struct complaint {
    char *text; /* borrowed */
    size_t bytes;
};

static bool complain(struct complaint *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool
complain(struct complaint *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to->text, to->bytes, format, arguments);
    va_end(arguments);
    return false;
}

static void *
member(struct config *c, const struct config_row *row)
{
    return (char *)c + row->offset;
}

static bool
set_number(const struct config_row *row, const char *text, int64_t *out, struct complaint *why)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool digits = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (!digits || *end != '\0')
        return complain(why, "%s: '%s' is not a whole number", row->key, text);
    if (errno != 0 || value < row->min || value > row->max)
        return complain(why, "%s: %s is not from %lld to %lld", row->key, text, (long long)row->min,
                        (long long)row->max);
    *out = value;
    return true;
}

static bool
set_flag(const struct config_row *row, const char *text, bool *out, struct complaint *why)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return complain(why, "%s: '%s' is neither true nor false", row->key, text);
}

static bool
set_choice(const struct config_row *row, const char *text, uint32_t *out, struct complaint *why)
{
    size_t bytes = strlen(text);
    uint32_t index = 0;
    for (const char *word = row->words; word != NULL; index++) {
        size_t word_bytes = strcspn(word, "|");
        if (word_bytes == bytes && memcmp(word, text, bytes) == 0) {
            *out = index;
            return true;
        }
        word = word[word_bytes] == '|' ? word + word_bytes + 1 : NULL;
    }
    return complain(why, "%s: '%s' is not one of %s", row->key, text, row->words);
}

/* One parser of values, whatever their origin. */
static bool
set(struct config *c, enum config_key key, const char *text, struct complaint *why)
{
    const struct config_row *row = &config_rows[key];
    if (strlen(text) >= CONFIG_TEXT_MAX)
        return complain(why, "%s: longer than %d bytes", row->key, CONFIG_TEXT_MAX - 1);
    if (!text_is_line((struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)}))
        return complain(why, "%s: is not plain text in UTF-8 on one line", row->key);
    const char *wrong;
    switch (row->type) {
    case TYPE_TEXT: memcpy(member(c, row), text, strlen(text) + 1); return true;
    case TYPE_NUMBER: return set_number(row, text, member(c, row), why);
    case TYPE_FLAG: return set_flag(row, text, member(c, row), why);
    case TYPE_CHOICE: return set_choice(row, text, member(c, row), why);
    case TYPE_ADDRESS:
        wrong = address_parse(text, member(c, row));
        return wrong == NULL || complain(why, "%s: '%s' %s", row->key, text, wrong);
    }
    CHECK(!"a type of the table");
    return false;
}

/* An empty variable counts as not set: that is how one is switched off for a single command. */
static const char *
environment_value(enum config_key key)
{
    const char *text = getenv(config_rows[key].environment);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* The file to read: --config, else <data>/seom.yaml if it is there. */
static bool
file_find(const struct config_given *given, struct config *c, struct complaint *why)
{
    if (given->file != NULL) {
        if (strlen(given->file) >= sizeof c->file)
            return complain(why, "config: longer than %zu bytes", sizeof c->file - 1);
        if (!text_is_line(
                (struct slice){.at = (const uint8_t *)given->file, .bytes = strlen(given->file)}))
            return complain(why, "config: is not plain text in UTF-8 on one line");
        memcpy(c->file, given->file, strlen(given->file) + 1);
        return true;
    }
    const char *data = given->texts[CONFIG_data];
    if (data == NULL)
        data = environment_value(CONFIG_data);
    if (data == NULL)
        data = config_rows[CONFIG_data].fallback;
    int bytes = snprintf(c->file, sizeof c->file, "%s/seom.yaml", data);
    if (bytes < 0 || (size_t)bytes >= sizeof c->file)
        return complain(why, "data: longer than a path may be");
    if (access(c->file, F_OK) != 0)
        c->file[0] = '\0';
    return true;
}

static bool
file_apply(const struct config_given *given, struct config *c, struct complaint *why)
{
    if (!file_find(given, c, why))
        return false;
    if (c->file[0] == '\0')
        return true;
    struct config_file *file = NULL;
    if (!config_file_read(c->file, &file, why->text, why->bytes))
        return false;
    bool fine = true;
    for (int key = 0; key < CONFIG_COUNT && fine; key++) {
        const char *text = config_file_value(file, (enum config_key)key);
        if (text == NULL)
            continue;
        char value_why[2 * CONFIG_TEXT_MAX];
        struct complaint value = {.text = value_why, .bytes = sizeof value_why};
        unsigned line = config_file_line(file, (enum config_key)key);
        if (key == CONFIG_data && given->file == NULL)
            fine = complain(why, "%s:%u: data: cannot be set by the file that was found through it",
                            c->file, line);
        else if (!set(c, (enum config_key)key, text, &value))
            fine = complain(why, "%s:%u: %s", c->file, line, value_why);
        c->origins[key] = ORIGIN_FILE;
    }
    config_file_free(&file);
    return fine;
}

static bool
environment_apply(struct config *c, struct complaint *why)
{
    for (int key = 0; key < CONFIG_COUNT; key++) {
        const char *text = environment_value((enum config_key)key);
        if (text == NULL)
            continue;
        char value_why[2 * CONFIG_TEXT_MAX];
        struct complaint value = {.text = value_why, .bytes = sizeof value_why};
        if (!set(c, (enum config_key)key, text, &value))
            return complain(why, "environment %s: %s", config_rows[key].environment, value_why);
        c->origins[key] = ORIGIN_ENVIRONMENT;
    }
    return true;
}

static bool
command_line_apply(const struct config_given *given, struct config *c, struct complaint *why)
{
    for (int key = 0; key < CONFIG_COUNT; key++) {
        if (given->texts[key] == NULL)
            continue;
        if (!set(c, (enum config_key)key, given->texts[key], why))
            return false;
        c->origins[key] = ORIGIN_COMMAND_LINE;
    }
    return true;
}

/* What one value alone cannot tell. */
static bool
check_whole(const struct config *c, struct complaint *why)
{
    if (c->data[0] == '\0')
        return complain(why, "data: is empty");
    if (!c->play.loopback && !c->plain) {
        char text[ADDRESS_TEXT_MAX];
        address_text(&c->play, text);
        return complain(why,
                        "play: %s can be reached from other machines, and what players send there "
                        "is not encrypted yet: say --plain (plain: true, SEOM_PLAIN=1) to accept "
                        "that, or use a loopback address like 127.0.0.1:%u",
                        text, c->play.port);
    }
    return true;
}

bool
config_load(const struct config_given *given, struct config *out, char *why, size_t why_bytes)
{
    CHECK(given != NULL && out != NULL && why_bytes > 0);
    struct complaint complaint = {.text = why, .bytes = why_bytes};
    memset(out, 0, sizeof *out);
    for (int key = 0; key < CONFIG_COUNT; key++)
        CHECK(set(out, (enum config_key)key, config_rows[key].fallback, &complaint));
    return file_apply(given, out, &complaint) && environment_apply(out, &complaint) &&
           command_line_apply(given, out, &complaint) && check_whole(out, &complaint);
}

/* Options: a row's key is its index after a base, so that none has a letter. Those of other
 * commands are there but hidden, so that whoever says one is told where it belongs. */
#define OPTION_BASE   256
#define OPTION_OTHERS (OPTION_BASE + CONFIG_COUNT)
#define OPTION_CONFIG (OPTION_OTHERS + CONFIG_COUNT)

#define CONFIG_OPTION(who_, key_, of_, option_, argument_, doc_)            \
    {.name = (option_),                                                     \
     .key = ((of_) & (who_) ? OPTION_BASE : OPTION_OTHERS) + CONFIG_##key_, \
     .arg = (argument_),                                                    \
     .flags = (of_) & (who_) ? 0 : OPTION_HIDDEN,                           \
     .doc = (doc_)},
#define OPTION_FILE                                                     \
    {.name = "config",                                                  \
     .key = OPTION_CONFIG,                                              \
     .arg = "FILE",                                                     \
     .doc = "configuration to read (seom.yaml in the data directory)"}, \
        {.name = "file", .flags = OPTION_ALIAS},
#define DEV_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_DEV, key_, of_, option_, __VA_ARGS__)
#define CLUSTER_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_CLUSTER, key_, of_, option_, __VA_ARGS__)
#define HOME_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_HOME, key_, of_, option_, __VA_ARGS__)
#define GATE_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_GATE, key_, of_, option_, __VA_ARGS__)
#define RELAY_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_RELAY, key_, of_, option_, __VA_ARGS__)
#define ALL_OPTION(type_, key_, of_, default_, range_, environment_, option_, ...) \
    CONFIG_OPTION(OF_ALL, key_, of_, option_, __VA_ARGS__)
static const struct argp_option dev_options[] = {CONFIG_TABLE(DEV_OPTION) OPTION_FILE{0}};
static const struct argp_option cluster_options[] = {CONFIG_TABLE(CLUSTER_OPTION) OPTION_FILE{0}};
static const struct argp_option home_options[] = {CONFIG_TABLE(HOME_OPTION) OPTION_FILE{0}};
static const struct argp_option gate_options[] = {CONFIG_TABLE(GATE_OPTION) OPTION_FILE{0}};
static const struct argp_option relay_options[] = {CONFIG_TABLE(RELAY_OPTION) OPTION_FILE{0}};
static const struct argp_option all_options[] = {CONFIG_TABLE(ALL_OPTION) OPTION_FILE{0}};

bool
config_is_of(enum config_key key, enum config_of who)
{
    CHECK(key < CONFIG_COUNT);
    return (config_rows[key].of & who) != 0;
}

void
config_of_text(unsigned of, char out[CONFIG_OF_MAX])
{
    static const struct {
        enum config_of who;
        const char *name;
    } names[] = {{OF_DEV, "dev"},
                 {OF_CLUSTER, "cluster up"},
                 {OF_HOME, "home"},
                 {OF_GATE, "gate"},
                 {OF_RELAY, "relay"}};

    size_t used = 0;
    CHECK(of != 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((of & names[i].who) != 0)
            used += (size_t)snprintf(out + used, CONFIG_OF_MAX - used, "%s%s", used > 0 ? ", " : "",
                                     names[i].name);
        CHECK(used < CONFIG_OF_MAX);
    }
}

error_t
config_parse_only(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static error_t
config_parse(int key, char *arg, struct argp_state *state)
{
    struct config_input *input = state->input;
    if (key >= OPTION_BASE && key < OPTION_BASE + CONFIG_COUNT) {
        input->given.texts[key - OPTION_BASE] = arg != NULL ? arg : "true";
        return 0;
    }
    if (key >= OPTION_OTHERS && key < OPTION_OTHERS + CONFIG_COUNT) {
        const struct config_row *row = &config_rows[key - OPTION_OTHERS];
        char whose[CONFIG_OF_MAX];
        config_of_text(row->of, whose);
        argp_error(state, "--%s is no setting of %s but of: %s", row->option, state->name, whose);
        return 0;
    }
    if (key == OPTION_CONFIG) {
        input->given.file = arg;
        return 0;
    }
    if (key == ARGP_KEY_SUCCESS) {
        char why[1024];
        if (!config_load(&input->given, &input->config, why, sizeof why))
            argp_error(state, "%s", why);
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        argp_error(state, "unexpected argument '%s'", arg);
    return ARGP_ERR_UNKNOWN;
}

/* Adds the default to an option's line of --help; argp gives the returned text to free(). */
static char *
config_help(int key, const char *text, void *input)
{
    (void)input;
    if (key < OPTION_BASE || key >= OPTION_BASE + CONFIG_COUNT || text == NULL)
        return (char *)text;
    const struct config_row *row = &config_rows[key - OPTION_BASE];
    if (row->type == TYPE_FLAG || row->fallback[0] == '\0')
        return (char *)text;
    char *longer = NULL;
    return asprintf(&longer, "%s (%s)", text, row->fallback) < 0 ? (char *)text : longer;
}

#define CONFIG_ARGP(name_)                    \
    const struct argp config_argp_##name_ = { \
        .options = name_##_options, .parser = config_parse, .help_filter = config_help}
CONFIG_ARGP(dev);
CONFIG_ARGP(cluster);
CONFIG_ARGP(home);
CONFIG_ARGP(gate);
CONFIG_ARGP(relay);
CONFIG_ARGP(all);

const char *
config_key_name(enum config_key key)
{
    CHECK(key < CONFIG_COUNT);
    return config_rows[key].key;
}

const char *
config_origin_name(enum config_origin origin)
{
    switch (origin) {
    case ORIGIN_DEFAULT: return "default";
    case ORIGIN_FILE: return "file";
    case ORIGIN_ENVIRONMENT: return "environment";
    case ORIGIN_COMMAND_LINE: return "command line";
    }
    CHECK(!"an origin");
    return "";
}

static void
choice_text(const struct config_row *row, uint32_t index, char out[CONFIG_TEXT_MAX])
{
    const char *word = row->words;
    for (uint32_t i = 0; i < index; i++)
        word += strcspn(word, "|") + 1;
    snprintf(out, CONFIG_TEXT_MAX, "%.*s", (int)strcspn(word, "|"), word);
}

void
config_value_text(const struct config *c, enum config_key key, char out[CONFIG_TEXT_MAX])
{
    CHECK(key < CONFIG_COUNT);
    const struct config_row *row = &config_rows[key];
    const void *value = (const char *)c + row->offset;
    switch (row->type) {
    case TYPE_TEXT: memcpy(out, value, CONFIG_TEXT_MAX); break;
    case TYPE_NUMBER:
        snprintf(out, CONFIG_TEXT_MAX, "%lld", (long long)*(const int64_t *)value);
        break;
    case TYPE_FLAG:
        snprintf(out, CONFIG_TEXT_MAX, "%s", *(const bool *)value ? "true" : "false");
        break;
    case TYPE_ADDRESS: address_text(value, out); break;
    case TYPE_CHOICE: choice_text(row, *(const uint32_t *)value, out); break;
    }
}

enum log_level
config_log_level(const struct config *c)
{
    /* The words of the row stand in the order of enum log_level. */
    static_assert(LOG_ERROR == 0 && LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3, "");
    return (enum log_level)c->log_level;
}

const struct game *
config_game(const struct config *c)
{
    char name[CONFIG_TEXT_MAX];
    config_value_text(c, CONFIG_game, name);
    const struct game *game = registry_find(name);
    CHECK(game != NULL); /* the words of the row are the games of the registry: config_test.c */
    return game;
}
