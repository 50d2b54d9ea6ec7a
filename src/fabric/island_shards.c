#include "fabric/island_shards.h"
#include "base/check.h"
#include "directory.pb-c.h"
#include "store/scratch.h"
#include <string.h>

/* An island with what the schema puts around it. */
_Static_assert(ISLAND_SHARDS_MAX *(5 + 3) + 8 <= DIRECTORY_VALUE_MAX,
               "a full table of islands is one entry");

/* Where the island stands, or would. */
static uint32_t
place_of(const struct island_shards *shards, uint32_t island)
{
    uint32_t low = 0, high = shards->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (shards->islands[middle] < island)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum err
island_shards_put(struct island_shards *shards, uint32_t island, uint16_t shard)
{
    uint32_t at = place_of(shards, island);
    CHECK(shards->count <= ISLAND_SHARDS_MAX);
    if (at == shards->count || shards->islands[at] != island) {
        if (shards->count == ISLAND_SHARDS_MAX)
            return ERR_FULL;
        size_t behind = shards->count++ - at;
        memmove(&shards->islands[at + 1], &shards->islands[at], behind * sizeof(uint32_t));
        memmove(&shards->shards[at + 1], &shards->shards[at], behind * sizeof(uint16_t));
        shards->islands[at] = island;
    }
    shards->shards[at] = shard;
    return OK;
}

void
island_shards_remove(struct island_shards *shards, uint32_t island)
{
    uint32_t at = place_of(shards, island);
    if (at == shards->count || shards->islands[at] != island)
        return;
    size_t behind = --shards->count - at;
    memmove(&shards->islands[at], &shards->islands[at + 1], behind * sizeof(uint32_t));
    memmove(&shards->shards[at], &shards->shards[at + 1], behind * sizeof(uint16_t));
    shards->islands[shards->count] = 0; /* two tables that say the same are the same bytes */
    shards->shards[shards->count] = 0;
}

enum err
island_shards_find(const struct island_shards *shards, uint32_t island, uint16_t *shard)
{
    uint32_t at = place_of(shards, island);
    if (at == shards->count || shards->islands[at] != island)
        return ERR_NOT_FOUND;
    *shard = shards->shards[at];
    return OK;
}

enum err
island_shards_read(struct slice bytes, struct island_shards *out)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__IslandTable *m =
        seom__island_table__unpack(&scratch.allocator, bytes.bytes, bytes.at);
    if (m == NULL || m->n_islands != m->n_shards || m->n_islands > ISLAND_SHARDS_MAX)
        return ERR_FORMAT;
    *out = (struct island_shards){.count = (uint32_t)m->n_islands};
    for (uint32_t i = 0; i < out->count; i++) {
        if (m->shards[i] > UINT16_MAX || (i > 0 && m->islands[i] <= m->islands[i - 1]))
            return ERR_FORMAT;
        out->islands[i] = m->islands[i];
        out->shards[i] = (uint16_t)m->shards[i];
    }
    return OK;
}

size_t
island_shards_write(const struct island_shards *shards, uint8_t out[DIRECTORY_VALUE_MAX])
{
    struct island_shards copy = *shards;
    uint32_t numbers[ISLAND_SHARDS_MAX];
    for (uint32_t i = 0; i < copy.count; i++)
        numbers[i] = copy.shards[i];
    Seom__IslandTable m = SEOM__ISLAND_TABLE__INIT;
    m.n_islands = m.n_shards = copy.count;
    m.islands = copy.islands;
    m.shards = numbers;
    CHECK(seom__island_table__get_packed_size(&m) <= DIRECTORY_VALUE_MAX);
    return seom__island_table__pack(&m, out);
}
