/* The way back of document_json.h. Everything that a message owns is malloc'ed, as
 * protobuf_c_message_free_unpacked() expects. */
#include "app/document_json.h"
#include "base/check.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_NUMBER_MAX ((1 << 29) - 1) /* of protobuf */

struct parse {
    char *why;
    const char *field; /* that is being read */
};

static bool message_fill(struct parse *parse, ProtobufCMessage *message, const json_t *json);

static bool
complain(struct parse *parse, const char *wanted)
{
    snprintf(parse->why, DOCUMENT_WHY_MAX, "\"%s\" must be %s", parse->field, wanted);
    return false;
}

static void *
take_zeroed(size_t count, size_t bytes)
{
    void *at = calloc(count == 0 ? 1 : count, bytes);
    CHECK(at != NULL);
    return at;
}

static int
nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_read(const char *text, ProtobufCBinaryData *out)
{
    size_t count = strlen(text);
    if (count % 2 != 0)
        return false;
    uint8_t *data = take_zeroed(count / 2, 1);
    for (size_t i = 0; i < count; i += 2) {
        int high = nibble(text[i]), low = nibble(text[i + 1]);
        if (high < 0 || low < 0) {
            free(data);
            return false;
        }
        data[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out = (ProtobufCBinaryData){.len = count / 2, .data = data};
    return true;
}

static bool
signed_fill(struct parse *parse, const json_t *json, int64_t least, int64_t most, int64_t *out)
{
    if (json_is_integer(json)) {
        *out = json_integer_value(json);
    } else if (json_is_string(json)) {
        char *end;
        errno = 0;
        *out = strtoll(json_string_value(json), &end, 10);
        if (errno != 0 || *end != '\0' || end == json_string_value(json))
            return complain(parse, "a whole number");
    } else {
        return complain(parse, "a whole number");
    }
    return (*out >= least && *out <= most) || complain(parse, "within its range");
}

static bool
unsigned_fill(struct parse *parse, const json_t *json, uint64_t most, uint64_t *out)
{
    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        *out = (uint64_t)json_integer_value(json);
    } else if (json_is_string(json) && json_string_value(json)[0] != '-') {
        char *end;
        errno = 0;
        *out = strtoull(json_string_value(json), &end, 10);
        if (errno != 0 || *end != '\0' || end == json_string_value(json))
            return complain(parse, "a whole number from 0");
    } else {
        return complain(parse, "a whole number from 0");
    }
    return *out <= most || complain(parse, "within its range");
}

static bool
enum_fill(struct parse *parse, const ProtobufCEnumDescriptor *type, const json_t *json, int *out)
{
    if (json_is_string(json)) {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(json));
        if (value == NULL)
            return complain(parse, "one of its names");
        *out = value->value;
        return true;
    }
    int64_t number;
    if (!signed_fill(parse, json, INT32_MIN, INT32_MAX, &number))
        return false;
    *out = (int)number;
    return true;
}

static bool
inner_fill(struct parse *parse, const ProtobufCMessageDescriptor *type, const json_t *json,
           uint8_t *at)
{
    ProtobufCMessage *inner = take_zeroed(1, type->sizeof_message);
    protobuf_c_message_init(type, inner);
    memcpy(at, &inner, sizeof inner); /* owned by its message from here on */
    return message_fill(parse, inner, json);
}

static bool
text_fill(struct parse *parse, const json_t *json, uint8_t *at)
{
    if (!json_is_string(json))
        return complain(parse, "text");
    char *text = strdup(json_string_value(json));
    CHECK(text != NULL);
    memcpy(at, &text, sizeof text);
    return true;
}

static bool
bytes_fill(struct parse *parse, const json_t *json, uint8_t *at)
{
    ProtobufCBinaryData bytes;
    if (!json_is_string(json) || !hex_read(json_string_value(json), &bytes))
        return complain(parse, "bytes in hex");
    memcpy(at, &bytes, sizeof bytes);
    return true;
}

static bool
value_fill(struct parse *parse, const ProtobufCFieldDescriptor *field, const json_t *json,
           uint8_t *at)
{
    int64_t s;
    uint64_t u;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        if (!signed_fill(parse, json, INT32_MIN, INT32_MAX, &s))
            return false;
        memcpy(at, &(int32_t){(int32_t)s}, sizeof(int32_t));
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!unsigned_fill(parse, json, UINT32_MAX, &u))
            return false;
        memcpy(at, &(uint32_t){(uint32_t)u}, sizeof(uint32_t));
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        if (!signed_fill(parse, json, INT64_MIN, INT64_MAX, &s))
            return false;
        memcpy(at, &s, sizeof s);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (!unsigned_fill(parse, json, UINT64_MAX, &u))
            return false;
        memcpy(at, &u, sizeof u);
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(json))
            return complain(parse, "true or false");
        memcpy(at, &(protobuf_c_boolean){json_is_true(json)}, sizeof(protobuf_c_boolean));
        return true;
    case PROTOBUF_C_TYPE_ENUM: {
        int value;
        if (!enum_fill(parse, field->descriptor, json, &value))
            return false;
        memcpy(at, &value, sizeof value);
        return true;
    }
    case PROTOBUF_C_TYPE_STRING: return text_fill(parse, json, at);
    case PROTOBUF_C_TYPE_BYTES: return bytes_fill(parse, json, at);
    case PROTOBUF_C_TYPE_MESSAGE: return inner_fill(parse, field->descriptor, json, at);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE: break;
    }
    return complain(parse, "of a type that documents have");
}

