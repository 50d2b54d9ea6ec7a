#include "proof/verdict.h"

#include "base/check.h"
#include <stdio.h>

void
proof_wrong_text(char *text, size_t bytes, int64_t now_us, const char *format, va_list arguments)
{
    int used = snprintf(text, bytes, "at %.3f ms: ", (double)now_us / 1000);
    CHECK(used > 0 && (size_t)used < bytes);
    vsnprintf(text + used, bytes - (size_t)used, format, arguments);
}
