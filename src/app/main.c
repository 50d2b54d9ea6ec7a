/* The one binary: a table of sub-commands. Everything else about a command stands in its own file.
 */
#include "app/commands.h"
#include "app/version.h"
#include "base/check.h"
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv); /* NULL: a group */
    const struct command *children;    /* of a group, ended by a row without a name */
};

static int help_command(int argc, char **argv);

static const struct command bench_commands[] = {
    {.name = "limit",
     .help = "what the bare send and receive loop costs here",
     .run = bench_limit_command},
    {.name = "world",
     .help = "a world full of bots: cost, age and loss",
     .run = bench_world_command},
    {.name = "crowd", .help = "everybody in one chunk", .run = bench_crowd_command},
    {.name = "store",
     .help = "durable commits beside what disk and engine can do",
     .run = bench_store_command},
    {.name = "request",
     .help = "requests over a link beside a bare loop",
     .run = bench_request_command},
    {.name = "topics",
     .help = "a home restarts: how long until it knows all subscriptions",
     .run = bench_topics_command},
    {.name = "cluster",
     .help = "a whole cluster full of bots: cost of each part, age and loss",
     .run = bench_cluster_command},
    {.name = "kill",
     .help = "a home or gate of a whole cluster dies: who notices, how long",
     .run = bench_kill_command},
    {.name = "spread",
     .help = "one crowd over one home, two, up to eight: ticks and links",
     .run = bench_spread_command},
    {.name = NULL},
};

static const struct command islands_commands[] = {
    {.name = "import",
     .help = "make island files out of coast rings",
     .run = islands_import_command},
    {.name = "show",
     .help = "what is in island files, with a picture",
     .run = islands_show_command},
    {.name = "shards",
     .help = "to which shard of a cluster each belongs, and say it",
     .run = islands_shards_command},
    {.name = NULL},
};

static const struct command doc_commands[] = {
    {.name = "get", .help = "one document of the store as JSON", .run = doc_get_command},
    {.name = "put", .help = "write one document from JSON", .run = doc_put_command},
    {.name = "history",
     .help = "what went into and out of what a document holds",
     .run = doc_history_command},
    {.name = NULL},
};

static const struct command store_commands[] = {
    {.name = "verify", .help = "check every document's checksum", .run = store_verify_command},
    {.name = "copy", .help = "copy the store while the world runs", .run = store_copy_command},
    {.name = NULL},
};

static const struct command cluster_children[] = {
    {.name = "up",
     .help = "start engines, homes, gates and bots, or go on with them",
     .run = cluster_up_command},
    {.name = "down", .help = "end all of it in order", .run = cluster_down_command},
    {.name = NULL},
};

static const struct command node_children[] = {
    {.name = "add", .help = "start one more home or gate", .run = node_add_command},
    {.name = "start", .help = "start what was left dead or drained", .run = node_start_command},
    {.name = "kill", .help = "kill, stop or continue a process", .run = node_kill_command},
    {.name = "drain", .help = "give its people to others, then end it", .run = node_drain_command},
    {.name = "close", .help = "nobody is sent there any more", .run = node_close_command},
    {.name = "open", .help = "people are sent there again", .run = node_open_command},
    {.name = "restart",
     .help = "a new process takes its place, if need be of another program",
     .run = node_restart_command},
    {.name = NULL},
};

static const struct command commands[] = {
    {.name = "dev", .help = "run a world on this machine, with page and bots", .run = dev_command},
    {.name = "cluster",
     .help = "run a cluster on this machine: many homes and gates",
     .children = cluster_children},
    {.name = "nodes",
     .help = "list the nodes of a cluster: players, links, waits",
     .run = nodes_command},
    {.name = "node",
     .help = "add, kill, drain, close, restart a node of a cluster",
     .children = node_children},
    {.name = "roll",
     .help = "another program for all nodes of a cluster, while people play",
     .run = roll_command},
    {.name = "spof",
     .help = "list what stands alone in a cluster, and what dies with it",
     .run = spof_command},
    {.name = "home", .help = "run one home of a cluster", .run = home_command},
    {.name = "gate", .help = "run one gate of a cluster", .run = gate_command},
    {.name = "relay",
     .help = "run one relay of a cluster, between its shard and the others",
     .run = relay_command},
    {.name = "bots", .help = "walk bots in a running world", .run = bots_command},
    {.name = "bench", .help = "measure this machine and this server", .children = bench_commands},
    {.name = "sim",
     .help = "run the world on virtual time under faults, from a seed",
     .run = sim_command},
    {.name = "islands",
     .help = "import islands, show them, say whose they are",
     .children = islands_commands},
    {.name = "players",
     .help = "who stands where, also while the world is down",
     .run = players_command},
    {.name = "doc", .help = "look at and write single documents", .children = doc_commands},
    {.name = "ledger", .help = "where everything came from and went to", .run = ledger_command},
    {.name = "audit",
     .help = "compare what is held with what the ledger says",
     .run = audit_command},
    {.name = "switches",
     .help = "close and open classes of commands while people play",
     .run = switches_command},
    {.name = "backup",
     .help = "copy and audit the store while the world runs",
     .run = backup_command},
    {.name = "restore", .help = "make a world's store out of a backup", .run = restore_command},
    {.name = "promote",
     .help = "move a world to the PostgreSQL server of a cluster",
     .run = promote_command},
    {.name = "store", .help = "the store's file: verify, copy", .children = store_commands},
    {.name = "tree",
     .help = "print the hierarchy of a running world: hosts and nodes",
     .run = tree_command},
    {.name = "decode",
     .help = "print recorded bytes of the player port as text",
     .run = decode_command},
    {.name = "config",
     .help = "print the effective configuration and its origin",
     .run = config_command},
    {.name = "version", .help = "print version, protocol and data format", .run = version_command},
    {.name = "help", .help = "explain a command", .run = help_command},
    {.name = NULL},
};

