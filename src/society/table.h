/* An open-addressing table of equal-sized items, each of which begins with its key of 128 bits. It
 * grows by doubling up to a limit of items; what a question asked at that moment says has become
 * needless is left behind then, so a table of things that come and go stays small; whoever wants to
 * remember what was left behind is told of it. Items move when it grows. For tools that read a
 * whole store; one thread.
 */
#ifndef SEOM_SOCIETY_TABLE_H
#define SEOM_SOCIETY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_key {
    uint64_t id;
    uint64_t rest; /* never 0: 0 is an empty place */
};

typedef bool table_needless(const void *item);
/* The item is about to be left behind; the table it is in must not be touched. */
typedef void table_left(void *ctx, const void *item);

struct table {
    uint8_t *items; /* owned */
    size_t item_bytes;
    uint64_t count, capacity, limit;
    table_needless *needless; /* may be NULL */
    table_left *left;         /* NULL unless set after table_init() */
    void *left_ctx;
};

void table_init(struct table *table, size_t item_bytes, uint64_t limit, table_needless *needless);
void table_fini(struct table *table);
/* The item, made (zero but for its key) when there is none; valid until the next call. NULL: the
 * limit, or no memory. */
void *table_reach(struct table *table, struct table_key key);
/* NULL: there is none. */
const void *table_find(const struct table *table, struct table_key key);
/* All items, in no order: start with *cursor = 0; NULL at the end. */
void *table_next(const struct table *table, uint64_t *cursor);

#endif
