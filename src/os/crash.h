/* What is left behind when the process breaks: a failed CHECK or a fatal signal writes its reason,
 * a backtrace and the last records of every registered trace to stderr and to
 * <data>/crash-<pid>.txt; then the process dies as it would have (a core file, the exit status).
 *
 * The one mutable global of this room: a signal has no context to be handed down. Installed once by
 * app/ before threads start. What runs afterwards allocates nothing and takes no lock; the first
 * thread that breaks writes, others wait for the end.
 *
 * Limits: CRASH_TRACES_MAX traces, CRASH_FRAMES_MAX frames.
 */
#ifndef SEOM_OS_CRASH_H
#define SEOM_OS_CRASH_H

#include "base/err.h"
#include "base/trace.h"

#define CRASH_TRACES_MAX 32
#define CRASH_FRAMES_MAX 64

/* directory NULL: stderr only. ERR_TOO_LARGE: a path that long. Installing again only changes the
 * directory. */
enum err crash_install(const char *directory) MUST_USE;
/* Each thread, once, when it starts and before it ends: its trace (may be NULL) and a stack on
 * which an overflow of its own stack can still be told. */
void crash_thread_begin(const struct trace *trace);
void crash_thread_end(const struct trace *trace);

#endif
