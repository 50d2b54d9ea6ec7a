/* `seom bench spread`: one crowd, spread over one home, two, and so on: what a tick of each costs
 * then, and how much goes over its links. */
#include "app/arguments.h"
#include "app/bench_fleet.h"
#include "app/cluster_ask.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include <argp.h>
#include <inttypes.h>
#include <string.h>

#define PLAYERS_DEFAULT 3000
#define HOMES_DEFAULT   8
#define GATES_DEFAULT   2
#define SECONDS_DEFAULT 4
#define WARM_S          3
#define STEPS_MAX       16

enum { OPTION_HOMES = 1, OPTION_GATES, OPTION_SVG };

struct request {
    struct fleet_options fleet; /* homes: the most */
    uint32_t seconds;
    const char *svg;
};

/* Of one number of homes; means over the homes. */
struct step {
    uint32_t homes;
    double tick_ms, tick_p99_ms; /* from when a tick was due until it was done; tick_ms: median */
    double cpu_ms;               /* of all that a home does in a second */
    double out_bytes, in_bytes;  /* over links, a second */
    uint64_t age_p99_ms, lost;
};

struct sample {
    struct fleet_cpu cpu;
    struct hist ticks;
    double out_bytes, in_bytes;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct fleet_options *o = &r->fleet;
    switch (key) {
    case 'n': o->players = arguments_number(arg, 1, FLEET_HERD_MAX, "--players", state); return 0;
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
    case OPTION_SVG: r->svg = arg; return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a step ---- */

static enum err
add_links(const struct fleet *f, struct sample *out)
{
    json_t *list = fleet_list(f);
    enum err error = list == NULL ? ERR_UNAVAILABLE : OK;
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        if (strcmp(cluster_text(row, "role"), "home") != 0) {
            continue;
        }
        json_t *status = fleet_ask(f, cluster_text(row, "name"), "status");
        error = status == NULL ? ERR_UNAVAILABLE : error;
        out->out_bytes += (double)cluster_number(status, "link_bytes_out");
        out->in_bytes += (double)cluster_number(status, "link_bytes_in");
        json_decref(status);
    }
    json_decref(list);
    return error;
}

static enum err
take(const struct fleet *f, struct sample *out)
{
    *out = (struct sample){0};
    enum err error = fleet_ticks(f, NULL, &out->ticks);
    error = error == OK ? add_links(f, out) : error;
    return error == OK ? fleet_cpu(f, &out->cpu) : error;
}

static void
step_fill(const struct sample *a, const struct sample *b, struct step *step)
{
    struct hist ticks;
    double homes = step->homes;
    double seconds = (double)(b->cpu.mono_us - a->cpu.mono_us) / 1e6;
    fleet_ticks_between(&a->ticks, &b->ticks, &ticks);
    step->tick_ms = (double)hist_quantile(&ticks, 0.5) / 1e3;
    step->tick_p99_ms = (double)hist_quantile(&ticks, 0.99) / 1e3;
    step->cpu_ms = (double)(b->cpu.homes_us - a->cpu.homes_us) / 1e3 / homes / seconds;
    step->out_bytes = (b->out_bytes - a->out_bytes) / homes / seconds;
    step->in_bytes = (b->in_bytes - a->in_bytes) / homes / seconds;
}

static enum err
run_step(const struct request *r, struct step *step)
{
    struct fleet f;
    struct sample from, to;
    struct fleet_options options = r->fleet;
    options.homes = step->homes;
    enum err error = fleet_open(&f, &options);
    error = error == OK ? fleet_play(&f) : error;
    error = error == OK ? take(&f, &from) : error;
    error = error == OK ? fleet_wait(&f, r->seconds * INT64_C(1000000), NULL, NULL) : error;
    error = error == OK ? take(&f, &to) : error;
    enum err left = fleet_leave(&f);
    error = error == OK ? left : error;
    if (error == OK) {
        const struct herd_result *h = &f.shared->herds[0].result;
        step_fill(&from, &to, step);
        step->age_p99_ms = hist_quantile(&h->measures.age_ms, 0.99);
        step->lost = h->lost + (h->wanted - h->connected);
    }
    fleet_close(&f);
    return error;
}

/* ---- the report ---- */

#define SVG_WIDTH  360.0
#define SVG_HEIGHT 200.0
#define SVG_LEFT   60.0
#define SVG_TOP    50.0

static double
value_of(const struct step *s, bool bytes)
{
    return bytes ? (s->out_bytes + s->in_bytes) / 1000 : s->cpu_ms;
}

/* One curve over the number of homes, its values written at its points. */
static void
svg_curve(FILE *out, const struct step *steps, uint32_t count, bool bytes, double left)
{
    double top = 0;
    for (uint32_t i = 0; i < count; i++) {
        top = value_of(&steps[i], bytes) > top ? value_of(&steps[i], bytes) : top;
    }
    fprintf(out, "<text x=\"%.0f\" y=\"20\">%s</text>\n", left,
            bytes ? "links of a home, KB/s in and out" : "CPU of a home, ms a second");
    fprintf(out, "<path fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" d=\"");
    for (uint32_t i = 0; i < count; i++) {
        double x = left + SVG_WIDTH * steps[i].homes / steps[count - 1].homes;
        double share = top > 0 ? value_of(&steps[i], bytes) / top : 0;
        fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : " L", x, SVG_TOP + SVG_HEIGHT * (1 - share));
    }
    fprintf(out, "\"/>\n");
    for (uint32_t i = 0; i < count; i++) {
        double x = left + SVG_WIDTH * steps[i].homes / steps[count - 1].homes;
        double value = value_of(&steps[i], bytes), share = top > 0 ? value / top : 0;
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"11\">%.3g</text>\n", x,
                SVG_TOP + SVG_HEIGHT * (1 - share) - 6, value);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">%" PRIu32 "</text>\n", x,
                SVG_TOP + SVG_HEIGHT + 24, steps[i].homes);
    }
}

