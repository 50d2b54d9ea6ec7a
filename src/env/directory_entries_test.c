#include "env/directory_entries.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static enum directory_result
put(struct directory_entries *e, const char *key, uint64_t expected, uint64_t lease)
{
    uint64_t revision;
    struct directory_change change = {
        .key = text(key), .value = text("v"), .expected = expected, .lease = lease};
    return directory_entries_change(e, &change, &revision);
}

static void
leases_take_their_entries_along(void **state)
{
    (void)state;
    struct directory_entries *e = directory_entries_alloc(40);
    uint64_t lease = directory_entries_grant(e, 100, 1000);
    assert_int_equal(put(e, "/a", 0, lease), DIRECTORY_OK);
    assert_int_equal(put(e, "/b", 0, 0), DIRECTORY_OK);
    assert_int_equal(put(e, "/c", 0, lease + 1), DIRECTORY_GONE);
    assert_int_equal(directory_entries_expire(e, 1099), 1100);
    assert_int_equal(directory_entries_keep(e, lease, 1099), DIRECTORY_OK);
    assert_int_equal(directory_entries_expire(e, 1198), 1199);
    assert_int_equal(directory_entries_expire(e, 1199), INT64_MAX);
    assert_int_equal(directory_entries_keep(e, lease, 1199), DIRECTORY_GONE);
    struct directory_entry list[4];
    assert_int_equal(directory_entries_list(e, text("/"), list, 4), 1);
    assert_memory_equal(list[0].key.at, "/b", 2);
    assert_int_equal(directory_entries_revision(e), 43);
    directory_entries_free(&e);
    assert_null(e);
}

/* More changes than are remembered: the newest stay, and the rest is known to be forgotten. */
static void
history_keeps_the_newest(void **state)
{
    (void)state;
    struct directory_entries *e = directory_entries_alloc(0);
    uint32_t changes = DIRECTORY_HISTORY_MAX + 7;
    for (uint64_t r = 0; r < changes; r++)
        assert_int_equal(put(e, "/a", r, 0), DIRECTORY_OK);
    assert_int_equal(directory_entries_oldest(e), 8);
    struct directory_entry entry;
    uint64_t from = 8;
    for (; directory_entries_since(e, text("/"), from, &entry); from++)
        assert_int_equal(entry.revision, from);
    assert_int_equal(from, changes + 1);
    assert_false(directory_entries_since(e, text("/b"), 8, &entry));
    directory_entries_compact(e);
    assert_int_equal(directory_entries_oldest(e), changes + 1);
    assert_false(directory_entries_since(e, text("/"), 1, &entry));
    directory_entries_free(&e);
}

static void
limits_are_answers(void **state)
{
    (void)state;
    struct directory_entries *e = directory_entries_alloc(0);
    char key[16];
    for (uint32_t i = 0; i < DIRECTORY_ENTRIES_MAX; i++) {
        snprintf(key, sizeof key, "/%u", i);
        assert_int_equal(put(e, key, 0, 0), DIRECTORY_OK);
    }
    assert_int_equal(put(e, "/x", 0, 0), DIRECTORY_UNAVAILABLE);
    assert_int_equal(put(e, "/0", 1, 0), DIRECTORY_OK);
    for (uint32_t i = 0; i < DIRECTORY_LEASES_MAX; i++)
        assert_int_not_equal(directory_entries_grant(e, 1, 0), 0);
    assert_int_equal(directory_entries_grant(e, 1, 0), 0);
    directory_entries_drop(e, text("/0"));
    directory_entries_drop(e, text("/none"));
    assert_int_equal(put(e, "/x", 0, 0), DIRECTORY_OK);
    directory_entries_free(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leases_take_their_entries_along),
                                       cmocka_unit_test(history_keeps_the_newest),
                                       cmocka_unit_test(limits_are_answers)};
    return cmocka_run_group_tests_name("directory_entries", tests, NULL, NULL);
}
