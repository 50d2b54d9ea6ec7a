#include "store/conformance_suite.h"
#include "base/rand.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct suite *s = ctx;
    assert_true(token < s->next_token);
    assert_true((result == STORE_OK) == (doc != NULL));
    struct answer *a = &s->answers[token];
    a->times++;
    a->kind = ANSWER_GOT;
    a->result = result;
    s->answered++;
    if (doc == NULL)
        return;
    a->version = doc->version;
    a->exists = doc->exists;
    assert_true(doc->value.bytes <= s->port.value_max);
    a->value_bytes = (uint32_t)doc->value.bytes;
    a->value = malloc(doc->value.bytes + 1);
    assert_non_null(a->value);
    if (a->value_bytes > 0)
        memcpy(a->value, doc->value.at, a->value_bytes);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct suite *s = ctx;
    assert_true(token < s->next_token);
    struct answer *a = &s->answers[token];
    a->times++;
    a->kind = ANSWER_COMMITTED;
    a->result = result;
    s->answered++;
}

uint64_t
suite_hash(struct slice value)
{
    uint64_t hash = value.bytes;
    for (size_t i = 0; i < value.bytes; i++)
        hash = rand_mix(hash, value.at[i]);
    return hash;
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct suite *s = ctx;
    assert_true(token < s->next_token && count <= STORE_SCAN_MAX);
    assert_true(result == STORE_OK || count == 0);
    struct answer *a = &s->answers[token];
    a->times++;
    a->kind = ANSWER_SCANNED;
    a->result = result;
    s->answered++;
    s->found_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct found *f = &s->found[i];
        assert_true(found[i].doc.exists && found[i].doc.version > 0);
        snprintf(f->key, sizeof f->key, "%.*s", (int)found[i].key.bytes,
                 (const char *)found[i].key.at);
        f->version = found[i].doc.version;
        f->value_bytes = (uint32_t)found[i].doc.value.bytes;
        f->value_hash = suite_hash(found[i].doc.value);
    }
}

static void
on_changed(void *ctx, struct slice key)
{
    struct suite *s = ctx;
    s->hints++;
    snprintf(s->hinted, sizeof s->hinted, "%.*s", (int)key.bytes, (const char *)key.at);
}

void
suite_connect(struct suite *s)
{
    s->port = s->engine->connect(s->engine->ctx, (struct store_done){.ctx = s,
                                                                     .got = on_got,
                                                                     .committed = on_committed,
                                                                     .scanned = on_scanned,
                                                                     .changed = on_changed});
    assert_in_range(s->port.value_max, STORE_VALUE_MAX, STORE_VALUE_ENGINE_MAX);
    assert_in_range(s->port.commit_max, 1, STORE_COMMIT_MAX);
}

void
suite_reopen(struct suite *s)
{
    s->engine->close(s->engine->ctx);
    s->engine->open(s->engine->ctx, false);
    suite_connect(s);
}

static uint64_t
token_next(struct suite *s)
{
    assert_true(s->next_token < TOKENS_MAX);
    return s->next_token++;
}

struct slice
text_slice(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

const struct answer *
suite_await(struct suite *s, uint64_t token)
{
    while (s->answers[token].times == 0)
        s->engine->wait(s->engine->ctx);
    assert_int_equal(s->answers[token].times, 1);
    return &s->answers[token];
}

uint64_t
suite_get_send(struct suite *s, const char *key)
{
    uint64_t token = token_next(s);
    assert_int_equal(s->port.get(s->port.ctx, token, text_slice(key)), OK);
    return token;
}

const struct answer *
suite_get(struct suite *s, const char *key)
{
    const struct answer *a = suite_await(s, suite_get_send(s, key));
    assert_int_equal(a->result, STORE_OK);
    assert_int_equal(a->kind, ANSWER_GOT);
    return a;
}

uint64_t
suite_commit_send(struct suite *s, const struct store_write *writes, uint32_t count)
{
    uint64_t token = token_next(s);
    assert_int_equal(s->port.commit(s->port.ctx, token, writes, count), OK);
    return token;
}

enum store_result
suite_commit(struct suite *s, const struct store_write *writes, uint32_t count)
{
    const struct answer *a = suite_await(s, suite_commit_send(s, writes, count));
    assert_int_equal(a->kind, ANSWER_COMMITTED);
    return a->result;
}

uint32_t
suite_scan(struct suite *s, const char *prefix, const char *after, uint32_t limit)
{
    uint64_t token = token_next(s);
    assert_int_equal(s->port.scan(s->port.ctx, token, text_slice(prefix), text_slice(after), limit),
                     OK);
    const struct answer *a = suite_await(s, token);
    assert_int_equal(a->result, STORE_OK);
    assert_int_equal(a->kind, ANSWER_SCANNED);
    return s->found_count;
}

struct store_write
write_put(const char *key, uint64_t version, const char *value)
{
    return (struct store_write){.key = text_slice(key),
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = text_slice(value)};
}

struct store_write
write_delete(const char *key, uint64_t version)
{
    return (struct store_write){
        .key = text_slice(key), .expected_version = version, .op = STORE_DELETE};
}

struct store_write
write_forget(const char *key, uint64_t version)
{
    return (struct store_write){
        .key = text_slice(key), .expected_version = version, .op = STORE_FORGET};
}

struct store_write
write_check(const char *key, uint64_t version)
{
    return (struct store_write){
        .key = text_slice(key), .expected_version = version, .op = STORE_CHECK};
}

enum store_result
suite_commit_one(struct suite *s, struct store_write write)
{
    return suite_commit(s, &write, 1);
}

void
assert_document(const struct answer *a, uint64_t version, const char *value)
{
    assert_int_equal(a->version, version);
    assert_int_equal(a->exists, value != NULL);
    assert_int_equal(a->value_bytes, value == NULL ? 0 : strlen(value));
    if (value != NULL)
        assert_memory_equal(a->value, value, strlen(value));
}

void
assert_refused(struct suite *s, const struct store_write *writes, uint32_t count, enum err why)
{
    assert_int_equal(s->port.commit(s->port.ctx, TOKENS_MAX, writes, count), why);
}
