#include "app/arguments.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNTOUCHED 77

static void
whole_numbers_are_digits_within_their_range(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        uint32_t low, high, value;
    } taken[] = {
        {"1", 1, 10, 1},
        {"10", 1, 10, 10},
        {"0", 0, 0, 0},
        {"007", 1, 10, 7}, /* decimal, whatever it begins with */
        {"4294967295", 0, UINT32_MAX, UINT32_MAX},
    };

    static const char *const refused[] = {"",
                                          "0",
                                          "11",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1x",
                                          "0x5",
                                          "1.5",
                                          "1e1",
                                          "x",
                                          "4294967297", /* 1, were it cut to 32 bits */
                                          "18446744073709551617"};

    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        uint32_t value = UNTOUCHED;
        assert_true(arguments_read(taken[i].text, taken[i].low, taken[i].high, &value));
        assert_int_equal(value, taken[i].value);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint32_t value = UNTOUCHED;
        if (arguments_read(refused[i], 1, 10, &value) || value != UNTOUCHED) {
            fail_msg("'%s' was taken", refused[i]);
        }
    }
}

static void
real_numbers_are_finite_and_within_their_range(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",     "-0.6", "2.1",   "nan", "inf", "-inf", ".",      " 1", "+1",
        "1 ",   "1,5",  "1.5.2", "e1",  "-",   "1e9",  "1e-999", /* too small to be told from 0 */
        "1e999"};
    double value = UNTOUCHED;
    assert_true(arguments_read_real("0.75", -0.5, 2, &value));
    assert_float_equal(value, 0.75, 0);
    assert_true(arguments_read_real(".5", -0.5, 2, &value));
    assert_float_equal(value, 0.5, 0);
    assert_true(arguments_read_real("-5e-1", -0.5, 2, &value));
    assert_float_equal(value, -0.5, 0);
    assert_true(arguments_read_real("2", -0.5, 2, &value));
    assert_float_equal(value, 2, 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        value = UNTOUCHED;
        if (arguments_read_real(refused[i], -0.5, 2, &value) || value < UNTOUCHED) {
            fail_msg("'%s' was taken", refused[i]);
        }
    }
}

/* What the parser of one option made of its argument. */
struct asked {
    uint32_t number;
    double real;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct asked *asked = state->input;
    switch (key) {
    case 'n': asked->number = arguments_number(arg, 1, 10, "--number", state); return 0;
    case 'r': asked->real = arguments_real(arg, 0, 1, "--real", state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void
an_option_takes_its_number(void **state)
{
    (void)state;
    static const struct argp_option options[] = {
        {"number", 'n', "N", 0, "", 0}, {"real", 'r', "R", 0, "", 0}, {0}};
    static const struct argp argp = {.options = options, .parser = parse};
    char name[] = "test", number[] = "--number=10", real[] = "--real=0.25";
    char *argv[] = {name, number, real, NULL};
    struct asked asked = {0};
    assert_int_equal(argp_parse(&argp, 3, argv, 0, NULL, &asked), 0);
    assert_int_equal(asked.number, 10);
    assert_float_equal(asked.real, 0.25, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_digits_within_their_range),
        cmocka_unit_test(real_numbers_are_finite_and_within_their_range),
        cmocka_unit_test(an_option_takes_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
