/* `seom node ...`, `seom nodes` and `seom spof`: tools on a cluster of this machine. They speak to
 * whoever keeps it, <data>/cluster.sock, and to single nodes, <data>/NAME.sock. */
#include "app/arguments.h"
#include "app/cluster_ask.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/control_client.h"
#include "app/nodes_table.h"
#include "app/output.h"
#include "app/spof.h"
#include "base/check.h"
#include "os/process.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS        5000
#define PATH_BYTES     (CONFIG_TEXT_MAX + 64)
#define WHY_BYTES      512
#define UP_PATIENCE_US 30000000
#define DRAIN_US       130000000
#define LOOK_US        50000
#define WATCH_S        1

enum {
    OPTION_ROLE = 1,
    OPTION_SHARD,
    OPTION_STAY_DEAD,
    OPTION_STOP,
    OPTION_CONT,
    OPTION_TERM,
    OPTION_FORCE,
    OPTION_LINKS,
    OPTION_WATCH
};

struct request {
    const char *tool; /* "seom node kill" */
    struct config_given given;
    struct config config;
    bool wants_name;
    const char *name, *role;
    uint32_t shard;
    int signal_number;
    bool stay_dead, force, links, watch;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 'd': r->given.texts[CONFIG_data] = arg; return 0;
    case '9': r->signal_number = SIGKILL; return 0;
    case OPTION_STOP: r->signal_number = SIGSTOP; return 0;
    case OPTION_CONT: r->signal_number = SIGCONT; return 0;
    case OPTION_TERM: r->signal_number = SIGTERM; return 0;
    case OPTION_STAY_DEAD: r->stay_dead = true; return 0;
    case OPTION_FORCE: r->force = true; return 0;
    case OPTION_LINKS: r->links = true; return 0;
    case OPTION_WATCH: r->watch = true; return 0;
    case OPTION_ROLE: r->role = arg; return 0;
    case OPTION_SHARD:
        r->shard = arguments_number(arg, 1, CONFIG_SHARD_MAX, "--shard", state);
        return 0;
    case ARGP_KEY_ARG:
        if (!r->wants_name || r->name != NULL)
            argp_error(state, "what is `%s'?", arg);
        r->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (r->wants_name && r->name == NULL)
            argp_error(state, "which node? `seom nodes' lists them");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

#define OPTION_DATA                                                                               \
    {                                                                                             \
        "data", 'd', "DIR", 0, "directory of the cluster (default ./seom-data, or $SEOM_DATA)", 0 \
    }

/* What the command line says; false: the data directory cannot be told. */
static bool
begin(struct request *r, const struct argp *argp, int argc, char **argv)
{
    char why[WHY_BYTES];
    r->tool = argv[0];
    argp_parse(argp, argc, argv, 0, NULL, r);
    if (config_load(&r->given, &r->config, why, sizeof why))
        return true;
    fprintf(stderr, "%s: %s\n", r->tool, why);
    return false;
}

/* NULL: it could not be asked or would not do it, and that was said. Takes the question. */
static json_t *
ask(const struct request *r, const char *socket, json_t *question)
{
    char path[PATH_BYTES], why[WHY_BYTES] = "";
    json_t *answer = NULL;
    if (question == NULL) {
        fprintf(stderr, "%s: a name is not plain text in UTF-8\n", r->tool);
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s.sock", r->config.data, socket);
    enum err error = control_ask(path, question, WAIT_MS, &answer, why, sizeof why);
    json_decref(question);
    const char *refused = json_string_value(json_object_get(answer, "error"));
    if (error == OK && refused == NULL)
        return answer;
    if (error != OK)
        fprintf(stderr,
                "%s: %s: does a cluster run there? See --data; `seom cluster up` starts one.\n",
                r->tool, why);
    else
        fprintf(stderr, "%s: %s\n", r->tool, refused);
    json_decref(answer);
    return NULL;
}

static json_t *
ask_list(const struct request *r)
{
    return ask(r, "cluster", json_pack("{s:s}", "command", "list"));
}

static const char *
text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text == NULL ? "" : text;
}

/* The row of a node, engine or process of bots; NULL: there is none. Borrowed from the list. */
static const json_t *
row_find(const json_t *list, const char *name)
{
    static const char *const kinds[] = {"nodes", "engines", "bots"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        size_t i;
        const json_t *row;
        json_array_foreach(json_object_get(list, kinds[k]), i, row)
        {
            if (strcmp(text_of(row, "name"), name) == 0)
                return row;
        }
    }
    return NULL;
}

/* Until the node is in one of these states ("|up|serving|"). The seconds that took, negative: it
 * did not happen, and that was said. */
static double
wait_for(const struct request *r, const char *name, const char *states, int64_t patience_us)
{
    int64_t begin_us = process_mono_us();
    char bars[64], last[64] = "", waits[128] = "";
    while (process_mono_us() - begin_us < patience_us) {
        json_t *list = ask_list(r);
        if (list == NULL)
            return -1;
        const json_t *row = row_find(list, name);
        snprintf(last, sizeof last, "%s", text_of(row, "state"));
        snprintf(waits, sizeof waits, "%s", text_of(row, "waits"));
        json_decref(list);
        snprintf(bars, sizeof bars, "|%.60s|", last);
        if (strstr(states, bars) != NULL)
            return (double)(process_mono_us() - begin_us) / 1e6;
        usleep(LOOK_US);
    }
    fprintf(stderr, "%s: after %.0f s %s is still \"%s\"%s%s; %s/logs/%s.log says more\n", r->tool,
            (double)patience_us / 1e6, name, last, waits[0] != 0 ? " and waits for " : "", waits,
            r->config.data, name);
    return -1;
}

/* ---- add, start ---- */

static int
tell_started(const struct request *r, json_t *answer)
{
    char name[64];
    snprintf(name, sizeof name, "%s", text_of(answer, "name"));
    json_decref(answer);
    double seconds = wait_for(r, name, "|up|serving|", UP_PATIENCE_US);
    if (seconds < 0)
        return 1;
    output_progress("%s is up (%.1f s)", name, seconds);
    json_t *result = json_pack("{s:s, s:f}", "name", name, "seconds", seconds);
    return output_result(&result);
}

int
node_add_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        OPTION_DATA,
        {"role", OPTION_ROLE, "home|gate|relay", 0, "what it does (home)", 0},
        {"shard", OPTION_SHARD, "N", 0, "its shard (1)", 0},
        {0}};
    static const struct argp argp = {
        .options = options, .parser = parse, .doc = "Start one more node in a running cluster."};
    struct request r = {.role = "home", .shard = 1};
    if (!begin(&r, &argp, argc, argv))
        return 2;
    json_t *answer = ask(&r, "cluster",
                         json_pack("{s:s, s:s, s:I}", "command", "add", "role", r.role, "shard",
                                   (json_int_t)r.shard));
    return answer == NULL ? 1 : tell_started(&r, answer);
}

