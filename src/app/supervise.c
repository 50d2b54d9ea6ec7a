#include "app/supervise.h"
#include "base/check.h"
#include "os/process.h"
#include "wire/text.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAILURES_TOLD 3u /* from this death at once on, the end of the log is told */

/* The second process of a hand-over: in HANDING the heir, later the one before, until it ended. */
struct beside {
    pid_t pid; /* 0: none */
    int ended_fd;
    struct loop_watch watch;
    int64_t born_us, due_us; /* due: to look whether the heir is up; to kill the one before */
};

struct keeper {
    struct member member;
    struct supervisor *supervisor;
    struct loop_watch watch;
    struct beside beside;
    bool replacing;  /* whoever asked for an heir is to be told what became of it */
    int ended_fd;    /* -1: no process */
    int64_t due_us;  /* to start, to look, or to kill; by state */
    int64_t born_us; /* this process */
    int stop_signal;
};

struct supervisor {
    struct loop *loop;
    const char *logs;
    struct supervise_events events;
    uint32_t count;
    struct keeper keepers[SUPERVISE_MEMBERS_MAX];
};

/* [from][to] */
static const bool moves[MEMBER_STATES][MEMBER_STATES] = {
    [MEMBER_ENDED] = {[MEMBER_WAITS] = true},
    [MEMBER_WAITS] = {[MEMBER_STARTING] = true, [MEMBER_WAITS] = true, [MEMBER_ENDED] = true},
    [MEMBER_STARTING] = {[MEMBER_UP] = true,
                         [MEMBER_WAITS] = true,
                         [MEMBER_STOPPING] = true,
                         [MEMBER_ENDED] = true},
    [MEMBER_UP] = {[MEMBER_WAITS] = true,
                   [MEMBER_HANDING] = true,
                   [MEMBER_STOPPING] = true,
                   [MEMBER_ENDED] = true},
    [MEMBER_HANDING] = {[MEMBER_UP] = true,
                        [MEMBER_STARTING] = true,
                        [MEMBER_STOPPING] = true,
                        [MEMBER_ENDED] = true},
    [MEMBER_STOPPING] = {[MEMBER_ENDED] = true},
};

const char *
member_state_name(enum member_state state)
{
    static const char *const names[] = {
        [MEMBER_ENDED] = "ended",          [MEMBER_WAITS] = "waits",
        [MEMBER_STARTING] = "starting",    [MEMBER_UP] = "up",
        [MEMBER_HANDING] = "handing over", [MEMBER_STOPPING] = "stopping"};
    CHECK(state < MEMBER_STATES);
    return names[state];
}

static void
keeper_move(struct keeper *k, enum member_state to, int64_t due_us)
{
    CHECK(moves[k->member.state][to]);
    k->member.state = to;
    k->member.since_us = process_mono_us();
    k->due_us = due_us;
}

__attribute__((format(printf, 2, 3))) static void
keeper_tell(struct keeper *k, const char *format, ...)
{
    char text[SUPERVISE_TEXT_MAX];
    const struct supervise_events *events = &k->supervisor->events;
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    text_make_line(text); /* it may have been cut */
    events->told(events->ctx, (uint32_t)(k - k->supervisor->keepers), text);
}

static char *
log_path(const struct keeper *k)
{
    char *path;
    CHECK(asprintf(&path, "%s/%s.log", k->supervisor->logs, k->member.name) > 0);
    return path;
}

static double
seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* Pauses grow from the second death at once on, so that a single one costs little. */
static int64_t
backoff_us(uint32_t failures)
{
    int64_t pause_us = SUPERVISE_BACKOFF_US;
    for (uint32_t i = 1; i < failures && pause_us < SUPERVISE_BACKOFF_MAX_US; i++)
        pause_us *= 2;
    return pause_us < SUPERVISE_BACKOFF_MAX_US ? pause_us : SUPERVISE_BACKOFF_MAX_US;
}

