/* `seom roll --half`: another program for every node of a cluster, while people play. Shard by
 * shard, half by half:
 *
 *   ROOM      the homes that stay have room for everybody
 *   CLOSE     nobody is sent to the half any more
 *   REPLACE   its homes give their people away and start anew, its gates hand over to heirs
 *   HEALTH    visitors of ours come in, are at home there, walk and do something
 *   ADMIT     people are led there again
 *
 * Whatever fails, or when a signal ends it: BACK, all that was replaced runs again from what it was
 * before.
 */
#include "app/arguments.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/output.h"
#include "app/program.h"
#include "app/replace.h"
#include "app/roll_health.h"
#include "base/check.h"
#include "os/process.h"
#include "os/signals.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLACED_MAX (ROLL_SHARDS_MAX * ROLL_HALVES * ROLL_NODES_MAX)
#define PAUSE_S      1
#define PAUSE_MAX_S  3600
#define LOOK_US      50000

enum stage { STAGE_ROOM, STAGE_CLOSE, STAGE_REPLACE, STAGE_HEALTH, STAGE_ADMIT, STAGE_BACK };

enum { OPTION_HALF = 1, OPTION_PROGRAM, OPTION_SHARD, OPTION_DRY_RUN, OPTION_JSON, OPTION_PAUSE };

struct replaced {
    char name[SUPERVISE_NAME_MAX], before[LAUNCH_PATH_MAX];
};

struct roll {
    struct config_given given;
    struct config config;
    bool half, dry_run, json;
    long shard, pause_s;
    const char *wanted; /* --program as given */
    char program[PATH_MAX];
    struct sea sea;
    struct roll_plan plan;
    struct replaced replaced[REPLACED_MAX];
    uint32_t replaced_count, visits;
    int64_t moved; /* people of homes that were drained */
    double drained_s;
    enum stage stage;
    uint16_t at_shard; /* what is told about; 0: nothing yet */
    uint32_t at_half;
    char why[ROLL_WHY_MAX];
};

static const char *const stage_names[] = {
    [STAGE_ROOM] = "room",     [STAGE_CLOSE] = "close", [STAGE_REPLACE] = "replace",
    [STAGE_HEALTH] = "health", [STAGE_ADMIT] = "admit", [STAGE_BACK] = "back"};

/* ---- the command line ---- */

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct roll *r = state->input;
    switch (key) {
    case 'd': r->given.texts[CONFIG_data] = arg; return 0;
    case OPTION_HALF: r->half = true; return 0;
    case OPTION_PROGRAM: r->wanted = arg; return 0;
    case OPTION_SHARD:
        r->shard = arguments_number(arg, 1, CONFIG_SHARD_MAX, "--shard", state);
        return 0;
    case OPTION_DRY_RUN: r->dry_run = true; return 0;
    case OPTION_JSON: r->json = true; return 0;
    case OPTION_PAUSE:
        r->pause_s = arguments_number(arg, 0, PAUSE_MAX_S, "--pause", state);
        return 0;
    case ARGP_KEY_END:
        if (!r->half)
            argp_error(state, "say --half: one half of each shard after the other");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"half", OPTION_HALF, NULL, 0, "one half of each shard after the other", 0},
    {"program", OPTION_PROGRAM, "PATH", 0, "the new seom (the one that is run here)", 0},
    {"shard", OPTION_SHARD, "N", 0, "only this one", 0},
    {"pause", OPTION_PAUSE, "SECONDS", 0, "between two nodes (1)", 0},
    {"dry-run", OPTION_DRY_RUN, NULL, 0, "only say what would be done", 0},
    {"json", OPTION_JSON, NULL, 0, "every step as a line of JSON on stdout", 0},
    {"data", 'd', "DIR", 0, "directory of the cluster (default ./seom-data, or $SEOM_DATA)", 0},
    {0}};

static bool
program_find(struct roll *r)
{
    const char *path = r->wanted != NULL ? r->wanted : "/proc/self/exe";
    if (realpath(path, r->program) != NULL && strlen(r->program) < LAUNCH_PATH_MAX &&
        access(r->program, X_OK) == 0)
        return true;
    snprintf(r->why, sizeof r->why, "%.400s is no program that can be run", path);
    return false;
}

