/* `seom islands shards`: to which shard each island belongs, and another one for some of them. What
 * is said stands in the directory, where every home reads it within the second; an island of which
 * nothing is said is dealt (fabric/shards.h).
 */
#include "app/arguments.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/sea.h"
#include "app/tool.h"
#include "base/check.h"
#include "fabric/directory.h"
#include "fabric/shards.h"
#include "os/clock.h"
#include "os/etcd_directory.h"
#include "os/process.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 64
#define DEALT       "dealt"
#define PATIENCE_US 5000000
#define TURN_US     50000

enum { OPTION_DIRECTORY = 1, OPTION_SHARDS, OPTION_WORLD, OPTION_ISLANDS };

struct change {
    uint32_t island, shard; /* 0: as it is dealt */
};

struct request {
    struct tool tool; /* first: tool_parse() */
    struct change changes[CHANGES_MAX];
    uint32_t changes_count;
    struct sea sea;
    struct shards shards;
    uint64_t revision; /* of the table in the directory */
    /* The directory, as somebody sees it who only looks. */
    struct loop *loop;
    struct clock clock;
    struct thread_clock thread_clock;
    struct env env;
    struct directory *directory;
    struct etcd_directory *etcd;
    bool answered;
    enum directory_result result;
};

/* ---- what is asked for ---- */

static void
change_parse(struct request *r, const char *text, struct argp_state *state)
{
    char island[16];
    const char *equals = strchr(text, '=');
    struct change change = {0};
    size_t bytes = equals == NULL ? 0 : (size_t)(equals - text);
    if (bytes == 0 || bytes >= sizeof island) {
        argp_error(state, "`%s': ISLAND=SHARD, like 3=2, or ISLAND=" DEALT, text);
        return;
    }
    if (r->changes_count == CHANGES_MAX) {
        argp_error(state, "at most %d islands at a time", CHANGES_MAX);
        return;
    }
    snprintf(island, sizeof island, "%.*s", (int)bytes, text);
    change.island = arguments_number(island, 1, ARCHIPELAGO_ID_MAX, "ISLAND", state);
    if (strcmp(equals + 1, DEALT) != 0) {
        change.shard = arguments_number(equals + 1, 1, SHARDS_MAX, "SHARD", state);
    }
    r->changes[r->changes_count++] = change;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    struct request *r = state->input;
    const char **texts = r->tool.given.texts;
    switch (key) {
    case OPTION_DIRECTORY: texts[CONFIG_directory] = argument; return 0;
    case OPTION_SHARDS: texts[CONFIG_shards] = argument; return 0;
    case OPTION_WORLD: texts[CONFIG_world] = argument; return 0;
    case OPTION_ISLANDS: texts[CONFIG_islands] = argument; return 0;
    case ARGP_KEY_ARG: change_parse(r, argument, state); return 0;
    case ARGP_KEY_END: return 0;
    default: return tool_parse(key, argument, state);
    }
}

/* ---- the directory ---- */

static void
on_put(void *ctx, enum directory_table table, enum directory_result result)
{
    struct request *r = ctx;
    CHECK(table == DIRECTORY_ISLANDS);
    r->answered = true;
    r->result = result;
}

static enum err
directory_open(struct request *r)
{
    struct tool *tool = &r->tool;
    const char *servers = tool->config.directory;
    if (servers[0] == '\0') {
        snprintf(tool->why, sizeof tool->why,
                 "no cluster was started in %s; say where its directory is, like --directory "
                 "http://127.0.0.1:2379",
                 tool->config.data);
        return ERR_NOT_FOUND;
    }
    CHECK(loop_open(&r->loop) == OK);
    clock_init(&r->clock, time_source_linux(), 1, 0);
    thread_clock_init(&r->thread_clock, &r->clock);
    r->env.clock = thread_clock_port(&r->thread_clock);
    struct directory_options options = {.world = (uint32_t)tool->config.world,
                                        .only_look = true,
                                        .events = {.ctx = r, .put = on_put}};
    r->directory = directory_alloc(&options, &r->env);
    struct etcd_directory_options etcd = {.loop = r->loop, .urls = servers};
    enum err error = etcd_directory_open(&etcd, directory_done(r->directory), &r->etcd, tool->why,
                                         sizeof tool->why);
    if (error == OK) {
        struct env_directory port = etcd_directory_port(r->etcd);
        directory_start(r->directory, &port);
    }
    return error;
}

