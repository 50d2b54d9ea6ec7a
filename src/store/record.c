#include "store/record.h"
#include "base/check.h"
#include "wire/little.h"
#include <string.h>

#define FORMAT       1
#define EPOCH_DIGITS 12
#define COUNT_DIGITS 11
#define NAME_BYTES   (EPOCH_DIGITS + 1 + COUNT_DIGITS)

_Static_assert(NAME_BYTES <= KEY_NAME_MAX, "the nonce is the name of a key");

static const char hex_digits[] = "0123456789abcdef";

static void
hex_write(char *at, uint64_t value, uint32_t digits)
{
    for (uint32_t i = digits; i-- > 0; value >>= 4)
        at[i] = hex_digits[value & 15];
    CHECK(value == 0);
}

static bool
hex_read(const uint8_t *at, uint32_t digits, uint64_t *value)
{
    *value = 0;
    for (uint32_t i = 0; i < digits; i++) {
        const char *digit = at[i] == '\0' ? NULL : strchr(hex_digits, at[i]);
        if (digit == NULL)
            return false;
        *value = *value << 4 | (uint64_t)(digit - hex_digits);
    }
    return true;
}

struct key
record_key(uint16_t world, struct txid id)
{
    CHECK(id.count > 0);
    char name[NAME_BYTES + 1];
    hex_write(name, id.epoch, EPOCH_DIGITS);
    name[EPOCH_DIGITS] = '-';
    hex_write(name + EPOCH_DIGITS + 1, id.count, COUNT_DIGITS);
    name[NAME_BYTES] = '\0';
    return key_named(world, KEY_CLASS_RECORD, name);
}

struct key
record_prefix(uint16_t world)
{
    struct key key = key_named(world, KEY_CLASS_RECORD, "0");
    key.text[--key.bytes] = '\0';
    return key;
}

enum err
record_key_parse(struct slice key, struct txid *id)
{
    struct key_parts parts;
    enum err error = key_parse(key, &parts);
    if (error != OK)
        return error;
    const uint8_t *name = parts.name.at;
    if (!key_has_class(&parts, KEY_CLASS_RECORD) || parts.name.bytes != NAME_BYTES ||
        name[EPOCH_DIGITS] != '-' || !hex_read(name, EPOCH_DIGITS, &id->epoch) ||
        !hex_read(name + EPOCH_DIGITS + 1, COUNT_DIGITS, &id->count) || id->count == 0)
        return ERR_FORMAT;
    return OK;
}

bool
record_next_key(struct commit_record *record, struct slice *key)
{
    if (record->keys.bytes == 0)
        return false;
    size_t bytes = record->keys.at[0];
    CHECK(1 + bytes <= record->keys.bytes); /* record_read() looked at them */
    *key = (struct slice){record->keys.at + 1, bytes};
    record->keys.at += 1 + bytes;
    record->keys.bytes -= 1 + bytes;
    return true;
}

static bool
keys_are_whole(struct slice keys, uint32_t count)
{
    for (; count > 0; count--) {
        if (keys.bytes == 0 || keys.at[0] == 0 || keys.at[0] > STORE_KEY_MAX ||
            keys.bytes < 1U + keys.at[0])
            return false;
        keys.bytes -= 1U + keys.at[0];
        keys.at += 1U + keys.at[0];
    }
    return keys.bytes == 0;
}

enum err
record_read(struct slice raw, struct commit_record *out)
{
    if (raw.bytes > 0 && raw.at[0] > FORMAT)
        return ERR_NEWER;
    if (raw.bytes < RECORD_HEAD_BYTES || raw.bytes > RECORD_MAX || raw.at[0] != FORMAT ||
        raw.at[1] < RECORD_PENDING || raw.at[1] > RECORD_ABORTED)
        return ERR_FORMAT;
    *out =
        (struct commit_record){.state = (enum record_state)raw.at[1],
                               .deadline_ms = (int64_t)load_u64(raw.at + 2),
                               .count = load_u16(raw.at + 10),
                               .keys = {raw.at + RECORD_HEAD_BYTES, raw.bytes - RECORD_HEAD_BYTES}};
    if (out->count == 0 || out->count > RECORD_KEYS_MAX || !keys_are_whole(out->keys, out->count))
        return ERR_FORMAT;
    return OK;
}

size_t
record_write(const struct commit_record *record, uint8_t out[RECORD_MAX])
{
    CHECK(record->state != RECORD_MISSING && record->count > 0 && record->count <= RECORD_KEYS_MAX);
    CHECK(record->keys.bytes <= RECORD_MAX - RECORD_HEAD_BYTES);
    out[0] = FORMAT;
    out[1] = (uint8_t)record->state;
    store_u64(out + 2, (uint64_t)record->deadline_ms);
    store_u16(out + 10, (uint16_t)record->count);
    if (record->keys.at != out + RECORD_HEAD_BYTES)
        memcpy(out + RECORD_HEAD_BYTES, record->keys.at, record->keys.bytes);
    return RECORD_HEAD_BYTES + record->keys.bytes;
}

size_t
record_add_key(uint8_t *out, size_t used, size_t room, struct slice key)
{
    CHECK(key.bytes > 0 && key.bytes <= STORE_KEY_MAX && used + 1 + key.bytes <= room);
    out[used] = (uint8_t)key.bytes;
    memcpy(out + used + 1, key.at, key.bytes);
    return used + 1 + key.bytes;
}
