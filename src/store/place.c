#include "store/place.h"
#include "base/check.h"
#include "store/clock.h"
#include "store/ids.h"
#include "store/keys.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define WAITERS_DEFAULT 4096
#define PAGES_BLOCK     64
#define WAITERS_BLOCK   256
#define BATCHES_MAX     32  /* commits under way */
#define BATCH_PAGES_MAX 512 /* in one commit: 2 MiB */
#define SAVE_US         (PLACE_SAVE_MS * INT64_C(1000))
#define RETRY_US_MAX    (PLACE_RETRY_MS_MAX * INT64_C(1000))
#define NEVER           INT64_MAX

_Static_assert(BATCH_PAGES_MAX <= STORE_COMMIT_MAX, "a batch is one commit");
_Static_assert(BATCH_PAGES_MAX *(PLACE_PAGE_BYTES + STORE_KEY_MAX) <= STORE_COMMIT_BYTES_MAX,
               "a full batch is a commit of legal size");

/* READING: its bytes are being asked for, what was set meanwhile is marked in `set`; UNREAD: asking
 * failed, but something was set: asked again later; CLEAN: as it lies in the store; DIRTY: to be
 * saved; SAVING: under way; SAVING_DIRTY: under way, and changed since. */
enum page_state {
    PAGE_NEW,
    PAGE_READING,
    PAGE_UNREAD,
    PAGE_CLEAN,
    PAGE_DIRTY,
    PAGE_SAVING,
    PAGE_SAVING_DIRTY,
    PAGE_STATES
};

static const bool moves[PAGE_STATES][PAGE_STATES] = {
    [PAGE_NEW] = {[PAGE_READING] = true, [PAGE_CLEAN] = true},
    [PAGE_READING] = {[PAGE_UNREAD] = true, [PAGE_CLEAN] = true, [PAGE_DIRTY] = true},
    [PAGE_UNREAD] = {[PAGE_READING] = true},
    [PAGE_CLEAN] = {[PAGE_DIRTY] = true},
    [PAGE_DIRTY] = {[PAGE_SAVING] = true},
    [PAGE_SAVING] = {[PAGE_CLEAN] = true, [PAGE_DIRTY] = true, [PAGE_SAVING_DIRTY] = true},
    [PAGE_SAVING_DIRTY] = {[PAGE_DIRTY] = true},
};

/* A page is in at most one list: clean (least recently used first), dirty (oldest change first),
 * unread, or that of its batch. */
struct page_list {
    uint32_t first, last, count;
};

struct page {
    uint64_t number;
    enum page_state state;
    struct page_list *list; /* where it is; NULL: nowhere */
    uint32_t previous, next;
    uint32_t slots;     /* up to the last one in use */
    uint64_t set;       /* READING, UNREAD: bit per slot that is newer than what is read */
    int64_t changed_us; /* the oldest change that is not durable; NEVER: none */
    int64_t again_us;   /* SAVING_DIRTY: the first change since the save */
    uint32_t waiters_first, waiters_last;
    uint8_t bytes[PLACE_PAGE_BYTES];
};

struct waiter {
    uint32_t next;
    uint32_t slot;
    uint64_t player;
    place_got *got;
    void *ctx;
    uint64_t n;
};

struct batch {
    bool busy;
    struct page_list pages;
    int64_t oldest_us; /* change in it */
    uint64_t bytes;
};

struct places {
    struct store *store; /* borrowed */
    uint16_t world;
    struct pool pages, waiters;
    struct map by_number; /* page number + 1 -> index */
    struct page_list clean, dirty, unread;
    struct batch batches[BATCHES_MAX];
    uint32_t unsaved;               /* pages with a change that is not durable */
    int64_t next_save_us, retry_us; /* retry_us: 0 while the store works */
    int64_t moved_us;               /* mono: when pages went out last */
    struct clock_keeper clock;
    bool flushing; /* the clock is kept once more, as of then, and not every second for ever */
    int64_t flushed_ms;
    bool failed_since_turn; /* the next try was put off already */
    bool more;              /* all batches are under way and pages still wait */
    struct places_stats stats;
    /* Room for the commit that is being put together. */
    struct store_write writes[BATCH_PAGES_MAX];
    struct key keys[BATCH_PAGES_MAX];
};

/* ---- lists ---- */

static struct page *
page_at(const struct places *places, uint32_t index)
{
    return pool_at(&places->pages, index);
}

