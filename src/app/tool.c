#include "app/tool.h"
#include "app/output.h"
#include "app/store_tool.h"
#include "base/check.h"
#include "fabric/shards.h"
#include "os/files.h"
#include "os/lmdb_tools.h"
#include "os/process.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS          10000
#define CLUSTER_FILE_MAX (1U << 20)

_Static_assert(TOOL_WHY_MAX >= CLUSTER_STORE_WHY_MAX, "every store can say why");

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

/* ---- where the store is ---- */

/* In how many shards its homes stand. */
static json_int_t
shards_of(const json_t *saved)
{
    json_int_t most = 1;
    size_t i;
    const json_t *member;
    json_array_foreach(json_object_get(saved, "members"), i, member)
    {
        json_int_t shard = json_integer_value(json_object_get(member, "shard"));
        if (shard > most && shard <= SHARDS_MAX)
            most = shard;
    }
    return most;
}

/* What somebody did not say otherwise. */
static void
directory_take(struct config *c, const json_t *saved)
{
    const char *directory = json_string_value(json_object_get(saved, "directory"));
    if (c->origins[CONFIG_directory] != ORIGIN_COMMAND_LINE && directory != NULL &&
        strlen(directory) < sizeof c->directory)
        snprintf(c->directory, sizeof c->directory, "%s", directory);
    if (c->origins[CONFIG_shards] != ORIGIN_COMMAND_LINE)
        c->shards = shards_of(saved);
}

/* The cluster that was started in the data directory, if one was. */
static enum err
cluster_take(struct tool *tool)
{
    struct config *c = &tool->config;
    char path[CONFIG_TEXT_MAX + 16];
    struct slice text;
    snprintf(path, sizeof path, "%s/cluster.json", c->data);
    enum err error = file_read(path, CLUSTER_FILE_MAX, &text);
    if (error == ERR_NOT_FOUND)
        return OK;
    json_t *saved = error == OK ? json_loadb((const char *)text.at, text.bytes, 0, NULL) : NULL;
    if (error == OK)
        free((void *)(uintptr_t)text.at);
    const char *store = json_string_value(json_object_get(saved, "store"));
    json_int_t world = json_integer_value(json_object_get(saved, "world"));
    if (store != NULL && strlen(store) < sizeof c->store && world > 0 && world <= UINT16_MAX) {
        snprintf(c->store, sizeof c->store, "%s", store);
        c->world = world;
        directory_take(c, saved);
        error = OK;
    } else {
        snprintf(tool->why, sizeof tool->why,
                 "%s does not say where the cluster's store is: %s; give it with --store", path,
                 error == OK ? "no such words in it" : err_text(error));
        error = ERR_FORMAT;
    }
    json_decref(saved);
    return error;
}

bool
tool_begin(struct tool *tool)
{
    bool fine = config_load(&tool->given, &tool->config, tool->why, sizeof tool->why);
    if (fine && tool->config.origins[CONFIG_store] != ORIGIN_COMMAND_LINE)
        fine = cluster_take(tool) == OK;
    if (!fine)
        fprintf(stderr, "%s: %s\n", tool->name, tool->why);
    return fine;
}

bool
tool_is_cluster(const struct tool *tool)
{
    return tool->config.store[0] != '\0';
}

bool
tool_sees_one_moment(const struct tool *tool)
{
    return !tool_is_cluster(tool) || store_tool_is_one_server(tool->config.store);
}

const char *
tool_where(const struct tool *tool)
{
    const struct config *c = &tool->config;
    return c->origins[CONFIG_store] == ORIGIN_COMMAND_LINE ? c->store : c->data;
}

int
tool_fail(const struct tool *tool, const char *remedy)
{
    fprintf(stderr, "%s: %s\n", tool->name, tool->why);
    if (remedy != NULL)
        fprintf(stderr, "%s: %s\n", tool->name, remedy);
    return 1;
}

int
tool_refuse_cluster(struct tool *tool, const char *remedy)
{
    CHECK(tool_is_cluster(tool));
    snprintf(tool->why, sizeof tool->why, "this is a cluster's store, which PostgreSQL keeps: %s",
             tool_where(tool));
    return tool_fail(tool, remedy);
}

/* ---- reading ---- */

