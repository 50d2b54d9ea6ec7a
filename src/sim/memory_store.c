#include "sim/memory_store.h"
#include "base/check.h"
#include "base/pool.h"
#include "env/store_limits.h"
#include "sim/memory_documents.h"
#include "sim/memory_watches.h"
#include <stdlib.h>
#include <string.h>

#define DOCUMENTS_DEFAULT (1U << 20)
#define CALLS_DEFAULT     8192
#define HINTS_MAX         8192
#define BLOCK_ITEMS       256
#define WRITES_INSIDE     2 /* in the call itself; a commit of more has a blob for them */
#define LATE_LATENCIES    20
#define PPM               1000000

enum call_kind { CALL_GET, CALL_COMMIT, CALL_SCAN };

/* What will become of a call, drawn when it is made.
 *
 *   FINE, UNKNOWN_DONE          asked -> effect -> answer     (effect of a get, a scan: it reads)
 *   UNKNOWN_LOST, UNAVAILABLE   asked -> answer
 *   UNKNOWN_LATE                asked -> answer -> effect
 *
 * With `twice`, a second effect comes some time after the first. */
enum fate { FATE_FINE, FATE_UNKNOWN_DONE, FATE_UNKNOWN_LOST, FATE_UNKNOWN_LATE, FATE_UNAVAILABLE };

struct call {
    enum call_kind kind;
    enum fate fate;
    enum store_result result;
    bool twice, happened;
    uint8_t moments; /* asked of the schedule and not yet come; 0: the call is over */
    uint64_t token;
    uint64_t connection; /* handle; stale: the process died, nobody is answered */
    int64_t answer_us;   /* get, scan */
    uint32_t count;      /* of writes; of what a scan found, before that its limit */
    struct memory_write inside[WRITES_INSIDE]; /* a get: its key */
    struct blob *writes;                       /* owned; NULL: inside */
    struct blob *prefix, *found;               /* owned; scan, whose `after` is inside[0].key */
    struct store_doc doc;                      /* get: what was read */
    struct blob *value;                        /* get: held */
};

struct memory_connection {
    struct memory_store *store; /* borrowed */
    uint64_t handle;            /* its own */
    struct store_done done;
    uint32_t asked; /* and not yet answered */
    int64_t stalled_until_us;
};

struct hint {
    struct memory_key key;
    uint64_t connection;
};

struct memory_store {
    struct sim_schedule schedule;
    struct memory_store_knobs knobs;
    struct memory_store_stats stats;
    struct memory_documents documents;
    struct memory_watches watches;
    struct pool connections, calls, hints;
    struct memory_connection *single; /* of memory_store_port() */
    uint32_t calls_max, commit_max, groups;
    bool away;
};

typedef void moment(void *argument, uint64_t handle);

static int64_t
now_us(const struct memory_store *store)
{
    return store->schedule.now_us(store->schedule.ctx);
}

static uint64_t
draw(struct memory_store *store, uint64_t limit)
{
    CHECK(limit > 0);
    return store->schedule.random(store->schedule.ctx) % limit;
}

static int64_t
draw_latency(struct memory_store *store, enum call_kind kind)
{
    const struct memory_store_knobs *k = &store->knobs;
    uint32_t low = kind == CALL_COMMIT ? k->commit_us_min : k->get_us_min;
    uint32_t high = kind == CALL_COMMIT ? k->commit_us_max : k->get_us_max;
    return (int64_t)(low + draw(store, (uint64_t)(high - low) + 1));
}

static bool
chance(struct memory_store *store, uint32_t ppm)
{
    return ppm > 0 && draw(store, PPM) < ppm;
}

static struct memory_connection *
connection_find(const struct memory_store *store, uint64_t handle)
{
    return pool_find(&store->connections, handle);
}

/* ---- the life of a call ---- */

static struct memory_write *
call_writes(struct call *call)
{
    return call->writes == NULL ? call->inside : (void *)call->writes->at;
}

static struct memory_found *
call_found(const struct call *call)
{
    return (void *)call->found->at;
}

static void
found_release(struct memory_store *store, struct blob **found, uint32_t count)
{
    if (*found == NULL)
        return;
    struct memory_found *items = (void *)(*found)->at;
    for (uint32_t i = 0; i < count; i++)
        blob_release(&store->documents.blobs, &items[i].value);
    blob_release(&store->documents.blobs, found);
}