static void
cause_text(int code, char out[32])
{
    if (code >= 128)
        snprintf(out, 32, "signal %d", code - 128);
    else
        snprintf(out, 32, "exit code %d", code);
}

/* ---- the second process of a hand-over ---- */

static void
keeper_replaced(struct keeper *k, bool by_heir)
{
    const struct supervise_events *events = &k->supervisor->events;
    if (k->replacing)
        events->replaced(events->ctx, (uint32_t)(k - k->supervisor->keepers), by_heir);
    k->replacing = false;
}

/* Its end was seen or is no longer of interest. The exit code as process_wait() says it. */
static int
beside_reap(struct keeper *k)
{
    int code = process_wait(k->beside.pid);
    loop_remove(k->supervisor->loop, k->beside.ended_fd, &k->beside.watch);
    close(k->beside.ended_fd);
    k->beside.pid = k->member.heir = 0;
    return code;
}

static void
beside_kill(struct keeper *k)
{
    CHECK(k->beside.pid > 0 && kill(k->beside.pid, SIGKILL) == 0); /* our child, not yet reaped */
    beside_reap(k);
}

static void
beside_ended(void *ctx, uint32_t events)
{
    struct keeper *k = ctx;
    char cause[32], last[SUPERVISE_TEXT_MAX / 2];
    (void)events;
    cause_text(beside_reap(k), cause);
    if (k->member.state != MEMBER_HANDING) {
        keeper_tell(k, "%s: the process before has ended (%s)", k->member.name, cause);
        return;
    }
    char *log = log_path(k);
    launch_log_tail(log, last, sizeof last);
    keeper_move(k, MEMBER_UP, INT64_MAX);
    keeper_tell(k, "%s goes on as before: its heir died (%s); %s ends with: %s", k->member.name,
                cause, log, last);
    free(log);
    keeper_replaced(k, false);
}

/* The heir is the member from now on, and what it was is beside it, until that has ended. */
static void
beside_swap(struct keeper *k, int64_t now_us)
{
    struct beside heir = k->beside;
    struct loop *loop = k->supervisor->loop;
    loop_remove(loop, k->ended_fd, &k->watch);
    loop_remove(loop, heir.ended_fd, &k->beside.watch);
    k->beside.pid = k->member.pid;
    k->beside.ended_fd = k->ended_fd;
    k->beside.due_us = now_us + SUPERVISE_STOP_US;
    k->member.pid = heir.pid;
    k->member.heir = 0;
    k->ended_fd = heir.ended_fd;
    k->born_us = heir.born_us;
    enum err error = loop_add(loop, k->ended_fd, EPOLLIN, &k->watch);
    error = error == OK ? loop_add(loop, k->beside.ended_fd, EPOLLIN, &k->beside.watch) : error;
    CHECK(error == OK); /* both were just there */
}

static void
beside_due(struct keeper *k, int64_t now_us)
{
    const struct supervise_events *events = &k->supervisor->events;
    k->beside.due_us = now_us + SUPERVISE_LOOK_US;
    if (k->member.state != MEMBER_HANDING) {
        keeper_tell(k, "%s: the process before did not end in %.0f s and is killed", k->member.name,
                    seconds(SUPERVISE_STOP_US));
        beside_kill(k);
    } else if (events->is_up(events->ctx, (uint32_t)(k - k->supervisor->keepers))) {
        beside_swap(k, now_us);
        keeper_move(k, MEMBER_UP, INT64_MAX);
        keeper_tell(k, "%s is up as a new process (%.1f s)", k->member.name,
                    seconds(now_us - k->born_us));
        keeper_replaced(k, true);
    } else if (now_us - k->beside.born_us > SUPERVISE_HEIR_US) {
        beside_kill(k);
        keeper_move(k, MEMBER_UP, INT64_MAX);
        keeper_tell(k, "%s goes on as before: its heir was not up in %.0f s", k->member.name,
                    seconds(SUPERVISE_HEIR_US));
        keeper_replaced(k, false);
    }
}

