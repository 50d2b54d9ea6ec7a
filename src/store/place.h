/* Where people stand: feel, kept in memory and written behind, so at most a second of it is lost.
 * place/<page> holds 64 players in slots of 64 bytes. Each home writes only pages that it made
 * itself (slots.h); which slot is a player's stands in the document player/<id>, written by whoever
 * claims the player. So a page has one writer, and a home that is gone and does not know it yet
 * writes nothing that anybody reads. (Older worlds had one home: page = counter of the player's id
 * / 64.) Once a second the pages that changed go out in one commit (or a few; one
 * at least per server of the store), of any version;
 * never more than one write of a page is under way. While the store is away, what is unsaved stays
 * in memory and is tried again, later and later.
 *
 * A page must be read before it is written, or its other 63 players would be lost: place_set() on a
 * page that is not in memory starts reading it and is laid over what comes. Clean pages make room
 * for others, least recently used first.
 *
 * With the places meta/clock is kept (clock.h), so that world time never goes backwards over a
 * restart: every second until the longest motion has ended, then every PLACE_REST_MS.
 * Logic room, one thread; memory by blocks up to the limits given at init.
 */
#ifndef SEOM_STORE_PLACE_H
#define SEOM_STORE_PLACE_H

#include "base/err.h"
#include "base/map.h"
#include "base/pool.h"
#include "store/store.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define PLACE_SLOT_BYTES    64
#define PLACE_PAGE_SLOTS    64
#define PLACE_PAGE_BYTES    (PLACE_SLOT_BYTES * PLACE_PAGE_SLOTS)
#define PLACE_PAGES_DEFAULT 16384 /* 71 MB when all are in memory */
#define PLACE_SAVE_MS       1000
#define PLACE_RETRY_MS_MAX  8000
#define PLACE_REST_MS       MOTION_LASTS_MS_MAX

/* A slot of a page. */
struct place_slot {
    uint64_t page;
    uint32_t slot;
};

struct stand {
    uint64_t player;
    uint32_t island;
    uint8_t look;
    struct motion motion;
};

/* result OK: stand is set; ERR_NOT_FOUND: was never set; ERR_UNAVAILABLE: the store is away. stand
 * is borrowed. */
typedef void place_got(void *ctx, uint64_t n, enum err result, const struct stand *stand);

struct places_stats {
    uint64_t saves, pages, bytes; /* commits that were OK, and what was in them */
    uint64_t failures;            /* commits and reads that failed */
    uint64_t loads, evictions;
    uint64_t refused; /* place_set() or place_get() without room */
    uint32_t dirty;   /* pages not yet durable, now */
    uint32_t in_memory;
    int64_t lag_ms; /* age of the oldest change that is not durable, as of the last turn */
    int64_t lag_ms_max;
};

struct places;

struct places_limits {
    uint32_t pages_max;   /* 0 = PLACE_PAGES_DEFAULT */
    uint32_t waiters_max; /* place_get() waiting for their page; 0 = 4096 */
};

struct places *places_alloc(struct store *store, uint16_t world,
                            const struct places_limits *limits);
void places_free(struct places **places);

/* Remembers and marks dirty, in a page that only this process writes. ERR_RANGE: a player of
 * another world; ERR_FULL: no room for the page, nothing was remembered (all pages are unsaved or
 * being read). */
enum err place_set(struct places *places, const struct place_slot *slot, const struct stand *stand);
/* It will be set soon: into the cache with it. Changes nothing. */
void places_prefetch(const struct places *places, const struct place_slot *slot);
/* From such a page. Exactly one call-back when it answers OK; when the page is in memory, it comes
 * before this returns. ERR_FULL as above. */
enum err place_get(struct places *places, const struct place_slot *slot, uint64_t player,
                   place_got *got, void *ctx, uint64_t n);
/* From a page that somebody else wrote: as it stands in the store now, nothing of it is kept. */
enum err place_look(struct places *places, const struct place_slot *slot, uint64_t player,
                    place_got *got, void *ctx, uint64_t n);
/* The page is new, nobody needs to read it before it is written. Only makes that cheaper. */
void place_new_page(struct places *places, uint64_t page);

/* Call at least once a second, best each tick: saves what is dirty when a second has passed since
 * the last save. now_ms: world time. How many pages went out. */
uint32_t places_turn(struct places *places, int64_t now_ms);
/* For the end: saves now, whatever the hour, and the clock a last time; call turns until
 * places_durable(). */
void places_flush(struct places *places, int64_t now_ms);
bool places_durable(const struct places *places); /* nothing dirty, nothing under way */
struct places_stats places_stats(const struct places *places);

struct place_slot place_slot_of_id(uint64_t player); /* where older worlds kept it */
/* For tools: the slots of a page's bytes. false: that slot is empty. ERR_FORMAT, ERR_NEWER by the
 * page as a whole. */
enum err place_page_check(struct slice page);
bool place_page_read(struct slice page, uint32_t slot, struct stand *out);
/* Leaves the slot's reserve as it is. */
void place_page_write(uint8_t page[PLACE_PAGE_BYTES], uint32_t slot, const struct stand *stand);

#endif
