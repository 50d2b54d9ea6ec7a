/* `seom store verify` and `seom store copy`: the file itself. */
#include "app/commands.h"
#include "app/output.h"
#include "app/tool.h"
#include "os/lmdb_tools.h"
#include <argp.h>
#include <stdio.h>

static void
on_damaged(void *ctx, struct slice key)
{
    (void)ctx;
    fputs("  damaged: ", stderr);
    for (size_t i = 0; i < key.bytes; i++)
        fputc(key.at[i] > ' ' && key.at[i] <= '~' ? key.at[i] : '?', stderr);
    fputc('\n', stderr);
}

int
store_verify_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .doc = "Read every document of the store and check its checksum, whether the world runs or "
               "not. The exit code is 0 only when all fit."};
    struct tool tool = {.name = argv[0]};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    if (tool_is_cluster(&tool))
        return tool_refuse_cluster(&tool, "`seom audit` reads every document of it; the server's "
                                          "own pages are pg_amcheck's business");
    struct lmdb_verified v = {0};
    enum err error = lmdb_verify(tool.config.data, on_damaged, NULL, &v, tool.why);
    if (error != OK && v.damaged == 0)
        return tool_fail(&tool, NULL);
    if (error == ERR_IO) /* its pages are damaged too: it ended before the end */
        fprintf(stderr, "%s: %s\n", tool.name, tool.why);
    output_progress("%llu documents, %llu graves of deleted ones, %llu damaged",
                    (unsigned long long)v.documents, (unsigned long long)v.deleted,
                    (unsigned long long)v.damaged);
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "documents", (json_int_t)v.documents, "deleted",
                  (json_int_t)v.deleted, "damaged", (json_int_t)v.damaged, "bytes",
                  (json_int_t)v.bytes, "used_bytes", (json_int_t)v.used_bytes);
    int code = output_result(&object);
    return error == OK ? code : 1;
}

int
store_copy_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "FILE",
        .doc = "Copy the store to FILE as it stands at one moment, without its free pages, whether "
               "the world runs or not. `seom backup` also audits the copy."};
    struct tool tool = {.name = argv[0], .wants = {"to which file?"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    if (tool_is_cluster(&tool))
        return tool_refuse_cluster(&tool, "`seom backup FILE` says how it is kept");
    if (lmdb_copy(tool.config.data, tool.arguments[0], tool.why) != OK)
        return tool_fail(&tool, NULL);
    json_t *object = json_pack("{s:s}", "file", tool.arguments[0]);
    return output_result(&object);
}
