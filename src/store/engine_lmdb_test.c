/* The conformance suite against LMDB, in a directory of its own. */
#include "os/files.h"
#include "os/lmdb_store.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#define CALLS_MAX 512

struct lmdb_engine {
    char directory[64];
    struct lmdb_store *store;
};

static void
files_remove(const struct lmdb_engine *e)
{
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", e->directory, names[i]);
        unlink(path);
    }
}

static void
engine_open(void *ctx, bool fresh)
{
    struct lmdb_engine *e = ctx;
    if (fresh)
        files_remove(e);
    char why[LMDB_STORE_WHY_MAX] = "";
    /* A small map, so that growing it belongs to the suite. */
    struct lmdb_store_options options = {
        .directory = e->directory, .calls_max = CALLS_MAX, .map_bytes = 64 << 10};
    if (lmdb_store_open(&options, &e->store, why) != OK)
        fail_msg("%s", why);
}

static void
engine_close(void *ctx)
{
    struct lmdb_engine *e = ctx;
    lmdb_store_close(&e->store);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return lmdb_store_port(((struct lmdb_engine *)ctx)->store, done);
}

static void
engine_wait(void *ctx)
{
    const struct lmdb_engine *e = ctx;
    struct pollfd wait = {.fd = lmdb_store_fd(e->store), .events = POLLIN};
    do
        assert_int_equal(poll(&wait, 1, 60000), 1);
    while (lmdb_store_deliver(e->store) == 0);
}

int
main(void)
{
    struct lmdb_engine e = {0};
    if (directory_make_temporary(NULL, "engine", e.directory, sizeof e.directory) != OK)
        return 1;
    struct conformance_engine engine = {.name = "engine_lmdb",
                                        .ctx = &e,
                                        .open = engine_open,
                                        .close = engine_close,
                                        .connect = engine_connect,
                                        .wait = engine_wait,
                                        .calls_max = CALLS_MAX,
                                        .hints = true};
    int failed = conformance_run(&engine);
    files_remove(&e);
    rmdir(e.directory);
    return failed;
}
