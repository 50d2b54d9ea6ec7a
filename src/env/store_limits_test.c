#include "env/store_limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static enum err
commit_check(const struct store_write *writes, uint32_t count)
{
    return store_commit_check(writes, count, STORE_VALUE_MAX, STORE_COMMIT_MAX);
}

static void
keys_are_printable_and_short(void **state)
{
    (void)state;
    char longest[STORE_KEY_MAX + 2];
    memset(longest, '~', sizeof longest);
    longest[STORE_KEY_MAX + 1] = '\0';
    assert_int_equal(store_key_check(text(longest)), ERR_TOO_LARGE);
    longest[STORE_KEY_MAX] = '\0';
    assert_int_equal(store_key_check(text(longest)), OK);
    assert_int_equal(store_key_check(text("!")), OK);
    assert_int_equal(store_key_check(text("")), ERR_FORMAT);
    assert_int_equal(store_key_check(text("a b")), ERR_FORMAT);
    assert_int_equal(store_key_check(text("a\x7f")), ERR_FORMAT);
    assert_int_equal(store_key_check(text("\xec\x84\xac")), ERR_FORMAT);
    assert_int_equal(store_key_check((struct slice){(const uint8_t *)"a\0b", 3}), ERR_FORMAT);
}

/* Whatever two of 1024 are equal, it is found; and 1024 different ones pass. */
static void
every_duplicate_is_found(void **state)
{
    (void)state;
    static char names[STORE_COMMIT_MAX][16];
    static struct store_write writes[STORE_COMMIT_MAX];
    for (uint32_t i = 0; i < STORE_COMMIT_MAX; i++) {
        snprintf(names[i], sizeof names[i], "k%u", i);
        writes[i] = (struct store_write){.key = text(names[i]), .op = STORE_PUT};
    }
    assert_int_equal(commit_check(writes, STORE_COMMIT_MAX), OK);
    for (uint32_t i = 1; i < STORE_COMMIT_MAX; i++) {
        writes[i].key = text(names[i / 3]);
        assert_int_equal(commit_check(writes, STORE_COMMIT_MAX), ERR_EXISTS);
        writes[i].key = text(names[i]);
    }
}

static void
all_values_together_are_limited(void **state)
{
    (void)state;
    static uint8_t value[STORE_VALUE_MAX];
    static char names[STORE_COMMIT_MAX][16];
    static struct store_write writes[STORE_COMMIT_MAX];
    for (uint32_t i = 0; i < STORE_COMMIT_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%04u", i);
        writes[i] = (struct store_write){.key = text(names[i]), .value = {value, sizeof value}};
    }
    uint32_t fits = STORE_COMMIT_BYTES_MAX / (STORE_VALUE_MAX + 4);
    assert_int_equal(commit_check(writes, fits), OK);
    assert_int_equal(commit_check(writes, fits + 1), ERR_TOO_LARGE);
}

static void
an_engine_has_limits_of_its_own(void **state)
{
    (void)state;
    static uint8_t value[STORE_VALUE_MAX + 2];
    struct store_write writes[2] = {
        {.key = text("a"), .op = STORE_PUT, .value = {value, STORE_VALUE_MAX + 1}},
        {.key = text("b"), .op = STORE_FORGET},
    };
    assert_int_equal(commit_check(writes, 1), ERR_TOO_LARGE);
    assert_int_equal(store_commit_check(writes, 1, STORE_VALUE_MAX + 1, 1), OK);
    assert_int_equal(store_commit_check(writes, 2, STORE_VALUE_MAX + 1, 1), ERR_RANGE);
    assert_int_equal(store_commit_check(writes, 2, STORE_VALUE_MAX + 1, 2), OK);
    writes[1].value = (struct slice){value, 1};
    assert_int_equal(store_commit_check(writes, 2, STORE_VALUE_MAX + 1, 2), ERR_FORMAT);
}

static void
scans_are_limited(void **state)
{
    (void)state;
    struct slice none = {0};
    assert_int_equal(store_scan_check(none, none, 1), OK);
    assert_int_equal(store_scan_check(text("0001/"), text("0001/a/1"), STORE_SCAN_MAX), OK);
    assert_int_equal(store_scan_check(none, none, 0), ERR_RANGE);
    assert_int_equal(store_scan_check(none, none, STORE_SCAN_MAX + 1), ERR_RANGE);
    assert_int_equal(store_scan_check(text("a b"), none, 1), ERR_FORMAT);
    assert_int_equal(store_scan_check(none, text("\x7f"), 1), ERR_FORMAT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_printable_and_short),
        cmocka_unit_test(every_duplicate_is_found),
        cmocka_unit_test(all_values_together_are_limited),
        cmocka_unit_test(an_engine_has_limits_of_its_own),
        cmocka_unit_test(scans_are_limited),
    };
    return cmocka_run_group_tests_name("store_limits", tests, NULL, NULL);
}
