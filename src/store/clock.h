/* World time kept in the store (meta/clock): the value that the clock must never fall below after a
 * restart. Loading is asked once at start; saving rides along with the places each second
 * (place.h). Logic room, one thread.
 */
#ifndef SEOM_STORE_CLOCK_H
#define SEOM_STORE_CLOCK_H

#include "base/err.h"
#include "store/keys.h"
#include "store/store.h"
#include <stdint.h>

#define CLOCK_DOCUMENT_MAX 16

struct clock_document {
    struct key key;
    uint8_t value[CLOCK_DOCUMENT_MAX];
    uint32_t value_bytes;
};

/* world_ms: 0 for a world that was never saved. ERR_UNAVAILABLE, ERR_FORMAT: do not start on a
 * guess. */
typedef void clock_loaded(void *ctx, enum err result, int64_t world_ms);

struct clock_load {
    clock_loaded *done;
    void *ctx;
};

/* load is the caller's and must stay until the call-back. ERR_FULL from the store. */
enum err clock_load(struct clock_load *load, struct store *store, uint16_t world,
                    clock_loaded *done, void *ctx);
/* The write that saves world_ms; document is the caller's and must stay until it was given to
 * store_commit(). */
struct store_write clock_write(struct clock_document *document, uint16_t world, int64_t world_ms);
enum err clock_decode(struct slice value, int64_t *world_ms); /* also for tools */

#endif
