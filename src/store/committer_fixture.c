#include "store/committer_fixture.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

#define STRAY   3 /* token of writes that nobody waits for */
#define LATE_US 30000

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* ---- between the committer and the engine ---- */

static void
engine_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct fixture_node *n = ctx;
    n->done.got(n->done.ctx, token, result, doc);
}

static void
engine_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct fixture_node *n = ctx;
    if (token == STRAY)
        return;
    if (token == n->fault_token) {
        if (n->fault == FAULT_CRASH_AFTER)
            n->dying = true;
        n->held = n->fault == FAULT_HELD;
        if (n->dying || n->held)
            return;
        n->fault_token = 0;
        result = STORE_UNKNOWN;
    }
    n->done.committed(n->done.ctx, token, result);
}

static void
engine_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
               uint32_t count)
{
    struct fixture_node *n = ctx;
    n->done.scanned(n->done.ctx, token, result, found, count);
}

static void
engine_changed(void *ctx, struct slice key)
{
    struct fixture_node *n = ctx;
    n->done.changed(n->done.ctx, key);
}

static void
on_answer(void *argument, uint64_t token)
{
    struct fixture_node *n = argument;
    if (n->committer != NULL)
        n->done.committed(n->done.ctx, token,
                          n->fault == FAULT_UNAVAILABLE ? STORE_UNAVAILABLE : STORE_UNKNOWN);
}

static void
on_get_fails(void *argument, uint64_t token)
{
    struct fixture_node *n = argument;
    n->done.got(n->done.ctx, token, STORE_UNAVAILABLE, NULL);
}

static void
on_late(void *argument, uint64_t token)
{
    struct late_write *late = argument;
    struct fixture_node *n = late->node;
    if (n->committer != NULL)
        CHECK(n->inner.commit(n->inner.ctx, token, &late->write, 1) == OK);
}

static void
at_us(struct fixture_node *n, int64_t after_us, void (*fn)(void *, uint64_t), void *argument,
      uint64_t token)
{
    struct sim_schedule schedule = events_port(&n->fixture->schedule);
    schedule.at(schedule.ctx, n->fixture->schedule.now_us + after_us, fn, argument, token);
}

static void
send_late(struct fixture_node *n, const struct store_write *write)
{
    struct late_write *late = &n->fixture->late;
    CHECK(write->value.bytes <= sizeof late->value);
    late->node = n;
    late->write = *write;
    late->key.bytes = (uint8_t)write->key.bytes;
    memcpy(late->key.text, write->key.at, write->key.bytes);
    if (write->value.bytes > 0)
        memcpy(late->value, write->value.at, write->value.bytes);
    late->write.key = key_slice(&late->key);
    late->write.value.at = late->value;
    at_us(n, LATE_US, on_late, late, STRAY);
}

static enum err
between_get(void *ctx, uint64_t token, struct slice key)
{
    struct fixture_node *n = ctx;
    if (++n->gets == n->get_fault_at) {
        at_us(n, 100, on_get_fails, n, token);
        return OK;
    }
    return n->inner.get(n->inner.ctx, token, key);
}

static enum err
between_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct fixture_node *n = ctx;
    CHECK(count == 1); /* what the engine is used for */
    if (++n->writes != n->fault_at)
        return n->inner.commit(n->inner.ctx, token, writes, count);
    switch (n->fault) {
    case FAULT_NONE:
    case FAULTS: break;
    case FAULT_UNKNOWN_TWICE:
        send_late(n, writes);
        n->fault_token = token;
        break;
    case FAULT_UNKNOWN_DONE:
    case FAULT_HELD:
    case FAULT_CRASH_AFTER: n->fault_token = token; break;
    case FAULT_UNKNOWN_LATE:
        send_late(n, writes);
        at_us(n, 100, on_answer, n, token);
        return OK;
    case FAULT_UNKNOWN_LOST:
    case FAULT_UNAVAILABLE: at_us(n, 100, on_answer, n, token); return OK;
    case FAULT_CRASH_BEFORE: n->dying = true; return OK;
    case FAULT_HELD_LOST:
        n->held = true;
        n->fault_token = token;
        return OK;
    }
    return n->inner.commit(n->inner.ctx, token, writes, count);
}

static enum err
between_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct fixture_node *n = ctx;
    return n->inner.scan(n->inner.ctx, token, prefix, after, limit);
}

static enum err
between_watch(void *ctx, struct slice key, bool on)
{
    struct fixture_node *n = ctx;
    return n->inner.watch(n->inner.ctx, key, on);
}

/* ---- the user ---- */

