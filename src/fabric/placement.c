#include "fabric/placement.h"

#include "base/check.h"
#include "base/rand.h"

uint64_t
placement_region(uint32_t island, struct place at)
{
    uint32_t rx = (uint32_t)(chunk_of(at.x_mm) / PLACEMENT_REGION_CHUNKS),
             ry = (uint32_t)(chunk_of(at.y_mm) / PLACEMENT_REGION_CHUNKS);
    return (uint64_t)island << 32 | (ry & UINT16_MAX) << 16 | (rx & UINT16_MAX);
}

uint32_t
placement_full_at(const struct placement_home *homes, uint32_t count)
{
    uint64_t players = 0, open = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!homes[i].draining) {
            players += homes[i].players;
            open++;
        }
    }
    uint64_t full =
        open == 0 ? 0 : players * PLACEMENT_FULL_PERCENT / (open * 100) + PLACEMENT_FULL_PEOPLE;
    return full < UINT32_MAX ? (uint32_t)full : UINT32_MAX;
}

/* Whether a comes before b in the order of a region; no two nodes have the same name. */
static bool
comes_before(uint64_t region, const struct placement_home *a, const struct placement_home *b)
{
    uint64_t of_a = rand_mix(region, a->node), of_b = rand_mix(region, b->node);
    return of_a != of_b ? of_a > of_b : a->node > b->node;
}

uint32_t
placement_choose(const struct placement_home *homes, uint32_t count, uint64_t region,
                 uint32_t share)
{
    CHECK(count <= PLACEMENT_HOMES_MAX);
    bool passed[PLACEMENT_HOMES_MAX] = {false};
    uint32_t full = placement_full_at(homes, count);
    uint32_t chosen = PLACEMENT_NONE;
    for (uint32_t round = 0; round < (share == 0 ? 1 : share); round++) {
        uint32_t next = PLACEMENT_NONE;
        for (uint32_t i = 0; i < count; i++) {
            bool takes = !homes[i].draining && !passed[i] && homes[i].players <= full;
            if (takes &&
                (next == PLACEMENT_NONE || comes_before(region, &homes[i], &homes[next]))) {
                next = i;
            }
        }
        if (next == PLACEMENT_NONE) {
            break;
        }
        passed[next] = true;
        if (chosen == PLACEMENT_NONE || homes[next].players < homes[chosen].players) {
            chosen = next;
        }
    }
    return chosen;
}