int
node_start_command(int argc, char **argv)
{
    static const struct argp_option options[] = {OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Start a node or an engine again that was drained, or killed with --stay-dead."};
    struct request r = {.wants_name = true};
    if (!begin(&r, &argp, argc, argv))
        return 2;
    json_t *answer =
        ask(&r, "cluster", json_pack("{s:s, s:s}", "command", "start", "name", r.name));
    return answer == NULL ? 1 : tell_started(&r, answer);
}

/* ---- kill, drain ---- */

int
node_kill_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        OPTION_DATA,
        {NULL, '9', NULL, 0, "SIGKILL: it dies at once (the default)", 1},
        {"TERM", OPTION_TERM, NULL, 0, "SIGTERM (also -TERM): it ends in order", 1},
        {"STOP", OPTION_STOP, NULL, 0, "SIGSTOP: it stands still, as a machine that hangs", 1},
        {"CONT", OPTION_CONT, NULL, 0, "SIGCONT: what was stopped goes on", 1},
        {"stay-dead", OPTION_STAY_DEAD, NULL, 0,
         "it is not started again, until `seom node start NAME'", 1},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Kill a node (home-2), an engine (etcd, postgres) or the bots (bots-1) of a cluster "
               "on this machine. What dies is started again within a second."};
    struct request r = {.wants_name = true, .signal_number = SIGKILL};
    /* -STOP as kill(1) has it is the long option to argp. */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-STOP") == 0)
            argv[i] = (char *)"--STOP";
        else if (strcmp(argv[i], "-CONT") == 0)
            argv[i] = (char *)"--CONT";
        else if (strcmp(argv[i], "-TERM") == 0)
            argv[i] = (char *)"--TERM";
    }
    if (!begin(&r, &argp, argc, argv))
        return 2;
    json_t *result = ask(&r, "cluster",
                         json_pack("{s:s, s:s, s:i, s:b}", "command", "kill", "name", r.name,
                                   "signal", r.signal_number, "stay_dead", (int)r.stay_dead));
    if (result == NULL)
        return 1;
    output_progress("signal %d to %s", r.signal_number, r.name);
    return output_result(&result);
}

int
node_drain_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        OPTION_DATA,
        {"force", OPTION_FORCE, NULL, 0,
         "also the last home: its players wait for another one for two minutes, then go", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Give the players of a home to the other homes (or the clients of a gate to other "
               "gates), then end it. `seom node start NAME` brings it back."};
    struct request r = {.wants_name = true};
    if (!begin(&r, &argp, argc, argv))
        return 2;
    /* It will end by itself; whoever keeps it must not start it again. */
    json_t *answer =
        ask(&r, "cluster", json_pack("{s:s, s:s}", "command", "retire", "name", r.name));
    if (answer == NULL)
        return 1;
    json_decref(answer);
    answer = ask(&r, r.name, json_pack("{s:s, s:b}", "command", "drain", "force", (int)r.force));
    if (answer == NULL) {
        json_decref(
            ask(&r, "cluster", json_pack("{s:s, s:s}", "command", "start", "name", r.name)));
        return 1;
    }
    json_decref(answer);
    output_progress("%s gives its people away", r.name);
    double seconds = wait_for(&r, r.name, "|ended|", DRAIN_US);
    if (seconds < 0)
        return 1;
    output_progress("%s is empty and has ended (%.1f s)", r.name, seconds);
    json_t *result = json_pack("{s:s, s:f}", "name", r.name, "seconds", seconds);
    return output_result(&result);
}

