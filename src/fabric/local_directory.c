#include "fabric/local_directory.h"
#include "base/check.h"
#include "env/directory_calls.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct local_directory {
    struct directory_calls port;
    struct env_clock clock;
    struct directory_done done;
    struct directory_entries *entries; /* owned */
    struct directory_call calls[LOCAL_DIRECTORY_CALLS_MAX];
    uint32_t first, count; /* of calls, a ring */
    bool watching;
    uint8_t prefix[DIRECTORY_KEY_MAX];
    size_t prefix_bytes;
    uint64_t next; /* revision of the hint to come */
};

static_assert(offsetof(struct local_directory, port) == 0, "the port's ctx is both");

static int64_t
now_us(const struct local_directory *d)
{
    return d->clock.mono_us(d->clock.ctx);
}

static enum err
call_begin(struct directory_calls *calls, const struct directory_call *call)
{
    struct local_directory *d = (struct local_directory *)calls;
    if (d->count == LOCAL_DIRECTORY_CALLS_MAX)
        return ERR_FULL;
    d->calls[(d->first + d->count++) % LOCAL_DIRECTORY_CALLS_MAX] = directory_call_keep(call);
    return OK;
}

struct local_directory *
local_directory_alloc(uint64_t revision, struct env_clock clock, struct directory_done done)
{
    struct local_directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->port.begin = call_begin;
    d->clock = clock;
    d->done = done;
    d->entries = directory_entries_alloc(revision);
    return d;
}

void
local_directory_free(struct local_directory **directory)
{
    struct local_directory *d = *directory;
    if (d == NULL)
        return;
    for (uint32_t i = 0; i < d->count; i++)
        directory_call_free(&d->calls[(d->first + i) % LOCAL_DIRECTORY_CALLS_MAX]);
    directory_entries_free(&d->entries);
    free(d);
    *directory = NULL;
}

uint64_t
local_directory_revision(const struct local_directory *d)
{
    return directory_entries_revision(d->entries);
}

void
local_directory_compact(struct local_directory *d)
{
    directory_entries_compact(d->entries);
}

/* ---- the port ---- */

static enum err
port_watch(void *ctx, struct slice prefix, uint64_t from)
{
    struct local_directory *d = ctx;
    CHECK(prefix.bytes <= DIRECTORY_KEY_MAX);
    memcpy(d->prefix, prefix.at, prefix.bytes);
    d->prefix_bytes = prefix.bytes;
    d->next = from;
    d->watching = true;
    return OK;
}

static void
port_unwatch(void *ctx)
{
    ((struct local_directory *)ctx)->watching = false;
}

struct env_directory
local_directory_port(struct local_directory *d)
{
    struct env_directory port = directory_calls_port(&d->port);
    port.watch = port_watch;
    port.unwatch = port_unwatch;
    return port;
}

/* ---- the turn ---- */

static void
list_answer(struct local_directory *d, const struct directory_call *call)
{
    struct directory_entry *list = calloc(DIRECTORY_ENTRIES_MAX, sizeof *list);
    CHECK(list != NULL);
    uint32_t count =
        directory_entries_list(d->entries, call->change.key, list, DIRECTORY_ENTRIES_MAX);
    d->done.listed(d->done.ctx, call->token, DIRECTORY_OK, directory_entries_revision(d->entries),
                   list, count);
    free(list);
}

static void
call_answer(struct local_directory *d, const struct directory_call *call)
{
    uint64_t number;
    if (call->kind == DIRECTORY_LIST) {
        list_answer(d, call);
        return;
    }
    enum directory_result result = directory_call_try(call, d->entries, now_us(d), &number);
    if (call->kind == DIRECTORY_CHANGE)
        d->done.changed(d->done.ctx, call->token, result, number);
    else if (call->kind == DIRECTORY_GRANT)
        d->done.granted(d->done.ctx, call->token, result, number);
    else
        d->done.kept(d->done.ctx, call->token, result);
}

static void
hints_tell(struct local_directory *d)
{
    if (d->watching && d->next < directory_entries_oldest(d->entries)) {
        d->watching = false;
        d->done.watch_ended(d->done.ctx, DIRECTORY_END_COMPACTED);
    }
    struct directory_entry entry;
    while (d->watching &&
           directory_entries_since(d->entries, (struct slice){d->prefix, d->prefix_bytes}, d->next,
                                   &entry)) {
        d->next = entry.revision + 1;
        d->done.seen(d->done.ctx, entry.revision, &entry, 1);
    }
}

int64_t
local_directory_turn(struct local_directory *d)
{
    (void)directory_entries_expire(d->entries, now_us(d));
    for (uint32_t n = d->count; n > 0; n--) { /* what the answers ask for comes next turn */
        struct directory_call call = d->calls[d->first];
        d->first = (d->first + 1) % LOCAL_DIRECTORY_CALLS_MAX;
        d->count--;
        call_answer(d, &call);
        directory_call_free(&call);
    }
    hints_tell(d);
    return d->count > 0 ? 0 : directory_entries_expire(d->entries, now_us(d));
}
