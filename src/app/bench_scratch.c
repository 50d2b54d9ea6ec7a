#include "app/bench_scratch.h"
#include "app/output.h"
#include "base/check.h"
#include "os/files.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void
on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

bool
scratch_stopped(void)
{
    return stop != 0;
}

void
scratch_signals_take(struct scratch_signals *before)
{
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(sigaction(SIGINT, &action, &before->interrupt) == 0);
    CHECK(sigaction(SIGTERM, &action, &before->terminate) == 0);
}

void
scratch_signals_give_back(const struct scratch_signals *before)
{
    CHECK(sigaction(SIGINT, &before->interrupt, NULL) == 0);
    CHECK(sigaction(SIGTERM, &before->terminate, NULL) == 0);
}

enum err
scratch_make(const char *parent, char path[SCRATCH_PATH_MAX])
{
    return directory_make_temporary(parent, "bench", path, SCRATCH_PATH_MAX);
}

void
scratch_remove(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        (void)unlink(file); /* "." and ".." refuse */
    }
    if (directory != NULL) {
        closedir(directory);
    }
    if (rmdir(path) != 0) {
        output_progress("%s could not be removed: %s", path, strerror(errno));
    }
}

bool
scratch_child_runs(pid_t child)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}
