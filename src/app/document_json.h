/* Documents as JSON and back, for people: by the description that protobuf-c carries of each
 * message, so a field that is added to a document shows without a line here. Fields that this
 * version does not know are shown under "?" and survive the way back.
 *
 * 64-bit numbers beyond 2^53 are strings, bytes are hex, enumerations are their names; what has its
 * default value is left out. Used on the main thread of a command.
 */
#ifndef SEOM_APP_DOCUMENT_JSON_H
#define SEOM_APP_DOCUMENT_JSON_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/env.h"
#include "store/keys.h"
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#define DOCUMENT_WHY_MAX 200
#define DOCUMENT_UNKNOWN "?"

/* A new object, or NULL and why: no document of ours, or of a class without a form. */
json_t *document_to_json(const struct key_parts *key, struct slice value,
                         char why[DOCUMENT_WHY_MAX]);
/* ERR_FORMAT: an unknown field, a value of a wrong type or out of range, named in why;
 * ERR_TOO_LARGE; ERR_NOT_FOUND: a class that cannot be written. */
enum err document_from_json(const struct key_parts *key, const json_t *json,
                            uint8_t out[STORE_VALUE_MAX], size_t *bytes,
                            char why[DOCUMENT_WHY_MAX]) MUST_USE;

/* For the two files behind this one: the form of a class, NULL when it has none, and the bytes of a
 * field's value in the struct of its message. */
const ProtobufCMessageDescriptor *document_type(const struct key_parts *key);
size_t document_field_bytes(ProtobufCType type);

#endif
