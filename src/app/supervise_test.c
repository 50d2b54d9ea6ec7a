#include "app/supervise.h"
#include "os/files.h"
#include "os/process.h"
#include "wire/text.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_US 60000000
#define LATER_US    INT64_C(60000000) /* nothing is waited for longer than that */

struct bench {
    struct loop *loop;
    struct supervisor *s;
    uint32_t member;
    char logs[64];
    const char *script;
    bool ready, up;
    uint32_t asked, replaced_by_heir, replaced_by_none;
    char told[SUPERVISE_TEXT_MAX];
};

static bool
prepare(void *ctx, uint32_t member, struct launch *launch)
{
    struct bench *b = ctx;
    (void)member;
    b->asked++;
    strcpy(launch->program, "/bin/sh");
    launch_add(launch, "sh");
    launch_add(launch, "-c");
    launch_add(launch, "%s", b->script);
    return b->ready;
}

static bool
is_up(void *ctx, uint32_t member)
{
    const struct bench *b = ctx;
    (void)member;
    return b->up;
}

static void
told(void *ctx, uint32_t member, const char *text)
{
    struct bench *b = ctx;
    (void)member;
    snprintf(b->told, sizeof b->told, "%s", text);
}

static void
replaced(void *ctx, uint32_t member, bool by_heir)
{
    struct bench *b = ctx;
    (void)member;
    b->replaced_by_heir += by_heir;
    b->replaced_by_none += !by_heir;
}

static int
bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *b = (struct bench){.ready = true, .up = true, .script = "exec sleep 1000"};
    if (directory_make_temporary(NULL, "supervise", b->logs, sizeof b->logs) != OK ||
        loop_open(&b->loop) != OK)
        return 1;
    const struct supervise_events events = {b, prepare, is_up, told, replaced};
    *state = b;
    return supervisor_open(b->loop, b->logs, &events, &b->s) == OK &&
                   supervise_add(b->s, "one", SIGTERM, &b->member) == OK
               ? 0
               : 1;
}

static int
bench_close(void **state)
{
    struct bench *b = *state;
    char log[96];
    supervisor_close(&b->s);
    loop_close(&b->loop);
    snprintf(log, sizeof log, "%s/one.log", b->logs);
    unlink(log);
    int removed = rmdir(b->logs);
    free(b);
    return removed;
}

static const struct member *
one(const struct bench *b)
{
    return supervise_member(b->s, b->member);
}

/* Real processes end when they do; the supervisor's own pauses are skipped by ahead_us. */
static void
turn_until(struct bench *b, enum member_state state, int64_t ahead_us)
{
    int64_t end_us = process_mono_us() + PATIENCE_US;
    while (one(b)->state != state && process_mono_us() < end_us) {
        supervise_turn(b->s, process_mono_us() + ahead_us);
        loop_turn(b->loop, 1000);
    }
    assert_string_equal(member_state_name(one(b)->state), member_state_name(state));
}

static void
it_starts_when_it_can_and_ends_when_told(void **state)
{
    struct bench *b = *state;
    b->ready = b->up = false;
    assert_int_equal(supervise_turn(b->s, 0), INT64_MAX);
    supervise_start(b->s, b->member);
    supervise_turn(b->s, 1000);
    assert_int_equal(one(b)->state, MEMBER_WAITS);
    assert_int_equal(one(b)->pid, 0);
    b->ready = true;
    supervise_turn(b->s, 1000); /* not asked again before its time */
    assert_int_equal(b->asked, 1);
    turn_until(b, MEMBER_STARTING, LATER_US);
    b->up = true;
    turn_until(b, MEMBER_UP, LATER_US);
    assert_non_null(strstr(b->told, "one is up ("));
    pid_t pid = one(b)->pid;
    assert_int_equal(kill(pid, 0), 0);
    supervise_stop(b->s, b->member);
    turn_until(b, MEMBER_ENDED, 0);
    assert_int_equal(kill(pid, 0), -1);
    assert_non_null(strstr(b->told, "one has ended"));
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, false), ERR_NOT_FOUND);
    supervise_start(b->s, b->member);
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(one(b)->starts, 2);
}

