#include "sim/memory_directory.h"
#include "base/check.h"
#include "base/pool.h"
#include "env/directory_calls.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PPM            1000000
#define CALL_US        ((int64_t)DIRECTORY_CALL_MS * 1000)
#define LATE_US        (2 * CALL_US)
#define CALL_US_FAST   200
#define CALL_US_COMMON 2000

/* What will become of a call, drawn when it is made.
 *
 *   FINE, UNKNOWN_DONE          asked -> effect -> answer     (effect of a list: it reads)
 *   UNKNOWN_LOST, UNAVAILABLE   asked -> answer
 *   UNKNOWN_LATE                asked -> answer -> effect */
enum fate { FATE_FINE, FATE_UNKNOWN_DONE, FATE_UNKNOWN_LOST, FATE_UNKNOWN_LATE, FATE_UNAVAILABLE };

struct call {
    struct directory_call asked;
    enum fate fate;
    enum directory_result result;
    uint64_t client; /* handle; stale: the process died, nobody is answered */
    uint8_t moments; /* planned and not yet come; 0: the call is over */
    bool twice;
    uint64_t number; /* the revision or lease of the answer */
    uint32_t count;
    struct directory_entry *entries; /* owned; what a list read, one block with its bytes */
};

struct memory_directory_client {
    struct directory_calls port;
    struct memory_directory *directory; /* borrowed */
    uint64_t handle;                    /* its own */
    struct directory_done done;
    bool cut, watching;
    uint8_t prefix[DIRECTORY_KEY_MAX];
    size_t prefix_bytes;
    uint64_t planned, next; /* revisions: of the hints planned, of the hint to come */
    uint64_t watch;         /* generation */
    int64_t hint_us;        /* of the last one planned: hints stay in order */
    uint32_t asked;
};

static_assert(offsetof(struct memory_directory_client, port) == 0, "the port's ctx is both");

struct memory_directory {
    struct sim_schedule schedule;
    struct memory_directory_knobs knobs;
    struct memory_directory_stats stats;
    struct directory_entries *entries; /* owned */
    struct pool clients, calls, hints;
    bool away;
};

/* A planned hint; the client looks up itself what is next. */
struct hint {
    uint64_t client, watch;
};

typedef void moment(void *argument, uint64_t handle);

static int64_t
now_us(const struct memory_directory *d)
{
    return d->schedule.now_us(d->schedule.ctx);
}

static uint64_t
draw(struct memory_directory *d, uint64_t limit)
{
    CHECK(limit > 0);
    return d->schedule.random(d->schedule.ctx) % limit;
}

static bool
chance(struct memory_directory *d, uint32_t ppm)
{
    return ppm > 0 && draw(d, PPM) < ppm;
}

static int64_t
draw_between(struct memory_directory *d, uint32_t low, uint32_t high)
{
    CHECK(low <= high);
    return (int64_t)(low + draw(d, (uint64_t)(high - low) + 1));
}

static struct memory_directory_client *
client_find(const struct memory_directory *d, uint64_t handle)
{
    return pool_find(&d->clients, handle);
}

static struct slice
client_prefix(const struct memory_directory_client *c)
{
    return (struct slice){c->prefix, c->prefix_bytes};
}

/* ---- watches ---- */

static void
watch_end(struct memory_directory_client *c, enum directory_end why)
{
    if (!c->watching)
        return;
    c->watching = false;
    c->watch++;
    c->directory->stats.watches_ended++;
    c->done.watch_ended(c->done.ctx, why);
}

static bool
hint_is_lost(struct memory_directory *d, const struct directory_entry *entry)
{
    uint32_t ppm = entry->create_revision == 0 ? d->knobs.delete_lost_ppm : d->knobs.put_lost_ppm;
    bool lost = chance(d, ppm);
    d->stats.hints_lost += lost;
    return lost;
}