static void
call_free(struct memory_store *store, uint64_t handle)
{
    struct call *call = pool_find(&store->calls, handle);
    CHECK(call != NULL);
    struct blobs *blobs = &store->documents.blobs;
    if (call->kind == CALL_COMMIT)
        for (uint32_t i = 0; i < call->count; i++)
            blob_release(blobs, &call_writes(call)[i].value);
    found_release(store, &call->found, call->count);
    blob_release(blobs, &call->writes);
    blob_release(blobs, &call->prefix);
    blob_release(blobs, &call->value);
    pool_give(&store->calls, (uint32_t)handle);
}

static void
call_plan(struct memory_store *store, uint64_t handle, moment *at, int64_t due_us)
{
    struct call *call = pool_find(&store->calls, handle);
    call->moments++;
    store->schedule.at(store->schedule.ctx, due_us, at, store, handle);
}

/* The call whose moment has come. NULL: a crash took it, or it is held up and comes again. */
static struct call *
call_arrives(struct memory_store *store, uint64_t handle, moment *at)
{
    struct call *call = pool_find(&store->calls, handle);
    if (call == NULL)
        return NULL;
    const struct memory_connection *c = connection_find(store, call->connection);
    if (c != NULL && c->stalled_until_us > now_us(store)) {
        store->schedule.at(store->schedule.ctx, c->stalled_until_us, at, store, handle);
        return NULL;
    }
    CHECK(call->moments > 0);
    call->moments--;
    return call;
}

static void
call_end_when_over(struct memory_store *store, struct call *call, uint64_t handle)
{
    if (call->moments == 0)
        call_free(store, handle);
}

/* ---- hints ---- */

static void
on_hint(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct hint *hint = pool_find(&store->hints, handle);
    CHECK(hint != NULL);
    const struct memory_connection *c = connection_find(store, hint->connection);
    if (c != NULL && c->stalled_until_us > now_us(store)) {
        store->schedule.at(store->schedule.ctx, c->stalled_until_us, on_hint, store, handle);
        return;
    }
    struct hint copy = *hint;
    pool_give(&store->hints, (uint32_t)handle);
    if (c != NULL && c->done.changed != NULL) {
        store->stats.hints++;
        c->done.changed(c->done.ctx, memory_key_slice(&copy.key));
    }
}

static void
hint_send(void *ctx, const struct memory_key *key, uint64_t connection)
{
    struct memory_store *store = ctx;
    uint32_t index;
    if (chance(store, store->knobs.hint_lost_ppm) || pool_take(&store->hints, &index) != OK) {
        store->stats.hints_lost++;
        return;
    }
    *(struct hint *)pool_at(&store->hints, index) = (struct hint){*key, connection};
    store->schedule.at(store->schedule.ctx, now_us(store) + draw_latency(store, CALL_GET), on_hint,
                       store, pool_handle(&store->hints, index));
}

