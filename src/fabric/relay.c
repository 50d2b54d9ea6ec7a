#include "fabric/relay.h"

#include "base/check.h"

void
relay_open(struct relay *r, const struct node *self, struct requests *requests,
           const struct env *env, enum notes_mutant mutant)
{
    CHECK(r->notes == NULL && self->role == NODE_RELAY);
    struct notes_options options = {.self = *self, .mutant = mutant};
    *r = (struct relay){.notes = notes_alloc(&options, requests, env), .requests = requests};
}

void
relay_close(struct relay *r)
{
    if (r->notes != NULL) {
        notes_free(&r->notes);
    }
}

void
relay_peer_up(struct relay *r, uint32_t peer, const struct node *node)
{
    notes_peer_up(r->notes, peer, node);
}

void
relay_peer_down(struct relay *r, uint32_t peer)
{
    notes_peer_down(r->notes, peer);
    requests_peer_down(r->requests, peer);
}

void
relay_message(struct relay *r, uint32_t peer, const uint8_t *bytes, size_t n)
{
    if (!requests_message(r->requests, peer, bytes, n) && n > 0) {
        r->refused[bytes[0]]++;
    }
}

void
relay_renamed(struct relay *r, uint64_t epoch)
{
    notes_renamed(r->notes, epoch);
}
