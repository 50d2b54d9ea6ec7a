/* The conformance suite against the committer over LMDB used one key at a time: a real engine under
 * the protocol. Its time is virtual: pauses are over as soon as nothing else is under way. */
#include "base/rand.h"
#include "os/files.h"
#include "os/lmdb_store.h"
#include "store/committer.h"
#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#define CALLS_MAX 512

struct engine {
    char directory[64];
    struct lmdb_store *store;
    struct committer *committer;
    struct env env;
    struct rand rand;
    int64_t now_us;
    uint64_t epoch;
};

static int64_t
mono_us(void *ctx)
{
    return ((struct engine *)ctx)->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return ((struct engine *)ctx)->now_us / 1000;
}

static uint64_t
random_of(void *ctx)
{
    return rand_next(&((struct engine *)ctx)->rand);
}

static void
files_remove(const struct engine *e)
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
    struct engine *e = ctx;
    if (fresh)
        files_remove(e);
    char why[LMDB_STORE_WHY_MAX] = "";
    struct lmdb_store_options store_options = {
        .directory = e->directory, .calls_max = 2 * CALLS_MAX, .map_bytes = 64 << 10};
    if (lmdb_store_open(&store_options, &e->store, why) != OK)
        fail_msg("%s", why);
    struct committer_options options = {
        .env = &e->env, .world = 1, .node_epoch = ++e->epoch, .calls_max = CALLS_MAX};
    e->committer = committer_alloc(&options);
    struct env_store engine = lmdb_store_port(e->store, committer_done(e->committer));
    engine.commit_max = 1; /* as if it had no transactions */
    committer_connect(e->committer, &engine);
}

static void
engine_close(void *ctx)
{
    struct engine *e = ctx;
    lmdb_store_close(&e->store);
    committer_free(&e->committer);
}

static struct env_store
engine_connect(void *ctx, struct store_done done)
{
    return committer_port(((struct engine *)ctx)->committer, done);
}

static void
engine_wait(void *ctx)
{
    struct engine *e = ctx;
    int64_t turn_us = committer_turn(e->committer);
    if (lmdb_store_under_way(e->store) == 0) {
        e->now_us = turn_us;
        return;
    }
    struct pollfd wait = {.fd = lmdb_store_fd(e->store), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 60000), 1);
    (void)lmdb_store_deliver(e->store);
}

int
main(void)
{
    /* In memory if there is such a place: thousands of writes one after the other wait for a disk
     * for a minute, and the suite asks what outlives a close, not a power cut. */
    struct engine e = {0};
    if (directory_make_temporary("/dev/shm", "engine", e.directory, sizeof e.directory) != OK &&
        directory_make_temporary(NULL, "engine", e.directory, sizeof e.directory) != OK)
        return 1;
    rand_seed(&e.rand, 1);
    e.env.clock = (struct env_clock){
        .ctx = &e, .mono_us = mono_us, .world_ms = world_ms, .random = random_of};
    struct conformance_engine engine = {.name = "engine_committer_lmdb",
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
