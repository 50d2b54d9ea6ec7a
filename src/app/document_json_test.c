#include "app/document_json.h"
#include "documents.pb-c.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PLAYER "0001/player/0001000000000001"

static char why[DOCUMENT_WHY_MAX];

static struct key_parts
parts_of(const char *key)
{
    struct key_parts parts;
    assert_int_equal(key_parse((struct slice){(const uint8_t *)key, strlen(key)}, &parts), OK);
    return parts;
}

static enum err
parse(const char *key, const char *text, uint8_t out[STORE_VALUE_MAX], size_t *bytes)
{
    struct key_parts parts = parts_of(key);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    enum err error = document_from_json(&parts, json, out, bytes, why);
    json_decref(json);
    return error;
}

static void
test_there_and_back(void **state)
{
    (void)state;
    static const char text[] =
        "{\"name\":\"Hana\",\"last_hash\":\"18446744073709551615\",\"last_res\":\"00ff\","
        "\"bag\":{\"coins\":91,\"slots\":[{\"kind\":1,\"count\":7},{}]},"
        "\"ledger\":[{\"at_ms\":-5,\"from\":\"ACCOUNT_TRADE\",\"count\":9007199254740991}],"
        "\"trades\":[4,\"9007199254740993\"],"
        "\"?\":[{\"field\":99,\"wire\":0,\"bytes\":\"05\"}]}";
    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    assert_int_equal(parse(PLAYER, text, packed, &bytes), OK);
    Seom__PlayerDocument *document = seom__player_document__unpack(NULL, bytes, packed);
    assert_non_null(document);
    assert_string_equal(document->name, "Hana");
    assert_true(document->last_hash == UINT64_MAX);
    assert_int_equal(document->last_res.len, 2);
    assert_int_equal(document->bag->slots[0]->count, 7);
    assert_int_equal(document->ledger[0]->from, SEOM__ACCOUNT_KIND__ACCOUNT_TRADE);
    assert_int_equal(document->ledger[0]->at_ms, -5);
    assert_true(document->trades[1] == UINT64_C(9007199254740993));
    assert_int_equal(document->base.n_unknown_fields, 1);
    seom__player_document__free_unpacked(document, NULL);

    struct key_parts parts = parts_of(PLAYER);
    json_t *shown = document_to_json(&parts, (struct slice){packed, bytes}, why);
    json_t *wanted = json_loads(text, 0, NULL);
    assert_true(json_equal(shown, wanted));
    json_decref(shown);
    json_decref(wanted);
}

static void
test_what_is_wrong_is_named(void **state)
{
    (void)state;

    static const struct {
        const char *text, *named;
    } cases[] = {
        {"{\"nmae\":\"Hana\"}", "nmae"},
        {"{\"name\":7}", "name"},
        {"{\"last_seq\":-1}", "last_seq"},
        {"{\"last_seq\":\"12x\"}", "last_seq"},
        {"{\"ledger_pages\":4294967296}", "ledger_pages"},
        {"{\"last_res\":\"0\"}", "last_res"},
        {"{\"bag\":[]}", "bag"},
        {"{\"bag\":{\"slots\":{}}}", "slots"},
        {"{\"bag\":{\"slots\":[{\"kind\":1},{\"count\":true}]}}", "count"},
        {"{\"ledger\":[{\"from\":\"NOBODY\"}]}", "from"},
        {"{\"?\":[{\"field\":99,\"wire\":0,\"bytes\":\"zz\"}]}", "?"},
        {"{\"?\":[{\"field\":0,\"wire\":0,\"bytes\":\"00\"}]}", "?"},
        {"{\"?\":[{\"field\":99,\"wire\":2,\"bytes\":\"ff\"}]}", "?"}, /* says 127 bytes follow */
        {"[]", "the document"},
    };

    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(PLAYER, cases[i].text, packed, &bytes), ERR_FORMAT);
        assert_non_null(strstr(why, cases[i].named));
    }
}

static void
test_limits_and_classes(void **state)
{
    (void)state;
    static char text[STORE_VALUE_MAX + 64];
    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    int used = snprintf(text, sizeof text, "{\"name\":\"");
    memset(text + used, 'x', STORE_VALUE_MAX);
    memcpy(text + used + STORE_VALUE_MAX, "\"}", 3);
    assert_int_equal(parse(PLAYER, text, packed, &bytes), ERR_TOO_LARGE);
    assert_int_equal(parse("0001/nothing/1", "{}", packed, &bytes), ERR_NOT_FOUND);
    assert_int_equal(parse("0001/meta/ids-player", "{\"next\":5}", packed, &bytes), OK);
    struct key_parts parts = parts_of("0001/nothing/1");
    assert_null(document_to_json(&parts, (struct slice){packed, bytes}, why));
    parts = parts_of(PLAYER);
    assert_null(document_to_json(&parts, (struct slice){(const uint8_t *)"\xff\xff", 2}, why));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_limits_and_classes),
    };
    return cmocka_run_group_tests_name("app/document_json", tests, NULL, NULL);
}