static void
list_remove(struct places *places, uint32_t index)
{
    struct page *p = page_at(places, index);
    struct page_list *list = p->list;
    if (list == NULL)
        return;
    *(p->previous == POOL_NONE ? &list->first : &page_at(places, p->previous)->next) = p->next;
    *(p->next == POOL_NONE ? &list->last : &page_at(places, p->next)->previous) = p->previous;
    CHECK(list->count > 0);
    list->count--;
    p->list = NULL;
}

static void
list_append(struct places *places, struct page_list *list, uint32_t index)
{
    list_remove(places, index);
    struct page *p = page_at(places, index);
    p->list = list;
    p->previous = list->last;
    p->next = POOL_NONE;
    *(list->last == POOL_NONE ? &list->first : &page_at(places, list->last)->next) = index;
    list->last = index;
    list->count++;
}

static void
list_prepend(struct places *places, struct page_list *list, uint32_t index)
{
    list_remove(places, index);
    struct page *p = page_at(places, index);
    p->list = list;
    p->next = list->first;
    p->previous = POOL_NONE;
    *(list->first == POOL_NONE ? &list->last : &page_at(places, list->first)->previous) = index;
    list->first = index;
    list->count++;
}

/* ---- pages ---- */

static void
page_move(struct page *p, enum page_state to)
{
    CHECK(moves[p->state][to]);
    p->state = to;
}

static void
page_drop(struct places *places, uint32_t index)
{
    struct page *p = page_at(places, index);
    CHECK(p->changed_us == NEVER && p->waiters_first == POOL_NONE);
    list_remove(places, index);
    CHECK(map_remove(&places->by_number, p->number + 1) == index);
    pool_give(&places->pages, index);
}

static void
page_changed(struct places *places, struct page *p)
{
    if (p->changed_us != NEVER)
        return;
    p->changed_us = env_mono_us(places->store->env);
    places->unsaved++;
}

static void
page_durable(struct places *places, struct page *p)
{
    CHECK(p->changed_us != NEVER && places->unsaved > 0);
    p->changed_us = NEVER;
    places->unsaved--;
}

static bool
page_knows(const struct page *p, uint32_t slot)
{
    return (p->state != PAGE_READING && p->state != PAGE_UNREAD) || (p->set >> slot & 1) != 0;
}

/* A slot may have been somebody else's: then there is nothing of this player. */
static void
answer(const struct waiter *waiter, struct slice page)
{
    struct stand stand = {0};
    bool there = place_page_read(page, waiter->slot, &stand) && stand.player == waiter->player;
    waiter->got(waiter->ctx, waiter->n, there ? OK : ERR_NOT_FOUND, there ? &stand : NULL);
}

static void
page_answer(const struct page *p, const struct waiter *waiter)
{
    answer(waiter, (struct slice){p->bytes, (size_t)p->slots * PLACE_SLOT_BYTES});
}

static bool
waiter_pop(struct places *places, struct page *p, struct waiter *out)
{
    uint32_t index = p->waiters_first;
    if (index == POOL_NONE)
        return false;
    *out = *(struct waiter *)pool_at(&places->waiters, index);
    p->waiters_first = out->next;
    if (out->next == POOL_NONE)
        p->waiters_last = POOL_NONE;
    pool_give(&places->waiters, index);
    return true;
}

/* ---- reading ---- */

/* Lays what was set meanwhile over what was read. */
static void
page_merge(struct page *p, struct slice read)
{
    CHECK(read.bytes <= PLACE_PAGE_BYTES);
    uint32_t slots = (uint32_t)(read.bytes / PLACE_SLOT_BYTES);
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct stand stand;
        bool newer = (p->set >> slot & 1) != 0;
        if (newer)
            (void)place_page_read((struct slice){p->bytes, PLACE_PAGE_BYTES}, slot, &stand);
        memcpy(p->bytes + slot * PLACE_SLOT_BYTES, read.at + slot * PLACE_SLOT_BYTES,
               PLACE_SLOT_BYTES);
        if (newer)
            place_page_write(p->bytes, slot, &stand);
    }
    p->slots = p->slots > slots ? p->slots : slots;
}

/* The waiters hear it while the page still counts as being read, so that it cannot be taken away
 * under them. */
static void
page_read_well(struct places *places, uint32_t index, struct slice bytes)
{
    struct page *p = page_at(places, index);
    page_merge(p, bytes);
    struct waiter waiter;
    while (waiter_pop(places, p, &waiter))
        page_answer(p, &waiter);
    bool changed = p->set != 0;
    p->set = 0;
    page_move(p, changed ? PAGE_DIRTY : PAGE_CLEAN);
    list_append(places, changed ? &places->dirty : &places->clean, index);
}