static void
hints_send(struct memory_store *store, const struct memory_write *writes, uint32_t count)
{
    if (store->watches.items.used == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (writes[i].op != STORE_CHECK)
            memory_watches_each(&store->watches, &writes[i].key, hint_send, store);
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    struct memory_connection *c = ctx;
    enum err error = store_key_check(key);
    struct memory_key k = error == OK ? memory_key_make(key) : (struct memory_key){0};
    CHECK(c->store != NULL);
    return error == OK ? memory_watches_set(&c->store->watches, &k, c->handle, on) : error;
}

/* ---- moments ---- */

static void
got_tell(struct memory_store *store, const struct store_done *done, const struct call *call)
{
    if (call->result != STORE_OK) {
        done->got(done->ctx, call->token, call->result, NULL);
        return;
    }
    const struct memory_document *now =
        memory_documents_find(&store->documents, &call->inside[0].key);
    store->stats.stale += call->doc.version != (now == NULL ? 0 : now->version);
    done->got(done->ctx, call->token, STORE_OK, &call->doc);
}

static void
scanned_tell(const struct store_done *done, const struct call *call)
{
    struct store_found found[STORE_SCAN_MAX];
    uint32_t count = call->result == STORE_OK ? call->count : 0;
    const struct memory_found *items = count == 0 ? NULL : call_found(call);
    for (uint32_t i = 0; i < count; i++)
        found[i] = (struct store_found){.key = memory_key_slice(&items[i].key),
                                        .doc = {.version = items[i].version,
                                                .exists = true,
                                                .value = blob_slice(items[i].value)}};
    done->scanned(done->ctx, call->token, call->result, found, count);
}

/* The last moment of a get or a scan. The call goes first: the call-back may crash its connection.
 */
static void
read_tell(struct memory_store *store, struct call *call, uint64_t handle)
{
    struct memory_connection *c = connection_find(store, call->connection);
    struct call last = *call;
    call->value = call->found = NULL;
    call_free(store, handle);
    if (c != NULL) {
        struct store_done done = c->done;
        c->asked--;
        if (last.kind == CALL_GET)
            got_tell(store, &done, &last);
        else
            scanned_tell(&done, &last);
    }
    blob_release(&store->documents.blobs, &last.value);
    found_release(store, &last.found, last.count);
}

static void on_effect(void *argument, uint64_t handle);

static void
commit_tell(struct memory_store *store, struct call *call, uint64_t handle)
{
    struct memory_connection *c = connection_find(store, call->connection);
    enum store_result result = call->result;
    uint64_t token = call->token;
    if (call->fate == FATE_UNKNOWN_LATE)
        call_plan(store, handle, on_effect,
                  now_us(store) + LATE_LATENCIES * draw_latency(store, CALL_COMMIT));
    call_end_when_over(store, call, handle);
    if (c == NULL)
        return;
    store->stats.conflicts += result == STORE_CONFLICT;
    store->stats.unknown += result == STORE_UNKNOWN;
    store->stats.unavailable += result == STORE_UNAVAILABLE;
    c->asked--;
    c->done.committed(c->done.ctx, token, result);
}

static void
on_answer(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct call *call = call_arrives(store, handle, on_answer);
    if (call == NULL)
        return;
    if (call->kind == CALL_COMMIT)
        commit_tell(store, call, handle);
    else
        read_tell(store, call, handle);
}

static enum store_result
commit_apply(struct memory_store *store, struct call *call)
{
    struct memory_write *writes = call_writes(call);
    enum store_result result = memory_documents_apply(&store->documents, writes, call->count);
    if (result != STORE_OK)
        return result;
    for (uint32_t i = 0; i < call->count; i++)
        store->stats.documents += writes[i].op != STORE_CHECK;
    hints_send(store, writes, call->count);
    return STORE_OK;
}

static void
on_again(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct call *call = call_arrives(store, handle, on_again);
    if (call == NULL)
        return;
    store->stats.twice += commit_apply(store, call) == STORE_OK;
    call_end_when_over(store, call, handle);
}

static void
commit_happen(struct memory_store *store, struct call *call, uint64_t handle)
{
    CHECK(call->kind == CALL_COMMIT && !call->happened);
    call->happened = true;
    if (store->away && call->fate != FATE_UNKNOWN_LATE) {
        call->result = STORE_UNAVAILABLE;
        return;
    }
    call->result = commit_apply(store, call);
    store->stats.late += call->fate == FATE_UNKNOWN_LATE && call->result == STORE_OK;
    if (call->fate != FATE_FINE || call->twice)
        call->result = STORE_UNKNOWN; /* a definite answer leaves nothing under way */
    if (call->twice)
        call_plan(store, handle, on_again,
                  now_us(store) + LATE_LATENCIES * draw_latency(store, CALL_COMMIT));
}

static void
commit_effect(struct memory_store *store, struct call *call, uint64_t handle)
{
    if (call->happened)
        return;                            /* it was hurried by a crash */
    if (call->fate == FATE_UNKNOWN_LOST) { /* its connection was cut */
        call_plan(store, handle, on_answer, now_us(store) + draw_latency(store, CALL_COMMIT));
        return;
    }
    bool late = call->fate == FATE_UNKNOWN_LATE;
    bool orphan = connection_find(store, call->connection) == NULL;
    commit_happen(store, call, handle);
    store->stats.zombies += orphan && !late && call->result == STORE_OK;
    if (!orphan && !late)
        call_plan(store, handle, on_answer, now_us(store) + draw_latency(store, CALL_COMMIT));
}

static void
get_read(struct memory_store *store, struct call *call)
{
    const struct memory_document *d =
        memory_documents_find(&store->documents, &call->inside[0].key);
    call->doc = memory_document_view(d);
    call->value = d == NULL ? NULL : blob_hold(d->value);
}

static void
scan_read(struct memory_store *store, struct call *call)
{
    call->found = blob_make(&store->documents.blobs, call->count * sizeof(struct memory_found));
    call->count = memory_documents_scan(&store->documents, blob_slice(call->prefix),
                                        memory_key_slice(&call->inside[0].key), call_found(call),
                                        call->count);
}

static void
on_effect(void *argument, uint64_t handle)
{
    struct memory_store *store = argument;
    struct call *call = call_arrives(store, handle, on_effect);
    if (call == NULL)
        return;
    if (call->kind == CALL_COMMIT) {
        commit_effect(store, call, handle);
        call_end_when_over(store, call, handle);
        return;
    }
    bool lost = store->away || call->fate == FATE_UNAVAILABLE;
    call->result = lost ? STORE_UNAVAILABLE : STORE_OK;
    if (call->result != STORE_OK)
        call->count = 0;
    else if (call->kind == CALL_GET)
        get_read(store, call);
    else
        scan_read(store, call);
    int64_t answer_us = call->answer_us > now_us(store) ? call->answer_us : now_us(store);
    call_plan(store, handle, on_answer, answer_us);
}

/* ---- asking ---- */

static enum fate
fate_draw(struct memory_store *store, enum call_kind kind)
{
    const struct memory_store_knobs *k = &store->knobs;
    uint64_t n = draw(store, PPM);
    if (n < k->unavailable_ppm)
        return FATE_UNAVAILABLE;
    n -= k->unavailable_ppm;
    if (kind != CALL_COMMIT)
        return FATE_FINE;
    if (n < k->unknown_done_ppm)
        return FATE_UNKNOWN_DONE;
    n -= k->unknown_done_ppm;
    if (n < k->unknown_lost_ppm)
        return FATE_UNKNOWN_LOST;
    n -= k->unknown_lost_ppm;
    return n < k->unknown_late_ppm ? FATE_UNKNOWN_LATE : FATE_FINE;
}

static enum err
call_make(struct memory_connection *c, enum call_kind kind, uint64_t token, struct call **call,
          uint64_t *handle)
{
    struct memory_store *store = c->store;
    CHECK(store != NULL); /* the connection lives */
    uint32_t index;
    if (c->asked == store->calls_max || pool_take(&store->calls, &index) != OK) {
        store->stats.refused++;
        return ERR_FULL;
    }
    c->asked++;
    enum fate fate = fate_draw(store, kind);
    *call = pool_at(&store->calls, index);
    (*call)->kind = kind;
    (*call)->fate = fate;
    (*call)->result = fate == FATE_UNAVAILABLE ? STORE_UNAVAILABLE : STORE_UNKNOWN;
    (*call)->token = token;
    (*call)->connection = c->handle;
    *handle = pool_handle(&store->calls, index);
    return OK;
}

/* Both moments of a get or a scan: it reads some time before it answers. */
static void
read_plan(struct memory_store *store, struct call *call, uint64_t handle)
{
    int64_t latency_us = draw_latency(store, call->kind);
    call->answer_us = now_us(store) + latency_us;
    if (call->fate == FATE_UNAVAILABLE) {
        call->count = 0;
        call_plan(store, handle, on_answer, call->answer_us);
        return;
    }
    int64_t read_us = now_us(store) + (int64_t)draw(store, (uint64_t)latency_us + 1);
    call_plan(store, handle, on_effect, read_us);
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct memory_connection *c = ctx;
    struct call *call;
    uint64_t handle;
    enum err error = store_key_check(key);
    if (error == OK)
        error = call_make(c, CALL_GET, token, &call, &handle);
    if (error != OK)
        return error;
    c->store->stats.gets++;
    call->inside[0].key = memory_key_make(key);
    read_plan(c->store, call, handle);
    return OK;
}

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct memory_connection *c = ctx;
    CHECK(c->done.scanned != NULL);
    struct call *call;
    uint64_t handle;
    enum err error = store_scan_check(prefix, after, limit);
    if (error == OK)
        error = call_make(c, CALL_SCAN, token, &call, &handle);
    if (error != OK)
        return error;
    c->store->stats.scans++;
    call->inside[0].key = memory_key_make(after);
    call->prefix = blob_copy(&c->store->documents.blobs, prefix);
    call->count = limit;
    read_plan(c->store, call, handle);
    return OK;
}