static void
directory_step(struct request *r)
{
    int64_t wait_us = directory_turn(r->directory) - process_mono_us();
    loop_turn(r->loop, wait_us < 0 ? 0 : wait_us > TURN_US ? TURN_US : wait_us);
}

static enum err
table_read(struct request *r)
{
    struct tool *tool = &r->tool;
    int64_t until_us = process_mono_us() + PATIENCE_US;
    while (!directory_is_known(r->directory) && process_mono_us() < until_us) {
        directory_step(r);
    }
    if (!directory_is_known(r->directory)) {
        snprintf(tool->why, sizeof tool->why, "the directory at %s does not answer",
                 tool->config.directory);
        return ERR_UNAVAILABLE;
    }
    struct slice bytes = directory_table(r->directory, DIRECTORY_ISLANDS, &r->revision);
    if (shards_set_table(&r->shards, bytes) != OK) {
        snprintf(tool->why, sizeof tool->why,
                 "what the directory says of islands cannot be read: was it written by a newer "
                 "seom?");
        return ERR_FORMAT;
    }
    return OK;
}

static enum err
table_write(struct request *r)
{
    struct tool *tool = &r->tool;
    uint8_t bytes[DIRECTORY_VALUE_MAX];
    struct slice value = {bytes, island_shards_write(&r->shards.table, bytes)};
    CHECK(directory_put(r->directory, DIRECTORY_ISLANDS, r->revision, value) == OK);
    while (!r->answered) { /* at the latest after DIRECTORY_CALL_MS */
        directory_step(r);
    }
    if (r->result == DIRECTORY_OK) {
        return OK;
    }
    snprintf(tool->why, sizeof tool->why, "%s",
             r->result == DIRECTORY_CONFLICT  ? "somebody else changed it meanwhile: look again"
             : r->result == DIRECTORY_UNKNOWN ? "nobody knows whether it was written: look again"
                                              : "the directory did not take it");
    return ERR_CONFLICT;
}

/* ---- what is told ---- */

static int
tell(const struct request *r)
{
    static const struct output_column columns[] = {
        {"id", true}, {"name", false}, {"shard", true}, {"why", false}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof *columns);
    json_t *islands = json_array();
    const struct island *island;
    uint32_t cursor = 0;
    while ((island = archipelago_next(&r->sea.islands, &cursor)) != NULL) {
        uint16_t shard = shards_of_island(&r->shards, island_id(island)), said = 0;
        bool is_said =
            island_shards_find(&r->shards.table, island_id(island), &said) == OK && said == shard;
        output_table_cell(table, "%u", island_id(island));
        output_table_cell(table, "%s", island_name(island));
        output_table_cell(table, "%u", shard);
        output_table_cell(table, "%s", is_said ? "said" : DEALT);
        json_array_append_new(
            islands, json_pack("{s:i, s:s, s:i, s:b}", "id", (int)island_id(island), "name",
                               island_name(island), "shard", (int)shard, "said", (int)is_said));
    }
    output_table_print(table, stderr);
    output_table_free(&table);
    json_t *object = json_pack("{s:i, s:o}", "shards", (int)r->shards.count, "islands", islands);
    CHECK(object != NULL);
    return output_result(&object);
}

/* ---- the change ---- */

