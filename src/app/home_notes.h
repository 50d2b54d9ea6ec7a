/* What a home has to do with other shards: which islands are its shard's, the notes that relays
 * bring and take, and the word where the gates of its shard are, which one home of each shard
 * tells. Part of struct home_node, on its thread.
 */
#ifndef SEOM_APP_HOME_NOTES_H
#define SEOM_APP_HOME_NOTES_H

#include "app/node.h"
#include "fabric/directory.h"
#include "fabric/notes.h"
#include "fabric/shards.h"
#include "world/world.h"

struct home_notes {
    struct node_process *node; /* borrowed */
    struct world **world;      /* borrowed; NULL there: not yet */
    struct notes *notes;       /* owned; NULL: not yet */
    struct shards shards;
    char told[NOTE_TEXT_MAX + 1]; /* gates, by us or heard by others of our shard */
    int64_t told_us;
};

/* --shard and --shards fit together. */
enum err home_notes_check(const struct config *config, char why[NODE_WHY_MAX]) MUST_USE;
void home_notes_init(struct home_notes *h, struct node_process *node, struct world **world);
void home_notes_open(struct home_notes *h); /* the node has joined */
void home_notes_close(struct home_notes *h);
void home_notes_table(struct home_notes *h, const struct directory *directory);
void home_notes_turn(struct home_notes *h, int64_t now_us); /* once a second */
/* {"lines", "heard", "led", ...} */
json_t *home_notes_status(const struct home_notes *h);

#endif
