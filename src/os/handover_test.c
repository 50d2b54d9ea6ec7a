#include "os/files.h"
#include "os/handover.h"
#include "os/listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct older {
    struct loop *loop;
    struct handover *handover;
    char directory[64], path[128];
    int listener;
    uint32_t asked;
};

static void
asked(void *ctx)
{
    struct older *o = ctx;
    o->asked++;
    handover_done(o->handover);
}

static enum err
give(struct older *o)
{
    struct handover_options options = {.loop = o->loop,
                                       .path = o->path,
                                       .descriptors = &o->listener,
                                       .count = 1,
                                       .asked = asked,
                                       .ctx = o};
    return handover_open(&options, &o->handover);
}

static int
set_up(void **state)
{
    struct older *o = calloc(1, sizeof *o);
    assert_int_equal(directory_make_temporary(NULL, "handover", o->directory, sizeof o->directory),
                     OK);
    snprintf(o->path, sizeof o->path, "%s/gate-1.play.sock", o->directory);
    assert_int_equal(loop_open(&o->loop), OK);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(listen_open((struct sockaddr *)&any, sizeof any, 1, &o->listener), OK);
    assert_int_equal(give(o), OK);
    *state = o;
    return 0;
}

static int
tear_down(void **state)
{
    struct older *o = *state;
    handover_close(&o->handover);
    close(o->listener);
    loop_close(&o->loop);
    rmdir(o->directory);
    free(o);
    return 0;
}

static pid_t
heir(const struct older *o, int (*run)(const struct older *o))
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run(o));
    }
    return pid;
}

/* The exit code of the heir; the older one's loop turns meanwhile. */
static int
turn_until_ended(struct older *o, pid_t pid)
{
    int status;
    for (int i = 0; i < 500; i++) {
        loop_turn(o->loop, 10000);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        }
    }
    fail_msg("the heir never ended");
    return -1;
}

static int
inherit(const struct older *o)
{
    int fd, line;
    if (handover_take(o->path, &fd, 1, 5000, &line) != OK || handover_ready(line, 5000) != OK) {
        return 1;
    }
    struct sockaddr_in mine;
    socklen_t bytes = sizeof mine;
    return getsockname(fd, (struct sockaddr *)&mine, &bytes) == 0 &&
                   ntohs(mine.sin_port) == listen_port(o->listener)
               ? 0
               : 2;
}

static void
the_listener_is_handed_on(void **state)
{
    struct older *o = *state;
    assert_int_equal(turn_until_ended(o, heir(o, inherit)), 0);
    assert_int_equal(o->asked, 1);
    assert_int_equal(access(o->path, F_OK), -1); /* free for the heir's own */
}

static int
die_on_the_way(const struct older *o)
{
    int fd, line;
    return handover_take(o->path, &fd, 1, 5000, &line) == OK ? 7 : 1;
}

static void
an_heir_that_dies_changes_nothing(void **state)
{
    struct older *o = *state;
    assert_int_equal(turn_until_ended(o, heir(o, die_on_the_way)), 7);
    loop_turn(o->loop, 0);
    assert_int_equal(o->asked, 0);
    assert_int_equal(turn_until_ended(o, heir(o, inherit)), 0);
    assert_int_equal(o->asked, 1);
}

static int
want_two(const struct older *o)
{
    int fds[2], line;
    return handover_take(o->path, fds, 2, 5000, &line) == ERR_FORMAT ? 0 : 1;
}

static void
what_was_not_asked_for_is_refused(void **state)
{
    struct older *o = *state;
    assert_int_equal(turn_until_ended(o, heir(o, want_two)), 0);
}

static void
names_are_respected_while_somebody_listens(void **state)
{
    struct older *o = *state;
    struct stat s;
    assert_int_equal(stat(o->path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    struct older second = *o;
    assert_int_equal(give(&second), ERR_EXISTS);
    handover_close(&o->handover);
    int fd, line;
    assert_int_equal(handover_take(o->path, &fd, 1, 100, &line), ERR_NOT_FOUND);
    /* What a killed process leaves behind is no obstacle. */
    assert_int_equal(give(o), OK);
    assert_int_equal(give(&second), ERR_EXISTS);
}

static void
silence_has_an_end(void **state)
{
    struct older *o = *state;
    int fd, line;
    /* Nobody turns the older one's loop. */
    assert_int_equal(handover_take(o->path, &fd, 1, 50, &line), ERR_UNAVAILABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_listener_is_handed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_heir_that_dies_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_asked_for_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_respected_while_somebody_listens, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_has_an_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
