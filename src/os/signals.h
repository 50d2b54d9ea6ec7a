/* SIGTERM and SIGINT as events of a loop (signalfd). Open it on the main thread before any other
 * thread starts: they inherit that these signals are blocked. SIGPIPE is ignored from then on.
 */
#ifndef SEOM_OS_SIGNALS_H
#define SEOM_OS_SIGNALS_H

#include "base/err.h"
#include "os/loop.h"

struct signals {
    struct loop *loop; /* borrowed */
    struct loop_watch watch;
    int fd;
    void *ctx;
    void (*asked)(void *ctx, int signal_number);
};

/* asked is called on the loop's thread, once for each signal. */
enum err signals_open(struct signals *s, struct loop *loop, void *ctx,
                      void (*asked)(void *ctx, int signal_number)) MUST_USE;
void signals_close(struct signals *s); /* the signals stay blocked */

/* For tools that wait without a loop and must not be ended half-way: SIGTERM, SIGINT and SIGHUP are
 * held from then on, but for those that are ignored; the tool asks whether one came. On the main
 * thread, before any other. */
void signals_hold(void);
int signals_held(void); /* the number of one that came; 0: none */

#endif
