/* `seom backup` and `seom restore`: a consistent copy of the store while the world runs, audited
 * before it is called a backup; and a world's directory made out of one. Beside the store go the
 * key of its tickets and its origin, without which nobody could come back.
 */
#include "app/audit.h"
#include "app/commands.h"
#include "app/output.h"
#include "os/data_lock.h"
#include "os/files.h"
#include "os/lmdb_tools.h"
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES  1024
#define ASIDE_MAX   1000
#define ASIDE_BYTES (PATH_BYTES + 32)

/* What makes a directory a world: the first one is FILE itself in a backup, FILE.<name> the others.
 */
static const char *const parts[] = {"store.mdb", "ticket.key", "world.json"};

#define PARTS (sizeof parts / sizeof parts[0])

static bool
is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum err
paths_of(struct tool *tool, size_t part, char here[PATH_BYTES], char there[PATH_BYTES])
{
    const char *file = tool->arguments[0];
    int own = snprintf(here, PATH_BYTES, "%s/%s", tool->config.data, parts[part]);
    int other = part == 0 ? snprintf(there, PATH_BYTES, "%s", file)
                          : snprintf(there, PATH_BYTES, "%s.%s", file, parts[part]);
    if (own < PATH_BYTES && other < PATH_BYTES)
        return OK;
    snprintf(tool->why, sizeof tool->why, "the path of the file or the directory is too long");
    return ERR_RANGE;
}

/* As a whole or not at all. */
static enum err
copy_file(struct tool *tool, const char *from, const char *to)
{
    struct slice bytes;
    enum err error = file_map(from, &bytes);
    if (error == OK) {
        error = file_replace_private(to, bytes);
        file_unmap(&bytes);
    }
    if (error != OK)
        snprintf(tool->why, sizeof tool->why, "%.200s to %.200s: %s", from, to, err_text(error));
    return error;
}

/* ---- backup ---- */

/* Whether the backup would write over something. */
static enum err
backup_look(struct tool *tool)
{
    for (size_t i = 0; i < PARTS; i++) {
        char here[PATH_BYTES], there[PATH_BYTES];
        enum err error = paths_of(tool, i, here, there);
        if (error != OK)
            return error;
        if (is_there(there)) {
            snprintf(tool->why, sizeof tool->why, "%.400s is there already", there);
            return ERR_EXISTS;
        }
    }
    return OK;
}

static enum err
backup_origin(struct tool *tool)
{
    for (size_t i = 1; i < PARTS; i++) {
        char here[PATH_BYTES], there[PATH_BYTES];
        enum err error = paths_of(tool, i, here, there);
        if (error == OK && is_there(here))
            error = copy_file(tool, here, there);
        else if (error == OK)
            output_progress("there is no %s to keep: such a world does not start", here);
        if (error != OK)
            return error;
    }
    return OK;
}

/* PostgreSQL's own program does it: of one moment, in one file, beside people who play. */
static int
backup_refuse(struct tool *tool)
{
    const struct config *c = &tool->config;
    char remedy[2 * PATH_BYTES];
    if (tool_sees_one_moment(tool))
        snprintf(remedy, sizeof remedy,
                 "pg_dump --format=custom --schema=seom --file='%.400s' '%s' keeps it from one "
                 "moment while people play; keep %s/ticket.key with it",
                 tool->arguments[0], c->store, c->data);
    else
        snprintf(remedy, sizeof remedy,
                 "while no home runs, pg_dump --format=custom --schema=seom --file=FILE ADDRESS "
                 "keeps one server; all of them are needed, and %s/ticket.key",
                 c->data);
    return tool_refuse_cluster(tool, remedy);
}

static int
restore_refuse(struct tool *tool)
{
    const struct config *c = &tool->config;
    char remedy[2 * PATH_BYTES];
    snprintf(remedy, sizeof remedy,
             "while no home runs, pg_restore --clean --if-exists --dbname='%s' '%.400s' puts back "
             "what pg_dump kept; then `seom audit`",
             tool_sees_one_moment(tool) ? c->store : "ADDRESS", tool->arguments[0]);
    return tool_refuse_cluster(tool, remedy);
}