static void
on_hint(void *argument, uint64_t handle)
{
    struct memory_directory *d = argument;
    struct hint *planned = pool_find(&d->hints, handle);
    CHECK(planned != NULL);
    struct hint hint = *planned;
    pool_give(&d->hints, (uint32_t)handle);
    struct memory_directory_client *c = client_find(d, hint.client);
    if (c == NULL || !c->watching || c->watch != hint.watch)
        return;
    if (c->next < directory_entries_oldest(d->entries)) {
        watch_end(c, DIRECTORY_END_COMPACTED);
        return;
    }
    struct directory_entry entry;
    if (!directory_entries_since(d->entries, client_prefix(c), c->next, &entry))
        return;
    c->next = entry.revision + 1;
    if (hint_is_lost(d, &entry))
        return;
    d->stats.hints++;
    c->done.seen(c->done.ctx, entry.revision, &entry, 1);
}

/* Plans the hints of whatever changed. */
static void
tell_watch(struct memory_directory_client *c)
{
    struct memory_directory *d = c->directory;
    struct directory_entry entry;
    while (c->watching &&
           directory_entries_since(d->entries, client_prefix(c), c->planned, &entry)) {
        c->planned = entry.revision + 1;
        int64_t due_us = now_us(d) + draw_between(d, d->knobs.watch_us_min, d->knobs.watch_us_max);
        c->hint_us = due_us > c->hint_us ? due_us : c->hint_us;
        uint32_t index;
        if (pool_take(&d->hints, &index) != OK) {
            d->stats.hints_lost++;
            continue;
        }
        *(struct hint *)pool_at(&d->hints, index) = (struct hint){c->handle, c->watch};
        d->schedule.at(d->schedule.ctx, c->hint_us, on_hint, d, pool_handle(&d->hints, index));
    }
}

static void
tell_watches(struct memory_directory *d)
{
    for (uint32_t i = pool_next(&d->clients, POOL_NONE); i != POOL_NONE;
         i = pool_next(&d->clients, i))
        tell_watch(pool_at(&d->clients, i));
}

/* ---- the life of a call ---- */

static void
call_free(struct memory_directory *d, uint64_t handle)
{
    struct call *call = pool_find(&d->calls, handle);
    CHECK(call != NULL);
    directory_call_free(&call->asked);
    free(call->entries);
    pool_give(&d->calls, (uint32_t)handle);
}

static void
call_plan(struct memory_directory *d, uint64_t handle, moment *at, int64_t due_us)
{
    struct call *call = pool_find(&d->calls, handle);
    call->moments++;
    d->schedule.at(d->schedule.ctx, due_us, at, d, handle);
}

/* What stands there now, kept until the answer: by then it may be old. */
static void
list_read(struct memory_directory *d, struct call *call)
{
    static const size_t limit = DIRECTORY_ENTRIES_MAX;
    struct directory_entry *found = calloc(limit, sizeof *found);
    CHECK(found != NULL);
    call->count =
        directory_entries_list(d->entries, call->asked.change.key, found, (uint32_t)limit);
    size_t bytes = call->count * sizeof *found;
    for (uint32_t i = 0; i < call->count; i++)
        bytes += found[i].key.bytes + found[i].value.bytes;
    call->entries = malloc(bytes + 1);
    CHECK(call->entries != NULL);
    uint8_t *at = (uint8_t *)(call->entries + call->count);
    for (uint32_t i = 0; i < call->count; i++) {
        call->entries[i] = found[i];
        call->entries[i].key.at = memcpy(at, found[i].key.at, found[i].key.bytes);
        at += found[i].key.bytes;
        call->entries[i].value.at = memcpy(at, found[i].value.at, found[i].value.bytes);
        at += found[i].value.bytes;
    }
    free(found);
    call->number = directory_entries_revision(d->entries);
    call->result = DIRECTORY_OK;
}

static void
call_try(struct memory_directory *d, struct call *call)
{
    const struct directory_call *asked = &call->asked;
    (void)directory_entries_expire(d->entries, now_us(d));
    if (asked->kind == DIRECTORY_KEEP && chance(d, d->knobs.lease_lost_ppm) &&
        directory_entries_revoke(d->entries, asked->lease) == DIRECTORY_OK)
        d->stats.leases_lost++;
    if (asked->kind == DIRECTORY_LIST)
        list_read(d, call);
    else
        call->result = directory_call_try(asked, d->entries, now_us(d), &call->number);
    tell_watches(d);
}