static void
page_read_badly(struct places *places, uint32_t index)
{
    struct page *p = page_at(places, index);
    uint32_t waiting = p->waiters_first;
    p->waiters_first = p->waiters_last = POOL_NONE;
    places->stats.failures++;
    if (p->set == 0) {
        page_drop(places, index);
    } else {
        page_move(p, PAGE_UNREAD);
        list_append(places, &places->unread, index);
    }
    while (waiting != POOL_NONE) { /* the page may be gone or somebody else's by now */
        struct waiter waiter = *(struct waiter *)pool_at(&places->waiters, waiting);
        pool_give(&places->waiters, waiting);
        waiting = waiter.next;
        waiter.got(waiter.ctx, waiter.n, ERR_UNAVAILABLE, NULL);
    }
}

static void
on_read(void *ctx, uint64_t index, enum store_result result, const struct store_doc *doc)
{
    struct places *places = ctx;
    const struct page *p = page_at(places, (uint32_t)index);
    CHECK(p->state == PAGE_READING);
    enum err error = ERR_UNAVAILABLE;
    struct slice bytes = {0};
    switch (result) {
    case STORE_OK: error = OK; break;
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
    case STORE_UNAVAILABLE: break; /* asked again when somebody needs it */
    }
    if (error == OK && doc->exists) {
        bytes = doc->value;
        error = place_page_check(bytes);
        if (error != OK)
            env_log(places->store->env, LOG_ERROR, "store.place", "page %llx: %s; it is left alone",
                    (unsigned long long)p->number, err_text(error));
    }
    if (error == OK)
        page_read_well(places, (uint32_t)index, bytes);
    else
        page_read_badly(places, (uint32_t)index);
}

static enum err
page_ask(struct places *places, uint32_t index)
{
    struct page *p = page_at(places, index);
    struct key key = key_make(places->world, KEY_CLASS_PLACE, p->number);
    enum err error = store_get(places->store, key_slice(&key), on_read, places, index);
    if (error != OK)
        return error;
    places->stats.loads++;
    list_remove(places, index);
    page_move(p, PAGE_READING);
    return OK;
}

/* A page that is not in memory begins to be read, unless there is nothing to read. */
static enum err
page_make(struct places *places, uint64_t number, bool is_new, uint32_t *index)
{
    if (places->pages.used == places->pages.limit) {
        if (places->clean.count == 0)
            return ERR_FULL;
        page_drop(places, places->clean.first);
        places->stats.evictions++;
    }
    enum err error = pool_take(&places->pages, index);
    if (error != OK)
        return error;
    struct page *p = page_at(places, *index);
    p->number = number;
    p->changed_us = NEVER;
    p->previous = p->next = p->waiters_first = p->waiters_last = POOL_NONE;
    if (is_new) {
        page_move(p, PAGE_CLEAN);
        list_append(places, &places->clean, *index);
    } else if ((error = page_ask(places, *index)) != OK) {
        pool_give(&places->pages, *index);
        return error;
    }
    CHECK(map_put(&places->by_number, number + 1, *index) == OK); /* as large as the pool */
    return OK;
}

static enum err
page_of(struct places *places, const struct place_slot *slot, uint64_t player, uint32_t *index)
{
    CHECK(player != 0 && slot->slot < PLACE_PAGE_SLOTS);
    if (id_world(player) != places->world)
        return ERR_RANGE;
    *index = map_get(&places->by_number, slot->page + 1);
    return *index == MAP_NONE ? page_make(places, slot->page, false, index) : OK;
}

void
place_new_page(struct places *places, uint64_t page)
{
    uint32_t index;
    if (map_get(&places->by_number, page + 1) == MAP_NONE &&
        page_make(places, page, true, &index) != OK)
        env_trace(places->store->env, "place.new_page_later", page, 0);
}

/* ---- the two calls of the game ---- */

static void
page_set(struct places *places, uint32_t index, uint32_t slot, const struct stand *stand)
{
    struct page *p = page_at(places, index);
    place_page_write(p->bytes, slot, stand);
    p->slots = p->slots > slot ? p->slots : slot + 1;
    page_changed(places, p);
    switch (p->state) {
    case PAGE_READING:
    case PAGE_UNREAD: p->set |= UINT64_C(1) << slot; return;
    case PAGE_CLEAN:
        page_move(p, PAGE_DIRTY);
        list_append(places, &places->dirty, index);
        return;
    case PAGE_SAVING:
        page_move(p, PAGE_SAVING_DIRTY);
        p->again_us = env_mono_us(places->store->env);
        return;
    case PAGE_DIRTY:
    case PAGE_SAVING_DIRTY: return;
    case PAGE_NEW:
    case PAGE_STATES: break;
    }
    check_failed(__FILE__, __LINE__, __func__, "a page in a state that can be set");
}

