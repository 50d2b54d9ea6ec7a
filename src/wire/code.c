#include "wire/code.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include <stddef.h>

struct code_row {
    const char *name;
    const char *text[LANGUAGE_COUNT];
};

#define CODE_ROW(code, english, korean) \
    [SEOM__CODE__##code] = {            \
        .name = #code, .text = {[LANGUAGE_ENGLISH] = (english), [LANGUAGE_KOREAN] = (korean)}},
static const struct code_row rows[] = {CODE_TABLE(CODE_ROW)};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

bool
code_is_known(uint32_t code)
{
    return code < ROW_COUNT && rows[code].name != NULL;
}

const char *
code_name(uint32_t code)
{
    return code_is_known(code) ? rows[code].name : "?";
}

const char *
code_text(uint32_t code, enum language language)
{
    CHECK(language < LANGUAGE_COUNT);
    return rows[code_is_known(code) ? code : SEOM__CODE__REFUSED].text[language];
}
