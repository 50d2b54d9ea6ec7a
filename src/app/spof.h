/* What stands alone in a cluster: for each role of each shard, each engine and the machine, whether
 * there is only one that does it, and what would die with it. Works on what the keeper of a cluster
 * lists. No state; any thread.
 */
#ifndef SEOM_APP_SPOF_H
#define SEOM_APP_SPOF_H

#include <jansson.h>

/* An array of {"what", "name", "dies"}; the caller's. */
json_t *spof_find(const json_t *list);

#endif
