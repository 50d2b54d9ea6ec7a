/* `seom bots`: walks bots in a running world and says what they saw. */
#include "app/arguments.h"
#include "app/commands.h"
#include "app/output.h"
#include "app/report.h"
#include "base/check.h"
#include "bots/herd.h"
#include "os/address.h"
#include <argp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WARM_S_DEFAULT   5
#define THINK_MS_DEFAULT 500
#define ARGUMENT_MAX     UINT32_C(1000000000)

enum {
    OPTION_FOR = 1,
    OPTION_TICKETS,
    OPTION_OBSERVERS,
    OPTION_SEED,
    OPTION_DUMP,
    OPTION_WARM,
    OPTION_MUTE,
    OPTION_ANSWERS,
    OPTION_THINK
};

struct request {
    const char *to;
    const char *tracks_path;
    struct herd_options herd;
    bool quiet;
    bool mute; /* a part of `seom dev`, which speaks for itself: no report */
};

static volatile sig_atomic_t stop;

static void
on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void
profile_parse(struct request *r, const char *text, struct argp_state *state)
{
    if (!profile_of(text, &r->herd.plan.profile)) {
        argp_error(state, "--profile: real, dense, crowd or trade, not `%s'", text);
    }
}

/* One address, or several with commas between them. */
static void
to_parse(struct herd_options *h, const char *text, struct argp_state *state)
{
    char copy[HERD_GATES_MAX * ADDRESS_TEXT_MAX], *rest = copy, *one;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy) {
        argp_error(state, "--to: at most %d addresses", HERD_GATES_MAX);
    }
    for (h->gates_count = 0; (one = strsep(&rest, ",")) != NULL; h->gates_count++) {
        struct address to;
        const char *wrong = address_parse(one, &to);
        if (wrong == NULL && to.port == 0) {
            wrong = "has no port";
        }
        if (wrong == NULL && h->gates_count == HERD_GATES_MAX) {
            wrong = "is one too many";
        }
        if (wrong != NULL) {
            argp_error(state, "--to %s: %s", one, wrong);
        }
        h->gates[h->gates_count] = (struct herd_gate){.at = to.socket, .bytes = to.socket_bytes};
    }
}

