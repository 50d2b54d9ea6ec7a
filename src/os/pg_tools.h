/* A PostgreSQL server for tools, beside nodes that use it: a scan of one moment, over a connection
 * of its own, that is opened for it and closed behind it. It blocks.
 *
 * The scan is one transaction, REPEATABLE READ and READ ONLY: it sees the store as it stood when it
 * began, disturbs nobody, makes no tables and works on a standby too, which is taken when no
 * server that takes writes answers. Rows are streamed in the order of keys, by the index, so the
 * server sorts nothing and keeps nothing aside. What is written over meanwhile is cleaned up by
 * PostgreSQL only after its end. A server that says nothing for PG_TOOLS_PATIENCE_MS is given up.
 */
#ifndef SEOM_OS_PG_TOOLS_H
#define SEOM_OS_PG_TOOLS_H

#include "os/pg_store.h"

#define PG_TOOLS_PATIENCE_MS 15000

/* key and doc: borrowed until it returns; false: enough. */
typedef bool pg_scan_each(void *ctx, struct slice key, const struct store_doc *doc);

/* Calls back for each document that exists of those that begin with prefix. ERR_FORMAT: the
 * address, or no store of ours; ERR_NEWER; ERR_UNAVAILABLE: no server answers, or not to the end;
 * ERR_DENIED, ERR_IO: it answered with an error. */
enum err pg_scan(const char *address, const char *prefix, pg_scan_each *each, void *ctx,
                 char why[PG_STORE_WHY_MAX]) MUST_USE;

#endif
