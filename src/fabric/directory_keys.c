#include "fabric/directory_keys.h"
#include "base/check.h"
#include <stdio.h>
#include <string.h>

struct directory_key
directory_prefix(uint32_t world)
{
    struct directory_key key;
    int bytes = snprintf(key.text, sizeof key.text, "/seom/%u/", world);
    CHECK(bytes > 0 && (size_t)bytes < sizeof key.text);
    return key;
}

static bool
name_is_fine(const char *name)
{
    size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    return bytes > 0 && bytes <= DIRECTORY_NAME_MAX && name[bytes] == 0;
}

struct directory_key
directory_key_of_node(uint32_t world, const struct directory_place *place)
{
    CHECK(name_is_fine(place->role));
    struct directory_key key;
    int bytes = snprintf(key.text, sizeof key.text, "/seom/%u/%u/%s/%u", world, place->shard,
                         place->role, place->index);
    CHECK(bytes > 0 && (size_t)bytes < sizeof key.text);
    return key;
}

struct directory_key
directory_key_of_table(uint32_t world, const char *table)
{
    CHECK(name_is_fine(table));
    struct directory_key key;
    int bytes = snprintf(key.text, sizeof key.text, "/seom/%u/%s", world, table);
    CHECK(bytes > 0 && (size_t)bytes < sizeof key.text);
    return key;
}

/* Takes a number without sign or leading zeroes and the slash behind it, if one is wanted. */
static bool
take_number(const char **at, bool slash, uint32_t *number)
{
    uint64_t value = 0;
    const char *p = *at;
    while (*p >= '0' && *p <= '9' && value <= UINT32_MAX)
        value = value * 10 + (uint64_t)(*p++ - '0');
    bool fine = p > *at && value <= UINT32_MAX && (**at != '0' || p - *at == 1);
    if (!fine || (slash && *p != '/'))
        return false;
    *number = (uint32_t)value;
    *at = p + slash;
    return true;
}

bool
directory_key_is_node(uint32_t world, struct slice key, struct directory_place *place)
{
    char text[DIRECTORY_KEY_MAX];
    struct directory_key prefix = directory_prefix(world);
    size_t skip = strlen(prefix.text);
    if (key.bytes >= sizeof text || key.bytes < skip || memcmp(key.at, prefix.text, skip) != 0)
        return false;
    memcpy(text, key.at, key.bytes);
    text[key.bytes] = 0;
    const char *at = text + skip;
    struct directory_place found = {0};
    if (!take_number(&at, true, &found.shard))
        return false;
    size_t letters = strspn(at, "abcdefghijklmnopqrstuvwxyz");
    if (letters == 0 || letters > DIRECTORY_NAME_MAX || at[letters] != '/')
        return false;
    memcpy(found.role, at, letters);
    at += letters + 1;
    if (!take_number(&at, false, &found.index) || at != text + key.bytes)
        return false;
    *place = found;
    return true;
}

bool
directory_key_is_table(uint32_t world, struct slice key, const char *table)
{
    struct directory_key wanted = directory_key_of_table(world, table);
    return key.bytes == strlen(wanted.text) && memcmp(key.at, wanted.text, key.bytes) == 0;
}

struct slice
directory_key_slice(const struct directory_key *key)
{
    return (struct slice){(const uint8_t *)key->text, strlen(key->text)};
}
