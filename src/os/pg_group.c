#include "base/check.h"
#include "os/pg_inside.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Beyond so many commits that have to wait for others nobody is looked for in the queue. */
#define SKIPPED_MAX     256
#define GROUP_BYTES_MAX (1U << 20) /* a commit of more goes alone */

#define OID_BYTEA 17
#define OID_INT8  20
#define OID_INT4  23
#define OID_TEXT  25

/* ---- queues ---- */

void
pg_queue_init(struct pg_queue *queue)
{
    *queue = (struct pg_queue){.first = NULL};
    queue->last = &queue->first;
}

void
pg_queue_add(struct pg_queue *queue, struct pg_call *call)
{
    CHECK(*queue->last == NULL && call->next == NULL);
    *queue->last = call;
    queue->last = &call->next;
}

static struct pg_call *
queue_unlink(struct pg_queue *queue, struct pg_call **at)
{
    struct pg_call *call = *at;
    *at = call->next;
    if (queue->last == &call->next)
        queue->last = at;
    call->next = NULL;
    return call;
}

struct pg_call *
pg_queue_take(struct pg_queue *queue)
{
    return queue->first == NULL ? NULL : queue_unlink(queue, &queue->first);
}

static void
group_add(struct pg_store *store, struct pg_group *group, struct pg_call *call)
{
    CHECK(group->count < PG_GROUP_CALLS_MAX);
    int64_t due_us = call->asked_us + (int64_t)store->options.deadline_ms * 1000;
    if (group->count == 0 || due_us < group->due_us)
        group->due_us = due_us;
    group->calls[group->count++] = call;
}

/* ---- keys that were seen ---- */

uint64_t
pg_key_hash(struct slice key)
{
    uint64_t hash = XXH64(key.at, key.bytes, 0);
    return hash == 0 ? 1 : hash; /* 0 is no key of a map */
}

static bool
seen_has(const struct pg_seen *seen, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash % PG_SEEN_SLOTS; seen->group[i] == seen->now;
         i = (i + 1) % PG_SEEN_SLOTS)
        if (seen->hashes[i] == hash)
            return true;
    return false;
}

static void
seen_add(struct pg_seen *seen, uint64_t hash)
{
    uint32_t i = (uint32_t)hash % PG_SEEN_SLOTS;
    while (seen->group[i] == seen->now)
        i = (i + 1) % PG_SEEN_SLOTS;
    seen->hashes[i] = hash;
    seen->group[i] = seen->now;
}

static void
seen_begin(struct pg_seen *seen)
{
    if (++seen->now == 0) {
        memset(seen->group, 0, sizeof seen->group);
        seen->now = 1;
    }
}

/* ---- arrays as the server reads them ---- */

