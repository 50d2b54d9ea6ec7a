/* What a data directory knows of its world before anything runs: when it was born, its seed, its
 * secret, and the last world time that was kept. <data>/world.json {"birth_wall_ms","seed"} and
 * <data>/ticket.key (32 bytes, mode 0600) are made at the first start; the time stands in the
 * store.
 */
#ifndef SEOM_APP_ORIGIN_H
#define SEOM_APP_ORIGIN_H

#include "base/err.h"
#include "os/lmdb_store.h"
#include "wire/ticket.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin {
    int64_t birth_wall_ms; /* since 1970 */
    uint64_t seed;
    int64_t saved_world_ms; /* 0: a new world */
    uint8_t ticket_key[TICKET_KEY_BYTES];
};

/* The directory must exist and store be the one in it. What is wrong stands in why. */
enum err origin_load(const char *data, struct lmdb_store *store, uint16_t world, struct origin *out,
                     char *why, size_t why_bytes) MUST_USE;

/* Birth and seed alone, of a directory in which people have lived. */
enum err origin_read(const char *data, struct origin *out, char *why, size_t why_bytes) MUST_USE;

/* Only the secret of a data directory, which the homes of a machine share and whichever starts
 * first makes; lived_in: people have lived here, so it must be there. */
enum err origin_load_key(const char *data, bool lived_in, uint8_t key[TICKET_KEY_BYTES], char *why,
                         size_t why_bytes) MUST_USE;

#endif
