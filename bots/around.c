#include "bots/around.h"
#include "base/check.h"
#include "base/map.h"
#include "wire/motion.h"
#include <stdlib.h>

/* Never 0: islands count from 1. */
static uint64_t
chunk_key(uint32_t island, int32_t cx, int32_t cy)
{
    return (uint64_t)island << 42 | (uint64_t)(uint32_t)(cx + 1) << 21 |
           (uint64_t)(uint32_t)(cy + 1);
}

uint64_t
around_count(const struct truth_spot *spots, uint32_t count, uint64_t *people)
{
    struct map chunks;
    CHECK(count > 0);
    map_init(&chunks, count, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (spots[i].island == 0) {
            continue;
        }
        uint64_t key = chunk_key(spots[i].island, chunk_of(spots[i].x_mm), chunk_of(spots[i].y_mm));
        uint32_t there = map_get(&chunks, key);
        CHECK(map_put(&chunks, key, there == MAP_NONE ? 1 : there + 1) == OK);
    }
    uint64_t others = 0;
    *people = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (spots[i].island == 0) {
            continue;
        }
        ++*people;
        for (int32_t n = 0; n < 9; n++) {
            int32_t cx = chunk_of(spots[i].x_mm) + n % 3 - 1;
            int32_t cy = chunk_of(spots[i].y_mm) + n / 3 - 1;
            uint32_t there = map_get(&chunks, chunk_key(spots[i].island, cx, cy));
            others += there == MAP_NONE ? 0 : there;
        }
        others--; /* itself */
    }
    map_fini(&chunks);
    return others;
}
