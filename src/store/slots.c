#include "store/slots.h"

#include "base/check.h"

#define PAGES_BLOCK 64

struct slot_page {
    uint64_t number;
    uint32_t taken;
    bool open; /* in the list of those with room */
    uint32_t next_open;
    uint64_t players[PLACE_PAGE_SLOTS]; /* 0: free */
};

static struct slot_page *
page_find(const struct slots *slots, uint64_t number)
{
    uint32_t index = map_get(&slots->by_number, number);
    return index == MAP_NONE ? NULL : pool_at(&slots->pages, index);
}

static void
page_open(struct slots *slots, uint32_t index)
{
    struct slot_page *p = pool_at(&slots->pages, index);
    CHECK(!p->open);
    p->open = true;
    p->next_open = slots->first_open;
    slots->first_open = index;
}

static enum err
page_make(struct slots *slots)
{
    uint64_t number;
    uint32_t index;
    if (slots->pages.used == slots->pages.limit)
        return ERR_FULL;
    enum err error = ids_take(&slots->ids, &number);
    if (error != OK)
        return error;
    CHECK(pool_take(&slots->pages, &index) == OK);
    CHECK(map_put(&slots->by_number, number, index) == OK);
    ((struct slot_page *)pool_at(&slots->pages, index))->number = number;
    page_open(slots, index);
    return OK;
}

bool
slots_ready(struct slots *slots)
{
    if (slots->first_open == POOL_NONE && page_make(slots) == ERR_UNAVAILABLE)
        return false;
    return true; /* or full: slots_take() says so */
}

enum err
slots_take(struct slots *slots, uint64_t player, struct place_slot *slot, bool *page_is_new)
{
    CHECK(player != 0);
    enum err error = slots->first_open == POOL_NONE ? page_make(slots) : OK;
    if (error != OK)
        return error;
    struct slot_page *p = pool_at(&slots->pages, slots->first_open);
    uint32_t n = 0;
    while (p->players[n] != 0) {
        n++;
        CHECK(n < PLACE_PAGE_SLOTS);
    }
    *page_is_new = p->taken == 0;
    p->players[n] = player;
    p->taken++;
    slots->taken++;
    if (p->taken == PLACE_PAGE_SLOTS) {
        p->open = false;
        slots->first_open = p->next_open;
    }
    *slot = (struct place_slot){.page = p->number, .slot = n};
    return OK;
}

bool
slots_owns(const struct slots *slots, uint64_t page)
{
    return page != 0 && map_get(&slots->by_number, page) != MAP_NONE;
}

bool
slots_has(const struct slots *slots, uint64_t player, const struct place_slot *slot)
{
    const struct slot_page *p = slot->page == 0 ? NULL : page_find(slots, slot->page);
    return p != NULL && slot->slot < PLACE_PAGE_SLOTS && p->players[slot->slot] == player;
}

void
slots_give(struct slots *slots, uint64_t player, const struct place_slot *slot)
{
    if (!slots_has(slots, player, slot))
        return;
    uint32_t index = map_get(&slots->by_number, slot->page);
    struct slot_page *p = pool_at(&slots->pages, index);
    p->players[slot->slot] = 0;
    p->taken--;
    slots->taken--;
    if (!p->open)
        page_open(slots, index);
}

void
slots_init(struct slots *slots, struct store *store, uint16_t world)
{
    *slots = (struct slots){.first_open = POOL_NONE};
    ids_init(&slots->ids, store, world, "place");
    ids_begin_at(&slots->ids, SLOTS_FIRST_PAGE);
    pool_init(&slots->pages, sizeof(struct slot_page), SLOTS_PAGES_MAX, PAGES_BLOCK);
    map_init(&slots->by_number, SLOTS_PAGES_MAX, 0);
}

void
slots_fini(struct slots *slots)
{
    pool_fini(&slots->pages);
    map_fini(&slots->by_number);
}
