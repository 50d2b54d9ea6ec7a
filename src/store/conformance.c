#include "store/conformance.h"
#include "base/rand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants those four first */
#include <cmocka.h>

#define TOKENS_MAX 4096

/* What came back for a token. */
struct answer {
    uint32_t times;
    bool is_get;
    enum store_result result;
    uint64_t version;
    bool exists;
    uint32_t value_bytes;
    uint8_t value[STORE_VALUE_ENGINE_MAX];
};

struct suite {
    const struct conformance_engine *engine;
    struct env_store port;
    struct answer *answers; /* by token */
    uint64_t next_token;
    uint32_t answered;
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct suite *s = ctx;
    assert_true(token < s->next_token);
    assert_true((result == STORE_OK) == (doc != NULL));
    struct answer *a = &s->answers[token];
    a->times++;
    a->is_get = true;
    a->result = result;
    s->answered++;
    if (doc == NULL)
        return;
    a->version = doc->version;
    a->exists = doc->exists;
    assert_true(doc->value.bytes <= s->port.value_max);
    a->value_bytes = (uint32_t)doc->value.bytes;
    if (a->value_bytes > 0)
        memcpy(a->value, doc->value.at, a->value_bytes);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct suite *s = ctx;
    assert_true(token < s->next_token);
    s->answers[token].times++;
    s->answers[token].result = result;
    s->answered++;
}

static void
suite_connect(struct suite *s)
{
    s->port = s->engine->connect(
        s->engine->ctx, (struct store_done){.ctx = s, .got = on_got, .committed = on_committed});
}

static void
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

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static const struct answer *
await(struct suite *s, uint64_t token)
{
    while (s->answers[token].times == 0)
        s->engine->wait(s->engine->ctx);
    assert_int_equal(s->answers[token].times, 1);
    return &s->answers[token];
}

static uint64_t
get_send(struct suite *s, const char *key)
{
    uint64_t token = token_next(s);
    assert_int_equal(s->port.get(s->port.ctx, token, text(key)), OK);
    return token;
}

static const struct answer *
get(struct suite *s, const char *key)
{
    const struct answer *a = await(s, get_send(s, key));
    assert_int_equal(a->result, STORE_OK);
    assert_true(a->is_get);
    return a;
}

static uint64_t
commit_send(struct suite *s, const struct store_write *writes, uint32_t count)
{
    uint64_t token = token_next(s);
    assert_int_equal(s->port.commit(s->port.ctx, token, writes, count), OK);
    return token;
}

static enum store_result
commit(struct suite *s, const struct store_write *writes, uint32_t count)
{
    const struct answer *a = await(s, commit_send(s, writes, count));
    assert_false(a->is_get);
    return a->result;
}

static struct store_write
put(const char *key, uint64_t version, const char *value)
{
    return (struct store_write){
        .key = text(key), .expected_version = version, .op = STORE_PUT, .value = text(value)};
}

static struct store_write
delete_(const char *key, uint64_t version)
{
    return (struct store_write){.key = text(key), .expected_version = version, .op = STORE_DELETE};
}

static struct store_write
check(const char *key, uint64_t version)
{
    return (struct store_write){.key = text(key), .expected_version = version, .op = STORE_CHECK};
}

static enum store_result
commit_one(struct suite *s, struct store_write write)
{
    return commit(s, &write, 1);
}

static void
assert_doc(const struct answer *a, uint64_t version, const char *value)
{
    assert_int_equal(a->version, version);
    assert_int_equal(a->exists, value != NULL);
    assert_int_equal(a->value_bytes, value == NULL ? 0 : strlen(value));
    if (value != NULL)
        assert_memory_equal(a->value, value, strlen(value));
}

/* ---- the cases ---- */

static void
what_never_was_has_version_zero(void **state)
{
    assert_doc(get(*state, "0001/a/1"), 0, NULL);
}

static void
put_creates_and_replaces(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "one")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 1, "one");
    assert_int_equal(commit_one(s, put("0001/a/1", 1, "two")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 2, "two");
    assert_doc(get(s, "0001/a/2"), 0, NULL);
}

static void
another_version_is_a_conflict(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 1, "x")), STORE_CONFLICT); /* is not there */
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "x")), STORE_CONFLICT); /* is there already */
    assert_int_equal(commit_one(s, put("0001/a/1", 2, "x")), STORE_CONFLICT);
    assert_int_equal(commit_one(s, delete_("0001/a/1", 2)), STORE_CONFLICT);
    assert_doc(get(s, "0001/a/1"), 1, "one");
}

