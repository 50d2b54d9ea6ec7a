/* Documents as tools show them: any bytes of any class become JSON or are refused; what became JSON
 * comes back as a document that says the same; and any JSON either becomes a document or is refused
 * with words. The first byte chooses the class, and whether the rest is bytes or JSON.
 */
#include "app/document_json.h"
#include "base/check.h"
#include "fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

static const char *const keys[] = {
    "0001/player/0001000000000001",
    "0001/ledger/0001000000000001-000000",
    "0001/chunk/0000000100020003",
    "0001/chest/0001000000000001",
    "0001/mail/0001000000000001",
    "0001/inbox/0001000000000001",
    "0001/trade/0001000000000001",
    "0001/meta/ids-player",
    "0001/meta/clock",
    "0001/meta/switches",
    "0001/place/0000000000000001",
    "0001/none/0000000000000001",
};

static void
try_bytes(const struct key_parts *key, struct slice value)
{
    char why[DOCUMENT_WHY_MAX];
    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    json_t *json = document_to_json(key, value, why);
    if (json == NULL) {
        CHECK(strnlen(why, sizeof why) < sizeof why);
        return;
    }
    if (document_type(key) != NULL && value.bytes <= STORE_VALUE_MAX / 4) {
        enum err error = document_from_json(key, json, packed, &bytes, why);
        if (error == OK) { /* a name that is no UTF-8 is shown as hex and comes back so */
            json_t *again = document_to_json(key, (struct slice){packed, bytes}, why);
            CHECK(again != NULL && json_equal(json, again));
            json_decref(again);
        }
    }
    json_decref(json);
}

static void
try_json(const struct key_parts *key, struct slice text)
{
    char why[DOCUMENT_WHY_MAX] = "";
    uint8_t packed[STORE_VALUE_MAX];
    size_t bytes;
    json_error_t where;
    json_t *json = json_loadb((const char *)text.at, text.bytes, 0, &where);
    if (json == NULL)
        return;
    if (document_from_json(key, json, packed, &bytes, why) == OK) {
        json_t *shown = document_to_json(key, (struct slice){packed, bytes}, why);
        CHECK(shown != NULL);
        json_decref(shown);
    } else {
        CHECK(why[0] != '\0' && strnlen(why, sizeof why) < sizeof why);
    }
    json_decref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = keys[(data[0] >> 1) % (sizeof keys / sizeof keys[0])];
    struct key_parts key;
    CHECK(key_parse((struct slice){(const uint8_t *)text, strlen(text)}, &key) == OK);
    struct slice rest = {data + 1, size - 1};
    if (data[0] & 1)
        try_json(&key, rest);
    else
        try_bytes(&key, rest);
    return 0;
}
