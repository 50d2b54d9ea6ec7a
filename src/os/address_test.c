#include "os/address.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
good_addresses_come_back_as_text(void **state)
{
    (void)state;

    static const struct {
        const char *text, *again, *host;
        uint16_t port;
        bool loopback;
    } rows[] = {
        {"127.0.0.1:7777", "127.0.0.1:7777", "127.0.0.1", 7777, true},
        {"127.3.2.1:0", "127.3.2.1:0", "127.3.2.1", 0, true},
        {"localhost:80", "127.0.0.1:80", "127.0.0.1", 80, true},
        {"0.0.0.0:65535", "0.0.0.0:65535", "0.0.0.0", 65535, false},
        {"10.1.2.3:7777", "10.1.2.3:7777", "10.1.2.3", 7777, false},
        {"[::1]:7777", "[::1]:7777", "::1", 7777, true},
        {"[::]:1", "[::]:1", "::", 1, false},
        {"[fe80::1]:7777", "[fe80::1]:7777", "fe80::1", 7777, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address a;
        assert_null(address_parse(rows[i].text, &a));
        char text[ADDRESS_TEXT_MAX];
        address_text(&a, text);
        assert_string_equal(text, rows[i].again);
        assert_string_equal(a.host, rows[i].host);
        assert_int_equal(a.port, rows[i].port);
        assert_int_equal(a.loopback, rows[i].loopback);
    }
}

static void
bad_addresses_are_refused_untouched(void **state)
{
    (void)state;

    static const struct {
        const char *text, *part;
    } rows[] = {
        {"", "ADDR:PORT"},
        {"7777", "ADDR:PORT"},
        {":7777", "ADDR:PORT"},
        {"127.0.0.1", "ADDR:PORT"},
        {"127.0.0.1:", "port"},
        {"127.0.0.1:65536", "port"},
        {"127.0.0.1:-1", "port"},
        {"127.0.0.1:+1", "port"},
        {"127.0.0.1: 80", "port"},
        {"127.0.0.1:00000000000080", "port"},
        {"127.0.0:80", "numeric"},
        {"256.0.0.1:80", "numeric"},
        {"example.org:80", "numeric"},
        {"[127.0.0.1]:80", "numeric"},
        {"[localhost]:80", "numeric"},
        {"[]:80", "numeric"},
        {"::1:80", "brackets"},
        {"[::1:80", "bracket"},
        {"[:80", "bracket"},
        {"[::1]x:80", "bracket"},
        {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", "numeric"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address a = {.port = 4242};
        const char *wrong = address_parse(rows[i].text, &a);
        if (wrong == NULL || strstr(wrong, rows[i].part) == NULL)
            fail_msg("%s: %s", rows[i].text, wrong == NULL ? "was taken" : wrong);
        assert_int_equal(a.port, 4242);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_come_back_as_text),
        cmocka_unit_test(bad_addresses_are_refused_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
