#include "fabric/directory_suite.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WAITS_MAX    200 /* x 0.1 s */
#define SEEN_MAX     64
#define LIST_MAX     64
#define TEXT_MAX     64
#define TTL_S        2 /* the shortest that etcd grants */

struct copy {
    char key[DIRECTORY_KEY_MAX + 1], value[TEXT_MAX];
    size_t value_bytes;
    uint64_t created, revision, lease;
};

struct suite {
    const struct directory_engine *engine;
    struct env_directory port;
    uint64_t token; /* of the last call */
    uint32_t answers;
    enum directory_result result;
    uint64_t number; /* revision or lease */
    struct copy list[LIST_MAX];
    uint8_t *large; /* owned: the first value of a list */
    uint32_t count;
    struct copy seen[SEEN_MAX];
    uint32_t seen_count, ended;
    enum directory_end end;
};

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static struct copy
copy_of(const struct directory_entry *entry)
{
    struct copy copy = {.created = entry->create_revision,
                        .revision = entry->revision,
                        .lease = entry->lease,
                        .value_bytes = entry->value.bytes};
    assert_in_range(entry->key.bytes, 1, DIRECTORY_KEY_MAX);
    memcpy(copy.key, entry->key.at, entry->key.bytes);
    if (entry->value.bytes < TEXT_MAX)
        memcpy(copy.value, entry->value.at, entry->value.bytes);
    return copy;
}

static void
answer(struct suite *s, uint64_t token, enum directory_result result, uint64_t number)
{
    assert_in_range(token, 1, s->token);
    s->answers++;
    s->result = result;
    s->number = number;
}

static void
on_listed(void *ctx, uint64_t token, enum directory_result result, uint64_t revision,
          const struct directory_entry *entries, uint32_t count)
{
    struct suite *s = ctx;
    answer(s, token, result, revision);
    assert_in_range(count, 0, LIST_MAX);
    assert_true(result == DIRECTORY_OK || (count == 0 && revision == 0));
    s->count = count;
    for (uint32_t i = 0; i < count; i++)
        s->list[i] = copy_of(&entries[i]);
    free(s->large);
    s->large = NULL;
    if (count > 0 && entries[0].value.bytes > 0) {
        s->large = malloc(entries[0].value.bytes);
        assert_non_null(s->large);
        memcpy(s->large, entries[0].value.at, entries[0].value.bytes);
    }
}

static void
on_changed(void *ctx, uint64_t token, enum directory_result result, uint64_t revision)
{
    assert_true((result == DIRECTORY_OK) == (revision != 0));
    answer(ctx, token, result, revision);
}

static void
on_granted(void *ctx, uint64_t token, enum directory_result result, uint64_t lease)
{
    answer(ctx, token, result, lease);
}

static void
on_kept(void *ctx, uint64_t token, enum directory_result result)
{
    answer(ctx, token, result, 0);
}

static void
on_seen(void *ctx, uint64_t revision, const struct directory_entry *entries, uint32_t count)
{
    struct suite *s = ctx;
    for (uint32_t i = 0; i < count && s->seen_count < SEEN_MAX; i++) {
        assert_true(entries[i].revision <= revision);
        s->seen[s->seen_count++] = copy_of(&entries[i]);
    }
}

static void
on_watch_ended(void *ctx, enum directory_end why)
{
    struct suite *s = ctx;
    s->ended++;
    s->end = why;
}

/* ---- calls that wait for their answer ---- */

static enum directory_result
await(struct suite *s, enum err accepted)
{
    uint32_t before = s->answers;
    assert_int_equal(accepted, OK);
    for (uint32_t i = 0; i < WAITS_MAX && s->answers == before; i++)
        s->engine->wait(s->engine->ctx);
    assert_int_equal(s->answers, before + 1);
    return s->result;
}

static enum directory_result
list(struct suite *s, const char *prefix)
{
    return await(s, s->port.list(s->port.ctx, ++s->token, text(prefix)));
}

static enum directory_result
change(struct suite *s, const struct directory_change *c)
{
    return await(s, s->port.change(s->port.ctx, ++s->token, c));
}

static enum directory_result
put(struct suite *s, const char *key, const char *value, uint64_t expected, uint64_t lease)
{
    return change(
        s, &(struct directory_change){
               .key = text(key), .value = text(value), .expected = expected, .lease = lease});
}

static enum directory_result
take(struct suite *s, const char *key, uint64_t expected)
{
    return change(
        s, &(struct directory_change){.key = text(key), .expected = expected, .remove = true});
}

/* The revision of what must succeed. */
static uint64_t
put_fine(struct suite *s, const char *key, const char *value, uint64_t expected)
{
    assert_int_equal(put(s, key, value, expected, 0), DIRECTORY_OK);
    return s->number;
}

