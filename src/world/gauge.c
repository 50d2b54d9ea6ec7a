/* Between two times at which a momentum begins or ends the gauge goes straight, until a limit holds
 * it. So one look visits at most 2 x GAUGE_MOMENTA_MAX + 1 pieces. A straight piece reaches a limit
 * and stays there, whether it is clamped every ms or once at its end: that is why the pieces give
 * what ticking gives. */
#include "world/gauge.h"
#include "base/check.h"

/* [from_ms, to_ms) with one velocity; value at from_ms. */
struct piece {
    int64_t from_ms, to_ms;
    int64_t value, velocity;
};

static int64_t
clamp(const struct gauge *g, int64_t value)
{
    return value < g->min ? g->min : value > g->max ? g->max : value;
}

static bool
limits_are_sane(int64_t min, int64_t max)
{
    return min <= max && min >= -GAUGE_VALUE_MAX && max <= GAUGE_VALUE_MAX;
}

/* Ms between two times in order; more than any piece can need when it does not fit. */
static uint64_t
ms_between(int64_t from_ms, int64_t to_ms)
{
    CHECK(from_ms <= to_ms);
    return (uint64_t)to_ms - (uint64_t)from_ms;
}

/* The ms after which a way of that length is done at that speed. */
static uint64_t
ms_for(int64_t way, int64_t speed)
{
    CHECK(way >= 0 && speed > 0);
    return ((uint64_t)way + (uint64_t)speed - 1) / (uint64_t)speed;
}

/* The value ms later. Only ways shorter than the limits are multiplied out, so nothing overflows.
 */
static int64_t
piece_value(const struct gauge *g, const struct piece *p, uint64_t ms)
{
    if (p->velocity == 0 || ms == 0) {
        return p->value;
    }
    int64_t speed = p->velocity > 0 ? p->velocity : -p->velocity;
    int64_t room = p->velocity > 0 ? g->max - p->value : p->value - g->min;
    if (ms >= ms_for(room, speed)) {
        return p->velocity > 0 ? g->max : g->min;
    }
    return p->value + p->velocity * (int64_t)ms;
}

/* The piece that begins at from_ms with that value. */
static struct piece
piece_from(const struct gauge *g, int64_t from_ms, int64_t value)
{
    struct piece p = {.from_ms = from_ms, .to_ms = INT64_MAX, .value = value};

    for (uint32_t n = 0; n < g->count; n++) {
        const struct momentum *m = &g->momenta[n];
        if (m->since_ms > from_ms) {
            p.to_ms = m->since_ms < p.to_ms ? m->since_ms : p.to_ms;
        } else if (m->until_ms > from_ms) {
            p.to_ms = m->until_ms < p.to_ms ? m->until_ms : p.to_ms;
            p.velocity += m->velocity;
        }
    }
    return p;
}

/* The piece in which at_ms lies, which is not before base_ms. */
static struct piece
piece_at(const struct gauge *g, int64_t at_ms)
{
    struct piece p = piece_from(g, g->base_ms, g->base);

    while (p.to_ms <= at_ms && p.to_ms < INT64_MAX) {
        p = piece_from(g, p.to_ms, piece_value(g, &p, ms_between(p.from_ms, p.to_ms)));
    }
    return p;
}

enum err
gauge_init(struct gauge *g, int64_t value, int64_t min, int64_t max, int64_t now_ms)
{
    if (!limits_are_sane(min, max)) {
        return ERR_RANGE;
    }
    *g = (struct gauge){.min = min, .max = max, .base_ms = now_ms};
    g->base = clamp(g, value);
    return OK;
}

int64_t
gauge_get(const struct gauge *g, int64_t at_ms)
{
    if (at_ms <= g->base_ms) {
        return g->base;
    }
    struct piece p = piece_at(g, at_ms);
    return piece_value(g, &p, ms_between(p.from_ms, at_ms));
}

int64_t
gauge_when(const struct gauge *g, int64_t value, int64_t after_ms)
{
    if (after_ms < g->base_ms) {
        after_ms = g->base_ms;
    }
    struct piece p = piece_at(g, after_ms);
    p.value = piece_value(g, &p, ms_between(p.from_ms, after_ms));
    p.from_ms = after_ms;
    if (p.value == value) {
        return after_ms;
    }
    if (value < g->min || value > g->max) {
        return INT64_MAX;
    }
    bool up = value > p.value;
    for (;;) {
        if (p.velocity != 0 && (p.velocity > 0) == up) {
            int64_t way = up ? value - p.value : p.value - value;
            uint64_t ms = ms_for(way, up ? p.velocity : -p.velocity);
            if (ms <= ms_between(p.from_ms, p.to_ms)) {
                return (int64_t)((uint64_t)p.from_ms + ms);
            }
        }
        if (p.to_ms == INT64_MAX) {
            return INT64_MAX;
        }
        p = piece_from(g, p.to_ms, piece_value(g, &p, ms_between(p.from_ms, p.to_ms)));
    }
}

/* Tells the gauge anew from now_ms on and lets go of what is over. */
static void
rebase(struct gauge *g, int64_t now_ms)
{
    uint32_t kept = 0;

    if (now_ms > g->base_ms) {
        g->base = gauge_get(g, now_ms);
        g->base_ms = now_ms;
    }
    for (uint32_t n = 0; n < g->count; n++) {
        if (g->momenta[n].until_ms > g->base_ms) {
            g->momenta[kept++] = g->momenta[n];
        }
    }
    g->count = kept;
    CHECK(g->base >= g->min && g->base <= g->max);
}

void
gauge_set(struct gauge *g, int64_t value, int64_t now_ms)
{
    rebase(g, now_ms);
    g->base = clamp(g, value);
}

enum err
gauge_add(struct gauge *g, struct momentum momentum, int64_t now_ms)
{
    rebase(g, now_ms);
    if (momentum.since_ms < g->base_ms) {
        momentum.since_ms = g->base_ms;
    }
    if (momentum.until_ms <= momentum.since_ms) {
        return ERR_RANGE;
    }
    if (g->count == GAUGE_MOMENTA_MAX) {
        return ERR_FULL;
    }
    g->momenta[g->count++] = momentum;
    return OK;
}

void
gauge_remove(struct gauge *g, uint32_t n, int64_t now_ms)
{
    CHECK(n < g->count);
    if (now_ms > g->base_ms) {
        g->base = gauge_get(g, now_ms);
        g->base_ms = now_ms;
    }
    for (uint32_t k = n + 1; k < g->count; k++) {
        g->momenta[k - 1] = g->momenta[k];
    }
    g->count--;
    rebase(g, now_ms);
}

enum err
gauge_limit(struct gauge *g, int64_t min, int64_t max, int64_t now_ms)
{
    if (!limits_are_sane(min, max)) {
        return ERR_RANGE;
    }
    rebase(g, now_ms);
    g->min = min;
    g->max = max;
    g->base = clamp(g, g->base);
    return OK;
}
