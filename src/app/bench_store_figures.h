/* What a bench of the store makes of its counts: rounds to medians, a storm to its lowest second,
 * and how the seconds that it was given are divided. Pure values.
 */
#ifndef SEOM_APP_BENCH_STORE_FIGURES_H
#define SEOM_APP_BENCH_STORE_FIGURES_H

#include "base/hist.h"
#include <stdint.h>

#define BENCH_LEVELS      4 /* 1, 8, 64 and 512 in flight */
#define BENCH_SIDES       4
#define BENCH_ROUNDS_MAX  255
#define BENCH_STORM_MAX_S 86400

extern const uint32_t bench_levels[BENCH_LEVELS];

/* One round of one side. */
struct bench_round {
    uint64_t commits, groups; /* groups: transactions that they took */
    int64_t us, cpu_us;
    struct hist latency_us;
};

/* All rounds of one side with so many in flight. */
struct bench_tally {
    double per_s[BENCH_ROUNDS_MAX];
    uint32_t rounds;
    uint64_t commits, groups;
    int64_t cpu_us;
    struct hist latency_us;
};

void bench_tally_add(struct bench_tally *tally, const struct bench_round *round);
double bench_tally_per_s(const struct bench_tally *tally);  /* the median of the rounds */
double bench_tally_cpu_us(const struct bench_tally *tally); /* a commit */
double bench_tally_group(const struct bench_tally *tally);  /* commits in one, mean */
double bench_ratio(const struct bench_tally *one, const struct bench_tally *other);
/* The lowest of all levels but the first, where there is nothing to group. */
double bench_ratio_lowest(const struct bench_tally ours[BENCH_LEVELS],
                          const struct bench_tally raw[BENCH_LEVELS]);

struct bench_storm {
    uint64_t seconds[BENCH_STORM_MAX_S]; /* commits answered in each */
    uint32_t count;
    uint64_t store_bytes; /* at the end */
    struct hist latency_us;
};

double bench_storm_mean(const struct bench_storm *storm); /* commits a second */
uint64_t bench_storm_lowest(const struct bench_storm *storm);
double bench_storm_share(const struct bench_storm *storm);   /* of the mean, in the lowest second */
uint32_t bench_storm_below(const struct bench_storm *storm); /* seconds with less than half of it */

struct bench_shares {
    uint32_t rounds;
    int64_t round_us, fold_us, reads_us, places_us;
    uint32_t storm_s;
};

/* Of what is left of the seconds after filling. */
struct bench_shares bench_shares_of(int64_t us);

#endif