static void
on_again(void *argument, uint64_t handle)
{
    struct memory_directory *d = argument;
    struct call *call = pool_find(&d->calls, handle);
    CHECK(call != NULL && call->asked.kind == DIRECTORY_CHANGE);
    uint64_t revision;
    if (!d->away) {
        (void)directory_entries_change(d->entries, &call->asked.change, &revision);
        d->stats.twice++;
    }
    tell_watches(d);
    if (--call->moments == 0)
        call_free(d, handle);
}

static void
on_effect(void *argument, uint64_t handle)
{
    struct memory_directory *d = argument;
    struct call *call = pool_find(&d->calls, handle);
    CHECK(call != NULL);
    call->moments--;
    struct memory_directory_client *c = client_find(d, call->client);
    bool reached = !d->away && (c == NULL ? draw(d, 2) == 0 : !c->cut);
    if (reached) {
        call_try(d, call);
        d->stats.late += call->fate == FATE_UNKNOWN_LATE;
        if (call->twice)
            call_plan(d, handle, on_again, now_us(d) + draw_between(d, 0, (uint32_t)LATE_US));
    } else {
        call->result = DIRECTORY_UNAVAILABLE;
    }
    if (call->moments == 0)
        call_free(d, handle);
}

static void
call_tell(struct memory_directory_client *c, const struct call *call)
{
    struct directory_done done = c->done;
    enum directory_result result = call->result;
    uint64_t token = call->asked.token, number = result == DIRECTORY_OK ? call->number : 0;
    switch (call->asked.kind) {
    case DIRECTORY_LIST:
        done.listed(done.ctx, token, result, number, call->entries,
                    result == DIRECTORY_OK ? call->count : 0);
        break;
    case DIRECTORY_CHANGE: done.changed(done.ctx, token, result, number); break;
    case DIRECTORY_GRANT: done.granted(done.ctx, token, result, number); break;
    case DIRECTORY_KEEP:
    case DIRECTORY_REVOKE: done.kept(done.ctx, token, result); break;
    }
}

static void
on_answer(void *argument, uint64_t handle)
{
    struct memory_directory *d = argument;
    struct call *call = pool_find(&d->calls, handle);
    CHECK(call != NULL && call->moments > 0);
    call->moments--;
    struct memory_directory_client *c = client_find(d, call->client);
    if (call->fate == FATE_UNAVAILABLE)
        call->result = DIRECTORY_UNAVAILABLE;
    else if (call->fate != FATE_FINE || (c != NULL && c->cut))
        call->result =
            call->asked.kind == DIRECTORY_LIST ? DIRECTORY_UNAVAILABLE : DIRECTORY_UNKNOWN;
    if (call->fate == FATE_UNKNOWN_LATE)
        call_plan(d, handle, on_effect, now_us(d) + draw_between(d, 0, (uint32_t)LATE_US));
    if (c != NULL) {
        d->stats.unknown += call->result == DIRECTORY_UNKNOWN;
        d->stats.unavailable += call->result == DIRECTORY_UNAVAILABLE;
        c->asked--;
        call_tell(c, call);
    }
    if (call->moments == 0)
        call_free(d, handle);
}

static enum fate
draw_fate(struct memory_directory *d, enum directory_call_kind kind)
{
    const struct memory_directory_knobs *k = &d->knobs;
    if (chance(d, k->unavailable_ppm))
        return FATE_UNAVAILABLE;
    if (kind == DIRECTORY_LIST)
        return FATE_FINE;
    if (chance(d, k->unknown_done_ppm))
        return FATE_UNKNOWN_DONE;
    if (chance(d, k->unknown_lost_ppm))
        return FATE_UNKNOWN_LOST;
    return chance(d, k->unknown_late_ppm) ? FATE_UNKNOWN_LATE : FATE_FINE;
}

