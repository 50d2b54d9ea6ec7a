/* The directory's table of islands (proto/directory.proto): which shard an island belongs to, for
 * those that do not belong where the dealing puts them (shards.h). Plain data and pure functions,
 * any thread.
 */
#ifndef SEOM_FABRIC_ISLAND_SHARDS_H
#define SEOM_FABRIC_ISLAND_SHARDS_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/directory.h"
#include <stdint.h>

#define ISLAND_SHARDS_MAX 1024

struct island_shards {
    uint32_t count;
    uint32_t islands[ISLAND_SHARDS_MAX]; /* ids, growing */
    uint16_t shards[ISLAND_SHARDS_MAX];
};

enum err island_shards_read(struct slice bytes, struct island_shards *out) MUST_USE;
size_t island_shards_write(const struct island_shards *shards, uint8_t out[DIRECTORY_VALUE_MAX]);
/* ERR_FULL. */
enum err island_shards_put(struct island_shards *shards, uint32_t island, uint16_t shard) MUST_USE;
/* Nothing is said of the island any more. */
void island_shards_remove(struct island_shards *shards, uint32_t island);
/* ERR_NOT_FOUND: nobody was told to take it. */
enum err island_shards_find(const struct island_shards *shards, uint32_t island,
                            uint16_t *shard) MUST_USE;

#endif
