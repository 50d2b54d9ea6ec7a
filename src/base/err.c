#include "base/err.h"

const char *
err_text(enum err error)
{
#define ERR_TEXT(name, text) [name] = (text),
    static const char *const texts[ERR_COUNT] = {ERR_TABLE(ERR_TEXT)};
#undef ERR_TEXT
    return (unsigned)error < ERR_COUNT ? texts[error] : "no such error";
}

const char *
err_name(enum err error)
{
#define ERR_NAME(name, text) [name] = #name,
    static const char *const names[ERR_COUNT] = {ERR_TABLE(ERR_NAME)};
#undef ERR_NAME
    return (unsigned)error < ERR_COUNT ? names[error] : "ERR_?";
}
