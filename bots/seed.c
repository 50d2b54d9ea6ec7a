#include "bots/seed.h"
#include "base/check.h"
#include "wire/batch.h"

#define COUNTER_BITS 48

void
seed_place(const struct plan *plan, const struct seed_options *options, uint32_t bot,
           struct seed_place *out)
{
    uint64_t counter = options->first_counter + bot;
    CHECK(plan->options.square && counter > 0 && counter < UINT64_C(1) << COUNTER_BITS);
    struct way way;
    struct place at = plan_way(plan, bot, &way);
    struct ticket ticket = {
        .world = options->world,
        .player = (uint64_t)options->world << COUNTER_BITS | counter,
        .issued_s = (uint32_t)(options->world_ms / 1000),
    };
    *out = (struct seed_place){
        .player = ticket.player,
        .island = options->first_island + plan_island(plan, bot),
        .motion = {.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = options->world_ms},
        .look = LOOK_WALKER,
    };
    ticket_write(&ticket, options->key, out->ticket);
}