static bool
array_fill(struct parse *parse, const ProtobufCFieldDescriptor *field, const json_t *json,
           uint8_t *message)
{
    if (!json_is_array(json))
        return complain(parse, "a list");
    size_t count = json_array_size(json), width = document_field_bytes(field->type), filled = 0;
    uint8_t *items = take_zeroed(count, width);
    memcpy(message + field->offset, &items, sizeof items);
    while (filled < count) {
        bool fine = value_fill(parse, field, json_array_get(json, filled), items + filled * width);
        /* A message that failed half-way is there and must be freed with the others. */
        filled += fine || field->type == PROTOBUF_C_TYPE_MESSAGE;
        memcpy(message + field->quantifier_offset, &filled, sizeof filled);
        if (!fine)
            return false;
    }
    return true;
}

static bool
unknown_fill(struct parse *parse, ProtobufCMessage *message, const json_t *json)
{
    parse->field = DOCUMENT_UNKNOWN;
    if (!json_is_array(json))
        return complain(parse, "a list");
    size_t count = json_array_size(json);
    message->unknown_fields = take_zeroed(count, sizeof message->unknown_fields[0]);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, i);
        const char *hex = json_string_value(json_object_get(item, "bytes"));
        ProtobufCBinaryData bytes;
        json_int_t number = json_integer_value(json_object_get(item, "field"));
        if (hex == NULL || number < 1 || number > FIELD_NUMBER_MAX || !hex_read(hex, &bytes))
            return complain(parse, "a list of {field, wire, bytes}");
        message->unknown_fields[i] = (ProtobufCMessageUnknownField){
            .tag = (uint32_t)number,
            .wire_type = (ProtobufCWireType)json_integer_value(json_object_get(item, "wire")),
            .len = bytes.len,
            .data = bytes.data};
        message->n_unknown_fields = (unsigned)i + 1;
    }
    return true;
}

static bool
message_fill(struct parse *parse, ProtobufCMessage *message, const json_t *json)
{
    if (!json_is_object(json))
        return complain(parse, "an object");
    uint8_t *at = (uint8_t *)message;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value)
    {
        if (strcmp(name, DOCUMENT_UNKNOWN) == 0) {
            if (!unknown_fill(parse, message, value))
                return false;
            continue;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
        parse->field = name;
        if (field == NULL) {
            snprintf(parse->why, DOCUMENT_WHY_MAX, "a %s has no field \"%.60s\"",
                     message->descriptor->short_name, name);
            return false;
        }
        bool fine = field->label == PROTOBUF_C_LABEL_REPEATED
                        ? array_fill(parse, field, value, at)
                        : value_fill(parse, field, value, at + field->offset);
        if (!fine)
            return false;
    }
    return true;
}

/* Fields that nobody here knows are written as they were given, so only reading tells whether the
 * whole is a document. */
static bool
reads_back(const ProtobufCMessageDescriptor *type, const uint8_t *packed, size_t bytes)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, bytes, packed);
    bool fine = message != NULL;
    if (fine)
        protobuf_c_message_free_unpacked(message, NULL);
    return fine;
}

enum err
document_from_json(const struct key_parts *key, const json_t *json, uint8_t out[STORE_VALUE_MAX],
                   size_t *bytes, char why[DOCUMENT_WHY_MAX])
{
    const ProtobufCMessageDescriptor *type = document_type(key);
    if (type == NULL) {
        snprintf(why, DOCUMENT_WHY_MAX, "documents of the class \"%.*s\" cannot be written here",
                 (int)key->class.bytes, (const char *)key->class.at);
        return ERR_NOT_FOUND;
    }
    ProtobufCMessage *message = take_zeroed(1, type->sizeof_message);
    protobuf_c_message_init(type, message);
    struct parse parse = {.why = why, .field = "the document"};
    enum err error = ERR_FORMAT;
    if (message_fill(&parse, message, json)) {
        *bytes = protobuf_c_message_get_packed_size(message);
        if (*bytes > STORE_VALUE_MAX) {
            error = ERR_TOO_LARGE;
            snprintf(why, DOCUMENT_WHY_MAX, "the document has %zu bytes, at most %d fit", *bytes,
                     STORE_VALUE_MAX);
        } else {
            CHECK(protobuf_c_message_pack(message, out) == *bytes);
            error = reads_back(type, out, *bytes) ? OK : ERR_FORMAT;
            if (error != OK)
                snprintf(why, DOCUMENT_WHY_MAX, "what stands under \"%s\" is not whole",
                         DOCUMENT_UNKNOWN);
        }
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return error;
}