static void
writes_copy(struct memory_store *store, struct call *call, const struct store_write *writes,
            uint32_t count)
{
    struct blobs *blobs = &store->documents.blobs;
    if (count > WRITES_INSIDE)
        call->writes = blob_make(blobs, count * sizeof(struct memory_write));
    call->count = count;
    struct memory_write *copies = call_writes(call);
    for (uint32_t i = 0; i < count; i++) {
        copies[i].key = memory_key_make(writes[i].key);
        copies[i].op = writes[i].op;
        copies[i].expected_version = writes[i].expected_version;
        copies[i].value = blob_copy(blobs, writes[i].value);
        copies[i].document = NULL;
    }
}

static uint32_t
port_group(void *ctx, struct slice key)
{
    const struct memory_connection *c = ctx;
    return memory_key_group(key, c->store->groups);
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct memory_connection *c = ctx;
    struct memory_store *store = c->store;
    struct call *call;
    uint64_t handle;
    enum err error = store_commit_check(writes, count, STORE_VALUE_ENGINE_MAX, store->commit_max);
    if (error == OK && !memory_keys_fit(writes, count, store->groups))
        error = ERR_RANGE;
    if (error == OK)
        error = call_make(c, CALL_COMMIT, token, &call, &handle);
    if (error != OK)
        return error;
    store->stats.commits++;
    writes_copy(store, call, writes, count);
    bool tried = call->fate == FATE_FINE || call->fate == FATE_UNKNOWN_DONE;
    call->twice = call->fate != FATE_UNAVAILABLE && chance(store, store->knobs.twice_ppm);
    int64_t due_us = now_us(store) + draw_latency(store, CALL_COMMIT);
    if (!tried)
        due_us += draw_latency(store, CALL_COMMIT);
    call_plan(store, handle, tried ? on_effect : on_answer, due_us);
    return OK;
}

