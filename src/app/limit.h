/* What the bare loop costs on this machine: gathered sends of B bytes in K pieces to N loopback
 * connections in turn, and receives of 20-byte messages from them, through the very loop and conns
 * the server uses, and nothing else. Everything the server adds shows in the ratio to this.
 *
 * Both ends run in children of their own: the serving one on core 0, where its CPU time is counted
 * (its thread, so what the kernel does on its behalf is counted, too: on loopback that includes the
 * receiver's half of TCP), and the peer on core 1, which reads everything away and writes messages
 * as bots do. Sends go out in bursts every 10 ms, as the gate's slots make them; between the bursts
 * it receives. Both happen in the same seconds, because each makes the other cheaper or dearer
 * (acknowledgements ride on data, caches are shared); the bursts' CPU time is counted apart.
 *
 * Blocks the calling thread; call it where a fork is fine (the children use only what they make
 * themselves). Limit: LIMIT_CONNECTIONS_MAX connections, LIMIT_BYTES_MAX bytes, and the pieces of
 * one sendmsg.
 */
#ifndef SEOM_APP_LIMIT_H
#define SEOM_APP_LIMIT_H

#include "base/err.h"
#include <stdint.h>

#define LIMIT_CONNECTIONS_MAX 19500 /* of 20,000 descriptors */
#define LIMIT_BYTES_MAX       65536
#define LIMIT_PIECES_MAX      1024
#define LIMIT_MESSAGE_BYTES   20
#define LIMIT_GAP_US          2000 /* as the gate's loop_pace() */

struct limit_options {
    uint32_t connections, bytes, pieces;
    uint32_t seconds;                     /* of measuring; connecting and warming up come before */
    uint32_t sends_per_s, receives_per_s; /* of all connections together; 0 = the default */
    uint32_t gap_us;                      /* 0 = LIMIT_GAP_US */
};

#define LIMIT_SENDS_PER_S    50000
#define LIMIT_RECEIVES_PER_S 25000

struct limit_result {
    enum err error;                     /* nothing else is set unless OK */
    const char *why;                    /* static, for people */
    double send_us, receive_us;         /* of CPU, each */
    double sends_per_s, receives_per_s; /* measured, as far as both ends kept up */
    double turns_per_s, cpu_share;      /* of the serving loop; 1 = a whole core: it is saturated */
    uint64_t sends, receives, would_block;
    uint64_t preemptions; /* other work took the serving core away: caches were lost each time */
};

struct limit_result bench_limit_run(const struct limit_options *options);

#endif
