/* Which shard an island belongs to, and where the gates of the shards are.
 *
 * The directory's table of islands decides; an island that does not stand there belongs to the
 * shard that the rendezvous hash of (island, shard) draws among the shards 1..count, so every node
 * draws the same without asking anybody, and with one more shard only the islands that go there
 * move. How many there are is said to every node alike: who is there at the moment changes nothing,
 * or an island would have two shards as long as two nodes see different ones. The hash may never
 * change.
 *
 * A plain value of one thread, owned by a home. Limits: SHARDS_MAX shards, ISLAND_SHARDS_MAX
 * islands in the table.
 */
#ifndef SEOM_FABRIC_SHARDS_H
#define SEOM_FABRIC_SHARDS_H

#include "base/bytes.h"
#include "base/err.h"
#include "fabric/island_shards.h"
#include "fabric/notes.h"
#include <stdbool.h>
#include <stdint.h>

#define SHARDS_MAX 64

struct shards {
    uint16_t own, count;
    struct island_shards table;
    char gates[SHARDS_MAX][NOTE_TEXT_MAX + 1]; /* an address per line, as told last */
};

/* own is 1..count, count at most SHARDS_MAX. */
void shards_init(struct shards *shards, uint16_t own, uint16_t count);
/* Of the directory; no bytes: there is none. ERR_FORMAT: the former one goes on. A shard that is
 * not there counts as not said. */
enum err shards_set_table(struct shards *shards, struct slice bytes) MUST_USE;
uint16_t shards_of_island(const struct shards *shards, uint32_t island);
bool shards_owns(const struct shards *shards, uint32_t island);
/* What a note says of a shard's gates. Of no such shard, of the own, or too long: ignored. */
void shards_heard_gates(struct shards *shards, uint16_t shard, struct slice addresses);
/* Empty: not heard of yet. */
struct slice shards_gates(const struct shards *shards, uint16_t shard);

#endif
