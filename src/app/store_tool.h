/* A store of servers for tools, which block: opened, read from end to end, closed. What is read is
 * what stood there when its page came, so a whole is only whole while nobody writes; tools that
 * need one moment say so to whoever runs them. Pends that were left behind are resolved as any
 * reader does. Main thread of a command.
 */
#ifndef SEOM_APP_STORE_TOOL_H
#define SEOM_APP_STORE_TOOL_H

#include "app/cluster_store.h"
#include "os/lmdb_store.h"

#define STORE_TOOL_PATIENCE_MS 15000

/* Calls back for each document that exists of those that begin with prefix, in the order of keys,
 * until it answers false. ERR_UNAVAILABLE: a server does not answer; ERR_FORMAT: no servers of this
 * world, see why. */
enum err store_tool_scan(const char *addresses, uint16_t world, const char *prefix,
                         lmdb_scan_each *each, void *ctx, char why[CLUSTER_STORE_WHY_MAX]) MUST_USE;

#endif
