#include "wire/motion.h"
#include "base/check.h"

/* World times from outside may be anything, so no difference of two is formed that could overflow.
 */
static uint32_t
moved_ms(const struct motion *m, int64_t at_ms)
{
    if (at_ms <= m->since_ms) {
        return 0;
    }
    uint64_t dt = (uint64_t)at_ms - (uint64_t)m->since_ms;
    return dt < m->lasts_ms ? (uint32_t)dt : m->lasts_ms;
}

static int32_t
clamp_mm(int64_t mm)
{
    return mm > INT32_MAX ? INT32_MAX : mm < INT32_MIN ? INT32_MIN : (int32_t)mm;
}

static int32_t
axis_at(int32_t from_mm, int16_t v, uint32_t dt_ms)
{
    return clamp_mm(from_mm + (int64_t)v * VELOCITY_UNIT_MM_S * dt_ms / 1000);
}

struct place
motion_at(const struct motion *m, int64_t at_ms)
{
    uint32_t dt_ms = moved_ms(m, at_ms);
    return (struct place){.x_mm = axis_at(m->x_mm, m->vx, dt_ms),
                          .y_mm = axis_at(m->y_mm, m->vy, dt_ms)};
}

bool
motion_moves(const struct motion *m, int64_t at_ms)
{
    return (m->vx != 0 || m->vy != 0) && m->lasts_ms > 0 &&
           (at_ms <= m->since_ms || moved_ms(m, at_ms) < m->lasts_ms);
}

/* The ms after since at which one axis comes into another chunk than now_mm's; above any lasts_ms
 * when never. */
static int64_t
axis_leaves(int32_t from_mm, int16_t v, int32_t now_mm)
{
    if (v == 0) {
        return INT64_MAX;
    }
    int64_t low = (int64_t)chunk_of(now_mm) * CHUNK_MM;
    int64_t target = v > 0 ? low + CHUNK_MM : low - 1;
    if (target > INT32_MAX || target < INT32_MIN) {
        return INT64_MAX;
    }
    int64_t way_mm = v > 0 ? target - from_mm : from_mm - target;
    int64_t speed = (v > 0 ? v : -(int64_t)v) * VELOCITY_UNIT_MM_S;
    CHECK(way_mm > 0);
    return (way_mm * 1000 + speed - 1) / speed;
}

int64_t
motion_leaves_chunk_ms(const struct motion *m, int64_t after_ms)
{
    if (!motion_moves(m, after_ms)) {
        return INT64_MAX;
    }
    struct place now = motion_at(m, after_ms);
    int64_t x_ms = axis_leaves(m->x_mm, m->vx, now.x_mm);
    int64_t y_ms = axis_leaves(m->y_mm, m->vy, now.y_mm);
    int64_t first_ms = x_ms < y_ms ? x_ms : y_ms;
    int64_t at_ms;
    if (first_ms > m->lasts_ms || __builtin_add_overflow(m->since_ms, first_ms, &at_ms)) {
        return INT64_MAX;
    }
    CHECK(at_ms > after_ms);
    return at_ms;
}

struct motion
motion_from(const struct motion *m, int64_t at_ms)
{
    if (at_ms <= m->since_ms) {
        return *m;
    }
    uint32_t dt_ms = moved_ms(m, at_ms);
    bool over = dt_ms >= m->lasts_ms;
    return (struct motion){.x_mm = axis_at(m->x_mm, m->vx, dt_ms),
                           .y_mm = axis_at(m->y_mm, m->vy, dt_ms),
                           .vx = over ? 0 : m->vx,
                           .vy = over ? 0 : m->vy,
                           .since_ms = at_ms,
                           .lasts_ms = (uint16_t)(m->lasts_ms - dt_ms)};
}

int32_t
chunk_of(int32_t mm)
{
    return mm / CHUNK_MM - (mm % CHUNK_MM < 0);
}

int32_t
velocity_mm_s(const struct motion *m)
{
    uint64_t x = (uint64_t)((int64_t)m->vx * m->vx), y = (uint64_t)((int64_t)m->vy * m->vy);
    uint64_t square = (x + y) * VELOCITY_UNIT_MM_S * VELOCITY_UNIT_MM_S;
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 17; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= square) {
            root += bit;
        }
    }
    return (int32_t)(root + (root * root < square));
}
