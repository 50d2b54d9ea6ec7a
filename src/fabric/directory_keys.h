/* What stands where in the directory of a cluster: `/seom/<world>/<shard>/<role>/<index>` for a
 * node, `/seom/<world>/<table>` for a small table of the whole world. Pure functions, any thread.
 */
#ifndef SEOM_FABRIC_DIRECTORY_KEYS_H
#define SEOM_FABRIC_DIRECTORY_KEYS_H

#include "base/bytes.h"
#include "env/directory.h"
#include <stdbool.h>
#include <stdint.h>

#define DIRECTORY_NAME_MAX 15 /* bytes of a role's or a table's name */

struct directory_place {
    uint32_t shard, index;
    char role[DIRECTORY_NAME_MAX + 1]; /* lower-case letters */
};

struct directory_key {
    char text[DIRECTORY_KEY_MAX]; /* ends with 0 */
};

struct directory_key directory_prefix(uint32_t world); /* of all that is said about a world */
struct directory_key directory_key_of_node(uint32_t world, const struct directory_place *place);
struct directory_key directory_key_of_table(uint32_t world, const char *table);
/* The key without the world's prefix; both false when it is of another form. */
bool directory_key_is_node(uint32_t world, struct slice key, struct directory_place *place);
bool directory_key_is_table(uint32_t world, struct slice key, const char *table);
struct slice directory_key_slice(const struct directory_key *key);

#endif
