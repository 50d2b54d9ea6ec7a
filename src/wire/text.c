#include "wire/text.h"
#include <stdint.h>
#include <string.h>

/* The code point at the start of text and its length in bytes; 0 when there is none. */
static size_t
code_point(struct slice text, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t head = text.at[0];
    if (head < 0x80) {
        *out = head;
        return 1;
    }
    size_t bytes = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : 2;
    if (head < 0xc2 || head > 0xf4 || text.bytes < bytes) {
        return 0;
    }
    uint32_t v = head & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if ((text.at[i] & 0xc0) != 0x80) {
            return 0;
        }
        v = v << 6 | (text.at[i] & 0x3fu);
    }
    if (v < least[bytes] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) {
        return 0;
    }
    *out = v;
    return bytes;
}

static bool
is_control(uint32_t v)
{
    return v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x2028 || v == 0x2029;
}

static bool
scan(struct slice text, bool controls)
{
    while (text.bytes > 0) {
        uint32_t v;
        size_t n = code_point(text, &v);
        if (n == 0 || (!controls && is_control(v))) {
            return false;
        }
        text.at += n;
        text.bytes -= n;
    }
    return true;
}

bool
text_is_utf8(struct slice text)
{
    return scan(text, true);
}

bool
text_is_line(struct slice text)
{
    return scan(text, false);
}

void
text_make_line(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t v;
        size_t n = code_point((struct slice){.at = (const uint8_t *)text, .bytes = left}, &v);
        bool bad = n == 0 || is_control(v);
        n = n == 0 ? 1 : n;
        if (bad) {
            memset(text, '?', n);
        }
        text += n;
        left -= n;
    }
}
