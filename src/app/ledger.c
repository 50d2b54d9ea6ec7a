/* `seom ledger` and `seom doc history`: the lines of the ledger that speak of one account, oldest
 * first. Lines stand in the ledger of the player whose command wrote them, so those in which an
 * account only received are found by reading all ledgers: a tool may, play never does.
 */
#include "society/ledger.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/tool.h"
#include "base/check.h"
#include "documents.pb-c.h"
#include "society/mail.h"
#include "society/trade.h"
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    uint64_t owner; /* whose ledger it stands in */
    uint64_t order; /* of reading, to keep lines of one moment as they were written */
    Seom__Entry entry;
};

struct lines {
    bool any;     /* every account */
    uint64_t uid; /* of one single thing, wherever it went; 0: not asked */
    struct account account;
    struct line *at; /* owned */
    size_t count, capacity;
    uint64_t read, unreadable;
};

static const char *const account_names[] = {
    [SEOM__ACCOUNT_KIND__ACCOUNT_WORLD] = "world", [SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER] = "player",
    [SEOM__ACCOUNT_KIND__ACCOUNT_CHEST] = "chest", [SEOM__ACCOUNT_KIND__ACCOUNT_GROUND] = "chunk",
    [SEOM__ACCOUNT_KIND__ACCOUNT_MAIL] = "mail",   [SEOM__ACCOUNT_KIND__ACCOUNT_TRADE] = "trade",
};

#define ACCOUNT_NAMES (sizeof account_names / sizeof account_names[0])

static bool
account_is(const struct account *account, Seom__AccountKind kind, uint64_t id)
{
    return account->kind == kind && account->id == id;
}

static void
take_entry(struct lines *lines, uint64_t owner, const Seom__Entry *e)
{
    lines->read++;
    if (lines->uid != 0 && e->uid != lines->uid)
        return;
    if (!lines->any && lines->uid == 0 && !account_is(&lines->account, e->from, e->from_id) &&
        !account_is(&lines->account, e->to, e->to_id))
        return;
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 1024 : 2 * lines->capacity;
        lines->at = realloc(lines->at, lines->capacity * sizeof lines->at[0]);
        CHECK(lines->at != NULL);
    }
    lines->at[lines->count] = (struct line){.owner = owner, .order = lines->read, .entry = *e};
    lines->at[lines->count].entry.base.unknown_fields = NULL; /* freed with its message */
    lines->at[lines->count++].entry.base.n_unknown_fields = 0;
}

static void
take_page(struct lines *lines, const struct key_parts *parts, struct slice value)
{
    uint64_t owner;
    uint32_t page;
    Seom__LedgerDocument *document = seom__ledger_document__unpack(NULL, value.bytes, value.at);
    if (document == NULL || ledger_key_parse(parts->name, &owner, &page) != OK) {
        lines->unreadable++;
    } else {
        for (size_t i = 0; i < document->n_entries; i++)
            take_entry(lines, owner, document->entries[i]);
    }
    if (document != NULL)
        seom__ledger_document__free_unpacked(document, NULL);
}

static void
take_player(struct lines *lines, const struct key_parts *parts, struct slice value)
{
    Seom__PlayerDocument *document = seom__player_document__unpack(NULL, value.bytes, value.at);
    if (document == NULL || !parts->is_id) {
        lines->unreadable++;
    } else {
        for (size_t i = 0; i < document->n_ledger; i++)
            take_entry(lines, parts->id, document->ledger[i]);
    }
    if (document != NULL)
        seom__player_document__free_unpacked(document, NULL);
}

static bool
each_document(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct lines *lines = ctx;
    struct key_parts parts;
    if (key_parse(key, &parts) != OK)
        return true; /* of no class: no lines */
    if (key_has_class(&parts, KEY_CLASS_LEDGER))
        take_page(lines, &parts, doc->value);
    else if (key_has_class(&parts, KEY_CLASS_PLAYER))
        take_player(lines, &parts, doc->value);
    return true;
}

static int
lines_compare(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    if (left->entry.at_ms != right->entry.at_ms)
        return left->entry.at_ms < right->entry.at_ms ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

/* Everything in one scan, for that is one moment: between two, lines would move out of a player's
 * document into a page that was read before it was there. Pages come before players, by their keys.
 */
static enum err
lines_read(struct tool *tool, struct lines *lines)
{
    char prefix[STORE_KEY_MAX];
    uint64_t damaged;
    snprintf(prefix, sizeof prefix, "%04x/", (unsigned)tool->config.world);
    if (!tool_sees_one_moment(tool))
        output_progress("several servers are not read from one moment: lines may be missing or "
                        "stand here twice if somebody played meanwhile");
    enum err error = tool_scan(tool, prefix, each_document, lines, &damaged);
    if (error != OK)
        return error;
    lines->unreadable += damaged;
    if (lines->count > 0)
        qsort(lines->at, lines->count, sizeof lines->at[0], lines_compare);
    return OK;
}

static void
account_text(char out[48], Seom__AccountKind kind, uint64_t id)
{
    const char *name = (size_t)kind < ACCOUNT_NAMES ? account_names[kind] : "?";
    if (kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        snprintf(out, 48, "%s", name);
    else
        snprintf(out, 48, "%s/%016" PRIx64, name, id);
}

static json_t *
line_json(const struct line *line)
{
    const Seom__Entry *e = &line->entry;
    char from[48], to[48], owner[24], uid[24];
    account_text(from, e->from, e->from_id);
    account_text(to, e->to, e->to_id);
    snprintf(owner, sizeof owner, "%016" PRIx64, line->owner);
    snprintf(uid, sizeof uid, "%016" PRIx64, e->uid);
    json_t *json =
        json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:i, s:I}", "at_ms", (json_int_t)e->at_ms,
                  "player", owner, "seq", (json_int_t)e->seq, "reason", reason_text(e->reason),
                  "from", from, "to", to, "kind", (int)e->kind, "count", (json_int_t)e->count);
    if (e->uid != 0)
        json_object_set_new(json, "uid", json_string(uid));
    return json;
}

