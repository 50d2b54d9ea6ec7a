#include "os/confine.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs in a confined child; the exit code, or 128 + the signal that ended it. */
static int
confined(int (*run)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        char why[256];
        _exit(confine_gate(why, sizeof why) == OK ? run() : 99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
serve(void)
{
    int ep = 3; /* any: the calls are allowed, whatever they answer */
    struct timespec now;
    struct epoll_event event;
    void *memory = malloc(1 << 20);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool fine = memory != NULL && fd >= 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0;
    free(memory);
    (void)!epoll_wait(ep, &event, 1, 0);
    return fine && close(fd) == 0 ? 0 : 1;
}

static int
compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* More than fits onto the stack: then the library asks for memory, and how much there is. */
static int
sort_many(void)
{
    static int many[100000];
    for (int i = 0; i < 100000; i++)
        many[i] = i * 7919 % 100000;
    qsort(many, 100000, sizeof many[0], compare);
    return many[0] == 0 && many[99999] == 99999 ? 0 : 1;
}

static int
open_a_file(void)
{
    return open("/etc/passwd", O_RDONLY) == -1 ? 0 : 1;
}

static int
run_a_program(void)
{
    char name[] = "true";
    char *const arguments[] = {name, NULL}, *const none[] = {NULL};
    execve("/bin/true", arguments, none);
    return 1;
}

static int
fork_one(void)
{
    return fork() >= 0 ? 1 : 2;
}

static int
listen_raw(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 1 : 2;
}

static int
run_written_code(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 2 : 1;
}

struct beside {
    int here[2], go[2]; /* pipes */
};

static void *
open_in_a_thread(void *ctx)
{
    struct beside *b = ctx;
    char one;
    int fd = -1;
    if (write(b->here[1], "h", 1) == 1 && read(b->go[0], &one, 1) == 1) {
        fd = open("/etc/passwd", O_RDONLY);
    }
    return fd >= 0 ? b : NULL;
}

/* A thread that was there before. Where addresses are checked it asks, as it begins, for what a
 * gate never does. */
static int
confine_beside_a_thread(void)
{
    struct beside b;
    char why[256], one;
    pthread_t thread;
    void *opened;
    if (pipe(b.here) != 0 || pipe(b.go) != 0 ||
        pthread_create(&thread, NULL, open_in_a_thread, &b) != 0 || read(b.here[0], &one, 1) != 1 ||
        confine_gate(why, sizeof why) != OK || write(b.go[1], "g", 1) != 1) {
        return 98;
    }
    pthread_join(thread, &opened);
    return opened == NULL ? 0 : 1;
}

static void
threads_are_confined_too(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(confine_beside_a_thread());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_gate_can_serve(void **state)
{
    (void)state;
    assert_int_equal(confined(serve), 0);
    assert_int_equal(confined(sort_many), 0);
}

static void
files_are_out_of_reach(void **state)
{
    (void)state;
    assert_int_equal(confined(open_a_file), 0);
}

static void
what_a_gate_never_does_ends_it(void **state)
{
    (void)state;
    assert_int_equal(confined(run_a_program), 128 + SIGSYS);
    assert_int_equal(confined(fork_one), 128 + SIGSYS);
    assert_int_equal(confined(listen_raw), 128 + SIGSYS);
    assert_int_equal(confined(run_written_code), 128 + SIGSYS);
}

static void
unknown_users_are_told(void **state)
{
    (void)state;
    char why[256] = "";
    enum err e = confine_user("nobody-of-that-name", why, sizeof why);
    if (geteuid() == 0) {
        assert_int_equal(e, ERR_NOT_FOUND);
        assert_non_null(strstr(why, "nobody-of-that-name"));
    } else {
        assert_int_equal(e, OK);
    }
}

static void
root_is_given_up(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        char why[256];
        bool was_root = geteuid() == 0;
        int death_signal = 0;
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        bool fine = confine_user("nobody", why, sizeof why) == OK;
        prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
        fine = fine && death_signal == SIGTERM; /* whoever started it may count on that */
        _exit(fine && (!was_root || (geteuid() != 0 && setuid(0) != 0)) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
#ifdef __SANITIZE_THREAD__
    puts("1..0 # SKIP the sanitizer of threads makes system calls of its own");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gate_can_serve),
        cmocka_unit_test(files_are_out_of_reach),
        cmocka_unit_test(threads_are_confined_too),
        cmocka_unit_test(what_a_gate_never_does_ends_it),
        cmocka_unit_test(unknown_users_are_told),
        cmocka_unit_test(root_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
