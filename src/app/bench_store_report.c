#include "app/bench_store.h"
#include "app/output.h"
#include "app/report.h"
#include "base/check.h"
#include <inttypes.h>

#define LEVEL_64 2 /* where single figures are taken from */

static void
print_levels(const struct bench_store_result *r)
{
    static const struct output_column columns[] = {
        {.head = "in flight", .right = true},  {.head = "commits/s", .right = true},
        {.head = "p50 us", .right = true},     {.head = "p99 us", .right = true},
        {.head = "group", .right = true},      {.head = "CPU us", .right = true},
        {.head = "raw LMDB/s", .right = true}, {.head = "p99 us", .right = true},
        {.head = "CPU us", .right = true},     {.head = "ratio", .right = true},
        {.head = "append/s", .right = true},   {.head = "SQLite/s", .right = true},
    };
    struct output_table *t = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    for (int level = 0; level < BENCH_LEVELS; level++) {
        const struct bench_tally *ours = &r->sides[SIDE_STORE][level];
        const struct bench_tally *raw = &r->sides[SIDE_RAW][level];
        output_table_cell(t, "%" PRIu32, bench_levels[level]);
        output_table_cell(t, "%.0f", bench_tally_per_s(ours));
        output_table_cell(t, "%" PRIu64, hist_quantile(&ours->latency_us, 0.5));
        output_table_cell(t, "%" PRIu64, hist_quantile(&ours->latency_us, 0.99));
        output_table_cell(t, "%.1f", bench_tally_group(ours));
        output_table_cell(t, "%.1f", bench_tally_cpu_us(ours));
        output_table_cell(t, "%.0f", bench_tally_per_s(raw));
        output_table_cell(t, "%" PRIu64, hist_quantile(&raw->latency_us, 0.99));
        output_table_cell(t, "%.1f", bench_tally_cpu_us(raw));
        output_table_cell(t, "%.2f", bench_ratio(ours, raw));
        output_table_cell(t, "%.0f", bench_tally_per_s(&r->sides[SIDE_APPEND][level]));
        output_table_cell(t, r->with_sqlite ? "%.0f" : "not installed",
                          bench_tally_per_s(&r->sides[SIDE_SQLITE][level]));
    }
    output_table_print(t, stderr);
    output_table_free(&t);
}

static void
print_rest(const struct bench_store_result *r)
{
    struct output_table *t = report_alloc();
    const struct bench_storm *storm = &r->storm;
    report_row(t, "file system", "%s%s", r->file_system,
               r->on_disk ? "" : ": memory is no disk, nothing here is durable");
    report_row(t, "ratio to raw LMDB", "%.2f, the lowest of 8, 64 and 512 in flight",
               bench_ratio_lowest(r->sides[SIDE_STORE], r->sides[SIDE_RAW]));
    report_row(t, "CPU of a commit", "%.1f us with %" PRIu32 " in flight, all threads",
               bench_tally_cpu_us(&r->sides[SIDE_STORE][LEVEL_64]), bench_levels[LEVEL_64]);
    report_row(t, "raw LMDB, folding", "%.0f documents a second, %d in a transaction",
               r->fold_per_s, BENCH_FOLD);
    report_row(t, "reads", "%.0f a second", r->reads_per_s);
    report_row(t, "storm",
               "%" PRIu32 " s, mean %.0f commits/s of two documents, lowest second %" PRIu64
               " (%.0f %%), %" PRIu32 " s below half",
               storm->count, bench_storm_mean(storm), bench_storm_lowest(storm),
               bench_storm_share(storm) * 100, bench_storm_below(storm));
    report_row(t, "a commit in the storm", "p99 %.1f ms, longest %.0f ms; %.2f GiB at the end",
               (double)hist_quantile(&storm->latency_us, 0.99) / 1e3,
               (double)storm->latency_us.max / 1e3, (double)storm->store_bytes / (1 << 30));
    report_row(t, "places", "%.3f us a player-second", r->place_us_per_player_s);
    if (r->with_recovery) {
        const struct bench_recovery *v = &r->recovery;
        report_row(t, "recovery",
                   "%.2f GiB open after %.1f ms, first commit after %.1f ms; %" PRIu32
                   " checked, %" PRIu32 " lost",
                   (double)v->store_bytes / (1 << 30), (double)v->open_us / 1e3,
                   (double)v->first_commit_us / 1e3, v->checked, v->lost);
    }
    report_end(&t);
}

