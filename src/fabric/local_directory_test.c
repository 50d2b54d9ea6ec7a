/* The suite of the directory port against the one in this process. */
#include "fabric/directory_suite.h"
#include "fabric/local_directory.h"
#include "sim/events.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FIRST_REVISION 1000

struct local {
    struct events events;
    struct local_directory *directory;
};

static struct env_directory
local_open(void *ctx, struct directory_done done)
{
    struct local *l = ctx;
    events_init(&l->events, 1);
    l->directory = local_directory_alloc(FIRST_REVISION, events_clock(&l->events), done);
    assert_int_equal(local_directory_revision(l->directory), FIRST_REVISION);
    return local_directory_port(l->directory);
}

static void
local_close(void *ctx)
{
    struct local *l = ctx;
    local_directory_free(&l->directory);
    events_fini(&l->events);
}

static void
local_wait(void *ctx)
{
    struct local *l = ctx;
    int64_t next_us = local_directory_turn(l->directory);
    if (next_us > l->events.now_us) {
        int64_t latest_us = l->events.now_us + 100000;
        events_run(&l->events, next_us < latest_us ? next_us : latest_us);
        (void)local_directory_turn(l->directory);
    }
}

static void
local_compact(void *ctx)
{
    local_directory_compact(((struct local *)ctx)->directory);
}

int
main(void)
{
    struct local l = {.directory = NULL};
    struct directory_engine engine = {.name = "local_directory",
                                      .ctx = &l,
                                      .open = local_open,
                                      .close = local_close,
                                      .wait = local_wait,
                                      .compact = local_compact,
                                      .calls_max = LOCAL_DIRECTORY_CALLS_MAX};
    return directory_suite_run(&engine);
}
