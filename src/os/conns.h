/* Client connections of one gate thread: the port struct env_conns over a loop. Accepts in bounded
 * bursts, reads once per readiness into one buffer that all connections share, and sends gathered.
 * Edge-triggered (docs/threads.md has the figures): one event and one recv per message that came.
 *
 * Owned by its gate thread. Limits: `limit` connections, LISTEN_SEND_BUFFER_BYTES of unsent bytes
 * each in the kernel, CONNS_READ_BYTES a call-back. Where descriptors run out or the table is full,
 * accepting pauses for CONNS_PAUSE_US and those who knock wait in the backlog.
 *
 * close() of a socket with unread input resets the connection, and the peer may lose what it was
 * told last. So env_conns.close() only ends our direction; the socket lingers, its input thrown
 * away, until the peer closes too, but for CONNS_LINGER_US and CONNS_LINGER_BYTES at most. Its
 * owner has nothing more to do with it; it counts in conns_count() until it is gone.
 */
#ifndef SEOM_OS_CONNS_H
#define SEOM_OS_CONNS_H

#include "base/err.h"
#include "base/hist.h"
#include "env/env.h"
#include "os/loop.h"
#include <stdint.h>
#include <sys/socket.h>

#define CONNS_READ_BYTES   (64 * 1024)
#define CONNS_ACCEPT_BURST 64           /* per turn */
#define CONNS_PAUSE_US     100000       /* without accepting, after descriptors ran out */
#define CONNS_DESCRIPTORS  64           /* kept free for everything else by the default limit */
#define CONNS_LINGER_US    2000000      /* for what was sent before closing to be read */
#define CONNS_LINGER_BYTES (256 * 1024) /* of input thrown away meanwhile */

struct conns;

/* Calls back on the thread of the loop, from loop_turn() only. conn is an index below the limit; it
 * is the owner's until closed() or env_conns.close(), both of which may happen in any call-back. */
struct conns_events {
    void *ctx;
    void (*opened)(void *ctx, uint32_t conn);
    /* bytes may be changed in place, and are gone when it returns. n > 0. */
    void (*received)(void *ctx, uint32_t conn, uint8_t *bytes, size_t n);
    void (*writable)(void *ctx, uint32_t conn); /* there is room again, as wanted */
    /* By the peer, or broken. The connection is already gone: do not close it. */
    void (*closed)(void *ctx, uint32_t conn);
};

struct conns_options {
    struct loop *loop; /* borrowed */
    int listener;      /* of listen_open(); belongs to conns from now on, and is left to the caller
                          when opening fails; -1: connections only by conns_adopt() */
    uint32_t limit;    /* 0: as many as the descriptor limit allows, less CONNS_DESCRIPTORS */
    struct conns_events events;
};

struct conns_stats {
    uint64_t accepted, closed;  /* by either side */
    uint64_t sends, send_bytes; /* that reached the kernel, whole or in part */
    uint64_t receives, receive_bytes;
    uint64_t would_block;     /* sends of which the kernel took less than all */
    uint64_t accept_failures; /* descriptors or table full, connection broken before it was taken */
};

enum err conns_open(const struct conns_options *options, struct conns **out) MUST_USE;
void conns_close(struct conns **conns); /* closes all connections, without call-backs */

/* want_writable: stays on until switched off; called each time there is room again. */
struct env_conns conns_port(struct conns *conns);
/* Takes a connected non-blocking socket in, as if it had been accepted (opened() is called).
 * ERR_FULL: fd is still the caller's. */
enum err conns_adopt(struct conns *conns, int fd) MUST_USE;
/* Begins to listen where no listener was given; the descriptor belongs to conns from now on. */
enum err conns_listen(struct conns *conns, int listener) MUST_USE;
/* Stops listening for good; the connections stay. */
void conns_stop_listening(struct conns *conns);
/* Call once per loop turn. Returns the mono time (us) at which it wants to be called again,
 * INT64_MAX when there is nothing to wait for. */
int64_t conns_turn(struct conns *conns, int64_t now_us);

uint32_t conns_count(const struct conns *conns);
uint32_t conns_limit(const struct conns *conns);
struct conns_stats conns_stats(const struct conns *conns);
/* false: the peer has gone meanwhile. */
bool conns_peer(const struct conns *conns, uint32_t conn, struct sockaddr_storage *address);
/* What the kernel still holds of what was sent (SIOCOUTQ), of `count` connections, into the
 * histogram; each call goes on behind where the last one stopped. One system call a sample. */
void conns_sample_queues(struct conns *conns, uint32_t count, struct hist *bytes);

#endif
