#include "os/crash.h"
#include "base/check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LIBBACKTRACE
#    include <backtrace.h>
#else
#    include <execinfo.h>
#endif

#define STACK_BYTES (256 * 1024) /* on which a dump after a stack overflow is made */
#define PATH_BYTES  512
#define TEXT_BYTES  (TRACE_RECORDS * 96)

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static struct {
    char directory[PATH_BYTES]; /* "" = none */
    _Atomic(const struct trace *) traces[CRASH_TRACES_MAX];
    _Atomic pid_t writer; /* the thread that broke first */
    int file;             /* -1 = none */
    bool installed;
    char text[TEXT_BYTES]; /* of the writer */
#ifdef HAVE_LIBBACKTRACE
    struct backtrace_state *symbols;
#endif
} crash = {.file = -1};

/* Everything goes to both; whether it arrives does not matter any more. */
static void
say(const char *text)
{
    size_t bytes = strlen(text);
    if (write(STDERR_FILENO, text, bytes) < 0 && crash.file < 0)
        return;
    if (crash.file >= 0 && write(crash.file, text, bytes) < 0)
        return;
}

#ifdef HAVE_LIBBACKTRACE
static int
frame_say(void *ctx, uintptr_t pc, const char *file, int line, const char *function)
{
    int *frames = ctx;
    char text[512];
    snprintf(text, sizeof(text), "  %#llx %s %s:%d\n", (unsigned long long)pc,
             function != NULL ? function : "?", file != NULL ? file : "?", line);
    say(text);
    return ++*frames >= CRASH_FRAMES_MAX;
}

static void
frames_failed(void *ctx, const char *message, int error)
{
    (void)ctx;
    (void)error;
    say("  no backtrace: ");
    say(message);
    say("\n");
}

static void
frames_prepare(void)
{
    /* Threaded, so that it takes its memory from mmap and never from a broken heap. */
    crash.symbols = backtrace_create_state(NULL, 1, frames_failed, NULL);
}

static void
frames_say(void)
{
    int frames = 0;
    if (crash.symbols != NULL)
        backtrace_full(crash.symbols, 1, frame_say, frames_failed, &frames);
}
#else
static void
frames_prepare(void)
{
    void *first[1];
    backtrace(first, 1); /* loads what it needs now, and not within a signal */
}

static void
frames_say(void)
{
    void *frames[CRASH_FRAMES_MAX];
    int count = backtrace(frames, CRASH_FRAMES_MAX);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
    if (crash.file >= 0)
        backtrace_symbols_fd(frames, count, crash.file);
}
#endif

/* False for the thread that wrote already, or breaks while it writes: it must die at once. Others
 * wait here for that. */
static bool
writer_become(void)
{
    pid_t nobody = 0, self = gettid();
    if (atomic_compare_exchange_strong(&crash.writer, &nobody, self))
        return true;
    if (nobody == self)
        return false;
    for (;;)
        pause();
}

static void
crash_write(const char *reason)
{
    if (!writer_become())
        return;
    char path[PATH_BYTES + 32];
    if (crash.directory[0] != 0) {
        snprintf(path, sizeof(path), "%s/crash-%d.txt", crash.directory, (int)getpid());
        crash.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    say(reason);
    say("backtrace:\n");
    frames_say();
    for (uint32_t i = 0; i < CRASH_TRACES_MAX; i++) {
        const struct trace *trace = atomic_load(&crash.traces[i]);
        if (trace == NULL)
            continue;
        say("last records (thread, world ms, what, a, b):\n");
        trace_text(trace, crash.text, sizeof(crash.text));
        say(crash.text);
    }
    if (crash.file >= 0) {
        fsync(crash.file);
        close(crash.file);
        crash.file = -1;
        char where[sizeof(path) + 16];
        snprintf(where, sizeof(where), "written to %s\n", path);
        say(where);
    }
}

static void
check_hooked(const char *file, int line, const char *function, const char *what)
{
    char reason[512];
    snprintf(reason, sizeof(reason), "%s:%d: %s: CHECK(%s) failed\n", file, line, function, what);
    crash_write(reason);
}

static void
signal_caught(int number, siginfo_t *info, void *context)
{
    (void)context;
    char reason[128];
    snprintf(reason, sizeof(reason), "signal %d at address %p\n", number, info->si_addr);
    crash_write(reason); /* after a failed CHECK its abort() comes here, and has nothing to add */
    signal(number, SIG_DFL);
    raise(number);
}

enum err
crash_install(const char *directory)
{
    if (directory == NULL)
        directory = "";
    if (strlen(directory) >= sizeof(crash.directory))
        return ERR_TOO_LARGE;
    strcpy(crash.directory, directory);
    if (crash.installed)
        return OK;
    crash.installed = true;
    frames_prepare();
    struct sigaction action = {.sa_sigaction = signal_caught,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
        CHECK(sigaction(fatal_signals[i], &action, NULL) == 0);
    check_set_hook(check_hooked);
    return OK;
}

void
crash_thread_begin(const struct trace *trace)
{
    stack_t stack = {.ss_size = STACK_BYTES, .ss_sp = malloc(STACK_BYTES)};
    CHECK(stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0);
    for (uint32_t i = 0; i < CRASH_TRACES_MAX && trace != NULL; i++) {
        const struct trace *nobody = NULL;
        if (atomic_compare_exchange_strong(&crash.traces[i], &nobody, trace))
            return;
    }
    CHECK(trace == NULL); /* more threads than CRASH_TRACES_MAX */
}

void
crash_thread_end(const struct trace *trace)
{
    for (uint32_t i = 0; i < CRASH_TRACES_MAX && trace != NULL; i++) {
        const struct trace *expected = trace;
        if (atomic_compare_exchange_strong(&crash.traces[i], &expected, NULL))
            break;
    }
    stack_t off = {.ss_flags = SS_DISABLE}, was;
    CHECK(sigaltstack(&off, &was) == 0);
    if ((was.ss_flags & SS_DISABLE) == 0)
        free(was.ss_sp);
}
