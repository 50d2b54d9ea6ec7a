/* The limits of the store port in one place, so that every engine refuses the same calls with the
 * same errors. Pure; no memory beyond the stack (4 KiB for the duplicate check).
 */
#ifndef SEOM_ENV_STORE_LIMITS_H
#define SEOM_ENV_STORE_LIMITS_H

#include "env/env.h"

/* ERR_FORMAT: empty, or something else than printable ASCII without spaces; ERR_TOO_LARGE. */
enum err store_key_check(struct slice key) MUST_USE;

/* value_max and commit_max: of the engine. ERR_RANGE: no documents, more than commit_max, or
 * STORE_CHECK of any version; ERR_TOO_LARGE: a key, a value or all of them together; ERR_FORMAT: a
 * key, or a value where none belongs; ERR_EXISTS: one key twice. */
enum err store_commit_check(const struct store_write *writes, uint32_t count, uint32_t value_max,
                            uint32_t commit_max) MUST_USE;

/* A prefix and a place to go on from are empty or like keys, and a prefix may be as long as a key.
 * ERR_RANGE: the limit. */
enum err store_scan_check(struct slice prefix, struct slice after, uint32_t limit) MUST_USE;

#endif