static void
who_dies_is_back_within_a_second(void **state)
{
    struct bench *b = *state;
    supervise_start(b->s, b->member);
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, false), OK);
    turn_until(b, MEMBER_WAITS, 0);
    assert_non_null(strstr(b->told, "one died (signal 9)"));
    int64_t now_us = process_mono_us();
    int64_t next_us = supervise_turn(b->s, now_us);
    assert_true(next_us > now_us && next_us < now_us + 1000000);
    turn_until(b, MEMBER_UP, LATER_US);
}

static void
who_keeps_dying_is_tried_less_often(void **state)
{
    struct bench *b = *state;
    b->script = "echo no such sea >&2; exit 3";
    b->up = false;
    supervise_start(b->s, b->member);
    int64_t pause_us = SUPERVISE_BACKOFF_US;
    for (uint32_t i = 1; i <= 9; i++) {
        supervise_turn(b->s, process_mono_us() + LATER_US);
        assert_int_equal(one(b)->state, MEMBER_STARTING);
        int64_t before_us = process_mono_us();
        turn_until(b, MEMBER_WAITS, 0);
        int64_t next_us = supervise_turn(b->s, before_us); /* at which nobody is due */
        /* The pause began between two moments. */
        assert_true(next_us - process_mono_us() <= pause_us && pause_us <= next_us - before_us);
        pause_us *= 2;
        if (pause_us > SUPERVISE_BACKOFF_MAX_US)
            pause_us = SUPERVISE_BACKOFF_MAX_US;
        assert_int_equal(one(b)->failures, i);
        if (i == 3) {
            assert_non_null(strstr(b->told, "dies at once, 3 times in a row (exit code 3)"));
            assert_non_null(strstr(b->told, "one.log ends with: no such sea"));
        }
    }
    assert_int_equal(pause_us, SUPERVISE_BACKOFF_MAX_US);
}

/* PostgreSQL's last word is not what it died of. */
static void
the_fatal_line_is_told(void **state)
{
    struct bench *b = *state;
    b->script = "printf 'LOG:  starting\\nFATAL:  no room\\nHINT:  make some\\nLOG:  it is shut "
                "down\\n'; exit 1";
    for (uint32_t death = 1; death <= 3; death++) {
        supervise_start(b->s, b->member);
        turn_until(b, MEMBER_STARTING, LATER_US);
        turn_until(b, MEMBER_WAITS, 0);
    }
    assert_non_null(strstr(b->told, "one.log ends with: FATAL:  no room"));
    b->script = "printf 'one\\ntwo\\nthree\\nfour\\nfive\\nsix\\n'; exit 1";
    turn_until(b, MEMBER_STARTING, LATER_US);
    turn_until(b, MEMBER_WAITS, 0);
    assert_non_null(strstr(b->told, "one.log ends with: six")); /* that of another death is not */
}

/* What a process wrote is handed on as text, wherever it had to be cut. */
static void
what_is_told_of_a_log_is_text(void **state)
{
    struct bench *b = *state;
    /* 섬 is three bytes: a limit of bytes falls into the middle of one of them. */
    b->script = "printf '\\377 '; for i in 1 2 3 4 5 6 7 8; do printf "
                "'섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬섬'; done; exit 1";
    for (uint32_t death = 1; death <= 3; death++) {
        b->told[0] = 0;
        supervise_start(b->s, b->member);
        turn_until(b, MEMBER_STARTING, LATER_US);
        turn_until(b, MEMBER_WAITS, 0);
    }
    assert_non_null(strstr(b->told, "dies at once"));
    assert_non_null(strstr(b->told, "섬"));
    assert_true(text_is_line((struct slice){(const uint8_t *)b->told, strlen(b->told)}));
}

static void
who_is_to_stay_dead_does(void **state)
{
    struct bench *b = *state;
    supervise_start(b->s, b->member);
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, true), OK);
    turn_until(b, MEMBER_ENDED, 0);
    assert_int_equal(supervise_turn(b->s, INT64_MAX - 1), INT64_MAX);
    assert_int_equal(one(b)->starts, 1);
    supervise_start(b->s, b->member); /* and is an ordinary member again */
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, false), OK);
    turn_until(b, MEMBER_WAITS, 0);
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, true), OK);
    assert_int_equal(one(b)->state, MEMBER_ENDED);
}