static void
user_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct fixture_node *n = ctx;
    struct answer *a = &n->fixture->answers[token];
    CHECK((result == STORE_OK) == (doc != NULL));
    a->times++;
    a->result = result;
    if (doc == NULL)
        return;
    a->version = doc->version;
    a->exists = doc->exists;
    CHECK(doc->value.bytes < sizeof a->value);
    if (doc->value.bytes > 0)
        memcpy(a->value, doc->value.at, doc->value.bytes);
}

static void
user_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct fixture_node *n = ctx;
    n->fixture->answers[token].times++;
    n->fixture->answers[token].result = result;
}

static void
user_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
             uint32_t count)
{
    struct fixture *f = ((struct fixture_node *)ctx)->fixture;
    f->answers[token].times++;
    f->answers[token].result = result;
    f->found_count = count;
    for (uint32_t i = 0; i < count; i++) {
        f->found[i] = found[i];
        f->found_keys[i] = (struct key){.bytes = (uint8_t)found[i].key.bytes};
        memcpy(f->found_keys[i].text, found[i].key.at, found[i].key.bytes);
    }
}

static void
user_changed(void *ctx, struct slice key)
{
    CHECK(key.bytes > 0);
    ((struct fixture_node *)ctx)->fixture->hints++;
}

/* ---- life ---- */

void
fixture_start(struct fixture *f, uint32_t node)
{
    struct fixture_node *n = &f->nodes[node];
    CHECK(n->committer == NULL);
    *n = (struct fixture_node){.fixture = f};
    struct committer_options options = f->options;
    options.node_epoch = ++f->epochs;
    n->committer = committer_alloc(&options);
    n->done = committer_done(n->committer);
    n->connection =
        memory_store_connect(f->memory, (struct store_done){.ctx = n,
                                                            .got = engine_got,
                                                            .committed = engine_committed,
                                                            .scanned = engine_scanned,
                                                            .changed = engine_changed});
    n->inner = memory_connection_port(n->connection);
    struct env_store engine = n->inner;
    engine.ctx = n;
    engine.get = between_get;
    engine.commit = between_commit;
    engine.scan = between_scan;
    engine.watch = between_watch;
    committer_connect(n->committer, &engine);
    n->port = committer_port(n->committer, (struct store_done){.ctx = n,
                                                               .got = user_got,
                                                               .committed = user_committed,
                                                               .scanned = user_scanned,
                                                               .changed = user_changed});
}

void
fixture_kill(struct fixture *f, uint32_t node)
{
    struct fixture_node *n = &f->nodes[node];
    memory_connection_crash(&n->connection);
    committer_free(&n->committer);
}

void
fixture_release(struct fixture *f, uint32_t node)
{
    struct fixture_node *n = &f->nodes[node];
    uint64_t token = n->fault_token;
    CHECK(n->held);
    n->held = false;
    n->fault_token = 0;
    n->done.committed(n->done.ctx, token, STORE_UNKNOWN);
}

struct fixture *
fixture_alloc(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    events_init(&f->schedule, 5);
    f->env.clock = events_clock(&f->schedule);
    f->memory = memory_store_alloc(
        &(struct memory_store_options){.schedule = events_port(&f->schedule), .commit_max = 1});
    f->options = (struct committer_options){
        .env = &f->env, .world = FIXTURE_WORLD, .deadline_ms = 200, .janitor_ms = 100};
    fixture_start(f, 0);
    return f;
}

void
fixture_free(struct fixture *f)
{
    for (uint32_t i = 0; i < FIXTURE_NODES; i++)
        if (f->nodes[i].committer != NULL)
            fixture_kill(f, i);
    memory_store_free(&f->memory);
    events_fini(&f->schedule);
    free(f);
}

static void
fixture_step(struct fixture *f, int64_t until_us)
{
    int64_t next_us = until_us;
    for (uint32_t i = 0; i < FIXTURE_NODES; i++) {
        struct fixture_node *n = &f->nodes[i];
        if (n->dying) {
            n->dying = false;
            fixture_kill(f, i);
        }
        int64_t turn_us = n->committer == NULL ? INT64_MAX : committer_turn(n->committer);
        next_us = turn_us < next_us ? turn_us : next_us;
    }
    if (f->schedule.count > 0 && f->schedule.heap[0].due_us <= next_us)
        (void)events_step(&f->schedule);
    else
        events_run(&f->schedule, next_us);
}

void
fixture_run_ms(struct fixture *f, int64_t ms)
{
    int64_t until_us = f->schedule.now_us + ms * 1000;
    while (f->schedule.now_us < until_us)
        fixture_step(f, until_us);
}

const struct answer *
fixture_await(struct fixture *f, uint64_t token)
{
    int64_t until_us = f->schedule.now_us + 60 * 1000000;
    while (f->answers[token].times == 0 && f->schedule.now_us < until_us)
        fixture_step(f, until_us);
    return &f->answers[token];
}

