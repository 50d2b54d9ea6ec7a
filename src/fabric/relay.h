/* What a relay is beside its mesh: notes that go from its shard to the others and come from there
 * (notes.h), and nothing else. Whatever else is said to it is counted by its kind and dropped, so a
 * position or an input never leaves its shard by this way.
 *
 * Logic room, one thread, owned by a node of the relay role, beside its requests.
 */
#ifndef SEOM_FABRIC_RELAY_H
#define SEOM_FABRIC_RELAY_H

#include "fabric/notes.h"

#define RELAY_KINDS 256

struct relay {
    struct notes *notes;           /* owned; NULL: not open */
    struct requests *requests;     /* borrowed */
    uint64_t refused[RELAY_KINDS]; /* messages that are no requests, by their kind */
};

void relay_open(struct relay *r, const struct node *self, struct requests *requests,
                const struct env *env, enum notes_mutant mutant);
void relay_close(struct relay *r); /* open or not */
void relay_peer_up(struct relay *r, uint32_t peer, const struct node *node);
void relay_peer_down(struct relay *r, uint32_t peer);
void relay_message(struct relay *r, uint32_t peer, const uint8_t *bytes, size_t n);
/* The process has another epoch now. */
void relay_renamed(struct relay *r, uint64_t epoch);

#endif