/* ---- close, open ---- */

static int
set_open(struct request *r, bool open)
{
    json_t *list = ask_list(r);
    if (list == NULL)
        return 1;
    const json_t *row = cluster_row(list, r->name);
    bool is_relay = strcmp(text_of(row, "role"), "relay") == 0, is_node = row != NULL;
    json_decref(list);
    if (!is_node || is_relay) {
        fprintf(stderr,
                is_relay
                    ? "%s: %s is a relay: nobody is sent there anyway\n"
                    : "%s: there is no home or gate \"%s\" in this cluster: `seom nodes` lists "
                      "what there is\n",
                r->tool, r->name);
        return 1;
    }
    json_t *answer =
        ask(r, r->name, json_pack("{s:s, s:b}", "command", "close", "open", (int)open));
    if (answer == NULL)
        return 1;
    json_decref(answer);
    output_progress(open ? "people are sent to %s again"
                         : "nobody is sent to %s any more; who is there stays",
                    r->name);
    json_t *result = json_pack("{s:s, s:b}", "name", r->name, "open", (int)open);
    return output_result(&result);
}

int
node_close_command(int argc, char **argv)
{
    static const struct argp_option options[] = {OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Send nobody to a home or a gate any more; who is there stays. `seom node open "
               "NAME` or a restart opens it again."};
    struct request r = {.wants_name = true};
    return begin(&r, &argp, argc, argv) ? set_open(&r, false) : 2;
}

int
node_open_command(int argc, char **argv)
{
    static const struct argp_option options[] = {OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Send people to a home or a gate again that was closed, by `seom node close` or by "
               "a roll that was killed."};
    struct request r = {.wants_name = true};
    return begin(&r, &argp, argc, argv) ? set_open(&r, true) : 2;
}

/* ---- nodes ---- */

static void
print_nodes(const struct request *r, const json_t *list)
{
    nodes_table_print(list, stderr);
    if (!r->links)
        return;
    fputc('\n', stderr);
    nodes_table_print_links(list, stderr);
}

/* Again and again, until whoever looks has seen enough: nothing goes to stdout. */
static int
watch_nodes(const struct request *r)
{
    const char *anew = isatty(STDERR_FILENO) ? "\033[H\033[J" : "\n";
    for (;; sleep(WATCH_S)) {
        json_t *list = ask_list(r);
        if (list == NULL)
            return 1;
        fputs(anew, stderr);
        print_nodes(r, list);
        json_decref(list);
    }
}

int
nodes_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        OPTION_DATA,
        {"links", OPTION_LINKS, NULL, 0, "also every link, as either end sees it", 0},
        {"watch", OPTION_WATCH, NULL, 0, "again every second, until Ctrl-C", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "List the nodes of a cluster on this machine: what they do, for how many players, "
               "whether all their links stand and what waits to be sent over them, and how long "
               "messages wait for the logic of a home. What is not as it should be stands below "
               "in words, with what it waits for."};
    struct request r = {0};
    if (!begin(&r, &argp, argc, argv))
        return 2;
    if (r.watch)
        return watch_nodes(&r);
    json_t *list = ask_list(&r);
    if (list == NULL)
        return 1;
    print_nodes(&r, list);
    return output_result(&list);
}

/* ---- spof ---- */

int
spof_command(int argc, char **argv)
{
    static const struct argp_option options[] = {OPTION_DATA, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "List what stands alone in a cluster on this machine, and what would die with it."};
    static const struct output_column columns[] = {
        {"stands alone", false}, {"which", false}, {"dies with it", false}};
    struct request r = {0};
    if (!begin(&r, &argp, argc, argv))
        return 2;
    json_t *list = ask_list(&r);
    if (list == NULL)
        return 1;
    json_t *alone = spof_find(list);
    json_decref(list);
    struct output_table *table = output_table_alloc(columns, 3);
    size_t i;
    const json_t *row;
    json_array_foreach(alone, i, row)
    {
        output_table_cell(table, "%s", text_of(row, "what"));
        output_table_cell(table, "%s", text_of(row, "name"));
        output_table_cell(table, "%s", text_of(row, "dies"));
    }
    output_table_print(table, stderr);
    output_table_free(&table);
    json_t *result = json_pack("{s:o}", "alone", alone);
    CHECK(result != NULL);
    return output_result(&result);
}
