/* `seom bench kill`: one home or one gate of a whole cluster dies while people play, and what those
 * who played there, and the others, notice of it. */
#include "app/arguments.h"
#include "app/bench_fleet.h"
#include "app/cluster_ask.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/report.h"
#include "base/check.h"
#include "os/process.h"
#include <argp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLAYERS_DEFAULT 10000
#define HOMES_DEFAULT   4
#define GATES_DEFAULT   3
#define PROBERS_DEFAULT 1000
#define SECONDS_DEFAULT 10
#define WARM_S          3
#define PATIENCE_S      40
#define NAME_BYTES      32

enum { OPTION_ROLE = 1, OPTION_STOP, OPTION_HOMES, OPTION_GATES, OPTION_PROBERS, OPTION_SEED };

struct request {
    struct fleet_options fleet;
    const char *role;
    uint32_t seconds; /* before it dies, and at least after it */
    bool stop;        /* SIGSTOP instead of SIGKILL */
};

struct victim {
    char name[NAME_BYTES];
    pid_t pid;
    uint64_t epoch;
    uint32_t gate; /* number among the gates */
    uint32_t players;
    int64_t killed_us, killed_wall_ms;
};

struct outcome {
    uint64_t disconnected;
    int64_t detection_ms;            /* -1: nobody said so */
    struct hist again_ms, others_ms; /* of those who played there; of everybody else */
    struct hist silence_ms;          /* of all, before */
    uint32_t never, others_never;    /* not answered any more */
    uint32_t secondary_exits;
    struct hist ticks_before, ticks_after; /* us, of homes that live on */
    bool back;                             /* who died serves again */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct fleet_options *o = &r->fleet;
    switch (key) {
    case 'd': o->data = arg; return 0;
    case 'n':
        o->players = arguments_number(arg, 1, FLEET_PLAYERS_MAX, "--players", state);
        return 0;
    case 's': r->seconds = arguments_number(arg, 1, 3600, "--seconds", state); return 0;
    case OPTION_ROLE:
        if (strcmp(arg, "home") != 0 && strcmp(arg, "gate") != 0) {
            argp_error(state, "--role: home or gate, not `%s'", arg);
        }
        r->role = arg;
        return 0;
    case OPTION_STOP: r->stop = true; return 0;
    case OPTION_HOMES: o->homes = arguments_number(arg, 2, 32, "--homes", state); return 0;
    case OPTION_GATES:
        o->gates = arguments_number(arg, 1, HERD_GATES_MAX, "--gates", state);
        return 0;
    case OPTION_PROBERS:
        o->probers = arguments_number(arg, 1, FLEET_PLAYERS_MAX, "--probers", state);
        return 0;
    case OPTION_SEED: o->seed = arguments_number(arg, 0, UINT32_MAX, "--seed", state); return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    case ARGP_KEY_END:
        if (r->role == NULL) {
            argp_error(state, "--role home or --role gate?");
        }
        if (strcmp(r->role, "gate") == 0 && o->gates < 2) {
            argp_error(state, "where are they to go when the only gate dies?");
        }
        if (o->probers > o->players) {
            o->probers = o->players;
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- who dies ---- */

/* The busiest of its role. */
static enum err
choose(const struct fleet *f, const struct request *r, struct victim *v)
{
    json_t *list = fleet_list(f);
    size_t i;
    const json_t *row;
    uint32_t gate = 0;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        const char *role = cluster_text(row, "role");
        uint32_t players = (uint32_t)cluster_number(row, "players");
        if (strcmp(role, r->role) == 0 && (v->pid == 0 || players > v->players)) {
            *v = (struct victim){.pid = (pid_t)cluster_number(row, "pid"),
                                 .epoch = (uint64_t)cluster_number(row, "epoch"),
                                 .players = players,
                                 .gate = gate};
            snprintf(v->name, sizeof v->name, "%s", cluster_text(row, "name"));
        }
        gate += strcmp(role, "gate") == 0;
    }
    json_decref(list);
    return v->pid > 0 ? OK : ERR_NOT_FOUND;
}

static bool
was_there(const struct request *r, const struct victim *v, const struct fleet_probe *p)
{
    return strcmp(r->role, "home") == 0 ? p->home == v->epoch : p->gate == v->gate;
}

static bool
all_play_again(void *ctx)
{
    const struct fleet_shared *shared = ctx;
    for (uint32_t i = 0; i < shared->options.players; i++) {
        if (shared->probes[i].before_us != 0 && shared->probes[i].again_us == 0) {
            return false;
        }
    }
    return true;
}

/* ---- what was said about it ---- */

/* Wall time of a line of a log (os/log.h), in ms; 0: it has none. */
static int64_t
line_wall_ms(const char *line)
{
    struct tm tm = {0};
    int ms = 0;
    if (sscanf(line, "%d-%d-%dT%d:%d:%d.%dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &ms) != 7) {
        return 0;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

/* When a node wrote that a home is dead, or that its link to a gate is gone. */
static int64_t
said_ms(const struct fleet *f, const char *name, const struct victim *v, const char *event)
{
    char path[SCRATCH_PATH_MAX + 64], line[LOG_LINE_BYTES], epoch[64];
    snprintf(path, sizeof path, "%s/logs/%s.log", f->shared->data, name);
    snprintf(epoch, sizeof epoch, "%s, epoch %" PRIu64, v->name, v->epoch);
    FILE *log = fopen(path, "re");
    int64_t found_ms = 0;
    while (log != NULL && found_ms == 0 && fgets(line, sizeof line, log) != NULL) {
        int64_t at_ms = line_wall_ms(line);
        if (at_ms >= v->killed_wall_ms && strstr(line, event) != NULL &&
            strstr(line, epoch) != NULL) {
            found_ms = at_ms;
        }
    }
    if (log != NULL) {
        fclose(log);
    }
    return found_ms;
}

/* From the death until the first node knew. */
static int64_t
detection_ms(const struct fleet *f, const struct request *r, const struct victim *v,
             const json_t *list)
{
    const char *event = strcmp(r->role, "home") == 0 ? " mesh.dead " : " mesh.down ";
    int64_t first_ms = INT64_MAX;
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        const char *name = cluster_text(row, "name");
        int64_t at_ms = strcmp(name, v->name) == 0 ? 0 : said_ms(f, name, v, event);
        first_ms = at_ms != 0 && at_ms < first_ms ? at_ms : first_ms;
    }
    return first_ms == INT64_MAX ? -1 : first_ms - v->killed_wall_ms;
}

/* Processes of the list that are not those of the list before, without the one that was killed. */
static uint32_t
exits(const json_t *before, const json_t *after, const struct victim *v)
{
    static const char *const kinds[] = {"nodes", "engines"};
    uint32_t count = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const json_t *rows = json_object_get(before, kinds[k]), *row;
        size_t i;
        json_array_foreach(rows, i, row)
        {
            const json_t *now = json_array_get(json_object_get(after, kinds[k]), i);
            count += strcmp(cluster_text(row, "name"), v->name) != 0 &&
                     cluster_number(row, "pid") != cluster_number(now, "pid");
        }
    }
    return count;
}

/* ---- a run ---- */

static enum err
strike(struct fleet *f, const struct request *r, struct victim *v)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    v->killed_wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    v->killed_us = process_mono_us();
    atomic_store(&f->shared->killed_us, v->killed_us);
    output_progress("%s of %s (%" PRIu32 " players)", r->stop ? "SIGSTOP" : "kill -9", v->name,
                    v->players);
    return kill(v->pid, r->stop ? SIGSTOP : SIGKILL) == 0 ? OK : ERR_NOT_FOUND;
}

static void
count_probes(const struct fleet *f, const struct request *r, const struct victim *v,
             struct outcome *out)
{
    for (uint32_t i = 0; i < r->fleet.players; i++) {
        const struct fleet_probe *p = &f->shared->probes[i];
        if (p->before_us == 0) {
            continue;
        }
        bool there = was_there(r, v, p);
        hist_add(&out->silence_ms, (uint64_t)p->silence_us / 1000);
        if (p->again_us != 0) {
            hist_add(there ? &out->again_ms : &out->others_ms,
                     (uint64_t)(p->again_us - v->killed_us) / 1000);
        } else if (there) {
            out->never++;
        } else {
            out->others_never++;
        }
    }
}

/* Between two of these moments ticks are counted: quiet before, then from the death on. */
static enum err
run_death(struct fleet *f, const struct request *r, struct victim *v, struct outcome *out)
{
    struct hist ticks[3];
    const char *except = strcmp(r->role, "home") == 0 ? v->name : NULL;
    int64_t quiet_us = r->seconds * INT64_C(1000000);
    enum err error = fleet_ticks(f, except, &ticks[0]);
    error = error == OK ? fleet_wait(f, quiet_us, NULL, NULL) : error;
    error = error == OK && strcmp(r->role, "home") == 0 ? fleet_homes(f) : error;
    error = error == OK ? fleet_ticks(f, except, &ticks[1]) : error;
    json_t *before = fleet_list(f);
    error = error == OK ? strike(f, r, v) : error;
    error = error == OK ? fleet_wait(f, PATIENCE_S * INT64_C(1000000), all_play_again, f->shared)
                        : error;
    int64_t passed_us = process_mono_us() - v->killed_us;
    if (error == OK && passed_us < quiet_us) {
        error = fleet_wait(f, quiet_us - passed_us, NULL, NULL);
    }
    error = error == OK ? fleet_ticks(f, except, &ticks[2]) : error;
    json_t *after = fleet_list(f);
    if (error == OK) {
        fleet_ticks_between(&ticks[0], &ticks[1], &out->ticks_before);
        fleet_ticks_between(&ticks[1], &ticks[2], &out->ticks_after);
        out->detection_ms = detection_ms(f, r, v, after);
        out->secondary_exits = exits(before, after, v);
        const json_t *row = cluster_row(after, v->name);
        out->back = strcmp(cluster_text(row, "state"), "serving") == 0;
    }
    if (r->stop && v->killed_us != 0) {
        (void)kill(v->pid, SIGCONT); /* or it could not end */
    }
    json_decref(before);
    json_decref(after);
    return error;
}

static enum err
run(const struct request *r, struct victim *v, struct outcome *out)
{
    struct fleet f;
    enum err error = fleet_open(&f, &r->fleet);
    error = error == OK ? fleet_play(&f) : error;
    error = error == OK ? choose(&f, r, v) : error;
    error = error == OK ? run_death(&f, r, v, out) : error;
    enum err left = fleet_leave(&f);
    error = error == OK ? left : error;
    if (error == OK) {
        count_probes(&f, r, v, out);
    }
    for (uint32_t i = 0; i < f.shared->herds_count; i++) {
        out->disconnected += f.shared->herds[i].result.lost;
    }
    fleet_close(&f);
    return error;
}

/* ---- the report ---- */

static double
ticks_ratio(const struct outcome *out)
{
    double before = (double)hist_quantile(&out->ticks_before, 0.99);
    return before > 0 ? (double)hist_quantile(&out->ticks_after, 0.99) / before : 0;
}

static void
print_table(const struct victim *v, const struct outcome *out)
{
    struct output_table *t = report_alloc();
    report_row(t, "died", "%s, %" PRIu32 " players%s", v->name, v->players,
               out->back ? "; serves again" : "");
    report_row(t, "disconnected", "%" PRIu64, out->disconnected);
    report_row(t, "known to be dead after, ms", "%" PRId64, out->detection_ms);
    report_hist(t, "who was there: answered again after, ms", &out->again_ms, 1);
    report_hist(t, "everybody else, ms", &out->others_ms, 1);
    report_hist(t, "longest silence before, ms", &out->silence_ms, 1);
    report_row(t, "never answered again", "%" PRIu32 ", of the others %" PRIu32, out->never,
               out->others_never);
    report_row(t, "other processes that ended", "%" PRIu32, out->secondary_exits);
    report_hist(t, "ticks of living homes before, ms", &out->ticks_before, 1e3);
    report_hist(t, "and from the death on, ms", &out->ticks_after, 1e3);
    report_end(&t);
}

static int
report(const struct request *r, const struct victim *v, const struct outcome *out)
{
    print_table(v, out);
    json_t *j = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:o, s:o, s:i, s:i, s:i, s:f, s:f, s:f, s:b}", "role",
        r->role, "signal", r->stop ? "STOP" : "KILL", "players", (int)r->fleet.players,
        "players_there", (int)v->players, "probers_there", (int)(out->again_ms.count + out->never),
        "disconnected", (json_int_t)out->disconnected, "detection_ms",
        (json_int_t)out->detection_ms, "playing_again_ms", report_hist_json(&out->again_ms, 1),
        "others_again_ms", report_hist_json(&out->others_ms, 1), "never_again", (int)out->never,
        "others_never_again", (int)out->others_never, "secondary_exits", (int)out->secondary_exits,
        "others_tick_p99_before_ms", (double)hist_quantile(&out->ticks_before, 0.99) / 1e3,
        "others_tick_p99_after_ms", (double)hist_quantile(&out->ticks_after, 0.99) / 1e3,
        "others_tick_p99_ratio", ticks_ratio(out), "back", (int)out->back);
    CHECK(j != NULL);
    bool fine = out->never == 0 && out->others_never == 0 && out->secondary_exits == 0 &&
                out->again_ms.count > 0 && out->detection_ms >= 0 &&
                (strcmp(r->role, "gate") == 0 || out->disconnected == 0);
    int code = output_result(&j);
    return fine ? code : 1;
}

