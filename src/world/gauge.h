/* A gauge: any value as a function of world time (health, fatigue, ripeness, durability). It is a
 * base and up to four momenta, each a velocity with a beginning and an end, within limits; what it
 * is at any time follows from that, so nothing ticks, nothing is synchronised and nothing saved
 * until an input changes it.
 *
 * Exact: values are whole micro-units, velocities whole micro-units per ms, and a gauge that is
 * asked after a month says to the unit what adding up and clamping every single ms would have said.
 * Owned by whoever embeds it; no memory of its own; one thread.
 */
#ifndef SEOM_WORLD_GAUGE_H
#define SEOM_WORLD_GAUGE_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define GAUGE_MOMENTA_MAX 4
#define GAUGE_UNIT        INT64_C(1000000)   /* micro-units of one */
#define GAUGE_VALUE_MAX   (INT64_C(1) << 53) /* of any limit, either way */
#define GAUGE_FOREVER     INT64_MAX

/* Adds velocity to the gauge at every ms of [since, until). */
struct momentum {
    int32_t velocity; /* micro-units per ms: 1000 = one a second */
    int64_t since_ms, until_ms;
};

struct gauge {
    int64_t base, min, max; /* micro-units; base: the value at base_ms */
    int64_t base_ms;
    uint32_t count;
    struct momentum momenta[GAUGE_MOMENTA_MAX];
};

/* min <= max within +-GAUGE_VALUE_MAX, else ERR_RANGE. value is clamped into the limits. */
enum err gauge_init(struct gauge *g, int64_t value, int64_t min, int64_t max,
                    int64_t now_ms) MUST_USE;

/* The value at a time; what was before base_ms is forgotten: the base. */
int64_t gauge_get(const struct gauge *g, int64_t at_ms);

/* The first time at or after after_ms (and base_ms) at which the gauge has reached value: equals it
 * or has passed it, coming from the side on which it stands then. INT64_MAX: never, by what is
 * known now. */
int64_t gauge_when(const struct gauge *g, int64_t value, int64_t after_ms);

/* The value jumps, clamped into the limits; momenta go on from there. now_ms before base_ms counts
 * as base_ms here and below: the past is not changed. */
void gauge_set(struct gauge *g, int64_t value, int64_t now_ms);

/* Adds a momentum; what lies before now_ms of it is cut off. Momenta that are over are folded into
 * the base first. ERR_FULL: four are under way. ERR_RANGE: nothing is left of it. */
enum err gauge_add(struct gauge *g, struct momentum momentum, int64_t now_ms) MUST_USE;

/* Takes the n-th momentum away from now_ms on; CHECKs that there is one. The others keep their
 * order. */
void gauge_remove(struct gauge *g, uint32_t n, int64_t now_ms);

/* New limits from now_ms on; the value is clamped into them. ERR_RANGE as in gauge_init. */
enum err gauge_limit(struct gauge *g, int64_t min, int64_t max, int64_t now_ms) MUST_USE;

#endif
