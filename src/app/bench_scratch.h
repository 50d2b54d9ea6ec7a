/* What every bench needs that leaves nothing behind: a directory of its own, and an orderly end
 * when somebody interrupts it. One bench at a time, on the main thread.
 */
#ifndef SEOM_APP_BENCH_SCRATCH_H
#define SEOM_APP_BENCH_SCRATCH_H

#include "base/err.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define SCRATCH_PATH_MAX 256

/* SIGINT and SIGTERM ask for the end instead of ending the process, until they are given back. */
struct scratch_signals {
    struct sigaction interrupt, terminate;
};

void scratch_signals_take(struct scratch_signals *before);
void scratch_signals_give_back(const struct scratch_signals *before);
bool scratch_stopped(void); /* one of them came */

/* A new directory in parent; NULL, and errors: as in os/files.h. */
enum err scratch_make(const char *parent, char path[SCRATCH_PATH_MAX]) MUST_USE;
/* With the files that lie flat in it. */
void scratch_remove(const char *path);

/* Without reaping it. */
bool scratch_child_runs(pid_t child);

#endif
