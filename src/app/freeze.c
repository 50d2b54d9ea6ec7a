#include "app/freeze.h"

#include "base/check.h"
#include "store/keys.h"
#include "store/place.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_PER_COMMIT 256

struct page {
    struct key key;
    uint32_t bytes;
    uint8_t at[PLACE_PAGE_BYTES];
};

struct freezing {
    int64_t saved_world_ms;
    struct page *pages; /* owned: those that change */
    uint32_t count, room, people;
    enum err result;
    bool answered;
    enum store_result committed;
};

/* The page with everybody standing; how many walked. */
static uint32_t
stop_walkers(struct page *page, int64_t saved_world_ms)
{
    uint32_t stopped = 0;
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand s;
        struct slice bytes = {.at = page->at, .bytes = page->bytes};
        if (!place_page_read(bytes, slot, &s) || !motion_moves(&s.motion, saved_world_ms)) {
            continue;
        }
        struct place at = motion_at(&s.motion, saved_world_ms);
        s.motion = (struct motion){.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = saved_world_ms};
        place_page_write(page->at, slot, &s);
        stopped++;
    }
    return stopped;
}

static bool
seen_page(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct freezing *f = ctx;
    if (place_page_check(doc->value) != OK || key.bytes > STORE_KEY_MAX) {
        return true; /* not for us to mend: whoever loads it is told */
    }
    if (f->count == f->room) {
        f->room = f->room == 0 ? 16 : f->room * 2;
        f->pages = realloc(f->pages, f->room * sizeof *f->pages);
        CHECK(f->pages != NULL);
    }
    struct page *page = &f->pages[f->count];
    page->bytes = (uint32_t)doc->value.bytes;
    memcpy(page->at, doc->value.at, page->bytes);
    memcpy(page->key.text, key.at, key.bytes);
    page->key.text[key.bytes] = 0;
    page->key.bytes = (uint8_t)key.bytes;
    uint32_t stopped = stop_walkers(page, f->saved_world_ms);
    f->people += stopped;
    f->count += stopped > 0;
    return true;
}

static void
got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
    CHECK(!"nothing is asked for while places are frozen");
}

static void
committed(void *ctx, uint64_t token, enum store_result result)
{
    struct freezing *f = ctx;
    (void)token;
    f->answered = true;
    f->committed = result;
}

static enum err
commit_pages(struct lmdb_store *store, struct env_store port, struct freezing *f, uint32_t from,
             uint32_t count)
{
    struct store_write writes[PAGES_PER_COMMIT];
    for (uint32_t i = 0; i < count; i++) {
        const struct page *page = &f->pages[from + i];
        writes[i] = (struct store_write){.key = key_slice(&page->key),
                                         .expected_version = STORE_ANY_VERSION,
                                         .op = STORE_PUT,
                                         .value = {.at = page->at, .bytes = page->bytes}};
    }
    f->answered = false;
    enum err e = port.commit(port.ctx, 0, writes, count);
    struct pollfd ready = {.fd = lmdb_store_fd(store), .events = POLLIN};
    while (e == OK && !f->answered) {
        poll(&ready, 1, -1);
        lmdb_store_deliver(store);
    }
    return e != OK ? e : f->committed == STORE_OK ? OK : ERR_UNAVAILABLE;
}

enum err
freeze_places(struct lmdb_store *store, uint16_t world, int64_t saved_world_ms, uint32_t *people,
              char *why, size_t why_bytes)
{
    struct freezing f = {.saved_world_ms = saved_world_ms};
    char prefix[STORE_KEY_MAX];
    uint64_t corrupt = 0;
    snprintf(prefix, sizeof prefix, "%04x/" KEY_CLASS_PLACE "/", (unsigned)world);
    enum err e = lmdb_store_scan(store, prefix, seen_page, &f, &corrupt);
    struct env_store port =
        lmdb_store_port(store, (struct store_done){.ctx = &f, .got = got, .committed = committed});
    for (uint32_t from = 0; from < f.count && e == OK; from += PAGES_PER_COMMIT) {
        uint32_t count = f.count - from < PAGES_PER_COMMIT ? f.count - from : PAGES_PER_COMMIT;
        e = commit_pages(store, port, &f, from, count);
    }
    if (e != OK) {
        snprintf(why, why_bytes, "the places people stood at could not be brought up to date: %s",
                 err_text(e));
    }
    *people = f.people;
    free(f.pages);
    return e;
}
