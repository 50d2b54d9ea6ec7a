/* A cluster's store for tools, which block: read from end to end, or open for as long as a tool
 * needs to write something.
 *
 * One server is read from one moment (os/pg_tools.h). Several are read page by page through the
 * committer, so what is read is what stood there when its page came, and a whole is only whole
 * while nobody writes; tools that need one moment say so to whoever runs them. Pends that were left
 * behind are resolved as any reader does. Main thread of a command.
 */
#ifndef SEOM_APP_STORE_TOOL_H
#define SEOM_APP_STORE_TOOL_H

#include "app/cluster_store.h"
#include "os/lmdb_store.h"

#define STORE_TOOL_PATIENCE_MS 15000

/* Of several servers nothing is read from one moment. */
bool store_tool_is_one_server(const char *addresses);

/* Calls back for each document that exists of those that begin with prefix, in the order of keys,
 * until it answers false. ERR_UNAVAILABLE: a server does not answer; ERR_FORMAT: no servers of this
 * world; and what pg_scan() answers: see why. */
enum err store_tool_scan(const char *addresses, uint16_t world, const char *prefix,
                         lmdb_scan_each *each, void *ctx, char why[CLUSTER_STORE_WHY_MAX]) MUST_USE;

struct store_tool;

/* Once it is OK, the servers are those of this world and the port takes calls. */
enum err store_tool_open(const char *addresses, uint16_t world, struct store_tool **out,
                         char why[CLUSTER_STORE_WHY_MAX]) MUST_USE;
void store_tool_close(struct store_tool **tool);
/* Answers go to done, from store_tool_step(). */
struct env_store store_tool_port(struct store_tool *tool, struct store_done done);
/* One step of what is under way, or a moment's wait. */
void store_tool_step(struct store_tool *tool);

#endif
