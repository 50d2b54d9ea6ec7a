/* What a process adds to a home's part in a world of several shards (fabric/home_shards.h): its
 * options, its log, its status. Part of struct home_node, on its thread.
 */
#ifndef SEOM_APP_HOME_NOTES_H
#define SEOM_APP_HOME_NOTES_H

#include "app/node.h"
#include "fabric/home_shards.h"
#include "world/world.h"

/* --shard and --shards fit together. */
enum err home_notes_check(const struct config *config, char why[NODE_WHY_MAX]) MUST_USE;
/* The node has joined its mesh. *world is told what is heard, once it is there; borrowed. */
void home_notes_open(struct home_shards *h, struct node_process *node, struct world **world);
void home_notes_table(struct home_shards *h, const struct directory *directory,
                      const struct env *env);
/* {"lines_told", "lines_heard", ...} */
json_t *home_notes_status(const struct home_shards *h);

#endif
