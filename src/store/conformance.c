#include "base/rand.h"
#include "store/conformance_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
what_never_was_has_version_zero(void **state)
{
    assert_document(suite_get(*state, "0001/a/1"), 0, NULL);
}

static void
put_creates_and_replaces(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "one")), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 1, "one");
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 1, "two")), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 2, "two");
    assert_document(suite_get(s, "0001/a/2"), 0, NULL);
}

static void
another_version_is_a_conflict(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 1, "x")),
                     STORE_CONFLICT); /* is not there */
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "x")),
                     STORE_CONFLICT); /* is there already */
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 2, "x")), STORE_CONFLICT);
    assert_int_equal(suite_commit_one(s, write_delete("0001/a/1", 2)), STORE_CONFLICT);
    assert_document(suite_get(s, "0001/a/1"), 1, "one");
}

static void
versions_grow_across_deletes(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_delete("0001/a/1", 1)), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 2, NULL);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "x")), STORE_CONFLICT);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 1, "x")), STORE_CONFLICT);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 2, "again")), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 3, "again");
}

static void
what_was_acknowledged_survives_reopening(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "one")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_delete("0001/a/1", 1)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/2", 0, "two")), STORE_OK);
    suite_reopen(s);
    assert_document(suite_get(s, "0001/a/1"), 2, NULL);
    assert_document(suite_get(s, "0001/a/2"), 1, "two");
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 2, "back")), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 3, "back");
}

static void
a_commit_is_all_or_nothing(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/2", 0, "two")), STORE_OK);
    for (uint32_t wrong = 0; wrong < 3; wrong++) { /* wherever the one that does not fit stands */
        struct store_write writes[3] = {write_put("0001/a/1", 0, "x"),
                                        write_put("0001/a/2", 1, "x"),
                                        write_put("0001/a/3", 0, "x")};
        writes[wrong].expected_version = 7;
        assert_int_equal(suite_commit(s, writes, 3), STORE_CONFLICT);
        assert_document(suite_get(s, "0001/a/1"), 0, NULL);
        assert_document(suite_get(s, "0001/a/2"), 1, "two");
        assert_document(suite_get(s, "0001/a/3"), 0, NULL);
    }
    struct store_write writes[3] = {write_put("0001/a/1", 0, "1"), write_delete("0001/a/2", 1),
                                    write_put("0001/a/3", 0, "3")};
    assert_int_equal(suite_commit(s, writes, 3), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 1, "1");
    assert_document(suite_get(s, "0001/a/2"), 2, NULL);
    assert_document(suite_get(s, "0001/a/3"), 1, "3");
}

static void
check_guards_and_changes_nothing(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "one")), STORE_OK);
    struct store_write stale[2] = {write_check("0001/a/1", 2), write_put("0001/a/2", 0, "x")};
    assert_int_equal(suite_commit(s, stale, 2), STORE_CONFLICT);
    assert_document(suite_get(s, "0001/a/2"), 0, NULL);
    struct store_write fits[3] = {write_check("0001/a/1", 1), write_put("0001/a/2", 0, "two"),
                                  write_check("0001/a/9", 0)};
    assert_int_equal(suite_commit(s, fits, 3), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 1, "one");
    assert_document(suite_get(s, "0001/a/2"), 1, "two");
    assert_document(suite_get(s, "0001/a/9"), 0, NULL);
    assert_int_equal(suite_commit_one(s, write_check("0001/a/1", 1)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_check("0001/a/1", 0)), STORE_CONFLICT);
}

static void
any_version_will_do_where_it_is_asked(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", STORE_ANY_VERSION, "one")),
                     STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", STORE_ANY_VERSION, "two")),
                     STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 2, "two");
    assert_int_equal(suite_commit_one(s, write_delete("0001/a/1", STORE_ANY_VERSION)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", STORE_ANY_VERSION, "four")),
                     STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 4, "four");
}

