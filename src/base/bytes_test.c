#include "base/bytes.h"
#include "base/rand.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
integers_are_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[32];
    struct writer w = writer_over(bytes, sizeof(bytes));
    write_u8(&w, 0x01);
    write_u16(&w, 0x0302);
    write_u32(&w, 0x07060504);
    write_u64(&w, 0x0f0e0d0c0b0a0908);
    write_i16(&w, -2);
    assert_true(writer_ok(&w));
    assert_int_equal(writer_used(&w), 17);
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(bytes[i], i + 1);
    assert_int_equal(bytes[15], 0xfe);
    assert_int_equal(bytes[16], 0xff);
}

static void
what_is_written_is_read(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 1);
    for (unsigned round = 0; round < 1000; round++) {
        uint64_t v = rand_next(&r) >> rand_below(&r, 64);
        uint8_t bytes[64];
        struct writer w = writer_over(bytes, sizeof(bytes));
        write_i64(&w, (int64_t)v);
        write_i32(&w, (int32_t)v);
        write_i16(&w, (int16_t)v);
        write_varint(&w, v);
        write_bytes(&w, "seom", 4);
        write_u8(&w, (uint8_t)v);
        assert_true(writer_ok(&w));

        struct reader in = reader_over(bytes, writer_used(&w));
        assert_true(read_i64(&in) == (int64_t)v);
        assert_int_equal(read_i32(&in), (int32_t)v);
        assert_int_equal(read_i16(&in), (int16_t)v);
        assert_true(read_varint(&in) == v);
        struct slice name = read_bytes(&in, 4);
        assert_int_equal(name.bytes, 4);
        assert_memory_equal(name.at, "seom", 4);
        assert_int_equal(read_u8(&in), (uint8_t)v);
        assert_true(reader_ok(&in));
        assert_int_equal(reader_left(&in), 0);
    }
}

static void
a_reader_past_its_end_stays_failed(void **state)
{
    (void)state;
    const uint8_t bytes[3] = {1, 2, 3};
    struct reader in = reader_over(bytes, sizeof(bytes));
    assert_int_equal(read_u32(&in), 0);
    assert_false(reader_ok(&in));
    assert_int_equal(read_u8(&in), 0); /* would fit, but the structure is broken already */
    assert_int_equal(reader_left(&in), 0);
    assert_null(read_bytes(&in, 1).at);
    assert_int_equal(read_bytes(&in, 1).bytes, 0);
}

static void
an_empty_reader_and_writer_are_fine(void **state)
{
    (void)state;
    struct reader in = reader_over(NULL, 0);
    assert_int_equal(read_bytes(&in, 0).bytes, 0);
    assert_true(reader_ok(&in));
    assert_int_equal(read_u8(&in), 0);
    assert_false(reader_ok(&in));

    struct writer w = writer_over(NULL, 0);
    write_bytes(&w, NULL, 0);
    assert_true(writer_ok(&w));
    write_u8(&w, 1);
    assert_false(writer_ok(&w));
    assert_int_equal(writer_used(&w), 0);
}

static void
a_full_writer_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    struct writer w = writer_over(bytes, 6);
    write_u32(&w, 0x11111111);
    assert_int_equal(writer_left(&w), 2);
    write_u32(&w, 0x22222222);
    write_u8(&w, 0x33); /* would fit */
    assert_false(writer_ok(&w));
    assert_int_equal(writer_used(&w), 4);
    assert_int_equal(writer_left(&w), 0);
    const uint8_t untouched[4] = {0};
    assert_memory_equal(bytes + 4, untouched, 4);
}

static bool
varint_fails(const char *form, size_t bytes)
{
    struct reader in = reader_over(form, bytes);
    uint64_t v = read_varint(&in);
    return v == 0 && !reader_ok(&in);
}

static void
a_varint_has_one_form(void **state)
{
    (void)state;
    uint8_t bytes[16];
    struct writer w = writer_over(bytes, sizeof(bytes));
    write_varint(&w, UINT64_MAX);
    assert_int_equal(writer_used(&w), 10);
    struct reader in = reader_over(bytes, 10);
    assert_true(read_varint(&in) == UINT64_MAX);
    assert_true(reader_ok(&in));

    assert_false(varint_fails("\x7f", 1));
    assert_true(varint_fails("", 0));
    assert_true(varint_fails("\x80", 1));                                      /* ends early */
    assert_true(varint_fails("\x81\x00", 2));                                  /* overlong 1 */
    assert_true(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10)); /* bit 64 */
    assert_true(varint_fails("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_reader_past_its_end_stays_failed),
        cmocka_unit_test(an_empty_reader_and_writer_are_fine),
        cmocka_unit_test(a_full_writer_writes_nothing_more),
        cmocka_unit_test(a_varint_has_one_form),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
