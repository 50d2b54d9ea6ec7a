#include "base/rand.h"
#include "os/base64.h"
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

/* RFC 4648, section 10. */
static void
test_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char written[16];
        uint8_t read[16];
        size_t bytes;
        base64_write(text(vectors[i][0]), written);
        assert_string_equal(written, vectors[i][1]);
        assert_true(base64_read(text(written), read, &bytes));
        assert_int_equal(bytes, strlen(vectors[i][0]));
        assert_memory_equal(read, vectors[i][0], bytes);
    }
}

static void
test_what_is_none(void **state)
{
    (void)state;
    static const char *const others[] = {"A",    "AA",   "AAA",  "====", "A===",     "AA=A",
                                         "=AAA", "AB==", "AAB=", "AA A", "AAAA====", "AA-_"};
    uint8_t read[16];
    size_t bytes;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(base64_read(text(others[i]), read, &bytes));
}

static void
test_there_and_back(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    for (uint32_t n = 0; n < 300; n++) {
        uint8_t in[300], out[300];
        char written[BASE64_BYTES(300)];
        size_t bytes;
        for (uint32_t i = 0; i < n; i++)
            in[i] = (uint8_t)rand_next(&rand);
        base64_write((struct slice){in, n}, written);
        assert_int_equal(strlen(written) + 1, BASE64_BYTES(n));
        assert_true(base64_read(text(written), out, &bytes));
        assert_int_equal(bytes, n);
        assert_memory_equal(in, out, n);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors),
                                       cmocka_unit_test(test_what_is_none),
                                       cmocka_unit_test(test_there_and_back)};
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