/* ---- connections ---- */

struct memory_connection *
memory_store_connect(struct memory_store *store, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL);
    uint32_t index;
    enum err error = pool_take(&store->connections, &index);
    CHECK(error == OK); /* as many as a test lets live */
    struct memory_connection *c = pool_at(&store->connections, index);
    c->store = store;
    c->handle = pool_handle(&store->connections, index);
    c->done = done;
    return c;
}

struct env_store
memory_connection_port(struct memory_connection *connection)
{
    CHECK(connection->store != NULL);
    return (struct env_store){.ctx = connection,
                              .value_max = STORE_VALUE_ENGINE_MAX,
                              .commit_max = connection->store->commit_max,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch,
                              .group = connection->store->groups > 1 ? port_group : NULL};
}

/* The connection is gone already. Of what was not tried yet, half is lost on the way. */
static void
call_orphan(struct memory_store *store, struct call *call, uint64_t handle)
{
    bool tried = call->fate == FATE_FINE || call->fate == FATE_UNKNOWN_DONE;
    if (call->kind == CALL_COMMIT && tried && !call->happened && draw(store, 2) == 0) {
        if (chance(store, store->knobs.zombie_ppm))
            return; /* its moment comes */
        commit_happen(store, call, handle);
    }
    bool late = call->fate == FATE_UNKNOWN_LATE || (call->happened && call->twice);
    if (!late)
        call_free(store, handle);
}

void
memory_connection_crash(struct memory_connection **connection)
{
    struct memory_connection *c = *connection;
    CHECK(c != NULL && c->store != NULL);
    struct memory_store *store = c->store;
    uint64_t dead = c->handle;
    memory_watches_drop(&store->watches, dead);
    *c = (struct memory_connection){0}; /* whoever still asks is found out */
    pool_give(&store->connections, (uint32_t)dead);
    for (uint32_t i = pool_next(&store->calls, POOL_NONE); i != POOL_NONE;
         i = pool_next(&store->calls, i)) {
        struct call *call = pool_at(&store->calls, i);
        if (call->connection == dead)
            call_orphan(store, call, pool_handle(&store->calls, i));
    }
    if (store->single == c)
        store->single = NULL;
    *connection = NULL;
}

void
memory_connection_stall(struct memory_connection *connection, int64_t us)
{
    CHECK(connection->store != NULL && us >= 0);
    int64_t until_us = now_us(connection->store) + us;
    if (until_us > connection->stalled_until_us)
        connection->stalled_until_us = until_us;
}

static void
call_cut(struct memory_store *store, struct call *call)
{
    if (call->kind != CALL_COMMIT) {
        call->fate = FATE_UNAVAILABLE;
        call->result = STORE_UNAVAILABLE;
    } else if (call->fate == FATE_FINE) {
        call->fate = call->happened || draw(store, 2) == 0 ? FATE_UNKNOWN_DONE : FATE_UNKNOWN_LOST;
        call->result = STORE_UNKNOWN;
    }
}