static void
print_table(const struct lines *lines)
{
    static const struct output_column columns[] = {
        {"world ms", true}, {"by player", false}, {"seq", true}, {"why", false},
        {"what", false},    {"from", false},      {"to", false},
    };
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < lines->count; i++) {
        const Seom__Entry *e = &lines->at[i].entry;
        char from[48], to[48];
        account_text(from, e->from, e->from_id);
        account_text(to, e->to, e->to_id);
        output_table_cell(table, "%" PRId64, e->at_ms);
        output_table_cell(table, "%016" PRIx64, lines->at[i].owner);
        output_table_cell(table, "%" PRIu64, e->seq);
        output_table_cell(table, "%s", reason_text(e->reason));
        if (e->count == 0)
            output_table_cell(table, "-");
        else if (e->kind == 0)
            output_table_cell(table, "%" PRIu64 " coins", e->count);
        else if (e->uid != 0)
            output_table_cell(table, "kind %u, %016" PRIx64, e->kind, e->uid);
        else
            output_table_cell(table, "%" PRIu64 " of kind %u", e->count, e->kind);
        output_table_cell(table, "%s", from);
        output_table_cell(table, "%s", to);
    }
    output_table_print(table, stderr);
    output_table_free(&table);
}

static int
lines_print(const struct lines *lines, bool each_line)
{
    json_t *list = json_array();
    if (!each_line)
        print_table(lines);
    for (size_t i = 0; i < lines->count; i++) {
        json_t *json = line_json(&lines->at[i]);
        if (each_line) {
            json_dumpf(json, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(json);
        } else {
            json_array_append_new(list, json);
        }
    }
    if (lines->unreadable > 0)
        output_progress("%" PRIu64 " documents could not be read", lines->unreadable);
    json_t *object = json_pack("{s:I, s:I}", "count", (json_int_t)lines->count, "unreadable",
                               (json_int_t)lines->unreadable);
    if (each_line)
        json_decref(list);
    else
        json_object_set_new(object, "lines", list);
    return output_result(&object);
}

static int
lines_run(struct tool *tool, struct lines *lines, bool each_line)
{
    int code =
        lines_read(tool, lines) == OK ? lines_print(lines, each_line) : tool_fail(tool, NULL);
    free(lines->at);
    return code;
}

struct ledger {
    struct tool tool;
    uint64_t player, thing; /* 0: not asked */
};

static uint64_t
id_of(const char *what, const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    uint64_t id = strtoull(text, &end, 0);
    if (errno != 0 || *end != '\0' || id == 0)
        argp_error(state, "%s \"%s\" is no id: a number, or 0x and hex", what, text);
    return id;
}

static error_t
parse_ledger(int key, char *argument, struct argp_state *state)
{
    struct ledger *ledger = state->input;
    if (key == 'p' || key == 't') {
        *(key == 'p' ? &ledger->player : &ledger->thing) =
            id_of(key == 'p' ? "--player" : "--thing", argument, state);
        return 0;
    }
    if (key == ARGP_KEY_END && ledger->player != 0 && ledger->thing != 0)
        argp_error(state, "--player or --thing, not both");
    state->input = &ledger->tool;
    error_t error = tool_parse(key, argument, state);
    state->input = ledger;
    return error;
}

int
ledger_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"player", 'p', "ID", 0, "only what he gave or got; as in `seom players`, or 0x and hex",
         0},
        {"thing", 't', "UID", 0, "only the way of one single thing", 0},
        TOOL_OPTION_DATA,
        TOOL_OPTION_STORE,
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_ledger,
        .doc = "Print the lines of the ledger, whether the world runs or not: of one player or "
               "thing as a table and one JSON object, of everybody as one JSON object a line."};
    struct ledger ledger = {.tool = {.name = argv[0]}};
    argp_parse(&argp, argc, argv, 0, NULL, &ledger);
    struct lines lines = {
        .any = ledger.player == 0 && ledger.thing == 0,
        .uid = ledger.thing,
        .account = {.kind = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .id = ledger.player}};
    return tool_begin(&ledger.tool) ? lines_run(&ledger.tool, &lines, lines.any) : 2;
}

int
doc_history_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, TOOL_OPTION_STORE, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "KEY",
        .doc =
            "Print what went into and out of what a document holds (a player, chest, chunk, mail "
            "or trade), by the ledger, whether the world runs or not."};
    struct tool tool = {.name = argv[0],
                        .wants = {"of which document? A key is <world>/<class>/<id>, as "
                                  "0001/player/0001000000000001"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    struct key_parts parts;
    struct slice key = {(const uint8_t *)tool.arguments[0], strlen(tool.arguments[0])};
    if (key_parse(key, &parts) == OK && parts.is_id) {
        for (size_t i = 1; i < ACCOUNT_NAMES; i++) {
            if (!key_has_class(&parts, account_names[i]))
                continue;
            struct lines lines = {.account = {.kind = (Seom__AccountKind)i, .id = parts.id}};
            return tool_begin(&tool) ? lines_run(&tool, &lines, false) : 2;
        }
    }
    fprintf(stderr,
            "%s: %s holds nothing that the ledger knows: a key of a player, chest, chunk, "
            "mail or trade\n",
            argv[0], tool.arguments[0]);
    return 2;
}
