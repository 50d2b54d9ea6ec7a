/* `seom bench cluster`: a whole cluster full of bots, what a player costs each part of it, and how
 * old news are when they arrive. */
#include "app/arguments.h"
#include "app/bench_fleet.h"
#include "app/commands.h"
#include "app/limit.h"
#include "app/output.h"
#include "app/report.h"
#include "base/check.h"
#include "os/process.h"
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLAYERS_DEFAULT 2000
#define HOMES_DEFAULT   3
#define GATES_DEFAULT   4
#define SECONDS_DEFAULT 10
#define WARM_S          5
#define OTHERS_MIN      0.8 /* in view, of `real`: what a bench of walking people has to show */
#define OTHERS_MAX      1.3
#define CHANGES_MIN     0.8
#define WHOLE           10 /* islands: fewer say little of how many are in view */
#define LIMIT_S         5
#define PIECES          2    /* of a send: its head, and mostly one page of news */
#define EXHAUSTED       0.95 /* of all cores: the bench waited for them more than for anything */

enum { OPTION_HOMES = 1, OPTION_GATES, OPTION_SEED, OPTION_WITHOUT_LIMIT };

struct request {
    struct fleet_options fleet;
    uint32_t seconds;
    bool without_limit;
};

struct outcome {
    struct fleet_cpu from, to;
    struct fleet_traffic told, told_since;
    struct limit_result limit; /* the bare loop */
    struct hist ticks;         /* us */
    struct herd_result herd;   /* of all herds: sums, and means over players */
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
    case 'p':
        if (!profile_of(arg, &o->profile) || o->profile == PROFILE_TRADE) {
            argp_error(state, "--profile: real, dense or crowd, not `%s'", arg);
        }
        return 0;
    case OPTION_HOMES: o->homes = arguments_number(arg, 1, 32, "--homes", state); return 0;
    case OPTION_GATES:
        o->gates = arguments_number(arg, 1, HERD_GATES_MAX, "--gates", state);
        return 0;
    case OPTION_SEED: o->seed = arguments_number(arg, 0, UINT32_MAX, "--seed", state); return 0;
    case OPTION_WITHOUT_LIMIT: r->without_limit = true; return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    case ARGP_KEY_END:
        if (o->profile == PROFILE_CROWD && o->players > FLEET_HERD_MAX) {
            argp_error(state, "one process of bots is the crowd: at most %d", FLEET_HERD_MAX);
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a run ---- */

/* Means are over players, so each herd counts as it has some. */
static void
add_herd(struct outcome *out, const struct fleet_shared *shared, uint32_t i)
{
    const struct herd_result *h = &shared->herds[i].result;
    struct herd_result *sum = &out->herd;
    double share = (double)h->wanted / (double)shared->options.players;
    sum->wanted += h->wanted;
    sum->connected += h->connected;
    sum->never_in += h->never_in;
    sum->lost += h->lost;
    sum->misplaced += h->misplaced;
    sum->changes_per_player_s += share * h->changes_per_player_s;
    sum->bytes_per_player_s += share * h->bytes_per_player_s;
    sum->others_in_view_mean += share * h->others_in_view_mean;
    hist_merge(&sum->measures.age_ms, &h->measures.age_ms);
    for (int k = 0; k < INVARIANT_COUNT; k++) {
        sum->measures.checked[k] += h->measures.checked[k];
        sum->measures.broken[k] += h->measures.broken[k];
    }
}

/* Of all gates together, a second. */
struct traffic {
    double sends, receives, bytes;
};

static struct traffic
traffic_of(const struct outcome *out)
{
    struct traffic sum = {0};
    for (uint32_t i = 0; i < out->told.gates; i++) {
        double s = out->told_since.of[i].up_s - out->told.of[i].up_s;
        if (s > 0) {
            sum.sends += (out->told_since.of[i].sends - out->told.of[i].sends) / s;
            sum.receives += (out->told_since.of[i].receives - out->told.of[i].receives) / s;
            sum.bytes += (out->told_since.of[i].bytes - out->told.of[i].bytes) / s;
        }
    }
    return sum;
}

/* What the kernel alone takes for it on this machine at this time: as many connections as one
 * process can have, with what each of them was sent and said. */
static enum err
run_limit(struct outcome *out)
{
    struct traffic t = traffic_of(out);
    uint32_t all = out->herd.connected;
    uint32_t connections = all < LIMIT_CONNECTIONS_MAX ? all : LIMIT_CONNECTIONS_MAX;
    double share = all > 0 ? (double)connections / all : 0;
    if (t.sends * share < 1 || t.receives * share < 1) {
        out->limit = (struct limit_result){.error = ERR_RANGE, .why = "nothing was sent"};
        return ERR_RANGE;
    }
    struct limit_options options = {.connections = connections,
                                    .bytes = (uint32_t)(t.bytes / t.sends),
                                    .pieces = PIECES,
                                    .seconds = LIMIT_S,
                                    .sends_per_s = (uint32_t)(t.sends * share),
                                    .receives_per_s = (uint32_t)(t.receives * share)};
    output_progress("the bare loop: %u connections, %u sends/s of %u bytes, %u receives/s ...",
                    options.connections, options.sends_per_s, options.bytes,
                    options.receives_per_s);
    out->limit = bench_limit_run(&options);
    if (out->limit.error != OK) {
        output_progress("the bare loop: %s", out->limit.why);
    }
    return out->limit.error;
}

static enum err
run(const struct request *r, struct outcome *out)
{
    struct fleet f;
    struct hist from, to;
    enum err error = fleet_open(&f, &r->fleet);
    error = error == OK ? fleet_play(&f) : error;
    error = error == OK ? fleet_ticks(&f, NULL, &from) : error;
    error = error == OK ? fleet_traffic(&f, &out->told) : error;
    error = error == OK ? fleet_cpu(&f, &out->from) : error;
    error = error == OK ? fleet_wait(&f, r->seconds * INT64_C(1000000), NULL, NULL) : error;
    error = error == OK ? fleet_cpu(&f, &out->to) : error;
    error = error == OK ? fleet_ticks(&f, NULL, &to) : error;
    error = error == OK ? fleet_traffic(&f, &out->told_since) : error;
    enum err left = fleet_leave(&f);
    error = error == OK ? left : error;
    for (uint32_t i = 0; i < f.shared->herds_count && error == OK; i++) {
        add_herd(out, f.shared, i);
    }
    if (error == OK) {
        fleet_ticks_between(&from, &to, &out->ticks);
    }
    fleet_close(&f);
    return error == OK && !r->without_limit ? run_limit(out) : error;
}

/* ---- the report ---- */

/* us of CPU a player-second. */
struct costs {
    double homes, gates, store, etcd, bots, server; /* server: homes, gates and store */
    double sends, receives;                         /* of the gates, a player-second: how many */
    double limit, ratio; /* of the bare loop for those; 0: it was left out */
};

static struct costs
costs_of(const struct outcome *out)
{
    const struct fleet_cpu *a = &out->from, *b = &out->to;
    double player_s = out->herd.connected * (double)(b->mono_us - a->mono_us) / 1e6;
    struct costs c = {.homes = (double)(b->homes_us - a->homes_us) / player_s,
                      .gates = (double)(b->gates_us - a->gates_us) / player_s,
                      .store = (double)(b->store_us - a->store_us) / player_s,
                      .etcd = (double)(b->etcd_us - a->etcd_us) / player_s,
                      .bots = (double)(b->bots_us - a->bots_us) / player_s};
    c.server = c.homes + c.gates + c.store;
    struct traffic t = traffic_of(out);
    c.sends = t.sends / out->herd.connected;
    c.receives = t.receives / out->herd.connected;
    c.limit = c.sends * out->limit.send_us + c.receives * out->limit.receive_us;
    c.ratio = c.limit > 0 ? c.server / c.limit : 0;
    return c;
}

/* Of all cores while it was measured, whoever used them. */
static double
machine_busy(const struct outcome *out)
{
    const struct process_machine *a = &out->from.machine, *b = &out->to.machine;
    uint64_t ticks = b->ticks - a->ticks;
    return ticks > 0 ? (double)(b->busy_ticks - a->busy_ticks) / (double)ticks : 0;
}

static void
print_table(const struct request *r, const struct outcome *out, uint64_t lost)
{
    struct output_table *t = report_alloc();
    const struct herd_result *h = &out->herd;
    struct costs c = costs_of(out);
    report_row(t, "players", "%" PRIu32 " %s, %" PRIu64 " lost (%" PRIu32 " never came in)",
               r->fleet.players, profile_name(r->fleet.profile), lost, h->never_in);
    report_row(t, "others in view", "%.2f", h->others_in_view_mean);
    report_row(t, "a player-second", "%.2f changes, %.2f sends, %.2f receives, %.0f bytes",
               h->changes_per_player_s, c.sends, c.receives, h->bytes_per_player_s);
    report_row(t, "server, us a player-second", "%.2f", c.server);
    report_row(t, "  homes, gates, PostgreSQL", "%.2f, %.2f, %.2f", c.homes, c.gates, c.store);
    if (!r->without_limit) {
        report_row(t, "bare loop, us a player-second", "%.2f (a send %.2f, a receive %.2f)",
                   c.limit, out->limit.send_us, out->limit.receive_us);
        report_row(t, "ratio to the bare loop", "%.2f", c.ratio);
    }
    report_row(t, "etcd, us a player-second", "%.2f", c.etcd);
    report_row(t, "bots, us a player-second", "%.2f", c.bots);
    report_hist(t, "age of news, ms", &h->measures.age_ms, 1);
    report_hist(t, "tick, ms", &out->ticks, 1e3);
    report_row(t, "machine busy, %", "%.0f", 100 * machine_busy(out));
    report_end(&t);
}

static bool
is_valid(const struct request *r, const struct outcome *out, uint64_t lost)
{
    const struct herd_result *h = &out->herd;
    double busy = machine_busy(out);
    bool fine = lost == 0 && h->misplaced == 0 && h->changes_per_player_s >= CHANGES_MIN;
    if (!fine) {
        output_progress("failed: %" PRIu64 " lost, of whom %" PRIu32 " never came in; %" PRIu64
                        " did not begin where they were put; %.2f changes a second (at least %.1f)",
                        lost, h->never_in, h->misplaced, h->changes_per_player_s, CHANGES_MIN);
        output_progress("the machine was busy %.0f %%%s", 100 * busy,
                        busy >= EXHAUSTED ? ": its cores can do no more" : "");
    }
    bool whole = r->fleet.profile == PROFILE_REAL && r->fleet.players >= WHOLE * PLAN_PEOPLE;
    if (whole && !(h->others_in_view_mean >= OTHERS_MIN && h->others_in_view_mean <= OTHERS_MAX)) {
        output_progress("failed: others_in_view_mean %.2f is outside %.1f-%.1f",
                        h->others_in_view_mean, OTHERS_MIN, OTHERS_MAX);
        fine = false;
    }
    report_broken(&h->measures);
    return fine;
}

static int
report(const struct request *r, const struct outcome *out)
{
    const struct herd_result *h = &out->herd;
    struct costs c = costs_of(out);
    uint64_t lost = h->lost + (h->wanted - h->connected);
    print_table(r, out, lost);
    json_t *j = json_pack(
        "{s:s, s:i, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:o}",
        "profile", profile_name(r->fleet.profile), "players", (int)r->fleet.players, "homes",
        (int)r->fleet.homes, "gates", (int)r->fleet.gates, "lost", (json_int_t)lost,
        "others_in_view_mean", h->others_in_view_mean, "changes_per_player_s",
        h->changes_per_player_s, "server_cpu_us_per_player_s", c.server,
        "homes_cpu_us_per_player_s", c.homes, "gates_cpu_us_per_player_s", c.gates,
        "store_cpu_us_per_player_s", c.store, "etcd_cpu_us_per_player_s", c.etcd,
        "bots_cpu_us_per_player_s", c.bots, "bytes_per_player_s", h->bytes_per_player_s,
        "update_age_ms", report_hist_json(&h->measures.age_ms, 1), "age_samples",
        (json_int_t)h->measures.age_ms.count, "tick_ms", report_hist_json(&out->ticks, 1e3));
    CHECK(j != NULL);
    json_object_set_new(j, "never_in", json_integer((json_int_t)h->never_in));
    json_object_set_new(j, "sends_per_player_s", json_real(c.sends));
    json_object_set_new(j, "receives_per_player_s", json_real(c.receives));
    json_object_set_new(j, "limit_cpu_us_per_player_s", json_real(c.limit));
    json_object_set_new(j, "ratio_to_limit", json_real(c.ratio));
    json_object_set_new(j, "machine_busy", json_real(machine_busy(out)));
    bool fine = is_valid(r, out, lost);
    int code = output_result(&j);
    return fine ? code : 1;
}

int
bench_cluster_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"players", 'n', "N", 0, "how many bots (2000)", 0},
        {"profile", 'p', "real|dense|crowd", 0, "how they move (real)", 0},
        {"seconds", 's', "S", 0, "measure for so long (10)", 0},
        {"homes", OPTION_HOMES, "N", 0, "(3)", 0},
        {"gates", OPTION_GATES, "N", 0, "(4)", 0},
        {"seed", OPTION_SEED, "N", 0, "other seeds walk other ways (1)", 0},
        {"without-limit", OPTION_WITHOUT_LIMIT, NULL, 0,
         "leave the bare loop out: its figures are 0", 0},
        {"data", 'd', "DIR", 0, "an empty directory, kept; else one that is removed", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Run a whole cluster full of bots and measure what a player costs each part of it "
            "and how old news are when they arrive."
            "\vThe CPU time is that of all processes of a kind, user and system; server: homes, "
            "gates and PostgreSQL. The bare loop sends and receives as much with nothing but the "
            "kernel, afterwards: what the machine asks for it today. The islands are bare land, "
            "squares of 8.16 km, 570 people on "
            "each. Fails when somebody was lost or people did not move as they should."};
    struct request r = {.seconds = SECONDS_DEFAULT,
                        .fleet = {.players = PLAYERS_DEFAULT,
                                  .homes = HOMES_DEFAULT,
                                  .gates = GATES_DEFAULT,
                                  .warm_s = WARM_S,
                                  .profile = PROFILE_REAL,
                                  .seed = 1}};
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    struct outcome *out = calloc(1, sizeof *out);
    CHECK(out != NULL);
    struct scratch_signals before;
    scratch_signals_take(&before);
    enum err error = run(&r, out);
    scratch_signals_give_back(&before);
    if (error != OK) {
        output_progress("seom bench cluster: %s", err_text(error));
    }
    int code = error == OK ? report(&r, out) : 1;
    free(out);
    return code;
}