void
memory_connection_cut(struct memory_connection *connection)
{
    struct memory_store *store = connection->store;
    CHECK(store != NULL);
    for (uint32_t i = pool_next(&store->calls, POOL_NONE); i != POOL_NONE;
         i = pool_next(&store->calls, i)) {
        struct call *call = pool_at(&store->calls, i);
        if (call->connection == connection->handle)
            call_cut(store, call);
    }
}

uint32_t
memory_connection_under_way(const struct memory_connection *connection)
{
    return connection->asked;
}

struct env_store
memory_store_port(struct memory_store *store, struct store_done done)
{
    if (store->single == NULL)
        store->single = memory_store_connect(store, done);
    store->single->done = done;
    return memory_connection_port(store->single);
}

void
memory_store_crash(struct memory_store *store)
{
    if (store->single != NULL)
        memory_connection_crash(&store->single);
}

/* ---- the store ---- */

struct memory_store *
memory_store_alloc(const struct memory_store_options *options)
{
    struct memory_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL && options->commit_max <= STORE_COMMIT_MAX);
    store->schedule = options->schedule;
    store->calls_max = options->calls_max ? options->calls_max : CALLS_DEFAULT;
    store->commit_max = options->commit_max ? options->commit_max : STORE_COMMIT_MAX;
    store->groups = options->groups ? options->groups : 1;
    store->knobs = (struct memory_store_knobs){
        .get_us_min = 50, .get_us_max = 500, .commit_us_min = 200, .commit_us_max = 5000};
    memory_documents_init(&store->documents,
                          options->documents_max ? options->documents_max : DOCUMENTS_DEFAULT);
    pool_init(&store->connections, sizeof(struct memory_connection), MEMORY_CONNECTIONS_MAX,
              MEMORY_CONNECTIONS_MAX);
    /* The dead, the late and the doubled need slots too. */
    pool_init(&store->calls, sizeof(struct call), store->calls_max * MEMORY_CONNECTIONS_MAX,
              BLOCK_ITEMS);
    memory_watches_init(&store->watches);
    pool_init(&store->hints, sizeof(struct hint), HINTS_MAX, BLOCK_ITEMS);
    return store;
}

void
memory_store_free(struct memory_store **store)
{
    struct memory_store *s = *store;
    CHECK(s != NULL);
    for (uint32_t i = pool_next(&s->calls, POOL_NONE); i != POOL_NONE; i = pool_next(&s->calls, i))
        call_free(s, pool_handle(&s->calls, i));
    pool_fini(&s->calls);
    pool_fini(&s->connections);
    memory_watches_fini(&s->watches);
    pool_fini(&s->hints);
    memory_documents_fini(&s->documents);
    free(s);
    *store = NULL;
}

void
memory_store_set_knobs(struct memory_store *store, const struct memory_store_knobs *knobs)
{
    CHECK(knobs->get_us_min <= knobs->get_us_max && knobs->commit_us_min <= knobs->commit_us_max);
    CHECK((uint64_t)knobs->unavailable_ppm + knobs->unknown_done_ppm + knobs->unknown_lost_ppm +
              knobs->unknown_late_ppm <=
          PPM);
    store->knobs = *knobs;
}

void
memory_store_set_away(struct memory_store *store, bool away)
{
    store->away = away;
}

void
memory_store_set_effects(struct memory_store *store, const struct memory_effects *effects)
{
    store->documents.effects = *effects;
}

uint32_t
memory_store_under_way(const struct memory_store *store)
{
    return store->calls.used + store->hints.used;
}

struct store_doc
memory_store_look(const struct memory_store *store, struct slice key)
{
    struct memory_key k = memory_key_make(key);
    return memory_document_view(memory_documents_find(&store->documents, &k));
}

bool
memory_store_next(const struct memory_store *store, uint32_t *cursor, struct slice *key,
                  struct store_doc *doc)
{
    const struct memory_document *document = memory_documents_next(&store->documents, cursor);
    if (document != NULL) {
        *key = memory_key_slice(&document->key);
        *doc = memory_document_view(document);
    }
    return document != NULL;
}

struct memory_store_stats
memory_store_stats(const struct memory_store *store)
{
    return store->stats;
}

uint64_t
memory_store_digest(const struct memory_store *store)
{
    return memory_documents_digest(&store->documents);
}

void
memory_store_remember(struct memory_store *store)
{
    memory_documents_remember(&store->documents);
}

uint32_t
memory_store_rollback(struct memory_store *store, uint64_t salt)
{
    uint32_t changed = memory_documents_rollback(&store->documents, salt);
    store->stats.rolled_back += changed;
    return changed;
}
