/* A node's entry in the directory, as bytes (proto/directory.proto). Pure functions, any thread. */
#ifndef SEOM_FABRIC_DIRECTORY_NODE_H
#define SEOM_FABRIC_DIRECTORY_NODE_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/directory.h"
#include "fabric/book.h"

#define DIRECTORY_NODE_MAX 512 /* bytes */

/* What the key says (shard, role, index, name) is not in the bytes. */
struct directory_node {
    struct node node; /* epoch 0: the revision that made the entry */
    uint64_t installation, life;
};

/* ERR_FORMAT, ERR_TOO_LARGE: nobody of this software wrote that. The identity is not touched. */
enum err directory_node_read(struct slice bytes, struct directory_node *out) MUST_USE;
size_t directory_node_write(const struct directory_node *node, uint8_t out[DIRECTORY_NODE_MAX]);

#endif
