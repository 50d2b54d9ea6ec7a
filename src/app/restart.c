/* `seom node restart`: a new process in the place of a node, if need be of another program. */
#include "app/commands.h"
#include "app/config.h"
#include "app/output.h"
#include "app/program.h"
#include "app/replace.h"
#include "base/check.h"
#include "os/signals.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_PROGRAM = 1 };

struct request {
    struct config_given given;
    struct config config;
    const char *name, *program;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 'd': r->given.texts[CONFIG_data] = arg; return 0;
    case OPTION_PROGRAM: r->program = arg; return 0;
    case ARGP_KEY_ARG:
        if (r->name != NULL)
            argp_error(state, "one node at a time: what is `%s'?", arg);
        r->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (r->name == NULL)
            argp_error(state, "which node? `seom nodes' lists them");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"data", 'd', "DIR", 0, "directory of the cluster (default ./seom-data, or $SEOM_DATA)", 0},
    {"program", OPTION_PROGRAM, "PATH", 0, "a seom that it is started from, from now on", 0},
    {0}};

/* What it is to run from is asked first, before anybody is sent away. */
static enum err
look_at_program(struct replace *r)
{
    struct program program;
    if (r->program == NULL)
        return OK;
    json_t *list = cluster_ask_list(r->data, r->why);
    enum err error = list == NULL ? ERR_UNAVAILABLE : program_ask(r->program, &program, r->why);
    error = error == OK ? program_fits(&program, list, r->why) : error;
    json_decref(list);
    return error;
}

static int
restart(const char *tool, struct replace *r)
{
    if (look_at_program(r) != OK) {
        fprintf(stderr, "%s: %s\n", tool, r->why);
        return 1;
    }
    output_progress("%s: a new process takes its place", r->name);
    enum err error = replace_node(r);
    if (error != OK) {
        fprintf(stderr, "%s: %s\n", tool, r->why);
        if (error != ERR_NOT_FOUND && (r->program != NULL || signals_held() != 0))
            output_progress(replace_back(r) == OK ? "%s runs as before"
                                                  : "%s does not come back: %s",
                            r->name, r->why);
        return 1;
    }
    output_progress("%s serves again (%.1f s)", r->name, r->seconds);
    json_t *result =
        json_pack("{s:s, s:I, s:f, s:f}", "name", r->name, "players", (json_int_t)r->players,
                  "drained_s", r->drained_s, "seconds", r->seconds);
    CHECK(result != NULL);
    return output_result(&result);
}

int
node_restart_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Start a home or a gate anew while people play. A gate hands its listener over to "
               "the new process: nobody who connects is refused. A home gives its people to other "
               "homes first. When the new process does not come up, the one before comes back."};
    struct request request = {0};
    char why[CLUSTER_ASK_WHY_MAX], path[PATH_MAX];
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    if (!config_load(&request.given, &request.config, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 2;
    }
    struct replace r = {.data = request.config.data, .name = request.name, .stops = true};
    if (request.program != NULL) {
        r.program = realpath(request.program, path);
        if (r.program == NULL || strlen(path) >= LAUNCH_PATH_MAX) {
            fprintf(stderr, "%s: there is no program %s\n", argv[0], request.program);
            return 2;
        }
    }
    int claim;
    if (replace_begin(r.data, &claim, why) != OK) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 1;
    }
    signals_hold();
    int code = restart(argv[0], &r);
    replace_end(claim);
    return code;
}
