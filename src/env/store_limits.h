/* The limits of the store port in one place, so that every engine refuses the same calls with the
 * same errors. Pure; no memory beyond the stack (4 KiB for the duplicate check).
 */
#ifndef SEOM_ENV_STORE_LIMITS_H
#define SEOM_ENV_STORE_LIMITS_H

#include "env/env.h"

/* ERR_FORMAT: empty, or something else than printable ASCII without spaces; ERR_TOO_LARGE. */
enum err store_key_check(struct slice key);

/* ERR_RANGE: no documents, more than STORE_COMMIT_MAX, or STORE_CHECK of any version;
 * ERR_TOO_LARGE: a key, a value or all of them together; ERR_FORMAT: a key, or a value where none
 * belongs; ERR_EXISTS: one key twice. */
enum err store_commit_check(const struct store_write *writes, uint32_t count);

#endif
