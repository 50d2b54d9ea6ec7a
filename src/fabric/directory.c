#include "base/check.h"
#include "fabric/directory_inside.h"
#include <stdio.h>
#include <stdlib.h>

#define RETRY_US     250000 /* after the first failure, doubled with each */
#define RETRY_US_MAX 4000000
#define REWATCH_US   500000 /* so that a thousand nodes do not list in the same moment */

int64_t
directory_now_us(const struct directory *d)
{
    return env_mono_us(&d->env);
}

/* Somewhere in the second half of us. */
static int64_t
spread(const struct directory *d, int64_t us)
{
    CHECK(us >= 2);
    return us / 2 + (int64_t)(env_random(&d->env) % (uint64_t)(us / 2));
}

void
directory_list_now(struct directory *d)
{
    int64_t now_us = directory_now_us(d);
    d->list_us = d->list_us < now_us ? d->list_us : now_us;
}

void
directory_heard(struct directory *d, uint64_t revision)
{
    d->newest = d->newest > revision ? d->newest : revision;
}

/* ---- how it goes: paced when it does not answer ---- */

static void
it_failed(struct directory *d)
{
    int64_t now_us = directory_now_us(d), wait_us = RETRY_US_MAX;
    if (d->failures < 4)
        wait_us = (int64_t)RETRY_US << d->failures;
    d->failures++;
    d->retry_us = now_us + spread(d, wait_us);
    if (d->stats.away_since_us == 0) {
        d->stats.away_since_us = now_us;
        env_log(&d->env, LOG_WARN, "directory.away", "it does not answer; the book stays as it is");
    }
}

static void
it_answered(struct directory *d)
{
    d->failures = 0;
    d->retry_us = 0;
    d->stats.answered_us = directory_now_us(d);
    if (d->stats.away_since_us != 0)
        env_log(&d->env, LOG_INFO, "directory.back", "after %lld ms",
                (long long)(directory_now_us(d) - d->stats.away_since_us) / 1000);
    d->stats.away_since_us = 0;
}

static void
note_result(struct directory *d, enum directory_result result)
{
    switch (result) {
    case DIRECTORY_OK:
    case DIRECTORY_CONFLICT:
    case DIRECTORY_GONE: it_answered(d); break;
    case DIRECTORY_UNKNOWN:
    case DIRECTORY_UNAVAILABLE: it_failed(d); break;
    }
}

/* ---- lists and the watch ---- */

static void
list_send(struct directory *d)
{
    struct directory_key prefix = directory_prefix(d->world);
    uint64_t token = ++d->tokens;
    if (d->port.list(d->port.ctx, token, directory_key_slice(&prefix)) != OK) {
        it_failed(d);
        return;
    }
    d->list_token = token;
    d->list_floor = d->newest;
}

static void
watch_send(struct directory *d, uint64_t from)
{
    struct directory_key prefix = directory_prefix(d->world);
    d->watch_us = INT64_MAX;
    d->watching = d->port.watch(d->port.ctx, directory_key_slice(&prefix), from) == OK;
    d->stats.watches += d->watching;
}

static void
watch_stop(struct directory *d)
{
    if (d->watching)
        d->port.unwatch(d->port.ctx);
    d->watching = false;
}

/* It answers with less than it told before: its data was lost or replaced. What it says now is the
 * truth. */
static void
list_begins_anew(struct directory *d)
{
    d->stats.resets++;
    env_log(&d->env, LOG_ERROR, "directory.reset", "it has lost its history");
    watch_stop(d);
    for (enum directory_table t = 0; t < DIRECTORY_TABLES; t++)
        if (d->tables[t].revision != 0)
            d->tables[t].revision = UINT64_MAX; /* differs from whatever stands there now */
}

static void proceed(struct directory *d);

