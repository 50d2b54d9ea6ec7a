/* `seom switches`: which classes of commands are closed, and closing and opening them. A running
 * world follows within a second (world/switches.c).
 */
#include "app/commands.h"
#include "app/output.h"
#include "app/tool.h"
#include "documents.pb-c.h"
#include "store/deed.h"
#include <argp.h>
#include <stdio.h>
#include <string.h>

#define SWITCHES_NAME      "switches"
#define WEALTH_TRANSFER    "wealth-transfer"
#define WHY_BYTES_MAX      200
#define TRIES_MAX          10 /* others may change it at the same time */
#define SWITCHES_BYTES_MAX (WHY_BYTES_MAX + 16)
#define CLASSES_ALL        ((1U << DEED_CLASSES) - 1)

struct switches {
    struct tool tool;
    uint32_t close, open; /* bits per enum deed_class */
    const char *why;      /* NULL: not given */
};

/* 0: there is no such class. */
static uint32_t
classes_of(const char *name)
{
    if (strcmp(name, WEALTH_TRANSFER) == 0)
        return DEED_WEALTH_TRANSFER;
    if (strcmp(name, "all") == 0)
        return CLASSES_ALL;
    for (uint32_t class = 0; class < DEED_CLASSES; class ++) {
        if (strcmp(name, deed_class_name((enum deed_class) class)) == 0)
            return 1U << class;
    }
    return 0;
}

static error_t
parse_switches(int key, char *argument, struct argp_state *state)
{
    struct switches *s = state->input;
    if (key == 'c' || key == 'o') {
        uint32_t classes = classes_of(argument);
        if (classes == 0)
            argp_error(
                state,
                "there is no class \"%s\", but gather, arrange, take, trade, mail, " WEALTH_TRANSFER
                " and all",
                argument);
        *(key == 'c' ? &s->close : &s->open) |= classes;
        return 0;
    }
    if (key == 'w') {
        if (strlen(argument) > WHY_BYTES_MAX)
            argp_error(state, "--why: at most %d bytes", WHY_BYTES_MAX);
        s->why = argument;
        return 0;
    }
    if (key == ARGP_KEY_END && (s->close & s->open) != 0)
        argp_error(state, "closed and opened at the same time");
    if (key == ARGP_KEY_END && s->why != NULL && (s->close | s->open) == 0)
        argp_error(state, "--why goes with --close or --open");
    state->input = &s->tool;
    error_t error = tool_parse(key, argument, state);
    state->input = s;
    return error;
}

static json_t *
classes_json(uint32_t classes)
{
    json_t *names = json_array();
    for (uint32_t class = 0; class < DEED_CLASSES; class ++) {
        if ((classes >> class & 1) != 0)
            json_array_append_new(names, json_string(deed_class_name((enum deed_class) class)));
    }
    return names;
}

static int
switches_print(const Seom__SwitchesDocument *document)
{
    for (uint32_t class = 0; class < DEED_CLASSES; class ++)
        fprintf(stderr, "  %-8s %s\n", deed_class_name((enum deed_class) class),
                (document->closed >> class & 1) != 0 ? "closed" : "open");
    json_t *object =
        json_pack("{s:o, s:s}", "closed", classes_json(document->closed), "why", document->why);
    return output_result(&object);
}

/* Changes the document as it was found. ERR_CONFLICT: somebody else was quicker. */
static enum err
switches_write(struct switches *s, const char *key, const struct tool_document *found,
               Seom__SwitchesDocument *document)
{
    uint8_t packed[STORE_VALUE_MAX];
    uint64_t version;
    char *before = document->why;
    document->closed = (document->closed | s->close) & ~s->open;
    if (s->why != NULL)
        document->why = (char *)(uintptr_t)s->why;
    enum err error = ERR_TOO_LARGE;
    if (seom__switches_document__get_packed_size(document) > sizeof packed) {
        snprintf(s->tool.why, sizeof s->tool.why, "%s does not fit", key);
    } else {
        size_t bytes = seom__switches_document__pack(document, packed);
        error = tool_log(&s->tool, "switches",
                         json_pack("{s:o, s:o, s:s}", "close", classes_json(s->close), "open",
                                   classes_json(s->open), "why", document->why));
        if (error == OK)
            error = tool_put(&s->tool, key, found, (struct slice){packed, bytes}, &version);
    }
    if (error != OK)
        document->why = before;
    return error;
}

static int
switches_run(struct switches *s)
{
    static struct tool_document found;
    struct key key = key_named((uint16_t)s->tool.config.world, KEY_CLASS_META, SWITCHES_NAME);
    enum err error = ERR_CONFLICT;
    int code = 1;
    for (int n = 0; n < TRIES_MAX && error == ERR_CONFLICT; n++) {
        error = tool_get(&s->tool, key.text, &found);
        if (error != OK)
            break;
        Seom__SwitchesDocument *document =
            seom__switches_document__unpack(NULL, found.bytes, found.value);
        if (document == NULL) {
            snprintf(s->tool.why, sizeof s->tool.why, "%s cannot be read", key.text);
            error = ERR_FORMAT;
            break;
        }
        char *before = document->why;
        if ((s->close | s->open) != 0)
            error = switches_write(s, key.text, &found, document);
        if (error == OK)
            code = switches_print(document);
        document->why = before;
        seom__switches_document__free_unpacked(document, NULL);
    }
    return error == OK ? code : tool_fail(&s->tool, NULL);
}

int
switches_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"close", 'c', "CLASS", 0, "commands of this class are answered CLOSED", 0},
        {"open", 'o', "CLASS", 0, "they are done again", 0},
        {"why", 'w', "TEXT", 0, "kept beside the switches and in the operator's log", 0},
        TOOL_OPTION_DATA,
        TOOL_OPTION_STORE,
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_switches,
        .doc = "Print which classes of commands are closed; close and open them while people play."
               "\vClasses: gather (makes or ends things), arrange (moves one's own), take, trade, "
               "mail; " WEALTH_TRANSFER
               ": everything by which something can come from one player to another; all. A "
               "running world, or all homes of a cluster, follow within a second. What is closed "
               "uses up no command's number."};
    struct switches s = {.tool = {.name = argv[0]}};
    argp_parse(&argp, argc, argv, 0, NULL, &s);
    return tool_begin(&s.tool) ? switches_run(&s) : 2;
}
