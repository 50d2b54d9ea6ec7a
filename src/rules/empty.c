#include "rules/empty.h"
#include "rules/sample.h"

static void
empty_come_or_go(const struct game_player *player, int64_t now_ms)
{
    (void)player;
    (void)now_ms;
}

static int32_t
empty_reach(uint8_t look)
{
    (void)look;
    return 0;
}

static uint32_t
empty_things(uint64_t chunk_seed, uint16_t cx, uint16_t cy, const Seom__ChunkDocument *chunk,
             int64_t now_ms, struct game_thing *out, uint32_t max, int64_t *changes_ms)
{
    (void)chunk_seed;
    (void)cx;
    (void)cy;
    (void)chunk;
    (void)now_ms;
    (void)out;
    (void)max;
    *changes_ms = INT64_MAX;
    return 0;
}

const struct game empty_game = {
    .name = "empty",
    .speed_mm_s = sample_speed_mm_s,
    .enter = empty_come_or_go,
    .leave = empty_come_or_go,
    .reach_mm = empty_reach,
    .things = empty_things,
};
