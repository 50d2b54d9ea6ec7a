/* People who walked when the world went down stand where they were: at start, before anybody
 * enters, every saved motion that was still going on at the last saved world time is ended there,
 * once. Otherwise who stays away would walk on for the rest of its motion as soon as world time
 * runs again. Reads all pages of places and writes those that change; main thread, blocks.
 */
#ifndef SEOM_APP_FREEZE_H
#define SEOM_APP_FREEZE_H

#include "base/err.h"
#include "os/lmdb_store.h"
#include <stddef.h>
#include <stdint.h>

/* *people: how many were stopped. What is wrong stands in why; nothing is half-done that a next
 * start would not finish. */
enum err freeze_places(struct lmdb_store *store, uint16_t world, int64_t saved_world_ms,
                       uint32_t *people, char *why, size_t why_bytes) MUST_USE;

#endif
