#include "app/cluster_store.h"

#include "base/check.h"
#include "watch/gather.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SEPARATORS  " ;\t\n"
#define SCHEME_MARK "://"

struct cluster_store {
    struct cluster_store_options options;
    uint32_t count;
    struct pg_store *engines[SPREAD_ENGINES_MAX]; /* owned */
    struct servers servers;
    struct spread *spread;       /* owned; of several servers, once they are open */
    struct committer *committer; /* likewise */
    struct store_done done;
    struct env_store inner; /* get NULL: not yet */
    int epoll;
};

/* ---- opening ---- */

uint32_t
cluster_store_addresses(const char *addresses, struct slice *first)
{
    /* Words of libpq's own form have spaces between them. */
    const char *separators = strstr(addresses, SCHEME_MARK) == NULL ? "" : SEPARATORS;
    uint32_t count = 0;
    *first = (struct slice){0};
    for (const char *at = addresses;;) {
        at += strspn(at, separators);
        size_t bytes = strcspn(at, separators);
        if (bytes == 0)
            return count;
        if (count++ == 0)
            *first = (struct slice){(const uint8_t *)at, bytes};
        at += bytes;
    }
}

static enum err
engine_open(struct cluster_store *s, const char *address, char *why)
{
    struct pg_store_options options = {
        .address = address, .log_ctx = s->options.log_ctx, .log = s->options.log};
    struct epoll_event event = {.events = EPOLLIN};
    if (s->count == SPREAD_ENGINES_MAX) {
        snprintf(why, CLUSTER_STORE_WHY_MAX, "a store has at most %u servers", s->count);
        return ERR_FORMAT;
    }
    enum err e = pg_store_open(&options, &s->engines[s->count], why);
    if (e != OK)
        return e;
    int fd = pg_store_fd(s->engines[s->count++]);
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        snprintf(why, CLUSTER_STORE_WHY_MAX, "the store's descriptor: %s", strerror(errno));
        return ERR_FULL;
    }
    return OK;
}

static enum err
engines_open(struct cluster_store *s, char *why)
{
    const char *addresses = s->options.addresses;
    if (strstr(addresses, SCHEME_MARK) == NULL && addresses[0] != 0)
        return engine_open(s, addresses, why);
    char *copy = strdup(addresses), *rest = copy, *address;
    CHECK(copy != NULL);
    enum err e = OK;
    while (e == OK && (address = strsep(&rest, SEPARATORS)) != NULL)
        if (address[0] != 0)
            e = engine_open(s, address, why);
    free(copy);
    if (e == OK && s->count == 0) {
        snprintf(why, CLUSTER_STORE_WHY_MAX, "no address of a store is given");
        e = ERR_FORMAT;
    }
    return e;
}

enum err
cluster_store_open(const struct cluster_store_options *options, struct cluster_store **out,
                   char why[CLUSTER_STORE_WHY_MAX])
{
    struct cluster_store *s = calloc(1, sizeof *s);
    CHECK(s != NULL && options->env != NULL);
    s->options = *options;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum err e = s->epoll < 0 ? ERR_FULL : OK;
    if (e != OK)
        snprintf(why, CLUSTER_STORE_WHY_MAX, "the store's descriptor: %s", strerror(errno));
    else
        e = engines_open(s, why);
    if (e != OK) {
        cluster_store_close(&s);
        return e;
    }
    servers_init(&s->servers, options->env, options->world, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        struct env_store port = pg_store_port(s->engines[i], servers_done(&s->servers, i));
        servers_connect(&s->servers, i, &port);
    }
    *out = s;
    return OK;
}

void
cluster_store_close(struct cluster_store **store)
{
    struct cluster_store *s = *store;
    CHECK(s != NULL);
    for (uint32_t i = 0; i < s->count; i++)
        pg_store_close(&s->engines[i]);
    if (s->committer != NULL)
        committer_free(&s->committer);
    if (s->spread != NULL)
        spread_free(&s->spread);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s);
    *store = NULL;
}

