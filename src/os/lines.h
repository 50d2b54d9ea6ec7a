/* Lines between nodes over TCP: the port env/transport.h on a loop. Listens on one address, dials
 * without blocking, reads into one buffer that all lines share, sends gathered. Edge-triggered, as
 * in os/conns.h: one event and one recv for what came together.
 *
 * What is said on a line is neither encrypted nor does it prove who speaks: only addresses of this
 * machine are listened on and dialled, unless `plain` says that the network is trusted.
 *
 * Owned by the loop's thread. Limits: LINES_MAX lines, LINES_BUFFER_BYTES asked of the kernel for
 * each direction of one (it gives at most net.core.wmem_max and rmem_max). When the table or the
 * descriptors are full, accepting pauses for LINES_PAUSE_US and those who knock wait in the
 * backlog. There is no keep-alive: the nodes' heart-beats do that. close() with unread input resets
 * the line; what was said last has arrived at the peer's kernel by then or is lost.
 */
#ifndef SEOM_OS_LINES_H
#define SEOM_OS_LINES_H

#include "env/transport.h"
#include "os/loop.h"

#define LINES_READ_BYTES   (256U << 10) /* a call-back */
#define LINES_BUFFER_BYTES (256U << 10) /* more would be bytes that grow old in it */
#define LINES_TURN_BYTES   (4U << 20)   /* read of one line before others have their turn */
#define LINES_ACCEPT_BURST 64           /* per turn */
#define LINES_PAUSE_US     100000
#define LINES_WHY_MAX      160

struct lines;

struct lines_options {
    struct loop *loop;  /* borrowed */
    const char *listen; /* "host:port", port 0: a free one; NULL: only dials */
    bool plain;         /* also other addresses than those of this machine */
};

struct lines_stats {
    uint64_t dials, accepted, closed;
    uint64_t sends, send_bytes; /* that reached the kernel, whole or in part */
    uint64_t receives, receive_bytes;
    uint64_t would_block; /* sends of which the kernel took less than all */
    uint64_t accept_failures;
};

/* Listens from now on; whoever dials waits until lines_start(). why: for people, when it fails. */
enum err lines_open(const struct lines_options *options, struct lines **out,
                    char why[LINES_WHY_MAX]) MUST_USE;
/* Call-backs come from loop_turn() from now on; the port is usable. */
void lines_start(struct lines *lines, const struct transport_events *events);
void lines_close(struct lines **lines); /* closes all, without call-backs */
/* dial() also answers ERR_DENIED: not an address of this machine, and not `plain`. */
struct env_transport lines_port(struct lines *lines);
/* What others dial; empty when it only dials. */
const char *lines_address(const struct lines *lines);
/* Call once per loop turn. Returns the mono time (us) at which it wants to be called again,
 * INT64_MAX when there is nothing to wait for. */
int64_t lines_turn(struct lines *lines, int64_t now_us);
uint32_t lines_count(const struct lines *lines);
struct lines_stats lines_stats(const struct lines *lines);

#endif
