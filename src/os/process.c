#include "os/process.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAMILY_TEXT_MAX 4096 /* numbers of children */

static int64_t
clock_us(clockid_t clock)
{
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
process_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t
process_cpu_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t
thread_cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

enum err
process_cpu_us_of(pid_t pid, int64_t *us)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return ERR_NOT_FOUND;
    *us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    return OK;
}

enum err
process_cpu_us_of_family(pid_t pid, int64_t *us)
{
    char path[64], text[FAMILY_TEXT_MAX] = "";
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    FILE *file = fopen(path, "re");
    enum err error = process_cpu_us_of(pid, us);
    if (file == NULL || error != OK) {
        if (file != NULL)
            fclose(file);
        return error != OK ? error : ERR_NOT_FOUND;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (char *at = text, *end; *at != '\0'; at = end) {
        int64_t one;
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        if (process_cpu_us_of((pid_t)child, &one) == OK)
            *us += one;
    }
    return OK;
}

enum err
process_machine(struct process_machine *out)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, COUNT };

    unsigned long long t[COUNT];
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return ERR_NOT_FOUND;
    int n = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[USER], &t[NICE],
                   &t[SYSTEM], &t[IDLE], &t[IOWAIT], &t[IRQ], &t[SOFTIRQ], &t[STEAL]);
    fclose(file);
    if (n != COUNT)
        return ERR_FORMAT;
    *out = (struct process_machine){.busy_ticks = t[USER] + t[NICE] + t[SYSTEM] + t[IRQ] +
                                                  t[SOFTIRQ] + t[STEAL]};
    out->ticks = out->busy_ticks + t[IDLE] + t[IOWAIT];
    return OK;
}

uint64_t
process_rss_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
process_wakeups(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (uint64_t)usage.ru_nvcsw;
}

uint32_t
process_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (uint32_t)CPU_COUNT(&cores) : 1;
}

enum err
thread_pin(uint32_t core)
{
    if (core >= CPU_SETSIZE)
        return ERR_RANGE;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    return sched_setaffinity(0, sizeof(cores), &cores) == 0 ? OK : os_err(errno);
}

uint32_t
process_raise_descriptors(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    return limit.rlim_cur > 1U << 20 ? 1U << 20 : (uint32_t)limit.rlim_cur;
}

/* In the child: die when the parent does, also when it did so before we asked. */
static void
child_follow(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
}

enum err
process_fork(int (*run)(void *ctx), void *ctx, pid_t *pid)
{
    pid_t parent = getpid();
    fflush(NULL); /* or the child would print it again */
    *pid = fork();
    if (*pid < 0)
        return os_err(errno);
    if (*pid == 0) {
        child_follow(parent);
        exit(run(ctx));
    }
    return OK;
}

/* out: where its stdout goes, and then stdin and stderr go nowhere; -1: it has those of this
 * process.
 */
static enum err
spawn(const char *path, char *const arguments[], int out, pid_t *pid)
{
    pid_t parent = getpid();
    fflush(NULL);
    *pid = fork();
    if (*pid < 0)
        return os_err(errno);
    if (*pid == 0) {
        /* Signals that this process waits for by signalfd are blocked: the child starts clean. */
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        child_follow(parent);
        int nowhere = out >= 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
        if (out >= 0 && (dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0 ||
                         dup2(out, STDOUT_FILENO) < 0))
            _exit(127);
        execv(path, arguments);
        _exit(127);
    }
    return OK;
}

enum err
process_spawn(const char *path, char *const arguments[], pid_t *pid)
{
    return spawn(path, arguments, -1, pid);
}

static enum err
read_until_end(int fd, int64_t wait_us, char *text, size_t text_max, size_t *bytes)
{
    int64_t end_us = process_mono_us() + wait_us;
    for (;;) {
        int64_t left_us = end_us - process_mono_us();
        struct pollfd watched = {.fd = fd, .events = POLLIN};
        int ready = poll(&watched, 1, left_us <= 0 ? 0 : (int)(left_us / 1000 + 1));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready == 0 ? ERR_TIMEOUT : os_err(errno);
        char more[512];
        ssize_t n = read(fd, more, sizeof more);
        if (n <= 0)
            return n == 0 ? OK : os_err(errno);
        if ((size_t)n > text_max - *bytes)
            return ERR_TOO_LARGE;
        memcpy(text + *bytes, more, (size_t)n);
        *bytes += (size_t)n;
    }
}

enum err
process_read(const char *path, char *const arguments[], int64_t wait_us, char *text,
             size_t text_max, size_t *bytes, int *code)
{
    CHECK(wait_us > 0 && wait_us / 1000 < INT_MAX);
    int fds[2];
    pid_t pid;
    *bytes = 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return os_err(errno);
    enum err error = spawn(path, arguments, fds[1], &pid);
    close(fds[1]);
    if (error == OK) {
        error = read_until_end(fds[0], wait_us, text, text_max, bytes);
        if (error != OK)
            kill(pid, SIGKILL);
        *code = process_wait(pid);
    }
    close(fds[0]);
    return error;
}

int
process_wait(pid_t pid)
{
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool
process_has_ended(pid_t pid)
{
    int status;
    return waitpid(pid, &status, WNOHANG) != 0;
}
