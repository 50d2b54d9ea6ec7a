/* Nodes with their directories on a real etcd: the few histories that only the real one can tell.
 * Faults in number are the model's business (directory_seeds_test.c). */
#include "base/rand.h"
#include "fabric/directory.h"
#include "os/etcd_directory.h"
#include "os/etcd_fixture.h"
#include "os/time_source.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES      3
#define PATIENCE_S 15
#define STEP_US    20000

struct desk;

struct desk_node {
    struct directory *directory;
    struct etcd_directory *etcd;
    uint64_t epoch;
    uint32_t claimed, lost;
    bool refused, left;
};

struct desk {
    struct etcd_fixture *server;
    struct loop *loop;
    struct env env;
    struct time_source time;
    struct rand rand;
    struct desk_node nodes[NODES];
};

static int64_t
mono_us(void *ctx)
{
    struct desk *d = ctx;
    return d->time.steady_us(d->time.ctx);
}

static int64_t
world_ms(void *ctx)
{
    return mono_us(ctx) / 1000;
}

static uint64_t
draw(void *ctx)
{
    return rand_next(&((struct desk *)ctx)->rand);
}

static void
on_claimed(void *ctx, uint64_t epoch)
{
    struct desk_node *n = ctx;
    n->epoch = epoch;
    n->claimed++;
}

static void
on_refused(void *ctx, const char *why)
{
    assert_non_null(strstr(why, "is taken"));
    ((struct desk_node *)ctx)->refused = true;
}

static void
on_lost(void *ctx)
{
    ((struct desk_node *)ctx)->lost++;
}

static void
on_left(void *ctx)
{
    ((struct desk_node *)ctx)->left = true;
}

static struct desk_node *
node_start(struct desk *d, uint32_t slot, uint16_t index, uint64_t installation, const char *urls)
{
    struct desk_node *n = &d->nodes[slot];
    char why[256];
    *n = (struct desk_node){0};
    struct directory_options options = {
        .world = 1,
        .node = {.role = NODE_HOME, .index = index, .address = "127.0.0.1:7000"},
        .installation = installation,
        .events = {.ctx = n,
                   .claimed = on_claimed,
                   .refused = on_refused,
                   .lost = on_lost,
                   .left = on_left}};
    n->directory = directory_alloc(&options, &d->env);
    struct etcd_directory_options etcd = {.loop = d->loop, .urls = urls};
    assert_int_equal(
        etcd_directory_open(&etcd, directory_done(n->directory), &n->etcd, why, sizeof why), OK);
    struct env_directory port = etcd_directory_port(n->etcd);
    directory_start(n->directory, &port);
    return n;
}

/* As if the process had been killed. */
static void
node_kill(struct desk_node *n)
{
    etcd_directory_close(&n->etcd);
    directory_free(&n->directory);
}

static void
desk_turn(struct desk *d)
{
    for (uint32_t i = 0; i < NODES; i++)
        if (d->nodes[i].directory != NULL)
            (void)directory_turn(d->nodes[i].directory);
    (void)loop_turn(d->loop, STEP_US);
}

static bool
all_know(const struct desk *d, uint32_t count)
{
    for (uint32_t i = 0; i < NODES; i++) {
        const struct desk_node *n = &d->nodes[i];
        if (n->directory == NULL || n->refused || n->left)
            continue;
        const struct book *book = directory_book(n->directory);
        if (n->epoch == 0 || book->count != count || book_find(book, n->epoch) == NULL)
            return false;
    }
    return true;
}

/* Milliseconds until all living nodes have a book of so many; fails when it takes too long. */
static int64_t
until_known_ms(struct desk *d, uint32_t count)
{
    int64_t start_us = mono_us(d), end_us = start_us + PATIENCE_S * 1000000LL;
    while (!all_know(d, count) && mono_us(d) < end_us)
        desk_turn(d);
    assert_true(all_know(d, count));
    return (mono_us(d) - start_us) / 1000;
}

static void
nodes_find_each_other_and_leave(void **state)
{
    struct desk *d = *state;
    for (uint32_t i = 0; i < NODES; i++)
        (void)node_start(d, i, (uint16_t)i, 100 + i, d->server->url);
    (void)until_known_ms(d, NODES);
    assert_true(d->nodes[0].epoch != d->nodes[1].epoch && d->nodes[1].epoch != d->nodes[2].epoch);
    directory_leave(d->nodes[0].directory);
    while (!d->nodes[0].left)
        desk_turn(d);
    assert_in_range(until_known_ms(d, NODES - 1), 0, 2000);
}

/* Much less than the lease of 10 s. */
static void
a_restart_takes_over(void **state)
{
    struct desk *d = *state;
    struct desk_node *n = node_start(d, 0, 0, 100, d->server->url);
    (void)until_known_ms(d, 1);
    uint64_t epoch = n->epoch;
    node_kill(n);
    (void)node_start(d, 0, 0, 100, d->server->url);
    assert_in_range(until_known_ms(d, 1), 0, 3000);
    assert_true(n->epoch > epoch);
    (void)node_start(d, 1, 0, 101, d->server->url);
    while (!d->nodes[1].refused)
        desk_turn(d);
    assert_int_equal(d->nodes[1].claimed, 0);
    assert_int_equal(n->claimed, 1);
}