static void
on_listed(void *ctx, uint64_t token, enum directory_result result, uint64_t revision,
          const struct directory_entry *entries, uint32_t count)
{
    struct directory *d = ctx;
    if (token != d->list_token)
        return;
    d->list_token = 0;
    note_result(d, result);
    if (result != DIRECTORY_OK) {
        d->stats.lists_failed++;
        watch_stop(d); /* nobody may say that it is deaf */
    } else if (revision < d->newest && revision >= d->list_floor) {
        d->stats.stale++;
    } else {
        if (revision < d->list_floor)
            list_begins_anew(d);
        d->stats.lists++;
        bool trusted = d->mutant == DIRECTORY_MUTANT_WATCH_TRUSTED;
        d->list_us =
            trusted ? INT64_MAX : directory_now_us(d) + spread(d, (int64_t)d->relist_ms * 1000);
        uint64_t healed = d->stats.healed;
        read_list(d, revision, entries, count);
        /* A watch that kept something back may be deaf for good. Opening another costs little, also
         * where what it had to tell was merely on its way. */
        if (!d->watching || d->stats.healed != healed)
            watch_send(d, d->newest + 1);
    }
    proceed(d);
}

static void
on_seen(void *ctx, uint64_t revision, const struct directory_entry *entries, uint32_t count)
{
    struct directory *d = ctx;
    if (!d->watching)
        return;
    for (uint32_t i = 0; i < count; i++)
        read_hint(d, &entries[i]);
    d->stats.answered_us = directory_now_us(d);
    directory_heard(d, revision);
    proceed(d);
}

static void
on_watch_ended(void *ctx, enum directory_end why)
{
    struct directory *d = ctx;
    d->watching = false;
    d->stats.compacted += why == DIRECTORY_END_COMPACTED;
    int64_t again_us = directory_now_us(d) + spread(d, REWATCH_US);
    if (d->mutant == DIRECTORY_MUTANT_WATCH_TRUSTED)
        d->watch_us = again_us;
    else if (d->list_us > again_us)
        d->list_us = again_us;
}

/* ---- the own entry ---- */

static void
own_answer(struct directory *d, uint64_t token, enum directory_result result, uint64_t number)
{
    if (token != d->own.token || d->own.step == OWN_NOTHING)
        return;
    note_result(d, result);
    own_answered(d, result, number);
    proceed(d);
}

static void
on_changed(void *ctx, uint64_t token, enum directory_result result, uint64_t revision)
{
    struct directory *d = ctx;
    if (token == 0 || token != d->put_token) {
        own_answer(d, token, result, revision);
        return;
    }
    d->put_token = 0;
    note_result(d, result);
    directory_list_now(d); /* the watch may miss it */
    if (d->events.put != NULL)
        d->events.put(d->events.ctx, d->put_table, result);
    proceed(d);
}

static void
on_granted(void *ctx, uint64_t token, enum directory_result result, uint64_t lease)
{
    own_answer(ctx, token, result, lease);
}

static void
on_kept(void *ctx, uint64_t token, enum directory_result result)
{
    own_answer(ctx, token, result, 0);
}

/* ---- what is due ---- */

static void
own_proceed(struct directory *d)
{
    struct own *own = &d->own;
    if (own->step != OWN_NOTHING)
        return;
    enum own_step step = own_next(d, directory_now_us(d));
    if (step == OWN_LOOK)
        directory_list_now(d);
    else if (step != OWN_NOTHING && own_do(d, step) != OK)
        it_failed(d);
}

static void
leave_when_done(struct directory *d)
{
    struct own *own = &d->own;
    if (!own->leaving || own->step != OWN_NOTHING || own->lease != 0)
        return;
    own->leaving = false;
    own->node.epoch = own->claim = 0;
    read_self(d);
    if (d->events.left != NULL)
        d->events.left(d->events.ctx);
}

static void
proceed(struct directory *d)
{
    int64_t now_us = directory_now_us(d);
    if (d->port.list == NULL)
        return;
    if (now_us >= d->retry_us)
        own_proceed(d);
    if (now_us >= d->retry_us && d->list_token == 0 && now_us >= d->list_us)
        list_send(d);
    if (now_us >= d->watch_us && !d->watching)
        watch_send(d, d->newest + 1);
    leave_when_done(d);
}

static int64_t
next_due_us(const struct directory *d, int64_t now_us)
{
    int64_t due_us = d->watch_us;
    if (d->list_token == 0 && d->list_us < due_us)
        due_us = d->list_us;
    if (d->own.step == OWN_NOTHING) {
        enum own_step step = own_next(d, now_us);
        if (step != OWN_NOTHING && step != OWN_LOOK)
            due_us = now_us;
        else if (d->own.wanted && d->own.keep_us < due_us)
            due_us = d->own.keep_us;
    }
    return due_us > d->retry_us ? due_us : d->retry_us;
}

