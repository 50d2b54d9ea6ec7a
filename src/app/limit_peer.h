/* The other end of bench limit: connects, reads everything away, writes 20-byte messages. Runs in a
 * child process; the two speak through a page of shared memory. For limit*.c only.
 */
#ifndef SEOM_APP_LIMIT_PEER_H
#define SEOM_APP_LIMIT_PEER_H

#include "app/limit.h"
#include <stdatomic.h>

/* The server sets the phase, the peer follows within a turn: connect all, talk fast, talk as asked.
 */
enum limit_phase { LIMIT_LISTEN, LIMIT_CONNECT, LIMIT_WARM_UP, LIMIT_TALK };

struct limit_shared {
    struct limit_options options;
    _Atomic uint32_t phase;
    uint16_t port;                  /* before LIMIT_CONNECT */
    _Atomic uint64_t drained_bytes; /* by the peer, ever */
    _Atomic uint32_t peer_error;    /* enum err */
    struct limit_result result;     /* of the server, when it has exited */
};

int limit_peer_run(void *shared); /* until it is killed; an exit code */

#endif