/* Until the last line of its log is this one. */
static void
start_and_hear(struct bench *b, const char *line)
{
    char log[96], tail[16] = "";
    snprintf(log, sizeof log, "%s/one.log", b->logs);
    supervise_start(b->s, b->member);
    int64_t end_us = process_mono_us() + PATIENCE_US;
    while (strcmp(tail, line) != 0 && process_mono_us() < end_us) {
        supervise_turn(b->s, process_mono_us() + LATER_US);
        launch_log_tail(log, tail, sizeof tail);
    }
}

static void
who_does_not_end_is_killed(void **state)
{
    struct bench *b = *state;
    /* Deaf once it has said so. */
    b->script = "trap '' TERM; echo deaf; while :; do sleep 1000; done";
    b->up = false;
    start_and_hear(b, "deaf");
    int64_t before_us = process_mono_us();
    supervise_stop(b->s, b->member);
    assert_int_equal(one(b)->state, MEMBER_STOPPING);
    supervise_turn(b->s, before_us + SUPERVISE_STOP_US - 1);
    assert_null(strstr(b->told, "is killed"));
    supervise_turn(b->s, process_mono_us() + SUPERVISE_STOP_US);
    assert_non_null(strstr(b->told, "is killed"));
    turn_until(b, MEMBER_ENDED, 0);
    assert_non_null(strstr(b->told, "signal 9"));
}

static void
who_is_stopped_hears_that_it_shall_end(void **state)
{
    struct bench *b = *state;
    supervise_start(b->s, b->member);
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(supervise_signal(b->s, b->member, SIGSTOP, false), OK);
    assert_int_equal(one(b)->state, MEMBER_UP);
    supervise_stop(b->s, b->member);
    turn_until(b, MEMBER_ENDED, 0);
    assert_non_null(strstr(b->told, "signal 15"));
}

static void
names_and_places_have_a_limit(void **state)
{
    struct bench *b = *state;
    uint32_t member;
    assert_int_equal(supervise_add(b->s, "one", SIGTERM, &member), ERR_EXISTS);
    for (uint32_t i = 1; i < SUPERVISE_MEMBERS_MAX; i++) {
        char name[SUPERVISE_NAME_MAX];
        snprintf(name, sizeof name, "another-%u", i);
        assert_int_equal(supervise_add(b->s, name, SIGTERM, &member), OK);
        assert_int_equal(member, i);
    }
    assert_int_equal(supervise_add(b->s, "too-many", SIGTERM, &member), ERR_FULL);
}

/* An heir beside the first process, which is up; the heir is not yet. */
static pid_t
start_heir(struct bench *b, const char *script)
{
    supervise_start(b->s, b->member);
    turn_until(b, MEMBER_UP, LATER_US);
    pid_t pid = one(b)->pid;
    b->script = script;
    b->up = false;
    assert_int_equal(supervise_replace(b->s, b->member), OK);
    assert_int_equal(one(b)->state, MEMBER_HANDING);
    assert_int_equal(one(b)->pid, pid);
    assert_true(one(b)->heir > 0 && one(b)->heir != pid);
    assert_int_equal(supervise_replace(b->s, b->member), ERR_CONFLICT);
    return pid;
}

static void
an_heir_that_is_up_is_the_member(void **state)
{
    struct bench *b = *state;
    pid_t before = start_heir(b, "exec sleep 1000"), heir = one(b)->heir;
    b->up = true;
    turn_until(b, MEMBER_UP, 2 * SUPERVISE_LOOK_US);
    assert_int_equal(one(b)->pid, heir);
    assert_int_equal(one(b)->heir, 0);
    assert_int_equal(b->replaced_by_heir, 1);
    /* Its place is not free before the first one has ended, which then is no death. */
    assert_int_equal(supervise_replace(b->s, b->member), ERR_CONFLICT);
    assert_int_equal(kill(before, SIGTERM), 0);
    int64_t end_us = process_mono_us() + PATIENCE_US;
    while (strstr(b->told, "the process before has ended") == NULL && process_mono_us() < end_us)
        loop_turn(b->loop, 1000);
    assert_non_null(strstr(b->told, "one: the process before has ended (signal 15)"));
    assert_int_equal(one(b)->state, MEMBER_UP);
    assert_int_equal(one(b)->failures, 0);
    assert_int_equal(supervise_replace(b->s, b->member), OK);
}