/* The one before ended while the heir was not yet seen to be up: it left, or it died. */
static void
keeper_leave_to_heir(struct keeper *k, const char *cause)
{
    struct beside heir = k->beside;
    loop_remove(k->supervisor->loop, heir.ended_fd, &k->beside.watch);
    k->beside.pid = k->member.heir = 0;
    k->member.pid = heir.pid;
    k->ended_fd = heir.ended_fd;
    k->born_us = heir.born_us;
    CHECK(loop_add(k->supervisor->loop, k->ended_fd, EPOLLIN, &k->watch) == OK);
    keeper_move(k, MEMBER_STARTING, 0);
    keeper_tell(k, "%s: the process before has ended (%s)", k->member.name, cause);
}

/* ---- the process itself ---- */

static void
keeper_died(struct keeper *k, const char *cause)
{
    int64_t now_us = process_mono_us(), lived_us = now_us - k->born_us;
    keeper_replaced(k, false);
    if (k->member.stays_dead) {
        if (k->member.state == MEMBER_HANDING)
            beside_kill(k);
        keeper_move(k, MEMBER_ENDED, INT64_MAX);
        keeper_tell(k, "%s has ended (%s) and is left so", k->member.name, cause);
        return;
    }
    k->member.failures = lived_us >= SUPERVISE_LIVED_US ? 0 : k->member.failures + 1;
    int64_t pause_us = backoff_us(k->member.failures);
    keeper_move(k, MEMBER_WAITS, now_us + pause_us);
    char *log = log_path(k);
    if (k->member.failures < FAILURES_TOLD) {
        keeper_tell(k, "%s died (%s) after %.1f s; it is started again; %s", k->member.name, cause,
                    seconds(lived_us), log);
        free(log);
        return;
    }
    char last[SUPERVISE_TEXT_MAX / 2];
    launch_log_tail(log, last, sizeof last);
    keeper_tell(k, "%s dies at once, %u times in a row (%s), next try in %.1f s; %s ends with: %s",
                k->member.name, k->member.failures, cause, seconds(pause_us), log, last);
    free(log);
}

static void
keeper_ended(void *ctx, uint32_t events)
{
    struct keeper *k = ctx;
    (void)events;
    loop_remove(k->supervisor->loop, k->ended_fd, &k->watch);
    close(k->ended_fd);
    k->ended_fd = -1;
    char cause[32];
    cause_text(process_wait(k->member.pid), cause);
    k->member.pid = 0;
    if (k->member.state == MEMBER_HANDING && !k->member.stays_dead) {
        keeper_leave_to_heir(k, cause);
        return;
    }
    if (k->member.state != MEMBER_STOPPING) {
        keeper_died(k, cause);
        return;
    }
    int64_t took_us = process_mono_us() - k->member.since_us;
    keeper_move(k, MEMBER_ENDED, INT64_MAX);
    keeper_tell(k, "%s has ended (%.1f s, %s)", k->member.name, seconds(took_us), cause);
}

static void
keeper_start(struct keeper *k, int64_t now_us)
{
    struct supervisor *s = k->supervisor;
    struct launch launch = {0};
    if (!s->events.prepare(s->events.ctx, (uint32_t)(k - s->keepers), &launch)) {
        launch_free(&launch);
        k->due_us = now_us + SUPERVISE_LOOK_US;
        return;
    }
    char *log = log_path(k);
    enum err error = launch_run(&launch, log, &k->member.pid, &k->ended_fd);
    launch_free(&launch);
    if (error == OK) {
        error = loop_add(s->loop, k->ended_fd, EPOLLIN, &k->watch);
        CHECK(error == OK); /* one more descriptor where one was just opened */
        k->member.starts++;
        k->born_us = now_us;
        keeper_move(k, MEMBER_STARTING, now_us + SUPERVISE_LOOK_US);
    } else {
        k->member.failures++;
        keeper_move(k, MEMBER_WAITS, now_us + backoff_us(k->member.failures));
        keeper_tell(k, "%s cannot be started (%s: %s)", k->member.name, log, err_text(error));
    }
    free(log);
}

