/* Envelopes and records: what is written is read back, and no bytes whatever do harm. */
#include "base/rand.h"
#include "store/envelope.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
assert_same(struct slice a, struct slice b)
{
    assert_int_equal(a.bytes, b.bytes);
    if (a.bytes > 0)
        assert_memory_equal(a.at, b.at, a.bytes);
}

static struct store_doc
raw_of(const struct envelope *e, uint8_t bytes[ENVELOPE_MAX])
{
    return (struct store_doc){
        .version = 7, .exists = true, .value = {bytes, envelope_write(e, bytes)}};
}

static const struct envelope sample = {
    .version = 41,
    .exists = true,
    .writers = {{TXID_EPOCH_MAX, TXID_COUNT_MAX}, {3, 4}},
    .pend = PEND_PUT,
    .pend_id = {5, 6},
};

static void
envelopes_come_back(void **state)
{
    (void)state;
    static uint8_t bytes[ENVELOPE_MAX], large[STORE_VALUE_MAX];
    memset(large, 0xa5, sizeof large);
    struct slice bodies[3] = {text(""), text("body"), {large, sizeof large}};
    for (uint32_t i = 0; i < 9; i++) {
        struct envelope e = sample, back;
        e.body = bodies[i % 3];
        e.pend_body = bodies[i / 3];
        struct store_doc raw = raw_of(&e, bytes);
        assert_int_equal(envelope_read(&raw, &back), OK);
        assert_int_equal(back.version, 41);
        assert_true(back.exists && back.pend == PEND_PUT && txid_same(back.pend_id, e.pend_id));
        assert_true(txid_same(back.writers[0], e.writers[0]));
        assert_true(txid_same(back.writers[1], e.writers[1]));
        assert_same(back.body, e.body);
        assert_same(back.pend_body, e.pend_body);
    }
}

static void
what_the_engine_does_not_have_is_version_0(void **state)
{
    (void)state;
    struct envelope e = sample;
    struct store_doc never = {.version = 0};
    assert_int_equal(envelope_read(&never, &e), OK);
    assert_true(e.version == 0 && !e.exists && e.pend == PEND_NONE);
}

/* As it was written when all documents lay in one engine. */
static void
a_document_without_an_envelope_is_its_bytes(void **state)
{
    (void)state;
    struct envelope e = sample;
    static uint8_t large[STORE_VALUE_MAX + 1] = {8};
    struct store_doc raw = {.version = 7, .exists = true, .value = text("\x0a\x01x")};
    assert_int_equal(envelope_read(&raw, &e), OK);
    assert_true(e.version == 7 && e.exists && e.pend == PEND_NONE && e.writers[0].count == 0);
    assert_same(e.body, raw.value);
    raw.value = text("");
    assert_int_equal(envelope_read(&raw, &e), OK);
    assert_true(e.version == 7 && e.exists && e.body.bytes == 0);
    raw.value = (struct slice){large, STORE_VALUE_MAX};
    assert_int_equal(envelope_read(&raw, &e), OK);
    raw.value.bytes++;
    assert_int_equal(envelope_read(&raw, &e), ERR_FORMAT);
    struct store_doc deleted = {.version = 8};
    assert_int_equal(envelope_read(&deleted, &e), OK);
    assert_true(e.version == 8 && !e.exists);
    envelope_advance(&e, STORE_PUT, text("y"), (struct txid){1, 1});
    assert_int_equal(e.version, 9);
}

