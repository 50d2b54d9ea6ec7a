#include "fabric/directory_tables.h"
#include "base/check.h"
#include "directory.pb-c.h"
#include "store/scratch.h"
#include "wire/text.h"
#include <string.h>

/* Of one server at the most, or of one island: with what the schema puts around it. */
_Static_assert(SPREAD_ENGINES_MAX *(STORE_SERVER_MAX + 3) + SPREAD_BUCKETS + 3 <=
                   DIRECTORY_VALUE_MAX,
               "a full table of servers is one entry");
_Static_assert(ISLAND_SHARDS_MAX *(5 + 3) + 8 <= DIRECTORY_VALUE_MAX,
               "a full table of islands is one entry");

void
store_servers_deal(struct store_servers *servers)
{
    CHECK(servers->count > 0 && servers->count <= SPREAD_ENGINES_MAX);
    for (uint32_t bucket = 0; bucket < SPREAD_BUCKETS; bucket++)
        servers->of_bucket[bucket] = (uint8_t)(bucket % servers->count);
}

enum err
store_servers_read(struct slice bytes, struct store_servers *out)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__StoreTable *m =
        seom__store_table__unpack(&scratch.allocator, bytes.bytes, bytes.at);
    if (m == NULL || m->n_servers == 0 || m->n_servers > SPREAD_ENGINES_MAX ||
        m->buckets.len != SPREAD_BUCKETS)
        return ERR_FORMAT;
    *out = (struct store_servers){.count = (uint32_t)m->n_servers};
    for (uint32_t i = 0; i < out->count; i++) {
        size_t length = strlen(m->servers[i]);
        struct slice line = {(const uint8_t *)m->servers[i], length};
        if (length == 0 || length >= STORE_SERVER_MAX || !text_is_line(line))
            return ERR_FORMAT;
        memcpy(out->address[i], m->servers[i], length);
    }
    for (uint32_t bucket = 0; bucket < SPREAD_BUCKETS; bucket++) {
        out->of_bucket[bucket] = m->buckets.data[bucket];
        if (out->of_bucket[bucket] >= out->count)
            return ERR_FORMAT;
    }
    return OK;
}

size_t
store_servers_write(const struct store_servers *servers, uint8_t out[DIRECTORY_VALUE_MAX])
{
    struct store_servers copy = *servers;
    char *addresses[SPREAD_ENGINES_MAX];
    CHECK(copy.count > 0 && copy.count <= SPREAD_ENGINES_MAX);
    for (uint32_t i = 0; i < copy.count; i++)
        addresses[i] = copy.address[i];
    Seom__StoreTable m = SEOM__STORE_TABLE__INIT;
    m.n_servers = copy.count;
    m.servers = addresses;
    m.buckets.len = SPREAD_BUCKETS;
    m.buckets.data = copy.of_bucket;
    CHECK(seom__store_table__get_packed_size(&m) <= DIRECTORY_VALUE_MAX);
    return seom__store_table__pack(&m, out);
}

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