static void
keeper_look(struct keeper *k, int64_t now_us)
{
    struct supervisor *s = k->supervisor;
    if (!s->events.is_up(s->events.ctx, (uint32_t)(k - s->keepers))) {
        k->due_us = now_us + SUPERVISE_LOOK_US;
        return;
    }
    keeper_move(k, MEMBER_UP, INT64_MAX);
    keeper_tell(k, "%s is up (%.1f s)", k->member.name, seconds(now_us - k->born_us));
    keeper_replaced(k, true);
}

static void
keeper_due(struct keeper *k, int64_t now_us)
{
    switch (k->member.state) {
    case MEMBER_WAITS: keeper_start(k, now_us); break;
    case MEMBER_STARTING: keeper_look(k, now_us); break;
    case MEMBER_STOPPING:
        keeper_tell(k, "%s did not end in %.0f s and is killed", k->member.name,
                    seconds(SUPERVISE_STOP_US));
        CHECK(kill(k->member.pid, SIGKILL) == 0); /* our child, not yet reaped */
        k->due_us = INT64_MAX;
        break;
    case MEMBER_UP:
    case MEMBER_HANDING:
    case MEMBER_STATES:
    case MEMBER_ENDED: k->due_us = INT64_MAX; break;
    }
}

int64_t
supervise_turn(struct supervisor *s, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (uint32_t i = 0; i < s->count; i++) {
        struct keeper *k = &s->keepers[i];
        if (k->due_us <= now_us)
            keeper_due(k, now_us);
        if (k->beside.pid != 0 && k->beside.due_us <= now_us)
            beside_due(k, now_us);
        next_us = k->due_us < next_us ? k->due_us : next_us;
        if (k->beside.pid != 0 && k->beside.due_us < next_us)
            next_us = k->beside.due_us;
    }
    return next_us;
}

enum err
supervisor_open(struct loop *loop, const char *logs, const struct supervise_events *events,
                struct supervisor **out)
{
    CHECK(events->prepare != NULL && events->is_up != NULL && events->told != NULL);
    struct supervisor *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_FULL;
    s->loop = loop;
    s->logs = logs;
    s->events = *events;
    *out = s;
    return OK;
}

void
supervisor_close(struct supervisor **supervisor)
{
    struct supervisor *s = *supervisor;
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->count; i++) {
        struct keeper *k = &s->keepers[i];
        if (k->beside.pid != 0)
            beside_kill(k);
        if (k->ended_fd < 0)
            continue;
        kill(k->member.pid, SIGKILL);
        process_wait(k->member.pid);
        loop_remove(s->loop, k->ended_fd, &k->watch);
        close(k->ended_fd);
    }
    free(s);
    *supervisor = NULL;
}

enum err
supervise_add(struct supervisor *s, const char *name, int stop_signal, uint32_t *member)
{
    CHECK(strlen(name) < SUPERVISE_NAME_MAX);
    for (uint32_t i = 0; i < s->count; i++) {
        if (strcmp(s->keepers[i].member.name, name) == 0)
            return ERR_EXISTS;
    }
    if (s->count == SUPERVISE_MEMBERS_MAX)
        return ERR_FULL;
    struct keeper *k = &s->keepers[s->count];
    *k = (struct keeper){.supervisor = s,
                         .watch = {.ready = keeper_ended, .ctx = k},
                         .beside = {.watch = {.ready = beside_ended, .ctx = k}},
                         .ended_fd = -1,
                         .due_us = INT64_MAX,
                         .stop_signal = stop_signal};
    memcpy(k->member.name, name, strlen(name));
    *member = s->count++;
    return OK;
}

uint32_t
supervise_count(const struct supervisor *s)
{
    return s->count;
}