int64_t
directory_turn(struct directory *d)
{
    proceed(d);
    return d->port.list == NULL ? INT64_MAX : next_due_us(d, directory_now_us(d));
}

/* ---- from outside ---- */

static void
own_describe(struct own *own, const struct node *node, uint64_t epoch)
{
    own->node = *node;
    own->node.epoch = epoch;
    node_name(node->role, node->shard, node->index, own->node.name);
}

struct directory *
directory_alloc(const struct directory_options *options, const struct env *env)
{
    CHECK(options->only_look || options->installation != 0);
    struct directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->env = *env;
    d->events = options->events;
    d->world = options->world;
    d->ttl_s = options->ttl_s != 0 ? options->ttl_s : DIRECTORY_TTL_S;
    d->relist_ms = options->relist_ms != 0 ? options->relist_ms : DIRECTORY_RELIST_MS;
    d->mutant = options->mutant;
    d->watch_us = INT64_MAX;
    if (options->only_look)
        return d;
    struct own *own = &d->own;
    own_describe(own, &options->node, 0);
    own->installation = options->installation;
    own->life = env_random(env) | 1;
    own->wanted = true;
    struct directory_place place = {.shard = own->node.shard, .index = own->node.index};
    snprintf(place.role, sizeof place.role, "%s", node_role_name(own->node.role));
    own->key = directory_key_of_node(d->world, &place);
    return d;
}

void
directory_free(struct directory **directory)
{
    struct directory *d = *directory;
    if (d == NULL)
        return;
    for (enum directory_table t = 0; t < DIRECTORY_TABLES; t++)
        free(d->tables[t].bytes);
    free(d);
    *directory = NULL;
}

struct directory_done
directory_done(struct directory *d)
{
    return (struct directory_done){.ctx = d,
                                   .listed = on_listed,
                                   .changed = on_changed,
                                   .granted = on_granted,
                                   .kept = on_kept,
                                   .seen = on_seen,
                                   .watch_ended = on_watch_ended};
}

void
directory_start(struct directory *d, const struct env_directory *port)
{
    CHECK(d->port.list == NULL && port->list != NULL);
    d->port = *port;
}

const struct book *
directory_book(const struct directory *d)
{
    return &d->book;
}

bool
directory_is_known(const struct directory *d)
{
    return d->is_known;
}

uint64_t
directory_epoch(const struct directory *d)
{
    return d->own.node.epoch;
}

void
directory_update(struct directory *d, const struct node *node)
{
    const struct node *own = &d->own.node;
    CHECK(node->role == own->role && node->shard == own->shard && node->index == own->index);
    own_describe(&d->own, node, own->epoch);
    if (own->epoch != 0)
        read_self(d);
}

void
directory_rejoin(struct directory *d)
{
    CHECK(d->own.installation != 0);
    own_rejoin(d);
}

void
directory_leave(struct directory *d)
{
    d->own.wanted = false;
    d->own.leaving = true;
}

struct slice
directory_table(const struct directory *d, enum directory_table table, uint64_t *revision)
{
    CHECK(table < DIRECTORY_TABLES);
    const struct table *t = &d->tables[table];
    *revision = t->revision;
    return (struct slice){t->bytes, t->count};
}

enum err
directory_put(struct directory *d, enum directory_table table, uint64_t expected,
              struct slice value)
{
    if (d->put_token != 0 || d->port.list == NULL)
        return ERR_FULL;
    if (value.bytes > DIRECTORY_VALUE_MAX)
        return ERR_TOO_LARGE;
    struct directory_key key = directory_key_of_table(d->world, read_table_name(table));
    struct directory_change change = {
        .key = directory_key_slice(&key), .value = value, .expected = expected};
    uint64_t token = ++d->tokens;
    enum err error = d->port.change(d->port.ctx, token, &change);
    if (error == OK) {
        d->put_token = token;
        d->put_table = table;
    }
    return error;
}

struct directory_stats
directory_stats(const struct directory *d)
{
    return d->stats;
}
