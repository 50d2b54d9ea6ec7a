/* The last ids that came, so that what may come twice is taken once. Older ones are forgotten: two
 * arrivals further apart than `limit` others are taken for two. A plain value of one thread.
 */
#ifndef SEOM_BASE_ONCE_H
#define SEOM_BASE_ONCE_H

#include "base/map.h"
#include <stdbool.h>
#include <stdint.h>

struct once {
    struct map places; /* id -> place in ids */
    uint64_t *ids;     /* owned; a ring */
    uint32_t limit, next;
};

/* seed: of the map; where others choose ids, give a random one. */
void once_init(struct once *once, uint32_t limit, uint64_t seed);
void once_fini(struct once *once);
bool once_take(struct once *once, uint64_t id); /* true: it is new. id is not 0 */

#endif