/* What the parser of a group works on. */
struct choice {
    const struct command *table, *chosen;
    int at; /* index of the chosen command in argv */
};

static const struct command *
command_find(const struct command *table, const char *name)
{
    for (const struct command *c = table; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static error_t
choice_parse(int key, char *arg, struct argp_state *state)
{
    struct choice *choice = state->input;
    if (key == ARGP_KEY_ARG) {
        choice->chosen = command_find(choice->table, arg);
        if (choice->chosen == NULL)
            argp_error(state, "unknown command '%s'", arg);
        choice->at = state->next - 1;
        state->next = state->argc; /* the rest belongs to the command */
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "which command?");
    return ARGP_ERR_UNKNOWN;
}

/* Lists the commands in --help; argp gives the returned text to free(). */
static char *
choice_help(int key, const char *text, void *input)
{
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    const struct choice *choice = input;
    char *list = NULL;
    size_t bytes;
    FILE *out = open_memstream(&list, &bytes);
    CHECK(out != NULL);
    fprintf(out, "Commands:\n");
    for (const struct command *c = choice->table; c->name != NULL; c++)
        fprintf(out, "  %-8s  %s\n", c->name, c->help);
    fprintf(out, "\nCOMMAND --help explains one.");
    fclose(out);
    return list;
}

/* Which row of the table the arguments name; ends the process when they name none. */
static struct choice
command_choose(const struct command *table, const char *doc, int argc, char **argv)
{
    struct choice choice = {.table = table};
    const struct argp argp = {.parser = choice_parse,
                              .args_doc = "COMMAND [ARGUMENT...]",
                              .doc = doc,
                              .help_filter = choice_help};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
    CHECK(choice.chosen != NULL);
    return choice;
}

static const char root_doc[] =
    "seom: one persistent online world, an archipelago that many processes share.\v";

/* Walks down the tables; argv[0] becomes what was walked ("seom bench world"), so that messages
 * name it. */
static int
root_run(int argc, char **argv)
{
    char name[64] = "seom";
    char doc[128];
    snprintf(doc, sizeof doc, "%s", root_doc);
    const struct command *c = NULL;
    const struct command *table = commands;
    while (table != NULL) {
        argv[0] = name;
        struct choice choice = command_choose(table, doc, argc, argv);
        argv[0] = NULL;
        argv += choice.at;
        argc -= choice.at;
        c = choice.chosen;
        table = c->children;
        snprintf(doc, sizeof doc, "%s.\v", c->help);
        size_t used = strlen(name);
        snprintf(name + used, sizeof name - used, " %s", c->name);
    }
    CHECK(c != NULL && c->run != NULL);
    argv[0] = name;
    int code = c->run(argc, argv);
    argv[0] = NULL; /* name ends here */
    return code;
}

#define HELP_WORDS_MAX 2 /* a group and a command of it */

struct help_words {
    char *words[HELP_WORDS_MAX];
    int count;
};

static error_t
help_parse(int key, char *arg, struct argp_state *state)
{
    struct help_words *asked = state->input;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (asked->count == HELP_WORDS_MAX)
        argp_error(state, "unexpected argument '%s'", arg);
    asked->words[asked->count++] = arg;
    return 0;
}

/* `seom help X Y` is `seom X Y --help`. */
static int
help_command(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = help_parse, .args_doc = "[COMMAND]", .doc = "Explain a command."};
    struct help_words asked = {.count = 0};
    argp_parse(&argp, argc, argv, 0, NULL, &asked);
    char *again[HELP_WORDS_MAX + 3] = {NULL};
    int count = 1;
    for (int i = 0; i < asked.count; i++)
        again[count++] = asked.words[i];
    again[count++] = (char *)"--help";
    return root_run(count, again);
}

static void
print_version(FILE *to, struct argp_state *state)
{
    (void)state;
    fprintf(to, "seom %s (%s)\n", version_number(), version_revision());
}

int
main(int argc, char **argv)
{
    argp_err_exit_status = 2;
    argp_program_version_hook = print_version;
    if (argc < 1) /* as execve() allows: then there is no room for a name */
        return argp_err_exit_status;
    return root_run(argc, argv);
}