static struct keeper *
keeper_of(struct supervisor *s, uint32_t member)
{
    CHECK(member < s->count);
    return &s->keepers[member];
}

const struct member *
supervise_member(const struct supervisor *s, uint32_t member)
{
    CHECK(member < s->count);
    return &s->keepers[member].member;
}

void
supervise_start(struct supervisor *s, uint32_t member)
{
    struct keeper *k = keeper_of(s, member);
    k->member.stays_dead = false;
    if (k->member.state != MEMBER_ENDED)
        return;
    k->member.failures = 0;
    keeper_move(k, MEMBER_WAITS, 0);
}

void
supervise_stop(struct supervisor *s, uint32_t member)
{
    struct keeper *k = keeper_of(s, member);
    switch (k->member.state) {
    case MEMBER_WAITS: keeper_move(k, MEMBER_ENDED, INT64_MAX); break;
    case MEMBER_STARTING:
    case MEMBER_UP:
    case MEMBER_HANDING:
        if (k->member.state == MEMBER_HANDING)
            beside_kill(k);
        keeper_replaced(k, false);
        keeper_move(k, MEMBER_STOPPING, process_mono_us() + SUPERVISE_STOP_US);
        CHECK(kill(k->member.pid, k->stop_signal) == 0);
        CHECK(kill(k->member.pid, SIGCONT) == 0); /* a stopped process does not hear of it */
        break;
    case MEMBER_STOPPING:
    case MEMBER_STATES:
    case MEMBER_ENDED: break;
    }
}

enum err
supervise_replace(struct supervisor *s, uint32_t member)
{
    struct keeper *k = keeper_of(s, member);
    struct launch launch = {0};
    CHECK(s->events.replaced != NULL);
    if (k->member.state != MEMBER_UP || k->beside.pid != 0)
        return ERR_CONFLICT;
    int64_t now_us = process_mono_us();
    keeper_move(k, MEMBER_HANDING, INT64_MAX);
    char *log = log_path(k);
    enum err error = s->events.prepare(s->events.ctx, member, &launch)
                         ? launch_run(&launch, log, &k->beside.pid, &k->beside.ended_fd)
                         : ERR_CONFLICT;
    launch_free(&launch);
    free(log);
    if (error != OK) {
        keeper_move(k, MEMBER_UP, INT64_MAX);
        return error;
    }
    error = loop_add(s->loop, k->beside.ended_fd, EPOLLIN, &k->beside.watch);
    CHECK(error == OK); /* one more descriptor where one was just opened */
    k->member.heir = k->beside.pid;
    k->member.starts++;
    k->replacing = true;
    k->beside.born_us = now_us;
    k->beside.due_us = now_us + SUPERVISE_LOOK_US;
    return OK;
}

/* What a process has started works on while it stands still, as PostgreSQL's sessions do. Called
 * while it does: none of its children can be taken off, and so no number be another's by now. */
static void
children_signal(pid_t pid, int signal_number)
{
    char path[64];
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%d", &child) == 1)
        (void)kill((pid_t)child, signal_number); /* it may have ended */
    if (file != NULL)
        (void)fclose(file);
}

enum err
supervise_signal(struct supervisor *s, uint32_t member, int signal_number, bool stays_dead)
{
    struct keeper *k = keeper_of(s, member);
    if (stays_dead && k->member.state == MEMBER_WAITS) {
        keeper_move(k, MEMBER_ENDED, INT64_MAX); /* it just died */
        return OK;
    }
    if (k->member.pid == 0)
        return ERR_NOT_FOUND;
    k->member.stays_dead = k->member.stays_dead || stays_dead;
    if (signal_number == SIGCONT)
        children_signal(k->member.pid, SIGCONT);
    CHECK(kill(k->member.pid, signal_number) == 0);
    if (signal_number == SIGSTOP)
        children_signal(k->member.pid, SIGSTOP);
    return OK;
}