static void
values_may_be_empty_or_large(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/a/1", 0, "")), STORE_OK);
    assert_document(suite_get(s, "0001/a/1"), 1, "");
    uint8_t large[STORE_VALUE_ENGINE_MAX];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)rand_mix(i, 7);
    struct store_write write = write_put("0001/a/2", 0, "");
    assert_in_range(s->port.value_max, STORE_VALUE_MAX, sizeof large);
    write.value = (struct slice){large, s->port.value_max};
    assert_int_equal(suite_commit_one(s, write), STORE_OK);
    const struct answer *a = suite_get(s, "0001/a/2");
    assert_int_equal(a->value_bytes, s->port.value_max);
    assert_memory_equal(a->value, large, s->port.value_max);
    assert_int_equal(suite_commit_one(s, write_put("0001/a/2", 1, "")), STORE_OK);
    assert_document(suite_get(s, "0001/a/2"), 2, "");
}

static void
what_is_outside_the_limits_is_refused(void **state)
{
    struct suite *s = *state;
    static uint8_t bytes[STORE_VALUE_ENGINE_MAX + 1];
    char long_key[STORE_KEY_MAX + 2];
    memset(long_key, 'k', sizeof long_key);
    long_key[STORE_KEY_MAX + 1] = '\0';
    struct store_write write = write_put("0001/a/1", 0, "x");
    assert_refused(s, &write, 0, ERR_RANGE);
    assert_true(s->port.value_max < sizeof bytes);
    write.value = (struct slice){bytes, s->port.value_max + 1};
    assert_refused(s, &write, 1, ERR_TOO_LARGE);
    write = write_put("", 0, "x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    write = write_put("0001/a/b c", 0, "x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    write = write_put(long_key, 0, "x");
    assert_refused(s, &write, 1, ERR_TOO_LARGE);
    write = write_check("0001/a/1", STORE_ANY_VERSION);
    assert_refused(s, &write, 1, ERR_RANGE);
    write = write_delete("0001/a/1", 0);
    write.value = text_slice("x");
    assert_refused(s, &write, 1, ERR_FORMAT);
    struct store_write twice[3] = {write_put("0001/a/1", 0, "x"), write_put("0001/a/2", 0, "x"),
                                   write_check("0001/a/1", 0)};
    assert_refused(s, twice, 3, s->port.commit_max < 3 ? ERR_RANGE : ERR_EXISTS);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text_slice("")), ERR_FORMAT);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text_slice(long_key)), ERR_TOO_LARGE);
    long_key[STORE_KEY_MAX] = '\0'; /* just fits */
    assert_int_equal(suite_commit_one(s, write_put(long_key, 0, "x")), STORE_OK);
    assert_document(suite_get(s, long_key), 1, "x");
    assert_document(suite_get(s, "0001/a/1"), 0, NULL);
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
    char(*keys)[24] = many_keys();
    static struct store_write writes[STORE_COMMIT_MAX + 1];
    for (uint32_t i = 0; i <= max; i++)
        writes[i] = write_put(keys[i], 0, keys[i]);
    assert_refused(s, writes, max + 1, ERR_RANGE);
    assert_int_equal(suite_commit(s, writes, max), STORE_OK);
    for (uint32_t i = 0; i < max; i++)
        assert_document(suite_get(s, keys[i]), 1, keys[i]);
    static uint8_t bytes[STORE_VALUE_ENGINE_MAX];
    for (uint32_t i = 0; i < max; i++)
        writes[i].value = (struct slice){bytes, s->port.value_max};
    if ((uint64_t)max * s->port.value_max > STORE_COMMIT_BYTES_MAX)
        assert_refused(s, writes, max, ERR_TOO_LARGE); /* together */
}

/* The engine must copy: what it was given changes as soon as the call has returned. */
static void
bytes_are_copied(void **state)
{
    struct suite *s = *state;
    char key[] = "0001/a/1", value[] = "before";
    struct store_write write = write_put(key, 0, value);
    uint64_t token = suite_commit_send(s, &write, 1);
    memset(key, 'z', strlen(key));
    memset(value, 'z', strlen(value));
    write = (struct store_write){0};
    assert_int_equal(suite_await(s, token)->result, STORE_OK);
    char again[] = "0001/a/1";
    token = suite_get_send(s, again);
    memset(again, 'z', strlen(again));
    assert_document(suite_await(s, token), 1, "before");
}