static void
versions_grow_across_deletes(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(commit_one(s, delete_("0001/a/1", 1)), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 2, NULL);
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "x")), STORE_CONFLICT);
    assert_int_equal(commit_one(s, put("0001/a/1", 1, "x")), STORE_CONFLICT);
    assert_int_equal(commit_one(s, put("0001/a/1", 2, "again")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 3, "again");
}

static void
what_was_acknowledged_survives_reopening(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(commit_one(s, delete_("0001/a/1", 1)), STORE_OK);
    assert_int_equal(commit_one(s, put("0001/a/2", 0, "two")), STORE_OK);
    suite_reopen(s);
    assert_doc(get(s, "0001/a/1"), 2, NULL);
    assert_doc(get(s, "0001/a/2"), 1, "two");
    assert_int_equal(commit_one(s, put("0001/a/1", 2, "back")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 3, "back");
}

static void
a_commit_is_all_or_nothing(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/2", 0, "two")), STORE_OK);
    for (uint32_t wrong = 0; wrong < 3; wrong++) { /* wherever the one that does not fit stands */
        struct store_write writes[3] = {put("0001/a/1", 0, "x"), put("0001/a/2", 1, "x"),
                                        put("0001/a/3", 0, "x")};
        writes[wrong].expected_version = 7;
        assert_int_equal(commit(s, writes, 3), STORE_CONFLICT);
        assert_doc(get(s, "0001/a/1"), 0, NULL);
        assert_doc(get(s, "0001/a/2"), 1, "two");
        assert_doc(get(s, "0001/a/3"), 0, NULL);
    }
    struct store_write writes[3] = {put("0001/a/1", 0, "1"), delete_("0001/a/2", 1),
                                    put("0001/a/3", 0, "3")};
    assert_int_equal(commit(s, writes, 3), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 1, "1");
    assert_doc(get(s, "0001/a/2"), 2, NULL);
    assert_doc(get(s, "0001/a/3"), 1, "3");
}

static void
check_guards_and_changes_nothing(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "one")), STORE_OK);
    struct store_write stale[2] = {check("0001/a/1", 2), put("0001/a/2", 0, "x")};
    assert_int_equal(commit(s, stale, 2), STORE_CONFLICT);
    assert_doc(get(s, "0001/a/2"), 0, NULL);
    struct store_write fits[3] = {check("0001/a/1", 1), put("0001/a/2", 0, "two"),
                                  check("0001/a/9", 0)};
    assert_int_equal(commit(s, fits, 3), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 1, "one");
    assert_doc(get(s, "0001/a/2"), 1, "two");
    assert_doc(get(s, "0001/a/9"), 0, NULL);
    assert_int_equal(commit_one(s, check("0001/a/1", 1)), STORE_OK);
    assert_int_equal(commit_one(s, check("0001/a/1", 0)), STORE_CONFLICT);
}

static void
any_version_will_do_where_it_is_asked(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", STORE_ANY_VERSION, "one")), STORE_OK);
    assert_int_equal(commit_one(s, put("0001/a/1", STORE_ANY_VERSION, "two")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 2, "two");
    assert_int_equal(commit_one(s, delete_("0001/a/1", STORE_ANY_VERSION)), STORE_OK);
    assert_int_equal(commit_one(s, put("0001/a/1", STORE_ANY_VERSION, "four")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 4, "four");
}

static void
values_may_be_empty_or_large(void **state)
{
    struct suite *s = *state;
    assert_int_equal(commit_one(s, put("0001/a/1", 0, "")), STORE_OK);
    assert_doc(get(s, "0001/a/1"), 1, "");
    uint8_t large[STORE_VALUE_ENGINE_MAX];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)rand_mix(i, 7);
    struct store_write write = put("0001/a/2", 0, "");
    assert_in_range(s->port.value_max, STORE_VALUE_MAX, sizeof large);
    write.value = (struct slice){large, s->port.value_max};
    assert_int_equal(commit_one(s, write), STORE_OK);
    const struct answer *a = get(s, "0001/a/2");
    assert_int_equal(a->value_bytes, s->port.value_max);
    assert_memory_equal(a->value, large, s->port.value_max);
    assert_int_equal(commit_one(s, put("0001/a/2", 1, "")), STORE_OK);
    assert_doc(get(s, "0001/a/2"), 2, "");
}

static void
assert_refused(struct suite *s, const struct store_write *writes, uint32_t count, enum err why)
{
    assert_int_equal(s->port.commit(s->port.ctx, TOKENS_MAX, writes, count), why);
}

static void
what_is_outside_the_limits_is_refused(void **state)
{
    struct suite *s = *state;
    static uint8_t bytes[STORE_VALUE_ENGINE_MAX + 1];
    char long_key[STORE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof long_key);
    long_key[STORE_KEY_MAX + 1] = '\0';
    struct store_write write = put("0001/a/1", 0, "x");
    assert_refused(s, &write, 0, ERR_RANGE);
    assert_true(s->port.value_max < sizeof bytes);
    write.value = (struct slice){bytes, s->port.value_max + 1};
    assert_refused(s, &write, 1, ERR_TOO_LARGE);
    write = put("", 0, "x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    write = put("0001/a/b c", 0, "x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    write = put(long_key, 0, "x");
    assert_refused(s, &write, 1, ERR_TOO_LARGE);
    write = check("0001/a/1", STORE_ANY_VERSION);
    assert_refused(s, &write, 1, ERR_RANGE);
    write = delete_("0001/a/1", 0);
    write.value = text("x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    struct store_write twice[3] = {put("0001/a/1", 0, "x"), put("0001/a/2", 0, "x"),
                                   check("0001/a/1", 0)};
    assert_refused(s, twice, 3, ERR_EXISTS);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text("")), ERR_FORMAT);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text(long_key)), ERR_TOO_LARGE);
    long_key[STORE_KEY_MAX] = '\0'; /* just fits */
    assert_int_equal(commit_one(s, put(long_key, 0, "x")), STORE_OK);
    assert_doc(get(s, long_key), 1, "x");
    assert_doc(get(s, "0001/a/1"), 0, NULL);
}

