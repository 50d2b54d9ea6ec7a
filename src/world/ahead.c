/* Prefetching, as view/ahead.c does it for gates: of the people whose inputs came together, before
 * the first of them is looked at. */
#include "world/state.h"

void
world_ahead(const struct world *w, uint32_t step, const uint8_t *bytes, size_t n)
{
    struct link_subject of = link_subject(bytes, n);
    if (of.kind != LINK_INPUT) {
        return;
    }
    if (step == 0) {
        map_prefetch(&w->avatar_by_id, of.key);
        return;
    }
    uint32_t index = map_get(&w->avatar_by_id, of.key);
    if (step == 1) {
        pool_prefetch(&w->avatars, index, sizeof(struct avatar));
    } else if (step == 2 && pool_in_use(&w->avatars, index)) {
        const struct avatar *a = pool_at(&w->avatars, index);
        pool_prefetch(&w->topics, a->topic, sizeof(struct topic));
        places_prefetch(w->places, &a->slot);
    }
}
