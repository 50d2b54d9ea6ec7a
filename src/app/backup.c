/* `seom backup` and `seom restore`: a consistent copy of the store while the world runs, audited
 * before it is called a backup; and a world's directory made out of one.
 */
#include "app/audit.h"
#include "app/commands.h"
#include "app/output.h"
#include "os/data_lock.h"
#include "os/files.h"
#include "os/lmdb_tools.h"
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES  1024
#define ASIDE_BYTES (PATH_BYTES + 32)

int
backup_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .args_doc = "FILE",
        .doc = "Copy the store to FILE as it stands at one moment, whether the world runs or not, "
               "read the copy back, and audit it. The exit code is 0 only when the copy is whole "
               "and balanced; the last line is the audit's."};
    struct tool tool = {.name = argv[0], .wants = {"to which file?"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    const char *path = tool.arguments[0];
    enum err error = lmdb_copy(tool.config.data, path, tool.why);
    if (error != OK)
        return tool_fail(&tool,
                         error == ERR_EXISTS ? "name another file, or take that one away" : NULL);
    struct lmdb_verified verified;
    error = lmdb_verify_copy(path, NULL, NULL, &verified, tool.why);
    output_progress("%s: %llu documents, %llu bytes, %llu damaged", path,
                    (unsigned long long)verified.documents, (unsigned long long)verified.bytes,
                    (unsigned long long)verified.damaged);
    if (error != OK)
        return tool_fail(&tool, "the copy stands, but it is not whole: see `seom store verify`");
    return audit_run(&tool, path);
}

/* Copies as a whole or not at all. */
static enum err
copy_file(struct tool *tool, const char *from, const char *to)
{
    struct slice bytes;
    enum err error = file_map(from, &bytes);
    if (error == OK) {
        error = file_replace(to, bytes);
        file_unmap(&bytes);
    }
    if (error != OK)
        snprintf(tool->why, sizeof tool->why, "%.200s to %.200s: %s", from, to, err_text(error));
    return error;
}

/* The store that is there gets a second name, under which it stays. It keeps its own until the
 * backup takes it: a directory without a store would be taken for a new world. */
static enum err
keep_aside(struct tool *tool, const char *store, char aside[ASIDE_BYTES])
{
    for (int n = 1; n < 1000; n++) {
        snprintf(aside, ASIDE_BYTES, "%s.before-restore-%d", store, n);
        if (link(store, aside) == 0)
            return OK;
        if (errno != EEXIST) {
            snprintf(tool->why, sizeof tool->why, "%.400s cannot be kept aside: %s", store,
                     strerror(errno));
            return ERR_IO;
        }
    }
    snprintf(tool->why, sizeof tool->why, "%.400s: too many stores of before a restore lie there",
             store);
    return ERR_FULL;
}

/* With the lock in hand: no server runs there, and none starts. */
static enum err
restore_alone(struct tool *tool, const char *store, bool exists)
{
    char aside[ASIDE_BYTES];
    const char *file = tool->arguments[0];
    enum err error = tool_log(tool, "restore", json_pack("{s:s}", "file", file));
    if (error == OK && exists)
        error = keep_aside(tool, store, aside);
    if (error != OK)
        return error;
    error = copy_file(tool, file, store);
    if (exists) /* also after an error: nobody knows how far it came */
        output_progress("the store that was there is kept as %s", aside);
    return error;
}

static enum err
restore(struct tool *tool)
{
    char store[PATH_BYTES], question[PATH_BYTES + 128];
    snprintf(store, sizeof store, "%s/store.mdb", tool->config.data);
    enum err error = directory_make(tool->config.data);
    if (error != OK) {
        snprintf(tool->why, sizeof tool->why, "%s: %s", tool->config.data, err_text(error));
        return error;
    }
    if (access(store, F_OK) == 0) {
        snprintf(question, sizeof question,
                 "%s holds a world. Put %s in its place (the store that is there is kept aside)?",
                 tool->config.data, tool->arguments[0]);
        if (!tool_confirm(tool, question)) {
            tool->why[0] = '\0';
            return ERR_DENIED;
        }
    }
    int lock;
    error = data_lock_take(tool->config.data, &lock, tool->why, sizeof tool->why);
    if (error != OK)
        return error;
    error = restore_alone(tool, store, access(store, F_OK) == 0);
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
        .doc = "Make the store of a world out of a backup: checks the file first, keeps aside what "
               "was there, and audits what is there now. No server may run on the directory."};
    struct tool tool = {.name = argv[0], .wants = {"from which file?"}};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    struct lmdb_verified verified;
    if (lmdb_verify_copy(tool.arguments[0], NULL, NULL, &verified, tool.why) != OK)
        return tool_fail(&tool, "nothing was changed");
    enum err error = restore(&tool);
    if (error != OK)
        return tool.why[0] == '\0' ? 1 : tool_fail(&tool, NULL);
    output_progress("%llu documents restored into %s", (unsigned long long)verified.documents,
                    tool.config.data);
    return audit_run(&tool, NULL);
}