static enum err
call_begin(struct directory_calls *calls, const struct directory_call *asked)
{
    struct memory_directory_client *c = (struct memory_directory_client *)calls;
    struct memory_directory *d = c->directory;
    CHECK(d != NULL);
    if (c->asked == MEMORY_DIRECTORY_CALLS_MAX)
        return ERR_FULL;
    uint32_t index;
    enum err error = pool_take(&d->calls, &index);
    if (error != OK)
        return error;
    c->asked++;
    d->stats.calls++;
    struct call call = {.asked = directory_call_keep(asked), .client = c->handle};
    call.fate = draw_fate(d, asked->kind);
    call.twice = asked->kind == DIRECTORY_CHANGE && chance(d, d->knobs.twice_ppm);
    *(struct call *)pool_at(&d->calls, index) = call;
    uint64_t handle = pool_handle(&d->calls, index);
    uint32_t high = chance(d, d->knobs.slow_ppm) ? (uint32_t)CALL_US : d->knobs.call_us_max;
    int64_t latency_us = draw_between(d, d->knobs.call_us_min, high);
    if (call.fate == FATE_FINE || call.fate == FATE_UNKNOWN_DONE)
        call_plan(d, handle, on_effect, now_us(d) + (int64_t)draw(d, (uint64_t)latency_us + 1));
    call_plan(d, handle, on_answer, now_us(d) + latency_us);
    return OK;
}

/* ---- the port ---- */

static void
on_watch_opened(void *argument, uint64_t handle)
{
    struct memory_directory *d = argument;
    struct memory_directory_client *c = client_find(d, handle);
    if (c == NULL || !c->watching)
        return;
    if (d->away)
        watch_end(c, DIRECTORY_END_CLOSED);
    else if (c->next < directory_entries_oldest(d->entries))
        watch_end(c, DIRECTORY_END_COMPACTED);
}

static enum err
port_watch(void *ctx, struct slice prefix, uint64_t from)
{
    struct memory_directory_client *c = ctx;
    struct memory_directory *d = c->directory;
    CHECK(prefix.bytes <= DIRECTORY_KEY_MAX);
    memcpy(c->prefix, prefix.at, prefix.bytes);
    c->prefix_bytes = prefix.bytes;
    c->watch++;
    c->watching = true;
    c->next = c->planned = from;
    c->hint_us = now_us(d) + draw_between(d, d->knobs.call_us_min, d->knobs.call_us_max);
    d->schedule.at(d->schedule.ctx, c->hint_us, on_watch_opened, d, c->handle);
    tell_watch(c);
    return OK;
}

static void
port_unwatch(void *ctx)
{
    struct memory_directory_client *c = ctx;
    c->watching = false;
    c->watch++;
}

struct env_directory
memory_directory_port(struct memory_directory_client *client)
{
    struct env_directory port = directory_calls_port(&client->port);
    port.watch = port_watch;
    port.unwatch = port_unwatch;
    return port;
}

/* ---- the directory ---- */

/* Leases run out by themselves, not only when somebody calls. */
static void
on_clock(void *argument, uint64_t unused)
{
    struct memory_directory *d = argument;
    (void)unused;
    if (!d->away) {
        (void)directory_entries_expire(d->entries, now_us(d));
        tell_watches(d);
    }
    d->schedule.at(d->schedule.ctx, now_us(d) + 100000, on_clock, d, 0);
}

struct memory_directory *
memory_directory_alloc(const struct sim_schedule *schedule)
{
    struct memory_directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->schedule = *schedule;
    d->knobs = (struct memory_directory_knobs){.call_us_min = CALL_US_FAST,
                                               .call_us_max = CALL_US_COMMON,
                                               .watch_us_min = CALL_US_FAST,
                                               .watch_us_max = CALL_US_COMMON};
    d->entries = directory_entries_alloc(1);
    pool_init(&d->clients, sizeof(struct memory_directory_client), MEMORY_DIRECTORY_CLIENTS_MAX,
              MEMORY_DIRECTORY_CLIENTS_MAX);
    pool_init(&d->calls, sizeof(struct call),
              4 * MEMORY_DIRECTORY_CLIENTS_MAX * MEMORY_DIRECTORY_CALLS_MAX, 64);
    pool_init(&d->hints, sizeof(struct hint), 1U << 16, 256);
    on_clock(d, 0);
    return d;
}

