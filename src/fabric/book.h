/* The address book of a cluster: which nodes are registered, under which epoch, where they are.
 * A cached copy that goes on being used while the directory is away. Plain data, one thread, owned
 * by whoever fills it (fabric/directory.h at homes, the links at gates).
 */
#ifndef SEOM_FABRIC_BOOK_H
#define SEOM_FABRIC_BOOK_H

#include "base/err.h"
#include "env/transport.h"
#include <stdbool.h>
#include <stdint.h>

#define BOOK_NODES_MAX 256 /* of all shards */
#define NODE_NAME_MAX  24  /* bytes with the 0: "home-2" */

enum node_role { NODE_HOME, NODE_GATE, NODE_RELAY, NODE_ROLES };

struct node {
    uint64_t epoch; /* of its registration: never reused, the name of the node in messages */
    enum node_role role;
    uint16_t shard, index;
    uint16_t protocol_min, protocol_max;
    bool draining;                  /* takes nobody in any more */
    char name[NODE_NAME_MAX];       /* node_name(), for people */
    char address[LINE_ADDRESS_MAX]; /* of its links */
    char play[LINE_ADDRESS_MAX];    /* gates: where clients connect */
    char version[NODE_NAME_MAX];    /* of the software, for people */
};

struct book {
    uint32_t count;
    uint64_t revision;                 /* grows with every change here */
    struct node nodes[BOOK_NODES_MAX]; /* by shard, role, index */
};

/* What is written on links: the lowest maximum in the book, so that everybody can read it. */
uint16_t book_protocol(const struct book *book, uint16_t own_max);
const char *node_role_name(enum node_role role); /* "home" */
/* "home-2", "gate-3-1" (of shard 3): numbers are of a shard, names of a cluster. */
void node_name(enum node_role role, uint32_t shard, uint32_t index, char out[NODE_NAME_MAX]);
/* NULL: not registered (any more). */
const struct node *book_find(const struct book *book, uint64_t epoch);
const struct node *book_find_identity(const struct book *book, uint16_t shard, enum node_role role,
                                      uint16_t index);
/* Adds or replaces what stands under the same identity. ERR_FULL. */
enum err book_put(struct book *book, const struct node *node) MUST_USE;
bool book_remove(struct book *book, uint64_t epoch);
bool book_remove_identity(struct book *book, uint16_t shard, enum node_role role, uint16_t index);
bool node_is_same(const struct node *a, const struct node *b); /* in everything */

#endif