static uint64_t
grant(struct suite *s)
{
    assert_int_equal(await(s, s->port.grant(s->port.ctx, ++s->token, TTL_S)), DIRECTORY_OK);
    assert_int_not_equal(s->number, 0);
    return s->number;
}

static enum directory_result
keep(struct suite *s, uint64_t lease)
{
    return await(s, s->port.keep(s->port.ctx, ++s->token, lease));
}

static void
await_seen(struct suite *s, uint32_t count)
{
    for (uint32_t i = 0; i < WAITS_MAX && s->seen_count < count; i++)
        s->engine->wait(s->engine->ctx);
    assert_int_equal(s->seen_count, count);
}

static void
await_end(struct suite *s, enum directory_end why)
{
    for (uint32_t i = 0; i < WAITS_MAX && s->ended == 0; i++)
        s->engine->wait(s->engine->ctx);
    assert_int_equal(s->ended, 1);
    assert_int_equal(s->end, why);
}

static void
watch(struct suite *s, const char *prefix, uint64_t from)
{
    assert_int_equal(s->port.watch(s->port.ctx, text(prefix), from), OK);
}

/* ---- the cases ---- */

static void
an_empty_one_has_a_revision(void **state)
{
    struct suite *s = *state;
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 0);
    assert_true(s->number > 0);
}

static void
a_key_is_made_once(void **state)
{
    struct suite *s = *state;
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    uint64_t before = s->number, revision = put_fine(s, "/seom/1/a", "one", 0);
    assert_true(revision > before);
    assert_int_equal(put(s, "/seom/1/a", "two", 0, 0), DIRECTORY_CONFLICT);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->number, revision);
    assert_int_equal(s->count, 1);
    assert_string_equal(s->list[0].key, "/seom/1/a");
    assert_string_equal(s->list[0].value, "one");
    assert_int_equal(s->list[0].created, revision);
    assert_int_equal(s->list[0].revision, revision);
    assert_int_equal(s->list[0].lease, 0);
}

static void
a_key_changes_as_expected_only(void **state)
{
    struct suite *s = *state;
    uint64_t first = put_fine(s, "/seom/1/a", "one", 0);
    uint64_t second = put_fine(s, "/seom/1/a", "two", first);
    assert_true(second > first);
    assert_int_equal(put(s, "/seom/1/a", "x", first, 0), DIRECTORY_CONFLICT);
    assert_int_equal(put(s, "/seom/1/b", "x", second, 0), DIRECTORY_CONFLICT);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 1);
    assert_string_equal(s->list[0].value, "two");
    assert_int_equal(s->list[0].created, first);
    assert_int_equal(s->list[0].revision, second);
}

static void
a_key_goes_as_expected_only(void **state)
{
    struct suite *s = *state;
    uint64_t first = put_fine(s, "/seom/1/a", "one", 0);
    assert_int_equal(take(s, "/seom/1/a", first + 1), DIRECTORY_CONFLICT);
    assert_int_equal(take(s, "/seom/1/b", first), DIRECTORY_CONFLICT);
    assert_int_equal(take(s, "/seom/1/a", first), DIRECTORY_OK);
    assert_true(s->number > first);
    assert_int_equal(take(s, "/seom/1/a", first), DIRECTORY_CONFLICT);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 0);
    uint64_t again = put_fine(s, "/seom/1/a", "one", 0);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->list[0].created, again);
}

static void
values_are_any_bytes(void **state)
{
    struct suite *s = *state;
    static uint8_t bytes[DIRECTORY_VALUE_MAX + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    struct directory_change c = {.key = text("/seom/1/a"), .value = {bytes, DIRECTORY_VALUE_MAX}};
    assert_int_equal(change(s, &c), DIRECTORY_OK);
    c = (struct directory_change){.key = text("/seom/1/b")};
    assert_int_equal(change(s, &c), DIRECTORY_OK);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->list[0].value_bytes, DIRECTORY_VALUE_MAX);
    assert_memory_equal(s->large, bytes, DIRECTORY_VALUE_MAX);
    assert_int_equal(s->list[1].value_bytes, 0);
    c = (struct directory_change){.key = text("/seom/1/c"), .value = {bytes, sizeof bytes}};
    assert_int_equal(s->port.change(s->port.ctx, ++s->token, &c), ERR_TOO_LARGE);
}

static void
lists_are_of_a_prefix_and_in_order(void **state)
{
    struct suite *s = *state;
    static const char *const keys[] = {"/seom/1/b/2", "/seom/1/b/10", "/seom/10/a", "/seom/1/a",
                                       "/seom/2/a",   "/seom/1",      "/seom/1/b",  "/seon/1/a"};
    for (size_t i = 0; i < COUNT(keys); i++)
        (void)put_fine(s, keys[i], "x", 0);
    static const char *const wanted[] = {"/seom/1/a", "/seom/1/b", "/seom/1/b/10", "/seom/1/b/2"};
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, COUNT(wanted));
    for (size_t i = 0; i < COUNT(wanted); i++)
        assert_string_equal(s->list[i].key, wanted[i]);
}