static char (*many_keys(void))[24]
{
    static char keys[STORE_COMMIT_MAX + 1][24];
    for (uint32_t i = 0; i <= STORE_COMMIT_MAX; i++)
        snprintf(keys[i], sizeof keys[i], "0001/many/%04x", i);
    return keys;
}

static void
a_commit_of_as_many_documents_as_it_may_have(void **state)
{
    struct suite *s = *state;
    uint32_t max = s->port.commit_max;
    assert_in_range(max, 2, STORE_COMMIT_MAX);
    char(*keys)[24] = many_keys();
    static struct store_write writes[STORE_COMMIT_MAX + 1];
    for (uint32_t i = 0; i <= max; i++)
        writes[i] = put(keys[i], 0, keys[i]);
    assert_refused(s, writes, max + 1, ERR_RANGE);
    assert_int_equal(commit(s, writes, max), STORE_OK);
    assert_doc(get(s, keys[0]), 1, keys[0]);
    assert_doc(get(s, keys[max - 1]), 1, keys[max - 1]);
    static uint8_t bytes[STORE_VALUE_MAX];
    for (uint32_t i = 0; i < max; i++)
        writes[i].value = (struct slice){bytes, sizeof bytes};
    if (max > STORE_COMMIT_BYTES_MAX / STORE_VALUE_MAX)
        assert_refused(s, writes, max, ERR_TOO_LARGE); /* together */
}

/* The engine must copy: what it was given changes as soon as the call has returned. */
static void
bytes_are_copied(void **state)
{
    struct suite *s = *state;
    char key[] = "0001/a/1", value[] = "before";
    struct store_write write = put(key, 0, value);
    uint64_t token = commit_send(s, &write, 1);
    memset(key, 'z', strlen(key));
    memset(value, 'z', strlen(value));
    write = (struct store_write){0};
    assert_int_equal(await(s, token)->result, STORE_OK);
    char again[] = "0001/a/1";
    token = get_send(s, again);
    memset(again, 'z', strlen(again));
    assert_doc(await(s, token), 1, "before");
}

/* Of many that want the same version exactly one gets it, and each call is answered once. */
static void
one_of_many_wins(void **state)
{
    struct suite *s = *state;
    uint64_t tokens[64];
    for (uint32_t i = 0; i < 64; i++) {
        struct store_write write = put("0001/a/1", 0, i % 2 ? "odd" : "even");
        tokens[i] = commit_send(s, &write, 1);
    }
    uint32_t won = 0;
    for (uint32_t i = 0; i < 64; i++) {
        enum store_result result = await(s, tokens[i])->result;
        assert_true(result == STORE_OK || result == STORE_CONFLICT);
        won += result == STORE_OK;
    }
    assert_int_equal(won, 1);
    assert_int_equal(get(s, "0001/a/1")->version, 1);
}

/* As many calls as the engine bears, one more is refused; each is answered exactly once, each
 * commit counts. */