/* The servers are those of this world: from here on the port is theirs. */
static void
engines_connect(struct cluster_store *s)
{
    if (s->count == 1) {
        s->inner = pg_store_port(s->engines[0], s->done);
        return;
    }
    struct committer_options options = {
        .env = s->options.env, .world = s->options.world, .node_epoch = s->servers.openings};
    s->spread = spread_alloc(s->count, s->servers.of_bucket);
    for (uint32_t i = 0; i < s->count; i++) {
        struct env_store port = pg_store_port(s->engines[i], spread_done(s->spread, i));
        spread_connect(s->spread, i, &port);
    }
    s->committer = committer_alloc(&options);
    struct env_store whole = spread_port(s->spread, committer_done(s->committer));
    committer_connect(s->committer, &whole);
    s->inner = committer_port(s->committer, s->done);
}

static void
servers_go_on(struct cluster_store *s)
{
    bool open = s->inner.get != NULL;
    if (!open && s->done.got != NULL && s->servers.state == SERVERS_DONE)
        engines_connect(s);
}

/* ---- the port: the one behind it, once there is one ---- */

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct cluster_store *s = ctx;
    return s->inner.get == NULL ? ERR_FULL : s->inner.get(s->inner.ctx, token, key);
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct cluster_store *s = ctx;
    return s->inner.get == NULL ? ERR_FULL : s->inner.commit(s->inner.ctx, token, writes, count);
}

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct cluster_store *s = ctx;
    return s->inner.get == NULL ? ERR_FULL
                                : s->inner.scan(s->inner.ctx, token, prefix, after, limit);
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    struct cluster_store *s = ctx;
    return s->inner.get == NULL ? ERR_FULL : s->inner.watch(s->inner.ctx, key, on);
}

static uint32_t
port_group(void *ctx, struct slice key)
{
    struct cluster_store *s = ctx;
    return s->inner.group == NULL ? 0 : s->inner.group(s->inner.ctx, key);
}

struct env_store
cluster_store_port(struct cluster_store *s, struct store_done done)
{
    bool several = s->count > 1;
    s->done = done;
    if (s->committer != NULL)
        s->inner = committer_port(s->committer, done);
    else if (s->inner.get != NULL)
        s->inner = pg_store_port(s->engines[0], done);
    return (struct env_store){.ctx = s,
                              .value_max = STORE_VALUE_MAX,
                              .commit_max = several ? COMMITTER_DOCUMENTS_MAX : STORE_COMMIT_MAX,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch,
                              .group = several ? port_group : NULL};
}

/* ---- running ---- */

enum servers_state
cluster_store_state(const struct cluster_store *s)
{
    return s->servers.state;
}

const char *
cluster_store_why(const struct cluster_store *s)
{
    return s->servers.why;
}

int
cluster_store_fd(const struct cluster_store *s)
{
    return s->epoll;
}

void
cluster_store_deliver(struct cluster_store *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        (void)pg_store_deliver(s->engines[i]);
    servers_go_on(s);
}

int64_t
cluster_store_turn(struct cluster_store *s)
{
    int64_t next_us = INT64_MAX;
    if (s->servers.state != SERVERS_DONE && s->servers.state != SERVERS_FAILED)
        next_us = servers_turn(&s->servers);
    servers_go_on(s);
    return s->committer != NULL ? committer_turn(s->committer) : next_us;
}

struct cluster_store_stats
cluster_store_stats(const struct cluster_store *s)
{
    struct cluster_store_stats stats = {.servers = s->count};
    for (uint32_t i = 0; i < s->count; i++)
        stats.servers_away += pg_store_is_away(s->engines[i]);
    if (s->committer != NULL)
        stats.committer = committer_stats(s->committer);
    return stats;
}

void
cluster_store_gather(const struct cluster_store *s, struct metrics *m)
{
    struct pg_store_stats *stats = malloc(sizeof *stats); /* histograms are large */
    CHECK(stats != NULL);
    for (uint32_t i = 0; i < s->count; i++) {
        pg_store_stats(s->engines[i], stats);
        gather_server(m, stats, pg_store_under_way(s->engines[i]), pg_store_is_away(s->engines[i]));
    }
    free(stats);
    if (s->committer != NULL) {
        struct committer_stats committer = committer_stats(s->committer);
        gather_committer(m, &committer, committer_under_way(s->committer));
    }
}
