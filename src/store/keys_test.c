#include "store/keys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
keys_are_built_in_fixed_width(void **state)
{
    (void)state;
    struct key key = key_make(0x2a, KEY_CLASS_PLAYER, 0x1000000000fffULL);
    assert_string_equal(key.text, "002a/player/0001000000000fff");
    assert_int_equal(key.bytes, strlen(key.text));
    assert_string_equal(key_named(65535, KEY_CLASS_META, "clock").text, "ffff/meta/clock");
    assert_string_equal(key_make(1, "abcdefghijklmnopqrstuvwx", UINT64_MAX).text,
                        "0001/abcdefghijklmnopqrstuvwx/ffffffffffffffff");
}

static void
keys_sort_as_their_numbers(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 1, 9, 10, 15, 16, 255, 256, 1ULL << 48, UINT64_MAX};
    for (size_t i = 1; i < sizeof ids / sizeof *ids; i++) {
        struct key a = key_make(1, "a", ids[i - 1]), b = key_make(1, "a", ids[i]);
        assert_int_equal(a.bytes, b.bytes);
        assert_true(memcmp(a.text, b.text, a.bytes) < 0);
    }
}

static void
what_was_built_is_parsed(void **state)
{
    (void)state;
    struct key key = key_make(7, KEY_CLASS_PLACE, 0xabcdef);
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    assert_int_equal(parts.world, 7);
    assert_true(parts.is_id);
    assert_int_equal(parts.id, 0xabcdef);
    assert_true(key_has_class(&parts, "place"));
    assert_false(key_has_class(&parts, "plac"));
    assert_false(key_has_class(&parts, "places"));
    key = key_named(7, KEY_CLASS_META, "ids-player");
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    assert_false(parts.is_id);
    assert_int_equal(parts.name.bytes, 10);
    assert_memory_equal(parts.name.at, "ids-player", 10);
}

static void
everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0001",
        "0001/",
        "0001/a",
        "0001/a/",
        "0001//b",
        "/a/b",
        "1/a/b",
        "00010/a/b",
        "000g/a/b",
        "000A/a/b",
        "0001/a/b/c",
        "0001/a/b/",
        "0001/a/0123456789012345678901234567890123456789012345678901234567890123456789"};
    struct key_parts parts;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(key_parse(text(wrong[i]), &parts), ERR_FORMAT);
    /* 16 characters that are no hex number are a name */
    assert_int_equal(key_parse(text("0001/a/000000000000000G"), &parts), OK);
    assert_false(parts.is_id);
    assert_int_equal(key_parse(text("0001/a/000000000000000a"), &parts), OK);
    assert_int_equal(parts.id, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_built_in_fixed_width),
        cmocka_unit_test(keys_sort_as_their_numbers),
        cmocka_unit_test(what_was_built_is_parsed),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
