/* Where somebody stands who never stood anywhere: near a harbour. */
#include "base/check.h"
#include "base/rand.h"
#include "world/state.h"
#include <math.h>

#define SPAWN_TILES 64 /* new guests stand on one of so many land tiles around the harbour */

static uint64_t
spawn_weight(const struct island *island)
{
    return 1 + (uint64_t)sqrt((double)island_land_tiles(island));
}

/* Those of our shard; if there is none, all: whoever is told that island is led to its shard. */
static uint64_t
weight_of(const struct world *w, const struct island *island, bool all)
{
    bool ours = w->options.shards == NULL || shards_owns(w->options.shards, island_id(island));
    return all || ours ? spawn_weight(island) : 0;
}

/* Islands share new guests by the square root of their land: the small ones are not left empty. */
static const struct island *
choose_island(const struct world *w, uint32_t wish, uint64_t draw)
{
    const struct island *island = wish == 0 ? NULL : archipelago_find(w->options.islands, wish);
    if (island != NULL) {
        return island;
    }
    uint64_t ours = 0, total = 0;
    uint32_t cursor = 0;
    while ((island = archipelago_next(w->options.islands, &cursor)) != NULL) {
        ours += weight_of(w, island, false);
        total += spawn_weight(island);
    }
    CHECK(total > 0);
    bool all = ours == 0;
    uint64_t at = draw % (all ? total : ours);
    cursor = 0;
    while ((island = archipelago_next(w->options.islands, &cursor)) != NULL) {
        uint64_t weight = weight_of(w, island, all);
        if (at < weight) {
            return island;
        }
        at -= weight;
    }
    CHECK(!"an archipelago has at least one island");
    return NULL;
}

struct stand
spawn_stand(const struct world *w, uint32_t wish, uint64_t draw)
{
    const struct island *island = choose_island(w, wish, rand_mix(draw, 1));
    struct place at = island_spawn(island, (uint32_t)(rand_mix(draw, 2) % SPAWN_TILES));
    return (struct stand){
        .island = island_id(island),
        .look = LOOK_WALKER,
        .motion = {.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = env_world_ms(w->env)}};
}
