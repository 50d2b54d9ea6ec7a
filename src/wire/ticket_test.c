#include "wire/ticket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[TICKET_KEY_BYTES] = "a key of thirty-two bytes......";
static const struct ticket ticket = {.world = 7, .player = 0x0007000000000123, .issued_s = 86400};

static void
test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[TICKET_BYTES];
    ticket_write(&ticket, key, bytes);
    struct ticket read;
    assert_int_equal(ticket_read((struct slice){bytes, sizeof bytes}, key, &read), OK);
    assert_int_equal(read.world, ticket.world);
    assert_int_equal(read.player, ticket.player);
    assert_int_equal(read.issued_s, ticket.issued_s);
}

/* The form is kept by browsers for years: its bytes are pinned. The MAC was computed with Python's
 * hashlib.blake2b. */
static void
test_form_is_pinned(void **state)
{
    (void)state;
    static const uint8_t expected[TICKET_BYTES] = {1,    7,    0,    0x23, 0x01, 0,    0,    0,
                                                   0,    7,    0,    0x80, 0x51, 1,    0,    0x80,
                                                   0xc3, 0xa7, 0x30, 0x82, 0x84, 0xa6, 0x38, 0x68,
                                                   0x8a, 0xdb, 0x25, 0x07, 0x1e, 0x5d, 0x28};
    uint8_t bytes[TICKET_BYTES];
    ticket_write(&ticket, key, bytes);
    assert_memory_equal(bytes, expected, TICKET_BYTES);
}

static void
test_every_changed_bit_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[TICKET_BYTES];
    ticket_write(&ticket, key, bytes);
    for (unsigned bit = 0; bit < 8 * TICKET_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct ticket read = {.player = 42};
        enum err error = ticket_read((struct slice){bytes, sizeof bytes}, key, &read);
        assert_int_equal(error, bit < 8 ? ERR_FORMAT : ERR_DENIED);
        assert_int_equal(read.player, 42);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void
test_another_key_and_other_lengths_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[TICKET_BYTES + 1] = {0}, other[TICKET_KEY_BYTES];
    ticket_write(&ticket, key, bytes);
    memcpy(other, key, sizeof other);
    other[31] ^= 1;
    struct ticket read;
    assert_int_equal(ticket_read((struct slice){bytes, TICKET_BYTES}, other, &read), ERR_DENIED);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        if (n != TICKET_BYTES) {
            assert_int_equal(ticket_read((struct slice){bytes, n}, key, &read), ERR_FORMAT);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_form_is_pinned),
        cmocka_unit_test(test_every_changed_bit_is_refused),
        cmocka_unit_test(test_another_key_and_other_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