static error_t
request_parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct herd_options *h = &r->herd;
    switch (key) {
    case 't':
        r->to = arg;
        to_parse(h, arg, state);
        return 0;
    case 'n': h->count = arguments_number(arg, 1, HERD_MAX, "--count", state); return 0;
    case 'p': profile_parse(r, arg, state); return 0;
    case 'T': r->tracks_path = arg; return 0;
    case 'q': r->quiet = true; return 0;
    case OPTION_FOR: h->for_s = arguments_number(arg, 1, ARGUMENT_MAX, "--for", state); return 0;
    case OPTION_TICKETS: h->tickets_path = arg; return 0;
    case OPTION_OBSERVERS:
        h->observers = arguments_number(arg, 0, HERD_OBSERVERS_MAX, "--observers", state);
        return 0;
    case OPTION_SEED:
        h->plan.seed = arguments_number(arg, 0, UINT32_MAX, "--seed", state);
        return 0;
    case OPTION_DUMP: h->dump_path = arg; return 0;
    case OPTION_ANSWERS: h->answers_path = arg; return 0;
    case OPTION_THINK: h->think_ms = arguments_number(arg, 0, 3600000, "--think", state); return 0;
    case OPTION_MUTE: r->mute = r->quiet = true; return 0;
    case OPTION_WARM: h->warm_s = arguments_number(arg, 0, 3600, "--warm-up", state); return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    case ARGP_KEY_END:
        if (r->to == NULL || h->count == 0) {
            argp_error(state, "--to ADDR:PORT and --count N are needed");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option request_options[] = {
    {"to", 't', "ADDR:PORT,...", 0, "the player port; of a cluster, those of all gates", 0},
    {"count", 'n', "N", 0, "how many bots", 0},
    {"profile", 'p', "real|dense|crowd|trade", 0, "what they do (real)", 0},
    {"think", OPTION_THINK, "MS", 0, "trade: between an answer and the next command (500)", 0},
    {"answers", OPTION_ANSWERS, "FILE", 0,
     "trade: add a line `player seq code' to FILE for each answer", 0},
    {"tracks", 'T', "CSV", 0, "recorded ways to follow: t_s,player,x_m,y_m or t_s,id,x_m,y_m", 0},
    {"for", OPTION_FOR, "SECONDS", 0, "measure for so long (until Ctrl-C)", 0},
    {"warm-up", OPTION_WARM, "SECONDS", 0, "between the last welcome and measuring (5)", 0},
    {"tickets", OPTION_TICKETS, "FILE", 0, "keep who they are in FILE: the same bots come back", 0},
    {"observers", OPTION_OBSERVERS, "N", 0, "so many know all that they see (100)", 0},
    {"seed", OPTION_SEED, "N", 0, "other seeds walk other ways (1)", 0},
    {"dump", OPTION_DUMP, "FILE", 0, "the first bot's traffic, for `seom decode'", 0},
    {"quiet", 'q', NULL, 0, "no line each second", 0},
    {"mute", OPTION_MUTE, NULL, OPTION_HIDDEN, "no report either", 0},
    {0},
};

static bool
tell_second(void *ctx, const struct herd_second *s)
{
    static const char *const phases[] = {[HERD_CONNECTING] = "connecting",
                                         [HERD_WARMING] = "warming up",
                                         [HERD_MEASURING] = "measuring",
                                         [HERD_LEAVING] = "leaving"};
    const struct request *r = ctx;
    if (!r->quiet) {
        output_progress("%4" PRIu32 " s  %-10s  %" PRIu32 "/%" PRIu32 " playing, %" PRIu64
                        " lost, %.0f moves/s, %.0f frames/s, %.1f KB/s, age p50 %" PRIu64
                        " p99 %" PRIu64 " ms, %.2f others, %" PRIu64 " broken",
                        s->seconds, phases[s->phase], s->playing, s->wanted, s->lost,
                        s->moves_per_s, s->frames_per_s, s->bytes_per_s / 1000, s->age_p50_ms,
                        s->age_p99_ms, s->others, s->broken);
        if (r->herd.plan.profile == PROFILE_TRADE)
            output_progress("        commands: %" PRIu64 " done, %" PRIu64 " refused", s->done,
                            s->refused);
    }
    return true;
}

static struct tracks *
read_tracks(const struct request *r)
{
    struct tracks *tracks;
    char why[TRACKS_WHY_MAX];
    bool crowd = r->herd.plan.profile == PROFILE_CROWD;
    if (tracks_read(r->tracks_path, TRACKS_AUTO, &tracks, why) != OK) {
        output_progress("%s: %s", r->tracks_path, why);
        return NULL;
    }
    const struct tracks_report *report = &tracks->report;
    if (!r->quiet || report->bad_rows > 0) {
        output_progress("%s: %" PRIu32 " rows, %" PRIu32 " people, %" PRIu32 " tracks",
                        r->tracks_path, report->rows, report->people, tracks->count);
    }
    for (uint32_t i = 0; i < report->bad_rows && i < TRACKS_BAD_ROWS_MAX; i++) {
        output_progress("%s: row %" PRIu32 " is not read", r->tracks_path, report->bad_row[i]);
    }
    if (report->bad_rows > TRACKS_BAD_ROWS_MAX) {
        output_progress("%s: %" PRIu32 " rows in all are not read", r->tracks_path,
                        report->bad_rows);
    }
    if (!crowd) {
        tracks_fit(tracks, PLAN_SIDE_MM / 1000.0);
    }
    return tracks;
}

static void
print_hist(struct output_table *table, const char *what, const struct hist *h)
{
    report_row(table, what, "p50 %" PRIu64 ", p99 %" PRIu64 ", max %" PRIu64 " (%" PRIu64 ")",
               hist_quantile(h, 0.5), hist_quantile(h, 0.99), h->max, h->count);
}

static void
print_table(const struct herd_result *r)
{
    struct output_table *table = report_alloc();
    report_row(table, "connected",
               "%" PRIu32 " of %" PRIu32 ", %" PRIu64 " lost, %" PRIu32 " never came in",
               r->connected, r->wanted, r->lost, r->never_in);
    if (r->away_ms.count > 0) {
        print_hist(table, "away after a lost line, ms", &r->away_ms);
    }
    report_row(table, "changes a player-second", "%.2f, %" PRIu64 " corrections",
               r->changes_per_player_s, r->corrections);
    report_row(table, "bytes a player-second",
               "%.0f, at most %" PRIu64 " (one observer, one second)", r->bytes_per_player_s,
               r->bytes_per_player_s_max);
    report_row(table, "others in view", "%.2f, %.1f known", r->others_in_view_mean,
               r->replica_mean);
    if (r->trades.done + r->trades.refused > 0) {
        report_row(table, "commands", "%" PRIu64 " done, %" PRIu64 " refused", r->trades.done,
                   r->trades.refused);
        print_hist(table, "wait for an answer, us", &r->trades.answer_us);
    }
    print_hist(table, "age of news, ms", &r->measures.age_ms);
    print_hist(table, "age of the nearest, ms", &r->measures.nearest_age_ms);
    print_hist(table, "refresh of the rest, ms", &r->measures.rest_refresh_ms);
    if (r->seen_share >= 0) {
        report_row(table, "heard of within 10 s", "%.4f", r->seen_share);
    }
    report_row(table, "CPU of a bot-second", "%.2f us", r->cpu_us_per_player_s);
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        report_row(table, invariant_doc((enum invariant)i), "%" PRIu64 " of %" PRIu64 " broken",
                   r->measures.broken[i], r->measures.checked[i]);
    }
    report_end(&table);
}

static json_t *
json_of_hist(const struct hist *h)
{
    return json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)hist_quantile(h, 0.5), "p99",
                     (json_int_t)hist_quantile(h, 0.99), "max", (json_int_t)h->max);
}