static enum err
change_check(struct request *r, const struct change *change)
{
    struct tool *tool = &r->tool;
    if (archipelago_find(&r->sea.islands, change->island) == NULL) {
        snprintf(tool->why, sizeof tool->why,
                 "there is no island %u (--islands says which there "
                 "are)",
                 change->island);
        return ERR_NOT_FOUND;
    }
    if (change->shard > r->shards.count) {
        snprintf(tool->why, sizeof tool->why,
                 "island %u cannot be of shard %u: the world has %u (--shards says how many)",
                 change->island, change->shard, r->shards.count);
        return ERR_RANGE;
    }
    return OK;
}

/* Into the table, and what moves by that into a list. */
static enum err
change_make(struct request *r, json_t *moves)
{
    for (uint32_t i = 0; i < r->changes_count; i++) {
        const struct change *change = &r->changes[i];
        enum err error = change_check(r, change);
        if (error != OK) {
            return error;
        }
        uint16_t before = shards_of_island(&r->shards, change->island);
        if (change->shard == 0) {
            island_shards_remove(&r->shards.table, change->island);
        } else {
            error = island_shards_put(&r->shards.table, change->island, (uint16_t)change->shard);
        }
        if (error != OK) {
            snprintf(r->tool.why, sizeof r->tool.why, "the directory has room for %d islands",
                     ISLAND_SHARDS_MAX);
            return error;
        }
        uint16_t after = shards_of_island(&r->shards, change->island);
        output_progress("island %u: shard %u, until now %u", change->island, after, before);
        json_array_append_new(moves, json_pack("{s:i, s:i, s:i}", "island", (int)change->island,
                                               "from", (int)before, "to", (int)after));
    }
    return OK;
}

static int
change_islands(struct request *r)
{
    json_t *moves = json_array();
    if (change_make(r, moves) != OK) {
        json_decref(moves);
        return tool_fail(&r->tool, NULL);
    }
    if (!tool_confirm(&r->tool, "Who comes there from now on plays in the new shard; who stands "
                                "there stays in the old one until they leave, and neither sees "
                                "the other. Go on?")) {
        json_decref(moves);
        return 1;
    }
    enum err error = tool_log(&r->tool, "islands shards", moves);
    error = error == OK ? table_write(r) : error;
    return error == OK ? tell(r) : tool_fail(&r->tool, NULL);
}

static int
run(struct request *r)
{
    struct tool *tool = &r->tool;
    const struct config *c = &tool->config;
    shards_init(&r->shards, 1, (uint16_t)c->shards);
    if (sea_load(c->islands, &r->sea, tool->why, sizeof tool->why) != OK ||
        directory_open(r) != OK || table_read(r) != OK) {
        return tool_fail(tool, NULL);
    }
    return r->changes_count > 0 ? change_islands(r) : tell(r);
}

static void
close_all(struct request *r)
{
    if (r->etcd != NULL) {
        etcd_directory_close(&r->etcd);
    }
    directory_free(&r->directory);
    if (r->loop != NULL) {
        loop_close(&r->loop);
    }
    sea_free(&r->sea);
}

int
islands_shards_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        TOOL_OPTION_DATA,
        TOOL_OPTION_YES,
        {"directory", OPTION_DIRECTORY, "URL", 0,
         "of the cluster, when DIR is not where it was started", 0},
        {"shards", OPTION_SHARDS, "N", 0, "how many the world has, likewise", 0},
        {"world", OPTION_WORLD, "ID", 0, "number of the world, likewise", 0},
        {"islands", OPTION_ISLANDS, "DIR", 0, "directory of island files, as homes have it", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[ISLAND=SHARD...]",
        .doc = "Show to which shard of a cluster each island belongs, or say it for some of them: "
               "`3=2`, or `3=" DEALT "` for an island that shall be where the dealing puts it. "
               "Homes know within the second. Better while nobody plays there."};
    struct request *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    r->tool.name = argv[0];
    argp_parse(&argp, argc, argv, 0, NULL, r);
    int code = tool_begin(&r->tool) ? run(r) : 2;
    close_all(r);
    free(r);
    return code;
}
