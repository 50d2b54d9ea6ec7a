/* How a process of a cluster is started: arguments, as which user, where its output goes. It dies
 * with the thread that started it. A plain value that owns its texts; any thread until
 * launch_run().
 */
#ifndef SEOM_APP_LAUNCH_H
#define SEOM_APP_LAUNCH_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAUNCH_ARGUMENTS_MAX 48
#define LAUNCH_PATH_MAX      512
#define LAUNCH_LOG_MAX       (16U << 20) /* a longer log is moved aside at the next start */

struct launch {
    char program[LAUNCH_PATH_MAX];
    char *arguments[LAUNCH_ARGUMENTS_MAX + 1];
    uint32_t count;
    char *variable; /* "NAME=value" of its environment, or "NAME" to take it away; NULL: as ours */
    uid_t uid;      /* only looked at when we are root; 0: as ourselves */
    gid_t gid;
    int death_signal; /* what it gets when we are gone; 0: SIGKILL */
};

void launch_add(struct launch *launch, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* CHECKs the limit */
/* What nobody is to read in a list of processes is given so: value NULL takes the variable away.
 * One of a launch. */
void launch_variable(struct launch *launch, const char *name, const char *value);
void launch_free(struct launch *launch);
/* Its output is appended to log; *ended_fd becomes readable when it has ended, and is the caller's,
 * who then reaps it with process_wait(). ERR_FULL, ERR_IO (the log). A program that cannot be
 * executed ends with exit code 127. */
enum err launch_run(const struct launch *launch, const char *log, pid_t *pid,
                    int *ended_fd) MUST_USE;
/* The last line of a log without its end, or the fatal one of PostgreSQL close before it, as
 * text_make_line() leaves it; "" when there is none. */
void launch_log_tail(const char *log, char *out, size_t out_bytes);

#endif
