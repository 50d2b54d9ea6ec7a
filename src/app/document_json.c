#include "app/document_json.h"
#include "base/check.h"
#include "documents.pb-c.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/trade.h"
#include "store/place.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_INTEGER (INT64_C(1) << 53) /* what every reader of JSON can hold */

struct form {
    const char *class, *name; /* name: how the third part begins; "": any */
    const ProtobufCMessageDescriptor *type;
};

static const struct form forms[] = {
    {KEY_CLASS_PLAYER, "", &seom__player_document__descriptor},
    {KEY_CLASS_LEDGER, "", &seom__ledger_document__descriptor},
    {"chunk", "", &seom__chunk_document__descriptor},
    {"chest", "", &seom__chest_document__descriptor},
    {KEY_CLASS_MAIL, "", &seom__mail_document__descriptor},
    {KEY_CLASS_INBOX, "", &seom__inbox_document__descriptor},
    {KEY_CLASS_TRADE, "", &seom__trade_document__descriptor},
    {KEY_CLASS_META, "ids-", &seom__ids_document__descriptor},
    {KEY_CLASS_META, "clock", &seom__clock_document__descriptor},
    {KEY_CLASS_META, "switches", &seom__switches_document__descriptor},
};

const ProtobufCMessageDescriptor *
document_type(const struct key_parts *key)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t bytes = strlen(forms[i].name);
        if (key_has_class(key, forms[i].class) && key->name.bytes >= bytes &&
            memcmp(key->name.at, forms[i].name, bytes) == 0)
            return forms[i].type;
    }
    return NULL;
}

/* ---- to JSON ---- */

static json_t *message_to_json(const ProtobufCMessage *message);

static json_t *
hex_of(const uint8_t *at, size_t bytes)
{
    char *text = malloc(2 * bytes + 1);
    CHECK(text != NULL);
    text[0] = '\0';
    for (size_t i = 0; i < bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", at[i]);
    json_t *json = json_string(text);
    free(text);
    return json;
}

static json_t *
unsigned_to_json(uint64_t v)
{
    if (v < (uint64_t)SAFE_INTEGER)
        return json_integer((json_int_t)v);
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return json_string(text);
}

static json_t *
signed_to_json(int64_t v)
{
    if (v > -SAFE_INTEGER && v < SAFE_INTEGER)
        return json_integer(v);
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    return json_string(text);
}

/* Text of players may hold anything: what is no UTF-8 is shown as hex. */
static json_t *
text_to_json(const char *text)
{
    json_t *json = json_string(text);
    return json != NULL ? json : hex_of((const uint8_t *)text, strlen(text));
}

static uint32_t
read_u32_at(const void *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static uint64_t
read_u64_at(const void *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

size_t
document_field_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_FLOAT: return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    }
    check_failed(__FILE__, __LINE__, __func__, "a type of protobuf");
}

static bool
is_zero(const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

/* NULL: has its default. */
static json_t *
value_to_json(const ProtobufCFieldDescriptor *field, const uint8_t *at, bool always)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text;
        memcpy(&text, at, sizeof text);
        return text == NULL || (text[0] == '\0' && !always) ? NULL : text_to_json(text);
    }
    if (!always && is_zero(at, document_field_bytes(field->type)))
        return NULL;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32: return json_integer((int32_t)read_u32_at(at));
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return json_integer(read_u32_at(at));
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return signed_to_json((int64_t)read_u64_at(at));
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return unsigned_to_json(read_u64_at(at));
    case PROTOBUF_C_TYPE_BOOL: return json_boolean(!is_zero(at, sizeof(protobuf_c_boolean)));
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *name =
            protobuf_c_enum_descriptor_get_value(field->descriptor, (int)read_u32_at(at));
        return name != NULL ? json_string(name->name) : json_integer((int32_t)read_u32_at(at));
    }
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData bytes;
        memcpy(&bytes, at, sizeof bytes);
        return bytes.len == 0 && !always ? NULL : hex_of(bytes.data, bytes.len);
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *inner;
        memcpy(&inner, at, sizeof inner);
        return message_to_json(inner);
    }
    case PROTOBUF_C_TYPE_STRING: break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: break; /* decisions are in integers: no document has them */
    }
    return json_null();
}

static json_t *
array_to_json(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    size_t count, width = document_field_bytes(field->type);
    const uint8_t *items;
    memcpy(&count, message + field->quantifier_offset, sizeof count);
    memcpy(&items, message + field->offset, sizeof items);
    if (count == 0)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, value_to_json(field, items + i * width, true));
    return array;
}

static json_t *
message_to_json(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const uint8_t *at = (const uint8_t *)message;
    json_t *object = json_object();
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        json_t *json = field->label == PROTOBUF_C_LABEL_REPEATED
                           ? array_to_json(field, at)
                           : value_to_json(field, at + field->offset, false);
        if (json != NULL)
            json_object_set_new(object, field->name, json);
    }
    if (message->n_unknown_fields > 0) {
        json_t *unknown = json_array();
        for (unsigned i = 0; i < message->n_unknown_fields; i++) {
            const ProtobufCMessageUnknownField *u = &message->unknown_fields[i];
            json_array_append_new(unknown,
                                  json_pack("{s:i, s:i, s:o}", "field", (int)u->tag, "wire",
                                            (int)u->wire_type, "bytes", hex_of(u->data, u->len)));
        }
        json_object_set_new(object, DOCUMENT_UNKNOWN, unknown);
    }
    return object;
}

static json_t *
page_to_json(struct slice value, char why[DOCUMENT_WHY_MAX])
{
    if (place_page_check(value) != OK) {
        snprintf(why, DOCUMENT_WHY_MAX, "the page of places is damaged");
        return NULL;
    }
    json_t *stands = json_array();
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand s;
        if (place_page_read(value, slot, &s))
            json_array_append_new(stands, json_pack("{s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:i}",
                                                    "player", unsigned_to_json(s.player), "island",
                                                    (int)s.island, "look", (int)s.look, "x_mm",
                                                    s.motion.x_mm, "y_mm", s.motion.y_mm, "vx",
                                                    (int)s.motion.vx, "vy", (int)s.motion.vy,
                                                    "since_ms", (json_int_t)s.motion.since_ms,
                                                    "lasts_ms", (int)s.motion.lasts_ms));
    }
    return json_pack("{s:o}", "stands", stands);
}

json_t *
document_to_json(const struct key_parts *key, struct slice value, char why[DOCUMENT_WHY_MAX])
{
    if (key_has_class(key, KEY_CLASS_PLACE))
        return page_to_json(value, why);
    const ProtobufCMessageDescriptor *type = document_type(key);
    if (type == NULL) {
        snprintf(why, DOCUMENT_WHY_MAX, "documents of the class \"%.*s\" have no form here",
                 (int)key->class.bytes, (const char *)key->class.at);
        return NULL;
    }
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, value.bytes, value.at);
    if (message == NULL) {
        snprintf(why, DOCUMENT_WHY_MAX, "the bytes are no %s", type->short_name);
        return NULL;
    }
    json_t *json = message_to_json(message);
    protobuf_c_message_free_unpacked(message, NULL);
    return json;
}
