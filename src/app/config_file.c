/* The YAML file of the configuration. libcyaml checks its form against a schema made from the
 * table: an unknown key, a key given twice, a list where a value belongs. Values stay texts here,
 * so that one parser (config.c) handles them whatever their origin. libcyaml tells the line of the
 * value it saw last, not of the key it stumbled over, so lines are looked up in the text.
 */
#include "app/config_table.h"
#include "base/check.h"
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX 65536
#define MESSAGE_MAX    1024

#define CONFIG_POINTER(type, key, ...) char *key;

struct config_values {
    CONFIG_TABLE(CONFIG_POINTER)
};

#define CONFIG_FIELD(type, key, ...)                                                             \
    CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_values, \
                           key, 0, CONFIG_TEXT_MAX - 1),
static const cyaml_schema_field_t config_fields[] = {CONFIG_TABLE(CONFIG_FIELD) CYAML_FIELD_END};

static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_values, config_fields),
};

struct config_file {
    char *text; /* owned */
    size_t bytes;
    struct config_values *values; /* owned, by libcyaml; NULL when the file says nothing */
};

/* What libcyaml said, one message a line. */
struct messages {
    char text[MESSAGE_MAX];
    size_t used;
};

static void
message_take(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
{
    (void)level;
    struct messages *m = ctx;
    size_t room = sizeof m->text - m->used;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* libcyaml's own formats */
    int bytes = vsnprintf(m->text + m->used, room, format, arguments);
#pragma GCC diagnostic pop
    if (bytes > 0)
        m->used += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

static cyaml_config_t
cyaml_with(struct messages *messages)
{
    return (cyaml_config_t){.log_fn = message_take,
                            .log_ctx = messages,
                            .log_level = CYAML_LOG_ERROR,
                            .mem_fn = cyaml_mem};
}

/* The first line that begins with the key and a colon, from 1; 0 when there is none (flow style).
 */
static uint32_t
line_of(const char *text, const char *key)
{
    size_t key_bytes = strlen(key);
    uint32_t line = 1;
    for (const char *at = text; at != NULL; line++) {
        const char *word = at + strspn(at, " \t");
        word += *word == '"' || *word == '\'';
        if (strncmp(word, key, key_bytes) == 0) {
            const char *after = word + key_bytes;
            after += *after == '"' || *after == '\'';
            if (after[strspn(after, " \t")] == ':')
                return line;
        }
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return 0;
}

static bool
text_read(const char *path, struct config_file *file, char *why, size_t why_bytes)
{
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    file->text = malloc(FILE_BYTES_MAX + 1);
    CHECK(file->text != NULL);
    file->bytes = fread(file->text, 1, FILE_BYTES_MAX + 1, in);
    bool failed = ferror(in) != 0;
    fclose(in);
    if (failed) {
        snprintf(why, why_bytes, "%s: cannot be read", path);
        return false;
    }
    if (file->bytes > FILE_BYTES_MAX || memchr(file->text, '\0', file->bytes) != NULL) {
        snprintf(why, why_bytes, "%s: is larger than %d bytes or no text", path, FILE_BYTES_MAX);
        return false;
    }
    file->text[file->bytes] = '\0';
    return true;
}

/* Turns what libcyaml said into one line: "FILE:LINE: what". */
static void
explain(const struct config_file *file, const char *path, cyaml_err_t error,
        const struct messages *said, char *why, size_t why_bytes)
{
    char first[MESSAGE_MAX];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(said->text, "\n"), said->text);
    const char *what = strncmp(first, "Load: ", 6) == 0 ? first + 6 : first;
    if (error == CYAML_ERR_INVALID_KEY) {
        const char *colon = strrchr(first, ':');
        const char *key = colon != NULL ? colon + 1 + (colon[1] == ' ') : first;
        snprintf(why, why_bytes, "%s:%u: unknown key '%s'", path, line_of(file->text, key), key);
        return;
    }
    const char *mark = strstr(said->text, "(line: ");
    unsigned long line = mark == NULL ? 1 : strtoul(mark + strlen("(line: "), NULL, 10);
    const char *field = strstr(said->text, "mapping field '");
    if (field != NULL) {
        field += strlen("mapping field '");
        snprintf(why, why_bytes, "%s:%lu: %.*s: %s", path, line, (int)strcspn(field, "'"), field,
                 what);
    } else {
        snprintf(why, why_bytes, "%s:%lu: %s", path, line, what);
    }
}

bool
config_file_read(const char *path, struct config_file **out, char *why, size_t why_bytes)
{
    CHECK(path != NULL && out != NULL && why_bytes > 0);
    struct config_file *file = calloc(1, sizeof *file);
    CHECK(file != NULL);
    bool fine = text_read(path, file, why, why_bytes);
    if (fine && file->bytes > 0) {
        struct messages said = {.used = 0};
        cyaml_config_t with = cyaml_with(&said);
        cyaml_err_t error = cyaml_load_data((const uint8_t *)file->text, file->bytes, &with,
                                            &config_schema, (cyaml_data_t **)&file->values, NULL);
        fine = error == CYAML_OK;
        if (!fine)
            explain(file, path, error, &said, why, why_bytes);
    }
    if (fine)
        *out = file;
    else
        config_file_free(&file);
    return fine;
}

const char *
config_file_value(const struct config_file *file, enum config_key key)
{
#define CONFIG_OFFSET(type, key_, ...) [CONFIG_##key_] = offsetof(struct config_values, key_),
    static const size_t offsets[CONFIG_COUNT] = {CONFIG_TABLE(CONFIG_OFFSET)};
    CHECK(key < CONFIG_COUNT);
    if (file->values == NULL)
        return NULL;
    const char *value;
    memcpy(&value, (const char *)file->values + offsets[key], sizeof value);
    return value;
}

uint32_t
config_file_line(const struct config_file *file, enum config_key key)
{
    return line_of(file->text, config_key_name(key));
}

void
config_file_free(struct config_file **file)
{
    CHECK(file != NULL && *file != NULL);
    if ((*file)->values != NULL) {
        struct messages said = {.used = 0};
        cyaml_config_t with = cyaml_with(&said);
        cyaml_err_t error = cyaml_free(&with, &config_schema, (*file)->values, 0);
        CHECK(error == CYAML_OK);
    }
    free((*file)->text);
    free(*file);
    *file = NULL;
}