enum err
place_set(struct places *places, const struct place_slot *slot, const struct stand *stand)
{
    uint32_t index;
    enum err error = page_of(places, slot, stand->player, &index);
    if (error == OK)
        page_set(places, index, slot->slot, stand);
    else
        places->stats.refused++;
    return error;
}

void
places_prefetch(const struct places *places, const struct place_slot *slot)
{
    uint32_t index = map_get(&places->by_number, slot->page + 1);
    if (index != MAP_NONE) {
        pool_prefetch(&places->pages, index, offsetof(struct page, bytes));
        __builtin_prefetch(page_at(places, index)->bytes + (size_t)slot->slot * PLACE_SLOT_BYTES,
                           1);
    }
}

static enum err
page_wait(struct places *places, struct page *p, const struct waiter *waiter)
{
    uint32_t index;
    enum err error = pool_take(&places->waiters, &index);
    if (error != OK)
        return error;
    struct waiter *slot = pool_at(&places->waiters, index);
    *slot = *waiter;
    slot->next = POOL_NONE;
    if (p->waiters_first == POOL_NONE)
        p->waiters_first = index;
    else
        ((struct waiter *)pool_at(&places->waiters, p->waiters_last))->next = index;
    p->waiters_last = index;
    return OK;
}

enum err
place_get(struct places *places, const struct place_slot *slot, uint64_t player, place_got *got,
          void *ctx, uint64_t n)
{
    CHECK(got != NULL);
    struct waiter waiter = {.player = player, .slot = slot->slot, .got = got, .ctx = ctx, .n = n};
    uint32_t index;
    enum err error = page_of(places, slot, player, &index);
    if (error != OK) {
        places->stats.refused++;
        return error;
    }
    struct page *p = page_at(places, index);
    if (page_knows(p, slot->slot)) {
        if (p->state == PAGE_CLEAN)
            list_append(places, &places->clean, index); /* used last */
        page_answer(p, &waiter);
        return OK;
    }
    if (p->state == PAGE_UNREAD) {
        got(ctx, n, ERR_UNAVAILABLE, NULL);
        return OK;
    }
    error = page_wait(places, p, &waiter);
    places->stats.refused += error != OK;
    return error;
}

static void
on_looked(void *ctx, uint64_t index, enum store_result result, const struct store_doc *doc)
{
    struct places *places = ctx;
    struct waiter waiter = *(struct waiter *)pool_at(&places->waiters, (uint32_t)index);
    pool_give(&places->waiters, (uint32_t)index);
    enum err error = result == STORE_OK ? OK : ERR_UNAVAILABLE;
    struct slice page = error == OK && doc->exists ? doc->value : (struct slice){0};
    error = error == OK ? place_page_check(page) : error;
    if (error == OK)
        answer(&waiter, page);
    else
        waiter.got(waiter.ctx, waiter.n, ERR_UNAVAILABLE, NULL);
}

enum err
place_look(struct places *places, const struct place_slot *slot, uint64_t player, place_got *got,
           void *ctx, uint64_t n)
{
    CHECK(player != 0 && got != NULL && slot->slot < PLACE_PAGE_SLOTS);
    uint32_t index;
    enum err error = pool_take(&places->waiters, &index);
    if (error == OK) {
        struct waiter *waiter = pool_at(&places->waiters, index);
        *waiter =
            (struct waiter){.player = player, .slot = slot->slot, .got = got, .ctx = ctx, .n = n};
        struct key key = key_make(places->world, KEY_CLASS_PLACE, slot->page);
        error = store_get(places->store, key_slice(&key), on_looked, places, index);
        if (error != OK)
            pool_give(&places->waiters, index);
    }
    places->stats.refused += error != OK;
    places->stats.loads += error == OK;
    return error;
}

/* ---- saving ---- */

static void
batch_saved(struct places *places, struct batch *batch)
{
    while (batch->pages.count > 0) {
        uint32_t index = batch->pages.first;
        struct page *p = page_at(places, index);
        bool again = p->state == PAGE_SAVING_DIRTY;
        if (again)
            p->changed_us = p->again_us;
        else
            page_durable(places, p);
        page_move(p, again ? PAGE_DIRTY : PAGE_CLEAN);
        list_append(places, again ? &places->dirty : &places->clean, index);
    }
}