static void
many_under_way(void **state)
{
    struct suite *s = *state;
    uint32_t max = s->engine->calls_max;
    uint64_t commits[100] = {0};
    char key[24];
    for (uint32_t i = 0; i < max; i++) {
        snprintf(key, sizeof key, "0001/flood/%x", i % 100);
        struct store_write write = put(key, STORE_ANY_VERSION, key);
        if (i % 7 == 0) {
            (void)get_send(s, key);
        } else {
            (void)commit_send(s, &write, 1);
            commits[i % 100]++;
        }
    }
    struct store_write write = put("0001/flood/0", STORE_ANY_VERSION, "x");
    assert_refused(s, &write, 1, ERR_FULL);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text("0001/flood/0")), ERR_FULL);
    while (s->answered < max)
        s->engine->wait(s->engine->ctx);
    for (uint64_t token = 0; token < s->next_token; token++) {
        assert_int_equal(s->answers[token].times, 1);
        assert_int_equal(s->answers[token].result, STORE_OK);
    }
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "0001/flood/%x", i);
        assert_doc(get(s, key), commits[i], key);
    }
}

/* A get that is asked after a commit was acknowledged sees it, whatever else is under way. */
static void
acknowledged_is_visible(void **state)
{
    struct suite *s = *state;
    for (uint64_t version = 0; version < 50; version++) {
        uint64_t other = get_send(s, "0001/a/2");
        assert_int_equal(commit_one(s, put("0001/a/1", version, "x")), STORE_OK);
        assert_int_equal(get(s, "0001/a/1")->version, version + 1);
        (void)await(s, other);
    }
}

/* Transfers between accounts under way in any number: the sum stays. Counts both outcomes: neither
 * may be missing. */
static void
transfers_keep_the_sum(void **state)
{
    struct suite *s = *state;
    static const char *const names[4] = {"0001/coin/0", "0001/coin/1", "0001/coin/2",
                                         "0001/coin/3"};
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(commit_one(s, put(names[i], 0, "d")), STORE_OK); /* 'd': 100 coins */
    struct rand r;
    rand_seed(&r, 3);
    uint32_t won = 0, lost = 0;
    for (uint32_t round = 0; round < 60; round++) {
        uint64_t tokens[4];
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t from = rand_below(&r, 4), to = (from + 1 + rand_below(&r, 3)) % 4;
            const struct answer *a = get(s, names[from]), *b = get(s, names[to]);
            char less[2] = {(char)(a->value[0] - 1), 0}, more[2] = {(char)(b->value[0] + 1), 0};
            struct store_write writes[2] = {put(names[from], a->version, less),
                                            put(names[to], b->version, more)};
            tokens[i] = commit_send(s, writes, 2);
        }
        for (uint32_t i = 0; i < 4; i++) {
            bool ok = await(s, tokens[i])->result == STORE_OK;
            won += ok;
            lost += !ok;
        }
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++)
        sum += get(s, names[i])->value[0];
    assert_int_equal(sum, 4 * 'd');
    assert_true(won > 60 && lost > 0);
}

static int
setup(void **state)
{
    struct suite *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->engine = *state;
    s->answers = calloc(TOKENS_MAX, sizeof *s->answers);
    assert_non_null(s->answers);
    s->engine->open(s->engine->ctx, true);
    suite_connect(s);
    *state = s;
    return 0;
}

static int
teardown(void **state)
{
    struct suite *s = *state;
    s->engine->close(s->engine->ctx);
    free(s->answers);
    free(s);
    return 0;
}

int
conformance_run(const struct conformance_engine *engine)
{
#define CASE(name)                                              \
    {                                                           \
#        name, name, setup, teardown, (void *)(uintptr_t)engine \
    }
    const struct CMUnitTest tests[] = {
        CASE(what_never_was_has_version_zero),
        CASE(put_creates_and_replaces),
        CASE(another_version_is_a_conflict),
        CASE(versions_grow_across_deletes),
        CASE(what_was_acknowledged_survives_reopening),
        CASE(a_commit_is_all_or_nothing),
        CASE(check_guards_and_changes_nothing),
        CASE(any_version_will_do_where_it_is_asked),
        CASE(values_may_be_empty_or_large),
        CASE(what_is_outside_the_limits_is_refused),
        CASE(a_commit_of_as_many_documents_as_it_may_have),
        CASE(bytes_are_copied),
        CASE(one_of_many_wins),
        CASE(many_under_way),
        CASE(acknowledged_is_visible),
        CASE(transfers_keep_the_sum),
    };
#undef CASE
    return cmocka_run_group_tests_name(engine->name, tests, NULL, NULL);
}
