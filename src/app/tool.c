#include "app/tool.h"
#include "app/output.h"
#include "base/check.h"
#include "os/lmdb_tools.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 10000

error_t
tool_parse(int key, char *argument, struct argp_state *state)
{
    struct tool *tool = state->input;
    switch (key) {
    case 'd': tool->given.texts[CONFIG_data] = argument; return 0;
    case 's': tool->given.texts[CONFIG_store] = argument; return 0;
    case 'y': tool->yes = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num >= TOOL_ARGUMENTS_MAX || tool->wants[state->arg_num] == NULL)
            argp_error(state, "what is \"%s\"?", argument);
        else
            tool->arguments[state->arg_num] = argument;
        return 0;
    case ARGP_KEY_END:
        for (uint32_t i = 0; i < TOOL_ARGUMENTS_MAX; i++) {
            if (tool->wants[i] != NULL && tool->arguments[i] == NULL)
                argp_error(state, "%s", tool->wants[i]);
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

bool
tool_begin(struct tool *tool)
{
    if (config_load(&tool->given, &tool->config, tool->why, sizeof tool->why))
        return true;
    fprintf(stderr, "%s: %s\n", tool->name, tool->why);
    return false;
}

int
tool_fail(const struct tool *tool, const char *remedy)
{
    fprintf(stderr, "%s: %s\n", tool->name, tool->why);
    if (remedy != NULL)
        fprintf(stderr, "%s: %s\n", tool->name, remedy);
    return 1;
}

struct wanted {
    const char *key;
    struct tool_document *out;
};

static bool
each_wanted(void *ctx, struct slice key, const struct store_doc *doc)
{
    const struct wanted *wanted = ctx;
    if (key.bytes != strlen(wanted->key)) /* it only begins so */
        return true;
    struct tool_document *out = wanted->out;
    CHECK(doc->value.bytes <= sizeof out->value);
    out->version = doc->version;
    out->exists = true;
    out->bytes = doc->value.bytes;
    memcpy(out->value, doc->value.at, doc->value.bytes);
    return false;
}

enum err
tool_get(struct tool *tool, const char *key, struct tool_document *out)
{
    uint64_t damaged;
    *out = (struct tool_document){0};
    struct wanted wanted = {.key = key, .out = out};
    enum err error = lmdb_scan(tool->config.data, key, each_wanted, &wanted, &damaged, tool->why);
    if (error == OK && !out->exists && damaged > 0) {
        snprintf(tool->why, sizeof tool->why, "%s: its checksum does not fit", key);
        error = ERR_FORMAT;
    }
    return error;
}

/* ---- writing ---- */

struct writing {
    bool answered;
    enum store_result result;
    uint64_t version;
    bool exists;
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)token;
    struct writing *writing = ctx;
    *writing = (struct writing){.answered = true, .result = result};
    if (result == STORE_OK) {
        writing->version = doc->version;
        writing->exists = doc->exists;
    }
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    (void)token;
    struct writing *writing = ctx;
    writing->answered = true;
    writing->result = result;
}

/* Until what was just asked is answered; nobody knows what became of it when that takes too long.
 */
static enum store_result
answer_wait(struct lmdb_store *store, struct writing *writing)
{
    struct pollfd ready = {.fd = lmdb_store_fd(store), .events = POLLIN};
    writing->answered = false;
    while (!writing->answered && poll(&ready, 1, WAIT_MS) > 0)
        lmdb_store_deliver(store);
    return writing->answered ? writing->result : STORE_UNKNOWN;
}

static enum err
result_error(struct tool *tool, const char *key, enum store_result result)
{
    switch (result) {
    case STORE_OK: return OK;
    case STORE_CONFLICT:
        snprintf(tool->why, sizeof tool->why, "%s was changed by somebody else meanwhile", key);
        return ERR_CONFLICT;
    case STORE_UNKNOWN:
        snprintf(tool->why, sizeof tool->why,
                 "the disk failed while %s was written: read it again after the next start", key);
        return ERR_UNKNOWN;
    case STORE_UNAVAILABLE:
        snprintf(tool->why, sizeof tool->why, "the store refused to write %s", key);
        return ERR_UNAVAILABLE;
    }
    check_failed(__FILE__, __LINE__, __func__, "a result of the store");
}

static enum err
document_write(struct tool *tool, struct lmdb_store *store, const char *key,
               const struct tool_document *found, struct slice value, uint64_t *version)
{
    struct writing writing = {.answered = false};
    struct env_store port = lmdb_store_port(
        store, (struct store_done){.ctx = &writing, .got = on_got, .committed = on_committed});
    struct store_write write = {.key = {(const uint8_t *)key, strlen(key)},
                                .expected_version = found->version,
                                .op = STORE_PUT,
                                .value = value};
    enum err error = OK;
    if (!found->exists) { /* a deleted one goes on counting where it was */
        error = port.get(port.ctx, 0, write.key);
        if (error == OK)
            error = result_error(tool, key, answer_wait(store, &writing));
        if (error != OK)
            return error;
        if (writing.exists)
            return result_error(tool, key, STORE_CONFLICT);
        write.expected_version = writing.version;
    }
    error = port.commit(port.ctx, 0, &write, 1);
    if (error != OK) {
        snprintf(tool->why, sizeof tool->why, "%s: %s", key, err_text(error));
        return error;
    }
    *version = write.expected_version + 1;
    return result_error(tool, key, answer_wait(store, &writing));
}

enum err
tool_put(struct tool *tool, const char *key, const struct tool_document *found, struct slice value,
         uint64_t *version)
{
    struct lmdb_store *store;
    struct lmdb_store_options options = {.directory = tool->config.data, .beside = true};
    enum err error = lmdb_store_open(&options, &store, tool->why);
    if (error != OK)
        return error;
    error = document_write(tool, store, key, found, value, version);
    lmdb_store_close(&store);
    return error;
}

/* ---- people ---- */

bool
tool_confirm(const struct tool *tool, const char *question)
{
    if (tool->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "%s: %s Nobody is here to ask: say --yes if you mean it.\n", tool->name,
                question);
        return false;
    }
    fprintf(stderr, "%s [yes/no] ", question);
    char answer[16];
    bool said = fgets(answer, sizeof answer, stdin) != NULL && strcmp(answer, "yes\n") == 0;
    if (!said)
        fprintf(stderr, "%s: nothing was changed\n", tool->name);
    return said;
}

enum err
tool_log(struct tool *tool, const char *what, json_t *details)
{
    char path[CONFIG_TEXT_MAX + 16], when[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const char *user = getenv("USER");
    json_t *line = json_pack("{s:s, s:s, s:i, s:s, s:b, s:o}", "when", when, "what", what, "uid",
                             (int)getuid(), "user", user == NULL ? "" : user, "yes", tool->yes,
                             "details", details);
    char *text = json_dumps(line, JSON_COMPACT);
    CHECK(text != NULL);
    json_decref(line);
    snprintf(path, sizeof path, "%s/operator.log", tool->config.data);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    bool written = fd >= 0 && dprintf(fd, "%s\n", text) > 0 && fdatasync(fd) == 0;
    if (!written)
        snprintf(tool->why, sizeof tool->why, "%s: %s; nothing was changed", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(text);
    return written ? OK : ERR_IO;
}