static bool
write_svg(const char *path, const struct step *steps, uint32_t count)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return false;
    }
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n",
            2 * (SVG_WIDTH + 2 * SVG_LEFT), SVG_TOP + SVG_HEIGHT + 40);
    svg_curve(out, steps, count, false, SVG_LEFT);
    svg_curve(out, steps, count, true, SVG_WIDTH + 3 * SVG_LEFT);
    fprintf(out, "</svg>\n");
    return fclose(out) == 0;
}

static json_t *
print(const struct step *steps, uint32_t count)
{
    static const struct output_column columns[] = {
        {.head = "homes", .right = true},    {.head = "tick ms", .right = true},
        {.head = "tick p99", .right = true}, {.head = "CPU ms/s", .right = true},
        {.head = "out KB/s", .right = true}, {.head = "in KB/s", .right = true},
        {.head = "age p99", .right = true},  {.head = "lost", .right = true}};
    struct output_table *t = output_table_alloc(columns, 8);
    json_t *curve = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct step *s = &steps[i];
        output_table_cell(t, "%" PRIu32, s->homes);
        output_table_cell(t, "%.3f", s->tick_ms);
        output_table_cell(t, "%.2f", s->tick_p99_ms);
        output_table_cell(t, "%.1f", s->cpu_ms);
        output_table_cell(t, "%.1f", s->out_bytes / 1000);
        output_table_cell(t, "%.1f", s->in_bytes / 1000);
        output_table_cell(t, "%" PRIu64, s->age_p99_ms);
        output_table_cell(t, "%" PRIu64, s->lost);
        json_array_append_new(
            curve,
            json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "homes", (int)s->homes, "tick_ms",
                      s->tick_ms, "tick_p99_ms", s->tick_p99_ms, "home_cpu_ms_per_s", s->cpu_ms,
                      "link_bytes_out_per_s", s->out_bytes, "link_bytes_in_per_s", s->in_bytes,
                      "update_age_p99_ms", (json_int_t)s->age_p99_ms, "lost", (json_int_t)s->lost));
    }
    output_table_print(t, stderr);
    output_table_free(&t);
    return curve;
}

static int
run(const struct request *r)
{
    static const uint32_t numbers[STEPS_MAX] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    struct step steps[STEPS_MAX] = {0};
    uint32_t count = 0;
    uint64_t lost = 0;
    enum err error = OK;
    for (; error == OK && numbers[count] != 0 && numbers[count] <= r->fleet.homes; count++) {
        steps[count].homes = numbers[count];
        error = run_step(r, &steps[count]);
        lost += steps[count].lost;
    }
    if (error != OK) {
        output_progress("seom bench spread: %s", err_text(error));
        return 1;
    }
    json_t *result = json_pack("{s:i, s:s, s:i, s:o}", "players", (int)r->fleet.players, "profile",
                               profile_name(r->fleet.profile), "gates", (int)r->fleet.gates,
                               "curve", print(steps, count));
    if (r->svg != NULL && !write_svg(r->svg, steps, count)) {
        output_progress("%s cannot be written", r->svg);
        error = ERR_IO;
    }
    int code = output_result(&result);
    return error == OK && lost == 0 ? code : 1;
}

int
bench_spread_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"players", 'n', "N", 0, "how many bots (3000)", 0},
        {"profile", 'p', "real|dense|crowd", 0, "how they move (crowd)", 0},
        {"seconds", 's', "S", 0, "measure each step for so long (4)", 0},
        {"homes", OPTION_HOMES, "N", 0, "the most (8)", 0},
        {"gates", OPTION_GATES, "N", 0, "(2)", 0},
        {"svg", OPTION_SVG, "FILE", 0, "draw both curves", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Spread one crowd over 1, 2, 3, 4, 6 and 8 homes, each time in a new cluster, and "
               "print what a tick of a home takes, what the home costs and how much goes over its "
               "links.\vA tick is taken from when it was due until it was done, so with whatever "
               "else the cores do; the CPU time is that of all the home does. Fails when somebody "
               "was lost."};
    struct request r = {.seconds = SECONDS_DEFAULT,
                        .fleet = {.players = PLAYERS_DEFAULT,
                                  .homes = HOMES_DEFAULT,
                                  .gates = GATES_DEFAULT,
                                  .warm_s = WARM_S,
                                  .profile = PROFILE_CROWD,
                                  .seed = 1}};
    argp_parse(&argp, argc, argv, 0, NULL, &r);
    struct scratch_signals before;
    scratch_signals_take(&before);
    int code = run(&r);
    scratch_signals_give_back(&before);
    return code;
}
