#include "seom.pb-c.h"
#include "wire/code.h"
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
test_the_table_is_the_schema(void **state)
{
    (void)state;
    unsigned count = 0;
    for (uint32_t code = 0; code < 300; code++) {
        count += code_is_known(code);
    }
    assert_int_equal(count, seom__code__descriptor.n_values);
    for (unsigned i = 0; i < count; i++) {
        const ProtobufCEnumValue *value = &seom__code__descriptor.values[i];
        assert_string_equal(code_name((uint32_t)value->value), value->name);
    }
}

static void
test_every_code_has_two_texts(void **state)
{
    (void)state;
    for (uint32_t code = 0; code_is_known(code); code++) {
        const char *english = code_text(code, LANGUAGE_ENGLISH);
        const char *korean = code_text(code, LANGUAGE_KOREAN);
        assert_true(text_is_line(slice_of(english)) && strlen(english) > 0);
        assert_true(text_is_line(slice_of(korean)) && strlen(korean) > 0);
        assert_string_not_equal(english, korean);
        for (uint32_t other = 0; other < code; other++) {
            assert_string_not_equal(english, code_text(other, LANGUAGE_ENGLISH));
            assert_string_not_equal(korean, code_text(other, LANGUAGE_KOREAN));
        }
    }
}

static void
test_an_unknown_code_still_says_something(void **state)
{
    (void)state;
    assert_false(code_is_known(UINT32_MAX));
    assert_string_equal(code_name(200), "?");
    assert_string_equal(code_text(200, LANGUAGE_KOREAN),
                        code_text(SEOM__CODE__REFUSED, LANGUAGE_KOREAN));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_the_schema),
        cmocka_unit_test(test_every_code_has_two_texts),
        cmocka_unit_test(test_an_unknown_code_still_says_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
