#include "world/archipelago.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

void
archipelago_init(struct archipelago *a)
{
    *a = (struct archipelago){0};
}

void
archipelago_fini(struct archipelago *a)
{
    for (uint32_t n = 0; n < a->count; n++) {
        island_close(&a->islands[n]);
    }
    free(a->islands);
    *a = (struct archipelago){0};
}

/* Where the island stands or would stand. */
static uint32_t
place_of(const struct archipelago *a, uint32_t id)
{
    uint32_t low = 0, high = a->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (island_id(a->islands[middle]) < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct island *
archipelago_find(const struct archipelago *a, uint32_t id)
{
    uint32_t at = place_of(a, id);
    return at < a->count && island_id(a->islands[at]) == id ? a->islands[at] : NULL;
}

const struct island *
archipelago_next(const struct archipelago *a, uint32_t *cursor)
{
    return *cursor < a->count ? a->islands[(*cursor)++] : NULL;
}

enum err
archipelago_add(struct archipelago *a, struct slice bytes)
{
    struct island *island = NULL;

    if (a->count == ARCHIPELAGO_ISLANDS_MAX) {
        return ERR_FULL;
    }
    enum err error = island_open(bytes, &island);
    if (error != OK) {
        return error;
    }
    bool too_high = island_id(island) > ARCHIPELAGO_ID_MAX;
    if (too_high || archipelago_find(a, island_id(island))) {
        island_close(&island);
        return too_high ? ERR_RANGE : ERR_EXISTS;
    }
    if (a->count == a->room) {
        a->room = a->room > 0 ? a->room * 2 : 64;
        a->islands = reallocarray(a->islands, a->room, sizeof *a->islands);
        CHECK(a->islands); /* start-up: without memory there is nothing to start */
    }
    uint32_t at = place_of(a, island_id(island));
    memmove(&a->islands[at + 1], &a->islands[at], (a->count - at) * sizeof *a->islands);
    a->islands[at] = island;
    a->count++;
    a->land_tiles += island_land_tiles(island);
    return OK;
}
