/* `seom bench world` and `seom bench crowd`: what a world full of bots costs its server, and what
 * the people in it get to see. */
#include "app/arguments.h"
#include "app/bench.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/report.h"
#include "base/check.h"
#include <argp.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PLAYERS_DEFAULT 1000
#define SECONDS_DEFAULT 20
#define WARM_S_WORLD    5
#define WARM_S_CROWD    12 /* who is seen within 10 s is known only then */

#define OTHERS_MIN  0.8 /* in view, of `real` with the default number on an island */
#define OTHERS_MAX  1.3
#define CHANGES_MIN 0.8

enum { OPTION_PER_ISLAND = 1, OPTION_OBSERVERS, OPTION_SEED, OPTION_CURVE, OPTION_WITHOUT_LIMIT };

struct request {
    struct bench_options bench;
    bool curve;
};

static error_t
common_parse(int key, char *arg, struct argp_state *state)
{
    struct bench_options *o = &((struct request *)state->input)->bench;
    switch (key) {
    case 'n':
        o->players = arguments_number(arg, 1, BENCH_PLAYERS_MAX, "--players", state);
        return 0;
    case 's': o->seconds = arguments_number(arg, 1, 86400, "--seconds", state); return 0;
    case 'T': o->tracks_path = arg; return 0;
    case OPTION_OBSERVERS:
        o->observers = arguments_number(arg, 1, HERD_OBSERVERS_MAX, "--observers", state);
        return 0;
    case OPTION_SEED: o->seed = arguments_number(arg, 0, UINT32_MAX, "--seed", state); return 0;
    case OPTION_WITHOUT_LIMIT: o->without_limit = true; return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t
world_parse(int key, char *arg, struct argp_state *state)
{
    struct bench_options *o = &((struct request *)state->input)->bench;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = state->input; return 0;
    case 'p':
        if (!profile_of(arg, &o->profile) || o->profile == PROFILE_CROWD) {
            argp_error(state, "--profile: real or dense, not `%s'", arg);
        }
        return 0;
    case OPTION_PER_ISLAND:
        o->per_island = arguments_number(arg, 1, BENCH_PLAYERS_MAX, "--per-island", state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t
crowd_parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = state->input; return 0;
    case OPTION_CURVE: r->curve = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option common_options[] = {
    {"players", 'n', "N", 0, "how many bots (1000)", 0},
    {"seconds", 's', "S", 0, "measure for so long (20)", 0},
    {"tracks", 'T', "CSV", 0, "recorded ways to follow; without it people are made up", 0},
    {"observers", OPTION_OBSERVERS, "N", 0, "so many bots know all that they see (100)", 0},
    {"seed", OPTION_SEED, "N", 0, "other seeds walk other ways (1)", 0},
    {"without-limit", OPTION_WITHOUT_LIMIT, NULL, 0, "leave the bare loop out: its figures are 0",
     0},
    {0},
};

static const struct argp common_argp = {.options = common_options, .parser = common_parse};
static const struct argp_child common_children[] = {{.argp = &common_argp}, {0}};

/* What a run comes to, per player and second. */
struct figures {
    uint64_t lost; /* and who never came in */
    double sends, receives, server_us, limit_us, ratio, rss;
};

static double
per(double what, double count)
{
    return count > 0 ? what / count : 0;
}

static struct figures
figures_of(const struct bench_options *o, const struct bench_result *r)
{
    double players = o->players;
    double player_s = players * (double)(r->to.mono_us - r->from.mono_us) / 1e6;
    double gates_player_s = players * (double)(r->to.gates_us - r->from.gates_us) / 1e6;
    struct figures f = {
        .lost = r->herd.lost + (r->herd.wanted - r->herd.connected),
        .sends = per((double)(r->to.sends - r->from.sends), gates_player_s),
        .receives = per((double)(r->to.receives - r->from.receives), gates_player_s),
        .server_us = per((double)(r->to.cpu_us - r->from.cpu_us), player_s),
        .rss = r->rss_to > r->rss_from ? (double)(r->rss_to - r->rss_from) / players : 0,
    };
    f.limit_us = f.sends * r->limit.send_us + f.receives * r->limit.receive_us;
    f.ratio = per(f.server_us, f.limit_us);
    return f;
}

/* A bench whose people do not do what they should measures nothing. */
static bool
is_valid(const struct bench_options *o, const struct bench_result *r, const struct figures *f)
{
    const struct herd_result *h = &r->herd;
    bool fine = true;
    if (f->lost > 0) {
        output_progress("failed: %" PRIu64 " lost", f->lost);
        fine = false;
    }
    if (h->misplaced > 0) {
        output_progress("failed: %" PRIu64 " did not begin where they were put", h->misplaced);
        fine = false;
    }
    if (h->changes_per_player_s < CHANGES_MIN) {
        output_progress("failed: changes_per_player_s %.2f is below %.1f", h->changes_per_player_s,
                        CHANGES_MIN);
        fine = false;
    }
    bool judged = o->profile == PROFILE_REAL && o->per_island == 0;
    if (judged && !(h->others_in_view_mean >= OTHERS_MIN && h->others_in_view_mean <= OTHERS_MAX)) {
        output_progress("failed: others_in_view_mean %.2f is outside %.1f-%.1f",
                        h->others_in_view_mean, OTHERS_MIN, OTHERS_MAX);
        fine = false;
    }
    report_broken(&h->measures);
    return fine;
}

static void
print_table(const struct bench_options *o, const struct bench_result *r, const struct figures *f)
{
    struct output_table *t = report_alloc();
    const struct herd_result *h = &r->herd;
    report_row(t, "players", "%" PRIu32 " %s, %" PRIu64 " lost", o->players,
               profile_name(o->profile), f->lost);
    report_row(t, "others in view", "%.2f", h->others_in_view_mean);
    report_row(t, "a player-second", "%.2f changes, %.2f sends, %.2f receives, %.0f bytes",
               h->changes_per_player_s, f->sends, f->receives, h->bytes_per_player_s);
    report_row(t, "server, us a player-second", "%.2f", f->server_us);
    if (!o->without_limit) {
        report_row(t, "bare loop, us a player-second", "%.2f (a send %.2f, a receive %.2f)",
                   f->limit_us, r->limit.send_us, r->limit.receive_us);
        report_row(t, "ratio to the bare loop", "%.2f%s", f->ratio,
                   r->limit.preemptions > 50 * 5 ? " (other work disturbed the bare loop)" : "");
    }
    report_row(t, "bots, us a player-second", "%.2f", h->cpu_us_per_player_s);
    report_hist(t, "age of news, ms", &h->measures.age_ms, 1);
    if (o->profile == PROFILE_CROWD) {
        report_hist(t, "age of the nearest, ms", &h->measures.nearest_age_ms, 1);
        report_hist(t, "refresh of the rest, ms", &h->measures.rest_refresh_ms, 1);
        report_row(t, "seen within 10 s", "%.4f", h->seen_share);
        report_row(t, "bytes, worst second", "%" PRIu64, h->bytes_per_player_s_max);
    }
    report_hist(t, "tick, ms", &r->tick_us, 1e3);
    report_hist(t, "waiting for the logic thread, ms", &r->queue_wait_us, 1e3);
    report_row(t, "memory a player", "%.0f bytes", f->rss);
    report_end(&t);
}

static json_t *
json_of_run(const struct bench_options *o, const struct bench_result *r, const struct figures *f)
{
    const struct herd_result *h = &r->herd;
    json_t *j = json_pack(
        "{s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:o, s:f}", "players",
        (int)o->players, "lost", (json_int_t)f->lost, "others_in_view_mean", h->others_in_view_mean,
        "changes_per_player_s", h->changes_per_player_s, "sends_per_player_s", f->sends,
        "receives_per_player_s", f->receives, "server_cpu_us_per_player_s", f->server_us,
        "limit_cpu_us_per_player_s", f->limit_us, "ratio_to_limit", f->ratio,
        "bots_cpu_us_per_player_s", h->cpu_us_per_player_s, "bytes_per_player_s",
        h->bytes_per_player_s, "update_age_ms", report_hist_json(&h->measures.age_ms, 1),
        "age_samples", (json_int_t)h->measures.age_ms.count, "tick_ms",
        report_hist_json(&r->tick_us, 1e3), "rss_bytes_per_player", f->rss);
    CHECK(j != NULL);
    if (o->profile == PROFILE_CROWD) {
        const struct hist *rest = &h->measures.rest_refresh_ms;
        json_object_set_new(j, "nearest_age_ms", report_hist_json(&h->measures.nearest_age_ms, 1));
        json_object_set_new(j, "rest_refresh_s",
                            json_pack("{s:f, s:f}", "p50", (double)hist_quantile(rest, 0.5) / 1e3,
                                      "p99", (double)hist_quantile(rest, 0.99) / 1e3));
        json_object_set_new(j, "seen_share", json_real(h->seen_share));
        json_object_set_new(j, "bytes_per_player_s_max",
                            json_integer((json_int_t)h->bytes_per_player_s_max));
    }
    return j;
}

/* One run with its table. NULL: it could not be measured. *valid: whether it counts. */
static json_t *
run_once(const struct bench_options *o, struct figures *f, struct bench_result *r, bool *valid)
{
    char why[BENCH_WHY_MAX];
    enum err error = bench_run(o, r, why);
    if (error != OK) {
        output_progress("seom bench: %s (%s)", why, err_text(error));
        return NULL;
    }
    *f = figures_of(o, r);
    print_table(o, r, f);
    *valid = is_valid(o, r, f) && *valid;
    return json_of_run(o, r, f);
}

static int
run_one(const struct bench_options *o)
{
    struct bench_result *r = calloc(1, sizeof *r);
    struct figures f;
    bool valid = true;
    CHECK(r != NULL);
    json_t *j = run_once(o, &f, r, &valid);
    int code = j == NULL ? 1 : output_result(&j);
    free(r);
    return valid ? code : 1;
}

static int
run_curve(const struct bench_options *options)
{
    static const uint32_t sizes[] = {100, 300, 1000, 3000, 5000, 10000};
    static const struct output_column columns[] = {
        {.head = "people", .right = true},     {.head = "server us", .right = true},
        {.head = "bare us", .right = true},    {.head = "ratio", .right = true},
        {.head = "bytes/s", .right = true},    {.head = "nearest p99 ms", .right = true},
        {.head = "rest p99 s", .right = true}, {.head = "tick p99 ms", .right = true},
        {.head = "lost", .right = true}};
    struct output_table *t = output_table_alloc(columns, 9);
    struct bench_result *r = calloc(1, sizeof *r);
    json_t *curve = json_array(), *j = curve;
    bool valid = true;
    CHECK(r != NULL && curve != NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && j != NULL; i++) {
        struct bench_options o = *options;
        struct figures f;
        o.players = sizes[i];
        output_progress("%" PRIu32 " in one chunk", o.players);
        j = run_once(&o, &f, r, &valid);
        if (j == NULL) {
            break;
        }
        json_array_append_new(curve, j);
        output_table_cell(t, "%" PRIu32, o.players);
        output_table_cell(t, "%.2f", f.server_us);
        output_table_cell(t, "%.2f", f.limit_us);
        output_table_cell(t, "%.2f", f.ratio);
        output_table_cell(t, "%.0f", r->herd.bytes_per_player_s);
        output_table_cell(t, "%" PRIu64, hist_quantile(&r->herd.measures.nearest_age_ms, 0.99));
        output_table_cell(t, "%.2f",
                          (double)hist_quantile(&r->herd.measures.rest_refresh_ms, 0.99) / 1e3);
        output_table_cell(t, "%.2f", (double)hist_quantile(&r->tick_us, 0.99) / 1e3);
        output_table_cell(t, "%" PRIu64, f.lost);
    }
    output_table_print(t, stderr);
    output_table_free(&t);
    free(r);
    json_t *result = json_pack("{s:o}", "curve", curve);
    int code = j == NULL ? 1 : 0;
    code = output_result(&result) != 0 ? 1 : code;
    return valid ? code : 1;
}

static struct request
request_default(enum profile profile, uint32_t warm_s)
{
    return (struct request){.bench = {.players = PLAYERS_DEFAULT,
                                      .seconds = SECONDS_DEFAULT,
                                      .warm_s = warm_s,
                                      .observers = UINT32_MAX,
                                      .profile = profile,
                                      .seed = 1}};
}

int
bench_world_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"profile", 'p', "real|dense", 0, "how they move (real)", 0},
        {"per-island", OPTION_PER_ISLAND, "K", 0, "so many on each island (570)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = world_parse,
        .children = common_children,
        .doc = "Run a world full of bots and measure it: what a player costs the server, beside "
               "what the bare loop costs for the same sends and receives, and how old news are "
               "when they arrive. The server stays on core 0, the bots on core 1."
               "\vThe islands are bare land, squares of 8.16 km: nothing grows or grazes there. A "
               "line each second and a table on stderr; one JSON object as the last line of "
               "stdout. Fails when somebody was lost or people did not move as they should: fewer "
               "than 0.8 changes a second, or, with --profile real and 570 on an island, not "
               "0.8-1.3 others in view."};
    struct request r = request_default(PROFILE_REAL, WARM_S_WORLD);
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    return run_one(&r.bench);
}

int
bench_crowd_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"curve", OPTION_CURVE, NULL, 0, "100, 300, 1000, 3000, 5000 and 10000 people in turn", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = crowd_parse,
        .children = common_children,
        .doc = "Put everybody into one chunk of 30 m x 30 m and measure what a person costs the "
               "server and gets to see. The server stays on core 0, the bots on core 1."
               "\vThe island is bare land. A line each second and a table on stderr; one JSON "
               "object as the last line of stdout. Fails when somebody was lost or fewer than 0.8 "
               "changes a second were made."};
    struct request r = request_default(PROFILE_CROWD, WARM_S_CROWD);
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    return r.curve ? run_curve(&r.bench) : run_one(&r.bench);
}
