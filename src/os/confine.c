#include "os/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a gate does while it runs: its loop, sockets of players and lines to homes, the control
 * socket, memory, time, and to die with a record of why (the record's file is open by then or not
 * written). */
static const int gate_calls[] = {
    /* the loop */
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(eventfd2),
    /* sockets */
    SCMP_SYS(accept4),
    SCMP_SYS(accept),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(listen),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(unlink),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(sysinfo), /* qsort() of many things asks how much memory there is */
    /* time and chance */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    /* the process itself */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(uname),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
};

/* Asked for by libraries, which can do without: told that it is not to be had. */
static const int refused_calls[] = {SCMP_SYS(open),     SCMP_SYS(openat), SCMP_SYS(newfstatat),
                                    SCMP_SYS(readlink), SCMP_SYS(prctl),  SCMP_SYS(socketpair)};

static enum err
tell(enum err e, char *why, size_t why_bytes, const char *what, int number)
{
    snprintf(why, why_bytes, "%s: %s", what, strerror(number));
    return e;
}

enum err
confine_user(const char *user, char *why, size_t why_bytes)
{
    if (geteuid() != 0) {
        return OK;
    }
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
    errno = 0;
    const struct passwd *who = getpwnam(user);
    if (who == NULL) {
        snprintf(why, why_bytes, "there is no user `%s' here", user);
        return ERR_NOT_FOUND;
    }
    if (setgroups(0, NULL) != 0 || setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
        setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0) {
        return tell(ERR_DENIED, why, why_bytes, "root cannot be given up", errno);
    }
    /* Changing users switches these off; then nobody could look at a crash, and it would outlive
     * whoever keeps it. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0);
    return OK;
}

/* Only sockets of the kinds that a gate uses; only memory that is not executable. */
static int
add_conditions(scmp_filter_ctx filter)
{
    static const unsigned families[] = {AF_INET, AF_INET6, AF_UNIX};
    static const int maps[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    int e = 0;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0] && e == 0; i++) {
        struct scmp_arg_cmp is_data = {
            .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
        e = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, maps[i], 1, &is_data);
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0] && e == 0; i++) {
        struct scmp_arg_cmp is_family = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = families[i]};
        e = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &is_family);
    }
    return e;
}

enum err
confine_gate(char *why, size_t why_bytes)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return tell(ERR_UNAVAILABLE, why, why_bytes, "new privileges cannot be given up", errno);
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return tell(ERR_UNAVAILABLE, why, why_bytes, "no filter of system calls", ENOMEM);
    }
    /* Threads that are there already, like the one that answers for --http, are meant too. */
    int e = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    e = e == 0 ? add_conditions(filter) : e;
    for (size_t i = 0; i < sizeof gate_calls / sizeof gate_calls[0] && e == 0; i++) {
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, gate_calls[i], 0);
    }
    for (size_t i = 0; i < sizeof refused_calls / sizeof refused_calls[0] && e == 0; i++) {
        e = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused_calls[i], 0);
    }
    e = e == 0 ? seccomp_load(filter) : e;
    seccomp_release(filter);
    return e == 0 ? OK : tell(ERR_UNAVAILABLE, why, why_bytes, "no filter of system calls", -e);
}
