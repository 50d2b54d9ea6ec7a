/* Vectors of RFC 3174 7.3 and FIPS 180-2 appendix A. */
#include "wire/sha1.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_digest(const char *text, size_t repeats, const char *expected)
{
    size_t bytes = strlen(text), total = bytes * repeats;
    uint8_t *message = malloc(total + 1), digest[SHA1_BYTES];
    for (size_t i = 0; i < repeats; i++) {
        memcpy(message + i * bytes, text, bytes);
    }
    sha1((struct slice){message, total}, digest);
    char hex[2 * SHA1_BYTES + 1];
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    assert_string_equal(hex, expected);
    free(message);
}

static void
test_published_vectors(void **state)
{
    (void)state;
    assert_digest("", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest("abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_digest("a", 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_digest("0123456701234567012345670123456701234567012345670123456701234567", 10,
                  "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
