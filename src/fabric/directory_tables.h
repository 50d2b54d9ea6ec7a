/* The two tables of the directory that speak for the whole world, as bytes and as what they say
 * (proto/directory.proto): which server of the store holds which buckets, and which shard an island
 * belongs to. Plain data and pure functions, any thread.
 */
#ifndef SEOM_FABRIC_DIRECTORY_TABLES_H
#define SEOM_FABRIC_DIRECTORY_TABLES_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/directory.h"
#include "store/spread.h"
#include <stdint.h>

#define STORE_SERVER_MAX                                                    \
    256 /* bytes of a server's address with the 0; no password stands in it \
         */
#define ISLAND_SHARDS_MAX 1024

struct store_servers {
    uint32_t count; /* 1..SPREAD_ENGINES_MAX */
    char address[SPREAD_ENGINES_MAX][STORE_SERVER_MAX];
    uint8_t of_bucket[SPREAD_BUCKETS]; /* each below count */
};

struct island_shards {
    uint32_t count;
    uint32_t islands[ISLAND_SHARDS_MAX]; /* ids, growing */
    uint16_t shards[ISLAND_SHARDS_MAX];
};

/* Buckets in turn to each server. */
void store_servers_deal(struct store_servers *servers);
/* ERR_FORMAT. */
enum err store_servers_read(struct slice bytes, struct store_servers *out) MUST_USE;
size_t store_servers_write(const struct store_servers *servers, uint8_t out[DIRECTORY_VALUE_MAX]);

enum err island_shards_read(struct slice bytes, struct island_shards *out) MUST_USE;
size_t island_shards_write(const struct island_shards *shards, uint8_t out[DIRECTORY_VALUE_MAX]);
/* ERR_FULL. */
enum err island_shards_put(struct island_shards *shards, uint32_t island, uint16_t shard) MUST_USE;
/* ERR_NOT_FOUND: nobody was told to take it. */
enum err island_shards_find(const struct island_shards *shards, uint32_t island,
                            uint16_t *shard) MUST_USE;

#endif
