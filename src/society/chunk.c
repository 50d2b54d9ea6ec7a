#include "society/chunk.h"
#include "society/list.h"
#include <string.h>

uint64_t
chunk_id(uint32_t island, uint16_t cx, uint16_t cy)
{
    return (uint64_t)island << 32 | (uint32_t)cx << 16 | cy;
}

bool
chunk_of_place(uint32_t island, struct place at, uint64_t *chunk)
{
    int32_t cx = chunk_of(at.x_mm), cy = chunk_of(at.y_mm);
    if (cx < 0 || cx > UINT16_MAX || cy < 0 || cy > UINT16_MAX)
        return false;
    *chunk = chunk_id(island, (uint16_t)cx, (uint16_t)cy);
    return true;
}

struct key
chunk_key(uint16_t world, uint64_t chunk)
{
    return key_make(world, KEY_CLASS_CHUNK, chunk);
}

bool
actor_reaches(const struct deed_actor *actor, struct place at)
{
    int64_t dx = (int64_t)at.x_mm - actor->at.x_mm, dy = (int64_t)at.y_mm - actor->at.y_mm;
    int64_t reach = actor->reach_mm;
    bool near = dx >= -reach && dx <= reach && dy >= -reach && dy <= reach;
    return near && dx * dx + dy * dy <= reach * reach;
}

Seom__ChunkDocument *
chunk_open(struct deed *deed, uint64_t chunk)
{
    struct key key = chunk_key(deed_world(deed), chunk);
    return deed_open(deed, &key, &seom__chunk_document__descriptor);
}

Seom__ChunkThing *
chunk_find(const Seom__ChunkDocument *document, uint64_t id)
{
    for (size_t i = 0; i < document->n_things; i++) {
        if (document->things[i]->id == id)
            return document->things[i];
    }
    return NULL;
}

bool
chunk_is_full(const Seom__ChunkDocument *document)
{
    return document->n_things >= CHUNK_THINGS_MAX;
}

Seom__ChunkThing *
chunk_add(struct deed *deed, Seom__ChunkDocument *document, uint32_t kind, struct place at)
{
    CHECK(!chunk_is_full(document));
    size_t count = document->n_things;
    Seom__ChunkThing **things =
        list_longer(deed, document->things, count, 1, sizeof(Seom__ChunkThing *));
    Seom__ChunkThing *thing = deed_alloc(deed, sizeof *thing);
    Seom__Holdings *holds = deed_alloc(deed, sizeof *holds);
    if (things == NULL || thing == NULL || holds == NULL)
        return NULL;
    seom__chunk_thing__init(thing);
    seom__holdings__init(holds);
    thing->kind = kind;
    thing->x_mm = at.x_mm;
    thing->y_mm = at.y_mm;
    thing->holds = holds;
    thing->version = 1;
    things[count] = thing;
    document->things = things;
    document->n_things = count + 1;
    return thing;
}

void
chunk_remove(Seom__ChunkDocument *document, const Seom__ChunkThing *thing)
{
    size_t i = 0;
    while (i < document->n_things && document->things[i] != thing)
        i++;
    CHECK(i < document->n_things);
    document->n_things--;
    memmove(&document->things[i], &document->things[i + 1],
            (document->n_things - i) * sizeof(Seom__ChunkThing *));
}

struct purse
chunk_purse(uint64_t chunk, const Seom__ChunkDocument *document, const Seom__ChunkThing *thing)
{
    return (struct purse){.account = {.kind = SEOM__ACCOUNT_KIND__ACCOUNT_GROUND, .id = chunk},
                          .holds = thing->holds,
                          .slots_max = 1,
                          .document = document};
}