static void
shortened_or_changed_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[ENVELOPE_MAX];
    struct envelope e = sample, back;
    e.body = text("body");
    e.pend_body = text("");
    struct store_doc raw = raw_of(&e, bytes);
    size_t whole = raw.value.bytes;
    for (raw.value.bytes = 1; raw.value.bytes < whole; raw.value.bytes++)
        assert_int_equal(envelope_read(&raw, &back), ERR_FORMAT);
    raw.value.bytes = whole;
    bytes[0] = 2;
    assert_int_equal(envelope_read(&raw, &back), ERR_NEWER);
    bytes[0] = 0;
    assert_int_equal(envelope_read(&raw, &back), ERR_FORMAT);
    bytes[0] = 1;
    struct rand r;
    rand_seed(&r, 1);
    uint32_t fine = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t *changed = malloc(whole); /* of just that size, for the address sanitizer */
        memcpy(changed, bytes, whole);
        for (uint32_t n = 1 + rand_below(&r, 3); n > 0; n--)
            changed[rand_below(&r, (uint32_t)whole)] ^= (uint8_t)(1U << rand_below(&r, 8));
        raw.value.at = changed;
        if (envelope_read(&raw, &back) == OK) {
            static uint8_t again[ENVELOPE_MAX];
            fine++;
            assert_true(envelope_write(&back, again) <= ENVELOPE_MAX);
        }
        free(changed);
    }
    assert_in_range(fine, 1, 19999);
}

static void
versions_grow_by_one_and_remember_two_writers(void **state)
{
    (void)state;
    struct envelope e = {0};
    struct txid a = {1, 1}, b = {1, 2}, c = {2, 1};
    envelope_advance(&e, STORE_PUT, text("x"), a);
    assert_int_equal(envelope_written(&e, 0, a), WRITTEN_YES);
    assert_int_equal(envelope_written(&e, 0, b), WRITTEN_NO);
    assert_int_equal(envelope_written(&e, 1, b), WRITTEN_NO);
    envelope_advance(&e, STORE_DELETE, text(""), b);
    assert_true(e.version == 2 && !e.exists);
    assert_int_equal(envelope_written(&e, 0, a), WRITTEN_YES);
    assert_int_equal(envelope_written(&e, 0, b), WRITTEN_NO);
    assert_int_equal(envelope_written(&e, 1, b), WRITTEN_YES);
    envelope_advance(&e, STORE_PUT, text("z"), c);
    assert_int_equal(envelope_written(&e, 0, a), WRITTEN_UNTOLD);
    assert_int_equal(envelope_written(&e, 1, b), WRITTEN_YES);
    assert_int_equal(envelope_written(&e, 7, b), WRITTEN_UNTOLD); /* forgotten meanwhile */
}

static void
a_pend_goes_forward_or_back(void **state)
{
    (void)state;
    struct envelope before = sample;
    before.body = text("old");
    before.pend_body = text("new");
    for (uint32_t kind = PEND_PUT; kind <= PEND_FORGET; kind++) {
        struct envelope e = before;
        e.pend = (enum pend_kind)kind;
        envelope_decide(&e, false);
        assert_true(e.version == 41 && e.exists && e.pend == PEND_NONE && e.pend_id.count == 0);
        assert_same(e.body, before.body);
        e = before;
        e.pend = (enum pend_kind)kind;
        envelope_decide(&e, true);
        uint64_t version = kind == PEND_CHECK ? 41 : kind == PEND_FORGET ? 0 : 42;
        assert_int_equal(e.version, version);
        assert_int_equal(e.exists, kind == PEND_PUT || kind == PEND_CHECK);
        assert_true(e.pend == PEND_NONE && txid_same(e.writers[0], before.pend_id) ==
                                               (kind == PEND_PUT || kind == PEND_DELETE));
        if (kind == PEND_PUT)
            assert_same(e.body, before.pend_body);
    }
}

/* ---- records ---- */