int
bench_kill_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"role", OPTION_ROLE, "home|gate", 0, "which part dies: the busiest one of them", 0},
        {"players", 'n', "N", 0, "how many bots (10000)", 0},
        {"stop", OPTION_STOP, NULL, 0, "SIGSTOP: it stands still, as a machine that hangs", 0},
        {"seconds", 's', "S", 0, "so long before the death, and at least after it (10)", 0},
        {"homes", OPTION_HOMES, "N", 0, "(4)", 0},
        {"gates", OPTION_GATES, "N", 0, "(3)", 0},
        {"probers", OPTION_PROBERS, "N", 0, "so many ask their home 5 times a second (1000)", 0},
        {"seed", OPTION_SEED, "N", 0, "other seeds walk other ways (1)", 0},
        {"data", 'd', "DIR", 0, "an empty directory, kept; else one that is removed", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Kill one home or one gate of a whole cluster while bots walk, and measure what "
               "people notice."
               "\vPlaying again: from the death until the first answer to a question that was "
               "asked after it, for those who played there; a question is asked every 200 ms, so "
               "that the figure is up to so much too high. Fails when somebody is not answered any "
               "more, another process ended, nobody noticed, or the death of a home disconnected "
               "anybody."};
    struct request r = {.seconds = SECONDS_DEFAULT,
                        .fleet = {.players = PLAYERS_DEFAULT,
                                  .homes = HOMES_DEFAULT,
                                  .gates = GATES_DEFAULT,
                                  .warm_s = WARM_S,
                                  .probers = PROBERS_DEFAULT,
                                  .seed = 1}};
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    struct victim victim = {0};
    struct outcome *out = calloc(1, sizeof *out);
    CHECK(out != NULL);
    struct scratch_signals before;
    scratch_signals_take(&before);
    enum err error = run(&r, &victim, out);
    scratch_signals_give_back(&before);
    if (error != OK) {
        output_progress("seom bench kill: %s", err_text(error));
    }
    int code = error == OK ? report(&r, &victim, out) : 1;
    free(out);
    return code;
}
