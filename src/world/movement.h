/* Which of a player's moves become truth: speed with a small debt, land and sea, the clamp of
 * since.
 *
 * The limit is a token bucket over distance: credit of at most 200 ms at 1.05 x speed, refilled
 * at 1.05 x speed less what the motion itself covers; a jump between where the truth stands and
 * where the client says it is costs its length. So over any stretch of T nobody covers more
 * than 1.05 x speed x (T + 200 ms). Pure; owned by its player.
 */
#ifndef SEOM_WORLD_MOVEMENT_H
#define SEOM_WORLD_MOVEMENT_H

#include "wire/motion.h"
#include "world/island.h"
#include <stdbool.h>
#include <stdint.h>

#define MOVE_SINCE_BACK_MS_MAX 200 /* since is clamped to [now - 200 ms, now] */
#define MOVE_DEBT_MS           200
#define MOVE_TOLERANCE_PERCENT 105

enum move_verdict {
    MOVE_ACCEPTED,  /* as asked (since clamped) */
    MOVE_SHORTENED, /* accepted, but it ends at the shore: the client must know */
    MOVE_REFUSED,   /* the mover stands where the truth had it: the client must know */
};

struct mover {
    struct motion motion; /* the truth */
    uint8_t look;
    int32_t speed_mm_s; /* the limit for look: what motion covers is charged against it */
    int64_t credit_um;  /* thousandths of a mm, not yet counting the time since motion.since */
};

struct move {
    struct motion motion;
    uint8_t look;
    int32_t speed_mm_s; /* the game's limit for look; 0 = not for players */
};

/* Decides one move at world time now_ms and makes the result the truth. Mutants of the simulator
 * switch the debt off. */
enum move_verdict mover_move(struct mover *m, const struct island *island, const struct move *asked,
                             int64_t now_ms, bool charge_debt);
/* Puts the mover at a place, standing, with full credit. */
void mover_put(struct mover *m, struct place at, uint8_t look, int32_t speed_mm_s, int64_t now_ms);
/* Tells the same truth from now on: the motion starts where the mover is now. */
void mover_reanchor(struct mover *m, int64_t now_ms);

#endif