/* In whatever order they are started; then it goes and comes back. */
static void
the_directory_may_come_later_and_go(void **state)
{
    struct desk *d = *state;
    etcd_fixture_order(d->server, "stop");
    (void)node_start(d, 0, 0, 100, d->server->url);
    (void)node_start(d, 1, 1, 101, d->server->url);
    while (directory_stats(d->nodes[1].directory).lists_failed == 0 &&
           directory_stats(d->nodes[1].directory).away_since_us == 0)
        desk_turn(d);
    assert_int_equal(d->nodes[0].epoch, 0);
    etcd_fixture_order(d->server, "start");
    (void)until_known_ms(d, 2);
    uint64_t epoch = d->nodes[0].epoch;

    etcd_fixture_order(d->server, "stop");
    while (directory_stats(d->nodes[0].directory).away_since_us == 0)
        desk_turn(d);
    assert_int_equal(directory_book(d->nodes[0].directory)->count, 2);
    assert_int_equal(directory_epoch(d->nodes[0].directory), epoch);
    etcd_fixture_order(d->server, "start");
    while (directory_stats(d->nodes[0].directory).away_since_us != 0)
        desk_turn(d);
    (void)until_known_ms(d, 2);
    assert_int_equal(d->nodes[0].claimed, 1);
    assert_int_equal(d->nodes[0].lost, 0);
    node_start(d, 2, 2, 102, d->server->url); /* and the watches work again */
    assert_in_range(until_known_ms(d, 3), 0, 5000);
}

/* A second connection of the test's own, to take a lease away behind its owner's back. */
struct thief {
    uint64_t lease;
    bool revoked;
};

static void
thief_listed(void *ctx, uint64_t token, enum directory_result result, uint64_t revision,
             const struct directory_entry *entries, uint32_t count)
{
    (void)token;
    (void)revision;
    if (result == DIRECTORY_OK && count > 0)
        ((struct thief *)ctx)->lease = entries[0].lease;
}

static void
thief_kept(void *ctx, uint64_t token, enum directory_result result)
{
    (void)token;
    ((struct thief *)ctx)->revoked = result == DIRECTORY_OK;
}

static void
a_lost_lease_costs_no_epoch(void **state)
{
    struct desk *d = *state;
    struct desk_node *n = node_start(d, 0, 0, 100, d->server->url);
    (void)node_start(d, 1, 1, 101, d->server->url);
    (void)until_known_ms(d, 2);
    uint64_t epoch = n->epoch;
    struct thief thief = {0};
    struct directory_done done = {.ctx = &thief, .listed = thief_listed, .kept = thief_kept};
    struct etcd_directory_options options = {.loop = d->loop, .urls = d->server->url};
    struct etcd_directory *etcd;
    char why[256];
    assert_int_equal(etcd_directory_open(&options, done, &etcd, why, sizeof why), OK);
    struct env_directory port = etcd_directory_port(etcd);
    const char *key = "/seom/1/0/home/0";
    assert_int_equal(port.list(port.ctx, 1, (struct slice){(const uint8_t *)key, strlen(key)}), OK);
    while (thief.lease == 0)
        desk_turn(d);
    assert_int_equal(port.revoke(port.ctx, 2, thief.lease), OK);
    while (!thief.revoked || n->lost == 0)
        desk_turn(d);
    (void)until_known_ms(d, 2);
    while (directory_stats(n->directory).returns == 0)
        desk_turn(d);
    (void)until_known_ms(d, 2);
    assert_int_equal(n->epoch, epoch);
    assert_non_null(book_find(directory_book(d->nodes[1].directory), epoch));
    etcd_directory_close(&etcd);
}

/* Nobody listens at the first of the list. */
static void
another_server_is_asked(void **state)
{
    struct desk *d = *state;
    char urls[2 * ETCD_URL_MAX];
    snprintf(urls, sizeof urls, "http://127.0.0.1:1,%s/", d->server->url);
    (void)node_start(d, 0, 0, 100, urls);
    (void)until_known_ms(d, 1);
    assert_int_equal(etcd_directory_stats(d->nodes[0].etcd).servers_changed, 1);
}

static void
addresses_that_are_none_are_refused(void **state)
{
    struct desk *d = *state;
    static const char *const others[] = {"",          "127.0.0.1:2379",     "ftp://a",
                                         "http://a,", "http://a, http://b", ",http://a"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct etcd_directory_options options = {.loop = d->loop, .urls = others[i]};
        struct directory_done done = {0};
        struct etcd_directory *etcd;
        char why[256] = "";
        assert_int_equal(etcd_directory_open(&options, done, &etcd, why, sizeof why), ERR_FORMAT);
        assert_non_null(strstr(why, "http://"));
    }
}

static struct etcd_fixture server;

static int
setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    if (d == NULL || loop_open(&d->loop) != OK)
        return -1;
    d->server = &server;
    d->time = time_source_linux();
    rand_seed(&d->rand, 1);
    d->env.clock =
        (struct env_clock){.ctx = d, .mono_us = mono_us, .world_ms = world_ms, .random = draw};
    etcd_fixture_order(&server, "clear");
    *state = d;
    return 0;
}

static int
teardown(void **state)
{
    struct desk *d = *state;
    for (uint32_t i = 0; i < NODES; i++)
        node_kill(&d->nodes[i]);
    loop_close(&d->loop);
    free(d);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    if (!etcd_fixture_start(&server))
        return 0;
    const struct CMUnitTest tests[] = {CASE(nodes_find_each_other_and_leave),
                                       CASE(a_restart_takes_over),
                                       CASE(the_directory_may_come_later_and_go),
                                       CASE(a_lost_lease_costs_no_epoch),
                                       CASE(another_server_is_asked),
                                       CASE(addresses_that_are_none_are_refused)};
    int failed = cmocka_run_group_tests_name("directory_etcd_nodes", tests, NULL, NULL);
    etcd_fixture_stop(&server);
    return failed;
}
