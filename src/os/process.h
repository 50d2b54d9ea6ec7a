/* What a process can tell and set about itself and its children: CPU time, memory, cores,
 * descriptors. No state; any thread, except where it says otherwise.
 */
#ifndef SEOM_OS_PROCESS_H
#define SEOM_OS_PROCESS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int64_t process_mono_us(void); /* for benches and tests; everything else has struct env_clock */
int64_t process_cpu_us(void);  /* user and system time of all threads */
int64_t thread_cpu_us(void);
/* Of another process of ours, to the microsecond; ERR_NOT_FOUND when it is gone. */
enum err process_cpu_us_of(pid_t pid, int64_t *us) MUST_USE;
/* With all of its children that live. */
enum err process_cpu_us_of_family(pid_t pid, int64_t *us) MUST_USE;

/* Of all cores of the machine since it started, in the kernel's ticks (10 ms). busy: everything but
 * idling and waiting for a disk; what a host took away counts, too, as nobody could use it. */
struct process_machine {
    uint64_t busy_ticks, ticks;
};

enum err process_machine(struct process_machine *out) MUST_USE;
uint64_t process_rss_bytes(void);            /* resident now, shared pages included; 0 if unknown */
uint64_t process_wakeups(void);              /* times it went to sleep and was woken, ever */
uint32_t process_cores(void);                /* it may run on */
enum err thread_pin(uint32_t core) MUST_USE; /* the calling thread and those it will start */

/* Raises the soft limit of descriptors to the hard limit; returns the limit that holds then. */
uint32_t process_raise_descriptors(void);

/* A child that dies with us (PR_SET_PDEATHSIG: with the *thread* that started it, so call it on the
 * main thread). fork: runs run(ctx) in a copy of this process and exits with what it returns; only
 * before other threads start. spawn: executes path with arguments ending in NULL. */
enum err process_fork(int (*run)(void *ctx), void *ctx, pid_t *pid) MUST_USE;
enum err process_spawn(const char *path, char *const arguments[], pid_t *pid) MUST_USE;
/* Spawns it and reads what it writes to stdout, until that ends; its stdin and stderr are nowhere.
 * code as of process_wait(). ERR_TOO_LARGE: it writes more; ERR_TIMEOUT: it was killed after
 * wait_us; ERR_FULL. */
enum err process_read(const char *path, char *const arguments[], int64_t wait_us, char *text,
                      size_t text_max, size_t *bytes, int *code) MUST_USE;
/* Waits for the child's end; its exit code, or 128 + the signal that killed it. */
int process_wait(pid_t pid);
bool process_has_ended(
    pid_t pid); /* does not wait; true: it was reaped, do not wait for it any more */

#endif
