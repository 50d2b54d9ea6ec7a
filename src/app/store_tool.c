#include "app/store_tool.h"

#include "base/check.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct store_tool {
    struct env env;
    struct cluster_store *store;
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
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
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

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
    check_failed(__FILE__, __LINE__, __func__, "a tool only scans");
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
    struct store_tool *t = ctx;
    (void)token;
    t->answered = true;
    t->result = result;
    t->count = count;
    for (uint32_t i = 0; i < count && !t->stopped; i++)
        t->stopped = !t->each(t->ctx, found[i].key, &found[i].doc);
    if (count > 0) {
        struct slice last = found[count - 1].key;
        snprintf(t->after, sizeof t->after, "%.*s", (int)last.bytes, (const char *)last.at);
    }
}

/* One step of what is under way, or a moment's wait. */
static void
step(struct store_tool *t)
{
    struct pollfd ready = {.fd = cluster_store_fd(t->store), .events = POLLIN};
    int64_t wait_us = cluster_store_turn(t->store) - mono_us(NULL);
    int wait_ms = wait_us > 100000 ? 100 : wait_us < 1000 ? 1 : (int)(wait_us / 1000);
    (void)poll(&ready, 1, wait_ms);
    cluster_store_deliver(t->store);
}

static enum err
await_servers(struct store_tool *t, char *why)
{
    int64_t until_us = mono_us(NULL) + STORE_TOOL_PATIENCE_MS * INT64_C(1000);
    for (;;) {
        enum servers_state state = cluster_store_state(t->store);
        if (state == SERVERS_DONE)
            return OK;
        if (state == SERVERS_FAILED) {
            snprintf(why, CLUSTER_STORE_WHY_MAX, "%s", cluster_store_why(t->store));
            return ERR_FORMAT;
        }
        if (mono_us(NULL) >= until_us) {
            snprintf(why, CLUSTER_STORE_WHY_MAX, "a server of the store does not answer");
            return ERR_UNAVAILABLE;
        }
        step(t);
    }
}

/* A server may be away for a moment: the page is asked for again until patience ends. */
static enum err
scan_page(struct store_tool *t, const char *prefix, char *why)
{
    int64_t until_us = mono_us(NULL) + STORE_TOOL_PATIENCE_MS * INT64_C(1000);
    struct slice begin = {(const uint8_t *)prefix, strlen(prefix)};
    t->result = STORE_UNAVAILABLE;
    while (t->result != STORE_OK && mono_us(NULL) < until_us) {
        struct slice after = {(const uint8_t *)t->after, strlen(t->after)};
        t->answered = false;
        enum err e = t->port.scan(t->port.ctx, 0, begin, after, STORE_SCAN_MAX);
        while (e == OK && !t->answered)
            step(t);
        if (t->result != STORE_OK || e != OK)
            step(t);
    }
    if (t->result != STORE_OK)
        snprintf(why, CLUSTER_STORE_WHY_MAX, "a server of the store does not answer");
    return t->result == STORE_OK ? OK : ERR_UNAVAILABLE;
}

enum err
store_tool_scan(const char *addresses, uint16_t world, const char *prefix, lmdb_scan_each *each,
                void *ctx, char why[CLUSTER_STORE_WHY_MAX])
{
    struct store_tool t = {.each = each, .ctx = ctx};
    struct cluster_store_options options = {.addresses = addresses, .world = world, .env = &t.env};
    t.env.clock = (struct env_clock){.mono_us = mono_us, .world_ms = world_ms, .random = random_of};
    enum err e = cluster_store_open(&options, &t.store, why);
    if (e != OK)
        return e;
    t.port = cluster_store_port(
        t.store, (struct store_done){
                     .ctx = &t, .got = on_got, .committed = on_committed, .scanned = on_scanned});
    e = await_servers(&t, why);
    do
        e = e == OK ? scan_page(&t, prefix, why) : e;
    while (e == OK && !t.stopped && t.count == STORE_SCAN_MAX);
    cluster_store_close(&t.store);
    return e;
}