static void
who_leaves_before_its_heir_is_up_leaves_to_it(void **state)
{
    struct bench *b = *state;
    pid_t before = start_heir(b, "exec sleep 1000"), heir = one(b)->heir;
    assert_int_equal(kill(before, SIGTERM), 0);
    turn_until(b, MEMBER_STARTING, 0);
    assert_int_equal(one(b)->pid, heir);
    assert_int_equal(b->replaced_by_heir, 0);
    b->up = true;
    turn_until(b, MEMBER_UP, LATER_US);
    assert_int_equal(one(b)->pid, heir);
    assert_int_equal(b->replaced_by_heir, 1);
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, true), OK);
    turn_until(b, MEMBER_ENDED, 0); /* and it is watched as any other */
}

static void
without_an_heir_all_goes_on(void **state)
{
    struct bench *b = *state;
    pid_t before = start_heir(b, "echo no such option >&2; exit 64");
    turn_until(b, MEMBER_UP, 0);
    assert_non_null(strstr(b->told, "goes on as before: its heir died (exit code 64)"));
    assert_non_null(strstr(b->told, "no such option"));
    assert_int_equal(one(b)->pid, before);
    assert_int_equal(b->replaced_by_none, 1);
    b->script = "exec sleep 1000";
    assert_int_equal(supervise_replace(b->s, b->member), OK);
    pid_t heir = one(b)->heir;
    turn_until(b, MEMBER_UP, LATER_US); /* never up: killed */
    assert_non_null(strstr(b->told, "its heir was not up in 20 s"));
    assert_int_equal(kill(heir, 0), -1);
    assert_int_equal(one(b)->pid, before);
    assert_int_equal(b->replaced_by_none, 2);
    assert_int_equal(b->replaced_by_heir, 0);
}

static void
who_is_told_to_end_takes_its_heir_along(void **state)
{
    struct bench *b = *state;
    start_heir(b, "exec sleep 1000");
    pid_t heir = one(b)->heir;
    supervise_stop(b->s, b->member);
    assert_int_equal(kill(heir, 0), -1);
    assert_int_equal(b->replaced_by_none, 1);
    turn_until(b, MEMBER_ENDED, 0);
    b->script = "exec sleep 1000";
    b->up = true;
    start_heir(b, "exec sleep 1000");
    heir = one(b)->heir;
    assert_int_equal(supervise_signal(b->s, b->member, SIGKILL, true), OK);
    turn_until(b, MEMBER_ENDED, 0);
    assert_int_equal(kill(heir, 0), -1);
    assert_int_equal(b->replaced_by_none, 2);
}

struct orphan {
    struct bench *bench;
    int tell;
};

/* A supervisor that dies without a word. */
static int
die_supervising(void *ctx)
{
    struct orphan *o = ctx;
    struct bench *b = o->bench;
    b->script = "echo here; exec sleep 1000";
    start_and_hear(b, "here");
    pid_t pid = one(b)->pid;
    if (write(o->tell, &pid, sizeof pid) != (ssize_t)sizeof pid)
        return 1;
    return kill(getpid(), SIGKILL);
}

static void
members_die_with_their_supervisor(void **state)
{
    struct bench *b = *state;
    int told_by[2];
    pid_t middle, member;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that we see the member end */
    assert_int_equal(pipe(told_by), 0);
    struct orphan o = {.bench = b, .tell = told_by[1]};
    assert_int_equal(process_fork(die_supervising, &o, &middle), OK);
    assert_int_equal(read(told_by[0], &member, sizeof member), sizeof member);
    assert_int_equal(process_wait(middle), 128 + SIGKILL);
    assert_int_equal(process_wait(member), 128 + SIGKILL);
    close(told_by[0]);
    close(told_by[1]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        TEST(it_starts_when_it_can_and_ends_when_told),
        TEST(who_dies_is_back_within_a_second),
        TEST(who_keeps_dying_is_tried_less_often),
        TEST(the_fatal_line_is_told),
        TEST(what_is_told_of_a_log_is_text),
        TEST(who_is_to_stay_dead_does),
        TEST(who_does_not_end_is_killed),
        TEST(who_is_stopped_hears_that_it_shall_end),
        TEST(an_heir_that_is_up_is_the_member),
        TEST(who_leaves_before_its_heir_is_up_leaves_to_it),
        TEST(without_an_heir_all_goes_on),
        TEST(who_is_told_to_end_takes_its_heir_along),
        TEST(names_and_places_have_a_limit),
        TEST(members_die_with_their_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
