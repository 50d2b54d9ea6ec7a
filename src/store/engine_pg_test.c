/* The conformance suite against PostgreSQL, through a proxy that cuts connections, in the middle of
 * whatever passes, while there are to be faults. */
#include "os/pg_fixture.h"
#include "os/pg_proxy.h"
#include "os/pg_store.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>

#define CALLS_MAX   512
#define DEADLINE_MS 120000 /* what is late here is late because the machine is busy */

struct engine {
    struct pg_fixture server;
    struct pg_proxy *proxy;
    struct pg_store *store;
    uint64_t seed;
};

static void
engine_open(void *ctx, bool fresh)
{
    struct engine *e = ctx;
    if (fresh)
        pg_fixture_empty(&e->server);
    char why[PG_STORE_WHY_MAX] = "";
    if (pg_store_check(e->server.address, why) != OK)
        fail_msg("%s", why);
    struct pg_store_options options = {.address = pg_proxy_address(e->proxy),
                                       .calls_max = CALLS_MAX,
                                       .deadline_ms = DEADLINE_MS,
                                       .reconnect_ms = 1};
    if (pg_store_open(&options, &e->store, why) != OK)
        fail_msg("%s", why);
}

static void
engine_close(void *ctx)
{
    pg_store_close(&((struct engine *)ctx)->store);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return pg_store_port(((struct engine *)ctx)->store, done);
}

static void
engine_wait(void *ctx)
{
    const struct engine *e = ctx;
    struct pollfd wait = {.fd = pg_store_fd(e->store), .events = POLLIN};
    do
        assert_int_equal(poll(&wait, 1, 60000), 1);
    while (pg_store_deliver(e->store) == 0);
}

static void
engine_faults(void *ctx, bool on)
{
    struct engine *e = ctx;
    pg_proxy_cut_randomly(e->proxy, on, ++e->seed);
}

int
main(void)
{
    struct engine e = {.store = NULL};
    if (!pg_fixture_start(&e.server))
        return 0;
    e.proxy = pg_proxy_start(&e.server);
    struct conformance_engine engine = {.name = "engine_pg",
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX,
                                        .hints = true,
                                        .faults = engine_faults};
    int failed = conformance_run(&engine);
    print_message("# %u connections were cut\n", pg_proxy_cuts(e.proxy));
    pg_proxy_stop(&e.proxy);
    pg_fixture_stop(&e.server);
    return failed;
}
