/* Putting a new process in the place of a node of a cluster, if need be of another program: a gate
 * by an heir, so that nobody who connects is refused; a home by giving its people away first, a
 * relay by ending it in order. A node that does not serve is killed and started.
 *
 * What a tool does from outside, over control sockets, waiting: any thread, no state but struct
 * replace, which is the caller's. One tool at a time in a cluster: between replace_begin() and
 * replace_end().
 */
#ifndef SEOM_APP_REPLACE_H
#define SEOM_APP_REPLACE_H

#include "app/cluster_ask.h"
#include "app/launch.h"
#include "base/err.h"
#include <stdbool.h>

struct replace {
    const char *data, *name;      /* borrowed */
    const char *program;          /* borrowed; "": of whoever keeps the cluster; NULL: as it is */
    bool stops;                   /* a signal that is held ends its longest wait, the drain */
    char before[LAUNCH_PATH_MAX]; /* out: what it was started from until now */
    int64_t players;              /* out: how many it had */
    double drained_s, seconds;    /* out: until the process before had ended; until all was done */
    int64_t served_us;            /* own: since when the new process serves; 0: it does not */
    char why[CLUSTER_ASK_WHY_MAX];
};

/* ERR_EXISTS: another tool is at work, also one of another user; ERR_NOT_FOUND, ERR_DENIED: there
 * is no such data directory, or it is not ours. The kernel ends it with the process. */
enum err replace_begin(const char *data, int *claim, char why[CLUSTER_ASK_WHY_MAX]) MUST_USE;
void replace_end(int claim);
/* Until it serves and has all its links. ERR_NOT_FOUND: there is no such node; ERR_UNAVAILABLE: a
 * stage failed, or was ended by a signal; a gate then goes on as before, a home may be ended or
 * come up again and again: replacing it again, by what it was before, brings it back. */
enum err replace_node(struct replace *r) MUST_USE;
/* After that failed: as it was, if it is not so anyway. why is that of this attempt. */
enum err replace_back(struct replace *r) MUST_USE;

#endif