static json_t *
json_of_trades(const struct trades *t)
{
    json_t *ways = json_object();
    const char *name;
    for (uint32_t way = 0; (name = trader_way_name(way)) != NULL; way++) {
        json_object_set_new(ways, name, json_integer((json_int_t)t->done_by_way[way]));
    }
    return json_pack("{s:I, s:I, s:I, s:o, s:o}", "done", (json_int_t)t->done, "refused",
                     (json_int_t)t->refused, "shows_lost", (json_int_t)t->shows_lost, "answer_us",
                     json_of_hist(&t->answer_us), "done_by_way", ways);
}

static json_t *
json_of_result(const struct request *q, const struct herd_result *r)
{
    json_t *broken = json_object(), *checked = json_object();
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        const char *name = invariant_name((enum invariant)i);
        json_object_set_new(broken, name, json_integer((json_int_t)r->measures.broken[i]));
        json_object_set_new(checked, name, json_integer((json_int_t)r->measures.checked[i]));
    }
    json_t *o = json_pack(
        "{s:s, s:i, s:i, s:I, s:i, s:f, s:f, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:f, s:o, "
        "s:o}",
        "profile", profile_name(q->herd.plan.profile), "players", (int)r->wanted, "connected",
        (int)r->connected, "lost", (json_int_t)r->lost, "never_in", (int)r->never_in, "seconds",
        r->seconds, "changes_per_player_s", r->changes_per_player_s, "moves", (json_int_t)r->moves,
        "frames", (json_int_t)r->frames, "bytes_in", (json_int_t)r->bytes_in, "bytes_per_player_s",
        r->bytes_per_player_s, "others_in_view_mean", r->others_in_view_mean, "replica_mean",
        r->replica_mean, "bytes_per_player_s_max", (json_int_t)r->bytes_per_player_s_max,
        "corrections", (json_int_t)r->corrections, "bots_cpu_us_per_player_s",
        r->cpu_us_per_player_s, "invariants_broken", broken, "invariants_checked", checked);
    CHECK(o != NULL);
    json_object_set_new(o, "away_ms", json_of_hist(&r->away_ms));
    json_object_set_new(o, "update_age_ms", json_of_hist(&r->measures.age_ms));
    json_object_set_new(o, "age_samples", json_integer((json_int_t)r->measures.age_ms.count));
    json_object_set_new(o, "nearest_age_ms", json_of_hist(&r->measures.nearest_age_ms));
    json_object_set_new(o, "rest_refresh_ms", json_of_hist(&r->measures.rest_refresh_ms));
    if (q->herd.plan.profile == PROFILE_TRADE) {
        json_object_set_new(o, "commands", json_of_trades(&r->trades));
    }
    if (r->seen_share >= 0) {
        json_object_set_new(o, "seen_share", json_real(r->seen_share));
    }
    return o;
}

/* The second Ctrl-C is the system's again: it ends at once. */
static void
catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
}

int
bots_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = request_options,
        .parser = request_parse,
        .doc =
            "Walks bots in a running world.\vA line each second and a table on stderr; one JSON "
            "object as the last line of stdout. Ctrl-C ends well. Who is not let in tries again, "
            "for as long as --for says and at most half a minute; exit code 1 when nobody is "
            "connected at the end.",
    };
    struct request r = {.herd = {.observers = UINT32_MAX,
                                 .warm_s = WARM_S_DEFAULT,
                                 .think_ms = THINK_MS_DEFAULT,
                                 .plan = {.profile = PROFILE_REAL, .seed = 1},
                                 .stop = &stop,
                                 .second = tell_second}};
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return 2;
    }
    struct tracks *tracks = NULL;
    if (r.tracks_path != NULL && (tracks = read_tracks(&r)) == NULL) {
        return 1;
    }
    r.herd.ctx = &r;
    r.herd.plan.tracks = tracks;
    catch_signals();
    struct herd_result *result = calloc(1, sizeof(*result));
    CHECK(result != NULL);
    char why[HERD_WHY_MAX] = "";
    enum err error = herd_run(&r.herd, result, why);
    int code = error == OK ? 0 : 1;
    if (error == OK && !r.mute) {
        print_table(result);
    } else if (error != OK) {
        output_progress("seom bots --to %s: %s: %s", r.to, why, err_text(error));
    }
    if (result->wanted > 0 && !r.mute) { /* there was a run, even if nobody was let in */
        json_t *o = json_of_result(&r, result);
        code |= output_result(&o);
    }
    free(result);
    tracks_free(&tracks);
    return code;
}