/* Back to the front of those that wait, last one first, so that the oldest change stays in front.
 */
static void
batch_not_saved(struct places *places, struct batch *batch)
{
    while (batch->pages.count > 0) {
        uint32_t index = batch->pages.last;
        page_move(page_at(places, index), PAGE_DIRTY);
        list_prepend(places, &places->dirty, index);
    }
}

static void
places_lag(struct places *places, int64_t lag_us)
{
    places->stats.lag_ms = lag_us / 1000;
    if (places->stats.lag_ms > places->stats.lag_ms_max)
        places->stats.lag_ms_max = places->stats.lag_ms;
}

static void
places_retry_later(struct places *places)
{
    places->stats.failures++;
    if (places->failed_since_turn)
        return;
    places->failed_since_turn = true;
    places->retry_us = places->retry_us == 0 ? SAVE_US : places->retry_us * 2;
    if (places->retry_us > RETRY_US_MAX)
        places->retry_us = RETRY_US_MAX;
    places->next_save_us = env_mono_us(places->store->env) + places->retry_us;
}

static void
on_saved(void *ctx, uint64_t n, enum store_result result)
{
    struct places *places = ctx;
    struct batch *batch = &places->batches[n];
    CHECK(batch->busy);
    batch->busy = false;
    switch (result) {
    case STORE_OK:
        places->retry_us = 0;
        places->stats.saves++;
        places->stats.pages += batch->pages.count;
        places->stats.bytes += batch->bytes;
        if (batch->oldest_us != NEVER)
            places_lag(places, env_mono_us(places->store->env) - batch->oldest_us);
        batch_saved(places, batch);
        return;
    /* Saving the same page again does no harm, so nobody needs to know whether it happened. A
     * conflict cannot come of writes of any version. */
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
    case STORE_UNAVAILABLE:
        batch_not_saved(places, batch);
        places_retry_later(places);
        return;
    }
}

static struct batch *
batch_free(struct places *places)
{
    for (uint32_t i = 0; i < BATCHES_MAX; i++)
        if (!places->batches[i].busy)
            return &places->batches[i];
    return NULL;
}

static uint32_t
page_group(const struct places *places, const struct page *p)
{
    const struct env_store *port = &places->store->env->store;
    if (port->group == NULL)
        return 0;
    struct key key = key_make(places->world, KEY_CLASS_PLACE, p->number);
    return port->group(port->ctx, key_slice(&key));
}

static void
batch_take(struct places *places, struct batch *batch, uint32_t index, struct store_write *write,
           struct key *key)
{
    struct page *p = page_at(places, index);
    *key = key_make(places->world, KEY_CLASS_PLACE, p->number);
    *write = (struct store_write){.key = key_slice(key),
                                  .expected_version = STORE_ANY_VERSION,
                                  .op = STORE_PUT,
                                  .value = {p->bytes, (size_t)p->slots * PLACE_SLOT_BYTES}};
    batch->bytes += write->value.bytes;
    if (p->changed_us < batch->oldest_us)
        batch->oldest_us = p->changed_us;
    page_move(p, PAGE_SAVING);
    list_append(places, &batch->pages, index);
}

/* The clock is kept while somebody may still be walking on what was saved last; later, with nobody
 * moving, only now and then. */
static bool
clock_is_due(const struct places *places, int64_t now_ms)
{
    int64_t still_us = env_mono_us(places->store->env) - places->moved_us;
    return places->dirty.count > 0 || still_us < PLACE_REST_MS * INT64_C(1000) ||
           places->clock.kept_ms < 0 || now_ms - places->clock.kept_ms >= PLACE_REST_MS;
}

static void
keep_clock(struct places *places, int64_t now_ms)
{
    if (places->flushing)
        clock_keep(&places->clock, places->flushed_ms, 0);
    else if (clock_is_due(places, now_ms))
        clock_keep(&places->clock, now_ms, PLACE_SAVE_MS);
}

/* One commit of the oldest dirty page and of others that lie where it does. false: nothing went
 * out. */
