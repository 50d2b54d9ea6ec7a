/* Whole worlds into and out of a PostgreSQL server, for tools: documents with the versions that
 * they have elsewhere, which no commit could give them. Blocks. Not beside nodes that use the
 * server.
 */
#ifndef SEOM_OS_PG_BULK_H
#define SEOM_OS_PG_BULK_H

#include "os/lmdb_store.h"
#include "os/pg_store.h"

struct pg_bulk;

/* Makes or checks the tables; errors as pg_store_check(). */
enum err pg_bulk_open(const char *address, struct pg_bulk **out,
                      char why[PG_STORE_WHY_MAX]) MUST_USE;
void pg_bulk_close(struct pg_bulk **bulk);

/* One round: all that is put between begin and end stands there afterwards, durable, or nothing of
 * it. A document that does not exist is put as the grave that keeps its version. No key twice. */
enum err pg_bulk_begin(struct pg_bulk *bulk, char why[PG_STORE_WHY_MAX]) MUST_USE;
enum err pg_bulk_put(struct pg_bulk *bulk, struct slice key, const struct store_doc *doc,
                     char why[PG_STORE_WHY_MAX]) MUST_USE;
enum err pg_bulk_end(struct pg_bulk *bulk, char why[PG_STORE_WHY_MAX]) MUST_USE;

/* Everything that begins with prefix, graves too, as it stands at one moment, until each answers
 * false. */
enum err pg_bulk_each(struct pg_bulk *bulk, const char *prefix, lmdb_scan_each *each, void *ctx,
                      char why[PG_STORE_WHY_MAX]) MUST_USE;

#endif
