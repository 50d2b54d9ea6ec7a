#include "env/directory_calls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* One that keeps the last call, as those who implement the port do. */
struct taker {
    struct directory_calls calls;
    struct directory_call call;
    uint32_t taken;
    bool full;
};

static enum err
take(struct directory_calls *calls, const struct directory_call *call)
{
    struct taker *t = (struct taker *)calls;
    if (t->full)
        return ERR_FULL;
    if (t->taken++ > 0)
        directory_call_free(&t->call);
    t->call = directory_call_keep(call);
    return OK;
}

static struct slice
text(const char *words)
{
    return (struct slice){(const uint8_t *)words, strlen(words)};
}

static void
assert_text(struct slice is, const char *wanted)
{
    assert_int_equal(is.bytes, strlen(wanted));
    assert_memory_equal(is.at, wanted, is.bytes);
}

static void
what_is_asked_is_taken_as_a_copy(void **state)
{
    (void)state;
    struct taker t = {.calls = {.begin = take}};
    struct env_directory port = directory_calls_port(&t.calls);
    char key[] = "/a/key", value[] = "value";
    struct directory_change change = {
        .key = text(key), .value = text(value), .expected = 3, .lease = 4, .remove = true};
    assert_int_equal(port.change(port.ctx, 11, &change), OK);
    memset(key, 'x', strlen(key));
    memset(value, 'x', strlen(value));
    assert_int_equal(t.call.kind, DIRECTORY_CHANGE);
    assert_int_equal(t.call.token, 11);
    assert_text(t.call.change.key, "/a/key");
    assert_text(t.call.change.value, "value");
    assert_int_equal(t.call.change.expected, 3);
    assert_int_equal(t.call.change.lease, 4);
    assert_true(t.call.change.remove);
    assert_int_equal(port.list(port.ctx, 12, text("/a/")), OK);
    assert_int_equal(t.call.kind, DIRECTORY_LIST);
    assert_text(t.call.change.key, "/a/");
    assert_text(t.call.change.value, "");
    assert_int_equal(port.grant(port.ctx, 13, 10), OK);
    assert_int_equal(t.call.kind, DIRECTORY_GRANT);
    assert_int_equal(t.call.ttl_s, 10);
    assert_int_equal(port.keep(port.ctx, 14, 5), OK);
    assert_int_equal(t.call.kind, DIRECTORY_KEEP);
    assert_int_equal(t.call.lease, 5);
    assert_int_equal(port.revoke(port.ctx, 15, 6), OK);
    assert_int_equal(t.call.kind, DIRECTORY_REVOKE);
    assert_int_equal(t.call.lease, 6);
    assert_int_equal(t.call.token, 15);
    assert_int_equal(t.taken, 5);
    directory_call_free(&t.call);
}

static void
what_is_too_much_is_refused(void **state)
{
    (void)state;
    struct taker t = {.calls = {.begin = take}};
    struct env_directory port = directory_calls_port(&t.calls);
    static uint8_t bytes[DIRECTORY_VALUE_MAX + 1];
    struct directory_change most = {.key = {bytes, DIRECTORY_KEY_MAX},
                                    .value = {bytes, DIRECTORY_VALUE_MAX}},
                            without_key = most, long_key = most, long_value = most;
    without_key.key.bytes = 0;
    long_key.key.bytes++;
    long_value.value.bytes++;
    assert_int_equal(port.change(port.ctx, 1, &without_key), ERR_TOO_LARGE);
    assert_int_equal(port.change(port.ctx, 1, &long_key), ERR_TOO_LARGE);
    assert_int_equal(port.change(port.ctx, 1, &long_value), ERR_TOO_LARGE);
    assert_int_equal(t.taken, 0);
    t.full = true;
    assert_int_equal(port.change(port.ctx, 1, &most), ERR_FULL);
    t.full = false;
    assert_int_equal(port.change(port.ctx, 1, &most), OK);
    directory_call_free(&t.call);
}

static void
a_call_does_what_it_asks_for(void **state)
{
    (void)state;
    struct directory_entries *entries = directory_entries_alloc(100);
    struct directory_call grant = {.kind = DIRECTORY_GRANT, .ttl_s = 10};
    uint64_t lease, number;
    assert_int_equal(directory_call_try(&grant, entries, 0, &lease), DIRECTORY_OK);
    assert_true(lease != 0);
    struct directory_call change = {.kind = DIRECTORY_CHANGE,
                                    .change = {.key = text("/a"), .lease = lease}};
    assert_int_equal(directory_call_try(&change, entries, 0, &number), DIRECTORY_OK);
    assert_int_equal(number, directory_entries_revision(entries));
    assert_int_equal(directory_call_try(&change, entries, 0, &number), DIRECTORY_CONFLICT);
    struct directory_call keep = {.kind = DIRECTORY_KEEP, .lease = lease},
                          revoke = {.kind = DIRECTORY_REVOKE, .lease = lease};
    assert_int_equal(directory_call_try(&keep, entries, 9000000, &number), DIRECTORY_OK);
    assert_int_equal(directory_entries_expire(entries, 9000000), 19000000);
    assert_int_equal(directory_call_try(&revoke, entries, 0, &number), DIRECTORY_OK);
    assert_int_equal(directory_call_try(&revoke, entries, 0, &number), DIRECTORY_GONE);
    assert_int_equal(directory_call_try(&keep, entries, 0, &number), DIRECTORY_GONE);
    directory_entries_free(&entries);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_is_taken_as_a_copy),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(a_call_does_what_it_asks_for),
    };
    return cmocka_run_group_tests_name("directory_calls", tests, NULL, NULL);
}
