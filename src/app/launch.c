#include "app/launch.h"
#include "base/check.h"
#include "os/os_err.h"
#include "wire/text.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_BYTES    4096
#define TELLING_LINES 6 /* among which the cause of an end stands */

void
launch_add(struct launch *launch, const char *format, ...)
{
    CHECK(launch->count < LAUNCH_ARGUMENTS_MAX);
    va_list values;
    va_start(values, format);
    CHECK(vasprintf(&launch->arguments[launch->count], format, values) >= 0);
    va_end(values);
    launch->count++;
}

void
launch_variable(struct launch *launch, const char *name, const char *value)
{
    CHECK(launch->variable == NULL && strchr(name, '=') == NULL);
    if (value == NULL)
        CHECK(asprintf(&launch->variable, "%s", name) > 0);
    else
        CHECK(asprintf(&launch->variable, "%s=%s", name, value) > 0);
}

void
launch_free(struct launch *launch)
{
    free(launch->variable);
    for (uint32_t i = 0; i < launch->count; i++)
        free(launch->arguments[i]);
    *launch = (struct launch){0};
}

/* Our own, but for the one variable. The texts are borrowed, the array is the caller's. */
static char **
environment_of(const struct launch *launch)
{
    size_t count = 0, used = 0,
           name = launch->variable != NULL ? strcspn(launch->variable, "=") : 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **all = calloc(count + 2, sizeof *all);
    CHECK(all != NULL);
    for (size_t i = 0; i < count; i++) {
        if (name == 0 || strncmp(environ[i], launch->variable, name) != 0 ||
            environ[i][name] != '=')
            all[used++] = environ[i];
    }
    if (name > 0 && launch->variable[name] == '=')
        all[used] = launch->variable;
    return all;
}

/* In the child, where only what is safe after fork() may be called. */
_Noreturn static void
become(const struct launch *launch, char *const *environment, int log, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0); /* Ctrl-C at the terminal is for whoever keeps it, who then ends it in order */
    int nothing = open("/dev/null", O_RDONLY);
    bool fine = nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                dup2(log, STDERR_FILENO) >= 0;
    if (fine && launch->uid != 0 && geteuid() == 0)
        fine = setgroups(0, NULL) == 0 && setgid(launch->gid) == 0 && setuid(launch->uid) == 0;
    /* After the change of user, which would clear it. */
    int death = launch->death_signal == 0 ? SIGKILL : launch->death_signal;
    if (fine && prctl(PR_SET_PDEATHSIG, death) == 0 && getppid() == parent)
        execve(launch->program, launch->arguments, environment);
    _exit(127);
}

static void
log_move_aside(const char *log)
{
    struct stat now;
    char *aside;
    if (stat(log, &now) != 0 || now.st_size < LAUNCH_LOG_MAX)
        return;
    CHECK(asprintf(&aside, "%s.1", log) > 0);
    (void)rename(log, aside); /* if it cannot be moved it goes on growing */
    free(aside);
}

enum err
launch_run(const struct launch *launch, const char *log, pid_t *pid, int *ended_fd)
{
    CHECK(launch->program[0] != 0 && launch->count > 0);
    log_move_aside(log);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return ERR_IO;
    pid_t parent = getpid();
    char **environment = environment_of(launch);
    fflush(NULL);
    *pid = fork();
    if (*pid == 0)
        become(launch, environment, log_fd, parent);
    free(environment);
    enum err error = *pid < 0 ? os_err(errno) : OK;
    close(log_fd);
    if (error != OK)
        return error;
    *ended_fd = pidfd_open(*pid, 0);
    CHECK(*ended_fd >= 0); /* our own child, not yet reaped */
    CHECK(fcntl(*ended_fd, F_SETFD, FD_CLOEXEC) == 0);
    return OK;
}

/* The last one; but PostgreSQL says what it died of, then perhaps a hint, then that it is down: of
 * the last lines the one that is said to be fatal. Cuts the text into lines. */
static const char *
telling_line(char *text)
{
    const char *last = NULL;
    for (uint32_t i = 0; i < TELLING_LINES; i++) {
        char *end = strrchr(text, '\n');
        char *line = end == NULL ? text : end + 1;
        last = last == NULL ? line : last;
        if (strstr(line, "FATAL:  ") != NULL || strstr(line, "PANIC:  ") != NULL)
            return line;
        if (end == NULL)
            break;
        *end = 0;
    }
    return last;
}

void
launch_log_tail(const char *log, char *out, size_t out_bytes)
{
    char bytes[TAIL_BYTES + 1];
    *out = 0;
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, bytes, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    close(fd);
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    bytes[n < 0 ? 0 : n] = 0;
    snprintf(out, out_bytes, "%s", telling_line(bytes));
    text_make_line(out); /* of whatever a process wrote, and cut in the middle of a character */
}
