#include "fabric/shards.h"
#include "base/check.h"
#include "base/rand.h"
#include <string.h>

/* For good, as it places islands; chosen to deal the first 33 out evenly to 2..8 shards. */
#define SALT UINT64_C(0x7365616f666bdac8)

void
shards_init(struct shards *shards, uint16_t own, uint16_t count)
{
    CHECK(own >= 1 && own <= count && count <= SHARDS_MAX);
    *shards = (struct shards){.own = own, .count = count};
}

enum err
shards_set_table(struct shards *shards, struct slice bytes)
{
    struct island_shards table = {0};
    enum err e = bytes.bytes == 0 ? OK : island_shards_read(bytes, &table);
    if (e == OK) {
        shards->table = table;
    }
    return e;
}

uint16_t
shards_of_island(const struct shards *shards, uint32_t island)
{
    uint16_t best = 0;
    if (island_shards_find(&shards->table, island, &best) == OK && best >= 1 &&
        best <= shards->count) {
        return best;
    }
    uint64_t highest = 0;
    best = 1;
    for (uint16_t shard = 1; shard <= shards->count; shard++) {
        uint64_t weight = rand_mix(rand_mix(SALT, island), shard);
        if (weight > highest) {
            highest = weight;
            best = shard;
        }
    }
    return best;
}

bool
shards_owns(const struct shards *shards, uint32_t island)
{
    return shards_of_island(shards, island) == shards->own;
}

void
shards_heard_gates(struct shards *shards, uint16_t shard, struct slice addresses)
{
    if (shard < 1 || shard > shards->count || shard == shards->own ||
        addresses.bytes > NOTE_TEXT_MAX || addresses.bytes == 0) {
        return;
    }
    memcpy(shards->gates[shard - 1], addresses.at, addresses.bytes);
    shards->gates[shard - 1][addresses.bytes] = '\0';
}

struct slice
shards_gates(const struct shards *shards, uint16_t shard)
{
    CHECK(shard >= 1 && shard <= shards->count);
    const char *text = shards->gates[shard - 1];
    return (struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)};
}