static void
number_write(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

static uint8_t *
bytes_room(struct pg_bytes *b, size_t more)
{
    if (b->used + more > b->room) {
        size_t room = b->room == 0 ? 4096 : b->room;
        while (room < b->used + more)
            room *= 2;
        b->at = realloc(b->at, room);
        CHECK(b->at != NULL);
        b->room = room;
    }
    uint8_t *at = b->at + b->used;
    b->used += more;
    return at;
}

static void
array_begin(struct pg_bytes *b, uint32_t type, uint32_t count, bool with_nulls)
{
    b->used = 0;
    uint8_t *at = bytes_room(b, 20);
    number_write(at, 1, 4); /* dimensions */
    number_write(at + 4, with_nulls, 4);
    number_write(at + 8, type, 4);
    number_write(at + 12, count, 4);
    number_write(at + 16, 1, 4); /* number of the first */
}

static void
array_number(struct pg_bytes *b, uint64_t value, int bytes)
{
    uint8_t *at = bytes_room(b, 4 + (size_t)bytes);
    number_write(at, (uint64_t)bytes, 4);
    number_write(at + 4, value, bytes);
}

static void
array_bytes(struct pg_bytes *b, struct slice value)
{
    uint8_t *at = bytes_room(b, 4 + value.bytes);
    number_write(at, value.bytes, 4);
    if (value.bytes > 0)
        memcpy(at + 4, value.at, value.bytes);
}

static void
array_null(struct pg_bytes *b)
{
    number_write(bytes_room(b, 4), UINT32_MAX, 4);
}

static void
parameter_bytes(struct pg_parameters *p, const void *at, size_t bytes)
{
    p->values[p->count] = at;
    p->lengths[p->count++] = (int)bytes;
}

static void
parameter_number(struct pg_parameters *p, int slot, uint64_t value, int bytes)
{
    number_write(p->numbers[slot], value, bytes);
    parameter_bytes(p, p->numbers[slot], (size_t)bytes);
}

/* ---- commits ---- */

static bool
commit_fits(const struct pg_store *store, const struct pg_call *call, uint32_t docs, size_t bytes)
{
    if (docs + call->count > PG_GROUP_DOCS_MAX || bytes + call->bytes > GROUP_BYTES_MAX)
        return docs == 0;
    for (uint32_t i = 0; i < call->count; i++)
        if (seen_has(&store->seen, pg_key_hash(call->writes[i].key)))
            return false;
    return true;
}

/* Commits that have no key in common, oldest first; who has to wait is the first of a later group.
 */
static uint32_t
commits_choose(struct pg_store *store, struct pg_group *group)
{
    uint32_t docs = 0, skipped = 0;
    size_t bytes = 0;
    seen_begin(&store->seen);
    struct pg_call **at = &store->commits.first;
    while (*at != NULL && skipped < SKIPPED_MAX && group->count < PG_GROUP_CALLS_MAX &&
           docs < PG_GROUP_DOCS_MAX) {
        if (!commit_fits(store, *at, docs, bytes)) {
            skipped++;
            at = &(*at)->next;
            continue;
        }
        struct pg_call *call = queue_unlink(&store->commits, at);
        for (uint32_t i = 0; i < call->count; i++) {
            seen_add(&store->seen, pg_key_hash(call->writes[i].key));
            store->writes[docs++] =
                (struct pg_write){.write = &call->writes[i], .commit = (int32_t)group->count};
        }
        bytes += call->bytes;
        group_add(store, group, call);
    }
    return docs;
}

static int
writes_compare(const void *one, const void *other)
{
    struct slice a = ((const struct pg_write *)one)->write->key;
    struct slice b = ((const struct pg_write *)other)->write->key;
    int order = memcmp(a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* A version as the function reads it; one that no document will ever have becomes the largest. */
static int64_t
version_of(const struct store_write *write)
{
    if (write->expected_version == STORE_ANY_VERSION)
        return -1;
    return write->expected_version > INT64_MAX ? INT64_MAX : (int64_t)write->expected_version;
}

static void
commits_encode(struct pg_store *store, uint32_t docs, struct pg_parameters *p)
{
    static const uint32_t types[PG_ARRAYS] = {OID_INT4, OID_TEXT, OID_INT8, OID_INT4, OID_BYTEA};
    uint32_t held = 0, fresh = 0, any = 0;
    bool vanishing = false;
    for (int i = 0; i < PG_ARRAYS; i++)
        array_begin(&store->arrays[i], types[i], docs, i == PG_VALUES);
    for (uint32_t i = 0; i < docs; i++) {
        const struct store_write *write = store->writes[i].write;
        int64_t version = version_of(write);
        held += version > 0;
        fresh += version == 0;
        any += version < 0;
        vanishing |= write->op == STORE_FORGET || (write->op == STORE_CHECK && version == 0);
        array_number(&store->arrays[PG_COMMITS], (uint64_t)store->writes[i].commit, 4);
        array_bytes(&store->arrays[PG_KEYS], write->key);
        array_number(&store->arrays[PG_VERSIONS], (uint64_t)version, 8);
        array_number(&store->arrays[PG_OPS], write->op, 4);
        if (write->op == STORE_PUT)
            array_bytes(&store->arrays[PG_VALUES], write->value);
        else
            array_null(&store->arrays[PG_VALUES]);
    }
    *p = (struct pg_parameters){.statement = PG_STATEMENT_COMMIT};
    for (int i = 0; i < PG_ARRAYS; i++)
        parameter_bytes(p, store->arrays[i].at, store->arrays[i].used);
    parameter_number(p, 0, held, 4);
    parameter_number(p, 1, fresh, 4);
    parameter_number(p, 2, any, 4);
    parameter_number(p, 3, vanishing, 1);
}

_Static_assert(STORE_PUT == 0 && STORE_DELETE == 1 && STORE_CHECK == 2 && STORE_FORGET == 3,
               "pg_schema.sql knows them by these numbers");

bool
pg_group_of_commits(struct pg_store *store, struct pg_group *group,
                    struct pg_parameters *parameters)
{
    if (store->commits.first == NULL)
        return false;
    group->kind = PG_GROUP_COMMITS;
    uint32_t docs = commits_choose(store, group);
    CHECK(docs > 0 && group->count > 0);
    /* Whoever takes locks in one order waits for nobody in a circle. */
    qsort(store->writes, docs, sizeof store->writes[0], writes_compare);
    commits_encode(store, docs, parameters);
    return true;
}

/* ---- gets and scans ---- */

static void
scan_encode(struct pg_store *store, const struct pg_call *call, struct pg_parameters *p)
{
    struct slice prefix = call->writes[0].key, after = call->writes[1].key;
    /* The first text behind everything that begins so. Keys are ASCII below 127. */
    struct pg_bytes *end = &store->arrays[PG_KEYS];
    end->used = 0;
    uint8_t *at = bytes_room(end, prefix.bytes + 1);
    if (prefix.bytes > 0)
        memcpy(at, prefix.at, prefix.bytes);
    at[prefix.bytes] = 127;
    *p = (struct pg_parameters){.statement = PG_STATEMENT_SCAN};
    parameter_bytes(p, prefix.bytes > 0 ? prefix.at : end->at, prefix.bytes);
    parameter_bytes(p, after.bytes > 0 ? after.at : end->at, after.bytes);
    parameter_bytes(p, end->at, end->used);
    parameter_number(p, 0, call->limit, 4);
}

bool
pg_group_of_reads(struct pg_store *store, struct pg_group *group, struct pg_parameters *parameters)
{
    struct pg_call *first = store->reads.first;
    if (first == NULL)
        return false;
    if (first->kind == PG_CALL_SCAN) {
        group->kind = PG_GROUP_SCAN;
        group_add(store, group, pg_queue_take(&store->reads));
        scan_encode(store, first, parameters);
        return true;
    }
    group->kind = PG_GROUP_GETS;
    while (store->reads.first != NULL && store->reads.first->kind == PG_CALL_GET &&
           group->count < PG_GETS_MAX)
        group_add(store, group, pg_queue_take(&store->reads));
    struct pg_bytes *keys = &store->arrays[PG_KEYS];
    array_begin(keys, OID_TEXT, group->count, false);
    for (uint32_t i = 0; i < group->count; i++)
        array_bytes(keys, group->calls[i]->writes[0].key);
    *parameters = (struct pg_parameters){.statement = PG_STATEMENT_GET};
    parameter_bytes(parameters, keys->at, keys->used);
    return true;
}
