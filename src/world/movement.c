#include "world/movement.h"

#include "base/check.h"
#include <math.h>

static int64_t
limit_um_ms(int32_t speed_mm_s)
{
    return (int64_t)speed_mm_s * MOVE_TOLERANCE_PERCENT / 100; /* mm/s = um/ms */
}

static int64_t
credit_max_um(int32_t speed_mm_s)
{
    return limit_um_ms(speed_mm_s) * MOVE_DEBT_MS;
}

/* The credit at a time, by the limit of the look that moved till then: what the motion itself used
 * of the allowance does not refill. */
static int64_t
credit_at(const struct mover *m, int64_t at_ms)
{
    int64_t elapsed = at_ms - m->motion.since_ms;
    int64_t moving = elapsed < m->motion.lasts_ms ? elapsed : m->motion.lasts_ms;
    int64_t credit =
        m->credit_um + limit_um_ms(m->speed_mm_s) * elapsed - velocity_mm_s(&m->motion) * moving;
    return credit < credit_max_um(m->speed_mm_s) ? credit : credit_max_um(m->speed_mm_s);
}

static int64_t
distance_um(struct place a, struct place b)
{
    double dx = (double)a.x_mm - b.x_mm, dy = (double)a.y_mm - b.y_mm;
    return (int64_t)ceil(sqrt(dx * dx + dy * dy) * 1000.0);
}

static void
stand(struct mover *m, struct place at, int64_t credit_um, int64_t since_ms)
{
    m->motion = (struct motion){.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = since_ms};
    m->credit_um = credit_um;
}

enum move_verdict
mover_move(struct mover *m, const struct island *island, const struct move *asked, int64_t now_ms,
           bool charge_debt)
{
    int64_t since = asked->motion.since_ms;
    if (since < now_ms - MOVE_SINCE_BACK_MS_MAX) {
        since = now_ms - MOVE_SINCE_BACK_MS_MAX;
    }
    since = since < now_ms ? since : now_ms;
    if (since <= m->motion.since_ms) {
        since = m->motion.since_ms + 1; /* motions of one mover are told apart by their beginning */
    }
    struct place from = motion_at(&m->motion, since);
    struct place to = {.x_mm = asked->motion.x_mm, .y_mm = asked->motion.y_mm};
    int64_t jump_um = distance_um(from, to);
    int64_t credit_max = credit_max_um(asked->speed_mm_s), had = credit_at(m, since);
    int64_t credit = had < credit_max ? had : credit_max;
    bool too_fast = velocity_mm_s(&asked->motion) > limit_um_ms(asked->speed_mm_s) ||
                    (charge_debt && jump_um > credit);
    if (asked->speed_mm_s == 0 || too_fast || !island_is_land(island, to) ||
        (jump_um > 0 && !island_path_is_dry(island, from, to))) {
        stand(m, from, had, since);
        return MOVE_REFUSED;
    }
    m->motion = asked->motion;
    m->motion.since_ms = since;
    m->look = asked->look;
    m->speed_mm_s = asked->speed_mm_s;
    m->credit_um = charge_debt ? credit - jump_um : credit_max;
    if (m->motion.vx == 0 && m->motion.vy == 0) {
        m->motion.lasts_ms = 0;
    }
    if (m->motion.lasts_ms > MOTION_LASTS_MS_MAX) {
        m->motion.lasts_ms = MOTION_LASTS_MS_MAX;
    }
    uint16_t dry_ms = island_dry_ms(island, &m->motion);
    if (dry_ms >= m->motion.lasts_ms) {
        return MOVE_ACCEPTED;
    }
    m->motion.lasts_ms = dry_ms;
    return MOVE_SHORTENED;
}

void
mover_put(struct mover *m, struct place at, uint8_t look, int32_t speed_mm_s, int64_t now_ms)
{
    CHECK(speed_mm_s >= 0);
    m->look = look;
    m->speed_mm_s = speed_mm_s;
    stand(m, at, credit_max_um(speed_mm_s), now_ms);
}

void
mover_reanchor(struct mover *m, int64_t now_ms)
{
    now_ms = now_ms > m->motion.since_ms ? now_ms : m->motion.since_ms + 1;
    int64_t credit = credit_at(m, now_ms);
    m->motion = motion_from(&m->motion, now_ms);
    m->credit_um = credit;
}