void
bench_store_print(const struct bench_store_result *result)
{
    print_levels(result);
    print_rest(result);
}

static json_t *
json_of_level(const struct bench_store_result *r, int level)
{
    const struct bench_tally *ours = &r->sides[SIDE_STORE][level];
    const struct bench_tally *raw = &r->sides[SIDE_RAW][level];
    json_t *j = json_pack(
        "{s:f, s:I, s:I, s:f, s:f, s:f, s:I, s:f, s:f, s:f}", "commits_per_s",
        bench_tally_per_s(ours), "p50_us", (json_int_t)hist_quantile(&ours->latency_us, 0.5),
        "p99_us", (json_int_t)hist_quantile(&ours->latency_us, 0.99), "group",
        bench_tally_group(ours), "cpu_us", bench_tally_cpu_us(ours), "raw_per_s",
        bench_tally_per_s(raw), "raw_p99_us", (json_int_t)hist_quantile(&raw->latency_us, 0.99),
        "raw_cpu_us", bench_tally_cpu_us(raw), "ratio", bench_ratio(ours, raw), "append_per_s",
        bench_tally_per_s(&r->sides[SIDE_APPEND][level]));
    CHECK(j != NULL);
    return j;
}

static json_t *
json_of_recovery(const struct bench_recovery *v)
{
    return json_pack("{s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I}", "store_bytes",
                     (json_int_t)v->store_bytes, "documents", (json_int_t)v->documents, "fill_s",
                     v->fill_s, "open_ms", (double)v->open_us / 1e3, "first_commit_ms",
                     (double)v->first_commit_us / 1e3, "checked", (json_int_t)v->checked, "lost",
                     (json_int_t)v->lost, "newer", (json_int_t)v->newer);
}

json_t *
bench_store_json(const struct bench_store_result *r)
{
    json_t *levels = json_object();
    for (int level = 0; level < BENCH_LEVELS; level++) {
        char name[16];
        snprintf(name, sizeof name, "%" PRIu32, bench_levels[level]);
        json_object_set_new(levels, name, json_of_level(r, level));
    }
    const struct bench_storm *storm = &r->storm;
    json_t *j =
        json_pack("{s:s, s:o, s:f, s:f, s:o, s:f, s:f, s:f, s:{s:I, s:f, s:I, s:f, s:I, s:I, s:I, "
                  "s:I}, s:o, s:f}",
                  "file_system", r->file_system, "in_flight", levels, "ratio_to_raw_lmdb",
                  bench_ratio_lowest(r->sides[SIDE_STORE], r->sides[SIDE_RAW]), "append_per_s",
                  bench_tally_per_s(&r->sides[SIDE_APPEND][LEVEL_64]), "sqlite_per_s",
                  r->with_sqlite ? json_real(bench_tally_per_s(&r->sides[SIDE_SQLITE][LEVEL_64]))
                                 : json_null(),
                  "raw_fold_per_s", r->fold_per_s, "reads_per_s", r->reads_per_s,
                  "cpu_us_per_commit", bench_tally_cpu_us(&r->sides[SIDE_STORE][LEVEL_64]), "storm",
                  "seconds", (json_int_t)storm->count, "mean", bench_storm_mean(storm),
                  "lowest_second", (json_int_t)bench_storm_lowest(storm), "share",
                  bench_storm_share(storm), "below_half", (json_int_t)bench_storm_below(storm),
                  "p99_us", (json_int_t)hist_quantile(&storm->latency_us, 0.99), "longest_us",
                  (json_int_t)storm->latency_us.max, "store_bytes", (json_int_t)storm->store_bytes,
                  "recovery", r->with_recovery ? json_of_recovery(&r->recovery) : json_null(),
                  "place_us_per_player_s", r->place_us_per_player_s);
    CHECK(j != NULL);
    return j;
}
