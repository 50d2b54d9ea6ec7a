/* The tickets of a herd: who its bots are, kept in a file, so that the same bots come back. A text
 * file, `seom tickets 1`, then one ticket in hexadecimal a line, `-` for a bot that has none yet;
 * mode 0600, for a ticket is the right to play. Owned by the herd. At most TICKETS_MAX.
 */
#ifndef SEOM_BOTS_TICKETS_H
#define SEOM_BOTS_TICKETS_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/limits.h"
#include <stdbool.h>
#include <stdint.h>

#define TICKETS_MAX 1000000

struct tickets {
    uint8_t (*bytes)[TICKET_BYTES_MAX]; /* owned */
    uint8_t *lengths;                   /* owned; 0: none */
    uint32_t count;
    bool changed; /* since the last save */
};

void tickets_init(struct tickets *t, uint32_t count);
void tickets_fini(struct tickets *t);
struct slice tickets_get(const struct tickets *t, uint32_t number);
void tickets_set(struct tickets *t, uint32_t number, struct slice ticket);
/* A file that is not there is an empty one. ERR_FORMAT: not such a file, *line says where. Bots
 * beyond count are left out. */
enum err tickets_load(struct tickets *t, const char *path, uint32_t *line) MUST_USE;
/* Whole or not at all (writes beside it and renames). */
enum err tickets_save(struct tickets *t, const char *path) MUST_USE;

#endif
