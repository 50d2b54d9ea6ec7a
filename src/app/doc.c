/* `seom doc get` and `seom doc put`: one document as JSON, and back. Works beside a running server:
 * what is put here is seen at the next read, and a commit that had read the older version loses its
 * race.
 */
#include "app/commands.h"
#include "app/document_json.h"
#include "app/output.h"
#include "app/tool.h"
#include "os/files.h"
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1U << 20)

#define WANTS_KEY "which document? A key is <world>/<class>/<id>, as 0001/player/0001000000000001"

struct doc {
    struct tool tool;
    const char *key;
    struct key_parts parts;
};

static bool
doc_begin(struct doc *doc)
{
    doc->key = doc->tool.arguments[0];
    struct slice key = {(const uint8_t *)doc->key, strlen(doc->key)};
    if (key_parse(key, &doc->parts) != OK) {
        fprintf(stderr, "%s: \"%s\" is no key: <world>/<class>/<id>, as %s\n", doc->tool.name,
                doc->key, "0001/player/0001000000000001");
        return false;
    }
    return tool_begin(&doc->tool);
}

static int
print_document(struct doc *doc, const struct tool_document *found)
{
    char why[DOCUMENT_WHY_MAX];
    json_t *body = document_to_json(&doc->parts,
                                    (struct slice){.at = found->value, .bytes = found->bytes}, why);
    if (body == NULL) {
        snprintf(doc->tool.why, sizeof doc->tool.why, "%s: %s", doc->key, why);
        return tool_fail(&doc->tool, NULL);
    }
    if (isatty(STDOUT_FILENO)) {
        json_dumpf(body, stderr, JSON_INDENT(2));
        fputc('\n', stderr);
    }
    json_t *object = json_pack("{s:s, s:I, s:o}", "key", doc->key, "version",
                               (json_int_t)found->version, "document", body);
    return output_result(&object);
}

int
doc_get_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, TOOL_OPTION_STORE, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "KEY",
        .doc = "Print one document of the store as JSON, whether the world runs or not."};
    struct doc doc = {.tool = {.name = argv[0], .wants = {WANTS_KEY}}};
    static struct tool_document found;
    argp_parse(&argp, argc, argv, 0, NULL, &doc.tool);
    if (!doc_begin(&doc))
        return 2;
    if (tool_get(&doc.tool, doc.key, &found) != OK)
        return tool_fail(&doc.tool, NULL);
    if (!found.exists) {
        snprintf(doc.tool.why, sizeof doc.tool.why, "%s: there is no such document", doc.key);
        return tool_fail(&doc.tool, NULL);
    }
    return print_document(&doc, &found);
}

static json_t *
load_json(struct doc *doc, json_error_t *where)
{
    struct slice bytes;
    if (strcmp(doc->tool.arguments[1], "-") == 0)
        return json_loadf(stdin, 0, where);
    enum err error = file_read(doc->tool.arguments[1], INPUT_MAX, &bytes);
    if (error != OK) {
        snprintf(where->text, sizeof where->text, "%s", err_text(error));
        where->line = 0;
        return NULL;
    }
    json_t *json = json_loadb((const char *)bytes.at, bytes.bytes, 0, where);
    free((void *)bytes.at);
    return json;
}

/* What stands in the file: the document, or what `seom doc get` printed around it. */
static json_t *
read_json(struct doc *doc, json_t **whole)
{
    json_error_t where;
    *whole = load_json(doc, &where);
    if (*whole == NULL) {
        snprintf(doc->tool.why, sizeof doc->tool.why, "%s:%d: %s", doc->tool.arguments[1],
                 where.line, where.text);
        return NULL;
    }
    json_t *inner = json_object_get(*whole, "document");
    return inner != NULL && json_object_get(*whole, "key") != NULL ? inner : *whole;
}

static enum err
put(struct doc *doc, const json_t *json, uint64_t *version)
{
    static struct tool_document found;
    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    char why[DOCUMENT_WHY_MAX], question[CONFIG_TEXT_MAX + 256];
    enum err error = document_from_json(&doc->parts, json, packed, &bytes, why);
    if (error != OK) {
        snprintf(doc->tool.why, sizeof doc->tool.why, "%s: %s", doc->tool.arguments[1], why);
        return error;
    }
    error = tool_get(&doc->tool, doc->key, &found);
    if (error != OK)
        return error;
    snprintf(question, sizeof question, "%s %s (version %llu) in %s?",
             found.exists ? "Write over" : "Make", doc->key, (unsigned long long)found.version,
             tool_where(&doc->tool));
    if (!tool_confirm(&doc->tool, question)) {
        doc->tool.why[0] = '\0';
        return ERR_DENIED;
    }
    json_t *before =
        found.exists ? document_to_json(&doc->parts, (struct slice){found.value, found.bytes}, why)
                     : json_null();
    error = tool_log(&doc->tool, "doc put",
                     json_pack("{s:s, s:I, s:o, s:O}", "key", doc->key, "version",
                               (json_int_t)found.version, "before",
                               before != NULL ? before : json_null(), "after", json));
    return error != OK
               ? error
               : tool_put(&doc->tool, doc->key, &found, (struct slice){packed, bytes}, version);
}

int
doc_put_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        TOOL_OPTION_DATA, TOOL_OPTION_STORE, TOOL_OPTION_YES, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "KEY FILE",
        .doc =
            "Write one document from JSON, as `seom doc get` prints it (FILE -: standard input), "
            "whether the world runs or not. What was there before goes into operator.log. Value "
            "that is made or ended so has no line in the ledger: `seom audit` will say so."};
    struct doc doc = {
        .tool = {.name = argv[0], .wants = {WANTS_KEY, "from which file? (-: standard input)"}}};
    argp_parse(&argp, argc, argv, 0, NULL, &doc.tool);
    if (!doc_begin(&doc))
        return 2;
    json_t *whole = NULL;
    json_t *json = read_json(&doc, &whole);
    uint64_t version = 0;
    int code = 1;
    if (json == NULL) {
        code = tool_fail(&doc.tool, NULL);
    } else if (put(&doc, json, &version) == OK) {
        json_t *object = json_pack("{s:s, s:I}", "key", doc.key, "version", (json_int_t)version);
        code = output_result(&object);
    } else if (doc.tool.why[0] != '\0') {
        code = tool_fail(&doc.tool, NULL);
    }
    json_decref(whole);
    return code;
}