static void
entries_go_with_their_lease(void **state)
{
    struct suite *s = *state;
    uint64_t lease = grant(s), other = grant(s);
    assert_int_not_equal(lease, other);
    assert_int_equal(put(s, "/seom/1/a", "x", 0, lease), DIRECTORY_OK);
    assert_int_equal(put(s, "/seom/1/b", "x", 0, lease), DIRECTORY_OK);
    assert_int_equal(put(s, "/seom/1/c", "x", 0, other), DIRECTORY_OK);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->list[0].lease, lease);
    assert_int_equal(s->list[2].lease, other);
    assert_int_equal(keep(s, lease), DIRECTORY_OK);
    assert_int_equal(await(s, s->port.revoke(s->port.ctx, ++s->token, lease)), DIRECTORY_OK);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 1);
    assert_string_equal(s->list[0].key, "/seom/1/c");
    assert_int_equal(keep(s, lease), DIRECTORY_GONE);
    assert_int_equal(await(s, s->port.revoke(s->port.ctx, ++s->token, lease)), DIRECTORY_GONE);
    assert_int_equal(put(s, "/seom/1/a", "x", 0, lease), DIRECTORY_GONE);
}

/* An entry belongs to the lease it was put with last. */
static void
a_put_moves_an_entry_to_another_lease(void **state)
{
    struct suite *s = *state;
    uint64_t lease = grant(s), other = grant(s);
    assert_int_equal(put(s, "/seom/1/a", "x", 0, lease), DIRECTORY_OK);
    assert_int_equal(put(s, "/seom/1/a", "y", s->number, other), DIRECTORY_OK);
    assert_int_equal(await(s, s->port.revoke(s->port.ctx, ++s->token, lease)), DIRECTORY_OK);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 1);
    assert_int_equal(s->list[0].lease, other);
}

static void
a_lease_that_is_not_kept_runs_out(void **state)
{
    struct suite *s = *state;
    uint64_t kept = grant(s), left = grant(s);
    assert_int_equal(put(s, "/seom/1/kept", "x", 0, kept), DIRECTORY_OK);
    assert_int_equal(put(s, "/seom/1/left", "x", 0, left), DIRECTORY_OK);
    watch(s, "/seom/1/", s->number + 1);
    for (uint32_t i = 0; i < WAITS_MAX && s->seen_count == 0; i++) {
        assert_int_equal(keep(s, kept), DIRECTORY_OK);
        s->engine->wait(s->engine->ctx);
    }
    assert_int_equal(s->seen_count, 1);
    assert_string_equal(s->seen[0].key, "/seom/1/left");
    assert_int_equal(s->seen[0].created, 0);
    assert_int_equal(keep(s, left), DIRECTORY_GONE);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 1);
    assert_string_equal(s->list[0].key, "/seom/1/kept");
}

static void
a_watch_tells_of_all_from_a_revision_on(void **state)
{
    struct suite *s = *state;
    uint64_t first = put_fine(s, "/seom/1/a", "old", 0);
    uint64_t second = put_fine(s, "/seom/1/a", "new", first);
    uint64_t elsewhere = put_fine(s, "/seom/2/a", "x", 0);
    watch(s, "/seom/1/", first + 1);
    assert_int_equal(take(s, "/seom/1/a", second), DIRECTORY_OK);
    uint64_t removed = s->number, third = put_fine(s, "/seom/1/b", "b", 0);
    await_seen(s, 3);
    assert_true(elsewhere < removed);
    assert_int_equal(s->seen[0].revision, second);
    assert_int_equal(s->seen[0].created, first);
    assert_string_equal(s->seen[0].value, "new");
    assert_int_equal(s->seen[1].revision, removed);
    assert_int_equal(s->seen[1].created, 0);
    assert_string_equal(s->seen[1].key, "/seom/1/a");
    assert_int_equal(s->seen[2].revision, third);
    assert_string_equal(s->seen[2].value, "b");
    assert_int_equal(s->ended, 0);
}

static void
there_is_one_watch_at_a_time(void **state)
{
    struct suite *s = *state;
    assert_int_equal(list(s, "/"), DIRECTORY_OK);
    watch(s, "/seom/1/", s->number + 1);
    watch(s, "/seom/2/", s->number + 1);
    (void)put_fine(s, "/seom/1/a", "x", 0);
    (void)put_fine(s, "/seom/2/a", "x", 0);
    await_seen(s, 1);
    assert_string_equal(s->seen[0].key, "/seom/2/a");
    s->port.unwatch(s->port.ctx);
    s->port.unwatch(s->port.ctx);
    (void)put_fine(s, "/seom/2/b", "x", 0);
    assert_int_equal(list(s, "/"), DIRECTORY_OK);
    s->engine->wait(s->engine->ctx);
    assert_int_equal(s->seen_count, 1);
    assert_int_equal(s->ended, 0);
}

