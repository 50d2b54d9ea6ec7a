/* Links between threads of one process: the port struct env_links over rings of bytes. Every thread
 * owns a struct rings with a place for each peer; rings_connect() lays a pair of rings between two
 * of them. What is sent becomes visible at rings_publish(), once per loop turn, and only a peer
 * that sleeps is woken (loop_wake()).
 *
 * A thread's loop: loop_turn(loop, rings_sleep(rings) ? wait : 0); rings_awake(); rings_receive();
 * its own work; rings_publish().
 *
 * Limits: RINGS_PEERS_MAX peers; bytes per direction as given. Full is ERR_FULL, counted by the
 * ring. Depths and counts may be asked by either side's thread.
 */
#ifndef SEOM_OS_RINGS_H
#define SEOM_OS_RINGS_H

#include "base/err.h"
#include "env/env.h"
#include "os/loop.h"
#include <stdbool.h>
#include <stdint.h>

#define RINGS_PEERS_MAX     16
#define RINGS_MESSAGES_TURN 4096 /* received from each peer per call */

struct rings;

struct rings *rings_alloc(struct loop *loop); /* loop: this thread's, borrowed */
/* After all threads have ended, or before any was started. A peer must not be used afterwards. */
void rings_free(struct rings **rings);
/* Before the threads start. For a, b is peer number b_peer, and the other way round; sizes are
 * powers of two. */
void rings_connect(struct rings *a, uint32_t a_peer, struct rings *b, uint32_t b_peer,
                   uint32_t a_to_b_bytes, uint32_t b_to_a_bytes);
struct env_links rings_port(struct rings *rings);

struct rings_handler {
    void *ctx;
    /* bytes are the ring's and gone when it returns. It may send. */
    void (*message)(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n);
};

/* Returns how many messages there were. */
uint32_t rings_receive(struct rings *rings, const struct rings_handler *handler);
void rings_publish(struct rings *rings);
bool rings_sleep(struct rings *rings); /* about to wait; false: do not, there is something */
void rings_awake(struct rings *rings);

struct rings_stats {
    uint64_t sent, received;      /* messages */
    uint64_t full;                /* messages that this side could not send */
    uint64_t wakes;               /* times this side woke the peer */
    uint32_t out_bytes, in_bytes; /* waiting now */
};

struct rings_stats rings_stats(const struct rings *rings, uint32_t peer); /* own thread */

#endif