void
memory_directory_free(struct memory_directory **directory)
{
    struct memory_directory *d = *directory;
    if (d == NULL)
        return;
    for (uint32_t i = pool_next(&d->calls, POOL_NONE); i != POOL_NONE;
         i = pool_next(&d->calls, i)) {
        struct call *call = pool_at(&d->calls, i);
        directory_call_free(&call->asked);
        free(call->entries);
    }
    pool_fini(&d->clients);
    pool_fini(&d->calls);
    pool_fini(&d->hints);
    directory_entries_free(&d->entries);
    free(d);
    *directory = NULL;
}

void
memory_directory_set_knobs(struct memory_directory *d, const struct memory_directory_knobs *knobs)
{
    CHECK(knobs->call_us_min <= knobs->call_us_max && knobs->call_us_max <= CALL_US);
    CHECK(knobs->watch_us_min <= knobs->watch_us_max);
    d->knobs = *knobs;
}

void
memory_directory_break_watches(struct memory_directory *d, enum directory_end why)
{
    for (uint32_t i = pool_next(&d->clients, POOL_NONE); i != POOL_NONE;
         i = pool_next(&d->clients, i)) {
        watch_end(pool_at(&d->clients, i), why);
    }
}

void
memory_directory_set_away(struct memory_directory *d, bool away)
{
    if (away == d->away)
        return;
    d->away = away;
    if (away) {
        memory_directory_break_watches(d, DIRECTORY_END_CLOSED);
        return;
    }
    uint64_t lease;
    for (uint32_t n = 0; (lease = directory_entries_lease(d->entries, n)) != 0; n++)
        CHECK(directory_entries_keep(d->entries, lease, now_us(d)) == DIRECTORY_OK);
}

void
memory_directory_compact(struct memory_directory *d)
{
    directory_entries_compact(d->entries);
    for (uint32_t i = pool_next(&d->clients, POOL_NONE); i != POOL_NONE;
         i = pool_next(&d->clients, i)) {
        struct memory_directory_client *c = pool_at(&d->clients, i);
        if (c->next < c->planned)
            watch_end(c, DIRECTORY_END_COMPACTED);
    }
}

bool
memory_directory_lose_lease(struct memory_directory *d, bool entries_stay)
{
    uint32_t count = 0;
    while (directory_entries_lease(d->entries, count) != 0)
        count++;
    if (count == 0)
        return false;
    uint64_t lease = directory_entries_lease(d->entries, (uint32_t)draw(d, count));
    if (entries_stay)
        directory_entries_orphan(d->entries, lease);
    else
        CHECK(directory_entries_revoke(d->entries, lease) == DIRECTORY_OK);
    d->stats.leases_lost++;
    tell_watches(d);
    return true;
}

void
memory_directory_wipe(struct memory_directory *d)
{
    directory_entries_free(&d->entries);
    d->entries = directory_entries_alloc(1);
    memory_directory_break_watches(d, DIRECTORY_END_CLOSED);
}

struct memory_directory_client *
memory_directory_connect(struct memory_directory *d, struct directory_done done)
{
    uint32_t index;
    CHECK(pool_take(&d->clients, &index) == OK);
    struct memory_directory_client *c = pool_at(&d->clients, index);
    *c = (struct memory_directory_client){.port = {.begin = call_begin},
                                          .directory = d,
                                          .handle = pool_handle(&d->clients, index),
                                          .done = done};
    return c;
}

void
memory_directory_cut(struct memory_directory_client *client, bool cut)
{
    client->cut = cut;
    if (cut) { /* for good, and nobody tells its owner */
        client->watching = false;
        client->watch++;
    }
}

void
memory_directory_crash(struct memory_directory_client **client)
{
    struct memory_directory_client *c = *client;
    if (c == NULL)
        return;
    pool_give(&c->directory->clients, (uint32_t)c->handle);
    *client = NULL;
}

const struct directory_entries *
memory_directory_entries(const struct memory_directory *d)
{
    return d->entries;
}

struct memory_directory_stats
memory_directory_stats(const struct memory_directory *d)
{
    return d->stats;
}
