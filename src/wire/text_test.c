#include "wire/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slice
slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void
test_utf8_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "섬이 보인다",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\nb"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(text_is_utf8(slice_of(good[i])));
    }
}

static void
test_what_is_no_utf8_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",     "\xc0\x80",         "\xc1\xbf",         "\xc2",
        "\xc2\x20", "\xe0\x9f\xbf",     "\xed\xa0\x80",     "\xed\xbf\xbf",
        "\xe4\xb8", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",     "fine until \xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(text_is_utf8(slice_of(bad[i])));
        assert_false(text_is_line(slice_of(bad[i])));
    }
}

static void
test_a_line_has_no_controls(void **state)
{
    (void)state;
    assert_true(text_is_line(slice_of("안녕하세요, 여러분!")));
    assert_true(text_is_line(slice_of("\xc2\xa0")));
    static const char *const bad[] = {"a\nb", "\t", "\x1b[31m", "\x7f", "\xc2\x85", "\xe2\x80\xa8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(text_is_utf8(slice_of(bad[i])));
        assert_false(text_is_line(slice_of(bad[i])));
    }
    assert_false(text_is_line((struct slice){(const uint8_t *)"a\0b", 3}));
}

static void
test_what_is_none_is_made_a_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"섬이 보인다", "섬이 보인다"},
                                           {"cut: \xec\x84", "cut: ??"},
                                           {"\x80\xff\xc0\x80", "????"},
                                           {"\x1b[31mred\ttab\xc2\x85", "?[31mred?tab??"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        strcpy(text, cases[i][0]);
        text_make_line(text);
        assert_string_equal(text, cases[i][1]);
        assert_true(text_is_line(slice_of(text)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_taken),
        cmocka_unit_test(test_what_is_no_utf8_is_not),
        cmocka_unit_test(test_a_line_has_no_controls),
        cmocka_unit_test(test_what_is_none_is_made_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
