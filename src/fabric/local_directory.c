#include "fabric/local_directory.h"
#include "base/check.h"
#include "env/directory_entries.h"
#include <stdlib.h>
#include <string.h>

enum call_kind { CALL_LIST, CALL_CHANGE, CALL_GRANT, CALL_KEEP, CALL_REVOKE };

struct call {
    enum call_kind kind;
    uint64_t token, lease;
    struct directory_change change; /* points into bytes; of a list: the prefix is its key */
    uint8_t *bytes;                 /* owned */
    uint32_t ttl_s;
};

struct local_directory {
    struct env_clock clock;
    struct directory_done done;
    struct directory_entries *entries; /* owned */
    struct call calls[LOCAL_DIRECTORY_CALLS_MAX];
    uint32_t first, count; /* of calls, a ring */
    bool watching;
    uint8_t prefix[DIRECTORY_KEY_MAX];
    size_t prefix_bytes;
    uint64_t next; /* revision of the hint to come */
};

static int64_t
now_us(const struct local_directory *d)
{
    return d->clock.mono_us(d->clock.ctx);
}

struct local_directory *
local_directory_alloc(uint64_t revision, struct env_clock clock, struct directory_done done)
{
    struct local_directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
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
        free(d->calls[(d->first + i) % LOCAL_DIRECTORY_CALLS_MAX].bytes);
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
call_queue(struct local_directory *d, struct call call)
{
    if (d->count == LOCAL_DIRECTORY_CALLS_MAX)
        return ERR_FULL;
    size_t key_bytes = call.change.key.bytes, value_bytes = call.change.value.bytes;
    call.bytes = malloc(key_bytes + value_bytes + 1);
    CHECK(call.bytes != NULL);
    if (key_bytes > 0)
        memcpy(call.bytes, call.change.key.at, key_bytes);
    if (value_bytes > 0)
        memcpy(call.bytes + key_bytes, call.change.value.at, value_bytes);
    call.change.key.at = call.bytes;
    call.change.value.at = call.bytes + key_bytes;
    d->calls[(d->first + d->count++) % LOCAL_DIRECTORY_CALLS_MAX] = call;
    return OK;
}

static enum err
port_list(void *ctx, uint64_t token, struct slice prefix)
{
    return call_queue(ctx,
                      (struct call){.kind = CALL_LIST, .token = token, .change = {.key = prefix}});
}

static enum err
port_change(void *ctx, uint64_t token, const struct directory_change *change)
{
    if (change->key.bytes == 0 || change->key.bytes > DIRECTORY_KEY_MAX ||
        change->value.bytes > DIRECTORY_VALUE_MAX)
        return ERR_TOO_LARGE;
    return call_queue(ctx, (struct call){.kind = CALL_CHANGE, .token = token, .change = *change});
}

static enum err
port_grant(void *ctx, uint64_t token, uint32_t ttl_s)
{
    return call_queue(ctx, (struct call){.kind = CALL_GRANT, .token = token, .ttl_s = ttl_s});
}

static enum err
port_keep(void *ctx, uint64_t token, uint64_t lease)
{
    return call_queue(ctx, (struct call){.kind = CALL_KEEP, .token = token, .lease = lease});
}

static enum err
port_revoke(void *ctx, uint64_t token, uint64_t lease)
{
    return call_queue(ctx, (struct call){.kind = CALL_REVOKE, .token = token, .lease = lease});
}

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
    return (struct env_directory){.ctx = d,
                                  .list = port_list,
                                  .change = port_change,
                                  .grant = port_grant,
                                  .keep = port_keep,
                                  .revoke = port_revoke,
                                  .watch = port_watch,
                                  .unwatch = port_unwatch};
}

/* ---- the turn ---- */

static void
list_answer(struct local_directory *d, const struct call *call)
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
call_answer(struct local_directory *d, const struct call *call)
{
    uint64_t revision = 0;
    enum directory_result result;
    switch (call->kind) {
    case CALL_LIST: list_answer(d, call); break;
    case CALL_CHANGE:
        result = directory_entries_change(d->entries, &call->change, &revision);
        d->done.changed(d->done.ctx, call->token, result, revision);
        break;
    case CALL_GRANT: {
        uint64_t lease =
            directory_entries_grant(d->entries, (int64_t)call->ttl_s * 1000000, now_us(d));
        result = lease != 0 ? DIRECTORY_OK : DIRECTORY_UNAVAILABLE;
        d->done.granted(d->done.ctx, call->token, result, lease);
        break;
    }
    case CALL_KEEP:
        result = directory_entries_keep(d->entries, call->lease, now_us(d));
        d->done.kept(d->done.ctx, call->token, result);
        break;
    case CALL_REVOKE:
        result = directory_entries_revoke(d->entries, call->lease);
        d->done.kept(d->done.ctx, call->token, result);
        break;
    }
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
        struct call call = d->calls[d->first];
        d->first = (d->first + 1) % LOCAL_DIRECTORY_CALLS_MAX;
        d->count--;
        call_answer(d, &call);
        free(call.bytes);
    }
    hints_tell(d);
    return d->count > 0 ? 0 : directory_entries_expire(d->entries, now_us(d));
}
