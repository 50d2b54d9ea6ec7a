#include "base/once.h"
#include "base/check.h"
#include <stdlib.h>

void
once_init(struct once *once, uint32_t limit, uint64_t seed)
{
    CHECK(limit > 0);
    *once = (struct once){.limit = limit, .ids = calloc(limit, sizeof *once->ids)};
    CHECK(once->ids != NULL);
    map_init(&once->places, limit, seed);
}

void
once_fini(struct once *once)
{
    map_fini(&once->places);
    free(once->ids);
    once->ids = NULL;
}

bool
once_take(struct once *once, uint64_t id)
{
    CHECK(id != 0);
    if (map_get(&once->places, id) != MAP_NONE) {
        return false;
    }
    if (once->ids[once->next] != 0) {
        map_remove(&once->places, once->ids[once->next]);
    }
    once->ids[once->next] = id;
    CHECK(map_put(&once->places, id, once->next) == OK);
    once->next = (once->next + 1) % once->limit;
    return true;
}
