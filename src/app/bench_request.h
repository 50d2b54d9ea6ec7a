/* The two sides of `seom bench request`, each with an asker on the calling thread and a worker on a
 * thread of its own, which sleeps while the other side is measured:
 *
 *   link   requests over a mesh of two nodes, over TCP on this machine: what a home does
 *   bare   as many bytes each way over the same kind of socket with nothing but epoll, recv and
 *          send; whatever came together is answered together
 *
 * One thread; a run is bounded by its time and by `depth` messages under way.
 */
#ifndef SEOM_APP_BENCH_REQUEST_H
#define SEOM_APP_BENCH_REQUEST_H

#include "base/err.h"
#include "base/hist.h"

#define REQUEST_DEPTH_MAX 2048
#define REQUEST_BODY      64 /* bytes, each way */
#define REQUEST_ASK_HEAD  19 /* of the frame and of the message around an asked body */
#define REQUEST_DONE_HEAD 14 /* likewise of an answer */

struct request_run {
    uint64_t answers;
    int64_t wall_us, cpu_us; /* cpu: of both threads */
    struct hist latency_us;
};

struct request_bare;
struct request_link;

enum err request_bare_open(struct request_bare **out) MUST_USE;
void request_bare_close(struct request_bare **side);
enum err request_bare_run(struct request_bare *side, uint32_t depth, int64_t us,
                          struct request_run *out) MUST_USE;

enum err request_link_open(struct request_link **out) MUST_USE;
void request_link_close(struct request_link **side);
enum err request_link_run(struct request_link *side, uint32_t depth, int64_t us,
                          struct request_run *out) MUST_USE;

#endif