enum err
tool_scan(struct tool *tool, const char *prefix, lmdb_scan_each *each, void *ctx, uint64_t *damaged)
{
    const struct config *c = &tool->config;
    *damaged = 0;
    if (tool_is_cluster(tool))
        return store_tool_scan(c->store, (uint16_t)c->world, prefix, each, ctx, tool->why);
    return lmdb_scan(c->data, prefix, each, ctx, damaged, tool->why);
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
    enum err error = tool_scan(tool, key, each_wanted, &wanted, &damaged);
    if (error == OK && !out->exists && damaged > 0) {
        snprintf(tool->why, sizeof tool->why, "%s: its checksum does not fit", key);
        error = ERR_FORMAT;
    }
    return error;
}

/* ---- writing ---- */

/* One call at a time, to the store that is open: one of both. */
struct writing {
    struct lmdb_store *lmdb;
    struct store_tool *cluster;
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
    writing->answered = true;
    writing->result = result;
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
answer_wait(struct writing *writing)
{
    int64_t until_us = process_mono_us() + WAIT_MS * INT64_C(1000);
    writing->answered = false;
    while (!writing->answered && process_mono_us() < until_us) {
        if (writing->cluster != NULL) {
            store_tool_step(writing->cluster);
            continue;
        }
        struct pollfd ready = {.fd = lmdb_store_fd(writing->lmdb), .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) > 0)
            lmdb_store_deliver(writing->lmdb);
    }
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
                 tool_is_cluster(tool) ? "nobody knows whether %s was written: read it again"
                                       : "the disk failed while %s was written: read it again "
                                         "after the next start",
                 key);
        return ERR_UNKNOWN;
    case STORE_UNAVAILABLE:
        snprintf(tool->why, sizeof tool->why, "the store refused to write %s", key);
        return ERR_UNAVAILABLE;
    }
    check_failed(__FILE__, __LINE__, __func__, "a result of the store");
}

static enum err
document_write(struct tool *tool, struct writing *writing, const struct env_store *port,
               struct store_write *write, bool exists)
{
    char key[STORE_KEY_MAX + 1];
    snprintf(key, sizeof key, "%.*s", (int)write->key.bytes, (const char *)write->key.at);
    enum err error = OK;
    if (!exists) { /* a deleted one goes on counting where it was */
        error = port->get(port->ctx, 0, write->key);
        if (error == OK)
            error = result_error(tool, key, answer_wait(writing));
        if (error != OK)
            return error;
        if (writing->exists)
            return result_error(tool, key, STORE_CONFLICT);
        write->expected_version = writing->version;
    }
    error = port->commit(port->ctx, 0, write, 1);
    if (error != OK) {
        snprintf(tool->why, sizeof tool->why, "%s: %s", key, err_text(error));
        return error;
    }
    return result_error(tool, key, answer_wait(writing));
}

enum err
tool_put(struct tool *tool, const char *key, const struct tool_document *found, struct slice value,
         uint64_t *version)
{
    const struct config *c = &tool->config;
    struct writing writing = {.answered = false};
    struct store_done done = {.ctx = &writing, .got = on_got, .committed = on_committed};
    struct store_write write = {.key = {(const uint8_t *)key, strlen(key)},
                                .expected_version = found->version,
                                .op = STORE_PUT,
                                .value = value};
    struct lmdb_store_options options = {.directory = c->data, .beside = true};
    enum err error = tool_is_cluster(tool) ? store_tool_open(c->store, (uint16_t)c->world,
                                                             &writing.cluster, tool->why)
                                           : lmdb_store_open(&options, &writing.lmdb, tool->why);
    if (error != OK)
        return error;
    struct env_store port = writing.cluster != NULL ? store_tool_port(writing.cluster, done)
                                                    : lmdb_store_port(writing.lmdb, done);
    error = document_write(tool, &writing, &port, &write, found->exists);
    *version = write.expected_version + 1;
    if (writing.cluster != NULL)
        store_tool_close(&writing.cluster);
    else
        lmdb_store_close(&writing.lmdb);
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
        snprintf(tool->why, sizeof tool->why, "%s: %s; nothing was changed%s", path,
                 strerror(errno),
                 tool_is_cluster(tool) ? " (--data says where the operator's log is)" : "");
    if (fd >= 0)
        close(fd);
    free(text);
    return written ? OK : ERR_IO;
}
