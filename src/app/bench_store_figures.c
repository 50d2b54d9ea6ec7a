#include "app/bench_store_figures.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

#define ROUND_US 120000

const uint32_t bench_levels[BENCH_LEVELS] = {1, 8, 64, 512};

void
bench_tally_add(struct bench_tally *tally, const struct bench_round *round)
{
    CHECK(tally->rounds < BENCH_ROUNDS_MAX);
    tally->per_s[tally->rounds++] =
        round->us > 0 ? (double)round->commits * 1e6 / (double)round->us : 0;
    tally->commits += round->commits;
    tally->groups += round->groups;
    tally->cpu_us += round->cpu_us;
    hist_merge(&tally->latency_us, &round->latency_us);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double
bench_tally_per_s(const struct bench_tally *tally)
{
    if (tally->rounds == 0) {
        return 0;
    }
    double sorted[BENCH_ROUNDS_MAX];
    memcpy(sorted, tally->per_s, tally->rounds * sizeof sorted[0]);
    qsort(sorted, tally->rounds, sizeof sorted[0], compare);
    return (sorted[(tally->rounds - 1) / 2] + sorted[tally->rounds / 2]) / 2;
}

static double
per(double what, double count)
{
    return count > 0 ? what / count : 0;
}

double
bench_tally_cpu_us(const struct bench_tally *tally)
{
    return per((double)tally->cpu_us, (double)tally->commits);
}

double
bench_tally_group(const struct bench_tally *tally)
{
    return per((double)tally->commits, (double)tally->groups);
}

double
bench_ratio(const struct bench_tally *one, const struct bench_tally *other)
{
    return per(bench_tally_per_s(one), bench_tally_per_s(other));
}

double
bench_ratio_lowest(const struct bench_tally ours[BENCH_LEVELS],
                   const struct bench_tally raw[BENCH_LEVELS])
{
    double lowest = bench_ratio(&ours[1], &raw[1]);
    for (int level = 2; level < BENCH_LEVELS; level++) {
        double ratio = bench_ratio(&ours[level], &raw[level]);
        lowest = ratio < lowest ? ratio : lowest;
    }
    return lowest;
}

double
bench_storm_mean(const struct bench_storm *storm)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < storm->count; i++) {
        sum += storm->seconds[i];
    }
    return per((double)sum, storm->count);
}

uint64_t
bench_storm_lowest(const struct bench_storm *storm)
{
    uint64_t lowest = storm->count > 0 ? storm->seconds[0] : 0;
    for (uint32_t i = 1; i < storm->count; i++) {
        lowest = storm->seconds[i] < lowest ? storm->seconds[i] : lowest;
    }
    return lowest;
}

double
bench_storm_share(const struct bench_storm *storm)
{
    return per((double)bench_storm_lowest(storm), bench_storm_mean(storm));
}

uint32_t
bench_storm_below(const struct bench_storm *storm)
{
    double half = bench_storm_mean(storm) / 2;
    uint32_t below = 0;
    for (uint32_t i = 0; i < storm->count; i++) {
        below += (double)storm->seconds[i] < half;
    }
    return below;
}

/* Three fifths for the sides, a fifth for the storm, the rest for single figures and whatever comes
 * later than it should. */
struct bench_shares
bench_shares_of(int64_t us)
{
    us = us < 0 ? 0 : us;
    int64_t rounds = us * 3 / 5 / ((int64_t)ROUND_US * BENCH_LEVELS * BENCH_SIDES);
    struct bench_shares shares = {.round_us = ROUND_US,
                                  .fold_us = us / 20,
                                  .reads_us = us / 20,
                                  .places_us = us / 20,
                                  .storm_s = (uint32_t)(us / 5000000)};
    shares.rounds = (uint32_t)(rounds < 1                  ? 1
                               : rounds > BENCH_ROUNDS_MAX ? BENCH_ROUNDS_MAX
                                                           : rounds);
    if (rounds > BENCH_ROUNDS_MAX) {
        shares.round_us = us * 3 / 5 / ((int64_t)BENCH_LEVELS * BENCH_SIDES * BENCH_ROUNDS_MAX);
    }
    shares.storm_s = shares.storm_s < 2                   ? 2
                     : shares.storm_s > BENCH_STORM_MAX_S ? BENCH_STORM_MAX_S
                                                          : shares.storm_s;
    return shares;
}