/* ---- asking ---- */

uint64_t
fixture_get_send(struct fixture *f, uint32_t node, const char *key)
{
    struct env_store *port = &f->nodes[node].port;
    CHECK(f->tokens < FIXTURE_ANSWERS);
    CHECK(port->get(port->ctx, f->tokens, text(key)) == OK);
    return f->tokens++;
}

const struct answer *
fixture_get(struct fixture *f, uint32_t node, const char *key)
{
    return fixture_await(f, fixture_get_send(f, node, key));
}

uint64_t
fixture_commit_send(struct fixture *f, uint32_t node, const struct store_write *writes,
                    uint32_t count)
{
    struct env_store *port = &f->nodes[node].port;
    CHECK(f->tokens < FIXTURE_ANSWERS);
    CHECK(port->commit(port->ctx, f->tokens, writes, count) == OK);
    return f->tokens++;
}

enum store_result
fixture_commit(struct fixture *f, uint32_t node, const struct store_write *writes, uint32_t count)
{
    const struct answer *a = fixture_await(f, fixture_commit_send(f, node, writes, count));
    CHECK(a->times == 1);
    return a->result;
}

struct store_write
fixture_put(const char *key, uint64_t version, const char *value)
{
    return (struct store_write){
        .key = text(key), .expected_version = version, .op = STORE_PUT, .value = text(value)};
}

struct store_write
fixture_op(const char *key, uint64_t version, enum store_op op)
{
    return (struct store_write){.key = text(key), .expected_version = version, .op = op};
}

/* ---- behind everybody's back ---- */

static void
raw_done(void *ctx, uint64_t token, enum store_result result)
{
    CHECK(token == STRAY && result == STORE_OK);
    *(bool *)ctx = true;
}

static void
raw_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    CHECK(ctx == NULL && token == 0 && result == STORE_OK && doc == NULL); /* never asked */
}

void
fixture_raw_put(struct fixture *f, struct slice key, const void *value, size_t bytes)
{
    bool done = false;
    struct memory_connection *connection = memory_store_connect(
        f->memory, (struct store_done){.ctx = &done, .got = raw_got, .committed = raw_done});
    struct env_store port = memory_connection_port(connection);
    struct store_write write = {.key = key,
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {value, bytes}};
    CHECK(port.commit(port.ctx, STRAY, &write, 1) == OK);
    while (!done)
        CHECK(events_step(&f->schedule));
    memory_connection_crash(&connection);
}

void
fixture_raw_pend(struct fixture *f, const char *key, struct txid id, const char *value)
{
    struct store_doc raw = fixture_raw(f, key);
    struct envelope e;
    static uint8_t bytes[ENVELOPE_MAX];
    CHECK(envelope_read(&raw, &e) == OK && e.pend == PEND_NONE);
    e.pend = PEND_PUT;
    e.pend_id = id;
    e.pend_body = text(value);
    fixture_raw_put(f, text(key), bytes, envelope_write(&e, bytes));
}

void
fixture_raw_record(struct fixture *f, struct txid id, enum record_state state, int64_t deadline_ms,
                   const char *key)
{
    uint8_t keys[1 + STORE_KEY_MAX], bytes[RECORD_MAX];
    struct commit_record record = {.state = state,
                                   .deadline_ms = deadline_ms,
                                   .count = 1,
                                   .keys = {keys, record_add_key(keys, 0, sizeof keys, text(key))}};
    struct key name = record_key(FIXTURE_WORLD, id);
    fixture_raw_put(f, key_slice(&name), bytes, record_write(&record, bytes));
}

struct store_doc
fixture_raw(struct fixture *f, const char *key)
{
    return memory_store_look(f->memory, text(key));
}

static enum record_state
state_of(void *ctx, struct txid id)
{
    struct fixture *f = ctx;
    struct key key = record_key(FIXTURE_WORLD, id);
    struct store_doc raw = memory_store_look(f->memory, key_slice(&key));
    struct commit_record record;
    if (!raw.exists)
        return RECORD_MISSING;
    CHECK(record_read(raw.value, &record) == OK);
    return record.state;
}

struct committer_view
fixture_view(struct fixture *f, const char *key)
{
    struct store_doc raw = fixture_raw(f, key);
    struct committer_view view;
    CHECK(committer_look(&raw, state_of, f, &view) == OK);
    return view;
}

uint32_t
fixture_records(struct fixture *f)
{
    uint32_t count = 0;
    for (uint64_t epoch = 1; epoch <= f->epochs; epoch++)
        for (uint64_t n = 1; n <= 64; n++)
            count += state_of(f, (struct txid){epoch, n}) != RECORD_MISSING;
    return count;
}
