/* The suite of the directory port against a real etcd. */
#include "base/check.h"
#include "fabric/directory_suite.h"
#include "os/etcd_directory.h"
#include "os/etcd_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WAIT_US 100000

struct etcd {
    struct etcd_fixture server;
    struct loop *loop;
    struct etcd_directory *directory;
};

static struct env_directory
etcd_open(void *ctx, struct directory_done done)
{
    struct etcd *e = ctx;
    char why[256];
    etcd_fixture_order(&e->server, "clear");
    assert_int_equal(loop_open(&e->loop), OK);
    struct etcd_directory_options options = {.loop = e->loop, .urls = e->server.url};
    assert_int_equal(etcd_directory_open(&options, done, &e->directory, why, sizeof why), OK);
    return etcd_directory_port(e->directory);
}

static void
etcd_close(void *ctx)
{
    struct etcd *e = ctx;
    etcd_directory_close(&e->directory);
    loop_close(&e->loop);
}

static void
etcd_wait(void *ctx)
{
    (void)loop_turn(((struct etcd *)ctx)->loop, WAIT_US);
}

static void
etcd_compact(void *ctx)
{
    etcd_fixture_order(&((struct etcd *)ctx)->server, "compact");
}

static void
etcd_away(void *ctx, bool away)
{
    etcd_fixture_order(&((struct etcd *)ctx)->server, away ? "stop" : "start");
}

int
main(void)
{
    struct etcd e;
    if (!etcd_fixture_start(&e.server))
        return 0;
    struct directory_engine engine = {.name = "directory_etcd",
                                      .ctx = &e,
                                      .open = etcd_open,
                                      .close = etcd_close,
                                      .wait = etcd_wait,
                                      .compact = etcd_compact,
                                      .away = etcd_away,
                                      .calls_max = ETCD_CALLS_MAX};
    int failed = directory_suite_run(&engine);
    etcd_fixture_stop(&e.server);
    return failed;
}
