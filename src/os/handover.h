/* Handing open sockets to the process that takes our place, so that nobody who connects meanwhile
 * is refused: both have the listener until the older one lets go of it.
 *
 *   older                                       heir
 *   handover_open(path, descriptors)
 *        <------------- connects --------------  handover_take(): has the descriptors
 *        ---- descriptors (SCM_RIGHTS) ------->  starts up, all the while the older one serves
 *        <------------- "ready" ---------------  handover_ready()
 *   asked(): stops accepting, gives up
 *   its names, handover_done()
 *        -------------- "done" --------------->  serves alone, opens its own handover
 *
 * The socket has mode 0600 and hands nothing to other users but root. An heir that dies on the way
 * changes nothing. The giving side lives on its loop's thread; the taking side blocks, at start.
 * Limits: HANDOVER_MAX descriptors, one heir at a time.
 */
#ifndef SEOM_OS_HANDOVER_H
#define SEOM_OS_HANDOVER_H

#include "base/err.h"
#include "os/loop.h"
#include <stddef.h>
#include <stdint.h>

#define HANDOVER_MAX 4

struct handover;

struct handover_options {
    struct loop *loop;      /* borrowed */
    const char *path;       /* of the socket; one that nobody listens on is replaced */
    const int *descriptors; /* borrowed, stay ours */
    uint32_t count;
    void (*asked)(void *ctx); /* the heir is ready; once for each handover */
    void *ctx;
};

/* ERR_EXISTS: somebody else gives there; ERR_TOO_LARGE: the path; ERR_IO. */
enum err handover_open(const struct handover_options *options, struct handover **out) MUST_USE;
/* Whatever the heir needs is free now. The socket's name is gone already. */
void handover_done(struct handover *handover);
void handover_close(struct handover **handover); /* NULL is fine */

/* *line is kept until handover_ready(). ERR_NOT_FOUND: nobody gives anything there; ERR_DENIED;
 * ERR_FORMAT: what came was not `count` descriptors; ERR_UNAVAILABLE: no answer in timeout_ms. */
enum err handover_take(const char *path, int *descriptors, uint32_t count, int timeout_ms,
                       int *line) MUST_USE;
/* Closes line. ERR_UNAVAILABLE: the older one did not let go in timeout_ms (or is gone). */
enum err handover_ready(int line, int timeout_ms) MUST_USE;

#endif