static void
names_of_records_tell_their_nonce(void **state)
{
    (void)state;
    struct txid ids[3] = {{0, 1}, {TXID_EPOCH_MAX, TXID_COUNT_MAX}, {0x123456789abc, 0x1f}};
    for (uint32_t i = 0; i < 3; i++) {
        struct key key = record_key(0x2a, ids[i]), prefix = record_prefix(0x2a);
        struct txid back;
        assert_int_equal(record_key_parse(key_slice(&key), &back), OK);
        assert_true(txid_same(back, ids[i]));
        assert_memory_equal(key.text, prefix.text, prefix.bytes);
    }
    struct key key = record_key(0x2a, ids[2]);
    assert_string_equal(key.text, "002a/tx/123456789abc-0000000001f");
    static const char *const others[] = {"002a/ty/123456789abc-0000000001f",
                                         "002a/tx/123456789abc-0000000001",
                                         "002a/tx/123456789abc-00000000000",
                                         "002a/tx/123456789abc-0000000001g",
                                         "002a/tx/123456789abcx0000000001f",
                                         "002a/tx/123456789abc-0000000001f0",
                                         "002a/player/00000000000000ff",
                                         "tx/",
                                         ""};
    struct txid id;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_not_equal(record_key_parse(text(others[i]), &id), OK);
}

static void
records_come_back(void **state)
{
    (void)state;
    uint8_t keys[RECORD_MAX], bytes[RECORD_MAX];
    char long_key[STORE_KEY_MAX + 1];
    memset(long_key, 'k', STORE_KEY_MAX);
    long_key[STORE_KEY_MAX] = '\0';
    size_t used = 0;
    for (uint32_t i = 0; i < RECORD_KEYS_MAX; i++)
        used = record_add_key(keys, used, sizeof keys, text(long_key));
    struct commit_record record = {.state = RECORD_COMMITTED,
                                   .deadline_ms = -5,
                                   .count = RECORD_KEYS_MAX,
                                   .keys = {keys, used}};
    struct slice raw = {bytes, record_write(&record, bytes)}, key;
    assert_int_equal(raw.bytes, RECORD_MAX);
    struct commit_record back;
    assert_int_equal(record_read(raw, &back), OK);
    assert_true(back.state == RECORD_COMMITTED && back.deadline_ms == -5);
    uint32_t count = 0;
    while (record_next_key(&back, &key)) {
        assert_same(key, text(long_key));
        count++;
    }
    assert_int_equal(count, RECORD_KEYS_MAX);
    bytes[0] = 2;
    assert_int_equal(record_read(raw, &back), ERR_NEWER);
}

static void
broken_records_are_refused(void **state)
{
    (void)state;
    uint8_t keys[40], bytes[RECORD_MAX];
    size_t used = record_add_key(keys, 0, sizeof keys, text("0001/a/1"));
    used = record_add_key(keys, used, sizeof keys, text("0001/b/22"));
    struct commit_record record = {.state = RECORD_PENDING, .count = 2, .keys = {keys, used}}, back;
    struct slice raw = {bytes, record_write(&record, bytes)}, key;
    size_t whole = raw.bytes;
    for (raw.bytes = 0; raw.bytes < whole; raw.bytes++)
        assert_int_equal(record_read(raw, &back), ERR_FORMAT);
    struct rand r;
    rand_seed(&r, 2);
    uint32_t fine = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t *changed = malloc(whole);
        memcpy(changed, bytes, whole);
        for (uint32_t n = 1 + rand_below(&r, 3); n > 0; n--)
            changed[rand_below(&r, (uint32_t)whole)] ^= (uint8_t)(1U << rand_below(&r, 8));
        if (record_read((struct slice){changed, whole}, &back) == OK) {
            fine++;
            while (record_next_key(&back, &key))
                assert_in_range(key.bytes, 1, STORE_KEY_MAX);
        }
        free(changed);
    }
    assert_in_range(fine, 1, 19999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_come_back),
        cmocka_unit_test(what_the_engine_does_not_have_is_version_0),
        cmocka_unit_test(a_document_without_an_envelope_is_its_bytes),
        cmocka_unit_test(shortened_or_changed_bytes_do_no_harm),
        cmocka_unit_test(versions_grow_by_one_and_remember_two_writers),
        cmocka_unit_test(a_pend_goes_forward_or_back),
        cmocka_unit_test(names_of_records_tell_their_nonce),
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(broken_records_are_refused),
    };
    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
