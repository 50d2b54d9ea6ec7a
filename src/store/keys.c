#include "store/keys.h"
#include "base/check.h"
#include <string.h>

#define WORLD_DIGITS 4
#define ID_DIGITS    16

static const char hex_digits[] = "0123456789abcdef";

static bool
is_ours(const char *text, size_t bytes_max)
{
    size_t n = strnlen(text, bytes_max + 1);
    if (n == 0 || n > bytes_max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
              text[i] == '-'))
            return false;
    return true;
}

static void
put_hex(struct writer *w, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--)
        write_u8(w, (uint8_t)hex_digits[value >> (4 * (i - 1)) & 15]);
}

static struct writer
key_begin(struct key *key, uint16_t world, const char *class)
{
    CHECK(is_ours(class, KEY_CLASS_MAX));
    struct writer w = writer_over(key->text, STORE_KEY_MAX);
    put_hex(&w, world, WORLD_DIGITS);
    write_u8(&w, '/');
    write_bytes(&w, class, strlen(class));
    write_u8(&w, '/');
    return w;
}

static struct key
key_end(struct key *key, const struct writer *w)
{
    CHECK(writer_ok(w));
    key->bytes = (uint8_t)writer_used(w);
    key->text[key->bytes] = '\0';
    return *key;
}

struct key
key_make(uint16_t world, const char *class, uint64_t id)
{
    struct key key;
    struct writer w = key_begin(&key, world, class);
    put_hex(&w, id, ID_DIGITS);
    return key_end(&key, &w);
}

struct key
key_named(uint16_t world, const char *class, const char *name)
{
    CHECK(is_ours(name, KEY_NAME_MAX));
    struct key key;
    struct writer w = key_begin(&key, world, class);
    write_bytes(&w, name, strlen(name));
    return key_end(&key, &w);
}

struct slice
key_slice(const struct key *key)
{
    CHECK(key->bytes > 0);
    return (struct slice){(const uint8_t *)key->text, key->bytes};
}

static bool
read_hex(struct slice text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        const char *digit = text.at[i] == '\0' ? NULL : strchr(hex_digits, text.at[i]);
        if (digit == NULL)
            return false;
        *value = *value << 4 | (uint64_t)(digit - hex_digits);
    }
    return true;
}

/* Up to the next '/', which is left out; false when there is none. */
static bool
cut_part(struct slice *text, struct slice *part)
{
    const uint8_t *end = text->bytes == 0 ? NULL : memchr(text->at, '/', text->bytes);
    if (end == NULL)
        return false;
    *part = (struct slice){text->at, (size_t)(end - text->at)};
    text->bytes -= part->bytes + 1;
    text->at = end + 1;
    return part->bytes > 0;
}

enum err
key_parse(struct slice text, struct key_parts *out)
{
    struct slice world;
    uint64_t number;
    *out = (struct key_parts){0};
    if (text.bytes > STORE_KEY_MAX || !cut_part(&text, &world) || world.bytes != WORLD_DIGITS ||
        !read_hex(world, &number) || !cut_part(&text, &out->class))
        return ERR_FORMAT;
    if (text.bytes == 0 || memchr(text.at, '/', text.bytes) != NULL)
        return ERR_FORMAT;
    out->world = (uint16_t)number;
    out->name = text;
    out->is_id = text.bytes == ID_DIGITS && read_hex(text, &out->id);
    if (!out->is_id)
        out->id = 0;
    return OK;
}

bool
key_has_class(const struct key_parts *parts, const char *class)
{
    return parts->class.bytes == strlen(class) &&
           memcmp(parts->class.at, class, parts->class.bytes) == 0;
}