/* Of many that want the same version exactly one gets it, and each call is answered once. */
static void
one_of_many_wins(void **state)
{
    struct suite *s = *state;
    uint64_t tokens[64];
    for (uint32_t i = 0; i < 64; i++) {
        struct store_write write = write_put("0001/a/1", 0, i % 2 ? "odd" : "even");
        tokens[i] = suite_commit_send(s, &write, 1);
    }
    uint32_t won = 0;
    for (uint32_t i = 0; i < 64; i++) {
        enum store_result result = suite_await(s, tokens[i])->result;
        assert_true(result == STORE_OK || result == STORE_CONFLICT);
        won += result == STORE_OK;
    }
    assert_int_equal(won, 1);
    assert_int_equal(suite_get(s, "0001/a/1")->version, 1);
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
        struct store_write write = write_put(key, STORE_ANY_VERSION, key);
        if (i % 7 == 0) {
            (void)suite_get_send(s, key);
        } else {
            (void)suite_commit_send(s, &write, 1);
            commits[i % 100]++;
        }
    }
    struct store_write write = write_put("0001/flood/0", STORE_ANY_VERSION, "x");
    assert_refused(s, &write, 1, ERR_FULL);
    assert_int_equal(s->port.get(s->port.ctx, TOKENS_MAX, text_slice("0001/flood/0")), ERR_FULL);
    while (s->answered < max)
        s->engine->wait(s->engine->ctx);
    for (uint64_t token = 0; token < s->next_token; token++) {
        assert_int_equal(s->answers[token].times, 1);
        assert_int_equal(s->answers[token].result, STORE_OK);
    }
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "0001/flood/%x", i);
        assert_document(suite_get(s, key), commits[i], key);
    }
}

/* A get that is asked after a commit was acknowledged sees it, whatever else is under way. */
static void
acknowledged_is_visible(void **state)
{
    struct suite *s = *state;
    for (uint64_t version = 0; version < 50; version++) {
        uint64_t other = suite_get_send(s, "0001/a/2");
        assert_int_equal(suite_commit_one(s, write_put("0001/a/1", version, "x")), STORE_OK);
        assert_int_equal(suite_get(s, "0001/a/1")->version, version + 1);
        (void)suite_await(s, other);
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
        assert_int_equal(suite_commit_one(s, write_put(names[i], 0, "d")),
                         STORE_OK); /* 'd': 100 coins */
    struct rand r;
    rand_seed(&r, 3);
    uint32_t won = 0, lost = 0;
    for (uint32_t round = 0; round < 60; round++) {
        uint64_t tokens[4];
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t from = rand_below(&r, 4), to = (from + 1 + rand_below(&r, 3)) % 4;
            const struct answer *a = suite_get(s, names[from]), *b = suite_get(s, names[to]);
            char less[2] = {(char)(a->value[0] - 1), 0}, more[2] = {(char)(b->value[0] + 1), 0};
            struct store_write writes[2] = {write_put(names[from], a->version, less),
                                            write_put(names[to], b->version, more)};
            tokens[i] = suite_commit_send(s, writes, 2);
        }
        for (uint32_t i = 0; i < 4; i++) {
            bool ok = suite_await(s, tokens[i])->result == STORE_OK;
            won += ok;
            lost += !ok;
        }
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++)
        sum += suite_get(s, names[i])->value[0];
    assert_int_equal(sum, 4 * 'd');
    assert_true(won > 60 && lost > 0);
}

/* Each wants two documents that stand side by side in a ring: no two neighbours can both get them,
 * and who does not get both gets none. */
static void
overlapping_commits_exclude_each_other(void **state)
{
    struct suite *s = *state;

    enum { RING = 24, ROUNDS = 20 };

    char keys[RING][24], names[RING][8];
    uint64_t versions[RING] = {0}, tokens[RING];
    uint32_t won_in_all = 0, lost_in_all = 0;
    for (uint32_t i = 0; i < RING; i++)
        snprintf(keys[i], sizeof keys[i], "0001/ring/%u", i);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bool won[RING];
        for (uint32_t i = 0; i < RING; i++) {
            uint32_t next = (i + 1) % RING;
            snprintf(names[i], sizeof names[i], "%u", i);
            struct store_write writes[2] = {write_put(keys[next], versions[next], names[i]),
                                            write_put(keys[i], versions[i], names[i])};
            tokens[i] = suite_commit_send(s, writes, 2);
        }
        for (uint32_t i = 0; i < RING; i++) {
            enum store_result result = suite_await(s, tokens[i])->result;
            assert_true(result == STORE_OK || result == STORE_CONFLICT);
            won[i] = result == STORE_OK;
            won_in_all += won[i];
            lost_in_all += !won[i];
        }
        for (uint32_t i = 0; i < RING; i++) {
            uint32_t before = (i + RING - 1) % RING;
            assert_false(won[i] && won[before]);
            bool changed = won[i] || won[before];
            const struct answer *a = suite_get(s, keys[i]);
            assert_int_equal(a->version, versions[i] + changed);
            if (changed)
                assert_document(a, versions[i] + 1, names[won[i] ? i : before]);
            versions[i] = a->version;
        }
    }
    assert_true(won_in_all >= ROUNDS && lost_in_all >= ROUNDS);
}

