/* What is left after SIGKILL. The child tells what was acknowledged through the versions of its
 * documents, which lie in shared memory. */
#include "app/bench_scratch.h"
#include "app/bench_store.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DOCUMENT_BYTES 372 /* of file, with its share of a page */
#define STEP_MS        10
#define TELL_STEPS     100
#define WRITING_STEPS  100 /* of the filled store, before the end */
#define CHECKS_MAX     100000
#define SAMPLE         20000
#define FOREVER_US     INT64_C(86400000000)

struct victim {
    const char *directory;
    struct bench_documents documents;
    _Atomic bool *filled; /* shared */
};

static int
victim_run(void *ctx)
{
    struct victim *v = ctx;
    struct bench_load *load;
    if (bench_load_open(v->directory, &v->documents, &load) != OK) {
        return 1;
    }
    if (bench_load_fill(load) != OK) {
        return 1;
    }
    atomic_store(v->filled, true);
    struct bench_side side = bench_load_side(load);
    struct bench_round round;
    (void)side.round(side.ctx, BENCH_STORE_IN_FLIGHT_MAX, FOREVER_US, &round);
    return 1;
}

static void
step_wait(void)
{
    struct timespec wait = {.tv_nsec = STEP_MS * 1000000};
    nanosleep(&wait, NULL);
}

/* Until it is filled, and then a little longer. */
static enum err
victim_watch(const struct victim *v, pid_t pid)
{
    for (uint32_t steps = 0, writing = 0; writing < WRITING_STEPS; steps++) {
        if (scratch_stopped()) {
            return ERR_CLOSED;
        }
        if (!scratch_child_runs(pid)) {
            output_progress("recovery: the process that was to be killed has ended by itself");
            return ERR_IO;
        }
        step_wait();
        writing += atomic_load(v->filled);
        if (steps % TELL_STEPS == TELL_STEPS - 1) {
            output_progress("recovery: %" PRIu32 " s, %s", (steps + 1) / TELL_STEPS,
                            atomic_load(v->filled) ? "writing" : "filling");
        }
    }
    return OK;
}

/* So that what follows reads the disk, as after a restart of the machine. */
static void
page_cache_drop(const char *directory)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/store.mdb", directory) >= sizeof path) {
        return;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
        output_progress("recovery: the page cache stays warm: %s", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static enum err
document_check(struct victim *v, struct bench_load *load, uint32_t document,
               struct bench_recovery *out)
{
    uint64_t told = bench_documents_version(&v->documents, document), found;
    enum err error = bench_load_look(load, document, &found);
    out->checked++;
    /* One more was under way when it was killed. */
    out->lost += found < told || found > told + 1;
    out->newer += found == told + 1;
    return error;
}

/* Those that were changed after the filling, and a sample of all. */
static enum err
documents_check(struct victim *v, struct bench_load *load, struct bench_recovery *out)
{
    enum err error = OK;
    for (uint32_t d = 0; d < v->documents.count && out->checked < CHECKS_MAX && error == OK; d++) {
        if (bench_documents_version(&v->documents, d) > 1) {
            error = document_check(v, load, d, out);
        }
    }
    for (uint32_t i = 0; i < SAMPLE && error == OK; i++) {
        uint32_t document = rand_below(&v->documents.rand, v->documents.count);
        error = document_check(v, load, document, out);
    }
    return error;
}

static enum err
recover(struct victim *v, struct bench_recovery *out)
{
    struct bench_load *load;
    int64_t from_us = process_mono_us();
    enum err error = bench_load_open(v->directory, &v->documents, &load);
    if (error != OK) {
        return error;
    }
    out->open_us = process_mono_us() - from_us;
    error = bench_load_touch(load);
    out->first_commit_us = process_mono_us() - from_us;
    out->store_bytes = bench_load_bytes(load);
    output_progress("recovery: open after %.1f ms, the first commit is answered after %.1f ms; "
                    "checking ...",
                    (double)out->open_us / 1e3, (double)out->first_commit_us / 1e3);
    error = error == OK ? documents_check(v, load, out) : error;
    bench_load_close(&load);
    return error;
}

static enum err
fill_and_kill(struct victim *v, struct bench_recovery *out)
{
    int64_t from_us = process_mono_us();
    pid_t pid;
    enum err error = process_fork(victim_run, v, &pid);
    if (error != OK) {
        return error;
    }
    error = victim_watch(v, pid);
    out->fill_s = (double)(process_mono_us() - from_us) / 1e6;
    kill(pid, SIGKILL);
    int code = process_wait(pid);
    return error == OK && code != 128 + SIGKILL ? ERR_IO : error;
}

enum err
bench_recover(const char *directory, uint64_t bytes, struct bench_recovery *out)
{
    *out = (struct bench_recovery){.documents = (uint32_t)(bytes / DOCUMENT_BYTES)};
    CHECK(out->documents > 2 * BENCH_STORE_IN_FLIGHT_MAX);
    struct victim v = {.directory = directory};
    enum err error = bench_documents_init(&v.documents, out->documents, 5);
    if (error != OK) {
        return error;
    }
    v.filled =
        mmap(NULL, sizeof *v.filled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(v.filled != MAP_FAILED);
    error = fill_and_kill(&v, out);
    if (error == OK) {
        page_cache_drop(directory);
        error = recover(&v, out);
    }
    munmap((void *)v.filled, sizeof *v.filled);
    bench_documents_fini(&v.documents);
    return error;
}