static void
a_watch_of_what_is_forgotten_ends(void **state)
{
    struct suite *s = *state;
    uint64_t first = put_fine(s, "/seom/1/a", "x", 0);
    (void)put_fine(s, "/seom/1/a", "y", first);
    s->engine->compact(s->engine->ctx);
    watch(s, "/seom/1/", first);
    await_end(s, DIRECTORY_END_COMPACTED);
    assert_int_equal(s->seen_count, 0);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK); /* and goes on from a list */
    assert_int_equal(s->count, 1);
    s->ended = 0;
    watch(s, "/seom/1/", s->number + 1);
    (void)put_fine(s, "/seom/1/b", "z", 0);
    await_seen(s, 1);
}

static void
an_outage_is_told_and_forgets_nothing(void **state)
{
    struct suite *s = *state;
    uint64_t lease = grant(s);
    assert_int_equal(put(s, "/seom/1/a", "x", 0, lease), DIRECTORY_OK);
    uint64_t revision = s->number;
    watch(s, "/seom/1/", revision + 1);
    (void)put_fine(s, "/seom/1/b", "y", 0);
    await_seen(s, 1);
    s->engine->away(s->engine->ctx, true);
    await_end(s, DIRECTORY_END_CLOSED);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_UNAVAILABLE);
    enum directory_result result = put(s, "/seom/1/c", "z", 0, 0);
    assert_true(result == DIRECTORY_UNAVAILABLE || result == DIRECTORY_UNKNOWN);
    result = keep(s, lease);
    assert_true(result == DIRECTORY_UNAVAILABLE || result == DIRECTORY_UNKNOWN);
    s->engine->away(s->engine->ctx, false);
    assert_int_equal(keep(s, lease), DIRECTORY_OK); /* it did not run out meanwhile */
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->list[0].revision, revision);
}

static void
every_call_is_answered_once(void **state)
{
    struct suite *s = *state;
    uint32_t accepted = 0;
    enum err error = OK;
    while (accepted <= s->engine->calls_max) {
        error = s->port.list(s->port.ctx, ++s->token, text("/seom/1/"));
        if (error != OK)
            break;
        accepted++;
    }
    assert_int_equal(error, ERR_FULL);
    assert_int_equal(accepted, s->engine->calls_max);
    for (uint32_t i = 0; i < WAITS_MAX && s->answers < accepted; i++)
        s->engine->wait(s->engine->ctx);
    s->engine->wait(s->engine->ctx);
    assert_int_equal(s->answers, accepted);
    assert_int_equal(list(s, "/seom/1/"), DIRECTORY_OK);
}

/* ---- */

static const struct directory_engine *engine_under_test;

static int
setup(void **state)
{
    struct suite *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -1;
    s->engine = engine_under_test;
    s->port =
        s->engine->open(s->engine->ctx, (struct directory_done){.ctx = s,
                                                                .listed = on_listed,
                                                                .changed = on_changed,
                                                                .granted = on_granted,
                                                                .kept = on_kept,
                                                                .seen = on_seen,
                                                                .watch_ended = on_watch_ended});
    *state = s;
    return 0;
}

static int
teardown(void **state)
{
    struct suite *s = *state;
    s->engine->close(s->engine->ctx);
    free(s->large);
    free(s);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
directory_suite_run(const struct directory_engine *engine)
{
    engine_under_test = engine;
    const struct CMUnitTest cases[] = {CASE(an_empty_one_has_a_revision),
                                       CASE(a_key_is_made_once),
                                       CASE(a_key_changes_as_expected_only),
                                       CASE(a_key_goes_as_expected_only),
                                       CASE(values_are_any_bytes),
                                       CASE(lists_are_of_a_prefix_and_in_order),
                                       CASE(entries_go_with_their_lease),
                                       CASE(a_put_moves_an_entry_to_another_lease),
                                       CASE(a_lease_that_is_not_kept_runs_out),
                                       CASE(a_watch_tells_of_all_from_a_revision_on),
                                       CASE(there_is_one_watch_at_a_time),
                                       CASE(a_watch_of_what_is_forgotten_ends),
                                       CASE(every_call_is_answered_once),
                                       CASE(an_outage_is_told_and_forgets_nothing)};
    size_t count = COUNT(cases) - (engine->away == NULL);
    return _cmocka_run_group_tests(engine->name, cases, count, NULL, NULL);
}
