#include "env/store_limits.h"
#include "base/check.h"
#include <string.h>

/* Twice the documents of a commit, a power of two: at most half full, so a search is short. */
#define SEEN_SLOTS 2048
_Static_assert(SEEN_SLOTS >= 2 * STORE_COMMIT_MAX, "the table of seen keys is at most half full");

enum err
store_key_check(struct slice key)
{
    if (key.bytes == 0)
        return ERR_FORMAT;
    if (key.bytes > STORE_KEY_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < key.bytes; i++)
        if (key.at[i] <= ' ' || key.at[i] > '~')
            return ERR_FORMAT;
    return OK;
}

static enum err
write_check(const struct store_write *write, uint32_t value_max)
{
    enum err error = store_key_check(write->key);
    if (error != OK)
        return error;
    switch (write->op) {
    case STORE_PUT: return write->value.bytes > value_max ? ERR_TOO_LARGE : OK;
    case STORE_CHECK:
        if (write->expected_version == STORE_ANY_VERSION)
            return ERR_RANGE; /* would check nothing: surely not what was meant */
        return write->value.bytes == 0 ? OK : ERR_FORMAT;
    case STORE_DELETE:
    case STORE_FORGET: return write->value.bytes == 0 ? OK : ERR_FORMAT;
    }
    return ERR_RANGE;
}

/* FNV-1a: keys are ours, nobody picks them to collide. */
static uint32_t
key_hash(struct slice key)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.bytes; i++)
        hash = (hash ^ key.at[i]) * 16777619U;
    return hash;
}

static enum err
keys_check_distinct(const struct store_write *writes, uint32_t count)
{
    uint16_t seen[SEEN_SLOTS] = {0}; /* index + 1 */
    CHECK(count <= STORE_COMMIT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct slice key = writes[i].key;
        uint32_t slot = key_hash(key) % SEEN_SLOTS;
        for (; seen[slot] != 0; slot = (slot + 1) % SEEN_SLOTS) {
            struct slice other = writes[seen[slot] - 1].key;
            if (other.bytes == key.bytes && memcmp(other.at, key.at, key.bytes) == 0)
                return ERR_EXISTS;
        }
        seen[slot] = (uint16_t)(i + 1);
    }
    return OK;
}

enum err
store_commit_check(const struct store_write *writes, uint32_t count, uint32_t value_max,
                   uint32_t commit_max)
{
    CHECK(value_max >= STORE_VALUE_MAX && commit_max >= 1 && commit_max <= STORE_COMMIT_MAX);
    if (count == 0 || count > commit_max)
        return ERR_RANGE;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum err error = write_check(&writes[i], value_max);
        if (error != OK)
            return error;
        bytes += writes[i].key.bytes + writes[i].value.bytes;
    }
    if (bytes > STORE_COMMIT_BYTES_MAX)
        return ERR_TOO_LARGE;
    return count == 1 ? OK : keys_check_distinct(writes, count);
}

enum err
store_scan_check(struct slice prefix, struct slice after, uint32_t limit)
{
    enum err error = prefix.bytes == 0 ? OK : store_key_check(prefix);
    if (error == OK && after.bytes > 0)
        error = store_key_check(after);
    if (error != OK)
        return error;
    return limit == 0 || limit > STORE_SCAN_MAX ? ERR_RANGE : OK;
}
