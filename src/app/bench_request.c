/* `seom bench request`: requests from one logic thread to another over a link, beside a bare loop.
 */
#include "app/bench_request.h"
#include "app/arguments.h"
#include "app/bench_store.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include <argp.h>
#include <math.h>
#include <stdlib.h>

#define DEPTH_DEFAULT   64
#define SECONDS_DEFAULT 8
#define ROUND_US        250000
#define ROUNDS_MAX      4096

enum { OPTION_DEPTH = 1, OPTION_MAX_RATIO };

struct request {
    uint32_t depth, seconds;
    double max_ratio; /* 0: none */
};

enum side { SIDE_LINK, SIDE_BARE, SIDES };

/* What one depth came to. */
struct figures {
    struct request_run total[SIDES];
    double wall_ratio, cpu_ratio; /* medians over the rounds */
};

static error_t
option_parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 'd': r->depth = arguments_number(arg, 1, REQUEST_DEPTH_MAX, "--depth", state); return 0;
    case 's': r->seconds = arguments_number(arg, 2, 3600, "--seconds", state); return 0;
    case OPTION_MAX_RATIO:
        r->max_ratio = arguments_real(arg, 0, 100, "--max-ratio", state);
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"depth", 'd', "N", 0, "keep so many requests under way (64)", 0},
    {"seconds", 's', "S", 0, "take so long in all (8)", 0},
    {"max-ratio", OPTION_MAX_RATIO, "R", 0, "fail when ratio_to_bare is higher", 0},
    {0},
};

static const struct argp argp = {
    .options = option_rows,
    .parser = option_parse,
    .doc = "Measure requests over a link from one logic thread to another and back, beside a bare "
           "loop of epoll, recv and send that carries the same bytes; and both with one request "
           "under way.\vThe sides take turns in rounds of a quarter of a second, and medians of "
           "the rounds are compared. A table on stderr; one JSON object as the last line of "
           "stdout."};

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double
wall_us(const struct request_run *run)
{
    return (double)run->wall_us / (double)run->answers;
}

static double
cpu_us(const struct request_run *run)
{
    return (double)run->cpu_us / (double)run->answers;
}

static void
add(struct request_run *total, const struct request_run *run)
{
    total->answers += run->answers;
    total->wall_us += run->wall_us;
    total->cpu_us += run->cpu_us;
    hist_merge(&total->latency_us, &run->latency_us);
}

/* Rounds of one depth; whoever begins changes with each. */
static enum err
measure(struct request_link *link, struct request_bare *bare, uint32_t depth, uint32_t rounds,
        struct figures *out)
{
    static double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
    CHECK(rounds > 0 && rounds <= ROUNDS_MAX);
    for (uint32_t i = 0; i < rounds; i++) {
        struct request_run runs[SIDES] = {0};
        for (uint32_t k = 0; k < SIDES; k++) {
            enum side side = (i + k) % SIDES;
            enum err error = side == SIDE_LINK
                                 ? request_link_run(link, depth, ROUND_US, &runs[side])
                                 : request_bare_run(bare, depth, ROUND_US, &runs[side]);
            if (error != OK)
                return error;
            add(&out->total[side], &runs[side]);
        }
        wall[i] = wall_us(&runs[SIDE_LINK]) / wall_us(&runs[SIDE_BARE]);
        cpu[i] = cpu_us(&runs[SIDE_LINK]) / cpu_us(&runs[SIDE_BARE]);
    }
    out->wall_ratio = median(wall, rounds);
    out->cpu_ratio = median(cpu, rounds);
    return OK;
}

static double
per_s(const struct request_run *run)
{
    return round(1e6 / wall_us(run));
}

static double
rounded(double v)
{
    return round(v * 1000) / 1000;
}

static json_t *
latency_json(const struct request_run *run)
{
    return json_pack("{s:I, s:I}", "p50", (json_int_t)hist_quantile(&run->latency_us, 0.5), "p99",
                     (json_int_t)hist_quantile(&run->latency_us, 0.99));
}

static json_t *
figures_json(uint32_t depth, const struct figures *f)
{
    const struct request_run *link = &f->total[SIDE_LINK], *bare = &f->total[SIDE_BARE];
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o}", "depth", (int)depth,
                     "requests_per_s", per_s(link), "bare_per_s", per_s(bare), "ratio_to_bare",
                     rounded(f->wall_ratio), "ratio_to_bare_cpu", rounded(f->cpu_ratio),
                     "cpu_us_per_request", rounded(cpu_us(link)), "bare_cpu_us",
                     rounded(cpu_us(bare)), "latency_us", latency_json(link), "bare_latency_us",
                     latency_json(bare));
}

static void
table_row(struct output_table *table, uint32_t depth, const char *name,
          const struct request_run *run)
{
    output_table_cell(table, "%u", depth);
    output_table_cell(table, "%s", name);
    output_table_cell(table, "%.0f", per_s(run));
    output_table_cell(table, "%.2f", cpu_us(run));
    output_table_cell(table, "%llu", (unsigned long long)hist_quantile(&run->latency_us, 0.5));
    output_table_cell(table, "%llu", (unsigned long long)hist_quantile(&run->latency_us, 0.99));
}

static int
report(const struct request *r, const struct figures *deep, const struct figures *one)
{
    static const struct output_column columns[] = {{"depth", true},    {"side", false},
                                                   {"a second", true}, {"CPU us", true},
                                                   {"p50 us", true},   {"p99 us", true}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    table_row(table, r->depth, "request", &deep->total[SIDE_LINK]);
    table_row(table, r->depth, "bare", &deep->total[SIDE_BARE]);
    table_row(table, 1, "request", &one->total[SIDE_LINK]);
    table_row(table, 1, "bare", &one->total[SIDE_BARE]);
    output_table_print(table, stderr);
    output_table_free(&table);
    json_t *json = figures_json(r->depth, deep);
    json_object_set_new(json, "body_bytes", json_integer(REQUEST_BODY));
    json_object_set_new(json, "depth_1", figures_json(1, one));
    int code = output_result(&json);
    if (r->max_ratio > 0 && deep->wall_ratio > r->max_ratio) {
        output_progress("ratio_to_bare %.2f is above %.2f", deep->wall_ratio, r->max_ratio);
        return 1;
    }
    return code;
}

int
bench_request_command(int argc, char **argv)
{
    struct request r = {.depth = DEPTH_DEFAULT, .seconds = SECONDS_DEFAULT};
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0)
        return 2;
    struct request_link *link = NULL;
    struct request_bare *bare = NULL;
    static struct figures deep, one; /* large */
    enum err error = request_link_open(&link);
    error = error == OK ? request_bare_open(&bare) : error;
    bench_core_take(0);
    /* A quarter of the time goes to depth 1. */
    uint32_t rounds = (uint32_t)(r.seconds * 1000000ULL / (SIDES * ROUND_US));
    uint32_t few = rounds / 4 > 0 ? rounds / 4 : 1;
    static struct figures warm;
    error = error == OK ? measure(link, bare, r.depth, 1, &warm) : error;
    error = error == OK ? measure(link, bare, r.depth, rounds - few, &deep) : error;
    error = error == OK ? measure(link, bare, 1, few, &one) : error;
    request_bare_close(&bare);
    request_link_close(&link);
    if (error != OK) {
        output_progress("bench request: %s", err_text(error));
        return 1;
    }
    return report(&r, &deep, &one);
}