int
backup_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "FILE",
        .doc = "Copy the store to FILE as it stands at one moment, whether the world runs or not, "
               "read the copy back, and audit it. Beside it FILE.ticket.key and FILE.world.json "
               "are written: with the key anybody can make tickets of anybody, so keep all three "
               "as safe as the world itself. The exit code is 0 only when the copy is whole and "
               "balanced; the last line is the audit's."};
    struct tool tool = {.name = argv[0], .wants = {"to which file?"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    if (tool_is_cluster(&tool))
        return backup_refuse(&tool);
    const char *path = tool.arguments[0];
    enum err error = backup_look(&tool);
    if (error == OK)
        error = lmdb_copy(tool.config.data, path, tool.why);
    if (error != OK)
        return tool_fail(&tool,
                         error == ERR_EXISTS ? "name another file, or take that one away" : NULL);
    if (backup_origin(&tool) != OK)
        return tool_fail(&tool, "the copy of the store stands, but without what is missing nobody "
                                "could come back to it");
    struct lmdb_verified verified;
    error = lmdb_verify_copy(path, NULL, NULL, &verified, tool.why);
    output_progress("%s: %llu documents, %llu bytes, %llu damaged", path,
                    (unsigned long long)verified.documents, (unsigned long long)verified.bytes,
                    (unsigned long long)verified.damaged);
    output_progress("with it: %s.ticket.key, the secret of all tickets, and %s.world.json", path,
                    path);
    if (error != OK)
        return tool_fail(&tool, "the copy stands, but it is not whole: see `seom store verify`");
    return audit_run(&tool, path);
}

/* ---- restore ---- */

/* What is there gets a second name, under which it stays. It keeps its own until the backup takes
 * it: a directory without a store would be taken for a new world. */
static enum err
keep_aside(struct tool *tool, const char *path)
{
    char aside[ASIDE_BYTES];
    for (int n = 1; n < ASIDE_MAX; n++) {
        snprintf(aside, sizeof aside, "%s.before-restore-%d", path, n);
        if (link(path, aside) == 0) {
            output_progress("what was there is kept as %s", aside);
            return OK;
        }
        if (errno != EEXIST) {
            snprintf(tool->why, sizeof tool->why, "%.400s cannot be kept aside: %s", path,
                     strerror(errno));
            return ERR_IO;
        }
    }
    snprintf(tool->why, sizeof tool->why, "%.400s: too many of before a restore lie there", path);
    return ERR_FULL;
}

static enum err
replace_part(struct tool *tool, size_t part)
{
    char here[PATH_BYTES], there[PATH_BYTES];
    enum err error = paths_of(tool, part, here, there);
    if (error != OK)
        return error;
    if (!is_there(there)) {
        output_progress("there is no %s: %s", there,
                        is_there(here) ? "the one in the directory stays"
                                       : "without it the world will not start");
        return OK;
    }
    if (is_there(here))
        error = keep_aside(tool, here);
    return error == OK ? copy_file(tool, there, here) : error;
}

/* The store comes first: it is what there may be no room for. */
static enum err
restore_alone(struct tool *tool)
{
    enum err error = tool_log(tool, "restore", json_pack("{s:s}", "file", tool->arguments[0]));
    for (size_t i = 0; i < PARTS && error == OK; i++)
        error = replace_part(tool, i);
    return error;
}

/* Under the lock no server runs there, and none starts. */
static enum err
restore(struct tool *tool)
{
    char store[PATH_BYTES], file[PATH_BYTES], question[2 * PATH_BYTES];
    int lock;
    enum err error = paths_of(tool, 0, store, file);
    if (error == OK)
        error = data_lock_take(tool->config.data, &lock, tool->why, sizeof tool->why);
    if (error != OK)
        return error;
    snprintf(question, sizeof question,
             "%s holds a world. Put %s in its place (what is there is kept aside)?",
             tool->config.data, file);
    if (!is_there(store) || tool_confirm(tool, question)) {
        error = restore_alone(tool);
    } else {
        tool->why[0] = '\0';
        error = ERR_DENIED;
    }
    data_lock_release(lock);
    return error;
}

int
restore_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, TOOL_OPTION_YES, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "FILE",
        .doc =
            "Make a world's directory out of a backup: checks FILE first, keeps aside what was "
            "there, and audits what is there now. With FILE.ticket.key and FILE.world.json beside "
            "it everybody comes back with the ticket they had; where those are missing, the ones "
            "in the directory stay. No server may run there."};
    struct tool tool = {.name = argv[0], .wants = {"from which file?"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    if (tool_is_cluster(&tool))
        return restore_refuse(&tool);
    struct lmdb_verified verified;
    if (lmdb_verify_copy(tool.arguments[0], NULL, NULL, &verified, tool.why) != OK)
        return tool_fail(&tool, "nothing was changed");
    if (restore(&tool) != OK)
        return tool.why[0] == '\0' ? 1 : tool_fail(&tool, NULL);
    output_progress("%llu documents restored into %s", (unsigned long long)verified.documents,
                    tool.config.data);
    return audit_run(&tool, NULL);
}