/* Each changes one document provided that the other one stays as it is: not both can. */
static void
checks_forbid_write_skew(void **state)
{
    struct suite *s = *state;
    uint64_t left = 0, right = 0;
    uint32_t won = 0;
    for (uint32_t round = 0; round < 50; round++) {
        struct store_write one[2] = {write_put("0001/skew/l", left, "x"),
                                     write_check("0001/skew/r", right)};
        struct store_write two[2] = {write_check("0001/skew/l", left),
                                     write_put("0001/skew/r", right, "x")};
        uint64_t first = suite_commit_send(s, one, 2), second = suite_commit_send(s, two, 2);
        bool left_won = suite_await(s, first)->result == STORE_OK;
        bool right_won = suite_await(s, second)->result == STORE_OK;
        assert_false(left_won && right_won);
        left += left_won;
        right += right_won;
        won += left_won || right_won;
        assert_int_equal(suite_get(s, "0001/skew/l")->version, left);
        assert_int_equal(suite_get(s, "0001/skew/r")->version, right);
    }
    assert_true(won > 0);
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
    for (uint64_t token = 0; token < s->next_token; token++)
        free(s->answers[token].value);
    free(s->answers);
    free(s);
    return 0;
}

static bool
takes_several(const struct conformance_engine *engine)
{
    engine->open(engine->ctx, true);
    struct suite s = {.engine = engine};
    suite_connect(&s);
    engine->close(engine->ctx);
    return s.port.commit_max > 1;
}

int
conformance_run(const struct conformance_engine *engine)
{
#define CASE(name)                                              \
    {                                                           \
#        name, name, setup, teardown, (void *)(uintptr_t)engine \
    }
    const struct CMUnitTest several[] = {
        CASE(a_commit_is_all_or_nothing), CASE(check_guards_and_changes_nothing),
        CASE(transfers_keep_the_sum),     CASE(overlapping_commits_exclude_each_other),
        CASE(checks_forbid_write_skew),   CASE(forget_belongs_to_its_commit),
    };
    const struct CMUnitTest faults[] = {CASE(histories_with_faults_are_serializable)};
    const struct CMUnitTest tests[] = {
        CASE(what_never_was_has_version_zero),
        CASE(put_creates_and_replaces),
        CASE(another_version_is_a_conflict),
        CASE(versions_grow_across_deletes),
        CASE(what_was_acknowledged_survives_reopening),
        CASE(any_version_will_do_where_it_is_asked),
        CASE(values_may_be_empty_or_large),
        CASE(what_is_outside_the_limits_is_refused),
        CASE(a_commit_of_as_many_documents_as_it_may_have),
        CASE(bytes_are_copied),
        CASE(one_of_many_wins),
        CASE(many_under_way),
        CASE(acknowledged_is_visible),
        CASE(forget_leaves_nothing),
        CASE(scan_goes_in_the_order_of_keys),
        CASE(scan_by_pages_finds_all),
        CASE(scan_bears_large_values),
        CASE(scan_refuses_what_is_outside_its_limits),
        CASE(watches_hint_if_the_engine_says_so),
        CASE(histories_are_serializable),
    };
#undef CASE
    struct CMUnitTest all[COUNT(tests) + COUNT(several) + COUNT(faults)];
    size_t count = COUNT(tests);
    memcpy(all, tests, sizeof tests);
    if (takes_several(engine)) {
        memcpy(all + count, several, sizeof several);
        count += COUNT(several);
    }
    if (engine->faults != NULL) {
        memcpy(all + count, faults, sizeof faults);
        count += COUNT(faults);
    }
    return _cmocka_run_group_tests(engine->name, all, count, NULL, NULL);
}
