/* The islands of a world, opened, in the order of their ids. Filled at start by app/, which also
 * keeps the bytes the islands lie in; read-only afterwards and then fit for any thread. At most
 * 4,096 islands.
 */
#ifndef SEOM_WORLD_ARCHIPELAGO_H
#define SEOM_WORLD_ARCHIPELAGO_H

#include "base/bytes.h"
#include "base/err.h"
#include "world/island.h"
#include <stdint.h>

#define ARCHIPELAGO_ISLANDS_MAX 4096
#define ARCHIPELAGO_ID_MAX      65535 /* ids of things have 16 bits for their island */

struct archipelago {
    struct island **islands; /* owned, sorted by id */
    uint32_t count, room;
    uint64_t land_tiles; /* of all */
};

void archipelago_init(struct archipelago *a);
void archipelago_fini(struct archipelago *a);

/* Opens an island over bytes that must outlive the archipelago. ERR_FULL, ERR_EXISTS (the id), or
 * what island_open says; then nothing was added. */
enum err archipelago_add(struct archipelago *a, struct slice bytes) MUST_USE;

const struct island *archipelago_find(const struct archipelago *a,
                                      uint32_t id); /* NULL: no such island */
/* By growing id: start with *cursor = 0; NULL at the end. */
const struct island *archipelago_next(const struct archipelago *a, uint32_t *cursor);

#endif
