/* `seom audit`: reads the whole store once, from one moment, and says whether everything of value
 * that is held is what the ledger says. */
#include "app/audit.h"
#include "app/commands.h"
#include "app/output.h"
#include "os/lmdb_tools.h"
#include "society/audit.h"
#include <argp.h>
#include <stdio.h>

#define FINDINGS_MAX   50
#define PROGRESS_EVERY 1000000

struct auditing {
    struct audit *audit;
    uint64_t documents;
    bool full;
};

static bool
each_document(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct auditing *a = ctx;
    struct key_parts parts;
    if (++a->documents % PROGRESS_EVERY == 0)
        output_progress("%llu million documents",
                        (unsigned long long)a->documents / PROGRESS_EVERY);
    if (key_parse(key, &parts) != OK)
        return true; /* of no class: nothing of value */
    a->full = audit_read(a->audit, &parts, doc->value) != OK;
    return !a->full;
}

static void
on_found(void *ctx, const char *what)
{
    (void)ctx;
    fprintf(stderr, "  %s\n", what);
}

static int
print_result(const struct audit_result *r, uint64_t damaged, bool one_moment)
{
    bool balanced = r->balanced && damaged == 0;
    output_progress("things: %llu minted = %llu held + %llu consumed",
                    (unsigned long long)r->minted, (unsigned long long)r->held,
                    (unsigned long long)r->consumed);
    output_progress("coins:  %llu minted = %llu held + %llu consumed",
                    (unsigned long long)r->coins_minted, (unsigned long long)r->coins_held,
                    (unsigned long long)r->coins_consumed);
    output_progress("%llu doubled, %llu lost, %llu documents that cannot be read: %s",
                    (unsigned long long)r->doubled, (unsigned long long)r->lost,
                    (unsigned long long)(r->unreadable + damaged),
                    balanced ? "balanced" : "NOT BALANCED");
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "minted",
        (json_int_t)r->minted, "held", (json_int_t)r->held, "consumed", (json_int_t)r->consumed,
        "coins_minted", (json_int_t)r->coins_minted, "coins_held", (json_int_t)r->coins_held,
        "coins_consumed", (json_int_t)r->coins_consumed, "doubled", (json_int_t)r->doubled, "lost",
        (json_int_t)r->lost, "commands", (json_int_t)r->commands, "documents",
        (json_int_t)r->documents, "findings", (json_int_t)r->findings, "unreadable",
        (json_int_t)(r->unreadable + damaged), "balanced", balanced, "one_moment", one_moment);
    int code = output_result(&object);
    return balanced ? code : 1;
}

int
audit_run(struct tool *tool, const char *path)
{
    uint64_t damaged = 0;
    struct auditing a = {.audit = audit_alloc(0)};
    enum err error;
    int code;
    if (path != NULL)
        error = lmdb_scan_copy(path, "", each_document, &a, &damaged, tool->why);
    else
        error = tool_scan(tool, "", each_document, &a, &damaged);
    bool one_moment = path != NULL || tool_sees_one_moment(tool);
    if (!one_moment)
        output_progress("several servers are not read from one moment: if somebody played "
                        "meanwhile, this says nothing");
    if (error == OK && a.full) {
        snprintf(tool->why, sizeof tool->why, "too many accounts to audit on this machine");
        error = ERR_FULL;
    }
    if (error != OK) {
        code = tool_fail(tool, NULL);
    } else {
        struct audit_result result = audit_end(a.audit, FINDINGS_MAX, on_found, NULL);
        if (result.findings > FINDINGS_MAX)
            output_progress("  ... and %llu more",
                            (unsigned long long)(result.findings - FINDINGS_MAX));
        code = print_result(&result, damaged, one_moment);
    }
    audit_free(&a.audit);
    return code;
}

int
audit_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, TOOL_OPTION_STORE, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .doc = "Compare what is held with what the ledger says, whether the world runs or not. The "
               "exit code is 0 only when it is balanced.\vA cluster of one PostgreSQL server is "
               "read from one moment, while people play. Several servers are not: while somebody "
               "plays there, the result says nothing."};
    struct tool tool = {.name = argv[0]};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    return tool_begin(&tool) ? audit_run(&tool, NULL) : 2;
}
