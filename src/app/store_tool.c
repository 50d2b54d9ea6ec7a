#include "app/store_tool.h"

#include "base/check.h"
#include "os/pg_tools.h"
#include "os/process.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct store_tool {
    struct env env;
    struct cluster_store *store; /* owned */
};

/* A scan of several servers. */
struct paging {
    struct store_tool *tool;
    struct env_store port;
    lmdb_scan_each *each;
    void *ctx;
    bool answered, stopped;
    enum store_result result;
    uint32_t count;
    char after[STORE_KEY_MAX + 1];
};

static int64_t
mono_us(void *ctx)
{
    (void)ctx;
    return process_mono_us();
}

/* Before every deadline: a tool, which does not know the world's time, aborts nobody's commit. */
static int64_t
world_ms(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint64_t
random_of(void *ctx)
{
    uint64_t value;
    (void)ctx;
    CHECK(getrandom(&value, sizeof value, 0) == (ssize_t)sizeof value);
    return value;
}

/* ---- open, for as long as a tool needs it ---- */

void
store_tool_step(struct store_tool *t)
{
    struct pollfd ready = {.fd = cluster_store_fd(t->store), .events = POLLIN};
    int64_t wait_us = cluster_store_turn(t->store) - process_mono_us();
    int wait_ms = wait_us > 100000 ? 100 : wait_us < 1000 ? 1 : (int)(wait_us / 1000);
    (void)poll(&ready, 1, wait_ms);
    cluster_store_deliver(t->store);
}

static enum err
await_servers(struct store_tool *t, char *why)
{
    int64_t until_us = process_mono_us() + STORE_TOOL_PATIENCE_MS * INT64_C(1000);
    for (;;) {
        enum servers_state state = cluster_store_state(t->store);
        if (state == SERVERS_DONE)
            return OK;
        if (state == SERVERS_FAILED) {
            snprintf(why, CLUSTER_STORE_WHY_MAX, "%s", cluster_store_why(t->store));
            return ERR_FORMAT;
        }
        if (process_mono_us() >= until_us) {
            snprintf(why, CLUSTER_STORE_WHY_MAX, "a server of the store does not answer");
            return ERR_UNAVAILABLE;
        }
        store_tool_step(t);
    }
}

enum err
store_tool_open(const char *addresses, uint16_t world, struct store_tool **out,
                char why[CLUSTER_STORE_WHY_MAX])
{
    struct store_tool *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    struct cluster_store_options options = {.addresses = addresses, .world = world, .env = &t->env};
    t->env.clock =
        (struct env_clock){.mono_us = mono_us, .world_ms = world_ms, .random = random_of};
    enum err error = cluster_store_open(&options, &t->store, why);
    if (error == OK)
        error = await_servers(t, why);
    if (error != OK)
        store_tool_close(&t);
    else
        *out = t;
    return error;
}

void
store_tool_close(struct store_tool **tool)
{
    struct store_tool *t = *tool;
    CHECK(t != NULL);
    if (t->store != NULL)
        cluster_store_close(&t->store);
    free(t);
    *tool = NULL;
}

struct env_store
store_tool_port(struct store_tool *t, struct store_done done)
{
    struct env_store port = cluster_store_port(t->store, done);
    (void)cluster_store_turn(t->store); /* which takes the port into use */
    return port;
}

/* ---- several servers, page by page ---- */

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
    check_failed(__FILE__, __LINE__, __func__, "a scan only scans");
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    on_got(ctx, token, result, NULL);
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct paging *p = ctx;
    (void)token;
    p->answered = true;
    p->result = result;
    p->count = count;
    for (uint32_t i = 0; i < count && !p->stopped; i++)
        p->stopped = !p->each(p->ctx, found[i].key, &found[i].doc);
    if (count > 0) {
        struct slice last = found[count - 1].key;
        snprintf(p->after, sizeof p->after, "%.*s", (int)last.bytes, (const char *)last.at);
    }
}

/* A server may be away for a moment: the page is asked for again until patience ends. */
static enum err
scan_page(struct paging *p, const char *prefix, char *why)
{
    int64_t until_us = process_mono_us() + STORE_TOOL_PATIENCE_MS * INT64_C(1000);
    struct slice begin = {(const uint8_t *)prefix, strlen(prefix)};
    p->result = STORE_UNAVAILABLE;
    while (p->result != STORE_OK && process_mono_us() < until_us) {
        struct slice after = {(const uint8_t *)p->after, strlen(p->after)};
        p->answered = false;
        enum err e = p->port.scan(p->port.ctx, 0, begin, after, STORE_SCAN_MAX);
        while (e == OK && !p->answered)
            store_tool_step(p->tool);
        if (p->result != STORE_OK || e != OK)
            store_tool_step(p->tool);
    }
    if (p->result != STORE_OK)
        snprintf(why, CLUSTER_STORE_WHY_MAX, "a server of the store does not answer");
    return p->result == STORE_OK ? OK : ERR_UNAVAILABLE;
}

static enum err
several_scan(const char *addresses, uint16_t world, const char *prefix, lmdb_scan_each *each,
             void *ctx, char *why)
{
    struct paging p = {.each = each, .ctx = ctx};
    enum err e = store_tool_open(addresses, world, &p.tool, why);
    if (e != OK)
        return e;
    p.port = store_tool_port(
        p.tool, (struct store_done){
                    .ctx = &p, .got = on_got, .committed = on_committed, .scanned = on_scanned});
    do
        e = scan_page(&p, prefix, why);
    while (e == OK && !p.stopped && p.count == STORE_SCAN_MAX);
    store_tool_close(&p.tool);
    return e;
}

/* ---- one server, from one moment ---- */

static bool
each_mark(void *ctx, struct slice key, const struct store_doc *doc)
{
    (void)key;
    (void)doc;
    *(bool *)ctx = true;
    return false;
}

/* A server that carries a mark is one of several (store/servers.h): alone it holds a part of a
 * world. */
static enum err
one_scan(const char *address, uint16_t world, const char *prefix, lmdb_scan_each *each, void *ctx,
         char *why)
{
    bool marked = false;
    struct key mark = key_named(world, KEY_CLASS_META, SERVERS_MARK_PREFIX);
    enum err error = pg_scan(address, mark.text, each_mark, &marked, why);
    if (error == OK && marked) {
        snprintf(why, CLUSTER_STORE_WHY_MAX,
                 "this server is one of several that hold the world between them: give all their "
                 "addresses in the order in which they were given first");
        error = ERR_FORMAT;
    }
    return error == OK ? pg_scan(address, prefix, each, ctx, why) : error;
}

bool
store_tool_is_one_server(const char *addresses)
{
    struct slice first;
    return cluster_store_addresses(addresses, &first) == 1;
}

enum err
store_tool_scan(const char *addresses, uint16_t world, const char *prefix, lmdb_scan_each *each,
                void *ctx, char why[CLUSTER_STORE_WHY_MAX])
{
    struct slice first;
    if (cluster_store_addresses(addresses, &first) != 1)
        return several_scan(addresses, world, prefix, each, ctx, why);
    char *address = strndup((const char *)first.at, first.bytes);
    CHECK(address != NULL);
    enum err error = one_scan(address, world, prefix, each, ctx, why);
    free(address);
    return error;
}