/* ---- telling ---- */

__attribute__((format(printf, 3, 4))) static void
tell(struct roll *r, const char *node, const char *format, ...)
{
    char text[ROLL_WHY_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    output_progress("shard %u, half %u, %s: %s", r->at_shard, r->at_half + 1, stage_names[r->stage],
                    text);
    if (!r->json)
        return;
    json_t *line =
        json_pack("{s:s, s:i, s:i, s:s, s:s}", "stage", stage_names[r->stage], "shard",
                  (int)r->at_shard, "half", (int)r->at_half + 1, "node", node, "text", text);
    CHECK(line != NULL);
    (void)output_result(&line); /* who does not read it any more still gets his roll */
}

/* ---- the stages ---- */

/* Whoever leaves (Ctrl-C, SIGTERM, a terminal that goes away) must not leave half of it behind. */
static enum err
go_on(struct roll *r)
{
    if (signals_held() == 0)
        return OK;
    snprintf(r->why, sizeof r->why, "interrupted by signal %d", signals_held());
    return ERR_CLOSED;
}

static enum err
pause_between(struct roll *r)
{
    int64_t end_us = process_mono_us() + r->pause_s * 1000000;
    while (go_on(r) == OK && process_mono_us() < end_us)
        usleep(LOOK_US);
    return go_on(r);
}

/* As things stand now. */
static enum err
stage_room(struct roll *r, const struct roll_shard *shard)
{
    static struct roll_plan now; /* larger than a stack frame should be */
    json_t *list = cluster_ask_list(r->config.data, r->why);
    enum err error =
        list == NULL ? ERR_UNAVAILABLE : roll_plan_make(list, shard->shard, &now, r->why);
    json_decref(list);
    if (error == OK)
        tell(r, "", "%s", now.shards[0].halves[r->at_half].room);
    return error;
}

/* A node of before may not know the word; then its drain closes it. */
static void
close_half(struct roll *r, const struct roll_half *half, bool open)
{
    char why[CLUSTER_ASK_WHY_MAX];
    for (uint32_t i = 0; i < half->count; i++) {
        const char *name = half->nodes[i].name;
        if (half->nodes[i].role == ROLL_RELAY)
            continue; /* nobody is sent to it anyway */
        json_t *answer =
            cluster_ask(r->config.data, name,
                        json_pack("{s:s, s:b}", "command", "close", "open", (int)open), why);
        if (answer == NULL)
            tell(r, name, "%s: %s", name, why);
        else
            tell(r, name, "%s is %s", name, open ? "open again" : "closed");
        json_decref(answer);
    }
}

static enum err
stage_replace(struct roll *r, const struct roll_half *half)
{
    static const char *const steps[ROLL_ROLES] = {[ROLL_HOME] = "gives its people away",
                                                  [ROLL_GATE] = "hands over to an heir",
                                                  [ROLL_RELAY] = "ends and starts anew"};
    for (uint32_t i = 0; i < half->count; i++) {
        const struct roll_node *node = &half->nodes[i];
        struct replace replace = {
            .data = r->config.data, .name = node->name, .program = r->program, .stops = true};
        tell(r, node->name, "%s %s", node->name, steps[node->role]);
        enum err error = replace_node(&replace);
        CHECK(r->replaced_count < REPLACED_MAX);
        struct replaced *done = &r->replaced[r->replaced_count++];
        memcpy(done->name, node->name, sizeof done->name);
        memcpy(done->before, replace.before, sizeof done->before);
        if (error != OK) {
            snprintf(r->why, sizeof r->why, "%s", replace.why);
            return error;
        }
        r->moved += node->role == ROLL_HOME ? replace.players : 0;
        r->drained_s = replace.drained_s > r->drained_s ? replace.drained_s : r->drained_s;
        tell(r, node->name, "%s serves from %s (%lld people, %.1f s)", node->name, r->program,
             (long long)replace.players, replace.seconds);
        error = pause_between(r);
        if (error != OK)
            return error;
    }
    return OK;
}

static enum err
stage_health(struct roll *r, const struct roll_shard *shard, const struct roll_half *half)
{
    struct roll_health health = {
        .data = r->config.data, .shard = shard, .half = half, .islands = &r->sea.islands};
    enum err error = roll_health_check(&health);
    r->visits += health.visits;
    if (error != OK) {
        snprintf(r->why, sizeof r->why, "%s", health.why);
        return error;
    }
    tell(r, "", "visitors served: %u; welcomed in %.1f ms, a command answered in %.1f ms",
         health.visits, (double)health.welcome_us / 1e3, (double)health.result_us / 1e3);
    for (uint32_t i = 0; i < half->homes; i++) {
        if (!health.seen[i])
            tell(r, half->nodes[i].name, "no visitor was led to %s: it has all its links",
                 half->nodes[i].name);
    }
    return OK;
}

static enum err
roll_half(struct roll *r, const struct roll_shard *shard, uint32_t h)
{
    const struct roll_half *half = &shard->halves[h];
    r->at_shard = shard->shard;
    r->at_half = h;
    if (half->count == 0)
        return OK;
    r->stage = STAGE_ROOM;
    enum err error = go_on(r);
    error = error == OK ? stage_room(r, shard) : error;
    if (error != OK)
        return error;
    r->stage = STAGE_CLOSE;
    close_half(r, half, false);
    r->stage = STAGE_REPLACE;
    error = stage_replace(r, half);
    if (error == OK) {
        r->stage = STAGE_HEALTH;
        error = stage_health(r, shard, half);
    }
    if (error == OK) {
        r->stage = STAGE_ADMIT;
        tell(r, "", "people are led there again: homes %u, gates %u", half->homes, half->gates);
    }
    return error;
}

/* ---- going back ---- */

/* The names of what runs as before, and of what does not. */
static void
go_back(struct roll *r, const struct roll_half *half, json_t *back, json_t *lost)
{
    r->stage = STAGE_BACK;
    for (uint32_t i = r->replaced_count; i-- > 0;) {
        struct replace replace = {.data = r->config.data, .name = r->replaced[i].name};
        memcpy(replace.before, r->replaced[i].before, sizeof replace.before);
        enum err error = replace_back(&replace);
        json_array_append_new(error == OK ? back : lost, json_string(replace.name));
        if (error == OK)
            tell(r, replace.name, "%s runs from what it was before", replace.name);
        else
            tell(r, replace.name, "%s does not come back: %s", replace.name, replace.why);
    }
    close_half(r, half, true);
}

/* ---- all of it ---- */

static json_t *
plan_json(const struct roll *r)
{
    json_t *shards = json_array();
    for (uint32_t s = 0; s < r->plan.count; s++) {
        const struct roll_shard *shard = &r->plan.shards[s];
        json_t *halves = json_array();
        for (uint32_t h = 0; h < ROLL_HALVES; h++) {
            json_t *nodes = json_array();
            for (uint32_t i = 0; i < shard->halves[h].count; i++)
                json_array_append_new(nodes, json_string(shard->halves[h].nodes[i].name));
            json_array_append_new(
                halves, json_pack("{s:s, s:o}", "room", shard->halves[h].room, "nodes", nodes));
        }
        json_array_append_new(shards, json_pack("{s:i, s:I, s:I, s:o}", "shard", (int)shard->shard,
                                                "players", (json_int_t)shard->players, "capacity",
                                                (json_int_t)shard->capacity, "halves", halves));
    }
    return shards;
}

static void
tell_plan(const struct roll *r)
{
    output_progress("everything is to run from %s", r->program);
    for (uint32_t s = 0; s < r->plan.count; s++) {
        for (uint32_t h = 0; h < ROLL_HALVES; h++) {
            const struct roll_half *half = &r->plan.shards[s].halves[h];
            char names[512] = "";
            for (uint32_t i = 0, used = 0; i < half->count && used + 40 < sizeof names; i++)
                used += (uint32_t)snprintf(names + used, sizeof names - used, " %s",
                                           half->nodes[i].name);
            output_progress("shard %u, half %u:%s; %s", r->plan.shards[s].shard, h + 1, names,
                            half->room);
        }
    }
}

static int
roll_failed(struct roll *r, const struct roll_half *half)
{
    enum stage stage = r->stage;
    json_t *back = json_array(), *lost = json_array();
    fprintf(stderr, "seom roll: %s: %s\n", stage_names[stage], r->why);
    if (signals_held() != 0)
        output_progress("all goes back to what it was before: no signal but SIGKILL ends that");
    go_back(r, half, back, lost);
    size_t lost_count = json_array_size(lost);
    output_progress(lost_count == 0 ? "nothing is rolled: all runs as before"
                                    : "%zu nodes do not run as before: `seom nodes`",
                    lost_count);
    json_t *result = json_pack("{s:b, s:s, s:i, s:i, s:s, s:o, s:o}", "rolled", 0, "stage",
                               stage_names[stage], "shard", (int)r->at_shard, "half",
                               (int)r->at_half + 1, "why", r->why, "back", back, "lost", lost);
    CHECK(result != NULL);
    (void)output_result(&result);
    return 1;
}

static int
roll_run(struct roll *r)
{
    int64_t begin_us = process_mono_us();
    for (uint32_t s = 0; s < r->plan.count; s++) {
        for (uint32_t h = 0; h < ROLL_HALVES; h++) {
            if (roll_half(r, &r->plan.shards[s], h) != OK)
                return roll_failed(r, &r->plan.shards[s].halves[h]);
        }
    }
    double seconds = (double)(process_mono_us() - begin_us) / 1e6;
    output_progress("all %u nodes run from %s (%.1f s)", r->replaced_count, r->program, seconds);
    json_t *result =
        json_pack("{s:b, s:s, s:i, s:I, s:i, s:f, s:f}", "rolled", 1, "program", r->program,
                  "nodes", (int)r->replaced_count, "people_moved", (json_int_t)r->moved, "visits",
                  (int)r->visits, "drain_s_max", r->drained_s, "seconds", seconds);
    CHECK(result != NULL);
    return output_result(&result);
}

static int
roll_planned(struct roll *r)
{
    json_t *list = cluster_ask_list(r->config.data, r->why);
    struct program program;
    enum err error = list == NULL ? ERR_UNAVAILABLE : program_ask(r->program, &program, r->why);
    error = error == OK ? program_fits(&program, list, r->why) : error;
    error = error == OK ? roll_plan_make(list, (uint16_t)r->shard, &r->plan, r->why) : error;
    json_decref(list);
    error = error == OK ? sea_load(r->config.islands, &r->sea, r->why, sizeof r->why) : error;
    if (error != OK) {
        fprintf(stderr, "seom roll: %s\n", r->why);
        return 1;
    }
    tell_plan(r);
    int code;
    if (r->dry_run) {
        json_t *result = json_pack("{s:s, s:o}", "program", r->program, "shards", plan_json(r));
        CHECK(result != NULL);
        code = output_result(&result);
    } else {
        code = roll_run(r);
    }
    sea_free(&r->sea);
    return code;
}

/* One at a time: two would undo each other. Who only asks what would be done may always. */
static int
roll_begin(struct roll *r)
{
    int claim = -1;
    if (!r->dry_run && replace_begin(r->config.data, &claim, r->why) != OK) {
        fprintf(stderr, "seom roll: %s\n", r->why);
        return 1;
    }
    if (!r->dry_run)
        signals_hold();
    int code = roll_planned(r);
    if (claim >= 0)
        replace_end(claim);
    return code;
}

int
roll_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Let all homes and gates of a cluster run from another program while people play: "
               "one half of a shard after the other gives its people away, is replaced, and is "
               "tried by visitors before the next goes. Refuses when the half that stays has no "
               "room; goes back to what was before when the new half is not well, and on Ctrl-C."};
    struct roll *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    r->pause_s = PAUSE_S;
    argp_parse(&argp, argc, argv, 0, NULL, r);
    int code = 2;
    if (config_load(&r->given, &r->config, r->why, sizeof r->why) && program_find(r))
        code = roll_begin(r);
    else
        fprintf(stderr, "seom roll: %s\n", r->why);
    free(r);
    return code;
}