static bool
batch_send(struct places *places, uint32_t *pages)
{
    struct batch *batch = batch_free(places);
    if (batch == NULL || places->dirty.count == 0)
        return false;
    *batch = (struct batch){.busy = true, .pages = {POOL_NONE, POOL_NONE, 0}, .oldest_us = NEVER};
    uint32_t count = 0;
    uint32_t commit_max = places->store->env->store.commit_max;
    uint32_t next, index = places->dirty.first;
    uint32_t group = page_group(places, page_at(places, index));
    for (; index != POOL_NONE && count < BATCH_PAGES_MAX && count < commit_max; index = next) {
        next = page_at(places, index)->next;
        if (page_group(places, page_at(places, index)) != group)
            continue;
        batch_take(places, batch, index, &places->writes[count], &places->keys[count]);
        count++;
    }
    if (store_commit(places->store, places->writes, count, on_saved, places,
                     (uint64_t)(batch - places->batches)) != OK) {
        batch->busy = false;
        batch_not_saved(places, batch);
        places_retry_later(places);
        return false;
    }
    places->moved_us = env_mono_us(places->store->env);
    *pages += batch->pages.count;
    return true;
}

/* Pages that could not be read are asked for again, so that what was set on them can be saved one
 * day. */
static void
unread_ask_again(struct places *places)
{
    for (uint32_t left = places->unread.count; left > 0; left--)
        if (page_ask(places, places->unread.first) != OK)
            return;
}

static int64_t
oldest_unsaved_us(const struct places *places, int64_t now_us)
{
    int64_t oldest = now_us;
    const uint32_t heads[] = {places->dirty.first, places->unread.first};
    for (uint32_t i = 0; i < 2; i++)
        if (heads[i] != POOL_NONE && page_at(places, heads[i])->changed_us < oldest)
            oldest = page_at(places, heads[i])->changed_us;
    for (uint32_t i = 0; i < BATCHES_MAX; i++)
        if (places->batches[i].busy && places->batches[i].oldest_us < oldest)
            oldest = places->batches[i].oldest_us;
    return oldest;
}

uint32_t
places_turn(struct places *places, int64_t now_ms)
{
    int64_t now_us = env_mono_us(places->store->env);
    bool hurry = places->flushing && places->retry_us == 0 && !places_durable(places);
    bool more = places->more && places->retry_us == 0; /* what found no free batch goes on */
    if (now_us < places->next_save_us && !hurry && !more)
        return 0;
    places_lag(places, now_us - oldest_unsaved_us(places, now_us));
    places->next_save_us = now_us + SAVE_US;
    places->failed_since_turn = false;
    unread_ask_again(places);
    uint32_t pages = 0;
    keep_clock(places, now_ms);
    while (batch_send(places, &pages))
        if (places->dirty.count == 0)
            break;
    places->more = places->dirty.count > 0 && places->retry_us == 0;
    return pages;
}

void
places_flush(struct places *places, int64_t now_ms)
{
    places->flushing = true;
    places->flushed_ms = now_ms;
    places->next_save_us = 0;
    (void)places_turn(places, now_ms);
}

bool
places_durable(const struct places *places)
{
    return places->unsaved == 0 && places->clock.state == CLOCK_IDLE &&
           (!places->flushing || places->clock.kept_ms >= places->flushed_ms);
}

struct places_stats
places_stats(const struct places *places)
{
    struct places_stats stats = places->stats;
    stats.dirty = places->unsaved;
    stats.in_memory = places->pages.used;
    return stats;
}

/* ---- life ---- */

struct places *
places_alloc(struct store *store, uint16_t world, const struct places_limits *limits)
{
    uint32_t pages =
        limits != NULL && limits->pages_max != 0 ? limits->pages_max : PLACE_PAGES_DEFAULT;
    uint32_t waiters =
        limits != NULL && limits->waiters_max != 0 ? limits->waiters_max : WAITERS_DEFAULT;
    struct places *places = calloc(1, sizeof *places);
    CHECK(places != NULL && store != NULL);
    places->store = store;
    places->world = world;
    places->moved_us = env_mono_us(store->env) - PLACE_REST_MS * INT64_C(1000);
    places->clean = places->dirty = places->unread = (struct page_list){POOL_NONE, POOL_NONE, 0};
    clock_keeper_init(&places->clock, store, world);
    pool_init(&places->pages, sizeof(struct page), pages, PAGES_BLOCK);
    pool_init(&places->waiters, sizeof(struct waiter), waiters, WAITERS_BLOCK);
    map_init(&places->by_number, pages, 0);
    return places;
}

void
places_free(struct places **places)
{
    struct places *p = *places;
    CHECK(p != NULL);
    pool_fini(&p->pages);
    pool_fini(&p->waiters);
    map_fini(&p->by_number);
    free(p);
    *places = NULL;
}
