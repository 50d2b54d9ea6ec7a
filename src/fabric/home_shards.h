/* A home's part in a world of several shards: which islands are its shard's, the notes that relays
 * bring and take, and the word where the gates of its shard are, which one home of each shard tells
 * to the others: when that changes, and every GATES_TELL_US for whoever came meanwhile or missed
 * it.
 *
 *   init (nothing is known yet) -> open (the node has joined its mesh) -> close
 *
 * Logic room, one thread, owned by a home, beside its mesh and its requests.
 */
#ifndef SEOM_FABRIC_HOME_SHARDS_H
#define SEOM_FABRIC_HOME_SHARDS_H

#include "fabric/directory.h"
#include "fabric/mesh.h"
#include "fabric/notes.h"
#include "fabric/shards.h"

#define GATES_LOOK_US 1000000 /* between two looks at who is there */
#define GATES_TELL_US 5000000

struct home_shards_options {
    struct node self;
    const struct mesh *mesh;   /* borrowed */
    struct requests *requests; /* borrowed */
    const struct env *env;     /* borrowed */
    /* A line or the word of mail, as in notes.h. */
    void (*heard)(void *ctx, const struct note *note);
    void *ctx;
    enum notes_mutant mutant;
};

struct home_shards {
    struct home_shards_options options;
    struct shards shards;
    struct notes *notes;          /* owned; NULL: not open */
    char told[NOTE_TEXT_MAX + 1]; /* addresses of our gates, as told last */
    int64_t told_us, look_us;
};

void home_shards_init(struct home_shards *h, uint16_t own, uint16_t count);
void home_shards_open(struct home_shards *h, const struct home_shards_options *options);
void home_shards_close(struct home_shards *h); /* open or not */
/* The directory's table of islands changed. ERR_FORMAT: it is none, and the former one goes on. */
enum err home_shards_table(struct home_shards *h, const struct directory *directory) MUST_USE;
/* The process has another epoch now. */
void home_shards_renamed(struct home_shards *h, uint64_t epoch);
/* Once per turn of the loop, while it is open; returns the next mono time (us). */
int64_t home_shards_turn(struct home_shards *h);

#endif
