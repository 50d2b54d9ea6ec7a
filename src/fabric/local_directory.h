/* The directory of a cluster that lives in one process: the port env/directory.h for one client,
 * in memory, with nothing that can fail. Its revisions begin where the owner says, who keeps the
 * last one over a restart if node_epochs shall not come twice.
 *
 * Logic room, one thread. Limit: LOCAL_DIRECTORY_CALLS_MAX calls under way.
 */
#ifndef SEOM_FABRIC_LOCAL_DIRECTORY_H
#define SEOM_FABRIC_LOCAL_DIRECTORY_H

#include "env/directory.h"
#include "env/env.h"

#define LOCAL_DIRECTORY_CALLS_MAX 16

struct local_directory;

struct local_directory *local_directory_alloc(uint64_t revision, struct env_clock clock,
                                              struct directory_done done);
void local_directory_free(struct local_directory **directory);
struct env_directory local_directory_port(struct local_directory *directory);
/* Answers what was asked. Returns the next mono time (us) at which there is something to do; 0: at
 * once. */
int64_t local_directory_turn(struct local_directory *directory);
uint64_t local_directory_revision(const struct local_directory *directory);
/* Forgets all changes up to now, as it does by itself with the oldest. */
void local_directory_compact(struct local_directory *directory);

#endif
