#include "os/base64.h"

static const char digits[64] = {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
                                'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
                                'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
                                'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
                                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

void
base64_write(struct slice bytes, char *out)
{
    size_t at = 0;
    for (; bytes.bytes - at >= 3; at += 3) {
        uint32_t group = (uint32_t)(bytes.at[at] << 16 | bytes.at[at + 1] << 8 | bytes.at[at + 2]);
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = digits[group >> shift & 63];
    }
    size_t left = bytes.bytes - at;
    if (left > 0) {
        uint32_t group = (uint32_t)bytes.at[at] << 16;
        group |= left == 2 ? (uint32_t)bytes.at[at + 1] << 8 : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left == 2 ? digits[group >> 6 & 63] : '=';
        *out++ = '=';
    }
    *out = '\0';
}

/* 64: no digit. */
static uint32_t
digit_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return (uint32_t)(digit - 'A');
    if (digit >= 'a' && digit <= 'z')
        return (uint32_t)(digit - 'a' + 26);
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0' + 52);
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

bool
base64_read(struct slice text, uint8_t *out, size_t *bytes)
{
    size_t padding = 0;
    if (text.bytes % 4 != 0)
        return false;
    while (padding < 2 && text.bytes > 0 && text.at[text.bytes - 1 - padding] == '=')
        padding++;
    uint8_t *start = out;
    uint32_t group = 0;
    for (size_t i = 0; i < text.bytes - padding; i++) {
        uint32_t value = digit_value(text.at[i]);
        if (value == 64)
            return false;
        group = group << 6 | value;
        if (i % 4 == 3) {
            *out++ = (uint8_t)(group >> 16);
            *out++ = (uint8_t)(group >> 8);
            *out++ = (uint8_t)group;
            group = 0;
        }
    }
    /* What the last group holds beyond its bytes must be 0: one text for the same bytes. */
    if (padding == 1) {
        *out++ = (uint8_t)(group >> 10);
        *out++ = (uint8_t)(group >> 2);
        group &= 3;
    } else if (padding == 2) {
        *out++ = (uint8_t)(group >> 4);
        group &= 15;
    }
    *bytes = (size_t)(out - start);
    return group == 0;
}
