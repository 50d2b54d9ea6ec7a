#include "os/rings.h"
#include "base/check.h"
#include "base/ring.h"
#include <stdlib.h>

struct end {
    struct ring *in;        /* owned: who reads a ring frees it; NULL = no such peer */
    struct ring *out;       /* borrowed, the peer's in */
    struct loop *peer_loop; /* borrowed */
    bool unpublished;
    uint64_t sent, received, wakes;
};

struct rings {
    struct loop *loop;
    uint32_t ends_used; /* highest peer number + 1 */
    struct end ends[RINGS_PEERS_MAX];
};

struct rings *
rings_alloc(struct loop *loop)
{
    CHECK(loop != NULL);
    struct rings *rings = calloc(1, sizeof(*rings));
    CHECK(rings);
    rings->loop = loop;
    return rings;
}

void
rings_free(struct rings **rings)
{
    if (*rings != NULL)
        for (uint32_t i = 0; i < (*rings)->ends_used; i++)
            ring_free(&(*rings)->ends[i].in);
    free(*rings);
    *rings = NULL;
}

static struct end *
end_new(struct rings *rings, uint32_t peer, uint32_t in_bytes)
{
    CHECK(peer < RINGS_PEERS_MAX && rings->ends[peer].in == NULL);
    if (rings->ends_used <= peer)
        rings->ends_used = peer + 1;
    rings->ends[peer].in = ring_alloc(in_bytes);
    return &rings->ends[peer];
}

void
rings_connect(struct rings *a, uint32_t a_peer, struct rings *b, uint32_t b_peer,
              uint32_t a_to_b_bytes, uint32_t b_to_a_bytes)
{
    struct end *at_a = end_new(a, b_peer, b_to_a_bytes);
    struct end *at_b = end_new(b, a_peer, a_to_b_bytes);
    at_a->out = at_b->in;
    at_a->peer_loop = b->loop;
    at_b->out = at_a->in;
    at_b->peer_loop = a->loop;
}

static enum err
port_send(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct rings *rings = ctx;
    CHECK(peer < rings->ends_used && rings->ends[peer].out != NULL);
    struct end *end = &rings->ends[peer];
    enum err error = ring_send(end->out, pieces, count);
    if (error == OK) {
        end->sent++;
        end->unpublished = true;
    }
    return error;
}

struct env_links
rings_port(struct rings *rings)
{
    return (struct env_links){.ctx = rings, .send = port_send};
}

static uint32_t
end_receive(struct end *end, uint32_t peer, const struct rings_handler *handler)
{
    uint32_t count = 0, bytes;
    const uint8_t *message;
    while (count < RINGS_MESSAGES_TURN && (message = ring_peek(end->in, &bytes)) != NULL) {
        handler->message(handler->ctx, peer, message, bytes);
        ring_consume(end->in);
        count++;
    }
    end->received += count;
    return count;
}

uint32_t
rings_receive(struct rings *rings, const struct rings_handler *handler)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rings->ends_used; i++)
        if (rings->ends[i].in != NULL)
            count += end_receive(&rings->ends[i], i, handler);
    return count;
}

void
rings_publish(struct rings *rings)
{
    for (uint32_t i = 0; i < rings->ends_used; i++) {
        struct end *end = &rings->ends[i];
        if (!end->unpublished)
            continue;
        end->unpublished = false;
        if (ring_publish(end->out)) {
            loop_wake(end->peer_loop);
            end->wakes++;
        }
    }
}

bool
rings_sleep(struct rings *rings)
{
    for (uint32_t i = 0; i < rings->ends_used; i++)
        if (rings->ends[i].in != NULL && !ring_sleep(rings->ends[i].in)) {
            rings_awake(rings);
            return false;
        }
    return true;
}

void
rings_awake(struct rings *rings)
{
    for (uint32_t i = 0; i < rings->ends_used; i++)
        if (rings->ends[i].in != NULL)
            ring_awake(rings->ends[i].in);
}

struct rings_stats
rings_stats(const struct rings *rings, uint32_t peer)
{
    CHECK(peer < rings->ends_used && rings->ends[peer].in != NULL);
    const struct end *end = &rings->ends[peer];
    return (struct rings_stats){.sent = end->sent,
                                .received = end->received,
                                .full = ring_full_count(end->out),
                                .wakes = end->wakes,
                                .out_bytes = ring_depth_bytes(end->out),
                                .in_bytes = ring_depth_bytes(end->in)};
}
